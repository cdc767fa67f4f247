/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/datum.h"

#include "xpshare/rpc/datum_walk.h"
#include "xpshare/rpc/utf8.h"

#include <stdarg.h>
#include <stdio.h>

#define CHUNK_MAX ((size_t)1 << 20)

struct xp_datum_chunk {
	struct xp_datum_chunk *next;
	size_t size; /* of bytes */
	max_align_t bytes[];
};

/* ---- arena --------------------------------------------------------------------------- */

void xp_datum_arena_init(struct xp_datum_arena *arena, size_t max_bytes)
{
	*arena = (struct xp_datum_arena){.max_bytes = max_bytes ? max_bytes : XP_DATUM_ARENA_MAX};
}

static void release_objects(struct xp_datum_object *object)
{
	for (; object; object = object->next)
		object->ops->unref(object->object);
}

static void use_chunk(struct xp_datum_arena *arena, struct xp_datum_chunk *chunk)
{
	arena->at = (char *)chunk->bytes;
	arena->end = arena->at + chunk->size;
}

void xp_datum_arena_reset(struct xp_datum_arena *arena)
{
	struct xp_datum_chunk *keep = NULL;

	release_objects(arena->objects);
	arena->objects = NULL;
	/* The list runs from the newest and largest: the first that is small enough is the best. */
	for (struct xp_datum_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		if (!keep && chunk->size <= XP_DATUM_ARENA_KEEP)
			keep = chunk;
		else
			free(chunk);
	}
	arena->chunks = keep;
	arena->bytes = 0;
	arena->at = arena->end = NULL;
	if (keep) {
		keep->next = NULL;
		arena->bytes = keep->size;
		use_chunk(arena, keep);
	}
}

void xp_datum_arena_fini(struct xp_datum_arena *arena)
{
	xp_datum_arena_reset(arena);
	free(arena->chunks);
	xp_datum_arena_init(arena, arena->max_bytes);
}

void *xp_datum_alloc_slow(struct xp_datum_arena *arena, size_t size)
{
	size_t want = arena->chunks ? 2 * arena->chunks->size : XP_DATUM_ARENA_FIRST;

	/* Far below the largest size, so that the sums cannot wrap. */
	if (size > arena->max_bytes || arena->bytes > arena->max_bytes - size)
		return NULL;
	if (want > CHUNK_MAX)
		want = CHUNK_MAX;
	if (want > arena->max_bytes - arena->bytes)
		want = arena->max_bytes - arena->bytes;
	if (want < size)
		want = size;
	want = (want + 8) & ~(size_t)7;

	struct xp_datum_chunk *chunk = malloc(sizeof(*chunk) + want);
	if (!chunk)
		return NULL;
	*chunk = (struct xp_datum_chunk){.next = arena->chunks, .size = want};
	arena->chunks = chunk;
	arena->bytes += want;
	use_chunk(arena, chunk);
	return xp_datum_alloc(arena, size);
}

/* ---- builders ------------------------------------------------------------------------ */

static struct xp_datum *node(struct xp_datum_arena *arena, enum xp_datum_kind kind)
{
	struct xp_datum *made = xp_datum_alloc(arena, sizeof(*made));

	if (made)
		*made = (struct xp_datum){.kind = (uint8_t)kind};
	return made;
}

/* One more parent for @child: two uses make it shared. */
static struct xp_datum *adopt(const struct xp_datum *child)
{
	struct xp_datum *mine = (struct xp_datum *)(uintptr_t)child;

	if (!(mine->flags & XP_DATUM_FROZEN)) {
		if (mine->flags & XP_DATUM_USED)
			mine->flags |= XP_DATUM_SHARED;
		mine->flags |= XP_DATUM_USED;
	}
	return mine;
}

/* The same for a child that joins an existing @container. That is how a cycle comes about, and it passes
 * through @container then, which has to be found again when it is met there (invariant 4). */
static struct xp_datum *join(struct xp_datum *container, const struct xp_datum *child)
{
	if (!xp_datum_is_leaf(child))
		container->flags |= XP_DATUM_SHARED;
	return adopt(child);
}

struct xp_datum xp_datum_constants[3] = {
    {.kind = XP_DATUM_BOOL, .flags = XP_DATUM_FROZEN, .integer = 0},
    {.kind = XP_DATUM_BOOL, .flags = XP_DATUM_FROZEN, .integer = 1},
    {.kind = XP_DATUM_NONE, .flags = XP_DATUM_FROZEN},
};

const struct xp_datum *xp_datum_none(void)
{
	return &xp_datum_constants[2];
}

const struct xp_datum *xp_datum_bool(bool value)
{
	return &xp_datum_constants[value];
}

struct xp_datum *xp_datum_int(struct xp_datum_arena *arena, int64_t value)
{
	struct xp_datum *made = node(arena, XP_DATUM_INT);

	if (made)
		made->integer = value;
	return made;
}

struct xp_datum *xp_datum_uint(struct xp_datum_arena *arena, uint64_t value)
{
	unsigned char bytes[9];

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(value >> 8 * i);
	bytes[8] = 0;
	return xp_datum_bigint(arena, bytes, sizeof(bytes));
}

struct xp_datum *xp_datum_bigint(struct xp_datum_arena *arena, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;

	/* A last byte that only repeats the sign says nothing. */
	while (size > 1 && ((at[size - 1] == 0 && at[size - 2] < 0x80) ||
			    (at[size - 1] == 0xff && at[size - 2] >= 0x80)))
		size--;
	if (size <= 8) {
		uint64_t value = size > 0 && at[size - 1] >= 0x80 ? UINT64_MAX : 0;
		for (size_t i = size; i-- > 0;)
			value = value << 8 | at[i];
		return xp_datum_int(arena, (int64_t)value);
	}
	struct xp_datum *made = xp_datum_bytes(arena, bytes, size);
	if (made)
		made->kind = XP_DATUM_BIGINT;
	return made;
}

struct xp_datum *xp_datum_float(struct xp_datum_arena *arena, double value)
{
	struct xp_datum *made = node(arena, XP_DATUM_FLOAT);

	if (made)
		made->real = value;
	return made;
}

struct xp_datum *xp_datum_str(struct xp_datum_arena *arena, const char *text)
{
	return xp_datum_str_n(arena, text, strlen(text));
}

struct xp_datum *xp_datum_str_n(struct xp_datum_arena *arena, const char *text, size_t size)
{
	struct xp_datum *made = xp_datum_bytes(arena, text, size);

	if (made) {
		made->kind = XP_DATUM_STR;
		made->flags |= xp_utf8_is_ascii(text, size) ? XP_DATUM_ASCII : 0;
	}
	return made;
}

struct xp_datum *xp_datum_strf(struct xp_datum_arena *arena, const char *format, ...)
{
	char small[512];
	char *text = small;
	va_list args;

	va_start(args, format);
	int size = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	if (size < 0)
		return NULL;
	if ((size_t)size >= sizeof(small)) {
		text = xp_datum_alloc(arena, (size_t)size + 1);
		if (!text)
			return NULL;
		va_start(args, format);
		vsnprintf(text, (size_t)size + 1, format, args);
		va_end(args);
		return xp_datum_borrow(arena, XP_DATUM_STR, text, (size_t)size);
	}
	return xp_datum_str_n(arena, text, (size_t)size);
}

struct xp_datum *xp_datum_bytes(struct xp_datum_arena *arena, const void *bytes, size_t size)
{
	/* Node and bytes in one piece: one bound check, and they share a line. */
	struct xp_datum *made =
	    size < SIZE_MAX - sizeof(*made) ? xp_datum_alloc(arena, sizeof(*made) + size) : NULL;

	if (!made)
		return NULL;
	*made =
	    (struct xp_datum){.kind = XP_DATUM_BYTES, .size = size, .bytes = (char *)(made + 1)};
	if (size > 0)
		memcpy(made + 1, bytes, size);
	return made;
}

struct xp_datum *xp_datum_borrow(struct xp_datum_arena *arena, enum xp_datum_kind kind,
				 const void *bytes, size_t size)
{
	xp_assert(kind == XP_DATUM_STR || kind == XP_DATUM_BYTES || kind == XP_DATUM_BYTEARRAY);
	struct xp_datum *made = node(arena, kind);

	if (made) {
		made->size = size;
		made->bytes = bytes;
		if (kind == XP_DATUM_STR && xp_utf8_is_ascii(bytes, size))
			made->flags |= XP_DATUM_ASCII;
	}
	return made;
}

struct xp_datum *xp_datum_container(struct xp_datum_arena *arena, enum xp_datum_kind kind,
				    size_t count)
{
	xp_assert(kind >= XP_DATUM_TUPLE && kind <= XP_DATUM_FROZENSET);
	size_t slots = kind == XP_DATUM_DICT ? 2 * count : count;

	if (count > SIZE_MAX / 32)
		return NULL;
	struct xp_datum *made = xp_datum_alloc(arena, sizeof(*made) + slots * sizeof(*made->items));
	if (!made)
		return NULL;
	*made = (struct xp_datum){.kind = (uint8_t)kind,
				  .room = slots < UINT32_MAX ? (uint32_t)slots : UINT32_MAX,
				  .count = count,
				  .items = (struct xp_datum **)(void *)(made + 1)};
	return made;
}

void xp_datum_put(struct xp_datum *container, size_t index, const struct xp_datum *child)
{
	xp_assert(!(container->flags & XP_DATUM_FROZEN));
	container->items[index] = adopt(child);
}

static struct xp_datum *filled(struct xp_datum_arena *arena, enum xp_datum_kind kind, size_t count,
			       const struct xp_datum *const *items)
{
	struct xp_datum *made = xp_datum_container(arena, kind, count);

	for (size_t i = 0; made && i < count; i++) {
		if (!items[i])
			return NULL;
		made->items[i] = adopt(items[i]);
	}
	return made;
}

struct xp_datum *xp_datum_tuple(struct xp_datum_arena *arena, size_t count,
				const struct xp_datum *const *items)
{
	return filled(arena, XP_DATUM_TUPLE, count, items);
}

struct xp_datum *xp_datum_list(struct xp_datum_arena *arena, size_t count,
			       const struct xp_datum *const *items)
{
	return filled(arena, XP_DATUM_LIST, count, items);
}

struct xp_datum *xp_datum_set(struct xp_datum_arena *arena, size_t count,
			      const struct xp_datum *const *items)
{
	return filled(arena, XP_DATUM_SET, count, items);
}

struct xp_datum *xp_datum_frozenset(struct xp_datum_arena *arena, size_t count,
				    const struct xp_datum *const *items)
{
	return filled(arena, XP_DATUM_FROZENSET, count, items);
}

struct xp_datum *xp_datum_dict(struct xp_datum_arena *arena)
{
	return xp_datum_container(arena, XP_DATUM_DICT, 0);
}

int xp_datum_reserve(struct xp_datum_arena *arena, struct xp_datum *container, size_t used,
		     size_t more)
{
	xp_assert(!(container->flags & XP_DATUM_FROZEN));
	if (used + more <= container->room)
		return 0;

	size_t room = used == 0 ? 4 : 2 * used;
	if (room < used + more)
		room = used + more;
	if (room > UINT32_MAX)
		return -ENOMEM;
	/* The array doubles, in place where it is the last thing in the arena. */
	struct xp_datum **items = container->items;
	if (container->room > 0 && (char *)(items + container->room) == arena->at &&
	    (size_t)(arena->end - arena->at) >= (room - container->room) * sizeof(*items)) {
		arena->at += (room - container->room) * sizeof(*items);
	} else {
		items = xp_datum_alloc(arena, room * sizeof(*items));
		if (!items)
			return -ENOMEM;
		if (used > 0)
			memcpy(items, container->items, used * sizeof(*items));
		container->items = items;
	}
	container->room = (uint32_t)room;
	return 0;
}

int xp_datum_append(struct xp_datum_arena *arena, struct xp_datum *list,
		    const struct xp_datum *item)
{
	xp_assert(list->kind == XP_DATUM_LIST || list->kind == XP_DATUM_SET);
	int rc = item ? xp_datum_reserve(arena, list, list->count, 1) : -ENOMEM;

	if (rc == 0)
		list->items[list->count++] = join(list, item);
	return rc;
}

int xp_datum_set_item(struct xp_datum_arena *arena, struct xp_datum *dict,
		      const struct xp_datum *key, const struct xp_datum *value)
{
	xp_assert(dict->kind == XP_DATUM_DICT);
	int rc = key && value ? xp_datum_reserve(arena, dict, 2 * dict->count, 2) : -ENOMEM;

	if (rc == 0) {
		dict->items[2 * dict->count] = join(dict, key);
		dict->items[2 * dict->count + 1] = join(dict, value);
		dict->count++;
	}
	return rc;
}

struct xp_datum *xp_datum_global(struct xp_datum_arena *arena, const char *module, const char *name)
{
	struct xp_datum *made = node(arena, XP_DATUM_GLOBAL);
	struct xp_datum_global *global = xp_datum_alloc(arena, sizeof(*global));

	if (!made || !global)
		return NULL;
	*global = (struct xp_datum_global){.module = xp_datum_str(arena, module),
					   .name = xp_datum_str(arena, name)};
	made->global = global;
	return global->module && global->name ? made : NULL;
}

struct xp_datum *xp_datum_reduce(struct xp_datum_arena *arena, enum xp_datum_form form,
				 const struct xp_datum *callable, const struct xp_datum *args)
{
	struct xp_datum *made = node(arena, XP_DATUM_REDUCE);
	struct xp_datum_reduce *reduce = xp_datum_alloc(arena, sizeof(*reduce));

	if (!made || !reduce || !callable || !args)
		return NULL;
	*reduce = (struct xp_datum_reduce){
	    .form = form, .callable = adopt(callable), .args = adopt(args)};
	made->reduce = reduce;
	return made;
}

struct xp_datum *xp_datum_call(struct xp_datum_arena *arena, const char *module, const char *name,
			       size_t count, const struct xp_datum *const *args)
{
	return xp_datum_reduce(arena, XP_DATUM_CALL, xp_datum_global(arena, module, name),
			       xp_datum_tuple(arena, count, args));
}

struct xp_datum *xp_datum_exception(struct xp_datum_arena *arena, const char *module,
				    const char *name, const char *text)
{
	const struct xp_datum *argument = text ? xp_datum_str(arena, text) : NULL;

	if (text && !argument)
		return NULL;
	return xp_datum_call(arena, module, name, text ? 1 : 0, &argument);
}

struct xp_datum *xp_datum_slice(struct xp_datum_arena *arena, const struct xp_datum *start,
				const struct xp_datum *stop, const struct xp_datum *step)
{
	return xp_datum_call(arena, "builtins", "slice", 3,
			     (const struct xp_datum *const[]){start, stop, step});
}

struct xp_datum *xp_datum_token(struct xp_datum_arena *arena, const struct xp_datum *typeid_,
				const struct xp_datum *address, const struct xp_datum *ident)
{
	const struct xp_datum *members[] = {typeid_, address, ident};
	struct xp_datum *state = xp_datum_tuple(arena, 3, members);
	struct xp_datum *made = xp_datum_reduce(
	    arena, XP_DATUM_NEWOBJ, xp_datum_global(arena, "multiprocessing.managers", "Token"),
	    xp_datum_tuple(arena, 0, NULL));

	if (!state || !made)
		return NULL;
	made->reduce->state = adopt(state);
	return made;
}

struct xp_datum *xp_datum_object(struct xp_datum_arena *arena,
				 const struct xp_datum_object_ops *ops, void *object,
				 const struct xp_datum *original)
{
	struct xp_datum *made = node(arena, XP_DATUM_OBJECT);
	struct xp_datum_object *leaf = xp_datum_alloc(arena, sizeof(*leaf));

	if (!made || !leaf || !original)
		return NULL;
	*leaf = (struct xp_datum_object){
	    .ops = ops, .object = object, .original = adopt(original), .next = arena->objects};
	ops->ref(object);
	arena->objects = leaf;
	made->object = leaf;
	return made;
}

/* ---- looking ------------------------------------------------------------------------- */

bool xp_datum_is_integer(const struct xp_datum *value)
{
	return value->kind >= XP_DATUM_BOOL && value->kind <= XP_DATUM_BIGINT;
}

int xp_datum_to_int64(const struct xp_datum *value, int64_t *ret_value)
{
	if (value->kind == XP_DATUM_BIGINT)
		return -ERANGE;
	if (value->kind != XP_DATUM_INT && value->kind != XP_DATUM_BOOL)
		return -EINVAL;
	*ret_value = value->integer;
	return 0;
}

bool xp_datum_truth(const struct xp_datum *value)
{
	switch ((enum xp_datum_kind)value->kind) {
	case XP_DATUM_NONE:
		return false;
	case XP_DATUM_BOOL:
	case XP_DATUM_INT:
		return value->integer != 0;
	case XP_DATUM_FLOAT:
		return value->real != 0;
	case XP_DATUM_STR:
	case XP_DATUM_BYTES:
	case XP_DATUM_BYTEARRAY:
		return value->size > 0;
	case XP_DATUM_TUPLE:
	case XP_DATUM_LIST:
	case XP_DATUM_DICT:
	case XP_DATUM_SET:
	case XP_DATUM_FROZENSET:
		return value->count > 0;
	default:
		return true;
	}
}

const struct xp_datum *xp_datum_dict_get(const struct xp_datum *dict, const char *name)
{
	xp_assert(dict->kind == XP_DATUM_DICT);
	for (size_t i = dict->count; i-- > 0;) {
		if (xp_datum_is_text(dict->items[2 * i], name))
			return dict->items[2 * i + 1];
	}
	return NULL;
}

bool xp_datum_is_global(const struct xp_datum *value, const char *module, const char *name)
{
	return value->kind == XP_DATUM_GLOBAL && xp_datum_is_text(value->global->name, name) &&
	       xp_datum_is_text(value->global->module, module);
}

const struct xp_datum *xp_datum_as_call(const struct xp_datum *value, const char *module,
					const char *name)
{
	if (value->kind != XP_DATUM_REDUCE ||
	    !xp_datum_is_global(value->reduce->callable, module, name))
		return NULL;
	return value->reduce->args;
}

/* The three members of a tuple of three. */
static bool three(const struct xp_datum *tuple, const struct xp_datum *ret_members[3])
{
	if (!tuple || tuple->kind != XP_DATUM_TUPLE || tuple->count != 3)
		return false;
	for (int i = 0; i < 3; i++)
		ret_members[i] = tuple->items[i];
	return true;
}

bool xp_datum_as_slice(const struct xp_datum *value, const struct xp_datum *ret_members[3])
{
	return three(xp_datum_as_call(value, "builtins", "slice"), ret_members);
}

bool xp_datum_as_token(const struct xp_datum *value, const struct xp_datum *ret_members[3])
{
	return xp_datum_as_call(value, "multiprocessing.managers", "Token") &&
	       three(value->reduce->state, ret_members);
}

bool xp_datum_as_proxy(const struct xp_datum *value, const struct xp_datum *ret_members[3])
{
	const struct xp_datum *args =
	    xp_datum_as_call(value, "multiprocessing.managers", "RebuildProxy");

	/* (func, token, serializer, keywords) */
	if (!args || args->count != 4)
		return false;
	ret_members[0] = args->items[0];
	ret_members[1] = args->items[1];
	ret_members[2] = args->items[3];
	return true;
}
