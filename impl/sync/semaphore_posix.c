/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/semaphore_posix.h"

#include "xpshare/sync/lock_sem.h"
#include "xpshare/sync/ref.h"

/* What is in shared memory: the limit is the C library's own for a plain semaphore. */
struct counter {
	sem_t semaphore;
	uint32_t limit;
};

static int op_wait_until(void *self, const struct timespec *deadline)
{
	struct counter *counter = ((struct xp_sync_ref *)self)->shared;

	return xp_sem_wait_until(&counter->semaphore, deadline);
}

static int op_try_wait(void *self)
{
	struct counter *counter = ((struct xp_sync_ref *)self)->shared;

	return sem_trywait(&counter->semaphore) < 0 ? -errno : 0;
}

static int64_t op_value(void *self)
{
	struct counter *counter = ((struct xp_sync_ref *)self)->shared;
	int value = 0;

	return sem_getvalue(&counter->semaphore, &value) < 0 ? -errno : value;
}

static int op_post(void *self)
{
	struct counter *counter = ((struct xp_sync_ref *)self)->shared;

	if (op_value(self) >= counter->limit)
		return -EOVERFLOW;
	return sem_post(&counter->semaphore) < 0 ? -errno : 0;
}

static const struct xp_semaphore_ops ops = {
    .wait_until = op_wait_until, .try_wait = op_try_wait, .post = op_post, .value = op_value};

static void fini(void *shared)
{
	sem_destroy(&((struct counter *)shared)->semaphore);
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	struct xp_object object = {.impl = impl};
	struct xp_sync_ref *ref;

	if (params->strategy == XP_STRATEGY_SPIN)
		return -ENOTSUP;
	int rc = xp_sync_ref_make(place, params, sizeof(struct counter), &ref);
	if (rc < 0)
		return rc;
	object.owner = ref;
	struct counter *counter = ref->shared;
	counter->limit = impl->kind == XP_KIND_BOUNDED ? params->count : SEM_VALUE_MAX;
	if (sem_init(&counter->semaphore, 1, params->count) < 0) {
		rc = -errno;
		xp_sync_ref_drop(&object);
		return rc;
	}
	ref->fini = fini;
	object.as.semaphore = (struct xp_semaphore){.ops = &ops, .self = ref};
	*ret_object = object;
	return 0;
}

const struct xp_impl xp_impl_semaphore_posix = {
    .name = "semaphore/posix",
    .title = "POSIX semaphore",
    .kind = XP_KIND_SEMAPHORE,
    .scope = XP_SCOPE_INHERITED,
    .caps = 0,
    .make = make,
    .drop = xp_sync_ref_drop,
};

const struct xp_impl xp_impl_bounded_posix = {
    .name = "bounded/posix",
    .title = "POSIX semaphore, limit checked beforehand as multiprocessing does",
    .kind = XP_KIND_BOUNDED,
    .scope = XP_SCOPE_INHERITED,
    .caps = 0,
    .make = make,
    .drop = xp_sync_ref_drop,
};
