/* SPDX-License-Identifier: MIT */
/*
 * pidfd_shim - preloaded under callgrind, stands in for pidfd_open(2)
 *
 * Valgrind 3.19 answers ENOSYS to it, and without it no child of xpshare starts. The stand-in is the
 * read end of a pipe whose write end only the child has, from its fork on: like a pidfd it can be
 * polled, and it ends when the child does. Where the real call works it is used.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define STAND_INS_MAX 1024

static struct {
	pid_t pid;
	int fd;
} children[STAND_INS_MAX];
static size_t child_count;

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

pid_t fork(void)
{
	pid_t (*real)(void);
	int ends[2] = {-1, -1};

	*(void **)&real = next("fork");
	(void)!pipe2(ends, O_CLOEXEC);
	pid_t pid = real();
	if (pid == 0) {
		/* child: the write end stays open until it is gone */
		close(ends[0]);
		return 0;
	}
	close(ends[1]);
	if (pid > 0 && child_count < STAND_INS_MAX) {
		children[child_count].pid = pid;
		children[child_count++].fd = ends[0];
	} else {
		close(ends[0]);
	}
	return pid;
}

/* The newest child of that pid: an older one is gone. */
static long stand_in(pid_t pid)
{
	for (size_t i = child_count; i-- > 0;) {
		if (children[i].pid == pid)
			return children[i].fd;
	}
	errno = ESRCH;
	return -1;
}

static pid_t pid_behind(long fd)
{
	for (size_t i = child_count; i-- > 0;) {
		if (children[i].fd == fd)
			return children[i].pid;
	}
	return 0;
}

long syscall(long number, ...)
{
	static long (*real)(long number, ...);
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (!real)
		*(void **)&real = next("syscall");
	if (number == SYS_pidfd_send_signal && pid_behind(a[0]) > 0)
		return kill(pid_behind(a[0]), (int)a[1]);
	long result = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (number == SYS_pidfd_open && result < 0 && errno == ENOSYS)
		return stand_in((pid_t)a[0]);
	return result;
}
