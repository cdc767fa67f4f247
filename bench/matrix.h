/* SPDX-License-Identifier: MIT */
/*
 * matrix - all cases: workload x implementation x parameters x placement
 *
 * Overview      Each workload adds its cases; the implementations come from the catalogue, so a new
 *               one inherits every workload of its kind. What a reader might look for and does not
 *               find is noted with the reason.
 */
#ifndef BENCH_MATRIX_H
#define BENCH_MATRIX_H

#include "bench/case.h"
#include "bench/peers/peers.h"
#include "bench/topology.h"

#include "xpshare/catalog/catalog.h"

/** struct xb_absent - Something that is not measured, and why. */
struct xb_absent {
	char what[XB_NAME_MAX];
	char why[160];
};

struct xb_matrix {
	const struct xb_topology *topology;
	struct xb_placement *pairs;
	int pair_count;
	bool quick;
	struct xp_place probe;
	struct xb_case **cases;
	size_t count;
	struct xb_absent *absents;
	size_t absent_count;
};

/** xb_each_pair() - Every pair of CPUs that the user chose. */
#define xb_each_pair(matrix, pair)                              \
	for (const struct xb_placement *pair = (matrix)->pairs; \
	     pair < (matrix)->pairs + (matrix)->pair_count; pair++)

/** xb_each_impl() - Every implementation of @wanted in the catalogue, then every peer of that kind. */
#define xb_each_impl(impl, wanted)                                                           \
	for (const struct xp_impl *impl = xb_impl_first(); impl; impl = xb_impl_after(impl)) \
		if (impl->kind == (wanted))

/**
 * xb_matrix_open() - Collect the cases of all workloads.
 * @placement: As xb_topology_pairs() takes it.
 * @quick:     Fewer parameters.
 * Return: 0; -EINVAL with @error filled for an impossible placement; -ENOMEM.
 */
XP_MUST_CHECK int xb_matrix_open(struct xb_matrix *matrix, const struct xb_topology *topology,
				 const char *placement, bool quick, char *error, size_t error_size);

/** xb_matrix_close() - Accepts a zeroed one. */
void xb_matrix_close(struct xb_matrix *matrix);

/** xb_matrix_find() - The case of that name, or NULL. */
struct xb_case *xb_matrix_find(const struct xb_matrix *matrix, const char *name);

/** xb_matrix_add() - Add a copy of @draft, and name it. */
void xb_matrix_add(struct xb_matrix *matrix, const struct xb_case *draft);

/** xb_matrix_absent() - Note that @what is not measured. */
void xb_matrix_absent(struct xb_matrix *matrix, const char *why, const char *what, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * xb_matrix_supports() - Whether @impl makes an object with these parameters here.
 *
 * Tried, not looked up. A managed one is taken at its word: its session will tell.
 */
bool xb_matrix_supports(struct xb_matrix *matrix, const struct xp_impl *impl,
			const struct xp_params *params);

/**
 * xb_matrix_waits() - The ways of waiting in which @impl differs on @where, to @ret_waits.
 *
 * Where an implementation cannot spin there is nothing to choose: one way, NULL, not stated in the
 * name. On one PU spinning is left out: it measures the scheduler's time slice.
 * Return: how many, 0 (not supported at all with these parameters) to 3.
 */
int xb_matrix_waits(struct xb_matrix *matrix, const struct xp_impl *impl,
		    const struct xp_params *params, const struct xb_placement *where,
		    const char *ret_waits[3]);

/** xb_case_wait() - State the way of waiting; NULL states none. */
void xb_case_wait(struct xb_case *c, const char *wait);

/**
 * xb_case_wait_floor() - The floor of a hand-over: a cache line where the members poll and run on
 * two PUs, else a futex.
 */
void xb_case_wait_floor(struct xb_case *c);

/** xb_case_of() - A draft for @impl of the catalogue at @where. */
struct xb_case xb_case_of(const struct xb_workload *workload, const struct xp_impl *impl,
			  const struct xb_placement *where);

/** xb_case_other() - A draft for something that is not in the catalogue. */
struct xb_case xb_case_other(const struct xb_workload *workload, enum xb_role role,
			     const char *kind, const char *impl_name,
			     const struct xb_placement *where);

#endif
