/* SPDX-License-Identifier: MIT */
#include "xpshare/chan/pipe_socket.h"

#include "xpshare/base/io.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A message of which not all has been delivered to the caller.
 * @bytes: Allocated, @size bytes, while @size is not 0.
 */
struct kept {
	unsigned char *bytes;
	size_t size;
	size_t have;
};

struct side {
	int fd;
	bool sends;
	bool receives;
	struct kept kept;
};

/* @spare takes what does not fit into the caller's buffer, so that it is not lost. */
struct pipe_socket {
	struct side sides[2];
	unsigned char spare[2][XP_PIPE_PACKET_MAX];
};

/* Send one packet of @size bytes of message, @left of which are still to come. */
static int send_packet(int fd, const unsigned char *bytes, size_t size, size_t left,
		       const struct timespec *deadline)
{
	uint32_t header = (uint32_t)left;
	struct iovec parts[2] = {{.iov_base = &header, .iov_len = sizeof(header)},
				 {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = size > 0 ? 2 : 1};
	int flags = MSG_NOSIGNAL | (deadline ? MSG_DONTWAIT : 0);

	for (;;) {
		int rc = 0;

		if (sendmsg(fd, &message, flags) >= 0)
			return 0;
		if (errno == EAGAIN)
			rc = xp_io_wait(fd, POLLOUT, deadline);
		else if (errno != EINTR)
			rc = errno == ECONNRESET ? -EPIPE : -errno;
		if (rc < 0)
			return rc;
	}
}

/*
 * Receive one packet, the header to *@ret_left, up to @capacity bytes to @to and the rest, of up to
 * XP_PIPE_PACKET_MAX, to @spare. Return: how many bytes of message it had; -errno.
 */
static ssize_t recv_packet(int fd, void *to, size_t capacity, unsigned char *spare,
			   uint32_t *ret_left, const struct timespec *deadline)
{
	struct iovec parts[3] = {{.iov_base = ret_left, .iov_len = sizeof(*ret_left)},
				 {.iov_base = to, .iov_len = capacity},
				 {.iov_base = spare, .iov_len = 0}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
	int flags = deadline ? MSG_DONTWAIT : 0;

	if (capacity < XP_PIPE_PACKET_MAX)
		parts[2].iov_len = XP_PIPE_PACKET_MAX - capacity;
	for (;;) {
		int rc = 0;
		ssize_t n = recvmsg(fd, &message, flags);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return -EPIPE;
		/* Shorter or longer than any packet of ours. */
		if (n > 0 && (n < (ssize_t)sizeof(*ret_left) || message.msg_flags & MSG_TRUNC))
			return -EPROTO;
		if (n > 0)
			return n - (ssize_t)sizeof(*ret_left);
		if (errno == EAGAIN)
			rc = xp_io_wait(fd, POLLIN, deadline);
		else if (errno != EINTR)
			rc = -errno;
		if (rc < 0)
			return rc;
	}
}

static int send_until(void *self, int end, const void *message, size_t size,
		      const struct timespec *deadline)
{
	struct pipe_socket *pipe = self;
	struct side *side = &pipe->sides[end & 1];
	const unsigned char *bytes = message;
	size_t done = 0;

	if (side->fd < 0 || !side->sends)
		return -EBADF;
	if (size > XP_PIPE_MESSAGE_MAX)
		return -EMSGSIZE;
	do {
		size_t now = size - done < XP_PIPE_PACKET_MAX ? size - done : XP_PIPE_PACKET_MAX;
		int rc = send_packet(side->fd, bytes + done, now, size - done, deadline);
		if (rc < 0) {
			/* The receiver must not take the next message for the rest of this one. */
			if (done > 0)
				(void)shutdown(side->fd, SHUT_WR);
			return rc;
		}
		done += now;
	} while (done < size);
	return 0;
}

static void forget(struct kept *kept)
{
	free(kept->bytes);
	*kept = (struct kept){0};
}

/* Receive the packets of a message that are still missing. */
static int recv_rest(struct side *side, unsigned char *to, size_t size, size_t *have,
		     unsigned char *spare, const struct timespec *deadline)
{
	while (*have < size) {
		uint32_t left;
		ssize_t n = recv_packet(side->fd, to + *have, size - *have, spare, &left, deadline);
		if (n == -EPIPE)
			return -EPROTO; /* the end, within a message */
		if (n < 0)
			return (int)n;
		if (n == 0 || left != size - *have || (size_t)n > size - *have)
			return -EPROTO;
		*have += (size_t)n;
	}
	return 0;
}

/* Go on with a message of which a part has been kept. */
static int resume(struct side *side, void *buffer, size_t capacity, size_t *ret_size,
		  unsigned char *spare, const struct timespec *deadline)
{
	struct kept *kept = &side->kept;

	int rc = recv_rest(side, kept->bytes, kept->size, &kept->have, spare, deadline);
	if (rc == -EPROTO)
		forget(kept);
	if (rc < 0)
		return rc;
	*ret_size = kept->size;
	if (kept->size > capacity)
		return -EMSGSIZE;
	memcpy(buffer, kept->bytes, kept->size);
	forget(kept);
	return 0;
}

/* Keep what has arrived of a message of @size bytes: @have, split between @buffer and @spare. */
static int keep(struct side *side, size_t size, size_t have, const void *buffer, size_t capacity,
		const unsigned char *spare)
{
	size_t in_buffer = have < capacity ? have : capacity;

	side->kept.bytes = malloc(size);
	if (!side->kept.bytes)
		return -ENOMEM;
	side->kept.size = size;
	side->kept.have = have;
	if (in_buffer > 0)
		memcpy(side->kept.bytes, buffer, in_buffer);
	memcpy(side->kept.bytes + in_buffer, spare, have - in_buffer);
	return 0;
}

static int recv_until(void *self, int end, void *buffer, size_t capacity, size_t *ret_size,
		      const struct timespec *deadline)
{
	struct pipe_socket *pipe = self;
	struct side *side = &pipe->sides[end & 1];
	unsigned char *spare = pipe->spare[end & 1];
	uint32_t left;

	if (side->fd < 0 || !side->receives)
		return -EBADF;
	if (side->kept.size > 0)
		return resume(side, buffer, capacity, ret_size, spare, deadline);

	ssize_t n = recv_packet(side->fd, buffer, capacity, spare, &left, deadline);
	if (n < 0)
		return (int)n;
	size_t have = (size_t)n;
	size_t size = left;
	if (have > size || (have < size && have != XP_PIPE_PACKET_MAX) ||
	    size > XP_PIPE_MESSAGE_MAX)
		return -EPROTO;
	if (size > capacity) {
		int rc = keep(side, size, have, buffer, capacity, spare);
		return rc < 0 ? rc : resume(side, buffer, capacity, ret_size, spare, deadline);
	}

	int rc = recv_rest(side, buffer, size, &have, spare, deadline);
	if (rc == -ETIMEDOUT) {
		int kept = keep(side, size, have, buffer, capacity, spare);
		return kept < 0 ? kept : rc;
	}
	if (rc == 0)
		*ret_size = size;
	return rc;
}

static int poll_until(void *self, int end, const struct timespec *deadline)
{
	struct pipe_socket *pipe = self;
	struct side *side = &pipe->sides[end & 1];

	if (side->fd < 0 || !side->receives)
		return -EBADF;
	if (side->kept.size > 0 && side->kept.have == side->kept.size)
		return 0;
	return xp_io_wait(side->fd, POLLIN, deadline);
}

static int descriptor(void *self, int end)
{
	struct pipe_socket *pipe = self;
	struct side *side = &pipe->sides[end & 1];

	return side->fd >= 0 ? side->fd : -EBADF;
}

static void close_end(void *self, int end)
{
	struct pipe_socket *pipe = self;
	struct side *side = &pipe->sides[end & 1];

	side->fd = xp_io_close(side->fd);
	forget(&side->kept);
}

static const struct xp_pipe_ops ops = {send_until, recv_until, poll_until, descriptor, close_end};

static void drop(struct xp_object *object)
{
	struct pipe_socket *pipe = object->as.pipe.self;

	close_end(pipe, 0);
	close_end(pipe, 1);
	free(pipe);
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	struct pipe_socket *pipe = calloc(1, sizeof(*pipe));
	int fds[2];

	(void)impl;
	(void)place;
	if (!pipe)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		free(pipe);
		return -errno;
	}
	for (int i = 0; i < 2; i++) {
		pipe->sides[i].fd = fds[i];
		pipe->sides[i].sends = !params->simplex || i == 1;
		pipe->sides[i].receives = !params->simplex || i == 0;
	}
	ret_object->as.pipe = (struct xp_pipe){&ops, pipe, !params->simplex};
	return 0;
}

const struct xp_impl xp_impl_pipe_socket = {
    .name = "pipe/socketpair",
    .title = "AF_UNIX socket pair, one packet per message",
    .kind = XP_KIND_PIPE,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_DUPLEX | XP_CAP_DESCRIPTOR | XP_CAP_EXEC | XP_CAP_DEADLINE |
	    XP_CAP_UNTRUSTING,
    .make = make,
    .drop = drop,
};

int xp_pipe_socket_adopt(int end, int fd, struct xp_object *ret_object)
{
	if (fd < 0 || (end != 0 && end != 1))
		return -EINVAL;
	struct pipe_socket *pipe = calloc(1, sizeof(*pipe));
	if (!pipe)
		return -ENOMEM;
	pipe->sides[end] = (struct side){.fd = fd, .sends = true, .receives = true};
	pipe->sides[!end].fd = -1;
	*ret_object = (struct xp_object){
	    .impl = &xp_impl_pipe_socket,
	    .as.pipe = {&ops, pipe, true},
	};
	return 0;
}
