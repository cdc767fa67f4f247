/* SPDX-License-Identifier: MIT */
#include "bench/hist.h"

#include <math.h>
#include <string.h>

/* Rows of the percentile table for each halving of the distance to 1. */
#define TICKS_PER_HALF 5

void xb_hist_init(struct xb_hist *hist)
{
	memset(hist, 0, sizeof(*hist));
	hist->min = UINT64_MAX;
}

void xb_hist_merge(struct xb_hist *into, const struct xb_hist *from)
{
	for (unsigned i = 0; i < XB_HIST_SLOTS; i++)
		into->count[i] += from->count[i];
	into->total += from->total;
	if (from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
}

/* The inverse of xb_hist_slot(): the middle of the values that @slot counts. */
static uint64_t middle(unsigned slot)
{
	if (slot < 2 * XB_HIST_STEPS)
		return slot;
	unsigned power = slot / XB_HIST_STEPS - 1;
	uint64_t low = (uint64_t)(slot - power * XB_HIST_STEPS) << power;
	return low + ((UINT64_C(1) << power) >> 1);
}

static uint64_t clamp(const struct xb_hist *hist, uint64_t value)
{
	if (value < hist->min)
		return hist->min;
	return value > hist->max ? hist->max : value;
}

uint64_t xb_hist_at(const struct xb_hist *hist, double quantile)
{
	if (hist->total == 0)
		return 0;
	if (quantile >= 1)
		return hist->max;
	/* The rank of the sample, from 1; the nearest-rank definition. */
	uint64_t rank = (uint64_t)ceil(quantile * (double)hist->total);
	if (rank == 0)
		rank = 1;
	uint64_t seen = 0;
	for (unsigned i = 0; i < XB_HIST_SLOTS; i++) {
		seen += hist->count[i];
		if (seen >= rank)
			return clamp(hist, middle(i));
	}
	return hist->max;
}

int xb_hist_states(const struct xb_hist *hist, double quantile)
{
	return (1 - quantile) * (double)hist->total >= XB_HIST_BEYOND * (1 - 1e-9);
}

double xb_hist_mean(const struct xb_hist *hist)
{
	double sum = 0;

	for (unsigned i = 0; i < XB_HIST_SLOTS; i++)
		sum += (double)hist->count[i] * (double)clamp(hist, middle(i));
	return hist->total ? sum / (double)hist->total : 0;
}

double xb_hist_stddev(const struct xb_hist *hist)
{
	double mean = xb_hist_mean(hist);
	double sum = 0;

	for (unsigned i = 0; i < XB_HIST_SLOTS; i++) {
		double off = (double)clamp(hist, middle(i)) - mean;
		sum += hist->count[i] ? (double)hist->count[i] * off * off : 0;
	}
	return hist->total ? sqrt(sum / (double)hist->total) : 0;
}

int xb_hist_write(const struct xb_hist *hist, FILE *out)
{
	uint64_t seen = 0;
	double wanted = 0;

	fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
		"1/(1-Percentile)");
	for (unsigned i = 0; i < XB_HIST_SLOTS && seen < hist->total; i++) {
		if (hist->count[i] == 0)
			continue;
		seen += hist->count[i];
		double reached = (double)seen / (double)hist->total;
		uint64_t value = clamp(hist, middle(i));
		if (seen == hist->total)
			break; /* the last row is exact and stands below */
		if (reached < wanted)
			continue;
		fprintf(out, "%12llu %14.12f %10llu %14.2f\n", (unsigned long long)value, reached,
			(unsigned long long)seen, 1 / (1 - reached));
		/* The next row: one tick further, ticks getting finer with each halving. */
		double halvings = floor(log2(1 / (1 - reached))) + 1;
		wanted = reached + 1 / (pow(2, halvings) * TICKS_PER_HALF);
	}
	if (hist->total)
		fprintf(out, "%12llu %14.12f %10llu %14s\n", (unsigned long long)hist->max, 1.0,
			(unsigned long long)hist->total, "inf");
	fprintf(out, "#[Mean    = %12.2f, StdDeviation   = %12.2f]\n", xb_hist_mean(hist),
		xb_hist_stddev(hist));
	fprintf(out, "#[Max     = %12.2f, Total count    = %12llu]\n", (double)hist->max,
		(unsigned long long)hist->total);
	fprintf(out, "#[Buckets = %12d, SubBuckets     = %12u]\n", XB_HIST_POWERS + 1,
		2 * XB_HIST_STEPS);
	return ferror(out) ? -EIO : 0;
}
