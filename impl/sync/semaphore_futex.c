/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/semaphore_futex.h"

#include "xpshare/sync/ref.h"

int xp_semaphore_futex_init(struct xp_semaphore_futex *semaphore, uint32_t value, uint32_t limit)
{
	if (limit > XP_SEMAPHORE_MAX || value > limit)
		return -EINVAL;
	atomic_init(&semaphore->word, value);
	semaphore->limit = limit;
	return 0;
}

int xp_semaphore_futex_wait_slow(struct xp_semaphore_futex *semaphore, struct xp_wait *how,
				 const struct timespec *deadline)
{
	struct xp_patrol patrol = {0};

	for (;;) {
		uint32_t word = atomic_load_explicit(&semaphore->word, memory_order_relaxed);
		uint32_t mark = patrol.nap_ns > 0 ? XP_WAIT_PARKED : 0;

		if ((word & XP_WAIT_VALUE) != 0) {
			if (atomic_compare_exchange_weak_explicit(
				&semaphore->word, &word, (word - 1) | mark, memory_order_acquire,
				memory_order_relaxed))
				return 0;
			continue;
		}

		int rc = xp_wait_step(&semaphore->word, 0, how, &patrol, deadline);
		if (rc < 0 && rc != -EAGAIN)
			return rc;
	}
}

void xp_semaphore_futex_wake(struct xp_semaphore_futex *semaphore, uint32_t word)
{
	if (xp_futex_wake(&semaphore->word, 1) == 0)
		/* If the word has changed, somebody may have gone to sleep meanwhile. */
		atomic_compare_exchange_strong_explicit(&semaphore->word, &word,
							word & XP_WAIT_VALUE, memory_order_relaxed,
							memory_order_relaxed);
}

static int op_wait_until(void *self, const struct timespec *deadline)
{
	struct xp_sync_ref *ref = self;

	return xp_semaphore_futex_wait_until(ref->shared, &ref->how, deadline);
}

static int op_try_wait(void *self)
{
	return xp_semaphore_futex_try_wait(((struct xp_sync_ref *)self)->shared);
}

static int op_post(void *self)
{
	return xp_semaphore_futex_post(((struct xp_sync_ref *)self)->shared);
}

static int64_t op_value(void *self)
{
	struct xp_semaphore_futex *semaphore = ((struct xp_sync_ref *)self)->shared;

	return xp_wait_value(&semaphore->word);
}

static const struct xp_semaphore_ops ops = {
    .wait_until = op_wait_until, .try_wait = op_try_wait, .post = op_post, .value = op_value};

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	uint32_t limit = impl->kind == XP_KIND_BOUNDED ? params->count : XP_SEMAPHORE_MAX;
	struct xp_object object = {.impl = impl};
	struct xp_sync_ref *ref;

	int rc = xp_sync_ref_make(place, params, sizeof(struct xp_semaphore_futex), &ref);
	if (rc < 0)
		return rc;
	object.owner = ref;
	if (!place->existing)
		rc = xp_semaphore_futex_init(ref->shared, params->count, limit);
	if (rc < 0) {
		xp_sync_ref_drop(&object);
		return rc;
	}
	object.as.semaphore = (struct xp_semaphore){.ops = &ops, .self = ref};
	*ret_object = object;
	return 0;
}

const struct xp_impl xp_impl_semaphore_futex = {
    .name = "semaphore/futex",
    .title = "counter on one futex word",
    .kind = XP_KIND_SEMAPHORE,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_UNTRUSTING,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};

const struct xp_impl xp_impl_bounded_futex = {
    .name = "bounded/futex",
    .title = "counter with a limit on one futex word",
    .kind = XP_KIND_BOUNDED,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_UNTRUSTING,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};
