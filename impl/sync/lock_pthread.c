/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/lock_pthread.h"

#include "xpshare/sync/ref.h"

#ifdef XP_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

int xp_mutex_init(pthread_mutex_t *mutex, int type)
{
	pthread_mutexattr_t how;
	int rc = pthread_mutexattr_init(&how);

	if (rc == 0)
		rc = pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
	if (rc == 0)
		rc = pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
	if (rc == 0)
		rc = pthread_mutexattr_settype(&how, type);
	if (rc == 0)
		rc = pthread_mutex_init(mutex, &how);
	pthread_mutexattr_destroy(&how);
	return -rc;
}

int xp_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t how;
	int rc = pthread_condattr_init(&how);

	if (rc)
		return -rc;
	rc = pthread_condattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
	if (rc == 0)
		rc = pthread_cond_init(cond, &how);
	pthread_condattr_destroy(&how);
	return -rc;
}

/* The answer of a lock call: a lock whose owner died is made usable again at once. */
static int answer(pthread_mutex_t *mutex, int rc)
{
	if (rc == EOWNERDEAD)
		pthread_mutex_consistent(mutex);
	/* A recursive one whose count is full. */
	return rc == EAGAIN ? -EOVERFLOW : -rc;
}

#ifdef XP_THREAD_SANITIZER
/* The sanitizer knows every way to lock a mutex but this one. */
static int lock_until(pthread_mutex_t *mutex, const struct timespec *deadline)
{
	__tsan_mutex_pre_lock(mutex, __tsan_mutex_try_lock);
	int rc = pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, deadline);
	unsigned failed = rc != 0 && rc != EOWNERDEAD ? __tsan_mutex_try_lock_failed : 0;
	__tsan_mutex_post_lock(mutex, __tsan_mutex_try_lock | failed, 0);
	return rc;
}
#else
static int lock_until(pthread_mutex_t *mutex, const struct timespec *deadline)
{
	return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, deadline);
}
#endif

int xp_mutex_acquire_until(pthread_mutex_t *mutex, const struct timespec *deadline)
{
	return answer(mutex, deadline ? lock_until(mutex, deadline) : pthread_mutex_lock(mutex));
}

static int op_acquire_until(void *self, const struct timespec *deadline)
{
	return xp_mutex_acquire_until(((struct xp_sync_ref *)self)->shared, deadline);
}

static int op_try_acquire(void *self)
{
	pthread_mutex_t *mutex = ((struct xp_sync_ref *)self)->shared;
	int rc = answer(mutex, pthread_mutex_trylock(mutex));

	return rc == -EDEADLK ? -EBUSY : rc;
}

static int op_release(void *self)
{
	return -pthread_mutex_unlock(((struct xp_sync_ref *)self)->shared);
}

static const struct xp_lock_ops ops = {
    .acquire_until = op_acquire_until, .try_acquire = op_try_acquire, .release = op_release};

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	struct xp_object object = {.impl = impl};
	struct xp_sync_ref *ref;

	/* How it waits, and in which order, is the C library's own affair. */
	if (params->fair || params->strategy == XP_STRATEGY_SPIN)
		return -ENOTSUP;
	int rc = xp_sync_ref_make(place, params, sizeof(pthread_mutex_t), &ref);
	if (rc < 0)
		return rc;
	object.owner = ref;
	if (!place->existing)
		rc = xp_mutex_init(ref->shared, impl->kind == XP_KIND_RLOCK
						    ? PTHREAD_MUTEX_RECURSIVE
						    : PTHREAD_MUTEX_ERRORCHECK);
	if (rc < 0) {
		xp_sync_ref_drop(&object);
		return rc;
	}
	object.as.lock = (struct xp_lock){.ops = &ops, .self = ref};
	*ret_object = object;
	return 0;
}

const struct xp_impl xp_impl_lock_pthread = {
    .name = "lock/pthread",
    .title = "process-shared robust mutex of the C library",
    .kind = XP_KIND_LOCK,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_OWNED,
    .robust_by_list = true,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};

const struct xp_impl xp_impl_rlock_pthread = {
    .name = "rlock/pthread",
    .title = "process-shared robust recursive mutex of the C library",
    .kind = XP_KIND_RLOCK,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_OWNED,
    .robust_by_list = true,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};
