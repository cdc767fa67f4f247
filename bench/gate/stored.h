/* SPDX-License-Identifier: MIT */
/*
 * stored - a baseline in a file, and the history of all comparisons
 *
 * Overview      A stored baseline holds the counted costs and the times of a build's cases, and the
 *               fingerprint of the machine. Counted costs are compared exactly, on any machine of
 *               the same architecture. A time is compared with a stored one only to warn: measured
 *               against itself, a stored time with a threshold of 10 % raised false alarms in two
 *               runs of five, so it never fails a run. On another machine times are refused, or,
 *               normalised by the control that spins, warn.
 *               The history is JSON Lines, a line for each case of each run, only ever appended to;
 *               xg_history_export() turns it into CSV for tools that look for change points.
 */
#ifndef GATE_STORED_H
#define GATE_STORED_H

#include "gate/count.h"
#include "gate/experiment.h"
#include "gate/run.h"

#include <jansson.h>
#include <stdio.h>

#define XG_STORED_SCHEMA 1

/** struct xg_stored_case - One case of a stored baseline. */
struct xg_stored_case {
	char name[XG_NAME_MAX];
	double ns;		   /* median per operation; 0: not timed */
	double lower_ns, upper_ns; /* of the launches' medians: what one build varies by itself */
	struct xg_counts counts;
};

struct xg_stored {
	struct xg_stored_case *cases;
	size_t case_count;
	double spin_ns; /* of control/spin */
	json_t *machine;
	char *commit; /* NULL where not known */
	char *command;
	char made[32];
};

/** xg_stored_fini() - Free what it owns; accepts a zeroed one. */
void xg_stored_fini(struct xg_stored *stored);

/** xg_stored_save() - Write it to @path, whole or not at all. Return: 0, -errno. */
XP_MUST_CHECK int xg_stored_save(const struct xg_stored *stored, const char *path);

/** xg_stored_load() - Return: 0; -ENOENT and the like; -EPROTO; with a line in @ret_why
 * (XG_REASON_MAX bytes). */
XP_MUST_CHECK int xg_stored_load(const char *path, struct xg_stored *ret_stored, char *ret_why);

/** xg_stored_find() - The case with that name, or NULL. */
struct xg_stored_case *xg_stored_find(const struct xg_stored *stored, const char *name);

/** xg_stored_take() - Take the times of @run, a run of a build against itself, into the cases that
 * @stored has, and the control's. Return: 0, -ENOMEM. */
XP_MUST_CHECK int xg_stored_take(struct xg_stored *stored, const struct xg_run *run);

/** xg_history_append() - Add a line for each case of @run to @path. Return: 0, -errno. */
XP_MUST_CHECK int xg_history_append(const char *path, const struct xg_run *run);

/** xg_history_export() - Read the history @path and write it to @file as CSV: time, commit,
 * machine, case, metric, value. Return: 0; -errno; -EPROTO with "path:line: why" in @ret_why. */
XP_MUST_CHECK int xg_history_export(const char *path, FILE *file, char *ret_why);

#endif
