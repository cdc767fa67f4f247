/* SPDX-License-Identifier: MIT */
/*
 * queue_pipe - a queue made of a kernel pipe: "queue/pipe", the design of multiprocessing
 *
 * Overview      A pipe, a lock for writers, a lock for readers, and a bound: Python's SimpleQueue
 *               with the maxsize of its Queue. Frames and the shared receive buffer: fifo.h.
 *               multiprocessing.Queue adds a feeder thread, which turns a put into an append to a
 *               private list; it exists to keep put from blocking on a full pipe, costs every item
 *               two thread switches, and makes a put that returned be lost with its process. Here
 *               put writes, and the item is out of the process's hands when it returns.
 * Memory        struct xp_queue_pipe_shared in the place's arena; descriptors, close-on-exec, in
 *               each process.
 * Bound         By the number of items, exactly, and by XP_QUEUE_PIPE_BUDGET bytes of frames: that
 *               much is certain to fit into the pipe, so that a put waits for room before it writes
 *               and its one write never blocks and is never torn, neither by a deadline nor by a
 *               signal. What is asked for beyond that is -ENOTSUP (an item) or waits (many).
 * Close         Writes the end mark after the last item; it stays at the head of the pipe and ends
 *               every get from then on, also those that already wait.
 * Death         Locks are robust, so nobody is locked out. But a reader killed after the kernel gave
 *               it bytes and before it has said so loses them, and the frames behind them cannot be
 *               found: gets then answer -EPROTO or wait. A writer killed between its count and its
 *               write leaves one place less. So it is not XP_CAP_ROBUST; the ring is.
 */
#ifndef XPSHARE_CHAN_QUEUE_PIPE_H
#define XPSHARE_CHAN_QUEUE_PIPE_H

#include "xpshare/base/park.h"
#include "xpshare/chan/fifo.h"
#include "xpshare/kind/object.h"
#include "xpshare/sync/lock_futex.h"

#define XP_QUEUE_PIPE_CAPACITY 1024u /* items, where the maker states none */
#define XP_QUEUE_PIPE_ITEM_MAX 56u   /* bytes, likewise */

/*
 * A pipe of N pages takes frames of N / 2 - 2 pages at least: a write that does not fit into the rest
 * of the last page starts a new one, so of two neighbouring pages more than one is full.
 */
#define XP_QUEUE_PIPE_BUDGET(pipe_bytes) ((pipe_bytes) / 2 - 2 * 4096)

/**
 * struct xp_queue_pipe_shared - In shared memory.
 * @put_lock:  Held while an item is counted and written.
 * @puts, @put_bytes: Items and bytes of frames ever written. Written under @put_lock.
 * @get_lock:  Held while waiting for an item and taking it.
 * @gots, @got_bytes: Items and bytes ever taken. Written under @get_lock.
 * @rx:        Read from the pipe and not taken yet. Under @get_lock.
 * @closed, @putters, @joiners, @done: As in ring.h.
 */
struct xp_queue_pipe_shared {
	struct xp_lock_futex put_lock;
	struct xp_lock_futex get_lock;
	_Alignas(XP_ISOLATION) _Atomic uint64_t puts;
	_Atomic uint64_t put_bytes;
	_Alignas(XP_ISOLATION) _Atomic uint64_t gots;
	_Atomic uint64_t got_bytes;
	_Alignas(XP_ISOLATION) _Atomic uint32_t closed;
	struct xp_park putters;
	struct xp_park joiners;
	_Alignas(XP_ISOLATION) _Atomic uint64_t done;
	_Alignas(XP_ISOLATION) struct xp_fifo_rx rx;
};

/** struct xp_queue_pipe - A process's handle. */
struct xp_queue_pipe {
	struct xp_queue_pipe_shared *shared;
	struct xp_arena *arena;
	uint64_t capacity;
	uint64_t item_max;
	uint64_t budget;
	int in;
	int out;
	struct xp_wait put_how;
	struct xp_wait lock_how;
};

extern const struct xp_impl xp_impl_queue_pipe;

/* The operations of queue/pipe, for the joinable queue that stands on it (joinable.h). */
int xp_queue_pipe_put_until(void *self, const void *item, size_t size,
			    const struct timespec *deadline);
int xp_queue_pipe_try_put(void *self, const void *item, size_t size);
int xp_queue_pipe_get_until(void *self, void *buffer, size_t capacity, size_t *ret_size,
			    const struct timespec *deadline);
int xp_queue_pipe_try_get(void *self, void *buffer, size_t capacity, size_t *ret_size);
int64_t xp_queue_pipe_length(void *self);
int xp_queue_pipe_close(void *self);
XP_MUST_CHECK int xp_queue_pipe_make(struct xp_place *place, const struct xp_params *params,
				     const struct xp_queue_ops *ops, struct xp_object *ret_object);
void xp_queue_pipe_drop(struct xp_object *object);

#endif
