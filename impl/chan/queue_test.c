/* SPDX-License-Identifier: MIT */
#include "xpshare/chan/joinable.h"
#include "xpshare/chan/queue_mq.h"
#include "xpshare/chan/queue_pipe.h"
#include "xpshare/chan/queue_ring.h"
#include "xpshare/chan/queue_test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const struct xp_impl *const impls[] = {
    &xp_impl_queue_ring_spsc, &xp_impl_queue_ring_mpmc, &xp_impl_joinable_ring,
    &xp_impl_joinable_pipe,   &xp_impl_queue_pipe,	&xp_impl_queue_mq,
};
#define IMPLS	 (sizeof(impls) / sizeof(impls[0]))
#define MULTI	 1 /* the first that takes several producers and consumers */
#define JOINABLE 2 /* the first that is joinable; so is the next */
#define RINGS	 3 /* the first that is not a ring */
#define CLOSABLE 5 /* the first that cannot be closed */

static struct stage *fresh(size_t index, size_t capacity, size_t item_max,
			   enum xp_wait_strategy strategy)
{
	if (impls[index] == &xp_impl_queue_mq && strategy == XP_STRATEGY_SPIN)
		strategy = XP_STRATEGY_PARK;
	const struct xp_params params = {
	    .capacity = capacity, .item_max = item_max, .strategy = strategy};

	return stage_open(impls[index], &params);
}

/* What an unprivileged process may have of a POSIX message queue. */
static size_t capacity_max(size_t index, size_t wanted)
{
	return impls[index] == &xp_impl_queue_mq && wanted > 10 ? 10 : wanted;
}

static size_t item_max_of(size_t index, size_t wanted)
{
	return impls[index] == &xp_impl_queue_mq && wanted > 8192 ? 8192 : wanted;
}

static void paint(unsigned char *bytes, size_t size, size_t number)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(number * 13 + i * 5);
}

static bool is_painted(const unsigned char *bytes, size_t size, size_t number)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != (unsigned char)(number * 13 + i * 5))
			return false;
	}
	return true;
}

EACH(queue, the_bound_is_kept_exactly_and_items_keep_size_bytes_and_order, IMPLS)
{
	const size_t item_maxes[] = {1, 3, 8, 9, 56, 57, 300};
	unsigned char bytes[300];

	for (size_t m = 0; m < sizeof(item_maxes) / sizeof(item_maxes[0]); m++) {
		for (size_t capacity = 1; capacity <= capacity_max(*index, 20); capacity++) {
			size_t max = item_maxes[m];
			struct stage *stage = fresh(*index, capacity, max, XP_STRATEGY_HYBRID);
			struct xp_queue *queue = &stage->object.as.queue;
			size_t put = 0, got = 0, size;
			for (size_t round = 0; round < 40; round++) {
				/* Fill to the brim, then drain by a varying number. */
				int rc;
				for (;;) {
					size = put % (max + 1);
					paint(bytes, size, put);
					rc = xp_queue_try_put(queue, bytes, size);
					if (rc != 0)
						break;
					put++;
				}
				cr_assert_eq(rc, -EAGAIN);
				cr_assert_eq(put - got, capacity);
				cr_assert_eq(xp_queue_length(queue), (int64_t)capacity);
				for (size_t n = round % capacity + 1; n > 0; n--, got++) {
					cr_assert_eq(xp_queue_try_get(queue, bytes, max, &size), 0);
					cr_assert_eq(size, got % (max + 1));
					cr_assert(is_painted(bytes, size, got));
				}
			}
			while (got < put) {
				cr_assert_eq(xp_queue_try_get(queue, bytes, max, &size), 0);
				cr_assert(is_painted(bytes, size, got));
				got++;
			}
			cr_assert_eq(xp_queue_try_get(queue, bytes, max, &size), -EAGAIN);
			cr_assert_eq(xp_queue_length(queue), 0);
			stage_close(stage);
		}
	}
}

EACH(queue, an_item_that_does_not_fit_is_refused_or_stays, IMPLS)
{
	struct stage *stage = fresh(*index, 4, 100, XP_STRATEGY_HYBRID);
	struct xp_queue *queue = &stage->object.as.queue;
	unsigned char bytes[101] = {0};
	size_t size = 0;

	cr_expect_eq(xp_queue_put(queue, bytes, 101), -EMSGSIZE);
	cr_expect_eq(xp_queue_try_put(queue, bytes, 101), -EMSGSIZE);
	cr_assert_eq(xp_queue_put(queue, bytes, 100), 0);
	cr_expect_eq(xp_queue_get(queue, bytes, 99, &size), -EMSGSIZE);
	cr_expect_eq(size, 100u);
	cr_expect_eq(xp_queue_length(queue), 1);
	cr_expect_eq(xp_queue_get(queue, bytes, 100, &size), 0);
	stage_close(stage);
}

EACH(queue, a_closed_queue_is_drained_and_then_ends, CLOSABLE)
{
	struct stage *stage = fresh(*index, 4, 8, XP_STRATEGY_HYBRID);
	struct xp_queue *queue = &stage->object.as.queue;
	uint64_t value = 5;
	size_t size;

	cr_assert_eq(xp_queue_put(queue, &value, 8), 0);
	cr_assert_eq(xp_queue_close(queue), 0);
	cr_expect_eq(xp_queue_put(queue, &value, 8), -EPIPE);
	cr_expect_eq(xp_queue_try_put(queue, &value, 8), -EPIPE);
	cr_expect_eq(xp_queue_get(queue, &value, 8, &size), 0);
	cr_expect_eq(xp_queue_get(queue, &value, 8, &size), -EPIPE);
	cr_expect_eq(xp_queue_try_get(queue, &value, 8, &size), -EPIPE);
	cr_expect_eq(xp_queue_close(queue), 0);
	stage_close(stage);
}

static const enum xp_wait_strategy strategies[] = {XP_STRATEGY_HYBRID, XP_STRATEGY_SPIN,
						   XP_STRATEGY_PARK};

EACH(queue, deadlines_hold, IMPLS)
{
	for (size_t i = 0; i < 3; i++) {
		struct stage *stage = fresh(*index, 1, 8, strategies[i]);
		struct xp_queue *queue = &stage->object.as.queue;
		uint64_t value = 5;
		size_t size = 77;
		struct timespec limit = soon();
		cr_expect_eq(xp_queue_get_until(queue, &value, 8, &size, &limit), -ETIMEDOUT);
		cr_expect(xp_deadline_passed(&limit));
		cr_expect_eq(size, 77u);
		cr_assert_eq(xp_queue_put(queue, &value, 8), 0);
		limit = soon();
		cr_expect_eq(xp_queue_put_until(queue, &value, 8, &limit), -ETIMEDOUT);
		cr_expect(xp_deadline_passed(&limit));
		cr_expect_eq(xp_queue_length(queue), 1);
		stage_close(stage);
	}
}

EACH(queue, close_wakes_both_sides, CLOSABLE)
{
	for (size_t i = 0; i < 3; i++) {
		struct stage *stage = fresh(*index, 1, 8, strategies[i]);
		struct xp_queue *queue = &stage->object.as.queue;
		uint64_t value = 5;
		size_t size;
		pid_t getter = fork();
		if (getter == 0)
			_exit(xp_queue_get(queue, &value, 8, &size) == -EPIPE ? 0 : 1);
		cr_expect_eq(xp_queue_close(queue), 0);
		cr_expect_eq(exit_code(getter), 0);
		stage_close(stage);

		stage = fresh(*index, 1, 8, strategies[i]);
		queue = &stage->object.as.queue;
		cr_assert_eq(xp_queue_put(queue, &value, 8), 0);
		pid_t putter = fork();
		if (putter == 0)
			_exit(xp_queue_put(queue, &value, 8) == -EPIPE ? 0 : 1);
		cr_expect_eq(xp_queue_close(queue), 0);
		cr_expect_eq(exit_code(putter), 0);
		stage_close(stage);
	}
}

/* One producer process, this one consumes. */
static void stream(size_t index, size_t capacity, size_t item_max, size_t count,
		   enum xp_wait_strategy strategy)
{
	struct stage *stage =
	    fresh(index, capacity_max(index, capacity), item_max_of(index, item_max), strategy);
	struct xp_queue *queue = &stage->object.as.queue;
	item_max = item_max_of(index, item_max);
	unsigned char *bytes = malloc(item_max);
	pid_t child = fork();

	if (child == 0) {
		for (size_t i = 0; i < count; i++) {
			size_t size = i % 3 ? item_max : i % (item_max + 1);
			paint(bytes, size, i);
			if (xp_queue_put(queue, bytes, size) != 0)
				_exit(1);
		}
		_exit(0);
	}
	for (size_t i = 0; i < count; i++) {
		struct timespec limit = in_time();
		size_t size = SIZE_MAX;
		cr_assert_eq(xp_queue_get_until(queue, bytes, item_max, &size, &limit), 0);
		cr_assert_eq(size, i % 3 ? item_max : i % (item_max + 1));
		cr_assert(is_painted(bytes, size, i));
	}
	cr_expect_eq(exit_code(child), 0);
	cr_expect_eq(xp_queue_length(queue), 0);
	free(bytes);
	stage_close(stage);
}

EACH(queue, a_stream_arrives_whole_and_in_order, IMPLS)
{
	stream(*index, 1, 8, 2000, XP_STRATEGY_HYBRID);
	stream(*index, 5, 8, 20000, XP_STRATEGY_HYBRID);
	stream(*index, 1000, 8, *index < RINGS ? 200000 : 20000, XP_STRATEGY_HYBRID);
	stream(*index, 64, 56, *index < RINGS ? 100000 : 10000, XP_STRATEGY_HYBRID);
	stream(*index, 3, 56, 5000, XP_STRATEGY_PARK);
	stream(*index, 7, 8, 5000, XP_STRATEGY_PARK);
	stream(*index, 8, 65536, 300, XP_STRATEGY_HYBRID);
	stream(*index, 16, 777, 3000, XP_STRATEGY_SPIN);
}

/* Producer p puts p << 32 | 0, 1, 2 ...; each consumer checks that it sees each producer's in order. */
#define PRODUCERS 3
#define CONSUMERS 3
#define EACH_PUTS 20000u

struct board {
	_Atomic unsigned char seen[PRODUCERS][EACH_PUTS];
};

static int produce(struct xp_queue *queue, uint64_t producer)
{
	for (uint64_t i = 0; i < EACH_PUTS; i++) {
		uint64_t value = producer << 32 | i;
		if (xp_queue_put(queue, &value, sizeof(value)) != 0)
			return 1;
	}
	return 0;
}

static int consume(struct xp_queue *queue, struct board *board)
{
	uint64_t next[PRODUCERS] = {0};
	uint64_t value;
	size_t size;
	int rc;

	while ((rc = xp_queue_get(queue, &value, sizeof(value), &size)) == 0) {
		uint64_t producer = value >> 32;
		uint64_t number = (uint32_t)value;
		if (size != 8 || producer >= PRODUCERS || number >= EACH_PUTS ||
		    number < next[producer])
			return 2;
		next[producer] = number + 1;
		atomic_fetch_add(&board->seen[producer][number], 1);
		if (queue->ops->task_done && xp_queue_task_done(queue) != 0)
			return 3;
	}
	return rc == -EPIPE ? 0 : 4;
}

static void crowd(size_t index, size_t capacity, size_t item_max, enum xp_wait_strategy strategy)
{
	const struct xp_segment_params room = {.size = sizeof(struct board)};
	struct stage *stage = fresh(index, capacity, item_max, strategy);
	struct xp_queue *queue = &stage->object.as.queue;
	struct xp_segment shared;
	pid_t producers[PRODUCERS], consumers[CONSUMERS];

	cr_assert_eq(xp_segment_create(&room, &shared), 0);
	struct board *board = (struct board *)(void *)(shared.base + XP_ISOLATION);
	for (uint64_t i = 0; i < PRODUCERS; i++) {
		if ((producers[i] = fork()) == 0)
			_exit(produce(queue, i));
	}
	for (size_t i = 0; i < CONSUMERS; i++) {
		if ((consumers[i] = fork()) == 0)
			_exit(consume(queue, board));
	}
	for (size_t i = 0; i < PRODUCERS; i++)
		cr_expect_eq(exit_code(producers[i]), 0);
	if (queue->ops->join_until) {
		struct timespec limit = in_time();
		cr_expect_eq(xp_queue_join_until(queue, &limit), 0);
		cr_expect_eq(xp_queue_task_done(queue), -EOVERFLOW);
	}
	cr_expect_eq(xp_queue_close(queue), 0);
	for (size_t i = 0; i < CONSUMERS; i++)
		cr_expect_eq(exit_code(consumers[i]), 0);
	for (size_t p = 0; p < PRODUCERS; p++) {
		for (size_t i = 0; i < EACH_PUTS; i++)
			cr_assert_eq(board->seen[p][i], 1);
	}
	xp_segment_close(&shared);
	stage_close(stage);
}

EACH(queue, several_producers_and_consumers_lose_and_double_nothing, CLOSABLE - MULTI)
{
	crowd(*index + MULTI, 100, 8, XP_STRATEGY_HYBRID);
	crowd(*index + MULTI, 3, 56, XP_STRATEGY_PARK);
}

Test(ring, batches_are_the_same_items)
{
	const size_t item_maxes[] = {8, 24};

	for (size_t m = 0; m < 2; m++) {
		struct stage *stage = fresh(0, 37, item_maxes[m], XP_STRATEGY_HYBRID);
		struct xp_queue_ring *queue = xp_queue_ring_of(&stage->object.as.queue);
		const uint64_t count = 100000;
		uint64_t values[32];
		pid_t child = fork();
		if (child == 0) {
			for (uint64_t i = 0; i < count;) {
				size_t want = i % 32 + 1;
				for (uint64_t k = 0; k < want; k++)
					values[k] = i + k;
				int64_t n = xp_queue_ring_put_batch(queue, values, 8, want, NULL);
				if (n < 1)
					_exit(1);
				i += (uint64_t)n;
			}
			_exit(0);
		}
		struct timespec limit = in_time();
		for (uint64_t i = 0, over = 0; i < count + over;) {
			size_t want = i % 29 + 1;
			int64_t n = xp_queue_ring_get_batch(queue, values, 8, want, &limit);
			cr_assert_geq(n, 1);
			for (int64_t k = 0; k < n; k++)
				cr_assert_eq(values[k], i + (uint64_t)k);
			i += (uint64_t)n;
			/* The last batch may have gone beyond count. */
			if (i >= count && xp_queue_length(&stage->object.as.queue) == 0)
				break;
			over = i >= count ? 32 : 0;
		}
		cr_expect_eq(exit_code(child), 0);
		stage_close(stage);
	}
}

Test(ring, a_batch_ends_before_an_item_of_another_size)
{
	for (size_t m = 0; m < 2; m++) {
		struct stage *stage = fresh(0, 20, m ? 24 : 8, XP_STRATEGY_HYBRID);
		struct xp_queue_ring *queue = xp_queue_ring_of(&stage->object.as.queue);
		unsigned char bytes[8 * 20] = {0};
		cr_assert_eq(xp_queue_ring_put_batch(queue, bytes, 5, 3, NULL), 3);
		cr_assert_eq(xp_queue_ring_put_batch(queue, bytes, 8, 20, NULL), 17);
		cr_expect_eq(xp_queue_ring_get_batch(queue, bytes, 8, 20, NULL), -EMSGSIZE);
		cr_expect_eq(xp_queue_ring_get_batch(queue, bytes, 5, 20, NULL), 3);
		cr_expect_eq(xp_queue_ring_get_batch(queue, bytes, 8, 20, NULL), 17);
		cr_expect_eq(xp_queue_ring_put_batch(queue, bytes, 30, 1, NULL), -EMSGSIZE);
		stage_close(stage);
	}
}

EACH(ring, items_are_made_and_read_in_place, RINGS)
{
	struct stage *stage = fresh(*index, 4, 1000, XP_STRATEGY_HYBRID);
	struct xp_queue_ring *queue = xp_queue_ring_of(&stage->object.as.queue);
	struct timespec limit = soon();
	const void *item;
	void *place;
	size_t size;

	cr_expect_eq(xp_queue_ring_peek(queue, &item, &size, &limit), -ETIMEDOUT);
	cr_assert_eq(xp_queue_ring_claim(queue, &place, NULL), 0);
	paint(place, 1000, 7);
	cr_expect_eq(xp_queue_ring_commit(queue, 1001), -EMSGSIZE);
	cr_assert_eq(xp_queue_ring_commit(queue, 1000), 0);
	cr_assert_eq(xp_queue_ring_claim(queue, &place, NULL), 0);
	xp_queue_ring_abandon(queue);
	cr_expect_eq(xp_queue_length(&stage->object.as.queue), 1);
	cr_assert_eq(xp_queue_ring_peek(queue, &item, &size, NULL), 0);
	xp_queue_ring_leave(queue);
	cr_assert_eq(xp_queue_ring_peek(queue, &item, &size, NULL), 0);
	cr_expect(size == 1000 && is_painted(item, size, 7));
	xp_queue_ring_consume(queue);
	cr_expect_eq(xp_queue_length(&stage->object.as.queue), 0);
	stage_close(stage);
}

EACH(ring, a_death_between_claim_and_commit_loses_that_item_only, RINGS)
{
	struct stage *stage = fresh(*index, 4, 64, XP_STRATEGY_HYBRID);
	struct xp_queue_ring *queue = xp_queue_ring_of(&stage->object.as.queue);
	pid_t child = fork();
	uint64_t value = 2;
	size_t size;

	if (child == 0) {
		uint64_t mine = 1;
		const void *item;
		void *place;
		if (xp_queue_put(&stage->object.as.queue, &mine, 8) == 0 &&
		    xp_queue_ring_peek(queue, &item, &size, NULL) == 0 &&
		    xp_queue_ring_claim(queue, &place, NULL) == 0)
			memset(place, 0xff, 64);
		kill(getpid(), SIGKILL);
	}
	cr_expect_eq(exit_code(child), 128 + SIGKILL);
	struct timespec limit = in_time();
	cr_assert_eq(xp_queue_put_until(&stage->object.as.queue, &value, 8, &limit), 0);
	for (uint64_t expected = 1; expected <= 2; expected++) {
		cr_assert_eq(xp_queue_get_until(&stage->object.as.queue, &value, 8, &size, &limit),
			     0);
		cr_expect_eq(value, expected);
	}
	cr_expect_eq(xp_queue_length(&stage->object.as.queue), 0);
	stage_close(stage);
}

Test(ring, a_stranger_attaches_and_garbage_is_refused)
{
	struct stage *stage = fresh(1, 4, 64, XP_STRATEGY_HYBRID);
	struct xp_queue_ring *queue = xp_queue_ring_of(&stage->object.as.queue);
	struct xp_ring_shared *ring = queue->ring.shared;
	struct xp_queue_ring other;
	uint64_t value = 9;
	size_t size, bytes;

	cr_assert_eq(xp_queue_ring_size(4, 64, &bytes), 0);
	cr_assert_eq(xp_queue_ring_attach(queue->shared, bytes, XP_STRATEGY_HYBRID, &other), 0);
	cr_expect(other.multi);
	struct xp_queue face = {stage->object.as.queue.ops, &other};
	cr_assert_eq(xp_queue_put(&face, &value, 8), 0);
	cr_assert_eq(xp_queue_get(&stage->object.as.queue, &value, 8, &size), 0);

	cr_expect_eq(xp_queue_ring_attach(queue->shared, bytes - 1, XP_STRATEGY_HYBRID, &other),
		     -EPROTO);
	cr_expect_eq(xp_queue_ring_attach(queue->shared, 10, XP_STRATEGY_HYBRID, &other), -EPROTO);
	ring->geometry.capacity = UINT64_MAX;
	cr_expect_eq(xp_queue_ring_attach(queue->shared, bytes, XP_STRATEGY_HYBRID, &other),
		     -EPROTO);
	ring->version = 99;
	cr_expect_eq(xp_queue_ring_attach(queue->shared, bytes, XP_STRATEGY_HYBRID, &other),
		     -EPROTO);
	ring->magic = 0;
	cr_expect_eq(xp_queue_ring_attach(queue->shared, bytes, XP_STRATEGY_HYBRID, &other),
		     -EAGAIN);
	cr_expect_eq(xp_queue_ring_size(0, 8, &bytes), -EINVAL);
	cr_expect_eq(xp_queue_ring_size(1, 0, &bytes), -EINVAL);
	cr_expect_eq(xp_queue_ring_size(UINT64_MAX, 8, &bytes), -EINVAL);
	stage_close(stage);
}

Test(queue_mq, beyond_the_system_s_limits_is_not_supported)
{
	const struct xp_params params = {.capacity = 1 << 20, .item_max = 1 << 20};
	struct xp_object object;

	cr_expect_eq(xp_impl_queue_mq.make(&xp_impl_queue_mq, NULL, &params, &object), -ENOTSUP);
}

Test(queue_mq, an_item_that_was_kept_is_not_inherited)
{
	struct stage *stage = fresh(IMPLS - 1, 4, 100, XP_STRATEGY_PARK);
	struct xp_queue *queue = &stage->object.as.queue;
	unsigned char bytes[100] = {0};
	size_t size;

	cr_assert_eq(xp_queue_put(queue, bytes, 100), 0);
	cr_assert_eq(xp_queue_get(queue, bytes, 99, &size), -EMSGSIZE);
	pid_t child = fork();
	if (child == 0)
		_exit(xp_queue_try_get(queue, bytes, 100, &size) == -EAGAIN ? 0 : 1);
	cr_expect_eq(exit_code(child), 0);
	cr_expect_eq(xp_queue_try_get(queue, bytes, 100, &size), 0);
	stage_close(stage);
}

EACH(joinable, join_waits_for_what_was_put_and_not_done, 2)
{
	struct stage *stage = fresh(*index + JOINABLE, 8, 8, XP_STRATEGY_HYBRID);
	struct xp_queue *queue = &stage->object.as.queue;
	struct timespec limit = soon();
	uint64_t value = 1;
	size_t size;

	cr_expect_eq(xp_queue_join_until(queue, NULL), 0);
	cr_expect_eq(xp_queue_task_done(queue), -EOVERFLOW);
	cr_assert_eq(xp_queue_put(queue, &value, 8), 0);
	cr_assert_eq(xp_queue_put(queue, &value, 8), 0);
	cr_expect_eq(xp_queue_join_until(queue, &limit), -ETIMEDOUT);
	cr_assert_eq(xp_queue_get(queue, &value, 8, &size), 0);
	cr_assert_eq(xp_queue_get(queue, &value, 8, &size), 0);
	cr_assert_eq(xp_queue_task_done(queue), 0);
	limit = soon();
	cr_expect_eq(xp_queue_join_until(queue, &limit), -ETIMEDOUT);
	pid_t child = fork();
	if (child == 0)
		_exit(xp_queue_join_until(queue, NULL) == 0 ? 0 : 1);
	cr_assert_eq(xp_queue_task_done(queue), 0);
	cr_expect_eq(exit_code(child), 0);
	cr_expect_eq(xp_queue_task_done(queue), -EOVERFLOW);
	stage_close(stage);
}
