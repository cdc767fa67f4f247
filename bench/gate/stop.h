/* SPDX-License-Identifier: MIT */
/*
 * stop - a request to stop, from the user or from CI
 *
 * Overview      SIGINT, SIGTERM and SIGHUP set a flag and make a descriptor readable, so that a
 *               wait in poll(2) ends at once; whoever waits then cleans up in the ordinary way and
 *               writes an honest partial report. A second signal ends the process: its workers die
 *               with it, since they asked for that when they were started.
 */
#ifndef GATE_STOP_H
#define GATE_STOP_H

#include "xpshare/base/err.h"

#include <stdbool.h>

/** xg_stop_install() - Catch the signals. Return: 0, -errno. Call once, before any thread. */
XP_MUST_CHECK int xg_stop_install(void);

/** xg_stop_requested() - Whether one came. */
bool xg_stop_requested(void);

/** xg_stop_fd() - Readable once one came; -1 before xg_stop_install(). */
int xg_stop_fd(void);

/** xg_stop_die() - End this process by the signal that came, so that the caller sees it too. */
_Noreturn void xg_stop_die(void);

#endif
