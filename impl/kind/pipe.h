/* SPDX-License-Identifier: MIT */
/*
 * pipe - two ends between which messages travel: the contract
 *
 * Overview      Messages, not bytes: a send of n bytes is received as n bytes or not at all. A
 *               duplex pipe carries both ways, a simplex one from end 1 to end 0 (Python:
 *               Pipe(False) is r, w). A message that is larger than what the mechanism buffers
 *               blocks until it is received.
 * Use           parent: make, fork; parent keeps one end and closes the other, child the reverse.
 * Errors        -EPIPE once the other end is closed everywhere and nothing is left to receive;
 *               -EMSGSIZE, with the needed size in *@ret_size and the message kept, if it does not
 *               fit; -EBADF for an end closed in this process or for the wrong direction of a
 *               simplex pipe.
 * Death         Of the peer: what it had sent completely is still received, then -EPIPE; a message
 *               that it had begun is -EPROTO.
 */
#ifndef XPSHARE_KIND_PIPE_H
#define XPSHARE_KIND_PIPE_H

#include "xpshare/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/**
 * struct xp_pipe_ops - What every implementation of a pipe provides; @end is 0 or 1.
 * @send_until: Send one message of @size bytes.
 * @recv_until: Receive one message into @capacity bytes, its size to @ret_size.
 * @poll_until: 0 if a message or the end of the stream is there by @deadline, else -ETIMEDOUT.
 * @descriptor: The descriptor to wait on for end @end, or -ENOTSUP.
 * @close:      Close one end in this process.
 */
struct xp_pipe_ops {
	int (*send_until)(void *self, int end, const void *message, size_t size,
			  const struct timespec *deadline);
	int (*recv_until)(void *self, int end, void *buffer, size_t capacity, size_t *ret_size,
			  const struct timespec *deadline);
	int (*poll_until)(void *self, int end, const struct timespec *deadline);
	int (*descriptor)(void *self, int end);
	void (*close)(void *self, int end);
};

struct xp_pipe {
	const struct xp_pipe_ops *ops;
	void *self;
	bool duplex;
};

XP_MUST_CHECK static inline int xp_pipe_send_until(const struct xp_pipe *pipe, int end,
						   const void *message, size_t size,
						   const struct timespec *deadline)
{
	return pipe->ops->send_until(pipe->self, end, message, size, deadline);
}

XP_MUST_CHECK static inline int xp_pipe_recv_until(const struct xp_pipe *pipe, int end,
						   void *buffer, size_t capacity, size_t *ret_size,
						   const struct timespec *deadline)
{
	return pipe->ops->recv_until(pipe->self, end, buffer, capacity, ret_size, deadline);
}

XP_MUST_CHECK static inline int xp_pipe_poll_until(const struct xp_pipe *pipe, int end,
						   const struct timespec *deadline)
{
	return pipe->ops->poll_until(pipe->self, end, deadline);
}

static inline void xp_pipe_close(const struct xp_pipe *pipe, int end)
{
	pipe->ops->close(pipe->self, end);
}

#endif
