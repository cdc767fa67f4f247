/* SPDX-License-Identifier: MIT */
/*
 * activation - being started by systemd, or by whatever else speaks its two small protocols
 *
 * Overview      Sockets that are made before the server starts, so that nobody is refused meanwhile
 *               (sd_listen_fds(3)), and a word when it is ready and when it is about to end (sd_notify(3)). Both
 *               are a few lines of environment and one datagram: no library is needed.
 * Environment   LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES; NOTIFY_SOCKET. They are meant for this process alone:
 *               taken once, and removed so that no child takes them for its own.
 */
#ifndef XPSHARE_MANAGER_ACTIVATION_H
#define XPSHARE_MANAGER_ACTIVATION_H

#include "xpshare/base/err.h"

#include <stddef.h>

#define XP_ACTIVATION_FIRST 3  /* the first descriptor; the others follow */
#define XP_ACTIVATION_NAME  64 /* bytes kept of a name, with the NUL */

/** struct xp_activation - A descriptor that was handed over, and what FileDescriptorName= calls it. */
struct xp_activation {
	int fd;
	char name[XP_ACTIVATION_NAME];
};

/**
 * xp_activation_take() - The descriptors that were handed to this process; close-on-exec from now on.
 * Return: how many, 0 where none; -EINVAL the variables contradict each other; -E2BIG more than @room;
 *         -EBADF one is not open.
 */
XP_MUST_CHECK int xp_activation_take(struct xp_activation *activations, size_t room);

/**
 * xp_activation_notify() - Tell the supervisor @state, e.g. "READY=1\nSTATUS=Listening". One datagram.
 * Return: 1 told; 0 there is nobody to tell; -errno.
 */
int xp_activation_notify(const char *state);

#endif
