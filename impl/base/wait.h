/* SPDX-License-Identifier: MIT */
/*
 * wait - the one hybrid wait: spin for a while, then park with a waiter bit
 *
 * Overview      A waiter watches a 32-bit word until it no longer holds the value that it has seen.
 *               First it polls; if that does not pay it sets the top bit of the word and sleeps on
 *               the futex. Whoever changes the word writes the whole of it, so it learns from the
 *               old value, for no extra access, whether somebody has to be woken.
 * Use           waiter:    while (value(word) == seen) xp_wait_while(word, seen, how, deadline);
 *               publisher: xp_wait_publish(word, next, XP_FUTEX_ALL);
 * Memory        The word lives in shared memory and carries 31 bits of value and the waiter bit.
 *               struct xp_wait lives in the waiting process: what it learned about spinning.
 * Invariants    (1) A sleeper sleeps only on a word whose waiter bit is set.
 *               (2) Every store to the word replaces all of it, waiter bit included.
 *               (3) Who replaces a word with the waiter bit set wakes the sleepers.
 * Why it is correct
 *               The waiter sets the bit with a compare-and-swap from the value that it has seen, so
 *               either it precedes the publisher's exchange, which then sees the bit and wakes (3),
 *               or it fails and the waiter looks again. The kernel compares the word once more
 *               before it sleeps (1), so a wake-up between the two cannot be lost.
 * Death         A waiter that dies leaves at most a set bit: one needless wake-up. A publisher that
 *               dies between its exchange and its wake leaves sleepers behind: each of them looks
 *               again by itself after a nap, whose length doubles from XP_WAIT_NAP_FIRST_NS up to
 *               XP_WAIT_NAP_MAX_NS. So a wake-up that a death swallowed costs a waiter at most as
 *               long again as it has slept, and never more than XP_WAIT_NAP_MAX_NS; and a waiter
 *               that idles for hours looks up once per XP_WAIT_NAP_MAX_NS.
 */
#ifndef XPSHARE_BASE_WAIT_H
#define XPSHARE_BASE_WAIT_H

#include "xpshare/base/clock.h"
#include "xpshare/base/futex.h"

#include <stdbool.h>

#define XP_WAIT_PARKED 0x80000000u /* somebody sleeps on this word */
#define XP_WAIT_VALUE  0x7fffffffu /* the value proper */

/* Polls before parking: about as long as a sleep and a wake-up cost, the competitive choice
 * (Karlin et al., "Competitive randomized algorithms for non-uniform problems", 1990). */
#define XP_WAIT_POLLS_DEFAULT 2000u
#define XP_WAIT_POLLS_FOREVER UINT32_MAX

/**
 * struct xp_wait - How one process waits, and what it learned.
 * @polls_max: Polls before parking; 0 parks at once, XP_WAIT_POLLS_FOREVER never parks.
 * @polls:     Polls that the next wait will spend: halved when spinning was in vain, @polls_max again
 *             when the word changed within them.
 * @probe_in:  Waits until one that polls at full length although experience says that it is in vain,
 *             so that a waiter finds out when spinning pays again.
 * @period:    Waits between two such probes: doubled after each that was in vain, up to 1024, so
 *             that they cost next to nothing where spinning never pays.
 *
 * Several threads may share one: the counters are atomic so that this is no data race, and what
 * they learn is a guess anyway.
 */
struct xp_wait {
	uint32_t polls_max;
	_Atomic uint32_t polls;
	_Atomic uint32_t probe_in;
	_Atomic uint32_t period;
};

/* How long a sleeper sleeps before it looks by itself whether a death has swallowed its wake-up. */
#define XP_WAIT_NAP_FIRST_NS (20 * XP_NS_PER_MS)
#define XP_WAIT_NAP_MAX_NS   (1000 * XP_NS_PER_MS)

/**
 * struct xp_patrol - How long one wait has gone on; zero it when the wait begins.
 * @nap_ns: The nap that was last taken.
 */
struct xp_patrol {
	int64_t nap_ns;
};

/** xp_patrol_nap() - The end of the next nap; @deadline where that comes first. */
struct timespec xp_patrol_nap(struct xp_patrol *patrol, const struct timespec *deadline);

/** xp_wait_init() - Start with @polls_max; 0 on a process that may run on one CPU only. */
void xp_wait_init(struct xp_wait *how, uint32_t polls_max);

/** xp_wait_init_across() - As that, but for who may wait for a process with other CPUs than its own. */
void xp_wait_init_across(struct xp_wait *how, uint32_t polls_max);

/**
 * xp_wait_polls() - How many polls to spend now, for waiters that poll something else than a word.
 * Not for XP_WAIT_POLLS_FOREVER. They say with xp_wait_learn() whether what they wait for came.
 */
uint32_t xp_wait_polls(struct xp_wait *how);
void xp_wait_learn(struct xp_wait *how, bool paid);

/** xp_cpu_relax() - Tell the core that this is a spin loop. */
static inline void xp_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

/** xp_wait_value() - The value in *@word without the waiter bit; an acquire load. */
static inline uint32_t xp_wait_value(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_acquire) & XP_WAIT_VALUE;
}

/**
 * xp_wait_while() - Wait until the value of *@word is no longer @seen.
 * @word:     Mapped by waiter and publisher.
 * @seen:     The value (31 bits) that the caller has looked at and found wanting.
 * @how:      The caller's policy and memory; NULL parks at once.
 * @deadline: Absolute CLOCK_MONOTONIC time; NULL waits for ever.
 *
 * Context:  Any process that maps @word. May block.
 * Progress: Blocking. No system call if the word changes within the polls.
 * Ordering: Return 0 is an acquire operation; pairs with xp_wait_publish().
 * Death:    Of the publisher: waits until the deadline. Of another waiter: not noticed.
 * Return:   0 once the value differs; -ETIMEDOUT.
 */
XP_MUST_CHECK int xp_wait_while(_Atomic uint32_t *word, uint32_t seen, struct xp_wait *how,
				const struct timespec *deadline);

/**
 * xp_wait_step() - One turn of a wait whose end the caller decides: spin, then one nap.
 * @patrol: Zeroed by the caller before its first step.
 *
 * For objects that have to look at more than the word: a lock looks whether the owner still lives.
 *
 * Return: 0 where the value differs or may do so; -EAGAIN after a whole nap in which nobody woke the
 *         caller; -ETIMEDOUT; or another -errno of the futex.
 */
XP_MUST_CHECK int xp_wait_step(_Atomic uint32_t *word, uint32_t seen, struct xp_wait *how,
			       struct xp_patrol *patrol, const struct timespec *deadline);

/**
 * xp_wait_publish() - Replace the value of *@word and wake up to @count sleepers.
 *
 * Ordering: A release operation; pairs with xp_wait_while() and xp_wait_value().
 * Progress: Wait-free; one exchange, and one system call only if somebody sleeps.
 * Note:     With @count below XP_FUTEX_ALL the sleepers that stay asleep no longer have a waiter
 * bit: only for words on which at most @count sleep, or whose waiters set the bit anew.
 */
static inline void xp_wait_publish(_Atomic uint32_t *word, uint32_t value, int count)
{
	uint32_t old = atomic_exchange_explicit(word, value, memory_order_acq_rel);

	if (old & XP_WAIT_PARKED)
		xp_futex_wake(word, count);
}

#endif
