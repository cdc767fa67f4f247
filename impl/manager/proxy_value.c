/* SPDX-License-Identifier: MIT */
/* value/managed and array/managed: Value and Array of a manager as machine values. */
#include "xpshare/manager/proxy_kind.h"

#include <stdlib.h>
#include <string.h>

struct cell {
	struct xp_proxy *proxy;
	enum xp_type type;
	size_t size;
	size_t length; /* of an array */
};

/* The typecode of Python's array module; "B" stands for what has none. */
static const char *typecode_of(enum xp_type type)
{
#define X(id, ctype, name, code) [XP_TYPE_##id] = {code, '\0'},
	static const char codes[XP_TYPE_COUNT][2] = {XP_TYPE_MAP(X)};
#undef X
	return codes[type][0] ? codes[type] : "B";
}

static int load(void *self, void *ret_value)
{
	struct cell *cell = self;
	const struct xp_datum *value;
	int rc = xp_proxy_call(cell->proxy, "get", 0, NULL, NULL, &value, NULL);

	return rc < 0 ? rc : xp_type_store(value, cell->type, cell->size, ret_value);
}

static int store(void *self, const void *value)
{
	struct cell *cell = self;
	struct xp_datum_arena *arena = xp_proxy_arena(cell->proxy);
	const struct xp_datum *args[1];

	if (!arena)
		return -ENOMEM;
	args[0] = xp_type_datum(arena, cell->type, cell->size, value);
	return xp_proxy_call(cell->proxy, "set", 1, args, NULL, NULL, NULL);
}

static const struct xp_value_ops value_ops = {.load = load, .store = store};

/* An index or a block that the array does not have never leaves this process. */
static bool is_inside(const struct cell *cell, size_t first, size_t count)
{
	return first <= cell->length && count <= cell->length - first;
}

static int get(void *self, size_t index, void *ret_item)
{
	struct cell *cell = self;
	struct xp_datum_arena *arena = xp_proxy_arena(cell->proxy);
	const struct xp_datum *args[1];
	const struct xp_datum *value;
	int rc;

	if (!is_inside(cell, index, 1))
		return -ERANGE;
	if (!arena)
		return -ENOMEM;
	args[0] = xp_datum_int(arena, (int64_t)index);
	rc = xp_proxy_call(cell->proxy, "__getitem__", 1, args, NULL, &value, NULL);
	return rc < 0 ? rc : xp_type_store(value, cell->type, cell->size, ret_item);
}

static int set(void *self, size_t index, const void *item)
{
	struct cell *cell = self;
	struct xp_datum_arena *arena = xp_proxy_arena(cell->proxy);
	const struct xp_datum *args[2];

	if (!is_inside(cell, index, 1))
		return -ERANGE;
	if (!arena)
		return -ENOMEM;
	args[0] = xp_datum_int(arena, (int64_t)index);
	args[1] = xp_type_datum(arena, cell->type, cell->size, item);
	return xp_proxy_call(cell->proxy, "__setitem__", 2, args, NULL, NULL, NULL);
}

static const struct xp_datum *slice_of(struct xp_datum_arena *arena, size_t first, size_t count)
{
	return xp_datum_slice(arena, xp_datum_int(arena, (int64_t)first),
			      xp_datum_int(arena, (int64_t)(first + count)), xp_datum_none());
}

/* array.array(typecode, bytes of the machine) or, from Python 2, array.array(typecode, [items]). */
static int copy_out(void *self, size_t first, size_t count, void *ret_items)
{
	struct cell *cell = self;
	struct xp_datum_arena *arena = xp_proxy_arena(cell->proxy);
	const struct xp_datum *args[1];
	const struct xp_datum *value;
	const struct xp_datum *parts;
	int rc;

	if (!is_inside(cell, first, count))
		return -ERANGE;
	if (!arena)
		return -ENOMEM;
	args[0] = slice_of(arena, first, count);
	rc = xp_proxy_call(cell->proxy, "__getitem__", 1, args, NULL, &value, NULL);
	if (rc < 0)
		return rc;
	parts = xp_datum_as_call(value, "array", "array");
	if (!parts || parts->count != 2)
		return -EPROTO;
	value = parts->items[1];
	if (xp_datum_is(value, XP_DATUM_BYTES) && value->size == count * cell->size) {
		memcpy(ret_items, value->bytes, value->size);
		return 0;
	}
	if (!xp_datum_is(value, XP_DATUM_LIST) || value->count != count)
		return -EPROTO;
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = xp_type_store(value->items[i], cell->type, cell->size,
				   (char *)ret_items + i * cell->size);
	return rc;
}

/* Slices are assigned as array.array, whose content every version of Python takes as a list too. */
static const struct xp_datum *array_datum(struct xp_datum_arena *arena, const struct cell *cell,
					  size_t count, const void *items)
{
	struct xp_datum *list = xp_datum_container(arena, XP_DATUM_LIST, count);

	for (size_t i = 0; list && i < count; i++) {
		const struct xp_datum *item = xp_type_datum(arena, cell->type, cell->size,
							    (const char *)items + i * cell->size);

		if (!item)
			return NULL;
		xp_datum_put(list, i, item);
	}
	const struct xp_datum *parts[2] = {xp_datum_str(arena, typecode_of(cell->type)), list};

	return xp_datum_call(arena, "array", "array", 2, parts);
}

static int copy_in(void *self, size_t first, size_t count, const void *items)
{
	struct cell *cell = self;
	struct xp_datum_arena *arena = xp_proxy_arena(cell->proxy);
	const struct xp_datum *args[2];

	if (!is_inside(cell, first, count))
		return -ERANGE;
	if (!arena)
		return -ENOMEM;
	args[0] = slice_of(arena, first, count);
	args[1] = array_datum(arena, cell, count, items);
	return xp_proxy_call(cell->proxy, "__setitem__", 2, args, NULL, NULL, NULL);
}

static const struct xp_array_ops array_ops = {
    .get = get, .set = set, .copy_out = copy_out, .copy_in = copy_in};

static struct cell *cell_new(const struct xp_params *params)
{
	struct cell *cell = calloc(1, sizeof(*cell));

	if (!cell)
		return NULL;
	cell->type = params->type;
	cell->size = params->type == XP_TYPE_BYTES ? params->size : xp_type_size(params->type);
	return cell;
}

static int cell_make(struct xp_place *place, const char *typeid_, const struct xp_datum *initial,
		     struct xp_datum_arena *arena, struct cell *cell, struct xp_object *ret_object)
{
	const struct xp_datum *args[2] = {xp_datum_str(arena, typecode_of(cell->type)), initial};
	int rc;

	if (!place->manager)
		return -ENOTSUP;
	rc = xp_proxy_create(place->manager, typeid_, 2, args, NULL, &cell->proxy, NULL);
	if (rc == 0)
		ret_object->owner = cell;
	return rc;
}

static int make_value(const struct xp_impl *impl, struct xp_place *place,
		      const struct xp_params *params, struct xp_object *ret_object)
{
	struct xp_datum_arena *arena;
	struct cell *cell;
	char *zero;
	int rc = -ENOMEM;

	(void)impl;
	if (params->type == XP_TYPE_LDOUBLE || !place->manager)
		return -ENOTSUP;
	if (params->type == XP_TYPE_BYTES && params->size == 0)
		return -EINVAL;
	arena = xp_manager_arena(place->manager);
	cell = cell_new(params);
	zero = cell ? calloc(1, cell->size) : NULL;
	if (arena && zero)
		rc = cell_make(place, "Value", xp_type_datum(arena, cell->type, cell->size, zero),
			       arena, cell, ret_object);
	free(zero);
	if (rc < 0) {
		free(cell);
		return rc;
	}
	ret_object->as.value = (struct xp_value){
	    .ops = &value_ops, .self = cell, .type = cell->type, .size = cell->size};
	return 0;
}

static int make_array(const struct xp_impl *impl, struct xp_place *place,
		      const struct xp_params *params, struct xp_object *ret_object)
{
	struct xp_datum_arena *arena;
	struct xp_datum *zeros;
	struct cell *cell;
	int rc = -ENOMEM;

	(void)impl;
	/* What Python's array module has no typecode for. */
	if (!place->manager || params->type == XP_TYPE_BYTES || params->type == XP_TYPE_LDOUBLE ||
	    params->type == XP_TYPE_BOOL || params->type == XP_TYPE_CHAR ||
	    params->type == XP_TYPE_WCHAR)
		return -ENOTSUP;
	arena = xp_manager_arena(place->manager);
	cell = cell_new(params);
	zeros = arena ? xp_datum_container(arena, XP_DATUM_LIST, params->length) : NULL;
	if (cell && zeros) {
		const struct xp_datum *zero = xp_datum_int(arena, 0);

		for (size_t i = 0; zero && i < params->length; i++)
			xp_datum_put(zeros, i, zero);
		cell->length = params->length;
		if (zero)
			rc = cell_make(place, "Array", zeros, arena, cell, ret_object);
	}
	if (rc < 0) {
		free(cell);
		return rc;
	}
	ret_object->as.array = (struct xp_array){
	    .ops = &array_ops,
	    .self = cell,
	    .type = cell->type,
	    .size = cell->size,
	    .length = cell->length,
	};
	return 0;
}

static void drop(struct xp_object *object)
{
	struct cell *cell = object->owner;

	if (!cell)
		return;
	xp_proxy_drop(cell->proxy);
	free(cell);
	object->owner = NULL;
}

const struct xp_impl xp_impl_value_managed = {
    .name = "value/managed",
    .title = "a Value in a manager process",
    .kind = XP_KIND_VALUE,
    .scope = XP_SCOPE_MANAGED,
    .caps = XP_CAP_ROBUST,
    .make = make_value,
    .drop = drop,
};

const struct xp_impl xp_impl_array_managed = {
    .name = "array/managed",
    .title = "an Array in a manager process",
    .kind = XP_KIND_ARRAY,
    .scope = XP_SCOPE_MANAGED,
    .caps = XP_CAP_ROBUST,
    .make = make_array,
    .drop = drop,
};
