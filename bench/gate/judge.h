/* SPDX-License-Identifier: MIT */
/*
 * judge - from pairs to verdicts, without a clock and without a process
 *
 * Overview      xg_judge_case() looks at the pairs of one case and says what they prove, or what
 *               must be measured before they prove anything. xg_judge_run() adds what only the
 *               whole run knows: whether the controls moved.
 * States        A case goes
 *                 first look -> ok | improved                     decided
 *                 first look -> EXTEND -> second -> third look    while inconclusive
 *                 any look   -> CONFIRM -> regressed              the fresh launches agree
 *                                       -> ok | inconclusive      they do not
 *               and ends as too-noisy where the interval is so wide that no change at all could
 *               have been told from one beyond the tolerance.
 * Invariants    (1) "regressed" is never given by one look: it takes two disjoint sets of
 *                   launches, each of which proves a slowdown beyond the margin by itself.
 *               (2) "ok" is only given with the upper end of the interval below the tolerance, and
 *                   the median of each launch too, but for one in each look after the first.
 *               (3) A case that has not had all the launches of a look decides nothing.
 *               (4) A counted cost that rose makes the case regressed, whatever its timing:
 *                   counts have no noise. Cost states are set by whoever counted.
 */
#ifndef GATE_JUDGE_H
#define GATE_JUDGE_H

#include "gate/run.h"

enum xg_next {
	XG_NEXT_NOTHING, /* decided, or can no longer be */
	XG_NEXT_LAUNCH,	 /* fewer launches than a look needs */
	XG_NEXT_EXTEND,	 /* inconclusive: another look's worth of launches */
	XG_NEXT_CONFIRM, /* looks regressed: as many fresh launches, judged by themselves */
};

/**
 * xg_estimate() - The change over the pairs whose launch is in [@first, @last).
 * Return: 0, -ENOMEM. Without pairs the estimate is all zero.
 */
XP_MUST_CHECK int xg_estimate(const struct xg_case *tested, unsigned first, unsigned last,
			      const struct xg_rule *rule, struct xg_estimate *ret_estimate);

/**
 * xg_judge_case() - Set verdict, reason, estimates and looks of @tested from its pairs.
 *
 * Sets confirm_from when it asks for the confirmation, so that the launches added after it are
 * known to be fresh. Safe to call again at any time, with more pairs or the same.
 * Return: 0, -ENOMEM.
 */
XP_MUST_CHECK int xg_judge_case(struct xg_case *tested, const struct xg_rule *rule,
				enum xg_next *ret_next);

/**
 * xg_judge_run() - Judge every case, then the controls, then the run: verdicts of a contaminated
 * run become "contaminated", and the exit status follows.
 * @strict: Inconclusive, too noisy and contaminated cases make the run fail.
 * Return: 0, -ENOMEM.
 */
XP_MUST_CHECK int xg_judge_run(struct xg_run *run, bool strict);

#endif
