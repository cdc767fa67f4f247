/* SPDX-License-Identifier: MIT */
/*
 * lock_pthread - a robust process-shared mutex of the C library
 *
 * Overview      lock/pthread: what POSIX offers, and what our own locks are measured against.
 *               PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_ROBUST, error-checking, so that a holder that
 *               calls again is told and does not wait for itself. rlock/pthread: the same, but
 *               PTHREAD_MUTEX_RECURSIVE, whose holder goes one level deeper.
 * Death         Of a holder: -EOWNERDEAD for the next, who holds it (at depth one). The mutex is made consistent at
 *               once; what it protects is the caller's to repair.
 * Trust         While it is held, a mutex contains pointers that its owner follows: garbage that a
 *               peer writes over it can crash the owner. Not so lock/futex.
 */
#ifndef XPSHARE_SYNC_LOCK_PTHREAD_H
#define XPSHARE_SYNC_LOCK_PTHREAD_H

#include "xpshare/kind/object.h"

#include <pthread.h>

/** xp_mutex_init() - A process-shared robust mutex; @type is a PTHREAD_MUTEX_ one. Return: 0 or -errno. */
XP_MUST_CHECK int xp_mutex_init(pthread_mutex_t *mutex, int type);

/** xp_cond_init() - A process-shared condition variable. Return: 0 or -errno. */
XP_MUST_CHECK int xp_cond_init(pthread_cond_t *cond);

/** xp_mutex_acquire_until() - Return: 0; -EOWNERDEAD (held, consistent); -ETIMEDOUT; -EDEADLK;
 *  -EOVERFLOW (recursive, as deep as it goes). */
XP_MUST_CHECK int xp_mutex_acquire_until(pthread_mutex_t *mutex, const struct timespec *deadline);

extern const struct xp_impl xp_impl_lock_pthread;
extern const struct xp_impl xp_impl_rlock_pthread;

#endif
