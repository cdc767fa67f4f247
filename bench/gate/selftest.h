/* SPDX-License-Identifier: MIT */
/*
 * selftest - the gate's own false-alarm rate and sensitivity, with the bounds that n supports
 *
 * Overview      Verdicts about a change whose size is known - none at all (A/A), or one that was
 *               injected by letting the candidate do more operations than are accounted - are
 *               tallied case by case.
 * What counts   A false alarm is "regressed" without a change. Found is "regressed" with one. A
 *               wrong ok is "ok" or "improved" with an injected change of at least twice the
 *               tolerance. The slope of a case is the median over its verdicts of the change that
 *               was recovered, divided by the one injected, both as logarithms. A case whose slope
 *               lies outside XG_SLOPE_MIN to XG_SLOPE_MAX is insensitive: part of its time does not
 *               depend on the number of operations, and the gate sees slowdowns of it only in part.
 */
#ifndef GATE_SELFTEST_H
#define GATE_SELFTEST_H

#include "gate/run.h"
#include "gate/binomial.h"

#include <jansson.h>
#include <stdio.h>

#define XG_SLOPE_MIN	      0.7
#define XG_SLOPE_MAX	      1.3
#define XG_FALSE_ALARMS_MAX   0.01
#define XG_FOUND_MIN	      0.95
#define XG_BOUND_LEVEL	      0.95
#define XG_TALLY_VERDICTS_MAX 100000

/** struct xg_tally - All verdicts about one case. */
struct xg_tally {
	char name[XG_NAME_MAX];
	size_t verdicts[XG_VERDICTS];
	char failure[XG_REASON_MAX]; /* why, of the first verdict that is an error */
	double *slopes;		     /* recovered / injected, one a verdict that had pairs */
	size_t slope_count;
	size_t slope_room;
};

/** struct xg_trial - Verdicts under one condition; zeroed: none. */
struct xg_trial {
	const char *condition; /* "A/A", "+10 % injected", "A/A under load" ... */
	double inject;
	double tolerance;
	bool noisy; /* the machine was put under load on purpose */
	struct xg_tally *tallies;
	size_t tally_count;
	unsigned runs;
	unsigned contaminated_runs;
	double seconds;
	double steal_percent_max;
};

/** struct xg_finding - What a trial shows. */
struct xg_finding {
	size_t verdicts; /* without errors and skipped cases */
	size_t decided;	 /* ok, improved or regressed */
	size_t regressed;
	size_t errors;
	size_t wrong_ok;
	struct xg_interval regressed_bounds; /* of the share of "regressed", Clopper-Pearson */
	size_t sensitive_verdicts;	     /* of cases whose slope is in range */
	size_t sensitive_regressed;
	struct xg_interval sensitive_bounds;
	size_t insensitive_cases;
	bool holds; /* what the gate claims for this condition */
};

/** xg_trial_add() - Add the verdicts of the cases of a judged @run, controls left out. 0, -ENOMEM. */
XP_MUST_CHECK int xg_trial_add(struct xg_trial *trial, const struct xg_run *run);

/** xg_trial_fini() - Free what it owns; accepts a zeroed one. */
void xg_trial_fini(struct xg_trial *trial);

/** xg_trial_verdicts() - How many there are, without errors and skipped cases. */
size_t xg_trial_verdicts(const struct xg_trial *trial);

/** xg_tally_slope() - Median of the recovered share; 0 where there is none. Sorts the slopes. */
double xg_tally_slope(struct xg_tally *tally);

/** xg_trial_find() - Evaluate. */
void xg_trial_find(struct xg_trial *trial, struct xg_finding *ret_finding);

/** xg_trial_text() - What it shows, for a reader, in Markdown. */
void xg_trial_text(struct xg_trial *trial, FILE *file);

/** xg_trial_json() - The same for a program, with all counts. The caller owns it. */
json_t *xg_trial_json(struct xg_trial *trial);

#endif
