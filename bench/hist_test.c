/* SPDX-License-Identifier: MIT */
#include "bench/hist.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 20260131;

/* splitmix64: a fixed sequence, so that a failure can be had again. */
static uint64_t random_next(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Values over the whole range: a random power of two, then random bits below it. */
static uint64_t random_value(void)
{
	unsigned bits = (unsigned)(random_next() % (XB_HIST_BITS + XB_HIST_POWERS));
	return random_next() & ((UINT64_C(1) << (bits + 1)) - 1);
}

static struct xb_hist *fresh(void)
{
	struct xb_hist *hist = malloc(sizeof(*hist));
	cr_assert_not_null(hist);
	xb_hist_init(hist);
	return hist;
}

Test(hist, every_quantile_is_that_of_the_sorted_values_within_a_thousandth)
{
	enum { ROUNDS = 40, MOST = 20000 };
	static const double quantiles[] = {0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
	uint64_t *sorted = malloc(MOST * sizeof(*sorted));
	struct xb_hist *hist = fresh();

	for (int round = 0; round < ROUNDS; round++) {
		size_t n = 1 + random_next() % MOST;
		xb_hist_init(hist);
		for (size_t i = 0; i < n; i++) {
			sorted[i] = random_value();
			xb_hist_add(hist, sorted[i]);
		}
		qsort(sorted, n, sizeof(*sorted), ascending);
		cr_assert_eq(hist->total, n);
		cr_assert_eq(hist->min, sorted[0]);
		cr_assert_eq(hist->max, sorted[n - 1]);
		for (size_t q = 0; q < sizeof(quantiles) / sizeof(*quantiles); q++) {
			size_t rank = (size_t)ceil(quantiles[q] * (double)n);
			double want = (double)sorted[rank ? rank - 1 : 0];
			double got = (double)xb_hist_at(hist, quantiles[q]);
			cr_assert_leq(fabs(got - want), want / XB_HIST_STEPS + 1e-9,
				      "n %zu quantile %g: %g, sorted %g", n, quantiles[q], got,
				      want);
		}
	}
	free(sorted);
	free(hist);
}

Test(hist, merging_is_the_same_as_counting_together)
{
	struct xb_hist *a = fresh(), *b = fresh(), *both = fresh();

	for (int i = 0; i < 5000; i++) {
		uint64_t value = random_value();
		xb_hist_add(i % 3 ? a : b, value);
		xb_hist_add(both, value);
	}
	xb_hist_merge(a, b);
	cr_assert_eq(memcmp(a, both, sizeof(*a)), 0);
	free(a);
	free(b);
	free(both);
}

Test(hist, merging_an_empty_one_changes_nothing)
{
	struct xb_hist *a = fresh(), *empty = fresh();

	xb_hist_add(a, 7);
	xb_hist_merge(a, empty);
	cr_expect_eq(a->min, 7);
	cr_expect_eq(a->max, 7);
	cr_expect_eq(xb_hist_at(empty, 0.5), 0);
	free(a);
	free(empty);
}

Test(hist, slots_are_monotone_and_the_edges_are_kept)
{
	unsigned last = 0;

	for (uint64_t v = 0; v < 100000; v++) {
		unsigned slot = xb_hist_slot(v);
		cr_assert(slot == last || slot == last + 1, "value %llu", (unsigned long long)v);
		last = slot;
	}
	cr_expect_eq(xb_hist_slot(XB_HIST_MAX), XB_HIST_SLOTS - 1);
	cr_expect_eq(xb_hist_slot(UINT64_MAX), XB_HIST_SLOTS - 1);
	struct xb_hist *hist = fresh();
	xb_hist_add(hist, UINT64_MAX);
	cr_expect_eq(hist->max, UINT64_MAX);
	free(hist);
}

Test(hist, a_percentile_is_stated_only_with_a_hundred_samples_beyond)
{
	struct xb_hist *hist = fresh();

	for (int i = 0; i < 9999; i++)
		xb_hist_add(hist, 1);
	cr_expect(xb_hist_states(hist, 0.9));
	cr_expect_not(xb_hist_states(hist, 0.99));
	xb_hist_add(hist, 1);
	cr_expect(xb_hist_states(hist, 0.99));
	cr_expect_not(xb_hist_states(hist, 0.999));
	free(hist);
}

Test(hist, the_table_ends_at_the_exact_maximum_and_grows)
{
	struct xb_hist *hist = fresh();
	char *text = NULL;
	size_t size = 0;

	for (int i = 0; i < 30000; i++)
		xb_hist_add(hist, 1000 + random_next() % 100000);
	xb_hist_add(hist, 777777);
	FILE *out = open_memstream(&text, &size);
	cr_assert_eq(xb_hist_write(hist, out), 0);
	fclose(out);

	double last_value = 0, last_percentile = -1;
	unsigned long long last_count = 0;
	int rows = 0;
	char *save = NULL;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		double value, percentile;
		unsigned long long count;
		if (sscanf(line, "%lf %lf %llu", &value, &percentile, &count) != 3)
			continue;
		rows++;
		cr_assert_geq(value, last_value);
		cr_assert_gt(percentile, last_percentile);
		cr_assert_gt(count, last_count);
		last_value = value;
		last_percentile = percentile;
		last_count = count;
	}
	cr_expect_gt(rows, 40);
	cr_expect_eq(last_value, 777777);
	cr_expect_eq(last_percentile, 1);
	cr_expect_eq(last_count, 30001);
	free(text);
	free(hist);
}
