/* SPDX-License-Identifier: MIT */
#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static void pair(int fds[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

Test(io, read_full_tells_a_clean_end_from_a_torn_one)
{
	int fds[2];
	char buffer[4];

	pair(fds);
	cr_assert_eq(write(fds[0], "ab", 2), 2);
	close(fds[0]);
	cr_expect_eq(xp_io_read_full(fds[1], buffer, 4, NULL), -EPROTO);
	cr_expect_eq(xp_io_read_full(fds[1], buffer, 4, NULL), -EPIPE);
	close(fds[1]);
}

Test(io, a_read_keeps_its_deadline_in_both_modes)
{
	int fds[2];
	char byte;

	pair(fds);
	for (int nonblock = 0; nonblock < 2; nonblock++) {
		cr_assert_eq(xp_io_set_nonblock(fds[1], nonblock), 0);
		struct timespec soon = xp_deadline_after(2 * XP_NS_PER_MS);
		cr_expect_eq(xp_io_read_full(fds[1], &byte, 1, &soon), -ETIMEDOUT);
		cr_expect(xp_deadline_passed(&soon));
	}
	close(fds[0]);
	close(fds[1]);
}

static void *reader(void *arg)
{
	int fd = *(int *)arg;
	static char sink[1 << 20];
	size_t total = 0;

	while (total < 4 * sizeof(sink)) {
		ssize_t n = xp_io_read_some(fd, sink, sizeof(sink), NULL);
		if (n <= 0)
			return NULL;
		total += (size_t)n;
	}
	return arg;
}

Test(io, a_large_send_crosses_a_nonblocking_socket)
{
	int fds[2];
	pthread_t thread;
	void *done = NULL;
	static char block[1 << 20];
	struct iovec parts[4];

	pair(fds);
	cr_assert_eq(xp_io_set_nonblock(fds[0], 1), 0);
	cr_assert_eq(xp_io_set_nonblock(fds[1], 1), 0);
	cr_assert_eq(pthread_create(&thread, NULL, reader, &fds[1]), 0);
	for (int i = 0; i < 4; i++)
		parts[i] = (struct iovec){.iov_base = block, .iov_len = sizeof(block)};
	cr_expect_eq(xp_io_send_full(fds[0], parts, 4, NULL), 0);
	pthread_join(thread, &done);
	cr_expect_not_null(done);
	close(fds[0]);
	close(fds[1]);
}

Test(io, a_descriptor_crosses_and_is_close_on_exec)
{
	int fds[2], out = -1;
	char byte = 0;
	int ends[2];

	pair(fds);
	cr_assert_eq(pipe(ends), 0);
	cr_expect_eq(xp_io_send_fd(fds[0], ends[1], NULL), 0);
	cr_assert_eq(xp_io_recv_fd(fds[1], NULL, &out), 0);
	cr_expect(fcntl(out, F_GETFD) & FD_CLOEXEC);
	cr_expect_eq(write(out, "x", 1), 1);
	cr_expect_eq(read(ends[0], &byte, 1), 1);
	cr_expect_eq(byte, 'x');
	cr_assert_eq(write(fds[0], "y", 1), 1);
	cr_expect_eq(xp_io_recv_fd(fds[1], NULL, &out), -EPROTO);
}

/* A second descriptor would stay open in the receiver, which does not know of it. */
Test(io, no_more_than_one_descriptor_is_taken)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	char carrier = 'F';
	struct iovec part = {.iov_base = &carrier, .iov_len = 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	int fds[2], two[2] = {STDIN_FILENO, STDIN_FILENO}, out = -1;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(two));
	memcpy(CMSG_DATA(&control.align), two, sizeof(two));
	cr_assert_eq(sendmsg(fds[0], &message, 0), 1);
	int next = dup(STDIN_FILENO);
	close(next);
	int rc = xp_io_recv_fd(fds[1], NULL, &out);
	cr_expect(rc == 0 || rc == -EPROTO);
	if (rc == 0)
		close(out);
	int after = dup(STDIN_FILENO);
	cr_expect_eq(after, next, "the next descriptor is %d, it was %d", after, next);
	close(after);
	close(fds[0]);
	close(fds[1]);
}

Test(io, a_send_to_a_closed_socket_is_an_error_not_a_signal)
{
	int fds[2];

	pair(fds);
	close(fds[1]);
	struct iovec part = {.iov_base = (char[]){"z"}, .iov_len = 1};
	cr_expect_eq(xp_io_send_full(fds[0], &part, 1, NULL), -EPIPE);
	close(fds[0]);
}
