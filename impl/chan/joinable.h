/* SPDX-License-Identifier: MIT */
/*
 * joinable - queues that know how much of the work is done: "joinable/ring"
 *
 * Overview      Python's JoinableQueue. joinable/ring is queue/ring-mpmc with task_done and join.
 * Accounting    Unfinished items are not counted up by put: the ring knows how many items were ever
 *               committed (xp_ring_put_total), and task_done counts how many are done. So a put costs
 *               nothing extra, and a producer that dies before it commits has added nothing that
 *               join could wait for in vain.
 * Join          Returns when the two are equal, or were equal at some moment since it began, even
 *               if another item has been put meanwhile, as in Python.
 * Death         Of a consumer that got an item and has not called task_done: the item stays
 *               unfinished and join waits for it; a deadline or task_done by a supervisor ends that.
 */
#ifndef XPSHARE_CHAN_JOINABLE_H
#define XPSHARE_CHAN_JOINABLE_H

#include "xpshare/kind/object.h"

extern const struct xp_queue_ops xp_joinable_ring_ops;
extern const struct xp_impl xp_impl_joinable_ring;

#endif
