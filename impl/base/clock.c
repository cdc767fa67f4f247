/* SPDX-License-Identifier: MIT */
#include "xpshare/base/clock.h"

#include "xpshare/base/err.h"

#include <limits.h>

static int64_t ns_of(const struct timespec *at)
{
	return (int64_t)at->tv_sec * XP_NS_PER_SEC + at->tv_nsec;
}

int64_t xp_clock_ns(void)
{
	struct timespec now;

	int rc = clock_gettime(CLOCK_MONOTONIC, &now);
	xp_assert(rc == 0);
	return ns_of(&now);
}

struct timespec xp_deadline_after(int64_t duration_ns)
{
	int64_t now = xp_clock_ns();
	int64_t at = now;

	if (duration_ns > 0)
		at = duration_ns > INT64_MAX - now ? INT64_MAX : now + duration_ns;
	return (struct timespec){.tv_sec = at / XP_NS_PER_SEC, .tv_nsec = at % XP_NS_PER_SEC};
}

int64_t xp_deadline_ns(const struct timespec *deadline)
{
	if (!deadline)
		return INT64_MAX;
	/* A far deadline of the caller's own making must not overflow. */
	if (deadline->tv_sec > INT64_MAX / XP_NS_PER_SEC - 1)
		return INT64_MAX;

	int64_t left = ns_of(deadline) - xp_clock_ns();
	return left > 0 ? left : 0;
}

bool xp_deadline_passed(const struct timespec *deadline)
{
	return deadline && xp_deadline_ns(deadline) == 0;
}

int xp_deadline_poll_ms(const struct timespec *deadline)
{
	if (!deadline)
		return -1;

	int64_t ms = xp_deadline_ns(deadline) / XP_NS_PER_MS;
	/* Rounded up: a poll that returns a little early would turn into a busy loop. */
	return ms >= INT_MAX ? INT_MAX : (int)ms + (xp_deadline_ns(deadline) > 0 ? 1 : 0);
}
