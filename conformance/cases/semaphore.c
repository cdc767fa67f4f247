/* SPDX-License-Identifier: MIT */
#include "conformance/cases/cases.h"

#include <sched.h>
#include <string.h>

#define ANY_SEMAPHORE (XC_KIND(SEMAPHORE) | XC_KIND(BOUNDED))

enum { STARTED = 2, TAKEN = 3 };

/* A bounded one starts with @units at most; both are brought to @units by waits. */
static enum xc_verdict make(struct xc_case_context *cc, uint32_t units,
			    struct xp_object *ret_object)
{
	return xc_make(cc, &(struct xp_params){.count = units}, ret_object);
}

static enum xc_verdict count(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, 3, &object));
	struct xp_semaphore *semaphore = &object.as.semaphore;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++)
			XC_GIVES(cc, xp_semaphore_wait(semaphore), 0);
		XC_GIVES(cc, xp_semaphore_try_wait(semaphore), -EAGAIN);
		for (int i = 0; i < 3; i++)
			XC_GIVES(cc, xp_semaphore_post(semaphore), 0);
	}
	return XC_PASS;
}

static enum xc_verdict grows(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, 0, &object));
	struct xp_semaphore *semaphore = &object.as.semaphore;
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), -EAGAIN);
	for (int i = 0; i < 1000; i++)
		XC_GIVES(cc, xp_semaphore_post(semaphore), 0);
	for (int i = 0; i < 1000; i++)
		XC_GIVES(cc, xp_semaphore_try_wait(semaphore), 0);
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), -EAGAIN);
	return XC_PASS;
}

struct room {
	struct xp_semaphore semaphore;
	int rounds, limit;
	_Atomic int64_t *inside, *passed;
};

static int enter_and_leave(struct xp_member *me, void *arg)
{
	struct room *room = arg;

	xp_member_arrive(me);
	for (int i = 0; i < room->rounds; i++) {
		XM_GIVES(me, xp_semaphore_wait(&room->semaphore), 0);
		int64_t inside = atomic_fetch_add(room->inside, 1) + 1;
		XM_REQUIRE(me, inside <= room->limit, "%d members are inside, the limit is %d",
			   (int)inside, room->limit);
		if (i % 16 == 0)
			sched_yield();
		atomic_fetch_add(room->passed, 1);
		atomic_fetch_sub(room->inside, 1);
		XM_GIVES(me, xp_semaphore_post(&room->semaphore), 0);
	}
	return 0;
}

static enum xc_verdict limit(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, 2, &object));
	_Atomic int64_t *cells = cc->shared;
	struct room room = {.semaphore = object.as.semaphore,
			    .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 100 : 3000,
			    .limit = 2,
			    .inside = &cells[0],
			    .passed = &cells[XP_ISOLATION / sizeof(int64_t)]};
	XC_TRY(xc_start(cc, 5, enter_and_leave, &room));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, atomic_load(room.passed), 5 * room.rounds);
	/* No unit was lost or made. */
	for (int i = 0; i < 2; i++)
		XC_GIVES(cc, xp_semaphore_try_wait(&room.semaphore), 0);
	XC_GIVES(cc, xp_semaphore_try_wait(&room.semaphore), -EAGAIN);
	return XC_PASS;
}

static int find_empty(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	XM_GIVES(me, xp_semaphore_try_wait(arg), -EAGAIN);
	return 0;
}

static enum xc_verdict try_wait(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, 1, &object));
	struct xp_semaphore *semaphore = &object.as.semaphore;
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), 0);
	XC_TRY(xc_start(cc, 1, find_empty, semaphore));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_semaphore_post(semaphore), 0);
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), 0);
	return XC_PASS;
}

static enum xc_verdict deadline(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, 1, &object));
	struct xp_semaphore *semaphore = &object.as.semaphore;
	struct timespec past = xp_deadline_after(0);
	XC_GIVES(cc, xp_semaphore_wait_until(semaphore, &past), 0);
	for (int i = 0; i < 3; i++) {
		struct timespec by = xc_brief();
		XC_GIVES(cc, xp_semaphore_wait_until(semaphore, &by), -ETIMEDOUT);
		XC_REQUIRE(cc, xp_deadline_passed(&by), "a wait does not end before its deadline",
			   "it ended %ld ns before", (long)xp_deadline_ns(&by));
	}
	XC_GIVES(cc, xp_semaphore_post(semaphore), 0);
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), 0);
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), -EAGAIN);
	return XC_PASS;
}

static int wait_once(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xp_semaphore_wait(arg), 0);
	return 0;
}

static enum xc_verdict wakes_each(struct xc_case_context *cc)
{
	struct xp_object object;
	const int crowd = 4;

	XC_TRY(make(cc, (uint32_t)crowd, &object));
	struct xp_semaphore *semaphore = &object.as.semaphore;
	for (int i = 0; i < crowd; i++)
		XC_GIVES(cc, xp_semaphore_wait(semaphore), 0);
	XC_TRY(xc_start(cc, crowd, wait_once, semaphore));
	for (int i = 0; i < crowd; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	/* All posts at once: each must wake one, though none has run yet when the last is made. */
	for (int i = 0; i < crowd; i++)
		XC_GIVES(cc, xp_semaphore_post(semaphore), 0);
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), -EAGAIN);
	return XC_PASS;
}

struct table {
	struct xp_semaphore there, back;
	int rounds;
};

/* Ping-pong: each side waits for the other at every step. */
static int play(struct xp_member *me, void *arg)
{
	struct table *table = arg;
	struct xp_semaphore *mine = me->index ? &table->there : &table->back;
	struct xp_semaphore *other = me->index ? &table->back : &table->there;

	xp_member_arrive(me);
	for (int i = 0; i < table->rounds; i++) {
		XM_GIVES(me, xp_semaphore_post(other), 0);
		XM_GIVES(me, xp_semaphore_wait(mine), 0);
	}
	return 0;
}

static enum xc_verdict hammer(struct xc_case_context *cc)
{
	struct xp_object there, back;
	struct xp_params params = {.count = 2, .strategy = XP_STRATEGY_PARK};

	XC_TRY(xc_make(cc, &params, &there));
	XC_TRY(xc_make(cc, &params, &back));
	struct table table = {.there = there.as.semaphore,
			      .back = back.as.semaphore,
			      .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 300 : 10000};
	for (int i = 0; i < 2; i++) {
		XC_GIVES(cc, xp_semaphore_wait(&table.there), 0);
		XC_GIVES(cc, xp_semaphore_wait(&table.back), 0);
	}
	XC_TRY(xc_start(cc, 2, play, &table));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static enum xc_verdict value(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, 3, &object));
	struct xp_semaphore *semaphore = &object.as.semaphore;
	if (xp_semaphore_value(semaphore) == -ENOTSUP)
		return xc_unsupported(cc, "it cannot tell its value");
	for (int64_t units = 3; units > 0; units--) {
		XC_GIVES(cc, xp_semaphore_value(semaphore), units);
		XC_GIVES(cc, xp_semaphore_wait(semaphore), 0);
	}
	XC_GIVES(cc, xp_semaphore_value(semaphore), 0);
	XC_GIVES(cc, xp_semaphore_post(semaphore), 0);
	XC_GIVES(cc, xp_semaphore_value(semaphore), 1);
	return XC_PASS;
}

static int post_once(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	XM_GIVES(me, xp_semaphore_post(arg), 0);
	return 0;
}

static enum xc_verdict no_owner(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, 2, &object));
	struct xp_semaphore *semaphore = &object.as.semaphore;
	XC_GIVES(cc, xp_semaphore_wait(semaphore), 0);
	XC_GIVES(cc, xp_semaphore_wait(semaphore), 0);
	XC_TRY(xc_start(cc, 2, post_once, semaphore));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), 0);
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), 0);
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), -EAGAIN);
	return XC_PASS;
}

/* ---- death ------------------------------------------------------------------------------------ */

static enum xc_verdict waiter_died(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, 1, &object));
	struct xp_semaphore *semaphore = &object.as.semaphore;
	XC_GIVES(cc, xp_semaphore_wait(semaphore), 0);
	XC_TRY(xc_start(cc, 3, wait_once, semaphore));
	for (int i = 0; i < 3; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(xc_kill(cc, 2));
	XC_GIVES(cc, xp_semaphore_post(semaphore), 0);
	XC_TRY(xc_ends(cc, 1));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), -EAGAIN);
	XC_GIVES(cc, xp_semaphore_post(semaphore), 0);
	struct timespec by = xc_patience();
	XC_GIVES(cc, xp_semaphore_wait_until(semaphore, &by), 0);
	return XC_PASS;
}

static int take_and_stay(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	XM_GIVES(me, xp_semaphore_wait(arg), 0);
	xp_member_reach(me, TAKEN);
	for (;;)
		xc_pause_us(500000);
}

static enum xc_verdict holder_died(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, 2, &object));
	struct xp_semaphore *semaphore = &object.as.semaphore;
	XC_TRY(xc_start(cc, 1, take_and_stay, semaphore));
	XC_TRY(xc_await(cc, 0, TAKEN));
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), 0);
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), -EAGAIN);
	return XC_PASS;
}

/* Counts before each wait and after each post, so that the units that exist are known to within the
 * one operation in which the member was killed. */
static int toil(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	for (;;) {
		atomic_fetch_add(&me->tally->count[0], 1);
		XM_GIVES(me, xp_semaphore_wait(arg), 0);
		atomic_fetch_add(&me->tally->count[1], 1);
		XM_GIVES(me, xp_semaphore_post(arg), 0);
		atomic_fetch_add(&me->tally->count[2], 1);
	}
}

static enum xc_verdict killed_anywhere(struct xc_case_context *cc)
{
	struct xp_object object;
	uint64_t seed = 11;
	const uint32_t units = 64;

	for (int round = 0; round < 100; round++) {
		if (round % 32 == 0) {
			while (cc->objects_count > 0)
				xp_object_drop(&cc->objects[--cc->objects_count]);
			XC_TRY(make(cc, units, &object));
		}
		XC_TRY(xc_start(cc, 2, toil, &object.as.semaphore));
		while (xc_tally(cc, 0, 2) == 0)
			sched_yield();
		xc_pause_us((unsigned)(xc_random(&seed) % 500));
		XC_TRY(xc_kill(cc, 0));
		int64_t before = xc_tally(cc, 1, 2);
		struct timespec by = xc_patience();
		while (xc_tally(cc, 1, 2) <= before + 1) {
			XC_REQUIRE(cc, !xp_deadline_passed(&by), "the survivor goes on",
				   "it does not after the death of the other, in round %d", round);
			sched_yield();
		}
		XC_TRY(xc_kill(cc, 1));
		XC_TRY(xc_join(cc));
		/* Each of the two that were killed has kept at most one unit, and made none. */
		int64_t left = 0;
		while (xp_semaphore_try_wait(&object.as.semaphore) == 0)
			left++;
		int64_t least = (int64_t)units - 2 * (round % 32 + 1);
		XC_REQUIRE(cc, left <= units && left >= least,
			   "a killed process keeps at most the unit that it had taken",
			   "%ld units are left in round %d, not %ld to %u", (long)left, round,
			   (long)least, units);
		for (int64_t i = 0; i < left; i++)
			XC_GIVES(cc, xp_semaphore_post(&object.as.semaphore), 0);
	}
	return XC_PASS;
}

/* ---- bounded ---------------------------------------------------------------------------------- */

static int over_release_refused(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	XM_GIVES(me, xp_semaphore_post(arg), -EOVERFLOW);
	return 0;
}

static enum xc_verdict over_release(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, 2, &object));
	struct xp_semaphore *semaphore = &object.as.semaphore;
	XC_GIVES(cc, xp_semaphore_post(semaphore), -EOVERFLOW);
	XC_TRY(xc_start(cc, 1, over_release_refused, semaphore));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_semaphore_wait(semaphore), 0);
	XC_GIVES(cc, xp_semaphore_wait(semaphore), 0);
	XC_GIVES(cc, xp_semaphore_try_wait(semaphore), -EAGAIN);
	return XC_PASS;
}

const struct xc_case xc_cases_semaphore[] = {
    {.clause = "semaphore.count", .name = "initial", .kinds = ANY_SEMAPHORE, .run = count},
    {.clause = "semaphore.count", .name = "grows", .kinds = XC_KIND(SEMAPHORE), .run = grows},
    {.clause = "semaphore.limit", .name = "crowd", .kinds = ANY_SEMAPHORE, .run = limit},
    {.clause = "semaphore.try", .name = "two_processes", .kinds = ANY_SEMAPHORE, .run = try_wait},
    {.clause = "semaphore.deadline", .name = "empty", .kinds = ANY_SEMAPHORE, .run = deadline},
    {.clause = "semaphore.wakes", .name = "each", .kinds = ANY_SEMAPHORE, .run = wakes_each},
    {.clause = "semaphore.wakes", .name = "hammer", .kinds = ANY_SEMAPHORE, .run = hammer},
    {.clause = "semaphore.value", .name = "steps", .kinds = ANY_SEMAPHORE, .run = value},
    {.clause = "semaphore.no_owner", .name = "child", .kinds = ANY_SEMAPHORE, .run = no_owner},
    {.clause = "semaphore.waiter_died",
     .name = "two_of_three",
     .kinds = ANY_SEMAPHORE,
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = waiter_died},
    {.clause = "semaphore.holder_died",
     .name = "one",
     .kinds = ANY_SEMAPHORE,
     .flags = XC_NEEDS_PROCESSES,
     .run = holder_died},
    {.clause = "semaphore.killed_anywhere",
     .name = "random",
     .kinds = ANY_SEMAPHORE,
     .scopes = XC_SCOPE(SHM) | XC_SCOPE(INHERITED),
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = killed_anywhere},
    {.clause = "bounded.over_release",
     .name = "two_processes",
     .kinds = XC_KIND(BOUNDED),
     .run = over_release},
    {.clause = "bounded.within", .name = "child", .kinds = XC_KIND(BOUNDED), .run = no_owner},
    {0},
};
