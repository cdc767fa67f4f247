/* SPDX-License-Identifier: MIT */
/*
 * Queue, JoinableQueue: queue.Queue of the server. Invariants: (1) calls wait in get only while the
 * queue is empty, in put only while it is full, so that at most one of the two lists has members.
 * (2) An item leaves the queue only for a client that was there to be told (SPEC X3).
 */
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/dispatch.h"

#include "xpshare/base/clock.h"

#include <stdlib.h>

#define ROOM_KEPT 64 /* items that an empty queue keeps room for */
#define NO_LIMIT  ((uint64_t)INT64_MAX)

struct queue {
	struct xp_referent base;
	struct xp_datum_box **items; /* a ring */
	size_t first;
	size_t count;
	size_t room;	 /* a power of two, 0 at first */
	int64_t maxsize; /* 0 or less: unbounded */
	int64_t unfinished;
	bool closed; /* Python 3.13: shutdown() */
	struct xp_waiters getters;
	struct xp_waiters putters;
	struct xp_waiters joiners;
};

static bool is_full(const struct queue *queue)
{
	return queue->maxsize > 0 && queue->count >= (size_t)queue->maxsize;
}

static int make_room(struct queue *queue)
{
	size_t room = queue->room ? 2 * queue->room : 8;
	struct xp_datum_box **items;

	if (queue->count < queue->room)
		return 0;
	if (!xp_dispatch_charge(queue->base.dispatch, (room - queue->room) * sizeof(*items)))
		return -ENOMEM;
	items = malloc(room * sizeof(struct xp_datum_box *));
	if (!items) {
		xp_dispatch_discharge(queue->base.dispatch, (room - queue->room) * sizeof(*items));
		return -ENOMEM;
	}
	for (size_t i = 0; i < queue->count; i++)
		items[i] = queue->items[(queue->first + i) & (queue->room - 1)];
	free(queue->items);
	queue->items = items;
	queue->room = room;
	queue->first = 0;
	return 0;
}

/* There is room. */
static void push(struct queue *queue, struct xp_datum_box *item)
{
	queue->items[(queue->first + queue->count++) & (queue->room - 1)] = item;
}

static void forget_room(struct queue *queue)
{
	xp_dispatch_discharge(queue->base.dispatch, queue->room * sizeof(struct xp_datum_box *));
	free(queue->items);
	queue->items = NULL;
	queue->room = 0;
	queue->first = 0;
}

static struct xp_datum_box *pop(struct queue *queue)
{
	struct xp_datum_box *item = queue->items[queue->first];

	queue->first = (queue->first + 1) & (queue->room - 1);
	queue->count--;
	if (queue->count == 0 && queue->room > ROOM_KEPT)
		forget_room(queue);
	return item;
}

/* Room has become free: let those who wait for it put their items. */
static void admit(struct queue *queue)
{
	while (queue->putters.first && !is_full(queue)) {
		struct xp_waiter *waiter = queue->putters.first;
		struct xp_datum_box *item = waiter->box;

		if (make_room(queue) < 0) {
			xp_waiter_raise(waiter, "MemoryError");
			continue;
		}
		waiter->box = NULL;
		if (xp_waiter_return(waiter, xp_datum_none())) {
			push(queue, item);
			queue->unfinished++;
		} else {
			xp_dispatch_drop(queue->base.dispatch, item);
		}
	}
}

static const struct xp_datum *too_large_for(struct xp_datum_arena *arena,
					    const struct xp_datum *item)
{
	const struct xp_datum *size = xp_datum_int(arena, (int64_t)item->size);

	return xp_datum_call(arena, "builtins", "OverflowError", 1, &size);
}

static const struct xp_datum *too_large(struct xp_call *call, const struct xp_datum *item)
{
	return xp_call_raise(call, too_large_for(call->arena, item));
}

/* Hand @item to the first one who waits for it, can hold it, and is still there. */
static bool hand_over(struct queue *queue, const struct xp_datum *item)
{
	while (queue->getters.first) {
		struct xp_waiter *waiter = queue->getters.first;

		if (xp_datum_is(item, XP_DATUM_BYTES) && item->size > (uint64_t)waiter->number)
			xp_waiter_raise_exception(waiter,
						  too_large_for(xp_waiter_arena(waiter), item));
		else if (xp_waiter_return(waiter, item))
			return true;
	}
	return false;
}

static void wake_all(struct xp_waiters *waiters, const char *exception)
{
	while (waiters->first) {
		if (exception)
			xp_waiter_raise(waiters->first, exception);
		else
			xp_waiter_return(waiters->first, xp_datum_none());
	}
}

static const struct xp_datum *shut_down(struct xp_call *call)
{
	return xp_call_raisef(call, "queue.ShutDown", NULL);
}

/* block and timeout, at @index and @index + 1. Return: 0, -EINVAL raised; a deadline in the past where
 * the call shall not wait. */
static int patience(struct xp_call *call, size_t index, int64_t *ret_deadline)
{
	bool block;
	int64_t deadline;

	if (xp_call_bool(call, index, true, &block) < 0)
		return -EINVAL;
	if (!block) {
		*ret_deadline = INT64_MIN;
		return 0;
	}
	if (xp_call_deadline(call, index + 1, &deadline) < 0)
		return -EINVAL;
	if (deadline == INT64_MIN) {
		xp_call_raisef(call, "ValueError", "'timeout' must be a non-negative number");
		return -EINVAL;
	}
	*ret_deadline = deadline;
	return 0;
}

static void get_expire(struct xp_waiter *waiter)
{
	xp_waiter_raise(waiter, "queue.Empty");
}

static void put_expire(struct xp_waiter *waiter)
{
	xp_waiter_raise(waiter, "queue.Full");
}

/* Whether the first item may go: to a client that said how much it can hold, only if it fits. */
static bool fits(const struct queue *queue, uint64_t limit)
{
	const struct xp_datum *item = xp_datum_box_value(queue->items[queue->first]);

	return !xp_datum_is(item, XP_DATUM_BYTES) || item->size <= limit;
}

static const struct xp_datum *get(struct xp_call *call, uint64_t limit, int64_t deadline)
{
	struct queue *queue = xp_call_self(call, struct queue, base);

	if (queue->count > 0 && !fits(queue, limit))
		return too_large(call, xp_datum_box_value(queue->items[queue->first]));
	if (queue->count > 0) {
		const struct xp_datum *item = xp_call_release(call, pop(queue));

		admit(queue);
		return item;
	}
	if (queue->closed)
		return shut_down(call);
	if (deadline != XP_NEVER && deadline <= xp_clock_ns())
		return xp_call_raisef(call, "queue.Empty", NULL);
	xp_call_park(call, &queue->getters, deadline, get_expire)->number = (int64_t)limit;
	return NULL;
}

static const struct xp_datum *put(struct xp_call *call, const struct xp_datum *value,
				  int64_t deadline)
{
	struct queue *queue = xp_call_self(call, struct queue, base);
	struct xp_datum_box *item;

	if (queue->closed)
		return shut_down(call);
	if (hand_over(queue, value)) {
		queue->unfinished++;
		return xp_datum_none();
	}
	bool full = is_full(queue);

	if (full && deadline != XP_NEVER && deadline <= xp_clock_ns())
		return xp_call_raisef(call, "queue.Full", NULL);
	if (!full && make_room(queue) < 0)
		return NULL;
	if (xp_call_keep(call, value, &item) < 0)
		return NULL;
	if (full) {
		xp_call_park(call, &queue->putters, deadline, put_expire)->box = item;
		return NULL;
	}
	push(queue, item);
	queue->unfinished++;
	return xp_datum_none();
}

static const struct xp_datum *queue_get(struct xp_call *call)
{
	int64_t deadline;

	return patience(call, 0, &deadline) < 0 ? NULL : get(call, NO_LIMIT, deadline);
}

static const struct xp_datum *queue_get_nowait(struct xp_call *call)
{
	return get(call, NO_LIMIT, INT64_MIN);
}

/* Not of Python: get() for a client whose buffer is of a fixed size. An item that is larger stays, and the
 * exception OverflowError(size) says how large it is. */
static const struct xp_datum *queue_get_fitting(struct xp_call *call)
{
	int64_t deadline;
	int64_t limit;

	if (xp_call_int64(call, 0, 0, &limit) < 0 || patience(call, 1, &deadline) < 0)
		return NULL;
	return get(call, limit < 0 ? 0 : (uint64_t)limit, deadline);
}

static const struct xp_datum *queue_put(struct xp_call *call)
{
	const struct queue *queue = xp_call_self(call, struct queue, base);
	int64_t deadline = XP_NEVER;

	/* The timeout of an unbounded queue is not looked at. */
	if (queue->maxsize > 0 && !queue->closed && patience(call, 1, &deadline) < 0)
		return NULL;
	return put(call, call->args[0], deadline);
}

static const struct xp_datum *queue_put_nowait(struct xp_call *call)
{
	return put(call, call->args[0], INT64_MIN);
}

static const struct xp_datum *queue_qsize(struct xp_call *call)
{
	return xp_datum_int(call->arena, (int64_t)xp_call_self(call, struct queue, base)->count);
}

static const struct xp_datum *queue_empty(struct xp_call *call)
{
	return xp_datum_bool(xp_call_self(call, struct queue, base)->count == 0);
}

static const struct xp_datum *queue_full(struct xp_call *call)
{
	return xp_datum_bool(is_full(xp_call_self(call, struct queue, base)));
}

static const struct xp_datum *queue_task_done(struct xp_call *call)
{
	struct queue *queue = xp_call_self(call, struct queue, base);

	if (queue->unfinished <= 0)
		return xp_call_raisef(call, "ValueError", "task_done() called too many times");
	if (--queue->unfinished == 0)
		wake_all(&queue->joiners, NULL);
	return xp_datum_none();
}

static const struct xp_datum *queue_join(struct xp_call *call)
{
	struct queue *queue = xp_call_self(call, struct queue, base);

	int64_t deadline;

	if (queue->unfinished == 0)
		return xp_datum_none();
	/* The timeout is ours: Python's join() has none. */
	if (xp_call_deadline(call, 0, &deadline) < 0)
		return NULL;
	if (deadline <= xp_clock_ns())
		return xp_call_raisef(call, "queue.Full", NULL);
	xp_call_park(call, &queue->joiners, deadline, put_expire);
	return NULL;
}

static const struct xp_datum *queue_shutdown(struct xp_call *call)
{
	struct queue *queue = xp_call_self(call, struct queue, base);
	bool immediate;

	if (xp_call_bool(call, 0, false, &immediate) < 0)
		return NULL;
	queue->closed = true;
	if (immediate) {
		while (queue->count > 0) {
			xp_dispatch_drop(call->dispatch, pop(queue));
			if (queue->unfinished > 0)
				queue->unfinished--;
		}
		wake_all(&queue->joiners, NULL);
	}
	wake_all(&queue->getters, "queue.ShutDown");
	wake_all(&queue->putters, "queue.ShutDown");
	return xp_datum_none();
}

static void queue_fini(struct xp_referent *referent)
{
	struct queue *queue = (struct queue *)referent;

	while (queue->count > 0)
		xp_dispatch_drop(referent->dispatch, pop(queue));
	forget_room(queue);
	free(queue);
}

static const struct xp_datum *make(struct xp_call *call, const struct xp_typeid *type)
{
	struct queue *queue;
	int64_t maxsize;

	if (xp_call_int64(call, 0, 0, &maxsize) < 0)
		return NULL;
	queue = (struct queue *)xp_referent_new(call, type, sizeof(*queue));
	if (!queue)
		return NULL;
	queue->maxsize = maxsize;
	return xp_call_object(call, &queue->base);
}

static const struct xp_datum *queue_init(struct xp_call *call)
{
	return make(call, &xp_typeid_queue);
}

static const struct xp_datum *joinable_init(struct xp_call *call)
{
	return make(call, &xp_typeid_joinable);
}

static const struct xp_datum *queue_repr(struct xp_call *call, struct xp_referent *referent)
{
	return xp_object_repr(call, referent, "queue.Queue");
}

static const struct xp_method methods[] = {XP_METHODS_QUEUE(XP_METHOD_ROW)};

const struct xp_typeid xp_typeid_queue = {
    .name = "Queue",
    .owner = "Queue",
    .init = {.name = "__init__",
	     .style = XP_ARGS_PYTHON,
	     .max = 1,
	     .params = "maxsize",
	     .call = queue_init},
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = queue_fini,
    .repr = queue_repr,
};

const struct xp_typeid xp_typeid_joinable = {
    .name = "JoinableQueue",
    .owner = "Queue",
    .init = {.name = "__init__",
	     .style = XP_ARGS_PYTHON,
	     .max = 1,
	     .params = "maxsize",
	     .call = joinable_init},
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = queue_fini,
    .repr = queue_repr,
};
