/* SPDX-License-Identifier: MIT */
/*
 * binomial - the exact binomial statistics on which every verdict rests
 *
 * Overview      Medians with an interval that follows from the sign test, and bounds for a
 *               proportion. Both are exact for any continuous distribution: nothing is assumed
 *               about the shape of the noise, which on a shared machine has none worth assuming.
 * Why it is     The number of values below the true median is binomial(n, 1/2), whatever the
 * correct       distribution. So the k-th smallest value lies above the median with probability
 *               P(B < k), and [x(k), x(n+1-k)] covers it with 1 - 2 P(B < k).
 */
#ifndef GATE_BINOMIAL_H
#define GATE_BINOMIAL_H

#include "xpshare/base/err.h"

#include <stddef.h>
#include <stdint.h>

/** struct xg_interval - [lower, upper] and the confidence that it really has. */
struct xg_interval {
	double lower;
	double upper;
	double level;
};

/** xg_sort() - Sort @values upwards. None of them is a NaN. */
void xg_sort(double *values, size_t count);

/** xg_median() - Median of @sorted values; @count is at least 1. */
double xg_median(const double *sorted, size_t count);

/** xg_quantile() - The smallest of @sorted values with at least @q of them at or below it. */
double xg_quantile(const double *sorted, size_t count, double q);

/** xg_binomial_cdf() - P(X <= @k) for X binomial(@n, @p); 0 where @k is negative. */
double xg_binomial_cdf(int64_t k, int64_t n, double p);

/**
 * xg_sign_interval() - The narrowest order-statistic interval for the median of @sorted values
 * that has at least confidence @level.
 * Return: 0; -EDOM where there are too few values for any (8 are needed for 0.99).
 */
XP_MUST_CHECK int xg_sign_interval(const double *sorted, size_t count, double level,
				   struct xg_interval *ret_interval);

/**
 * xg_clopper_pearson() - The exact two-sided interval of confidence @level for a proportion of
 * which @k of @n were seen. At @k of 0 the lower bound is 0, at @n the upper is 1, and the other
 * bound is the one-sided one at the same tail, (1 - @level) / 2.
 */
struct xg_interval xg_clopper_pearson(int64_t k, int64_t n, double level);

#endif
