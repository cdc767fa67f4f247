/* SPDX-License-Identifier: MIT */
/*
 * floor: cache lines - what one line, or two, cost to travel between two CPUs and back
 *
 * The limit of everything that waits by polling. One line: both write the same word in turn. Two:
 * each writes a word of its own line, as two one-way channels do. One line is measured in both
 * directions, for the map of the CPUs: the memory is at home with whoever comes first.
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include "xpshare/base/wait.h"

#include <stdatomic.h>

struct line {
	_Alignas(XP_ISOLATION) _Atomic uint64_t word;
};

static const size_t there = 0, back_same = 0, back_other = 1;

static bool has_pair(const struct xb_matrix *matrix, int from, int to)
{
	xb_each_pair(matrix, pair) if (pair->cpus[0] == from && pair->cpus[1] == to) return true;
	return false;
}

/* The way back, where only one was asked for. */
static void add_back(const struct xb_workload *workload, struct xb_matrix *matrix,
		     const struct xb_placement *pair)
{
	struct xb_placement back = *pair;

	back.cpus[0] = pair->cpus[1];
	back.cpus[1] = pair->cpus[0];
	back.numbered = true;
	if (has_pair(matrix, back.cpus[0], back.cpus[1]))
		return;
	struct xb_case c =
	    xb_case_other(workload, XB_ROLE_FLOOR, "floor", "floor/cache_line", &back);
	c.detail = &back_same;
	xb_matrix_add(matrix, &c);
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	static const struct {
		const char *name;
		const size_t *back;
	} variants[] = {
	    {"floor/cache_line", &back_same},
	    {"floor/cache_line_two", &back_other},
	};

	xb_each_pair(matrix, pair)
	{
		for (int i = 0; i < 2; i++) {
			if (pair->class == XB_SAME_PU) {
				xb_matrix_absent(
				    matrix,
				    "polling on one PU measures the scheduler, not the "
				    "line",
				    "%s/same_pu", variants[i].name);
				continue;
			}
			struct xb_case c =
			    xb_case_other(workload, XB_ROLE_FLOOR, "floor", variants[i].name, pair);
			c.detail = variants[i].back;
			xb_matrix_add(matrix, &c);
		}
		if (pair->class != XB_SAME_PU)
			add_back(workload, matrix, pair);
	}
}

static int open_lines(struct xb_stage *stage)
{
	return xb_stage_share(stage, 2 * sizeof(struct line));
}

/* Not a call, and no pause: nothing but the line shall be waited for. */
static inline void await(_Atomic uint64_t *word, uint64_t value)
{
	while (atomic_load_explicit(word, memory_order_acquire) != value)
		;
}

static inline int ping(_Atomic uint64_t *out, _Atomic uint64_t *in, uint64_t *turn)
{
	atomic_store_explicit(out, *turn + 1, memory_order_release);
	await(in, *turn + 2);
	*turn += 2;
	return 0;
}

static inline int pong(_Atomic uint64_t *in, _Atomic uint64_t *out, uint64_t *turn)
{
	await(in, *turn + 1);
	atomic_store_explicit(out, *turn + 2, memory_order_release);
	*turn += 2;
	return 0;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	struct line *line = actor->stage->shared;
	_Atomic uint64_t *out = &line[there].word;
	_Atomic uint64_t *in = &line[*(const size_t *)actor->c->detail].word;
	int rc;

	xb_ping_pong(actor, n, pass, rc, ping(out, in, &actor->turn), pong(out, in, &actor->turn));
	return rc;
}

const struct xb_workload xb_workload_floor_line = {
    .name = "floor",
    .title = "a cache line, or two, there and back",
    .metric = XB_METRIC_RTT,
    .distribution = true,
    .cases = cases,
    .open = open_lines,
    .run = run,
};
