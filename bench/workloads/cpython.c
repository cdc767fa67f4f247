/* SPDX-License-Identifier: MIT */
/*
 * peer: CPython's multiprocessing - the same workloads through what this project reimplements
 *
 * Two Python processes on the two CPUs do the work (peers/cpython.py); the first member of the session
 * passes orders on to them and takes their times, and the second one has nothing to do. Their CPU time
 * is counted as that of the server.
 */
#include "bench/matrix.h"
#include "bench/peers/driver.h"
#include "bench/peers/python.h"
#include "bench/workload.h"

#include <stdio.h>
#include <stdlib.h>

/* What is measured of it: the workload's name here and there, and the kind. */
static const struct variant {
	const char *kind, *impl;
	int64_t sizes[2];
	const char *floor;
} value = {"value", "value/cpython", {8}, "floor/cache_line_two"},
  pipes = {"pipe", "pipe/cpython", {8, 1024}, "floor/socketpair"},
  queues = {"queue", "queue/cpython", {8, 64}, NULL}, locks = {"lock", "lock/cpython", {8}, NULL};

static void add(const struct xb_workload *workload, struct xb_matrix *matrix,
		const struct variant *variant, const struct xb_placement *pair)
{
	for (int i = 0; i < 2 && variant->sizes[i]; i++) {
		struct xb_case c =
		    xb_case_other(workload, XB_ROLE_PEER, variant->kind, variant->impl, pair);
		c.detail = variant;
		if (variant != &value && variant != &locks)
			c.param[XB_SIZE] = xb_number(variant->sizes[i]);
		if (variant->floor)
			xb_case_floor(&c, variant->floor,
				      variant == &pipes ? variant->sizes[i] : 0);
		xb_matrix_add(matrix, &c);
	}
}

static void add_pairs(const struct xb_workload *workload, struct xb_matrix *matrix,
		      const struct variant *variant)
{
	if (!xb_python_there()) {
		xb_matrix_absent(matrix, "there is no python3 in PATH", "%s/%s", workload->name,
				 variant->impl);
		return;
	}
	xb_each_pair(matrix, pair) if (pair->class != XB_SAME_PU || variant != &value)
	    add(workload, matrix, variant, pair);
}

static void value_cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	add_pairs(workload, matrix, &value);
}

static void pipe_cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	add_pairs(workload, matrix, &pipes);
}

static void queue_cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	add_pairs(workload, matrix, &queues);
}

static void lock_cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	add_pairs(workload, matrix, &locks);
}

static int open_python(struct xb_stage *stage)
{
	const struct xb_case *c = stage->c;
	struct xb_driver *driver = calloc(1, sizeof(*driver));
	char size[24], here[12], there[12];

	if (!driver)
		return -ENOMEM;
	stage->own = driver;
	snprintf(size, sizeof(size), "%lld", (long long)xb_case_number(c, XB_SIZE, 8));
	snprintf(here, sizeof(here), "%d", c->placement.cpus[0]);
	snprintf(there, sizeof(there), "%d", c->placement.cpus[1]);
	return xb_driver_start(driver, stage, "cpython.py",
			       (const char *const[]){c->workload->name, size, here, there, NULL});
}

static void close_python(struct xb_stage *stage)
{
	if (stage->own)
		xb_driver_stop(stage->own);
	free(stage->own);
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	if (actor->index != 0)
		return 0;
	int rc = xb_driver_run(actor->stage->own, actor, n, pass);
	actor->tally->bytes = n * xb_case_number(actor->c, XB_SIZE, 8);
	return rc;
}

#define WORKLOAD(id, what, text, metric_, cases_)             \
	const struct xb_workload xb_workload_cpython_##id = { \
	    .name = what,                                     \
	    .title = text,                                    \
	    .metric = metric_,                                \
	    .driven = true,                                   \
	    .cases = cases_,                                  \
	    .open = open_python,                              \
	    .run = run,                                       \
	    .close = close_python,                            \
	};

WORKLOAD(value, "value_pingpong", "multiprocessing.RawValue, there and back", XB_METRIC_RTT,
	 value_cases)
WORKLOAD(pipe, "pipe_pingpong", "multiprocessing.Pipe, there and back", XB_METRIC_RTT, pipe_cases)
WORKLOAD(queue_trip, "queue_pingpong", "multiprocessing.Queue, there and back", XB_METRIC_RTT,
	 queue_cases)
WORKLOAD(queue_stream, "queue_stream", "multiprocessing.Queue, items per second", XB_METRIC_ITEMS,
	 queue_cases)
WORKLOAD(lock, "lock_uncontended", "multiprocessing.Lock, acquire and release", XB_METRIC_OP,
	 lock_cases)
