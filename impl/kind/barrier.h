/* SPDX-License-Identifier: MIT */
/*
 * barrier - a number of parties that go on together: the contract
 *
 * Overview      wait blocks until all parties have arrived. Exactly one of them, the last to
 *               arrive, gets XP_BARRIER_SERIAL (POSIX) and runs the action, if there is one, before
 *               the others are let go. A timeout, abort, a failing action or the death of a waiter
 *               breaks the barrier: all waiters, and every later wait until reset, get -ECANCELED.
 * States        FILLING -> DRAINING [last arrival], DRAINING -> FILLING [last departure], any ->
 *               BROKEN [timeout, abort, death], BROKEN -> FILLING [reset].
 */
#ifndef XPSHARE_KIND_BARRIER_H
#define XPSHARE_KIND_BARRIER_H

#include "xpshare/base/err.h"

#include <stdint.h>
#include <time.h>

#define XP_BARRIER_SERIAL 1

/**
 * struct xp_barrier_ops - What every implementation of a barrier provides.
 * @wait_until: 0; XP_BARRIER_SERIAL; -ECANCELED (broken); -ETIMEDOUT for the one that broke it.
 * @abort:      Break it. 0.          @reset: Waiters get -ECANCELED, then it can be used again. 0.
 * @parties, @waiting: Numbers, or -errno.    @broken: 1, 0 or -errno.
 */
struct xp_barrier_ops {
	int (*wait_until)(void *self, const struct timespec *deadline);
	int (*abort)(void *self);
	int (*reset)(void *self);
	int64_t (*parties)(void *self);
	int64_t (*waiting)(void *self);
	int (*broken)(void *self);
};

struct xp_barrier {
	const struct xp_barrier_ops *ops;
	void *self;
};

XP_MUST_CHECK static inline int xp_barrier_wait_until(const struct xp_barrier *barrier,
						      const struct timespec *deadline)
{
	return barrier->ops->wait_until(barrier->self, deadline);
}

XP_MUST_CHECK static inline int xp_barrier_wait(const struct xp_barrier *barrier)
{
	return barrier->ops->wait_until(barrier->self, NULL);
}

XP_MUST_CHECK static inline int xp_barrier_abort(const struct xp_barrier *barrier)
{
	return barrier->ops->abort(barrier->self);
}

XP_MUST_CHECK static inline int xp_barrier_reset(const struct xp_barrier *barrier)
{
	return barrier->ops->reset(barrier->self);
}

XP_MUST_CHECK static inline int64_t xp_barrier_parties(const struct xp_barrier *barrier)
{
	return barrier->ops->parties(barrier->self);
}

XP_MUST_CHECK static inline int64_t xp_barrier_waiting(const struct xp_barrier *barrier)
{
	return barrier->ops->waiting(barrier->self);
}

XP_MUST_CHECK static inline int xp_barrier_broken(const struct xp_barrier *barrier)
{
	return barrier->ops->broken(barrier->self);
}

#endif
