/* SPDX-License-Identifier: MIT */
/* Producers, consumers and waiters of a queue that are killed at any moment. */
#include "conformance/cases/cases.h"

#include <sched.h>
#include <string.h>

#define ANY_QUEUE (XC_KIND(QUEUE) | XC_KIND(JOINABLE))
#define MULTI	  (XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER)
#define IN_MEMORY (XC_SCOPE(SHM) | XC_SCOPE(INHERITED))

enum { STARTED = 2 };

#define LAST	   UINT32_MAX /* number of the item that tells the consumer to end */
#define NUMBER_MAX (XC_SHARED_BYTES / 2)

struct item {
	uint32_t producer, number;
};

struct scene {
	struct xp_queue queue;
	_Atomic bool *stop;
	_Atomic unsigned char *got; /* a byte per number of producer 0 */
};

static int get_one(struct xp_member *me, void *arg)
{
	int64_t seen = 0;
	size_t size;

	xp_member_arrive(me);
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xp_queue_get(arg, &seen, sizeof(seen), &size), 0);
	atomic_store(&me->tally->count[0], seen);
	return 0;
}

static int put_one(struct xp_member *me, void *arg)
{
	int64_t item = 100 + me->index;

	xp_member_arrive(me);
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xp_queue_put(arg, &item, sizeof(item)), 0);
	return 0;
}

static enum xc_verdict getter_died(struct xc_case_context *cc)
{
	struct xp_object object;
	struct xp_params params = {.capacity = 4, .item_max = 8};
	int64_t item = 5;
	size_t size;

	XC_TRY(xc_make(cc, &params, &object));
	struct xp_queue *queue = &object.as.queue;
	XC_TRY(xc_start(cc, 3, get_one, queue));
	for (int i = 0; i < 3; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(xc_kill(cc, 2));
	XC_GIVES(cc, xp_queue_put(queue, &item, sizeof(item)), 0);
	XC_TRY(xc_ends(cc, 1));
	XC_GIVES(cc, xc_tally(cc, 1, 0), 5);
	XC_TRY(xc_join(cc));
	/* And if all that waited are dead, the item stays. */
	XC_TRY(xc_start(cc, 1, get_one, queue));
	XC_TRY(xc_blocked(cc, 0, STARTED));
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_queue_put(queue, &item, sizeof(item)), 0);
	struct timespec by = xc_patience();
	XC_GIVES(cc, xp_queue_get_until(queue, &item, sizeof(item), &size, &by), 0);
	return XC_PASS;
}

static enum xc_verdict putter_died(struct xc_case_context *cc)
{
	struct xp_object object;
	struct xp_params params = {.capacity = 1, .item_max = 8};
	int64_t item = 5;
	size_t size;

	XC_TRY(xc_make(cc, &params, &object));
	struct xp_queue *queue = &object.as.queue;
	XC_GIVES(cc, xp_queue_put(queue, &item, sizeof(item)), 0);
	XC_TRY(xc_start(cc, 3, put_one, queue));
	for (int i = 0; i < 3; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(xc_kill(cc, 1));
	struct timespec by = xc_patience();
	XC_GIVES(cc, xp_queue_get_until(queue, &item, sizeof(item), &size, &by), 0);
	XC_GIVES(cc, item, 5);
	XC_GIVES(cc, xp_queue_get_until(queue, &item, sizeof(item), &size, &by), 0);
	XC_GIVES(cc, item, 102);
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_queue_try_get(queue, &item, sizeof(item), &size), -EAGAIN);
	return XC_PASS;
}

/* ---- random kills ----------------------------------------------------------------------------- */

/* Puts numbers; count[0] is how many puts have returned. */
static int produce(struct xp_member *me, struct scene *scene)
{
	struct item item = {.producer = (uint32_t)me->index};

	for (; item.number < NUMBER_MAX && !atomic_load(scene->stop); item.number++) {
		XM_GIVES(me, xp_queue_put(&scene->queue, &item, sizeof(item)), 0);
		atomic_fetch_add(&me->tally->count[0], 1);
	}
	item.number = LAST;
	XM_GIVES(me, xp_queue_put(&scene->queue, &item, sizeof(item)), 0);
	return 0;
}

/* Gets until the LAST item; count[1 + producer] is the number that is expected next from it. */
static int consume(struct xp_member *me, struct scene *scene)
{
	for (;;) {
		struct item item = {0};
		size_t size;
		XM_GIVES(me, xp_queue_get(&scene->queue, &item, sizeof(item), &size), 0);
		XM_REQUIRE(me, size == sizeof(item) && item.producer < 3, "an item is not as put");
		if (item.number == LAST)
			return 0;
		if (item.producer == 0) {
			XM_REQUIRE(me, item.number < NUMBER_MAX, "an item is not as put");
			XM_REQUIRE(me, atomic_fetch_add(&scene->got[item.number], 1) == 0,
				   "item %u is got twice", item.number);
		}
		atomic_store(&me->tally->count[1 + item.producer], (int64_t)item.number + 1);
		atomic_fetch_add(&me->tally->count[0], 1);
	}
}

/* Member 0 produces and will be killed, member 1 produces, member 2 consumes. */
static int two_producers(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	return me->index < 2 ? produce(me, arg) : consume(me, arg);
}

/* Member 0 produces, members 1 and 2 consume, and member 1 will be killed. */
static int two_consumers(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	return me->index < 1 ? produce(me, arg) : consume(me, arg);
}

static enum xc_verdict goes_on(struct xc_case_context *cc, int index, int round)
{
	int64_t before = xc_tally(cc, index, 0);
	struct timespec by = xc_patience();

	while (xc_tally(cc, index, 0) <= before + 1) {
		struct timespec now = xp_deadline_after(0);
		if (xp_crew_wait(&cc->crew, index, &now) == 0)
			return xc_ends(cc, index);
		XC_REQUIRE(cc, !xp_deadline_passed(&by), "the survivors go on",
			   "member %d does not, in round %d", index, round);
		sched_yield();
	}
	return XC_PASS;
}

static enum xc_verdict begin(struct xc_case_context *cc, xp_member_body *body, struct scene *scene)
{
	struct xp_object object;
	struct xp_params params = {.capacity = 8, .item_max = sizeof(struct item)};

	while (cc->objects_count > 0)
		xp_object_drop(&cc->objects[--cc->objects_count]);
	XC_TRY(xc_make(cc, &params, &object));
	memset(cc->shared, 0, XC_SHARED_BYTES);
	*scene = (struct scene){.queue = object.as.queue,
				.stop = cc->shared,
				.got = (_Atomic unsigned char *)cc->shared + NUMBER_MAX};
	return xc_start(cc, 3, body, scene);
}

static enum xc_verdict producer_died(struct xc_case_context *cc)
{
	uint64_t seed = 13;

	for (int round = 0; round < 60; round++) {
		struct scene scene;
		XC_TRY(begin(cc, two_producers, &scene));
		while (xc_tally(cc, 0, 0) == 0)
			sched_yield();
		xc_pause_us((unsigned)(xc_random(&seed) % 1000));
		XC_TRY(xc_kill(cc, 0));
		int64_t committed = xc_tally(cc, 0, 0);
		XC_TRY(goes_on(cc, 1, round));
		XC_TRY(goes_on(cc, 2, round));
		atomic_store(scene.stop, true);
		XC_TRY(xc_ends(cc, 1));
		XC_TRY(xc_ends(cc, 2));
		int64_t got = 0;
		for (int64_t n = 0; n <= committed; n++)
			got += atomic_load(&scene.got[n]);
		XC_REQUIRE(cc, got >= committed && got <= committed + 1,
			   "what a dead producer had put is got, and at most the item of its last "
			   "put is not",
			   "it had put %ld items, %ld are got", (long)committed, (long)got);
		XC_REQUIRE(cc, xc_tally(cc, 2, 2) == xc_tally(cc, 1, 0),
			   "nothing of the survivor is lost", "%ld of %ld items are got",
			   (long)xc_tally(cc, 2, 2), (long)xc_tally(cc, 1, 0));
		XC_TRY(xc_join(cc));
	}
	return XC_PASS;
}

static enum xc_verdict consumer_died(struct xc_case_context *cc)
{
	uint64_t seed = 17;

	for (int round = 0; round < 60; round++) {
		struct scene scene;
		XC_TRY(begin(cc, two_consumers, &scene));
		while (xc_tally(cc, 1, 0) == 0)
			sched_yield();
		xc_pause_us((unsigned)(xc_random(&seed) % 1000));
		XC_TRY(xc_kill(cc, 1));
		XC_TRY(goes_on(cc, 2, round));
		XC_TRY(goes_on(cc, 0, round));
		atomic_store(scene.stop, true);
		XC_TRY(xc_ends(cc, 0));
		XC_TRY(xc_ends(cc, 2));
		int64_t put = xc_tally(cc, 0, 0), missing = 0;
		for (int64_t n = 0; n < put; n++)
			missing += atomic_load(&scene.got[n]) == 0;
		XC_REQUIRE(cc, missing <= 1, "a dead consumer takes at most one item with it",
			   "%ld of %ld items are missing in round %d", (long)missing, (long)put,
			   round);
		XC_TRY(xc_join(cc));
	}
	return XC_PASS;
}

/* ---- one process at a time at each end -------------------------------------------------------- */

/* Member 0 puts numbers from 0 on; count[0] is how many puts have returned. */
static int produce_alone(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	for (int64_t number = 0;; number++) {
		XM_GIVES(me, xp_queue_put(arg, &number, sizeof(number)), 0);
		atomic_fetch_add(&me->tally->count[0], 1);
	}
}

/* Member 0 gets numbers that rise by one; count[0] is how many gets have returned. */
static int consume_alone(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	for (int64_t number = 0;; number++) {
		int64_t item = -1;
		size_t size;
		XM_GIVES(me, xp_queue_get(arg, &item, sizeof(item), &size), 0);
		XM_REQUIRE(me, item == number, "item %ld comes where %ld is due", (long)item,
			   (long)number);
		atomic_fetch_add(&me->tally->count[0], 1);
	}
}

static enum xc_verdict take_numbers(struct xc_case_context *cc, struct xp_queue *queue,
				    int64_t count, int64_t *next)
{
	for (; count > 0; count--, (*next)++) {
		struct timespec by = xc_patience();
		int64_t item = -1;
		size_t size;
		XC_GIVES(cc, xp_queue_get_until(queue, &item, sizeof(item), &size, &by), 0);
		XC_GIVES(cc, item, *next);
	}
	return XC_PASS;
}

/* Whoever consumes sees all that was put, and goes on with the next producer. */
static enum xc_verdict producer_replaced(struct xc_case_context *cc)
{
	struct xp_params params = {.capacity = 8, .item_max = sizeof(int64_t), .single = true};
	struct xp_object object;
	uint64_t seed = 17;

	XC_TRY(xc_make(cc, &params, &object));
	struct xp_queue *queue = &object.as.queue;
	for (int round = 0; round < 60; round++) {
		int64_t next = 0;
		XC_TRY(xc_start(cc, 1, produce_alone, queue));
		XC_TRY(take_numbers(cc, queue, (int64_t)(xc_random(&seed) % 200), &next));
		XC_TRY(xc_kill(cc, 0));
		int64_t put = xc_tally(cc, 0, 0);
		XC_TRY(take_numbers(cc, queue, xp_queue_length(queue), &next));
		XC_REQUIRE(cc, next == put || next == put + 1,
			   "all that was put is got, and at most one item whose put did not return",
			   "%ld puts returned, %ld items came", (long)put, (long)next);
		XC_TRY(xc_join(cc));
	}
	return XC_PASS;
}

static enum xc_verdict consumer_replaced(struct xc_case_context *cc)
{
	struct xp_params params = {.capacity = 8, .item_max = sizeof(int64_t), .single = true};
	struct xp_object object;
	uint64_t seed = 19;

	XC_TRY(xc_make(cc, &params, &object));
	struct xp_queue *queue = &object.as.queue;
	for (int round = 0; round < 60; round++) {
		int64_t put = 0, next = 0, count = (int64_t)(xc_random(&seed) % 200);
		XC_TRY(xc_start(cc, 1, consume_alone, queue));
		for (; put < count; put++) {
			struct timespec by = xc_patience();
			XC_GIVES(cc, xp_queue_put_until(queue, &put, sizeof(put), &by), 0);
		}
		XC_TRY(xc_kill(cc, 0));
		/* It may have taken one more item than it has reported. */
		int64_t got = xc_tally(cc, 0, 0);
		if (xp_queue_length(queue) == put - got)
			next = got;
		else
			next = got + 1;
		XC_TRY(take_numbers(cc, queue, put - next, &next));
		XC_GIVES(cc, xp_queue_length(queue), 0);
		XC_TRY(xc_join(cc));
	}
	return XC_PASS;
}

const struct xc_case xc_cases_queue_death[] = {
    {.clause = "queue.waiter_died",
     .name = "get",
     .kinds = ANY_QUEUE,
     .caps = XP_CAP_ROBUST | XP_CAP_MULTI_CONSUMER,
     .flags = XC_NEEDS_PROCESSES,
     .run = getter_died},
    {.clause = "queue.waiter_died",
     .name = "put",
     .kinds = ANY_QUEUE,
     .caps = XP_CAP_ROBUST | XP_CAP_MULTI_PRODUCER,
     .flags = XC_NEEDS_PROCESSES,
     .run = putter_died},
    {.clause = "queue.producer_died",
     .name = "random",
     .kinds = ANY_QUEUE,
     .scopes = IN_MEMORY,
     .caps = XP_CAP_ROBUST | XP_CAP_MULTI_PRODUCER,
     .flags = XC_NEEDS_PROCESSES,
     .run = producer_died},
    {.clause = "queue.consumer_died",
     .name = "random",
     .kinds = ANY_QUEUE,
     .scopes = IN_MEMORY,
     .caps = XP_CAP_ROBUST | XP_CAP_MULTI_CONSUMER,
     .flags = XC_NEEDS_PROCESSES,
     .run = consumer_died},
    {.clause = "queue.producer_died",
     .name = "replaced",
     .kinds = ANY_QUEUE,
     .scopes = IN_MEMORY,
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = producer_replaced},
    {.clause = "queue.consumer_died",
     .name = "replaced",
     .kinds = ANY_QUEUE,
     .scopes = IN_MEMORY,
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = consumer_replaced},
    {0},
};
