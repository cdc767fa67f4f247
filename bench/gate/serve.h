/* SPDX-License-Identifier: MIT */
/*
 * serve - the worker's side of the worker protocol, for the workers of the gate itself
 */
#ifndef GATE_SERVE_H
#define GATE_SERVE_H

#include "xpshare/base/err.h"

#include <stdint.h>

/**
 * xg_serve() - Say "ready @case_name", then answer commands on standard input until "quit".
 * @body: Does @iterations operations and returns the nanoseconds that they took, or -errno.
 * Return: 0 after "quit" or at the end of the input; -EPROTO on another command; what @body
 *         returned where that failed.
 */
XP_MUST_CHECK int xg_serve(const char *case_name,
			   int64_t (*body)(void *context, uint64_t iterations), void *context);

#endif
