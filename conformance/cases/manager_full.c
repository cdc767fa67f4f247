/* SPDX-License-Identifier: MIT */
/* A server at its limit of descriptors, and clients that die (SPEC P8, X1, X3). */
#include "conformance/cases/cases.h"
#include "conformance/subjects/wire.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVER	    XC_KIND_SERVER
#define DESCRIPTORS 64
#define CLIENTS	    100 /* more than there are descriptors */

enum { STARTED = 2, HOLDS = 3 };

/* ---- full ------------------------------------------------------------------------------------- */

struct crowd {
	struct xc_server server;
	char value[XC_IDENT_MAX];
	struct xc_wire wires[CLIENTS];
	int connected;
	int idle_descriptors; /* of the server, before the crowd came */
};

/* Connect until it is refused, or takes too long. */
static enum xc_verdict fill(struct xc_case_context *cc, struct crowd *crowd)
{
	struct xc_server_plan plan = {.descriptors = DESCRIPTORS};
	struct xp_datum_arena arena;
	struct xc_reply reply;

	XC_TRY(xc_server_start(cc, &plan, &crowd->server));
	xp_datum_arena_init(&arena, 0);
	const struct xp_datum *args[] = {xp_datum_str(&arena, "i"), xp_datum_int(&arena, 7)};
	XC_TRY(xc_wire_create(cc, &crowd->server, "Value", 2, args, crowd->value));
	xp_datum_arena_fini(&arena);
	crowd->idle_descriptors = xc_server_descriptors(&crowd->server);
	crowd->connected = 0;
	for (int i = 0; i < CLIENTS; i++) {
		struct timespec by = xp_deadline_after(XP_NS_PER_SEC);
		if (xc_wire_open(&crowd->wires[i], &crowd->server, &by) < 0)
			break;
		crowd->connected++;
		XC_TRY(xc_wire_call(cc, &crowd->wires[i], crowd->value, "get", 0, NULL, &reply));
	}
	XC_REQUIRE(cc, crowd->connected >= DESCRIPTORS / 2,
		   "a server of 64 descriptors serves at least 32 clients", "it serves %d",
		   crowd->connected);
	XC_REQUIRE(cc, crowd->connected < DESCRIPTORS, "the limit is reached",
		   "%d clients are served with %d descriptors", crowd->connected, DESCRIPTORS);
	return XC_PASS;
}

static void leave(struct crowd *crowd, int from)
{
	while (crowd->connected > from)
		xc_wire_close(&crowd->wires[--crowd->connected]);
}

static enum xc_verdict all_served(struct xc_case_context *cc, struct crowd *crowd)
{
	struct xc_reply reply;

	XC_REQUIRE(cc, xc_server_alive(&crowd->server), "the server lives",
		   "its process has ended");
	for (int i = 0; i < crowd->connected; i++)
		XC_TRY(xc_wire_call(cc, &crowd->wires[i], crowd->value, "get", 0, NULL, &reply));
	return XC_PASS;
}

static enum xc_verdict full_lives(struct xc_case_context *cc)
{
	static struct crowd crowd;

	XC_TRY(fill(cc, &crowd));
	for (int i = 0; i < 3; i++) {
		struct timespec by = xp_deadline_after(200 * XP_NS_PER_MS);
		struct xc_wire extra;
		if (xc_wire_open(&extra, &crowd.server, &by) == 0)
			xc_wire_close(&extra);
		XC_TRY(all_served(cc, &crowd));
	}
	leave(&crowd, 0);
	xc_server_stop(&crowd.server);
	return XC_PASS;
}

static enum xc_verdict full_refuses(struct xc_case_context *cc)
{
	static struct crowd crowd;
	char number[32];

	XC_TRY(fill(cc, &crowd));
	for (int i = 0; i < 20; i++) {
		struct timespec by = xc_bound(cc);
		struct xc_wire extra;
		int rc = xc_wire_open(&extra, &crowd.server, &by);
		XC_REQUIRE(cc, rc != 0, "a full server refuses", "client %d is served",
			   crowd.connected + i);
		XC_REQUIRE(cc, rc != -ETIMEDOUT, "a refusal comes at once, as an error",
			   "the client waits for ever");
		XC_REQUIRE(cc, cc->iut->peer || rc == -EACCES || rc == -EUSERS,
			   "a refusal says why", "the client gets %s", xc_number(rc, number));
	}
	leave(&crowd, 0);
	xc_server_stop(&crowd.server);
	return XC_PASS;
}

#define WATCH_MS 1000

static enum xc_verdict full_idles(struct xc_case_context *cc)
{
	static struct crowd crowd;
	struct xc_wire waiting[5];

	XC_TRY(fill(cc, &crowd));
	/* Some more that want to be served, and do not give up. */
	int want = 0;
	for (; want < 5; want++) {
		struct timespec by = xc_bound(cc);
		if (xc_wire_connect(&waiting[want], &crowd.server, &by) < 0)
			break;
	}
	int64_t before = xc_server_runnable_ns(&crowd.server), start = xp_clock_ns();
	poll(NULL, 0, WATCH_MS);
	int64_t busy = xc_server_runnable_ns(&crowd.server) - before, all = xp_clock_ns() - start;
	if (before <= 0)
		return xc_unresolved(cc, "the kernel does not tell how long a thread was runnable");
	XC_REQUIRE(cc, busy * 4 < all, "a full server that nobody calls is idle",
		   "it wants a CPU for %ld of %ld ms", (long)(busy / XP_NS_PER_MS),
		   (long)(all / XP_NS_PER_MS));
	while (want > 0)
		xc_wire_close(&waiting[--want]);
	leave(&crowd, 0);
	xc_server_stop(&crowd.server);
	return XC_PASS;
}

static enum xc_verdict full_recovers(struct xc_case_context *cc)
{
	static struct crowd crowd;

	XC_TRY(fill(cc, &crowd));
	for (int round = 0; round < 3; round++) {
		struct timespec by = xc_bound(cc);
		int rc;
		leave(&crowd, crowd.connected / 2);
		/* The server learns of the ends as it gets to them. */
		do {
			struct timespec soon = xp_deadline_after(XP_NS_PER_SEC);
			rc = xc_wire_open(&crowd.wires[crowd.connected], &crowd.server, &soon);
		} while (rc != 0 && !xp_deadline_passed(&by));
		XC_GIVES(cc, rc, 0);
		crowd.connected++;
		XC_TRY(all_served(cc, &crowd));
	}
	leave(&crowd, 0);
	struct timespec by = xc_bound(cc);
	/* Stock CPython up to 3.9 keeps the descriptor of the last connection until the next one ends. */
	while (xc_server_descriptors(&crowd.server) > crowd.idle_descriptors + cc->iut->peer) {
		XC_REQUIRE(cc, !xp_deadline_passed(&by), "no descriptor leaks",
			   "%d are open, %d before the crowd came",
			   xc_server_descriptors(&crowd.server), crowd.idle_descriptors);
		xc_pause_us(1000);
	}
	xc_server_stop(&crowd.server);
	return XC_PASS;
}

/* ---- clients that die ------------------------------------------------------------------------- */

struct scene {
	struct xc_server server;
	char ident[XC_IDENT_MAX];
	const char *method;
};

/* A client that calls a method and, if it is answered, stays. */
static int call_and_stay(struct xp_member *me, void *arg)
{
	struct scene *scene = arg;
	struct timespec by = xc_patience();
	struct xc_wire wire;
	struct xc_reply reply;

	XM_GIVES(me, xc_wire_open(&wire, &scene->server, &by), 0);
	xp_member_arrive(me);
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xc_wire_send(&wire, scene->ident, scene->method, 0, NULL), 0);
	XM_GIVES(me, xc_wire_recv(&wire, NULL, &reply), 0);
	xp_member_reach(me, HOLDS);
	for (;;)
		xc_pause_us(500000);
}

static enum xc_verdict begin(struct xc_case_context *cc, const char *typeid_, const char *method,
			     struct scene *scene, struct xc_wire *wire)
{
	struct timespec by = xc_patience();

	scene->method = method;
	XC_TRY(xc_server_start(cc, NULL, &scene->server));
	XC_TRY(xc_wire_create(cc, &scene->server, typeid_, 0, NULL, scene->ident));
	XC_GIVES(cc, xc_wire_open(wire, &scene->server, &by), 0);
	return XC_PASS;
}

static enum xc_verdict finish(struct xc_case_context *cc, struct scene *scene, struct xc_wire *wire)
{
	XC_TRY(xc_join(cc));
	xc_wire_close(wire);
	xc_server_stop(&scene->server);
	return XC_PASS;
}

/* Acquire with a timeout of @seconds: True or False. */
static enum xc_verdict acquire(struct xc_case_context *cc, struct scene *scene,
			       struct xc_wire *wire, int seconds, struct xc_reply *reply)
{
	const struct xp_datum *args[] = {xp_datum_bool(seconds > 0),
					 xp_datum_int(&wire->arena, seconds)};

	return xc_wire_call(cc, wire, scene->ident, "acquire", seconds > 0 ? 2 : 1, args, reply);
}

static bool is_true(const struct xc_reply *reply)
{
	return reply->value->kind == XP_DATUM_BOOL && reply->value->integer;
}

/* Whatever in the server still waits for the dead has its chance to run. */
static enum xc_verdict dally(struct xc_case_context *cc, struct scene *scene, struct xc_wire *wire)
{
	struct xc_reply reply;

	for (int i = 0; i < 50; i++)
		XC_TRY(xc_wire_ask(cc, wire, scene->ident, "__str__", 0, NULL, &reply));
	return XC_PASS;
}

static enum xc_verdict dead_getter(struct xc_case_context *cc)
{
	struct scene scene;
	struct xc_wire wire;
	struct xc_reply reply;

	XC_TRY(begin(cc, "Queue", "get", &scene, &wire));
	XC_TRY(xc_start(cc, 3, call_and_stay, &scene));
	for (int i = 0; i < 3; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	for (int i = 0; i < 3; i++)
		XC_TRY(xc_kill(cc, i));
	for (int round = 0; round < 3; round++) {
		const struct xp_datum *item = xp_datum_str(&wire.arena, "precious");
		XC_TRY(xc_wire_call(cc, &wire, scene.ident, "put", 1, &item, &reply));
		XC_TRY(dally(cc, &scene, &wire));
		const struct xp_datum *args[] = {xp_datum_bool(true), xp_datum_int(&wire.arena, 1)};
		XC_TRY(xc_wire_ask(cc, &wire, scene.ident, "get", 2, args, &reply));
		XC_REQUIRE(
		    cc, strcmp(reply.kind, "#RETURN") == 0 && strcmp(reply.text, "precious") == 0,
		    "the item is there for a living client", "%s %s: a dead one has it", reply.kind,
		    reply.text);
	}
	return finish(cc, &scene, &wire);
}

static enum xc_verdict dead_acquirer(struct xc_case_context *cc)
{
	struct scene scene;
	struct xc_wire wire;
	struct xc_reply reply;

	XC_TRY(begin(cc, "Lock", "acquire", &scene, &wire));
	XC_TRY(acquire(cc, &scene, &wire, 0, &reply));
	XC_GIVES(cc, is_true(&reply), true);
	XC_TRY(xc_start(cc, 2, call_and_stay, &scene));
	for (int i = 0; i < 2; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	for (int i = 0; i < 2; i++)
		XC_TRY(xc_kill(cc, i));
	XC_TRY(xc_wire_call(cc, &wire, scene.ident, "release", 0, NULL, &reply));
	/* Several times: once for each of the dead, and once more. */
	for (int i = 0; i < 3; i++) {
		XC_TRY(dally(cc, &scene, &wire));
		XC_TRY(acquire(cc, &scene, &wire, 1, &reply));
		XC_REQUIRE(cc, is_true(&reply), "the lock is free for a living client",
			   "a dead one holds it");
		XC_TRY(xc_wire_call(cc, &wire, scene.ident, "release", 0, NULL, &reply));
	}
	return finish(cc, &scene, &wire);
}

static enum xc_verdict dead_owner(struct xc_case_context *cc)
{
	struct scene scene;
	struct xc_wire wire;
	struct xc_reply reply;

	XC_TRY(begin(cc, "RLock", "acquire", &scene, &wire));
	XC_TRY(xc_start(cc, 1, call_and_stay, &scene));
	XC_TRY(xc_await(cc, 0, HOLDS));
	XC_TRY(acquire(cc, &scene, &wire, 0, &reply));
	XC_REQUIRE(cc, !is_true(&reply), "an RLock has one owner", "two have it");
	XC_TRY(xc_kill(cc, 0));
	struct timespec by = xp_deadline_after(2 * XP_NS_PER_SEC);
	do {
		XC_TRY(acquire(cc, &scene, &wire, 0, &reply));
	} while (!is_true(&reply) && !xp_deadline_passed(&by));
	XC_REQUIRE(cc, is_true(&reply), "the RLock of a dead owner is freed", "it stays held");
	return finish(cc, &scene, &wire);
}

static enum xc_verdict dead_holder(struct xc_case_context *cc)
{
	struct scene scene;
	struct xc_wire wire;
	struct xc_reply reply;

	XC_TRY(begin(cc, "Lock", "acquire", &scene, &wire));
	XC_TRY(xc_start(cc, 1, call_and_stay, &scene));
	XC_TRY(xc_await(cc, 0, HOLDS));
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(acquire(cc, &scene, &wire, 0, &reply));
	XC_REQUIRE(cc, !is_true(&reply), "a Lock has no owner: it stays held", "it was freed");
	XC_TRY(xc_wire_call(cc, &wire, scene.ident, "release", 0, NULL, &reply));
	XC_TRY(acquire(cc, &scene, &wire, 0, &reply));
	XC_GIVES(cc, is_true(&reply), true);
	return finish(cc, &scene, &wire);
}

const struct xc_case xc_cases_manager_full[] = {
    {.clause = "manager.full_lives", .name = "64", .kinds = SERVER, .run = full_lives},
    {.clause = "manager.full_refuses", .name = "64", .kinds = SERVER, .run = full_refuses},
    {.clause = "manager.full_idles", .name = "64", .kinds = SERVER, .run = full_idles},
    {.clause = "manager.full_recovers", .name = "64", .kinds = SERVER, .run = full_recovers},
    {.clause = "manager.dead_getter",
     .name = "three",
     .kinds = SERVER,
     .flags = XC_NEEDS_PROCESSES,
     .run = dead_getter},
    {.clause = "manager.dead_acquirer",
     .name = "two",
     .kinds = SERVER,
     .flags = XC_NEEDS_PROCESSES,
     .run = dead_acquirer},
    {.clause = "manager.dead_owner",
     .name = "rlock",
     .kinds = SERVER,
     .flags = XC_NEEDS_PROCESSES,
     .run = dead_owner},
    {.clause = "manager.dead_owner",
     .name = "lock",
     .kinds = SERVER,
     .flags = XC_NEEDS_PROCESSES,
     .run = dead_holder},
    {0},
};
