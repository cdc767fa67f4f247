/* SPDX-License-Identifier: MIT */
/*
 * stepper - kill, or stop, a process before each single instruction of one operation
 *
 * Overview      A first victim does the operation under PTRACE_SINGLESTEP, which gives the list of its
 *               instructions. Then, for each instruction from the first to the last, a new victim runs up
 *               to it by a breakpoint and is killed there; the survivors check what they find. A second
 *               round stops it there instead, lets the survivors try with a deadline, and lets it go on.
 * Blocking      An operation that blocks is stepped up to its system call; then a survivor lets it go on
 *               (release), and the rest is stepped, too.
 * Result        What was tried is in the detail of a PASS. Where ptrace is refused, or the machine is
 *               none that it knows: UNRESOLVED, with the reason.
 */
#ifndef CONFORMANCE_STEPPER_H
#define CONFORMANCE_STEPPER_H

#include "conformance/case.h"

/* More instructions than these are not all tried but every n-th of them; the detail says so. */
#define XC_STEPS_ALL 20000

/**
 * struct xc_stepping - One operation and what is checked around it; @arg is handed to each function.
 * @prepare: Survivor, before each victim: bring the object into the state in which the operation starts.
 * @operate: Victim: the operation. Its result is not looked at.
 * @release: Survivor: let a victim that is blocked in @operate go on. NULL where it never blocks.
 * @frozen:  Survivor, while the victim is stopped: use the object, with a deadline; any -errno but
 *           -ETIMEDOUT fails. NULL where there is nothing with a deadline.
 * @check:   Survivor, after the victim's death (@killed) or its end: everything works, nothing that had
 *           been done is undone or done twice.
 */
struct xc_stepping {
	enum xc_verdict (*prepare)(struct xc_case_context *cc, void *arg);
	void (*operate)(void *arg);
	enum xc_verdict (*release)(struct xc_case_context *cc, void *arg);
	int (*frozen)(void *arg);
	enum xc_verdict (*check)(struct xc_case_context *cc, void *arg, bool killed);
	void *arg;
};

enum xc_step_mode { XC_STEP_KILL, XC_STEP_STOP };

/** xc_step() - Try every instruction in @mode. */
enum xc_verdict xc_step(struct xc_case_context *cc, const struct xc_stepping *stepping,
			enum xc_step_mode mode);

#endif
