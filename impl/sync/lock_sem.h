/* SPDX-License-Identifier: MIT */
/*
 * lock_sem - a lock made of a POSIX semaphore, as CPython's multiprocessing.Lock is
 *
 * Overview      lock/sem: no owner, so any process may release it, and not robust: when a holder
 *               dies the lock stays held for ever (until the deadline of whoever waits). It is here
 *               because it is what multiprocessing uses.
 * Errors        The release of a free lock is -EPERM. As in CPython that is found by reading the
 *               counter first: of two releases of one acquire at the same moment both may pass, and
 *               the lock then lets two in.
 */
#ifndef XPSHARE_SYNC_LOCK_SEM_H
#define XPSHARE_SYNC_LOCK_SEM_H

#include "xpshare/kind/object.h"

#include <semaphore.h>

/** xp_sem_wait_until() - Take one unit. Return: 0; -ETIMEDOUT; -EINVAL. Interruptions absorbed. */
XP_MUST_CHECK int xp_sem_wait_until(sem_t *semaphore, const struct timespec *deadline);

extern const struct xp_impl xp_impl_lock_sem;

#endif
