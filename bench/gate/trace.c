/* SPDX-License-Identifier: MIT */
#include "gate/trace.h"

#include "gate/stop.h"
#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const long trace_options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
				  PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;

const char *xg_trace_name(size_t number, char buffer[static 24])
{
	static const struct {
		long number;
		const char *name;
	} names[] = {
#define X(name) {SYS_##name, #name},
	    X(read) X(write) X(readv) X(writev) X(close) X(mmap) X(munmap) X(mprotect) X(madvise) X(
		mremap) X(brk) X(ioctl) X(fcntl) X(futex) X(sched_yield) X(sendto) X(recvfrom)
		X(sendmsg) X(recvmsg) X(socket) X(connect) X(accept4) X(shutdown) X(ppoll) X(
		    pselect6) X(epoll_pwait) X(epoll_ctl) X(eventfd2) X(clock_gettime)
		    X(clock_nanosleep) X(nanosleep) X(getpid) X(getppid) X(gettid) X(kill) X(tgkill)
			X(wait4) X(waitid) X(clone) X(clone3) X(exit) X(exit_group) X(openat)
			    X(newfstatat) X(lseek) X(fsync) X(ftruncate) X(unlinkat) X(pipe2)
				X(dup3) X(getrandom) X(rt_sigprocmask) X(rt_sigaction)
				    X(sched_getaffinity) X(sched_setaffinity) X(sched_getparam)
					X(restart_syscall) X(set_robust_list) X(memfd_create)
					    X(pidfd_open) X(pidfd_send_signal) X(prctl) X(getrusage)
						X(process_vm_readv) X(setsockopt) X(getsockopt)
						    X(semtimedop) X(mq_timedsend) X(mq_timedreceive)
#ifdef SYS_poll /* the older calls, which newer architectures lack */
							X(poll) X(epoll_wait) X(select) X(open)
							    X(pipe) X(getcpu) X(time)
#endif
#undef X
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].number == (long)number)
			return names[i].name;
	}
	snprintf(buffer, 24, "call %zu", number);
	return buffer;
}

/* A stopped process, to be counted if it enters a system call, and let go on. */
static void handle_stop(struct xg_trace *trace, pid_t pid, int status)
{
	struct __ptrace_syscall_info info;
	int signal = WSTOPSIG(status);
	bool counted = !trace->has_members || pid != trace->arm.child.pid;

	if (signal == (SIGTRAP | 0x80)) {
		if (counted && ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0 &&
		    info.op == PTRACE_SYSCALL_INFO_ENTRY) {
			uint64_t number = info.entry.nr;
			trace->counts[number < XG_SYSCALLS_MAX ? number : XG_SYSCALLS_MAX - 1]++;
		}
		signal = 0;
	} else if (signal == SIGTRAP || signal == SIGSTOP) {
		/* an exec, a fork, or the first stop of a new process: none of its business */
		trace->has_members = trace->has_members || status >> 16 == PTRACE_EVENT_FORK ||
				     status >> 16 == PTRACE_EVENT_CLONE ||
				     status >> 16 == PTRACE_EVENT_VFORK;
		signal = 0;
	}
	/* It may have been killed meanwhile: then there is nothing to continue. */
	(void)ptrace(PTRACE_SYSCALL, pid, NULL, signal);
}

/* Handle all stops so far. Return: 0; -EPIPE once the worker itself has ended, left unreaped. */
static int drain(struct xg_trace *trace)
{
	struct signalfd_siginfo unused[8];

	(void)!read(trace->events, unused, sizeof(unused));
	for (;;) {
		siginfo_t info = {0};
		int status;
		if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) < 0 ||
		    info.si_pid == 0)
			return 0;
		bool ended = info.si_code == CLD_EXITED || info.si_code == CLD_KILLED ||
			     info.si_code == CLD_DUMPED;
		if (ended && info.si_pid == trace->arm.child.pid)
			return -EPIPE;
		if (waitpid(info.si_pid, &status, __WALL | WNOHANG) == info.si_pid &&
		    WIFSTOPPED(status))
			handle_stop(trace, info.si_pid, status);
	}
}

/* Let it run until a line of output lies in the pipe. */
static int attend(struct xg_trace *trace, int64_t timeout_ns)
{
	struct timespec deadline = xp_deadline_after(timeout_ns);
	struct pollfd watch[] = {{.fd = trace->arm.out, .events = POLLIN},
				 {.fd = trace->events, .events = POLLIN},
				 {.fd = xg_stop_fd(), .events = POLLIN}};

	for (;;) {
		int rc = drain(trace);
		if (rc < 0 || xg_arm_answered(&trace->arm))
			return 0; /* the reader of the line finds out which */
		if (xg_stop_requested())
			return -ECANCELED;
		rc = poll(watch, 3, xp_deadline_poll_ms(&deadline));
		if (rc < 0 && errno != EINTR)
			return -errno;
		if (xp_deadline_passed(&deadline)) {
			snprintf(trace->arm.why, sizeof(trace->arm.why),
				 "the %s hung while it was traced", trace->arm.label);
			return -ETIMEDOUT;
		}
	}
}

int xg_trace_start(struct xg_trace *trace, const struct xg_arm_plan *plan)
{
	struct xg_arm_plan traced = *plan;
	sigset_t child;
	int status;

	memset(trace, 0, sizeof(*trace));
	traced.traced = true;
	traced.case_name = NULL;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	trace->events = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (trace->events < 0)
		return -errno;
	int rc = xg_arm_start(&trace->arm, &traced);
	if (rc < 0) {
		trace->events = xp_io_close(trace->events);
		return rc;
	}
	pid_t pid = trace->arm.child.pid;
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, trace_options) < 0 ||
	    ptrace(PTRACE_SYSCALL, pid, NULL, 0) < 0) {
		xg_trace_end(trace);
		snprintf(trace->arm.why, sizeof(trace->arm.why), "tracing is not allowed here");
		return -EPERM;
	}
	rc = attend(trace, plan->timeout_ns);
	if (rc == 0)
		rc = xg_arm_await(&trace->arm, plan->case_name, plan->timeout_ns);
	if (rc < 0)
		xg_trace_end(trace);
	return rc;
}

int xg_trace_run(struct xg_trace *trace, uint64_t iterations, int64_t timeout_ns)
{
	double unused;

	int rc = xg_arm_ask(&trace->arm, iterations);
	if (rc == 0)
		rc = attend(trace, timeout_ns);
	if (rc == 0)
		rc = xg_arm_answer(&trace->arm, iterations, timeout_ns, &unused);
	/* The worker is on its way back to sleep: its next call is a read, which belongs to no run. */
	return rc;
}

void xg_trace_end(struct xg_trace *trace)
{
	sigset_t child;

	if (trace->events <= 0)
		return;
	xg_arm_kill(&trace->arm);
	trace->events = xp_io_close(trace->events);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &child, NULL);
}
