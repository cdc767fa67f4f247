/* SPDX-License-Identifier: MIT */
#include "gate/binomial.h"

#include <math.h>
#include <stdlib.h>

static int upwards(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

void xg_sort(double *values, size_t count)
{
	if (count > 1)
		qsort(values, count, sizeof(*values), upwards);
}

double xg_median(const double *sorted, size_t count)
{
	xp_assert(count > 0);
	double high = sorted[count / 2];
	return count % 2 ? high : (sorted[count / 2 - 1] + high) / 2;
}

double xg_quantile(const double *sorted, size_t count, double q)
{
	xp_assert(count > 0 && q >= 0 && q <= 1);
	double rank = ceil(q * (double)count);
	size_t index = rank < 1 ? 0 : (size_t)rank - 1;
	return sorted[index < count ? index : count - 1];
}

/* Logarithm of the probability of exactly @k; 0 < @p < 1. */
static double binomial_log_pmf(int64_t k, int64_t n, double p)
{
	double x = (double)k, m = (double)n;

	return lgamma(m + 1) - lgamma(x + 1) - lgamma(m - x + 1) + x * log(p) + (m - x) * log1p(-p);
}

double xg_binomial_cdf(int64_t k, int64_t n, double p)
{
	xp_assert(n >= 0 && p >= 0 && p <= 1);
	if (k < 0)
		return 0;
	if (k >= n || p <= 0)
		return 1;
	if (p >= 1)
		return 0;

	double sum = 0;
	for (int64_t i = 0; i <= k; i++)
		sum += exp(binomial_log_pmf(i, n, p));
	return sum < 1 ? sum : 1;
}

int xg_sign_interval(const double *sorted, size_t count, double level,
		     struct xg_interval *ret_interval)
{
	double tail_max = (1 - level) / 2, tail = 0;
	size_t rank = 0; /* of the lower end, from 1 */

	xp_assert(level > 0 && level < 1);
	while (rank < count / 2) {
		double next = tail + exp(binomial_log_pmf((int64_t)rank, (int64_t)count, 0.5));
		if (next > tail_max)
			break;
		tail = next;
		rank++;
	}
	if (rank == 0)
		return -EDOM;
	*ret_interval = (struct xg_interval){
	    .lower = sorted[rank - 1],
	    .upper = sorted[count - rank],
	    .level = 1 - 2 * tail,
	};
	return 0;
}

/* The p at which P(X <= @k) is @wanted: the distribution function falls as p grows. */
static double binomial_p_at(int64_t k, int64_t n, double wanted)
{
	double low = 0, high = 1;

	for (int i = 0; i < 200 && high - low > 1e-15; i++) {
		double middle = (low + high) / 2;
		if (xg_binomial_cdf(k, n, middle) > wanted)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

struct xg_interval xg_clopper_pearson(int64_t k, int64_t n, double level)
{
	double tail = (1 - level) / 2;

	xp_assert(n >= 0 && k >= 0 && k <= n);
	return (struct xg_interval){
	    .lower = k == 0 ? 0 : binomial_p_at(k - 1, n, 1 - tail),
	    .upper = k == n ? 1 : binomial_p_at(k, n, tail),
	    .level = level,
	};
}
