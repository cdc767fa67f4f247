/* SPDX-License-Identifier: MIT */
/*
 * stream - one accepted socket of a server: never blocks, holds memory only while it must
 *
 * Overview      Reads go into a buffer that all streams of a server share; only a torn frame, or frames
 *               behind a parked call, are kept per stream. Writes go out at once; what the peer does
 *               not take is kept until it does. An idle stream holds no buffer.
 * O_NONBLOCK    does not matter, whoever switches it (SPEC P10): each transfer says MSG_DONTWAIT.
 * Limits        The bytes kept are charged to a counter with a limit, shared by the whole server.
 *               Memory grows with the bytes that arrive, never with those announced (SPEC X10).
 */
#ifndef XPSHARE_MANAGER_STREAM_H
#define XPSHARE_MANAGER_STREAM_H

#include "xpshare/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define XP_STREAM_SCRATCH ((size_t)128 << 10) /* of the shared buffer for reads */

struct xp_stream_buffer {
	char *data;
	size_t at;  /* first byte in use */
	size_t end; /* after the last */
	size_t room;
};

struct xp_stream {
	int fd;
	bool tcp;
	struct xp_stream_buffer in;
	struct xp_stream_buffer out;
	size_t *memory; /* counter that the buffers are charged to */
	size_t memory_max;
};

void xp_stream_init(struct xp_stream *stream, int fd, bool tcp, size_t *memory, size_t memory_max);
/** xp_stream_close() - Close, free the buffers. */
void xp_stream_close(struct xp_stream *stream);

/**
 * xp_stream_receive() - Read once.
 * @scratch:   XP_STREAM_SCRATCH bytes, shared by all streams.
 * @ret_data:  Everything received and not yet taken, *@ret_size bytes: in @scratch or in the stream.
 * @ret_drained: Whether the socket had no more when it was read.
 *
 * Must be followed by xp_stream_keep() before anything else.
 * Return: 0; -EAGAIN nothing there; -EPIPE the end; -ENOMEM over the limit; -errno.
 */
XP_MUST_CHECK int xp_stream_receive(struct xp_stream *stream, char *scratch, char **ret_data,
				    size_t *ret_size, bool *ret_drained);
/** xp_stream_pending() - What was kept, without reading. As xp_stream_receive() it wants a keep. */
char *xp_stream_pending(struct xp_stream *stream, size_t *ret_size);
/** xp_stream_keep() - The last @size bytes of @data have not been taken: keep them. @expected: bytes that
 *  the next frame will need, 0 if unknown. Return: 0, -ENOMEM. */
XP_MUST_CHECK int xp_stream_keep(struct xp_stream *stream, const char *data, size_t size,
				 size_t expected);

/** xp_stream_send() - Send all of @parts, or keep the rest. Uses them up. Return: 0; -EPIPE, -ECONNRESET
 *  the peer is gone; -ENOMEM. */
XP_MUST_CHECK int xp_stream_send(struct xp_stream *stream, struct iovec *parts, int count);
/** xp_stream_hold() - Keep all of @parts, to be sent with what comes next or by a flush. Return: 0; -ENOMEM. */
XP_MUST_CHECK int xp_stream_hold(struct xp_stream *stream, const struct iovec *parts, int count);
/** xp_stream_flush() - Send what was kept. Return: 0 all sent; -EAGAIN more is left; -errno. */
XP_MUST_CHECK int xp_stream_flush(struct xp_stream *stream);
/** xp_stream_unsent() - Bytes kept for the peer. */
static inline size_t xp_stream_unsent(const struct xp_stream *stream)
{
	return stream->out.end - stream->out.at;
}

/** xp_stream_is_open() - Whether the peer still listens, as far as the kernel knows. */
bool xp_stream_is_open(const struct xp_stream *stream);

#endif
