/* SPDX-License-Identifier: MIT */
/*
 * pipe_fd - a pipe made of kernel pipes: "pipe/fd"
 *
 * Overview      One pipe(2) per direction, frames and all else as in fifo.h. Simplex: from end 1
 *               to end 0. CPython's multiprocessing.Pipe(False) is the same on the wire.
 * Use           parent: make, fork; each side closes the end that it does not use, or it will
 *               never see the end of the stream.
 * Memory        Descriptors and cursors of large messages are private to each process; the receive
 *               buffer of each end is in the place's arena, so an end can be handed from one
 *               process to another between two receives. Descriptors are close-on-exec.
 * Readiness     A receive may read ahead. xp_pipe_poll_until() and pipe_wait.h know what waits in
 *               the buffer; whoever polls the bare descriptor has to receive until a poll of the
 *               pipe says -ETIMEDOUT.
 * Death         Of the peer: its complete messages are received, then -EPIPE, or -EPROTO after a
 *               torn one. Of a receiver within a receive: the bytes it was reading are lost to a
 *               successor on the same end.
 */
#ifndef XPSHARE_CHAN_PIPE_FD_H
#define XPSHARE_CHAN_PIPE_FD_H

#include "xpshare/kind/object.h"

extern const struct xp_impl xp_impl_pipe_fd;

/**
 * xp_pipe_fd_export() - The descriptors of one end, to be sent to an unrelated process.
 * @ret_in, @ret_out: To receive from and to send to; -1 where the end has none. They stay ours.
 *
 * Return: 0; -EBUSY where bytes have been read ahead: receive them first; -EBADF.
 */
XP_MUST_CHECK int xp_pipe_fd_export(const struct xp_pipe *pipe, int end, int *ret_in, int *ret_out);

/**
 * xp_pipe_fd_adopt() - Make end @end of a pipe from received or inherited descriptors.
 * @in, @out: They belong to the object from now on; -1 for none.
 *
 * Return: 0; -EINVAL; -ENOMEM. Release with xp_impl_pipe_fd.drop().
 */
XP_MUST_CHECK int xp_pipe_fd_adopt(int end, int in, int out, struct xp_object *ret_object);

#endif
