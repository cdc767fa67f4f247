/* SPDX-License-Identifier: MIT */
/*
 * trace - counts the system calls of a worker's members
 *
 * Overview      ptrace(2), since it needs no privilege and counts exactly. It slows the worker down
 *               by orders of magnitude, so it is a pass of its own and never a timed one.
 *               What counts are the members: all processes and threads that the worker has
 *               started. The worker itself, which only waits for them, counts where it has none.
 * Context       One trace at a time; the thread that starts it carries out every call. While it
 *               lasts SIGCHLD is blocked, and no other child of this process may end.
 */
#ifndef GATE_TRACE_H
#define GATE_TRACE_H

#include "gate/arm.h"

#define XG_SYSCALLS_MAX 512

/** struct xg_trace - A traced worker. */
struct xg_trace {
	struct xg_arm arm;
	int events; /* becomes readable when a traced process stops */
	uint64_t
	    counts[XG_SYSCALLS_MAX]; /* by number, since the start; the last one is all above */
	bool has_members;
};

/** xg_trace_start() - As xg_arm_start(), traced; -EPERM where tracing is not allowed. On failure
 * trace->arm.why says why, and nothing is left. */
XP_MUST_CHECK int xg_trace_start(struct xg_trace *trace, const struct xg_arm_plan *plan);

/** xg_trace_run() - Let it do @iterations operations, counting. As xg_arm_run(). */
XP_MUST_CHECK int xg_trace_run(struct xg_trace *trace, uint64_t iterations, int64_t timeout_ns);

/** xg_trace_end() - Kill it. Accepts one whose start failed. */
void xg_trace_end(struct xg_trace *trace);

/** xg_trace_name() - "futex", or "call 449" in @buffer for one that has no name here. */
const char *xg_trace_name(size_t number, char buffer[static 24]);

#endif
