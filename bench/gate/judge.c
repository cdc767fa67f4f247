/* SPDX-License-Identifier: MIT */
#include "gate/judge.h"

#include "gate/binomial.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static void
settle(struct xg_case *tested, enum xg_verdict verdict, const char *format, ...)
{
	va_list args;

	tested->verdict = verdict;
	va_start(args, format);
	vsnprintf(tested->reason, sizeof(tested->reason), format, args);
	va_end(args);
}

/* Count the launches whose own median lies beyond the margin, or the tolerance. @values is scratch. */
static void count_launches(const struct xg_case *tested, unsigned first, unsigned last,
			   const struct xg_rule *rule, double *values, struct xg_estimate *estimate)
{
	double beyond = log1p(rule->margin);

	for (unsigned launch = first; launch < last; launch++) {
		size_t count = 0;
		for (size_t i = 0; i < tested->pair_count; i++) {
			const struct xg_pair *pair = &tested->pairs[i];
			if (pair->launch == launch)
				values[count++] = log(pair->candidate_ns / pair->baseline_ns);
		}
		if (count == 0)
			continue;
		xg_sort(values, count);
		double median = xg_median(values, count);
		estimate->launches++;
		estimate->worse += median > beyond;
		estimate->better += median < -beyond;
		estimate->intolerable += median >= log1p(rule->tolerance);
	}
}

int xg_estimate(const struct xg_case *tested, unsigned first, unsigned last,
		const struct xg_rule *rule, struct xg_estimate *ret_estimate)
{
	struct xg_estimate estimate = {0};
	size_t count = 0;
	double *values = malloc((tested->pair_count + 1) * 3 * sizeof(*values));

	if (!values)
		return -ENOMEM;
	double *baseline = values + tested->pair_count + 1;
	double *candidate = baseline + tested->pair_count + 1;

	for (size_t i = 0; i < tested->pair_count; i++) {
		const struct xg_pair *pair = &tested->pairs[i];
		if (pair->launch < first || pair->launch >= last)
			continue;
		values[count] = log(pair->candidate_ns / pair->baseline_ns);
		baseline[count] = pair->baseline_ns;
		candidate[count] = pair->candidate_ns;
		count++;
	}
	if (count > 0) {
		struct xg_interval interval;
		xg_sort(values, count);
		xg_sort(baseline, count);
		xg_sort(candidate, count);
		estimate.pairs = count;
		estimate.median = xg_median(values, count);
		estimate.baseline_ns = xg_median(baseline, count);
		estimate.candidate_ns = xg_median(candidate, count);
		estimate.bounded = xg_sign_interval(values, count, rule->level, &interval) == 0;
		estimate.lower = estimate.bounded ? interval.lower : values[0];
		estimate.upper = estimate.bounded ? interval.upper : values[count - 1];
		count_launches(tested, first, last, rule, values, &estimate);
	}
	free(values);
	*ret_estimate = estimate;
	return 0;
}

/* All launches but one for each look agree. */
static bool enough_agree(unsigned agreeing, unsigned launches, const struct xg_rule *rule)
{
	unsigned looks = launches / rule->launches;
	return agreeing + (rule->launches > 1 ? looks : 0) >= launches;
}

static bool proves_slower(const struct xg_estimate *estimate, const struct xg_rule *rule)
{
	return estimate->bounded && estimate->lower > log1p(rule->margin) &&
	       enough_agree(estimate->worse, estimate->launches, rule);
}

static bool proves_faster(const struct xg_estimate *estimate, const struct xg_rule *rule)
{
	return estimate->bounded && estimate->upper < -log1p(rule->margin) &&
	       enough_agree(estimate->better, estimate->launches, rule);
}

/* The pairs of a launch share what befell it: under load an interval over all pairs may be narrow although the
 * launches contradict each other. So none of them may say otherwise, but for one in each further look. */
static bool proves_ok(const struct xg_estimate *estimate, const struct xg_rule *rule)
{
	return estimate->bounded && estimate->upper < log1p(rule->tolerance) &&
	       estimate->intolerable * rule->launches < estimate->launches;
}

static void settle_undecided(struct xg_case *tested, const struct xg_estimate *estimate,
			     const struct xg_rule *rule, const char *cause)
{
	if (!estimate->bounded)
		settle(tested, XG_INCONCLUSIVE, "%s: %zu pairs are too few for an interval", cause,
		       estimate->pairs);
	else if (estimate->upper - estimate->lower > log1p(rule->tolerance))
		settle(
		    tested, XG_TOO_NOISY,
		    "%s: the interval %+.1f %% to %+.1f %% is wider than the tolerance of %.0f %%",
		    cause, xg_percent(estimate->lower), xg_percent(estimate->upper),
		    100 * rule->tolerance);
	else if (estimate->upper < log1p(rule->tolerance) && estimate->intolerable > 0)
		settle(tested, XG_INCONCLUSIVE,
		       "%s: below %.0f %% over all pairs, but not in %u of %u launches", cause,
		       100 * rule->tolerance, estimate->intolerable, estimate->launches);
	else
		settle(tested, XG_INCONCLUSIVE,
		       "%s: neither proven slower than %.0f %% nor below %.0f %%", cause,
		       100 * rule->margin, 100 * rule->tolerance);
}

/* The first look said "slower"; decide with the fresh launches. */
static int judge_confirmation(struct xg_case *tested, const struct xg_rule *rule,
			      enum xg_next *ret_next)
{
	unsigned wanted = tested->confirm_from + rule->launches;
	struct xg_estimate all;

	int rc = xg_estimate(tested, tested->confirm_from, tested->launches, rule, &tested->fresh);
	if (rc < 0)
		return rc;
	if (tested->launches < wanted) {
		*ret_next = XG_NEXT_LAUNCH;
		settle(tested, XG_INCONCLUSIVE,
		       "looks slower, but only %u of %u confirming launches were done",
		       tested->launches - tested->confirm_from, rule->launches);
		return 0;
	}
	if (proves_slower(&tested->fresh, rule)) {
		settle(tested, XG_REGRESSED,
		       "slower by more than %.0f %% in %u launches, and again in %u fresh ones",
		       100 * rule->margin, tested->estimate.launches, tested->fresh.launches);
		return 0;
	}
	rc = xg_estimate(tested, 0, tested->launches, rule, &all);
	if (rc < 0)
		return rc;
	tested->estimate = all;
	if (proves_ok(&all, rule))
		settle(tested, XG_OK,
		       "a first alarm was not confirmed; below %.0f %% over all launches",
		       100 * rule->tolerance);
	else
		settle_undecided(tested, &all, rule, "a first alarm was not confirmed");
	return 0;
}

static int judge_timing(struct xg_case *tested, const struct xg_rule *rule, enum xg_next *ret_next)
{
	unsigned last = tested->confirm_from ? tested->confirm_from : tested->launches;
	const struct xg_estimate *estimate = &tested->estimate;

	int rc = xg_estimate(tested, 0, last, rule, &tested->estimate);
	if (rc < 0)
		return rc;
	tested->looks = last / rule->launches;
	if (tested->confirm_from)
		return judge_confirmation(tested, rule, ret_next);

	if (tested->launches == 0) {
		*ret_next = XG_NEXT_LAUNCH;
		settle(tested, XG_SKIPPED, "not run");
		return 0;
	}
	if (tested->looks == 0 || tested->launches % rule->launches) {
		*ret_next = XG_NEXT_LAUNCH;
		settle_undecided(tested, estimate, rule, "cut short");
		if (tested->verdict == XG_TOO_NOISY)
			tested->verdict = XG_INCONCLUSIVE;
		return 0;
	}
	if (proves_slower(estimate, rule)) {
		*ret_next = XG_NEXT_CONFIRM;
		tested->confirm_from = tested->launches;
		settle(tested, XG_INCONCLUSIVE, "looks slower, not confirmed");
	} else if (proves_faster(estimate, rule)) {
		settle(tested, XG_IMPROVED, "faster by more than %.0f %%", 100 * rule->margin);
	} else if (proves_ok(estimate, rule)) {
		settle(tested, XG_OK, "below %.0f %%", 100 * rule->tolerance);
	} else {
		if (tested->looks < rule->looks_max)
			*ret_next = XG_NEXT_EXTEND;
		settle_undecided(tested, estimate, rule, "all looks used");
		if (*ret_next == XG_NEXT_EXTEND)
			settle_undecided(tested, estimate, rule, "no time for another look");
	}
	return 0;
}

static void judge_costs(struct xg_case *tested, enum xg_next *next)
{
	size_t compared = 0;

	for (size_t i = 0; i < tested->cost_count; i++) {
		const struct xg_cost *cost = &tested->costs[i];
		compared += cost->state == XG_COST_SAME || cost->state == XG_COST_LESS;
		if (cost->state != XG_COST_MORE)
			continue;
		*next = XG_NEXT_NOTHING;
		settle(tested, XG_REGRESSED, "%s per operation: %.6g, was %.6g%s%.100s", cost->name,
		       cost->candidate, cost->baseline, cost->detail[0] ? "; " : "", cost->detail);
		return;
	}
	if (tested->launches == 0 && compared > 0)
		settle(tested, XG_OK, "%zu counted costs are no higher; not timed", compared);
}

int xg_judge_case(struct xg_case *tested, const struct xg_rule *rule, enum xg_next *ret_next)
{
	enum xg_next next = XG_NEXT_NOTHING;

	if (tested->missing[0]) {
		settle(tested, XG_SKIPPED, "%s", tested->missing);
	} else {
		int rc = judge_timing(tested, rule, &next);
		if (rc < 0)
			return rc;
		if (tested->failure[0]) {
			settle(tested, XG_ERROR, "%s", tested->failure);
			next = XG_NEXT_NOTHING;
		} else if (tested->verdict != XG_REGRESSED) {
			judge_costs(tested, &next);
		}
	}
	*ret_next = next;
	return 0;
}

/* A control compares a program with itself: if it moves, the machine moved. */
static bool controls_moved(const struct xg_run *run, const char **ret_name)
{
	for (size_t i = 0; i < run->case_count; i++) {
		const struct xg_case *control = &run->cases[i];
		struct xg_estimate all;
		if (!control->control)
			continue;
		if (control->failure[0]) {
			*ret_name = control->name;
			return true;
		}
		if (xg_estimate(control, 0, control->launches, &run->rule, &all) < 0 ||
		    !all.bounded)
			continue;
		if (all.lower > log1p(run->rule.margin) || all.upper < -log1p(run->rule.margin)) {
			*ret_name = control->name;
			return true;
		}
	}
	return false;
}

static bool counted_regression(const struct xg_case *tested)
{
	for (size_t i = 0; i < tested->cost_count; i++) {
		if (tested->costs[i].state == XG_COST_MORE)
			return true;
	}
	return false;
}

static enum xg_exit exit_of(const struct xg_run *run, bool strict)
{
	size_t undecided = xg_run_count(run, XG_INCONCLUSIVE) + xg_run_count(run, XG_TOO_NOISY) +
			   xg_run_count(run, XG_CONTAMINATED);
	size_t decided = xg_run_count(run, XG_OK) + xg_run_count(run, XG_IMPROVED) +
			 xg_run_count(run, XG_REGRESSED);

	if (xg_run_count(run, XG_ERROR) > 0)
		return XG_EXIT_CRASHED;
	if (xg_run_count(run, XG_REGRESSED) > 0)
		return XG_EXIT_REGRESSED;
	if (undecided + decided == 0)
		return XG_EXIT_NOTHING;
	if (strict && (undecided > 0 || xg_run_count(run, XG_SKIPPED) > 0))
		return XG_EXIT_INCONCLUSIVE;
	return XG_EXIT_OK;
}

int xg_judge_run(struct xg_run *run, bool strict)
{
	enum xg_next next;
	const char *moved = NULL;

	for (size_t i = 0; i < run->case_count; i++) {
		int rc = xg_judge_case(&run->cases[i], &run->rule, &next);
		if (rc < 0)
			return rc;
	}
	run->contaminated = controls_moved(run, &moved);
	for (size_t i = 0; run->contaminated && i < run->case_count; i++) {
		struct xg_case *tested = &run->cases[i];
		/* Neither a crash nor a count depends on how quiet the machine is. */
		if (tested->control || tested->verdict == XG_ERROR ||
		    tested->verdict == XG_SKIPPED || counted_regression(tested))
			continue;
		settle(tested, XG_CONTAMINATED, "the control %s moved, so would have been %s",
		       moved, xg_verdict_word(tested->verdict));
	}
	run->exit = exit_of(run, strict);
	return 0;
}
