/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/stream.h"

#include "xpshare/base/io.h"
#include "xpshare/rpc/conn.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ROOM_MIN ((size_t)512)

void xp_stream_init(struct xp_stream *stream, int fd, bool tcp, size_t *memory, size_t memory_max)
{
	*stream =
	    (struct xp_stream){.fd = fd, .tcp = tcp, .memory = memory, .memory_max = memory_max};
}

static void buffer_free(struct xp_stream *stream, struct xp_stream_buffer *buffer)
{
	if (!buffer->data)
		return;
	*stream->memory -= buffer->room;
	free(buffer->data);
	*buffer = (struct xp_stream_buffer){0};
}

void xp_stream_close(struct xp_stream *stream)
{
	buffer_free(stream, &stream->in);
	buffer_free(stream, &stream->out);
	stream->fd = xp_io_close(stream->fd);
}

/* At least @more bytes of room at the end. */
static int buffer_reserve(struct xp_stream *stream, struct xp_stream_buffer *buffer, size_t more)
{
	size_t used = buffer->end - buffer->at;
	size_t room = used + more;
	char *data;

	if (buffer->room - buffer->end >= more)
		return 0;
	if (buffer->data && buffer->at > 0) {
		memmove(buffer->data, buffer->data + buffer->at, used);
		buffer->at = 0;
		buffer->end = used;
		if (buffer->room - used >= more)
			return 0;
	}
	if (room < ROOM_MIN)
		room = ROOM_MIN;
	if (*stream->memory > stream->memory_max ||
	    room - buffer->room > stream->memory_max - *stream->memory)
		return -ENOMEM;
	data = realloc(buffer->data, room);
	if (!data)
		return -ENOMEM;
	*stream->memory += room - buffer->room;
	buffer->data = data;
	buffer->room = room;
	return 0;
}

int xp_stream_receive(struct xp_stream *stream, char *scratch, char **ret_data, size_t *ret_size,
		      bool *ret_drained)
{
	struct xp_stream_buffer *in = &stream->in;
	bool kept = in->end > in->at;
	char *at = scratch;
	size_t room = XP_STREAM_SCRATCH;
	ssize_t got;

	if (kept) {
		/* Twice what has arrived, at most what the frame needs (xp_stream_keep made room). */
		if (in->end == in->room) {
			int rc = buffer_reserve(stream, in, in->end - in->at);

			if (rc < 0)
				return rc;
		}
		at = in->data + in->end;
		room = in->room - in->end;
	}
	if (stream->tcp)
		xp_listen_quickack(stream->fd);
	do
		got = recv(stream->fd, at, room, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if (got == 0)
		return -EPIPE;
	*ret_drained = (size_t)got < room;
	if (kept) {
		in->end += (size_t)got;
		*ret_data = in->data + in->at;
		*ret_size = in->end - in->at;
	} else {
		*ret_data = scratch;
		*ret_size = (size_t)got;
	}
	return 0;
}

char *xp_stream_pending(struct xp_stream *stream, size_t *ret_size)
{
	*ret_size = stream->in.end - stream->in.at;
	return stream->in.data + stream->in.at;
}

int xp_stream_keep(struct xp_stream *stream, const char *data, size_t size, size_t expected)
{
	struct xp_stream_buffer *in = &stream->in;
	bool inside = in->data && data >= in->data && data <= in->data + in->room;

	if (size == 0) {
		buffer_free(stream, in);
		return 0;
	}
	if (inside) {
		in->at = (size_t)(data - in->data);
		in->end = in->at + size;
	} else {
		int rc = buffer_reserve(stream, in, size);

		if (rc < 0)
			return rc;
		xp_assert(in->data);
		memcpy(in->data + in->end, data, size);
		in->end += size;
	}
	/* Room for the rest of the frame, but never for more than has already come. */
	if (expected > size) {
		size_t more = expected - size < size ? expected - size : size;

		return buffer_reserve(stream, in, more);
	}
	return 0;
}

int xp_stream_hold(struct xp_stream *stream, const struct iovec *parts, int count)
{
	size_t total = 0;

	for (int i = 0; i < count; i++)
		total += parts[i].iov_len;
	int rc = buffer_reserve(stream, &stream->out, total);

	if (rc < 0)
		return rc;
	for (int i = 0; i < count; i++) {
		memcpy(stream->out.data + stream->out.end, parts[i].iov_base, parts[i].iov_len);
		stream->out.end += parts[i].iov_len;
	}
	return 0;
}

/* One transfer. Return: bytes sent, -EAGAIN, -errno. */
static ssize_t transmit(int fd, struct iovec *parts, int count)
{
	ssize_t sent;

	do {
		if (count == 1)
			sent =
			    send(fd, parts->iov_base, parts->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			sent =
			    sendmsg(fd,
				    &(struct msghdr){
					.msg_iov = parts,
					.msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX)},
				    MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return sent;
	return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

int xp_stream_send(struct xp_stream *stream, struct iovec *parts, int count)
{
	if (xp_stream_unsent(stream) > 0)
		return xp_stream_hold(stream, parts, count);
	while (count > 0) {
		ssize_t sent = transmit(stream->fd, parts, count);

		if (sent == -EAGAIN)
			return xp_stream_hold(stream, parts, count);
		if (sent < 0)
			return (int)sent;
		while (count > 0 && (size_t)sent >= parts->iov_len) {
			sent -= (ssize_t)parts->iov_len;
			parts++;
			count--;
		}
		if (count > 0) {
			parts->iov_base = (char *)parts->iov_base + sent;
			parts->iov_len -= (size_t)sent;
		}
	}
	return 0;
}

int xp_stream_flush(struct xp_stream *stream)
{
	struct xp_stream_buffer *out = &stream->out;

	while (out->end > out->at) {
		struct iovec part = {.iov_base = out->data + out->at,
				     .iov_len = out->end - out->at};
		ssize_t sent = transmit(stream->fd, &part, 1);

		if (sent < 0)
			return (int)sent;
		out->at += (size_t)sent;
	}
	buffer_free(stream, out);
	return 0;
}

bool xp_stream_is_open(const struct xp_stream *stream)
{
	struct pollfd poll_one = {.fd = stream->fd, .events = POLLRDHUP};

	return poll(&poll_one, 1, 0) <= 0 || !(poll_one.revents & (POLLRDHUP | POLLHUP | POLLERR));
}
