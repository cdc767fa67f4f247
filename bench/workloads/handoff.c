/* SPDX-License-Identifier: MIT */
/*
 * handoff - two processes that wake each other in turn, through events, semaphores or a condition
 *
 * What a wake-up costs, there and back, in each way of waiting.
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include <string.h>

static struct xp_params params_of(const struct xb_case *c)
{
	return (struct xp_params){.strategy = xb_case_strategy(c)};
}

static void add_kind(const struct xb_workload *workload, struct xb_matrix *matrix,
		     enum xp_kind kind)
{
	struct xp_params params = {0};

	xb_each_impl(impl, kind)
	{
		if (impl->scope == XP_SCOPE_MANAGED)
			continue;
		xb_each_pair(matrix, pair)
		{
			const char *waits[3];
			int n = xb_matrix_waits(matrix, impl, &params, pair, waits);
			for (int w = 0; w < n; w++) {
				struct xb_case c = xb_case_of(workload, impl, pair);
				xb_case_wait(&c, waits[w]);
				xb_case_wait_floor(&c);
				xb_matrix_add(matrix, &c);
			}
		}
	}
}

static int open_two(struct xb_stage *stage)
{
	struct xp_params params = params_of(stage->c);
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0; i++)
		rc = xp_object_make(stage->c->impl, &stage->place, &params, &stage->object[i]);
	return rc;
}

static int finish(struct xb_actor *actor, int rc)
{
	return rc < 0 ? xb_fail(actor, "%s: %s", actor->c->impl_name, strerror(-rc)) : 0;
}

/* Event: raise the other's, wait for mine, lower it. */

static inline int event_wait(const struct xp_event *event)
{
	int rc = xp_event_wait(event);

	return rc < 0 ? rc : xp_event_clear(event);
}

static inline int event_ping(const struct xp_event *out, const struct xp_event *in)
{
	int rc = xp_event_set(out);

	return rc < 0 ? rc : event_wait(in);
}

static inline int event_pong(const struct xp_event *in, const struct xp_event *out)
{
	int rc = event_wait(in);

	return rc < 0 ? rc : xp_event_set(out);
}

static int event_run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct xp_event *there = &actor->stage->object[0].as.event;
	const struct xp_event *back = &actor->stage->object[1].as.event;
	int rc;

	xb_ping_pong(actor, n, pass, rc, event_ping(there, back), event_pong(there, back));
	return finish(actor, rc);
}

static void event_cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	add_kind(workload, matrix, XP_KIND_EVENT);
}

/* Semaphore: post the other's, wait for mine. */

static inline int semaphore_ping(const struct xp_semaphore *out, const struct xp_semaphore *in)
{
	int rc = xp_semaphore_post(out);

	return rc < 0 ? rc : xp_semaphore_wait(in);
}

static inline int semaphore_pong(const struct xp_semaphore *in, const struct xp_semaphore *out)
{
	int rc = xp_semaphore_wait(in);

	return rc < 0 ? rc : xp_semaphore_post(out);
}

static int semaphore_run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct xp_semaphore *there = &actor->stage->object[0].as.semaphore;
	const struct xp_semaphore *back = &actor->stage->object[1].as.semaphore;
	int rc;

	xb_ping_pong(actor, n, pass, rc, semaphore_ping(there, back), semaphore_pong(there, back));
	return finish(actor, rc);
}

static void semaphore_cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	add_kind(workload, matrix, XP_KIND_SEMAPHORE);
}

/* Condition: under its lock a turn is taken and signalled; each waits for its own parity. */

static int open_condition(struct xb_stage *stage)
{
	struct xp_params params = params_of(stage->c);
	int rc = xb_stage_share(stage, sizeof(uint64_t));

	if (rc == 0)
		rc = xp_object_make(stage->c->impl, &stage->place, &params, &stage->object[0]);
	return rc;
}

/* Member @me takes its turn when *@count has its parity. */
static inline int take_turn(const struct xp_condition *condition, uint64_t *count, uint64_t me)
{
	int rc = xp_lock_acquire(&condition->lock);

	while (rc == 0 && (*count & 1) != me)
		rc = xp_condition_wait(condition);
	if (rc < 0)
		return rc;
	++*count;
	rc = xp_condition_signal(condition, 1);
	int released = xp_lock_release(&condition->lock);
	return rc < 0 ? rc : released;
}

static int condition_run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct xp_condition *condition = &actor->stage->object[0].as.condition;
	uint64_t *count = actor->stage->shared;
	int rc;

	xb_ping_pong(actor, n, pass, rc, take_turn(condition, count, 0),
		     take_turn(condition, count, 1));
	return finish(actor, rc);
}

static void condition_cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	add_kind(workload, matrix, XP_KIND_CONDITION);
}

const struct xb_workload xb_workload_event_pingpong = {
    .name = "event_pingpong",
    .title = "two processes wake each other through events",
    .metric = XB_METRIC_RTT,
    .distribution = true,
    .cases = event_cases,
    .open = open_two,
    .run = event_run,
};

const struct xb_workload xb_workload_semaphore_pingpong = {
    .name = "semaphore_pingpong",
    .title = "two processes wake each other through semaphores",
    .metric = XB_METRIC_RTT,
    .distribution = true,
    .cases = semaphore_cases,
    .open = open_two,
    .run = semaphore_run,
};

const struct xb_workload xb_workload_condition_pingpong = {
    .name = "condition_pingpong",
    .title = "two processes take turns under a condition",
    .metric = XB_METRIC_RTT,
    .distribution = true,
    .cases = condition_cases,
    .open = open_condition,
    .run = condition_run,
};
