/* SPDX-License-Identifier: MIT */
/*
 * rlock_futex - a recursive lock on one futex word
 *
 * Overview      rlock/futex: lock_futex.h with a count. Owned by one thread of one process, which
 *               may acquire it again and has to release it as often; a release by anybody else is
 *               -EPERM.
 * Memory        A struct xp_lock_futex; the count is its @count, written by the owner alone.
 * Why it is correct
 *               Whether the caller is the owner is known from its private list of held locks, so
 *               nothing in shared memory can pretend it.
 * Death         Of the owner, at any depth: the next acquire is -EOWNERDEAD, at depth 1.
 */
#ifndef XPSHARE_SYNC_RLOCK_FUTEX_H
#define XPSHARE_SYNC_RLOCK_FUTEX_H

#include "xpshare/sync/lock_futex.h"

/** xp_rlock_futex_acquire_until() - As xp_lock_futex_acquire_until(); -EOVERFLOW after 2^32 - 1. */
XP_MUST_CHECK static inline int xp_rlock_futex_acquire_until(struct xp_lock_futex *lock,
							     struct xp_wait *how,
							     const struct timespec *deadline)
{
	if (xp_lock_futex_held(lock)) {
		uint32_t count = atomic_load_explicit(&lock->count, memory_order_relaxed);
		if (count == UINT32_MAX)
			return -EOVERFLOW;
		atomic_store_explicit(&lock->count, count + 1, memory_order_relaxed);
		return 0;
	}

	int rc = xp_lock_futex_acquire_until(lock, how, deadline);
	if (rc == 0 || rc == -EOWNERDEAD)
		atomic_store_explicit(&lock->count, 1, memory_order_relaxed);
	return rc;
}

/** xp_rlock_futex_release() - One level; at the last one as xp_lock_futex_release(). */
static inline int xp_rlock_futex_release(struct xp_lock_futex *lock)
{
	if (!xp_lock_futex_held(lock))
		return -EPERM;

	uint32_t count = atomic_load_explicit(&lock->count, memory_order_relaxed);
	if (count > 1) {
		atomic_store_explicit(&lock->count, count - 1, memory_order_relaxed);
		return 0;
	}
	return xp_lock_futex_release(lock);
}

/** xp_rlock_futex_try_acquire() - As xp_lock_futex_try_acquire(); the owner goes one level deeper. */
XP_MUST_CHECK int xp_rlock_futex_try_acquire(struct xp_lock_futex *lock);

/** xp_rlock_futex_ops - Operations on a struct xp_sync_ref whose @shared begins with a lock. */
extern const struct xp_lock_ops xp_rlock_futex_ops;

extern const struct xp_impl xp_impl_rlock_futex;

#endif
