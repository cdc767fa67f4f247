/* SPDX-License-Identifier: MIT */
/*
 * context - the manifest of a run: where, when, with what (results/FORMAT.md, context.json)
 */
#ifndef BENCH_CONTEXT_H
#define BENCH_CONTEXT_H

#include "bench/audit.h"
#include "bench/machine.h"
#include "bench/matrix.h"

#include <jansson.h>

/** struct xb_context - What is known at the start, and the file it goes to. */
struct xb_context {
	const struct xb_topology *topology;
	const struct xb_matrix *matrix;
	int argc;
	char **argv;
	bool quick;
	uint64_t seed;
	double load_before;
	struct xb_ticks ticks_before;
	char started[32];
	double clock_cost, clock_step;
	size_t records[3]; /* by enum xb_validity */
};

/** xb_context_start() - Look at the machine before the first measurement. */
void xb_context_start(struct xb_context *context);

/** xb_context_write() - Write DIR/context.json, whole or not at all. 0 or -errno. */
XP_MUST_CHECK int xb_context_write(const struct xb_context *context, const char *dir, bool complete,
				   bool finished);

/** xb_context_topology() - Write DIR/topology.xml. 0 or -errno. */
XP_MUST_CHECK int xb_context_topology(const struct xb_context *context, const char *dir);

/** xb_version(), xb_commit() - Of this build. */
const char *xb_version(void);
const char *xb_commit(void);
bool xb_sanitized(void);

#endif
