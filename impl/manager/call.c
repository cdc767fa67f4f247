/* SPDX-License-Identifier: MIT */
/* What a method may do: raise, keep values, make objects, park; and how parked calls end. */
#include "xpshare/manager/dispatch.h"

#include "xpshare/manager/python.h"

#include "xpshare/base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A value to be dropped once the reply has been encoded. */
struct xp_held {
	struct xp_held *next;
	struct xp_datum_box *box;
};

/* ---- exceptions -------------------------------------------------------------------------------- */

bool xp_call_python2(const struct xp_call *call)
{
	return call->client->python2;
}

const struct xp_datum *xp_call_raise(struct xp_call *call, const struct xp_datum *exception)
{
	call->error = exception;
	return NULL;
}

/* A class that the client's version does not have cannot be unpickled there: RuntimeError, which two of them
 * are derived from, and words that say the rest. Return: NULL where the client knows @name. */
static const char *words_instead(const struct xp_client *client, const char *name)
{
	if (client->python2 && !strcmp(name, "RecursionError"))
		return "maximum recursion depth exceeded in cmp";
	if (client->python2 && !strcmp(name, "threading.BrokenBarrierError"))
		return "the barrier is broken";
	/* Of 3.13; the handshake does not tell it from 3.12. */
	if (!client->modern && !strcmp(name, "queue.ShutDown"))
		return "the queue has been shut down";
	return NULL;
}

/* "queue.Empty" or, of builtins, "ValueError". */
static const struct xp_datum *exception_named(const struct xp_client *client, const char *name,
					      size_t count, const struct xp_datum *const *args)
{
	struct xp_datum_arena *arena = &client->dispatch->arena;
	const char *instead = words_instead(client, name);
	const char *dot = strrchr(name, '.');
	char module[64] = "builtins";

	if (instead)
		return xp_datum_exception(arena, "builtins", "RuntimeError", instead);
	if (dot) {
		xp_assert((size_t)(dot - name) < sizeof(module));
		memcpy(module, name, (size_t)(dot - name));
		module[dot - name] = '\0';
	}
	return xp_datum_call(arena, module, dot ? dot + 1 : name, count, args);
}

const struct xp_datum *xp_call_raisef(struct xp_call *call, const char *name, const char *format,
				      ...)
{
	const struct xp_datum *text = NULL;
	char line[512];
	va_list list;

	if (format) {
		va_start(list, format);
		int length = vsnprintf(line, sizeof(line), format, list);
		va_end(list);
		size_t size = (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1;

		/* Cut within a character: drop the torn rest. */
		while (size > 0 && (size_t)length >= sizeof(line) && (line[size] & 0xc0) == 0x80)
			size--;
		text = xp_datum_str_n(call->arena, line, size);
	}
	return xp_call_raise(call, exception_named(call->client, name, format ? 1 : 0, &text));
}

const struct xp_datum *xp_call_raise_value(struct xp_call *call, const char *name,
					   const struct xp_datum *value)
{
	return xp_call_raise(call, exception_named(call->client, name, 1, &value));
}

/* ---- memory ------------------------------------------------------------------------------------ */

bool xp_dispatch_charge(struct xp_dispatch *dispatch, size_t bytes)
{
	if (dispatch->memory > dispatch->limits.memory ||
	    bytes > dispatch->limits.memory - dispatch->memory)
		return false;
	dispatch->memory += bytes;
	return true;
}

void xp_dispatch_discharge(struct xp_dispatch *dispatch, size_t bytes)
{
	dispatch->memory -= bytes;
}

/* Each reference counts in full: who shares a value may be the last to hold it. */
static bool charge(struct xp_call *call, const struct xp_datum_box *box)
{
	if (xp_dispatch_charge(call->dispatch, xp_datum_box_size(box)))
		return true;
	xp_call_raisef(call, "MemoryError", "the server's limit of %zu bytes is reached",
		       call->dispatch->limits.memory);
	return false;
}

int xp_call_keep(struct xp_call *call, const struct xp_datum *value, struct xp_datum_box **ret_box)
{
	struct xp_datum_box *box;

	if (xp_datum_retain(value, &box) < 0) {
		xp_call_raisef(call, "MemoryError", NULL);
		return -ENOMEM;
	}
	if (!charge(call, box)) {
		xp_datum_box_unref(box);
		return -ENOMEM;
	}
	*ret_box = box;
	return 0;
}

struct xp_datum_box *xp_dispatch_share(struct xp_call *call, struct xp_datum_box *box)
{
	return charge(call, box) ? xp_datum_box_ref(box) : NULL;
}

void xp_dispatch_drop(struct xp_dispatch *dispatch, struct xp_datum_box *box)
{
	if (!box)
		return;
	dispatch->memory -= xp_datum_box_size(box);
	xp_datum_box_unref(box);
}

const struct xp_datum *xp_call_release(struct xp_call *call, struct xp_datum_box *box)
{
	struct xp_held *held = xp_datum_alloc(call->arena, sizeof(*held));

	if (!held) {
		xp_dispatch_drop(call->dispatch, box);
		return NULL;
	}
	held->box = box;
	held->next = call->dispatch->held;
	call->dispatch->held = held;
	return xp_datum_box_value(box);
}

void xp_dispatch_end_request(struct xp_dispatch *dispatch)
{
	for (struct xp_held *held = dispatch->held; held; held = held->next)
		xp_dispatch_drop(dispatch, held->box);
	dispatch->held = NULL;
	xp_datum_arena_reset(&dispatch->arena);
}

/* ---- referents --------------------------------------------------------------------------------- */

/* Which registration an object of @type belongs to. */
static const struct xp_type_entry *entry_for(const struct xp_call *call,
					     const struct xp_typeid *type)
{
	const struct xp_registry *registry = call->dispatch->registry;
	const struct xp_type_entry *entry = call->creating;

	if (!entry && call->method && call->method->result)
		entry =
		    xp_registry_find(registry, call->method->result, strlen(call->method->result));
	if (entry && entry->as.type == type)
		return entry;
	entry = NULL;
	while ((entry = xp_registry_next(registry, entry)) && entry->as.type != type)
		;
	return entry;
}

struct xp_referent *xp_referent_new(struct xp_call *call, const struct xp_typeid *typeid_,
				    size_t size)
{
	struct xp_referent *referent = calloc(1, size);

	xp_assert(size >= sizeof(*referent));
	if (!referent) {
		xp_call_raisef(call, "MemoryError", NULL);
		return NULL;
	}
	referent->type = entry_for(call, typeid_);
	referent->dispatch = call->dispatch;
	referent->holders = 1;
	xp_assert(referent->type); /* an object of a type that was never registered */
	return referent;
}

const struct xp_datum *xp_referent_text(struct xp_call *call, struct xp_referent *referent,
					bool str)
{
	const struct xp_typeid *type = referent->type->as.type;

	if (str && type->str)
		return type->str(call, referent);
	if (type->repr)
		return type->repr(call, referent);
	return xp_datum_strf(call->arena, "<%s object at 0x%llx>", type->owner,
			     (unsigned long long)referent->number);
}

struct xp_referent *xp_referent_ref(struct xp_referent *referent)
{
	xp_assert(referent->holders < UINT32_MAX);
	referent->holders++;
	return referent;
}

void xp_referent_unref(struct xp_referent *referent)
{
	if (!referent)
		return;
	xp_assert(referent->holders > 0);
	if (--referent->holders > 0 || referent->proxies > 0)
		return;
	struct xp_dispatch *dispatch = referent->dispatch;

	xp_store_remove(dispatch, referent);
	referent->dying = dispatch->dying;
	dispatch->dying = referent;
	/* What it holds may have its last reference here, and so on, as deep as clients like: no recursion. */
	if (dispatch->freeing)
		return;
	dispatch->freeing = true;
	while ((referent = dispatch->dying)) {
		dispatch->dying = referent->dying;
		referent->type->as.type->fini(referent);
	}
	dispatch->freeing = false;
}

bool xp_referent_is(const struct xp_referent *referent, const struct xp_typeid *typeid_)
{
	return referent->type->as.type == typeid_;
}

const struct xp_datum *xp_call_object(struct xp_call *call, struct xp_referent *referent)
{
	xp_assert(!call->object);
	call->object = referent;
	return xp_datum_none();
}

/* ---- parked calls ------------------------------------------------------------------------------ */

static struct xp_client *client_of(struct xp_waiter *waiter)
{
	return (struct xp_client *)((char *)waiter - offsetof(struct xp_client, waiter));
}

struct xp_client *xp_waiter_client(struct xp_waiter *waiter)
{
	return client_of(waiter);
}

bool xp_waiter_is_there(struct xp_waiter *waiter)
{
	struct xp_client *client = client_of(waiter);

	return client->ops->alive(client);
}

struct xp_datum_arena *xp_waiter_arena(struct xp_waiter *waiter)
{
	return &client_of(waiter)->dispatch->arena;
}

static void waiter_unlink(struct xp_waiter *waiter)
{
	struct xp_waiters *list = waiter->list;

	if (!list)
		return;
	*(waiter->previous ? &waiter->previous->next : &list->first) = waiter->next;
	*(waiter->next ? &waiter->next->previous : &list->last) = waiter->previous;
	waiter->list = NULL;
}

static void waiter_link(struct xp_waiter *waiter, struct xp_waiters *list)
{
	waiter->list = list;
	waiter->next = NULL;
	waiter->previous = list->last;
	*(list->last ? &list->last->next : &list->first) = waiter;
	list->last = waiter;
}

struct xp_waiter *xp_call_park(struct xp_call *call, struct xp_waiters *list, int64_t deadline,
			       void (*expire)(struct xp_waiter *waiter))
{
	struct xp_waiter *waiter = &call->client->waiter;

	xp_assert(!waiter->self && !call->parked);
	*waiter = (struct xp_waiter){
	    .self = xp_referent_ref(call->self),
	    .method = call->method,
	    .deadline = deadline,
	    .expire = expire,
	};
	waiter_link(waiter, list);
	call->parked = true;
	call->dispatch->stats.parked++;
	if (xp_sampler_picks(&call->dispatch->stats.waiting))
		waiter->since = xp_clock_ns();
	return waiter;
}

void xp_waiter_move(struct xp_waiter *waiter, struct xp_waiters *list)
{
	waiter_unlink(waiter);
	waiter_link(waiter, list);
}

/* Out of its list, and no longer parked. The referent is let go by the caller, last. */
static struct xp_referent *waiter_end(struct xp_waiter *waiter)
{
	struct xp_referent *self = waiter->self;

	xp_assert(self);
	waiter_unlink(waiter);
	if (waiter->since)
		xp_histogram_add(&self->dispatch->stats.waited, xp_clock_ns() - waiter->since);
	xp_dispatch_drop(self->dispatch, waiter->box);
	waiter->box = NULL;
	waiter->self = NULL;
	return self;
}

static bool waiter_reply(struct xp_waiter *waiter, const char *kind, const struct xp_datum *value)
{
	struct xp_client *client = client_of(waiter);
	struct xp_referent *self = waiter_end(waiter);
	bool told = client->ops->alive(client) && xp_reply(client, kind, value) == 0;

	xp_referent_unref(self);
	return told;
}

bool xp_waiter_return(struct xp_waiter *waiter, const struct xp_datum *value)
{
	return waiter_reply(waiter, "#RETURN", value);
}

bool xp_waiter_raise(struct xp_waiter *waiter, const char *name)
{
	return xp_waiter_raise_exception(waiter, exception_named(client_of(waiter), name, 0, NULL));
}

bool xp_waiter_raise_exception(struct xp_waiter *waiter, const struct xp_datum *exception)
{
	client_of(waiter)->dispatch->stats.errors++;
	return waiter_reply(waiter, exception ? "#ERROR" : "#TRACEBACK",
			    exception ? exception : xp_datum_none());
}

void xp_client_expire(struct xp_client *client)
{
	xp_assert(client->waiter.self);
	struct xp_referent *self = xp_referent_ref(client->waiter.self);

	client->waiter.deadline = XP_NEVER;
	client->waiter.expire(&client->waiter);
	xp_referent_unref(self);
	xp_dispatch_end_request(client->dispatch);
}

/* ---- ownership --------------------------------------------------------------------------------- */

void xp_client_own(struct xp_client *client, struct xp_owned *owned)
{
	xp_assert(!owned->link);
	owned->next = client->owned;
	owned->link = &client->owned;
	if (owned->next)
		owned->next->link = &owned->next;
	client->owned = owned;
}

void xp_client_disown(struct xp_owned *owned)
{
	if (!owned->link)
		return;
	*owned->link = owned->next;
	if (owned->next)
		owned->next->link = owned->link;
	owned->link = NULL;
}

void xp_client_end(struct xp_client *client)
{
	if (client->waiter.self) {
		void (*abandon)(struct xp_waiter * waiter) = client->waiter.abandon;

		client->dispatch->stats.abandoned++;
		waiter_unlink(&client->waiter);
		if (abandon)
			abandon(&client->waiter);
		xp_referent_unref(waiter_end(&client->waiter));
	}
	while (client->owned) {
		struct xp_owned *owned = client->owned;

		xp_client_disown(owned);
		owned->departed(owned);
	}
	free(client->auth);
	client->auth = NULL;
	xp_dispatch_end_request(client->dispatch);
}
