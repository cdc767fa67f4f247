/* SPDX-License-Identifier: MIT */
/*
 * event_futex - a flag on one futex word
 *
 * Overview      event/futex: set, clear, is_set and wait on a word that carries the flag and a count
 *               of the sets, so that a waiter notices a set that was cleared before it ran.
 * Memory        struct xp_event_futex in shared memory: bit 0 is the flag, bits 1 to 30 the number
 *               of sets, modulo 2^30, bit 31 the waiter bit of base/wait.h.
 * States        DOWN -> UP [set], UP -> DOWN [clear].
 * Why it is correct
 *               set replaces (n, down) by (n + 1, up) and *keeps* the waiter bit while it wakes the
 *               sleepers, then takes it away. So if a setter dies in between, the bit beside a raised
 *               flag says that sleepers may be left, and the next set wakes them; without one, their
 *               own patrol does (base/wait.h).
 * Death         Of any process at any point: the flag is up or down; a waiter whose event has been
 *               raised returns, after at most a nap.
 */
#ifndef XPSHARE_SYNC_EVENT_FUTEX_H
#define XPSHARE_SYNC_EVENT_FUTEX_H

#include "xpshare/base/wait.h"
#include "xpshare/kind/object.h"

#define XP_EVENT_UP  1u
#define XP_EVENT_SET 2u /* one in the count of the sets */

/** struct xp_event_futex - See Memory. Written by every process, with release by a setter. */
struct xp_event_futex {
	_Atomic uint32_t word;
	unsigned char isolation[XP_ISOLATION - 4];
};

_Static_assert(sizeof(struct xp_event_futex) == XP_ISOLATION, "alone on its lines");

/** xp_event_futex_set() - Raise the flag: a release operation. One exchange, no system call where
 *  nobody sleeps. */
void xp_event_futex_set(struct xp_event_futex *event);

/** xp_event_futex_clear() - Lower the flag. */
void xp_event_futex_clear(struct xp_event_futex *event);

/** xp_event_futex_is_set() - Whether the flag is up: an acquire operation. */
static inline bool xp_event_futex_is_set(struct xp_event_futex *event)
{
	return atomic_load_explicit(&event->word, memory_order_acquire) & XP_EVENT_UP;
}

/** xp_event_futex_wait_until() - Wait for the flag. Return: 0 (an acquire operation); -ETIMEDOUT. */
XP_MUST_CHECK int xp_event_futex_wait_until(struct xp_event_futex *event, struct xp_wait *how,
					    const struct timespec *deadline);

extern const struct xp_impl xp_impl_event_futex;

#endif
