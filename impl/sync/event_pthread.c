/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/event_pthread.h"

#include "xpshare/sync/lock_pthread.h"
#include "xpshare/sync/ref.h"

#include <stdatomic.h>

/**
 * struct flag - The event in shared memory.
 * @up:   Written under the mutex, read without it too.
 * @sets: How often it was raised, modulo 2^64. Under the mutex.
 */
struct flag {
	pthread_mutex_t mutex;
	pthread_cond_t raised;
	_Atomic uint32_t up;
	uint64_t sets;
};

static struct flag *flag_of(void *self)
{
	return ((struct xp_sync_ref *)self)->shared;
}

/* A holder that died has left a flag that is up or down: there is nothing to repair. */
static int enter(struct flag *flag, const struct timespec *deadline)
{
	int rc = xp_mutex_acquire_until(&flag->mutex, deadline);

	return rc == -EOWNERDEAD ? 0 : rc;
}

static int leave(struct flag *flag)
{
	return -pthread_mutex_unlock(&flag->mutex);
}

static int op_is_set(void *self)
{
	return atomic_load_explicit(&flag_of(self)->up, memory_order_acquire) != 0;
}

static int op_set(void *self)
{
	struct flag *flag = flag_of(self);
	int rc = enter(flag, NULL);

	if (rc < 0)
		return rc;
	if (!atomic_load_explicit(&flag->up, memory_order_relaxed))
		flag->sets++;
	/* Written if it is up, too: what this setter did before belongs to its set. */
	atomic_store_explicit(&flag->up, 1, memory_order_release);
	/* Likewise: a setter that died may have left sleepers. */
	pthread_cond_broadcast(&flag->raised);
	return leave(flag);
}

static int op_clear(void *self)
{
	struct flag *flag = flag_of(self);
	int rc = enter(flag, NULL);

	if (rc < 0)
		return rc;
	atomic_store_explicit(&flag->up, 0, memory_order_relaxed);
	return leave(flag);
}

static int sleep_until(struct flag *flag, const struct timespec *deadline)
{
	int rc = deadline ? pthread_cond_clockwait(&flag->raised, &flag->mutex, CLOCK_MONOTONIC,
						   deadline)
			  : pthread_cond_wait(&flag->raised, &flag->mutex);

	if (rc != EOWNERDEAD)
		return -rc;
	pthread_mutex_consistent(&flag->mutex);
	return 0;
}

static int op_wait_until(void *self, const struct timespec *deadline)
{
	struct flag *flag = flag_of(self);
	int rc = enter(flag, deadline);

	if (rc < 0)
		return rc == -ETIMEDOUT && op_is_set(self) ? 0 : rc;

	uint64_t seen = flag->sets;
	while (!op_is_set(self) && flag->sets == seen && rc == 0)
		rc = sleep_until(flag, deadline);
	if (op_is_set(self) || flag->sets != seen)
		rc = 0;

	int left = leave(flag);
	return rc < 0 ? rc : left;
}

static const struct xp_event_ops ops = {
    .set = op_set, .clear = op_clear, .is_set = op_is_set, .wait_until = op_wait_until};

static int init(struct flag *flag)
{
	int rc = xp_mutex_init(&flag->mutex, PTHREAD_MUTEX_ERRORCHECK);

	return rc < 0 ? rc : xp_cond_init(&flag->raised);
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	struct xp_object object = {.impl = impl};
	struct xp_sync_ref *ref;

	/* How it waits is the C library's own affair. */
	if (params->strategy == XP_STRATEGY_SPIN)
		return -ENOTSUP;
	int rc = xp_sync_ref_make(place, params, sizeof(struct flag), &ref);
	if (rc < 0)
		return rc;
	object.owner = ref;
	if (!place->existing)
		rc = init(ref->shared);
	if (rc < 0) {
		xp_sync_ref_drop(&object);
		return rc;
	}
	object.as.event = (struct xp_event){.ops = &ops, .self = ref};
	*ret_object = object;
	return 0;
}

const struct xp_impl xp_impl_event_pthread = {
    .name = "event/pthread",
    .title = "flag under a mutex and a condition variable of the C library",
    .kind = XP_KIND_EVENT,
    .scope = XP_SCOPE_INHERITED,
    .caps = 0,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};
