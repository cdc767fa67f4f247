/* SPDX-License-Identifier: MIT */
/*
 * count - costs that are counted rather than timed, and so are the same on any machine
 *
 * Overview      Per operation, from the difference of a long and a short run of the same worker, so
 *               that what happens once (start-up, the command, the answer) cancels out:
 *                   syscalls      of all members (trace.h): the kinds of call that are stable in
 *                                 both builds; waiting and yielding calls often are not
 *                   switches      voluntary context switches: how often a member went to sleep
 *                   faults        minor page faults
 *                   allocations   malloc and its kin (alloc_counter.c, preloaded)
 *                   instructions  by callgrind, for cases of one member only: with more, spinning
 *                                 makes them depend on the timing
 *                   shared bytes  of the shared mappings that are resident in the worker, not per
 *                                 operation; or what the build says about its object
 * Stability     Each is counted XG_COUNT_REPEATS times. Where the repeats of one build disagree by
 *               more than XG_COUNT_TOLERANCE, the count depends on the timing: it is reported as
 *               unstable and decides nothing. So are switches that are no whole number.
 * Absence       A tool that is missing or not allowed makes a cost "not counted", with the reason.
 */
#ifndef GATE_COUNT_H
#define GATE_COUNT_H

#include "gate/experiment.h"
#include "gate/run.h"

#include <jansson.h>

#define XG_COUNT_REPEATS   3
#define XG_COUNT_TOLERANCE 0.005 /* of the baseline's */
#define XG_COUNT_SLACK	   0.01	 /* and so many per operation: an event at the edge of a run */
#define XG_COUNT_SLACK_INSTRUCTIONS \
	0.25 /* the same for instructions: a member that went to sleep */

#define XG_COST_EACH(X)                 \
	X(SYSCALLS, "syscalls")         \
	X(SWITCHES, "switches")         \
	X(FAULTS, "faults")             \
	X(ALLOCATIONS, "allocations")   \
	X(INSTRUCTIONS, "instructions") \
	X(SHARED, "shared bytes")

enum xg_cost_kind {
#define X(name, word) XG_COST_KIND_##name,
	XG_COST_EACH(X)
#undef X
	    XG_COST_KINDS
};

/** struct xg_count - One cost of one build. @why: not empty where it was not counted. */
struct xg_count {
	double value;
	bool stable;
	char why[XG_REASON_MAX];
};

/** struct xg_count_call - How often one system call is made per operation. */
struct xg_count_call {
	double value;
	bool stable;
};

/** struct xg_counts - All costs of one case of one build. */
struct xg_counts {
	struct xg_count cost[XG_COST_KINDS];
	uint64_t short_run, long_run; /* iterations */
	struct xg_count_call *calls;  /* by number; XG_SYSCALLS_MAX of them */
};

/** xg_cost_kind_word() - "syscalls". */
const char *xg_cost_kind_word(enum xg_cost_kind kind);

/**
 * xg_count_case() - Count the costs of @listed in @build.
 * @plan:   For its timeout, and for its self, beside which alloc_counter is found.
 * @counts: With short_run 0 the lengths of the runs are found; otherwise they are kept, so that both
 *          builds do the same.
 * Return: 0, also where nothing could be counted; -ECANCELED; -ENOMEM.
 */
XP_MUST_CHECK int xg_count_case(const struct xg_build *build, const struct xg_listed *listed,
				const struct xg_plan *plan, struct xg_counts *counts);

/** xg_counts_fini() - Free what it owns; accepts a zeroed one. */
void xg_counts_fini(struct xg_counts *counts);

/** xg_counts_compare() - Set the costs of @tested from the counts of both builds. */
void xg_counts_compare(struct xg_case *tested, const struct xg_counts *baseline,
		       const struct xg_counts *candidate);

/** xg_count_run() - Count and compare every case of @run that both builds have, until @deadline_ns
 * on the monotonic clock. Return: 0, -ECANCELED, -ENOMEM. */
XP_MUST_CHECK int xg_count_run(struct xg_run *run, const struct xg_plan *plan, int64_t deadline_ns);

/** xg_counts_json() - As stored in a baseline; the caller owns it. */
json_t *xg_counts_json(const struct xg_counts *counts);

/** xg_counts_load() - The opposite. Return: 0, -EPROTO. */
XP_MUST_CHECK int xg_counts_load(const json_t *object, struct xg_counts *ret_counts);

#endif
