/* SPDX-License-Identifier: MIT */
/* Stepping through puts and gets: what was committed is got once, and the bound keeps. */
#include "conformance/cases/cases.h"
#include "conformance/cases/step.h"

#include <string.h>

#define ANY_QUEUE (XC_KIND(QUEUE) | XC_KIND(JOINABLE))
#define CAPACITY  2
#define PARAMS                                                    \
	{                                                         \
		.capacity = CAPACITY, .item_max = sizeof(int64_t) \
	}
#define MULTI (XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER)

/* Items that can stand in the queue: who put them is seen by their value. */
enum { VICTIM = 100, FIRST = 1, SECOND = 2, SURVIVOR = 7 };

static struct xp_queue *queue_of(struct xc_scene *scene)
{
	return &scene->object.as.queue;
}

static int put(struct xc_scene *scene, int64_t item, const struct timespec *deadline)
{
	return xp_queue_put_until(queue_of(scene), &item, sizeof(item), deadline);
}

static int get(struct xc_scene *scene, int64_t *ret_item, const struct timespec *deadline)
{
	size_t size;

	return xp_queue_get_until(queue_of(scene), ret_item, sizeof(*ret_item), &size, deadline);
}

/* What is in the queue, taken out: at most @room items. */
static int drain(struct xc_scene *scene, int64_t *ret_items, int room)
{
	int count = 0;
	size_t size;

	while (count < room &&
	       xp_queue_try_get(queue_of(scene), &ret_items[count], sizeof(int64_t), &size) == 0)
		count++;
	return count;
}

static enum xc_verdict fill(struct xc_scene *scene, int items)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();
	int64_t left[2 * CAPACITY];

	while (drain(scene, left, CAPACITY) > 0)
		;
	for (int64_t item = FIRST; item < FIRST + items; item++)
		XC_GIVES(cc, put(scene, item, &by), 0);
	return XC_PASS;
}

static enum xc_verdict empty(struct xc_scene *scene)
{
	return fill(scene, 0);
}

static enum xc_verdict full(struct xc_scene *scene)
{
	return fill(scene, CAPACITY);
}

static int get_job(struct xc_scene *scene)
{
	return get(scene, &scene->helper->item, NULL);
}

static int put_job(struct xc_scene *scene)
{
	return put(scene, SURVIVOR, NULL);
}

static enum xc_verdict empty_getter(struct xc_scene *scene)
{
	XC_TRY(empty(scene));
	scene->helper->item = 0;
	xc_helper_ask(scene, get_job);
	return xc_helper_sleeps(scene);
}

static enum xc_verdict full_putter(struct xc_scene *scene)
{
	XC_TRY(full(scene));
	xc_helper_ask(scene, put_job);
	return xc_helper_sleeps(scene);
}

static void victim_put(struct xc_scene *scene)
{
	(void)!put(scene, VICTIM, NULL);
}

static void victim_get(struct xc_scene *scene)
{
	int64_t item;

	(void)!get(scene, &item, NULL);
}

/* The survivor makes room for a victim that waits to put, or an item for one that waits to get. */
static enum xc_verdict make_room(struct xc_scene *scene)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();
	int64_t item = 0;

	XC_GIVES(cc, get(scene, &item, &by), 0);
	XC_GIVES(cc, item, FIRST);
	scene->held = true;
	return XC_PASS;
}

static enum xc_verdict make_item(struct xc_scene *scene)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();

	XC_GIVES(cc, put(scene, FIRST, &by), 0);
	scene->held = true;
	return XC_PASS;
}

static int frozen_put(struct xc_scene *scene)
{
	struct timespec by = xp_deadline_after(2 * XP_NS_PER_MS);

	return put(scene, SURVIVOR, &by);
}

static int frozen_get(struct xc_scene *scene)
{
	struct timespec by = xp_deadline_after(2 * XP_NS_PER_MS);
	int64_t item;

	return get(scene, &item, &by);
}

/* The bound is as it was: so many items go in, not one more, and they come out in order. */
static enum xc_verdict as_new(struct xc_scene *scene)
{
	struct xc_case_context *cc = scene->cc;
	int64_t item;

	for (int round = 0; round < 2; round++) {
		struct timespec by = xc_patience();
		for (int64_t n = 0; n < CAPACITY; n++)
			XC_GIVES(cc, put(scene, SURVIVOR + n, &by), 0);
		XC_GIVES(cc, xp_queue_try_put(queue_of(scene), &item, sizeof(item)), -EAGAIN);
		for (int64_t n = 0; n < CAPACITY; n++) {
			XC_GIVES(cc, get(scene, &item, &by), 0);
			XC_GIVES(cc, item, SURVIVOR + n);
		}
		size_t size;
		XC_GIVES(cc, xp_queue_try_get(queue_of(scene), &item, sizeof(item), &size),
			 -EAGAIN);
	}
	return XC_PASS;
}

/* Of the items @wanted, which end with 0, those in the queue must be these and in this order; each with
 * a negative sign may be missing. */
static enum xc_verdict left_are(struct xc_scene *scene, const int64_t *wanted)
{
	struct xc_case_context *cc = scene->cc;
	int64_t items[4 * CAPACITY];
	int count = drain(scene, items, 4 * CAPACITY), at = 0;

	for (; *wanted; wanted++) {
		int64_t item = *wanted < 0 ? -*wanted : *wanted;
		if (at < count && items[at] == item)
			at++;
		else
			XC_REQUIRE(cc, *wanted < 0, "what was committed is not lost",
				   "item %ld is not there: %d items, the first %ld", (long)item,
				   count, count ? (long)items[0] : 0L);
	}
	XC_REQUIRE(cc, at == count, "nothing is got twice, or comes from nowhere",
		   "item %ld is left", (long)items[at]);
	return XC_PASS;
}

static enum xc_verdict check_put(struct xc_scene *scene, bool killed)
{
	const int64_t maybe[] = {-VICTIM, 0}, surely[] = {VICTIM, 0};

	/* While it was stopped a survivor may have put, before it or after it. */
	if (!killed && scene->scenario->frozen)
		XC_TRY(empty(scene));
	else
		XC_TRY(left_are(scene, killed ? maybe : surely));
	return as_new(scene);
}

static enum xc_verdict check_put_blocked(struct xc_scene *scene, bool killed)
{
	const int64_t before[] = {FIRST, SECOND, 0}, after[] = {SECOND, -VICTIM, 0};

	if (!killed)
		XC_TRY(empty(scene));
	else
		XC_TRY(left_are(scene, scene->held ? after : before));
	return as_new(scene);
}

static enum xc_verdict check_get(struct xc_scene *scene, bool killed)
{
	const int64_t left[] = {-FIRST, SECOND, 0};

	if (!killed)
		XC_TRY(empty(scene));
	else
		XC_TRY(left_are(scene, left));
	return as_new(scene);
}

static enum xc_verdict check_get_blocked(struct xc_scene *scene, bool killed)
{
	const int64_t maybe[] = {-FIRST, 0}, none[] = {0};

	if (!killed)
		XC_TRY(empty(scene));
	else
		XC_TRY(left_are(scene, scene->held ? maybe : none));
	return as_new(scene);
}

/* A getter sleeps when the victim puts: it has the victim's item, or it gets the survivor's. */
static enum xc_verdict check_put_to_getter(struct xc_scene *scene, bool killed)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();

	if (!killed) {
		XC_TRY(xc_helper_finish(scene, "a put wakes the getter"));
		XC_GIVES(cc, scene->helper->item, VICTIM);
		return as_new(scene);
	}
	XC_GIVES(cc, put(scene, SURVIVOR, &by), 0);
	XC_TRY(xc_helper_finish(scene, "a getter gets an item that is there"));
	const int64_t after_victim[] = {SURVIVOR, 0}, none[] = {0};
	XC_REQUIRE(cc, scene->helper->item == VICTIM || scene->helper->item == SURVIVOR,
		   "the getter gets an item that was put", "it gets %ld",
		   (long)scene->helper->item);
	XC_TRY(left_are(scene, scene->helper->item == VICTIM ? after_victim : none));
	return as_new(scene);
}

/* A putter sleeps on a full queue when the victim gets: there is room for it, or the survivor makes it. */
static enum xc_verdict check_get_to_putter(struct xc_scene *scene, bool killed)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();
	int64_t item = 0;

	if (killed) {
		XC_GIVES(cc, get(scene, &item, &by), 0);
		XC_REQUIRE(cc, item == FIRST || item == SECOND, "items come out in order",
			   "the first is %ld", (long)item);
	} else {
		item = FIRST;
	}
	XC_TRY(xc_helper_finish(scene, "a putter puts where there is room"));
	const int64_t both[] = {SECOND, SURVIVOR, 0}, last[] = {SURVIVOR, 0};
	XC_TRY(left_are(scene, item == FIRST ? both : last));
	return as_new(scene);
}

static const struct xc_scenario scenarios[] = {
    {"queue", "put", ANY_QUEUE, PARAMS, empty, victim_put, NULL, frozen_put, check_put},
    {"queue", "put_to_getter", ANY_QUEUE, PARAMS, empty_getter, victim_put, NULL, NULL,
     check_put_to_getter},
    {"queue", "put_blocked", ANY_QUEUE, PARAMS, full, victim_put, make_room, frozen_get,
     check_put_blocked},
    {"queue", "get", ANY_QUEUE, PARAMS, full, victim_get, NULL, frozen_get, check_get},
    /* While the victim is stopped the survivor works at the other end only. */
    {"queue", "put_alone", ANY_QUEUE, PARAMS, empty, victim_put, NULL, frozen_get, check_put},
    {"queue", "get_alone", ANY_QUEUE, PARAMS, full, victim_get, NULL, frozen_put, check_get},
    {"queue", "get_to_putter", ANY_QUEUE, PARAMS, full_putter, victim_get, NULL, NULL,
     check_get_to_putter},
    {"queue", "get_blocked", ANY_QUEUE, PARAMS, empty, victim_get, make_item, frozen_put,
     check_get_blocked},
};

static enum xc_verdict run(struct xc_case_context *cc)
{
	return xc_scenario_find(cc, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}

const struct xc_case xc_cases_step_queue[] = {
    XC_STEP_CASES("queue", "put", ANY_QUEUE, MULTI, run),
    XC_STEP_CASES("queue", "get", ANY_QUEUE, MULTI, run),
    /* In these, one process at a time works at each end: a survivor comes after the victim. */
    XC_STEP_CASES("queue", "put_alone", ANY_QUEUE, 0, run),
    XC_STEP_CASES("queue", "put_to_getter", ANY_QUEUE, 0, run),
    XC_STEP_CASES("queue", "put_blocked", ANY_QUEUE, 0, run),
    XC_STEP_CASES("queue", "get_alone", ANY_QUEUE, 0, run),
    XC_STEP_CASES("queue", "get_to_putter", ANY_QUEUE, 0, run),
    XC_STEP_CASES("queue", "get_blocked", ANY_QUEUE, 0, run),
    {0},
};
