/* SPDX-License-Identifier: MIT */
#include "xpshare/shm/array.h"

#include "xpshare/shm/arena.h"

#include <stdlib.h>

/* Bytes that one access moves, where several small items fit in it. */
#define WORD sizeof(uint64_t)

/* What this process knows of an array: nothing of it is read from shared memory. */
struct array_ref {
	unsigned char *items;
	size_t size;
	size_t length;
	struct xp_arena *arena;
};

/* Items before the shared side is aligned to a word: all where an item is no part of a word. */
static size_t items_to_word(const void *cells, size_t count, size_t size)
{
	size_t items = (WORD - (uintptr_t)cells % WORD) % WORD / size;

	return size >= WORD || items > count ? count : items;
}

void xp_items_load(void *ret_items, const void *cells, size_t count, size_t size)
{
	const unsigned char *from = cells;
	unsigned char *to = ret_items;
	size_t head = xp_cell_is_atomic(size) ? items_to_word(cells, count, size) : count;
	const unsigned char *end = from + count * size;

	for (; head > 0; head--, from += size, to += size)
		xp_cell_load(from, size, to);
	for (; (size_t)(end - from) >= WORD; from += WORD, to += WORD)
		xp_cell_load(from, WORD, to);
	for (; from < end; from += size, to += size)
		xp_cell_load(from, size, to);
}

void xp_items_store(void *cells, const void *items, size_t count, size_t size)
{
	const unsigned char *from = items;
	unsigned char *to = cells;
	size_t head = xp_cell_is_atomic(size) ? items_to_word(cells, count, size) : count;
	const unsigned char *end = to + count * size;

	for (; head > 0; head--, from += size, to += size)
		xp_cell_store(to, size, from);
	for (; (size_t)(end - to) >= WORD; from += WORD, to += WORD)
		xp_cell_store(to, WORD, from);
	for (; to < end; from += size, to += size)
		xp_cell_store(to, size, from);
}

static int check_block(const struct array_ref *ref, size_t first, size_t count)
{
	return first <= ref->length && count <= ref->length - first ? 0 : -ERANGE;
}

static int get(void *self, size_t index, void *ret_item)
{
	const struct array_ref *ref = self;

	if (index >= ref->length)
		return -ERANGE;
	xp_cell_load(ref->items + index * ref->size, ref->size, ret_item);
	return 0;
}

static int set(void *self, size_t index, const void *item)
{
	const struct array_ref *ref = self;

	if (index >= ref->length)
		return -ERANGE;
	xp_cell_store(ref->items + index * ref->size, ref->size, item);
	return 0;
}

static int copy_out(void *self, size_t first, size_t count, void *ret_items)
{
	const struct array_ref *ref = self;
	int rc = check_block(ref, first, count);

	if (rc == 0)
		xp_items_load(ret_items, ref->items + first * ref->size, count, ref->size);
	return rc;
}

static int copy_in(void *self, size_t first, size_t count, const void *items)
{
	const struct array_ref *ref = self;
	int rc = check_block(ref, first, count);

	if (rc == 0)
		xp_items_store(ref->items + first * ref->size, items, count, ref->size);
	return rc;
}

static const struct xp_array_ops ops = {
    .get = get, .set = set, .copy_out = copy_out, .copy_in = copy_in};

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	struct array_ref *ref;
	size_t size;
	void *items;

	int rc = xp_item_size(params, &size);
	if (rc < 0)
		return rc;
	if (params->length == 0)
		return -EINVAL;
	if (params->length > XP_SEGMENT_SIZE_MAX / size)
		return -ENOSPC;

	ref = malloc(sizeof(*ref));
	if (!ref)
		return -ENOMEM;
	rc = xp_arena_take(place->arena, place->existing, params->length * size, &items);
	if (rc < 0) {
		free(ref);
		return rc;
	}
	*ref = (struct array_ref){
	    .items = items, .size = size, .length = params->length, .arena = place->arena};
	*ret_object = (struct xp_object){
	    .impl = impl,
	    .as.array = {.ops = &ops,
			 .self = ref,
			 .type = params->type,
			 .size = size,
			 .length = params->length},
	    .owner = ref,
	};
	return 0;
}

static void *where(const struct xp_object *object)
{
	return ((const struct array_ref *)object->owner)->items;
}

static void drop(struct xp_object *object)
{
	struct array_ref *ref = object->owner;

	xp_arena_free(ref->arena, ref->items);
	free(ref);
	*object = (struct xp_object){0};
}

void *xp_array_items(const struct xp_array *array)
{
	return ((const struct array_ref *)array->self)->items;
}

const struct xp_impl xp_impl_array_raw = {
    .name = "array/raw",
    .title = "plain loads and stores of shared cells",
    .kind = XP_KIND_ARRAY,
    .scope = XP_SCOPE_SHM,
    .caps = XP_CAP_ROBUST | XP_CAP_UNTRUSTING,
    .make = make,
    .where = where,
    .drop = drop,
};
