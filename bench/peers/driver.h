/* SPDX-License-Identifier: MIT */
/*
 * driver - a Python program beside the session that does the work: the leader gives orders and takes times
 *
 * The program prints "ready" when it is. An order is one line, a word and a number; so is each answer:
 * "ns" and then nanoseconds, one number or one for each operation, or what went wrong. It ends when
 * its input does.
 */
#ifndef BENCH_PEERS_DRIVER_H
#define BENCH_PEERS_DRIVER_H

#include "bench/workload.h"

#include <stdio.h>

/** struct xb_driver - A started program and the leader's ends of its pipes; all zero: none. */
struct xb_driver {
	pid_t pid;
	FILE *to, *from;
};

/**
 * xb_driver_start() - Run @script of bench/peers with the newest CPython (peers/python.h); wait until it is ready.
 * @argv: Its arguments, NULL at the end; at most XB_DRIVER_ARGS.
 *
 * Return: 0; -ENOTSUP, with the reason in @stage; -errno. Whatever it returns, xb_driver_stop() ends it.
 */
XP_MUST_CHECK int xb_driver_start(struct xb_driver *driver, struct xb_stage *stage,
				  const char *script, const char *const *argv);

#define XB_DRIVER_ARGS 8

/**
 * xb_driver_run() - Have it do @n operations, and take their times into the tally, each of them into the
 * histogram where @pass is about each.
 *
 * Return: 0; otherwise the actor has failed, and why is said there.
 */
XP_MUST_CHECK int xb_driver_run(struct xb_driver *driver, struct xb_actor *actor, int64_t n,
				enum xb_pass pass);

/** xb_driver_stop() - Close its input, wait for its end (kill it where it takes too long). */
void xb_driver_stop(struct xb_driver *driver);

#endif
