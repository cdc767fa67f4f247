/* SPDX-License-Identifier: MIT */
#include "xpshare/chan/joinable.h"

#include "xpshare/chan/queue_pipe.h"
#include "xpshare/chan/queue_ring.h"

/* ---- accounting ---- */

/**
 * struct account - Where the accounts of a queue are.
 * @total: How many items were ever put.
 */
struct account {
	_Atomic uint64_t *done;
	struct xp_park *joiners;
	const void *queue;
	uint64_t (*total)(const void *queue);
};

static int report_done(const struct account *account)
{
	uint64_t seen = atomic_load_explicit(account->done, memory_order_relaxed);

	do {
		if (seen >= account->total(account->queue))
			return -EOVERFLOW;
		/* Release: who joins sees the work that was done. Pairs with is_joined(). */
	} while (!atomic_compare_exchange_weak_explicit(
	    account->done, &seen, seen + 1, memory_order_acq_rel, memory_order_relaxed));
	if (seen + 1 == account->total(account->queue))
		xp_park_wake(account->joiners);
	return 0;
}

static bool is_joined(const struct account *account)
{
	/* done first: neither shrinks, so if it is not less than what was put until later, the two
	 * were equal in between. */
	uint64_t done = atomic_load_explicit(account->done, memory_order_acquire);

	return done >= account->total(account->queue);
}

static int join(const struct account *account, const struct timespec *deadline)
{
	struct xp_patrol patrol = {0};

	if (is_joined(account))
		return 0;

	uint32_t first = xp_park_prepare(account->joiners);
	uint32_t ticket = first;
	/* The epoch moves only when a task_done has seen that all was done. */
	while (((ticket ^ first) & XP_PARK_EPOCH) == 0 && !is_joined(account)) {
		int rc = xp_park_sleep(account->joiners, ticket, &patrol, deadline);
		if (rc < 0)
			return is_joined(account) ? 0 : rc;
		ticket = xp_park_prepare(account->joiners);
	}
	return 0;
}

/* ---- joinable/ring ---- */

/* What was got was put, also while its producer has not moved tail on yet. */
static uint64_t ring_total(const void *queue)
{
	const struct xp_ring *ring = &((const struct xp_queue_ring *)queue)->ring;
	uint64_t put = xp_ring_put_total(ring);
	uint64_t got =
	    xp_ring_items(ring, atomic_load_explicit(&ring->shared->head, memory_order_acquire));

	return put > got ? put : got;
}

static struct account ring_account(const struct xp_queue_ring *queue)
{
	struct xp_ring_shared *shared = queue->ring.shared;

	return (struct account){&shared->done, &shared->joiners, queue, ring_total};
}

static int ring_task_done(void *self)
{
	struct account account = ring_account(self);

	return report_done(&account);
}

static int ring_join_until(void *self, const struct timespec *deadline)
{
	struct account account = ring_account(self);

	return join(&account, deadline);
}

const struct xp_queue_ops xp_joinable_ring_ops = {
    .put_until = xp_queue_ring_put_until,
    .try_put = xp_queue_ring_try_put,
    .get_until = xp_queue_ring_get_until,
    .try_get = xp_queue_ring_try_get,
    .length = xp_queue_ring_length,
    .close = xp_queue_ring_close,
    .task_done = ring_task_done,
    .join_until = ring_join_until,
};

static int make_ring(const struct xp_impl *impl, struct xp_place *place,
		     const struct xp_params *params, struct xp_object *ret_object)
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
	    XP_CAP_EXEC | XP_CAP_DEADLINE | XP_CAP_UNTRUSTING,
    .robust_by_list = true,
    .make = make_ring,
    .where = xp_queue_ring_where,
    .drop = xp_queue_ring_drop,
};

/* ---- joinable/pipe ---- */

static uint64_t pipe_total(const void *queue)
{
	const struct xp_queue_pipe *pipe = queue;

	return atomic_load_explicit(&pipe->shared->puts, memory_order_acquire);
}

static struct account pipe_account(const struct xp_queue_pipe *queue)
{
	struct xp_queue_pipe_shared *shared = queue->shared;

	return (struct account){&shared->done, &shared->joiners, queue, pipe_total};
}

static int pipe_task_done(void *self)
{
	struct account account = pipe_account(self);

	return report_done(&account);
}

static int pipe_join_until(void *self, const struct timespec *deadline)
{
	struct account account = pipe_account(self);

	return join(&account, deadline);
}

static const struct xp_queue_ops pipe_ops = {
    .put_until = xp_queue_pipe_put_until,
    .try_put = xp_queue_pipe_try_put,
    .get_until = xp_queue_pipe_get_until,
    .try_get = xp_queue_pipe_try_get,
    .length = xp_queue_pipe_length,
    .close = xp_queue_pipe_close,
    .task_done = pipe_task_done,
    .join_until = pipe_join_until,
};

static int make_pipe(const struct xp_impl *impl, struct xp_place *place,
		     const struct xp_params *params, struct xp_object *ret_object)
{
	(void)impl;
	return xp_queue_pipe_make(place, params, &pipe_ops, ret_object);
}

const struct xp_impl xp_impl_joinable_pipe = {
    .name = "joinable/pipe",
    .title = "queue/pipe that counts what is done",
    .kind = XP_KIND_JOINABLE,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_CLOSE | XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER | XP_CAP_DEADLINE |
	    XP_CAP_UNTRUSTING,
    .make = make_pipe,
    .drop = xp_queue_pipe_drop,
};
