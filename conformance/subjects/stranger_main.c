/* SPDX-License-Identifier: MIT */
/* A process that shares no memory with whoever started it: see cases/stranger.h. */
#include "conformance/cases/stranger.h"
#include "conformance/cases/touch.h"

#include "xpshare/base/io.h"
#include "xpshare/shm/arena.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct stranger {
	struct xp_segment segment;
	struct xp_arena arena;
	struct xp_object object;
	const struct xc_touch *touch;
};

static int open_segment(const char *where, struct xp_segment *ret_segment)
{
	struct timespec by = xc_patience();
	int fd = XC_STRANGER_SEGMENT;

	if (where[0] == '/')
		return xp_segment_open(where, geteuid(), ret_segment);
	int rc = strcmp(where, "socket") == 0 ? xp_io_recv_fd(XC_STRANGER_SOCKET, &by, &fd) : 0;
	return rc < 0 ? rc : xp_segment_open_fd(fd, geteuid(), ret_segment);
}

static int attach(struct stranger *self, const char *where, const char *name)
{
	const struct xp_impl *impl = xp_catalog_find(name);
	uint64_t root;

	if (!impl)
		return -EINVAL;
	int rc = open_segment(where, &self->segment);
	if (rc < 0)
		return rc;
	xp_arena_view(&self->arena, &self->segment);
	self->touch = &xc_touches[impl->kind];
	rc = xp_segment_root(&self->segment, &root);
	if (rc < 0)
		return rc;
	return xp_object_attach(impl, &(struct xp_place){.arena = &self->arena},
				&self->touch->params, root, &self->object);
}

static int touch_and_give_back(struct stranger *self)
{
	struct timespec by = xc_patience();
	char byte = 't';
	int rc = self->touch->touch(&self->object);

	if (rc == 0)
		rc = xp_io_write_full(XC_STRANGER_SOCKET, &byte, 1, &by);
	if (rc == 0)
		rc = xp_io_read_full(XC_STRANGER_SOCKET, &byte, 1, &by);
	return rc < 0 ? rc : self->touch->untouch(&self->object);
}

static int hold_and_execute(struct stranger *self, char **argv)
{
	int rc = xp_lock_acquire(&self->object.as.lock);

	if (rc < 0)
		return rc;
	/* Close-on-exec, as every descriptor that the library makes. */
	if (dup3(self->segment.fd, XC_STRANGER_CLOSED, O_CLOEXEC) < 0)
		return -errno;
	execl("/proc/self/exe", argv[0], "heir", argv[2], argv[3], (char *)NULL);
	return -errno;
}

static int inherit(struct stranger *self)
{
	if (fcntl(XC_STRANGER_CLOSED, F_GETFD) >= 0)
		return -EEXIST;
	/* Not 0: nobody has given it back. */
	int rc = xp_lock_try_acquire(&self->object.as.lock);
	if (rc != -EOWNERDEAD)
		return rc ? rc : -ENODATA;
	return xp_lock_release(&self->object.as.lock);
}

int main(int argc, char **argv)
{
	struct stranger self = {0};

	if (argc != 4)
		return EINVAL;
	int rc = attach(&self, argv[2], argv[3]);
	if (rc == 0) {
		if (strcmp(argv[1], "look") == 0)
			rc = self.touch->touched(&self.object);
		else if (strcmp(argv[1], "touch") == 0)
			rc = touch_and_give_back(&self);
		else if (strcmp(argv[1], "hold") == 0)
			rc = hold_and_execute(&self, argv);
		else if (strcmp(argv[1], "heir") == 0)
			rc = inherit(&self);
		else
			rc = -EINVAL;
	}
	xp_object_drop(&self.object);
	xp_segment_close(&self.segment);
	return rc < 0 ? -rc : rc;
}
