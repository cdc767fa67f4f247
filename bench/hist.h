/* SPDX-License-Identifier: MIT */
/*
 * hist - a log-linear histogram of nanoseconds, of fixed size
 *
 * Overview      Counts values from 0 to XB_HIST_MAX with a relative error of at most 1/1024 (three
 *               significant digits), as HdrHistogram does: the range is cut into powers of two, each
 *               of them into 1024 equal steps. Larger values are counted in the last step, and their
 *               maximum is kept.
 * Use           One per member, in shared memory; the leader merges them after the run.
 * Memory        A plain struct without pointers, of fixed size: lives in a shared mapping, is set up
 *               by xb_hist_init() and copied as bytes. One writer at a time.
 * Invariants    (1) total is the sum of counts. (2) min and max are exact.
 *               (3) merge(a, b) equals the histogram of both sets of values.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include "xpshare/base/err.h"

#include <stdint.h>
#include <stdio.h>

#define XB_HIST_BITS   10 /* 2^10 steps in each power of two */
#define XB_HIST_STEPS  (1u << XB_HIST_BITS)
#define XB_HIST_POWERS 27 /* powers of two above the first 2 * XB_HIST_STEPS values */
#define XB_HIST_SLOTS  ((XB_HIST_POWERS + 1) * XB_HIST_STEPS)
#define XB_HIST_MAX    ((UINT64_C(1) << (XB_HIST_BITS + XB_HIST_POWERS)) - 1) /* 137 s in ns */

/* A percentile is stated only where at least this many samples lie beyond it. */
#define XB_HIST_BEYOND 100

struct xb_hist {
	uint64_t total;
	uint64_t min; /* UINT64_MAX while empty */
	uint64_t max;
	uint64_t count[XB_HIST_SLOTS];
};

/** xb_hist_init() - Empty it; also touches every page of it. */
void xb_hist_init(struct xb_hist *hist);

/** xb_hist_slot() - The slot that counts @value. */
static inline unsigned xb_hist_slot(uint64_t value)
{
	if (value > XB_HIST_MAX)
		value = XB_HIST_MAX;
	if (value < 2 * XB_HIST_STEPS)
		return (unsigned)value;
	unsigned power = 63u - (unsigned)__builtin_clzll(value) - XB_HIST_BITS;
	return power * XB_HIST_STEPS + (unsigned)(value >> power);
}

/** xb_hist_add() - Count one value. Progress: wait-free, no system call. */
static inline void xb_hist_add(struct xb_hist *hist, uint64_t value)
{
	hist->count[xb_hist_slot(value)]++;
	hist->total++;
	if (value < hist->min)
		hist->min = value;
	if (value > hist->max)
		hist->max = value;
}

/** xb_hist_merge() - Add what @from counted to @into. */
void xb_hist_merge(struct xb_hist *into, const struct xb_hist *from);

/**
 * xb_hist_at() - The value at or below which the fraction @quantile (0 to 1) of the values lies.
 * Return: the middle of the slot, between min and max; 0 for an empty histogram.
 */
uint64_t xb_hist_at(const struct xb_hist *hist, double quantile);

/** xb_hist_states() - Whether at least XB_HIST_BEYOND samples lie beyond @quantile. */
int xb_hist_states(const struct xb_hist *hist, double quantile);

/** xb_hist_mean(), xb_hist_stddev() - Of the slots' middles. For the .hgrm footer, not for claims. */
double xb_hist_mean(const struct xb_hist *hist);
double xb_hist_stddev(const struct xb_hist *hist);

/** xb_hist_write() - Write the percentile table (.hgrm). Return: 0 or -EIO. */
XP_MUST_CHECK int xb_hist_write(const struct xb_hist *hist, FILE *out);

#endif
