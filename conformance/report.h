/* SPDX-License-Identifier: MIT */
/*
 * report - what a run found, for people and for programs
 *
 * Text quotes the clause, then what was expected and what was seen. JSON is conformance.json of
 * results/FORMAT.md; TAP is version 13; JUnit is what CI systems read.
 */
#ifndef CONFORMANCE_REPORT_H
#define CONFORMANCE_REPORT_H

#include "conformance/plan.h"

#include <stdio.h>

/** xc_report_list() - Every clause that @selection selects: id, level, number of cases, sentence and
 *  source. Return: how many. */
size_t xc_report_list(FILE *out, const struct xc_selection *selection);

/** xc_report_text() - A line per clause and verdict, failures in full, and the counts. */
void xc_report_text(FILE *out, const struct xc_plan *plan);

/** xc_report_tap() - A test point per ruling. */
void xc_report_tap(FILE *out, const struct xc_plan *plan);

/** xc_report_junit() - Write @path. 0 or -errno. */
XP_MUST_CHECK int xc_report_junit(const char *path, const struct xc_plan *plan);

/** struct xc_run_facts - What the JSON says about the run itself. */
struct xc_run_facts {
	int argc;
	char **argv;
	time_t started, finished;
	enum xp_carrier carrier;
};

/** xc_report_json() - Write @path: to a temporary name first, then renamed. 0 or -errno. */
XP_MUST_CHECK int xc_report_json(const char *path, const struct xc_plan *plan,
				 const struct xc_run_facts *facts);

#endif
