/* SPDX-License-Identifier: MIT */
/*
 * command - the verbs of xpgate, and what they share
 *
 * Each verb parses its own options, does its work and returns the status to exit with (enum
 * xg_exit). These files, with main.c, are the only ones of the gate that print.
 */
#ifndef GATE_COMMAND_H
#define GATE_COMMAND_H

#include "gate/experiment.h"
#include "gate/run.h"

#include <argp.h>

#define XG_BUDGET_S  300
#define XG_TIMEOUT_S 20

enum xg_exit xg_command_compare(int argc, char **argv);
enum xg_exit xg_command_judge(int argc, char **argv);
enum xg_exit xg_command_list(int argc, char **argv);
enum xg_exit xg_command_selftest(int argc, char **argv);
enum xg_exit xg_command_baseline(int argc, char **argv);
enum xg_exit xg_command_against(int argc, char **argv);
enum xg_exit xg_command_export(int argc, char **argv);

/** xg_complain() - "xpgate: ..." on standard error, one line. Return: @status. */
__attribute__((format(printf, 2, 3))) enum xg_exit xg_complain(enum xg_exit status,
							       const char *format, ...);

/** struct xg_outputs - Where to write which report. */
struct xg_outputs {
	const char *format[16];
	const char *path[16];
	size_t count;
};

/** xg_outputs_options - The options --text FILE, --json FILE ... for a child of an argp. Its input
 * is a struct xg_outputs. */
extern const struct argp xg_outputs_argp;

/** xg_outputs_write() - Write them all, the text to standard output where none is named.
 * Return: @status, or XG_EXIT_USAGE where one could not be written. */
enum xg_exit xg_outputs_write(const struct xg_outputs *outputs, const struct xg_run *run,
			      enum xg_exit status);

/** xg_measuring_argp - The options that say how to measure. Its input is a struct xg_measuring. */
struct xg_measuring {
	struct xg_rule rule;
	double budget_s;
	unsigned blocks;
	double slice_ms;
	double timeout_s;
	uint64_t seed;
	bool quiet;
	bool strict;
	const char *control_program;
};

extern const struct argp xg_measuring_argp;

/** xg_measuring_init() - The defaults; the seed is the time. */
void xg_measuring_init(struct xg_measuring *measuring);

/** xg_measuring_plan() - A plan with these numbers and a progress line if there is a terminal. */
struct xg_plan xg_measuring_plan(const struct xg_measuring *measuring,
				 const struct xg_build *baseline, const struct xg_build *candidate);

/** xg_progress_clear() - Remove the progress line. */
void xg_progress_clear(void);

/** xg_command_line() - @argv as one would type it, allocated; "xpgate VERB ...". */
char *xg_command_line(const char *verb, int argc, char **argv);

/** xg_parse_number() - The number in @text, which must be all of it and at least @low; complains
 * through @state otherwise. */
double xg_parse_number(const char *text, double low, const char *what, struct argp_state *state);

/** xg_open_build() - Open a build or complain. Return: XG_EXIT_OK or the status to exit with. */
enum xg_exit xg_open_build(struct xg_build *build, const char *path, const char *label,
			   double timeout_s);

#endif
