/* SPDX-License-Identifier: MIT */
/*
 * semaphore_futex - a counter on one futex word
 *
 * Overview      semaphore/futex, and bounded/futex, which refuses a post beyond its initial value.
 * Memory        struct xp_semaphore_futex in shared memory.
 * States        of the word, n units, P the waiter bit of base/wait.h:
 *                 n   -> n-1   wait, where n > 0; keeps P
 *                 0   -> 0|P   a waiter goes to sleep
 *                 n   -> n+1   post, up to the limit; keeps P
 *                 n|P -> n     post, after a wake-up that found nobody asleep
 * Invariants    (1) A sleeper sleeps only on 0|P.
 *               (2) P goes away only where a wake-up has found nobody, and a waiter that has slept
 *                   puts it back when it takes its unit: others may still sleep.
 * Why it is correct
 *               A post either sees P and wakes a sleeper, or the waiter's exchange to 0|P fails, or
 *               the kernel's comparison does: base/wait.h.
 * Death         Of a process between its post and its wake-up, or of a waiter that has just been
 *               woken: the unit is in the counter, and the next sleeper finds it at the end of its
 *               nap (base/wait.h). A unit that a dead process had taken stays taken.
 */
#ifndef XPSHARE_SYNC_SEMAPHORE_FUTEX_H
#define XPSHARE_SYNC_SEMAPHORE_FUTEX_H

#include "xpshare/base/wait.h"
#include "xpshare/kind/object.h"

/* Largest value, as POSIX's SEM_VALUE_MAX on Linux: what fits beside the waiter bit. */
#define XP_SEMAPHORE_MAX XP_WAIT_VALUE

/**
 * struct xp_semaphore_futex - The semaphore in shared memory.
 * @word:  See States.
 * @limit: A post that would exceed it is refused; written by init.
 */
struct xp_semaphore_futex {
	_Atomic uint32_t word;
	uint32_t limit;
	unsigned char isolation[XP_ISOLATION - 8];
};

_Static_assert(sizeof(struct xp_semaphore_futex) == XP_ISOLATION, "alone on its lines");

/** xp_semaphore_futex_init() - @value units, never more than @limit. Return: 0; -EINVAL. */
XP_MUST_CHECK int xp_semaphore_futex_init(struct xp_semaphore_futex *semaphore, uint32_t value,
					  uint32_t limit);

/**
 * xp_semaphore_futex_try_wait() - Take a unit if there is one. An acquire operation.
 * Return: 0; -EAGAIN.
 */
XP_MUST_CHECK static inline int xp_semaphore_futex_try_wait(struct xp_semaphore_futex *semaphore)
{
	uint32_t word = atomic_load_explicit(&semaphore->word, memory_order_relaxed);

	do {
		if ((word & XP_WAIT_VALUE) == 0)
			return -EAGAIN;
	} while (!atomic_compare_exchange_weak_explicit(
	    &semaphore->word, &word, word - 1, memory_order_acquire, memory_order_relaxed));
	return 0;
}

/** xp_semaphore_futex_wait_slow() - The rest of a wait that found no unit. Not for users. */
XP_MUST_CHECK int xp_semaphore_futex_wait_slow(struct xp_semaphore_futex *semaphore,
					       struct xp_wait *how,
					       const struct timespec *deadline);

/** xp_semaphore_futex_wait_until() - Take a unit, or give up at @deadline. Return: 0; -ETIMEDOUT. */
XP_MUST_CHECK static inline int xp_semaphore_futex_wait_until(struct xp_semaphore_futex *semaphore,
							      struct xp_wait *how,
							      const struct timespec *deadline)
{
	return xp_semaphore_futex_try_wait(semaphore) == 0
		   ? 0
		   : xp_semaphore_futex_wait_slow(semaphore, how, deadline);
}

/** xp_semaphore_futex_wake() - The rest of a post that left @word with P. Not for users. */
void xp_semaphore_futex_wake(struct xp_semaphore_futex *semaphore, uint32_t word);

/** xp_semaphore_futex_post() - Give a unit back: a release operation. Return: 0; -EOVERFLOW. */
XP_MUST_CHECK static inline int xp_semaphore_futex_post(struct xp_semaphore_futex *semaphore)
{
	uint32_t word = atomic_load_explicit(&semaphore->word, memory_order_relaxed);

	do {
		if ((word & XP_WAIT_VALUE) >= semaphore->limit)
			return -EOVERFLOW;
	} while (!atomic_compare_exchange_weak_explicit(
	    &semaphore->word, &word, word + 1, memory_order_release, memory_order_relaxed));
	if (word & XP_WAIT_PARKED)
		xp_semaphore_futex_wake(semaphore, word + 1);
	return 0;
}

extern const struct xp_impl xp_impl_semaphore_futex;
extern const struct xp_impl xp_impl_bounded_futex;

#endif
