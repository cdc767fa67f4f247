/* SPDX-License-Identifier: MIT */
#include "xpshare/base/io.h"
#include "xpshare/shm/segment.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 65536u

static struct xp_segment make(enum xp_backing backing, const char *name)
{
	struct xp_segment segment = {0};
	struct xp_segment_params params = {.size = SIZE, .backing = backing, .name = name};

	cr_assert_eq(xp_segment_create(&params, &segment), 0);
	return segment;
}

/* A name that no other run uses. */
static const char *own_name(char *buffer, size_t size)
{
	snprintf(buffer, size, "/xpshare-test-%d", (int)getpid());
	return buffer;
}

static unsigned char *object_at(struct xp_segment *segment)
{
	void *at = NULL;

	cr_assert_eq(xp_segment_at(segment, sizeof(struct xp_segment_header), 1, 1, &at), 0);
	return at;
}

Test(segment, a_child_and_its_parent_see_one_memory)
{
	const enum xp_backing forms[] = {XP_BACKING_ANONYMOUS, XP_BACKING_MEMFD};

	for (size_t i = 0; i < 2; i++) {
		struct xp_segment segment = make(forms[i], NULL);
		unsigned char *cell = object_at(&segment);
		int status = -1;

		cell[0] = 1;
		pid_t child = fork();
		if (child == 0) {
			bool seen = cell[0] == 1;
			cell[0] = 2;
			_exit(seen ? 0 : 1);
		}
		waitpid(child, &status, 0);
		cr_expect_eq(status, 0);
		cr_expect_eq(cell[0], 2);
		xp_segment_close(&segment);
		xp_segment_close(&segment);
	}
}

Test(segment, a_descriptor_opens_it_in_an_unrelated_process)
{
	struct xp_segment segment = make(XP_BACKING_MEMFD, "sent");
	int fds[2], status = -1;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	object_at(&segment)[0] = 7;
	xp_segment_set_root(&segment, sizeof(struct xp_segment_header));
	xp_segment_publish(&segment);

	pid_t child = fork();
	if (child == 0) {
		struct xp_segment mine;
		uint64_t root = 0;
		void *at = NULL;
		int fd = -1;

		/* What was inherited is given up first: only the descriptor counts. */
		xp_segment_close(&segment);
		if (xp_io_recv_fd(fds[1], NULL, &fd) < 0 ||
		    xp_segment_open_fd(fd, geteuid(), &mine) < 0)
			_exit(2);
		if (xp_segment_root(&mine, &root) < 0 || xp_segment_at(&mine, root, 1, 1, &at) < 0)
			_exit(3);
		_exit(*(unsigned char *)at == 7 ? 0 : 4);
	}
	cr_assert_eq(xp_io_send_fd(fds[0], segment.fd, NULL), 0);
	waitpid(child, &status, 0);
	cr_expect_eq(status, 0);
	xp_segment_close(&segment);
}

Test(segment, a_half_made_one_says_try_again)
{
	struct xp_segment segment = make(XP_BACKING_MEMFD, NULL), other;
	char name[64];

	cr_expect_eq(xp_segment_open_fd(segment.fd, geteuid(), &other), -EAGAIN);
	xp_segment_publish(&segment);
	cr_expect_eq(xp_segment_root(&segment, &(uint64_t){0}), -EAGAIN);
	xp_segment_close(&segment);

	/* A name that has no size yet: the maker is between two calls. */
	int fd = shm_open(own_name(name, sizeof(name)), O_RDWR | O_CREAT | O_EXCL, 0600);
	cr_assert_geq(fd, 0);
	cr_expect_eq(xp_segment_open(name, geteuid(), &other), -EAGAIN);
	cr_assert_eq(ftruncate(fd, 4096), 0);
	cr_expect_eq(xp_segment_open(name, geteuid(), &other), -EAGAIN);
	close(fd);
	cr_expect_eq(xp_segment_unlink(name), 0);
}

Test(segment, a_name_is_made_once_and_removed_once)
{
	char name[64];
	struct xp_segment segment = make(XP_BACKING_NAMED, own_name(name, sizeof(name))), other;
	struct xp_segment_params again = {.size = 1, .backing = XP_BACKING_NAMED, .name = name};

	cr_expect_eq(xp_segment_create(&again, &other), -EEXIST);
	xp_segment_publish(&segment);
	cr_assert_eq(xp_segment_open(name, geteuid(), &other), 0);
	object_at(&segment)[5] = 9;
	cr_expect_eq(object_at(&other)[5], 9);
	cr_expect_eq(xp_segment_incarnation(&segment), xp_segment_incarnation(&other));
	xp_segment_close(&other);
	xp_segment_close(&segment);
	cr_expect_eq(xp_segment_unlink(name), 0);
	cr_expect_eq(xp_segment_unlink(name), -ENOENT);
	cr_expect_eq(xp_segment_open(name, geteuid(), &other), -ENOENT);
}

Test(segment, a_header_that_lies_is_refused)
{
	const struct {
		size_t offset;
		uint32_t value;
		int expected;
	} lies[] = {
	    {offsetof(struct xp_segment_header, magic), 1, -EPROTO},
	    {offsetof(struct xp_segment_header, version), 2, -EPROTONOSUPPORT},
	    {offsetof(struct xp_segment_header, header_size), 64, -EPROTO},
	    {offsetof(struct xp_segment_header, size), 4096, -EPROTO},
	    {offsetof(struct xp_segment_header, owner_uid), 12345, -EPERM},
	    {offsetof(struct xp_segment_header, ready), 1, -EPROTO},
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct xp_segment segment = make(XP_BACKING_MEMFD, NULL), other = {.fd = -7};

		xp_segment_publish(&segment);
		memcpy(segment.base + lies[i].offset, &lies[i].value, sizeof(lies[i].value));
		cr_expect_eq(xp_segment_open_fd(segment.fd, geteuid(), &other), lies[i].expected,
			     "lie %zu", i);
		cr_expect_eq(other.fd, -7);
		xp_segment_close(&segment);
	}
}

Test(segment, owner_permissions_and_seals_are_checked)
{
	char name[64];
	struct xp_segment segment = make(XP_BACKING_NAMED, own_name(name, sizeof(name))), other;

	xp_segment_publish(&segment);
	cr_expect_eq(xp_segment_open(name, geteuid() + 1, &other), -EPERM);
	cr_assert_eq(fchmod(segment.fd, 0620), 0);
	cr_expect_eq(xp_segment_open(name, geteuid(), &other), -EPERM);
	xp_segment_close(&segment);
	cr_expect_eq(xp_segment_unlink(name), 0);

	int loose = memfd_create("loose", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	cr_assert_eq(ftruncate(loose, 4096), 0);
	cr_expect_eq(xp_segment_open_fd(loose, geteuid(), &other), -EPROTO);
	close(loose);

	segment = make(XP_BACKING_MEMFD, NULL);
	cr_expect_eq(ftruncate(segment.fd, 0), -1);
	cr_expect_eq(errno, EPERM);
	xp_segment_close(&segment);

	int ends[2];
	cr_assert_eq(pipe(ends), 0);
	cr_expect_eq(xp_segment_open_fd(ends[0], geteuid(), &other), -EPROTO);
	cr_expect_eq(xp_segment_open_fd(-1, geteuid(), &other), -EBADF);
}

Test(segment, impossible_wishes_are_named)
{
	struct xp_segment segment;
	const char *const names[] = {NULL, "", "/", "x", "/a/b"};

	cr_expect_eq(xp_segment_create(&(struct xp_segment_params){.size = 0}, &segment), -EINVAL);
	cr_expect_eq(xp_segment_create(&(struct xp_segment_params){.size = SIZE_MAX}, &segment),
		     -EINVAL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct xp_segment_params params = {
		    .size = 1, .backing = XP_BACKING_NAMED, .name = names[i]};
		cr_expect_eq(xp_segment_create(&params, &segment), -EINVAL);
		cr_expect_eq(xp_segment_open(names[i], geteuid(), &segment), -EINVAL);
		cr_expect_eq(xp_segment_unlink(names[i]), -EINVAL);
	}

	/* More than the memory file system holds: an error now, no SIGBUS later. */
	struct xp_segment_params huge = {.size = XP_SEGMENT_SIZE_MAX, .backing = XP_BACKING_MEMFD};
	int rc = xp_segment_create(&huge, &segment);
	cr_expect(rc == -ENOSPC || rc == -ENOMEM, "got %d", rc);
}

Test(segment, huge_pages_fall_back_and_say_so)
{
	const enum xp_backing forms[] = {XP_BACKING_ANONYMOUS, XP_BACKING_MEMFD};

	for (size_t i = 0; i < 2; i++) {
		struct xp_segment segment = {0};
		struct xp_segment_params params = {
		    .size = SIZE, .backing = forms[i], .pages = XP_PAGES_HUGE, .populate = true};

		cr_assert_eq(xp_segment_create(&params, &segment), 0);
		cr_expect(segment.pages == XP_PAGES_HUGE || segment.pages == XP_PAGES_NORMAL);
		if (segment.pages == XP_PAGES_NORMAL)
			cr_expect_eq(segment.size, SIZE + 4096);
		object_at(&segment)[SIZE - 1] = 1;
		xp_segment_close(&segment);
	}
}

Test(segment, a_home_node_is_kept_or_refused)
{
	struct xp_segment segment = {0};
	struct xp_segment_params params = {.size = SIZE, .backing = XP_BACKING_MEMFD, .bind = true};

	int rc = xp_segment_create(&params, &segment);
	if (rc == -ENOSYS)
		cr_skip_test("this kernel has no NUMA policy");
	cr_assert_eq(rc, 0, "got %d", rc);
	xp_segment_close(&segment);
	params.node = 1023;
	cr_expect_eq(xp_segment_create(&params, &segment), -EINVAL);
	params.node = 1024;
	cr_expect_eq(xp_segment_create(&params, &segment), -EINVAL);
}

Test(segment, an_offset_outside_is_refused)
{
	struct xp_segment segment = make(XP_BACKING_ANONYMOUS, NULL);
	void *at = NULL;

	cr_expect_eq(xp_segment_at(&segment, 0, 1, 1, &at), -EPROTO);
	cr_expect_eq(xp_segment_at(&segment, segment.size, 1, 1, &at), -EPROTO);
	cr_expect_eq(xp_segment_at(&segment, segment.size - 8, 9, 1, &at), -EPROTO);
	cr_expect_eq(xp_segment_at(&segment, UINT64_MAX, 8, 1, &at), -EPROTO);
	cr_expect_eq(xp_segment_at(&segment, 128, SIZE_MAX, 1, &at), -EPROTO);
	cr_expect_eq(xp_segment_at(&segment, 129, 1, 2, &at), -EPROTO);
	cr_expect_null(at);
	cr_expect_eq(xp_segment_at(&segment, segment.size - 8, 8, 8, &at), 0);
	xp_segment_close(&segment);
}
