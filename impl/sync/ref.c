/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/ref.h"

#include "xpshare/shm/arena.h"

#include <stdlib.h>
#include <unistd.h>

void xp_sync_wait_init(struct xp_wait *how, enum xp_wait_strategy strategy)
{
	static const uint32_t polls[] = {
	    [XP_STRATEGY_HYBRID] = XP_WAIT_POLLS_DEFAULT,
	    [XP_STRATEGY_SPIN] = XP_WAIT_POLLS_FOREVER,
	    [XP_STRATEGY_PARK] = 0,
	};

	xp_wait_init(how, polls[strategy]);
}

int xp_sync_ref_init(struct xp_sync_ref *ref, struct xp_place *place,
		     const struct xp_params *params, size_t size)
{
	if ((unsigned)params->strategy > XP_STRATEGY_PARK)
		return -EINVAL;

	void *shared;
	int rc = xp_arena_take(place->arena, place->existing, size, &shared);
	if (rc < 0)
		return rc;
	*ref = (struct xp_sync_ref){.shared = shared, .arena = place->arena};
	xp_sync_wait_init(&ref->how, params->strategy);
	return 0;
}

int xp_sync_ref_make(struct xp_place *place, const struct xp_params *params, size_t size,
		     struct xp_sync_ref **ret_ref)
{
	struct xp_sync_ref *ref = malloc(sizeof(*ref));

	if (!ref)
		return -ENOMEM;
	int rc = xp_sync_ref_init(ref, place, params, size);
	if (rc < 0) {
		free(ref);
		return rc;
	}
	*ret_ref = ref;
	return 0;
}

void *xp_sync_ref_where(const struct xp_object *object)
{
	return ((const struct xp_sync_ref *)object->owner)->shared;
}

void xp_sync_ref_drop(struct xp_object *object)
{
	struct xp_sync_ref *ref = object->owner;

	if (ref->fini && ref->arena->maker == getpid())
		ref->fini(ref->shared);
	xp_arena_free(ref->arena, ref->shared);
	free(ref);
	*object = (struct xp_object){0};
}
