/* SPDX-License-Identifier: MIT */
/*
 * barrier round - how long it takes until all parties have met and go on
 *
 * Every member counts how often it was the serial one: together they must have been it once a round.
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include <stdatomic.h>
#include <string.h>

static struct xp_params params_of(const struct xb_case *c)
{
	return (struct xp_params){
	    .count = (uint32_t)c->placement.count,
	    .strategy = xb_case_strategy(c),
	};
}

static void add(const struct xb_workload *workload, struct xb_matrix *matrix,
		const struct xp_impl *impl, const struct xb_placement *where)
{
	struct xb_case c = xb_case_of(workload, impl, where);
	struct xp_params params = params_of(&c);
	const char *waits[3];

	if (where->count > 2)
		c.param[XB_MEMBERS] = xb_number(where->count);
	int n = xb_matrix_waits(matrix, impl, &params, where, waits);
	for (int w = 0; w < n; w++) {
		xb_case_wait(&c, waits[w]);
		if (where->count == 2)
			xb_case_wait_floor(&c);
		xb_matrix_add(matrix, &c);
	}
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	int pus = xb_topology_pus(matrix->topology);

	xb_each_impl(impl, XP_KIND_BARRIER)
	{
		if (impl->scope == XP_SCOPE_MANAGED)
			continue;
		xb_each_pair(matrix, pair) add(workload, matrix, impl, pair);
		for (int times = 1; times <= 2; times++) {
			struct xb_placement plan;
			if (xb_topology_plan(matrix->topology, times * pus, XB_COMPACT, &plan) == 0)
				add(workload, matrix, impl, &plan);
		}
	}
}

static int open_barrier(struct xb_stage *stage)
{
	struct xp_params params = params_of(stage->c);
	int rc = xb_stage_share(stage, sizeof(_Atomic uint64_t));

	if (rc == 0)
		rc = xp_object_make(stage->c->impl, &stage->place, &params, &stage->object[0]);
	return rc;
}

static inline int meet(const struct xp_barrier *barrier, uint64_t *serial)
{
	int rc = xp_barrier_wait(barrier);

	*serial += rc == XP_BARRIER_SERIAL;
	return rc;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct xp_barrier *barrier = &actor->stage->object[0].as.barrier;
	_Atomic uint64_t *total = actor->stage->shared;
	uint64_t serial = 0;
	int rc;

	xb_ping_pong(actor, n, pass, rc, meet(barrier, &serial), meet(barrier, &serial));
	if (rc < 0)
		return xb_fail(actor, "barrier: %s", strerror(-rc));
	atomic_fetch_add(total, serial);
	/* One more round: after it all have added theirs. */
	rc = xp_barrier_wait(barrier);
	actor->turn += (uint64_t)n + XB_WARM_UP;
	if (rc >= 0 && atomic_load(total) != actor->turn)
		return xb_fail(actor, "%llu serial members in %llu rounds",
			       (unsigned long long)atomic_load(total),
			       (unsigned long long)actor->turn);
	/* And another, so that nobody adds the next run's before all have looked. */
	if (rc >= 0)
		rc = xp_barrier_wait(barrier);
	return rc < 0 ? xb_fail(actor, "barrier: %s", strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_barrier_round = {
    .name = "barrier_round",
    .title = "until all parties have met at a barrier",
    .metric = XB_METRIC_RTT,
    .distribution = true,
    .cases = cases,
    .open = open_barrier,
    .run = run,
};
