/* SPDX-License-Identifier: MIT */
/* Connection-level requests: the first one of a connection, answered once (PROTOCOL: create, incref,
 * decref and so on). Every error among them is a #TRACEBACK. */
#include "xpshare/manager/dispatch.h"

#include "xpshare/manager/python.h"
#include "xpshare/rpc/duplex.h"

#include <stdio.h>
#include <stdlib.h>

typedef const struct xp_datum *connection_function(struct xp_call *call);

static struct xp_referent *referent_named(struct xp_call *call, size_t index)
{
	const struct xp_datum *ident = call->args[index];
	struct xp_referent *referent = NULL;

	if (xp_datum_is(ident, XP_DATUM_STR))
		referent = xp_store_find(call->dispatch, ident->bytes, ident->size);
	if (!referent)
		xp_call_raise_value(call, "KeyError", ident);
	return referent;
}

static const struct xp_datum *do_dummy(struct xp_call *call)
{
	(void)call;
	return xp_datum_none();
}

/* Run the factory or the constructor, for call->object. Return: whether there is one; if not, it has raised. */
static bool make_object(struct xp_call *call, const struct xp_type_entry *entry)
{
	const struct xp_typeid *type = entry->as.type;

	if (entry->as.factory) {
		call->object = entry->as.factory(call, entry->as.argument);
		return call->object;
	}
	if (!type->init.call) {
		xp_call_raisef(call, "TypeError",
			       "typeid '%s' has no constructor: its objects are made by methods",
			       entry->name);
		return false;
	}
	call->method = &type->init;
	return type->init.call(call);
}

/* create(typeid, ...): the object with the creation reference, which the client drops later. */
static const struct xp_datum *do_create(struct xp_call *call)
{
	const struct xp_datum *positional = call->positional;
	struct xp_datum_arena *arena = call->arena;
	const struct xp_type_entry *entry = NULL;
	char ident[XP_IDENT_MAX];

	if (positional->count == 0)
		return xp_call_raisef(
		    call, "TypeError",
		    "Server.create() missing 1 required positional argument: 'typeid'");
	const struct xp_datum *name = positional->items[0];

	if (xp_datum_is(name, XP_DATUM_STR))
		entry = xp_registry_find(call->dispatch->registry, name->bytes, name->size);
	if (!entry && xp_datum_is_text(name, "Pool"))
		return xp_call_raisef(
		    call, "NotImplementedError",
		    "a Pool runs Python code in the server, which this server never does");
	if (!entry)
		return xp_call_raise_value(call, "KeyError", name);
	struct xp_datum rest = {.kind = XP_DATUM_TUPLE, .flags = XP_DATUM_FROZEN};
	struct xp_datum none = {.kind = XP_DATUM_DICT, .flags = XP_DATUM_FROZEN};

	rest.count = positional->count - 1;
	rest.items = positional->items + 1;
	/* A type that says nothing of its arguments takes none. */
	const struct xp_method none_wanted = {.name = entry->name, .params = ""};
	const struct xp_method *init =
	    entry->as.type->init.name ? &entry->as.type->init : &none_wanted;

	if (xp_args_bind(call, init, entry->as.type->owner, &rest,
			 call->keywords ? call->keywords : &none) < 0)
		return NULL;
	call->positional = &rest;
	call->creating = entry;
	if (!make_object(call, entry))
		return NULL;
	xp_assert(call->object);
	if (!call->object->number && xp_store_add(call->dispatch, call->object) < 0)
		return xp_call_raisef(call, "MemoryError",
				      "the server's limit of %zu objects is reached",
				      call->dispatch->limits.objects);
	xp_store_ident(call->object, ident);
	const struct xp_datum *pair[2] = {xp_datum_str(arena, ident),
					  xp_dispatch_exposed(call->client, entry)};

	return xp_datum_tuple(arena, 2, pair);
}

static const struct xp_datum *do_incref(struct xp_call *call)
{
	struct xp_referent *referent = referent_named(call, 0);

	if (!referent)
		return NULL;
	if (referent->proxies == UINT32_MAX)
		return xp_call_raisef(call, "OverflowError", "too many references");
	referent->proxies++;
	return xp_datum_none();
}

static const struct xp_datum *do_decref(struct xp_call *call)
{
	struct xp_referent *referent = referent_named(call, 0);

	if (!referent)
		return NULL;
	/* Held from inside only: as CPython, which skips idents known for nested proxies. */
	if (referent->proxies == 0)
		return xp_datum_none();
	xp_referent_ref(referent);
	referent->proxies--;
	xp_referent_unref(referent);
	return xp_datum_none();
}

static const struct xp_datum *do_get_methods(struct xp_call *call)
{
	const struct xp_datum *token[3];

	if (!xp_datum_as_token(call->args[0], token))
		return xp_call_raisef(call, "AttributeError", "'%s' object has no attribute 'id'",
				      xp_python_type(call->arena, call->args[0]));
	call->args[0] = token[2];
	struct xp_referent *referent = referent_named(call, 0);

	return referent ? xp_dispatch_exposed(call->client, referent->type) : NULL;
}

static const struct xp_datum *do_number_of_objects(struct xp_call *call)
{
	struct xp_referent *referent = NULL;
	int64_t count = 0;

	/* What only other objects hold does not count, as in CPython. */
	while ((referent = xp_store_next(call->dispatch, referent)))
		count += referent->proxies > 0;
	return xp_datum_int(call->arena, count);
}

struct debug_line {
	char ident[XP_IDENT_MAX];
	struct xp_referent *referent;
};

static int compare_idents(const void *a, const void *b)
{
	return strcmp(((const struct debug_line *)a)->ident, ((const struct debug_line *)b)->ident);
}

#define DEBUG_OBJECTS_MAX 10000 /* lines of debug_info; a larger server is not printed in full */
#define DEBUG_STR_MAX	  75	/* characters of each object, as CPython's */

static const struct xp_datum *do_debug_info(struct xp_call *call)
{
	struct xp_datum_arena *arena = call->arena;
	size_t count = call->dispatch->objects;
	struct xp_referent *referent = NULL;
	struct xp_datum_arena texts;
	struct debug_line *lines;
	size_t room = 0;
	size_t used = 0;
	char *text;

	if (count > DEBUG_OBJECTS_MAX)
		count = DEBUG_OBJECTS_MAX;
	lines = xp_datum_alloc(arena, (count + 1) * sizeof(*lines));
	if (!lines)
		return NULL;
	count = 0;
	while ((referent = xp_store_next(call->dispatch, referent)) && count < DEBUG_OBJECTS_MAX) {
		if (!referent->proxies)
			continue;
		lines[count].referent = referent;
		xp_store_ident(referent, lines[count++].ident);
	}
	qsort(lines, count, sizeof(*lines), compare_idents);
	/* A character is at most four bytes. */
	room = count * (XP_IDENT_MAX + 64 + 4 * DEBUG_STR_MAX) + 1;
	text = xp_datum_alloc(arena, room);
	if (!text)
		return NULL;
	/* Only the beginning of each text is wanted, but it is made whole: one after the other, so that no
	 * more than the largest is in memory. */
	xp_datum_arena_init(&texts, 0);
	for (size_t i = 0; i < count; i++) {
		const struct xp_datum *line;
		size_t end = 0;

		call->self = lines[i].referent;
		call->arena = &texts;
		line = xp_referent_text(call, call->self, true);
		if (!line) {
			xp_datum_arena_reset(&texts);
			call->error = NULL;
			line = xp_datum_str(&texts, "(there is no memory for its text)");
		}
		call->arena = arena;
		if (!line) {
			xp_datum_arena_fini(&texts);
			return NULL;
		}
		for (int characters = 0; end < line->size && characters < DEBUG_STR_MAX;
		     characters++) {
			do
				end++;
			while (end < line->size && (line->bytes[end] & 0xc0) == 0x80);
		}
		used +=
		    (size_t)snprintf(text + used, room - used, "%s  %s:       refcount=%u\n    ",
				     i ? "\n" : "", lines[i].ident, call->self->proxies);
		memcpy(text + used, line->bytes, end);
		used += end;
		xp_datum_arena_reset(&texts);
	}
	xp_datum_arena_fini(&texts);
	call->self = NULL;
	return xp_datum_str_n(arena, text, used);
}

static const struct xp_datum *do_shutdown(struct xp_call *call)
{
	call->dispatch->shutdown = true;
	return xp_datum_none();
}

static const struct xp_datum *do_accept_connection(struct xp_call *call)
{
	call->client->state = XP_CLIENT_SERVING;
	return xp_datum_none();
}

static const struct xp_method functions[] = {
    {.name = "dummy", .style = XP_ARGS_PYTHON, .params = "", .call = do_dummy},
    {.name = "create", .style = XP_ARGS_RAW, .params = "", .call = do_create},
    {.name = "incref",
     .style = XP_ARGS_PYTHON,
     .min = 1,
     .max = 1,
     .params = "ident",
     .call = do_incref},
    {.name = "decref",
     .style = XP_ARGS_PYTHON,
     .min = 1,
     .max = 1,
     .params = "ident",
     .call = do_decref},
    {.name = "accept_connection",
     .style = XP_ARGS_PYTHON,
     .min = 1,
     .max = 1,
     .params = "name",
     .call = do_accept_connection},
    {.name = "get_methods",
     .style = XP_ARGS_PYTHON,
     .min = 1,
     .max = 1,
     .params = "token",
     .call = do_get_methods},
    {.name = "number_of_objects",
     .style = XP_ARGS_PYTHON,
     .params = "",
     .call = do_number_of_objects},
    {.name = "debug_info", .style = XP_ARGS_PYTHON, .params = "", .call = do_debug_info},
    {.name = "stats", .style = XP_ARGS_PYTHON, .params = "", .call = xp_stats_value},
    {.name = "shutdown", .style = XP_ARGS_PYTHON, .params = "", .call = do_shutdown},
};

_Static_assert(sizeof(functions) / sizeof(functions[0]) <= XP_STATS_FUNCTIONS,
	       "each function has a counter");

const char *xp_dispatch_function_name(size_t index)
{
	return index < sizeof(functions) / sizeof(functions[0]) ? functions[index].name : NULL;
}

static const struct xp_method *function_named(const struct xp_datum *name)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		if (xp_datum_is_text(name, functions[i].name))
			return &functions[i];
	}
	return NULL;
}

static const struct xp_datum *function_call(struct xp_call *call, const struct xp_datum *request)
{
	if ((!xp_datum_is(request, XP_DATUM_TUPLE) && !xp_datum_is(request, XP_DATUM_LIST)) ||
	    request->count != 4)
		return xp_call_raisef(call, "ValueError",
				      "a request is a tuple (ident, methodname, args, kwds)");
	const struct xp_datum *name = request->items[1];
	const struct xp_datum *args = request->items[2];
	const struct xp_datum *keywords = request->items[3];

	if ((!xp_datum_is(args, XP_DATUM_TUPLE) && !xp_datum_is(args, XP_DATUM_LIST)) ||
	    !xp_datum_is(keywords, XP_DATUM_DICT))
		return xp_call_raisef(
		    call, "TypeError",
		    "a request needs a tuple of arguments and a dict of keywords");
	call->method = xp_datum_is(name, XP_DATUM_STR) ? function_named(name) : NULL;
	if (!call->method) {
		const struct xp_datum *repr = xp_python_repr(call, name);

		return repr ? xp_call_raisef(call, "AssertionError", "%.*s unrecognized",
					     repr->size < 100 ? (int)repr->size : 100, repr->bytes)
			    : NULL;
	}
	call->dispatch->stats.functions[call->method - functions]++;
	if (xp_args_bind(call, call->method, "Server", args, keywords) < 0)
		return NULL;
	return call->method->call(call);
}

/* (version, size): answered by an object's connection, and no function of CPython's. */
int xp_dispatch_ring(struct xp_client *client, const struct xp_datum *args)
{
	struct xp_datum_arena *arena = &client->dispatch->arena;
	const char *why = "this is no request for a ring of a version that the server knows";
	int64_t version = 0, size = 0;

	if (args->count == 2 && xp_datum_to_int64(args->items[0], &version) == 0 &&
	    xp_datum_to_int64(args->items[1], &size) == 0 && version == XP_DUPLEX_VERSION &&
	    client->ops->ring(client, (uint64_t)size, &why) == 0)
		return xp_reply(client, "#RETURN", xp_datum_int(arena, version));
	return xp_reply_traceback(
	    client, "serve_client",
	    xp_datum_exception(arena, "builtins", "NotImplementedError", why));
}

/* Answer with @value, or with what was raised instead. */
static int answer(struct xp_call *call, const struct xp_datum *value)
{
	if (value)
		return call->object
			   ? xp_reply_reference(call->client, "#RETURN", value, call->object)
			   : xp_reply(call->client, "#RETURN", value);
	if (!call->error)
		call->error = xp_datum_exception(call->arena, "builtins", "MemoryError", NULL);
	if (!call->error)
		return -ENOMEM;
	return xp_reply_traceback(
	    call->client, call->method ? call->method->name : "handle_request", call->error);
}

/* The call's own reference to an object that it made ends here, whatever became of it. */
static int call_and_answer(struct xp_client *client, const struct xp_datum *request)
{
	struct xp_dispatch *dispatch = client->dispatch;
	struct xp_call call = {.dispatch = dispatch, .client = client, .arena = &dispatch->arena};
	int rc = answer(&call, function_call(&call, request));

	if (call.object)
		xp_referent_unref(call.object);
	return rc;
}

int xp_dispatch_connection_call(struct xp_client *client, const struct xp_datum *request)
{
	client->state = XP_CLIENT_CLOSING;
	int rc = call_and_answer(client, request);

	if (rc < 0)
		return rc;
	return client->state == XP_CLIENT_SERVING ? XP_CLIENT_MORE : XP_CLIENT_DONE;
}

bool xp_dispatch_takes(const struct xp_datum *name)
{
	return xp_datum_is_text(name, "create") || xp_datum_is_text(name, "incref") ||
	       xp_datum_is_text(name, "decref");
}

int xp_dispatch_object_call(struct xp_client *client, const struct xp_datum *request)
{
	return call_and_answer(client, request);
}
