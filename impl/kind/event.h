/* SPDX-License-Identifier: MIT */
/*
 * event - a flag that processes wait for: the contract
 *
 * Overview      set raises the flag and wakes every waiter, clear lowers it, wait returns once it
 *               has been raised, even if it is lowered again before the waiter runs.
 * Death         Of any process at any point: the flag is up or down, waiters that were woken go on,
 *               and a later set wakes the others.
 */
#ifndef XPSHARE_KIND_EVENT_H
#define XPSHARE_KIND_EVENT_H

#include "xpshare/base/err.h"

#include <time.h>

/**
 * struct xp_event_ops - What every implementation of an event provides.
 * @set, @clear: 0 or -errno.      @is_set: 1, 0 or -errno.
 * @wait_until:  0; -ETIMEDOUT with the flag down at the deadline.
 */
struct xp_event_ops {
	int (*set)(void *self);
	int (*clear)(void *self);
	int (*is_set)(void *self);
	int (*wait_until)(void *self, const struct timespec *deadline);
};

struct xp_event {
	const struct xp_event_ops *ops;
	void *self;
};

/** xp_event_set() - Raise the flag. A release operation; pairs with wait and is_set. */
XP_MUST_CHECK static inline int xp_event_set(const struct xp_event *event)
{
	return event->ops->set(event->self);
}

XP_MUST_CHECK static inline int xp_event_clear(const struct xp_event *event)
{
	return event->ops->clear(event->self);
}

XP_MUST_CHECK static inline int xp_event_is_set(const struct xp_event *event)
{
	return event->ops->is_set(event->self);
}

XP_MUST_CHECK static inline int xp_event_wait_until(const struct xp_event *event,
						    const struct timespec *deadline)
{
	return event->ops->wait_until(event->self, deadline);
}

XP_MUST_CHECK static inline int xp_event_wait(const struct xp_event *event)
{
	return event->ops->wait_until(event->self, NULL);
}

#endif
