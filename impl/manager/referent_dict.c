/* SPDX-License-Identifier: MIT */
/* dict: Python's dict. */
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/dispatch.h"
#include "xpshare/manager/python.h"

#include <stdlib.h>

struct dict {
	struct xp_referent base;
	struct xp_mapping mapping;
};

static struct xp_mapping *mapping_of(struct xp_call *call)
{
	return &xp_call_self(call, struct dict, base)->mapping;
}

static const struct xp_datum *key_error(struct xp_call *call, const struct xp_datum *key)
{
	return xp_call_raise_value(call, "KeyError", key);
}

static const struct xp_datum *dict_contains(struct xp_call *call)
{
	struct xp_pair *pair;
	int rc = xp_mapping_find(call, mapping_of(call), call->args[0], &pair);

	return rc < 0 ? NULL : xp_datum_bool(rc == 1);
}

static const struct xp_datum *dict_getitem(struct xp_call *call)
{
	struct xp_pair *pair;
	int rc = xp_mapping_find(call, mapping_of(call), call->args[0], &pair);

	if (rc == 1)
		return xp_datum_box_value(pair->value);
	return rc < 0 ? NULL : key_error(call, call->args[0]);
}

static const struct xp_datum *dict_get(struct xp_call *call)
{
	struct xp_pair *pair;
	int rc = xp_mapping_find(call, mapping_of(call), call->args[0], &pair);

	if (rc < 0)
		return NULL;
	if (rc == 1)
		return xp_datum_box_value(pair->value);
	return call->args[1] ? call->args[1] : xp_datum_none();
}

static const struct xp_datum *dict_setitem(struct xp_call *call)
{
	return xp_mapping_set(call, mapping_of(call), call->args[0], call->args[1]) < 0
		   ? NULL
		   : xp_datum_none();
}

static const struct xp_datum *dict_delitem(struct xp_call *call)
{
	struct xp_mapping *mapping = mapping_of(call);
	struct xp_pair *pair;
	int rc = xp_mapping_find(call, mapping, call->args[0], &pair);

	if (rc < 0)
		return NULL;
	if (rc == 0)
		return key_error(call, call->args[0]);
	xp_dispatch_drop(call->dispatch, xp_mapping_remove(call->dispatch, mapping, pair));
	return xp_datum_none();
}

static const struct xp_datum *dict_pop(struct xp_call *call)
{
	struct xp_mapping *mapping = mapping_of(call);
	struct xp_pair *pair;
	int rc = xp_mapping_find(call, mapping, call->args[0], &pair);

	if (rc < 0)
		return NULL;
	if (rc == 1)
		return xp_call_release(call, xp_mapping_remove(call->dispatch, mapping, pair));
	return call->args[1] ? call->args[1] : key_error(call, call->args[0]);
}

static const struct xp_datum *dict_popitem(struct xp_call *call)
{
	struct xp_mapping *mapping = mapping_of(call);
	struct xp_pair *pair = xp_mapping_last(mapping);

	if (!pair)
		return xp_call_raisef(call, "KeyError", "popitem(): dictionary is empty");
	const struct xp_datum *members[2] = {
	    xp_datum_copy(call->arena, xp_datum_box_value(pair->key)), NULL};

	members[1] = xp_call_release(call, xp_mapping_remove(call->dispatch, mapping, pair));
	return xp_datum_tuple(call->arena, 2, members);
}

static const struct xp_datum *dict_setdefault(struct xp_call *call)
{
	struct xp_mapping *mapping = mapping_of(call);
	const struct xp_datum *otherwise = call->args[1] ? call->args[1] : xp_datum_none();
	struct xp_pair *pair;
	int rc = xp_mapping_find(call, mapping, call->args[0], &pair);

	if (rc == 1)
		return xp_datum_box_value(pair->value);
	if (rc < 0 || xp_mapping_set(call, mapping, call->args[0], otherwise) < 0)
		return NULL;
	return otherwise;
}

static const struct xp_datum *dict_len(struct xp_call *call)
{
	return xp_datum_int(call->arena, (int64_t)mapping_of(call)->count);
}

static const struct xp_datum *dict_clear(struct xp_call *call)
{
	xp_mapping_clear(call->dispatch, mapping_of(call));
	return xp_datum_none();
}

static const struct xp_datum *dict_copy(struct xp_call *call)
{
	return xp_mapping_dict(call->arena, mapping_of(call));
}

enum part { KEYS, VALUES, ITEMS };

static const struct xp_datum *parts(struct xp_call *call, enum part part)
{
	const struct xp_mapping *mapping = mapping_of(call);
	struct xp_datum *list = xp_datum_container(call->arena, XP_DATUM_LIST, mapping->count);
	const struct xp_pair *pair = NULL;

	for (size_t i = 0; list && (pair = xp_mapping_next(mapping, pair)); i++) {
		const struct xp_datum *members[2] = {xp_datum_box_value(pair->key),
						     xp_datum_box_value(pair->value)};
		const struct xp_datum *item =
		    part == ITEMS ? xp_datum_tuple(call->arena, 2, members) : members[part];

		if (!item)
			return NULL;
		xp_datum_put(list, i, item);
	}
	return list;
}

static const struct xp_datum *dict_keys(struct xp_call *call)
{
	return parts(call, KEYS);
}

static const struct xp_datum *dict_values(struct xp_call *call)
{
	return parts(call, VALUES);
}

static const struct xp_datum *dict_items(struct xp_call *call)
{
	return parts(call, ITEMS);
}

static const struct xp_datum *dict_iter(struct xp_call *call)
{
	struct xp_referent *iterator = xp_iterator_new(call, call->self);

	return iterator ? xp_call_object(call, iterator) : NULL;
}

/* ---- update ------------------------------------------------------------------------------------ */

static int update_pairs(struct xp_call *call, struct xp_mapping *mapping,
			const struct xp_datum *dict)
{
	for (size_t i = 0; i < dict->count; i++) {
		int rc = xp_mapping_set(call, mapping, dict->items[2 * i], dict->items[2 * i + 1]);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int update_sequence(struct xp_call *call, struct xp_mapping *mapping,
			   const struct xp_datum *value)
{
	const struct xp_datum *const *items;
	const struct xp_datum *const *pair;
	size_t count;
	size_t members;

	if (xp_python_iterate(call, value, &items, &count) < 0)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (xp_python_iterate(call, items[i], &pair, &members) < 0) {
			xp_call_raisef(
			    call, "TypeError",
			    "cannot convert dictionary update sequence element #%zu to a sequence",
			    i);
			return -EINVAL;
		}
		if (members != 2) {
			xp_call_raisef(
			    call, "ValueError",
			    "dictionary update sequence element #%zu has length %zu; 2 is required",
			    i, members);
			return -EINVAL;
		}
		int rc = xp_mapping_set(call, mapping, pair[0], pair[1]);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What dict(value) and update(value) take: a mapping, a proxy of one, or pairs. */
static int update_from(struct xp_call *call, struct xp_mapping *mapping,
		       const struct xp_datum *value)
{
	const struct xp_referent *referent = xp_referent_of(value);

	if (xp_datum_is(value, XP_DATUM_DICT))
		return update_pairs(call, mapping, value);
	/* OrderedDict, defaultdict and their like. */
	if (xp_datum_is(value, XP_DATUM_REDUCE) && value->reduce->pairs)
		return update_pairs(call, mapping, value->reduce->pairs);
	if (referent && xp_referent_is(referent, &xp_typeid_dict)) {
		const struct xp_datum *copy =
		    xp_mapping_dict(call->arena, xp_dict_mapping(referent));

		return copy ? update_pairs(call, mapping, copy) : -ENOMEM;
	}
	return update_sequence(call, mapping, value);
}

static int update(struct xp_call *call, struct xp_mapping *mapping, const char *name)
{
	int rc = 0;

	if (call->positional->count > 1) {
		xp_call_raisef(call, "TypeError", "%s expected at most 1 argument, got %zu", name,
			       call->positional->count);
		return -EINVAL;
	}
	if (call->positional->count == 1)
		rc = update_from(call, mapping, call->positional->items[0]);
	if (rc == 0 && call->keywords)
		rc = update_pairs(call, mapping, call->keywords);
	return rc;
}

static const struct xp_datum *dict_update(struct xp_call *call)
{
	return update(call, mapping_of(call), "update") < 0 ? NULL : xp_datum_none();
}

/* ---- the type ---------------------------------------------------------------------------------- */

const struct xp_mapping *xp_dict_mapping(const struct xp_referent *dict)
{
	return &((const struct dict *)dict)->mapping;
}

static void dict_fini(struct xp_referent *referent)
{
	struct dict *dict = (struct dict *)referent;

	xp_mapping_clear(referent->dispatch, &dict->mapping);
	free(dict);
}

static const struct xp_datum *dict_init(struct xp_call *call)
{
	struct dict *dict = (struct dict *)xp_referent_new(call, &xp_typeid_dict, sizeof(*dict));

	if (!dict)
		return NULL;
	if (update(call, &dict->mapping, "dict") < 0) {
		xp_referent_unref(&dict->base);
		return NULL;
	}
	return xp_call_object(call, &dict->base);
}

static const struct xp_datum *dict_value(struct xp_call *call, struct xp_referent *referent)
{
	return xp_mapping_dict(call->arena, xp_dict_mapping(referent));
}

static const struct xp_datum *dict_repr(struct xp_call *call, struct xp_referent *referent)
{
	const struct xp_datum *value = dict_value(call, referent);

	return value ? xp_python_repr(call, value) : NULL;
}

static const struct xp_method methods[] = {XP_METHODS_DICT(XP_METHOD_ROW)};

const struct xp_typeid xp_typeid_dict = {
    .name = "dict",
    .owner = "dict",
    .init = {.name = "dict", .style = XP_ARGS_RAW, .params = "", .call = dict_init},
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = dict_fini,
    .repr = dict_repr,
    .value = dict_value,
};
