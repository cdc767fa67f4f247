/* SPDX-License-Identifier: MIT */
/*
 * fifo - messages through one direction of a kernel pipe
 *
 * Overview      What "pipe/fd" and "queue/pipe" are made of: a message is CPython's frame (its
 *               Connection class): its length in 4 bytes, most significant first, then its bytes.
 * Cost          A message of up to PIPE_BUF bytes with its frame leaves in one write, which the
 *               kernel does not split or mix with others. The receiver reads as much as its buffer
 *               holds, so that a small message costs one read at most, and a backlog less.
 * Memory        struct xp_fifo_rx, the bytes that were read and not yet received, lies in shared
 *               memory: whoever receives next, in whichever process, finds them. One receiver at a
 *               time, as in Python; the part of a message larger than the buffer that a receiver
 *               had got when its deadline passed is private to its process (struct xp_fifo_part).
 * SIGPIPE       Writing to a pipe that nobody reads raises SIGPIPE, which kills a process that has
 *               not arranged otherwise. A library may not change a process's signal disposition. So
 *               the first write of a process looks at it. If SIGPIPE is ignored (as CPython and most
 *               servers do) or handled, write(2) is all it takes. Else the write must not raise it:
 *               RWF_NOSIGNAL (Linux 6.18), or on older kernels SIGPIPE is blocked in this thread
 *               around the write and, if it was raised, taken back with sigtimedwait: two system
 *               calls more per message. A process that goes back to the default after its first
 *               write has asked for the signal.
 * Deadlines     Kept in mid-message too: with a deadline no system call is made that could block
 *               longer than it. A send whose deadline passed before the first byte has sent nothing.
 *               After the first byte the message cannot be taken back: *@ret_torn is set, nothing
 *               more may be written, and the receiver is to see the end of the stream.
 */
#ifndef XPSHARE_CHAN_FIFO_H
#define XPSHARE_CHAN_FIFO_H

#include "xpshare/base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define XP_FIFO_HEADER	    4u
#define XP_FIFO_MESSAGE_MAX INT32_MAX /* bytes; the frame's length is a signed 32-bit number */
#define XP_FIFO_RX_BYTES    4096u
#define XP_FIFO_END	    UINT32_MAX /* in place of a length: nothing comes after this */

/**
 * struct xp_fifo_rx - Bytes that were read from the pipe and not received yet; zero is empty.
 * @span: They are bytes[begin..end), with end in the upper half: one store, so that a death leaves
 *        either the old bytes or the new ones. Written by the receiver; checked at each use.
 */
struct xp_fifo_rx {
	_Atomic uint64_t span;
	unsigned char bytes[XP_FIFO_RX_BYTES];
};

/**
 * struct xp_fifo_part - The part that has arrived of a message that is larger than the buffer.
 * @bytes: Allocated while @size is not 0; xp_fifo_part_fini() frees it.
 * @size:  Of the message.   @have: Arrived.
 */
struct xp_fifo_part {
	unsigned char *bytes;
	size_t size;
	size_t have;
};

/**
 * xp_fifo_send() - Write one message.
 *
 * Context: One sender at a time for messages over PIPE_BUF - XP_FIFO_HEADER bytes.
 * Return:  0; -EMSGSIZE; -EPIPE; -ETIMEDOUT; -errno. *@ret_torn is set to true where a part of the
 *          message has been written.
 */
XP_MUST_CHECK int xp_fifo_send(int fd, const void *message, size_t size,
			       const struct timespec *deadline, bool *ret_torn);

/**
 * xp_fifo_recv() - Receive one message into @capacity bytes.
 *
 * Return: 0; -EMSGSIZE: does not fit, size in *@ret_size, message kept; -ETIMEDOUT: nothing lost;
 *         -EPIPE: end of the stream, or XP_FIFO_END, which stays; -EPROTO: end within a message, or not a frame; -ENOMEM; -errno.
 */
XP_MUST_CHECK int xp_fifo_recv(int fd, struct xp_fifo_rx *rx, struct xp_fifo_part *part,
			       void *buffer, size_t capacity, size_t *ret_size,
			       const struct timespec *deadline);

/** xp_fifo_send_end() - Write XP_FIFO_END, which every later receive finds. Return: 0; -errno. */
XP_MUST_CHECK int xp_fifo_send_end(int fd, const struct timespec *deadline);

/** xp_fifo_poll() - 0 if there is something to receive, or the end, by @deadline; -ETIMEDOUT. */
XP_MUST_CHECK int xp_fifo_poll(int fd, const struct xp_fifo_rx *rx,
			       const struct timespec *deadline);

/** xp_fifo_buffered() - Whether bytes wait in @rx, which a poll of the descriptor does not show. */
bool xp_fifo_buffered(const struct xp_fifo_rx *rx);

/** xp_fifo_part_fini() - Free what a receiver kept. */
void xp_fifo_part_fini(struct xp_fifo_part *part);

#endif
