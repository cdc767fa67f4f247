/* SPDX-License-Identifier: MIT */
/*
 * suite - the selected cases, their repetitions, and the records that come of them
 *
 * Overview      Google Benchmark calls the body of a case some times in search of a number of
 *               operations, then once for each repetition. Every call is a session of its own:
 *               fresh processes, a fresh segment. Of the calls those with the final number are kept;
 *               they become one record (results/FORMAT.md) when the case is done and its floor is
 *               known.
 * Pairing       Two CPUs can be 100 ns apart now and 400 ns a second later, where a hypervisor moves
 *               them or a clock is scaled. So each repetition also runs a window of its floor and of
 *               each of its rivals, just before or just after its own in turn, and the ratio to them is
 *               the median of these paired ratios.
 */
#ifndef BENCH_SUITE_H
#define BENCH_SUITE_H

#include "bench/audit.h"
#include "bench/hist.h"
#include "bench/matrix.h"
#include "bench/session.h"

#include <jansson.h>
#include <stdio.h>

struct xb_suite;

/**
 * struct xb_beside - What is run beside a case, to be compared with it.
 * @c:      NULL: nothing.
 * @ratios: How many times worse the case is, of those repetitions that had a window of it.
 */
struct xb_beside {
	const struct xb_case *c;
	double *ratios;
	size_t count;
};

#define XB_BESIDES (1 + XB_RIVALS)

/**
 * struct xb_entry - A selected case and what is known of it so far.
 * @calls:  Figures of the repetitions with @n operations each.
 * @hist:   Their distributions, merged; NULL while there is none.
 * @syscalls: Of one operation; negative while they are not known.
 * @beside: Its floor, then its rivals.
 * @runs:   The value of each repetition in the unit of the metric.
 * @absent: Why nothing was measured, where the case turned out to be unsupported here.
 */
struct xb_entry {
	struct xb_suite *suite;
	const struct xb_case *c;
	int64_t n;
	struct xb_figures *calls;
	size_t call_count;
	size_t call_room;
	struct xb_hist *hist;
	double syscalls;
	bool counted; /* or tried */
	struct xb_beside beside[XB_BESIDES];
	double *runs;
	size_t run_count, failed;
	double value;
	double seconds;
	bool done, written;
	bool unsupported;
	char error[XB_FAIL_TEXT];
};

/**
 * struct xb_suite_plan - How to measure, and where the records go.
 * @window_s:    Least time of a repetition's window; distributions are taken only in those.
 * @repetitions: That a record should have.
 * @out:         The folder of the run, or NULL.
 * @lines:       Where a line for each record is printed, or NULL.
 * @progress:    Where to show progress: a terminal, or NULL.
 */
struct xb_suite_plan {
	double window_s;
	size_t repetitions;
	const char *out;
	const char *program;
	const char *placement;
	FILE *lines;
	FILE *progress;
};

struct xb_suite {
	struct xb_suite_plan plan;
	struct xb_matrix *matrix;
	struct xb_entry *entries;
	size_t count;
	size_t finished;
	FILE *records;
	size_t written[3]; /* by enum xb_validity */
	size_t failed;	   /* cases of which no repetition succeeded */
	int64_t begin_ns;
};

/**
 * xb_suite_open() - Select the cases that @filter matches, and the floors that they stand on.
 * Return: 0; -ENODATA where the filter selects nothing; -EINVAL for a bad expression; -EEXIST where
 * @plan->out already holds a run; other errors of the file system.
 */
XP_MUST_CHECK int xb_suite_open(struct xb_suite *suite, const struct xb_suite_plan *plan,
				struct xb_matrix *matrix, const char *filter);

/** xb_suite_body() - For struct xb_gbench_plan: one session of the entry @arg. */
double xb_suite_body(void *arg, int64_t n, char *error);

struct xb_gbench_result;

/** xb_suite_result() - For struct xb_gbench_plan: all repetitions of a case are done. */
void xb_suite_result(void *suite, const struct xb_gbench_result *result);

/** xb_suite_close() - Write what is still waiting for its floor. 0, or -EIO if a record is lost. */
XP_MUST_CHECK int xb_suite_close(struct xb_suite *suite);

/** xb_record_of() - The record of a finished entry; @floor is NULL where it has none. */
json_t *xb_record_of(const struct xb_entry *entry, const struct xb_entry *floor,
		     struct xb_verdict *ret_verdict);

#endif
