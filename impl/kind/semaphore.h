/* SPDX-License-Identifier: MIT */
/*
 * semaphore - a counter that is never below zero: the contract
 *
 * Overview      wait takes one unit, post gives one back. A bounded semaphore (XP_KIND_BOUNDED)
 *               refuses a post beyond its initial value with -EOVERFLOW. It has no owner: a unit
 *               that a dead process held stays taken, as in POSIX and Python.
 * Death         Of a waiter: it takes no unit with it. Of a process within post or wait: the
 *               counter is either before or after the operation, and the others go on.
 */
#ifndef XPSHARE_KIND_SEMAPHORE_H
#define XPSHARE_KIND_SEMAPHORE_H

#include "xpshare/base/err.h"

#include <stdint.h>
#include <time.h>

/**
 * struct xp_semaphore_ops - What every implementation of a semaphore provides.
 * @wait_until: 0; -ETIMEDOUT.        @try_wait: 0; -EAGAIN.
 * @post:       0; -EOVERFLOW.        @value: the counter at some moment during the call; -ENOTSUP.
 */
struct xp_semaphore_ops {
	int (*wait_until)(void *self, const struct timespec *deadline);
	int (*try_wait)(void *self);
	int (*post)(void *self);
	int64_t (*value)(void *self);
};

struct xp_semaphore {
	const struct xp_semaphore_ops *ops;
	void *self;
};

XP_MUST_CHECK static inline int xp_semaphore_wait_until(const struct xp_semaphore *semaphore,
							const struct timespec *deadline)
{
	return semaphore->ops->wait_until(semaphore->self, deadline);
}

XP_MUST_CHECK static inline int xp_semaphore_wait(const struct xp_semaphore *semaphore)
{
	return semaphore->ops->wait_until(semaphore->self, NULL);
}

XP_MUST_CHECK static inline int xp_semaphore_try_wait(const struct xp_semaphore *semaphore)
{
	return semaphore->ops->try_wait(semaphore->self);
}

XP_MUST_CHECK static inline int xp_semaphore_post(const struct xp_semaphore *semaphore)
{
	return semaphore->ops->post(semaphore->self);
}

XP_MUST_CHECK static inline int64_t xp_semaphore_value(const struct xp_semaphore *semaphore)
{
	return semaphore->ops->value ? semaphore->ops->value(semaphore->self) : -ENOTSUP;
}

#endif
