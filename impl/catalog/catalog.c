/* SPDX-License-Identifier: MIT */
#include "xpshare/catalog/catalog.h"

#include "xpshare/chan/joinable.h"
#include "xpshare/chan/pipe_fd.h"
#include "xpshare/chan/pipe_socket.h"
#include "xpshare/chan/queue_mq.h"
#include "xpshare/chan/queue_pipe.h"
#include "xpshare/chan/queue_ring.h"
#include "xpshare/manager/proxy_kind.h"
#include "xpshare/shm/arena.h"
#include "xpshare/shm/array.h"
#include "xpshare/shm/value.h"
#include "xpshare/sync/barrier_futex.h"
#include "xpshare/sync/barrier_pthread.h"
#include "xpshare/sync/condition_futex.h"
#include "xpshare/sync/condition_pthread.h"
#include "xpshare/sync/event_futex.h"
#include "xpshare/sync/event_pthread.h"
#include "xpshare/sync/lock_futex.h"
#include "xpshare/sync/lock_pthread.h"
#include "xpshare/sync/lock_sem.h"
#include "xpshare/sync/locked.h"
#include "xpshare/sync/rlock_futex.h"
#include "xpshare/sync/robust.h"
#include "xpshare/sync/semaphore_eventfd.h"
#include "xpshare/sync/semaphore_futex.h"
#include "xpshare/sync/semaphore_posix.h"

#include <string.h>

/* In the order of every table: by kind as in XP_KIND_MAP, the plainest mechanism first. */
/* clang-format off */
static const struct xp_impl *const implementations[] = {
    &xp_impl_value_raw,
    &xp_impl_value_atomic,
    &xp_impl_value_locked,
    &xp_impl_value_managed,
    &xp_impl_array_raw,
    &xp_impl_array_locked,
    &xp_impl_array_managed,
    &xp_impl_pipe_fd,
    &xp_impl_pipe_socket,
    &xp_impl_queue_ring_spsc,
    &xp_impl_queue_ring_mpmc,
    &xp_impl_queue_pipe,
    &xp_impl_queue_mq,
    &xp_impl_queue_managed,
    &xp_impl_joinable_ring,
    &xp_impl_joinable_pipe,
    &xp_impl_joinable_managed,
    &xp_impl_lock_futex,
    &xp_impl_lock_pthread,
    &xp_impl_lock_sem,
    &xp_impl_lock_managed,
    &xp_impl_rlock_futex,
    &xp_impl_rlock_pthread,
    &xp_impl_rlock_managed,
    &xp_impl_semaphore_futex,
    &xp_impl_semaphore_posix,
    &xp_impl_semaphore_eventfd,
    &xp_impl_semaphore_managed,
    &xp_impl_bounded_futex,
    &xp_impl_bounded_posix,
    &xp_impl_bounded_managed,
    &xp_impl_condition_futex,
    &xp_impl_condition_pthread,
    &xp_impl_condition_managed,
    &xp_impl_event_futex,
    &xp_impl_event_pthread,
    &xp_impl_event_managed,
    &xp_impl_barrier_futex,
    &xp_impl_barrier_pthread,
    &xp_impl_barrier_managed,
    &xp_impl_list_managed,
    &xp_impl_dict_managed,
    &xp_impl_namespace_managed,
};
/* clang-format on */

#define COUNT (sizeof(implementations) / sizeof(implementations[0]))

const struct xp_impl *xp_catalog_at(size_t index)
{
	return index < COUNT ? implementations[index] : NULL;
}

const struct xp_impl *xp_catalog_after(const struct xp_impl *impl)
{
	size_t i = 0;

	while (i < COUNT && implementations[i] != impl)
		i++;
	return xp_catalog_at(i + 1);
}

const struct xp_impl *xp_catalog_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (strcmp(implementations[i]->name, name) == 0)
			return implementations[i];
	}
	return NULL;
}

unsigned xp_impl_caps(const struct xp_impl *impl)
{
	if (impl->robust_by_list && !xp_robust_listed())
		return impl->caps & ~(unsigned)XP_CAP_ROBUST;
	return impl->caps;
}

int xp_object_make(const struct xp_impl *impl, struct xp_place *place,
		   const struct xp_params *params, struct xp_object *ret_object)
{
	static const struct xp_params defaults;
	struct xp_object object = {0};

	if (impl->scope == XP_SCOPE_MANAGED ? !place->manager : !place->arena)
		return -ENOTSUP;
	int rc = impl->make(impl, place, params ? params : &defaults, &object);
	if (rc < 0)
		return rc;
	object.impl = impl;
	*ret_object = object;
	return 0;
}

int xp_object_offset(const struct xp_object *object, const struct xp_place *place,
		     uint64_t *ret_offset)
{
	if (!object->impl->where || !place->arena)
		return -ENOTSUP;
	*ret_offset = xp_arena_offset(place->arena, object->impl->where(object));
	return 0;
}

int xp_object_attach(const struct xp_impl *impl, const struct xp_place *place,
		     const struct xp_params *params, uint64_t offset, struct xp_object *ret_object)
{
	struct xp_place there = {.arena = place->arena, .existing = offset};

	if (!impl->where)
		return -ENOTSUP;
	return offset == 0 ? -EPROTO : xp_object_make(impl, &there, params, ret_object);
}

void xp_object_drop(struct xp_object *object)
{
	if (!object || !object->impl)
		return;
	object->impl->drop(object);
	*object = (struct xp_object){0};
}
