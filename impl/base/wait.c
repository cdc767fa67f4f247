/* SPDX-License-Identifier: MIT */
#include "xpshare/base/wait.h"

#include "xpshare/base/clock.h"

#include <sched.h>

/* One wait in so many spins for the full length although experience says that it is in vain. */
#define PROBE_PERIOD 16u

void xp_wait_init(struct xp_wait *how, uint32_t polls_max)
{
	cpu_set_t allowed;

	/* Alone on one CPU the publisher cannot run while we spin. */
	if (polls_max != XP_WAIT_POLLS_FOREVER &&
	    sched_getaffinity(0, sizeof(allowed), &allowed) == 0 && CPU_COUNT(&allowed) == 1)
		polls_max = 0;
	*how = (struct xp_wait){.polls_max = polls_max, .polls = polls_max};
}

/* Poll as long as experience says that it pays. Returns whether the value changed. */
static bool spin(_Atomic uint32_t *word, uint32_t seen, struct xp_wait *how)
{
	bool probe = ++how->waits % PROBE_PERIOD == 0;
	uint32_t polls = probe ? how->polls_max : how->polls;

	for (uint32_t i = 0; i < polls; i++) {
		if (xp_wait_value(word) != seen) {
			how->polls =
			    how->polls > how->polls_max / 2 ? how->polls_max : how->polls * 2 + 1;
			return true;
		}
		xp_cpu_relax();
	}
	how->polls /= 2;
	return false;
}

static int spin_until(_Atomic uint32_t *word, uint32_t seen, const struct timespec *deadline)
{
	for (;;) {
		for (int i = 0; i < 1024; i++) {
			if (xp_wait_value(word) != seen)
				return 0;
			xp_cpu_relax();
		}
		if (xp_deadline_passed(deadline))
			return -ETIMEDOUT;
	}
}

int xp_wait_while(_Atomic uint32_t *word, uint32_t seen, struct xp_wait *how,
		  const struct timespec *deadline)
{
	xp_assert((seen & XP_WAIT_PARKED) == 0);
	if (how && how->polls_max == XP_WAIT_POLLS_FOREVER)
		return spin_until(word, seen, deadline);
	if (how && how->polls_max > 0 && spin(word, seen, how))
		return 0;

	for (;;) {
		uint32_t now = atomic_load_explicit(word, memory_order_acquire);

		if ((now & XP_WAIT_VALUE) != seen)
			return 0;
		/* A failed exchange means that the word moved: look again. */
		if (!(now & XP_WAIT_PARKED) && !atomic_compare_exchange_strong_explicit(
						   word, &now, now | XP_WAIT_PARKED,
						   memory_order_acquire, memory_order_acquire))
			continue;

		int rc = xp_futex_wait_until(word, seen | XP_WAIT_PARKED, deadline);
		if (rc == -ETIMEDOUT && xp_wait_value(word) == seen)
			return rc;
		if (rc < 0 && rc != -ETIMEDOUT)
			return rc;
	}
}
