/* SPDX-License-Identifier: MIT */
/*
 * barrier_futex - parties go on together, by one word and without a lock
 *
 * Overview      barrier/futex: an arrival is two compare-and-swaps; whoever is not the last waits on
 *               the word. Nothing is ever locked, so no death in the middle needs repair.
 * Memory        struct xp_barrier_futex in shared memory: the word, the history of broken
 *               generations, and two places for each party, one of which may still be occupied by
 *               somebody on the way out of the generation before.
 * States        of the word (generation g, n arrived, B broken; the waiter bit P of base/wait.h is
 *               kept by every change that does not end the wait of others):
 *                 g,n     -> g,n+1    arrive: the place was claimed before
 *                 g,N     -> g+1,0    complete: by the last of N parties, after its action
 *                 g,n     -> g,n,B    break: a deadline, abort, a failing action, a death, reset
 *                 g,n,B   -> g+1,0    reset, after g was put into the history
 * Invariants    (1) Only the N-th arrival completes a generation, and only one that is not broken.
 *               (2) A generation that ended by reset is in the history before the word shows the
 *                   next one; a generation that was completed never is.
 *               (3) A party claims a place, with its life word on its robust list (robust.h), and
 *                   writes the generation there, before it arrives; it keeps it until it leaves. So
 *                   whoever is counted and dies is marked by the kernel.
 * Why it is correct
 *               A waiter of generation g goes on when the word shows B or another generation, and
 *               looks g up in the history: broken there means -ECANCELED, else it was completed.
 *               All changes are compare-and-swaps of one word with acquire and release order, so
 *               what a party wrote before it arrived is seen by all after.
 * Limits        XP_BARRIER_PARTIES_MAX parties. A waiter that is stopped while the others go through
 *               XP_BARRIER_HISTORY generations without it may take a broken generation for a
 *               completed one.
 * Death         Of a party that waits, or runs the action: the last to arrive looks at the places
 *               before it completes the generation, and each waiter after each nap (base/wait.h);
 *               who finds one of this generation marked breaks the barrier.
 */
#ifndef XPSHARE_SYNC_BARRIER_FUTEX_H
#define XPSHARE_SYNC_BARRIER_FUTEX_H

#include "xpshare/base/wait.h"
#include "xpshare/kind/object.h"
#include "xpshare/sync/robust.h"

#define XP_BARRIER_PARTIES_MAX 1023u
#define XP_BARRIER_HISTORY     64u

/**
 * struct xp_barrier_place - Where one party is while it is in the barrier.
 * @life:       Robust word: its thread id, FUTEX_OWNER_DIED from the kernel, or 0 for a free place.
 * @generation: One more than the generation that it takes part in. Written by the party.
 * @node:       See robust.h.
 */
struct xp_barrier_place {
	_Atomic uint32_t life;
	_Atomic uint32_t generation;
	uint32_t pad[4];
	struct xp_robust_node node;
	unsigned char isolation[XP_CACHELINE - 24 - sizeof(struct xp_robust_node)];
};

_Static_assert(sizeof(struct xp_barrier_place) == XP_CACHELINE, "one line for each party");
/* robust.h treats the beginning of a place as a struct xp_robust_place. */
_Static_assert(offsetof(struct xp_barrier_place, life) == offsetof(struct xp_robust_place, word) &&
		   offsetof(struct xp_barrier_place, node) ==
		       offsetof(struct xp_robust_place, node),
	       "word and node where the kernel expects them");

/**
 * struct xp_barrier_futex - The barrier in shared memory.
 * @word:    See States.
 * @history: Entry g modulo XP_BARRIER_HISTORY is g + 1 where generation g ended broken.
 * @places:  Two for each party.
 */
struct xp_barrier_futex {
	_Atomic uint32_t word;
	unsigned char isolation[XP_ISOLATION - 4];
	_Atomic uint32_t history[XP_BARRIER_HISTORY];
	struct xp_barrier_place places[];
};

/** xp_barrier_futex_size() - Bytes of a barrier for @parties; zeroed, it is ready for use. */
static inline size_t xp_barrier_futex_size(uint32_t parties)
{
	return sizeof(struct xp_barrier_futex) +
	       2 * (size_t)parties * sizeof(struct xp_barrier_place);
}

/**
 * xp_barrier_futex_wait_until() - Arrive, and wait for the others.
 * @parties:      1 to XP_BARRIER_PARTIES_MAX, the same for all.
 * @action, @arg: Run by the last to arrive; NULL for none.
 * Return: 0; XP_BARRIER_SERIAL; -ECANCELED; -ETIMEDOUT for the one that broke it by its deadline;
 *         -ENOLCK and -ENOMEM from robust.h, before the arrival.
 */
XP_MUST_CHECK int xp_barrier_futex_wait_until(struct xp_barrier_futex *barrier, uint32_t parties,
					      int (*action)(void *arg), void *arg,
					      struct xp_wait *how, const struct timespec *deadline);

/** xp_barrier_futex_abort() - Break the present generation. */
void xp_barrier_futex_abort(struct xp_barrier_futex *barrier);

/** xp_barrier_futex_reset() - End the present generation as broken, if anybody waits, and begin the
 *  next. */
void xp_barrier_futex_reset(struct xp_barrier_futex *barrier);

extern const struct xp_impl xp_impl_barrier_futex;

#endif
