/* SPDX-License-Identifier: MIT */
/* What a client process sees when its server dies, stops, restarts, or has its sockets meddled with. */
#include "conformance/cases/cases.h"
#include "conformance/subjects/client.h"
#include "conformance/subjects/impostor.h"
#include "conformance/subjects/wire.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SERVER XC_KIND_SERVER

/* Descriptors of a server that has one client left of sixteen. */
#define THREADS_LEFT 15

struct pair {
	struct xc_server server;
	struct xc_client client;
};

static enum xc_verdict set_up(struct xc_case_context *cc, struct pair *pair)
{
	XC_TRY(xc_server_start(cc, NULL, &pair->server));
	return xc_client_start(cc, pair->server.text, &pair->client);
}

static enum xc_verdict tear_down(struct pair *pair)
{
	xc_client_stop(&pair->client);
	xc_server_stop(&pair->server);
	return XC_PASS;
}

static enum xc_verdict kill_server(struct xc_case_context *cc, struct pair *pair, int signal)
{
	XC_GIVES(cc, xp_child_signal(&pair->server.child, signal), 0);
	if (signal == SIGKILL) {
		int status;
		struct timespec by = xc_patience();
		XC_GIVES(cc, xp_child_wait(&pair->server.child, &by, &status), 0);
	} else {
		struct timespec by = xc_patience();
		XC_GIVES(cc, xp_stopped_until(pair->server.child.pid, &by), 0);
	}
	return XC_PASS;
}

/* ---- death ------------------------------------------------------------------------------------ */

static enum xc_verdict killed_before(struct xc_case_context *cc)
{
	struct pair pair;

	XC_TRY(set_up(cc, &pair));
	XC_TRY(xc_client_do(cc, &pair.client, "new Queue", "ok"));
	XC_TRY(xc_client_do(cc, &pair.client, "call qsize", "ok 0"));
	XC_TRY(kill_server(cc, &pair, SIGKILL));
	for (int i = 0; i < 3; i++)
		XC_TRY(xc_client_do(cc, &pair.client, "call qsize", "error"));
	XC_TRY(xc_client_do(cc, &pair.client, "new Queue", "error"));
	return tear_down(&pair);
}

static enum xc_verdict killed_blocked(struct xc_case_context *cc, const char *make,
				      const char *before, const char *line)
{
	struct pair pair;
	struct timespec by;

	XC_TRY(set_up(cc, &pair));
	XC_TRY(xc_client_do(cc, &pair.client, make, "ok"));
	if (before)
		XC_TRY(xc_client_do(cc, &pair.client, before, "ok"));
	xc_client_tell(&pair.client, line);
	XC_TRY(xc_client_blocks(cc, &pair.client));
	XC_TRY(kill_server(cc, &pair, SIGKILL));
	by = xc_bound(cc);
	int rc = xc_client_hear(&pair.client, &by);
	XC_REQUIRE(cc, rc == 0, "the blocked call returns in bounded time", "it still hangs");
	XC_REQUIRE(cc, strncmp(pair.client.answer, "error", 5) == 0, "it returns an error", "%s",
		   pair.client.answer);
	XC_TRY(xc_client_do(cc, &pair.client, "call qsize", "error"));
	return tear_down(&pair);
}

static enum xc_verdict killed_in_get(struct xc_case_context *cc)
{
	return killed_blocked(cc, "new Queue", NULL, "call get");
}

static enum xc_verdict killed_in_acquire(struct xc_case_context *cc)
{
	return killed_blocked(cc, "new Lock", "call acquire", "call acquire");
}

static enum xc_verdict killed_in_wait(struct xc_case_context *cc)
{
	return killed_blocked(cc, "new Event", NULL, "call wait");
}

static enum xc_verdict killed_in_reply(struct xc_case_context *cc)
{
	for (int mischief = 0; mischief < XC_MISCHIEF_SILENT; mischief++) {
		struct pair pair;
		XC_TRY(xc_impostor_start(cc, (enum xc_mischief)mischief, &pair.server));
		XC_TRY(xc_client_start(cc, pair.server.text, &pair.client));
		XC_TRY(xc_client_do(cc, &pair.client, "new Queue", "ok"));
		enum xc_verdict verdict = xc_client_do(cc, &pair.client, "call qsize", "error");
		if (verdict != XC_PASS) {
			size_t used = strlen(cc->detail);
			snprintf(cc->detail + used, XC_DETAIL_MAX - used,
				 "\nwhere:    the manager %s",
				 xc_mischief_text((enum xc_mischief)mischief));
			return verdict;
		}
		XC_TRY(tear_down(&pair));
	}
	return XC_PASS;
}

/* ---- stopped ---------------------------------------------------------------------------------- */

static enum xc_verdict stopped(struct xc_case_context *cc)
{
	struct pair pair;

	XC_TRY(set_up(cc, &pair));
	XC_TRY(xc_client_do(cc, &pair.client, "new Queue", "ok"));
	XC_TRY(xc_client_do(cc, &pair.client, "call qsize", "ok 0"));
	XC_TRY(kill_server(cc, &pair, SIGSTOP));
	XC_TRY(xc_client_do(cc, &pair.client, "call qsize", "error"));
	/* And once it goes on, so does the client, without the late reply in its way. */
	XC_GIVES(cc, xp_child_signal(&pair.server.child, SIGCONT), 0);
	XC_TRY(xc_client_do(cc, &pair.client, "call empty", "ok True"));
	XC_TRY(xc_client_do(cc, &pair.client, "call qsize", "ok 0"));
	return tear_down(&pair);
}

/* A call that blocks for ever anyway: the client must tell a manager that is busy waiting from one that
 * is stopped. */
static enum xc_verdict stopped_in_get(struct xc_case_context *cc)
{
	struct pair pair;

	XC_TRY(set_up(cc, &pair));
	XC_TRY(xc_client_do(cc, &pair.client, "new Queue", "ok"));
	xc_client_tell(&pair.client, "call get");
	XC_TRY(xc_client_blocks(cc, &pair.client));
	XC_TRY(kill_server(cc, &pair, SIGSTOP));
	struct timespec by = xc_bound(cc);
	int rc = xc_client_hear(&pair.client, &by);
	XC_REQUIRE(cc, rc == 0, "the blocked call returns in bounded time", "it still hangs");
	XC_REQUIRE(cc, strncmp(pair.client.answer, "error", 5) == 0, "it returns an error", "%s",
		   pair.client.answer);
	return tear_down(&pair);
}

static enum xc_verdict stopped_connect(struct xc_case_context *cc)
{
	struct pair pair;

	XC_TRY(set_up(cc, &pair));
	XC_TRY(kill_server(cc, &pair, SIGSTOP));
	XC_TRY(xc_client_do(cc, &pair.client, "new Queue", "error"));
	XC_TRY(xc_client_do(cc, &pair.client, "connect", "error"));
	return tear_down(&pair);
}

static enum xc_verdict restarted(struct xc_case_context *cc)
{
	struct pair pair;
	struct xc_server_plan plan;
	char text[XC_ADDRESS_MAX];

	if (cc->iut->subject->door)
		return xc_unsupported(cc, "nobody else can stand behind its door");
	XC_TRY(set_up(cc, &pair));
	XC_TRY(xc_client_do(cc, &pair.client, "new Value i 41", "ok"));
	XC_TRY(xc_client_do(cc, &pair.client, "call get", "ok 41"));
	XC_TRY(kill_server(cc, &pair, SIGKILL));
	snprintf(text, sizeof(text), "%s", pair.server.text);
	if (!cc->iut->subject->tcp)
		unlink(text + strlen("unix:"));
	plan = (struct xc_server_plan){.text = text};
	XC_TRY(xc_server_start(cc, &plan, &pair.server));
	/* A new object, made as the old one was, by another client. */
	struct xp_datum_arena arena;
	char ident[XC_IDENT_MAX];
	xp_datum_arena_init(&arena, 0);
	const struct xp_datum *args[] = {xp_datum_str(&arena, "i"), xp_datum_int(&arena, 99)};
	XC_TRY(xc_wire_create(cc, &pair.server, "Value", 2, args, ident));
	xp_datum_arena_fini(&arena);
	for (int i = 0; i < 3; i++)
		XC_TRY(xc_client_do(cc, &pair.client, "call get", "error"));
	XC_TRY(xc_client_do(cc, &pair.client, "new Value i 5", "ok"));
	XC_TRY(xc_client_do(cc, &pair.client, "call get", "ok 5"));
	return tear_down(&pair);
}

/* ---- O_NONBLOCK ------------------------------------------------------------------------------- */

static enum xc_verdict meddle(struct xc_case_context *cc, pid_t pid)
{
	char number[32];
	int count = xc_set_nonblock_in(pid);

	if (count == -EPERM || count == -ENOSYS)
		return xc_unresolved(cc, "pidfd_getfd is refused here");
	XC_REQUIRE(cc, count > 0, "it has a connection", "%s", xc_number(count, number));
	return XC_PASS;
}

static enum xc_verdict nonblocking(struct xc_case_context *cc, bool in_server)
{
	struct pair pair;

	XC_TRY(set_up(cc, &pair));
	pid_t pid = in_server ? pair.server.child.pid : pair.client.child.pid;
	XC_TRY(xc_client_do(cc, &pair.client, "new Queue", "ok"));
	XC_TRY(xc_client_do(cc, &pair.client, "call put 5", "ok"));
	XC_TRY(meddle(cc, pid));
	XC_TRY(xc_client_do(cc, &pair.client, "call get", "ok 5"));
	/* A reply that is not there yet when it is looked for. */
	XC_TRY(xc_client_do(cc, &pair.client, "new Event", "ok"));
	XC_TRY(xc_client_do(cc, &pair.client, "call is_set", "ok False"));
	XC_TRY(meddle(cc, pid));
	for (int i = 0; i < 3; i++)
		XC_TRY(xc_client_do(cc, &pair.client, "call wait 1", "ok False"));
	XC_TRY(xc_client_do(cc, &pair.client, "call is_set", "ok False"));
	return tear_down(&pair);
}

static enum xc_verdict nonblocking_during(struct xc_case_context *cc, bool in_server)
{
	struct pair pair;

	XC_TRY(set_up(cc, &pair));
	pid_t pid = in_server ? pair.server.child.pid : pair.client.child.pid;
	XC_TRY(xc_client_do(cc, &pair.client, "new Event", "ok"));
	xc_client_tell(&pair.client, "call wait 1");
	XC_TRY(xc_client_blocks(cc, &pair.client));
	XC_TRY(meddle(cc, pid));
	struct timespec by = xc_bound(cc);
	XC_GIVES(cc, xc_client_hear(&pair.client, &by), 0);
	XC_REQUIRE(cc, strcmp(pair.client.answer, "ok False") == 0, "the call ends as ever", "%s",
		   pair.client.answer);
	XC_TRY(xc_client_do(cc, &pair.client, "call set", "ok"));
	XC_TRY(xc_client_do(cc, &pair.client, "call wait 1", "ok True"));
	return tear_down(&pair);
}

static enum xc_verdict nonblocking_client(struct xc_case_context *cc)
{
	return nonblocking(cc, false);
}

static enum xc_verdict nonblocking_client_during(struct xc_case_context *cc)
{
	return nonblocking_during(cc, false);
}

static enum xc_verdict nonblocking_server(struct xc_case_context *cc)
{
	return nonblocking(cc, true);
}

static enum xc_verdict nonblocking_server_during(struct xc_case_context *cc)
{
	return nonblocking_during(cc, true);
}

/* ---- one client ------------------------------------------------------------------------------- */

static enum xc_verdict late_reply(struct xc_case_context *cc)
{
	struct pair pair;

	XC_TRY(set_up(cc, &pair));
	XC_TRY(xc_client_do(cc, &pair.client, "new Queue", "ok"));
	/* It ends after a second, as Empty; the client gives it up long before. */
	for (int i = 0; i < 3; i++) {
		XC_TRY(xc_client_do(cc, &pair.client, "abandon get 1 1", "error"));
		XC_TRY(xc_client_do(cc, &pair.client, "call qsize", "ok 0"));
		XC_TRY(xc_client_do(cc, &pair.client, "call empty", "ok True"));
	}
	return tear_down(&pair);
}

static enum xc_verdict fork_safe(struct xc_case_context *cc)
{
	struct pair pair;

	XC_TRY(set_up(cc, &pair));
	XC_TRY(xc_client_do(cc, &pair.client, "fork 300", "ok 0"));
	return tear_down(&pair);
}

static enum xc_verdict threads(struct xc_case_context *cc)
{
	struct pair pair;

	XC_TRY(set_up(cc, &pair));
	XC_TRY(xc_client_do(cc, &pair.client, "threads 16 50", "ok 0"));
	/* Their connections went with them. */
	struct timespec by = xc_bound(cc);
	while (xc_server_descriptors(&pair.server) > THREADS_LEFT) {
		XC_REQUIRE(cc, !xp_deadline_passed(&by),
			   "a thread that ends gives its connection up",
			   "the server has %d descriptors", xc_server_descriptors(&pair.server));
		xc_pause_us(1000);
	}
	return tear_down(&pair);
}

static enum xc_verdict nested(struct xc_case_context *cc)
{
	struct pair pair;

	XC_TRY(set_up(cc, &pair));
	XC_TRY(xc_client_do(cc, &pair.client, "nested", "ok 2"));
	XC_TRY(xc_client_do(cc, &pair.client, "new Queue", "ok"));
	XC_TRY(xc_client_do(cc, &pair.client, "call qsize", "ok 0"));
	return tear_down(&pair);
}

static enum xc_verdict exception(struct xc_case_context *cc)
{
	struct pair pair;

	XC_TRY(set_up(cc, &pair));
	XC_TRY(xc_client_do(cc, &pair.client, "new Queue", "ok"));
	XC_TRY(xc_client_do(cc, &pair.client, "call get_nowait", "error"));
	XC_REQUIRE(cc, strstr(pair.client.answer, "Empty"), "the exception Empty", "%s",
		   pair.client.answer);
	XC_TRY(xc_client_do(cc, &pair.client, "new dict", "ok"));
	XC_TRY(xc_client_do(cc, &pair.client, "call pop lost", "error"));
	XC_REQUIRE(cc, strstr(pair.client.answer, "KeyError") && strstr(pair.client.answer, "lost"),
		   "the exception KeyError with its key", "%s", pair.client.answer);
	XC_TRY(xc_client_do(cc, &pair.client, "call get lost", "ok None"));
	return tear_down(&pair);
}

#define CASE(clause_, name_, run_)                                                              \
	{                                                                                       \
		.clause = clause_, .name = name_, .kinds = SERVER, .flags = XC_NEEDS_PROCESSES, \
		.run = run_                                                                     \
	}

const struct xc_case xc_cases_manager_client[] = {
    CASE("manager.killed_before", "call", killed_before),
    CASE("manager.killed_in_call", "get", killed_in_get),
    CASE("manager.killed_in_call", "acquire", killed_in_acquire),
    CASE("manager.killed_in_call", "wait", killed_in_wait),
    CASE("manager.killed_in_reply", "each", killed_in_reply),
    CASE("manager.stopped", "call", stopped),
    CASE("manager.stopped", "get", stopped_in_get),
    CASE("manager.stopped_connect", "new_and_connect", stopped_connect),
    CASE("manager.restarted", "value", restarted),
    CASE("manager.nonblocking_client", "before", nonblocking_client),
    CASE("manager.nonblocking_client", "during", nonblocking_client_during),
    CASE("manager.nonblocking_server", "before", nonblocking_server),
    CASE("manager.nonblocking_server", "during", nonblocking_server_during),
    CASE("manager.late_reply", "three_times", late_reply),
    CASE("manager.threads", "sixteen", threads),
    CASE("manager.fork", "dict", fork_safe),
    CASE("manager.nested", "list_of_dict", nested),
    CASE("manager.exception", "client", exception),
    {0},
};
