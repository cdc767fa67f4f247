/* SPDX-License-Identifier: MIT */
/* Value: one value of any type; the typecode is kept for its repr only, as in CPython. */
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/dispatch.h"
#include "xpshare/manager/python.h"

#include <stdlib.h>

struct value {
	struct xp_referent base;
	struct xp_datum_box *typecode;
	struct xp_datum_box *value;
};

static const struct xp_datum *value_get(struct xp_call *call)
{
	return xp_datum_box_value(xp_call_self(call, struct value, base)->value);
}

static const struct xp_datum *value_set(struct xp_call *call)
{
	struct value *value = xp_call_self(call, struct value, base);
	struct xp_datum_box *old = value->value;

	if (xp_call_keep(call, call->args[0], &value->value) < 0)
		return NULL;
	xp_dispatch_drop(call->dispatch, old);
	return xp_datum_none();
}

static void value_fini(struct xp_referent *referent)
{
	struct value *value = (struct value *)referent;

	xp_dispatch_drop(referent->dispatch, value->typecode);
	xp_dispatch_drop(referent->dispatch, value->value);
	free(value);
}

static const struct xp_datum *value_init(struct xp_call *call)
{
	struct value *value =
	    (struct value *)xp_referent_new(call, &xp_typeid_value, sizeof(struct value));

	if (!value)
		return NULL;
	if (xp_call_keep(call, call->args[0], &value->typecode) < 0 ||
	    xp_call_keep(call, call->args[1], &value->value) < 0) {
		xp_referent_unref(&value->base);
		return NULL;
	}
	return xp_call_object(call, &value->base);
}

/* Value('i', 7) */
static const struct xp_datum *value_repr(struct xp_call *call, struct xp_referent *referent)
{
	const struct value *value = (const struct value *)referent;
	const struct xp_datum *pair[2] = {xp_datum_box_value(value->typecode),
					  xp_datum_box_value(value->value)};
	const struct xp_datum *tuple = xp_datum_tuple(call->arena, 2, pair);
	const struct xp_datum *repr = tuple ? xp_python_repr(call, tuple) : NULL;

	return repr ? xp_datum_strf(call->arena, "Value%.*s", (int)repr->size, repr->bytes) : NULL;
}

/* multiprocessing.managers.Value with its two attributes as state. */
static const struct xp_datum *value_value(struct xp_call *call, struct xp_referent *referent)
{
	const struct value *value = (const struct value *)referent;
	struct xp_datum_arena *arena = call->arena;
	struct xp_datum *made = xp_datum_reduce(
	    arena, XP_DATUM_NEWOBJ, xp_datum_global(arena, "multiprocessing.managers", "Value"),
	    xp_datum_tuple(arena, 0, NULL));
	struct xp_datum *state = xp_datum_dict(arena);

	if (!made || !state ||
	    xp_datum_set_item(arena, state, xp_datum_str(arena, "_typecode"),
			      xp_datum_box_value(value->typecode)) < 0 ||
	    xp_datum_set_item(arena, state, xp_datum_str(arena, "_value"),
			      xp_datum_box_value(value->value)) < 0)
		return NULL;
	made->reduce->state = state;
	return made;
}

static const struct xp_method methods[] = {XP_METHODS_VALUE(XP_METHOD_ROW)};

const struct xp_typeid xp_typeid_value = {
    .name = "Value",
    .owner = "Value",
    .init = {.name = "__init__",
	     .style = XP_ARGS_PYTHON,
	     .min = 2,
	     .max = 3,
	     .params = "typecode,value,lock",
	     .call = value_init},
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = value_fini,
    .repr = value_repr,
    .value = value_value,
};
