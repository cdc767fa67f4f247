/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/semaphore_eventfd.h"

#include "xpshare/base/io.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The descriptor is non-blocking, so that a unit which another process takes between poll and read
 * cannot make a deadline wait. */
struct counter {
	int fd;
};

static int op_try_wait(void *self)
{
	const struct counter *counter = self;
	uint64_t unit;

	for (;;) {
		if (read(counter->fd, &unit, sizeof(unit)) == (ssize_t)sizeof(unit))
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

static int op_wait_until(void *self, const struct timespec *deadline)
{
	const struct counter *counter = self;

	for (;;) {
		int rc = op_try_wait(self);
		if (rc != -EAGAIN)
			return rc;
		rc = xp_io_wait(counter->fd, POLLIN, deadline);
		if (rc < 0)
			return rc;
	}
}

static int op_post(void *self)
{
	const struct counter *counter = self;
	const uint64_t unit = 1;

	for (;;) {
		if (write(counter->fd, &unit, sizeof(unit)) == (ssize_t)sizeof(unit))
			return 0;
		if (errno != EINTR)
			return errno == EAGAIN ? -EOVERFLOW : -errno;
	}
}

/* Reading takes a unit, and the kernel shows the count nowhere that a program should parse. */
static const struct xp_semaphore_ops ops = {
    .wait_until = op_wait_until, .try_wait = op_try_wait, .post = op_post, .value = NULL};

static int adopt(int fd, struct xp_object *ret_object)
{
	struct counter *counter = malloc(sizeof(*counter));

	if (!counter)
		return -ENOMEM;
	counter->fd = fd;
	*ret_object = (struct xp_object){.impl = &xp_impl_semaphore_eventfd,
					 .as.semaphore = {.ops = &ops, .self = counter},
					 .owner = counter};
	return 0;
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	(void)impl;
	(void)place;
	if (params->strategy == XP_STRATEGY_SPIN)
		return -ENOTSUP;
	int fd = eventfd(params->count, EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	int rc = adopt(fd, ret_object);
	if (rc < 0)
		close(fd);
	return rc;
}

static void drop(struct xp_object *object)
{
	struct counter *counter = object->owner;

	close(counter->fd);
	free(counter);
	*object = (struct xp_object){0};
}

int xp_semaphore_eventfd(const struct xp_semaphore *semaphore)
{
	return ((const struct counter *)semaphore->self)->fd;
}

int xp_semaphore_eventfd_open(int fd, struct xp_object *ret_object)
{
	if (fcntl(fd, F_GETFD) < 0)
		return -errno;
	int rc = xp_io_set_nonblock(fd, 1);
	return rc < 0 ? rc : adopt(fd, ret_object);
}

const struct xp_impl xp_impl_semaphore_eventfd = {
    .name = "semaphore/eventfd",
    .title = "counter in the kernel, behind a descriptor",
    .kind = XP_KIND_SEMAPHORE,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_DESCRIPTOR | XP_CAP_EXEC | XP_CAP_UNTRUSTING,
    .make = make,
    .drop = drop,
};
