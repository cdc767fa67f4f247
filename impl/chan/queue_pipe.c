/* SPDX-License-Identifier: MIT */
#include "xpshare/chan/queue_pipe.h"

#include "xpshare/base/io.h"
#include "xpshare/chan/queue_ring.h"
#include "xpshare/shm/arena.h"
#include "xpshare/sync/ref.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* An owner who died leaves nothing that could be repaired here; see the manual, Death. */
static int take_turn(struct xp_queue_pipe *queue, struct xp_lock_futex *lock,
		     const struct timespec *deadline)
{
	int rc = xp_lock_futex_acquire_until(lock, &queue->lock_how, deadline);

	return rc == -EOWNERDEAD ? 0 : rc;
}

static int take_turn_soon(struct xp_queue_pipe *queue, struct xp_lock_futex *lock)
{
	struct timespec limit = xp_deadline_after(XP_QUEUE_TRY_PATIENCE_NS);
	int rc = take_turn(queue, lock, &limit);

	return rc == -ETIMEDOUT ? -EAGAIN : rc;
}

static bool has_room(const struct xp_queue_pipe *queue, uint64_t frame)
{
	const struct xp_queue_pipe_shared *shared = queue->shared;
	/* What was taken is read first: the difference can be too large, never too small. */
	uint64_t gots = atomic_load_explicit(&shared->gots, memory_order_acquire);
	uint64_t got_bytes = atomic_load_explicit(&shared->got_bytes, memory_order_acquire);
	uint64_t puts = atomic_load_explicit(&shared->puts, memory_order_relaxed);
	uint64_t put_bytes = atomic_load_explicit(&shared->put_bytes, memory_order_relaxed);

	return puts - gots < queue->capacity && put_bytes - got_bytes + frame <= queue->budget;
}

static bool is_closed(const struct xp_queue_pipe *queue)
{
	return atomic_load_explicit(&queue->shared->closed, memory_order_acquire) != 0;
}

/* Within the writers' turn. */
static int put_now(struct xp_queue_pipe *queue, const void *item, size_t size)
{
	struct xp_queue_pipe_shared *shared = queue->shared;
	uint64_t frame = XP_FIFO_HEADER + size;
	bool torn = false;

	if (is_closed(queue))
		return -EPIPE;
	if (!has_room(queue, frame))
		return -EAGAIN;
	/* Counted first, so that nobody can report an item done that join does not know of. */
	atomic_fetch_add_explicit(&shared->puts, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&shared->put_bytes, frame, memory_order_relaxed);
	int rc = xp_fifo_send(queue->out, item, size, NULL, &torn);
	if (rc < 0 && !torn) {
		atomic_fetch_sub_explicit(&shared->puts, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&shared->put_bytes, frame, memory_order_relaxed);
	}
	return rc;
}

static int wait_room(struct xp_queue_pipe *queue, uint64_t frame, const struct timespec *deadline)
{
	struct xp_park *spot = &queue->shared->putters;
	struct xp_patrol patrol = {0};
	bool never_park = queue->put_how.polls_max == XP_WAIT_POLLS_FOREVER;

	for (;;) {
		uint32_t polls = never_park ? 1024 : xp_wait_polls(&queue->put_how);
		uint32_t i = 0;
		while (i < polls && !has_room(queue, frame) && !is_closed(queue)) {
			xp_cpu_relax();
			i++;
		}
		if (!never_park)
			xp_wait_learn(&queue->put_how, i < polls);
		if (i < polls)
			return 0;

		if (never_park) {
			if (xp_deadline_passed(deadline))
				return -ETIMEDOUT;
			continue;
		}
		uint32_t ticket = xp_park_prepare(spot);
		if (has_room(queue, frame) || is_closed(queue))
			return 0;
		int rc = xp_park_sleep(spot, ticket, &patrol, deadline);
		if (has_room(queue, frame) || is_closed(queue))
			return 0;
		if (rc < 0)
			return rc;
	}
}

int xp_queue_pipe_put_until(void *self, const void *item, size_t size,
			    const struct timespec *deadline)
{
	struct xp_queue_pipe *queue = self;

	if (size > queue->item_max)
		return -EMSGSIZE;
	for (;;) {
		int rc = take_turn(queue, &queue->shared->put_lock, deadline);
		if (rc < 0)
			return rc;
		rc = put_now(queue, item, size);
		(void)xp_lock_futex_release(&queue->shared->put_lock);
		if (rc != -EAGAIN)
			return rc;
		rc = wait_room(queue, XP_FIFO_HEADER + size, deadline);
		if (rc < 0)
			return rc;
	}
}

int xp_queue_pipe_try_put(void *self, const void *item, size_t size)
{
	struct xp_queue_pipe *queue = self;

	if (size > queue->item_max)
		return -EMSGSIZE;
	int rc = take_turn_soon(queue, &queue->shared->put_lock);
	if (rc < 0)
		return rc;
	rc = put_now(queue, item, size);
	(void)xp_lock_futex_release(&queue->shared->put_lock);
	return rc;
}

/* Within the readers' turn: waits in the pipe. */
static int get_now(struct xp_queue_pipe *queue, void *buffer, size_t capacity, size_t *ret_size,
		   const struct timespec *deadline)
{
	struct xp_queue_pipe_shared *shared = queue->shared;
	struct xp_fifo_part part = {0};

	int rc = xp_fifo_recv(queue->in, &shared->rx, &part, buffer, capacity, ret_size, deadline);
	/* All of a frame is in the pipe once its head is: it was written in one go that did not block,
	 * which the kernel lets nobody see half of. So this head was no head. */
	if (rc == -ETIMEDOUT && part.size > 0)
		rc = -EPROTO;
	xp_fifo_part_fini(&part);
	if (rc < 0)
		return rc;
	atomic_fetch_add_explicit(&shared->got_bytes, XP_FIFO_HEADER + *ret_size,
				  memory_order_release);
	atomic_fetch_add_explicit(&shared->gots, 1, memory_order_release);
	xp_park_wake(&shared->putters);
	return 0;
}

int xp_queue_pipe_get_until(void *self, void *buffer, size_t capacity, size_t *ret_size,
			    const struct timespec *deadline)
{
	struct xp_queue_pipe *queue = self;
	int rc = take_turn(queue, &queue->shared->get_lock, deadline);

	if (rc < 0)
		return rc;
	rc = get_now(queue, buffer, capacity, ret_size, deadline);
	(void)xp_lock_futex_release(&queue->shared->get_lock);
	return rc;
}

int64_t xp_queue_pipe_length(void *self)
{
	const struct xp_queue_pipe *queue = self;
	uint64_t gots = atomic_load_explicit(&queue->shared->gots, memory_order_acquire);
	uint64_t puts = atomic_load_explicit(&queue->shared->puts, memory_order_acquire);

	return (int64_t)(puts - gots <= queue->capacity ? puts - gots : queue->capacity);
}

int xp_queue_pipe_try_get(void *self, void *buffer, size_t capacity, size_t *ret_size)
{
	struct xp_queue_pipe *queue = self;
	struct timespec now = xp_deadline_after(0);

	/* A consumer that waits for an item holds the lock: do not wait for it in vain. */
	if (xp_queue_pipe_length(queue) == 0 && !is_closed(queue))
		return -EAGAIN;
	int rc = take_turn_soon(queue, &queue->shared->get_lock);
	if (rc < 0)
		return rc;
	rc = get_now(queue, buffer, capacity, ret_size, &now);
	(void)xp_lock_futex_release(&queue->shared->get_lock);
	return rc == -ETIMEDOUT ? -EAGAIN : rc;
}

int xp_queue_pipe_close(void *self)
{
	struct xp_queue_pipe *queue = self;
	struct xp_queue_pipe_shared *shared = queue->shared;
	/* Within the writers' turn, so that no put is under way; a stopped writer, who could hold it
	 * for ever, does not keep the queue open. */
	struct timespec limit = xp_deadline_after(XP_QUEUE_TRY_PATIENCE_NS);
	int turn = take_turn(queue, &shared->put_lock, &limit), rc = 0;

	if (atomic_exchange_explicit(&shared->closed, 1, memory_order_acq_rel) == 0) {
		/* The budget leaves room for it. */
		rc = xp_fifo_send_end(queue->out, NULL);
		xp_park_wake(&shared->putters);
	}
	if (turn == 0)
		(void)xp_lock_futex_release(&shared->put_lock);
	return rc;
}

static const struct xp_queue_ops ops = {
    .put_until = xp_queue_pipe_put_until,
    .try_put = xp_queue_pipe_try_put,
    .get_until = xp_queue_pipe_get_until,
    .try_get = xp_queue_pipe_try_get,
    .length = xp_queue_pipe_length,
    .close = xp_queue_pipe_close,
};

void xp_queue_pipe_drop(struct xp_object *object)
{
	struct xp_queue_pipe *queue = object->owner;

	xp_io_close(queue->in);
	xp_io_close(queue->out);
	xp_arena_free(queue->arena, queue->shared);
	free(queue);
}

/* A pipe that takes @bytes of frames for certain, as far as the system allows that much. */
static int open_pipe(struct xp_queue_pipe *queue, uint64_t bytes)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	queue->in = fds[0];
	queue->out = fds[1];
	/* Try what is wanted, then less: an unprivileged process has limits that root has not. */
	for (uint64_t wanted = 2 * bytes + 4 * 4096; wanted > 65536; wanted /= 2) {
		if (wanted <= INT32_MAX && fcntl(queue->out, F_SETPIPE_SZ, (int)wanted) > 0)
			break;
	}
	int size = fcntl(queue->out, F_GETPIPE_SZ);
	if (size < 0)
		return -errno;
	if (size < 8 * 4096)
		return -ENOTSUP;
	queue->budget = (uint64_t)XP_QUEUE_PIPE_BUDGET(size);
	return queue->item_max + XP_FIFO_HEADER > queue->budget ? -ENOTSUP : 0;
}

int xp_queue_pipe_make(struct xp_place *place, const struct xp_params *params,
		       const struct xp_queue_ops *queue_ops, struct xp_object *ret_object)
{
	struct xp_queue_pipe *queue = calloc(1, sizeof(*queue));
	void *memory = NULL;

	if (!queue)
		return -ENOMEM;
	queue->in = queue->out = -1;
	queue->arena = place->arena;
	queue->capacity = params->capacity ? params->capacity : XP_QUEUE_PIPE_CAPACITY;
	queue->item_max = params->item_max ? params->item_max : XP_QUEUE_PIPE_ITEM_MAX;
	xp_sync_wait_init(&queue->put_how, params->strategy);
	xp_sync_wait_init(&queue->lock_how, params->strategy);

	struct xp_object object = {.as.queue = {queue_ops, queue}, .owner = queue};
	int rc = queue->capacity > XP_RING_CAPACITY_MAX || queue->item_max > XP_RING_ITEM_MAX
		     ? -EINVAL
		     : xp_arena_alloc(place->arena, sizeof(struct xp_queue_pipe_shared),
				      XP_ISOLATION, &memory);
	queue->shared = memory;
	if (rc == 0)
		rc = open_pipe(queue, queue->capacity * (queue->item_max + XP_FIFO_HEADER));
	if (rc < 0) {
		xp_queue_pipe_drop(&object);
		return rc;
	}
	xp_lock_futex_init(&queue->shared->put_lock, 0);
	xp_lock_futex_init(&queue->shared->get_lock, 0);
	bool fences = xp_park_join() < 0;
	xp_park_init(&queue->shared->putters, fences);
	xp_park_init(&queue->shared->joiners, fences);
	*ret_object = object;
	return 0;
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	(void)impl;
	return xp_queue_pipe_make(place, params, &ops, ret_object);
}

const struct xp_impl xp_impl_queue_pipe = {
    .name = "queue/pipe",
    .title = "kernel pipe, two locks and a bound: multiprocessing's design",
    .kind = XP_KIND_QUEUE,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_CLOSE | XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER | XP_CAP_DEADLINE |
	    XP_CAP_UNTRUSTING,
    .make = make,
    .drop = xp_queue_pipe_drop,
};
