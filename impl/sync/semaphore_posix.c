/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/semaphore_posix.h"

#include "xpshare/sync/lock_sem.h"
#include "xpshare/sync/ref.h"

/* What is in shared memory. A bounded semaphore has a second one that counts the units which are out, so
 * that a post takes a unit of it first: looking at the value and then posting, as multiprocessing does,
 * lets two posts at a time exceed the bound. */
struct counter {
	sem_t semaphore;
	sem_t out;
	uint32_t bounded;
};

/* A unit was taken from the semaphore: it is out now. Cannot fail: at most the bound's units are. */
static int taken(struct counter *counter)
{
	if (counter->bounded)
		sem_post(&counter->out);
	return 0;
}

static int op_wait_until(void *self, const struct timespec *deadline)
{
	struct counter *counter = ((struct xp_sync_ref *)self)->shared;

	int rc = xp_sem_wait_until(&counter->semaphore, deadline);

	return rc < 0 ? rc : taken(counter);
}

static int op_try_wait(void *self)
{
	struct counter *counter = ((struct xp_sync_ref *)self)->shared;

	return sem_trywait(&counter->semaphore) < 0 ? -errno : taken(counter);
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

	while (counter->bounded && sem_trywait(&counter->out) < 0) {
		if (errno != EINTR)
			return errno == EAGAIN ? -EOVERFLOW : -errno;
	}
	return sem_post(&counter->semaphore) < 0 ? -errno : 0;
}

static const struct xp_semaphore_ops ops = {
    .wait_until = op_wait_until, .try_wait = op_try_wait, .post = op_post, .value = op_value};

static void fini(void *shared)
{
	struct counter *counter = shared;

	sem_destroy(&counter->semaphore);
	sem_destroy(&counter->out);
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
	if (!place->existing)
		counter->bounded = impl->kind == XP_KIND_BOUNDED;
	if (!place->existing && (sem_init(&counter->semaphore, 1, params->count) < 0 ||
				 sem_init(&counter->out, 1, 0) < 0)) {
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
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};

const struct xp_impl xp_impl_bounded_posix = {
    .name = "bounded/posix",
    .title = "two POSIX semaphores: the units that are in, and those that are out",
    .kind = XP_KIND_BOUNDED,
    .scope = XP_SCOPE_INHERITED,
    .caps = 0,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};
