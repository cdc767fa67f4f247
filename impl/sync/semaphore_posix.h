/* SPDX-License-Identifier: MIT */
/*
 * semaphore_posix - the semaphore of the C library
 *
 * Overview      semaphore/posix and bounded/posix: sem_t in shared memory, as in multiprocessing.
 * Errors        The limit of the bounded form is checked by reading the counter first, as CPython
 *               does: of two posts at the same moment both may pass at one below the limit.
 * Death         A process killed within sem_post(), after the unit is in the counter and before the
 *               wake-up, may leave sleepers asleep until the next post: not robust.
 */
#ifndef XPSHARE_SYNC_SEMAPHORE_POSIX_H
#define XPSHARE_SYNC_SEMAPHORE_POSIX_H

#include "xpshare/kind/object.h"

extern const struct xp_impl xp_impl_semaphore_posix;
extern const struct xp_impl xp_impl_bounded_posix;

#endif
