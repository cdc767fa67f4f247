/* SPDX-License-Identifier: MIT */
/*
 * warden - the process that contains a case: reaper of all its descendants, with a place of its own
 *
 * Overview      Between begin and end the calling process is the reaper of every descendant whose
 *               parent ended, leads a process group, has an empty TMPDIR of its own and, where user
 *               and mount namespaces are allowed, an empty /dev/shm of its own. Without them the names
 *               in /dev/shm are everybody's, and only those that appear meanwhile and belong to this
 *               user are held against the case.
 */
#ifndef CONFORMANCE_WARDEN_H
#define CONFORMANCE_WARDEN_H

#include "xpshare/base/err.h"
#include "xpshare/proc/child.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#define XC_TMP_MAX 256

struct xc_warden {
	char tmp[XC_TMP_MAX];
	bool own_shm;
	int term_fd;	       /* readable once SIGTERM asks the warden to end */
	sigset_t mask;	       /* as it was before */
	struct timespec since; /* CLOCK_REALTIME: what is older in /dev/shm is not ours */
};

/** xc_warden_begin() - Set up; to be called once, by a process that has one thread. 0 or -errno. */
XP_MUST_CHECK int xc_warden_begin(struct xc_warden *ret_warden);

/** xc_warden_enter() - To be called first in a child of the warden: its signal mask is the caller's of
 *  begin. */
void xc_warden_enter(const struct xc_warden *warden);

/** xc_warden_wait() - Wait for the end of @child. Return: 0; -ETIMEDOUT; -ECANCELED on SIGTERM. */
XP_MUST_CHECK int xc_warden_wait(struct xc_warden *warden, struct xp_child *child,
				 const struct timespec *deadline, int *ret_status);

/** xc_warden_end() - Kill and reap every descendant, remove the TMPDIR. Return: whether anything had
 *  stayed; what, in @text. */
bool xc_warden_end(struct xc_warden *warden, char *text, size_t size);

/** xc_warden_describe() - What the process @pid and its children are doing, in one line. */
void xc_warden_describe(pid_t pid, char *text, size_t size);

#endif
