/* SPDX-License-Identifier: MIT */
/*
 * queue_ring - a queue made of a ring in shared memory: "queue/ring-spsc", "queue/ring-mpmc"
 *
 * Overview      ring.h with waiting, closing and deadlines. ring-spsc: one producer and one consumer
 *               at a time, which the caller promises, and no lock at all. ring-mpmc: any number of
 *               each; producers take turns under one robust lock, consumers under another.
 * Use           Through struct xp_queue; or, where nanoseconds count, by the inline functions below
 *               on the struct xp_queue_ring that xp_queue_ring_of() returns.
 * Memory        struct xp_queue_ring_shared, then struct xp_ring_shared (ring.h). struct
 *               xp_queue_ring is this process's handle and is copied by fork.
 * Waiting       Hybrid: poll, then park at the ring's spots (base/park.h). So neither a put nor a
 *               get of ring-spsc contains a locked instruction, a fence or a system call unless the
 *               other side sleeps.
 * Why producers take turns
 *               A lock-free ring of many producers hands out slots before they are filled, and a
 *               producer that dies in between leaves a hole that every survivor must agree on how
 *               to close: whether the owner is dead or slow cannot be decided from the slot. Under
 *               a lock that the kernel releases at the owner's death there is at most one
 *               uncommitted item, it is the last one, and the next owner simply writes over it:
 *               nothing has to be repaired (ring.h, Death), which is why -EOWNERDEAD from the lock
 *               needs no more than to be noticed. Producers do not wait for consumers, nor the
 *               reverse, since the two locks are apart.
 * Waiting for the lock
 *               The try forms do wait for a process that is within a put or a get at that moment, at
 *               most XP_QUEUE_TRY_PATIENCE_NS; then the holder is stopped, and the answer -EAGAIN.
 * Close         Of ring-spsc by a third process: a put that has begun before may still be accepted
 *               and is then delivered by a later get. All other closes are sharp.
 * Death         As ring.h says. A survivor that sleeps goes on by itself at the latest after
 *               XP_WAIT_NAP_MAX_NS, if the death swallowed its wake-up.
 */
#ifndef XPSHARE_CHAN_QUEUE_RING_H
#define XPSHARE_CHAN_QUEUE_RING_H

#include "xpshare/base/wait.h"
#include "xpshare/chan/ring.h"
#include "xpshare/kind/object.h"
#include "xpshare/sync/lock_futex.h"

#define XP_QUEUE_RING_CAPACITY 1024u /* items, where the maker states none */
#define XP_QUEUE_RING_ITEM_MAX 56u   /* bytes, likewise: header and item fill one line */

#define XP_QUEUE_TRY_PATIENCE_NS (10 * XP_NS_PER_MS)

/**
 * struct xp_queue_ring_shared - What precedes the ring in shared memory.
 * @put_lock: Held by the producer whose turn it is; unused by ring-spsc.
 * @get_lock: Likewise for consumers.
 * @multi:    1 for ring-mpmc. Written by the maker.
 */
struct xp_queue_ring_shared {
	struct xp_lock_futex put_lock;
	struct xp_lock_futex get_lock;
	_Alignas(XP_ISOLATION) uint32_t multi;
};

_Static_assert(sizeof(struct xp_queue_ring_shared) % XP_ISOLATION == 0, "the ring is aligned");

/**
 * struct xp_queue_ring - A process's handle.
 * @put_how, @get_how, @lock_how: How it waits for room, for an item, for its turn.
 * @arena: Where the memory goes back to; NULL where attached.
 */
struct xp_queue_ring {
	struct xp_ring ring;
	struct xp_queue_ring_shared *shared;
	struct xp_arena *arena;
	bool multi;
	_Alignas(XP_ISOLATION) struct xp_wait put_how;
	_Alignas(XP_ISOLATION) struct xp_wait get_how;
	_Alignas(XP_ISOLATION) struct xp_wait lock_how;
};

extern const struct xp_impl xp_impl_queue_ring_spsc;
extern const struct xp_impl xp_impl_queue_ring_mpmc;

/** xp_queue_ring_of() - The handle behind a queue or joinable queue of this mechanism, or NULL. */
struct xp_queue_ring *xp_queue_ring_of(const struct xp_queue *queue);

/** xp_queue_ring_size() - Bytes of shared memory. Return: 0; -EINVAL. */
XP_MUST_CHECK int xp_queue_ring_size(uint64_t capacity, uint64_t item_max, size_t *ret_size);

/**
 * xp_queue_ring_create() - Make a queue in @memory: zeroed, aligned to XP_ISOLATION.
 * Return: 0; -EINVAL.
 */
XP_MUST_CHECK int xp_queue_ring_create(void *memory, uint64_t capacity, uint64_t item_max,
				       bool multi, enum xp_wait_strategy strategy,
				       struct xp_queue_ring *ret_queue);

/**
 * xp_queue_ring_attach() - Use a queue that another process made in @memory of @size bytes.
 * Return: as xp_ring_attach().
 */
XP_MUST_CHECK int xp_queue_ring_attach(void *memory, size_t size, enum xp_wait_strategy strategy,
				       struct xp_queue_ring *ret_queue);

/* Wait until a put, or a get, would find something to do. 0: look again; -ETIMEDOUT. */
XP_MUST_CHECK int xp_queue_ring_wait_room(struct xp_queue_ring *queue,
					  const struct timespec *deadline);
XP_MUST_CHECK int xp_queue_ring_wait_item(struct xp_queue_ring *queue,
					  const struct timespec *deadline);

/* The waiting halves of the next two. */
XP_MUST_CHECK int xp_queue_ring_put_slow(struct xp_queue_ring *queue, const void *item, size_t size,
					 const struct timespec *deadline);
XP_MUST_CHECK int xp_queue_ring_get_slow(struct xp_queue_ring *queue, void *buffer, size_t capacity,
					 size_t *ret_size, const struct timespec *deadline);

/**
 * xp_queue_ring_put_single() - Put, as the only producer of a ring-spsc.
 *
 * Progress: Blocking while the ring is full; else wait-free, without a locked instruction.
 * Ordering: A release operation; pairs with the get of the item.
 * Return:   0; -EMSGSIZE; -EPIPE; -ETIMEDOUT; -EPROTO.
 */
XP_MUST_CHECK XP_RING_INLINE int xp_queue_ring_put_single(struct xp_queue_ring *queue,
							  const void *item, size_t size,
							  const struct timespec *deadline)
{
	int rc = xp_ring_try_put(&queue->ring, item, size);

	if (__builtin_expect(rc == -EAGAIN, 0))
		rc = xp_queue_ring_put_slow(queue, item, size, deadline);
	return rc;
}

/**
 * xp_queue_ring_get_single() - Get, as the only consumer of a ring-spsc.
 *
 * Progress, Ordering: likewise.
 * Return:  0; -EMSGSIZE (kept, size in *@ret_size); -EPIPE; -ETIMEDOUT; -EPROTO.
 */
XP_MUST_CHECK XP_RING_INLINE int xp_queue_ring_get_single(struct xp_queue_ring *queue, void *buffer,
							  size_t capacity, size_t *ret_size,
							  const struct timespec *deadline)
{
	int rc = xp_ring_get_at_once(&queue->ring, buffer, capacity, ret_size);

	/* An empty ring is met here and the item after a wait elsewhere, so that each branch is nearly
	 * always taken the same way: its misprediction would lie on the critical path. */
	if (__builtin_expect(rc == -EAGAIN, 0))
		rc = xp_queue_ring_get_slow(queue, buffer, capacity, ret_size, deadline);
	return rc;
}

/**
 * xp_queue_ring_claim() - Wait for a place of item_max bytes in the ring, to be filled there.
 *
 * Of ring-mpmc: the caller holds the producers' lock until it commits or abandons.
 *
 * Death:  Of the claimer: the item was never there.
 * Return: 0; -EPIPE; -ETIMEDOUT; -EPROTO; those of the lock.
 */
XP_MUST_CHECK int xp_queue_ring_claim(struct xp_queue_ring *queue, void **ret_place,
				      const struct timespec *deadline);

/** xp_queue_ring_commit() - Hand over the claimed item, of @size bytes. Return: 0; -EMSGSIZE. */
XP_MUST_CHECK int xp_queue_ring_commit(struct xp_queue_ring *queue, size_t size);

/** xp_queue_ring_abandon() - Give up the claimed place. */
void xp_queue_ring_abandon(struct xp_queue_ring *queue);

/**
 * xp_queue_ring_peek() - Wait for an item and read it where it lies, until consume or leave.
 *
 * Of ring-mpmc: the caller holds the consumers' lock until then.
 *
 * Death:  Of the peeker: the item is still there, for the next consumer.
 * Return: 0; -EPIPE; -ETIMEDOUT; -EPROTO; those of the lock.
 */
XP_MUST_CHECK int xp_queue_ring_peek(struct xp_queue_ring *queue, const void **ret_item,
				     size_t *ret_size, const struct timespec *deadline);

/** xp_queue_ring_consume() - The peeked item is taken. */
void xp_queue_ring_consume(struct xp_queue_ring *queue);

/** xp_queue_ring_leave() - The peeked item stays. */
void xp_queue_ring_leave(struct xp_queue_ring *queue);

/**
 * xp_queue_ring_put_batch() - Put between 1 and @count items of @size bytes; waits for the first.
 * Return: how many; or as put.
 */
XP_MUST_CHECK int64_t xp_queue_ring_put_batch(struct xp_queue_ring *queue, const void *items,
					      size_t size, size_t count,
					      const struct timespec *deadline);

/**
 * xp_queue_ring_get_batch() - Get between 1 and @count items of exactly @size bytes; waits for the
 * first. An item of another size ends the batch; where it is the first: -EMSGSIZE.
 * Return: how many; or as get.
 */
XP_MUST_CHECK int64_t xp_queue_ring_get_batch(struct xp_queue_ring *queue, void *buffer,
					      size_t size, size_t count,
					      const struct timespec *deadline);

/* The operations of ring-mpmc, for the joinable queue that stands on it (joinable.h). */
int xp_queue_ring_put_until(void *self, const void *item, size_t size,
			    const struct timespec *deadline);
int xp_queue_ring_try_put(void *self, const void *item, size_t size);
int xp_queue_ring_get_until(void *self, void *buffer, size_t capacity, size_t *ret_size,
			    const struct timespec *deadline);
int xp_queue_ring_try_get(void *self, void *buffer, size_t capacity, size_t *ret_size);
int64_t xp_queue_ring_length(void *self);
int xp_queue_ring_close(void *self);
XP_MUST_CHECK int xp_queue_ring_make(struct xp_place *place, const struct xp_params *params,
				     bool multi, const struct xp_queue_ops *ops,
				     struct xp_object *ret_object);
void *xp_queue_ring_where(const struct xp_object *object);
void xp_queue_ring_drop(struct xp_object *object);

#endif
