/* SPDX-License-Identifier: MIT */
/*
 * floor: copies - how many bytes per second go through memcpy()
 *
 * On one CPU: from one private buffer to another. On a pair: the first member copies into a slot of
 * shared memory and the second one out of it, over a window of slots and with one word to poll per
 * slot: the limit of every queue that copies in and out. There the first member also writes all that
 * it sends, and the second one reads and checks it, as in every stream that is compared with it.
 */
#include "bench/matrix.h"
#include "bench/payload.h"
#include "bench/workload.h"

#include "xpshare/base/wait.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 16 /* slots between writer and reader */

static const int64_t sizes[] = {64, 1024, 4096, 65536, 1 << 20};

/* A slot: its word says how often it was filled (odd) and emptied (even). */
struct slot {
	_Alignas(XP_ISOLATION) _Atomic uint64_t turn;
	_Alignas(XP_ISOLATION) char data[];
};

static size_t slot_size(const struct xb_case *c)
{
	size_t size = sizeof(struct slot) + (size_t)xb_case_number(c, XB_SIZE, 0);

	return (size + XP_ISOLATION - 1) / XP_ISOLATION * XP_ISOLATION;
}

static void add(const struct xb_workload *workload, struct xb_matrix *matrix, const char *name,
		const struct xb_placement *where)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct xb_case c = xb_case_other(workload, XB_ROLE_FLOOR, "floor", name, where);
		c.param[XB_SIZE] = xb_number(sizes[i]);
		xb_matrix_add(matrix, &c);
	}
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	struct xb_placement single = xb_topology_single(matrix->topology);

	add(workload, matrix, "floor/memcpy", &single);
}

static void cases_pair(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	xb_each_pair(matrix, pair) if (pair->class != XB_SAME_PU)
	    add(workload, matrix, "floor/memcpy_pair", pair);
}

static int open_slots(struct xb_stage *stage)
{
	if (stage->c->placement.count == 1)
		return 0;
	return xb_stage_share(stage, WINDOW * slot_size(stage->c));
}

static inline int copy(char *to, const char *from, size_t size)
{
	memcpy(to, from, size);
	xb_keep(to);
	return 0;
}

static inline void await(_Atomic uint64_t *word, uint64_t value)
{
	while (atomic_load_explicit(word, memory_order_acquire) != value)
		;
}

static int run_pair(struct xb_actor *actor, int64_t n, char *mine)
{
	size_t size = (size_t)xb_case_number(actor->c, XB_SIZE, 0), step = slot_size(actor->c);
	uint64_t wrong = 0;

	for (uint64_t end = actor->turn + (uint64_t)n; actor->turn < end; actor->turn++) {
		size_t at = (size_t)(actor->turn % WINDOW) * step;
		struct slot *slot = (struct slot *)((char *)actor->stage->shared + at);
		uint64_t lap = actor->turn / WINDOW * 2;

		if (actor->index == 0) {
			xb_payload_write(mine, size, actor->turn);
			await(&slot->turn, lap);
			memcpy(slot->data, mine, size);
			atomic_store_explicit(&slot->turn, lap + 1, memory_order_release);
		} else {
			await(&slot->turn, lap + 1);
			memcpy(mine, slot->data, size);
			atomic_store_explicit(&slot->turn, lap + 2, memory_order_release);
			wrong += !xb_payload_right(mine, size, actor->turn);
		}
	}
	if (actor->index == 1)
		actor->tally->bytes = n * (int64_t)size;
	else
		actor->tally->ops = n;
	return wrong ? xb_fail(actor, "%llu wrong items", (unsigned long long)wrong) : 0;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	size_t size = (size_t)xb_case_number(actor->c, XB_SIZE, 0);
	char *mine = calloc(2, size);
	int rc;

	if (!mine)
		return xb_fail(actor, "no memory");
	memset(mine, 1, 2 * size);
	if (actor->members == 2) {
		rc = run_pair(actor, n, mine);
	} else {
		xb_timed(actor, n, pass, rc, copy(mine + size, mine, size));
		actor->tally->ops = n;
		actor->tally->bytes = n * (int64_t)size;
	}
	free(mine);
	return rc;
}

const struct xb_workload xb_workload_floor_copy = {
    .name = "floor",
    .title = "bytes per second through memcpy()",
    .metric = XB_METRIC_BYTES,
    .cases = cases,
    .open = open_slots,
    .run = run,
};

/* As above, from the first byte copied in to the last one checked by the reader. */
const struct xb_workload xb_workload_floor_copy_pair = {
    .name = "floor",
    .title = "bytes per second copied into shared memory and out of it",
    .metric = XB_METRIC_BYTES,
    .clock = XB_CLOCK_SPAN,
    .cases = cases_pair,
    .open = open_slots,
    .run = run,
};
