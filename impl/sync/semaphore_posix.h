/* SPDX-License-Identifier: MIT */
/*
 * semaphore_posix - the semaphore of the C library
 *
 * Overview      semaphore/posix and bounded/posix: sem_t in shared memory, as in multiprocessing.
 * Bound         A second semaphore counts the units that are out, and a post takes one of it first, so
 *               that no two posts at a time pass the bound. A process that dies between the two steps
 *               of a wait or a post takes one unit with it.
 * Death         A process killed within sem_post(), after the unit is in the counter and before the
 *               wake-up, may leave sleepers asleep until the next post: not robust.
 */
#ifndef XPSHARE_SYNC_SEMAPHORE_POSIX_H
#define XPSHARE_SYNC_SEMAPHORE_POSIX_H

#include "xpshare/kind/object.h"

extern const struct xp_impl xp_impl_semaphore_posix;
extern const struct xp_impl xp_impl_bounded_posix;

#endif
