/* SPDX-License-Identifier: MIT */
/*
 * joinable - queues that know how much of the work is done: "joinable/ring", "joinable/pipe"
 *
 * Overview      Python's JoinableQueue. They are queue/ring-mpmc and queue/pipe with task_done and join.
 * Accounting    Both know how many items were ever put, and task_done counts how many are done; a
 *               put costs nothing extra. The ring counts committed items (xp_ring_put_total), so a
 *               producer that dies before it commits has added nothing that join could wait for in
 *               vain. The pipe's writer counts before it writes, and if it dies in between, it has.
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
extern const struct xp_impl xp_impl_joinable_pipe;

#endif
