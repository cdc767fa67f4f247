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

static uint32_t log2_of(uint64_t power)
{
	return (uint32_t)__builtin_ctzll(power);
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
		ring->lap_shift = log2_of(slots * 8);
	} else {
		slots = power_of_two(capacity);
		ring->stride = (XP_RING_HEADER_BYTES + item_max + LINE_BYTES - 1) &
			       ~(uint64_t)(LINE_BYTES - 1);
		ring->slot_mask = slots - 1;
		ring->lap_shift = log2_of(slots);
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
	ret_ring->fences = xp_park_join() < 0;

	shared->version = XP_RING_VERSION;
	shared->geometry = (struct xp_ring_geometry){
	    .capacity = capacity, .item_max = item_max, .fences = ret_ring->fences};
	uint64_t first = xp_ring_position(ret_ring, 0);
	atomic_store_explicit(&shared->tail, first, memory_order_relaxed);
	atomic_store_explicit(&shared->intent, first, memory_order_relaxed);
	atomic_store_explicit(&shared->head, first, memory_order_relaxed);
	atomic_store_explicit(&shared->limit, xp_ring_position(ret_ring, capacity),
			      memory_order_relaxed);
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
	ring.fences = geometry.fences != 0;
	*ret_ring = ring;
	return 0;
}

/* tail, moved past what is committed but not yet shown by it (3). At most one ring's worth. */
static uint64_t true_tail(const struct xp_ring *ring)
{
	uint64_t tail = atomic_load_explicit(&ring->shared->tail, memory_order_acquire);
	uint64_t size;

	for (uint64_t i = 0; i < ring->capacity && xp_ring_committed(ring, tail, &size); i++)
		tail = xp_ring_next(ring, tail);
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

int xp_ring_claim_slow(const struct xp_ring *ring, void **ret_place)
{
	int rc = make_room(ring);

	if (rc == 0)
		*ret_place = xp_ring_item(
		    ring, atomic_load_explicit(&ring->shared->tail, memory_order_relaxed));
	return rc;
}

int xp_ring_peek_slow(const struct xp_ring *ring, const void **ret_item, size_t *ret_size)
{
	struct xp_ring_shared *shared = ring->shared;
	/* closed first: the second look then sees every item that was put before the close. */
	bool closed = atomic_load_explicit(&shared->closed, memory_order_acquire) != 0;
	uint64_t head = atomic_load_explicit(&shared->head, memory_order_relaxed);
	uint64_t header = atomic_load_explicit(xp_ring_header(ring, head), memory_order_acquire);
	uint32_t behind = xp_ring_lap(ring, head) - (uint32_t)(header >> 32);
	uint64_t size;

	/* The slot's last header is of this lap or of the one before. */
	if (behind > 1 || (ring->packed && (head & 7) == 0))
		return -EPROTO;
	if (!xp_ring_committed(ring, head, &size))
		return closed ? -EPIPE : -EAGAIN;
	if (size > ring->item_max)
		return -EPROTO;
	*ret_item = xp_ring_item(ring, head);
	*ret_size = size;
	return 0;
}

/* The packed header of a line whose cells 1 to @last are filled with items of @size bytes. */
static uint64_t sizes_upto(uint64_t last, uint64_t size)
{
	uint64_t cells = UINT64_C(0x11111110) & ((UINT64_C(1) << (4 * last + 4)) - 1);

	return cells * size;
}

/* Fill the line of @tail with up to @count items; returns how many. */
static uint64_t put_line(const struct xp_ring *ring, uint64_t tail, const unsigned char *items,
			 size_t size, uint64_t count)
{
	uint64_t cell = tail & 7;
	uint64_t n = XP_RING_CELLS + 1 - cell;
	unsigned char *to = xp_ring_item(ring, tail);
	_Atomic uint64_t *at = xp_ring_header(ring, tail);
	uint64_t header = (uint64_t)xp_ring_lap(ring, tail) << 32;

	if (n > count)
		n = count;
	if (size == 8 && n == XP_RING_CELLS)
		memcpy(to, items, sizeof(uint64_t) * XP_RING_CELLS);
	else
		for (uint64_t i = 0; i < n; i++)
			xp_ring_copy(to + 8 * i, items + size * i, size, 8);
	if (cell > 1)
		header = atomic_load_explicit(at, memory_order_relaxed) & ~UINT64_C(7);
	header |= sizes_upto(cell + n - 1, size) & ~(sizes_upto(cell - 1, 15));
	atomic_store_explicit(at, header | (cell + n - 1), memory_order_release);
	return n;
}

int64_t xp_ring_try_put_batch(const struct xp_ring *ring, const void *items, size_t size,
			      size_t count)
{
	struct xp_ring_shared *shared = ring->shared;
	const unsigned char *from = items;
	void *place;

	if (size > ring->item_max)
		return -EMSGSIZE;
	if (count == 0)
		return 0;
	int rc = xp_ring_try_claim(ring, &place);
	if (rc < 0)
		return rc;

	uint64_t tail = atomic_load_explicit(&shared->tail, memory_order_relaxed);
	uint64_t limit = atomic_load_explicit(&shared->limit, memory_order_relaxed);
	uint64_t room = xp_ring_items(ring, limit) - xp_ring_items(ring, tail);
	if (room < count && make_room(ring) == 0) {
		limit = atomic_load_explicit(&shared->limit, memory_order_relaxed);
		room = xp_ring_items(ring, limit) - xp_ring_items(ring, tail);
	}
	if (count > room)
		count = room;

	/* Anything but tail: this batch is under way (3). */
	atomic_store_explicit(&shared->intent, ~tail, memory_order_relaxed);
	for (size_t left = count; left > 0;) {
		uint64_t n = 1;

		if (ring->packed) {
			n = put_line(ring, tail, from, size, left);
			tail += n;
			tail += (tail & 7) == 0;
		} else {
			memcpy(xp_ring_item(ring, tail), from, size);
			atomic_store_explicit(xp_ring_header(ring, tail),
					      (uint64_t)xp_ring_lap(ring, tail) << 32 | size,
					      memory_order_release);
			tail++;
		}
		from += n * size;
		left -= n;
	}
	atomic_store_explicit(&shared->tail, tail, memory_order_release);
	atomic_store_explicit(&shared->intent, tail, memory_order_release);
	xp_park_wake(&shared->getters, ring->fences);
	return (int64_t)count;
}

/* Take up to @count items of @size bytes from the line of @head; returns how many, 0 for none. */
static uint64_t get_line(const struct xp_ring *ring, uint64_t head, unsigned char *to, size_t size,
			 uint64_t count)
{
	uint64_t header = atomic_load_explicit(xp_ring_header(ring, head), memory_order_acquire);
	const unsigned char *from = xp_ring_item(ring, head);
	uint64_t cell = head & 7;
	uint64_t n = (header & 7) + 1 - cell;

	if ((uint32_t)(header >> 32) != xp_ring_lap(ring, head) || (header & 7) < cell)
		return 0;
	if (n > count)
		n = count;
	uint64_t wanted = sizes_upto(cell + n - 1, size) & ~sizes_upto(cell - 1, 15);
	uint64_t which = sizes_upto(cell + n - 1, 15) & ~sizes_upto(cell - 1, 15);
	if (size == 8 && n == XP_RING_CELLS && (header & which) == wanted) {
		memcpy(to, from, sizeof(uint64_t) * XP_RING_CELLS);
		return n;
	}
	for (uint64_t i = 0; i < n; i++) {
		if ((header >> (4 * (cell + i)) & 15) != size)
			return i;
		xp_ring_copy(to + size * i, from + 8 * i, size, 8);
	}
	return n;
}

int64_t xp_ring_try_get_batch(const struct xp_ring *ring, void *buffer, size_t size, size_t count)
{
	struct xp_ring_shared *shared = ring->shared;
	unsigned char *to = buffer;
	const void *item;
	size_t first;

	if (count == 0)
		return 0;
	int rc = xp_ring_try_peek(ring, &item, &first);
	if (rc < 0)
		return rc;
	if (first != size)
		return -EMSGSIZE;

	uint64_t head = atomic_load_explicit(&shared->head, memory_order_relaxed);
	size_t got = 0;
	while (got < count) {
		uint64_t n = 1;
		uint64_t now;

		if (ring->packed) {
			n = get_line(ring, head, to, size, count - got);
			if (n == 0)
				break;
			head += n;
			head += (head & 7) == 0;
		} else {
			if (!xp_ring_committed(ring, head, &now) || now != size)
				break;
			memcpy(to, xp_ring_item(ring, head), size);
			head++;
		}
		to += n * size;
		got += n;
	}
	atomic_store_explicit(&shared->head, head, memory_order_release);
	xp_park_wake(&shared->putters, ring->fences);
	return (int64_t)got;
}
