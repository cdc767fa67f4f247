/* SPDX-License-Identifier: MIT */
#include "conformance/cases/cases.h"

#include <string.h>

#define CONDITION XC_KIND(CONDITION)
#define CROWD	  4

enum { STARTED = 2, WOKEN = 3 };

/* One condition, and a plain number that is only touched with its lock held. */
struct scene {
	struct xp_condition condition;
	int depth; /* how often a waiter acquires the lock before it waits */
	int rounds;
	volatile int64_t *number;
};

static enum xc_verdict make(struct xc_case_context *cc, struct scene *ret_scene)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	*ret_scene = (struct scene){
	    .condition = object.as.condition, .depth = 1, .rounds = 1, .number = cc->shared};
	return XC_PASS;
}

static int wait_once(struct xp_member *me, void *arg)
{
	struct scene *scene = arg;

	xp_member_arrive(me);
	for (int i = 0; i < scene->depth; i++)
		XM_GIVES(me, xp_lock_acquire(&scene->condition.lock), 0);
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xp_condition_wait(&scene->condition), 0);
	/* Held by one at a time: the order of the numbers is that of the wake-ups. */
	atomic_store(&me->tally->count[0], ++*scene->number);
	xp_member_reach(me, WOKEN);
	for (int i = 0; i < scene->depth; i++)
		XM_GIVES(me, xp_lock_release(&scene->condition.lock), 0);
	return 0;
}

/* Start a crowd whose members begin to wait one after the other, in the order of their index. */
static int wait_in_turn(struct xp_member *me, void *arg)
{
	struct scene *scene = arg;

	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_acquire(&scene->condition.lock), 0);
	while (*scene->number != me->index) {
		XM_GIVES(me, xp_lock_release(&scene->condition.lock), 0);
		xc_pause_us(200);
		XM_GIVES(me, xp_lock_acquire(&scene->condition.lock), 0);
	}
	++*scene->number;
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xp_condition_wait(&scene->condition), 0);
	atomic_store(&me->tally->count[0], ++*scene->number);
	xp_member_reach(me, WOKEN);
	XM_GIVES(me, xp_lock_release(&scene->condition.lock), 0);
	return 0;
}

static enum xc_verdict gather(struct xc_case_context *cc, struct scene *scene, xp_member_body *body)
{
	XC_TRY(xc_start(cc, CROWD, body, scene));
	for (int i = 0; i < CROWD; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	return XC_PASS;
}

static enum xc_verdict signal_some(struct xc_case_context *cc, struct scene *scene, uint32_t count)
{
	XC_GIVES(cc, xp_lock_acquire(&scene->condition.lock), 0);
	XC_GIVES(cc, xp_condition_signal(&scene->condition, count), 0);
	XC_GIVES(cc, xp_lock_release(&scene->condition.lock), 0);
	return XC_PASS;
}

/* @count members have been woken and ended; the others still wait. */
static enum xc_verdict woken(struct xc_case_context *cc, int64_t *ret_count)
{
	*ret_count = 0;
	for (int i = 0; i < CROWD; i++) {
		struct timespec now = xp_deadline_after(0);
		if (cc->killed[i])
			continue;
		*ret_count += xp_crew_await(&cc->crew, i, WOKEN, &now) == 0;
	}
	return XC_PASS;
}

static enum xc_verdict await_woken(struct xc_case_context *cc, int64_t count)
{
	struct timespec by = xc_patience();
	int64_t seen = 0;

	while (seen < count) {
		XC_TRY(woken(cc, &seen));
		XC_REQUIRE(cc, !xp_deadline_passed(&by), "each signal wakes a waiter",
			   "%ld of %ld woke", (long)seen, (long)count);
		if (seen < count)
			xc_pause_us(100);
	}
	return XC_PASS;
}

/* Exactly @count are awake, and the others prove to sleep. */
static enum xc_verdict only_woken(struct xc_case_context *cc, int64_t count)
{
	int64_t seen;

	XC_TRY(await_woken(cc, count));
	for (int i = 0; i < CROWD; i++) {
		struct timespec now = xp_deadline_after(0);
		if (!cc->killed[i] && xp_crew_await(&cc->crew, i, WOKEN, &now) != 0)
			XC_TRY(xc_blocked(cc, i, STARTED));
	}
	XC_TRY(woken(cc, &seen));
	XC_REQUIRE(cc, seen == count, "signal(n) wakes no more than n", "%ld woke, not %ld",
		   (long)seen, (long)count);
	return XC_PASS;
}

/* ---- waiting ---------------------------------------------------------------------------------- */

static enum xc_verdict wait_releases(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	for (scene.depth = 1; scene.depth <= 3; scene.depth++) {
		XC_TRY(xc_start(cc, 1, wait_once, &scene));
		XC_TRY(xc_blocked(cc, 0, STARTED));
		struct timespec by = xc_patience();
		XC_GIVES(cc, xp_lock_acquire_until(&scene.condition.lock, &by), 0);
		XC_GIVES(cc, xp_condition_signal(&scene.condition, 1), 0);
		/* It cannot return before the lock is released, however often it was woken. */
		XC_TRY(xc_blocked(cc, 0, STARTED));
		struct timespec now = xp_deadline_after(0);
		XC_GIVES(cc, xp_crew_await(&cc->crew, 0, WOKEN, &now), -ETIMEDOUT);
		XC_GIVES(cc, xp_lock_release(&scene.condition.lock), 0);
		/* It releases as often as it had acquired, without an error. */
		XC_TRY(xc_join(cc));
		XC_GIVES(cc, xp_lock_try_acquire(&scene.condition.lock), 0);
		XC_GIVES(cc, xp_lock_release(&scene.condition.lock), 0);
		XC_GIVES(cc, xp_lock_release(&scene.condition.lock), -EPERM);
	}
	return XC_PASS;
}

static enum xc_verdict signal_count(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	XC_TRY(gather(cc, &scene, wait_once));
	XC_TRY(signal_some(cc, &scene, 1));
	XC_TRY(only_woken(cc, 1));
	XC_TRY(signal_some(cc, &scene, 2));
	XC_TRY(only_woken(cc, 3));
	XC_TRY(signal_some(cc, &scene, 100));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static enum xc_verdict fifo(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	XC_TRY(gather(cc, &scene, wait_in_turn));
	for (int i = 0; i < CROWD; i++) {
		XC_TRY(signal_some(cc, &scene, 1));
		XC_TRY(xc_ends(cc, i));
		XC_TRY(only_woken(cc, i + 1));
	}
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static enum xc_verdict broadcast(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	for (int round = 0; round < 3; round++) {
		XC_TRY(gather(cc, &scene, wait_once));
		XC_GIVES(cc, xp_lock_acquire(&scene.condition.lock), 0);
		XC_GIVES(cc, xp_condition_broadcast(&scene.condition), 0);
		XC_GIVES(cc, xp_lock_release(&scene.condition.lock), 0);
		XC_TRY(xc_join(cc));
	}
	return XC_PASS;
}

static enum xc_verdict not_kept(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	XC_TRY(signal_some(cc, &scene, 3));
	XC_GIVES(cc, xp_lock_acquire(&scene.condition.lock), 0);
	XC_GIVES(cc, xp_condition_broadcast(&scene.condition), 0);
	for (int i = 0; i < 3; i++) {
		struct timespec by = xc_brief();
		XC_GIVES(cc, xp_condition_wait_until(&scene.condition, &by), -ETIMEDOUT);
	}
	XC_GIVES(cc, xp_lock_release(&scene.condition.lock), 0);
	/* Nor one that was meant for a waiter which had given up. */
	XC_TRY(xc_start(cc, 1, wait_once, &scene));
	XC_TRY(xc_blocked(cc, 0, STARTED));
	XC_TRY(signal_some(cc, &scene, 1));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static int find_held(struct xp_member *me, void *arg)
{
	struct scene *scene = arg;

	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_try_acquire(&scene->condition.lock), -EBUSY);
	return 0;
}

static enum xc_verdict deadline(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	XC_GIVES(cc, xp_lock_acquire(&scene.condition.lock), 0);
	for (int i = 0; i < 3; i++) {
		struct timespec by = xc_brief();
		XC_GIVES(cc, xp_condition_wait_until(&scene.condition, &by), -ETIMEDOUT);
		XC_REQUIRE(cc, xp_deadline_passed(&by), "a wait does not end before its deadline",
			   "it ended %ld ns before", (long)xp_deadline_ns(&by));
		XC_TRY(xc_start(cc, 1, find_held, &scene));
		XC_TRY(xc_join(cc));
	}
	XC_GIVES(cc, xp_lock_release(&scene.condition.lock), 0);
	return XC_PASS;
}

static int refused(struct xp_member *me, void *arg)
{
	struct scene *scene = arg;
	struct timespec by = xc_brief();

	xp_member_arrive(me);
	XM_GIVES(me, xp_condition_signal(&scene->condition, 1), -EPERM);
	XM_GIVES(me, xp_condition_broadcast(&scene->condition), -EPERM);
	XM_GIVES(me, xp_condition_wait_until(&scene->condition, &by), -EPERM);
	return 0;
}

static enum xc_verdict not_owner(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	/* Once with a free lock, once with one that another holds. */
	XC_TRY(xc_start(cc, 1, refused, &scene));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_lock_acquire(&scene.condition.lock), 0);
	XC_TRY(xc_start(cc, 1, refused, &scene));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_condition_signal(&scene.condition, 1), 0);
	XC_GIVES(cc, xp_lock_release(&scene.condition.lock), 0);
	return XC_PASS;
}

static int number_is_three(void *arg)
{
	struct scene *scene = arg;

	return *scene->number == 3;
}

static int wait_for_three(struct xp_member *me, void *arg)
{
	struct scene *scene = arg;
	struct timespec by = xc_patience();

	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_acquire(&scene->condition.lock), 0);
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xp_condition_wait_for(&scene->condition, number_is_three, scene, &by), 0);
	XM_REQUIRE(me, *scene->number == 3, "wait_for returned at %d", (int)*scene->number);
	XM_GIVES(me, xp_lock_release(&scene->condition.lock), 0);
	return 0;
}

static enum xc_verdict wait_for(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	XC_TRY(xc_start(cc, 2, wait_for_three, &scene));
	XC_TRY(xc_blocked(cc, 0, STARTED));
	XC_TRY(xc_blocked(cc, 1, STARTED));
	for (int i = 0; i < 3; i++) {
		XC_GIVES(cc, xp_lock_acquire(&scene.condition.lock), 0);
		++*scene.number;
		XC_GIVES(cc, xp_condition_broadcast(&scene.condition), 0);
		XC_GIVES(cc, xp_lock_release(&scene.condition.lock), 0);
	}
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_lock_acquire(&scene.condition.lock), 0);
	*scene.number = 0;
	struct timespec by = xc_brief();
	XC_GIVES(cc, xp_condition_wait_for(&scene.condition, number_is_three, &scene, &by),
		 -ETIMEDOUT);
	XC_GIVES(cc, xp_lock_release(&scene.condition.lock), 0);
	return XC_PASS;
}

/* Two members pass a number back and forth; each wait relies on the one signal of the other. */
static int pass_on(struct xp_member *me, void *arg)
{
	struct scene *scene = arg;

	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_acquire(&scene->condition.lock), 0);
	for (int i = 0; i < scene->rounds; i++) {
		while (*scene->number % 2 != me->index)
			XM_GIVES(me, xp_condition_wait(&scene->condition), 0);
		++*scene->number;
		XM_GIVES(me, xp_condition_signal(&scene->condition, 1), 0);
	}
	XM_GIVES(me, xp_lock_release(&scene->condition.lock), 0);
	return 0;
}

static enum xc_verdict hammer(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	scene.rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 200 : 5000;
	XC_TRY(xc_start(cc, 2, pass_on, &scene));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, *scene.number, 2 * scene.rounds);
	return XC_PASS;
}

/* ---- death ------------------------------------------------------------------------------------ */

static enum xc_verdict waiter_died(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	XC_TRY(gather(cc, &scene, wait_in_turn));
	/* The two that waited longest, and so would be next. */
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(xc_kill(cc, 1));
	XC_TRY(signal_some(cc, &scene, 1));
	XC_TRY(await_woken(cc, 1));
	XC_TRY(signal_some(cc, &scene, 1));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static enum xc_verdict waiter_died_broadcast(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	for (int round = 0; round < 3; round++) {
		XC_TRY(gather(cc, &scene, wait_once));
		XC_TRY(xc_kill(cc, round));
		XC_TRY(signal_some(cc, &scene, UINT32_MAX));
		XC_TRY(xc_join(cc));
	}
	return XC_PASS;
}

/* Signals everybody and is killed before it has released the lock. */
static int signal_and_hold(struct xp_member *me, struct scene *scene)
{
	XM_GIVES(me, xp_lock_acquire(&scene->condition.lock), 0);
	XM_GIVES(me, xp_condition_broadcast(&scene->condition), 0);
	xp_member_reach(me, STARTED);
	for (;;)
		xc_pause_us(500000);
}

static int hold(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	return signal_and_hold(me, arg);
}

/* Member 0 waits; member 1 gets the lock only once member 0 does. */
static int wait_or_hold(struct xp_member *me, void *arg)
{
	struct scene *scene = arg;

	xp_member_arrive(me);
	if (me->index == 1) {
		while (atomic_load(&me->crew->page->tally[0].count[1]) == 0)
			xc_pause_us(200);
		return signal_and_hold(me, scene);
	}
	XM_GIVES(me, xp_lock_acquire(&scene->condition.lock), 0);
	atomic_store(&me->tally->count[1], 1);
	struct timespec by = xc_patience();
	XM_GIVES(me, xp_condition_wait_until(&scene->condition, &by), -EOWNERDEAD);
	XM_GIVES(me, xp_lock_release(&scene->condition.lock), 0);
	return 0;
}

static enum xc_verdict owner_died(struct xc_case_context *cc)
{
	struct scene scene;
	struct timespec by = xc_patience();

	XC_TRY(make(cc, &scene));
	XC_TRY(xc_start(cc, 2, wait_or_hold, &scene));
	XC_TRY(xc_await(cc, 1, STARTED));
	XC_TRY(xc_kill(cc, 1));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_lock_acquire_until(&scene.condition.lock, &by), 0);
	XC_GIVES(cc, xp_lock_release(&scene.condition.lock), 0);
	return XC_PASS;
}

static enum xc_verdict owner_died_acquire(struct xc_case_context *cc)
{
	struct scene scene;
	struct timespec by = xc_patience();

	XC_TRY(make(cc, &scene));
	XC_TRY(xc_start(cc, 1, hold, &scene));
	XC_TRY(xc_await(cc, 0, STARTED));
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_lock_acquire_until(&scene.condition.lock, &by), -EOWNERDEAD);
	XC_GIVES(cc, xp_lock_release(&scene.condition.lock), 0);
	/* As new: wait and signal work. */
	XC_TRY(xc_start(cc, 1, wait_once, &scene));
	XC_TRY(xc_blocked(cc, 0, STARTED));
	XC_TRY(signal_some(cc, &scene, 1));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

#define IN_MEMORY (XC_SCOPE(SHM) | XC_SCOPE(INHERITED))

const struct xc_case xc_cases_condition[] = {
    {.clause = "condition.wait_releases",
     .name = "depths",
     .kinds = CONDITION,
     .run = wait_releases},
    {.clause = "condition.signal_count", .name = "crowd", .kinds = CONDITION, .run = signal_count},
    {.clause = "condition.fifo", .name = "crowd", .kinds = CONDITION, .run = fifo},
    {.clause = "condition.broadcast", .name = "crowd", .kinds = CONDITION, .run = broadcast},
    {.clause = "condition.not_kept", .name = "early", .kinds = CONDITION, .run = not_kept},
    {.clause = "condition.deadline", .name = "held_after", .kinds = CONDITION, .run = deadline},
    {.clause = "condition.not_owner",
     .name = "free_and_held",
     .kinds = CONDITION,
     .run = not_owner},
    {.clause = "condition.wait_for", .name = "three", .kinds = CONDITION, .run = wait_for},
    {.clause = "condition.wakes", .name = "hammer", .kinds = CONDITION, .run = hammer},
    {.clause = "condition.waiter_died",
     .name = "signal",
     .kinds = CONDITION,
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = waiter_died},
    {.clause = "condition.waiter_died",
     .name = "broadcast",
     .kinds = CONDITION,
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = waiter_died_broadcast},
    {.clause = "condition.owner_died",
     .name = "waiting",
     .kinds = CONDITION,
     .scopes = IN_MEMORY,
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = owner_died},
    {.clause = "condition.owner_died",
     .name = "acquire",
     .kinds = CONDITION,
     .scopes = IN_MEMORY,
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = owner_died_acquire},
    {0},
};
