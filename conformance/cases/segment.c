/* SPDX-License-Identifier: MIT */
/* Segments that are handed to processes which share nothing with the maker, by name and by descriptor; and
 * those that are refused. */
#include "conformance/cases/cases.h"
#include "conformance/cases/stranger.h"
#include "conformance/cases/touch.h"

#include "xpshare/base/io.h"
#include "xpshare/proc/child.h"
#include "xpshare/shm/arena.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define IN_MEMORY (XC_SCOPE(SHM) | XC_SCOPE(INHERITED))
#define BYTES	  (1u << 18)
#define NOBODY	  65534

/**
 * struct scene - A segment with an object, and how a stranger gets at it.
 * @name:   Of a named segment, else empty.
 * @socket: Ours; the stranger has the other end.
 */
struct scene {
	struct xc_case_context *cc;
	const struct xc_touch *touch;
	struct xp_segment segment;
	struct xp_arena arena;
	struct xp_place place;
	struct xp_object object;
	char name[64];
	const char *where;
	int socket, theirs;
};

static void make_name(char *name, size_t size)
{
	static unsigned count;

	snprintf(name, size, "/xpconform-%d-%u", (int)getpid(), count++);
}

static enum xc_verdict make_segment(struct scene *scene, enum xp_backing backing)
{
	struct xp_segment_params params = {.size = BYTES, .backing = backing, .name = scene->name};
	struct xc_case_context *cc = scene->cc;

	XC_GIVES(cc, xp_segment_create(&params, &scene->segment), 0);
	XC_GIVES(cc, xp_arena_init(&scene->arena, &scene->segment), 0);
	scene->place.arena = &scene->arena;
	return XC_PASS;
}

static enum xc_verdict set_up(struct xc_case_context *cc, enum xp_backing backing,
			      const char *where, struct scene *scene)
{
	uint64_t offset = 0;

	*scene = (struct scene){.cc = cc,
				.touch = &xc_touches[cc->iut->impl->kind],
				.where = where,
				.socket = -1,
				.theirs = -1};
	if (backing == XP_BACKING_NAMED) {
		make_name(scene->name, sizeof(scene->name));
		scene->where = scene->name;
	}
	XC_TRY(make_segment(scene, backing));
	XC_GIVES(
	    cc, xp_object_make(cc->iut->impl, &scene->place, &scene->touch->params, &scene->object),
	    0);
	int rc = xp_object_offset(&scene->object, &scene->place, &offset);
	if (rc == -ENOTSUP)
		return XC_PASS;
	XC_GIVES(cc, rc, 0);
	xp_segment_set_root(&scene->segment, offset);
	xp_segment_publish(&scene->segment);
	return XC_PASS;
}

static bool can_attach(const struct scene *scene)
{
	return scene->cc->iut->impl->where != NULL;
}

static enum xc_verdict tear_down(struct scene *scene)
{
	struct xc_case_context *cc = scene->cc;

	xp_object_drop(&scene->object);
	xp_arena_fini(&scene->arena);
	if (scene->name[0])
		XC_GIVES(cc, xp_segment_unlink(scene->name), 0);
	xp_segment_close(&scene->segment);
	return XC_PASS;
}

/* ---- the stranger ----------------------------------------------------------------------------- */

struct launch {
	struct scene *scene;
	const char *job;
};

static void find_program(char *path, size_t size)
{
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = 0;
	char *slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	snprintf(path, size, "%s/xpstranger", self);
	if (access(path, X_OK) < 0)
		snprintf(path, size, "%s/xpstranger", XC_PROGRAMS);
}

/* Becomes the stranger, with nothing but the descriptors that it is handed. */
static int become(void *arg)
{
	const struct launch *launch = arg;
	struct scene *scene = launch->scene;
	char path[600];

	find_program(path, sizeof(path));
	/* Out of the way of the numbers below; dup2() takes close-on-exec away. */
	int theirs = fcntl(scene->theirs, F_DUPFD_CLOEXEC, 16);
	int segment = fcntl(scene->segment.fd, F_DUPFD_CLOEXEC, 16);
	if (theirs < 0 || segment < 0 || dup2(theirs, XC_STRANGER_SOCKET) < 0)
		return errno;
	if (strcmp(scene->where, "fd") == 0 && dup2(segment, XC_STRANGER_SEGMENT) < 0)
		return errno;
	execl(path, "xpstranger", launch->job, scene->where, scene->cc->iut->name, (char *)NULL);
	return errno;
}

static int become_nobody(void *arg)
{
	char path[600];

	(void)arg;
	find_program(path, sizeof(path));
	execl(path, "xpstranger", (char *)NULL); /* that is too little: it ends at once */
	return errno;
}

/* An emulator that does not follow exec hands our program to a system that cannot read it. */
static enum xc_verdict strangers_start(struct xc_case_context *cc)
{
	struct timespec by = xc_patience();
	struct xp_child child;
	int status = 0;

	XC_GIVES(cc, xp_child_start(become_nobody, NULL, &child), 0);
	XC_GIVES(cc, xp_child_wait(&child, &by, &status), 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == ENOEXEC)
		return xc_unsupported(cc, "the system cannot execute a program like this one");
	return XC_PASS;
}

static enum xc_verdict start_stranger(struct scene *scene, const char *job, struct xp_child *child)
{
	struct xc_case_context *cc = scene->cc;
	struct launch launch = {scene, job};
	struct timespec by = xc_patience();
	int ends[2];

	XC_GIVES(cc, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	scene->socket = ends[0];
	scene->theirs = ends[1];
	XC_GIVES(cc, xp_child_start(become, &launch, child), 0);
	close(scene->theirs);
	if (strcmp(scene->where, "socket") == 0)
		XC_GIVES(cc, xp_io_send_fd(scene->socket, scene->segment.fd, &by), 0);
	return XC_PASS;
}

static enum xc_verdict end_stranger(struct scene *scene, const char *job, struct xp_child *child)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();
	int status = 0;

	XC_GIVES(cc, xp_child_wait(child, &by, &status), 0);
	close(scene->socket);
	XC_REQUIRE(cc, WIFEXITED(status) && WEXITSTATUS(status) == 0,
		   "an unrelated process uses the object", "its job '%s' ends with %s (status %#x)",
		   job, WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "a signal",
		   (unsigned)status);
	return XC_PASS;
}

/* What the stranger does is seen here, and what is done here is seen by the next. */
static enum xc_verdict exchange(struct scene *scene)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();
	struct xp_child child;
	char byte = 0;

	XC_TRY(start_stranger(scene, "touch", &child));
	int rc = xp_io_read_full(scene->socket, &byte, 1, &by);
	if (rc < 0) /* its status says more */
		return end_stranger(scene, "touch", &child);
	XC_GIVES(cc, scene->touch->touched(&scene->object), 0);
	XC_GIVES(cc, xp_io_write_full(scene->socket, &byte, 1, &by), 0);
	XC_TRY(end_stranger(scene, "touch", &child));

	XC_GIVES(cc, scene->touch->touch(&scene->object), 0);
	XC_TRY(start_stranger(scene, "look", &child));
	XC_TRY(end_stranger(scene, "look", &child));
	XC_GIVES(cc, scene->touch->untouch(&scene->object), 0);
	return XC_PASS;
}

static enum xc_verdict hand_over(struct xc_case_context *cc, const char *where)
{
	struct scene scene;

	XC_TRY(strangers_start(cc));
	XC_TRY(set_up(cc, XP_BACKING_MEMFD, where, &scene));
	if (can_attach(&scene))
		XC_TRY(exchange(&scene));
	return tear_down(&scene);
}

static enum xc_verdict by_descriptor(struct xc_case_context *cc)
{
	return hand_over(cc, "socket");
}

static enum xc_verdict by_exec(struct xc_case_context *cc)
{
	return hand_over(cc, "fd");
}

static enum xc_verdict lost_by_exec(struct xc_case_context *cc)
{
	struct scene scene;
	struct xp_child child;

	XC_TRY(strangers_start(cc));
	XC_TRY(set_up(cc, XP_BACKING_MEMFD, "fd", &scene));
	XC_TRY(start_stranger(&scene, "hold", &child));
	XC_TRY(end_stranger(&scene, "hold", &child));
	/* It was given back by the heir, as new. */
	XC_GIVES(cc, xp_lock_try_acquire(&scene.object.as.lock), 0);
	XC_GIVES(cc, xp_lock_release(&scene.object.as.lock), 0);
	return tear_down(&scene);
}

/* ---- names ------------------------------------------------------------------------------------ */

struct attempt {
	const char *name;
	uid_t owner;
};

static int try_as_nobody(void *arg)
{
	const struct attempt *attempt = arg;
	struct xp_segment other;

	if (seteuid(NOBODY) < 0)
		return 200;
	int rc = xp_segment_open(attempt->name, attempt->owner, &other);
	return rc < 0 ? -rc : 0;
}

static enum xc_verdict owned(struct scene *scene)
{
	struct xc_case_context *cc = scene->cc;
	struct attempt attempt = {scene->name, geteuid()};
	struct timespec by = xc_patience();
	struct xp_segment other;
	struct xp_child child;
	int status = 0;

	XC_GIVES(cc, xp_segment_open(scene->name, geteuid() + 1, &other), -EPERM);
	XC_GIVES(cc, fchmod(scene->segment.fd, 0620), 0);
	XC_GIVES(cc, xp_segment_open(scene->name, geteuid(), &other), -EPERM);
	XC_GIVES(cc, fchmod(scene->segment.fd, 0600), 0);
	if (geteuid() != 0)
		return XC_PASS;
	XC_GIVES(cc, xp_child_start(try_as_nobody, &attempt, &child), 0);
	XC_GIVES(cc, xp_child_wait(&child, &by, &status), 0);
	XC_REQUIRE(
	    cc, WIFEXITED(status) && (WEXITSTATUS(status) == EPERM || WEXITSTATUS(status) == 200),
	    "another user is refused with EPERM", "the status is %#x", (unsigned)status);
	return XC_PASS;
}

static enum xc_verdict by_name(struct xc_case_context *cc)
{
	struct xp_segment other;
	struct scene scene;
	char name[64];

	XC_TRY(strangers_start(cc));
	XC_TRY(set_up(cc, XP_BACKING_NAMED, NULL, &scene));
	struct xp_segment_params again = {
	    .size = BYTES, .backing = XP_BACKING_NAMED, .name = scene.name};
	XC_GIVES(cc, xp_segment_create(&again, &other), -EEXIST);
	if (can_attach(&scene)) {
		XC_TRY(exchange(&scene));
		XC_TRY(owned(&scene));
	}
	snprintf(name, sizeof(name), "%s", scene.name);
	XC_TRY(tear_down(&scene));
	XC_GIVES(cc, xp_segment_open(name, geteuid(), &other), -ENOENT);
	return XC_PASS;
}

/* ---- refusals --------------------------------------------------------------------------------- */

static enum xc_verdict sealed(struct xc_case_context *cc)
{
	struct scene scene = {.cc = cc, .name = "xpconform"};
	struct xp_segment other;

	XC_TRY(make_segment(&scene, XP_BACKING_MEMFD));
	xp_segment_publish(&scene.segment);
	int fd = scene.segment.fd;
	off_t size = (off_t)scene.segment.size;
	XC_REQUIRE(cc, ftruncate(fd, size / 2) < 0 && errno == EPERM, "it cannot be shrunk",
		   "it can, or the error is %s", strerror(errno));
	XC_REQUIRE(cc, ftruncate(fd, size * 2) < 0 && errno == EPERM, "it cannot be grown",
		   "it can, or the error is %s", strerror(errno));
	XC_REQUIRE(cc, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EPERM,
		   "no seal can be added", "it can, or the error is %s", strerror(errno));

	/* The same bytes behind a descriptor without seals. */
	int copy = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	XC_REQUIRE(cc, copy >= 0 && write(copy, scene.segment.base, scene.segment.size) == size,
		   "a copy can be made", "%s", strerror(errno));
	XC_GIVES(cc, xp_segment_open_fd(copy, geteuid(), &other), -EPROTO);
	XC_GIVES(cc, fcntl(copy, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	XC_GIVES(cc, xp_segment_open_fd(copy, geteuid(), &other), 0);
	xp_segment_close(&other);
	scene.name[0] = 0;
	return tear_down(&scene);
}

/* Open the segment once more, through a descriptor of its own. */
static int reopen(const struct scene *scene, uid_t owner)
{
	struct xp_segment other;
	int fd = fcntl(scene->segment.fd, F_DUPFD_CLOEXEC, 0);
	int rc = fd < 0 ? -errno : xp_segment_open_fd(fd, owner, &other);

	if (rc == 0)
		xp_segment_close(&other);
	else if (fd >= 0)
		close(fd);
	return rc;
}

static enum xc_verdict refused(struct xc_case_context *cc)
{
	static const struct {
		size_t offset;
		int expected;
	} lies[] = {
	    {offsetof(struct xp_segment_header, magic), -EPROTO},
	    {offsetof(struct xp_segment_header, version), -EPROTONOSUPPORT},
	    {offsetof(struct xp_segment_header, header_size), -EPROTO},
	    {offsetof(struct xp_segment_header, size), -EPROTO},
	    {offsetof(struct xp_segment_header, owner_uid), -EPERM},
	    {offsetof(struct xp_segment_header, ready), -EPROTO},
	};
	struct scene scene = {.cc = cc};
	int pipes[2];
	void *at;

	XC_TRY(make_segment(&scene, XP_BACKING_MEMFD));
	XC_GIVES(cc, reopen(&scene, geteuid()), -EAGAIN);
	xp_segment_publish(&scene.segment);
	XC_GIVES(cc, reopen(&scene, geteuid()), 0);
	XC_GIVES(cc, reopen(&scene, geteuid() + 1), -EPERM);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		unsigned char *byte = scene.segment.base + lies[i].offset;
		*byte ^= 0x40;
		XC_GIVES(cc, reopen(&scene, geteuid()), lies[i].expected);
		*byte ^= 0x40;
	}
	XC_GIVES(cc, reopen(&scene, geteuid()), 0);

	/* An offset that a peer has made up. */
	uint64_t size = scene.segment.size;
	const uint64_t offsets[] = {1, size, size - 1, UINT64_MAX, size + XP_ISOLATION};
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		XC_GIVES(cc, xp_segment_at(&scene.segment, offsets[i], 2, 1, &at), -EPROTO);

	/* What is no segment at all. */
	XC_GIVES(cc, pipe2(pipes, O_CLOEXEC), 0);
	int rc = xp_segment_open_fd(pipes[0], geteuid(), &(struct xp_segment){0});
	close(pipes[0]);
	close(pipes[1]);
	XC_GIVES(cc, rc, -EPROTO);
	return tear_down(&scene);
}

const struct xc_case xc_cases_segment[] = {
    {.clause = "shm.descriptor",
     .name = "socket",
     .kinds = XC_TOUCH_KINDS,
     .scopes = IN_MEMORY,
     .flags = XC_NEEDS_PROCESSES,
     .run = by_descriptor},
    {.clause = "shm.named",
     .name = "name",
     .kinds = XC_TOUCH_KINDS,
     .scopes = IN_MEMORY,
     .flags = XC_NEEDS_PROCESSES,
     .run = by_name},
    {.clause = "shm.sealed",
     .name = "memfd",
     .kinds = XC_KIND(VALUE),
     .scopes = XC_SCOPE(SHM),
     .run = sealed},
    {.clause = "shm.refused",
     .name = "header",
     .kinds = XC_KIND(VALUE),
     .scopes = XC_SCOPE(SHM),
     .run = refused},
    {.clause = "inherit.exec",
     .name = "descriptor",
     .kinds = XC_TOUCH_KINDS,
     .scopes = IN_MEMORY,
     .flags = XC_NEEDS_PROCESSES,
     .run = by_exec},
    {.clause = "inherit.exec_lost",
     .name = "lock",
     .kinds = XC_KIND(LOCK) | XC_KIND(RLOCK),
     .scopes = IN_MEMORY,
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = lost_by_exec},
    {0},
};
