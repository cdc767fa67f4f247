/* SPDX-License-Identifier: MIT */
#include "xpshare/chan/queue_ring.h"

#include "xpshare/chan/joinable.h"
#include "xpshare/shm/arena.h"
#include "xpshare/sync/ref.h"

#include <stdlib.h>

/* Polls of a waiter that never parks between two looks at the clock. */
#define POLLS_PER_LOOK 1024u

int xp_queue_ring_size(uint64_t capacity, uint64_t item_max, size_t *ret_size)
{
	size_t size;
	int rc = xp_ring_size(capacity, item_max, &size);

	if (rc == 0)
		*ret_size = sizeof(struct xp_queue_ring_shared) + size;
	return rc;
}

static void init_waits(struct xp_queue_ring *queue, enum xp_wait_strategy strategy)
{
	xp_sync_wait_init(&queue->put_how, strategy);
	xp_sync_wait_init(&queue->get_how, strategy);
	xp_sync_wait_init(&queue->lock_how, strategy);
}

int xp_queue_ring_create(void *memory, uint64_t capacity, uint64_t item_max, bool multi,
			 enum xp_wait_strategy strategy, struct xp_queue_ring *ret_queue)
{
	struct xp_queue_ring_shared *shared = memory;

	if ((uintptr_t)memory % XP_ISOLATION != 0)
		return -EINVAL;
	xp_lock_futex_init(&shared->put_lock, 0);
	xp_lock_futex_init(&shared->get_lock, 0);
	shared->multi = multi;
	ret_queue->shared = shared;
	ret_queue->arena = NULL;
	ret_queue->multi = multi;
	init_waits(ret_queue, strategy);
	/* Last: the ring's magic says that all of this is in place. */
	return xp_ring_create(shared + 1, capacity, item_max, &ret_queue->ring);
}

int xp_queue_ring_attach(void *memory, size_t size, enum xp_wait_strategy strategy,
			 struct xp_queue_ring *ret_queue)
{
	struct xp_queue_ring_shared *shared = memory;

	if (size < sizeof(*shared))
		return -EPROTO;
	int rc = xp_ring_attach(shared + 1, size - sizeof(*shared), &ret_queue->ring);
	if (rc < 0)
		return rc;
	ret_queue->shared = shared;
	ret_queue->arena = NULL;
	ret_queue->multi = shared->multi != 0;
	init_waits(ret_queue, strategy);
	return 0;
}

/* ---- waiting ---- */

static bool is_closed(const struct xp_ring *ring)
{
	return atomic_load_explicit(&ring->shared->closed, memory_order_acquire) != 0;
}

/* Something for a get to do. Garbage in the slot is left to the second, thorough look. */
static bool may_get(const struct xp_ring *ring)
{
	return xp_ring_has_item(ring) || is_closed(ring);
}

static bool must_get(const struct xp_ring *ring)
{
	const void *item;
	size_t size;

	return xp_ring_try_peek(ring, &item, &size) != -EAGAIN;
}

/* Something for a put to do: also where the positions are garbage. */
static bool may_put(const struct xp_ring *ring)
{
	return !xp_ring_is_full(ring) || is_closed(ring);
}

/*
 * Wait until @may, cheap enough to be polled, or @must, the last look before each nap.
 * 0: look again; -ETIMEDOUT.
 */
static int wait_until(const struct xp_ring *ring, bool (*may)(const struct xp_ring *),
		      bool (*must)(const struct xp_ring *), struct xp_park *spot,
		      struct xp_wait *how, const struct timespec *deadline)
{
	bool never_park = how->polls_max == XP_WAIT_POLLS_FOREVER;
	struct xp_patrol patrol = {0};

	do {
		uint32_t polls = never_park ? POLLS_PER_LOOK : xp_wait_polls(how);
		for (uint32_t i = 0; i < polls; i++) {
			if (may(ring)) {
				if (!never_park)
					xp_wait_learn(how, true);
				return 0;
			}
			xp_cpu_relax();
		}
		if (must(ring))
			return 0;
		if (never_park && xp_deadline_passed(deadline))
			return -ETIMEDOUT;
	} while (never_park);
	xp_wait_learn(how, false);

	for (;;) {
		uint32_t ticket = xp_park_prepare(spot);
		if (must(ring))
			return 0;
		int rc = xp_park_sleep(spot, ticket, &patrol, deadline);
		if (must(ring))
			return 0;
		if (rc < 0)
			return rc;
	}
}

int xp_queue_ring_wait_room(struct xp_queue_ring *queue, const struct timespec *deadline)
{
	const struct xp_ring *ring = &queue->ring;

	return wait_until(ring, may_put, may_put, &ring->shared->putters, &queue->put_how,
			  deadline);
}

int xp_queue_ring_wait_item(struct xp_queue_ring *queue, const struct timespec *deadline)
{
	const struct xp_ring *ring = &queue->ring;

	return wait_until(ring, may_get, must_get, &ring->shared->getters, &queue->get_how,
			  deadline);
}

int xp_queue_ring_put_slow(struct xp_queue_ring *queue, const void *item, size_t size,
			   const struct timespec *deadline)
{
	for (;;) {
		int rc = xp_queue_ring_wait_room(queue, deadline);
		if (rc < 0)
			return rc;
		rc = xp_ring_try_put(&queue->ring, item, size);
		if (rc != -EAGAIN)
			return rc;
	}
}

int xp_queue_ring_get_slow(struct xp_queue_ring *queue, void *buffer, size_t capacity,
			   size_t *ret_size, const struct timespec *deadline)
{
	for (;;) {
		int rc = xp_queue_ring_wait_item(queue, deadline);
		if (rc < 0)
			return rc;
		rc = xp_ring_try_get(&queue->ring, buffer, capacity, ret_size);
		if (rc != -EAGAIN)
			return rc;
	}
}

/* ---- turns: no-ops where the caller promises to be alone ---- */

/* A lock whose owner died is a lock that we hold: the ring needs no repair. */
static int take_turn(struct xp_queue_ring *queue, struct xp_lock_futex *lock,
		     const struct timespec *deadline)
{
	if (!queue->multi)
		return 0;
	int rc = xp_lock_futex_acquire_until(lock, &queue->lock_how, deadline);
	return rc == -EOWNERDEAD ? 0 : rc;
}

/* For the try forms. */
static int take_turn_soon(struct xp_queue_ring *queue, struct xp_lock_futex *lock)
{
	if (!queue->multi)
		return 0;
	int rc = xp_lock_futex_try_acquire(lock);
	if (rc == -EBUSY) {
		struct timespec limit = xp_deadline_after(XP_QUEUE_TRY_PATIENCE_NS);
		rc = xp_lock_futex_acquire_until(lock, &queue->lock_how, &limit);
	}
	return rc == -EOWNERDEAD ? 0 : rc == -ETIMEDOUT ? -EAGAIN : rc;
}

static void end_turn(struct xp_queue_ring *queue, struct xp_lock_futex *lock)
{
	/* It fails only where a peer has overwritten the word; then there is nothing to give back
	 * and the next acquire says what it finds. */
	if (queue->multi)
		(void)xp_lock_futex_release(lock);
}

/* ---- operations ---- */

int xp_queue_ring_put_until(void *self, const void *item, size_t size,
			    const struct timespec *deadline)
{
	struct xp_queue_ring *queue = self;

	for (;;) {
		int rc = take_turn(queue, &queue->shared->put_lock, deadline);
		if (rc < 0)
			return rc;
		rc = xp_ring_try_put(&queue->ring, item, size);
		end_turn(queue, &queue->shared->put_lock);
		if (rc != -EAGAIN)
			return rc;
		rc = xp_queue_ring_wait_room(queue, deadline);
		if (rc < 0)
			return rc;
	}
}

int xp_queue_ring_try_put(void *self, const void *item, size_t size)
{
	struct xp_queue_ring *queue = self;
	int rc = take_turn_soon(queue, &queue->shared->put_lock);

	if (rc < 0)
		return rc;
	rc = xp_ring_try_put(&queue->ring, item, size);
	end_turn(queue, &queue->shared->put_lock);
	return rc;
}

int xp_queue_ring_get_until(void *self, void *buffer, size_t capacity, size_t *ret_size,
			    const struct timespec *deadline)
{
	struct xp_queue_ring *queue = self;

	for (;;) {
		/* Waiting outside the lock: whoever holds it can always go on. */
		int rc = 0;
		if (!xp_ring_has_item(&queue->ring))
			rc = xp_queue_ring_wait_item(queue, deadline);
		if (rc == 0)
			rc = take_turn(queue, &queue->shared->get_lock, deadline);
		if (rc < 0)
			return rc;
		rc = xp_ring_try_get(&queue->ring, buffer, capacity, ret_size);
		end_turn(queue, &queue->shared->get_lock);
		if (rc != -EAGAIN)
			return rc;
	}
}

int xp_queue_ring_try_get(void *self, void *buffer, size_t capacity, size_t *ret_size)
{
	struct xp_queue_ring *queue = self;
	int rc = take_turn_soon(queue, &queue->shared->get_lock);

	if (rc < 0)
		return rc;
	rc = xp_ring_try_get(&queue->ring, buffer, capacity, ret_size);
	end_turn(queue, &queue->shared->get_lock);
	return rc;
}

static int put_until_single(void *self, const void *item, size_t size,
			    const struct timespec *deadline)
{
	return xp_queue_ring_put_single(self, item, size, deadline);
}

static int try_put_single(void *self, const void *item, size_t size)
{
	struct xp_queue_ring *queue = self;

	return xp_ring_try_put(&queue->ring, item, size);
}

static int get_until_single(void *self, void *buffer, size_t capacity, size_t *ret_size,
			    const struct timespec *deadline)
{
	return xp_queue_ring_get_single(self, buffer, capacity, ret_size, deadline);
}

static int try_get_single(void *self, void *buffer, size_t capacity, size_t *ret_size)
{
	struct xp_queue_ring *queue = self;

	return xp_ring_try_get(&queue->ring, buffer, capacity, ret_size);
}

int64_t xp_queue_ring_length(void *self)
{
	struct xp_queue_ring *queue = self;

	return (int64_t)xp_ring_length(&queue->ring);
}

int xp_queue_ring_close(void *self)
{
	struct xp_queue_ring *queue = self;
	struct xp_ring_shared *shared = queue->ring.shared;
	/* Within the producers' turn, so that no put is under way; a stopped producer, who could
	 * hold it for ever, does not keep the queue open. */
	struct timespec limit = xp_deadline_after(XP_QUEUE_TRY_PATIENCE_NS);
	int rc = take_turn(queue, &queue->shared->put_lock, &limit);

	atomic_store_explicit(&shared->closed, 1, memory_order_release);
	xp_park_wake(&shared->getters);
	xp_park_wake(&shared->putters);
	if (rc == 0)
		end_turn(queue, &queue->shared->put_lock);
	return 0;
}

static const struct xp_queue_ops spsc_ops = {
    .put_until = put_until_single,
    .try_put = try_put_single,
    .get_until = get_until_single,
    .try_get = try_get_single,
    .length = xp_queue_ring_length,
    .close = xp_queue_ring_close,
};

static const struct xp_queue_ops mpmc_ops = {
    .put_until = xp_queue_ring_put_until,
    .try_put = xp_queue_ring_try_put,
    .get_until = xp_queue_ring_get_until,
    .try_get = xp_queue_ring_try_get,
    .length = xp_queue_ring_length,
    .close = xp_queue_ring_close,
};

/* ---- in place, and in batches ---- */

int xp_queue_ring_claim(struct xp_queue_ring *queue, void **ret_place,
			const struct timespec *deadline)
{
	for (;;) {
		int rc = take_turn(queue, &queue->shared->put_lock, deadline);
		if (rc < 0)
			return rc;
		rc = xp_ring_try_claim(&queue->ring, ret_place);
		if (rc == 0)
			return 0;
		end_turn(queue, &queue->shared->put_lock);
		if (rc == -EAGAIN)
			rc = xp_queue_ring_wait_room(queue, deadline);
		if (rc < 0)
			return rc;
	}
}

int xp_queue_ring_commit(struct xp_queue_ring *queue, size_t size)
{
	if (size > queue->ring.item_max)
		return -EMSGSIZE;
	xp_ring_commit(&queue->ring, size);
	end_turn(queue, &queue->shared->put_lock);
	return 0;
}

void xp_queue_ring_abandon(struct xp_queue_ring *queue)
{
	end_turn(queue, &queue->shared->put_lock);
}

int xp_queue_ring_peek(struct xp_queue_ring *queue, const void **ret_item, size_t *ret_size,
		       const struct timespec *deadline)
{
	for (;;) {
		int rc = take_turn(queue, &queue->shared->get_lock, deadline);
		if (rc < 0)
			return rc;
		rc = xp_ring_try_peek(&queue->ring, ret_item, ret_size);
		if (rc == 0)
			return 0;
		end_turn(queue, &queue->shared->get_lock);
		if (rc == -EAGAIN)
			rc = xp_queue_ring_wait_item(queue, deadline);
		if (rc < 0)
			return rc;
	}
}

void xp_queue_ring_consume(struct xp_queue_ring *queue)
{
	xp_ring_consume(&queue->ring);
	end_turn(queue, &queue->shared->get_lock);
}

void xp_queue_ring_leave(struct xp_queue_ring *queue)
{
	end_turn(queue, &queue->shared->get_lock);
}

int64_t xp_queue_ring_put_batch(struct xp_queue_ring *queue, const void *items, size_t size,
				size_t count, const struct timespec *deadline)
{
	for (;;) {
		int64_t rc = take_turn(queue, &queue->shared->put_lock, deadline);
		if (rc < 0)
			return rc;
		rc = xp_ring_try_put_batch(&queue->ring, items, size, count);
		end_turn(queue, &queue->shared->put_lock);
		if (rc != -EAGAIN)
			return rc;
		rc = xp_queue_ring_wait_room(queue, deadline);
		if (rc < 0)
			return rc;
	}
}

int64_t xp_queue_ring_get_batch(struct xp_queue_ring *queue, void *buffer, size_t size,
				size_t count, const struct timespec *deadline)
{
	for (;;) {
		int64_t rc = take_turn(queue, &queue->shared->get_lock, deadline);
		if (rc < 0)
			return rc;
		rc = xp_ring_try_get_batch(&queue->ring, buffer, size, count);
		end_turn(queue, &queue->shared->get_lock);
		if (rc != -EAGAIN)
			return rc;
		rc = xp_queue_ring_wait_item(queue, deadline);
		if (rc < 0)
			return rc;
	}
}

/* ---- making ---- */

struct xp_queue_ring *xp_queue_ring_of(const struct xp_queue *queue)
{
	if (queue->ops != &spsc_ops && queue->ops != &mpmc_ops &&
	    queue->ops != &xp_joinable_ring_ops)
		return NULL;
	return queue->self;
}

void *xp_queue_ring_where(const struct xp_object *object)
{
	return ((const struct xp_queue_ring *)object->owner)->shared;
}

void xp_queue_ring_drop(struct xp_object *object)
{
	struct xp_queue_ring *queue = object->owner;

	if (queue->arena)
		xp_arena_free(queue->arena, queue->shared);
	free(queue);
}

int xp_queue_ring_make(struct xp_place *place, const struct xp_params *params, bool multi,
		       const struct xp_queue_ops *ops, struct xp_object *ret_object)
{
	uint64_t capacity = params->capacity ? params->capacity : XP_QUEUE_RING_CAPACITY;
	uint64_t item_max = params->item_max ? params->item_max : XP_QUEUE_RING_ITEM_MAX;
	struct xp_queue_ring *queue;
	void *memory;
	size_t size;

	int rc = xp_queue_ring_size(capacity, item_max, &size);
	if (rc < 0)
		return rc;
	queue = aligned_alloc(_Alignof(struct xp_queue_ring), sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	rc = xp_arena_take(place->arena, place->existing, size, &memory);
	if (rc == 0 && place->existing) {
		rc = xp_queue_ring_attach(memory, size, params->strategy, queue);
		if (rc == 0 && queue->multi != multi)
			rc = -EPROTO;
	} else if (rc == 0) {
		rc = xp_queue_ring_create(memory, capacity, item_max, multi, params->strategy,
					  queue);
		if (rc < 0)
			xp_arena_free(place->arena, memory);
	}
	if (rc < 0) {
		free(queue);
		return rc;
	}
	queue->arena = place->arena;
	ret_object->as.queue = (struct xp_queue){ops, queue};
	ret_object->owner = queue;
	return 0;
}

static int make_spsc(const struct xp_impl *impl, struct xp_place *place,
		     const struct xp_params *params, struct xp_object *ret_object)
{
	(void)impl;
	return xp_queue_ring_make(place, params, false, &spsc_ops, ret_object);
}

static int make_mpmc(const struct xp_impl *impl, struct xp_place *place,
		     const struct xp_params *params, struct xp_object *ret_object)
{
	(void)impl;
	return xp_queue_ring_make(place, params, true, &mpmc_ops, ret_object);
}

const struct xp_impl xp_impl_queue_ring_spsc = {
    .name = "queue/ring-spsc",
    .title = "ring in shared memory, one producer and one consumer, no locks",
    .kind = XP_KIND_QUEUE,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_CLOSE | XP_CAP_EXEC | XP_CAP_DEADLINE | XP_CAP_UNTRUSTING,
    .make = make_spsc,
    .where = xp_queue_ring_where,
    .drop = xp_queue_ring_drop,
};

const struct xp_impl xp_impl_queue_ring_mpmc = {
    .name = "queue/ring-mpmc",
    .title = "ring in shared memory, producers and consumers in turns under robust locks",
    .kind = XP_KIND_QUEUE,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_CLOSE | XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER |
	    XP_CAP_EXEC | XP_CAP_DEADLINE | XP_CAP_UNTRUSTING,
    .robust_by_list = true,
    .make = make_mpmc,
    .where = xp_queue_ring_where,
    .drop = xp_queue_ring_drop,
};
