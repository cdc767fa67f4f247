/* SPDX-License-Identifier: MIT */
/*
 * barrier_pthread - a barrier of a mutex and a condition variable of the C library
 *
 * Overview      barrier/pthread: the algorithm of Python's threading.Barrier. pthread_barrier_t itself
 *               has no deadline, no abort and no reset.
 * States        FILLING -> DRAINING [last arrival], DRAINING -> FILLING [last departure],
 *               any -> BROKEN [deadline, abort, action fails], FILLING or DRAINING -> RESETTING [reset
 *               with waiters], RESETTING -> FILLING [last departure], BROKEN -> FILLING [reset].
 * Death         Of a process that holds the mutex: the barrier is broken. Of a waiter: it stays
 *               counted, and the others wait for it: not robust.
 */
#ifndef XPSHARE_SYNC_BARRIER_PTHREAD_H
#define XPSHARE_SYNC_BARRIER_PTHREAD_H

#include "xpshare/kind/object.h"

extern const struct xp_impl xp_impl_barrier_pthread;

#endif
