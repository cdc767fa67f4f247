/* SPDX-License-Identifier: MIT */
/*
 * queue - items in the order in which they were put: the contract
 *
 * Overview      An item is a string of bytes of 0 to the queue's item maximum. Bounded by a number
 *               of items (0: unbounded, where the mechanism can). FIFO per producer; with one
 *               consumer also in the order of the puts that did not overlap. A joinable queue
 *               (XP_KIND_JOINABLE) counts unfinished items: +1 by put, -1 by task_done; join waits
 *               for 0.
 * Errors        -EAGAIN where a try would block; -ETIMEDOUT; -EMSGSIZE for an item over the
 *               maximum, or (get) one that does not fit, which then stays in the queue with its
 *               size in *@ret_size; -EPIPE for a closed queue: put at once, get when it is empty;
 *               -EOVERFLOW for a task_done too many.
 * Death         With XP_CAP_ROBUST: of a producer loses at most the item that it had not committed,
 *               of a consumer at most the item that it had begun to take; nothing is delivered
 *               twice, the others go on.
 */
#ifndef XPSHARE_KIND_QUEUE_H
#define XPSHARE_KIND_QUEUE_H

#include "xpshare/base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/**
 * struct xp_queue_ops - What every implementation of a queue provides.
 * @put_until, @get_until: Wait for room, for an item.
 * @try_put, @try_get:     -EAGAIN instead of waiting.
 * @length:                Items in the queue: 0 or more at some moment during the call; or -errno.
 * @close:                 No more items: every later put, here or elsewhere, is -EPIPE. NULL:
 *                         -ENOTSUP.
 * @task_done, @join_until: Of a joinable queue; NULL in others.
 */
struct xp_queue_ops {
	int (*put_until)(void *self, const void *item, size_t size,
			 const struct timespec *deadline);
	int (*try_put)(void *self, const void *item, size_t size);
	int (*get_until)(void *self, void *buffer, size_t capacity, size_t *ret_size,
			 const struct timespec *deadline);
	int (*try_get)(void *self, void *buffer, size_t capacity, size_t *ret_size);
	int64_t (*length)(void *self);
	int (*close)(void *self);
	int (*task_done)(void *self);
	int (*join_until)(void *self, const struct timespec *deadline);
};

struct xp_queue {
	const struct xp_queue_ops *ops;
	void *self;
};

/** xp_queue_put_until() - Put one item. A release operation; pairs with the get of that item. */
XP_MUST_CHECK static inline int xp_queue_put_until(const struct xp_queue *queue, const void *item,
						   size_t size, const struct timespec *deadline)
{
	return queue->ops->put_until(queue->self, item, size, deadline);
}

XP_MUST_CHECK static inline int xp_queue_put(const struct xp_queue *queue, const void *item,
					     size_t size)
{
	return queue->ops->put_until(queue->self, item, size, NULL);
}

XP_MUST_CHECK static inline int xp_queue_try_put(const struct xp_queue *queue, const void *item,
						 size_t size)
{
	return queue->ops->try_put(queue->self, item, size);
}

/** xp_queue_get_until() - Get one item. An acquire operation. */
XP_MUST_CHECK static inline int xp_queue_get_until(const struct xp_queue *queue, void *buffer,
						   size_t capacity, size_t *ret_size,
						   const struct timespec *deadline)
{
	return queue->ops->get_until(queue->self, buffer, capacity, ret_size, deadline);
}

XP_MUST_CHECK static inline int xp_queue_get(const struct xp_queue *queue, void *buffer,
					     size_t capacity, size_t *ret_size)
{
	return queue->ops->get_until(queue->self, buffer, capacity, ret_size, NULL);
}

XP_MUST_CHECK static inline int xp_queue_try_get(const struct xp_queue *queue, void *buffer,
						 size_t capacity, size_t *ret_size)
{
	return queue->ops->try_get(queue->self, buffer, capacity, ret_size);
}

XP_MUST_CHECK static inline int64_t xp_queue_length(const struct xp_queue *queue)
{
	return queue->ops->length(queue->self);
}

XP_MUST_CHECK static inline int xp_queue_close(const struct xp_queue *queue)
{
	return queue->ops->close ? queue->ops->close(queue->self) : -ENOTSUP;
}

XP_MUST_CHECK static inline int xp_queue_task_done(const struct xp_queue *queue)
{
	return queue->ops->task_done ? queue->ops->task_done(queue->self) : -ENOTSUP;
}

XP_MUST_CHECK static inline int xp_queue_join_until(const struct xp_queue *queue,
						    const struct timespec *deadline)
{
	return queue->ops->join_until ? queue->ops->join_until(queue->self, deadline) : -ENOTSUP;
}

#endif
