/* SPDX-License-Identifier: MIT */
/*
 * queue ping-pong - one item there through one queue, and one back through another
 *
 * The receiver reads the first and the last word of what it gets, and answers with what it read.
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY 64

static const int64_t sizes[] = {8, 56, 1024, 16384};

static struct xp_params params_of(const struct xb_case *c)
{
	return (struct xp_params){
	    .capacity = CAPACITY,
	    .item_max = (size_t)xb_case_number(c, XB_SIZE, 8),
	    .single = true,
	    .strategy = xb_case_strategy(c),
	};
}

static void add_sizes(const struct xb_workload *workload, struct xb_matrix *matrix,
		      const struct xp_impl *impl, const struct xb_placement *pair)
{
	size_t count = matrix->quick ? 2 : sizeof(sizes) / sizeof(*sizes);

	for (size_t i = 0; i < count; i++) {
		struct xb_case c = xb_case_of(workload, impl, pair);
		const char *waits[3];

		c.param[XB_SIZE] = xb_number(sizes[i]);
		struct xp_params params = params_of(&c);
		int n = xb_matrix_waits(matrix, impl, &params, pair, waits);
		if (n == 0)
			xb_matrix_absent(matrix, "not supported there with items of that size",
					 "%s/%s/size:%lld", workload->name, impl->name,
					 (long long)sizes[i]);
		for (int w = 0; w < n; w++) {
			xb_case_wait(&c, waits[w]);
			xb_case_wait_floor(&c);
			xb_matrix_add(matrix, &c);
		}
	}
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	xb_each_impl(impl, XP_KIND_QUEUE)
	{
		if (impl->scope == XP_SCOPE_MANAGED)
			continue;
		xb_each_pair(matrix, pair) add_sizes(workload, matrix, impl, pair);
	}
}

static int open_queues(struct xb_stage *stage)
{
	struct xp_params params = params_of(stage->c);
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0; i++)
		rc = xp_object_make(stage->c->impl, &stage->place, &params, &stage->object[i]);
	return rc;
}

/* An item: its number in the first and in the last 8 bytes, which may be the same. */
static inline void write_item(char *item, size_t size, uint64_t number)
{
	memcpy(item, &number, 8);
	memcpy(item + size - 8, &number, 8);
}

static inline int read_item(const char *item, size_t size, uint64_t number)
{
	uint64_t first, last;

	memcpy(&first, item, 8);
	memcpy(&last, item + size - 8, 8);
	return first == number && last == number ? 0 : -EPROTO;
}

static inline int trip(const struct xp_queue *out, const struct xp_queue *in, char *item,
		       size_t size, uint64_t *turn)
{
	uint64_t number = ++*turn;
	size_t got;

	write_item(item, size, number);
	int rc = xp_queue_put(out, item, size);
	if (rc == 0)
		rc = xp_queue_get(in, item, size, &got);
	return rc < 0 ? rc : read_item(item, size, number);
}

static inline int answer(const struct xp_queue *in, const struct xp_queue *out, char *item,
			 size_t size, uint64_t *turn)
{
	size_t got;
	int rc = xp_queue_get(in, item, size, &got);

	if (rc == 0)
		rc = read_item(item, size, ++*turn);
	return rc < 0 ? rc : xp_queue_put(out, item, got);
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct xp_queue *there = &actor->stage->object[0].as.queue;
	const struct xp_queue *back = &actor->stage->object[1].as.queue;
	size_t size = (size_t)xb_case_number(actor->c, XB_SIZE, 8);
	char *item = calloc(1, size);
	int rc;

	if (!item)
		return xb_fail(actor, "no memory");
	xb_ping_pong(actor, n, pass, rc, trip(there, back, item, size, &actor->turn),
		     answer(there, back, item, size, &actor->turn));
	free(item);
	return rc < 0 ? xb_fail(actor, "queue: %s", strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_queue_pingpong = {
    .name = "queue_pingpong",
    .title = "one item there and one back through two queues",
    .metric = XB_METRIC_RTT,
    .distribution = true,
    .cases = cases,
    .open = open_queues,
    .run = run,
};
