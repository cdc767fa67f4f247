/* SPDX-License-Identifier: MIT */
/* What Python's iter() gives for inert data and for proxies of our own objects, as an array. */
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/dispatch.h"
#include "xpshare/manager/python.h"

#include <stdio.h>

#define RANGE_MAX ((int64_t)64 << 20) /* members of a range that are written out */

struct items {
	const struct xp_datum *const *items;
	size_t count;
};

static int no_memory(struct xp_call *call)
{
	xp_call_raisef(call, "MemoryError", NULL);
	return -ENOMEM;
}

static int iterate_text(struct xp_call *call, const struct xp_datum *value, struct items *ret)
{
	const struct xp_datum **items =
	    xp_datum_alloc(call->arena, (value->size + 1) * sizeof(const struct xp_datum *));
	size_t count = 0;

	if (!items)
		return no_memory(call);
	for (size_t i = 0; i < value->size;) {
		size_t size = 1;

		while (i + size < value->size && (value->bytes[i + size] & 0xc0) == 0x80)
			size++;
		items[count] = xp_datum_str_n(call->arena, value->bytes + i, size);
		if (!items[count++])
			return no_memory(call);
		i += size;
	}
	*ret = (struct items){items, count};
	return 0;
}

static int iterate_bytes(struct xp_call *call, const struct xp_datum *value, struct items *ret)
{
	const struct xp_datum **items =
	    xp_datum_alloc(call->arena, (value->size + 1) * sizeof(const struct xp_datum *));

	if (!items)
		return no_memory(call);
	for (size_t i = 0; i < value->size; i++) {
		items[i] = xp_datum_int(call->arena, (unsigned char)value->bytes[i]);
		if (!items[i])
			return no_memory(call);
	}
	*ret = (struct items){items, value->size};
	return 0;
}

static int iterate_keys(struct xp_call *call, const struct xp_datum *dict, struct items *ret)
{
	const struct xp_datum **items =
	    xp_datum_alloc(call->arena, (dict->count + 1) * sizeof(const struct xp_datum *));

	if (!items)
		return no_memory(call);
	for (size_t i = 0; i < dict->count; i++)
		items[i] = dict->items[2 * i];
	*ret = (struct items){items, dict->count};
	return 0;
}

static int iterate_range(struct xp_call *call, const struct xp_datum *args, struct items *ret)
{
	int64_t bounds[3];
	const struct xp_datum **items;
	int64_t count;

	for (int i = 0; i < 3; i++) {
		if (xp_datum_to_int64(args->items[i], &bounds[i]) < 0)
			return no_memory(call);
	}
	if (bounds[2] == 0)
		return no_memory(call);
	uint64_t span = bounds[2] > 0 ? (uint64_t)bounds[1] - (uint64_t)bounds[0]
				      : (uint64_t)bounds[0] - (uint64_t)bounds[1];
	uint64_t step = bounds[2] > 0 ? (uint64_t)bounds[2] : -(uint64_t)bounds[2];

	if (bounds[2] > 0 ? bounds[0] >= bounds[1] : bounds[0] <= bounds[1])
		span = 0;
	if (span / step > (uint64_t)RANGE_MAX)
		return no_memory(call);
	count = span ? (int64_t)((span - 1) / step + 1) : 0;
	items = xp_datum_alloc(call->arena, ((size_t)count + 1) * sizeof(const struct xp_datum *));
	if (!items)
		return no_memory(call);
	for (int64_t i = 0; i < count; i++) {
		items[i] = xp_datum_int(call->arena, bounds[0] + i * bounds[2]);
		if (!items[i])
			return no_memory(call);
	}
	*ret = (struct items){items, (size_t)count};
	return 0;
}

static int not_iterable(struct xp_call *call, const struct xp_datum *value)
{
	xp_call_raisef(call, "TypeError", "'%s' object is not iterable",
		       xp_python_type(call->arena, value));
	return -EINVAL;
}

/* An instance that says how to iterate it: iter(x), range, collections' containers. */
static int iterate_instance(struct xp_call *call, const struct xp_datum *value, struct items *ret)
{
	const struct xp_datum_reduce *reduce = value->reduce;
	const struct xp_datum *args = xp_datum_as_call(value, "builtins", "range");
	const struct xp_datum *const *items;
	size_t count;

	if (args && args->count == 3)
		return iterate_range(call, args, ret);
	args = xp_datum_as_call(value, "builtins", "iter");
	if (args && args->count == 1 && !xp_datum_is(args->items[0], XP_DATUM_REDUCE)) {
		if (xp_python_iterate(call, args->items[0], &items, &count) < 0)
			return -EINVAL;
		int64_t at = 0;

		if (reduce->state && xp_datum_to_int64(reduce->state, &at) < 0)
			return not_iterable(call, value);
		if (at < 0 || (size_t)at > count)
			at = (int64_t)count;
		*ret = (struct items){items + at, count - (size_t)at};
		return 0;
	}
	if (reduce->items) { /* deque and whatever else appends its members */
		*ret = (struct items){(const struct xp_datum *const *)reduce->items->items,
				      reduce->items->count};
		return 0;
	}
	if (reduce->pairs) /* OrderedDict and its like */
		return iterate_keys(call, reduce->pairs, ret);
	return not_iterable(call, value);
}

static int iterate_proxy(struct xp_call *call, const struct xp_datum *value, struct items *ret)
{
	struct xp_referent *referent = xp_referent_of(value);

	if (xp_referent_is(referent, &xp_typeid_list)) {
		ret->items = xp_list_members(call, referent, &ret->count);
	} else if (xp_referent_is(referent, &xp_typeid_array)) {
		ret->items = xp_array_members(call, referent, &ret->count);
	} else if (xp_referent_is(referent, &xp_typeid_iterator)) {
		ret->items = xp_iterator_rest(call, referent, &ret->count);
	} else if (xp_referent_is(referent, &xp_typeid_dict)) {
		const struct xp_datum *dict =
		    xp_mapping_dict(call->arena, xp_dict_mapping(referent));

		return dict ? iterate_keys(call, dict, ret) : no_memory(call);
	} else {
		return not_iterable(call, value);
	}
	if (!ret->items)
		return call->error ? -EINVAL : no_memory(call);
	return 0;
}

int xp_python_iterate(struct xp_call *call, const struct xp_datum *value,
		      const struct xp_datum *const **ret_items, size_t *ret_count)
{
	struct items items = {0};
	int rc = 0;

	switch ((enum xp_datum_kind)value->kind) {
	case XP_DATUM_TUPLE:
	case XP_DATUM_LIST:
	case XP_DATUM_SET:
	case XP_DATUM_FROZENSET:
		items = (struct items){(const struct xp_datum *const *)value->items, value->count};
		break;
	case XP_DATUM_DICT:
		rc = iterate_keys(call, value, &items);
		break;
	case XP_DATUM_STR:
		rc = iterate_text(call, value, &items);
		break;
	case XP_DATUM_BYTES:
	case XP_DATUM_BYTEARRAY:
		rc = iterate_bytes(call, value, &items);
		break;
	case XP_DATUM_REDUCE:
		rc = iterate_instance(call, value, &items);
		break;
	case XP_DATUM_OBJECT:
		rc = iterate_proxy(call, value, &items);
		break;
	default:
		rc = not_iterable(call, value);
		break;
	}
	if (rc < 0)
		return rc;
	*ret_items = items.items;
	*ret_count = items.count;
	return 0;
}

const struct xp_datum *xp_object_repr(struct xp_call *call, const struct xp_referent *referent,
				      const char *class)
{
	return xp_datum_strf(call->arena, "<%s object at 0x%llx>", class,
			     (unsigned long long)referent->number);
}
