/* SPDX-License-Identifier: MIT */
#include "conformance/warden.h"

#include "conformance/leak.h"

#include "xpshare/base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process that was told to end by the death of its parent is on its way for at most this long. */
#define DYING_NS (2 * XP_NS_PER_SEC)

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, text, strlen(text));
	int rc = n < 0 ? -errno : 0;
	close(fd);
	return rc;
}

/* A private /dev/shm: as root by a mount namespace, otherwise in a user namespace that maps us to
 * ourselves. Whatever is refused leaves the common one in place. */
static bool own_shm(void)
{
	char map[64];

	if (unshare(CLONE_NEWNS) < 0) {
		uid_t uid = geteuid();
		gid_t gid = getegid();

		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			return false;
		(void)!write_text("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "%u %u 1", uid, uid);
		if (write_text("/proc/self/uid_map", map) < 0)
			return false;
		snprintf(map, sizeof(map), "%u %u 1", gid, gid);
		if (write_text("/proc/self/gid_map", map) < 0)
			return false;
	}
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") == 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static void remove_tree(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Children of this process, the reaped orphans of the case among them. */
static int list_children(pid_t *pids, int room)
{
	char path[64];
	int count = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	while (count < room && fscanf(file, "%d", &pids[count]) == 1)
		count++;
	fclose(file);
	return count;
}

/* Kill and reap until nobody is left; whoever is killed may leave us its own children. */
static void sweep(void)
{
	pid_t pids[256];

	for (;;) {
		int n = list_children(pids, (int)(sizeof(pids) / sizeof(pids[0])));
		for (int i = 0; i < n; i++)
			kill(pids[i], SIGKILL);
		if (waitpid(-1, NULL, n ? 0 : WNOHANG) < 0 && errno == ECHILD)
			return;
	}
}

int xc_warden_begin(struct xc_warden *ret_warden)
{
	const char *base = getenv("TMPDIR");
	struct xc_warden warden = {0};

	setpgid(0, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	clock_gettime(CLOCK_REALTIME, &warden.since);
	warden.own_shm = own_shm();
	snprintf(warden.tmp, sizeof(warden.tmp), "%s/xpconform.XXXXXX",
		 base && base[0] ? base : "/tmp");
	if (!mkdtemp(warden.tmp))
		return -errno;
	if (setenv("TMPDIR", warden.tmp, 1) < 0)
		return -ENOMEM;
	/* A request to end is read from a descriptor, so that the sweep need not run in a handler. */
	sigset_t term;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &warden.mask);
	warden.term_fd = signalfd(-1, &term, SFD_CLOEXEC);
	if (warden.term_fd < 0)
		return -errno;
	*ret_warden = warden;
	return 0;
}

void xc_warden_enter(const struct xc_warden *warden)
{
	close(warden->term_fd);
	sigprocmask(SIG_SETMASK, &warden->mask, NULL);
}

int xc_warden_wait(struct xc_warden *warden, struct xp_child *child,
		   const struct timespec *deadline, int *ret_status)
{
	struct pollfd fds[2] = {{.fd = child->pidfd, .events = POLLIN},
				{.fd = warden->term_fd, .events = POLLIN}};

	for (;;) {
		int n = poll(fds, 2, xp_deadline_poll_ms(deadline));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && fds[1].revents)
			return -ECANCELED;
		if (n > 0 && fds[0].revents)
			return xp_child_wait(child, deadline, ret_status);
		if (n <= 0 && xp_deadline_passed(deadline))
			return -ETIMEDOUT;
	}
}

static bool living(pid_t pid)
{
	char path[64], state = 'Z';

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	fclose(file);
	return state != 'Z' && state != 'X';
}

static bool orphans_live(char *text, size_t size)
{
	struct timespec by = xp_deadline_after(DYING_NS);
	pid_t pids[256];

	for (;;) {
		int n = list_children(pids, (int)(sizeof(pids) / sizeof(pids[0])));
		pid_t alive = 0;
		for (int i = 0; i < n && !alive; i++)
			alive = living(pids[i]) ? pids[i] : 0;
		if (!alive)
			return false;
		if (xp_deadline_passed(&by)) {
			xc_warden_describe(alive, text, size);
			return true;
		}
		poll(NULL, 0, 1);
	}
}

/* Whether @name is of a case that still runs: cases name their segments after their process. */
static bool is_of_another(const char *name)
{
	int pid;

	return sscanf(name, "xpconform-%d-", &pid) == 1 && kill(pid, 0) == 0;
}

/* In a /dev/shm that everybody shares: names that are ours and were made since. */
static bool shm_names_since(const struct timespec *since, char *text, size_t size)
{
	DIR *folder = opendir("/dev/shm");
	bool found = false;
	struct stat status;

	text[0] = 0;
	if (!folder)
		return false;
	for (struct dirent *entry; (entry = readdir(folder));) {
		if (entry->d_name[0] == '.' || is_of_another(entry->d_name) ||
		    fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (status.st_uid == geteuid() && status.st_ctim.tv_sec >= since->tv_sec) {
			snprintf(text, size, "%s", entry->d_name);
			found = true;
		}
	}
	closedir(folder);
	return found;
}

bool xc_warden_end(struct xc_warden *warden, char *text, size_t size)
{
	char names[256];
	bool stayed = false;

	if (orphans_live(names, sizeof(names))) {
		snprintf(text, size, "a process stays: %s", names);
		stayed = true;
	}
	sweep();
	if (!stayed && (warden->own_shm ? xc_folder_has("/dev/shm", names, sizeof(names))
					: shm_names_since(&warden->since, names, sizeof(names)))) {
		snprintf(text, size, "a name in /dev/shm stays: %s", names);
		stayed = true;
	}
	if (!stayed && xc_folder_has(warden->tmp, names, sizeof(names))) {
		snprintf(text, size, "a file stays in TMPDIR: %s", names);
		stayed = true;
	}
	remove_tree(warden->tmp);
	return stayed;
}

static void read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");

	line[0] = 0;
	if (!file)
		return;
	if (fgets(line, (int)size, file))
		line[strcspn(line, "\n")] = 0;
	fclose(file);
}

void xc_warden_describe(pid_t pid, char *text, size_t size)
{
	char path[64], name[64], where[64], children[128];
	char state = '?';

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	read_line(path, name, sizeof(name));
	snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
	read_line(path, where, sizeof(where));
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	read_line(path, children, sizeof(children));
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	if (file) {
		if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			state = '?';
		fclose(file);
	}
	snprintf(text, size, "%s (pid %d) is in state %c%s%s%s%s", name, pid, state,
		 where[0] ? ", in " : "", where, children[0] ? ", its children: " : "", children);
}
