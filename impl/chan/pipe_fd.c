/* SPDX-License-Identifier: MIT */
#include "xpshare/chan/pipe_fd.h"

#include "xpshare/base/io.h"
#include "xpshare/chan/fifo.h"
#include "xpshare/shm/arena.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PIPE_BYTES (128 * 1024)

/* One end, in this process. */
struct side {
	int in;
	int out;
	struct xp_fifo_rx *rx;
	struct xp_fifo_part part;
};

struct pipe_fd {
	struct side sides[2];
	struct xp_fifo_rx *buffers; /* of both ends */
	struct xp_arena *arena;	    /* NULL where adopted: @buffers is then private */
};

static int send_until(void *self, int end, const void *message, size_t size,
		      const struct timespec *deadline)
{
	struct pipe_fd *pipe = self;
	struct side *side = &pipe->sides[end & 1];
	bool torn = false;

	if (side->out < 0)
		return -EBADF;
	int rc = xp_fifo_send(side->out, message, size, deadline, &torn);
	/* The receiver must not take the next message for the rest of this one. */
	if (torn)
		side->out = xp_io_close(side->out);
	return rc;
}

static int recv_until(void *self, int end, void *buffer, size_t capacity, size_t *ret_size,
		      const struct timespec *deadline)
{
	struct pipe_fd *pipe = self;
	struct side *side = &pipe->sides[end & 1];

	if (side->in < 0)
		return -EBADF;
	return xp_fifo_recv(side->in, side->rx, &side->part, buffer, capacity, ret_size, deadline);
}

static int poll_until(void *self, int end, const struct timespec *deadline)
{
	struct pipe_fd *pipe = self;
	struct side *side = &pipe->sides[end & 1];

	return side->in < 0 ? -EBADF : xp_fifo_poll(side->in, side->rx, deadline);
}

static int descriptor(void *self, int end)
{
	struct pipe_fd *pipe = self;
	struct side *side = &pipe->sides[end & 1];

	return side->in >= 0 ? side->in : side->out >= 0 ? side->out : -EBADF;
}

static void close_end(void *self, int end)
{
	struct pipe_fd *pipe = self;
	struct side *side = &pipe->sides[end & 1];

	side->in = xp_io_close(side->in);
	side->out = xp_io_close(side->out);
	xp_fifo_part_fini(&side->part);
}

static const struct xp_pipe_ops ops = {send_until, recv_until, poll_until, descriptor, close_end};

static struct pipe_fd *fresh(struct xp_fifo_rx *buffers, struct xp_arena *arena)
{
	struct pipe_fd *pipe = calloc(1, sizeof(*pipe));

	if (!pipe)
		return NULL;
	pipe->buffers = buffers;
	pipe->arena = arena;
	for (int i = 0; i < 2; i++) {
		pipe->sides[i].in = pipe->sides[i].out = -1;
		pipe->sides[i].rx = &buffers[i];
	}
	return pipe;
}

/* One direction: what is sent at end @from is received at the other. */
static int open_direction(struct pipe_fd *pipe, int from)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	/* With the usual 64 KiB a message of 64 KiB would not fit, for its header, and its sender would
	 * have to be woken once more. Where the limit of the user's pipes is reached that is so. */
	(void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES);
	pipe->sides[!from].in = fds[0];
	pipe->sides[from].out = fds[1];
	return 0;
}

static void destroy(struct pipe_fd *pipe)
{
	close_end(pipe, 0);
	close_end(pipe, 1);
	if (pipe->arena)
		xp_arena_free(pipe->arena, pipe->buffers);
	else
		free(pipe->buffers);
	free(pipe);
}

static void drop(struct xp_object *object)
{
	destroy(object->as.pipe.self);
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	void *buffers;

	(void)impl;
	int rc =
	    xp_arena_alloc(place->arena, 2 * sizeof(struct xp_fifo_rx), XP_CACHELINE, &buffers);
	if (rc < 0)
		return rc;
	struct pipe_fd *pipe = fresh(buffers, place->arena);
	if (!pipe) {
		xp_arena_free(place->arena, buffers);
		return -ENOMEM;
	}

	rc = open_direction(pipe, 1);
	if (rc == 0 && !params->simplex)
		rc = open_direction(pipe, 0);
	if (rc < 0) {
		destroy(pipe);
		return rc;
	}
	*ret_object = (struct xp_object){.as.pipe = {&ops, pipe, !params->simplex}};
	return 0;
}

const struct xp_impl xp_impl_pipe_fd = {
    .name = "pipe/fd",
    .title = "one kernel pipe per direction, length-prefixed messages",
    .kind = XP_KIND_PIPE,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_DUPLEX | XP_CAP_DESCRIPTOR | XP_CAP_EXEC | XP_CAP_DEADLINE |
	    XP_CAP_UNTRUSTING,
    .make = make,
    .drop = drop,
};

int xp_pipe_fd_export(const struct xp_pipe *pipe, int end, int *ret_in, int *ret_out)
{
	const struct pipe_fd *self = pipe->self;
	const struct side *side = &self->sides[end & 1];

	if (pipe->ops != &ops || (side->in < 0 && side->out < 0))
		return -EBADF;
	if (side->in >= 0 && (xp_fifo_buffered(side->rx) || side->part.size > 0))
		return -EBUSY;
	*ret_in = side->in;
	*ret_out = side->out;
	return 0;
}

int xp_pipe_fd_adopt(int end, int in, int out, struct xp_object *ret_object)
{
	if ((in < 0 && out < 0) || (end != 0 && end != 1))
		return -EINVAL;
	struct xp_fifo_rx *buffers = calloc(2, sizeof(*buffers));
	struct pipe_fd *pipe = buffers ? fresh(buffers, NULL) : NULL;
	if (!pipe) {
		free(buffers);
		return -ENOMEM;
	}
	pipe->sides[end].in = in;
	pipe->sides[end].out = out;
	*ret_object = (struct xp_object){
	    .impl = &xp_impl_pipe_fd,
	    .as.pipe = {&ops, pipe, in >= 0 && out >= 0},
	};
	return 0;
}
