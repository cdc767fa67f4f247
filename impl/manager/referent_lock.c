/* SPDX-License-Identifier: MIT */
/* Lock and RLock. */
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/client.h"
#include "xpshare/manager/dispatch.h"
#include "xpshare/manager/latch.h"

#include <stdlib.h>

struct lock {
	struct xp_referent base;
	struct xp_latch latch;
};

static const struct xp_datum *lock_acquire(struct xp_call *call)
{
	return xp_latch_acquire(call, &xp_call_self(call, struct lock, base)->latch);
}

static const struct xp_datum *lock_release(struct xp_call *call)
{
	struct lock *lock = xp_call_self(call, struct lock, base);

	if (xp_latch_release(&lock->latch, call->client) == 0)
		return xp_datum_none();
	if (lock->latch.recursive)
		return xp_call_raisef(call, "RuntimeError", "cannot release un-acquired lock");
	return xp_call_raisef(call, xp_call_python2(call) ? "_thread.error" : "RuntimeError",
			      "release unlocked lock");
}

/* Its owner holds a connection, not the object: a lock may be dropped while it is held. */
static void lock_fini(struct xp_referent *referent)
{
	struct lock *lock = (struct lock *)referent;

	xp_client_disown(&lock->latch.owned);
	free(lock);
}

static const struct xp_datum *make(struct xp_call *call, const struct xp_typeid *type,
				   bool recursive)
{
	struct lock *lock = (struct lock *)xp_referent_new(call, type, sizeof(*lock));

	if (!lock)
		return NULL;
	xp_latch_init(&lock->latch, &lock->base, recursive);
	return xp_call_object(call, &lock->base);
}

static const struct xp_datum *lock_init(struct xp_call *call)
{
	return make(call, &xp_typeid_lock, false);
}

static const struct xp_datum *rlock_init(struct xp_call *call)
{
	return make(call, &xp_typeid_rlock, true);
}

struct xp_latch *xp_lock_latch(struct xp_referent *referent)
{
	return &((struct lock *)referent)->latch;
}

const struct xp_datum *xp_latch_repr(struct xp_call *call, const struct xp_latch *latch,
				     uint64_t number)
{
	const char *held = latch->depth ? "locked" : "unlocked";

	if (!latch->recursive)
		return xp_datum_strf(call->arena, "<%s _thread.lock object at 0x%llx>", held,
				     (unsigned long long)number);
	return xp_datum_strf(call->arena, "<%s _thread.RLock object owner=%llu count=%u at 0x%llx>",
			     held, (unsigned long long)latch->owner, latch->depth,
			     (unsigned long long)number);
}

static const struct xp_datum *lock_repr(struct xp_call *call, struct xp_referent *referent)
{
	return xp_latch_repr(call, &((struct lock *)referent)->latch, referent->number);
}

static const struct xp_method lock_methods[] = {XP_METHODS_LOCK(XP_METHOD_ROW)};
static const struct xp_method rlock_methods[] = {XP_METHODS_RLOCK(XP_METHOD_ROW)};

const struct xp_typeid xp_typeid_lock = {
    .name = "Lock",
    .owner = "lock",
    .init = {.name = "allocate_lock", .style = XP_ARGS_NONE, .params = "", .call = lock_init},
    .methods = lock_methods,
    .method_count = sizeof(lock_methods) / sizeof(lock_methods[0]),
    .fini = lock_fini,
    .repr = lock_repr,
};

const struct xp_typeid xp_typeid_rlock = {
    .name = "RLock",
    .owner = "RLock",
    .init = {.name = "RLock", .style = XP_ARGS_NONE, .params = "", .call = rlock_init},
    .methods = rlock_methods,
    .method_count = sizeof(rlock_methods) / sizeof(rlock_methods[0]),
    .fini = lock_fini,
    .repr = lock_repr,
};
