/* SPDX-License-Identifier: MIT */
/* Namespace: attributes by name. */
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/dispatch.h"
#include "xpshare/manager/python.h"

#include <stdlib.h>

struct namespace
{
	struct xp_referent base;
	struct xp_mapping names;
};

static const struct xp_datum *no_attribute(struct xp_call *call, const struct xp_datum *name)
{
	return xp_call_raisef(call, "AttributeError", "'Namespace' object has no attribute '%.*s'",
			      (int)name->size, name->bytes);
}

/* The name that the call is about; NULL, raised. */
static const struct xp_datum *name_of(struct xp_call *call)
{
	const struct xp_datum *name = call->args[0];

	if (!xp_datum_is(name, XP_DATUM_STR)) {
		xp_call_raisef(call, "TypeError", "attribute name must be string, not '%s'",
			       xp_python_type(call->arena, name));
		return NULL;
	}
	return name;
}

static const struct xp_datum *namespace_getattribute(struct xp_call *call)
{
	struct namespace *namespace = xp_call_self(call, struct namespace, base);
	const struct xp_datum *name = name_of(call);
	struct xp_pair *pair;
	int rc;

	if (!name)
		return NULL;
	rc = xp_mapping_find(call, &namespace->names, name, &pair);
	if (rc == 1)
		return xp_datum_box_value(pair->value);
	if (rc < 0)
		return NULL;
	if (xp_datum_is_text(name, "__dict__"))
		return xp_mapping_dict(call->arena, &namespace->names);
	if (xp_datum_is_text(name, "__class__"))
		return xp_datum_global(call->arena, "multiprocessing.managers", "Namespace");
	return no_attribute(call, name);
}

static const struct xp_datum *namespace_setattr(struct xp_call *call)
{
	struct namespace *namespace = xp_call_self(call, struct namespace, base);
	const struct xp_datum *name = name_of(call);

	if (!name || xp_mapping_set(call, &namespace->names, name, call->args[1]) < 0)
		return NULL;
	return xp_datum_none();
}

static const struct xp_datum *namespace_delattr(struct xp_call *call)
{
	struct namespace *namespace = xp_call_self(call, struct namespace, base);
	const struct xp_datum *name = name_of(call);
	struct xp_pair *pair;
	int rc;

	if (!name)
		return NULL;
	rc = xp_mapping_find(call, &namespace->names, name, &pair);
	if (rc < 0)
		return NULL;
	if (rc == 0)
		return no_attribute(call, name);
	xp_dispatch_drop(call->dispatch,
			 xp_mapping_remove(call->dispatch, &namespace->names, pair));
	return xp_datum_none();
}

static void namespace_fini(struct xp_referent *referent)
{
	struct namespace *namespace = (struct namespace *)referent;

	xp_mapping_clear(referent->dispatch, &namespace->names);
	free(namespace);
}

static const struct xp_datum *namespace_init(struct xp_call *call)
{
	struct namespace *namespace;

	if (call->positional->count > 0)
		return xp_call_raisef(
		    call, "TypeError",
		    "Namespace.__init__() takes 1 positional argument but %zu were given",
		    call->positional->count + 1);
	namespace = (struct namespace *)xp_referent_new(call, &xp_typeid_namespace,
							sizeof(struct namespace));
	if (!namespace)
		return NULL;
	for (size_t i = 0; call->keywords && i < call->keywords->count; i++) {
		if (xp_mapping_set(call, &namespace->names, call->keywords->items[2 * i],
				   call->keywords->items[2 * i + 1]) < 0) {
			xp_referent_unref(&namespace->base);
			return NULL;
		}
	}
	return xp_call_object(call, &namespace->base);
}

static int compare_texts(const void *a, const void *b)
{
	const struct xp_datum *x = *(const struct xp_datum *const *)a;
	const struct xp_datum *y = *(const struct xp_datum *const *)b;
	size_t common = x->size < y->size ? x->size : y->size;
	int order = memcmp(x->bytes, y->bytes, common);

	return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* Namespace(a=1, b=[2]): public names, sorted. */
static const struct xp_datum *namespace_repr(struct xp_call *call, struct xp_referent *referent)
{
	const struct namespace *namespace = (const struct namespace *)referent;
	struct xp_datum_arena *arena = call->arena;
	const struct xp_datum **texts =
	    xp_datum_alloc(arena, (namespace->names.count + 1) * sizeof(const struct xp_datum *));
	const struct xp_pair *pair = NULL;
	size_t count = 0;
	size_t size = sizeof("Namespace()");
	size_t used = 0;
	char *text;

	if (!texts)
		return NULL;
	while ((pair = xp_mapping_next(&namespace->names, pair))) {
		const struct xp_datum *name = xp_datum_box_value(pair->key);
		const struct xp_datum *repr;

		if (name->size > 0 && name->bytes[0] == '_')
			continue;
		repr = xp_python_repr(call, xp_datum_box_value(pair->value));
		text = repr ? xp_datum_alloc(arena, name->size + repr->size + 1) : NULL;
		if (!text)
			return NULL;
		memcpy(text, name->bytes, name->size);
		text[name->size] = '=';
		memcpy(text + name->size + 1, repr->bytes, repr->size);
		texts[count] =
		    xp_datum_borrow(arena, XP_DATUM_STR, text, name->size + repr->size + 1);
		if (!texts[count])
			return NULL;
		size += texts[count++]->size + 2;
	}
	qsort(texts, count, sizeof(const struct xp_datum *), compare_texts);
	text = xp_datum_alloc(arena, size);
	if (!text)
		return NULL;
	static const char head[] = {'N', 'a', 'm', 'e', 's', 'p', 'a', 'c', 'e', '('};
	memcpy(text, head, sizeof(head));
	used = sizeof(head);
	for (size_t i = 0; i < count; i++) {
		if (i > 0) {
			text[used++] = ',';
			text[used++] = ' ';
		}
		memcpy(text + used, texts[i]->bytes, texts[i]->size);
		used += texts[i]->size;
	}
	text[used++] = ')';
	return xp_datum_borrow(arena, XP_DATUM_STR, text, used);
}

static const struct xp_datum *namespace_value(struct xp_call *call, struct xp_referent *referent)
{
	const struct namespace *namespace = (const struct namespace *)referent;
	struct xp_datum_arena *arena = call->arena;
	struct xp_datum *made = xp_datum_reduce(
	    arena, XP_DATUM_NEWOBJ, xp_datum_global(arena, "multiprocessing.managers", "Namespace"),
	    xp_datum_tuple(arena, 0, NULL));
	const struct xp_datum *state = xp_mapping_dict(arena, &namespace->names);

	if (!made || !state)
		return NULL;
	/* An empty state is not written: unpickling would not call __setstate__ with it either. */
	if (state->count > 0)
		made->reduce->state = (struct xp_datum *)(uintptr_t)state;
	return made;
}

static const struct xp_method methods[] = {XP_METHODS_NAMESPACE(XP_METHOD_ROW)};

const struct xp_typeid xp_typeid_namespace = {
    .name = "Namespace",
    .owner = "Namespace",
    .init = {.name = "__init__", .style = XP_ARGS_RAW, .params = "", .call = namespace_init},
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = namespace_fini,
    .repr = namespace_repr,
    .value = namespace_value,
};
