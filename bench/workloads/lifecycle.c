/* SPDX-License-Identifier: MIT */
/*
 * lifecycle - what it costs to make an object and to remove it
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include <stdlib.h>
#include <string.h>

static struct xp_params params_of(const struct xp_impl *impl)
{
	struct xp_params params = {
	    .type = XP_TYPE_LLONG, .length = 16, .capacity = 64, .item_max = 64};

	if (impl->kind == XP_KIND_BARRIER)
		params.count = 2;
	if (impl->kind == XP_KIND_BOUNDED || impl->kind == XP_KIND_SEMAPHORE)
		params.count = 1;
	return params;
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	struct xb_placement single = xb_topology_single(matrix->topology);

	for (const struct xp_impl *impl = xb_impl_first(); impl; impl = xb_impl_after(impl)) {
		struct xp_params params = params_of(impl);
		if (impl->scope == XP_SCOPE_MANAGED || !xb_matrix_supports(matrix, impl, &params))
			continue;
		struct xb_case c = xb_case_of(workload, impl, &single);
		xb_case_floor(&c, "floor/syscall", 0);
		xb_matrix_add(matrix, &c);
	}
}

/* Only the process that opened a place makes objects in it. */
static int enter(struct xb_actor *actor)
{
	struct xp_place *place = calloc(1, sizeof(*place));

	if (!place)
		return xb_fail(actor, "no memory");
	actor->own = place;
	int rc = xp_place_open(place, &(struct xp_place_plan){0});
	return rc < 0 ? xb_fail(actor, "place: %s", strerror(-rc)) : 0;
}

static void leave(struct xb_actor *actor)
{
	xp_place_close(actor->own);
	free(actor->own);
}

static int make_and_drop(const struct xp_impl *impl, struct xp_place *place,
			 const struct xp_params *params)
{
	struct xp_object object = {0};
	int rc = xp_object_make(impl, place, params, &object);

	if (rc == 0)
		xp_object_drop(&object);
	return rc;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	struct xp_params params = params_of(actor->c->impl);
	int rc;

	xb_timed(actor, n, pass, rc, make_and_drop(actor->c->impl, actor->own, &params));
	actor->tally->ops = n;
	return rc < 0 ? xb_fail(actor, "make: %s", strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_object_make = {
    .name = "object_make",
    .title = "make an object and remove it",
    .metric = XB_METRIC_SETUP,
    .distribution = true,
    .cases = cases,
    .enter = enter,
    .run = run,
    .leave = leave,
};
