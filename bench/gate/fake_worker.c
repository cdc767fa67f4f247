/* SPDX-License-Identifier: MIT */
/*
 * fake_worker - a worker whose every misbehaviour can be ordered, for the tests of the gate
 *
 * It reports times that it computes rather than measures: a case's nominal cost, a seeded noise,
 * and the slowdown that was asked for. So the verdicts of a test do not depend on the clock.
 * A build is a folder with a bin/xpbench; here that is a two-line shell script which executes this
 * program with the behaviour wanted before its own arguments.
 */
#include "gate/random.h"
#include "gate/serve.h"
#include "xpshare/base/clock.h"

#include <argp.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct options {
	const char *worker; /* the case to serve */
	bool list;
	double slower;	       /* percent */
	const char *slow_case; /* only this one; NULL: all */
	double noise;	       /* standard deviation of ln(time) */
	double launch_noise;   /* the same, drawn once a launch */
	const char *lack;
	const char *schema;
	const char *crash_case;
	long crash_after; /* runs; -1: never */
	long hang_after;
	long garbage_after;
	bool crash_list;
	bool hang_list;
	bool burn;
	bool real;
	bool leave_orphan;
	bool wrong_ready;
	long bad_status;
	long syscalls; /* extra ones to an operation */
	long allocations;
	long sleep_every; /* 0: no operation waits */
	long seed;
};

struct state {
	const struct options *options;
	struct xg_random random;
	double ns_per_op;
	long runs;
};

static const struct {
	const char *name;
	double ns_per_op;
	int members;
	const char *attributes;
} cases[] = {
    {"fake/quick", 20, 1, "\tdefault\tshared_bytes=64"},
    {"fake/middle", 900, 2, "\tdefault\tshared_bytes=4096"},
    {"fake/slow", 250000, 2, "\tdefault"},
    {"fake/extra", 100, 1, ""},
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

#define CONTROL_NS 200
#define NAP_NS	   100000

enum key {
	SLOWER = 256,
	SLOW_CASE,
	NOISE,
	LAUNCH_NOISE,
	LACK,
	SCHEMA,
	CRASH_CASE,
	CRASH_AFTER,
	HANG_AFTER,
	GARBAGE_AFTER,
	CRASH_LIST,
	HANG_LIST,
	BURN,
	ORPHAN,
	WRONG_READY,
	BAD_STATUS,
	SYSCALLS,
	ALLOCATIONS,
	SLEEP_EVERY,
	SEED,
	REAL,
	LIST,
	WORKER
};

static const struct argp_option known[] = {
    {"worker", WORKER, "CASE", 0, "Serve this case", 0},
    {"list-cases", LIST, NULL, 0, "List the cases", 0},
    {"slower", SLOWER, "PERCENT", 0, "Report this much more time", 0},
    {"slow-case", SLOW_CASE, "CASE", 0, "Slow down, and misbehave, in this case only", 0},
    {"noise", NOISE, "SD", 0, "Of ln(time), for each run", 0},
    {"launch-noise", LAUNCH_NOISE, "SD", 0, "Of ln(time), for each launch", 0},
    {"lack", LACK, "CASE", 0, "Do not offer this case", 0},
    {"schema", SCHEMA, "N", 0, "Speak this schema", 0},
    {"crash-after", CRASH_AFTER, "RUNS", 0, "Abort in a run", 0},
    {"hang-after", HANG_AFTER, "RUNS", 0, "Stop answering", 0},
    {"garbage-after", GARBAGE_AFTER, "RUNS", 0, "Answer nonsense", 0},
    {"crash-list", CRASH_LIST, NULL, 0, "Abort while listing", 0},
    {"hang-list", HANG_LIST, NULL, 0, "Hang while listing", 0},
    {"burn", BURN, NULL, 0, "Use a CPU while idle", 0},
    {"real", REAL, NULL, 0, "Really take the time that is reported", 0},
    {"orphan", ORPHAN, NULL, 0, "Leave a child behind", 0},
    {"wrong-ready", WRONG_READY, NULL, 0, "Be ready for another case", 0},
    {"bad-status", BAD_STATUS, "N", 0, "Exit with this status", 0},
    {"syscalls", SYSCALLS, "N", 0, "Make this many system calls to an operation", 0},
    {"allocations", ALLOCATIONS, "N", 0, "Allocate this many times to an operation", 0},
    {"sleep-every", SLEEP_EVERY, "N", 0, "Wait in each operation, and sleep for it in one of N", 0},
    {"seed", SEED, "N", 0, "Of the noise; the process id is added", 0},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *argp)
{
	struct options *options = argp->input;

	switch (key) {
	case WORKER:
		options->worker = text;
		return 0;
	case LIST:
		options->list = true;
		return 0;
	case SLOWER:
		options->slower = strtod(text, NULL);
		return 0;
	case SLOW_CASE:
		options->slow_case = text;
		return 0;
	case NOISE:
		options->noise = strtod(text, NULL);
		return 0;
	case LAUNCH_NOISE:
		options->launch_noise = strtod(text, NULL);
		return 0;
	case LACK:
		options->lack = text;
		return 0;
	case SCHEMA:
		options->schema = text;
		return 0;
	case CRASH_AFTER:
		options->crash_after = strtol(text, NULL, 10);
		return 0;
	case HANG_AFTER:
		options->hang_after = strtol(text, NULL, 10);
		return 0;
	case GARBAGE_AFTER:
		options->garbage_after = strtol(text, NULL, 10);
		return 0;
	case CRASH_LIST:
		options->crash_list = true;
		return 0;
	case HANG_LIST:
		options->hang_list = true;
		return 0;
	case BURN:
		options->burn = true;
		return 0;
	case REAL:
		options->real = true;
		return 0;
	case ORPHAN:
		options->leave_orphan = true;
		return 0;
	case WRONG_READY:
		options->wrong_ready = true;
		return 0;
	case BAD_STATUS:
		options->bad_status = strtol(text, NULL, 10);
		return 0;
	case SYSCALLS:
		options->syscalls = strtol(text, NULL, 10);
		return 0;
	case ALLOCATIONS:
		options->allocations = strtol(text, NULL, 10);
		return 0;
	case SLEEP_EVERY:
		options->sleep_every = strtol(text, NULL, 10);
		return 0;
	case SEED:
		options->seed = strtol(text, NULL, 10);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void list_cases(const struct options *options)
{
	if (options->crash_list)
		abort();
	while (options->hang_list)
		pause();
	printf("schema %s\n", options->schema);
	for (size_t i = 0; i < CASES; i++) {
		if (!options->lack || strcmp(options->lack, cases[i].name) != 0)
			printf("%s\tlower\tns\t%d\tsubject%s\n", cases[i].name, cases[i].members,
			       cases[i].attributes);
	}
}

/* Work that the counting passes can see. */
static void do_counted_work(const struct options *options, uint64_t iterations)
{
	for (uint64_t i = 0; i < iterations; i++) {
		for (long k = 0; k < options->syscalls; k++)
			syscall(SYS_getppid);
		for (long k = 0; k < options->allocations; k++) {
			char *volatile block = malloc(32);
			free(block);
		}
		if (options->sleep_every > 0) {
			const struct timespec awhile = {
			    .tv_nsec = i % (uint64_t)options->sleep_every == 0 ? NAP_NS : 0};
			ppoll(NULL, 0, &awhile, NULL);
		}
	}
}

static int64_t run(void *context, uint64_t iterations)
{
	struct state *state = context;
	const struct options *options = state->options;

	state->runs++;
	if (options->crash_after >= 0 && state->runs > options->crash_after) {
		fprintf(stderr, "fake_worker: told to crash\n");
		abort();
	}
	while (options->hang_after >= 0 && state->runs > options->hang_after)
		pause();
	if (options->garbage_after >= 0 && state->runs > options->garbage_after)
		printf("what?\n");
	if (options->syscalls + options->allocations + options->sleep_every > 0)
		do_counted_work(options, iterations);
	double ns = state->ns_per_op * (double)iterations *
		    exp(options->noise * xg_random_normal(&state->random));
	int64_t until_ns = options->real ? xp_clock_ns() + (int64_t)ns : 0;
	while (xp_clock_ns() < until_ns) {
		/* busy, as a worker is */
	}
	return ns < 1 ? 1 : (int64_t)ns;
}

/* Keeps a CPU busy, and gives the parent's end no attention: what a careless worker does. */
static void start_child(bool burn)
{
	if (fork() != 0)
		return;
	/* child */
	volatile unsigned long spun = 0;
	for (;;) {
		if (burn)
			spun++;
		else
			pause();
	}
}

int main(int argc, char **argv)
{
	struct options options = {
	    .schema = "1", .crash_after = -1, .hang_after = -1, .garbage_after = -1};
	struct argp argp = {.options = known, .parser = parse, .doc = "A worker for tests."};
	struct state state = {.options = &options};

	/* As the program that serves the controls. */
	if (argc == 3 && strcmp(argv[1], "control-worker") == 0) {
		options.worker = argv[2];
		state.ns_per_op = CONTROL_NS;
	} else {
		argp_parse(&argp, argc, argv, 0, NULL, &options);
	}
	if (options.list) {
		list_cases(&options);
		return 0;
	}
	for (size_t i = 0; options.worker && i < CASES; i++) {
		if (strcmp(options.worker, cases[i].name) == 0)
			state.ns_per_op = cases[i].ns_per_op;
	}
	if (!options.worker || state.ns_per_op <= 0 ||
	    (options.lack && strcmp(options.lack, options.worker) == 0)) {
		fprintf(stderr, "fake_worker: no such case\n");
		return 2;
	}
	state.random.state = (uint64_t)options.seed + (uint64_t)getpid() * 7919;
	xg_random_next(&state.random);
	state.ns_per_op *= exp(options.launch_noise * xg_random_normal(&state.random));
	if (options.slow_case && strcmp(options.slow_case, options.worker) != 0) {
		options.slower = 0;
		options.crash_after = options.hang_after = options.garbage_after = -1;
		options.syscalls = options.allocations = options.sleep_every = 0;
	}
	state.ns_per_op *= 1 + options.slower / 100;
	if (options.burn || options.leave_orphan)
		start_child(options.burn);
	int rc = xg_serve(options.wrong_ready ? "fake/other" : options.worker, run, &state);
	return rc < 0 ? 1 : (int)options.bad_status;
}
