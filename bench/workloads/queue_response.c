/* SPDX-License-Identifier: MIT */
/*
 * queue response - how late an item arrives when items come at a given rate, whatever the queue does
 *
 * Open loop: the producer puts item number i at its intended time, or as soon after it as the queue lets
 * it, and never leaves one out or shifts the ones to come. The response is the time from the intended one
 * until the consumer has read and checked the item. So a stall is seen by every item that should have
 * been put in the meantime, which a closed loop does not show. Where the queue cannot keep up the
 * responses grow with the length of the run, and rate_achieved says what it did.
 */
#include "bench/matrix.h"
#include "bench/payload.h"
#include "bench/workload.h"

#include "xpshare/base/wait.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY 1024
#define SIZE	 64
#define SLICE_NS 1000000 /* of intended times: what is counted as an operation */
#define SLICES	 100	 /* of a repetition */
#define LEAD_NS	 200000	 /* from the start to the first intended time */

static const int64_t rates[] = {10000, 100000, 1000000, 5000000};

static const struct xp_params params = {.capacity = CAPACITY, .item_max = SIZE, .single = true};

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	size_t few = sizeof(rates) / sizeof(*rates) - (matrix->quick ? 1 : 0);

	xb_each_impl(impl, XP_KIND_QUEUE)
	{
		if (impl->scope == XP_SCOPE_MANAGED || !xb_matrix_supports(matrix, impl, &params) ||
		    (matrix->quick && xb_is_peer(impl)))
			continue;
		xb_each_pair(matrix, pair)
		{
			/* The producer polls the clock: on one PU the consumer would wait for it. */
			if (pair->class == XB_SAME_PU)
				continue;
			for (size_t i = 0; i < few; i++) {
				struct xb_case c = xb_case_of(workload, impl, pair);
				c.param[XB_RATE] = xb_number(rates[i]);
				c.param[XB_SIZE] = xb_number(SIZE);
				xb_matrix_add(matrix, &c);
			}
		}
	}
}

static int open_queue(struct xb_stage *stage)
{
	return xp_object_make(stage->c->impl, &stage->place, &params, &stage->object[0]);
}

static inline int put_at(const struct xp_queue *queue, int64_t intended)
{
	uint64_t item[SIZE / 8];

	xb_payload_write(item, SIZE, (uint64_t)intended);
	while (xb_now() < intended)
		xp_cpu_relax();
	return xp_queue_put(queue, item, SIZE);
}

static int produce(const struct xp_queue *queue, int64_t count, double step)
{
	int64_t first = xb_now() + LEAD_NS;
	int rc = 0;

	for (int64_t i = 0; i < count && rc == 0; i++)
		rc = put_at(queue, first + (int64_t)((double)i * step));
	return rc;
}

/* The responses to @hist; the time from the first intended moment to the last arrival. */
static int consume(const struct xp_queue *queue, int64_t count, struct xb_hist *hist,
		   int64_t *ret_took)
{
	int64_t first = 0, last = 0, now = 0;
	uint64_t item[SIZE / 8];
	size_t size;

	for (int64_t i = 0; i < count; i++) {
		int rc = xp_queue_get(queue, item, SIZE, &size);
		int64_t intended = (int64_t)item[0];
		if (rc < 0)
			return rc;
		now = xb_now();
		if (size != SIZE || !xb_payload_right(item, SIZE, item[0]) ||
		    (i > 0 && intended < last))
			return -EPROTO;
		first = i > 0 ? first : intended;
		last = intended;
		xb_hist_add(hist, now > intended ? (uint64_t)(now - intended) : 0);
	}
	*ret_took = now - first;
	return 0;
}

/* The consumer's own distribution, touched before the window. */
static int enter(struct xb_actor *actor)
{
	struct xb_hist *hist = malloc(sizeof(*hist));

	if (!hist)
		return xb_fail(actor, "no memory");
	xb_hist_init(hist);
	actor->own = hist;
	return 0;
}

static void leave(struct xb_actor *actor)
{
	free(actor->own);
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct xp_queue *queue = &actor->stage->object[0].as.queue;
	int64_t rate = xb_case_number(actor->c, XB_RATE, 1), took = 0;
	int64_t count = n * rate / (1000000000 / SLICE_NS);
	struct xb_hist *hist = pass == XB_PASS_EACH ? actor->hist : actor->own;
	int rc;

	if (actor->index == 0) {
		rc = produce(queue, count, 1e9 / (double)rate);
	} else {
		xb_hist_init(hist);
		rc = consume(queue, count, hist, &took);
		actor->tally->ops = count;
		actor->tally->bytes = count * SIZE;
		actor->tally->ns = (double)xb_hist_at(hist, 0.5) * (double)count;
		actor->tally->total_ns = (double)took;
	}
	if (rc == -EPROTO)
		return xb_fail(actor, "an item is not what was sent");
	return rc < 0 ? xb_fail(actor, "queue: %s", strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_queue_response = {
    .name = "queue_response",
    .title = "how late items arrive that come at a given rate",
    .metric = XB_METRIC_RESPONSE,
    .fixed = SLICES,
    .distribution = true,
    .cases = cases,
    .open = open_queue,
    .enter = enter,
    .run = run,
    .leave = leave,
};
