/* SPDX-License-Identifier: MIT */
/*
 * worker - one case, kept alive and driven from outside: xpbench --worker CASE
 *
 * Overview      For whoever compares two builds in one run (the regression gate): it starts a
 *               worker of each build, and lets them take turns. A worker sets the case up once; its
 *               members stay alive between the slices. The idle worker sleeps in read(2), its
 *               members on a futex: neither uses CPU.
 * Protocol      Lines of ASCII, each answered by exactly one line, in order.
 *               (start)        ready CASE
 *               run N          ns TOTAL ops DONE         N operations, 1 to 10^12
 *               each N         ns TOTAL ops DONE p50 P50 p99 P99      with a stamp per operation
 *               quit           bye                       and the worker ends with 0
 *               anything else  error TEXT                and the worker goes on
 *               TOTAL is the time by the clock, preemptions included, a decimal number of
 *               nanoseconds; DONE is what was really done in it, which can be a little more or less
 *               than N where members share it out. End of input is the same as quit.
 * Failure       "error TEXT" in place of "ready": exit code 1, or 77 if the case cannot run here, 2
 *               if there is none of that name. After "error TEXT" to a run the case is broken: the
 *               worker ends with 1.
 * Names         xpbench --list-cases prints "schema 1", and then a line for each case: NAME, a
 *               tab, "lower" or "higher" (which is better), a tab, the unit, a tab, the number of
 *               members, a tab, the role. A driver refuses another schema.
 *               A worker takes --placement as xpbench does; a name states its placement's class, so
 *               the default suffices for all names that --list-cases prints.
 */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include "bench/matrix.h"

/* Of the protocol and of --list-cases: raised when a driver of today would misread them. */
#define XB_WORKER_SCHEMA 1

/** xb_worker_serve() - Serve on standard input and output until quit. Return: the exit code. */
int xb_worker_serve(const struct xb_matrix *matrix, const char *name);

/** xb_worker_list() - Print --list-cases to standard output. */
void xb_worker_list(const struct xb_matrix *matrix);

#endif
