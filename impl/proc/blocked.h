/* SPDX-License-Identifier: MIT */
/*
 * blocked - prove that a task sleeps, instead of hoping that it does by now
 *
 * A test that needs "the other one is blocked in its call" asks the kernel:
 * /proc/<pid>/task/<tid>/stat says S, and neither its CPU time nor its count of voluntary switches
 * moves between two looks.
 */
#ifndef XPSHARE_PROC_BLOCKED_H
#define XPSHARE_PROC_BLOCKED_H

#include "xpshare/base/err.h"

#include <sys/types.h>
#include <time.h>

/**
 * xp_blocked_until() - Wait until the task @tid (a pid or a thread's id) is asleep and stays so.
 * Return: 0; -ETIMEDOUT if it still runs at @deadline; -ESRCH if it is gone.
 */
XP_MUST_CHECK int xp_blocked_until(pid_t tid, const struct timespec *deadline);

/** xp_asleep_now() - One look: 1 if the task is asleep (state S), 0 if it runs; -ESRCH. Cheap; proves
 *  nothing about the next moment. */
XP_MUST_CHECK int xp_asleep_now(pid_t tid);

/** xp_stopped_until() - Wait until @tid is stopped by SIGSTOP (state T). Return: as above. */
XP_MUST_CHECK int xp_stopped_until(pid_t tid, const struct timespec *deadline);

#endif
