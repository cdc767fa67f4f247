/* SPDX-License-Identifier: MIT */
/*
 * timer - deadlines in a binary heap, the earliest first
 *
 * A timer is a member of what it belongs to. Setting and cancelling are O(log n), the earliest O(1).
 */
#ifndef XPSHARE_MANAGER_TIMER_H
#define XPSHARE_MANAGER_TIMER_H

#include "xpshare/base/err.h"

#include <stddef.h>
#include <stdint.h>

/** struct xp_timer - Zeroed is not set. */
struct xp_timer {
	int64_t when; /* CLOCK_MONOTONIC nanoseconds */
	size_t place; /* in the heap, from 1; 0: not set */
};

struct xp_timers {
	struct xp_timer **heap;
	size_t count;
	size_t room;
};

/** xp_timers_set() - Set, or set anew. Return: 0, -ENOMEM (never for one that is set). */
XP_MUST_CHECK int xp_timers_set(struct xp_timers *timers, struct xp_timer *timer, int64_t when);
/** xp_timers_cancel() - Unset; nothing happens if it is not set. */
void xp_timers_cancel(struct xp_timers *timers, struct xp_timer *timer);
/** xp_timers_first() - The earliest, or NULL. */
struct xp_timer *xp_timers_first(const struct xp_timers *timers);
void xp_timers_fini(struct xp_timers *timers);

#endif
