/* SPDX-License-Identifier: MIT */
/*
 * event_pthread - a flag under a mutex and a condition variable of the C library
 *
 * Overview      event/pthread: what POSIX offers, and what our own event is measured against. A robust
 *               process-shared mutex, a pthread_cond_t, the flag, and a count of the sets, so that a
 *               waiter notices a set that was cleared before it ran.
 * Memory        struct in shared memory.
 * Why it is correct
 *               Flag and count change under the mutex, and a waiter looks at both under it before it
 *               sleeps and after. is_set reads the flag without it.
 * Death         Of a holder of the mutex: the next to take it goes on, the flag is up or down. Of a
 *               waiter: the condition variable counts on it to leave, and a later set may wait for it
 *               for ever: not robust.
 */
#ifndef XPSHARE_SYNC_EVENT_PTHREAD_H
#define XPSHARE_SYNC_EVENT_PTHREAD_H

#include "xpshare/kind/object.h"

extern const struct xp_impl xp_impl_event_pthread;

#endif
