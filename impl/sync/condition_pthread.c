/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/condition_pthread.h"

#include "xpshare/sync/lock_pthread.h"
#include "xpshare/sync/ref.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PLACES XP_CONDITION_PTHREAD_WAITERS_MAX

enum { IDLE = 0, WAITING = 1, SIGNALLED = 2 };

/* @cond: of one waiter. @ticket: when its wait began. @state: as the enum. Under the mutex. */
struct place {
	pthread_cond_t cond;
	uint64_t ticket;
	uint32_t state;
};

/**
 * struct monitor - The condition in shared memory.
 * @owner:   Thread id of the holder, 0 for none: atomic, as others ask whether it is theirs.
 * @depth:   Acquisitions by the holder.
 * @tickets: Waits so far.
 */
struct monitor {
	pthread_mutex_t mutex;
	_Atomic uint32_t owner;
	uint32_t depth;
	uint64_t tickets;
	struct place places[PLACES];
};

static struct monitor *monitor_of(void *self)
{
	return ((struct xp_sync_ref *)self)->shared;
}

static uint32_t own_tid(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

static bool is_mine(struct monitor *monitor)
{
	return atomic_load_explicit(&monitor->owner, memory_order_relaxed) == own_tid();
}

/* The mutex is held since a call that returned @rc. */
static int taken(struct monitor *monitor, int rc)
{
	if (rc == 0 || rc == -EOWNERDEAD) {
		atomic_store_explicit(&monitor->owner, own_tid(), memory_order_relaxed);
		monitor->depth = 1;
	}
	return rc;
}

static int op_acquire_until(void *self, const struct timespec *deadline)
{
	struct monitor *monitor = monitor_of(self);

	if (!is_mine(monitor))
		return taken(monitor, xp_mutex_acquire_until(&monitor->mutex, deadline));
	if (monitor->depth == UINT32_MAX)
		return -EOVERFLOW;
	monitor->depth++;
	return 0;
}

static int op_try_acquire(void *self)
{
	struct monitor *monitor = monitor_of(self);

	if (is_mine(monitor))
		return op_acquire_until(self, NULL);
	int rc = -pthread_mutex_trylock(&monitor->mutex);
	if (rc == -EOWNERDEAD)
		pthread_mutex_consistent(&monitor->mutex);
	return taken(monitor, rc);
}

static int op_release(void *self)
{
	struct monitor *monitor = monitor_of(self);

	if (!is_mine(monitor))
		return -EPERM;
	if (--monitor->depth > 0)
		return 0;
	atomic_store_explicit(&monitor->owner, 0, memory_order_relaxed);
	return -pthread_mutex_unlock(&monitor->mutex);
}

static const struct xp_lock_ops lock_ops = {
    .acquire_until = op_acquire_until, .try_acquire = op_try_acquire, .release = op_release};

static int op_wait_until(void *self, const struct timespec *deadline)
{
	struct monitor *monitor = monitor_of(self);
	struct place *place = monitor->places;
	bool owner_died = false;
	int rc = 0;

	if (!is_mine(monitor))
		return -EPERM;
	while (place < monitor->places + PLACES && place->state != IDLE)
		place++;
	if (place == monitor->places + PLACES)
		return -EOVERFLOW;
	place->ticket = monitor->tickets++;
	place->state = WAITING;

	uint32_t depth = monitor->depth;
	atomic_store_explicit(&monitor->owner, 0, memory_order_relaxed);
	while (place->state == WAITING && rc == 0) {
		rc = deadline ? pthread_cond_clockwait(&place->cond, &monitor->mutex,
						       CLOCK_MONOTONIC, deadline)
			      : pthread_cond_wait(&place->cond, &monitor->mutex);
		if (rc == EOWNERDEAD) {
			pthread_mutex_consistent(&monitor->mutex);
			owner_died = true;
			rc = 0;
		}
	}
	(void)taken(monitor, 0);
	monitor->depth = depth;
	if (place->state == SIGNALLED)
		rc = 0;
	place->state = IDLE;
	return owner_died ? -EOWNERDEAD : -rc;
}

static struct place *longest_waiter(struct monitor *monitor)
{
	struct place *found = NULL;

	for (struct place *place = monitor->places; place < monitor->places + PLACES; place++)
		if (place->state == WAITING && (!found || place->ticket < found->ticket))
			found = place;
	return found;
}

static int op_signal(void *self, uint32_t count)
{
	struct monitor *monitor = monitor_of(self);
	struct place *place;

	if (!is_mine(monitor))
		return -EPERM;
	for (; count > 0 && (place = longest_waiter(monitor)); count--) {
		place->state = SIGNALLED;
		pthread_cond_signal(&place->cond);
	}
	return 0;
}

static const struct xp_condition_ops ops = {.wait_until = op_wait_until, .signal = op_signal};

static int init(struct monitor *monitor)
{
	int rc = xp_mutex_init(&monitor->mutex, PTHREAD_MUTEX_ERRORCHECK);

	for (uint32_t i = 0; rc == 0 && i < PLACES; i++)
		rc = xp_cond_init(&monitor->places[i].cond);
	return rc;
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	struct xp_object object = {.impl = impl};
	struct xp_sync_ref *ref;

	if (params->strategy == XP_STRATEGY_SPIN)
		return -ENOTSUP;
	int rc = xp_sync_ref_make(place, params, sizeof(struct monitor), &ref);
	if (rc < 0)
		return rc;
	object.owner = ref;
	if (!place->existing)
		rc = init(ref->shared);
	if (rc < 0) {
		xp_sync_ref_drop(&object);
		return rc;
	}
	object.as.condition = (struct xp_condition){
	    .ops = &ops, .self = ref, .lock = {.ops = &lock_ops, .self = ref}};
	*ret_object = object;
	return 0;
}

const struct xp_impl xp_impl_condition_pthread = {
    .name = "condition/pthread",
    .title = "mutex and condition variables of the C library",
    .kind = XP_KIND_CONDITION,
    .scope = XP_SCOPE_INHERITED,
    .caps = 0,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};
