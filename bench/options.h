/* SPDX-License-Identifier: MIT */
/*
 * options - the command line of xpbench
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "xpshare/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum xb_action {
	XB_ACTION_RUN,
	XB_ACTION_HELP,
	XB_ACTION_VERSION,
	XB_ACTION_DOCTOR,
	XB_ACTION_LIST_TESTS, /* names only, as Google Benchmark prints them */
	XB_ACTION_LIST_CASES,
	XB_ACTION_WORKER,
	XB_ACTION_REPORT,
};

/**
 * struct xb_options - What the user wants.
 * @worker:      Name of the case to serve.
 * @report_run:  Folder of a run whose targets shall be reported; NULL for the run of this call.
 * @window_s, @repetitions: Google Benchmark's, known to us too.
 * @google_display: --benchmark_format was given: Google Benchmark prints its own report.
 * @error: One line for the user, where the command line makes no sense.
 */
struct xb_options {
	enum xb_action action;
	bool quick, dry, wait, report;
	const char *placement;
	const char *out;
	const char *worker;
	const char *report_run;
	uint64_t seed;
	double window_s;
	size_t repetitions;
	bool google_display;
	char error[200];
};

/**
 * xb_options_parse() - Read the command line, Google Benchmark's flags included.
 *
 * Return: 0; -EINVAL with @ret_options->error filled. On a bad value of one of its own flags Google
 * Benchmark ends the process, with 2 (gbench.h).
 */
XP_MUST_CHECK int xb_options_parse(int argc, char **argv, struct xb_options *ret_options);

/** xb_options_help() - Print the manual to standard output. */
void xb_options_help(void);

#endif
