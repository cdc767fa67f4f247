/* SPDX-License-Identifier: MIT */
/*
 * io - whole buffers through a descriptor, whatever mode it is in
 *
 * Overview      A transfer goes on until it is complete, the peer is gone or the deadline has
 *               passed. Interruptions are absorbed. EAGAIN never reaches the caller: O_NONBLOCK
 *               belongs to the open file description, so any process that shares it can switch it
 *               in the middle of a call, and a read that would block then waits in poll(2) instead
 *               (SPEC P10).
 * Deadlines     A descriptor in blocking mode is polled before each read or write where a deadline
 *               is given, so that the deadline holds there too. Without one there is no extra
 *               system call.
 * Death         Of the peer: -EPIPE or -ECONNRESET at once, -EPROTO if it died within a message.
 */
#ifndef XPSHARE_BASE_IO_H
#define XPSHARE_BASE_IO_H

#include "xpshare/base/err.h"

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

/** xp_io_wait() - Wait until @fd has one of @events (POLLIN, POLLOUT). Return: 0, -ETIMEDOUT,
 * -errno. */
XP_MUST_CHECK int xp_io_wait(int fd, short events, const struct timespec *deadline);

/**
 * xp_io_read_some() - Read 1 to @size bytes. Return: how many; -EPIPE at the end of the stream;
 * -ETIMEDOUT; -errno.
 */
XP_MUST_CHECK ssize_t xp_io_read_some(int fd, void *buffer, size_t size,
				      const struct timespec *deadline);

/**
 * xp_io_read_full() - Read exactly @size bytes.
 * Return: 0; -EPIPE at an end before the first byte; -EPROTO at an end after it; -ETIMEDOUT;
 *         -errno.
 */
XP_MUST_CHECK int xp_io_read_full(int fd, void *buffer, size_t size,
				  const struct timespec *deadline);

/**
 * xp_io_write_full() - Write @size bytes to a pipe or a file.
 *
 * A pipe without a reader raises SIGPIPE: a process that keeps its default disposition dies of it,
 * as with write(2). Sockets go through xp_io_send_full(), which never raises it. Return: 0, -EPIPE,
 * -ETIMEDOUT (some bytes may be written: the stream is then unusable), -errno.
 */
XP_MUST_CHECK int xp_io_write_full(int fd, const void *buffer, size_t size,
				   const struct timespec *deadline);

/** xp_io_send_full() - Send @count buffers through a socket in as few calls as possible; no
 * SIGPIPE.
 *  @parts is used up: its members move forward as bytes leave. Return: as xp_io_write_full(). */
XP_MUST_CHECK int xp_io_send_full(int fd, struct iovec *parts, int count,
				  const struct timespec *deadline);

/** xp_io_send_fd() - Pass @payload_fd through the AF_UNIX socket @fd, with one byte as carrier. */
XP_MUST_CHECK int xp_io_send_fd(int fd, int payload_fd, const struct timespec *deadline);

/** xp_io_recv_fd() - Receive one descriptor (close-on-exec). -EPROTO where the byte carries none.
 */
XP_MUST_CHECK int xp_io_recv_fd(int fd, const struct timespec *deadline, int *ret_fd);

/** xp_io_set_nonblock() - Switch O_NONBLOCK of the open file description behind @fd. */
XP_MUST_CHECK int xp_io_set_nonblock(int fd, int on);

/** xp_io_close() - Close @fd unless it is negative; always returns -1, to be assigned to it. */
int xp_io_close(int fd);

#endif
