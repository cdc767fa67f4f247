/* SPDX-License-Identifier: MIT */
#include "conformance/selftest/faulty.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#define SLOTS_MAX    256
#define ITEM_MAX     4096
#define NOW_AND_THEN 97 /* a defect that shows every time would be too easy to see */

struct slot {
	size_t size;
	bool written;
	unsigned char item[ITEM_MAX];
};

struct queue {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	size_t capacity, item_max;
	uint64_t head, tail; /* items got, items put */
	uint64_t puts, gets;
	struct slot slot[SLOTS_MAX];
};

static bool due(uint64_t count, enum xc_defect defect)
{
	return xc_defect_chosen() == defect && count % NOW_AND_THEN == NOW_AND_THEN - 1;
}

static int wait_for_change(struct queue *queue, const struct timespec *deadline)
{
	return deadline ? -pthread_cond_timedwait(&queue->changed, &queue->mutex, deadline)
			: -pthread_cond_wait(&queue->changed, &queue->mutex);
}

static size_t bound(const struct queue *queue)
{
	return queue->capacity + (xc_defect_chosen() == XC_DEFECT_QUEUE_HAS_NO_BOUND);
}

/* With the mutex held; there is room. */
static void store(struct queue *queue, const void *item, size_t size)
{
	struct slot *slot = &queue->slot[queue->tail % SLOTS_MAX];

	queue->puts++;
	if (due(queue->puts, XC_DEFECT_QUEUE_DROPS))
		return;
	queue->tail++;
	slot->written = false;
	slot->size = size;
	if (xc_defect_chosen() == XC_DEFECT_QUEUE_IGNORES_SEQUENCE) {
		/* The slot is claimed, and written outside the mutex: whoever does not look whether it
		 * is written takes what was there before. */
		pthread_cond_broadcast(&queue->changed);
		pthread_mutex_unlock(&queue->mutex);
		xc_pause_us(1);
		memcpy(slot->item, item, size);
		pthread_mutex_lock(&queue->mutex);
	} else {
		memcpy(slot->item, item, size);
	}
	if (size > 0 && due(queue->puts, XC_DEFECT_QUEUE_CORRUPTS))
		slot->item[size - 1] ^= 1;
	slot->written = true;
}

static int put(struct queue *queue, const void *item, size_t size, bool wait,
	       const struct timespec *deadline)
{
	int rc = 0;

	if (size > queue->item_max)
		return -EMSGSIZE;
	pthread_mutex_lock(&queue->mutex);
	while (queue->tail - queue->head >= bound(queue) && rc == 0)
		rc = wait ? wait_for_change(queue, deadline) : -EAGAIN;
	if (queue->tail - queue->head < bound(queue)) {
		rc = 0;
		store(queue, item, size);
		pthread_cond_broadcast(&queue->changed);
	}
	pthread_mutex_unlock(&queue->mutex);
	return rc;
}

/* With the mutex held; there is an item. */
static int take(struct queue *queue, void *buffer, size_t capacity, size_t *ret_size)
{
	struct slot *oldest = &queue->slot[queue->head % SLOTS_MAX];

	*ret_size = oldest->size;
	if (oldest->size > capacity)
		return -EMSGSIZE;
	queue->gets++;
	if (due(queue->gets, XC_DEFECT_QUEUE_REORDERS) && queue->tail - queue->head > 1) {
		struct slot *newest = &queue->slot[(queue->tail - 1) % SLOTS_MAX];
		struct slot swap = *oldest;
		*oldest = *newest;
		*newest = swap;
		*ret_size = oldest->size;
	}
	memcpy(buffer, oldest->item, oldest->size);
	if (!due(queue->gets, XC_DEFECT_QUEUE_DUPLICATES))
		queue->head++;
	pthread_cond_broadcast(&queue->changed);
	return 0;
}

static int get(struct queue *queue, void *buffer, size_t capacity, size_t *ret_size, bool wait,
	       const struct timespec *deadline)
{
	int rc = 0;

	pthread_mutex_lock(&queue->mutex);
	while (queue->tail == queue->head && rc == 0)
		rc = wait ? wait_for_change(queue, deadline) : -EAGAIN;
	if (queue->tail != queue->head)
		rc = take(queue, buffer, capacity, ret_size);
	pthread_mutex_unlock(&queue->mutex);
	return rc;
}

static int put_until(void *self, const void *item, size_t size, const struct timespec *deadline)
{
	return put(self, item, size, true, deadline);
}

static int try_put(void *self, const void *item, size_t size)
{
	return put(self, item, size, false, NULL);
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

	pthread_mutex_lock(&queue->mutex);
	int64_t items = (int64_t)(queue->tail - queue->head);
	pthread_mutex_unlock(&queue->mutex);
	return items;
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	static const struct xp_queue_ops ops = {.put_until = put_until,
						.try_put = try_put,
						.get_until = get_until,
						.try_get = try_get,
						.length = length};
	pthread_mutexattr_t mutex;
	pthread_condattr_t condition;

	(void)impl;
	(void)place;
	void *page = mmap(NULL, sizeof(struct queue), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return -ENOMEM;
	struct queue *queue = page;
	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&queue->mutex, &mutex);
	pthread_mutexattr_destroy(&mutex);
	pthread_condattr_init(&condition);
	pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
	pthread_condattr_setclock(&condition, CLOCK_MONOTONIC);
	pthread_cond_init(&queue->changed, &condition);
	pthread_condattr_destroy(&condition);
	queue->capacity = params->capacity ? params->capacity : 64;
	queue->item_max = params->item_max ? params->item_max : ITEM_MAX;
	ret_object->owner = queue;
	ret_object->as.queue = (struct xp_queue){&ops, queue};
	return 0;
}

static void drop(struct xp_object *object)
{
	munmap(object->owner, sizeof(struct queue));
}

const struct xp_impl xc_faulty_queue = {
    .name = "queue/faulty",
    .title = "a ring under a mutex",
    .kind = XP_KIND_QUEUE,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER,
    .make = make,
    .drop = drop,
};
