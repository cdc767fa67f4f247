/* SPDX-License-Identifier: MIT */
#include "bench/calls.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define LONG_WINDOW  4
#define PAIRS	     3
#define WARM_UP	     8
#define EDGE_CALLS   2.0	  /* by how many calls two pairs may differ */
#define LOOK_NS	     XP_NS_PER_MS /* the end of an order may come without a system call */
#define SYSCALL_STOP (SIGTRAP | 0x80)

/**
 * struct xb_calls - What is traced.
 * @within: Counted only while this is not 0; NULL: always.
 * @calls:  Since they were set to 0.
 */
struct xb_calls {
	struct task {
		pid_t id;
		const _Atomic int32_t *within;
	} tasks[XB_CALLS_TASKS_MAX];
	size_t count;
	int64_t calls;
	bool blind; /* one could not be told from its return */
	sigset_t child;
};

/* Let a stopped task go on, having counted the system call that it enters, if it does. */
static void go_on(struct xb_calls *calls, const struct task *task, int status)
{
	struct __ptrace_syscall_info info;
	int signal = status == SYSCALL_STOP || status >> 8 ? 0 : status;

	if (status == SYSCALL_STOP && (!task->within || *task->within)) {
		if (ptrace(PTRACE_GET_SYSCALL_INFO, task->id, sizeof(info), &info) <= 0)
			calls->blind = true;
		else if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
			calls->calls++;
	}
	/* It may have been killed meanwhile: then there is nothing to continue. */
	(void)ptrace(PTRACE_SYSCALL, task->id, NULL, signal);
}

bool xb_calls_attend(struct xb_calls *calls)
{
	const struct timespec look = {.tv_nsec = LOOK_NS};
	bool stopped = false;

	for (size_t i = 0; i < calls->count; i++) {
		siginfo_t info = {0};
		/* Its end is left to whoever started it. */
		if (waitid(P_PID, (id_t)calls->tasks[i].id, &info, WSTOPPED | WNOHANG | __WALL) ==
			0 &&
		    info.si_pid != 0) {
			go_on(calls, &calls->tasks[i], info.si_status);
			stopped = true;
		}
	}
	if (!stopped)
		(void)sigtimedwait(&calls->child, NULL, &look);
	return stopped;
}

static int seize(struct xb_calls *calls, pid_t id, const _Atomic int32_t *within)
{
	siginfo_t info;

	if (calls->count == XB_CALLS_TASKS_MAX)
		return -ENOTSUP;
	if (ptrace(PTRACE_SEIZE, id, NULL, PTRACE_O_TRACESYSGOOD) < 0)
		return errno == ESRCH ? -ESRCH : -EPERM;
	calls->tasks[calls->count++] = (struct task){.id = id, .within = within};
	if (ptrace(PTRACE_INTERRUPT, id, NULL, NULL) < 0 ||
	    waitid(P_PID, (id_t)id, &info, WSTOPPED | __WALL) < 0 ||
	    ptrace(PTRACE_SYSCALL, id, NULL, NULL) < 0)
		return -errno;
	return 0;
}

static int seize_threads(struct xb_calls *calls, pid_t process)
{
	char path[64];
	struct dirent *entry;
	int rc = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
	DIR *list = opendir(path);
	while (rc == 0 && list && (entry = readdir(list))) {
		if (entry->d_name[0] != '.')
			rc = seize(calls, (pid_t)strtol(entry->d_name, NULL, 10), NULL);
		if (rc == -ESRCH) /* that of a client which has just left */
			rc = 0;
	}
	if (list)
		closedir(list);
	return list ? rc : -ESRCH;
}

static int seize_all(struct xb_calls *calls, const struct xb_stage *stage)
{
	int rc = 0;

	if (stage->c->carrier != XP_CARRIER_PROCESS)
		return -ENOTSUP;
	for (int i = 0; i < stage->c->placement.count && rc == 0; i++)
		rc = seize(calls, stage->crew.children[i].pid, xb_session_within(stage, i));
	if (rc == 0 && stage->server > 0)
		rc = seize_threads(calls, stage->server);
	return rc;
}

/* Only one that is stopped can be let go. */
static void release_all(struct xb_calls *calls)
{
	for (size_t i = 0; i < calls->count; i++) {
		pid_t id = calls->tasks[i].id;
		siginfo_t info;
		if (ptrace(PTRACE_INTERRUPT, id, NULL, NULL) == 0 &&
		    waitid(P_PID, (id_t)id, &info, WSTOPPED | WEXITED | WNOWAIT | __WALL) == 0)
			(void)ptrace(PTRACE_DETACH, id, NULL, NULL);
	}
}

/* Calls and operations that the long window of a pair had more than the short one. */
struct pair {
	double calls, ops;
};

static int count_pair(struct xb_session *session, struct xb_calls *calls, int64_t n,
		      struct pair *ret_pair, char error[XB_FAIL_TEXT])
{
	struct xb_figures figures[2];
	int64_t counts[2];

	for (int i = 0; i < 2; i++) {
		calls->calls = 0;
		int rc = xb_session_run(session, XB_PASS_BATCH, i ? LONG_WINDOW * n : n, NULL,
					&figures[i], error);
		if (rc < 0)
			return rc;
		counts[i] = calls->calls;
	}
	*ret_pair = (struct pair){.calls = (double)(counts[1] - counts[0]),
				  .ops = (double)(figures[1].ops - figures[0].ops)};
	return ret_pair->ops > 0 ? 0 : -EAGAIN;
}

static int settle(const struct pair pairs[PAIRS], double *ret_per_op)
{
	double low = INFINITY, high = -INFINITY, calls = 0, ops = 0, least = INFINITY;

	for (int i = 0; i < PAIRS; i++) {
		low = fmin(low, pairs[i].calls / pairs[i].ops);
		high = fmax(high, pairs[i].calls / pairs[i].ops);
		least = fmin(least, pairs[i].ops);
		calls += pairs[i].calls;
		ops += pairs[i].ops;
	}
	/* A call at the edge of a window is in it or not. */
	double edges = EDGE_CALLS / least, mean = calls / ops, whole = nearbyint(mean);
	if (high - low > fmax(edges, XB_CALLS_AGREE * mean))
		return -EAGAIN;
	/* What is nearly whole is whole, and no negative zero. */
	*ret_per_op = fmax(0, fabs(mean - whole) <= edges ? whole : mean) + 0.0;
	return 0;
}

/* What is done once, at the first operation, is over after this. *@ret_n: operations of a short window. */
static int warm_up(struct xb_session *session, int64_t *ret_n, char error[XB_FAIL_TEXT])
{
	struct xb_figures ignored;
	int64_t begin = xb_now();
	int rc = xb_session_run(session, XB_PASS_BATCH, WARM_UP, NULL, &ignored, error);
	int64_t op_ns = (xb_now() - begin) / WARM_UP + 1;
	int64_t most = XB_CALLS_NS / (PAIRS * (1 + LONG_WINDOW)) / op_ns;

	*ret_n = most < WARM_UP ? WARM_UP : most < *ret_n ? most : *ret_n;
	return rc;
}

int xb_calls_per_op(struct xb_session *session, int64_t n, double *ret_per_op,
		    char error[XB_FAIL_TEXT])
{
	struct xb_stage *stage = &session->stage;
	struct xb_calls calls = {0};
	struct pair pairs[PAIRS];
	sigset_t before;

	sigemptyset(&calls.child);
	sigaddset(&calls.child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &calls.child, &before);
	int rc = seize_all(&calls, stage);
	stage->calls = &calls;
	if (rc == 0)
		rc = warm_up(session, &n, error);
	for (int i = 0; i < PAIRS && rc == 0; i++)
		rc = count_pair(session, &calls, n, &pairs[i], error);
	stage->calls = NULL;
	release_all(&calls);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (rc == 0 && calls.blind)
		rc = -EPERM;
	return rc < 0 ? rc : settle(pairs, ret_per_op);
}
