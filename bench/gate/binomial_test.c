/* SPDX-License-Identifier: MIT */
#include "gate/binomial.h"

#include <criterion/criterion.h>
#include <math.h>

static void expect_near(double got, double wanted, double within)
{
	cr_expect(fabs(got - wanted) <= within, "%.9g is not within %g of %.9g", got, within,
		  wanted);
}

/* The values 1..n, so that an end of the interval is its own rank. */
static const double *ranks(void)
{
	static double values[1000];

	for (size_t i = 0; i < 1000; i++)
		values[i] = (double)(i + 1);
	return values;
}

Test(binomial, median_of_odd_and_even_counts)
{
	double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, one[] = {7};

	xg_sort(odd, 3);
	xg_sort(even, 4);
	expect_near(xg_median(odd, 3), 3, 0);
	expect_near(xg_median(even, 4), 2.5, 0);
	expect_near(xg_median(one, 1), 7, 0);
	expect_near(xg_quantile(ranks(), 100, 0.9), 90, 0);
	expect_near(xg_quantile(ranks(), 100, 0), 1, 0);
	expect_near(xg_quantile(ranks(), 100, 1), 100, 0);
}

Test(binomial, binomial_tail_matches_counting)
{
	expect_near(xg_binomial_cdf(0, 10, 0.5), 1.0 / 1024, 1e-12);
	expect_near(xg_binomial_cdf(2, 10, 0.5), 56.0 / 1024, 1e-12);
	expect_near(xg_binomial_cdf(1, 3, 0.25), 0.84375, 1e-12);
	expect_near(xg_binomial_cdf(-1, 3, 0.25), 0, 0);
	expect_near(xg_binomial_cdf(3, 3, 0.25), 1, 0);
	/* Far beyond where 0.5^n can be held in a double. */
	expect_near(xg_binomial_cdf(2499, 4999, 0.5), 0.5, 1e-9);
}

/* The table of ranks for the median that textbooks print, recomputed with whole numbers. */
Test(binomial, sign_interval_matches_the_table_of_ranks)
{
	static const struct {
		size_t count, lower;
		double asked;
	} table[] = {
	    {6, 1, 0.95},  {8, 1, 0.95},  {9, 2, 0.95},	  {10, 2, 0.95},  {15, 4, 0.95},
	    {20, 6, 0.95}, {25, 8, 0.95}, {30, 10, 0.95}, {50, 18, 0.95}, {8, 1, 0.99},
	    {10, 1, 0.99}, {11, 1, 0.99}, {12, 2, 0.99},  {15, 3, 0.99},  {20, 4, 0.99},
	    {25, 6, 0.99}, {30, 8, 0.99}, {50, 16, 0.99},
	};
	struct xg_interval interval;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		cr_assert_eq(xg_sign_interval(ranks(), table[i].count, table[i].asked, &interval),
			     0);
		cr_expect_eq((size_t)interval.lower, table[i].lower, "n %zu at %g: rank %g",
			     table[i].count, table[i].asked, interval.lower);
		cr_expect_eq((size_t)interval.upper, table[i].count + 1 - table[i].lower);
		cr_expect(interval.level >= table[i].asked);
	}
	cr_assert_eq(xg_sign_interval(ranks(), 10, 0.95, &interval), 0);
	expect_near(interval.level, 1 - 22.0 / 1024, 1e-12);
}

Test(binomial, too_few_values_have_no_interval)
{
	struct xg_interval interval = {.lower = -1};

	cr_expect_eq(xg_sign_interval(ranks(), 7, 0.99, &interval), -EDOM);
	cr_expect_eq(xg_sign_interval(ranks(), 5, 0.95, &interval), -EDOM);
	cr_expect_eq(xg_sign_interval(ranks(), 0, 0.95, &interval), -EDOM);
	cr_expect_eq((int)interval.lower, -1);
}

/* Values of scipy.stats.beta.ppf, and the closed forms at the ends: 1 - (alpha/2)^(1/n). */
Test(binomial, clopper_pearson_matches_known_values)
{
	struct xg_interval bounds = xg_clopper_pearson(0, 10, 0.95);
	expect_near(bounds.lower, 0, 0);
	expect_near(bounds.upper, 0.3084971078, 1e-9);

	bounds = xg_clopper_pearson(5, 10, 0.95);
	expect_near(bounds.lower, 0.1870860284, 1e-9);
	expect_near(bounds.upper, 0.8129139716, 1e-9);

	bounds = xg_clopper_pearson(10, 10, 0.95);
	expect_near(bounds.lower, 0.6915028922, 1e-9);
	expect_near(bounds.upper, 1, 0);

	bounds = xg_clopper_pearson(0, 300, 0.95);
	expect_near(bounds.upper, 1 - pow(0.025, 1.0 / 300), 1e-9);

	bounds = xg_clopper_pearson(0, 0, 0.95);
	expect_near(bounds.lower, 0, 0);
	expect_near(bounds.upper, 1, 0);
}

/* The defining property, for every k: each bound leaves exactly the tail beyond what was seen. */
Test(binomial, clopper_pearson_bounds_leave_the_tail_that_they_claim)
{
	for (int64_t n = 1; n <= 40; n++) {
		for (int64_t k = 0; k <= n; k++) {
			struct xg_interval bounds = xg_clopper_pearson(k, n, 0.99);
			if (k > 0)
				expect_near(1 - xg_binomial_cdf(k - 1, n, bounds.lower), 0.005,
					    1e-9);
			if (k < n)
				expect_near(xg_binomial_cdf(k, n, bounds.upper), 0.005, 1e-9);
		}
	}
}
