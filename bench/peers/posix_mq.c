/* SPDX-License-Identifier: MIT */
/* peer: a POSIX message queue, the kernel's own. */
#include "xpshare/kind/object.h"

#include <fcntl.h>
#include <mqueue.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static mqd_t queue_of(void *self)
{
	return (mqd_t)(intptr_t)self - 1;
}

static int put_until(void *self, const void *item, size_t size, const struct timespec *deadline)
{
	(void)deadline; /* the workloads wait for ever */
	while (mq_send(queue_of(self), item, size, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int get_until(void *self, void *buffer, size_t capacity, size_t *ret_size,
		     const struct timespec *deadline)
{
	ssize_t n;

	(void)deadline;
	while ((n = mq_receive(queue_of(self), buffer, capacity, NULL)) < 0)
		if (errno != EINTR)
			return -errno;
	*ret_size = (size_t)n;
	return 0;
}

static int try_put(void *self, const void *item, size_t size)
{
	static const struct timespec past;

	if (mq_timedsend(queue_of(self), item, size, 0, &past) == 0)
		return 0;
	return errno == ETIMEDOUT ? -EAGAIN : -errno;
}

static int try_get(void *self, void *buffer, size_t capacity, size_t *ret_size)
{
	static const struct timespec past;
	ssize_t n = mq_timedreceive(queue_of(self), buffer, capacity, NULL, &past);

	if (n < 0)
		return errno == ETIMEDOUT ? -EAGAIN : -errno;
	*ret_size = (size_t)n;
	return 0;
}

static int64_t length(void *self)
{
	struct mq_attr attr;

	return mq_getattr(queue_of(self), &attr) < 0 ? -errno : attr.mq_curmsgs;
}

static const struct xp_queue_ops ops = {
    .put_until = put_until,
    .try_put = try_put,
    .get_until = get_until,
    .try_get = try_get,
    .length = length,
};

/* As long a queue as the system allows (fs.mqueue.msg_max), up to what is asked for. */
static mqd_t open_longest(const char *name, long capacity, long item_max)
{
	mqd_t queue = -1;

	for (; capacity > 0; capacity /= 2) {
		struct mq_attr attr = {.mq_maxmsg = capacity, .mq_msgsize = item_max};
		queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
		if (queue >= 0 || (errno != EINVAL && errno != EMFILE))
			break;
	}
	return queue;
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	static unsigned serial;
	char name[64];

	(void)impl;
	(void)place;
	if (params->strategy == XP_STRATEGY_SPIN)
		return -ENOTSUP;
	snprintf(name, sizeof(name), "/xpbench-%d-%u", (int)getpid(), serial++);
	mqd_t queue = open_longest(name, (long)params->capacity, (long)params->item_max);
	if (queue < 0)
		return errno == EINVAL || errno == EMFILE ? -ENOTSUP : -errno;
	/* The name is gone at once: inherited descriptors are all that is needed. */
	mq_unlink(name);
	void *self = (void *)(intptr_t)(queue + 1);
	*ret_object = (struct xp_object){.as.queue = {&ops, self}, .owner = self};
	return 0;
}

static void drop(struct xp_object *object)
{
	mq_close(queue_of(object->owner));
}

const struct xp_impl xb_peer_posix_mq = {
    .name = "queue/posix_mq",
    .title = "POSIX message queue, as long as the system allows",
    .kind = XP_KIND_QUEUE,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER,
    .make = make,
    .drop = drop,
};
