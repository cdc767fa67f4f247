/* SPDX-License-Identifier: MIT */
/*
 * queue stream, inline - items as fast as they go between one producer and one consumer that poll
 *
 * At a nanosecond an item a call through a table would be what is measured: here the queue's own
 * inline functions are compiled into the loop, ours and those of the peers that have such. Forms:
 *     inline       one item a call, copied in and out
 *     batch:32     32 items a call
 * Otherwise as queue_stream.c: until the consumer has verified the last item.
 *
 * queue hand-over - the same without copies: items written and read where they lie
 *
 * Of each item one word is written and read, so what is timed is the hand-over, and no bytes per second
 * are claimed. It depends on how many items the ring holds, since with few the two sides wait for each
 * other, and not on their size. So here every size has the same number of them, and the name says which.
 */
#include "bench/matrix.h"
#include "bench/payload.h"
#include "bench/workload.h"

#include "xpshare/base/wait.h"
#include "xpshare/chan/queue_ring.h"
#include "xpshare/chan/ring.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY       4096
#define CAPACITY_BYTES (1 << 20) /* of large items fewer fit, so that the ring stays in the cache */
#define CAPACITY_CLAIM 16
#define BATCH	       32

_Static_assert(BATCH <= XB_STREAM_BATCH_MAX, "the peers can take that");

enum form { COPY, BATCHES, CLAIM, PEER };

struct shape {
	enum form form;
	int64_t size;
};

static const struct shape single = {COPY, 8}, batched = {BATCHES, 8}, claimed = {CLAIM, 64},
			  of_peers = {PEER, 8};
static const struct shape larger[] = {{COPY, 64}, {COPY, 1024}, {COPY, 65536}};
static const struct shape claimed_larger[] = {{CLAIM, 65536}, {CLAIM, 1 << 20}};

static struct xb_case draft(const struct xb_workload *workload, const struct xp_impl *impl,
			    const struct shape *shape, bool batch, const struct xb_placement *pair)
{
	struct xb_case c = xb_case_of(workload, impl, pair);

	c.detail = shape;
	c.param[XB_SIZE] = xb_number(shape->size);
	c.param[XB_FORM] = xb_text("inline");
	c.param[XB_WAIT] = xb_text(xb_strategy_name(XP_STRATEGY_SPIN));
	if (batch)
		c.param[XB_BATCH] = xb_number(BATCH);
	/* What is not copied has no floor in copies. */
	if (shape->form == CLAIM)
		c.param[XB_CAPACITY] = xb_number(CAPACITY_CLAIM);
	else
		xb_case_floor(&c, "floor/memcpy_pair", shape->size < 64 ? 64 : shape->size);
	return c;
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	const struct xp_impl *ring = &xp_impl_queue_ring_spsc;

	xb_each_pair(matrix, pair)
	{
		if (pair->class == XB_SAME_PU)
			continue;
		struct xb_case one = draft(workload, ring, &single, false, pair);
		struct xb_case many = draft(workload, ring, &batched, true, pair);
		xb_case_rival(&many, &one);
		for (size_t i = 0; xb_stream_peer_at(i); i++) {
			const struct xb_stream_peer *peer = xb_stream_peer_at(i);
			struct xb_case c = draft(workload, peer->impl, &of_peers, false, pair);
			xb_case_rival(&one, &c);
			xb_matrix_add(matrix, &c);
			if (!peer->batches)
				continue;
			c = draft(workload, peer->impl, &of_peers, true, pair);
			xb_case_rival(&many, &c);
			xb_matrix_add(matrix, &c);
		}
		xb_matrix_add(matrix, &one);
		xb_matrix_add(matrix, &many);
		for (size_t i = 0; i < sizeof(larger) / sizeof(*larger); i++) {
			struct xb_case c = draft(workload, ring, &larger[i], false, pair);
			xb_matrix_add(matrix, &c);
		}
	}
}

static void cases_claimed(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	const struct xp_impl *ring = &xp_impl_queue_ring_spsc;

	xb_each_pair(matrix, pair)
	{
		if (pair->class == XB_SAME_PU)
			continue;
		struct xb_case small = draft(workload, ring, &claimed, false, pair);
		xb_matrix_add(matrix, &small);
		for (size_t i = 0; i < sizeof(claimed_larger) / sizeof(*claimed_larger); i++) {
			struct xb_case c = draft(workload, ring, &claimed_larger[i], false, pair);
			xb_case_rival(&c, &small);
			xb_matrix_add(matrix, &c);
		}
	}
}

static size_t size_of(const struct xb_case *c)
{
	return (size_t)xb_case_number(c, XB_SIZE, 8);
}

static int open_ring(struct xb_stage *stage, struct xp_ring *ring)
{
	size_t size = size_of(stage->c), room = CAPACITY_BYTES / size, bytes;
	uint64_t capacity = room > CAPACITY ? CAPACITY : room;

	capacity = (uint64_t)xb_case_number(stage->c, XB_CAPACITY, (int64_t)capacity);
	int rc = xp_ring_size(capacity, size, &bytes);

	if (rc == 0)
		rc = xb_stage_share(stage, bytes);
	return rc < 0 ? rc : xp_ring_create(stage->shared, capacity, size, ring);
}

static int open_queue(struct xb_stage *stage)
{
	const struct shape *shape = stage->c->detail;
	struct xp_params params = {
	    .capacity = CAPACITY, .item_max = 8, .single = true, .strategy = XP_STRATEGY_SPIN};

	if (shape->form == PEER)
		return xp_object_make(stage->c->impl, &stage->place, &params, &stage->object[0]);
	struct xp_ring *ring = calloc(1, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	stage->own = ring;
	return open_ring(stage, ring);
}

static void close_queue(struct xb_stage *stage)
{
	free(stage->own);
}

/* Each loop has its own copy of the view: an item that is written could else lie over it, as far as the
 * compiler knows, and every call would read it again. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE int send_copies(struct xp_ring ring, int64_t n, size_t size, char *item)
{
	for (int64_t i = 0; i < n; i++) {
		xb_payload_write(item, size, (uint64_t)i);
		int rc;
		while ((rc = xp_ring_try_put(&ring, item, size)) == -EAGAIN)
			xp_cpu_relax();
		if (rc < 0)
			return rc;
	}
	return 0;
}

ALWAYS_INLINE int receive_copies(struct xp_ring ring, int64_t n, size_t size, char *item)
{
	for (int64_t i = 0; i < n; i++) {
		size_t got = 0;
		int rc;
		while ((rc = xp_ring_try_get(&ring, item, size, &got)) == -EAGAIN)
			xp_cpu_relax();
		if (rc < 0)
			return rc;
		if (got != size || !xb_payload_right(item, size, (uint64_t)i))
			return -EPROTO;
	}
	return 0;
}

static int send_claimed(struct xp_ring ring, int64_t n, size_t size)
{
	for (int64_t i = 0; i < n; i++) {
		void *place = NULL;
		int rc;
		while ((rc = xp_ring_try_claim(&ring, &place)) == -EAGAIN)
			xp_cpu_relax();
		if (rc < 0)
			return rc;
		/* Its number, not all of its bytes: what is measured is the hand-over. */
		xb_payload_write(place, 8, (uint64_t)i);
		xp_ring_commit(&ring, size);
	}
	return 0;
}

static int receive_claimed(struct xp_ring ring, int64_t n, size_t size)
{
	for (int64_t i = 0; i < n; i++) {
		const void *item = NULL;
		size_t got = 0;
		int rc;
		while ((rc = xp_ring_try_peek(&ring, &item, &got)) == -EAGAIN)
			xp_cpu_relax();
		if (rc < 0)
			return rc;
		if (got != size || !xb_payload_right(item, 8, (uint64_t)i))
			return -EPROTO;
		xp_ring_consume(&ring);
	}
	return 0;
}

static int send_batches(const struct xp_ring *ring, int64_t n)
{
	uint64_t items[BATCH];

	for (int64_t sent = 0; sent < n;) {
		size_t count = n - sent < BATCH ? (size_t)(n - sent) : BATCH;
		for (size_t i = 0; i < count; i++)
			items[i] = (uint64_t)sent + i;
		for (size_t done = 0; done < count;) {
			int64_t put = xp_ring_try_put_batch(ring, items + done, 8, count - done);
			if (put < 0 && put != -EAGAIN)
				return (int)put;
			if (put < 0)
				xp_cpu_relax();
			else
				done += (size_t)put;
		}
		sent += (int64_t)count;
	}
	return 0;
}

static int receive_batches(const struct xp_ring *ring, int64_t n)
{
	uint64_t items[BATCH], wrong = 0;

	for (int64_t seen = 0; seen < n;) {
		size_t most = n - seen < BATCH ? (size_t)(n - seen) : BATCH;
		int64_t got = xp_ring_try_get_batch(ring, items, 8, most);
		if (got < 0 && got != -EAGAIN)
			return (int)got;
		if (got < 0)
			xp_cpu_relax();
		for (int64_t i = 0; i < got; i++)
			wrong |= items[i] ^ (uint64_t)seen++;
	}
	return wrong ? -EPROTO : 0;
}

static int run_peer(struct xb_actor *actor, int64_t n)
{
	size_t batch = (size_t)xb_case_number(actor->c, XB_BATCH, 1), i = 0;
	void *queue = actor->stage->object[0].owner;

	while (xb_stream_peer_at(i)->impl != actor->c->impl)
		i++;
	const struct xb_stream_peer *peer = xb_stream_peer_at(i);
	if (actor->index == 0) {
		peer->send(queue, n, batch);
		return 0;
	}
	return peer->receive(queue, n, batch) ? 0 : -EPROTO;
}

/* With a size known to the compiler where it matters. */
static int run_copies(struct xp_ring ring, bool sender, int64_t n, size_t size, char *item)
{
	switch (size) {
	case 8:
		return sender ? send_copies(ring, n, 8, item) : receive_copies(ring, n, 8, item);
	case 64:
		return sender ? send_copies(ring, n, 64, item) : receive_copies(ring, n, 64, item);
	default:
		return sender ? send_copies(ring, n, size, item)
			      : receive_copies(ring, n, size, item);
	}
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct xp_ring *ring = actor->stage->own;
	size_t size = size_of(actor->c);
	bool sender = actor->index == 0;
	char *item = calloc(1, size);
	int rc = -ENOMEM;

	(void)pass;
	switch (((const struct shape *)actor->c->detail)->form) {
	case COPY:
		rc = item ? run_copies(*ring, sender, n, size, item) : -ENOMEM;
		break;
	case BATCHES:
		rc = sender ? send_batches(ring, n) : receive_batches(ring, n);
		break;
	case CLAIM:
		rc = sender ? send_claimed(*ring, n, size) : receive_claimed(*ring, n, size);
		break;
	case PEER:
		rc = run_peer(actor, n);
		break;
	}
	free(item);
	if (!sender) {
		actor->tally->ops = n;
		if (((const struct shape *)actor->c->detail)->form != CLAIM)
			actor->tally->bytes = n * (int64_t)size;
	}
	if (rc == -EPROTO)
		return xb_fail(actor, "an item is not what was sent");
	return rc < 0 ? xb_fail(actor, "ring: %s", strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_stream_inline = {
    .name = "queue_stream",
    .title = "items per second through a queue compiled into the loop",
    .metric = XB_METRIC_ITEMS,
    .clock = XB_CLOCK_SPAN,
    .cases = cases,
    .open = open_queue,
    .run = run,
    .close = close_queue,
};

const struct xb_workload xb_workload_handover = {
    .name = "queue_handover",
    .title = "items per second handed over where they lie",
    .metric = XB_METRIC_ITEMS,
    .clock = XB_CLOCK_SPAN,
    .cases = cases_claimed,
    .open = open_queue,
    .run = run,
    .close = close_queue,
};
