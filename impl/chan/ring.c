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

/* The sizes in a packed header whose cells 1 to @last hold items of @size bytes. */
static uint64_t sizes_upto(uint64_t last, uint64_t size)
{
	uint64_t cells = UINT64_C(0x11111110) & ((UINT64_C(1) << (4 * last + 4)) - 1);

	return cells * size;
}

/* The header, without the turn, of a packed line whose items all have 8 bytes. */
#define FULL_OF_EIGHTS (UINT64_C(0x88888880) | XP_RING_CELLS)

/* @n items between @from, @from_step bytes apart, and @to. */
static void copy_cells(unsigned char *to, size_t to_step, const unsigned char *from,
		       size_t from_step, size_t size, uint64_t n)
{
	if (size == 8) {
		for (uint64_t i = 0; i < n; i++)
			memcpy(to + 8 * i, from + 8 * i, 8);
	} else {
		for (uint64_t i = 0; i < n; i++)
			memcpy(to + to_step * i, from + from_step * i, size);
	}
}

/* Fill the line of @tail with up to @count items; returns how many. */
static uint64_t put_line(const struct xp_ring *ring, uint64_t tail, const unsigned char *items,
			 size_t size, uint64_t count)
{
	struct xp_ring_spot spot = xp_ring_spot(ring, tail, true);
	uint64_t n = XP_RING_CELLS + 1 - spot.cell;
	uint64_t header = spot.turn << 32;

	/* The bulk of a large batch. */
	if (size == 8 && spot.cell == 1 && count >= XP_RING_CELLS) {
		memcpy(spot.item, items, sizeof(uint64_t) * XP_RING_CELLS);
		atomic_store_explicit(spot.header, header | FULL_OF_EIGHTS, memory_order_release);
		return XP_RING_CELLS;
	}

	if (n > count)
		n = count;
	copy_cells(spot.item, 8, items, size, size, n);
	if (spot.cell > 1)
		header = atomic_load_explicit(spot.header, memory_order_relaxed) & ~UINT64_C(7);
	uint64_t last = spot.cell + n - 1;
	header |= sizes_upto(last, size) & ~sizes_upto(spot.cell - 1, 15);
	atomic_store_explicit(spot.header, header | last, memory_order_release);
	return n;
}

/* The position @n cells after @position, in the same line or at the start of the next. */
static uint64_t after_cells(uint64_t position, uint64_t n)
{
	return position + n + (((position + n) & 7) == 0);
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
	uint64_t room = room_after(ring, tail);
	if (room < count && make_room(ring) == 0)
		room = room_after(ring, tail);
	if (count > room)
		count = room;

	/* Anything but tail: this batch is under way (3). */
	atomic_store_explicit(&shared->intent, ~tail, memory_order_relaxed);
	for (size_t left = count; left > 0;) {
		uint64_t n = 1;

		if (ring->packed) {
			n = put_line(ring, tail, from, size, left);
			tail = after_cells(tail, n);
		} else {
			struct xp_ring_spot spot = xp_ring_spot(ring, tail, false);
			memcpy(spot.item, from, size);
			atomic_store_explicit(spot.header, spot.turn << 32 | size,
					      memory_order_release);
			tail = spot.next;
		}
		from += n * size;
		left -= n;
	}
	atomic_store_explicit(&shared->tail, tail, memory_order_release);
	atomic_store_explicit(&shared->intent, tail, memory_order_release);
	xp_park_wake(&shared->getters);
	return (int64_t)count;
}

/* Take up to @count items of @size bytes from the line of @head; returns how many, 0 for none. */
static uint64_t get_line(const struct xp_ring *ring, uint64_t head, unsigned char *to, size_t size,
			 uint64_t count)
{
	struct xp_ring_spot spot = xp_ring_spot(ring, head, true);
	uint64_t header = atomic_load_explicit(spot.header, memory_order_acquire);
	uint64_t n = (header & 7) + 1 - spot.cell;

	/* The bulk of a large batch. */
	if (size == 8 && spot.cell == 1 && count >= XP_RING_CELLS &&
	    header == (spot.turn << 32 | FULL_OF_EIGHTS)) {
		memcpy(to, spot.item, sizeof(uint64_t) * XP_RING_CELLS);
		return XP_RING_CELLS;
	}
	if (header >> 32 != spot.turn || (header & 7) < spot.cell)
		return 0;
	if (n > count)
		n = count;
	uint64_t before = sizes_upto(spot.cell - 1, 15);
	uint64_t differing = (header ^ sizes_upto(spot.cell + n - 1, size)) &
			     sizes_upto(spot.cell + n - 1, 15) & ~before;
	if (differing != 0)
		n = (uint64_t)__builtin_ctzll(differing) / 4 - spot.cell;
	copy_cells(to, size, spot.item, 8, size, n);
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

		if (ring->packed) {
			n = get_line(ring, head, to, size, count - got);
			if (n == 0)
				break;
			head = after_cells(head, n);
		} else {
			struct xp_ring_spot spot = xp_ring_spot(ring, head, false);
			if (xp_ring_look(&spot, false) != size)
				break;
			memcpy(to, spot.item, size);
			head = spot.next;
		}
		to += n * size;
		got += n;
	}
	atomic_store_explicit(&shared->head, head, memory_order_release);
	xp_park_wake(&shared->putters);
	return (int64_t)got;
}
