/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/locked.h"

#include "xpshare/shm/arena.h"
#include "xpshare/shm/array.h"
#include "xpshare/sync/ref.h"
#include "xpshare/sync/rlock_futex.h"

#include <stdlib.h>

/**
 * struct locked - The head of the object in shared memory; the items follow.
 * @lock:  Unused where the caller has brought a lock.
 * @first: Index of the first item of the journal. Written under the lock.
 * @count: Items in the journal, 0 for none; release after the items, acquire by who repairs.
 */
struct locked {
	struct xp_lock_futex lock;
	_Atomic uint64_t first;
	_Atomic uint64_t count;
	unsigned char isolation[XP_ISOLATION - 16];
};

_Static_assert(sizeof(struct locked) == 2 * XP_ISOLATION, "items begin on a line of their own");

/**
 * struct locked_ref - The self of values, arrays and their locks.
 * @ref:   Its @shared is the struct locked.
 * @lock:  The lock that accesses take: the caller's, or one on @ref.
 * @own:   Whether it is our own.
 * @items, @copy: Of @length times @size bytes each, in shared memory.
 */
struct locked_ref {
	struct xp_sync_ref ref;
	struct xp_lock lock;
	bool own;
	unsigned char *items;
	unsigned char *copy;
	size_t size;
	size_t length;
};

static struct locked *head_of(const struct locked_ref *self)
{
	return self->ref.shared;
}

/* Finish what a dead holder has begun. The lock is held. */
static void repair(const struct locked_ref *self)
{
	struct locked *head = head_of(self);
	uint64_t count = atomic_load_explicit(&head->count, memory_order_acquire);
	uint64_t first = atomic_load_explicit(&head->first, memory_order_relaxed);

	/* Bounds first: what is in shared memory may be garbage. */
	if (count > 0 && first < self->length && count <= self->length - first)
		xp_items_store(self->items + first * self->size, self->copy, (size_t)count,
			       self->size);
	atomic_store_explicit(&head->count, 0, memory_order_release);
}

/* A journal that is valid outside of a store is one that a dead holder has left. */
static int acquired(const struct locked_ref *self, int rc)
{
	if ((rc == 0 || rc == -EOWNERDEAD) &&
	    atomic_load_explicit(&head_of(self)->count, memory_order_relaxed) != 0)
		repair(self);
	return rc;
}

/* Begin an access: 0 or -EOWNERDEAD hold the lock. */
static int begin(struct locked_ref *self)
{
	return acquired(self, self->lock.ops->acquire_until(self->lock.self, NULL));
}

/* End an access that began with @rc; the news of a death stays for the next acquire of a user. */
static int end(struct locked_ref *self, int rc)
{
	if (rc == -EOWNERDEAD && self->own)
		return xp_lock_futex_release_dead(&head_of(self)->lock);
	return self->lock.ops->release(self->lock.self);
}

static int check_block(const struct locked_ref *self, size_t first, size_t count)
{
	return first <= self->length && count <= self->length - first ? 0 : -ERANGE;
}

static int read_items(struct locked_ref *self, size_t first, size_t count, void *ret_items)
{
	int rc = begin(self);

	if (rc < 0 && rc != -EOWNERDEAD)
		return rc;
	xp_items_load(ret_items, self->items + first * self->size, count, self->size);
	return end(self, rc);
}

static int write_items(struct locked_ref *self, size_t first, size_t count, const void *items)
{
	struct locked *head = head_of(self);
	unsigned char *to = self->items + first * self->size;
	int rc = begin(self);

	if (rc < 0 && rc != -EOWNERDEAD)
		return rc;
	if (count == 1 && xp_cell_is_atomic(self->size)) {
		xp_cell_store(to, self->size, items);
		return end(self, rc);
	}
	memcpy(self->copy, items, count * self->size);
	atomic_store_explicit(&head->first, first, memory_order_relaxed);
	atomic_store_explicit(&head->count, count, memory_order_release);
	xp_items_store(to, items, count, self->size);
	atomic_store_explicit(&head->count, 0, memory_order_release);
	return end(self, rc);
}

static int value_load(void *self, void *ret_value)
{
	return read_items(self, 0, 1, ret_value);
}

static int value_store(void *self, const void *value)
{
	return write_items(self, 0, 1, value);
}

static int array_get(void *self, size_t index, void *ret_item)
{
	return index < ((struct locked_ref *)self)->length ? read_items(self, index, 1, ret_item)
							   : -ERANGE;
}

static int array_set(void *self, size_t index, const void *item)
{
	return index < ((struct locked_ref *)self)->length ? write_items(self, index, 1, item)
							   : -ERANGE;
}

static int array_copy_out(void *self, size_t first, size_t count, void *ret_items)
{
	int rc = check_block(self, first, count);

	return rc < 0 || count == 0 ? rc : read_items(self, first, count, ret_items);
}

static int array_copy_in(void *self, size_t first, size_t count, const void *items)
{
	int rc = check_block(self, first, count);

	return rc < 0 || count == 0 ? rc : write_items(self, first, count, items);
}

static const struct xp_value_ops value_ops = {.load = value_load, .store = value_store};

static const struct xp_array_ops array_ops = {
    .get = array_get, .set = array_set, .copy_out = array_copy_out, .copy_in = array_copy_in};

/* The lock as the user has it: it repairs the items before the user sees them. */
static int lock_acquire_until(void *self, const struct timespec *deadline)
{
	struct locked_ref *locked = self;

	return acquired(locked, locked->lock.ops->acquire_until(locked->lock.self, deadline));
}

static int lock_try_acquire(void *self)
{
	struct locked_ref *locked = self;

	return acquired(locked, locked->lock.ops->try_acquire(locked->lock.self));
}

static int lock_release(void *self)
{
	struct locked_ref *locked = self;

	return locked->lock.ops->release(locked->lock.self);
}

static const struct xp_lock_ops user_lock_ops = {
    .acquire_until = lock_acquire_until, .try_acquire = lock_try_acquire, .release = lock_release};

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	size_t length = impl->kind == XP_KIND_VALUE ? 1 : params->length;
	struct locked_ref *self;
	size_t size;

	int rc = xp_item_size(params, &size);
	if (rc < 0)
		return rc;
	if (length == 0)
		return -EINVAL;
	if (length > XP_SEGMENT_SIZE_MAX / 2 / size)
		return -ENOSPC;

	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	/* Both copies on lines of their own, as whole items are copied in words. */
	size_t bytes = (length * size + XP_ISOLATION - 1) / XP_ISOLATION * XP_ISOLATION;
	rc = xp_sync_ref_init(&self->ref, place, params, sizeof(struct locked) + 2 * bytes);
	if (rc < 0) {
		free(self);
		return rc;
	}
	self->size = size;
	self->length = length;
	self->items = (unsigned char *)self->ref.shared + sizeof(struct locked);
	self->copy = self->items + bytes;
	self->own = !params->lock;
	self->lock = self->own ? (struct xp_lock){.ops = &xp_rlock_futex_ops, .self = &self->ref}
			       : *params->lock;
	if (!place->existing)
		xp_lock_futex_init(&head_of(self)->lock, params->fair ? XP_LOCK_FAIR : 0);

	struct xp_lock user = {.ops = &user_lock_ops, .self = self};
	*ret_object = (struct xp_object){.impl = impl, .owner = self};
	if (impl->kind == XP_KIND_VALUE)
		ret_object->as.value = (struct xp_value){.ops = &value_ops,
							 .self = self,
							 .type = params->type,
							 .size = size,
							 .lock = user};
	else
		ret_object->as.array = (struct xp_array){.ops = &array_ops,
							 .self = self,
							 .type = params->type,
							 .size = size,
							 .length = length,
							 .lock = user};
	return 0;
}

const struct xp_impl xp_impl_value_locked = {
    .name = "value/locked",
    .title = "a cell with a recursive lock, stores all or nothing",
    .kind = XP_KIND_VALUE,
    .scope = XP_SCOPE_SHM,
    .caps = XP_CAP_ROBUST | XP_CAP_LOCKED | XP_CAP_UNTRUSTING,
    .robust_by_list = true,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};

const struct xp_impl xp_impl_array_locked = {
    .name = "array/locked",
    .title = "cells with a recursive lock, blocks all or nothing",
    .kind = XP_KIND_ARRAY,
    .scope = XP_SCOPE_SHM,
    .caps = XP_CAP_ROBUST | XP_CAP_LOCKED | XP_CAP_UNTRUSTING,
    .robust_by_list = true,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};
