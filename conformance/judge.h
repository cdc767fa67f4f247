/* SPDX-License-Identifier: MIT */
/*
 * judge - one case on one implementation, in a process of its own, and what it left behind
 *
 * Overview      The runner starts a warden, the warden starts the process of the case. The warden is
 *               the reaper of all that the case starts, in a process group of its own, with a private
 *               /dev/shm where the kernel lets it, and a private TMPDIR. It keeps the deadline, kills
 *               and reaps every descendant, and looks for what stayed. Nothing that a case does, not
 *               even dying of a signal or looping for ever, reaches the runner or a later case.
 * Verdict       The case's own, but FAIL if it was killed by a signal, did not end in time, or passed
 *               and left behind a descriptor, a thread, a shared mapping, a process, a name in
 *               /dev/shm or a file.
 * Death         Of the runner: the warden and the case get SIGKILL.
 */
#ifndef CONFORMANCE_JUDGE_H
#define CONFORMANCE_JUDGE_H

#include "conformance/case.h"

/**
 * struct xc_judge_options - How to judge.
 * @seconds: Deadline of each case; 0 for the case's own. Multiplied by xc_time_scale() either way.
 * @in_place: Run the case in the calling process, for a debugger: no deadline, no warden.
 */
struct xc_judge_options {
	enum xp_carrier carrier;
	unsigned seconds;
	bool in_place;
};

/** struct xc_outcome - What came of it. */
struct xc_outcome {
	enum xc_verdict verdict;
	double seconds;
	char detail[XC_DETAIL_MAX];
};

/** struct xc_trial - A case that is being judged. */
struct xc_trial {
	const struct xc_case *test;
	const struct xc_iut *iut;
	struct xc_outcome *page;
	struct xp_child warden;
};

/** xc_trial_start() - Begin; trial->warden.pidfd becomes readable when it is over. 0 or -errno. */
XP_MUST_CHECK int xc_trial_start(struct xc_trial *trial, const struct xc_case *test,
				 const struct xc_iut *iut, const struct xc_judge_options *options);

/** xc_trial_finish() - Wait for the end, and take the outcome. */
void xc_trial_finish(struct xc_trial *trial, struct xc_outcome *ret_outcome);

/** xc_trial_abort() - Kill all of it; there is no outcome. */
void xc_trial_abort(struct xc_trial *trial);

/** xc_judge() - Start and finish in one call. */
void xc_judge(const struct xc_case *test, const struct xc_iut *iut,
	      const struct xc_judge_options *options, struct xc_outcome *ret_outcome);

#endif
