/* SPDX-License-Identifier: MIT */
#include "xpshare/proc/blocked.h"

#include "xpshare/base/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Looks at the state this far apart, and this many equal ones in a row, mean "stays so". */
#define LOOK_PERIOD_MS 1
#define LOOKS_EQUAL    3

struct look {
	char state;
	unsigned long cpu_ticks;
	unsigned long switches;
};

/* The text of /proc/<tid>/<file>; 0 or -ESRCH. */
static int read_proc(pid_t tid, const char *file, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ESRCH;
	ssize_t n = read(fd, text, size - 1);
	close(fd);
	if (n <= 0)
		return -ESRCH;
	text[n] = 0;
	return 0;
}

static int look_at(pid_t tid, struct look *ret_look)
{
	char text[4096];
	unsigned long user, system;
	struct look look;

	int rc = read_proc(tid, "stat", text, sizeof(text));
	if (rc < 0)
		return rc;
	/* The second field is the name in parentheses and may hold anything: start after the last
	 * one. */
	const char *fields = strrchr(text, ')');
	if (!fields || sscanf(fields + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			      &look.state, &user, &system) != 3)
		return -ESRCH;
	look.cpu_ticks = user + system;

	rc = read_proc(tid, "status", text, sizeof(text));
	if (rc < 0)
		return rc;
	const char *line = strstr(text, "\nvoluntary_ctxt_switches:");
	if (!line || sscanf(line, "\nvoluntary_ctxt_switches: %lu", &look.switches) != 1)
		return -ESRCH;
	*ret_look = look;
	return 0;
}

int xp_asleep_now(pid_t tid)
{
	char text[512];

	int rc = read_proc(tid, "stat", text, sizeof(text));
	if (rc < 0)
		return rc;
	const char *fields = strrchr(text, ')');
	return fields && strncmp(fields, ") S", 3) == 0;
}

static int state_until(pid_t tid, char state, const struct timespec *deadline)
{
	struct look last = {0};
	int equal = 0;

	for (;;) {
		struct look now;
		int rc = look_at(tid, &now);
		if (rc < 0)
			return rc;
		if (now.state == 'Z' || now.state == 'X')
			return -ESRCH;
		bool same = now.state == state && now.state == last.state &&
			    now.cpu_ticks == last.cpu_ticks && now.switches == last.switches;
		equal = same ? equal + 1 : 0;
		if (equal >= LOOKS_EQUAL)
			return 0;
		if (xp_deadline_passed(deadline))
			return -ETIMEDOUT;
		last = now;
		poll(NULL, 0, LOOK_PERIOD_MS);
	}
}

int xp_blocked_until(pid_t tid, const struct timespec *deadline)
{
	return state_until(tid, 'S', deadline);
}

int xp_stopped_until(pid_t tid, const struct timespec *deadline)
{
	return state_until(tid, 'T', deadline);
}
