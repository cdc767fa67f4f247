/* SPDX-License-Identifier: MIT */
/*
 * lock - mutual exclusion between processes: the contract
 *
 * Overview      A lock is free or held. A plain lock (XP_KIND_LOCK) has no owner in the sense of
 *               Python's documentation: any process may release it. A recursive lock
 *               (XP_KIND_RLOCK) is owned by one thread of one process, counts its acquisitions, and
 *               only its owner may release it.
 * Use           parent: xp_object_make(), fork.
 *               child: acquire, work, release.
 * Memory        struct xp_lock is a handle of this process, copied by fork; the state behind @self
 *               is in shared memory or in the manager.
 * States        FREE -> HELD [acquire], HELD -> FREE [release], HELD -> OWNER_DEAD [death],
 *               OWNER_DEAD -> HELD [acquire: -EOWNERDEAD].
 * Death         Where the implementation has XP_CAP_ROBUST, the next acquire after the holder's
 *               death returns -EOWNERDEAD *and holds the lock*: the caller repairs what the lock
 *               protects and releases. Managed plain locks have no owner and stay held (SPEC X3).
 */
#ifndef XPSHARE_KIND_LOCK_H
#define XPSHARE_KIND_LOCK_H

#include "xpshare/base/err.h"

#include <time.h>

/**
 * struct xp_lock_ops - What every implementation of a lock provides.
 * @acquire_until: Take the lock or give up at the deadline (NULL: wait for ever). 0; -EOWNERDEAD
 *                 (held); -ETIMEDOUT; -ENOTRECOVERABLE; -EDEADLK where a holder that calls again
 *                 can be told; managed: -ECONNRESET.
 * @try_acquire:   Take it only if that needs no waiting. 0, -EOWNERDEAD (held), -EBUSY.
 * @release:       0; -EPERM for a lock that is not held, or not by the caller where it has an
 *                 owner.
 */
struct xp_lock_ops {
	int (*acquire_until)(void *self, const struct timespec *deadline);
	int (*try_acquire)(void *self);
	int (*release)(void *self);
};

struct xp_lock {
	const struct xp_lock_ops *ops;
	void *self;
};

/** xp_lock_acquire_until() - Acquire, or give up at @deadline. Success is an acquire operation. */
XP_MUST_CHECK static inline int xp_lock_acquire_until(const struct xp_lock *lock,
						      const struct timespec *deadline)
{
	return lock->ops->acquire_until(lock->self, deadline);
}

/** xp_lock_acquire() - Acquire, waiting for ever. */
XP_MUST_CHECK static inline int xp_lock_acquire(const struct xp_lock *lock)
{
	return lock->ops->acquire_until(lock->self, NULL);
}

/** xp_lock_try_acquire() - Acquire if that needs no waiting; -EBUSY otherwise. */
XP_MUST_CHECK static inline int xp_lock_try_acquire(const struct xp_lock *lock)
{
	return lock->ops->try_acquire(lock->self);
}

/** xp_lock_release() - Give it back: a release operation, pairs with every successful acquire. */
static inline int xp_lock_release(const struct xp_lock *lock)
{
	return lock->ops->release(lock->self);
}

#endif
