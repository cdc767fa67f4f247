/* SPDX-License-Identifier: MIT */
#include "bench/peers/service.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_NS (20 * XP_NS_PER_SEC)
#define STOP_NS	 (5 * XP_NS_PER_SEC)
#define LOOK_MS	 2

int xb_process_prepare(struct xb_process *process)
{
	*process = (struct xb_process){.input = -1, .dir = "/tmp/xpbench-XXXXXX"};
	return mkdtemp(process->dir) ? 0 : -errno;
}

void xb_process_child(int in, int out)
{
	int null = open("/dev/null", O_WRONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (in != STDIN_FILENO)
		dup2(in, STDIN_FILENO);
	dup2(out >= 0 ? out : null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	setpgid(0, 0);
}

int xb_process_start(struct xb_process *process, char *const argv[])
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	process->pid = fork();
	if (process->pid == 0) {
		xb_process_child(ends[0], -1);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(ends[0]);
	process->input = ends[1];
	return process->pid < 0 ? -errno : 0;
}

int xb_connect_unix(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	int rc = -errno;
	close(fd);
	return rc;
}

int xb_process_await(const struct xb_process *process, const char *path)
{
	struct timespec by = xp_deadline_after(START_NS);

	while (!xp_deadline_passed(&by)) {
		int fd = xb_connect_unix(path);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		if (waitpid(process->pid, NULL, WNOHANG | WNOWAIT) == process->pid)
			return -ECHILD;
		/* A program that we do not know has no better way to say that it is ready. */
		poll(NULL, 0, LOOK_MS);
	}
	return -ETIMEDOUT;
}

static void remove_dir(const char *dir)
{
	char path[512];
	DIR *list = opendir(dir);
	struct dirent *entry;

	while (list && (entry = readdir(list))) {
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		unlink(path);
	}
	if (list)
		closedir(list);
	rmdir(dir);
}

static bool ends_by_itself(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	bool ended = fd >= 0 && poll(&wait, 1, (int)(STOP_NS / XP_NS_PER_MS)) == 1;

	xp_io_close(fd);
	return ended;
}

void xb_process_reap(pid_t pid)
{
	if (!ends_by_itself(pid))
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void xb_process_stop(struct xb_process *process)
{
	process->input = process->pid ? xp_io_close(process->input) : -1;
	if (process->pid > 0) {
		kill(process->pid, SIGTERM);
		xb_process_reap(process->pid);
	}
	if (process->dir[0])
		remove_dir(process->dir);
	*process = (struct xb_process){.input = -1};
}

bool xb_program_there(const char *name)
{
	const char *path = getenv("PATH");
	char *list = strdup(path ? path : ""), *save = NULL;
	bool there = false;

	for (char *dir = strtok_r(list, ":", &save); dir && !there;
	     dir = strtok_r(NULL, ":", &save)) {
		char file[4096];
		snprintf(file, sizeof(file), "%s/%s", dir, name);
		there = access(file, X_OK) == 0;
	}
	free(list);
	return there;
}
