/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/lock_sem.h"

#include "xpshare/sync/ref.h"

#ifdef XP_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

int xp_sem_wait_until(sem_t *semaphore, const struct timespec *deadline)
{
	for (;;) {
		int rc = deadline ? sem_clockwait(semaphore, CLOCK_MONOTONIC, deadline)
				  : sem_wait(semaphore);
		if (rc == 0) {
#ifdef XP_THREAD_SANITIZER
			__tsan_acquire(semaphore); /* it does not know sem_clockwait() */
#endif
			return 0;
		}
		if (errno != EINTR)
			return -errno;
	}
}

static int op_acquire_until(void *self, const struct timespec *deadline)
{
	return xp_sem_wait_until(((struct xp_sync_ref *)self)->shared, deadline);
}

static int op_try_acquire(void *self)
{
	if (sem_trywait(((struct xp_sync_ref *)self)->shared) == 0)
		return 0;
	return errno == EAGAIN ? -EBUSY : -errno;
}

static int op_release(void *self)
{
	sem_t *semaphore = ((struct xp_sync_ref *)self)->shared;
	int value = 0;

	if (sem_getvalue(semaphore, &value) < 0)
		return -errno;
	if (value > 0)
		return -EPERM;
	return sem_post(semaphore) < 0 ? -errno : 0;
}

static const struct xp_lock_ops ops = {
    .acquire_until = op_acquire_until, .try_acquire = op_try_acquire, .release = op_release};

static void fini(void *shared)
{
	sem_destroy(shared);
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	struct xp_object object = {.impl = impl};
	struct xp_sync_ref *ref;

	if (params->fair || params->strategy == XP_STRATEGY_SPIN)
		return -ENOTSUP;
	int rc = xp_sync_ref_make(place, params, sizeof(sem_t), &ref);
	if (rc < 0)
		return rc;
	object.owner = ref;
	if (!place->existing && sem_init(ref->shared, 1, 1) < 0) {
		rc = -errno;
		xp_sync_ref_drop(&object);
		return rc;
	}
	ref->fini = fini;
	object.as.lock = (struct xp_lock){.ops = &ops, .self = ref};
	*ret_object = object;
	return 0;
}

const struct xp_impl xp_impl_lock_sem = {
    .name = "lock/sem",
    .title = "POSIX semaphore of one unit, as multiprocessing does it",
    .kind = XP_KIND_LOCK,
    .scope = XP_SCOPE_INHERITED,
    .caps = 0,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};
