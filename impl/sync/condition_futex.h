/* SPDX-License-Identifier: MIT */
/*
 * condition_futex - wait for a signal, served in turn, and survive the death of anybody
 *
 * Overview      condition/futex: a recursive robust lock (rlock_futex.h) and a place for each waiter.
 * Memory        struct xp_condition_futex in shared memory: the lock, a ticket counter, and
 *               XP_CONDITION_WAITERS_MAX places, each on lines of its own: a waiter sleeps on its
 *               own word, so a signal wakes exactly those that it means.
 * States        of a place: IDLE -> WAITING [wait], WAITING -> SIGNALLED [signal], WAITING or
 *               SIGNALLED -> IDLE [its waiter, when it has the lock again; or whoever finds the
 *               waiter dead].
 * Invariants    (1) Only a holder of the lock changes a place, except that a waiter marks its own
 *                   word as parked.
 *               (2) While a process waits, the @life word of its place is on its robust list: the
 *                   kernel marks it when the process dies (robust.h).
 *               (3) Tickets rise: the lowest one that is WAITING has waited longest.
 * Why it is correct
 *               No lost signal: a waiter is WAITING before it releases the lock, and a signal needs
 *               the lock. A waiter whose deadline passes while it is being signalled finds that out
 *               with the lock held, and returns 0. No false one: a place is SIGNALLED by a signal only.
 *               The spin model condition.pml verifies both, with two deaths at any steps.
 * Death         Of a waiter: its place is marked; a signal passes it by, and one that it had received
 *               and not yet taken note of under the lock goes to the next waiter, exactly once: who
 *               hands it over says in @handing what it is about to do, and if it dies in between,
 *               the next holder sees from the heir's state whether that was done. Of a signaller
 *               after it marked a place and before the wake-up: the waiter finds out after a nap
 *               (base/wait.h). Of the holder of the lock: -EOWNERDEAD for the next, and nothing
 *               else needs repair.
 */
#ifndef XPSHARE_SYNC_CONDITION_FUTEX_H
#define XPSHARE_SYNC_CONDITION_FUTEX_H

#include "xpshare/sync/rlock_futex.h"

/* Processes that can wait at a time; the next one's wait is -EOVERFLOW. */
#define XP_CONDITION_WAITERS_MAX 128u

/**
 * struct xp_condition_place - Where one waiter waits.
 * @life:   Robust word: the waiter's thread id, or FUTEX_OWNER_DIED from the kernel, or 0.
 * @state:  See States; the word that the waiter sleeps on.
 * @ticket: When the wait began, in waits.
 * @node:   See robust.h.
 */
struct xp_condition_place {
	_Atomic uint32_t life;
	_Atomic uint32_t state;
	_Atomic uint64_t ticket;
	uint32_t pad[2];
	struct xp_robust_node node;
	unsigned char isolation[XP_ISOLATION - 24 - sizeof(struct xp_robust_node)];
};

_Static_assert(sizeof(struct xp_condition_place) == XP_ISOLATION, "alone on its lines");
/* robust.h treats the beginning of a place as a struct xp_robust_place. */
_Static_assert(offsetof(struct xp_condition_place, life) ==
		       offsetof(struct xp_robust_place, word) &&
		   offsetof(struct xp_condition_place, node) ==
		       offsetof(struct xp_robust_place, node),
	       "word and node where the kernel expects them");

/**
 * struct xp_condition_futex - The condition in shared memory.
 * @lock:    Of the condition.
 * @tickets: Waits so far. Written under the lock.
 * @used:    No place from here on has ever been used. Written under the lock.
 * @handing: 0, or the places between which a dead waiter's signal passes. Written under the lock.
 */
struct xp_condition_futex {
	struct xp_lock_futex lock;
	_Atomic uint64_t tickets;
	_Atomic uint32_t used;
	_Atomic uint32_t handing;
	unsigned char isolation[XP_ISOLATION - 16];
	struct xp_condition_place places[XP_CONDITION_WAITERS_MAX];
};

/** xp_condition_futex_init() - Prepare a condition in zeroed or recycled memory. */
void xp_condition_futex_init(struct xp_condition_futex *condition);

/**
 * xp_condition_futex_wait_until() - Release the lock at every depth, wait, and take it again.
 *
 * The lock is taken again after the deadline too, however long that takes.
 * Return: 0 (signalled); -ETIMEDOUT; -EOWNERDEAD (signalled or not: look), all with the lock held at
 *         the depth it had; -EPERM, -EOVERFLOW and -ENOLCK at once, nothing changed.
 */
XP_MUST_CHECK int xp_condition_futex_wait_until(struct xp_condition_futex *condition,
						struct xp_wait *how,
						const struct timespec *deadline);

/** xp_condition_futex_signal() - Wake the @count longest waiters that live. Return: 0; -EPERM. */
XP_MUST_CHECK int xp_condition_futex_signal(struct xp_condition_futex *condition, uint32_t count);

extern const struct xp_impl xp_impl_condition_futex;

#endif
