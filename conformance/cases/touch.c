/* SPDX-License-Identifier: MIT */
#include "conformance/cases/touch.h"

#include <string.h>

enum { RECEIVER = 0, SENDER = 1 };

static int nothing(const struct xp_object *object)
{
	(void)object;
	return 0;
}

static int seen(int rc, int expected)
{
	return rc == expected ? 0 : rc ? rc : -ENODATA;
}

static int value_store(const struct xp_object *object)
{
	int64_t number = 77;

	return xp_value_store(&object->as.value, &number);
}

static int value_loads(const struct xp_object *object)
{
	int64_t number = 0;
	int rc = xp_value_load(&object->as.value, &number);

	return rc ? rc : seen(number == 77, 1);
}

static int array_set(const struct xp_object *object)
{
	int64_t number = 77;

	return xp_array_set(&object->as.array, 1, &number);
}

static int array_gets(const struct xp_object *object)
{
	int64_t number = 0;
	int rc = xp_array_get(&object->as.array, 1, &number);

	return rc ? rc : seen(number == 77, 1);
}

static int lock_acquire(const struct xp_object *object)
{
	return xp_lock_acquire(&object->as.lock);
}

static int lock_is_held(const struct xp_object *object)
{
	return seen(xp_lock_try_acquire(&object->as.lock), -EBUSY);
}

static int lock_release(const struct xp_object *object)
{
	return xp_lock_release(&object->as.lock);
}

static int hold_again(const struct xp_lock *lock)
{
	struct timespec by = xc_patience();
	int rc = xp_lock_acquire_until(lock, &by);

	return rc && rc != -EOWNERDEAD ? rc : xp_lock_release(lock);
}

static int lock_survives(const struct xp_object *object)
{
	return hold_again(&object->as.lock);
}

static int semaphore_wait(const struct xp_object *object)
{
	return xp_semaphore_wait(&object->as.semaphore);
}

static int semaphore_is_empty(const struct xp_object *object)
{
	return seen(xp_semaphore_try_wait(&object->as.semaphore), -EAGAIN);
}

static int semaphore_post(const struct xp_object *object)
{
	return xp_semaphore_post(&object->as.semaphore);
}

/* A dead holder's unit stays taken, so another one is posted. */
static int semaphore_survives(const struct xp_object *object)
{
	struct timespec by = xc_patience();
	int rc = xp_semaphore_post(&object->as.semaphore);

	return rc ? rc : xp_semaphore_wait_until(&object->as.semaphore, &by);
}

static int condition_acquire(const struct xp_object *object)
{
	return xp_lock_acquire(&object->as.condition.lock);
}

static int condition_is_held(const struct xp_object *object)
{
	return seen(xp_lock_try_acquire(&object->as.condition.lock), -EBUSY);
}

static int condition_release(const struct xp_object *object)
{
	return xp_lock_release(&object->as.condition.lock);
}

static int condition_survives(const struct xp_object *object)
{
	return hold_again(&object->as.condition.lock);
}

static int event_set(const struct xp_object *object)
{
	return xp_event_set(&object->as.event);
}

static int event_is_set(const struct xp_object *object)
{
	return seen(xp_event_is_set(&object->as.event), 1);
}

static int event_survives(const struct xp_object *object)
{
	struct timespec by = xc_patience();
	int rc = xp_event_clear(&object->as.event);

	if (rc == 0)
		rc = xp_event_set(&object->as.event);
	return rc ? rc : xp_event_wait_until(&object->as.event, &by);
}

static int barrier_abort(const struct xp_object *object)
{
	return xp_barrier_abort(&object->as.barrier);
}

static int barrier_is_broken(const struct xp_object *object)
{
	return seen(xp_barrier_broken(&object->as.barrier), 1);
}

static int barrier_survives(const struct xp_object *object)
{
	return xp_barrier_reset(&object->as.barrier);
}

static int pipe_send(const struct xp_object *object)
{
	return xp_pipe_send_until(&object->as.pipe, SENDER, "77", 2, NULL);
}

static int pipe_receives(const struct xp_object *object)
{
	char buffer[8];
	size_t size = 0;
	struct timespec by = xc_patience();
	int rc = xp_pipe_recv_until(&object->as.pipe, RECEIVER, buffer, 8, &size, &by);

	return rc ? rc : seen(size == 2 && memcmp(buffer, "77", 2) == 0, 1);
}

static int queue_put(const struct xp_object *object)
{
	return xp_queue_put(&object->as.queue, "77", 2);
}

static int queue_gets(const struct xp_object *object)
{
	char buffer[8];
	size_t size = 0;
	struct timespec by = xc_patience();
	int rc = xp_queue_get_until(&object->as.queue, buffer, 8, &size, &by);

	return rc ? rc : seen(size == 2 && memcmp(buffer, "77", 2) == 0, 1);
}

static int pipe_survives(const struct xp_object *object)
{
	int rc = pipe_receives(object);

	if (rc == 0)
		rc = pipe_send(object);
	return rc ? rc : pipe_receives(object);
}

static int queue_survives(const struct xp_object *object)
{
	int rc = queue_gets(object);

	if (rc == 0)
		rc = queue_put(object);
	return rc ? rc : queue_gets(object);
}

#define LOCK_TOUCH                                                           \
	{                                                                    \
		{0}, lock_acquire, lock_is_held, lock_release, lock_survives \
	}
#define SEMAPHORE_TOUCH                                                           \
	{                                                                         \
		{.count = 1}, semaphore_wait, semaphore_is_empty, semaphore_post, \
		    semaphore_survives                                            \
	}
#define QUEUE_TOUCH                                                                            \
	{                                                                                      \
		{.capacity = 4, .item_max = 8}, queue_put, queue_gets, nothing, queue_survives \
	}

const struct xc_touch xc_touches[XP_KIND_COUNT] = {
    [XP_KIND_VALUE] = {{.type = XP_TYPE_LLONG}, value_store, value_loads, nothing, value_loads},
    [XP_KIND_ARRAY] =
	{{.type = XP_TYPE_LLONG, .length = 3}, array_set, array_gets, nothing, array_gets},
    [XP_KIND_PIPE] = {{.simplex = true}, pipe_send, pipe_receives, nothing, pipe_survives},
    [XP_KIND_QUEUE] = QUEUE_TOUCH,
    [XP_KIND_JOINABLE] = QUEUE_TOUCH,
    [XP_KIND_LOCK] = LOCK_TOUCH,
    [XP_KIND_RLOCK] = LOCK_TOUCH,
    [XP_KIND_SEMAPHORE] = SEMAPHORE_TOUCH,
    [XP_KIND_BOUNDED] = SEMAPHORE_TOUCH,
    [XP_KIND_CONDITION] =
	{{0}, condition_acquire, condition_is_held, condition_release, condition_survives},
    [XP_KIND_EVENT] = {{0}, event_set, event_is_set, nothing, event_survives},
    [XP_KIND_BARRIER] = {{.count = 2}, barrier_abort, barrier_is_broken, nothing, barrier_survives},
};
