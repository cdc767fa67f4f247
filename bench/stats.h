/* SPDX-License-Identifier: MIT */
/*
 * stats - the few statistics that a record states, all of them free of distributional assumptions
 */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>

/** struct xb_interval - A median with the order statistics that bracket it. */
struct xb_interval {
	double median;
	double lo, hi;
	double level; /* exact probability that the true median lies in [lo, hi] */
};

/** xb_median() - Of @n > 0 values, which are left in ascending order. */
double xb_median(double *values, size_t n);

/**
 * xb_interval_of() - The narrowest symmetric order-statistic interval for the median with a
 * confidence of at least @wanted, or the range of all values where even that has less.
 *
 * Exact whatever the distribution: the number of values below the true median is binomial(n, 1/2).
 * Source: David and Nagaraja, "Order Statistics" (2003), 7.1.  @n > 0.
 */
struct xb_interval xb_interval_of(const double *values, size_t n, double wanted);

/** xb_jain() - Jain's fairness index of @n > 0 shares: 1/n (one has all) to 1 (all alike). */
double xb_jain(const double *shares, size_t n);

#endif
