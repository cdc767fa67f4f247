/* SPDX-License-Identifier: MIT */
#include "xpshare/chan/pipe_wait.h"

#include "xpshare/base/clock.h"

#include <poll.h>

/* Ask each pipe, since some messages are in a buffer and not in the kernel. How many are ready. */
static int look(struct xp_pipe_end *ends, size_t count)
{
	const struct timespec now = xp_deadline_after(0);
	int ready = 0;

	for (size_t i = 0; i < count; i++) {
		int rc = xp_pipe_poll_until(ends[i].pipe, ends[i].end, &now);
		if (rc < 0 && rc != -ETIMEDOUT)
			return rc;
		ends[i].ready = rc == 0;
		ready += rc == 0;
	}
	return ready;
}

int xp_pipe_wait_any(struct xp_pipe_end *ends, size_t count, const struct timespec *deadline)
{
	struct pollfd watch[XP_PIPE_WAIT_MAX];

	if (count == 0 || count > XP_PIPE_WAIT_MAX)
		return -EINVAL;
	for (;;) {
		int ready = look(ends, count);

		if (ready != 0)
			return ready;
		for (size_t i = 0; i < count; i++) {
			const struct xp_pipe *pipe = ends[i].pipe;

			watch[i] = (struct pollfd){.events = POLLIN};
			watch[i].fd = pipe->ops->descriptor(pipe->self, ends[i].end);
			if (watch[i].fd < 0)
				return watch[i].fd;
		}
		int rc = poll(watch, (nfds_t)count, xp_deadline_poll_ms(deadline));
		if (rc < 0 && errno != EINTR)
			return -errno;
		if (rc == 0 && xp_deadline_passed(deadline))
			return -ETIMEDOUT;
	}
}
