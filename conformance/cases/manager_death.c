/* SPDX-License-Identifier: MIT */
/* Clients that die in each of the methods that block: what they waited for goes to the living (SPEC X3). */
#include "conformance/cases/cases.h"
#include "conformance/subjects/wire.h"

#include <string.h>

#define SERVER	  XC_KIND_SERVER
#define STEPS_MAX 4

enum { STARTED = 2 };

/* What a client says. @args: a letter each: T and F are booleans, digits are numbers, s is a text. */
struct step {
	const char *method;
	const char *args;
	char want;  /* T: True; E: an exception; R: any value */
	int client; /* which of the two that live */
};

/* The life of one object: made, put into the state in which the ghost's last step blocks, and after the
 * death of the ghost used by the living. */
struct script {
	const char *typeid_;
	const char *args;
	struct step before[STEPS_MAX];
	const char *ghost[2];
	const char *ghost_args;
	struct step after[STEPS_MAX];
};

static const struct script queue_put = {
    .typeid_ = "Queue",
    .args = "1",
    .before = {{"put", "s", 'R', 0}},
    .ghost = {"put"},
    .ghost_args = "s",
    .after = {{"get", "T2", 'R', 0}, {"put", "sT2", 'R', 0}, {"get", "T2", 'R', 0}},
};
static const struct script joinable_join = {
    .typeid_ = "JoinableQueue",
    .before = {{"put", "s", 'R', 0}},
    .ghost = {"join"},
    .after = {{"get", "T2", 'R', 0}, {"task_done", "", 'R', 0}, {"join", "", 'R', 1}},
};
static const struct script rlock_acquire = {
    .typeid_ = "RLock",
    .before = {{"acquire", "", 'T', 0}},
    .ghost = {"acquire"},
    .after = {{"release", "", 'R', 0}, {"acquire", "T2", 'T', 1}, {"release", "", 'R', 1}},
};
static const struct script semaphore_acquire = {
    .typeid_ = "Semaphore",
    .args = "1",
    .before = {{"acquire", "", 'T', 0}},
    .ghost = {"acquire"},
    .after = {{"release", "", 'R', 0}, {"acquire", "T2", 'T', 1}},
};
static const struct script bounded_acquire = {
    .typeid_ = "BoundedSemaphore",
    .args = "1",
    .before = {{"acquire", "", 'T', 0}},
    .ghost = {"acquire"},
    .after = {{"release", "", 'R', 0}, {"acquire", "T2", 'T', 1}},
};
static const struct script condition_acquire = {
    .typeid_ = "Condition",
    .before = {{"acquire", "", 'T', 0}},
    .ghost = {"acquire"},
    .after = {{"release", "", 'R', 0}, {"acquire", "T2", 'T', 1}, {"release", "", 'R', 1}},
};
static const struct script event_wait = {
    .typeid_ = "Event",
    .ghost = {"wait"},
    .after = {{"set", "", 'R', 0}, {"wait", "2", 'T', 1}},
};
/* A party that is no more cannot be waited for: the barrier is broken, and says so to who comes next. */
static const struct script barrier_wait = {
    .typeid_ = "Barrier",
    .args = "2",
    .ghost = {"wait"},
    .after = {{"wait", "1", 'E', 0}, {"reset", "", 'R', 0}},
};
static const struct script condition_wait = {
    .typeid_ = "Condition",
    .ghost = {"acquire", "wait"},
};

struct scene {
	struct xc_server server;
	char ident[XC_IDENT_MAX];
	const struct script *script;
	struct xc_wire wires[2];
};

static size_t arguments(struct xp_datum_arena *arena, const char *letters,
			const struct xp_datum *ret_args[4])
{
	size_t count = 0;

	for (; letters && *letters; letters++) {
		ret_args[count++] = *letters == 'T'   ? xp_datum_bool(true)
				    : *letters == 'F' ? xp_datum_bool(false)
				    : *letters == 's' ? xp_datum_str(arena, "item")
						      : xp_datum_int(arena, *letters - '0');
	}
	return count;
}

static int ghost(struct xp_member *me, void *arg)
{
	const struct scene *scene = arg;
	struct timespec by = xc_patience();
	const struct xp_datum *args[4];
	struct xc_wire wire;
	struct xc_reply reply;

	XM_GIVES(me, xc_wire_open(&wire, &scene->server, &by), 0);
	xp_member_arrive(me);
	for (int i = 0; i < 2 && scene->script->ghost[i]; i++) {
		bool last = i == 1 || !scene->script->ghost[i + 1];
		size_t count = last ? arguments(&wire.arena, scene->script->ghost_args, args) : 0;

		if (last)
			xp_member_reach(me, STARTED);
		XM_GIVES(
		    me, xc_wire_send(&wire, scene->ident, scene->script->ghost[i], count, args), 0);
		XM_GIVES(me, xc_wire_recv(&wire, NULL, &reply), 0);
	}
	return 1; /* it was to block for ever */
}

static enum xc_verdict take_steps(struct xc_case_context *cc, struct scene *scene,
				  const struct step *steps)
{
	for (int i = 0; i < STEPS_MAX && steps[i].method; i++) {
		struct xc_wire *wire = &scene->wires[steps[i].client];
		const struct xp_datum *args[4];
		struct xc_reply reply;
		size_t count = arguments(&wire->arena, steps[i].args, args);

		XC_TRY(xc_wire_ask(cc, wire, scene->ident, steps[i].method, count, args, &reply));
		bool value = strcmp(reply.kind, "#RETURN") == 0;
		bool right = steps[i].want == 'E'   ? strcmp(reply.kind, "#ERROR") == 0
			     : steps[i].want == 'R' ? value
						    : value && reply.value->kind == XP_DATUM_BOOL &&
							  reply.value->integer;
		XC_REQUIRE(cc, right, "what the dead one waited for is there for the living",
			   "step %d, %s(), is answered by %s %s", i + 1, steps[i].method,
			   reply.kind, reply.text);
	}
	return XC_PASS;
}

static enum xc_verdict begin(struct xc_case_context *cc, const struct script *script,
			     struct scene *scene)
{
	struct timespec by = xc_patience();
	struct xp_datum_arena arena;
	const struct xp_datum *args[4];

	scene->script = script;
	XC_TRY(xc_server_start(cc, NULL, &scene->server));
	xp_datum_arena_init(&arena, 0);
	size_t count = arguments(&arena, script->args, args);
	XC_TRY(xc_wire_create(cc, &scene->server, script->typeid_, count, args, scene->ident));
	xp_datum_arena_fini(&arena);
	for (int i = 0; i < 2; i++)
		XC_GIVES(cc, xc_wire_open(&scene->wires[i], &scene->server, &by), 0);
	return take_steps(cc, scene, script->before);
}

static enum xc_verdict haunt(struct xc_case_context *cc, struct scene *scene)
{
	XC_TRY(xc_start(cc, 1, ghost, scene));
	XC_TRY(xc_blocked(cc, 0, STARTED));
	return xc_kill(cc, 0);
}

/* Nothing of the dead one is left behind: no thread that waits for it, no descriptor. */
static enum xc_verdict finish(struct xc_case_context *cc, struct scene *scene, int threads,
			      int descriptors)
{
	struct timespec by = xc_bound(cc);

	/* Stock CPython up to 3.9 keeps the descriptor of the last connection until the next one ends. */
	while (xc_server_threads(&scene->server) > threads ||
	       xc_server_descriptors(&scene->server) > descriptors + cc->iut->peer) {
		XC_REQUIRE(cc, !xp_deadline_passed(&by), "the server keeps nothing of the dead one",
			   "it has %d threads, %d before; %d descriptors, %d before",
			   xc_server_threads(&scene->server), threads,
			   xc_server_descriptors(&scene->server), descriptors);
		xc_pause_us(1000);
	}
	XC_TRY(xc_join(cc));
	for (int i = 0; i < 2; i++)
		xc_wire_close(&scene->wires[i]);
	xc_server_stop(&scene->server);
	return XC_PASS;
}

static enum xc_verdict play(struct xc_case_context *cc, const struct script *script)
{
	struct scene scene;

	XC_TRY(begin(cc, script, &scene));
	int threads = xc_server_threads(&scene.server);
	int descriptors = xc_server_descriptors(&scene.server);
	XC_TRY(haunt(cc, &scene));
	XC_TRY(take_steps(cc, &scene, script->after));
	return finish(cc, &scene, threads, descriptors);
}

/* One notification, one that lives and waits: the dead one, who came first, must not have it. */
static enum xc_verdict play_condition_wait(struct xc_case_context *cc)
{
	static const struct step waits[STEPS_MAX] = {{"acquire", "T2", 'T', 1}};
	static const struct step notifies[STEPS_MAX] = {
	    {"acquire", "T2", 'T', 0}, {"notify", "", 'R', 0}, {"release", "", 'R', 0}};
	struct timespec by;
	struct xc_reply reply;
	struct scene scene;

	XC_TRY(begin(cc, &condition_wait, &scene));
	int threads = xc_server_threads(&scene.server);
	int descriptors = xc_server_descriptors(&scene.server);
	XC_TRY(haunt(cc, &scene));
	XC_TRY(take_steps(cc, &scene, waits));
	XC_GIVES(cc, xc_wire_send(&scene.wires[1], scene.ident, "wait", 0, NULL), 0);
	/* It waits once the other can have the lock. */
	XC_TRY(take_steps(cc, &scene, notifies));
	by = xc_bound(cc);
	int rc = xc_wire_recv(&scene.wires[1], &by, &reply);
	XC_REQUIRE(cc, rc == 0, "the notification reaches one that lives", "a dead one has it");
	return finish(cc, &scene, threads, descriptors);
}

#define PLAY(name)                                                     \
	static enum xc_verdict play_##name(struct xc_case_context *cc) \
	{                                                              \
		return play(cc, &name);                                \
	}
PLAY(queue_put)
PLAY(joinable_join)
PLAY(rlock_acquire)
PLAY(semaphore_acquire)
PLAY(bounded_acquire)
PLAY(condition_acquire)
PLAY(event_wait)
PLAY(barrier_wait)

#define CASE(name_)                                                               \
	{                                                                         \
		.clause = "manager.dead_waiter", .name = #name_, .kinds = SERVER, \
		.flags = XC_NEEDS_PROCESSES, .run = play_##name_                  \
	}

const struct xc_case xc_cases_manager_death[] = {
    CASE(queue_put),	   CASE(joinable_join),
    CASE(rlock_acquire),   CASE(semaphore_acquire),
    CASE(bounded_acquire), CASE(condition_acquire),
    CASE(condition_wait),  CASE(event_wait),
    CASE(barrier_wait),	   {0},
};
