/* SPDX-License-Identifier: MIT */
/*
 * condition - wait until another process says that something changed: the contract
 *
 * Overview      A condition has its own recursive lock (Python's default). wait releases it
 *               completely, waits for a signal, and takes it again before it returns, after a
 *               timeout too. signal wakes up to n waiters in the order of their waits, broadcast
 *               all of them.
 * Errors        -EPERM for wait, signal or broadcast by a caller that does not hold the lock.
 * Death         Of a waiter: a signal sent later goes to a living waiter. Of the holder of the
 *               lock: acquire and wait return -EOWNERDEAD with the lock held.
 */
#ifndef XPSHARE_KIND_CONDITION_H
#define XPSHARE_KIND_CONDITION_H

#include "xpshare/base/err.h"
#include "xpshare/kind/lock.h"

#include <stdint.h>

/**
 * struct xp_condition_ops - What every implementation of a condition provides.
 * @wait_until: 0 when signalled; -ETIMEDOUT; -EPERM; -EOWNERDEAD (held). No spurious wake-ups.
 * @signal:     Wake up to @count waiters. 0; -EPERM.
 */
struct xp_condition_ops {
	int (*wait_until)(void *self, const struct timespec *deadline);
	int (*signal)(void *self, uint32_t count);
};

struct xp_condition {
	const struct xp_condition_ops *ops;
	void *self;
	struct xp_lock lock;
};

XP_MUST_CHECK static inline int xp_condition_wait_until(const struct xp_condition *condition,
							const struct timespec *deadline)
{
	return condition->ops->wait_until(condition->self, deadline);
}

XP_MUST_CHECK static inline int xp_condition_wait(const struct xp_condition *condition)
{
	return condition->ops->wait_until(condition->self, NULL);
}

/**
 * xp_condition_wait_for() - Wait until @predicate(@arg) is true (Python's wait_for).
 *
 * The predicate is called with the lock held. Return: 0 with the predicate true; -ETIMEDOUT with it
 * false; -EPERM; -EOWNERDEAD. The lock is held in every case but -EPERM.
 */
XP_MUST_CHECK static inline int xp_condition_wait_for(const struct xp_condition *condition,
						      int (*predicate)(void *arg), void *arg,
						      const struct timespec *deadline)
{
	while (!predicate(arg)) {
		int rc = condition->ops->wait_until(condition->self, deadline);
		if (rc == -ETIMEDOUT)
			return predicate(arg) ? 0 : rc;
		if (rc < 0)
			return rc;
	}
	return 0;
}

XP_MUST_CHECK static inline int xp_condition_signal(const struct xp_condition *condition,
						    uint32_t count)
{
	return condition->ops->signal(condition->self, count);
}

XP_MUST_CHECK static inline int xp_condition_broadcast(const struct xp_condition *condition)
{
	return condition->ops->signal(condition->self, UINT32_MAX);
}

#endif
