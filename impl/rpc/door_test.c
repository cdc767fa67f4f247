/* SPDX-License-Identifier: MIT */
/* Connections through an inherited descriptor. */
#include "xpshare/rpc/door.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/rpc/address.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(door, .timeout = 30);

static int server;
static int client;

static void open_door(void)
{
	cr_assert_eq(xp_door_create(&server, &client), 0);
}

static int descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

Test(door, each_knock_is_a_stream, .init = open_door)
{
	for (int i = 0; i < 3; i++) {
		int near;
		int far;
		char byte = (char)('a' + i);

		cr_assert_eq(xp_door_knock(client, NULL, &near), 0);
		cr_assert_eq(xp_door_answer(server, &far), 0);
		cr_assert_eq(write(near, &byte, 1), 1);
		cr_assert_eq(read(far, &byte, 1), 1);
		cr_assert_eq(byte, 'a' + i);
		close(near);
		cr_assert_eq(read(far, &byte, 1), 0);
		close(far);
	}
	int fd;

	cr_assert_eq(xp_door_answer(server, &fd), -EAGAIN);
}

Test(door, a_dead_end_is_told, .init = open_door)
{
	int fd;

	close(server);
	cr_assert_eq(xp_door_knock(client, NULL, &fd), -EPIPE);
	open_door();
	close(client);
	cr_assert_eq(xp_door_answer(server, &fd), -EPIPE);
}

Test(door, knocks_that_nobody_answers_end_with_the_server, .init = open_door)
{
	int fd;
	char byte;

	cr_assert_eq(xp_door_knock(client, NULL, &fd), 0);
	close(server);
	cr_assert_eq(read(fd, &byte, 1), 0);
}

Test(door, a_server_that_does_not_answer_is_noticed_by_the_deadline, .init = open_door)
{
	struct timespec soon = xp_deadline_after(20 * XP_NS_PER_MS);
	int rc;
	int fd;

	for (int i = 0; i < 100000; i++) {
		rc = xp_door_knock(client, &soon, &fd);
		if (rc < 0)
			break;
		close(fd);
	}
	cr_assert(rc == -ETIMEDOUT || rc == -ETOOMANYREFS, "%d", rc);
}

Test(door, what_is_no_stream_is_closed_and_leaks_nothing, .init = open_door)
{
	int before;
	int others[3];
	int fd;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, others), 0);
	others[2] = open("/dev/null", O_RDONLY);
	before = descriptors();
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(xp_io_send_fd(client, others[i], NULL), 0);
		cr_assert_eq(xp_door_answer(server, &fd), -EPROTO);
	}
	cr_assert_eq(send(client, "words", 5, 0), 5);
	cr_assert_eq(xp_door_answer(server, &fd), -EPROTO);
	cr_assert_eq(send(client, "", 0, 0), 0);
	cr_assert_eq(xp_door_answer(server, &fd), -EPROTO);
	/* Two at once: the second does not stay open unseen. */
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(2 * sizeof(int))}};
	struct iovec part = {.iov_base = others, .iov_len = 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};

	memcpy(CMSG_DATA(&control.header), others, 2 * sizeof(int));
	cr_assert_eq(sendmsg(client, &message, 0), 1);
	cr_assert_eq(xp_door_answer(server, &fd), -EPROTO);
	cr_assert_eq(sendmsg(client, &message, 0), 1);
	cr_assert_eq(xp_io_recv_fd(server, NULL, &fd), 0);
	close(fd);
	cr_assert_eq(descriptors(), before);
	/* The door is as it was. */
	int near;

	cr_assert_eq(xp_door_knock(client, NULL, &near), 0);
	cr_assert_eq(xp_door_answer(server, &fd), 0);
}

Test(door, without_a_descriptor_the_knocker_is_turned_away, .init = open_door)
{
	struct rlimit limit;
	int near;
	int fd;
	char byte;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(xp_door_knock(client, NULL, &near), 0);
	limit.rlim_cur = (rlim_t)near; /* every descriptor below is taken */
	while (dup(0) >= 0 && near > descriptors())
		;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (dup(0) >= 0)
		;
	cr_assert_eq(xp_door_answer(server, &fd), -EMFILE);
	cr_assert_eq(read(near, &byte, 1), 0);
}

Test(door, other_descriptors_are_no_doors)
{
	int ends[2];
	int fd;

	cr_assert_eq(pipe(ends), 0);
	cr_assert(!xp_door_is(ends[0]));
	cr_assert_eq(xp_door_knock(ends[1], NULL, &fd), -ENOTSOCK);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	cr_assert(!xp_door_is(ends[0]));
	cr_assert(!xp_door_is(12345));
	cr_assert_eq(xp_door_knock(12345, NULL, &fd), -EBADF);
}

Test(door, its_address_is_a_number)
{
	struct xp_address address;
	char text[XP_ADDRESS_TEXT];

	cr_assert_eq(xp_address_parse("fd:17", &address), 0);
	cr_assert_eq(xp_address_fd(&address), 17);
	cr_assert_eq(xp_address_format(&address, text, sizeof(text)), 5);
	cr_assert_str_eq(text, "fd:17");
	cr_assert_null(xp_address_path(&address));
	cr_assert_eq(xp_address_parse("fd:", &address), -EINVAL);
	cr_assert_eq(xp_address_parse("fd:-1", &address), -EINVAL);
	cr_assert_eq(xp_address_parse("fd:9999999999", &address), -EINVAL);
	cr_assert_eq(xp_address_parse("unix:/fd:1", &address), 0);
	cr_assert_eq(xp_address_fd(&address), -1);
	cr_assert_eq(xp_address_fd(&(struct xp_address){0}), -1);
}
