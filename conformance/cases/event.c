/* SPDX-License-Identifier: MIT */
#include "conformance/cases/cases.h"

#include <string.h>

#define EVENT XC_KIND(EVENT)
#define CROWD 4

enum { STARTED = 2 };

static int wait_once(struct xp_member *me, void *arg)
{
	int up = xp_event_is_set(arg); /* a managed one connects now, and not within the wait */

	XM_REQUIRE(me, up >= 0, "is_set returns %d", up);
	xp_member_arrive(me);
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xp_event_wait(arg), 0);
	return 0;
}

static enum xc_verdict wait_for_crowd(struct xc_case_context *cc, struct xp_event *event)
{
	XC_TRY(xc_start(cc, CROWD, wait_once, event));
	for (int i = 0; i < CROWD; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	/* A member that sleeps has sent its request. A server that has answered two more calls since
	 * has looked at all that came before the second. */
	for (int i = 0; i < 2; i++)
		XC_GIVES(cc, xp_event_is_set(event), 0);
	return XC_PASS;
}

static enum xc_verdict set_wakes(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_event *event = &object.as.event;
	XC_TRY(wait_for_crowd(cc, event));
	XC_GIVES(cc, xp_event_set(event), 0);
	XC_TRY(xc_join(cc));
	/* It stays up. */
	XC_GIVES(cc, xp_event_wait(event), 0);
	XC_TRY(xc_start(cc, 2, wait_once, event));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_event_set(event), 0);
	XC_GIVES(cc, xp_event_wait(event), 0);
	return XC_PASS;
}

static int find(struct xp_member *me, void *arg, int up)
{
	xp_member_arrive(me);
	XM_GIVES(me, xp_event_is_set(arg), up);
	return 0;
}

static int find_up(struct xp_member *me, void *arg)
{
	return find(me, arg, 1);
}

static int find_down(struct xp_member *me, void *arg)
{
	return find(me, arg, 0);
}

static enum xc_verdict is_set(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_event *event = &object.as.event;
	for (int round = 0; round < 2; round++) {
		XC_GIVES(cc, xp_event_is_set(event), 0);
		XC_TRY(xc_start(cc, 1, find_down, event));
		XC_TRY(xc_join(cc));
		XC_GIVES(cc, xp_event_set(event), 0);
		XC_GIVES(cc, xp_event_is_set(event), 1);
		XC_TRY(xc_start(cc, 1, find_up, event));
		XC_TRY(xc_join(cc));
		XC_GIVES(cc, xp_event_clear(event), 0);
	}
	return XC_PASS;
}

static enum xc_verdict clear(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_event *event = &object.as.event;
	XC_GIVES(cc, xp_event_clear(event), 0);
	XC_GIVES(cc, xp_event_set(event), 0);
	XC_GIVES(cc, xp_event_clear(event), 0);
	struct timespec by = xc_brief();
	XC_GIVES(cc, xp_event_wait_until(event, &by), -ETIMEDOUT);
	XC_TRY(wait_for_crowd(cc, event));
	XC_GIVES(cc, xp_event_set(event), 0);
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static enum xc_verdict pulse(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_event *event = &object.as.event;
	for (int round = 0; round < 20; round++) {
		XC_TRY(wait_for_crowd(cc, event));
		XC_GIVES(cc, xp_event_set(event), 0);
		XC_GIVES(cc, xp_event_clear(event), 0);
		XC_TRY(xc_join(cc));
		XC_GIVES(cc, xp_event_is_set(event), 0);
	}
	return XC_PASS;
}

static enum xc_verdict deadline(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_event *event = &object.as.event;
	for (int i = 0; i < 3; i++) {
		struct timespec by = xc_brief();
		XC_GIVES(cc, xp_event_wait_until(event, &by), -ETIMEDOUT);
		XC_REQUIRE(cc, xp_deadline_passed(&by), "a wait does not end before its deadline",
			   "it ended %ld ns before", (long)xp_deadline_ns(&by));
	}
	XC_GIVES(cc, xp_event_set(event), 0);
	struct timespec past = xp_deadline_after(0);
	XC_GIVES(cc, xp_event_wait_until(event, &past), 0);
	return XC_PASS;
}

struct relay {
	struct xp_event there, back;
	int rounds;
	volatile int64_t *letter; /* plain memory: only the events order its accesses */
};

/* Two members take turns; each waits, clears its event and sets the other's. */
static int carry(struct xp_member *me, void *arg)
{
	struct relay *relay = arg;
	struct xp_event *mine = me->index ? &relay->there : &relay->back;
	struct xp_event *other = me->index ? &relay->back : &relay->there;

	xp_member_arrive(me);
	for (int i = 0; i < relay->rounds; i++) {
		if (me->index == 0) {
			*relay->letter = i;
			XM_GIVES(me, xp_event_set(other), 0);
		}
		XM_GIVES(me, xp_event_wait(mine), 0);
		XM_GIVES(me, xp_event_clear(mine), 0);
		if (me->index == 1) {
			XM_REQUIRE(me, *relay->letter == i, "round %d sees the letter of round %d",
				   i, (int)*relay->letter);
			XM_GIVES(me, xp_event_set(other), 0);
		}
	}
	return 0;
}

static enum xc_verdict ordering(struct xc_case_context *cc)
{
	struct xp_object there, back;

	XC_TRY(xc_make(cc, NULL, &there));
	XC_TRY(xc_make(cc, NULL, &back));
	struct relay relay = {.there = there.as.event,
			      .back = back.as.event,
			      .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 300 : 20000,
			      .letter = cc->shared};
	XC_TRY(xc_start(cc, 2, carry, &relay));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static enum xc_verdict hammer(struct xc_case_context *cc)
{
	struct xp_object there, back;
	struct xp_params park = {.strategy = XP_STRATEGY_PARK};

	XC_TRY(xc_make(cc, &park, &there));
	XC_TRY(xc_make(cc, &park, &back));
	struct relay relay = {.there = there.as.event,
			      .back = back.as.event,
			      .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 300 : 10000,
			      .letter = cc->shared};
	XC_TRY(xc_start(cc, 2, carry, &relay));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static enum xc_verdict waiter_died(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_event *event = &object.as.event;
	for (int round = 0; round < 3; round++) {
		XC_TRY(wait_for_crowd(cc, event));
		XC_TRY(xc_kill(cc, round));
		XC_TRY(xc_kill(cc, 3));
		XC_GIVES(cc, xp_event_set(event), 0);
		XC_TRY(xc_join(cc));
		XC_GIVES(cc, xp_event_clear(event), 0);
	}
	return XC_PASS;
}

const struct xc_case xc_cases_event[] = {
    {.clause = "event.set_wakes", .name = "crowd", .kinds = EVENT, .run = set_wakes},
    {.clause = "event.is_set", .name = "two_processes", .kinds = EVENT, .run = is_set},
    {.clause = "event.clear", .name = "crowd", .kinds = EVENT, .run = clear},
    {.clause = "event.pulse", .name = "crowd", .kinds = EVENT, .run = pulse},
    {.clause = "event.deadline", .name = "down", .kinds = EVENT, .run = deadline},
    {.clause = "event.ordering", .name = "relay", .kinds = EVENT, .run = ordering},
    {.clause = "event.wakes", .name = "hammer", .kinds = EVENT, .run = hammer},
    {.clause = "event.waiter_died",
     .name = "two_of_four",
     .kinds = EVENT,
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = waiter_died},
    {0},
};
