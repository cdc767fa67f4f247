/* SPDX-License-Identifier: MIT */
/*
 * ref - what one process keeps of an object of this room
 *
 * Overview      Every object here is a struct in shared memory and, in each process, a handle on it
 *               with that process's way of waiting. A handle is copied by fork with the memory.
 */
#ifndef XPSHARE_SYNC_REF_H
#define XPSHARE_SYNC_REF_H

#include "xpshare/base/wait.h"
#include "xpshare/kind/object.h"

/**
 * struct xp_sync_ref - The self of an object's operations.
 * @shared: The object in shared memory.
 * @how:    How this process waits.
 * @arena:  Where @shared goes back to.
 * @fini:   Called by the maker before that; may be NULL.
 */
struct xp_sync_ref {
	void *shared;
	struct xp_wait how;
	struct xp_arena *arena;
	void (*fini)(void *shared);
};

/** xp_sync_wait_init() - Wait as @strategy says. */
void xp_sync_wait_init(struct xp_wait *how, enum xp_wait_strategy strategy);

/**
 * xp_sync_ref_init() - Take @size shared bytes for an object made with @params: zeroed, or, where
 * @place names an existing one, as they are and to be left so.
 * xp_sync_ref_make() - The same in memory of its own. Return: 0; -EINVAL (strategy); -ENOMEM;
 * as xp_arena_alloc().
 */
XP_MUST_CHECK int xp_sync_ref_init(struct xp_sync_ref *ref, struct xp_place *place,
				   const struct xp_params *params, size_t size);
XP_MUST_CHECK int xp_sync_ref_make(struct xp_place *place, const struct xp_params *params,
				   size_t size, struct xp_sync_ref **ret_ref);

/** xp_sync_ref_where() - The @where of every such implementation. */
void *xp_sync_ref_where(const struct xp_object *object);

/** xp_sync_ref_drop() - The drop of every implementation whose owner begins with a struct
 *  xp_sync_ref and comes from malloc. */
void xp_sync_ref_drop(struct xp_object *object);

#endif
