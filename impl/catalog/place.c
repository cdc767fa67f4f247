/* SPDX-License-Identifier: MIT */
#include "xpshare/catalog/catalog.h"

#include "xpshare/manager/proxy.h"
#include "xpshare/shm/arena.h"
#include "xpshare/shm/segment.h"

#include <stdlib.h>

/* The segment and its arena live and die together. */
struct grounds {
	struct xp_segment segment;
	struct xp_arena arena;
};

static struct grounds *grounds_of(struct xp_arena *arena)
{
	return (struct grounds *)((char *)arena - offsetof(struct grounds, arena));
}

int xp_place_open(struct xp_place *place, const struct xp_place_plan *plan)
{
	struct xp_segment_params params = {
	    .size = plan->arena_bytes ? plan->arena_bytes : XP_PLACE_ARENA_DEFAULT,
	    .backing = XP_BACKING_ANONYMOUS,
	};
	struct grounds *grounds = calloc(1, sizeof(*grounds));

	if (!grounds)
		return -ENOMEM;
	int rc = xp_segment_create(&params, &grounds->segment);
	if (rc == 0)
		rc = xp_arena_init(&grounds->arena, &grounds->segment);
	if (rc < 0) {
		xp_segment_close(&grounds->segment);
		free(grounds);
		return rc;
	}
	struct xp_place made = {.arena = &grounds->arena};

	if (plan->managed) {
		rc = xp_manager_start(NULL, &made.manager);
		if (rc < 0) {
			xp_place_close(&made);
			return rc;
		}
	}
	*place = made;
	return 0;
}

void xp_place_close(struct xp_place *place)
{
	if (!place || !place->arena)
		return;
	struct grounds *grounds = grounds_of(place->arena);

	xp_manager_close(place->manager);
	xp_arena_fini(&grounds->arena);
	xp_segment_close(&grounds->segment);
	free(grounds);
	*place = (struct xp_place){0};
}
