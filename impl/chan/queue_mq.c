/* SPDX-License-Identifier: MIT */
#include "xpshare/chan/queue_mq.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/*
 * @spare:  item_max bytes, for an item that may be larger than the caller's buffer.
 * @kept:   Bytes of an item in @spare that did not fit, -1 for none.
 * @keeper: The process that keeps it; a child forked since has a copy, which is not its own.
 * @mutex:  Guards the three among the threads of this process.
 */
struct queue_mq {
	mqd_t mq;
	size_t item_max;
	pthread_mutex_t mutex;
	_Atomic ssize_t kept;
	pid_t keeper;
	char spare[];
};

static int try_put(void *self, const void *item, size_t size)
{
	struct queue_mq *queue = self;

	if (size > queue->item_max)
		return -EMSGSIZE;
	while (mq_send(queue->mq, item, size, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int put_until(void *self, const void *item, size_t size, const struct timespec *deadline)
{
	struct queue_mq *queue = self;

	for (;;) {
		int rc = try_put(queue, item, size);
		if (rc == -EAGAIN)
			rc = xp_io_wait((int)queue->mq, POLLOUT, deadline);
		else
			return rc;
		if (rc < 0)
			return rc;
	}
}

static ssize_t receive(struct queue_mq *queue, void *buffer, size_t capacity)
{
	for (;;) {
		ssize_t n = mq_receive(queue->mq, buffer, capacity, NULL);
		if (n >= 0 || errno != EINTR)
			return n >= 0 ? n : -errno;
	}
}

/* Through @spare, since the kernel fills only buffers that take the largest item. */
static int get_small(struct queue_mq *queue, void *buffer, size_t capacity, size_t *ret_size)
{
	int rc = 0;

	pthread_mutex_lock(&queue->mutex);
	if (queue->kept >= 0 && queue->keeper != getpid())
		queue->kept = -1;
	if (queue->kept < 0) {
		ssize_t n = receive(queue, queue->spare, queue->item_max);
		if (n < 0)
			rc = (int)n;
		else
			queue->kept = n;
		queue->keeper = getpid();
	}
	if (rc == 0) {
		*ret_size = (size_t)queue->kept;
		if (*ret_size > capacity) {
			rc = -EMSGSIZE;
		} else {
			memcpy(buffer, queue->spare, *ret_size);
			queue->kept = -1;
		}
	}
	pthread_mutex_unlock(&queue->mutex);
	return rc;
}

static int try_get(void *self, void *buffer, size_t capacity, size_t *ret_size)
{
	struct queue_mq *queue = self;

	if (capacity < queue->item_max ||
	    atomic_load_explicit(&queue->kept, memory_order_relaxed) >= 0)
		return get_small(queue, buffer, capacity, ret_size);
	ssize_t n = receive(queue, buffer, capacity);
	if (n < 0)
		return (int)n;
	*ret_size = (size_t)n;
	return 0;
}

static int get_until(void *self, void *buffer, size_t capacity, size_t *ret_size,
		     const struct timespec *deadline)
{
	struct queue_mq *queue = self;

	for (;;) {
		int rc = try_get(queue, buffer, capacity, ret_size);
		if (rc == -EAGAIN)
			rc = xp_io_wait((int)queue->mq, POLLIN, deadline);
		else
			return rc;
		if (rc < 0)
			return rc;
	}
}

static int64_t length(void *self)
{
	struct queue_mq *queue = self;
	struct mq_attr attr;

	if (mq_getattr(queue->mq, &attr) < 0)
		return -errno;
	return attr.mq_curmsgs + (atomic_load_explicit(&queue->kept, memory_order_relaxed) >= 0);
}

static const struct xp_queue_ops ops = {
    .put_until = put_until,
    .try_put = try_put,
    .get_until = get_until,
    .try_get = try_get,
    .length = length,
};

/* Under a random name, which is gone when this returns. */
static int open_unnamed(const struct mq_attr *attr, mqd_t *ret_mq)
{
	char name[48];
	uint64_t random;

	for (;;) {
		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return -errno;
		snprintf(name, sizeof(name), "/xpshare-%d-%016llx", (int)getpid(),
			 (unsigned long long)random);
		mqd_t mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC, 0600,
				   (struct mq_attr *)(uintptr_t)attr);
		if (mq != (mqd_t)-1) {
			mq_unlink(name);
			*ret_mq = mq;
			return 0;
		}
		/* EINVAL is how the kernel says that a limit is exceeded. */
		if (errno != EEXIST)
			return errno == EINVAL ? -ENOTSUP : -errno;
	}
}

static void drop(struct xp_object *object)
{
	struct queue_mq *queue = object->owner;

	mq_close(queue->mq);
	pthread_mutex_destroy(&queue->mutex);
	free(queue);
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	size_t capacity = params->capacity ? params->capacity : XP_QUEUE_MQ_CAPACITY;
	size_t item_max = params->item_max ? params->item_max : XP_QUEUE_MQ_ITEM_MAX;
	struct mq_attr attr = {.mq_maxmsg = (long)capacity, .mq_msgsize = (long)item_max};

	(void)impl;
	(void)place;
	if (capacity > INT32_MAX || item_max > INT32_MAX)
		return -ENOTSUP;
	/* It can only wait in the kernel. */
	if (params->strategy == XP_STRATEGY_SPIN)
		return -ENOTSUP;
	struct queue_mq *queue = malloc(sizeof(*queue) + item_max);
	if (!queue)
		return -ENOMEM;
	queue->item_max = item_max;
	atomic_init(&queue->kept, -1);
	int rc = open_unnamed(&attr, &queue->mq);
	if (rc < 0) {
		free(queue);
		return rc;
	}
	pthread_mutex_init(&queue->mutex, NULL);
	ret_object->as.queue = (struct xp_queue){&ops, queue};
	ret_object->owner = queue;
	return 0;
}

const struct xp_impl xp_impl_queue_mq = {
    .name = "queue/mq",
    .title = "POSIX message queue",
    .kind = XP_KIND_QUEUE,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER | XP_CAP_EXEC |
	    XP_CAP_DEADLINE | XP_CAP_UNTRUSTING,
    .make = make,
    .drop = drop,
};
