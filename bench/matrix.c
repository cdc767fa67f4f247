/* SPDX-License-Identifier: MIT */
#include "bench/matrix.h"

#include "bench/workload.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define X(name) extern const struct xb_workload xb_workload_##name;
#include "bench/workloads.def"
#undef X

static const struct xb_workload *const workloads[] = {
#define X(name) &xb_workload_##name,
#include "bench/workloads.def"
#undef X
};

/* What does not see memory shared between processes is run with threads: a labelled control. */
#ifdef __SANITIZE_THREAD__
#define DEFAULT_CARRIER XP_CARRIER_THREAD
#else
#define DEFAULT_CARRIER XP_CARRIER_PROCESS
#endif

const struct xb_workload *xb_workload_at(size_t index)
{
	return index < sizeof(workloads) / sizeof(*workloads) ? workloads[index] : NULL;
}

static const struct {
	const char *name, *unit;
} metrics[] = {
#define X(id, metric, unit) {metric, unit},
    XB_METRIC_MAP(X)
#undef X
};

const char *xb_metric_name(enum xb_metric metric)
{
	return metrics[metric].name;
}

const char *xb_metric_unit(enum xb_metric metric)
{
	return metrics[metric].unit;
}

bool xb_metric_higher(enum xb_metric metric)
{
	return metric == XB_METRIC_ITEMS || metric == XB_METRIC_BYTES;
}

static void *grown(void *list, size_t count, size_t size)
{
	/* By powers of two: whenever the count is one. */
	if (count & (count - 1))
		return list;
	list = realloc(list, (count ? 2 * count : 1) * size);
	xp_assert(list);
	return list;
}

void xb_matrix_add(struct xb_matrix *matrix, const struct xb_case *draft)
{
	struct xb_case *c = malloc(sizeof(*c));

	xp_assert(c);
	*c = *draft;
	xp_assert(xb_case_name(c) == 0);
	matrix->cases = grown(matrix->cases, matrix->count, sizeof(*matrix->cases));
	matrix->cases[matrix->count++] = c;
}

void xb_matrix_absent(struct xb_matrix *matrix, const char *why, const char *what, ...)
{
	struct xb_absent absent;
	va_list args;

	va_start(args, what);
	vsnprintf(absent.what, sizeof(absent.what), what, args);
	va_end(args);
	snprintf(absent.why, sizeof(absent.why), "%s", why);
	for (size_t i = 0; i < matrix->absent_count; i++)
		if (strcmp(matrix->absents[i].what, absent.what) == 0)
			return;
	matrix->absents = grown(matrix->absents, matrix->absent_count, sizeof(absent));
	matrix->absents[matrix->absent_count++] = absent;
}

bool xb_matrix_supports(struct xb_matrix *matrix, const struct xp_impl *impl,
			const struct xp_params *params)
{
	struct xp_object object = {0};

	if (impl->scope == XP_SCOPE_MANAGED)
		return true;
	int rc = xp_object_make(impl, &matrix->probe, params, &object);
	if (rc == 0)
		xp_object_drop(&object);
	return rc == 0;
}

int xb_matrix_waits(struct xb_matrix *matrix, const struct xp_impl *impl,
		    const struct xp_params *params, const struct xb_placement *where,
		    const char *ret_waits[3])
{
	static const enum xp_wait_strategy all[] = {XP_STRATEGY_HYBRID, XP_STRATEGY_PARK,
						    XP_STRATEGY_SPIN};
	bool crowded = where->class == XB_SAME_PU || where->variant == XB_OVERSUBSCRIBED;
	struct xp_params wanted = *params;
	int n = 0;

	wanted.strategy = XP_STRATEGY_SPIN;
	if (impl->scope == XP_SCOPE_MANAGED || !xb_matrix_supports(matrix, impl, &wanted)) {
		wanted.strategy = XP_STRATEGY_HYBRID;
		if (!xb_matrix_supports(matrix, impl, &wanted))
			return 0;
		ret_waits[0] = NULL;
		return 1;
	}
	for (int i = 0; i < 3; i++) {
		wanted.strategy = all[i];
		if ((all[i] != XP_STRATEGY_SPIN || !crowded) &&
		    xb_matrix_supports(matrix, impl, &wanted))
			ret_waits[n++] = xb_strategy_name(all[i]);
	}
	return n;
}

void xb_case_wait(struct xb_case *c, const char *wait)
{
	if (wait)
		c->param[XB_WAIT] = xb_text(wait);
}

void xb_case_wait_floor(struct xb_case *c)
{
	const struct xb_value *wait = &c->param[XB_WAIT];
	bool polls = wait->set && strcmp(wait->text, xb_strategy_name(XP_STRATEGY_PARK)) != 0;

	xb_case_floor(
	    c, polls && c->placement.class != XB_SAME_PU ? "floor/cache_line" : "floor/futex", 0);
}

struct xb_case xb_case_of(const struct xb_workload *workload, const struct xp_impl *impl,
			  const struct xb_placement *where)
{
	return (struct xb_case){
	    .workload = workload,
	    .impl = impl,
	    .impl_name = impl->name,
	    .kind = xp_kind_name(impl->kind),
	    .role = xb_is_peer(impl) ? XB_ROLE_PEER : XB_ROLE_SUBJECT,
	    .carrier = DEFAULT_CARRIER,
	    .placement = *where,
	};
}

struct xb_case xb_case_other(const struct xb_workload *workload, enum xb_role role,
			     const char *kind, const char *impl_name,
			     const struct xb_placement *where)
{
	return (struct xb_case){
	    .workload = workload,
	    .impl_name = impl_name,
	    .kind = kind,
	    .role = role,
	    .carrier = DEFAULT_CARRIER,
	    .placement = *where,
	};
}

int xb_matrix_open(struct xb_matrix *matrix, const struct xb_topology *topology,
		   const char *placement, bool quick, char *error, size_t error_size)
{
	*matrix = (struct xb_matrix){.topology = topology, .quick = quick};
	int rc = xb_topology_pairs(topology, placement, &matrix->pairs, error, error_size);
	if (rc < 0)
		return rc;
	matrix->pair_count = rc;
	rc = xp_place_open(&matrix->probe, &(struct xp_place_plan){0});
	if (rc < 0) {
		snprintf(error, error_size, "cannot map shared memory: %s", strerror(-rc));
		xb_matrix_close(matrix);
		return rc;
	}
	for (size_t i = 0; xb_workload_at(i); i++)
		xb_workload_at(i)->cases(xb_workload_at(i), matrix);
	for (size_t i = 0; xb_peer_absent_at(i); i++)
		xb_matrix_absent(matrix, "its package was not there when this was built", "%s",
				 xb_peer_absent_at(i));
	return 0;
}

void xb_matrix_close(struct xb_matrix *matrix)
{
	for (size_t i = 0; i < matrix->count; i++)
		free(matrix->cases[i]);
	free(matrix->cases);
	free(matrix->absents);
	free(matrix->pairs);
	xp_place_close(&matrix->probe);
	*matrix = (struct xb_matrix){0};
}

struct xb_case *xb_matrix_find(const struct xb_matrix *matrix, const char *name)
{
	for (size_t i = 0; i < matrix->count; i++)
		if (strcmp(matrix->cases[i]->name, name) == 0)
			return matrix->cases[i];
	return NULL;
}
