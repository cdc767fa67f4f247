/* SPDX-License-Identifier: MIT */
#include "xpshare/chan/ring.h"

#define LINE_BYTES 64u

_Static_assert(XP_RING_HEADER_BYTES + XP_RING_CELLS * XP_RING_PACKED_MAX == LINE_BYTES,
	       "a packed line is one cache line");

static uint64_t power_of_two(uint64_t at_least)
{
	uint64_t power = 1;

	while (power < at_least)
		power *= 2;
	return power;
}

static bool is_legal(uint64_t capacity, uint64_t item_max)
{
	return capacity >= 1 && capacity <= XP_RING_CAPACITY_MAX && item_max >= 1 &&
	       item_max <= XP_RING_ITEM_MAX;
}

/* Everything that follows from capacity and item_max. */
static void derive(struct xp_ring *ring, uint64_t capacity, uint64_t item_max)
{
	uint64_t slots;

	ring->capacity = capacity;
	ring->item_max = item_max;
	ring->packed = item_max <= XP_RING_PACKED_MAX;
	if (ring->packed) {
		/* With head in the last cell of its line, item capacity - 1 after it lies this many
		 * lines on; one line more keeps invariant (4). */
		slots = power_of_two((capacity + XP_RING_CELLS - 2) / XP_RING_CELLS + 1);
		ring->stride = LINE_BYTES;
		ring->slot_mask = slots * 8 - 1;
	} else {
		slots = power_of_two(capacity);
		ring->stride = (XP_RING_HEADER_BYTES + item_max + LINE_BYTES - 1) &
			       ~(uint64_t)(LINE_BYTES - 1);
		ring->slot_mask = slots - 1;
	}
}

static uint64_t slots_of(const struct xp_ring *ring)
{
	return ring->packed ? (ring->slot_mask + 1) / 8 : ring->slot_mask + 1;
}

int xp_ring_size(uint64_t capacity, uint64_t item_max, size_t *ret_size)
{
	struct xp_ring ring;

	if (!is_legal(capacity, item_max))
		return -EINVAL;
	derive(&ring, capacity, item_max);
	*ret_size = offsetof(struct xp_ring_shared, slots) + slots_of(&ring) * ring.stride;
	return 0;
}

int xp_ring_create(void *memory, uint64_t capacity, uint64_t item_max, struct xp_ring *ret_ring)
{
	struct xp_ring_shared *shared = memory;

	if (!is_legal(capacity, item_max) || (uintptr_t)memory % XP_ISOLATION != 0)
		return -EINVAL;
	derive(ret_ring, capacity, item_max);
	ret_ring->shared = shared;
	ret_ring->slots = shared->slots;
	bool fences = xp_park_join() < 0;

	shared->version = XP_RING_VERSION;
	shared->geometry =
	    (struct xp_ring_geometry){.capacity = capacity, .item_max = item_max, .fences = fences};
	uint64_t first = xp_ring_position(ret_ring, 0);
	atomic_store_explicit(&shared->tail, first, memory_order_relaxed);
	atomic_store_explicit(&shared->intent, first, memory_order_relaxed);
	atomic_store_explicit(&shared->head, first, memory_order_relaxed);
	atomic_store_explicit(&shared->limit, xp_ring_position(ret_ring, capacity),
			      memory_order_relaxed);
	xp_park_init(&shared->getters, fences);
	xp_park_init(&shared->putters, fences);
	xp_park_init(&shared->joiners, fences);
	/* Pairs with the acquire load in xp_ring_attach(). */
	atomic_store_explicit(&shared->magic, XP_RING_MAGIC, memory_order_release);
	return 0;
}

int xp_ring_attach(void *memory, size_t size, struct xp_ring *ret_ring)
{
	struct xp_ring_shared *shared = memory;
	struct xp_ring ring;
	size_t needed;

	if (size < sizeof(*shared) || (uintptr_t)memory % XP_ISOLATION != 0)
		return -EPROTO;
	uint32_t magic = atomic_load_explicit(&shared->magic, memory_order_acquire);
	if (magic == 0)
		return -EAGAIN;
	/* One copy, so that what is checked is what is used. */
	struct xp_ring_geometry geometry = *(volatile struct xp_ring_geometry *)&shared->geometry;
	if (magic != XP_RING_MAGIC || shared->version != XP_RING_VERSION ||
	    xp_ring_size(geometry.capacity, geometry.item_max, &needed) < 0 || needed > size)
		return -EPROTO;
	if (geometry.fences == 0 && xp_park_join() < 0)
		return -ENOTSUP;
	derive(&ring, geometry.capacity, geometry.item_max);
	ring.shared = shared;
	ring.slots = shared->slots;
	*ret_ring = ring;
	return 0;
}

/* tail, moved past what is committed but not yet shown by it (3). At most one ring's worth. */
static uint64_t true_tail(const struct xp_ring *ring)
{
	uint64_t tail = atomic_load_explicit(&ring->shared->tail, memory_order_acquire);

	for (uint64_t i = 0; i < ring->capacity && xp_ring_size_at(ring, tail) != XP_RING_NONE; i++)
		tail = xp_ring_spot(ring, tail, ring->packed).next;
	return tail;
}

uint64_t xp_ring_put_total(const struct xp_ring *ring)
{
	return xp_ring_items(ring, true_tail(ring));
}

uint64_t xp_ring_length(const struct xp_ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->shared->head, memory_order_acquire);
	uint64_t length = xp_ring_items(ring, true_tail(ring)) - xp_ring_items(ring, head);

	/* head was read first, so that the difference can be too large but never negative. */
	return length <= ring->capacity ? length : ring->capacity;
}

bool xp_ring_is_full(const struct xp_ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->shared->head, memory_order_acquire);

	return xp_ring_put_total(ring) - xp_ring_items(ring, head) == ring->capacity;
}

/* Refresh limit from head, after moving tail on where it lags (3). 0, -EAGAIN: full, -EPROTO. */
static int make_room(const struct xp_ring *ring)
{
	struct xp_ring_shared *shared = ring->shared;
	uint64_t tail = true_tail(ring);
	/* Pairs with the release store in xp_ring_retire(). */
	uint64_t head = atomic_load_explicit(&shared->head, memory_order_acquire);
	uint64_t used = xp_ring_items(ring, tail) - xp_ring_items(ring, head);

	/* No two positions of a healthy ring are further apart, and none is a header's place. */
	if (used > ring->capacity || (ring->packed && ((tail & 7) == 0 || (head & 7) == 0)))
		return -EPROTO;
	/* tail before intent: a death between the two leaves them different. */
	atomic_store_explicit(&shared->tail, tail, memory_order_relaxed);
	atomic_store_explicit(&shared->intent, tail, memory_order_release);
	atomic_store_explicit(&shared->limit,
			      xp_ring_position(ring, xp_ring_items(ring, head) + ring->capacity),
			      memory_order_relaxed);
	return used == ring->capacity ? -EAGAIN : 0;
}

/* Items that may be put from @tail on without a look at head. */
static uint64_t room_after(const struct xp_ring *ring, uint64_t tail)
{
	uint64_t limit = atomic_load_explicit(&ring->shared->limit, memory_order_relaxed);

	return xp_ring_items(ring, limit) - xp_ring_items(ring, tail);
}

int xp_ring_claim_slow(struct xp_ring view, uint64_t *ret_tail)
{
	const struct xp_ring *ring = &view;

	if (atomic_load_explicit(&ring->shared->closed, memory_order_relaxed) != 0)
		return -EPIPE;
	int rc = make_room(ring);
	if (rc == 0)
		*ret_tail = atomic_load_explicit(&ring->shared->tail, memory_order_relaxed);
	return rc;
}

int xp_ring_peek_slow(struct xp_ring view, const void **ret_item, size_t *ret_size)
{
	const struct xp_ring *ring = &view;
	struct xp_ring_shared *shared = ring->shared;
	/* closed first: the second look then sees every item that was put before the close. */
	bool closed = atomic_load_explicit(&shared->closed, memory_order_acquire) != 0;
	uint64_t head = atomic_load_explicit(&shared->head, memory_order_relaxed);
	struct xp_ring_spot spot = xp_ring_spot(ring, head, ring->packed);
	uint64_t header = atomic_load_explicit(spot.header, memory_order_acquire);
	uint32_t turn = (uint32_t)(header >> 32);
	uint32_t behind = (uint32_t)spot.turn - turn;
	uint64_t size = xp_ring_look(&spot, ring->packed);

	if (size == XP_RING_NONE) {
		/* The slot's header is of this turn, the one before, or none. */
		if ((behind != 0 && behind != slots_of(ring) && turn != 0) ||
		    (ring->packed && spot.cell == 0))
			return -EPROTO;
		return closed ? -EPIPE : -EAGAIN;
	}
	if (size > ring->item_max)
		return -EPROTO;
	*ret_item = spot.item;
	*ret_size = size;
	return 0;
}

/* ---- many at a time ---- */

/*
 * What makes a batch fast is how many lines are on their way at once: few instructions for a line, so
 * that the processor sees several lines ahead, and a request for the line that will be needed so many
 * lines on. Each line is still published by one store, in order, as if its items came one by one.
 */
#define LINES_AHEAD 6

/* The sizes in a packed header of the @n cells, 1 to 7, from @first on, if their items have @size bytes. */
static inline uint64_t sizes_of(uint64_t first, uint64_t n, uint64_t size)
{
	return (UINT64_C(0x11111111) >> (32 - 4 * n) << (4 * first)) * size;
}

/* The header, without the turn, of a packed line whose items all have 8 bytes. */
#define FULL_OF_EIGHTS (UINT64_C(0x88888880) | XP_RING_CELLS)

static inline _Atomic uint64_t *header_of(unsigned char *line)
{
	return (_Atomic uint64_t *)(void *)line;
}

/* The packed line of @position. */
static inline unsigned char *line_of(struct xp_ring ring, uint64_t position)
{
	return ring.slots + (position & ring.slot_mask & ~UINT64_C(7)) * 8;
}

/* Less than a line of words: three branches that repeat, and no loop whose length is guessed. */
static inline void copy_words(unsigned char *to, const unsigned char *from, uint64_t n)
{
	if (n & 4)
		memcpy(to, from, 32);
	if (n & 2)
		memcpy(to + (n & 4) * 8, from + (n & 4) * 8, 16);
	if (n & 1)
		memcpy(to + (n & 6) * 8, from + (n & 6) * 8, 8);
}

/* @n items of @size bytes, from every @from_step bytes to every @to_step bytes; in words: side by side. */
static inline void copy_cells(unsigned char *to, size_t to_step, const unsigned char *from,
			      size_t from_step, size_t size, uint64_t n)
{
	if (size == 8) {
		copy_words(to, from, n);
	} else {
		for (uint64_t i = 0; i < n; i++)
			memcpy(to + to_step * i, from + from_step * i, size);
	}
}

/* The position @n cells after @position, in the same line or at the start of the next. */
static inline uint64_t after_cells(uint64_t position, uint64_t n)
{
	return position + n + (((position + n) & 7) == 0);
}

/* Fill whole lines from @tail, the first cell of one, with up to @count words; returns how many. */
static inline uint64_t put_lines(struct xp_ring ring, uint64_t tail, const unsigned char *words,
				 uint64_t count)
{
	uint64_t done;

	for (done = 0; count - done >= XP_RING_CELLS; done += XP_RING_CELLS, tail += 8) {
		unsigned char *line = line_of(ring, tail);
		memcpy(line + XP_RING_HEADER_BYTES, words + 8 * done, 8 * XP_RING_CELLS);
		__builtin_prefetch(line_of(ring, tail + UINT64_C(8) * LINES_AHEAD), 1);
		atomic_store_explicit(header_of(line), tail >> 3 << 32 | FULL_OF_EIGHTS,
				      memory_order_release);
	}
	return done;
}

/* Fill what is left of the line of @tail with up to @count items; returns how many. */
static inline uint64_t put_cells(struct xp_ring ring, uint64_t tail, const unsigned char *items,
				 size_t size, uint64_t count)
{
	unsigned char *line = line_of(ring, tail);
	uint64_t cell = tail & 7, n = XP_RING_CELLS + 1 - cell;
	uint64_t header = tail >> 3 << 32;

	if (n > count)
		n = count;
	copy_cells(line + 8 * cell, 8, items, size, size, n);
	if (cell > 1)
		header = atomic_load_explicit(header_of(line), memory_order_relaxed) & ~UINT64_C(7);
	header |= sizes_of(cell, n, size) | (cell + n - 1);
	atomic_store_explicit(header_of(line), header, memory_order_release);
	return n;
}

/* Put @count items, for which there is room; returns the tail behind them. */
XP_RING_INLINE uint64_t put_packed(struct xp_ring ring, uint64_t tail, const unsigned char *items,
				   size_t size, uint64_t count)
{
	while (count > 0) {
		uint64_t n = 0;
		if (size == 8 && (tail & 7) == 1) {
			n = put_lines(ring, tail, items, count);
			tail += n / XP_RING_CELLS * 8;
		}
		if (n == 0) {
			n = put_cells(ring, tail, items, size, count);
			tail = after_cells(tail, n);
		}
		items += n * size;
		count -= n;
	}
	return tail;
}

static uint64_t put_slotted(struct xp_ring ring, uint64_t tail, const unsigned char *items,
			    size_t size, uint64_t count)
{
	for (; count > 0; count--) {
		struct xp_ring_spot spot = xp_ring_spot(&ring, tail, false);
		memcpy(spot.item, items, size);
		atomic_store_explicit(spot.header, spot.turn << 32 | size, memory_order_release);
		tail = spot.next;
		items += size;
	}
	return tail;
}

int64_t xp_ring_try_put_batch(const struct xp_ring *view, const void *items, size_t size,
			      size_t count)
{
	/* A copy, which the items cannot overlap as far as the compiler knows. */
	const struct xp_ring ring = *view;
	struct xp_ring_shared *shared = ring.shared;
	uint64_t tail = atomic_load_explicit(&shared->tail, memory_order_relaxed);

	if (size > ring.item_max)
		return -EMSGSIZE;
	if (count == 0)
		return 0;
	if (__builtin_expect(!xp_ring_has_room(shared, tail), 0)) {
		int rc = xp_ring_claim_slow(ring, &tail);
		if (rc < 0)
			return rc;
	}
	uint64_t room = room_after(view, tail);
	if (__builtin_expect(room < count, 0)) {
		if (make_room(view) == 0)
			room = room_after(view, tail);
		if (count > room)
			count = room;
	}

	/* Anything but tail: this batch is under way (3). */
	atomic_store_explicit(&shared->intent, ~tail, memory_order_relaxed);
	if (!ring.packed)
		tail = put_slotted(ring, tail, items, size, count);
	else if (size == 8)
		tail = put_packed(ring, tail, items, 8, count);
	else
		tail = put_packed(ring, tail, items, size, count);
	atomic_store_explicit(&shared->tail, tail, memory_order_release);
	atomic_store_explicit(&shared->intent, tail, memory_order_release);
	xp_park_wake(&shared->getters);
	return (int64_t)count;
}

/* Take whole lines of words from @head, the first cell of one, at most @count words; how many. */
static inline uint64_t get_lines(struct xp_ring ring, uint64_t head, unsigned char *to,
				 uint64_t count)
{
	uint64_t done;

	for (done = 0; count - done >= XP_RING_CELLS; done += XP_RING_CELLS, head += 8) {
		unsigned char *line = line_of(ring, head);
		if (atomic_load_explicit(header_of(line), memory_order_acquire) !=
		    (head >> 3 << 32 | FULL_OF_EIGHTS))
			break;
		__builtin_prefetch(line_of(ring, head + UINT64_C(8) * LINES_AHEAD), 0);
		memcpy(to + 8 * done, line + XP_RING_HEADER_BYTES, 8 * XP_RING_CELLS);
	}
	return done;
}

/* Take up to @count items of @size bytes from the line of @head; returns how many, 0 for none. */
static inline uint64_t get_cells(struct xp_ring ring, uint64_t head, unsigned char *to, size_t size,
				 uint64_t count)
{
	unsigned char *line = line_of(ring, head);
	uint64_t header = atomic_load_explicit(header_of(line), memory_order_acquire);
	uint64_t cell = head & 7, n = (header & 7) + 1 - cell;

	/* A cell 0 is garbage, which the caller's second look will find. */
	if (header >> 32 != (uint32_t)(head >> 3) || (header & 7) < cell || cell == 0)
		return 0;
	if (n > count)
		n = count;
	uint64_t differing = (header ^ sizes_of(cell, n, size)) & sizes_of(cell, n, 15);
	if (__builtin_expect(differing != 0, 0))
		n = (uint64_t)__builtin_ctzll(differing) / 4 - cell;
	copy_cells(to, size, line + 8 * cell, 8, size, n);
	return n;
}

/* Take up to @count items of @size bytes; returns how many, and moves *@head behind them. */
XP_RING_INLINE uint64_t get_packed(struct xp_ring ring, uint64_t *head, unsigned char *to,
				   size_t size, uint64_t count)
{
	uint64_t at = *head, got = 0;

	while (got < count) {
		uint64_t n = 0;
		if (size == 8 && (at & 7) == 1) {
			n = get_lines(ring, at, to, count - got);
			at += n / XP_RING_CELLS * 8;
		}
		if (n == 0) {
			n = get_cells(ring, at, to, size, count - got);
			if (n == 0)
				break;
			at = after_cells(at, n);
		}
		to += n * size;
		got += n;
	}
	*head = at;
	return got;
}

static uint64_t get_slotted(struct xp_ring ring, uint64_t *head, unsigned char *to, size_t size,
			    uint64_t count)
{
	uint64_t got;

	for (got = 0; got < count; got++) {
		struct xp_ring_spot spot = xp_ring_spot(&ring, *head, false);
		if (xp_ring_look(&spot, false) != size)
			break;
		memcpy(to, spot.item, size);
		*head = spot.next;
		to += size;
	}
	return got;
}

int64_t xp_ring_try_get_batch(const struct xp_ring *view, void *buffer, size_t size, size_t count)
{
	const struct xp_ring ring = *view;
	struct xp_ring_shared *shared = ring.shared;
	uint64_t head = atomic_load_explicit(&shared->head, memory_order_relaxed), got = 0;

	if (count == 0)
		return 0;
	if (size <= ring.item_max) {
		if (!ring.packed)
			got = get_slotted(ring, &head, buffer, size, count);
		else if (size == 8)
			got = get_packed(ring, &head, buffer, 8, count);
		else
			got = get_packed(ring, &head, buffer, size, count);
	}
	if (__builtin_expect(got == 0, 0)) {
		const void *item;
		size_t first;
		int rc = xp_ring_peek_slow(ring, &item, &first);
		/* An item of that size has come between the two looks. */
		return rc < 0 ? rc : first == size ? -EAGAIN : -EMSGSIZE;
	}
	atomic_store_explicit(&shared->head, head, memory_order_release);
	xp_park_wake(&shared->putters);
	return (int64_t)got;
}
