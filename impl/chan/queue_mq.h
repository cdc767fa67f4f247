/* SPDX-License-Identifier: MIT */
/*
 * queue_mq - a queue made of a POSIX message queue: "queue/mq"
 *
 * Overview      The kernel keeps the items, the bound and the order; a put and a get are one system
 *               call each, and whole or not at all, whoever dies when.
 * Memory        One descriptor, shared by all processes that inherited it; it is made under a random
 *               name that is removed at once. The kernel's memory counts against RLIMIT_MSGQUEUE.
 * Limits        Items and bytes as /proc/sys/fs/mqueue/{msg_max,msgsize_max} allow, 10 and 8192
 *               unless root has raised them or makes the queue: -ENOTSUP beyond that.
 * Waiting       mq_timedreceive(3) has its deadline on CLOCK_REALTIME, which can be set back; so
 *               the queue is in non-blocking mode and a call that would block waits in poll(2).
 * An item that does not fit
 *               The kernel has no way to look at an item's size first. It is taken out, and kept by
 *               this process for its next get; its death would lose it.
 * Close         Not provided: -ENOTSUP.
 */
#ifndef XPSHARE_CHAN_QUEUE_MQ_H
#define XPSHARE_CHAN_QUEUE_MQ_H

#include "xpshare/kind/object.h"

#define XP_QUEUE_MQ_CAPACITY 10u /* items, where the maker states none: the usual msg_max */
#define XP_QUEUE_MQ_ITEM_MAX 56u /* bytes, likewise */

extern const struct xp_impl xp_impl_queue_mq;

#endif
