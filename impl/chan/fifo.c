/* SPDX-License-Identifier: MIT */
#include "xpshare/chan/fifo.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <arpa/inet.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100 /* linux/fs.h since 6.18 */
#endif

/* What one write takes without blocking when poll says that there is room. */
#define CHUNK ((size_t)PIPE_BUF)

/* A message of at most so many bytes with its frame takes the short way. */
#define SMALL ((size_t)1088)

/* How this process writes, found out by its first write and inherited by its children. */
enum way {
	WAY_UNKNOWN,
	WAY_PLAIN,    /* SIGPIPE is ignored or handled: the user has arranged for it */
	WAY_NOSIGNAL, /* it would kill: RWF_NOSIGNAL */
	WAY_MASKED,   /* likewise, on a kernel without that */
};

static _Atomic enum way way;

/* writev() with SIGPIPE blocked, and taken back if it was we who raised it. */
static ssize_t write_masked(int fd, const struct iovec *parts, int count)
{
	const struct timespec at_once = {0};
	sigset_t pipe_only, before, pending;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	sigpending(&pending);
	ssize_t n = writev(fd, parts, count);
	int err = errno;
	if (n < 0 && err == EPIPE && !sigismember(&pending, SIGPIPE)) {
		while (sigtimedwait(&pipe_only, NULL, &at_once) < 0 && errno == EINTR)
			;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = err;
	return n;
}

static enum way find_way(void)
{
	struct sigaction action;

	if (sigaction(SIGPIPE, NULL, &action) == 0 &&
	    (action.sa_flags & SA_SIGINFO || action.sa_handler != SIG_DFL))
		return WAY_PLAIN;
	return WAY_NOSIGNAL;
}

static ssize_t write_quietly(int fd, const struct iovec *parts, int count)
{
	enum way now = atomic_load_explicit(&way, memory_order_relaxed);

	if (__builtin_expect(now == WAY_UNKNOWN, 0)) {
		now = find_way();
		atomic_store_explicit(&way, now, memory_order_relaxed);
	}
	/* A vector of one costs the kernel an eighth of a microsecond more than a buffer. */
	if (now == WAY_PLAIN)
		return count == 1 ? write(fd, parts->iov_base, parts->iov_len)
				  : writev(fd, parts, count);
	if (now == WAY_NOSIGNAL) {
		ssize_t n = pwritev2(fd, parts, count, -1, RWF_NOSIGNAL);
		if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL))
			return n;
		atomic_store_explicit(&way, WAY_MASKED, memory_order_relaxed);
	}
	return write_masked(fd, parts, count);
}

/* Write @count parts, which are used up. *@ret_done is how many bytes got out, whatever comes back. */
static int write_all(int fd, struct iovec *parts, int count, const struct timespec *deadline,
		     size_t *ret_done)
{
	int rc = deadline ? xp_io_wait(fd, POLLOUT, deadline) : 0;

	*ret_done = 0;
	while (rc == 0 && count > 0) {
		struct iovec first = *parts;

		/* A blocking write of more than there is room for would outlast the deadline. */
		if (deadline && first.iov_len > CHUNK)
			first.iov_len = CHUNK;
		ssize_t n =
		    deadline ? write_quietly(fd, &first, 1) : write_quietly(fd, parts, count);
		if (n < 0) {
			if (errno == EAGAIN)
				rc = xp_io_wait(fd, POLLOUT, deadline);
			else if (errno != EINTR)
				rc = -errno;
			continue;
		}
		*ret_done += (size_t)n;
		for (size_t left = (size_t)n; left > 0 && count > 0;) {
			size_t now = left < parts->iov_len ? left : parts->iov_len;
			parts->iov_base = (unsigned char *)parts->iov_base + now;
			parts->iov_len -= now;
			left -= now;
			if (parts->iov_len == 0) {
				parts++;
				count--;
			}
		}
		if (deadline && count > 0)
			rc = xp_io_wait(fd, POLLOUT, deadline);
	}
	return rc;
}

/*
 * A small message without a deadline: one write, which the kernel does as a whole or not at all, and
 * little code around it: after a switch from another process nothing of it is in the caches. The frame
 * is small too, so that it lies on the page of the stack that is in use. Return: as write(2).
 */
static ssize_t send_small(int fd, const void *message, size_t size)
{
	unsigned char frame[SMALL];
	uint32_t length = htonl((uint32_t)size);

	memcpy(frame, &length, XP_FIFO_HEADER);
	memcpy(frame + XP_FIFO_HEADER, message, size);
	return write(fd, frame, XP_FIFO_HEADER + size);
}

/* Any message, of whose frame @begun bytes are out already. */
static int send_large(int fd, const void *message, size_t size, size_t begun,
		      const struct timespec *deadline, bool *ret_torn)
{
	unsigned char frame[CHUNK];
	size_t first = size < CHUNK - XP_FIFO_HEADER ? size : CHUNK - XP_FIFO_HEADER;
	size_t done;

	if (size > XP_FIFO_MESSAGE_MAX)
		return -EMSGSIZE;
	uint32_t length = htonl((uint32_t)size);
	memcpy(frame, &length, XP_FIFO_HEADER);
	if (first > 0)
		memcpy(frame + XP_FIFO_HEADER, message, first);

	struct iovec parts[2] = {
	    {.iov_base = frame + begun, .iov_len = XP_FIFO_HEADER + first - begun},
	    {.iov_base = (unsigned char *)(uintptr_t)message + first, .iov_len = size - first},
	};
	int rc = write_all(fd, parts, first < size ? 2 : 1, deadline, &done);
	if (rc < 0 && begun + done > 0)
		*ret_torn = true;
	return rc;
}

int xp_fifo_send(int fd, const void *message, size_t size, const struct timespec *deadline,
		 bool *ret_torn)
{
	size_t begun = 0;

	if (size > 0 && size <= SMALL - XP_FIFO_HEADER && !deadline &&
	    atomic_load_explicit(&way, memory_order_relaxed) == WAY_PLAIN) {
		ssize_t n = send_small(fd, message, size);
		if (n == (ssize_t)(XP_FIFO_HEADER + size))
			return 0;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		begun = n > 0 ? (size_t)n : 0;
	}
	return send_large(fd, message, size, begun, deadline, ret_torn);
}

int xp_fifo_send_end(int fd, const struct timespec *deadline)
{
	uint32_t mark = XP_FIFO_END;
	struct iovec part = {.iov_base = &mark, .iov_len = sizeof(mark)};
	size_t done;

	return write_all(fd, &part, 1, deadline, &done);
}

/* The valid part of @rx; a peer may have written anything into it. */
static int bounds(const struct xp_fifo_rx *rx, uint32_t *ret_begin, uint32_t *ret_end)
{
	uint64_t span = atomic_load_explicit(&rx->span, memory_order_relaxed);
	uint32_t begin = (uint32_t)span, end = (uint32_t)(span >> 32);

	if (begin > end || end > XP_FIFO_RX_BYTES)
		return -EPROTO;
	*ret_begin = begin;
	*ret_end = end;
	return 0;
}

static void set_bounds(struct xp_fifo_rx *rx, uint32_t begin, uint32_t end)
{
	atomic_store_explicit(&rx->span, (uint64_t)end << 32 | begin, memory_order_release);
}

/* Read until @rx holds @wanted bytes, at most XP_FIFO_RX_BYTES, and more than bytes[begin..end). */
static int fill(int fd, struct xp_fifo_rx *rx, uint32_t wanted, const struct timespec *deadline,
		uint32_t *ret_begin, uint32_t *ret_end)
{
	uint32_t begin = *ret_begin, end = *ret_end;

	if (begin == end) {
		begin = end = 0;
		set_bounds(rx, begin, end);
	} else if (wanted > XP_FIFO_RX_BYTES - begin) {
		memmove(rx->bytes, rx->bytes + begin, end - begin);
		end -= begin;
		begin = 0;
		set_bounds(rx, begin, end);
	}
	while (end - begin < wanted) {
		ssize_t n = xp_io_read_some(fd, rx->bytes + end, XP_FIFO_RX_BYTES - end, deadline);
		if (n == -EPIPE && end > begin) {
			set_bounds(rx, 0, 0); /* said once: the message is torn */
			return -EPROTO;
		}
		if (n < 0)
			return (int)n;
		end += (uint32_t)n;
		set_bounds(rx, begin, end);
	}
	*ret_begin = begin;
	*ret_end = end;
	return 0;
}

/* Take the rest of a message of which @have bytes have arrived. */
static int recv_rest(int fd, unsigned char *to, size_t size, size_t *have,
		     const struct timespec *deadline)
{
	while (*have < size) {
		ssize_t n = xp_io_read_some(fd, to + *have, size - *have, deadline);
		if (n == -EPIPE)
			return -EPROTO;
		if (n < 0)
			return (int)n;
		*have += (size_t)n;
	}
	return 0;
}

void xp_fifo_part_fini(struct xp_fifo_part *part)
{
	free(part->bytes);
	*part = (struct xp_fifo_part){0};
}

/* Go on with a message that an earlier call had begun. */
static int resume(int fd, struct xp_fifo_part *part, void *buffer, size_t capacity,
		  size_t *ret_size, const struct timespec *deadline)
{
	if (part->size > capacity) {
		*ret_size = part->size;
		return -EMSGSIZE;
	}
	int rc = recv_rest(fd, part->bytes, part->size, &part->have, deadline);
	if (rc == 0) {
		memcpy(buffer, part->bytes, part->size);
		*ret_size = part->size;
	}
	if (rc == 0 || rc == -EPROTO)
		xp_fifo_part_fini(part);
	return rc;
}

/* Receive a message that does not fit in @rx, straight into the caller's buffer. */
static int recv_large(int fd, struct xp_fifo_rx *rx, struct xp_fifo_part *part, void *buffer,
		      size_t size, size_t *ret_size, const struct timespec *deadline)
{
	unsigned char *keep = NULL;
	uint32_t begin, end;
	int rc = bounds(rx, &begin, &end);

	if (rc < 0 || end - begin < XP_FIFO_HEADER)
		return -EPROTO;
	/* Where the deadline can pass, have a place for the part before anything is taken. */
	if (deadline) {
		keep = malloc(size);
		if (!keep)
			return -ENOMEM;
	}
	size_t have = end - begin - XP_FIFO_HEADER;
	memcpy(buffer, rx->bytes + begin + XP_FIFO_HEADER, have);
	set_bounds(rx, 0, 0);
	rc = recv_rest(fd, buffer, size, &have, deadline);
	if (rc == -ETIMEDOUT && keep) {
		memcpy(keep, buffer, have);
		*part = (struct xp_fifo_part){.bytes = keep, .size = size, .have = have};
		return rc;
	}
	free(keep);
	if (rc == 0)
		*ret_size = size;
	return rc;
}

int xp_fifo_recv(int fd, struct xp_fifo_rx *rx, struct xp_fifo_part *part, void *buffer,
		 size_t capacity, size_t *ret_size, const struct timespec *deadline)
{
	uint32_t begin = 0, end = 0, length;

	if (part->size > 0)
		return resume(fd, part, buffer, capacity, ret_size, deadline);

	/* Read once: another writer of rx cannot move what is checked here, only change the bytes. */
	int rc = bounds(rx, &begin, &end);
	if (rc == 0 && end - begin < XP_FIFO_HEADER)
		rc = fill(fd, rx, XP_FIFO_HEADER, deadline, &begin, &end);
	if (rc < 0)
		return rc;
	memcpy(&length, rx->bytes + begin, XP_FIFO_HEADER);
	size_t size = ntohl(length);
	if (size == XP_FIFO_END)
		return -EPIPE;
	if (size > XP_FIFO_MESSAGE_MAX)
		return -EPROTO;
	if (size > capacity) {
		*ret_size = size;
		return -EMSGSIZE;
	}
	if (size <= XP_FIFO_RX_BYTES - XP_FIFO_HEADER) {
		if (end - begin < XP_FIFO_HEADER + size)
			rc = fill(fd, rx, XP_FIFO_HEADER + (uint32_t)size, deadline, &begin, &end);
		if (rc < 0)
			return rc;
		if (size > 0)
			memcpy(buffer, rx->bytes + begin + XP_FIFO_HEADER, size);
		set_bounds(rx, begin + XP_FIFO_HEADER + (uint32_t)size, end);
		*ret_size = size;
		return 0;
	}
	return recv_large(fd, rx, part, buffer, size, ret_size, deadline);
}

bool xp_fifo_buffered(const struct xp_fifo_rx *rx)
{
	uint32_t begin = 0, end = 0;

	/* Garbage counts: a receive will report it. */
	return bounds(rx, &begin, &end) < 0 || begin != end;
}

int xp_fifo_poll(int fd, const struct xp_fifo_rx *rx, const struct timespec *deadline)
{
	return xp_fifo_buffered(rx) ? 0 : xp_io_wait(fd, POLLIN, deadline);
}
