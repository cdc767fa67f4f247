/* SPDX-License-Identifier: MIT */
/*
 * soak - a server process under everything at once, for long
 *
 *   soak --xpmanager FILE [--server event|thread] [--seconds N] [--seed N]
 *
 * Workers (worker.h) use it, abuse it and reach its limits; one after the other is killed or stopped at a
 * random moment and replaced. A witness asks all the while, and must be answered. In the end every object is
 * given back, and the server must have the descriptors, threads, objects and kept bytes with which it began,
 * and no more resident memory than after the first fifth of the time (plus a little: an allocator breathes).
 */
#include "conformance/soak/worker.h"
#include "conformance/subjects/subject.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <argp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORKERS	    8
#define SECONDS	    600
#define REPORT_NS   (30 * XP_NS_PER_SEC)
#define SETTLE_NS   (120 * XP_NS_PER_SEC)
#define ANSWER_NS   (60 * XP_NS_PER_SEC) /* the patience of the witness: the CPU may be shared */
#define SLACK_BYTES (INT64_C(16) << 20)

struct options {
	const char *xpmanager;
	const char *model;
	long seconds;
	unsigned seed;
};

/* Of the server, when nobody is connected but the witness. */
struct state {
	int64_t descriptors;
	int64_t threads;
	int64_t objects;
	int64_t kept;
	int64_t resident;
};

struct soak {
	const struct options *options;
	struct xc_server server;
	struct xp_manager *manager;
	struct xp_child children[WORKERS];
	struct xc_soak_worker workers[WORKERS];
	_Atomic uint64_t *done; /* of all workers; shared */
	_Atomic int *broken;
	unsigned seed;
	uint64_t kills;
	uint64_t stops;
	uint64_t asked;
	int64_t slowest;
};

static char directory[64];

static void die(const char *what, int rc)
{
	fprintf(stderr, "soak: %s: %s\n", what, strerror(-rc));
	exit(EXIT_FAILURE);
}

/* ---- the server -------------------------------------------------------------------------------- */

struct launch {
	const struct options *options;
	int ready;
};

static int run_server(void *argument)
{
	const struct launch *launch = argument;
	char listen_option[128];
	char ready[32];
	char model[32];

	snprintf(listen_option, sizeof(listen_option), "--listen=unix:%s/s", directory);
	snprintf(ready, sizeof(ready), "--ready-fd=%d", launch->ready);
	snprintf(model, sizeof(model), "--server=%s", launch->options->model);
	setenv("XP_AUTHKEY", XC_SOAK_KEY, 1);
	/* Limits within the reach of the workers. */
	execl(launch->options->xpmanager, "xpmanager", listen_option, ready, model, "--quiet",
	      "--nofile=160", "--handshake-timeout=1", "--max-objects=1000", "--max-memory=64M",
	      "--max-pending=64", (char *)NULL);
	return 127;
}

static void start_server(struct soak *soak)
{
	struct timespec by = xp_deadline_after(ANSWER_NS);
	struct launch launch = {.options = soak->options};
	size_t used = 0;
	int ends[2];
	int rc = pipe(ends) < 0 ? -errno : 0;

	launch.ready = ends[1];
	if (rc == 0)
		rc = xp_child_start(run_server, &launch, &soak->server.child);
	close(ends[1]);
	while (rc == 0 && used < XC_ADDRESS_MAX - 1) {
		rc = xp_io_read_full(ends[0], soak->server.text + used, 1, &by);
		if (rc == 0 && soak->server.text[used++] == '\n')
			break;
	}
	close(ends[0]);
	if (rc == 0) {
		soak->server.text[used - 1] = '\0';
		rc = xp_address_parse(soak->server.text, &soak->server.address);
	}
	const struct xp_manager_plan plan = {.address = &soak->server.address,
					     .key = XC_SOAK_KEY,
					     .key_size = strlen(XC_SOAK_KEY),
					     .patience_ns = ANSWER_NS};
	if (rc == 0)
		rc = xp_manager_connect(&plan, &soak->manager);
	if (rc < 0)
		die("the server does not start", rc);
}

/* ---- what it says of itself -------------------------------------------------------------------- */

/* A connection-level function; a full server refuses it now and then, and is asked again. */
static const struct xp_datum *ask(struct soak *soak, const char *function, size_t count,
				  const struct xp_datum *const *args)
{
	struct timespec by = xp_deadline_after(SETTLE_NS);
	struct xp_remote_error error = {0};
	const struct xp_datum *value;
	int rc;

	do
		rc = xp_manager_call(soak->manager, function, count, args, &value, &error);
	while ((rc == -EUSERS || rc == -ECONNRESET || rc == -ETIMEDOUT) && count == 0 &&
	       !xp_deadline_passed(&by));
	if (rc < 0)
		die(error.text[0] ? error.text : function, rc);
	return value;
}

static int64_t number_at(const struct xp_datum *stats, const char *group, const char *name)
{
	const struct xp_datum *table = xp_datum_dict_get(stats, group);
	const struct xp_datum *value =
	    table && xp_datum_is(table, XP_DATUM_DICT) ? xp_datum_dict_get(table, name) : NULL;
	int64_t number;

	return value && xp_datum_to_int64(value, &number) == 0 ? number : -1;
}

static struct state look(struct soak *soak)
{
	const struct xp_datum *stats = ask(soak, "stats", 0, NULL);
	struct state state = {
	    .objects = number_at(stats, "objects", "now"),
	    .kept = number_at(stats, "memory", "kept_bytes"),
	    .resident = number_at(stats, "memory", "resident_bytes"),
	};

	/* The connection by which it was asked goes too. */
	poll(NULL, 0, 20);
	state.descriptors = xc_server_descriptors(&soak->server);
	state.threads = xc_server_threads(&soak->server);
	return state;
}

static bool is_like(const struct state *now, const struct state *then)
{
	return now->descriptors == then->descriptors && now->threads == then->threads &&
	       now->objects == then->objects && now->kept == then->kept;
}

/* Give back every reference that clients have left behind: what debug_info lists, "ident: refcount=N". */
static void sweep(struct soak *soak)
{
	const struct xp_datum *listed = ask(soak, "debug_info", 0, NULL);
	char *text = strndup(listed->bytes, listed->size);
	char *rest = text;

	for (char *line; rest && (line = strsep(&rest, "\n"));) {
		char ident[64];
		unsigned count;

		if (sscanf(line, " %63[0-9a-f]: refcount=%u", ident, &count) != 2)
			continue;
		for (; count > 0; count--) {
			const struct xp_datum *args[1] = {
			    xp_datum_str(xp_manager_arena(soak->manager), ident)};

			ask(soak, "decref", 1, args);
		}
	}
	free(text);
}

/* ---- workers ----------------------------------------------------------------------------------- */

static unsigned dice(struct soak *soak, unsigned sides)
{
	return (unsigned)rand_r(&soak->seed) % sides;
}

static void start_worker(struct soak *soak, int index)
{
	soak->workers[index].seed = (unsigned)rand_r(&soak->seed);
	int rc = xp_child_start(xc_soak_work, &soak->workers[index], &soak->children[index]);

	if (rc < 0)
		die("no worker", rc);
}

static void make_shared(struct soak *soak)
{
	static const struct {
		const char *typeid_;
		const char *args;
	} shared[] = {
#define X(name, typeid_, args) {typeid_, args},
	    XC_SOAK_SHARED_MAP(X)
#undef X
	};
	struct xp_proxy *proxies[XC_SOAK_SHARED];

	for (int i = 0; i < XC_SOAK_SHARED; i++) {
		const struct xp_datum *args[1] = {xp_datum_int(xp_manager_arena(soak->manager),
							       strtol(shared[i].args, NULL, 10))};
		int rc = xp_proxy_create(soak->manager, shared[i].typeid_,
					 shared[i].args[0] != '\0', args, NULL, &proxies[i], NULL);

		if (rc < 0)
			die(shared[i].typeid_, rc);
	}
	for (int i = 0; i < WORKERS; i++) {
		struct xc_soak_worker *worker = &soak->workers[i];

		*worker = (struct xc_soak_worker){.address = soak->server.address,
						  .manager = soak->manager,
						  .done = soak->done,
						  .broken = soak->broken};
		memcpy(worker->shared, proxies, sizeof(proxies));
	}
}

/* ---- the run ----------------------------------------------------------------------------------- */

static void witness(struct soak *soak)
{
	int64_t start = xp_clock_ns();
	/* On the connection that it has kept from the beginning. */
	int rc = xp_proxy_call(soak->workers[0].shared[XC_SOAK_EVENT], "is_set", 0, NULL, NULL,
			       NULL, NULL);
	int64_t took = xp_clock_ns() - start;

	if (rc < 0)
		die("the witness is not served", rc);
	soak->asked++;
	if (took > soak->slowest)
		soak->slowest = took;
}

/* One random misfortune. */
static void strike(struct soak *soak)
{
	int index = (int)dice(soak, WORKERS);
	struct xp_child *child = &soak->children[index];
	struct timespec now = xp_deadline_after(0);
	int status;

	if (dice(soak, 5) == 0) {
		(void)!xp_child_signal(child, SIGSTOP);
		poll(NULL, 0, 20);
		(void)!xp_child_signal(child, SIGCONT);
		soak->stops++;
		return;
	}
	if (xp_child_wait(child, &now, &status) == 0)
		die("a worker ended by itself", -ECHILD);
	xp_child_stop(child);
	soak->kills++;
	start_worker(soak, index);
}

static void print_state(const char *when, const struct state *state)
{
	printf("%-8s %12lld %8lld %8lld %11lld %14lld\n", when, (long long)state->descriptors,
	       (long long)state->threads, (long long)state->objects, (long long)state->kept,
	       (long long)state->resident >> 10);
	fflush(stdout);
}

static void run_for(struct soak *soak, int64_t duration)
{
	int64_t start = xp_clock_ns();
	int64_t report = start + REPORT_NS;

	make_shared(soak);
	for (int i = 0; i < WORKERS; i++)
		start_worker(soak, i);
	while (xp_clock_ns() - start < duration) {
		poll(NULL, 0, 10 + (int)dice(soak, 40));
		witness(soak);
		strike(soak);
		if (atomic_load(soak->broken))
			die("a worker met what no server should do", atomic_load(soak->broken));
		if (!xc_server_alive(&soak->server))
			die("the server has ended", -ECHILD);
		if (xp_clock_ns() > report) {
			report += REPORT_NS;
			printf("%lld s: %llu actions, %llu kills, slowest answer %lld us\n",
			       (long long)((xp_clock_ns() - start) / XP_NS_PER_SEC),
			       (unsigned long long)atomic_load(soak->done),
			       (unsigned long long)soak->kills,
			       (long long)(soak->slowest / XP_NS_PER_US));
			fflush(stdout);
		}
	}
	for (int i = 0; i < WORKERS; i++)
		xp_child_stop(&soak->children[i]);
	for (int i = 0; i < XC_SOAK_SHARED; i++)
		xp_proxy_drop(soak->workers[0].shared[i]);
}

/* Wait until it is as it was at @then, or as near as it gets. */
static struct state settle(struct soak *soak, const struct state *then)
{
	struct timespec by = xp_deadline_after(SETTLE_NS);
	struct state now;

	do {
		poll(NULL, 0, 20);
		sweep(soak);
		now = look(soak);
	} while (!is_like(&now, then) && !xp_deadline_passed(&by));
	return now;
}

static void print_counts(struct soak *soak)
{
	static const char *const refusals[] = {
#define X(name, NAME) #name,
	    XP_REFUSAL_MAP(X)
#undef X
	};
	const struct xp_datum *stats = ask(soak, "stats", 0, NULL);
	const struct xp_datum *connections = xp_datum_dict_get(stats, "connections");

	printf(
	    "%llu actions, %llu kills, %llu stops; %lld calls, %lld waited, %lld abandoned; %lld "
	    "objects made; %lld connections, most at a time %lld\n",
	    (unsigned long long)atomic_load(soak->done), (unsigned long long)soak->kills,
	    (unsigned long long)soak->stops, (long long)number_at(stats, "calls", "total"),
	    (long long)number_at(stats, "calls", "waited"),
	    (long long)number_at(stats, "calls", "abandoned"),
	    (long long)number_at(stats, "objects", "made"),
	    (long long)number_at(stats, "connections", "accepted"),
	    (long long)number_at(stats, "clients", "most"));
	printf("refused:");
	for (size_t i = 0; i < XP_REFUSAL_COUNT; i++)
		printf(" %s %lld", refusals[i],
		       (long long)number_at(connections, "refused", refusals[i]));
	printf("\nwitness: %llu answers, slowest %lld us\n", (unsigned long long)soak->asked,
	       (long long)(soak->slowest / XP_NS_PER_US));
}

static int soak_all(struct soak *soak)
{
	int64_t duration = soak->options->seconds * XP_NS_PER_SEC;
	struct xp_proxy *first;
	struct state begin;
	struct state middle;
	struct state end;
	bool same;

	/* The connection that the witness keeps is part of the beginning. */
	int rc = xp_proxy_create(soak->manager, "Event", 0, NULL, NULL, &first, NULL);

	if (rc == 0)
		rc = xp_proxy_call(first, "is_set", 0, NULL, NULL, NULL, NULL);
	if (rc < 0)
		die("the witness", rc);
	xp_proxy_drop(first);
	begin = look(soak);
	printf("%-8s %12s %8s %8s %11s %14s\n", "", "descriptors", "threads", "objects",
	       "kept bytes", "resident KiB");
	print_state("begin", &begin);
	run_for(soak, duration / 5);
	middle = settle(soak, &begin);
	print_state("middle", &middle);
	run_for(soak, duration - duration / 5);
	end = settle(soak, &begin);
	print_state("end", &end);
	print_counts(soak);
	same = is_like(&middle, &begin) && is_like(&end, &begin);
	if (!same)
		puts("FAILED: it does not end as it began");
#ifdef XC_SANITIZED
	middle.resident = end.resident;
#endif
	if (end.resident > middle.resident + SLACK_BYTES) {
		puts("FAILED: its memory grows");
		same = false;
	}
	return same ? EXIT_SUCCESS : EXIT_FAILURE;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct options *options = state->input;
	char *end;

	switch (key) {
	case 'x':
		options->xpmanager = text;
		break;
	case 'm':
		if (strcmp(text, "event") != 0 && strcmp(text, "thread") != 0)
			argp_error(state, "--server is event or thread");
		options->model = text;
		break;
	case 's':
		options->seconds = strtol(text, &end, 10);
		if (*end || options->seconds < 5)
			argp_error(state, "--seconds wants a number from 5 on");
		break;
	case 'r':
		options->seed = (unsigned)strtoul(text, &end, 10);
		if (*end)
			argp_error(state, "--seed wants a number");
		break;
	case ARGP_KEY_END:
		if (!options->xpmanager)
			argp_error(state, "--xpmanager=FILE is missing");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
	    {"xpmanager", 'x', "FILE", 0, "The program to soak", 0},
	    {"server", 'm', "MODEL", 0, "event (default) or thread", 0},
	    {"seconds", 's', "N", 0, "How long; default 600", 0},
	    {"seed", 'r', "N", 0, "Of the random choices; default: from the clock", 0},
	    {0},
	};
	static const struct argp argp = {
	    .options = argp_options,
	    .parser = parse_option,
	    .doc = "soak - a server process under everything at once, for long"};
	struct options options = {
	    .model = "event", .seconds = SECONDS, .seed = (unsigned)xp_clock_ns()};
	struct soak soak = {.options = &options};

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	signal(SIGPIPE, SIG_IGN);
	snprintf(directory, sizeof(directory), "/tmp/xpsoak-XXXXXX");
	soak.done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (soak.done == MAP_FAILED || !mkdtemp(directory))
		die("no memory or no directory", -errno);
	soak.broken = (_Atomic int *)(soak.done + 8);
	soak.seed = options.seed;
	printf("%s server, %ld s, seed %u\n", options.model, options.seconds, options.seed);
	start_server(&soak);
	int status = soak_all(&soak);

	if (xp_child_signal(&soak.server.child, SIGTERM) == 0) {
		struct timespec by = xp_deadline_after(ANSWER_NS);
		int ended;

		if (xp_child_wait(&soak.server.child, &by, &ended) < 0 || !xp_child_ok(ended)) {
			puts("FAILED: it does not end in order");
			status = EXIT_FAILURE;
		}
	}
	xp_child_stop(&soak.server.child);
	xp_manager_close(soak.manager);
	if (rmdir(directory) < 0) {
		puts("FAILED: it leaves its socket behind");
		status = EXIT_FAILURE;
	}
	puts(status == EXIT_SUCCESS ? "as it began" : "not as it began");
	return status;
}
