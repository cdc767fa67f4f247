/* SPDX-License-Identifier: MIT */
#include "gate/arm.h"

#include "gate/stop.h"
#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A worker whose members share out N operations may round it up, by a lot where N is small. */
#define DONE_SHARE_MIN (1.0 / 64)

/* How the child hands the parent's ends over, and tells why it could not exec. */
struct launch {
	const struct xg_arm_plan *plan;
	int in;
	int out;
	int errors;
	int exec_failed; /* write end, close-on-exec */
};

__attribute__((format(printf, 3, 4))) static int fail(struct xg_arm *arm, int rc,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(arm->why, sizeof(arm->why), format, args);
	va_end(args);
	return rc;
}

int xg_arm_adopt(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -errno : 0;
}

/* child */
static int become_worker(void *arg)
{
	const struct launch *launch = arg;
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	if (dup2(launch->in, STDIN_FILENO) >= 0 && dup2(launch->out, STDOUT_FILENO) >= 0 &&
	    dup2(launch->errors, STDERR_FILENO) >= 0) {
		for (int i = 0; i < 2 && launch->plan->env[i]; i++)
			putenv((char *)(uintptr_t)launch->plan->env[i]);
		if (launch->plan->traced)
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(launch->plan->argv[0], (char *const *)(uintptr_t)launch->plan->argv);
	}
	int error = errno;
	(void)!write(launch->exec_failed, &error, sizeof(error));
	return 127;
}

/* The last line on its standard error, in quotes, or nothing. */
static void last_words(const struct xg_arm *arm, char *ret_words, size_t size)
{
	char tail[400];
	off_t end = lseek(arm->errors, 0, SEEK_END);
	off_t from = end > (off_t)sizeof(tail) - 1 ? end - (off_t)sizeof(tail) + 1 : 0;
	ssize_t n = end > 0 ? pread(arm->errors, tail, sizeof(tail) - 1, from) : 0;

	ret_words[0] = '\0';
	while (n > 0 && isspace((unsigned char)tail[n - 1]))
		n--;
	if (n <= 0)
		return;
	tail[n] = '\0';
	char *line = strrchr(tail, '\n');
	line = line ? line + 1 : tail;
	for (char *at = line; *at; at++) {
		if (!isprint((unsigned char)*at))
			*at = '?';
	}
	snprintf(ret_words, size, ": \"%.*s\"", (int)size - 8, line);
}

/* Reap everything that is left of the group. It was killed, so this ends. */
static void sweep(pid_t group)
{
	int status;

	if (group <= 0)
		return;
	kill(-group, SIGKILL);
	for (;;) {
		pid_t pid = waitpid(-group, &status, __WALL);
		if (pid < 0 && errno != EINTR)
			return;
	}
}

static void close_all(struct xg_arm *arm)
{
	arm->in = xp_io_close(arm->in);
	arm->out = xp_io_close(arm->out);
	arm->errors = xp_io_close(arm->errors);
}

void xg_arm_kill(struct xg_arm *arm)
{
	if (arm->group <= 0)
		return;
	kill(-arm->group, SIGKILL);
	xp_child_stop(&arm->child);
	sweep(arm->group);
	close_all(arm);
	arm->group = 0;
}

/* The worker closed its output or ended: say how. */
static int explain_end(struct xg_arm *arm)
{
	struct timespec soon = xp_deadline_after(XP_NS_PER_SEC);
	char words[160];
	int status;

	last_words(arm, words, sizeof(words));
	if (xp_child_wait(&arm->child, &soon, &status) < 0)
		return fail(arm, -EPIPE, "the %s closed its output%s", arm->label, words);
	if (WIFSIGNALED(status))
		return fail(arm, -EPIPE, "the %s crashed with signal %d (%s)%s", arm->label,
			    WTERMSIG(status), strsignal(WTERMSIG(status)), words);
	return fail(arm, -EPIPE, "the %s ended with status %d%s", arm->label, WEXITSTATUS(status),
		    words);
}

/* Read more of the answer; the request to stop has precedence. */
static int read_more(struct xg_arm *arm, const struct timespec *deadline, int64_t timeout_ns)
{
	struct pollfd watch[2] = {{.fd = arm->out, .events = POLLIN},
				  {.fd = xg_stop_fd(), .events = POLLIN}};

	for (;;) {
		int rc = poll(watch, 2, xp_deadline_poll_ms(deadline));
		if (xg_stop_requested())
			return fail(arm, -ECANCELED, "interrupted");
		if (rc == 0 && xp_deadline_passed(deadline))
			return fail(arm, -ETIMEDOUT, "the %s hung: no answer within %.1f s",
				    arm->label, (double)timeout_ns / 1e9);
		if (rc < 0 && errno != EINTR)
			return fail(arm, -errno, "poll: %s", strerror(errno));
		if (rc <= 0 || !watch[0].revents)
			continue;
		ssize_t n =
		    read(arm->out, arm->buffer + arm->have, sizeof(arm->buffer) - arm->have);
		if (n > 0) {
			arm->have += (size_t)n;
			return 0;
		}
		if (n == 0)
			return explain_end(arm);
		if (errno != EINTR)
			return fail(arm, -errno, "read from the %s: %s", arm->label,
				    strerror(errno));
	}
}

/* One line without its newline, into @ret_line. */
static int read_line(struct xg_arm *arm, int64_t timeout_ns, char ret_line[XG_ARM_LINE_MAX])
{
	struct timespec deadline = xp_deadline_after(timeout_ns);

	for (;;) {
		char *end = memchr(arm->buffer, '\n', arm->have);
		if (end) {
			size_t length = (size_t)(end - arm->buffer);
			memcpy(ret_line, arm->buffer, length);
			ret_line[length] = '\0';
			arm->have -= length + 1;
			memmove(arm->buffer, end + 1, arm->have);
			return 0;
		}
		if (arm->have == sizeof(arm->buffer))
			return fail(arm, -EPROTO, "the %s sent a line longer than %d bytes",
				    arm->label, XG_ARM_LINE_MAX);
		int rc = read_more(arm, &deadline, timeout_ns);
		if (rc < 0)
			return rc;
	}
}

static int send_text(struct xg_arm *arm, const char *text)
{
	/* SIGPIPE is ignored in this program, so a dead worker is an error here. */
	int rc = xp_io_write_full(arm->in, text, strlen(text), NULL);
	return rc < 0 ? explain_end(arm) : 0;
}

/* It said "error": its status tells whether the case failed or cannot run on this machine. */
static int explain_error(struct xg_arm *arm, const char *text)
{
	struct timespec soon = xp_deadline_after(XP_NS_PER_SEC);
	int status = 0;

	int rc = xp_child_wait(&arm->child, &soon, &status);
	if (rc == 0 && WIFEXITED(status) && WEXITSTATUS(status) == XG_EXIT_NOTHING)
		return fail(arm, -ENOTSUP, "cannot run here: %.180s", text);
	return fail(arm, -EPIPE, "the %s says: %.180s", arm->label, text);
}

int xg_arm_await(struct xg_arm *arm, const char *case_name, int64_t timeout_ns)
{
	char line[XG_ARM_LINE_MAX];

	int rc = read_line(arm, timeout_ns, line);
	if (rc < 0)
		return rc;
	if (strncmp(line, "error ", 6) == 0)
		return explain_error(arm, line + 6);
	if (strncmp(line, "ready ", 6) != 0 || strcmp(line + 6, case_name) != 0)
		return fail(arm, -EPROTO,
			    "the %s speaks another protocol: expected \"ready %.60s\", "
			    "got \"%.60s\"",
			    arm->label, case_name, line);
	return 0;
}

int xg_arm_start(struct xg_arm *arm, const struct xg_arm_plan *plan)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, failed[2] = {-1, -1}, rc = 0;

	*arm = (struct xg_arm){.label = plan->label, .in = -1, .out = -1, .errors = -1};
	arm->errors = memfd_create("worker-stderr", MFD_CLOEXEC);
	if (arm->errors < 0 || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
	    pipe2(failed, O_CLOEXEC) < 0)
		rc = -errno;
	if (rc == 0) {
		struct launch launch = {.plan = plan,
					.in = in[0],
					.out = out[1],
					.errors = arm->errors,
					.exec_failed = failed[1]};
		rc = xp_child_start(become_worker, &launch, &arm->child);
	}
	xp_io_close(in[0]);
	xp_io_close(out[1]);
	xp_io_close(failed[1]);
	arm->in = in[1];
	arm->out = out[0];
	if (rc < 0) {
		fail(arm, rc, "cannot start the %s: %s", arm->label, strerror(-rc));
		xp_io_close(failed[0]);
		close_all(arm);
		return rc;
	}
	arm->group = arm->child.pid;
	setpgid(arm->child.pid, arm->child.pid); /* whoever of the two comes first */

	/* A successful exec closes the other end. */
	int error = 0;
	if (read(failed[0], &error, sizeof(error)) == (ssize_t)sizeof(error))
		rc = fail(arm, -error, "cannot run %.120s: %s", plan->argv[0], strerror(error));
	xp_io_close(failed[0]);
	if (rc == 0 && plan->case_name)
		rc = xg_arm_await(arm, plan->case_name, plan->timeout_ns);
	if (rc < 0)
		xg_arm_kill(arm);
	return rc;
}

int xg_arm_ask(struct xg_arm *arm, uint64_t iterations)
{
	char text[48];

	snprintf(text, sizeof(text), "run %" PRIu64 "\n", iterations);
	return send_text(arm, text);
}

bool xg_arm_answered(struct xg_arm *arm)
{
	struct pollfd watch = {.fd = arm->out, .events = POLLIN};

	return poll(&watch, 1, 0) != 0;
}

int xg_arm_answer(struct xg_arm *arm, uint64_t iterations, int64_t timeout_ns, double *ret_ns)
{
	char line[XG_ARM_LINE_MAX];
	uint64_t done;
	double ns;
	int end = 0;

	int rc = read_line(arm, timeout_ns, line);
	if (rc < 0)
		return rc;
	if (strncmp(line, "error ", 6) == 0)
		return explain_error(arm, line + 6);
	if (sscanf(line, "ns %lf ops %" SCNu64 "%n", &ns, &done, &end) != 2 || line[end] != '\0')
		return fail(arm, -EPROTO, "the %s answered \"%.60s\", not \"ns TOTAL ops DONE\"",
			    arm->label, line);
	if (!(ns > 0) || !(ns < 1e18) || done == 0)
		return fail(arm, -EPROTO, "the %s claims %" PRIu64 " operations in %g ns",
			    arm->label, done, ns);
	double share = (double)done / (double)iterations;
	if (share < DONE_SHARE_MIN || share > 1 / DONE_SHARE_MIN)
		return fail(arm, -EPROTO, "the %s did %" PRIu64 " operations instead of %" PRIu64,
			    arm->label, done, iterations);
	*ret_ns = ns / share;
	return 0;
}

int xg_arm_run(struct xg_arm *arm, uint64_t iterations, int64_t timeout_ns, double *ret_ns)
{
	int rc = xg_arm_ask(arm, iterations);
	return rc < 0 ? rc : xg_arm_answer(arm, iterations, timeout_ns, ret_ns);
}

int xg_arm_end(struct xg_arm *arm, int64_t timeout_ns)
{
	struct timespec deadline = xp_deadline_after(timeout_ns);
	int status = 0;

	if (arm->group <= 0)
		return 0;
	int rc = send_text(arm, "quit\n");
	if (rc == 0) {
		rc = xp_child_wait(&arm->child, &deadline, &status);
		if (rc == -ETIMEDOUT)
			fail(arm, rc, "the %s did not end within %.1f s of being told to",
			     arm->label, (double)timeout_ns / 1e9);
		else if (rc == 0 && !xp_child_ok(status)) {
			char words[160];
			last_words(arm, words, sizeof(words));
			rc = fail(arm, -EPIPE, "the %s ended with %s %d%s", arm->label,
				  WIFSIGNALED(status) ? "signal" : "status",
				  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
				  words);
		}
	}
	return rc;
}

int xg_arm_stop(struct xg_arm *arm, int64_t timeout_ns)
{
	int rc = xg_arm_end(arm, timeout_ns);
	xg_arm_kill(arm);
	return rc;
}

size_t xg_arm_members(const struct xg_arm *arm, pid_t *ret_pids)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	while (proc && count < XG_GROUP_MAX && (entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid > 0 && getpgid(pid) == arm->group)
			ret_pids[count++] = pid;
	}
	if (proc)
		closedir(proc);
	return count;
}

int64_t xg_arm_cpu_ns(const pid_t *pids, size_t count)
{
	int64_t total = 0;

	for (size_t i = 0; i < count; i++) {
		clockid_t clock;
		struct timespec used;
		if (clock_getcpuclockid(pids[i], &clock) == 0 && clock_gettime(clock, &used) == 0)
			total += (int64_t)used.tv_sec * XP_NS_PER_SEC + used.tv_nsec;
	}
	return total;
}
