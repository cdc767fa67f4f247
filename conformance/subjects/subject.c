/* SPDX-License-Identifier: MIT */
#include "conformance/subjects/subject.h"

#include "xpshare/base/io.h"
#include "xpshare/rpc/door.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

XC_EMBED(xc_server_py, XC_SUBJECTS "/server.py");

/* ---- which there are -------------------------------------------------------------------------- */

/* Ask an interpreter who it is: "path version". */
static bool ask_python(const char *program, struct xc_subject *ret_subject)
{
	static const char question[] =
	    "import sys; sys.stdout.write(sys.executable + ' %d.%d.%d' % sys.version_info[:3])";
	int pipe_fd[2], status;
	char answer[320] = "";

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return false;
	pid_t pid = fork();
	if (pid == 0) { /* child */
		int null = open("/dev/null", O_RDWR);
		dup2(null, STDIN_FILENO);
		dup2(null, STDERR_FILENO);
		dup2(pipe_fd[1], STDOUT_FILENO);
		execlp(program, program, "-S", "-c", question, (char *)NULL);
		_exit(127);
	}
	close(pipe_fd[1]);
	size_t used = 0;
	for (ssize_t n; used < sizeof(answer) - 1; used += (size_t)n) {
		n = read(pipe_fd[0], answer + used, sizeof(answer) - 1 - used);
		if (n <= 0)
			break;
	}
	close(pipe_fd[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !xp_child_ok(status))
		return false;
	char *space = strrchr(answer, ' ');
	if (!space || (size_t)(space - answer) >= sizeof(ret_subject->python))
		return false;
	*space = 0;
	*ret_subject = (struct xc_subject){0};
	memcpy(ret_subject->python, answer, (size_t)(space - answer) + 1);
	snprintf(ret_subject->version, sizeof(ret_subject->version), "%s", space + 1);
	snprintf(ret_subject->name, sizeof(ret_subject->name), "manager/cpython%s", space + 1);
	return true;
}

static size_t add_python(struct xc_subject *subjects, size_t count, size_t room,
			 const char *program)
{
	if (count == room || !ask_python(program, &subjects[count]))
		return count;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(subjects[i].name, subjects[count].name) == 0)
			return count;
	}
	return count + 1;
}

size_t xc_subject_all(struct xc_subject *subjects, size_t room)
{
	static const struct xc_subject ours[] = {
	    {.name = "manager/event_unix", .model = "event"},
	    {.name = "manager/event_tcp", .model = "event", .tcp = true},
	    {.name = "manager/event_ring", .model = "event", .ring = true},
	    {.name = "manager/event_door", .model = "event", .door = true},
	    {.name = "manager/thread_unix", .model = "thread"},
	    {.name = "manager/thread_tcp", .model = "thread", .tcp = true},
	    {.name = "manager/thread_ring", .model = "thread", .ring = true},
	    {.name = "manager/thread_door", .model = "thread", .door = true},
	};
	const char *list = getenv("XP_PYTHONS");
	size_t count = 0;

	while (count < sizeof(ours) / sizeof(ours[0]) && count < room) {
		subjects[count] = ours[count];
		count++;
	}
	if (!list)
		return add_python(subjects, count, room, "python3");
	char *words = strdup(list), *rest = words;
	for (char *word; words && (word = strsep(&rest, " :"));) {
		if (word[0])
			count = add_python(subjects, count, room, word);
	}
	free(words);
	return count;
}

/* ---- servers ---------------------------------------------------------------------------------- */

struct launch {
	const struct xc_subject *subject;
	const struct xc_server_plan *plan;
	char text[XC_ADDRESS_MAX];
	int ready_fd;
	int door; /* the server's end, close-on-exec here; -1 */
};

/* Next to this program, or where the build puts it. */
static void find_xpmanager(char *path, size_t size)
{
	char self[512];
	const char *given = getenv("XP_MANAGER_PROGRAM");
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (given) {
		snprintf(path, size, "%s", given);
		return;
	}
	self[n > 0 ? n : 0] = 0;
	char *slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	snprintf(path, size, "%s/xpmanager", self);
	if (access(path, X_OK) < 0)
		snprintf(path, size, "%s/xpmanager", XC_PROGRAMS);
}

#define FIRST_UID 100000 /* of users that are nobody */

/* As a user who runs nothing else, so that the limit counts the server alone: root is spared it. The file is
 * opened before, because a folder on the way to it may be closed to others. */
static int run_limited(const char *path, char *const *argv, unsigned processes)
{
	const struct rlimit limit = {processes, processes};
	uid_t user = FIRST_UID + (uid_t)getpid();
	int program = open(path, O_PATH | O_CLOEXEC);

	if (program < 0 || setrlimit(RLIMIT_NPROC, &limit) < 0 || setresgid(user, user, user) < 0 ||
	    setresuid(user, user, user) < 0)
		return 127;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* forgotten with the user */
	fexecve(program, argv, environ);
	return 127;
}

static int run_server(void *arg)
{
	const struct launch *launch = arg;
	char path[600], listen_option[XC_ADDRESS_MAX + 16], ready[32], handshake[48], model[32];

	if (launch->plan->descriptors) {
		struct rlimit limit = {launch->plan->descriptors, launch->plan->descriptors};
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	int null = open("/dev/null", O_RDWR);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (launch->subject->python[0] || !getenv("XP_DEBUG"))
		dup2(null, STDERR_FILENO);
	close(null);
	if (launch->door >= 0)
		fcntl(launch->door, F_SETFD, 0);
	setenv("XP_AUTHKEY", XC_KEY, 1);
	if (launch->subject->python[0]) {
		setenv("XP_ADDRESS", launch->text, 1);
		snprintf(ready, sizeof(ready), "%d", launch->ready_fd);
		execl(launch->subject->python, launch->subject->python, "-S", "-c",
		      launch->subject->script ? launch->subject->script : xc_server_py, ready,
		      (char *)NULL);
		return 127;
	}
	find_xpmanager(path, sizeof(path));
	snprintf(listen_option, sizeof(listen_option), "--listen=%s", launch->text);
	snprintf(ready, sizeof(ready), "--ready-fd=%d", launch->ready_fd);
	snprintf(handshake, sizeof(handshake), "--handshake-timeout=%u",
		 launch->plan->handshake_s ? launch->plan->handshake_s : 10);
	snprintf(model, sizeof(model), "--server=%s", launch->subject->model);
	char *const argv[] = {path,  listen_option,	    ready, handshake,
			      model, (char *)"--allow-md5", NULL};

	if (launch->plan->processes && geteuid() == 0)
		return run_limited(path, argv, launch->plan->processes);
	execv(path, argv);
	return 127;
}

/* The first line that comes through @fd. */
static int read_address(int fd, char text[XC_ADDRESS_MAX], const struct timespec *deadline)
{
	size_t used = 0;

	while (used < XC_ADDRESS_MAX - 1) {
		ssize_t n = xp_io_read_some(fd, text + used, 1, deadline);
		if (n < 0)
			return (int)n;
		if (text[used] == '\n')
			break;
		used++;
	}
	text[used] = 0;
	return 0;
}

/* Where it shall listen. @ret_door: the end of its clients, where it is a door; -1. */
static int choose_address(struct launch *launch, int *ret_door)
{
	int rc = 0;

	launch->door = -1;
	*ret_door = -1;
	if (launch->plan->text) {
		snprintf(launch->text, sizeof(launch->text), "%s", launch->plan->text);
	} else if (launch->subject->tcp) {
		snprintf(launch->text, sizeof(launch->text), "tcp:127.0.0.1:0");
	} else if (launch->subject->door) {
		rc = xp_door_create(&launch->door, ret_door);
		snprintf(launch->text, sizeof(launch->text), "fd:%d", launch->door);
	} else if (launch->plan->processes) { /* the folder is not open to others */
		snprintf(launch->text, sizeof(launch->text), "unix:@xpconform-%d", (int)getpid());
	} else {
		snprintf(launch->text, sizeof(launch->text), "unix:%s/s", getenv("TMPDIR"));
	}
	return rc;
}

enum xc_verdict xc_server_start(struct xc_case_context *cc, const struct xc_server_plan *plan,
				struct xc_server *ret_server)
{
	static const struct xc_server_plan defaults;
	struct timespec by = xc_patience();
	struct launch launch = {.subject = cc->iut->subject, .plan = plan ? plan : &defaults};
	struct xc_server server = {.ring = launch.subject->ring};
	int pipe_fd[2], door, rc;
	char number[32];

	if (choose_address(&launch, &door) < 0)
		return xc_unresolved(cc, "no door");
	if (pipe(pipe_fd) < 0)
		return xc_unresolved(cc, "no pipe");
	fcntl(pipe_fd[0], F_SETFD, FD_CLOEXEC);
	launch.ready_fd = pipe_fd[1];
	rc = xp_child_start(run_server, &launch, &server.child);
	close(pipe_fd[1]);
	xp_io_close(launch.door);
	if (rc == 0) {
		rc = read_address(pipe_fd[0], server.text, &by);
		/* It has said the number of its own end. */
		if (door >= 0)
			snprintf(server.text, sizeof(server.text), "fd:%d", door);
		if (rc == 0)
			rc = xp_address_parse(server.text, &server.address);
		if (rc < 0)
			xp_child_stop(&server.child);
	}
	if (rc < 0)
		xp_io_close(door);
	close(pipe_fd[0]);
	if (rc < 0)
		return cc->iut->peer
			   ? xc_unresolved(cc, "its server does not start: %s",
					   xc_number(rc, number))
			   : xc_fail(cc, "the server starts", "%s", xc_number(rc, number));
	*ret_server = server;
	return XC_PASS;
}

void xc_server_stop(struct xc_server *server)
{
	xp_child_stop(&server->child);
	if (xp_address_path(&server->address))
		unlink(xp_address_path(&server->address));
	xp_io_close(xp_address_fd(&server->address));
}

bool xc_server_alive(const struct xc_server *server)
{
	siginfo_t info = {0};

	return server->child.pid > 0 &&
	       waitid(P_PID, (id_t)server->child.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

/* ---- what the kernel counts ------------------------------------------------------------------- */

static int count_entries(pid_t pid, const char *folder)
{
	char path[64];
	int count = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, folder);
	DIR *entries = opendir(path);
	if (!entries)
		return -errno;
	for (struct dirent *entry; (entry = readdir(entries));)
		count += entry->d_name[0] != '.';
	closedir(entries);
	return count;
}

int xc_server_descriptors(const struct xc_server *server)
{
	return count_entries(server->child.pid, "fd");
}

int xc_server_threads(const struct xc_server *server)
{
	return count_entries(server->child.pid, "task");
}

int64_t xc_server_runnable_ns(const struct xc_server *server)
{
	char path[320];
	int64_t total = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", server->child.pid);
	DIR *entries = opendir(path);
	if (!entries)
		return -errno;
	for (struct dirent *entry; (entry = readdir(entries));) {
		int64_t run, wait;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", server->child.pid,
			 entry->d_name);
		FILE *file = entry->d_name[0] != '.' ? fopen(path, "re") : NULL;
		if (!file)
			continue;
		if (fscanf(file, "%" SCNd64 " %" SCNd64, &run, &wait) == 2)
			total += run + wait;
		fclose(file);
	}
	closedir(entries);
	return total;
}

int64_t xc_server_memory_kib(const struct xc_server *server, bool reserved)
{
	char path[64], line[256];
	int64_t kib = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", server->child.pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	while (kib < 0 && fgets(line, sizeof(line), file))
		(void)!sscanf(line, reserved ? "VmData: %" SCNd64 : "VmRSS: %" SCNd64, &kib);
	fclose(file);
	return kib;
}

uint64_t xc_server_address_space(const struct xc_server *server)
{
	char path[64];
	uint64_t pages = 0;

	snprintf(path, sizeof(path), "/proc/%d/statm", server->child.pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu64, &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

int xc_server_limit(const struct xc_server *server, int resource, uint64_t soft)
{
	struct rlimit limit;

	if (prlimit(server->child.pid, (__rlimit_resource_t)resource, NULL, &limit) < 0)
		return -errno;
	limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
	return prlimit(server->child.pid, (__rlimit_resource_t)resource, &limit, NULL) < 0 ? -errno
											   : 0;
}

/* ---- from outside ----------------------------------------------------------------------------- */

static bool is_connected(int fd)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);

	return getpeername(fd, (struct sockaddr *)&peer, &size) == 0;
}

int xc_set_nonblock_in(pid_t pid)
{
	char path[64];
	int count = 0;

	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *entries = opendir(path);
	for (struct dirent *entry; entries && (entry = readdir(entries));) {
		if (entry->d_name[0] == '.')
			continue;
		int fd =
		    (int)syscall(SYS_pidfd_getfd, pidfd, (int)strtol(entry->d_name, NULL, 10), 0);
		if (fd < 0 && errno == EPERM) {
			count = -EPERM;
			break;
		}
		if (fd >= 0 && is_connected(fd) && xp_io_set_nonblock(fd, 1) == 0)
			count++;
		xp_io_close(fd);
	}
	if (entries)
		closedir(entries);
	close(pidfd);
	return count;
}

struct timespec xc_bound(const struct xc_case_context *cc)
{
	return cc->iut->peer ? xp_deadline_after(4 * XP_NS_PER_SEC) : xc_patience();
}
