/* SPDX-License-Identifier: MIT */
#include "bench/stats.h"

#include <criterion/criterion.h>
#include <math.h>

Test(stats, the_median_of_an_even_number_lies_between_the_middle_two)
{
	double odd[] = {9, 1, 5}, even[] = {4, 1, 3, 2};

	cr_expect_eq(xb_median(odd, 3), 5);
	cr_expect_eq(xb_median(even, 4), 2.5);
}

Test(stats, few_values_give_their_range_and_its_true_level)
{
	double v[] = {3, 1, 2, 5, 4};
	struct xb_interval three = xb_interval_of(v, 3, 0.95);
	struct xb_interval five = xb_interval_of(v, 5, 0.95);
	struct xb_interval one = xb_interval_of(v, 1, 0.95);

	cr_expect_eq(three.lo, 1);
	cr_expect_eq(three.hi, 3);
	cr_expect_float_eq(three.level, 0.75, 1e-9);
	cr_expect_float_eq(five.level, 0.9375, 1e-9);
	cr_expect_eq(five.median, 3);
	cr_expect_eq(one.level, 0);
}

Test(stats, nine_values_drop_the_outermost_at_ninety_five_percent)
{
	double v[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	struct xb_interval nine = xb_interval_of(v, 9, 0.95);

	/* 1 - 2 (1 + 9) / 512: the textbook interval of the 2nd and the 8th value. */
	cr_expect_eq(nine.lo, 2);
	cr_expect_eq(nine.hi, 8);
	cr_expect_float_eq(nine.level, 1 - 20.0 / 512, 1e-9);
}

Test(stats, many_values_do_not_underflow)
{
	enum { N = 4001 };
	static double v[N];

	for (int i = 0; i < N; i++)
		v[i] = i;
	struct xb_interval got = xb_interval_of(v, N, 0.95);
	cr_expect_eq(got.median, 2000);
	cr_expect_geq(got.level, 0.95);
	cr_expect_lt(got.level, 0.96);
	/* The normal approximation: half the width is 1.96 sqrt(n) / 2. */
	cr_expect_float_eq(got.hi - got.lo, 1.96 * sqrt(N), 4);
}

Test(stats, jain_is_one_over_n_for_a_monopoly)
{
	double fair[] = {5, 5, 5, 5}, one[] = {8, 0, 0, 0};

	cr_expect_float_eq(xb_jain(fair, 4), 1, 1e-12);
	cr_expect_float_eq(xb_jain(one, 4), 0.25, 1e-12);
}
