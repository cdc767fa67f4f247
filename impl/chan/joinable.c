/* SPDX-License-Identifier: MIT */
#include "xpshare/chan/joinable.h"

#include "xpshare/chan/queue_ring.h"

static int put_until(void *self, const void *item, size_t size, const struct timespec *deadline)
{
	return xp_queue_ring_mpmc_ops.put_until(self, item, size, deadline);
}

static int try_put(void *self, const void *item, size_t size)
{
	return xp_queue_ring_mpmc_ops.try_put(self, item, size);
}

static int get_until(void *self, void *buffer, size_t capacity, size_t *ret_size,
		     const struct timespec *deadline)
{
	return xp_queue_ring_mpmc_ops.get_until(self, buffer, capacity, ret_size, deadline);
}

static int try_get(void *self, void *buffer, size_t capacity, size_t *ret_size)
{
	return xp_queue_ring_mpmc_ops.try_get(self, buffer, capacity, ret_size);
}

static int64_t length(void *self)
{
	return xp_queue_ring_mpmc_ops.length(self);
}

/* Items put so far. What was got was put, also while its producer has not moved tail on yet. */
static uint64_t items_put(const struct xp_ring *ring)
{
	uint64_t put = xp_ring_put_total(ring);
	uint64_t got =
	    xp_ring_items(ring, atomic_load_explicit(&ring->shared->head, memory_order_acquire));

	return put > got ? put : got;
}

static int task_done(void *self)
{
	struct xp_queue_ring *queue = self;
	const struct xp_ring *ring = &queue->ring;
	_Atomic uint64_t *done = &ring->shared->done;
	uint64_t seen = atomic_load_explicit(done, memory_order_relaxed);

	do {
		if (seen >= items_put(ring))
			return -EOVERFLOW;
		/* Release: who joins sees the work that was done. Pairs with is_joined(). */
	} while (!atomic_compare_exchange_weak_explicit(done, &seen, seen + 1, memory_order_acq_rel,
							memory_order_relaxed));
	if (seen + 1 == items_put(ring))
		xp_park_wake(&ring->shared->joiners, ring->fences);
	return 0;
}

static bool is_joined(const struct xp_ring *ring)
{
	/* done first: it only grows, so that equality held when items_put() was read. */
	uint64_t done = atomic_load_explicit(&ring->shared->done, memory_order_acquire);

	return done >= items_put(ring);
}

static int join_until(void *self, const struct timespec *deadline)
{
	struct xp_queue_ring *queue = self;
	const struct xp_ring *ring = &queue->ring;
	struct xp_park *spot = &ring->shared->joiners;
	struct xp_patrol patrol = {0};
	uint32_t first = xp_park_prepare(spot, ring->fences);

	for (uint32_t ticket = first;; ticket = xp_park_prepare(spot, ring->fences)) {
		/* The epoch moves only when a task_done has seen that all was done. */
		if (((ticket ^ first) & ~XP_PARK_PARKED) != 0 || is_joined(ring))
			return 0;
		int rc = xp_park_sleep(spot, ticket, &patrol, deadline);
		if (rc < 0)
			return is_joined(ring) ? 0 : rc;
	}
}

const struct xp_queue_ops xp_joinable_ring_ops = {
    .put_until = put_until,
    .try_put = try_put,
    .get_until = get_until,
    .try_get = try_get,
    .length = length,
    .close = xp_queue_ring_close,
    .task_done = task_done,
    .join_until = join_until,
};

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	(void)impl;
	return xp_queue_ring_make(place, params, true, &xp_joinable_ring_ops, ret_object);
}

const struct xp_impl xp_impl_joinable_ring = {
    .name = "joinable/ring",
    .title = "queue/ring-mpmc that counts what is done",
    .kind = XP_KIND_JOINABLE,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_CLOSE | XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER |
	    XP_CAP_EXEC | XP_CAP_DEADLINE,
    .make = make,
    .drop = xp_queue_ring_drop,
};
