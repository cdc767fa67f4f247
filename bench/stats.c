/* SPDX-License-Identifier: MIT */
#include "bench/stats.h"

#include "xpshare/base/err.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double xb_median(double *values, size_t n)
{
	xp_assert(n > 0);
	qsort(values, n, sizeof(*values), ascending);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

struct xb_interval xb_interval_of(const double *values, size_t n, double wanted)
{
	double *sorted = malloc(n * sizeof(*sorted));

	xp_assert(n > 0 && sorted);
	memcpy(sorted, values, n * sizeof(*sorted));
	struct xb_interval got = {.median = xb_median(sorted, n)};

	/* Leaving out the k smallest and the k largest misses the median with probability
	 * 2 P(binomial(n, 1/2) <= k); in logarithms, so that a large n does not underflow. */
	double tail = 0;
	size_t k = 0;
	double level = 0;
	for (size_t i = 0; i < (n + 1) / 2; i++) {
		double m = (double)n, j = (double)i;
		tail += exp(lgamma(m + 1) - lgamma(j + 1) - lgamma(m - j + 1) - m * log(2));
		double holds = n == 1 ? 0 : 1 - 2 * tail;
		if (i > 0 && holds < wanted)
			break;
		k = i;
		level = holds;
	}
	got.lo = sorted[k];
	got.hi = sorted[n - 1 - k];
	got.level = level > 0 ? level : 0;
	free(sorted);
	return got;
}

double xb_jain(const double *shares, size_t n)
{
	double sum = 0, squares = 0;

	for (size_t i = 0; i < n; i++) {
		sum += shares[i];
		squares += shares[i] * shares[i];
	}
	return squares > 0 ? sum * sum / ((double)n * squares) : 1;
}
