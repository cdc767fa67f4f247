/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/timer.h"

#include <criterion/criterion.h>

enum { COUNT = 500 };

/* xorshift: the same numbers in every run. */
static int64_t next_number(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % 1000;
}

Test(timer, the_earliest_is_always_first)
{
	struct xp_timer timers[COUNT] = {0};
	struct xp_timers heap = {0};
	int64_t last = INT64_MIN;
	int left = COUNT;
	uint32_t state = 1;

	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < COUNT; i++)
			cr_assert_eq(xp_timers_set(&heap, &timers[i], next_number(&state)), 0);
	}
	for (int i = 0; i < COUNT; i += 3, left--)
		xp_timers_cancel(&heap, &timers[i]);
	xp_timers_cancel(&heap, &timers[0]);
	for (struct xp_timer *first; (first = xp_timers_first(&heap)); left--) {
		cr_assert(first->when >= last);
		cr_assert_neq((first - timers) % 3, 0);
		last = first->when;
		xp_timers_cancel(&heap, first);
	}
	cr_assert_eq(left, 0);
	xp_timers_fini(&heap);
}
