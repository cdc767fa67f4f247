/* SPDX-License-Identifier: MIT */
/* xpmanager - the server process as a program. */
#include "xpshare/manager/activation.h"
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/server.h"
#include "xpshare/manager/show_main.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <argp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_USAGE   2
#define LISTEN_MAX   16
#define AUTHKEY_MAX  4096
#define ADDRESS_TEXT 256

const char *argp_program_version = "xpmanager 0.1.0";

struct settings {
	struct xp_server_options options;
	struct xp_address addresses[LISTEN_MAX];
	struct xp_activation activations[LISTEN_MAX];
	int activated[LISTEN_MAX];
	const char *authkey_file;
	uint64_t descriptors;
	int ready_fd;
	struct xp_address asked;
	bool print_methods;
	bool print_stats;
	bool json;
	bool quiet;
	bool has_said; /* a line of the server's */
};

enum {
	OPTION_LISTEN = 'l',
	OPTION_AUTHKEY = 'k',
	OPTION_QUIET = 'q',
	OPTION_READY = 1000,
	OPTION_USER,
	OPTION_MD5,
	OPTION_HANDSHAKE,
	OPTION_CONNECTIONS,
	OPTION_PENDING,
	OPTION_OBJECTS,
	OPTION_FRAME,
	OPTION_DEPTH,
	OPTION_NODES,
	OPTION_MEMORY,
	OPTION_NOFILE,
	OPTION_METHODS,
	OPTION_SERVER,
	OPTION_RING,
	OPTION_SPIN,
	OPTION_STATS,
	OPTION_JSON,
};

static const struct argp_option argp_options[] = {
    {"listen", OPTION_LISTEN, "ADDRESS", 0,
     "Where to listen: unix:/path, unix:@name (abstract), tcp:host:port, or fd:N, an inherited "
     "socket that listens or a door; may be given several times. Port 0 takes a free one. Sockets "
     "that systemd hands over are listened on without it",
     1},
    {"authkey-file", OPTION_AUTHKEY, "FILE", 0,
     "Read the key from FILE (a newline at its end does not count). Otherwise from the environment "
     "variable XP_AUTHKEY; never from the command line, which every user can read",
     1},
    {"ready-fd", OPTION_READY, "FD", 0,
     "Once it listens write the addresses to FD, one a line, and close it", 2},
    {"server", OPTION_SERVER, "MODEL", 0,
     "event (one loop, default) or thread (a thread per connection, as CPython's)", 2},
    {"spin", OPTION_SPIN, "LOOKS", 0,
     "Look so often for the next request before sleeping, as far as that pays (event only); "
     "default 0. "
     "For local clients on CPUs of their own that wait for little else; a look into a ring takes "
     "nanoseconds, one at a socket a system call",
     2},
    {"quiet", OPTION_QUIET, NULL, 0, "No lines on standard error but for failures", 2},
    {"methods", OPTION_METHODS, NULL, 0, "Print every typeid and its methods, and exit", 2},
    {"stats", OPTION_STATS, "ADDRESS", 0,
     "Print what the manager at ADDRESS has counted (it must have the same key), and exit", 2},
    {"json", OPTION_JSON, NULL, 0, "With --stats: as JSON", 2},
    {"user-check", OPTION_USER, "WHO", 0,
     "Whom to serve on AF_UNIX: same (this user and root; default) or any", 3},
    {"allow-md5", OPTION_MD5, NULL, 0,
     "Let clients prove themselves by HMAC-MD5 on TCP (and with --user-check=any) too: CPython up "
     "to "
     "3.11 can do nothing better",
     3},
    {"handshake-timeout", OPTION_HANDSHAKE, "SECONDS", 0,
     "From connecting to the first request; default 10", 3},
    {"max-connections", OPTION_CONNECTIONS, "N", 0,
     "Clients at a time; default: the limit of descriptors less 16", 4},
    {"max-pending", OPTION_PENDING, "N", 0,
     "Connections in the handshake at a time; default 1024. At the limit the oldest is closed", 4},
    {"max-objects", OPTION_OBJECTS, "N", 0, "Default 1048576", 4},
    {"max-frame", OPTION_FRAME, "BYTES", 0, "Of one request or reply; default 256M", 4},
    {"max-depth", OPTION_DEPTH, "N", 0, "Nesting of a value; default 500", 4},
    {"max-nodes", OPTION_NODES, "N", 0, "Values in one request; default 16M", 4},
    {"max-memory", OPTION_MEMORY, "BYTES", 0,
     "In all objects and buffers together; default: half of the machine's", 4},
    {"max-ring", OPTION_RING, "BYTES", 0,
     "Shared memory that a client on AF_UNIX may hand over for calls by ring, 4K to 256K or 'off'; "
     "default 256K. Each counts for --max-memory and takes a descriptor, of which a quarter is for "
     "rings: clients beyond that are served by their sockets",
     4},
    {"nofile", OPTION_NOFILE, "N", 0,
     "Set the limit of descriptors; default: raise it to the hard limit", 4},
    {0},
};

/* 12, 64K, 256M, 2G. */
static bool parse_number(const char *text, uint64_t max, uint64_t *ret_number)
{
	char *end;
	unsigned shift = 0;
	unsigned long long number;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (*end == 'K' || *end == 'k')
		shift = 10;
	else if (*end == 'M' || *end == 'm')
		shift = 20;
	else if (*end == 'G' || *end == 'g')
		shift = 30;
	if (errno || end[shift ? 1 : 0] != '\0' || number == 0 || number > max >> shift)
		return false;
	*ret_number = number << shift;
	return true;
}

static uint64_t number_option(struct argp_state *state, const char *name, const char *text,
			      uint64_t max)
{
	uint64_t number = 0;

	if (!parse_number(text, max, &number))
		argp_error(state, "--%s wants a number from 1 to %llu, not '%s'", name,
			   (unsigned long long)max, text);
	return number;
}

static void address_option(struct argp_state *state, const char *name, const char *text,
			   struct xp_address *address)
{
	int rc = xp_address_parse(text, address);

	if (rc < 0)
		argp_error(state, "--%s '%s': %s", name, text,
			   rc == -EINVAL ? "not unix:/path, unix:@name, tcp:host:port or fd:N"
					 : strerror(-rc));
}

static void add_address(struct argp_state *state, struct settings *settings, const char *text)
{
	if (settings->options.address_count == LISTEN_MAX)
		argp_error(state, "at most %d addresses", LISTEN_MAX);
	address_option(state, "listen", text,
		       &settings->addresses[settings->options.address_count]);
	settings->options.address_count++;
}

static void set_handshake(struct argp_state *state, struct settings *settings, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !(seconds > 0) || seconds > 86400)
		argp_error(state, "--handshake-timeout wants seconds, not '%s'", text);
	settings->options.handshake_ns = (int64_t)(seconds * (double)XP_NS_PER_SEC);
}

static void set_ring(struct argp_state *state, struct xp_server_options *options, const char *text)
{
	options->no_rings = !strcmp(text, "off");
	if (options->no_rings)
		return;
	options->ring_max = number_option(state, "max-ring", text, XP_DUPLEX_SIZE_MAX);
	if (options->ring_max < XP_DUPLEX_SIZE_MIN)
		argp_error(state, "--max-ring wants 4K or more, or 'off', not '%s'", text);
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct settings *settings = state->input;
	struct xp_server_options *options = &settings->options;

	switch (key) {
	case OPTION_LISTEN:
		add_address(state, settings, text);
		break;
	case OPTION_AUTHKEY:
		settings->authkey_file = text;
		break;
	case OPTION_SPIN:
		options->polls = (uint32_t)number_option(state, "spin", text, 1 << 20);
		break;
	case OPTION_QUIET:
		settings->quiet = true;
		break;
	case OPTION_READY:
		settings->ready_fd = (int)number_option(state, "ready-fd", text, 1 << 20);
		break;
	case OPTION_USER:
		if (strcmp(text, "same") != 0 && strcmp(text, "any") != 0)
			argp_error(state, "--user-check is same or any, not '%s'", text);
		options->any_user = !strcmp(text, "any");
		break;
	case OPTION_MD5:
		options->allow_md5 = true;
		break;
	case OPTION_HANDSHAKE:
		set_handshake(state, settings, text);
		break;
	case OPTION_CONNECTIONS:
		options->connections =
		    (unsigned)number_option(state, "max-connections", text, 1 << 20);
		break;
	case OPTION_PENDING:
		options->pending = (unsigned)number_option(state, "max-pending", text, 1 << 20);
		break;
	case OPTION_OBJECTS:
		options->limits.objects = number_option(state, "max-objects", text, 1 << 24);
		break;
	case OPTION_FRAME:
		options->limits.frame = number_option(state, "max-frame", text, UINT64_C(1) << 40);
		break;
	case OPTION_DEPTH:
		options->limits.depth = (unsigned)number_option(state, "max-depth", text, 990);
		break;
	case OPTION_NODES:
		options->limits.nodes = number_option(state, "max-nodes", text, UINT64_C(1) << 32);
		break;
	case OPTION_MEMORY:
		options->limits.memory =
		    number_option(state, "max-memory", text, UINT64_C(1) << 48);
		break;
	case OPTION_NOFILE:
		settings->descriptors = number_option(state, "nofile", text, 1 << 30);
		break;
	case OPTION_SERVER:
		if (strcmp(text, "event") != 0 && strcmp(text, "thread") != 0)
			argp_error(state, "--server is event or thread, not '%s'", text);
		options->model = !strcmp(text, "thread") ? XP_SERVER_THREAD : XP_SERVER_EVENT;
		break;
	case OPTION_RING:
		set_ring(state, options, text);
		break;
	case OPTION_METHODS:
		settings->print_methods = true;
		break;
	case OPTION_STATS:
		address_option(state, "stats", text, &settings->asked);
		settings->print_stats = true;
		break;
	case OPTION_JSON:
		settings->json = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", text);
		break;
	case ARGP_KEY_END:
		if (settings->json && !settings->print_stats)
			argp_error(state, "--json is a way to print --stats");
		if (options->address_count + options->fd_count == 0 && !settings->print_methods &&
		    !settings->print_stats)
			argp_error(state, "say where to listen: --listen=unix:/path");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
    .options = argp_options,
    .parser = parse_option,
    .doc = "xpmanager - shares objects between processes, for unmodified CPython clients"
	   " (multiprocessing.managers) of 2.7 and 3.6 to 3.13 and for C clients of xpshare.\v"
	   "SIGTERM and SIGINT end it; replies that are ready still go out, socket files are "
	   "removed.\n"
	   "Exit status: 0 ended by a signal or a client's shutdown, 1 failure, 2 wrong usage.\n\n"
	   "Python:  m = SyncManager('/path', authkey=b'key'); m.connect(); d = m.dict()",
};

/* ---- the key ----------------------------------------------------------------------------------- */

static int fail(const char *what, int error)
{
	fprintf(stderr, "xpmanager: %s: %s\n", what, strerror(-error));
	return EXIT_FAILURE;
}

/* Return: bytes of the key; -1 with a message. */
static ssize_t read_key(const struct settings *settings, char *key)
{
	const char *text = getenv("XP_AUTHKEY");
	size_t size = 0;

	if (settings->authkey_file) {
		int fd = open(settings->authkey_file, O_RDONLY | O_CLOEXEC);
		struct stat status;

		if (fd < 0 || fstat(fd, &status) < 0) {
			fail(settings->authkey_file, -errno);
			return -1;
		}
		if (S_ISREG(status.st_mode) && status.st_mode & (S_IRWXG | S_IRWXO))
			fprintf(stderr, "xpmanager: %s: other users may read the key (mode %03o)\n",
				settings->authkey_file, status.st_mode & 0777);
		while (size < AUTHKEY_MAX) {
			ssize_t got = xp_io_read_some(fd, key + size, AUTHKEY_MAX - size, NULL);

			if (got <= 0)
				break;
			size += (size_t)got;
		}
		xp_io_close(fd);
		if (size > 0 && key[size - 1] == '\n')
			size--;
	} else if (text) {
		size = strnlen(text, AUTHKEY_MAX);
		memcpy(key, text, size);
		unsetenv("XP_AUTHKEY");
	} else {
		fputs("xpmanager: no key: use --authkey-file=FILE or the variable XP_AUTHKEY\n",
		      stderr);
		return -1;
	}
	if (size == 0 || size == AUTHKEY_MAX) {
		fprintf(stderr, "xpmanager: the key must have 1 to %d bytes\n", AUTHKEY_MAX - 1);
		return -1;
	}
	return (ssize_t)size;
}

/* ---- documentation ----------------------------------------------------------------------------- */

static void print_arguments(const struct xp_method *method)
{
	switch (method->style) {
	case XP_ARGS_RAW:
		fputs("(...)", stdout);
		break;
	case XP_ARGS_PYTHON:
	case XP_ARGS_KEYED: {
		const char *each = method->params;

		putchar('(');
		for (unsigned i = 0; *each; i++) {
			int size = (int)strcspn(each, ",");

			printf("%s%.*s%s", i ? ", " : "", size, each,
			       i < method->min ? "" : "=...");
			each += size + (each[size] == ',');
		}
		putchar(')');
		break;
	}
	default:
		printf(method->min == method->max ? "(%d)" : "(%d-%d)", method->min, method->max);
		break;
	}
}

static void print_methods(const struct xp_registry *registry)
{
	static const char *const listed[] = {"", "  [2.7]", "  [3.12+]", "  [not listed]"};
	const struct xp_type_entry *entry = NULL;

	while ((entry = xp_registry_next(registry, entry))) {
		const struct xp_typeid *type = entry->as.type;

		fputs(entry->name, stdout);
		if (type->init.call)
			print_arguments(&type->init);
		putchar('\n');
		for (size_t i = 0; i < type->method_count; i++) {
			const struct xp_method *method = &type->methods[i];

			if (!method->call)
				continue;
			printf("    %s", method->name);
			print_arguments(method);
			if (method->result)
				printf(" -> %s", method->result);
			puts(listed[method->listed]);
		}
	}
}

/* ---- sockets handed over ----------------------------------------------------------------------- */

static int take_sockets(struct settings *settings)
{
	int count = xp_activation_take(settings->activations, LISTEN_MAX);

	if (count < 0)
		return fail("LISTEN_FDS", count);
	for (int i = 0; i < count; i++)
		settings->activated[i] = settings->activations[i].fd;
	settings->options.fds = settings->activated;
	settings->options.fd_count = (size_t)count;
	return EXIT_SUCCESS;
}

/* ---- running ----------------------------------------------------------------------------------- */

static struct xp_server *server;

/* What the supervisor cannot be told is no reason not to serve. */
static void notify(const char *state)
{
	int rc = xp_activation_notify(state);

	if (rc < 0)
		fprintf(stderr, "xpmanager: NOTIFY_SOCKET: %s\n", strerror(-rc));
}

static void on_stopping(void *context)
{
	(void)context;
	notify("STOPPING=1\nSTATUS=Sending the last replies");
}

static void on_signal(int signal)
{
	(void)signal;
	xp_server_stop(server);
}

static void log_line(void *context, const char *line)
{
	struct settings *settings = context;

	/* Until there is a server, a line is a reason why there is none. */
	if (settings->quiet && server)
		return;
	settings->has_said = true;
	fprintf(stderr, "xpmanager: %s\n", line);
}

static void set_descriptors(uint64_t wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = wanted ? wanted : limit.rlim_max;
	if (wanted > limit.rlim_max)
		limit.rlim_max = wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && wanted)
		fprintf(stderr, "xpmanager: --nofile=%llu: %s\n", (unsigned long long)wanted,
			strerror(errno));
}

static int announce(const struct settings *settings)
{
	const struct xp_address *address;
	int rc = 0;

	for (size_t i = 0; rc == 0 && (address = xp_server_address(server, i)); i++) {
		char text[ADDRESS_TEXT];
		int size = xp_address_format(address, text, sizeof(text) - 1);

		if (size < 0)
			return size;
		/* Those that were handed over come first. */
		const char *name =
		    i < settings->options.fd_count ? settings->activations[i].name : "";

		if (!settings->quiet)
			fprintf(stderr, "xpmanager: listening on %s%s%s%s\n", text,
				*name ? " (" : "", name, *name ? ")" : "");
		text[size] = '\n';
		if (settings->ready_fd >= 0)
			rc = xp_io_write_full(settings->ready_fd, text, (size_t)size + 1, NULL);
	}
	if (settings->ready_fd >= 0)
		xp_io_close(settings->ready_fd);
	return rc;
}

static int serve(struct settings *settings, struct xp_registry *registry)
{
	struct sigaction action = {.sa_handler = on_signal};
	int rc;

	xp_server_own_process();
	set_descriptors(settings->descriptors);
	settings->options.registry = registry;
	settings->options.addresses = settings->addresses;
	settings->options.log = log_line;
	settings->options.log_context = settings;
	settings->options.stopping = on_stopping;
	rc = xp_server_create(&settings->options, &server);
	if (rc < 0)
		return settings->has_said ? EXIT_FAILURE : fail("cannot listen", rc);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	rc = announce(settings);
	if (rc < 0) {
		fail("--ready-fd", rc);
	} else {
		notify("READY=1\nSTATUS=Serving");
		rc = xp_server_run(server);
	}
	/* Who asks once more asks a server that is on its way out. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	xp_server_destroy(server);
	return rc < 0 ? fail("the server ended", rc) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct settings settings = {.ready_fd = -1};
	static char key[AUTHKEY_MAX];
	struct xp_registry *registry;
	int status = EXIT_SUCCESS;

	argp_err_exit_status = EXIT_USAGE;
	if (take_sockets(&settings) != EXIT_SUCCESS)
		return EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	int rc = xp_registry_create(&registry);

	if (rc == 0)
		rc = xp_registry_add_builtins(registry);
	if (rc < 0)
		return fail("registry", rc);
	if (settings.print_methods) {
		print_methods(registry);
	} else {
		ssize_t size = read_key(&settings, key);

		settings.options.key = key;
		settings.options.key_size = (size_t)size;
		if (size < 0)
			status = EXIT_USAGE;
		else if (settings.print_stats)
			status = xp_show_stats(&settings.asked, key, (size_t)size, settings.json);
		else
			status = serve(&settings, registry);
	}
	xp_registry_destroy(registry);
	return status;
}
