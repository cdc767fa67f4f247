/* SPDX-License-Identifier: MIT */
/*
 * idle - the CPU time that a waiter uses while it waits a second
 *
 * Member 1 waits in a queue's get, a lock's acquire ..., member 0 makes it wait for a tenth of a
 * second and lets it go. The figure is member 1's CPU time, per second of waiting; the price of
 * falling asleep and waking is in it, and that of spinning before.
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include "xpshare/base/clock.h"

#include <poll.h>
#include <string.h>
#include <time.h>

#define WAIT_MS	    100
#define WAITS_PER_S (1000.0 / WAIT_MS)

static bool can_wait(enum xp_kind kind)
{
	return kind == XP_KIND_QUEUE || kind == XP_KIND_EVENT || kind == XP_KIND_SEMAPHORE;
}

static struct xp_params params_of(void)
{
	return (struct xp_params){.capacity = 64, .item_max = 64, .single = true};
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	struct xp_params params = params_of();

	for (const struct xp_impl *impl = xb_impl_first(); impl; impl = xb_impl_after(impl)) {
		if (!can_wait(impl->kind) || impl->scope == XP_SCOPE_MANAGED ||
		    !xb_matrix_supports(matrix, impl, &params))
			continue;
		xb_each_pair(matrix, pair)
		{
			struct xb_case c = xb_case_of(workload, impl, pair);
			xb_matrix_add(matrix, &c);
		}
	}
}

static int open_object(struct xb_stage *stage)
{
	struct xp_params params = params_of();

	return xp_object_make(stage->c->impl, &stage->place, &params, &stage->object[0]);
}

static int wait_once(const struct xp_object *object)
{
	char item[64];
	size_t size;
	int rc;

	switch (object->impl->kind) {
	case XP_KIND_QUEUE:
		return xp_queue_get(&object->as.queue, item, sizeof(item), &size);
	case XP_KIND_EVENT:
		rc = xp_event_wait(&object->as.event);
		return rc < 0 ? rc : xp_event_clear(&object->as.event);
	default:
		return xp_semaphore_wait(&object->as.semaphore);
	}
}

static int let_go(const struct xp_object *object)
{
	char item[8] = {0};

	switch (object->impl->kind) {
	case XP_KIND_QUEUE:
		return xp_queue_put(&object->as.queue, item, sizeof(item));
	case XP_KIND_EVENT:
		return xp_event_set(&object->as.event);
	default:
		return xp_semaphore_post(&object->as.semaphore);
	}
}

static int64_t my_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * XP_NS_PER_SEC + t.tv_nsec;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct xp_object *object = &actor->stage->object[0];
	int64_t used = my_cpu_ns();
	int rc = 0;

	(void)pass;
	for (int64_t i = 0; i < n && rc == 0; i++) {
		if (actor->index == 0) {
			/* Time is what is waited for here. */
			poll(NULL, 0, WAIT_MS);
			rc = let_go(object);
		} else {
			rc = wait_once(object);
		}
	}
	used = my_cpu_ns() - used;
	if (actor->index == 1) {
		actor->tally->ns = (double)used * WAITS_PER_S;
		actor->tally->total_ns = actor->tally->ns;
		actor->tally->ops = n;
	}
	return rc < 0 ? xb_fail(actor, "wait: %s", strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_idle = {
    .name = "idle",
    .title = "CPU time of a waiter, per second of waiting",
    .metric = XB_METRIC_IDLE,
    .fixed = 2,
    .cases = cases,
    .open = open_object,
    .run = run,
};
