/* SPDX-License-Identifier: MIT */
/*
 * plan - which cases run on which implementations, running them, and the ruling on each clause
 *
 * Overview      A plan is the product of the clauses and implementations that were selected. Running
 *               it fills in an outcome per (case, implementation); a ruling sums up the outcomes of
 *               one clause on one implementation, the worst deciding. A clause of the implementation's
 *               kind that no case tried is UNTESTED.
 */
#ifndef CONFORMANCE_PLAN_H
#define CONFORMANCE_PLAN_H

#include "conformance/judge.h"

/** struct xc_selection - What to run; NULL lists and a zero mask select everything. */
struct xc_selection {
	const char *const *patterns; /* of clauses */
	size_t patterns_count;
	const char *const *iuts; /* wildcards of implementation names */
	size_t iuts_count;
	unsigned scopes; /* bits of XC_SCOPE() */
	bool heavy_only, light_only;
	bool stepper; /* only the cases that step, which are left out otherwise */
};

struct xc_entry {
	const struct xc_case *test;
	const struct xc_iut *iut;
	struct xc_outcome outcome;
	bool done;
};

/** struct xc_ruling - The verdict on one clause and one implementation. @entry is the one that decided;
 *  NULL for UNTESTED. */
struct xc_ruling {
	const struct xc_clause *clause;
	const struct xc_iut *iut;
	enum xc_verdict verdict;
	const struct xc_entry *entry;
	double seconds;
};

struct xc_plan {
	struct xc_entry *entries;
	size_t entries_count;
	struct xc_ruling *rulings; /* in the order of the clauses */
	size_t rulings_count;
	const struct xc_iut *iuts; /* borrowed */
	size_t iuts_count;
	bool interrupted;
};

/** xc_plan_make() - Which of the cases run on which of @iuts. 0, -ENOMEM. */
XP_MUST_CHECK int xc_plan_make(const struct xc_selection *selection, const struct xc_iut *iuts,
			       size_t iuts_count, struct xc_plan *ret_plan);
void xc_plan_fini(struct xc_plan *plan);

/** xc_plan_watch() - Called in the runner as each trial starts (@entry->done false) and ends. */
typedef void xc_plan_watch(const struct xc_plan *plan, const struct xc_entry *entry, size_t ended,
			   void *arg);

/**
 * xc_plan_run() - Run all, @jobs at a time.
 * @stop: Looked at between trials and after each interruption by a signal: non-zero stops cleanly.
 *        What had not ended stays not done, and plan->interrupted is set.
 * Return: 0; -errno if trials cannot be started at all.
 */
XP_MUST_CHECK int xc_plan_run(struct xc_plan *plan, const struct xc_judge_options *options,
			      unsigned jobs, xc_plan_watch *watch, void *arg,
			      const volatile int *stop);

/** xc_plan_rule() - Fill in plan->rulings from the outcomes. */
void xc_plan_rule(struct xc_plan *plan);

/** xc_plan_failed() - Whether a run that ruled so has failed: a MUST that a subject fails; if @strict
 *  also a SHOULD, and a MUST that is UNRESOLVED or UNTESTED. */
bool xc_plan_failed(const struct xc_plan *plan, bool strict);

#endif
