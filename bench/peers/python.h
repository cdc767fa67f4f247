/* SPDX-License-Identifier: MIT */
/*
 * python - which CPython is measured: the newest of python3, python3.* and those in XP_PYTHONS
 *
 * XP_PYTHONS lists interpreters, separated by colons or blanks, as it does for the tests.
 */
#ifndef BENCH_PEERS_PYTHON_H
#define BENCH_PEERS_PYTHON_H

#include <stdbool.h>

/** struct xb_python - An interpreter that answered. */
struct xb_python {
	char path[512];
	char version[16]; /* "3.13.0" */
};

/** xb_python_there() - Whether there is any; nothing is started. */
bool xb_python_there(void);

/**
 * xb_python() - The newest one, or NULL. Each candidate is started, once in a process's life.
 *
 * Context: The leader, which is one thread.
 */
const struct xb_python *xb_python(void);

/** xb_python_used() - The one that xb_python() has found, or NULL where nobody has asked for one. */
const struct xb_python *xb_python_used(void);

#endif
