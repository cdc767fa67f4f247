/* SPDX-License-Identifier: MIT */
#include "conformance/cases/cases.h"

#include <string.h>

#define JOINABLE XC_KIND(JOINABLE)

enum { STARTED = 2 };

static enum xc_verdict make(struct xc_case_context *cc, struct xp_object *ret_object)
{
	return xc_make(cc, &(struct xp_params){.capacity = 8, .item_max = 8}, ret_object);
}

static int join_once(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xp_queue_join_until(arg, NULL), 0);
	return 0;
}

static enum xc_verdict put(struct xc_case_context *cc, struct xp_queue *queue, int64_t items)
{
	for (int64_t item = 0; item < items; item++)
		XC_GIVES(cc, xp_queue_put(queue, &item, sizeof(item)), 0);
	return XC_PASS;
}

static enum xc_verdict join(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t item;
	size_t size;

	XC_TRY(make(cc, &object));
	struct xp_queue *queue = &object.as.queue;
	for (int round = 0; round < 3; round++) {
		XC_TRY(put(cc, queue, 3));
		XC_TRY(xc_start(cc, 3, join_once, queue));
		for (int step = 0; step < 3; step++) {
			for (int i = 0; i < 3; i++)
				XC_TRY(xc_blocked(cc, i, STARTED));
			/* Getting an item is not finishing it. */
			XC_GIVES(cc, xp_queue_get(queue, &item, sizeof(item), &size), 0);
			for (int i = 0; i < 3; i++)
				XC_TRY(xc_blocked(cc, i, STARTED));
			XC_GIVES(cc, xp_queue_task_done(queue), 0);
		}
		XC_TRY(xc_join(cc));
	}
	return XC_PASS;
}

static enum xc_verdict join_empty(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t item;
	size_t size;

	XC_TRY(make(cc, &object));
	struct xp_queue *queue = &object.as.queue;
	XC_GIVES(cc, xp_queue_join_until(queue, NULL), 0);
	XC_TRY(put(cc, queue, 1));
	XC_GIVES(cc, xp_queue_get(queue, &item, sizeof(item), &size), 0);
	XC_GIVES(cc, xp_queue_task_done(queue), 0);
	struct timespec past = xp_deadline_after(0);
	XC_GIVES(cc, xp_queue_join_until(queue, &past), 0);
	XC_TRY(xc_start(cc, 1, join_once, queue));
	return xc_join(cc);
}

static enum xc_verdict deadline(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t item;
	size_t size;

	XC_TRY(make(cc, &object));
	struct xp_queue *queue = &object.as.queue;
	XC_TRY(put(cc, queue, 1));
	XC_GIVES(cc, xp_queue_get(queue, &item, sizeof(item), &size), 0);
	for (int i = 0; i < 2; i++) {
		struct timespec by = xc_brief();
		XC_GIVES(cc, xp_queue_join_until(queue, &by), -ETIMEDOUT);
		XC_REQUIRE(cc, xp_deadline_passed(&by), "join does not end before its deadline",
			   "it did");
	}
	return XC_PASS;
}

static int done_refused(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	XM_GIVES(me, xp_queue_task_done(arg), -EOVERFLOW);
	return 0;
}

static enum xc_verdict too_many(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, &object));
	struct xp_queue *queue = &object.as.queue;
	XC_GIVES(cc, xp_queue_task_done(queue), -EOVERFLOW);
	XC_TRY(put(cc, queue, 2));
	/* Python counts puts, not gets. */
	XC_GIVES(cc, xp_queue_task_done(queue), 0);
	XC_GIVES(cc, xp_queue_task_done(queue), 0);
	XC_TRY(xc_start(cc, 1, done_refused, queue));
	XC_TRY(xc_join(cc));
	XC_TRY(put(cc, queue, 1));
	struct timespec by = xc_brief();
	XC_GIVES(cc, xp_queue_join_until(queue, &by), -ETIMEDOUT);
	XC_GIVES(cc, xp_queue_task_done(queue), 0);
	XC_GIVES(cc, xp_queue_join_until(queue, NULL), 0);
	return XC_PASS;
}

struct works {
	struct xp_queue queue;
	int items;
	_Atomic int64_t *unfinished;
};

#define PRODUCERS 2
#define WORKERS	  2
#define JOINERS	  2

static int crowd_body(struct xp_member *me, void *arg)
{
	struct works *w = arg;
	int64_t item = me->index;
	size_t size;

	xp_member_arrive(me);
	if (me->index < PRODUCERS) {
		for (int i = 0; i < w->items; i++)
			XM_GIVES(me, xp_queue_put(&w->queue, &item, sizeof(item)), 0);
		return 0;
	}
	if (me->index < PRODUCERS + WORKERS) {
		for (int i = 0; i < w->items * PRODUCERS / WORKERS; i++) {
			XM_GIVES(me, xp_queue_get(&w->queue, &item, sizeof(item), &size), 0);
			atomic_fetch_sub(w->unfinished, 1);
			XM_GIVES(me, xp_queue_task_done(&w->queue), 0);
		}
		return 0;
	}
	/* A join may return whenever all that was put so far is finished, so it is asked for until all
	 * is; it must return every time. */
	do {
		XM_GIVES(me, xp_queue_join_until(&w->queue, NULL), 0);
	} while (atomic_load(w->unfinished) > 0);
	return 0;
}

static enum xc_verdict crowd(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, &object));
	struct works w = {.queue = object.as.queue,
			  .items = cc->iut->scope == XP_SCOPE_MANAGED ? 100 : 2000,
			  .unfinished = cc->shared};
	atomic_store(w.unfinished, PRODUCERS * w.items);
	XC_TRY(xc_start(cc, PRODUCERS + WORKERS + JOINERS, crowd_body, &w));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_queue_join_until(&w.queue, NULL), 0);
	XC_GIVES(cc, xp_queue_task_done(&w.queue), -EOVERFLOW);
	return XC_PASS;
}

static enum xc_verdict waiter_died(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, &object));
	struct xp_queue *queue = &object.as.queue;
	XC_TRY(put(cc, queue, 1));
	XC_TRY(xc_start(cc, 3, join_once, queue));
	for (int i = 0; i < 3; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(xc_kill(cc, 1));
	XC_GIVES(cc, xp_queue_task_done(queue), 0);
	return xc_join(cc);
}

const struct xc_case xc_cases_joinable[] = {
    {.clause = "joinable.join", .name = "three", .kinds = JOINABLE, .run = join},
    {.clause = "joinable.join_empty", .name = "at_once", .kinds = JOINABLE, .run = join_empty},
    {.clause = "joinable.deadline", .name = "unfinished", .kinds = JOINABLE, .run = deadline},
    {.clause = "joinable.too_many", .name = "before_and_after", .kinds = JOINABLE, .run = too_many},
    {.clause = "joinable.crowd", .name = "two_by_two", .kinds = JOINABLE, .run = crowd},
    {.clause = "joinable.waiter_died",
     .name = "two_of_three",
     .kinds = JOINABLE,
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = waiter_died},
    {0},
};
