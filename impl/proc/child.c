/* SPDX-License-Identifier: MIT */
#include "xpshare/proc/child.h"

#include "xpshare/base/io.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int xp_child_start(int (*body)(void *arg), void *arg, struct xp_child *ret_child)
{
	pid_t parent = getpid();

	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		/* child */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent) /* it died before the call above */
			_exit(127);
		int status = body(arg);
		fflush(NULL);
		_exit(status & 0xff);
	}

	/* parent */
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		int rc = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return rc;
	}
	*ret_child = (struct xp_child){.pid = pid, .pidfd = pidfd};
	return 0;
}

int xp_child_signal(const struct xp_child *child, int signal)
{
	xp_assert(child->pid > 0);
	return syscall(SYS_pidfd_send_signal, child->pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int xp_child_wait(struct xp_child *child, const struct timespec *deadline, int *ret_status)
{
	int status;

	xp_assert(child->pid > 0);
	int rc = xp_io_wait(child->pidfd, POLLIN, deadline);
	if (rc < 0)
		return rc;
	while (waitpid(child->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	child->pidfd = xp_io_close(child->pidfd);
	child->pid = 0;
	*ret_status = status;
	return 0;
}

void xp_child_stop(struct xp_child *child)
{
	int status;

	if (!child || child->pid <= 0)
		return;
	/* ESRCH means that it ended by itself; it is reaped all the same. */
	(void)!xp_child_signal(child, SIGKILL);
	(void)!xp_child_wait(child, NULL, &status);
}

int xp_child_ok(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
