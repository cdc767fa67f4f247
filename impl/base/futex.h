/* SPDX-License-Identifier: MIT */
/*
 * futex - wait on a 32-bit word that several processes map
 *
 * A thin face of futex(2): process-shared words (never FUTEX_PRIVATE_FLAG), absolute
 * CLOCK_MONOTONIC deadlines (FUTEX_WAIT_BITSET), interruptions absorbed. Source: futex(2), Drepper,
 * "Futexes Are Tricky" (2011).
 */
#ifndef XPSHARE_BASE_FUTEX_H
#define XPSHARE_BASE_FUTEX_H

#include "xpshare/base/err.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define XP_FUTEX_ALL INT_MAX

/**
 * xp_futex_wait_until() - Sleep while *@word is @expected.
 *
 * Context: Any process that maps @word. Blocks. May return early: the caller looks again.
 * Return:  0 after a wake-up, a changed word or an interruption; -ETIMEDOUT; -EFAULT.
 */
XP_MUST_CHECK int xp_futex_wait_until(_Atomic uint32_t *word, uint32_t expected,
				      const struct timespec *deadline);

/** xp_futex_wake() - Wake up to @count sleepers on @word. Return: how many, or -errno. */
int xp_futex_wake(_Atomic uint32_t *word, int count);

#endif
