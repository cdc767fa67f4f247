/* SPDX-License-Identifier: MIT */
/* Iterator: over the keys of a dict, which it keeps alive. No client can create one by itself. */
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/dispatch.h"

#include <stdlib.h>

struct iterator {
	struct xp_referent base;
	struct xp_referent *dict; /* NULL: exhausted */
	size_t at;		  /* pairs of its array passed */
	size_t length;		  /* of the dict when the iteration began */
};

/* The next pair; NULL at the end, or raised. */
static struct xp_pair *advance(struct xp_call *call, struct iterator *iterator)
{
	const struct xp_mapping *mapping;
	struct xp_pair *pair;

	if (!iterator->dict) {
		xp_call_raisef(call, "StopIteration", NULL);
		return NULL;
	}
	mapping = xp_dict_mapping(iterator->dict);
	if (mapping->count != iterator->length) {
		xp_call_raisef(call, "RuntimeError", "dictionary changed size during iteration");
		return NULL;
	}
	while (iterator->at < mapping->used && !mapping->pairs[iterator->at].key)
		iterator->at++;
	if (iterator->at >= mapping->used) {
		xp_referent_unref(iterator->dict);
		iterator->dict = NULL;
		xp_call_raisef(call, "StopIteration", NULL);
		return NULL;
	}
	pair = &mapping->pairs[iterator->at++];
	return pair;
}

static const struct xp_datum *iterator_next(struct xp_call *call)
{
	struct xp_pair *pair = advance(call, xp_call_self(call, struct iterator, base));

	return pair ? xp_datum_box_value(pair->key) : NULL;
}

struct xp_referent *xp_iterator_new(struct xp_call *call, struct xp_referent *dict)
{
	struct iterator *iterator =
	    (struct iterator *)xp_referent_new(call, &xp_typeid_iterator, sizeof(*iterator));

	if (!iterator)
		return NULL;
	iterator->dict = xp_referent_ref(dict);
	iterator->length = xp_dict_mapping(dict)->count;
	return &iterator->base;
}

const struct xp_datum *const *xp_iterator_rest(struct xp_call *call, struct xp_referent *referent,
					       size_t *ret_count)
{
	struct iterator *iterator = (struct iterator *)referent;
	size_t room = iterator->dict ? xp_dict_mapping(iterator->dict)->count : 0;
	const struct xp_datum **items =
	    xp_datum_alloc(call->arena, (room + 1) * sizeof(const struct xp_datum *));
	size_t count = 0;
	struct xp_pair *pair;

	if (!items)
		return NULL;
	while (count < room && (pair = advance(call, iterator)))
		items[count++] = xp_datum_box_value(pair->key);
	if (count < room && iterator->dict)
		return NULL;
	call->error = NULL;
	*ret_count = count;
	return items;
}

static void iterator_fini(struct xp_referent *referent)
{
	struct iterator *iterator = (struct iterator *)referent;

	xp_referent_unref(iterator->dict);
	free(iterator);
}

static const struct xp_datum *iterator_repr(struct xp_call *call, struct xp_referent *referent)
{
	return xp_object_repr(call, referent, "dict_keyiterator");
}

static const struct xp_method methods[] = {XP_METHODS_ITERATOR(XP_METHOD_ROW)};

const struct xp_typeid xp_typeid_iterator = {
    .name = "Iterator",
    .owner = "dict_keyiterator",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = iterator_fini,
    .repr = iterator_repr,
};
