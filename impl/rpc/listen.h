/* SPDX-License-Identifier: MIT */
/*
 * listen - what a server does to sockets before the first byte
 */
#ifndef XPSHARE_RPC_LISTEN_H
#define XPSHARE_RPC_LISTEN_H

#include "xpshare/base/clock.h"
#include "xpshare/rpc/address.h"

#define XP_LISTEN_BACKLOG 4096 /* the kernel lowers it to net.core.somaxconn */
#define XP_LISTEN_LOCK_NS \
	XP_NS_PER_SEC /* how long to wait for the lock on the directory of a socket file */

/**
 * xp_listen() - A listening socket, non-blocking and close-on-exec.
 * @backlog:     0: XP_LISTEN_BACKLOG.
 * @ret_address: NULL, or the address bound: a TCP port 0 has become a real one.
 *
 * A socket file is made with mode 0600, at no moment wider. One that a dead server of the same user left
 * behind is replaced, whether it was killed before it listened or later; one that a living server listens on
 * is not. Servers that start at the same moment take turns by a lock on the directory, which ends with its
 * holder, so that none takes away the file of another.
 *
 * Return: 0; -EADDRINUSE; -EBUSY somebody kept that lock for XP_LISTEN_LOCK_NS; -errno.
 */
XP_MUST_CHECK int xp_listen(const struct xp_address *address, int backlog,
			    struct xp_address *ret_address, int *ret_fd);

/** xp_listen_close() - Close @fd and remove the socket file of @address, if it still is that of @fd. */
void xp_listen_close(int fd, const struct xp_address *address);

/** xp_listen_sweep() - Remove the socket file of @address if a dead server of this user has left it. One that
 *  is starting is left alone. Return: whether it is gone now. */
bool xp_listen_sweep(const struct xp_address *address);

/** xp_listen_prepare() - Options of a stream, accepted or connected: TCP_NODELAY; none on other
 *  families. Return: whether it is TCP. */
bool xp_listen_prepare(int fd);

/** xp_listen_quickack() - Acknowledge at once what is read next; nothing on other families. The kernel
 *  forgets it, so it is set before each read of a TCP stream whose peer is stock CPython, whose
 *  write-write-read otherwise stalls 44 ms (SPEC X4). */
void xp_listen_quickack(int fd);

#endif
