/* SPDX-License-Identifier: MIT */
/*
 * lock contended - several processes that want the same lock all the time
 *
 * Each takes the lock, checks and changes what it protects, gives it back, and works a little
 * outside. The run ends when all acquisitions together are n, and who got how many of them is the
 * fairness. What the lock protects proves the exclusion: two words that are always equal.
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include <stdatomic.h>
#include <string.h>

/* Work outside the lock, in steps of a dependent multiplication: some 30 ns. */
#define OUTSIDE 32

struct guarded {
	_Alignas(XP_ISOLATION) uint64_t first, second;
	int64_t left; /* of this run */
	uint64_t run; /* for which @left was set */
};

static struct xp_params params_of(const struct xb_case *c)
{
	return (struct xp_params){
	    .fair = c->param[XB_FAIR].set,
	    .strategy = xb_case_strategy(c),
	};
}

static void add(const struct xb_workload *workload, struct xb_matrix *matrix,
		const struct xp_impl *impl, const struct xb_placement *where, bool fair)
{
	struct xb_case c = xb_case_of(workload, impl, where);

	if (where->count > 2)
		c.param[XB_MEMBERS] = xb_number(where->count);
	if (fair)
		c.param[XB_FAIR] = xb_number(1);
	struct xp_params params = params_of(&c);
	if (xb_matrix_supports(matrix, impl, &params))
		xb_matrix_add(matrix, &c);
}

static void add_both(const struct xb_workload *workload, struct xb_matrix *matrix,
		     const struct xp_impl *impl, const struct xb_placement *where)
{
	add(workload, matrix, impl, where, false);
	if (impl->caps & XP_CAP_FAIR)
		add(workload, matrix, impl, where, true);
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	int pus = xb_topology_pus(matrix->topology);

	xb_each_impl(impl, XP_KIND_LOCK)
	{
		if (impl->scope == XP_SCOPE_MANAGED)
			continue;
		xb_each_pair(matrix, pair) add_both(workload, matrix, impl, pair);
		/* As many as there are PUs, then two and four times as many. */
		for (int times = 1; times <= 4; times *= 2) {
			struct xb_placement plan;
			if (xb_topology_plan(matrix->topology, times * pus, XB_COMPACT, &plan) == 0)
				add_both(workload, matrix, impl, &plan);
		}
	}
}

static int open_lock(struct xb_stage *stage)
{
	struct xp_params params = params_of(stage->c);
	int rc = xb_stage_share(stage, sizeof(struct guarded));

	if (rc == 0)
		rc = xp_object_make(stage->c->impl, &stage->place, &params, &stage->object[0]);
	return rc;
}

/* Under the lock. Return: 1 if there was an acquisition left to count, 0, or -EPROTO. */
static inline int inside(struct guarded *guarded, uint64_t run, int64_t n)
{
	if (guarded->run != run) {
		guarded->run = run;
		guarded->left = n;
	}
	if (guarded->first != guarded->second)
		return -EPROTO;
	guarded->first++;
	xb_keep(guarded->first);
	guarded->second++;
	if (guarded->left == 0)
		return 0;
	guarded->left--;
	return 1;
}

static inline void outside(void)
{
	uint64_t x = 1;

	for (int i = 0; i < OUTSIDE; i++) {
		x *= UINT64_C(6364136223846793005);
		xb_keep(x);
	}
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct xp_lock *lock = &actor->stage->object[0].as.lock;
	struct guarded *guarded = actor->stage->shared;
	int64_t mine = 0;
	int more = 1;

	(void)pass;
	actor->turn++;
	while (more > 0) {
		int rc = xp_lock_acquire(lock);
		if (rc < 0)
			return xb_fail(actor, "acquire: %s", strerror(-rc));
		more = inside(guarded, actor->turn, n);
		rc = xp_lock_release(lock);
		if (rc < 0)
			return xb_fail(actor, "release: %s", strerror(-rc));
		mine += more > 0;
		outside();
	}
	actor->tally->ops = mine;
	return more < 0 ? xb_fail(actor, "two members held the lock") : 0;
}

const struct xb_workload xb_workload_lock_contended = {
    .name = "lock_contended",
    .title = "acquisitions per second by competing processes",
    .metric = XB_METRIC_ITEMS,
    .clock = XB_CLOCK_SPAN,
    .cases = cases,
    .open = open_lock,
    .run = run,
};
