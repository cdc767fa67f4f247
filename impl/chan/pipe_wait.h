/* SPDX-License-Identifier: MIT */
/*
 * pipe_wait - wait on several ends of pipes at once, of any implementation with a descriptor
 *
 * What multiprocessing.connection.wait() is: at least one of the ends has a message, or its end.
 */
#ifndef XPSHARE_CHAN_PIPE_WAIT_H
#define XPSHARE_CHAN_PIPE_WAIT_H

#include "xpshare/base/err.h"
#include "xpshare/kind/pipe.h"

#define XP_PIPE_WAIT_MAX 1024u /* ends in one call */

/** struct xp_pipe_end - One end to wait on; @ready is set by the wait. */
struct xp_pipe_end {
	const struct xp_pipe *pipe;
	int end;
	bool ready;
};

/**
 * xp_pipe_wait_any() - Wait until one of @ends can receive without waiting; says which.
 *
 * Return: how many are ready, at least 1; -ETIMEDOUT; -EINVAL (no ends, or too many); -ENOTSUP for
 *         a pipe without a descriptor; -EBADF for an end that is closed or cannot receive.
 */
XP_MUST_CHECK int xp_pipe_wait_any(struct xp_pipe_end *ends, size_t count,
				   const struct timespec *deadline);

#endif
