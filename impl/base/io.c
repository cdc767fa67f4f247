/* SPDX-License-Identifier: MIT */
#include "xpshare/base/io.h"

#include "xpshare/base/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int error_of(int err)
{
	return err == EWOULDBLOCK ? -EAGAIN : -err;
}

int xp_io_wait(int fd, short events, const struct timespec *deadline)
{
	struct pollfd watch = {.fd = fd, .events = events};

	for (;;) {
		int rc = poll(&watch, 1, xp_deadline_poll_ms(deadline));
		if (rc > 0)
			return watch.revents & POLLNVAL ? -EBADF
							: 0; /* errors show at the transfer */
		if (rc == 0 && xp_deadline_passed(deadline))
			return -ETIMEDOUT;
		if (rc < 0 && errno != EINTR)
			return -errno;
	}
}

ssize_t xp_io_read_some(int fd, void *buffer, size_t size, const struct timespec *deadline)
{
	int rc = deadline ? xp_io_wait(fd, POLLIN, deadline) : 0;

	while (rc == 0) {
		ssize_t n = read(fd, buffer, size);
		if (n > 0)
			return n;
		if (n == 0)
			return -EPIPE;
		if (errno == EINTR)
			continue;
		rc = error_of(errno);
		if (rc == -EAGAIN)
			rc = xp_io_wait(fd, POLLIN, deadline);
	}
	return rc;
}

int xp_io_read_full(int fd, void *buffer, size_t size, const struct timespec *deadline)
{
	char *at = buffer;
	size_t left = size;

	while (left > 0) {
		ssize_t n = xp_io_read_some(fd, at, left, deadline);
		if (n == -EPIPE)
			return left == size ? -EPIPE : -EPROTO;
		if (n < 0)
			return (int)n;
		at += n;
		left -= (size_t)n;
	}
	return 0;
}

int xp_io_write_full(int fd, const void *buffer, size_t size, const struct timespec *deadline)
{
	const char *at = buffer;
	int rc = deadline ? xp_io_wait(fd, POLLOUT, deadline) : 0;

	while (rc == 0 && size > 0) {
		ssize_t n = write(fd, at, size);
		if (n >= 0) {
			at += n;
			size -= (size_t)n;
			if (size > 0 && deadline)
				rc = xp_io_wait(fd, POLLOUT, deadline);
			continue;
		}
		if (errno == EINTR)
			continue;
		rc = error_of(errno);
		if (rc == -EAGAIN)
			rc = xp_io_wait(fd, POLLOUT, deadline);
	}
	return rc;
}

/* Drop @sent bytes from the front of *@parts. */
static void advance(struct iovec **parts, int *count, size_t sent)
{
	while (*count > 0 && sent >= (*parts)->iov_len) {
		sent -= (*parts)->iov_len;
		(*parts)++;
		(*count)--;
	}
	if (sent > 0) {
		xp_assert(*count > 0);
		(*parts)->iov_base = (char *)(*parts)->iov_base + sent;
		(*parts)->iov_len -= sent;
	}
}

int xp_io_send_full(int fd, struct iovec *parts, int count, const struct timespec *deadline)
{
	/* With a deadline the send itself must not block: the buffer may take less than we have. */
	int flags = MSG_NOSIGNAL | (deadline ? MSG_DONTWAIT : 0);
	int rc = 0;

	advance(&parts, &count, 0);
	while (rc == 0 && count > 0) {
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
		/* The kernel copies no descriptions where there is one part only. */
		ssize_t n = count == 1 ? send(fd, parts->iov_base, parts->iov_len, flags)
				       : sendmsg(fd, &message, flags);
		if (n >= 0) {
			advance(&parts, &count, (size_t)n);
			continue;
		}
		if (errno == EINTR)
			continue;
		rc = error_of(errno);
		if (rc == -EAGAIN)
			rc = xp_io_wait(fd, POLLOUT, deadline);
	}
	return rc;
}

/* Room for exactly one descriptor, aligned as CMSG_DATA() demands. */
union one_fd {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int xp_io_send_fd(int fd, int payload_fd, const struct timespec *deadline)
{
	char carrier = 'F';
	struct iovec part = {.iov_base = &carrier, .iov_len = 1};
	union one_fd control;
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};

	memset(&control, 0, sizeof(control));
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &payload_fd, sizeof(int));

	for (;;) {
		int rc = deadline ? xp_io_wait(fd, POLLOUT, deadline) : 0;
		if (rc < 0)
			return rc;
		if (sendmsg(fd, &message, MSG_NOSIGNAL) == 1)
			return 0;
		if (errno == EAGAIN)
			rc = xp_io_wait(fd, POLLOUT, deadline);
		else if (errno != EINTR)
			rc = -errno;
		if (rc < 0)
			return rc;
	}
}

int xp_io_recv_fd(int fd, const struct timespec *deadline, int *ret_fd)
{
	char carrier;
	struct iovec part = {.iov_base = &carrier, .iov_len = 1};
	union one_fd control;
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n;

	for (;;) {
		int rc = deadline ? xp_io_wait(fd, POLLIN, deadline) : 0;
		if (rc < 0)
			return rc;
		message.msg_control = control.bytes;
		/* Room for one: the kernel closes what a peer sends beyond that. */
		message.msg_controllen = CMSG_LEN(sizeof(int));
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
		if (n >= 0)
			break;
		if (errno == EAGAIN)
			rc = xp_io_wait(fd, POLLIN, deadline);
		else if (errno != EINTR)
			rc = -errno;
		if (rc < 0)
			return rc;
	}
	if (n == 0)
		return -EPIPE;

	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	return 0;
}

int xp_io_set_nonblock(int fd, int on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int xp_io_close(int fd)
{
	if (fd >= 0)
		close(fd);
	return -1;
}
