/* SPDX-License-Identifier: MIT */
/*
 * pipe_socket - a duplex pipe made of a socket pair: "pipe/socketpair"
 *
 * Overview      An AF_UNIX socket pair of the type SOCK_SEQPACKET. A message of up to
 *               XP_PIPE_PACKET_MAX bytes is one packet, sent by one system call and received by
 *               one; a larger one is a row of packets.
 * Why SOCK_SEQPACKET and not SOCK_STREAM
 *               The kernel keeps the boundaries. So nothing is read ahead (the descriptor is
 *               readable exactly when there is a message, and any process that holds the end may
 *               receive the next one, several at a time too), a message of one packet is never torn
 *               by a death or a deadline, and the receiver needs no buffer. A stream would need all
 *               of fifo.h and would then be "pipe/fd" once more. The price: small messages are
 *               received one by one. SIGPIPE does not arise (MSG_NOSIGNAL).
 * Wire          Packet: the bytes of the message that are still to come, this packet's included, in
 *               4 bytes of the host's order; then up to XP_PIPE_PACKET_MAX of them. A receiver that
 *               finds another number than it expects has met two senders at once: -EPROTO.
 * Memory        Descriptors, close-on-exec, and the spare buffer are private to each process.
 * Deadlines     In mid-message too. A send that timed out between two packets has torn its message:
 *               its direction is shut down, and the receiver gets -EPROTO. A receive that timed out
 *               there keeps what it has and goes on with the next call.
 * Death         Of the peer: its complete messages are received, then -EPIPE, or -EPROTO after a
 *               torn one (larger than one packet).
 */
#ifndef XPSHARE_CHAN_PIPE_SOCKET_H
#define XPSHARE_CHAN_PIPE_SOCKET_H

#include "xpshare/kind/object.h"

#define XP_PIPE_PACKET_MAX  65536u    /* bytes of a message in one packet */
#define XP_PIPE_MESSAGE_MAX INT32_MAX /* bytes */

extern const struct xp_impl xp_impl_pipe_socket;

/**
 * xp_pipe_socket_adopt() - Make end @end of a pipe from a received or inherited descriptor, which
 * xp_pipe_ops.descriptor() of the other process named. It belongs to the object from now on.
 *
 * Return: 0; -EINVAL; -ENOMEM. Release with xp_impl_pipe_socket.drop().
 */
XP_MUST_CHECK int xp_pipe_socket_adopt(int end, int fd, struct xp_object *ret_object);

#endif
