/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/dispatch.h"

#include "xpshare/manager/python.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- proxies inside values --------------------------------------------------------------------- */

static void object_ref(void *object)
{
	xp_referent_ref(object);
}

static void object_unref(void *object)
{
	xp_referent_unref(object);
}

static const struct xp_datum_object_ops object_ops = {.ref = object_ref, .unref = object_unref};

/* A proxy of one of our objects stands for the object: a counted reference. The ident alone tells,
 * since it names the incarnation; the address is whatever name the client knows us by. */
static int resolve_proxy(void *context, struct xp_datum_arena *arena, struct xp_datum *reduce,
			 struct xp_datum **ret_value)
{
	struct xp_dispatch *dispatch = context;
	const struct xp_datum *proxy[3];
	const struct xp_datum *token[3];

	if (!xp_datum_as_proxy(reduce, proxy) || !xp_datum_as_token(proxy[1], token) ||
	    !xp_datum_is(token[2], XP_DATUM_STR))
		return 0;
	struct xp_referent *referent = xp_store_find(dispatch, token[2]->bytes, token[2]->size);

	if (!referent)
		return 0;
	struct xp_datum *object = xp_datum_object(arena, &object_ops, referent, reduce);

	if (!object)
		return -ENOMEM;
	*ret_value = object;
	return 0;
}

struct xp_referent *xp_referent_of(const struct xp_datum *value)
{
	return xp_datum_is(value, XP_DATUM_OBJECT) ? value->object->object : NULL;
}

/* ---- life -------------------------------------------------------------------------------------- */

int xp_dispatch_init(struct xp_dispatch *dispatch, const struct xp_registry *registry,
		     const struct xp_limits *limits, const void *key, size_t key_size)
{
	struct xp_limits used = limits ? *limits : (struct xp_limits){0};
	unsigned char incarnation[XP_INCARNATION_SIZE / 2];

	if (getrandom(incarnation, sizeof(incarnation), 0) != (ssize_t)sizeof(incarnation))
		return -EIO;
	if (!used.frame)
		used.frame = XP_LIMIT_FRAME;
	if (!used.depth)
		used.depth = XP_LIMIT_DEPTH;
	if (!used.nodes)
		used.nodes = XP_LIMIT_NODES;
	if (!used.objects)
		used.objects = XP_LIMIT_OBJECTS;
	if (!used.memory)
		used.memory = (size_t)sysconf(_SC_PHYS_PAGES) / 2 * (size_t)sysconf(_SC_PAGESIZE);
	*dispatch = (struct xp_dispatch){
	    .registry = registry,
	    .limits = used,
	    .key = key,
	    .key_size = key_size,
	    .slot_free = UINT32_MAX,
	};
	xp_stats_init(&dispatch->stats);
	dispatch->type_objects =
	    calloc(xp_registry_types(registry) + 1, sizeof(*dispatch->type_objects));
	dispatch->method_calls =
	    calloc(xp_registry_methods(registry) + 1, sizeof(*dispatch->method_calls));
	if (!dispatch->type_objects || !dispatch->method_calls) {
		free(dispatch->type_objects);
		free(dispatch->method_calls);
		return -ENOMEM;
	}
	for (size_t i = 0; i < sizeof(incarnation); i++)
		snprintf(dispatch->incarnation + 2 * i, 3, "%02x", incarnation[i]);
	xp_pickle_reader_init(&dispatch->reader, &(struct xp_pickle_limits){
						     .bytes = used.frame,
						     .nodes = used.nodes,
						     .depth = used.depth,
						 });
	dispatch->reader.resolve = resolve_proxy;
	dispatch->reader.resolve_context = dispatch;
	/* A reply wraps what a request brought, a few levels deeper. */
	xp_pickle_writer_init(&dispatch->writer, used.frame, used.depth + 8);
	xp_datum_arena_init(&dispatch->arena, 0);
	return 0;
}

void xp_dispatch_fini(struct xp_dispatch *dispatch)
{
	struct xp_referent *referent;

	xp_dispatch_end_request(dispatch);
	/* Proxies of clients that are no more, then whatever was held by what those freed. A ring of
	 * objects that hold each other has nobody left to break it: it is freed by its values. */
	while ((referent = xp_store_next(dispatch, NULL))) {
		xp_store_remove(dispatch, referent);
		referent->number = 0;
		referent->proxies = 0;
		if (referent->holders == 0)
			referent->type->as.type->fini(referent);
	}
	free(dispatch->slots);
	free(dispatch->type_objects);
	free(dispatch->method_calls);
	xp_pickle_reader_fini(&dispatch->reader);
	xp_pickle_writer_fini(&dispatch->writer);
	xp_datum_arena_fini(&dispatch->arena);
}

/* ---- decoding ---------------------------------------------------------------------------------- */

int xp_dispatch_decode(struct xp_client *client, char *payload, size_t size,
		       struct xp_datum **ret_request)
{
	struct xp_dispatch *dispatch = client->dispatch;
	unsigned flags = XP_PICKLE_BORROW | (client->python2 ? XP_PICKLE_PYTHON2 : 0u);
	int rc =
	    xp_pickle_read(&dispatch->reader, &dispatch->arena, payload, size, flags, ret_request);

	client->dialect = dispatch->reader.dialect;
	if (dispatch->reader.dialect.python == 2)
		client->python2 = true;
	return rc;
}

/* ---- calls ------------------------------------------------------------------------------------- */

const struct xp_datum *xp_dispatch_exposed(const struct xp_client *client,
					   const struct xp_type_entry *entry)
{
	return entry->exposed[client->python2 ? 0 : client->modern ? 2 : 1];
}

static const struct xp_datum *error_text(struct xp_dispatch *dispatch, const char *name,
					 const char *text)
{
	return xp_datum_exception(&dispatch->arena, "builtins", name, text);
}

static int reply_key_error(struct xp_client *client, const char *where, const struct xp_datum *key)
{
	struct xp_datum_arena *arena = &client->dispatch->arena;

	return xp_reply_traceback(client, where,
				  xp_datum_call(arena, "builtins", "KeyError", 1, &key));
}

/* #PROXY: the method made an object; the client builds a proxy of it and takes over the creation
 * reference. */
static int reply_proxy(struct xp_call *call)
{
	struct xp_referent *referent = call->object;
	struct xp_client *client = call->client;
	struct xp_datum_arena *arena = call->arena;
	char ident[XP_IDENT_MAX];
	int rc = 0;

	if (!referent->number)
		rc = xp_store_add(call->dispatch, referent);
	if (rc < 0) {
		xp_referent_unref(referent);
		return xp_reply_traceback(
		    client, call->method->name,
		    error_text(call->dispatch, "MemoryError", "too many objects"));
	}
	xp_store_ident(referent, ident);
	const struct xp_datum *token =
	    xp_datum_token(arena, xp_datum_str(arena, referent->type->name), client->address,
			   xp_datum_str(arena, ident));
	const struct xp_datum *pair[2] = {xp_dispatch_exposed(client, referent->type), token};
	const struct xp_datum *payload = xp_datum_tuple(arena, 2, pair);

	rc = payload ? xp_reply_reference(client, "#PROXY", payload, referent)
		     : xp_reply(client, "#ERROR", error_text(call->dispatch, "MemoryError", NULL));
	xp_referent_unref(referent);
	return rc;
}

/* Names outside the exposed list that every object answers. Return: 0 done or not ours (*ret_done). */
static int call_fallback(struct xp_call *call, const struct xp_datum *name, bool *ret_done)
{
	const struct xp_typeid *type = call->self->type->as.type;
	const struct xp_datum *value;

	*ret_done = true;
	if (xp_datum_is_text(name, "__str__") || xp_datum_is_text(name, "__repr__")) {
		value = xp_referent_text(call, call->self, xp_datum_is_text(name, "__str__"));
	} else if (xp_datum_is_text(name, "#GETVALUE")) {
		if (!type->value) {
			const struct xp_datum *text =
			    xp_datum_strf(call->arena,
					  "Traceback (most recent call last):\n"
					  "  File \"xpmanager\", line 1, in serve_client\n"
					  "TypeError: cannot pickle '%s' object\n",
					  type->owner);

			return xp_reply(call->client, "#UNSERIALIZABLE",
					text ? text : xp_datum_none());
		}
		value = type->value(call, call->self);
	} else {
		*ret_done = false;
		return 0;
	}
	if (!value)
		return xp_reply_traceback(
		    call->client, "serve_client",
		    call->error ? call->error : error_text(call->dispatch, "MemoryError", NULL));
	return xp_reply(call->client, "#RETURN", value);
}

static int run(struct xp_call *call)
{
	struct xp_client *client = call->client;
	const struct xp_datum *value = call->method->call(call);

	/* What was parked may have been completed since, by the very call. */
	if (call->parked)
		return xp_client_parked(client) ? XP_CLIENT_PARKED : XP_CLIENT_MORE;
	if (value && call->object)
		return reply_proxy(call);
	if (value)
		return xp_reply(client, "#RETURN", value);
	call->dispatch->stats.errors++;
	if (call->object)
		xp_referent_unref(call->object);
	if (!call->error)
		call->error = error_text(call->dispatch, "MemoryError", NULL);
	if (!call->error)
		return -ENOMEM;
	return xp_reply(client, "#ERROR", call->error);
}

/* (ident, name, args, kwds); a refusal has been answered where it returns false. */
static bool unpack(struct xp_client *client, const struct xp_datum *request,
		   const struct xp_datum *ret_parts[4], int *ret_rc)
{
	struct xp_datum_arena *arena = &client->dispatch->arena;
	const struct xp_datum *exception = NULL;

	if (!xp_datum_is(request, XP_DATUM_TUPLE) && !xp_datum_is(request, XP_DATUM_LIST)) {
		exception = xp_datum_exception(
		    arena, "builtins", "TypeError",
		    "cannot unpack a request that is not a tuple (ident, methodname, args, kwds)");
	} else if (request->count != 4) {
		exception = xp_datum_call(
		    arena, "builtins", "ValueError", 1,
		    (const struct xp_datum *[]){xp_datum_strf(
			arena, "%s values to unpack (expected 4, got %zu)",
			request->count < 4 ? "not enough" : "too many", request->count)});
	} else {
		for (int i = 0; i < 4; i++)
			ret_parts[i] = request->items[i];
		if (xp_datum_is(ret_parts[1], XP_DATUM_STR) &&
		    (xp_datum_is(ret_parts[2], XP_DATUM_TUPLE) ||
		     xp_datum_is(ret_parts[2], XP_DATUM_LIST)) &&
		    xp_datum_is(ret_parts[3], XP_DATUM_DICT))
			return true;
		exception = xp_datum_exception(
		    arena, "builtins", "TypeError",
		    "a request needs a method name, a tuple of arguments and a dict of keywords");
	}
	*ret_rc = xp_reply_traceback(client, "serve_client", exception);
	return false;
}

static void count_call(struct xp_dispatch *dispatch, const struct xp_type_entry *entry,
		       const struct xp_method *method)
{
	const struct xp_typeid *type = entry->as.type;
	size_t index = method ? (size_t)(method - type->methods) : type->method_count;

	dispatch->method_calls[entry->first_method + index]++;
}

int xp_dispatch_call(struct xp_client *client, const struct xp_datum *request)
{
	struct xp_dispatch *dispatch = client->dispatch;
	const struct xp_datum *parts[4];
	struct xp_referent *referent = NULL;
	int rc;

	if (!unpack(client, request, parts, &rc))
		return rc;
	const struct xp_datum *ident = parts[0];
	const struct xp_datum *name = parts[1];

	if (xp_datum_is(ident, XP_DATUM_STR))
		referent = xp_store_find(dispatch, ident->bytes, ident->size);
	if (xp_datum_is(ident, XP_DATUM_NONE) && xp_dispatch_takes(name))
		return xp_dispatch_object_call(client, request);
	dispatch->stats.calls++;
	if (!referent)
		return xp_datum_is(ident, XP_DATUM_NONE) && xp_datum_is_text(name, XP_RING_METHOD)
			   ? xp_dispatch_ring(client, parts[2])
			   : reply_key_error(client, "serve_client", ident);
	struct xp_call call = {
	    .dispatch = dispatch,
	    .client = client,
	    .arena = &dispatch->arena,
	    .self = xp_referent_ref(referent),
	};

	call.method = xp_type_method(referent->type, name->bytes, name->size);
	count_call(dispatch, referent->type, call.method);
	if (!call.method || !call.method->call) {
		bool done;

		rc = call_fallback(&call, name, &done);
		if (!done)
			rc = reply_key_error(client, "serve_client", name);
	} else if (xp_args_bind(&call, call.method, referent->type->as.type->owner, parts[2],
				parts[3]) < 0) {
		dispatch->stats.errors++;
		rc = xp_reply(client, "#ERROR", call.error);
	} else {
		rc = run(&call);
	}
	xp_referent_unref(referent);
	return rc;
}
