/* SPDX-License-Identifier: MIT */
#include "conformance/cases/cases.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define ANY_QUEUE (XC_KIND(QUEUE) | XC_KIND(JOINABLE))

enum { STARTED = 2 };

static enum xc_verdict make(struct xc_case_context *cc, size_t capacity, size_t item_max,
			    struct xp_object *ret_object)
{
	const unsigned multi = XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER;
	struct xp_params params = {
	    .capacity = capacity, .item_max = item_max, .single = (cc->iut->caps & multi) != multi};

	return xc_make(cc, &params, ret_object);
}

static bool managed(const struct xc_case_context *cc)
{
	return cc->iut->scope == XP_SCOPE_MANAGED;
}

/* ---- streams ---------------------------------------------------------------------------------- */

#define ITEMS_MAX 100000

struct item {
	uint32_t producer, number;
};

struct stream {
	struct xp_queue queue;
	int producers, consumers, items; /* items of each producer */
	_Atomic unsigned char *got;	 /* a byte per item */
};

static int produce(struct xp_member *me, struct stream *s)
{
	for (int i = 0; i < s->items; i++) {
		struct item item = {.producer = (uint32_t)me->index, .number = (uint32_t)i};
		XM_GIVES(me, xp_queue_put(&s->queue, &item, sizeof(item)), 0);
	}
	return 0;
}

/* The last producer's end cannot be seen, so a consumer knows how many items are its share. */
static int consume(struct xp_member *me, struct stream *s)
{
	int share = s->items * s->producers / s->consumers;
	int64_t last[16];

	memset(last, -1, sizeof(last));
	for (int i = 0; i < share; i++) {
		struct item item = {0};
		size_t size = 0;
		XM_GIVES(me, xp_queue_get(&s->queue, &item, sizeof(item), &size), 0);
		XM_REQUIRE(me, size == sizeof(item), "an item of 8 bytes arrives as %zu", size);
		XM_REQUIRE(
		    me, item.producer < (uint32_t)s->producers && item.number < (uint32_t)s->items,
		    "item %u of producer %u was never put", item.number, item.producer);
		XM_REQUIRE(me, item.number > last[item.producer],
			   "item %u of producer %u is got after its item %ld", item.number,
			   item.producer, (long)last[item.producer]);
		last[item.producer] = item.number;
		size_t slot = item.producer * (size_t)s->items + item.number;
		XM_REQUIRE(me, atomic_fetch_add(&s->got[slot], 1) == 0,
			   "item %u of producer %u is got twice", item.number, item.producer);
	}
	return 0;
}

static int stream_body(struct xp_member *me, void *arg)
{
	struct stream *s = arg;

	xp_member_arrive(me);
	return me->index < s->producers ? produce(me, s) : consume(me, s);
}

static enum xc_verdict stream(struct xc_case_context *cc, int producers, int consumers,
			      size_t capacity)
{
	struct xp_object object;

	XC_TRY(make(cc, capacity, sizeof(struct item), &object));
	struct stream s = {.queue = object.as.queue,
			   .producers = producers,
			   .consumers = consumers,
			   .items = (managed(cc) ? 400 : 20000) / producers,
			   .got = cc->shared};
	memset(cc->shared, 0, ITEMS_MAX);
	XC_TRY(xc_start(cc, producers + consumers, stream_body, &s));
	XC_TRY(xc_join(cc));
	for (int i = 0; i < s.items * producers; i++)
		XC_REQUIRE(cc, atomic_load(&s.got[i]) == 1, "every item is got exactly once",
			   "item %d of producer %d is not got", i % s.items, i / s.items);
	XC_GIVES(cc, xp_queue_length(&s.queue), 0);
	return XC_PASS;
}

static enum xc_verdict fifo(struct xc_case_context *cc)
{
	XC_TRY(stream(cc, 1, 1, 64));
	return stream(cc, 1, 1, 1);
}

static enum xc_verdict fifo_producers(struct xc_case_context *cc)
{
	return stream(cc, 4, 1, 16);
}

static enum xc_verdict fan_in(struct xc_case_context *cc)
{
	return stream(cc, 4, 1, 8);
}

static enum xc_verdict fan_out(struct xc_case_context *cc)
{
	return stream(cc, 1, 4, 8);
}

static enum xc_verdict crowd(struct xc_case_context *cc)
{
	XC_TRY(stream(cc, 4, 4, 8));
	return stream(cc, 4, 4, 1);
}

static enum xc_verdict once(struct xc_case_context *cc)
{
	return stream(cc, 1, 1, 8);
}

/* ---- payload ---------------------------------------------------------------------------------- */

struct parcels {
	struct xp_queue queue;
	size_t item_max;
	int items;
};

static size_t parcel_size(const struct parcels *p, int i)
{
	uint64_t state = (uint64_t)i;

	return i % 5 == 0 ? 0 : i % 5 == 1 ? p->item_max : xc_random(&state) % (p->item_max + 1);
}

static int send_parcels(struct xp_member *me, void *arg)
{
	struct parcels *p = arg;
	unsigned char buffer[4096];

	xp_member_arrive(me);
	for (int i = 0; i < p->items; i++) {
		size_t size = parcel_size(p, i), got = 0;
		if (me->index == 0) {
			xc_fill(buffer, size, (uint64_t)i);
			XM_GIVES(me, xp_queue_put(&p->queue, buffer, size), 0);
			continue;
		}
		XM_GIVES(me, xp_queue_get(&p->queue, buffer, sizeof(buffer), &got), 0);
		XM_REQUIRE(me, got == size, "item %d of %zu bytes arrives as %zu", i, size, got);
		XM_REQUIRE(me, xc_filled(buffer, got, (uint64_t)i),
			   "item %d of %zu bytes arrives changed", i, size);
	}
	return 0;
}

static enum xc_verdict payload(struct xc_case_context *cc)
{
	static const size_t maxima[] = {1, 8, 56, 57, 1000, 4096};

	for (size_t i = 0; i < sizeof(maxima) / sizeof(maxima[0]); i++) {
		struct xp_object object;
		XC_TRY(make(cc, 4, maxima[i], &object));
		struct parcels p = {.queue = object.as.queue,
				    .item_max = maxima[i],
				    .items = managed(cc) ? 50 : 1000};
		XC_TRY(xc_start(cc, 2, send_parcels, &p));
		XC_TRY(xc_join(cc));
	}
	return XC_PASS;
}

static enum xc_verdict item_too_large(struct xc_case_context *cc)
{
	struct xp_object object;
	unsigned char item[4096] = {0};

	XC_TRY(make(cc, 4, 100, &object));
	struct xp_queue *queue = &object.as.queue;
	XC_GIVES(cc, xp_queue_put(queue, item, 100), 0);
	XC_GIVES(cc, xp_queue_try_put(queue, item, sizeof(item)), -EMSGSIZE);
	XC_GIVES(cc, xp_queue_put(queue, item, sizeof(item)), -EMSGSIZE);
	XC_GIVES(cc, xp_queue_length(queue), 1);
	XC_GIVES(cc, xp_queue_put(queue, item, 1), 0);
	return XC_PASS;
}

static enum xc_verdict small_buffer(struct xc_case_context *cc)
{
	struct xp_object object;
	unsigned char item[100];

	XC_TRY(make(cc, 4, 100, &object));
	struct xp_queue *queue = &object.as.queue;
	xc_fill(item, 90, 1);
	XC_GIVES(cc, xp_queue_put(queue, item, 90), 0);
	XC_GIVES(cc, xp_queue_put(queue, "next", 4), 0);
	for (size_t room = 0; room < 90; room += 30) {
		size_t size = 0;
		XC_GIVES(cc, xp_queue_try_get(queue, item, room, &size), -EMSGSIZE);
		XC_REQUIRE(cc, size == 90, "-EMSGSIZE comes with the size that is needed",
			   "it says %zu", size);
		size = 0;
		XC_GIVES(cc, xp_queue_get(queue, item, room, &size), -EMSGSIZE);
		XC_GIVES(cc, size, 90);
	}
	size_t size = 0;
	XC_GIVES(cc, xp_queue_get(queue, item, sizeof(item), &size), 0);
	XC_REQUIRE(cc, size == 90 && xc_filled(item, 90, 1), "the item stays",
		   "it arrives with %zu bytes, or changed", size);
	XC_GIVES(cc, xp_queue_get(queue, item, sizeof(item), &size), 0);
	XC_GIVES(cc, size, 4);
	return XC_PASS;
}

/* ---- bounds and waiting ----------------------------------------------------------------------- */

static int put_one(struct xp_member *me, void *arg)
{
	int64_t item = 99;

	xp_member_arrive(me);
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xp_queue_put(arg, &item, sizeof(item)), 0);
	return 0;
}

static enum xc_verdict bound(struct xc_case_context *cc)
{
	static const size_t capacities[] = {1, 3, 8};
	int64_t item, seen;
	size_t size;

	for (size_t n = 0; n < sizeof(capacities) / sizeof(capacities[0]); n++) {
		struct xp_object object;
		XC_TRY(make(cc, capacities[n], sizeof(item), &object));
		struct xp_queue *queue = &object.as.queue;
		for (item = 0; item < (int64_t)capacities[n]; item++)
			XC_GIVES(cc, xp_queue_try_put(queue, &item, sizeof(item)), 0);
		XC_GIVES(cc, xp_queue_try_put(queue, &item, sizeof(item)), -EAGAIN);
		XC_GIVES(cc, xp_queue_length(queue), capacities[n]);
		XC_TRY(xc_start(cc, 1, put_one, queue));
		XC_TRY(xc_blocked(cc, 0, STARTED));
		XC_GIVES(cc, xp_queue_get(queue, &seen, sizeof(seen), &size), 0);
		XC_GIVES(cc, seen, 0);
		XC_TRY(xc_join(cc));
		for (item = 1; item < (int64_t)capacities[n]; item++) {
			XC_GIVES(cc, xp_queue_try_get(queue, &seen, sizeof(seen), &size), 0);
			XC_GIVES(cc, seen, item);
		}
		XC_GIVES(cc, xp_queue_try_get(queue, &seen, sizeof(seen), &size), 0);
		XC_GIVES(cc, seen, 99);
		XC_GIVES(cc, xp_queue_try_get(queue, &seen, sizeof(seen), &size), -EAGAIN);
	}
	return XC_PASS;
}

static enum xc_verdict unbounded(struct xc_case_context *cc)
{
	struct xp_object object;
	const int64_t items = managed(cc) ? 5000 : 50000;
	int64_t seen;
	size_t size;

	XC_TRY(make(cc, 0, sizeof(int64_t), &object));
	struct xp_queue *queue = &object.as.queue;
	for (int64_t item = 0; item < items; item++)
		XC_GIVES(cc, xp_queue_try_put(queue, &item, sizeof(item)), 0);
	XC_GIVES(cc, xp_queue_length(queue), items);
	for (int64_t item = 0; item < items; item++) {
		XC_GIVES(cc, xp_queue_get(queue, &seen, sizeof(seen), &size), 0);
		XC_GIVES(cc, seen, item);
	}
	return XC_PASS;
}

static enum xc_verdict try_get(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t seen = 0;
	size_t size = 0;

	XC_TRY(make(cc, 4, sizeof(seen), &object));
	struct xp_queue *queue = &object.as.queue;
	XC_GIVES(cc, xp_queue_try_get(queue, &seen, sizeof(seen), &size), -EAGAIN);
	XC_TRY(xc_start(cc, 1, put_one, queue));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_queue_try_get(queue, &seen, sizeof(seen), &size), 0);
	XC_GIVES(cc, seen, 99);
	XC_GIVES(cc, xp_queue_try_get(queue, &seen, sizeof(seen), &size), -EAGAIN);
	return XC_PASS;
}

static enum xc_verdict deadline(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t item = 1, seen;
	size_t size;

	XC_TRY(make(cc, 1, sizeof(item), &object));
	struct xp_queue *queue = &object.as.queue;
	for (int round = 0; round < 2; round++) {
		struct timespec by = xc_brief();
		XC_GIVES(cc, xp_queue_get_until(queue, &seen, sizeof(seen), &size, &by),
			 -ETIMEDOUT);
		XC_REQUIRE(cc, xp_deadline_passed(&by), "a get does not end before its deadline",
			   "it did");
		XC_GIVES(cc, xp_queue_put(queue, &item, sizeof(item)), 0);
		by = xc_brief();
		XC_GIVES(cc, xp_queue_put_until(queue, &item, sizeof(item), &by), -ETIMEDOUT);
		XC_REQUIRE(cc, xp_deadline_passed(&by), "a put does not end before its deadline",
			   "it did");
		XC_GIVES(cc, xp_queue_length(queue), 1);
		struct timespec past = xp_deadline_after(0);
		XC_GIVES(cc, xp_queue_get_until(queue, &seen, sizeof(seen), &size, &past), 0);
	}
	return XC_PASS;
}

struct relay {
	struct xp_queue there, back;
	int rounds;
};

/* Ping-pong through queues of one item: each side blocks at every step, in get and in put. */
static int carry(struct xp_member *me, void *arg)
{
	struct relay *relay = arg;
	struct xp_queue *in = me->index ? &relay->there : &relay->back;
	struct xp_queue *out = me->index ? &relay->back : &relay->there;
	int64_t seen;
	size_t size;

	xp_member_arrive(me);
	for (int64_t i = 0; i < relay->rounds; i++) {
		if (me->index == 0)
			XM_GIVES(me, xp_queue_put(out, &i, sizeof(i)), 0);
		XM_GIVES(me, xp_queue_get(in, &seen, sizeof(seen), &size), 0);
		XM_GIVES(me, seen, i);
		if (me->index == 1)
			XM_GIVES(me, xp_queue_put(out, &i, sizeof(i)), 0);
	}
	return 0;
}

static enum xc_verdict hammer(struct xc_case_context *cc)
{
	struct xp_object there, back;
	struct xp_params params = {.capacity = 1,
				   .item_max = sizeof(int64_t),
				   .single = true,
				   .strategy = XP_STRATEGY_PARK};

	XC_TRY(xc_make(cc, &params, &there));
	XC_TRY(xc_make(cc, &params, &back));
	struct relay relay = {
	    .there = there.as.queue, .back = back.as.queue, .rounds = managed(cc) ? 300 : 10000};
	XC_TRY(xc_start(cc, 2, carry, &relay));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

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

static enum xc_verdict wakes_all(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t sum = 0;

	XC_TRY(make(cc, 4, sizeof(int64_t), &object));
	XC_TRY(xc_start(cc, 4, get_one, &object.as.queue));
	for (int i = 0; i < 4; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	for (int64_t item = 1; item <= 4; item++)
		XC_GIVES(cc, xp_queue_put(&object.as.queue, &item, sizeof(item)), 0);
	for (int i = 0; i < 4; i++) {
		XC_TRY(xc_ends(cc, i));
		sum += xc_tally(cc, i, 0);
	}
	XC_GIVES(cc, sum, 1 + 2 + 3 + 4);
	return xc_join(cc);
}

static enum xc_verdict length(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t seen;
	size_t size;

	XC_TRY(make(cc, 8, sizeof(seen), &object));
	struct xp_queue *queue = &object.as.queue;
	for (int round = 0; round < 5; round++) {
		for (int64_t item = 0; item < 5; item++) {
			XC_GIVES(cc, xp_queue_length(queue), item);
			XC_GIVES(cc, xp_queue_put(queue, &item, sizeof(item)), 0);
		}
		for (int64_t left = 5; left > 0; left--) {
			XC_GIVES(cc, xp_queue_length(queue), left);
			XC_GIVES(cc, xp_queue_get(queue, &seen, sizeof(seen), &size), 0);
		}
	}
	return XC_PASS;
}

/* ---- close ------------------------------------------------------------------------------------ */

static int put_refused(struct xp_member *me, void *arg)
{
	int64_t item = 1;

	xp_member_arrive(me);
	XM_GIVES(me, xp_queue_put(arg, &item, sizeof(item)), -EPIPE);
	XM_GIVES(me, xp_queue_try_put(arg, &item, sizeof(item)), -EPIPE);
	return 0;
}

static enum xc_verdict close_put(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, 4, sizeof(int64_t), &object));
	XC_GIVES(cc, xp_queue_close(&object.as.queue), 0);
	XC_GIVES(cc, xp_queue_try_put(&object.as.queue, "12345678", 8), -EPIPE);
	XC_TRY(xc_start(cc, 1, put_refused, &object.as.queue));
	return xc_join(cc);
}

static enum xc_verdict close_drains(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t seen;
	size_t size;

	XC_TRY(make(cc, 4, sizeof(seen), &object));
	struct xp_queue *queue = &object.as.queue;
	for (int64_t item = 0; item < 3; item++)
		XC_GIVES(cc, xp_queue_put(queue, &item, sizeof(item)), 0);
	XC_GIVES(cc, xp_queue_close(queue), 0);
	for (int64_t item = 0; item < 3; item++) {
		XC_GIVES(cc, xp_queue_get(queue, &seen, sizeof(seen), &size), 0);
		XC_GIVES(cc, seen, item);
	}
	XC_GIVES(cc, xp_queue_get(queue, &seen, sizeof(seen), &size), -EPIPE);
	XC_GIVES(cc, xp_queue_try_get(queue, &seen, sizeof(seen), &size), -EPIPE);
	return XC_PASS;
}

static int get_end(struct xp_member *me, void *arg)
{
	int64_t seen;
	size_t size;

	xp_member_arrive(me);
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xp_queue_get(arg, &seen, sizeof(seen), &size), -EPIPE);
	return 0;
}

static int put_end(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xp_queue_put(arg, "12345678", 8), -EPIPE);
	return 0;
}

static enum xc_verdict close_wakes(struct xc_case_context *cc)
{
	const unsigned multi = XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER;
	int waiters = (cc->iut->caps & multi) == multi ? 3 : 1;

	for (int full = 0; full < 2; full++) {
		struct xp_object object;
		XC_TRY(make(cc, 1, sizeof(int64_t), &object));
		struct xp_queue *queue = &object.as.queue;
		if (full)
			XC_GIVES(cc, xp_queue_put(queue, "12345678", 8), 0);
		XC_TRY(xc_start(cc, waiters, full ? put_end : get_end, queue));
		for (int i = 0; i < waiters; i++)
			XC_TRY(xc_blocked(cc, i, STARTED));
		XC_GIVES(cc, xp_queue_close(queue), 0);
		XC_TRY(xc_join(cc));
	}
	return XC_PASS;
}

const struct xc_case xc_cases_queue[] = {
    {.clause = "queue.fifo", .name = "one_to_one", .kinds = ANY_QUEUE, .run = fifo},
    {.clause = "queue.fifo",
     .name = "four_producers",
     .kinds = ANY_QUEUE,
     .caps = XP_CAP_MULTI_PRODUCER,
     .run = fifo_producers},
    {.clause = "queue.exactly_once", .name = "one_to_one", .kinds = ANY_QUEUE, .run = once},
    {.clause = "queue.exactly_once",
     .name = "fan_in",
     .kinds = ANY_QUEUE,
     .caps = XP_CAP_MULTI_PRODUCER,
     .run = fan_in},
    {.clause = "queue.exactly_once",
     .name = "fan_out",
     .kinds = ANY_QUEUE,
     .caps = XP_CAP_MULTI_CONSUMER,
     .run = fan_out},
    {.clause = "queue.exactly_once",
     .name = "crowd",
     .kinds = ANY_QUEUE,
     .caps = XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER,
     .run = crowd},
    {.clause = "queue.payload", .name = "sizes", .kinds = ANY_QUEUE, .run = payload},
    {.clause = "queue.bound", .name = "capacities", .kinds = ANY_QUEUE, .run = bound},
    {.clause = "queue.unbounded",
     .name = "no_consumer",
     .kinds = ANY_QUEUE,
     .caps = XP_CAP_UNBOUNDED,
     .run = unbounded},
    {.clause = "queue.try_get", .name = "two_processes", .kinds = ANY_QUEUE, .run = try_get},
    {.clause = "queue.deadline", .name = "empty_and_full", .kinds = ANY_QUEUE, .run = deadline},
    {.clause = "queue.wakes", .name = "hammer", .kinds = ANY_QUEUE, .run = hammer},
    {.clause = "queue.wakes",
     .name = "all_waiters",
     .kinds = ANY_QUEUE,
     .caps = XP_CAP_MULTI_CONSUMER,
     .run = wakes_all},
    {.clause = "queue.item_too_large",
     .name = "refused",
     .kinds = ANY_QUEUE,
     .run = item_too_large},
    {.clause = "queue.small_buffer", .name = "kept", .kinds = ANY_QUEUE, .run = small_buffer},
    {.clause = "queue.length", .name = "steps", .kinds = ANY_QUEUE, .run = length},
    {.clause = "queue.close_put",
     .name = "everywhere",
     .kinds = ANY_QUEUE,
     .caps = XP_CAP_CLOSE,
     .run = close_put},
    {.clause = "queue.close_drains",
     .name = "three",
     .kinds = ANY_QUEUE,
     .caps = XP_CAP_CLOSE,
     .run = close_drains},
    {.clause = "queue.close_wakes",
     .name = "get_and_put",
     .kinds = ANY_QUEUE,
     .caps = XP_CAP_CLOSE,
     .run = close_wakes},
    {0},
};
