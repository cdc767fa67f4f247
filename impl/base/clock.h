/* SPDX-License-Identifier: MIT */
/*
 * clock - the one clock and the one form of deadline
 *
 * Every deadline is an absolute CLOCK_MONOTONIC time, so that a retry after an interruption does
 * not start the wait anew; NULL waits for ever. Durations are nanoseconds in 64 bits.
 */
#ifndef XPSHARE_BASE_CLOCK_H
#define XPSHARE_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define XP_NS_PER_SEC INT64_C(1000000000)
#define XP_NS_PER_MS  INT64_C(1000000)
#define XP_NS_PER_US  INT64_C(1000)

/** xp_clock_ns() - Nanoseconds on CLOCK_MONOTONIC now. */
int64_t xp_clock_ns(void);

/** xp_deadline_after() - The deadline @duration_ns from now; a negative duration is now. */
struct timespec xp_deadline_after(int64_t duration_ns);

/** xp_deadline_ns() - Nanoseconds until @deadline, at least 0; INT64_MAX where it is NULL. */
int64_t xp_deadline_ns(const struct timespec *deadline);

/** xp_deadline_passed() - Whether @deadline is now or earlier; never where it is NULL. */
bool xp_deadline_passed(const struct timespec *deadline);

/** xp_deadline_poll_ms() - @deadline as poll(2) wants it: rounded up, -1 where it is NULL. */
int xp_deadline_poll_ms(const struct timespec *deadline);

#endif
