/* SPDX-License-Identifier: MIT */
/*
 * value ping-pong - two values, each written by one process and awaited by the other
 *
 * A value that only a store and a load touch goes through the typed functions of shm/value.h, which
 * are compiled into the loop: at some ten nanoseconds a call through a table would be what is
 * measured. Values with a lock, or in a manager, go through the table.
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include "xpshare/shm/value.h"

static bool is_plain(const struct xp_impl *impl)
{
	return impl->scope == XP_SCOPE_SHM && !(impl->caps & XP_CAP_LOCKED);
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	xb_each_impl(impl, XP_KIND_VALUE)
	{
		/* A manager's values are measured as calls: nobody polls through a socket. */
		if (impl->scope == XP_SCOPE_MANAGED)
			continue;
		xb_each_pair(matrix, pair)
		{
			if (pair->class == XB_SAME_PU) {
				xb_matrix_absent(matrix, "polling on one PU measures the scheduler",
						 "%s/%s/same_pu", workload->name, impl->name);
				continue;
			}
			struct xb_case c = xb_case_of(workload, impl, pair);
			xb_case_floor(&c, "floor/cache_line_two", 0);
			xb_matrix_add(matrix, &c);
		}
	}
}

static int open_values(struct xb_stage *stage)
{
	struct xp_params params = {.type = XP_TYPE_LLONG};

	for (int i = 0; i < 2; i++) {
		int rc = xp_object_make(stage->c->impl, &stage->place, &params, &stage->object[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static inline int cell_ping(void *out, const void *in, uint64_t *turn)
{
	long long mine = (long long)++*turn;

	xp_value_store_LLONG(out, mine);
	while (xp_value_load_LLONG(in) != mine)
		;
	return 0;
}

static inline int cell_pong(const void *in, void *out, uint64_t *turn)
{
	long long mine = (long long)++*turn;

	while (xp_value_load_LLONG(in) != mine)
		;
	xp_value_store_LLONG(out, mine);
	return 0;
}

static inline int await(const struct xp_value *in, long long want)
{
	long long seen = want - 1;
	int rc = 0;

	while (rc == 0 && seen != want)
		rc = xp_value_load(in, &seen);
	return rc;
}

static inline int ping(const struct xp_value *out, const struct xp_value *in, uint64_t *turn)
{
	long long mine = (long long)++*turn;
	int rc = xp_value_store(out, &mine);

	return rc < 0 ? rc : await(in, mine);
}

static inline int pong(const struct xp_value *in, const struct xp_value *out, uint64_t *turn)
{
	long long mine = (long long)++*turn;
	int rc = await(in, mine);

	return rc < 0 ? rc : xp_value_store(out, &mine);
}

static int run_cells(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	void *there = xp_value_cell(&actor->stage->object[0].as.value);
	void *back = xp_value_cell(&actor->stage->object[1].as.value);
	int rc;

	xb_ping_pong(actor, n, pass, rc, cell_ping(there, back, &actor->turn),
		     cell_pong(there, back, &actor->turn));
	return rc;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct xp_value *there = &actor->stage->object[0].as.value;
	const struct xp_value *back = &actor->stage->object[1].as.value;
	int rc;

	if (is_plain(actor->c->impl))
		return run_cells(actor, n, pass);
	xb_ping_pong(actor, n, pass, rc, ping(there, back, &actor->turn),
		     pong(there, back, &actor->turn));
	return rc < 0 ? xb_fail(actor, "value: error %d", rc) : 0;
}

const struct xb_workload xb_workload_value_pingpong = {
    .name = "value_pingpong",
    .title = "a round trip through two shared values",
    .metric = XB_METRIC_RTT,
    .distribution = true,
    .cases = cases,
    .open = open_values,
    .run = run,
};
