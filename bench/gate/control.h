/* SPDX-License-Identifier: MIT */
/*
 * control - workloads that neither build changes, because both arms are this very program
 *
 * control/spin   a chain of multiplications: the CPU's speed and nothing else
 * control/pipe   a byte through a pipe to itself: entering the kernel
 * control/wake   a byte to another process and back: the scheduler and waking a CPU
 */
#ifndef GATE_CONTROL_H
#define GATE_CONTROL_H

#include "xpshare/base/err.h"

/** xg_control_serve() - Be the worker of that control until told to quit. 0; -ENOENT; -errno. */
XP_MUST_CHECK int xg_control_serve(const char *case_name);

#endif
