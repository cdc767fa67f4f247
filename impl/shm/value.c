/* SPDX-License-Identifier: MIT */
#include "xpshare/shm/value.h"

#include "xpshare/shm/arena.h"

#include <stdlib.h>

/* What this process knows of a value: @size is never read from shared memory. */
struct cell_ref {
	void *cell;
	size_t size;
	struct xp_arena *arena;
};

static int load_bytes(void *self, void *ret_value)
{
	const struct cell_ref *ref = self;

	xp_cell_load(ref->cell, ref->size, ret_value);
	return 0;
}

static int store_bytes(void *self, const void *value)
{
	const struct cell_ref *ref = self;

	xp_cell_store(ref->cell, ref->size, value);
	return 0;
}

static int exchange_bytes(void *self, const void *value, void *ret_old)
{
	const struct cell_ref *ref = self;

	return xp_cell_exchange(ref->cell, ref->size, value, ret_old) ? 0 : -ENOTSUP;
}

static int compare_exchange_bytes(void *self, void *expected, const void *desired)
{
	const struct cell_ref *ref = self;

	return xp_cell_compare_exchange(ref->cell, ref->size, expected, desired) ? 0 : -EAGAIN;
}

/*
 * fetch_add of each type. The sum is formed in the type itself, in unsigned arithmetic for the
 * integers, and put in place by compare-and-swap: one form for integers, floating types and bool.
 * Conversion back to a signed type wraps (implementation-defined, and so defined by gcc and clang).
 */
#define SUM_INTEGER(ctype, a, b) ((ctype)((unsigned long long)(a) + (unsigned long long)(b)))
#define SUM_OTHER(ctype, a, b)	 ((ctype)((a) + (b)))
/* One half survives in floating types only, and is true as a bool. */
#define SUM(ctype, a, b) ((ctype)0.5 == 0 ? SUM_INTEGER(ctype, a, b) : SUM_OTHER(ctype, a, b))

#define X(id, ctype, name, code)                                                       \
	static int fetch_add_##id(void *self, const void *operand, void *ret_old)      \
	{                                                                              \
		const struct cell_ref *ref = self;                                     \
		ctype old, add, sum;                                                   \
                                                                                       \
		memcpy(&add, operand, sizeof(add));                                    \
		xp_cell_load(ref->cell, sizeof(old), &old);                            \
		do                                                                     \
			sum = SUM(ctype, old, add);                                    \
		while (!xp_cell_compare_exchange(ref->cell, sizeof(old), &old, &sum)); \
		memcpy(ret_old, &old, sizeof(old));                                    \
		return 0;                                                              \
	}
XP_TYPE_MAP(X)
#undef X

static const struct xp_value_ops raw_ops = {.load = load_bytes, .store = store_bytes};

static const struct xp_value_ops atomic_ops[XP_TYPE_COUNT] = {
#define X(id, ctype, name, code)                       \
	[XP_TYPE_##id] = {.load = load_bytes,          \
			  .store = store_bytes,        \
			  .exchange = exchange_bytes,  \
			  .fetch_add = fetch_add_##id, \
			  .compare_exchange = compare_exchange_bytes},
    XP_TYPE_MAP(X)
#undef X
	[XP_TYPE_BYTES] = {.load = load_bytes,
			   .store = store_bytes,
			   .exchange = exchange_bytes,
			   .compare_exchange = compare_exchange_bytes},
};

int xp_item_size(const struct xp_params *params, size_t *ret_size)
{
	if ((unsigned)params->type >= XP_TYPE_COUNT)
		return -EINVAL;

	size_t size = params->type == XP_TYPE_BYTES ? params->size : xp_type_size(params->type);
	if (size == 0 || size > XP_ITEM_SIZE_MAX)
		return -EINVAL;
	*ret_size = size;
	return 0;
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	bool atomic = impl->caps & XP_CAP_ATOMIC;
	struct cell_ref *ref;

	size_t size;
	int rc = xp_item_size(params, &size);
	if (rc < 0)
		return rc;
	if (atomic && !xp_cell_is_atomic(size))
		return -ENOTSUP;

	ref = malloc(sizeof(*ref));
	if (!ref)
		return -ENOMEM;
	*ref = (struct cell_ref){.size = size, .arena = place->arena};
	rc = xp_arena_take(place->arena, place->existing, size, &ref->cell);
	if (rc < 0) {
		free(ref);
		return rc;
	}
	*ret_object = (struct xp_object){
	    .impl = impl,
	    .as.value = {.ops = atomic ? &atomic_ops[params->type] : &raw_ops,
			 .self = ref,
			 .type = params->type,
			 .size = size},
	    .owner = ref,
	};
	return 0;
}

static void *where(const struct xp_object *object)
{
	return ((const struct cell_ref *)object->owner)->cell;
}

static void drop(struct xp_object *object)
{
	struct cell_ref *ref = object->owner;

	xp_arena_free(ref->arena, ref->cell);
	free(ref);
	*object = (struct xp_object){0};
}

void *xp_value_cell(const struct xp_value *value)
{
	return ((const struct cell_ref *)value->self)->cell;
}

const struct xp_impl xp_impl_value_raw = {
    .name = "value/raw",
    .title = "plain loads and stores of a shared cell",
    .kind = XP_KIND_VALUE,
    .scope = XP_SCOPE_SHM,
    .caps = XP_CAP_ROBUST | XP_CAP_UNTRUSTING,
    .make = make,
    .where = where,
    .drop = drop,
};

const struct xp_impl xp_impl_value_atomic = {
    .name = "value/atomic",
    .title = "C11 atomic operations on a shared cell",
    .kind = XP_KIND_VALUE,
    .scope = XP_SCOPE_SHM,
    .caps = XP_CAP_ROBUST | XP_CAP_ATOMIC | XP_CAP_UNTRUSTING,
    .make = make,
    .where = where,
    .drop = drop,
};
