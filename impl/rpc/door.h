/* SPDX-License-Identifier: MIT */
/*
 * door - connections through an inherited descriptor, where there is no address at all
 *
 * Overview      A door is a pair of connected AF_UNIX sockets of type SOCK_SEQPACKET. The server holds one
 *               end; whoever inherits the other may connect, as often as it likes: it makes a stream
 *               socketpair and passes one of its ends through the door. So each thread has its connection,
 *               a child that forks has its own, and nothing is left in any file system.
 * Use           xp_door_create(&server_end, &client_end); both are close-on-exec. As an address an end is
 *               "fd:N" (rpc/address.h): a server listens on it, a client connects to it.
 * Message       One byte of any value with one descriptor (SCM_RIGHTS), so that a Python that has inherited
 *               a door may knock too, by socket.send_fds().
 * Death         Of the server: -EPIPE at the door, and the end of every stream that was passed through it
 *               and not yet taken. Of all clients: the server's end is -EPIPE.
 */
#ifndef XPSHARE_RPC_DOOR_H
#define XPSHARE_RPC_DOOR_H

#include "xpshare/base/err.h"

#include <stdbool.h>
#include <time.h>

/** xp_door_create() - Both ends. Return: 0, -EMFILE, -errno. */
XP_MUST_CHECK int xp_door_create(int *ret_server, int *ret_client);

/** xp_door_is() - Whether @fd is an end of a door. */
bool xp_door_is(int fd);

/** xp_door_knock() - A client's connection: the stream. Return: 0; -EPIPE nobody is behind the door;
 *  -ETIMEDOUT; -ENOTSOCK, -EBADF it is none; -errno. */
XP_MUST_CHECK int xp_door_knock(int door, const struct timespec *deadline, int *ret_fd);

/**
 * xp_door_answer() - The next connection, at the server's end.
 *
 * Never blocks, whatever mode the door is in. What comes is checked: a connected stream socket of AF_UNIX,
 * and nothing else.
 * Return: 0 with it; -EAGAIN nobody knocks; -EPROTO somebody passed something else, which is closed; -EMFILE
 *         there was no descriptor to receive it with, and the knocker finds its stream closed; -EPIPE no
 *         client is left.
 */
XP_MUST_CHECK int xp_door_answer(int door, int *ret_fd);

#endif
