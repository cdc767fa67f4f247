/* SPDX-License-Identifier: MIT */
#include "xpshare/base/wait.h"

#include <sched.h>

/* Waits between two probes, at first and at last: see struct xp_wait. */
#define PERIOD_FIRST 16u
#define PERIOD_MAX   1024u

/* Polls of a waiter that never parks between two looks at the clock. */
#define POLLS_PER_LOOK 1024

void xp_wait_init_across(struct xp_wait *how, uint32_t polls_max)
{
	how->polls_max = polls_max;
	atomic_init(&how->polls, polls_max);
	atomic_init(&how->probe_in, PERIOD_FIRST);
	atomic_init(&how->period, PERIOD_FIRST);
}

void xp_wait_init(struct xp_wait *how, uint32_t polls_max)
{
	cpu_set_t allowed;

	/* Alone on one CPU the publisher cannot run while we spin. */
	if (polls_max != XP_WAIT_POLLS_FOREVER &&
	    sched_getaffinity(0, sizeof(allowed), &allowed) == 0 && CPU_COUNT(&allowed) == 1)
		polls_max = 0;
	xp_wait_init_across(how, polls_max);
}

/* Poll @word @polls times. Returns whether the value changed. */
static bool poll_word(_Atomic uint32_t *word, uint32_t seen, uint32_t polls)
{
	for (uint32_t i = 0; i < polls; i++) {
		if (xp_wait_value(word) != seen)
			return true;
		xp_cpu_relax();
	}
	return false;
}

uint32_t xp_wait_polls(struct xp_wait *how)
{
	uint32_t probe_in = atomic_load_explicit(&how->probe_in, memory_order_relaxed);
	uint32_t period = atomic_load_explicit(&how->period, memory_order_relaxed);

	if (probe_in > 1) {
		atomic_store_explicit(&how->probe_in, probe_in - 1, memory_order_relaxed);
		return atomic_load_explicit(&how->polls, memory_order_relaxed);
	}
	/* In vain until xp_wait_learn() says otherwise. */
	period = period < PERIOD_MAX ? 2 * period : PERIOD_MAX;
	atomic_store_explicit(&how->period, period, memory_order_relaxed);
	atomic_store_explicit(&how->probe_in, period, memory_order_relaxed);
	return how->polls_max;
}

void xp_wait_learn(struct xp_wait *how, bool paid)
{
	uint32_t polls = atomic_load_explicit(&how->polls, memory_order_relaxed);

	if (paid) {
		/* All at once: two waiters that both park would never meet by small steps. */
		polls = how->polls_max;
		atomic_store_explicit(&how->period, PERIOD_FIRST, memory_order_relaxed);
		atomic_store_explicit(&how->probe_in, PERIOD_FIRST, memory_order_relaxed);
	} else {
		polls /= 2;
	}
	atomic_store_explicit(&how->polls, polls, memory_order_relaxed);
}

/* Poll as long as experience says that it pays. Returns whether the value changed. */
static bool spin(_Atomic uint32_t *word, uint32_t seen, struct xp_wait *how)
{
	bool changed = poll_word(word, seen, xp_wait_polls(how));

	xp_wait_learn(how, changed);
	return changed;
}

struct timespec xp_patrol_nap(struct xp_patrol *patrol, const struct timespec *deadline)
{
	struct timespec end;

	patrol->nap_ns = patrol->nap_ns == 0 ? XP_WAIT_NAP_FIRST_NS : patrol->nap_ns * 2;
	if (patrol->nap_ns > XP_WAIT_NAP_MAX_NS)
		patrol->nap_ns = XP_WAIT_NAP_MAX_NS;
	end = xp_deadline_after(patrol->nap_ns);
	if (deadline && (deadline->tv_sec < end.tv_sec ||
			 (deadline->tv_sec == end.tv_sec && deadline->tv_nsec < end.tv_nsec)))
		end = *deadline;
	return end;
}

/* For waiters that never park: poll for the length of a nap. */
static int spin_for_a_nap(_Atomic uint32_t *word, uint32_t seen, const struct timespec *end)
{
	do {
		if (poll_word(word, seen, POLLS_PER_LOOK))
			return 0;
	} while (!xp_deadline_passed(end));
	return -EAGAIN;
}

static int park_for_a_nap(_Atomic uint32_t *word, uint32_t seen, const struct timespec *end)
{
	uint32_t now = atomic_load_explicit(word, memory_order_acquire);

	if ((now & XP_WAIT_VALUE) != seen)
		return 0;
	/* A failed exchange means that the word moved: look again. */
	if (!(now & XP_WAIT_PARKED) &&
	    !atomic_compare_exchange_strong_explicit(word, &now, now | XP_WAIT_PARKED,
						     memory_order_acquire, memory_order_acquire))
		return 0;

	int rc = xp_futex_wait_until(word, seen | XP_WAIT_PARKED, end);
	if (rc == -ETIMEDOUT)
		return xp_wait_value(word) != seen ? 0 : -EAGAIN;
	return rc;
}

int xp_wait_step(_Atomic uint32_t *word, uint32_t seen, struct xp_wait *how,
		 struct xp_patrol *patrol, const struct timespec *deadline)
{
	bool never_park = how && how->polls_max == XP_WAIT_POLLS_FOREVER;

	xp_assert((seen & XP_WAIT_PARKED) == 0);
	if (how && how->polls_max > 0 &&
	    (never_park ? poll_word(word, seen, POLLS_PER_LOOK) : spin(word, seen, how)))
		return 0;

	struct timespec end = xp_patrol_nap(patrol, deadline);
	int rc = never_park ? spin_for_a_nap(word, seen, &end) : park_for_a_nap(word, seen, &end);
	return rc == -EAGAIN && xp_deadline_passed(deadline) ? -ETIMEDOUT : rc;
}

int xp_wait_while(_Atomic uint32_t *word, uint32_t seen, struct xp_wait *how,
		  const struct timespec *deadline)
{
	struct xp_patrol patrol = {0};

	while (xp_wait_value(word) == seen) {
		int rc = xp_wait_step(word, seen, how, &patrol, deadline);
		if (rc < 0 && rc != -EAGAIN)
			return rc;
	}
	return 0;
}
