/* SPDX-License-Identifier: MIT */
/* peer: the single-producer, single-consumer ring of Concurrency Kit, with items of 8 bytes. */
#include "bench/peers/peers.h"
#include "bench/peers/spin_queue.h"

#include "xpshare/kind/object.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <ck_ring.h>

struct item {
	uint64_t word;
};
CK_RING_PROTOTYPE(item, item)
#pragma GCC diagnostic pop

#include <string.h>
#include <sys/mman.h>

#define CAPACITY 4096u /* a power of two; the ring holds one item less */

struct shared {
	struct ck_ring ring;
	_Alignas(XP_ISOLATION) struct item items[CAPACITY];
};

static int put_until(void *self, const void *item, size_t size, const struct timespec *deadline)
{
	struct shared *shared = self;
	struct item copy;

	(void)deadline;
	if (size > sizeof(copy))
		return -EMSGSIZE;
	memcpy(&copy, item, sizeof(copy));
	XB_SPIN_UNTIL(CK_RING_ENQUEUE_SPSC(item, &shared->ring, shared->items, &copy));
	return 0;
}

static int get_until(void *self, void *buffer, size_t capacity, size_t *ret_size,
		     const struct timespec *deadline)
{
	struct shared *shared = self;
	struct item copy;

	(void)deadline;
	if (capacity < sizeof(copy))
		return -EMSGSIZE;
	XB_SPIN_UNTIL(CK_RING_DEQUEUE_SPSC(item, &shared->ring, shared->items, &copy));
	memcpy(buffer, &copy, sizeof(copy));
	*ret_size = sizeof(copy);
	return 0;
}

static int try_put(void *self, const void *item, size_t size)
{
	struct shared *shared = self;
	struct item copy;

	if (size > sizeof(copy))
		return -EMSGSIZE;
	memcpy(&copy, item, sizeof(copy));
	return CK_RING_ENQUEUE_SPSC(item, &shared->ring, shared->items, &copy) ? 0 : -EAGAIN;
}

static int try_get(void *self, void *buffer, size_t capacity, size_t *ret_size)
{
	struct shared *shared = self;

	if (capacity < sizeof(struct item))
		return -EMSGSIZE;
	if (!CK_RING_DEQUEUE_SPSC(item, &shared->ring, shared->items, buffer))
		return -EAGAIN;
	*ret_size = sizeof(struct item);
	return 0;
}

static int64_t length(void *self)
{
	struct shared *shared = self;

	return ck_ring_size(&shared->ring);
}

static const struct xp_queue_ops ops = {
    .put_until = put_until,
    .try_put = try_put,
    .get_until = get_until,
    .try_get = try_get,
    .length = length,
};

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	(void)impl;
	(void)place;
	/* It has no wait but polling, and one size of item. */
	if (params->strategy != XP_STRATEGY_SPIN || params->item_max != sizeof(struct item) ||
	    params->capacity > CAPACITY || !params->single)
		return -ENOTSUP;
	struct shared *shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -ENOMEM;
	ck_ring_init(&shared->ring, CAPACITY);
	*ret_object = (struct xp_object){.as.queue = {&ops, shared}, .owner = shared};
	return 0;
}

static void drop(struct xp_object *object)
{
	munmap(object->owner, sizeof(struct shared));
}

const struct xp_impl xb_peer_ck_ring = {
    .name = "queue/ck_ring",
    .title = "Concurrency Kit's SPSC ring, 8-byte items",
    .kind = XP_KIND_QUEUE,
    .scope = XP_SCOPE_SHM,
    .make = make,
    .drop = drop,
};

/* It has no batches. */
static void send(void *queue, int64_t n, size_t batch)
{
	struct shared *shared = queue;
	struct item item;

	(void)batch;
	for (item.word = 0; item.word < (uint64_t)n; item.word++)
		XB_SPIN_UNTIL(CK_RING_ENQUEUE_SPSC(item, &shared->ring, shared->items, &item));
}

static int receive(void *queue, int64_t n, size_t batch)
{
	struct shared *shared = queue;
	uint64_t wrong = 0;
	struct item item;

	(void)batch;
	for (uint64_t i = 0; i < (uint64_t)n; i++) {
		XB_SPIN_UNTIL(CK_RING_DEQUEUE_SPSC(item, &shared->ring, shared->items, &item));
		wrong |= item.word ^ i;
	}
	return wrong == 0;
}

const struct xb_stream_peer xb_stream_ck_ring = {
    .impl = &xb_peer_ck_ring,
    .send = send,
    .receive = receive,
};
