/* SPDX-License-Identifier: MIT */
/*
 * park - sleep until a condition holds, at no cost to whoever makes it hold
 *
 * Overview      wait.h puts the waiter bit into the word that the publisher replaces, which costs
 *               it an exchange. Where a publisher signals by plain stores (a ring publishes items
 *               at the rate of one a nanosecond) even that is too much. Here the publisher's whole
 *               price is one load of a line that is nearly never written; the sleeper, who is slow
 *               anyway, pays for both sides with membarrier(2).
 * Use           sleeper:   loop { ticket = xp_park_prepare(spot); if (condition) leave;
 *                          xp_park_sleep(spot, ticket, &patrol, deadline); }
 *               publisher: make the condition true by a release store; xp_park_wake(spot);
 *               every process before it publishes: xp_park_join(), once; fork inherits it.
 * Memory        struct xp_park is one word in shared memory: 30 bits of epoch, the PARKED bit, and
 *               the FENCES bit, which stays as it was made and sends every publisher the slow way
 *               (so that the fast way tests both at once). Keep it on a line that is read by publishers and otherwise left alone.
 * Invariants    (1) A sleeper sleeps only while the word holds PARKED and the epoch that it saw.
 *               (2) PARKED is set before the sleeper looks at the condition for the last time, with
 *                   a full barrier of every publisher in between.
 *               (3) Who clears PARKED moves the epoch and wakes all sleepers.
 * Why it is correct
 *               This is Dekker's protocol: publisher P: condition = 1; read word. Sleeper S: word =
 *               PARKED; read condition. A wake-up is lost only if both read the old value, which
 *               takes a store to be delayed past a load on one side. On S's side membarrier is a
 *               full barrier. On P's side it makes the kernel execute a full barrier on each CPU
 *               that runs a thread of a registered process, at some point between two of P's
 *               instructions; the compiler keeps them in order. If that point is before P's load,
 *               P reads PARKED, which was stored before the call. If it is after it, it is after
 *               P's store too, and S, who looks after the call, sees the condition. A P that does
 *               not run has passed a full barrier in the scheduler. Sources: membarrier(2);
 *               Goldblatt, "Asymmetric fences" (WG21 P1202). Where membarrier is refused the spot is made
 *               with FENCES: both sides exchange the word, which orders them as a full fence would.
 *               Waking all, not one: a woken sleeper may die before it takes what it was woken for.
 * Death         Of a sleeper: leaves PARKED, one needless wake-up. Of a publisher between its store
 *               and its wake-up: nobody is told, so each sleep is a nap of wait.h's patrol, after
 *               which the sleeper looks again by itself, XP_WAIT_NAP_MAX_NS later at the latest.
 */
#ifndef XPSHARE_BASE_PARK_H
#define XPSHARE_BASE_PARK_H

#include "xpshare/base/futex.h"
#include "xpshare/base/wait.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define XP_PARK_PARKED 0x80000000u
#define XP_PARK_FENCES 0x40000000u
#define XP_PARK_EPOCH  0x3fffffffu

/** struct xp_park - A spot in shared memory where sleepers wait for one condition. */
struct xp_park {
	_Atomic uint32_t word;
};

/** xp_park_init() - Nobody sleeps here. @fences: some process that uses it cannot join. */
static inline void xp_park_init(struct xp_park *spot, bool fences)
{
	atomic_init(&spot->word, fences ? XP_PARK_FENCES : 0);
}

/**
 * xp_park_join() - Let this process's publishers be seen by the sleepers' membarrier.
 *
 * Context: Once in each process that publishes without having inherited it; repeating is free.
 *          Survives fork, not exec.
 * Return:  0; -ENOTSUP where the kernel or a filter refuses it: objects made here need fences.
 */
XP_MUST_CHECK int xp_park_join(void);

/** xp_park_prepare() - Announce a sleeper: returns the ticket for xp_park_sleep().
 *
 *  Ordering: A full barrier, here and (by membarrier, or its own exchange) in every publisher.
 */
uint32_t xp_park_prepare(struct xp_park *spot);

/**
 * xp_park_sleep() - Sleep for a nap at most, unless the spot was woken since @ticket.
 * @patrol: Zeroed by the caller at the start of its wait.
 *
 * Return: 0: look at the condition again; -ETIMEDOUT: @deadline passed, look once more.
 */
XP_MUST_CHECK int xp_park_sleep(struct xp_park *spot, uint32_t ticket, struct xp_patrol *patrol,
				const struct timespec *deadline);

/** xp_park_wake_slow() - Clear PARKED and wake all; for xp_park_wake(). */
void xp_park_wake_slow(struct xp_park *spot);

/**
 * xp_park_wake() - Wake the sleepers, if there are any, after a store that made the condition true.
 *
 * Progress: Wait-free; no system call and no locked instruction unless somebody sleeps, or FENCES.
 * Ordering: The store comes first; pairs with xp_park_prepare().
 */
static inline __attribute__((always_inline)) void xp_park_wake(struct xp_park *spot)
{
	atomic_signal_fence(memory_order_seq_cst);
	uint32_t word = atomic_load_explicit(&spot->word, memory_order_relaxed);
	if (__builtin_expect((word & (XP_PARK_PARKED | XP_PARK_FENCES)) != 0, 0))
		xp_park_wake_slow(spot);
}

#endif
