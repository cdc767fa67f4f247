/* SPDX-License-Identifier: MIT */
/*
 * arm - one live worker process of one build, driven over its standard input and output
 *
 * Overview      A worker is any program that speaks the worker protocol of xpbench, a line for a
 *               line:
 *                   (start)       ready CASE             or  error TEXT, and it ends: with status
 *                                                        77 where the case cannot run here
 *                   run N         ns TOTAL ops DONE      or  error TEXT
 *                   quit          anything, and it ends with status 0
 *               DONE is about N: members that share out the operations may do a few more or less.
 *               Between commands it blocks and uses no CPU, so that two of them can be alive while
 *               one is measured.
 * Death         Of the worker, in any way and at any moment: an error that says how, with the last
 *               line it wrote to standard error. Of this process: the worker is killed. A worker
 *               runs in a process group of its own; what it leaves behind is killed with the group
 *               and reaped, since this process adopts orphans (xg_arm_adopt()).
 */
#ifndef GATE_ARM_H
#define GATE_ARM_H

#include "gate/run.h"
#include "xpshare/proc/child.h"

#include <stdint.h>

#define XG_ARM_LINE_MAX 512
#define XG_GROUP_MAX	64

/**
 * struct xg_arm - A worker; zeroed: none.
 * @why: After a failure: one line that says what happened.
 */
struct xg_arm {
	struct xp_child child;
	pid_t group;
	const char *label;
	int in;	    /* its standard input */
	int out;    /* its standard output */
	int errors; /* its standard error, a file in memory */
	size_t have;
	char buffer[XG_ARM_LINE_MAX];
	char why[XG_REASON_MAX];
};

/**
 * struct xg_arm_plan - How to start one.
 * @argv:       NULL-terminated; argv[0] is the path of the program.
 * @env:        More environment entries, "NAME=VALUE"; unused ones are NULL.
 * @label:      "baseline", "candidate": named in errors.
 * @case_name:  What the worker must say it is ready for; NULL does not wait for "ready".
 * @timeout_ns: For "ready" and for the end after "quit".
 * @traced:     The worker asks to be traced by this thread and stops after its exec. Then
 *              @case_name is NULL: only the tracer can let it become ready.
 */
struct xg_arm_plan {
	const char *const *argv;
	const char *env[2];
	const char *label;
	const char *case_name;
	int64_t timeout_ns;
	bool traced;
};

/** xg_arm_adopt() - Make this process the parent of orphans among its descendants. 0, -errno. */
XP_MUST_CHECK int xg_arm_adopt(void);

/**
 * xg_arm_start() - Start a worker and wait until it is ready.
 * Return: 0; -ENOTSUP where the case cannot run here; -ECANCELED (xg_stop_requested()); -ETIMEDOUT; -ENOENT and the like where it cannot be
 *         executed; -EPIPE where it ended; -EPROTO where it said something else; -errno. Nothing is
 *         left behind on failure, and why is set.
 */
XP_MUST_CHECK int xg_arm_start(struct xg_arm *arm, const struct xg_arm_plan *plan);

/** xg_arm_await() - Wait until it is ready for @case_name, where xg_arm_start() did not. */
XP_MUST_CHECK int xg_arm_await(struct xg_arm *arm, const char *case_name, int64_t timeout_ns);

/**
 * xg_arm_run() - Let it do @iterations operations.
 * Return: 0 with what exactly so many take in *@ret_ns, above 0, scaled where it did a few more or
 *         less; otherwise as xg_arm_start(), and the arm can
 *         only be killed.
 */
XP_MUST_CHECK int xg_arm_run(struct xg_arm *arm, uint64_t iterations, int64_t timeout_ns,
			     double *ret_ns);

/** xg_arm_ask() - Send "run @iterations" without waiting for the answer. 0, -EPIPE. */
XP_MUST_CHECK int xg_arm_ask(struct xg_arm *arm, uint64_t iterations);

/** xg_arm_answered() - Whether a whole line of the answer lies in the pipe. Does not block. */
bool xg_arm_answered(struct xg_arm *arm);

/** xg_arm_answer() - Wait for the answer to xg_arm_ask(). Return: as xg_arm_run(). */
XP_MUST_CHECK int xg_arm_answer(struct xg_arm *arm, uint64_t iterations, int64_t timeout_ns,
				double *ret_ns);

/** xg_arm_end() - Ask it to quit and wait for its end, but keep what it wrote to standard error;
 * xg_arm_kill() follows. As xg_arm_stop(). */
XP_MUST_CHECK int xg_arm_end(struct xg_arm *arm, int64_t timeout_ns);

/** xg_arm_stop() - Ask it to quit, wait for its end, and sweep up. -EPIPE where its status is not
 * 0, -ETIMEDOUT where it had to be killed. */
XP_MUST_CHECK int xg_arm_stop(struct xg_arm *arm, int64_t timeout_ns);

/** xg_arm_kill() - Kill it and all that it left; accepts an empty one. Keeps why. */
void xg_arm_kill(struct xg_arm *arm);

/** xg_arm_members() - The processes of its group, at most XG_GROUP_MAX. Return: how many. */
size_t xg_arm_members(const struct xg_arm *arm, pid_t *ret_pids);

/** xg_arm_cpu_ns() - CPU time that the processes of @pids have used so far. */
int64_t xg_arm_cpu_ns(const pid_t *pids, size_t count);

#endif
