/* SPDX-License-Identifier: MIT */
/*
 * targets - what the project promises, compared with what a run measured
 */
#ifndef BENCH_TARGETS_H
#define BENCH_TARGETS_H

#include "xpshare/base/err.h"

#include <stdio.h>

/**
 * xb_targets_report() - Print the table: target, figure, floor or peer, ratio, required, met or not.
 * @run: Folder of a run.
 * Return: 0; -ENOENT where there is no bench.json; -EPROTO for a malformed line, with file and line
 * on standard error.
 */
XP_MUST_CHECK int xb_targets_report(const char *run, FILE *out);

#endif
