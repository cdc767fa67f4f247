/* SPDX-License-Identifier: MIT */
/*
 * ring - a bounded ring of messages between one producer and one consumer in shared memory
 *
 * Overview      The core under "queue/ring-spsc", "queue/ring-mpmc" and "joinable/ring"
 *               (queue_ring.h), and the fast path for callers that count nanoseconds. The signal
 *               travels in the same cache line as the data, so a small message costs one transfer
 *               of one line. Nothing here blocks; waiting is queue_ring.h's business.
 * Use           producer: xp_ring_try_put(), or xp_ring_try_claim(), fill, xp_ring_commit();
 *               consumer: xp_ring_try_get(), or xp_ring_try_peek(), read, xp_ring_consume();
 *               batches:  xp_ring_try_put_batch(), xp_ring_try_get_batch().
 *               At most one of the producer's functions runs at a time, and one of the consumer's;
 *               which process runs it may change between two calls.
 * Memory        struct xp_ring_shared, then the slots. Two layouts, by the largest item:
 *               packed (item_max <= 8): a line is one header of 8 bytes and 7 cells of 8 bytes. The
 *                 header is the turn (32 bits), a size of 4 bits per cell, and the number of cells
 *                 that are filled (3 bits): one 64-bit store publishes a cell, or all seven.
 *               slotted: a slot is one header of 8 bytes (turn, size) and the item, rounded up to
 *                 whole lines; up to 56 bytes fit in the line of the header.
 *               The producer's words and the consumer's are XP_ISOLATION apart. struct xp_ring is
 *               this process's view: pointers, and a geometry that was checked when it was made, so
 *               that nobody can change it afterwards. fork copies it.
 * Positions     A position is a 64-bit number that only grows. Slotted: the number of the item.
 *               Packed: 8 * line + cell with cell 1..7, so that an address is a mask away and the
 *               place of the header is never a position. The turn in a header says which position
 *               (packed: which line) it was written for, modulo 2^32; the slot's turns before and
 *               after differ by the number of slots, and slots are fewer than 2^32.
 * Invariants    (1) An item is committed by exactly one 64-bit release store, of its header.
 *               (2) An item is taken by exactly one 64-bit release store, of the consumer's head.
 *               (3) tail is never ahead of the committed items. A put stores intent, the header and
 *                   then tail, all but the header in the producer's own line. So after a death tail
 *                   can lag behind the committed items only while intent differs from it; the next
 *                   put sees that and moves tail on past committed headers before it writes. (To
 *                   look at the header each time would fetch the consumer's line once more.)
 *               (4) items(tail) - items(head) <= capacity, and the lines in use are fewer than the
 *                   ring has, so a header is overwritten only after its items were taken.
 *               (5) An index is masked with this process's own geometry at each use, and a size is
 *                   read once and compared with item_max before it is used.
 * Why it is correct
 *               The consumer's acquire load of the header pairs with the producer's release store
 *               of it (1): the item's bytes are seen. The producer's acquire load of head pairs
 *               with the consumer's release store of it (2): the consumer has finished reading the
 *               bytes that are now overwritten. A header of another turn is never taken for
 *               a committed one. Wake-ups: base/park.h.
 * Death         A producer killed at any instruction: before (1) the item is not there and its slot
 *               is written again by the next producer; after it, the item is delivered, once.
 *               A consumer killed before (2): the item is still there; after it: taken.
 *               So nothing is lost but the uncommitted item or the item that was being taken,
 *               nothing is delivered twice, and no state needs a repair by anybody who was not
 *               going to do the next put anyway.
 * Garbage       A peer can make the other side see wrong items, no items or no room, and get
 *               -EPROTO where that is noticed, but no access is ever outside the ring.
 */
#ifndef XPSHARE_CHAN_RING_H
#define XPSHARE_CHAN_RING_H

#include "xpshare/base/err.h"
#include "xpshare/base/park.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define XP_RING_MAGIC	     0x72707821u
#define XP_RING_VERSION	     1u
#define XP_RING_CELLS	     7u /* items in a packed line */
#define XP_RING_PACKED_MAX   8u /* bytes of the largest item in the packed layout */
#define XP_RING_HEADER_BYTES 8u
#define XP_RING_CAPACITY_MAX (UINT64_C(1) << 30) /* items */
#define XP_RING_ITEM_MAX     (UINT64_C(1) << 30) /* bytes */

/** struct xp_ring_geometry - What a ring is made with. Written before the magic, never again. */
struct xp_ring_geometry {
	uint64_t capacity; /* items */
	uint64_t item_max; /* bytes */
	uint32_t fences;   /* 1: made where membarrier is refused (base/park.h) */
	uint32_t spare;
};

/**
 * struct xp_ring_shared - The ring in shared memory, followed by its slots.
 * @magic:    XP_RING_MAGIC, stored last with release.
 * @closed:   1 once no more items may be put. Writer: close. Readers: producer, consumer.
 * @getters:  Where consumers sleep; read by the producer after each commit.
 * @putters:  Where producers sleep; read by the consumer after each take.
 * @joiners:  Where those sleep who wait for done to reach the items put (queue_ring.h).
 * @tail:     Position of the next put (3). Writer: producer.
 * @intent:   Equal to tail, but while an item is being published (3). Writer: producer.
 * @limit:    Position that the producer may not reach before it looks at head again.
 * @head:     Position of the next get (2). Writer: consumer.
 * @done:     Items that were reported done. Writers: whoever got them.
 */
struct xp_ring_shared {
	_Atomic uint32_t magic;
	uint32_t version;
	struct xp_ring_geometry geometry;

	_Alignas(XP_ISOLATION) _Atomic uint32_t closed;
	struct xp_park getters;
	struct xp_park putters;
	struct xp_park joiners;

	_Alignas(XP_ISOLATION) _Atomic uint64_t tail;
	_Atomic uint64_t intent;
	_Atomic uint64_t limit;

	_Alignas(XP_ISOLATION) _Atomic uint64_t head;

	_Alignas(XP_ISOLATION) _Atomic uint64_t done;

	_Alignas(XP_ISOLATION) unsigned char slots[];
};

_Static_assert(offsetof(struct xp_ring_shared, slots) == 5 * XP_ISOLATION,
	       "each side's words keep their distance from the other's");

/**
 * struct xp_ring - One process's view of a ring. Constant after xp_ring_create/attach.
 * @slot_mask:  position & slot_mask is the slot (slotted), or 8 * line + cell (packed).
 */
struct xp_ring {
	struct xp_ring_shared *shared;
	unsigned char *slots;
	uint64_t slot_mask;
	uint64_t stride;
	uint64_t capacity;
	uint64_t item_max;
	bool packed;
};

/** xp_ring_size() - Bytes that a ring of this geometry takes. Return: 0; -EINVAL beyond a limit. */
XP_MUST_CHECK int xp_ring_size(uint64_t capacity, uint64_t item_max, size_t *ret_size);

/**
 * xp_ring_create() - Make a ring in @memory, xp_ring_size() zeroed bytes at an address that is a
 * multiple of XP_ISOLATION.
 *
 * Return: 0; -EINVAL.
 */
XP_MUST_CHECK int xp_ring_create(void *memory, uint64_t capacity, uint64_t item_max,
				 struct xp_ring *ret_ring);

/**
 * xp_ring_attach() - View a ring that another process made in @memory of @size bytes.
 *
 * Return: 0; -EAGAIN: not made yet; -EPROTO: not a ring, another version, or larger than @size;
 *         -ENOTSUP: the ring relies on membarrier and this process may not use it.
 */
XP_MUST_CHECK int xp_ring_attach(void *memory, size_t size, struct xp_ring *ret_ring);

/* The slow halves of claim and put, and of peek and get. Return: as xp_ring_try_claim, _peek. */
XP_MUST_CHECK int xp_ring_claim_slow(struct xp_ring view, uint64_t *ret_tail);
XP_MUST_CHECK int xp_ring_peek_slow(struct xp_ring view, const void **ret_item, size_t *ret_size);

/** xp_ring_items() - How many items come before @position. */
static inline uint64_t xp_ring_items(const struct xp_ring *ring, uint64_t position)
{
	return ring->packed ? position - (position >> 3) - 1 : position;
}

/** xp_ring_position() - The position of item number @items. */
static inline uint64_t xp_ring_position(const struct xp_ring *ring, uint64_t items)
{
	return ring->packed ? items + items / XP_RING_CELLS + 1 : items;
}

/** xp_ring_length() - Items in the ring at some moment during the call. */
uint64_t xp_ring_length(const struct xp_ring *ring);

/** xp_ring_is_full() - Whether there is no room; false also where the positions are garbage. */
bool xp_ring_is_full(const struct xp_ring *ring);

/** xp_ring_put_total() - Items ever committed; counts those that tail does not show yet (3). */
uint64_t xp_ring_put_total(const struct xp_ring *ring);

/* ---- the parts of the fast path; users go on at xp_ring_try_claim() ---- */

#define XP_RING_INLINE static inline __attribute__((always_inline))
#define XP_RING_NONE   UINT64_MAX /* in place of a size: no item */

/**
 * struct xp_ring_spot - What belongs to one position.
 * @header: Of its slot or line.     @item: Its bytes.
 * @next:   The position after it.   @turn: What the header says once it is written.
 * @cell:   Packed: 1..7.
 *
 * It is computed once, before the item is copied: the compiler must assume that a copy is written
 * over the ring's view, and would read that again for each part. @packed is a constant in each call,
 * so that each layout has its own straight path.
 */
struct xp_ring_spot {
	_Atomic uint64_t *header;
	unsigned char *item;
	uint64_t next;
	uint64_t turn;
	uint64_t cell;
};

XP_RING_INLINE struct xp_ring_spot xp_ring_spot(const struct xp_ring *ring, uint64_t position,
						bool packed)
{
	uint64_t slot = position & ring->slot_mask;
	struct xp_ring_spot spot;

	if (packed) {
		spot.item = ring->slots + slot * 8;
		spot.header = (_Atomic uint64_t *)(void *)(ring->slots + (slot & ~UINT64_C(7)) * 8);
		spot.next = position + 1;
		/* A branch, which is predicted, and not arithmetic: the next call waits for this. */
		if ((position & 7) == 7) {
			spot.next++;
			__asm__("" : "+r"(spot.next));
		}
		spot.turn = (uint32_t)(position >> 3);
		spot.cell = position & 7;
	} else {
		unsigned char *at = ring->slots + slot * ring->stride;
		spot.item = at + XP_RING_HEADER_BYTES;
		spot.header = (_Atomic uint64_t *)(void *)at;
		spot.next = position + 1;
		spot.turn = (uint32_t)(position + 1);
		spot.cell = 0;
	}
	return spot;
}

/* The size of the item at @spot if it is committed, else XP_RING_NONE. An acquire operation; pairs
 * with xp_ring_publish(). */
XP_RING_INLINE uint64_t xp_ring_look(const struct xp_ring_spot *spot, bool packed)
{
	uint64_t header = atomic_load_explicit(spot->header, memory_order_acquire);

	if (header >> 32 != spot->turn || (packed && (header & 7) < spot->cell))
		return XP_RING_NONE;
	return packed ? header >> (4 * spot->cell) & 15 : (uint32_t)header;
}

/* Publish the item at @spot. Nobody is woken. */
XP_RING_INLINE void xp_ring_publish(struct xp_ring_shared *shared, const struct xp_ring_spot *spot,
				    size_t size, bool packed)
{
	uint64_t header = spot->turn << 32;

	if (!packed) {
		header |= size;
	} else {
		if (spot->cell > 1)
			header =
			    atomic_load_explicit(spot->header, memory_order_relaxed) & ~UINT64_C(7);
		header |= (uint64_t)size << (4 * spot->cell) | spot->cell;
	}
	/* In this order, whatever instruction is the last: both are releases for that. */
	atomic_store_explicit(&shared->intent, spot->next, memory_order_relaxed);
	atomic_store_explicit(spot->header, header, memory_order_release);
	atomic_store_explicit(&shared->tail, spot->next, memory_order_release);
}

/* Whether an item may be put at @tail, the position of the next, without a look at head. */
XP_RING_INLINE bool xp_ring_has_room(struct xp_ring_shared *shared, uint64_t tail)
{
	return tail != atomic_load_explicit(&shared->limit, memory_order_relaxed) &&
	       tail == atomic_load_explicit(&shared->intent, memory_order_relaxed) &&
	       atomic_load_explicit(&shared->closed, memory_order_relaxed) == 0;
}

/* @likely is most often a constant after inlining, and then the copy is a few moves. */
XP_RING_INLINE void xp_ring_copy(void *to, const void *from, size_t size, size_t likely)
{
	if (__builtin_expect(size == likely, 1))
		memcpy(to, from, likely);
	else
		memcpy(to, from, size);
}

XP_RING_INLINE int xp_ring_put_as(const struct xp_ring *ring, const void *item, size_t size,
				  bool packed)
{
	struct xp_ring_shared *shared = ring->shared;
	uint64_t tail = atomic_load_explicit(&shared->tail, memory_order_relaxed);

	if (__builtin_expect(!xp_ring_has_room(shared, tail), 0)) {
		uint64_t found;
		int rc = xp_ring_claim_slow(*ring, &found);
		if (rc < 0)
			return rc;
		tail = found;
	}
	struct xp_ring_spot spot = xp_ring_spot(ring, tail, packed);
	memcpy(spot.item, item, size);
	xp_ring_publish(shared, &spot, size, packed);
	xp_park_wake(&shared->getters);
	return 0;
}

XP_RING_INLINE int xp_ring_get_as(const struct xp_ring *ring, void *buffer, size_t capacity,
				  size_t *ret_size, bool packed)
{
	struct xp_ring_shared *shared = ring->shared;
	uint64_t head = atomic_load_explicit(&shared->head, memory_order_relaxed);
	struct xp_ring_spot spot = xp_ring_spot(ring, head, packed);
	uint64_t item_max = ring->item_max;
	uint64_t size = xp_ring_look(&spot, packed);

	if (__builtin_expect(size > item_max || size > capacity, 0)) {
		if (size == XP_RING_NONE)
			return -EAGAIN;
		if (size > item_max)
			return -EPROTO;
		*ret_size = size;
		return -EMSGSIZE;
	}
	xp_ring_copy(buffer, spot.item, size, capacity);
	*ret_size = size;
	atomic_store_explicit(&shared->head, spot.next, memory_order_release);
	xp_park_wake(&shared->putters);
	return 0;
}

/* Get without finding out why there is nothing: -EAGAIN covers all reasons. */
XP_MUST_CHECK XP_RING_INLINE int xp_ring_get_at_once(const struct xp_ring *ring, void *buffer,
						     size_t capacity, size_t *ret_size)
{
	return ring->packed ? xp_ring_get_as(ring, buffer, capacity, ret_size, true)
			    : xp_ring_get_as(ring, buffer, capacity, ret_size, false);
}

/* The size of the item at @position if it is committed, else XP_RING_NONE. */
XP_RING_INLINE uint64_t xp_ring_size_at(const struct xp_ring *ring, uint64_t position)
{
	struct xp_ring_spot spot = xp_ring_spot(ring, position, ring->packed);

	return xp_ring_look(&spot, ring->packed);
}

/* ---- one item at a time ---- */

/**
 * xp_ring_try_claim() - A place for the next item, to be filled with up to item_max bytes.
 *
 * Context:  The producer. Claiming again without a commit gives the same place.
 * Progress: Wait-free.
 * Return:   0; -EAGAIN: full; -EPIPE: closed; -EPROTO: garbage in the ring.
 */
XP_MUST_CHECK static inline int xp_ring_try_claim(const struct xp_ring *ring, void **ret_place)
{
	uint64_t tail = atomic_load_explicit(&ring->shared->tail, memory_order_relaxed);

	if (__builtin_expect(!xp_ring_has_room(ring->shared, tail), 0)) {
		int rc = xp_ring_claim_slow(*ring, &tail);
		if (rc < 0)
			return rc;
	}
	*ret_place = xp_ring_spot(ring, tail, ring->packed).item;
	return 0;
}

/**
 * xp_ring_commit() - Hand over the claimed item, @size bytes, at most item_max.
 *
 * Context:  The producer, after a successful claim.
 * Progress: Wait-free; no locked instruction; a system call only if a consumer sleeps.
 * Ordering: A release operation; pairs with xp_ring_try_peek() and xp_ring_try_get().
 */
static inline void xp_ring_commit(const struct xp_ring *ring, size_t size)
{
	uint64_t tail = atomic_load_explicit(&ring->shared->tail, memory_order_relaxed);
	struct xp_ring_spot spot = xp_ring_spot(ring, tail, ring->packed);

	xp_assert(size <= ring->item_max);
	xp_ring_publish(ring->shared, &spot, size, ring->packed);
	xp_park_wake(&ring->shared->getters);
}

/** xp_ring_try_put() - Claim, copy, commit. Return: as try_claim; -EMSGSIZE. */
XP_MUST_CHECK XP_RING_INLINE int xp_ring_try_put(const struct xp_ring *ring, const void *item,
						 size_t size)
{
	if (__builtin_expect(size > ring->item_max, 0))
		return -EMSGSIZE;
	return ring->packed ? xp_ring_put_as(ring, item, size, true)
			    : xp_ring_put_as(ring, item, size, false);
}

/**
 * xp_ring_try_peek() - The oldest item, where it lies; valid until xp_ring_consume().
 *
 * Context:  The consumer. A consumer that dies before it consumes leaves the item to the next one.
 * Progress: Wait-free.
 * Ordering: An acquire operation; pairs with xp_ring_commit().
 * Return:   0; -EAGAIN: empty; -EPIPE: empty and closed; -EPROTO: garbage in the ring.
 */
XP_MUST_CHECK static inline int xp_ring_try_peek(const struct xp_ring *ring, const void **ret_item,
						 size_t *ret_size)
{
	uint64_t head = atomic_load_explicit(&ring->shared->head, memory_order_relaxed);
	uint64_t size = xp_ring_size_at(ring, head);

	if (__builtin_expect(size > ring->item_max, 0))
		return xp_ring_peek_slow(*ring, ret_item, ret_size);
	*ret_item = xp_ring_spot(ring, head, ring->packed).item;
	*ret_size = size;
	return 0;
}

/** xp_ring_has_item() - Whether there is an item, the cheapest way: to be polled. */
XP_RING_INLINE bool xp_ring_has_item(const struct xp_ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->shared->head, memory_order_relaxed);

	return xp_ring_size_at(ring, head) != XP_RING_NONE;
}

/** xp_ring_consume() - The peeked item is taken. A release operation; pairs with try_claim. */
static inline void xp_ring_consume(const struct xp_ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->shared->head, memory_order_relaxed);

	atomic_store_explicit(&ring->shared->head, xp_ring_spot(ring, head, ring->packed).next,
			      memory_order_release);
	xp_park_wake(&ring->shared->putters);
}

/**
 * xp_ring_try_get() - Peek, copy, consume.
 * Return: as try_peek; -EMSGSIZE: @capacity is below *@ret_size and the item stays.
 */
XP_MUST_CHECK XP_RING_INLINE int xp_ring_try_get(const struct xp_ring *ring, void *buffer,
						 size_t capacity, size_t *ret_size)
{
	int rc = xp_ring_get_at_once(ring, buffer, capacity, ret_size);

	if (__builtin_expect(rc == -EAGAIN, 0)) {
		const void *item;
		size_t size;
		rc = xp_ring_peek_slow(*ring, &item, &size);
		/* It came between the two looks. */
		if (rc == 0)
			rc = xp_ring_get_at_once(ring, buffer, capacity, ret_size);
	}
	return rc;
}

/* ---- many at a time ---- */

/**
 * xp_ring_try_put_batch() - Put up to @count items of @size bytes each, which lie side by side.
 *
 * One wake-up and, in the packed layout, one header per line of seven for the whole batch. The
 * items become visible in order, not all at once.
 *
 * Return: how many were put, at least 1; or as xp_ring_try_put().
 */
XP_MUST_CHECK int64_t xp_ring_try_put_batch(const struct xp_ring *ring, const void *items,
					    size_t size, size_t count);

/**
 * xp_ring_try_get_batch() - Get up to @count items of exactly @size bytes, side by side.
 *
 * It stops before an item of another size; if that is the first: -EMSGSIZE.
 *
 * Return: how many were got, at least 1; or as xp_ring_try_get().
 */
XP_MUST_CHECK int64_t xp_ring_try_get_batch(const struct xp_ring *ring, void *buffer, size_t size,
					    size_t count);

#endif
