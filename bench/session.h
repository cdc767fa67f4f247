/* SPDX-License-Identifier: MIT */
/*
 * session - the members of one case, from their start to their end
 *
 * Overview      xb_session_open() makes the place and the objects, forks the members, pins them and
 *               lines them up at the start gate. Then it carries out orders: each is one window of n
 *               operations. Between orders all members sleep on one futex and use no CPU.
 * Use           open; run, run, ...; close. A repetition of xpbench is a session of its own, so that
 *               every figure stems from fresh processes and a fresh segment; a worker (worker.h)
 *               keeps one session for all its slices.
 * Death         Of a member: the order fails with its last words, and close reaps the rest. Of the
 *               leader: the members die with it. An interruption by the user fails the order.
 */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include "bench/workload.h"

#include <signal.h>

#define XB_SESSION_DEADLINE_S 120 /* an order that takes longer than this has hung */

/** xb_interrupted - Set by the program's handler of SIGINT and SIGTERM. */
extern volatile sig_atomic_t xb_interrupted;

/** struct xb_session - A case with its members running. Kept where it was opened: never moved. */
struct xb_session {
	struct xb_stage stage;
};

/**
 * struct xb_figures - What one order showed, all members together.
 * @ns:       Of the operations by the median batch (or the span).
 * @total_ns: By the clock; @span_ns: from the first member's start to the last one's end.
 * @cpu_s:    Of all members; @server_cpu_s of the stage's server, where there is one.
 * @steal:    Part of the CPUs' time in the window that the hypervisor took, 0 to 1.
 * @fairness: Jain's index over the members that did operations; 0 where fewer than two did.
 */
struct xb_figures {
	double ns;
	double total_ns;
	double span_ns;
	int64_t ops, bytes;
	double cpu_s, server_cpu_s;
	int64_t switches_voluntary, switches_involuntary, faults_minor;
	double steal;
	double fairness;
	bool moved;
};

/**
 * xb_session_open() - Set the case up.
 * @error: Filled on failure, one line.
 * Return: 0; -ENOTSUP where this machine or this implementation cannot; another negative errno
 * value. Nothing is left behind then.
 */
XP_MUST_CHECK int xb_session_open(struct xb_session *session, const struct xb_case *c,
				  char error[XB_FAIL_TEXT]);

/**
 * xb_session_run() - One window of @n > 0 operations.
 * @merged: Where the distributions of an each pass are added; NULL for a batch pass.
 * Return: 0; -EINTR after an interruption; -ETIMEDOUT; -ECHILD where a member failed or died.
 */
XP_MUST_CHECK int xb_session_run(struct xb_session *session, enum xb_pass pass, int64_t n,
				 struct xb_hist *merged, struct xb_figures *ret_figures,
				 char error[XB_FAIL_TEXT]);

/** xb_session_within() - What is not 0 while member @index is in its run(). */
const _Atomic int32_t *xb_session_within(const struct xb_stage *stage, int index);

/** xb_session_close() - End the members and remove everything. Accepts a zeroed session. */
void xb_session_close(struct xb_session *session);

#endif
