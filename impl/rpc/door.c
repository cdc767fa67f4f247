/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/door.h"

#include "xpshare/base/io.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for exactly one descriptor: the kernel closes any further one that a message carries. */
union one_fd {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static int option_of(int fd, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

bool xp_door_is(int fd)
{
	return option_of(fd, SO_DOMAIN) == AF_UNIX && option_of(fd, SO_TYPE) == SOCK_SEQPACKET &&
	       option_of(fd, SO_ACCEPTCONN) == 0;
}

int xp_door_create(int *ret_server, int *ret_client)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	*ret_server = ends[0];
	*ret_client = ends[1];
	return 0;
}

static int pass(int door, int fd, const struct timespec *deadline)
{
	char carrier = 'C';
	struct iovec part = {.iov_base = &carrier, .iov_len = 1};
	union one_fd control = {.header = {.cmsg_level = SOL_SOCKET,
					   .cmsg_type = SCM_RIGHTS,
					   .cmsg_len = CMSG_LEN(sizeof(int))}};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	for (;;) {
		int rc = 0;

		if (sendmsg(door, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
			return 0;
		if (errno == EAGAIN)
			rc = xp_io_wait(door, POLLOUT, deadline);
		else if (errno != EINTR)
			rc = -errno;
		if (rc < 0)
			return rc;
	}
}

int xp_door_knock(int door, const struct timespec *deadline, int *ret_fd)
{
	int ends[2];
	int rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	rc = pass(door, ends[1], deadline);
	/* Only the server may hold the other end, so that its death is the end of the stream. */
	xp_io_close(ends[1]);
	if (rc < 0) {
		xp_io_close(ends[0]);
		return rc;
	}
	*ret_fd = ends[0];
	return 0;
}

/* The end of a SOCK_SEQPACKET looks like an empty message. */
static bool is_deserted(int door)
{
	struct pollfd one = {.fd = door, .events = POLLRDHUP};

	return poll(&one, 1, 0) > 0 && one.revents & (POLLHUP | POLLRDHUP | POLLERR);
}

int xp_door_answer(int door, int *ret_fd)
{
	char carrier;
	struct iovec part = {.iov_base = &carrier, .iov_len = 1};
	union one_fd control;
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = CMSG_LEN(sizeof(int))};
	ssize_t size;
	int fd;

	do
		size = recvmsg(door, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (size == 0 && message.msg_controllen == 0 && is_deserted(door))
		return -EPIPE;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return message.msg_flags & MSG_CTRUNC ? -EMFILE : -EPROTO;
	memcpy(&fd, CMSG_DATA(header), sizeof(int));
	if (option_of(fd, SO_DOMAIN) != AF_UNIX || option_of(fd, SO_TYPE) != SOCK_STREAM ||
	    option_of(fd, SO_ACCEPTCONN) != 0) {
		xp_io_close(fd);
		return -EPROTO;
	}
	*ret_fd = fd;
	return 0;
}
