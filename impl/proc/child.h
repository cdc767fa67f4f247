/* SPDX-License-Identifier: MIT */
/*
 * child - one forked process that never outlives its parent and never surprises it
 *
 * Overview      xp_child_start() forks and runs a function in the child, which ends with _exit(), so
 *               that nothing of the parent's is flushed or torn down twice. The child gets SIGKILL
 *               when the thread that started it dies. A pidfd stands for it: no pid is ever
 *               signalled after its reuse.
 * Death         Of the child, in any way, ends xp_child_wait() with the status of waitpid(2).
 */
#ifndef XPSHARE_PROC_CHILD_H
#define XPSHARE_PROC_CHILD_H

#include "xpshare/base/err.h"

#include <sys/types.h>
#include <time.h>

/** struct xp_child - A child that was started and not yet waited for; pid 0 is none. */
struct xp_child {
	pid_t pid;
	int pidfd;
};

/**
 * xp_child_start() - Fork; the child runs @body(@arg) and exits with its return value (0 to 255).
 *
 * The child's signal dispositions and mask are the parent's. Its stdout and stderr are unbuffered
 * copies: what stood in the parent's stdio buffers is not printed twice. Context: A process whose
 * other threads hold no lock that @body needs (fork copies one thread). Return:  0, -EAGAIN,
 * -ENOMEM.
 */
XP_MUST_CHECK int xp_child_start(int (*body)(void *arg), void *arg, struct xp_child *ret_child);

/** xp_child_signal() - Send @signal. 0; -ESRCH once it is gone. */
XP_MUST_CHECK int xp_child_signal(const struct xp_child *child, int signal);

/**
 * xp_child_wait() - Wait for its end and reap it.
 * Return: 0 with *@ret_status as waitpid(2) gives it, and @child emptied; -ETIMEDOUT.
 */
XP_MUST_CHECK int xp_child_wait(struct xp_child *child, const struct timespec *deadline,
				int *ret_status);

/** xp_child_stop() - Kill it if it still runs, and reap it. Accepts an empty child. */
void xp_child_stop(struct xp_child *child);

/** xp_child_ok() - Whether a status of waitpid(2) says "exited with 0". */
int xp_child_ok(int status);

#endif
