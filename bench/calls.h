/* SPDX-License-Identifier: MIT */
/*
 * calls - counts the system calls of a session, in a pass of its own
 *
 * Overview      ptrace(2), since it needs no privilege and counts exactly. It makes a call slower by tens
 *               of microseconds, so a pass that counts is never timed. Counted are the members, between
 *               the start and the end of their run(), and all threads of the stage's server.
 * Honesty       Two windows, one a multiple of the other, give the calls of an operation without those
 *               around it; three such pairs must agree. A wait that polls, or that sometimes spins and
 *               sometimes sleeps, does not make the same calls twice, least of all beside a peer that is
 *               traced, and is then not told at all.
 * Context       The leader's thread. SIGCHLD is blocked while it lasts. The gate has a tracer of its own,
 *               gate/trace.h: it starts what it traces, follows all its children, and tells calls apart.
 * Death         Of a member: the order fails, and is told in the session's words. Of the leader: the
 *               kernel lets go those that it traced, and they end as its members do.
 * Source        ptrace(2); PTRACE_GET_SYSCALL_INFO since Linux 5.3.
 */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include "bench/session.h"

#include "xpshare/base/clock.h"

/* Members and threads of the server: the leader attends to each. */
#define XB_CALLS_TASKS_MAX 16

/* How long all of it shall take. */
#define XB_CALLS_NS (50 * XP_NS_PER_MS)

/* By what part counts may differ. */
#define XB_CALLS_AGREE 0.1

/**
 * xb_calls_per_op() - Count the system calls of one operation.
 * @session: Open, between two orders; broken by a failure, as by one of xb_session_run().
 * @n:       Operations of the short window at most; the long one has four times as many. Fewer where all
 *           of it would take longer than XB_CALLS_NS: where CPUs are slow to wake each other, a traced call
 *           takes hundreds of microseconds.
 *
 * Return: 0; -ENOTSUP for members that are threads, or too many; -EPERM where tracing is not allowed, or the
 * kernel too old; -EAGAIN where the counts do not agree; as xb_session_run().
 */
XP_MUST_CHECK int xb_calls_per_op(struct xb_session *session, int64_t n, double *ret_per_op,
				  char error[XB_FAIL_TEXT]);

/** xb_calls_attend() - Let those go on that were stopped; where there are none, wait for one, a millisecond
 *  at most. For the leader while an order of a traced session is carried out. Return: whether there were. */
bool xb_calls_attend(struct xb_calls *calls);

#endif
