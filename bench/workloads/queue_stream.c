/* SPDX-License-Identifier: MIT */
/*
 * queue stream - items as fast as they go from producers to consumers
 *
 * Timed from the first put until the last consumer has read and verified its last item. The queue
 * is small against the run. One producer and one consumer, or several of each: every item proves by
 * itself that it is whole, and with one of each also that none is missing and none came twice.
 */
#include "bench/matrix.h"
#include "bench/payload.h"
#include "bench/workload.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY 4096
#define CAPACITY_BYTES \
	(4 << 20)     /* of large items fewer fit, so that the queue stays in the cache */
#define SEND_SHIFT 40 /* an item's number: the producer above, its own count below */

static const int64_t sizes[] = {8, 64, 1024, 65536, 1 << 20};
static const struct {
	int writers, readers;
} fans[] = {{2, 1}, {1, 2}, {2, 2}, {4, 4}};

static struct xp_params params_of(const struct xb_case *c)
{
	size_t size = (size_t)xb_case_number(c, XB_SIZE, 8);
	size_t fit = CAPACITY_BYTES / size;

	return (struct xp_params){
	    .capacity = fit < CAPACITY ? fit : CAPACITY,
	    .item_max = size,
	    .single = c->placement.count == 2,
	    .strategy = xb_case_strategy(c),
	};
}

static void add(const struct xb_workload *workload, struct xb_matrix *matrix,
		const struct xp_impl *impl, const struct xb_placement *where, int64_t size,
		int writers, int readers)
{
	struct xb_case c = xb_case_of(workload, impl, where);

	c.param[XB_SIZE] = xb_number(size);
	if (writers + readers > 2) {
		c.param[XB_WRITERS] = xb_number(writers);
		c.param[XB_READERS] = xb_number(readers);
	} else if (where->class != XB_SAME_PU) {
		xb_case_floor(&c, "floor/memcpy_pair", size < 64 ? 64 : size);
	}
	struct xp_params params = params_of(&c);
	const char *waits[3];
	int n = xb_matrix_waits(matrix, impl, &params, where, waits);
	for (int w = 0; w < n; w++) {
		xb_case_wait(&c, waits[w]);
		/* Streams seldom sleep: parking differs from the hybrid wait at their ends only. */
		if (n < 3 || c.param[XB_WAIT].text != xb_strategy_name(XP_STRATEGY_PARK))
			xb_matrix_add(matrix, &c);
	}
	if (n == 0)
		xb_matrix_absent(matrix, "not supported there with items of that size",
				 "%s/%s/size:%lld", workload->name, impl->name, (long long)size);
}

static void add_fans(const struct xb_workload *workload, struct xb_matrix *matrix,
		     const struct xp_impl *impl)
{
	unsigned many = XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER;

	if ((impl->caps & many) != many)
		return;
	for (size_t i = 0; i < sizeof(fans) / sizeof(*fans); i++) {
		/* Quickly: the largest only. */
		if (matrix->quick && i + 1 < sizeof(fans) / sizeof(*fans))
			continue;
		struct xb_placement plan;
		if (xb_topology_plan(matrix->topology, fans[i].writers + fans[i].readers, XB_SPREAD,
				     &plan) == 0)
			add(workload, matrix, impl, &plan, 64, fans[i].writers, fans[i].readers);
	}
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	xb_each_impl(impl, XP_KIND_QUEUE)
	{
		if (impl->scope == XP_SCOPE_MANAGED)
			continue;
		xb_each_pair(matrix, pair) for (size_t i = 0; i < (matrix->quick ? 4 : 5); i++)
		    add(workload, matrix, impl, pair, sizes[i], 1, 1);
		add_fans(workload, matrix, impl);
	}
}

static int open_queue(struct xb_stage *stage)
{
	struct xp_params params = params_of(stage->c);

	return xp_object_make(stage->c->impl, &stage->place, &params, &stage->object[0]);
}

static int produce(struct xb_actor *actor, int64_t n, int writers, void *item, size_t size)
{
	const struct xp_queue *queue = &actor->stage->object[0].as.queue;
	uint64_t base = (uint64_t)actor->index << SEND_SHIFT;
	int64_t mine = xb_share(n, actor->index, writers);
	int rc = 0;

	for (int64_t i = 0; i < mine && rc == 0; i++) {
		xb_payload_write(item, size, base + (uint64_t)i);
		rc = xp_queue_put(queue, item, size);
	}
	return rc;
}

/* With one producer the order is known too; with several each item proves itself. */
static inline int verify(const void *item, size_t size, uint64_t expected, bool ordered)
{
	uint64_t number;

	memcpy(&number, item, 8);
	if (ordered && number != expected)
		return -EPROTO;
	return xb_payload_right(item, size, number) ? 0 : -EPROTO;
}

static int consume(struct xb_actor *actor, int64_t mine, bool ordered, void *item, size_t size)
{
	const struct xp_queue *queue = &actor->stage->object[0].as.queue;
	int rc = 0;

	for (int64_t i = 0; i < mine && rc == 0; i++) {
		size_t got;
		rc = xp_queue_get(queue, item, size, &got);
		if (rc == 0)
			rc = got == size ? verify(item, size, (uint64_t)i, ordered) : -EMSGSIZE;
	}
	actor->tally->ops = mine;
	actor->tally->bytes = mine * (int64_t)size;
	return rc;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	int writers = (int)xb_case_number(actor->c, XB_WRITERS, 1);
	int readers = actor->members - writers;
	size_t size = (size_t)xb_case_number(actor->c, XB_SIZE, 8);
	void *item = calloc(1, size);
	int rc;

	(void)pass;
	if (!item)
		return xb_fail(actor, "no memory");
	if (actor->index < writers)
		rc = produce(actor, n, writers, item, size);
	else
		rc = consume(actor, xb_share(n, actor->index - writers, readers),
			     writers == 1 && readers == 1, item, size);
	free(item);
	if (rc == -EPROTO)
		return xb_fail(actor, "an item is not what was sent");
	return rc < 0 ? xb_fail(actor, "queue: %s", strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_queue_stream = {
    .name = "queue_stream",
    .title = "items per second through a queue, until the last one is verified",
    .metric = XB_METRIC_ITEMS,
    .clock = XB_CLOCK_SPAN,
    .cases = cases,
    .open = open_queue,
    .run = run,
};
