/* SPDX-License-Identifier: MIT */
/*
 * condition_pthread - mutex and condition variables of the C library
 *
 * Overview      condition/pthread: a robust error-checking mutex with a count, and a place with its
 *               own pthread_cond_t for each waiter. A single pthread_cond_t could neither serve its
 *               waiters in turn nor promise that no wait returns without a signal.
 * Memory        struct in shared memory with XP_CONDITION_PTHREAD_WAITERS_MAX places.
 * Death         Of the holder of the lock: -EOWNERDEAD for the next. Of a waiter: its place is lost,
 *               and a signal that goes to it is lost with it: not robust.
 */
#ifndef XPSHARE_SYNC_CONDITION_PTHREAD_H
#define XPSHARE_SYNC_CONDITION_PTHREAD_H

#include "xpshare/kind/object.h"

/* Processes that can wait at a time; the next one's wait is -EOVERFLOW. */
#define XP_CONDITION_PTHREAD_WAITERS_MAX 128u

extern const struct xp_impl xp_impl_condition_pthread;

#endif
