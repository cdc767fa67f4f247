/* SPDX-License-Identifier: MIT */
#include "xpshare/catalog/skeleton.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/wait.h"
#include "xpshare/shm/arena.h"

/* The layout: what lives in shared memory. No pointers; each member says who writes it. The count of raises
 * lets a waiter notice that the flag was up, even if it is down again when the waiter looks. */
struct state {
	_Atomic uint32_t
	    raised; /* flag in bit 0, raises above; written by set and clear, read by all */
};

/* The operations: @self is what make() left in the handle, valid in every process after fork. */
static int set(void *self)
{
	struct state *state = self;
	uint32_t old = atomic_load_explicit(&state->raised, memory_order_relaxed);

	/* Release: pairs with the acquire loads of is_set() and wait_until(). */
	while (!(old & 1) &&
	       !atomic_compare_exchange_weak_explicit(&state->raised, &old, old + 3,
						      memory_order_release, memory_order_relaxed))
		;
	return 0;
}

static int clear(void *self)
{
	struct state *state = self;

	atomic_fetch_and_explicit(&state->raised, ~UINT32_C(1), memory_order_relaxed);
	return 0;
}

static int is_set(void *self)
{
	struct state *state = self;

	return atomic_load_explicit(&state->raised, memory_order_acquire) & 1;
}

static int wait_until(void *self, const struct timespec *deadline)
{
	struct state *state = self;
	uint32_t first = atomic_load_explicit(&state->raised, memory_order_acquire);

	for (uint32_t now = first; !(now & 1) && now >> 1 == first >> 1;
	     now = atomic_load_explicit(&state->raised, memory_order_acquire)) {
		if (xp_deadline_passed(deadline))
			return -ETIMEDOUT;
		xp_cpu_relax();
	}
	return 0;
}

static const struct xp_event_ops ops = {set, clear, is_set, wait_until};

/* The maker: before the fork, in the place's arena, which hands out zeroed bytes. */
static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	void *state;

	(void)impl;
	if (params->strategy == XP_STRATEGY_PARK)
		return -ENOTSUP; /* it cannot sleep: say so instead of doing something else */
	int rc = xp_arena_alloc(place->arena, sizeof(struct state), _Alignof(struct state), &state);
	if (rc < 0)
		return rc;
	ret_object->as.event = (struct xp_event){&ops, state};
	ret_object->owner = place->arena;
	return 0;
}

/* In a child this frees nothing: the arena belongs to its maker. */
static void drop(struct xp_object *object)
{
	xp_arena_free(object->owner, object->as.event.self);
}

const struct xp_impl xp_impl_event_skeleton = {
    .name = "event/skeleton",
    .title = "one atomic word, polled",
    .kind = XP_KIND_EVENT,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_DEADLINE,
    .make = make,
    .drop = drop,
};
