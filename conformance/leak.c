/* SPDX-License-Identifier: MIT */
#include "conformance/leak.h"

#include "xpshare/base/clock.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a thread or mapping that is on its way out is given to be gone. */
#define SETTLE_NS (2 * XP_NS_PER_SEC)

static void append(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	if (used + 1 >= size)
		return;
	va_start(args, format);
	vsnprintf(text + used, size - used, format, args);
	va_end(args);
}

static int count_shared_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int count = 0;

	if (!maps)
		return 0;
	while (fgets(line, sizeof(line), maps)) {
		char permissions[5] = "";
		if (sscanf(line, "%*s %4s", permissions) == 1 && permissions[3] == 's')
			count++;
	}
	fclose(maps);
	return count;
}

static int count_threads(void)
{
	DIR *folder = opendir("/proc/self/task");
	int count = 0;

	if (!folder)
		return 0;
	for (struct dirent *entry; (entry = readdir(folder));)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

#ifdef XP_THREAD_SANITIZER
static void *return_at_once(void *argument)
{
	return argument;
}

/* The sanitizer starts a thread of its own with the first one of the program. */
static void start_sanitizer_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, return_at_once, NULL) == 0)
		pthread_join(thread, NULL);
}
#endif

void xc_stock_take(struct xc_stock *ret_stock)
{
	*ret_stock = (struct xc_stock){0};
#ifdef XP_THREAD_SANITIZER
	start_sanitizer_thread();
#endif
	DIR *folder = opendir("/proc/self/fd");
	if (folder) {
		for (struct dirent *entry; (entry = readdir(folder));) {
			long fd = strtol(entry->d_name, NULL, 10);
			if (entry->d_name[0] != '.' && fd != dirfd(folder) && fd < XC_STOCK_FDS)
				ret_stock->fd[fd] = true;
		}
		closedir(folder);
	}
	ret_stock->threads = count_threads();
	ret_stock->mappings = count_shared_mappings();
}

static void name_descriptors(const struct xc_stock *before, const struct xc_stock *after,
			     char *text, size_t size)
{
	for (int fd = 0; fd < XC_STOCK_FDS; fd++) {
		char link[64], target[128];

		if (!after->fd[fd] || before->fd[fd])
			continue;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		ssize_t n = readlink(link, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = 0;
		append(text, size, "descriptor %d (%s) stays open; ", fd, target);
	}
}

static bool look(const struct xc_stock *before, char *text, size_t size)
{
	struct xc_stock after;
	siginfo_t info = {0};

	text[0] = 0;
	xc_stock_take(&after);
	name_descriptors(before, &after, text, size);
	if (after.threads > before->threads)
		append(text, size, "%d threads stay; ", after.threads - before->threads);
	if (after.mappings > before->mappings)
		append(text, size, "%d shared mappings stay; ", after.mappings - before->mappings);
	/* Any child counts, ended or not: it was not waited for. */
	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		append(text, size, "a child process stays%s; ",
		       info.si_pid ? " and was not waited for" : "");
	size_t used = strlen(text);
	if (used >= 2)
		text[used - 2] = 0;
	return used > 0;
}

bool xc_stock_differs(const struct xc_stock *before, char *text, size_t size)
{
	struct timespec by = xp_deadline_after(SETTLE_NS);

	while (look(before, text, size)) {
		if (xp_deadline_passed(&by))
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

bool xc_folder_has(const char *path, char *text, size_t size)
{
	DIR *folder = opendir(path);
	bool found = false;

	text[0] = 0;
	if (!folder)
		return false;
	for (struct dirent *entry; (entry = readdir(folder));) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		append(text, size, "%s%s", found ? " " : "", entry->d_name);
		found = true;
	}
	closedir(folder);
	return found;
}
