/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/rlock_futex.h"

#include "xpshare/sync/ref.h"

int xp_rlock_futex_try_acquire(struct xp_lock_futex *lock)
{
	if (xp_lock_futex_held(lock))
		return xp_rlock_futex_acquire_until(lock, NULL, NULL);

	int rc = xp_lock_futex_try_acquire(lock);
	if (rc == 0 || rc == -EOWNERDEAD)
		atomic_store_explicit(&lock->count, 1, memory_order_relaxed);
	return rc;
}

static int op_acquire_until(void *self, const struct timespec *deadline)
{
	struct xp_sync_ref *ref = self;

	return xp_rlock_futex_acquire_until(ref->shared, &ref->how, deadline);
}

static int op_try_acquire(void *self)
{
	return xp_rlock_futex_try_acquire(((struct xp_sync_ref *)self)->shared);
}

static int op_release(void *self)
{
	return xp_rlock_futex_release(((struct xp_sync_ref *)self)->shared);
}

const struct xp_lock_ops xp_rlock_futex_ops = {
    .acquire_until = op_acquire_until, .try_acquire = op_try_acquire, .release = op_release};

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	struct xp_sync_ref *ref;
	int rc = xp_sync_ref_make(place, params, sizeof(struct xp_lock_futex), &ref);

	if (rc < 0)
		return rc;
	if (!place->existing)
		xp_lock_futex_init(ref->shared, params->fair ? XP_LOCK_FAIR : 0);
	*ret_object = (struct xp_object){
	    .impl = impl, .as.lock = {.ops = &xp_rlock_futex_ops, .self = ref}, .owner = ref};
	return 0;
}

const struct xp_impl xp_impl_rlock_futex = {
    .name = "rlock/futex",
    .title = "one futex word on the robust list, with a count",
    .kind = XP_KIND_RLOCK,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_FAIR | XP_CAP_OWNED | XP_CAP_UNTRUSTING,
    .robust_by_list = true,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};
