/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: garbage in shared memory. A peer writes whatever it likes over an object, while this process,
 * the survivor, uses it: each call must end with a result or an error, and touch nothing but the object.
 *
 * Input   byte 0: the implementation (those of the catalogue with XP_CAP_UNTRUSTING), or the opening of a
 *         segment; byte 1: parameters, and whether a second thread scribbles all the while; then commands:
 *         0x80 | n: n % 8 + 1 bytes of garbage: an offset of two bytes, and the bytes;
 *         else an operation, and its argument.
 * Bounds  The object lies between two fences, which stay as they are; under the address sanitizer they may
 *         not be read either.
 * Time    Every call that takes a deadline gets one that is near or past. What waits without one is called
 *         only where a lock says that nobody else is there: a peer that writes its own living thread into a
 *         lock has it, as if it had acquired it.
 */
#include "conformance/segment_fuzz.h"

#include "xpshare/base/clock.h"
#include "xpshare/catalog/catalog.h"
#include "xpshare/chan/queue_ring.h"
#include "xpshare/shm/arena.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(WITH_ASAN)
#include <sanitizer/asan_interface.h>
#define FORBID(at, size) __asan_poison_memory_region(at, size)
#define ALLOW(at, size)	 __asan_unpoison_memory_region(at, size)
#else
#define FORBID(at, size) (void)(at), (void)(size)
#define ALLOW(at, size)	 (void)(at), (void)(size)
#endif

#define ARENA_BYTES (1u << 18)
#define FENCE_BYTES 4096u
#define FENCE_BYTE  0xa5
#define SEGMENT	    4096u /* of the segment that is opened */

/* Of the items that are put: the largest, and what a getter has room for behind its buffer. */
#define ITEM_MAX 48u
#define CAPACITY 5u

struct fuzz_counts fuzz_counts;

struct input {
	const uint8_t *data;
	size_t size, at;
};

/**
 * struct survivor - This process, and what it uses.
 * @base, @extent: What the peer may write over.
 * @storm: A second thread is writing.
 */
struct survivor {
	struct xp_object object;
	const struct xp_impl *impl;
	unsigned char *base;
	size_t extent;
	bool storm;
};

static uint8_t next(struct input *input)
{
	return input->at < input->size ? input->data[input->at++] : 0;
}

/* Whatever is in the memory, an answer is 0 or more, or an error that has a name. */
static int64_t answer(int64_t rc)
{
	fuzz_counts.operations++;
	fuzz_counts.refused += rc < 0;
	xp_assert(rc > -4096 && rc != -EFAULT && rc != -EBADF);
	return rc;
}

/* ---- the operations of each kind -------------------------------------------------------------- */

static struct timespec soon(uint8_t how)
{
	return xp_deadline_after(how & 1 ? 50 * 1000 : 0);
}

static bool hold(const struct xp_lock *lock, uint8_t how)
{
	struct timespec by = soon(how);
	int64_t rc = answer(xp_lock_acquire_until(lock, &by));

	return rc == 0 || rc == -EOWNERDEAD;
}

static void use_lock(struct survivor *self, uint8_t operation, uint8_t argument)
{
	const struct xp_lock *lock = &self->object.as.lock;
	struct timespec by = soon(argument);

	switch (operation % 4) {
	case 0:
		answer(xp_lock_acquire_until(lock, &by));
		break;
	case 1:
		answer(xp_lock_try_acquire(lock));
		break;
	default:
		answer(xp_lock_release(lock));
	}
}

static void use_semaphore(struct survivor *self, uint8_t operation, uint8_t argument)
{
	const struct xp_semaphore *semaphore = &self->object.as.semaphore;
	struct timespec by = soon(argument);

	switch (operation % 4) {
	case 0:
		answer(xp_semaphore_wait_until(semaphore, &by));
		break;
	case 1:
		answer(xp_semaphore_try_wait(semaphore));
		break;
	case 2:
		answer(xp_semaphore_value(semaphore));
		break;
	default:
		answer(xp_semaphore_post(semaphore));
	}
}

static void use_condition(struct survivor *self, uint8_t operation, uint8_t argument)
{
	const struct xp_condition *condition = &self->object.as.condition;
	struct timespec by = soon(argument);

	switch (operation % 4) {
	case 0:
		/* It takes the lock again however long that lasts: only while nobody else writes it. */
		if (!self->storm && hold(&condition->lock, 1))
			answer(xp_condition_wait_until(condition, &by));
		break;
	case 1:
		answer(xp_lock_release(&condition->lock));
		break;
	case 2:
		(void)hold(&condition->lock, argument);
		break;
	default:
		answer(argument & 2 ? xp_condition_broadcast(condition)
				    : xp_condition_signal(condition, argument));
	}
}

static void use_event(struct survivor *self, uint8_t operation, uint8_t argument)
{
	const struct xp_event *event = &self->object.as.event;
	struct timespec by = soon(argument);

	switch (operation % 4) {
	case 0:
		answer(xp_event_set(event));
		break;
	case 1:
		answer(xp_event_clear(event));
		break;
	case 2:
		answer(xp_event_is_set(event));
		break;
	default:
		answer(xp_event_wait_until(event, &by));
	}
}

static void use_barrier(struct survivor *self, uint8_t operation, uint8_t argument)
{
	const struct xp_barrier *barrier = &self->object.as.barrier;
	struct timespec by = soon(argument);

	switch (operation % 4) {
	case 0:
		answer(xp_barrier_abort(barrier));
		break;
	case 1:
		answer(xp_barrier_reset(barrier));
		break;
	case 2:
		answer(xp_barrier_waiting(barrier));
		answer(xp_barrier_broken(barrier));
		break;
	default:
		answer(xp_barrier_wait_until(barrier, &by));
	}
}

/* What is got must lie within the buffer, and say so. */
static void check_got(int64_t rc, const unsigned char *buffer, size_t room, size_t size)
{
	if (rc == 0)
		xp_assert(size <= room);
	for (size_t i = room; i < 2 * ITEM_MAX; i++)
		xp_assert(buffer[i] == FENCE_BYTE);
}

static void use_batches(struct xp_queue_ring *ring, uint8_t operation, uint8_t argument)
{
	unsigned char items[CAPACITY * ITEM_MAX];
	size_t size = argument % (ITEM_MAX + 1), count = argument % CAPACITY + 1;
	struct timespec by = soon(argument);
	const void *item;
	void *place;

	memset(items, argument, sizeof(items));
	switch (operation % 4) {
	case 0:
		answer(xp_queue_ring_put_batch(ring, items, size, count, &by));
		break;
	case 1:
		answer(xp_queue_ring_get_batch(ring, items, size, count, &by));
		break;
	case 2:
		if (answer(xp_queue_ring_claim(ring, &place, &by)) == 0) {
			memset(place, argument,
			       size < ring->ring.item_max ? size : ring->ring.item_max);
			answer(xp_queue_ring_commit(ring, size));
			xp_queue_ring_abandon(ring);
		}
		break;
	default:
		if (answer(xp_queue_ring_peek(ring, &item, &size, &by)) == 0) {
			memcpy(items, item, size);
			if (argument & 1)
				xp_queue_ring_consume(ring);
			else
				xp_queue_ring_leave(ring);
		}
	}
}

static void use_queue(struct survivor *self, uint8_t operation, uint8_t argument)
{
	const struct xp_queue *queue = &self->object.as.queue;
	struct xp_queue_ring *ring = xp_queue_ring_of(queue);
	unsigned char buffer[2 * ITEM_MAX];
	size_t room = argument % (ITEM_MAX + 1), size = 0;
	struct timespec by = soon(operation >> 4);
	int64_t rc;

	memset(buffer, FENCE_BYTE, sizeof(buffer));
	switch (operation % 8) {
	case 0:
		answer(xp_queue_put_until(queue, buffer, room, &by));
		break;
	case 1:
		answer(xp_queue_try_put(queue, buffer, room));
		break;
	case 2:
		rc = answer(xp_queue_get_until(queue, buffer, room, &size, &by));
		check_got(rc, buffer, room, size);
		break;
	case 3:
		rc = answer(xp_queue_try_get(queue, buffer, room, &size));
		check_got(rc, buffer, room, size);
		break;
	case 4:
		answer(xp_queue_length(queue));
		break;
	case 5:
		if (argument % 8 == 0)
			answer(xp_queue_close(queue));
		break;
	case 6:
		if (queue->ops->join_until) {
			answer(xp_queue_task_done(queue));
			answer(xp_queue_join_until(queue, &by));
		}
		break;
	default:
		if (ring)
			use_batches(ring, operation >> 3, argument);
	}
}

static void use_pipe(struct survivor *self, uint8_t operation, uint8_t argument)
{
	const struct xp_pipe *pipe = &self->object.as.pipe;
	unsigned char buffer[2 * ITEM_MAX];
	size_t room = argument % (ITEM_MAX + 1), size = 0;
	struct timespec by = soon(operation >> 4);
	int end = operation >> 3 & 1;
	int64_t rc;

	memset(buffer, FENCE_BYTE, sizeof(buffer));
	switch (operation % 3) {
	case 0:
		answer(xp_pipe_send_until(pipe, end, buffer, room, &by));
		break;
	case 1:
		rc = answer(xp_pipe_recv_until(pipe, end, buffer, room, &size, &by));
		check_got(rc, buffer, room, size);
		break;
	default:
		answer(xp_pipe_poll_until(pipe, end, &by));
	}
}

static void use_value(struct survivor *self, uint8_t operation, uint8_t argument)
{
	const struct xp_value *value = &self->object.as.value;
	bool locked = self->impl->caps & XP_CAP_LOCKED;
	unsigned char one[8], two[8];

	memset(one, argument, sizeof(one));
	memset(two, argument, sizeof(two));
	if (locked && (self->storm || !hold(&value->lock, 1)))
		return;
	switch (operation % 5) {
	case 0:
		answer(xp_value_load(value, one));
		break;
	case 1:
		answer(xp_value_store(value, one));
		break;
	case 2:
		answer(xp_value_exchange(value, one, two));
		break;
	case 3:
		answer(xp_value_fetch_add(value, one, two));
		break;
	default:
		answer(xp_value_compare_exchange(value, one, two));
	}
	if (locked)
		answer(xp_lock_release(&value->lock));
}

static void use_array(struct survivor *self, uint8_t operation, uint8_t argument)
{
	const struct xp_array *array = &self->object.as.array;
	bool locked = self->impl->caps & XP_CAP_LOCKED;
	unsigned char items[CAPACITY * 8];

	memset(items, argument, sizeof(items));
	if (locked && (self->storm || !hold(&array->lock, 1)))
		return;
	switch (operation % 4) {
	case 0:
		answer(xp_array_get(array, argument % 8, items));
		break;
	case 1:
		answer(xp_array_set(array, argument % 8, items));
		break;
	case 2:
		answer(xp_array_copy_out(array, argument % 8, operation / 4 % 6, items));
		break;
	default:
		answer(xp_array_copy_in(array, argument % 8, operation / 4 % 6, items));
	}
	if (locked)
		answer(xp_lock_release(&array->lock));
}

static void (*const users[XP_KIND_COUNT])(struct survivor *, uint8_t, uint8_t) = {
    [XP_KIND_VALUE] = use_value,       [XP_KIND_ARRAY] = use_array,
    [XP_KIND_PIPE] = use_pipe,	       [XP_KIND_QUEUE] = use_queue,
    [XP_KIND_JOINABLE] = use_queue,    [XP_KIND_LOCK] = use_lock,
    [XP_KIND_RLOCK] = use_lock,	       [XP_KIND_SEMAPHORE] = use_semaphore,
    [XP_KIND_BOUNDED] = use_semaphore, [XP_KIND_CONDITION] = use_condition,
    [XP_KIND_EVENT] = use_event,       [XP_KIND_BARRIER] = use_barrier,
};

/* ---- the peer --------------------------------------------------------------------------------- */

static void scribble(unsigned char *base, size_t extent, struct input *input, unsigned count)
{
	size_t offset = next(input);

	offset = (offset << 8 | next(input)) % extent;
	fuzz_counts.writes++;
	for (unsigned i = 0; i < count && offset + i < extent; i++)
		*(volatile unsigned char *)(base + offset + i) = next(input);
}

struct storm {
	const struct survivor *survivor;
	uint64_t state;
	_Atomic bool over;
};

/* Words that name no living thread: who writes one of those into a lock has acquired it. */
#define NO_THREAD 0x20000000u

/* A peer is another process, which no sanitizer of races knows. */
static void *rage(void *arg)
{
	struct storm *storm = arg;
	const struct survivor *survivor = storm->survivor;

	while (!atomic_load_explicit(&storm->over, memory_order_relaxed)) {
		uint64_t x = storm->state += UINT64_C(0x9e3779b97f4a7c15);
		x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		x ^= x >> 31;
		size_t words = survivor->extent / 4;
		/* Half of them where the small objects are. */
		size_t at = (x & 1 ? x >> 40 & 63 : x >> 40) % words;
		((volatile uint32_t *)(void *)survivor->base)[at] = (uint32_t)x | NO_THREAD;
	}
	return NULL;
}

/* ---- one object ------------------------------------------------------------------------------- */

static void run_commands(struct survivor *self, struct input *input)
{
	while (input->at < input->size) {
		uint8_t command = next(input);
		if (command & 0x80)
			scribble(self->base, self->extent, input, command % 8 + 1);
		else
			users[self->impl->kind](self, command, next(input));
	}
}

static unsigned char *make_fence(struct xp_place *place)
{
	void *fence;
	int rc = xp_arena_alloc(place->arena, FENCE_BYTES, XP_ISOLATION, &fence);

	xp_assert(rc == 0);
	memset(fence, FENCE_BYTE, FENCE_BYTES);
	FORBID(fence, FENCE_BYTES);
	return fence;
}

static void check_fence(unsigned char *fence)
{
	ALLOW(fence, FENCE_BYTES);
	for (size_t i = 0; i < FENCE_BYTES; i++)
		xp_assert(fence[i] == FENCE_BYTE);
}

static void use_object(const struct xp_impl *impl, struct input *input)
{
	static const size_t item_max[] = {8, 3, ITEM_MAX, 1};
	uint8_t how = next(input);
	struct survivor self = {.impl = impl, .storm = (how & 0x80) != 0};
	struct xp_place place;
	const struct xp_params params = {
	    .type = how & 1 ? XP_TYPE_LLONG : XP_TYPE_UCHAR,
	    .length = CAPACITY,
	    .capacity = CAPACITY,
	    .item_max = item_max[how >> 1 & 3],
	    .count = impl->kind == XP_KIND_BARRIER ? 1 + (how & 3) : how & 3,
	    .fair = how & 8 && impl->caps & XP_CAP_FAIR,
	    .strategy = how & 0x10 ? XP_STRATEGY_PARK : XP_STRATEGY_HYBRID,
	};

	if (xp_place_open(&place, &(struct xp_place_plan){.arena_bytes = ARENA_BYTES}) < 0)
		return;
	unsigned char *below = make_fence(&place);
	int rc = xp_object_make(impl, &place, &params, &self.object);
	unsigned char *above = make_fence(&place);
	self.base = below + FENCE_BYTES;
	self.extent = (size_t)(above - self.base);
	if (rc == 0 && self.extent > 0) {
		struct storm storm = {.survivor = &self, .state = input->size};
		pthread_t peer;

		self.storm = self.storm && pthread_create(&peer, NULL, rage, &storm) == 0;
		run_commands(&self, input);
		atomic_store_explicit(&storm.over, true, memory_order_relaxed);
		if (self.storm)
			pthread_join(peer, NULL);
	}
	check_fence(below);
	check_fence(above);
	if (rc == 0)
		xp_object_drop(&self.object);
	xp_place_close(&place);
}

/* ---- opening ---------------------------------------------------------------------------------- */

/* An unrelated process opens what a peer has made, and believes nothing of it. */
static void open_segment(struct input *input)
{
	struct xp_segment_params params = {.size = SEGMENT, .backing = XP_BACKING_MEMFD};
	struct xp_segment made, opened;
	struct xp_queue_ring queue;
	uint64_t root;
	size_t needed;
	void *at;

	if (xp_segment_create(&params, &made) < 0)
		return;
	size_t header = sizeof(struct xp_segment_header);
	if (xp_queue_ring_size(CAPACITY, ITEM_MAX, &needed) == 0 && needed <= made.size - header &&
	    xp_queue_ring_create(made.base + header, CAPACITY, ITEM_MAX, true, XP_STRATEGY_PARK,
				 &queue) == 0)
		xp_segment_set_root(&made, header);
	xp_segment_publish(&made);
	while (input->at < input->size) {
		scribble(made.base, made.size, input, next(input) % 8 + 1);
		int fd = fcntl(made.fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			break;
		if (answer(xp_segment_open_fd(fd, geteuid(), &opened)) < 0) {
			close(fd);
			continue;
		}
		fuzz_counts.opened++;
		xp_assert(opened.size == made.size);
		size_t room = 0;
		if (answer(xp_segment_root(&opened, &root)) == 0 &&
		    answer(xp_segment_at(&opened, root, sizeof(struct xp_queue_ring_shared),
					 XP_ISOLATION, &at)) == 0)
			room = opened.size - root;
		if (room > 0 &&
		    answer(xp_queue_ring_attach(at, room, XP_STRATEGY_PARK, &queue)) == 0) {
			struct xp_queue_ring *ring = &queue;
			for (uint8_t i = 0; i < 8; i++)
				use_batches(ring, i, next(input) | 1);
		}
		xp_segment_close(&opened);
	}
	xp_segment_close(&made);
}

/* The implementation number @index of those that bear garbage, from 0; NULL past the last. */
static const struct xp_impl *untrusting(size_t index)
{
	XP_CATALOG_EACH(impl)
	{
		if ((impl->caps & XP_CAP_UNTRUSTING) && impl->scope != XP_SCOPE_MANAGED &&
		    index-- == 0)
			return impl;
	}
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size, 0};
	size_t count = 0;

	if (size < 2)
		return 0;
	while (untrusting(count))
		count++;
	fuzz_counts.inputs++;
	size_t choice = next(&input) % (count + 1);
	if (choice == count)
		open_segment(&input);
	else
		use_object(untrusting(choice), &input);
	return 0;
}
