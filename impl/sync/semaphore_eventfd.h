/* SPDX-License-Identifier: MIT */
/*
 * semaphore_eventfd - a counter in the kernel
 *
 * Overview      semaphore/eventfd: eventfd(EFD_SEMAPHORE). Each operation is a system call; in return
 *               nothing of it is in memory that a peer could spoil, it can be waited for together
 *               with other descriptors, and it survives exec when the descriptor is passed on.
 * Limits        There is no event/eventfd: a waiter could not notice a set that was cleared before it
 *               ran (kind/event.h), and no bounded/eventfd: the kernel has no limit to give it.
 * Death         The kernel serves whoever is left: robust.
 */
#ifndef XPSHARE_SYNC_SEMAPHORE_EVENTFD_H
#define XPSHARE_SYNC_SEMAPHORE_EVENTFD_H

#include "xpshare/kind/object.h"

/** xp_semaphore_eventfd() - The descriptor behind a handle, close-on-exec; it stays the handle's. */
int xp_semaphore_eventfd(const struct xp_semaphore *semaphore);

/** xp_semaphore_eventfd_open() - A handle in @ret_object on a descriptor that was inherited across
 *  exec or received; it belongs to the handle from then on. Return: 0; -EBADF; -ENOMEM. */
XP_MUST_CHECK int xp_semaphore_eventfd_open(int fd, struct xp_object *ret_object);

extern const struct xp_impl xp_impl_semaphore_eventfd;

#endif
