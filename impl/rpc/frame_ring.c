/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/frame_ring.h"

#include <string.h>

/* A producer that follows the protocol makes the swap fail once; one that keeps writing could for ever. */
#define ANNOUNCE_TRIES 64

void xp_frame_ring_init(struct xp_frame_ring *ring, struct xp_frame_line *lines, uint32_t count,
			struct xp_frame_taken *taken)
{
	xp_assert(count >= XP_FRAME_LINES_MIN && count <= XP_FRAME_LINES_MAX);
	*ring = (struct xp_frame_ring){
	    .lines = lines, .taken = taken, .count = count, .lap = XP_FRAME_RING_LAP_ONE};
}

static uint32_t lines_for(size_t size)
{
	return size == 0 ? 1 : (uint32_t)((size + XP_FRAME_LINE_BYTES - 1) / XP_FRAME_LINE_BYTES);
}

/* The line after @at, and its lap. */
static uint32_t next_line(const struct xp_frame_ring *ring, uint32_t at, uint32_t *lap)
{
	if (++at < ring->count)
		return at;
	*lap = (*lap + XP_FRAME_RING_LAP_ONE) & XP_FRAME_RING_LAP;
	return 0;
}

/* Whether the next @need lines may be written. */
static int find_room(struct xp_frame_ring *ring, uint32_t need)
{
	if (ring->moved + need - ring->seen <= ring->count)
		return 0;
	/* Pairs with the release store of a take. */
	uint64_t taken = atomic_load_explicit(&ring->taken->lines, memory_order_acquire);

	if (taken < ring->seen || taken > ring->moved)
		return -EPROTO;
	ring->seen = taken;
	return ring->moved + need - taken <= ring->count ? 0 : -EAGAIN;
}

/* Copy the frame into the lines behind ring->at, and write the words of all but the first. */
static void fill(const struct xp_frame_ring *ring, const struct iovec *part, size_t size)
{
	uint32_t at = ring->at, lap = ring->lap;
	const unsigned char *from = part->iov_base;
	size_t left = part->iov_len;

	for (size_t done = 0; done < size;) {
		size_t room = size - done < XP_FRAME_LINE_BYTES ? size - done : XP_FRAME_LINE_BYTES;
		unsigned char *to = ring->lines[at].bytes;

		if (done > 0)
			atomic_store_explicit(&ring->lines[at].word, lap, memory_order_relaxed);
		done += room;
		while (room > 0) {
			while (left == 0) {
				part++;
				from = part->iov_base;
				left = part->iov_len;
			}
			size_t now = left < room ? left : room;

			memcpy(to, from, now);
			to += now;
			from += now;
			left -= now;
			room -= now;
		}
		at = next_line(ring, at, &lap);
	}
}

static void move_on(struct xp_frame_ring *ring, uint32_t lines)
{
	ring->moved += lines;
	ring->at += lines;
	if (ring->at >= ring->count) {
		ring->at -= ring->count;
		ring->lap = (ring->lap + XP_FRAME_RING_LAP_ONE) & XP_FRAME_RING_LAP;
	}
}

static void publish(struct xp_frame_ring *ring, uint32_t what, uint32_t lines, uint32_t *ret_sleeps)
{
	uint32_t old = atomic_exchange_explicit(&ring->lines[ring->at].word, ring->lap | what,
						memory_order_acq_rel);

	*ret_sleeps = old & XP_FRAME_RING_SLEEPS;
	move_on(ring, lines);
}

int xp_frame_ring_put(struct xp_frame_ring *ring, const struct iovec *parts, size_t size,
		      uint32_t *ret_sleeps)
{
	uint32_t need;

	if (size > xp_frame_ring_max(ring))
		return -EMSGSIZE;
	need = lines_for(size);
	int rc = find_room(ring, need);

	if (rc < 0)
		return rc;
	fill(ring, parts, size);
	publish(ring, (uint32_t)size + 1, need, ret_sleeps);
	return 0;
}

int xp_frame_ring_mark(struct xp_frame_ring *ring, uint32_t *ret_sleeps)
{
	int rc = find_room(ring, 1);

	if (rc == 0)
		publish(ring, XP_FRAME_RING_MARK, 1, ret_sleeps);
	return rc;
}

static void consume(struct xp_frame_ring *ring, uint32_t lines)
{
	move_on(ring, lines);
	atomic_store_explicit(&ring->taken->lines, ring->moved, memory_order_release);
}

int xp_frame_ring_take(struct xp_frame_ring *ring, void *buffer, size_t room, size_t *ret_size)
{
	/* Read once: what is checked is what is used. Pairs with the exchange of a put. */
	uint32_t word = atomic_load_explicit(&ring->lines[ring->at].word, memory_order_acquire);
	uint32_t what = word & XP_FRAME_RING_SIZE;
	unsigned char *to = buffer;

	if ((word ^ ring->lap) & XP_FRAME_RING_LAP)
		return -EAGAIN;
	if (what == XP_FRAME_RING_MARK) {
		consume(ring, 1);
		return 1;
	}
	size_t size = (size_t)what - 1;

	if (what == 0 || size > room || size > xp_frame_ring_max(ring))
		return -EPROTO;
	for (size_t done = 0, at = ring->at; done < size; done += XP_FRAME_LINE_BYTES) {
		size_t now = size - done < XP_FRAME_LINE_BYTES ? size - done : XP_FRAME_LINE_BYTES;

		memcpy(to + done, ring->lines[at].bytes, now);
		at = at + 1 < ring->count ? at + 1 : 0;
	}
	consume(ring, lines_for(size));
	*ret_size = size;
	return 0;
}

bool xp_frame_ring_announce(struct xp_frame_ring *ring, uint32_t how, uint32_t *ret_word)
{
	_Atomic uint32_t *word = xp_frame_ring_word(ring);
	uint32_t seen = atomic_load_explicit(word, memory_order_acquire);

	for (int i = 0; i < ANNOUNCE_TRIES && ((seen ^ ring->lap) & XP_FRAME_RING_LAP); i++) {
		uint32_t next = (seen & ~XP_FRAME_RING_SLEEPS) | how;

		if (seen == next ||
		    atomic_compare_exchange_weak_explicit(word, &seen, next, memory_order_acq_rel,
							  memory_order_acquire)) {
			*ret_word = next;
			return true;
		}
	}
	return false;
}
