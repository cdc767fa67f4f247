/* SPDX-License-Identifier: MIT */
/* queue/managed and joinable/managed: Queue and JoinableQueue of a manager, items as bytes. */
#include "xpshare/manager/proxy_kind.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of an item where the maker names no maximum. */
#define ITEM_MAX_DEFAULT ((size_t)64 << 10)

struct queue {
	struct xp_proxy *proxy;
	size_t item_max;
	bool plain; /* the manager has no get_fitting(): it is not ours */
};

/* What an exception of a queue means here. */
static int queue_error(int rc, const struct xp_remote_error *error, int full_or_empty)
{
	if (rc != -EREMOTEIO)
		return rc;
	if (xp_remote_error_is(error, "Empty") || xp_remote_error_is(error, "Full"))
		return full_or_empty;
	if (xp_remote_error_is(error, "ShutDown"))
		return -EPIPE;
	return rc;
}

static int put(struct queue *queue, const void *item, size_t size, bool block,
	       const struct timespec *deadline)
{
	struct xp_datum_arena *arena = xp_proxy_arena(queue->proxy);
	struct xp_remote_error error;
	struct xp_wait_plan plan = {.timeout = xp_datum_none()};
	const struct xp_datum *args[3];
	int rc = 0;

	if (size > queue->item_max)
		return -EMSGSIZE;
	if (!arena)
		return -ENOMEM;
	if (block)
		rc = xp_wait_plan_init(&plan, queue->proxy, deadline);
	if (rc < 0)
		return rc;
	args[0] = xp_datum_borrow(arena, XP_DATUM_BYTES, item, size);
	args[1] = xp_datum_bool(block);
	args[2] = plan.timeout;
	rc = xp_proxy_call(queue->proxy, "put", 3, args, plan.limit, NULL, &error);
	return queue_error(rc, &error, block ? -ETIMEDOUT : -EAGAIN);
}

static int put_until(void *self, const void *item, size_t size, const struct timespec *deadline)
{
	return put(self, item, size, true, deadline);
}

static int try_put(void *self, const void *item, size_t size)
{
	return put(self, item, size, false, NULL);
}

/* The item as bytes: those of Python 2 are its str. */
static int take_item(const struct xp_datum *item, void *buffer, size_t capacity, size_t *ret_size)
{
	if (!xp_datum_is(item, XP_DATUM_BYTES) && !xp_datum_is(item, XP_DATUM_STR))
		return -EPROTO;
	*ret_size = item->size;
	if (item->size > capacity)
		return -EMSGSIZE;
	memcpy(buffer, item->bytes, item->size);
	return 0;
}

/* Our own server leaves an item that does not fit where it is, and says how large it is. A stock manager
 * can not: there the item must fit, or it is lost, which -EMSGSIZE says too. */
static int get_fitting(struct queue *queue, const struct xp_wait_plan *plan, bool block,
		       void *buffer, size_t capacity, size_t *ret_size)
{
	struct xp_datum_arena *arena = xp_proxy_arena(queue->proxy);
	struct xp_remote_error error;
	const struct xp_datum *args[3];
	const struct xp_datum *item;
	int64_t needed;
	int rc;

	if (!arena)
		return -ENOMEM;
	args[0] = xp_datum_uint(arena, capacity);
	args[1] = xp_datum_bool(block);
	args[2] = plan->timeout;
	rc = xp_proxy_call(queue->proxy, "get_fitting", 3, args, plan->limit, &item, &error);
	if (rc == 0)
		return take_item(item, buffer, capacity, ret_size);
	if (rc == -EREMOTEIO && xp_remote_error_is(&error, "RemoteError") &&
	    !strcmp(error.text, "KeyError: 'get_fitting'")) {
		queue->plain = true;
		return -ENOSYS;
	}
	if (rc == -EREMOTEIO && xp_remote_error_is(&error, "OverflowError") && error.args &&
	    error.args->count == 1 && xp_datum_to_int64(error.args->items[0], &needed) == 0) {
		*ret_size = (size_t)needed;
		return -EMSGSIZE;
	}
	return queue_error(rc, &error, block ? -ETIMEDOUT : -EAGAIN);
}

static int get(struct queue *queue, void *buffer, size_t capacity, size_t *ret_size, bool block,
	       const struct timespec *deadline)
{
	struct xp_wait_plan plan = {.timeout = xp_datum_none()};
	struct xp_remote_error error;
	const struct xp_datum *args[2];
	const struct xp_datum *item;
	int rc = block ? xp_wait_plan_init(&plan, queue->proxy, deadline) : 0;

	if (rc < 0)
		return rc;
	if (!queue->plain) {
		rc = get_fitting(queue, &plan, block, buffer, capacity, ret_size);
		if (rc != -ENOSYS)
			return rc;
		/* The arena has been used up with the request: make the timeout anew. */
		rc = block ? xp_wait_plan_init(&plan, queue->proxy, deadline) : 0;
		if (rc < 0)
			return rc;
	}
	args[0] = xp_datum_bool(block);
	args[1] = plan.timeout;
	rc = xp_proxy_call(queue->proxy, "get", 2, args, plan.limit, &item, &error);
	if (rc == 0)
		return take_item(item, buffer, capacity, ret_size);
	return queue_error(rc, &error, block ? -ETIMEDOUT : -EAGAIN);
}

static int get_until(void *self, void *buffer, size_t capacity, size_t *ret_size,
		     const struct timespec *deadline)
{
	return get(self, buffer, capacity, ret_size, true, deadline);
}

static int try_get(void *self, void *buffer, size_t capacity, size_t *ret_size)
{
	return get(self, buffer, capacity, ret_size, false, NULL);
}

static int64_t length(void *self)
{
	struct queue *queue = self;
	const struct xp_datum *value;
	int64_t count;
	int rc = xp_proxy_call(queue->proxy, "qsize", 0, NULL, NULL, &value, NULL);

	if (rc == 0 && xp_datum_to_int64(value, &count) < 0)
		rc = -EPROTO;
	return rc < 0 ? rc : count;
}

static int close_queue(void *self)
{
	struct queue *queue = self;
	struct xp_remote_error error;
	int rc = xp_proxy_call(queue->proxy, "shutdown", 0, NULL, NULL, NULL, &error);

	/* Before Python 3.13 a queue cannot be shut down. */
	return rc == -EREMOTEIO && xp_remote_error_is(&error, "RemoteError") ? -ENOTSUP : rc;
}

static int task_done(void *self)
{
	struct queue *queue = self;
	struct xp_remote_error error;
	int rc = xp_proxy_call(queue->proxy, "task_done", 0, NULL, NULL, NULL, &error);

	return rc == -EREMOTEIO && xp_remote_error_is(&error, "ValueError") ? -EOVERFLOW : rc;
}

static int join_until(void *self, const struct timespec *deadline)
{
	struct queue *queue = self;
	struct xp_datum_arena *arena = xp_proxy_arena(queue->proxy);
	struct xp_wait_plan plan;
	struct xp_remote_error error;
	const struct xp_datum *args[1];
	int rc;

	if (!arena)
		return -ENOMEM;
	if (!deadline)
		return xp_proxy_call(queue->proxy, "join", 0, NULL, XP_PROXY_FOREVER, NULL, NULL);
	/* join() of Python has no timeout; ours takes one. */
	rc = xp_wait_plan_init(&plan, queue->proxy, deadline);
	if (rc < 0)
		return rc;
	args[0] = plan.timeout;
	rc = xp_proxy_call(queue->proxy, "join", 1, args, plan.limit, NULL, &error);
	if (rc == -EREMOTEIO && xp_remote_error_is(&error, "TypeError"))
		return -ENOTSUP;
	return queue_error(rc, &error, -ETIMEDOUT);
}

static const struct xp_queue_ops queue_ops = {
    .put_until = put_until,
    .try_put = try_put,
    .get_until = get_until,
    .try_get = try_get,
    .length = length,
    .close = close_queue,
};

static const struct xp_queue_ops joinable_ops = {
    .put_until = put_until,
    .try_put = try_put,
    .get_until = get_until,
    .try_get = try_get,
    .length = length,
    .close = close_queue,
    .task_done = task_done,
    .join_until = join_until,
};

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	bool joinable = impl->kind == XP_KIND_JOINABLE;
	struct xp_datum_arena *arena;
	struct queue *queue;
	const struct xp_datum *args[1];
	int rc;

	if (!place->manager)
		return -ENOTSUP;
	arena = xp_manager_arena(place->manager);
	queue = calloc(1, sizeof(*queue));
	if (!arena || !queue) {
		free(queue);
		return -ENOMEM;
	}
	queue->item_max = params->item_max ? params->item_max : ITEM_MAX_DEFAULT;
	args[0] = xp_datum_uint(arena, params->capacity);
	rc = xp_proxy_create(place->manager, joinable ? "JoinableQueue" : "Queue", 1, args, NULL,
			     &queue->proxy, NULL);
	if (rc < 0) {
		free(queue);
		return rc;
	}
	ret_object->owner = queue;
	ret_object->as.queue =
	    (struct xp_queue){.ops = joinable ? &joinable_ops : &queue_ops, .self = queue};
	return 0;
}

static void drop(struct xp_object *object)
{
	struct queue *queue = object->owner;

	if (!queue)
		return;
	xp_proxy_drop(queue->proxy);
	free(queue);
	object->owner = NULL;
}

#define QUEUE_CAPS                                                                      \
	(XP_CAP_ROBUST | XP_CAP_CLOSE | XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER | \
	 XP_CAP_UNBOUNDED | XP_CAP_DEADLINE)

const struct xp_impl xp_impl_queue_managed = {
    .name = "queue/managed",
    .title = "a Queue in a manager process",
    .kind = XP_KIND_QUEUE,
    .scope = XP_SCOPE_MANAGED,
    .caps = QUEUE_CAPS,
    .make = make,
    .drop = drop,
};

const struct xp_impl xp_impl_joinable_managed = {
    .name = "joinable/managed",
    .title = "a JoinableQueue in a manager process",
    .kind = XP_KIND_JOINABLE,
    .scope = XP_SCOPE_MANAGED,
    .caps = QUEUE_CAPS,
    .make = make,
    .drop = drop,
};
