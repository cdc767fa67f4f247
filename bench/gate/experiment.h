/* SPDX-License-Identifier: MIT */
/*
 * experiment - which arm runs when, so that the machine's moods fall on both alike
 *
 * Overview      Rounds of launches. In a round every case that wants pairs is taken once, in a
 *               random order: both arms are started afresh (in a random order), and slices of about
 *               XG_SLICE_NS alternate A B B A or B A A B. Neighbouring slices of different arms
 *               are a pair. Both do the same number of operations, found once on the baseline and
 *               frozen.
 * Invariants    (1) The arms are never active together: one is told to run only after the other
 *                   has answered, and a worker that uses the CPU while it should block is an error.
 *               (2) Every timed slice follows an untimed handshake of the same arm, so that no
 *                   slice pays for waking up what slept while the other arm ran.
 *               (3) Fresh launches: what differs from one start to the next (addresses, pages,
 *                   cache colours) is sampled, not mistaken for the difference of the builds.
 *               (4) The controls take part in every round.
 * Time          Measured after the first round; cases that do not fit the budget are dropped from
 *               the end of the list and say so. A look that cannot be finished decides nothing.
 */
#ifndef GATE_EXPERIMENT_H
#define GATE_EXPERIMENT_H

#include "gate/build.h"
#include "gate/run.h"

/* Not a multiple of the 4 ms tick of the usual kernel, so that slices do not lock on to it. */
#define XG_SLICE_NS   INT64_C(5300000)
#define XG_BLOCKS     20 /* to a launch; a block is two pairs */
#define XG_BLOCKS_MIN 4	 /* where one operation takes longer than a slice */

/** struct xg_progress - How far a run is; for a line on the terminal. */
struct xg_progress {
	const char *doing;
	const char *case_name;
	unsigned launches_done;
	unsigned launches_planned;
	double elapsed_s;
	double budget_s;
};

/**
 * struct xg_plan - What to compare and how.
 * @control_program: Whose "control-worker" serves the control cases: this program.
 * @inject:     The candidate does this share more operations than are accounted: a slowdown of
 *              known size (the selftest). 0: none.
 * @timeout_ns: A worker that takes longer to start, to end, or to answer hangs.
 */
struct xg_plan {
	const struct xg_build *baseline;
	const struct xg_build *candidate;
	const char *control_program;
	double budget_s;
	double inject;
	int64_t slice_ns;
	unsigned blocks;
	int64_t timeout_ns;
	void (*progress)(void *context, const struct xg_progress *progress);
	void *context;
};

/** xg_controls() - Names of the control cases, ended by NULL. */
const char *const *xg_controls(void);

/**
 * xg_select() - Fill @run with the cases to compare: those of @names, which may be globs, or the
 * default ones where it has none, and the controls after them. A case that one build lacks is kept,
 * and says so.
 * Return: 0; -ENOENT where a name matches no case of either build (*@ret_unknown is the name, or
 *         NULL where no build has a default case); -ENOMEM.
 */
XP_MUST_CHECK int xg_select(struct xg_run *run, const struct xg_plan *plan,
			    const char *const *names, size_t name_count, const char **ret_unknown);

/**
 * xg_experiment() - Measure until every case is decided, the budget is spent or a stop is asked
 * for. Adds pairs and failures to @run's cases and judges them on the way; says in @run whether it
 * came to its end.
 * Return: 0, also where cases failed; -ENOMEM.
 */
XP_MUST_CHECK int xg_experiment(struct xg_run *run, const struct xg_plan *plan);

/**
 * xg_calibrate() - The iterations that take @slice_ns on a live worker, at least 1.
 * Return: 0 or what xg_arm_run() returns.
 */
struct xg_arm;
XP_MUST_CHECK int xg_calibrate(struct xg_arm *arm, int64_t slice_ns, int64_t timeout_ns,
			       uint64_t *ret_iterations);

#endif
