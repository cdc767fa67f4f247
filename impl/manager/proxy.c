/* SPDX-License-Identifier: MIT */
/* Calls: requests out, replies in, exceptions taken apart. The connections are link.c's. */
#include "xpshare/manager/proxy.h"

#include "xpshare/manager/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct xp_proxy {
	struct xp_manager *manager;
	uint32_t epoch;
	pid_t creator;
	char typeid_[32];
	char ident[XP_IDENT_ROOM];
	struct xp_datum ident_datum; /* over @ident */
};

/* ---- exceptions -------------------------------------------------------------------------------- */

static void copy_text(char *to, size_t room, const char *bytes, size_t size)
{
	size_t used = size < room ? size : room - 1;

	memcpy(to, bytes, used);
	to[used] = '\0';
}

/* The last line of a traceback, without its newline. */
static void last_line(const struct xp_datum *text, const char **ret_line, size_t *ret_size)
{
	size_t end = text->size;
	size_t start;

	while (end > 0 && text->bytes[end - 1] == '\n')
		end--;
	start = end;
	while (start > 0 && text->bytes[start - 1] != '\n')
		start--;
	*ret_line = text->bytes + start;
	*ret_size = end - start;
}

static void take_exception(const struct xp_datum *exception, struct xp_remote_error *error)
{
	const struct xp_datum *class = NULL;

	if (xp_datum_is(exception, XP_DATUM_REDUCE)) {
		class = exception->reduce->callable;
		error->args = exception->reduce->args;
	}
	if (class && xp_datum_is(class, XP_DATUM_GLOBAL))
		snprintf(error->type, sizeof(error->type), "%.*s.%.*s",
			 (int)class->global->module->size, class->global->module->bytes,
			 (int)class->global->name->size, class->global->name->bytes);
	else
		snprintf(error->type, sizeof(error->type), "Exception");
	if (error->args && error->args->count > 0 &&
	    xp_datum_is(error->args->items[0], XP_DATUM_STR))
		copy_text(error->text, sizeof(error->text), error->args->items[0]->bytes,
			  error->args->items[0]->size);
}

static void take_traceback(const struct xp_datum *text, struct xp_remote_error *error)
{
	const char *line;
	size_t size;

	snprintf(error->type, sizeof(error->type), "RemoteError");
	if (!xp_datum_is(text, XP_DATUM_STR))
		return;
	error->traceback = text;
	last_line(text, &line, &size);
	copy_text(error->text, sizeof(error->text), line, size);
}

bool xp_remote_error_is(const struct xp_remote_error *error, const char *name)
{
	const char *dot = strrchr(error->type, '.');

	return !strcmp(dot ? dot + 1 : error->type, name);
}

/* (kind, payload). Return: 0 with the payload; 1 with that of a #PROXY; -EREMOTEIO; -EPROTO. */
static int take_reply(const struct xp_datum *reply, const struct xp_datum **ret_payload,
		      struct xp_remote_error *error)
{
	const struct xp_datum *payload;

	if (!xp_datum_is(reply, XP_DATUM_TUPLE) || reply->count != 2)
		return -EPROTO;
	payload = reply->items[1];
	*ret_payload = payload;
	if (xp_datum_is_text(reply->items[0], "#RETURN"))
		return 0;
	if (xp_datum_is_text(reply->items[0], "#PROXY"))
		return 1;
	*error = (struct xp_remote_error){0};
	if (xp_datum_is_text(reply->items[0], "#ERROR"))
		take_exception(payload, error);
	else if (xp_datum_is_text(reply->items[0], "#TRACEBACK") ||
		 xp_datum_is_text(reply->items[0], "#UNSERIALIZABLE"))
		take_traceback(payload, error);
	else
		return -EPROTO;
	return -EREMOTEIO;
}

/* ---- requests ---------------------------------------------------------------------------------- */

/* (ident, name, args, kwds) on the caller's stack: nothing is allocated for a call. */
struct request {
	struct xp_datum name;
	struct xp_datum args;
	struct xp_datum keywords;
	struct xp_datum *parts[4];
	struct xp_datum whole;
};

static struct xp_datum *mutable(const struct xp_datum *value)
{
	return (struct xp_datum *)(uintptr_t)value; /* read only, as FROZEN says */
}

static void request_init(struct request *request, const struct xp_datum *ident, const char *name,
			 size_t count, const struct xp_datum *const *args,
			 const struct xp_datum *keywords)
{
	request->name =
	    (struct xp_datum){.kind = XP_DATUM_STR, .flags = XP_DATUM_FROZEN | XP_DATUM_ASCII};
	request->name.size = strlen(name);
	request->name.bytes = name;
	request->args = (struct xp_datum){.kind = XP_DATUM_TUPLE, .flags = XP_DATUM_FROZEN};
	request->args.count = count;
	request->args.items = (struct xp_datum **)(uintptr_t)args;
	request->keywords = (struct xp_datum){.kind = XP_DATUM_DICT, .flags = XP_DATUM_FROZEN};
	request->parts[0] = mutable(ident);
	request->parts[1] = &request->name;
	request->parts[2] = &request->args;
	request->parts[3] = keywords ? mutable(keywords) : &request->keywords;
	request->whole = (struct xp_datum){.kind = XP_DATUM_TUPLE, .flags = XP_DATUM_FROZEN};
	request->whole.count = 4;
	request->whole.items = request->parts;
}

static bool args_complete(size_t count, const struct xp_datum *const *args)
{
	for (size_t i = 0; i < count; i++) {
		if (!args[i])
			return false;
	}
	return true;
}

static int connection_call(struct xp_manager *manager, const char *function, bool streamed,
			   size_t count, const struct xp_datum *const *args,
			   const struct xp_datum *keywords, const struct xp_datum **ret_value,
			   struct xp_remote_error *error)
{
	struct xp_remote_error ignored;
	const struct xp_datum *reply;
	struct request request;
	int rc;

	if (!args_complete(count, args))
		return -ENOMEM;
	request_init(&request, xp_datum_none(), function, count, args, keywords);
	rc = xp_link_once(manager, &request.whole, streamed, &reply);
	if (rc < 0)
		return rc;
	rc = take_reply(reply, ret_value, error ? error : &ignored);
	return rc == 1 ? -EPROTO : rc;
}

int xp_manager_call(struct xp_manager *manager, const char *function, size_t count,
		    const struct xp_datum *const *args, const struct xp_datum **ret_value,
		    struct xp_remote_error *error)
{
	const struct xp_datum *value;
	int rc = connection_call(manager, function, false, count, args, NULL, &value, error);

	if (rc == 0 && ret_value)
		*ret_value = value;
	return rc;
}

struct xp_datum_arena *xp_manager_arena(struct xp_manager *manager)
{
	return xp_link_arena(manager);
}

/* ---- proxies ----------------------------------------------------------------------------------- */

static int proxy_new(struct xp_manager *manager, const char *typeid_, size_t typeid_size,
		     const struct xp_datum *ident, struct xp_proxy **ret_proxy)
{
	struct xp_proxy *proxy;

	if ((!xp_datum_is(ident, XP_DATUM_STR) && !xp_datum_is(ident, XP_DATUM_BYTES)) ||
	    ident->size >= sizeof(proxy->ident) || typeid_size >= sizeof(proxy->typeid_))
		return -EPROTO;
	proxy = calloc(1, sizeof(*proxy));
	if (!proxy)
		return -ENOMEM;
	proxy->manager = manager;
	proxy->epoch = xp_link_epoch(manager);
	proxy->creator = getpid();
	memcpy(proxy->typeid_, typeid_, typeid_size);
	memcpy(proxy->ident, ident->bytes, ident->size);
	proxy->ident_datum =
	    (struct xp_datum){.kind = XP_DATUM_STR, .flags = XP_DATUM_FROZEN | XP_DATUM_ASCII};
	proxy->ident_datum.size = ident->size;
	proxy->ident_datum.bytes = proxy->ident;
	*ret_proxy = proxy;
	return 0;
}

#define CREATE_ARGS_MAX 16

int xp_proxy_create(struct xp_manager *manager, const char *typeid_, size_t count,
		    const struct xp_datum *const *args, const struct xp_datum *keywords,
		    struct xp_proxy **ret_proxy, struct xp_remote_error *error)
{
	struct xp_datum name = {.kind = XP_DATUM_STR, .flags = XP_DATUM_FROZEN | XP_DATUM_ASCII};
	const struct xp_datum *all[CREATE_ARGS_MAX + 1] = {&name};
	const struct xp_datum *value;
	int rc;

	if (count > CREATE_ARGS_MAX)
		return -EMSGSIZE;
	name.size = strlen(typeid_);
	name.bytes = typeid_;
	for (size_t i = 0; i < count; i++)
		all[i + 1] = args[i];
	rc = connection_call(manager, "create", true, count + 1, all, keywords, &value, error);
	if (rc < 0)
		return rc;
	if (!xp_datum_is(value, XP_DATUM_TUPLE) || value->count != 2)
		return -EPROTO;
	/* The creation reference is kept as it is: no incref, no decref, one decref at the end. */
	return proxy_new(manager, typeid_, name.size, value->items[0], ret_proxy);
}

void xp_proxy_drop(struct xp_proxy *proxy)
{
	const struct xp_datum *args[1];
	const struct xp_datum *value;

	if (!proxy)
		return;
	args[0] = &proxy->ident_datum;
	/* A manager that is gone has dropped it already. */
	if (proxy->creator == getpid() && proxy->epoch == xp_link_epoch(proxy->manager))
		(void)!connection_call(proxy->manager, "decref", true, 1, args, NULL, &value, NULL);
	free(proxy);
}

struct xp_datum_arena *xp_proxy_arena(struct xp_proxy *proxy)
{
	return xp_link_arena(proxy->manager);
}

/* Whether the traceback says that the manager does not know the ident. */
static bool is_unknown(const struct xp_proxy *proxy, const struct xp_remote_error *error)
{
	char line[XP_IDENT_ROOM + 16];

	if (!error->traceback)
		return false;
	snprintf(line, sizeof(line), "KeyError: '%s'", proxy->ident);
	if (!strcmp(error->text, line))
		return true;
	snprintf(line, sizeof(line), "KeyError: u'%s'", proxy->ident);
	return !strcmp(error->text, line);
}

/* RLock and Condition have an owner, which the manager knows by its connection. */
static enum xp_link_effect effect_of(const struct xp_proxy *proxy, const char *method)
{
	if (strcmp(proxy->typeid_, "RLock") != 0 && strcmp(proxy->typeid_, "Condition") != 0)
		return XP_LINK_PLAIN;
	if (!strcmp(method, "acquire") || !strcmp(method, "__enter__"))
		return XP_LINK_ACQUIRES;
	return !strcmp(method, "release") || !strcmp(method, "__exit__") ? XP_LINK_RELEASES
									 : XP_LINK_PLAIN;
}

static int proxy_call(struct xp_proxy *proxy, const char *method, size_t count,
		      const struct xp_datum *const *args, const struct timespec *deadline,
		      const struct xp_datum **ret_value, struct xp_remote_error *error)
{
	struct xp_remote_error own;
	const struct xp_datum *reply;
	struct request request;
	int rc;

	if (!args_complete(count, args))
		return -ENOMEM;
	request_init(&request, &proxy->ident_datum, method, count, args, NULL);
	rc = xp_link_call(proxy->manager, proxy->epoch, &request.whole, effect_of(proxy, method),
			  deadline, &reply);
	if (rc < 0)
		return rc;
	if (!error)
		error = &own;
	rc = take_reply(reply, ret_value, error);
	return rc == -EREMOTEIO && is_unknown(proxy, error) ? -ESTALE : rc;
}

int xp_proxy_call(struct xp_proxy *proxy, const char *method, size_t count,
		  const struct xp_datum *const *args, const struct timespec *deadline,
		  const struct xp_datum **ret_value, struct xp_remote_error *error)
{
	const struct xp_datum *value;
	int rc = proxy_call(proxy, method, count, args, deadline, &value, error);

	if (rc == 1) /* an object that nobody asked for would never be given back */
		return -EPROTO;
	if (rc == 0 && ret_value)
		*ret_value = value;
	return rc;
}

int xp_proxy_call_object(struct xp_proxy *proxy, const char *method, size_t count,
			 const struct xp_datum *const *args, struct xp_proxy **ret_object,
			 struct xp_remote_error *error)
{
	const struct xp_datum *value;
	const struct xp_datum *token[3];
	int rc = proxy_call(proxy, method, count, args, NULL, &value, error);

	if (rc < 0)
		return rc;
	if (rc == 0 || !xp_datum_is(value, XP_DATUM_TUPLE) || value->count != 2 ||
	    !xp_datum_as_token(value->items[1], token) || !xp_datum_is(token[0], XP_DATUM_STR))
		return -EPROTO;
	return proxy_new(proxy->manager, token[0]->bytes, token[0]->size, token[2], ret_object);
}

/* RebuildProxy(AutoProxy, token, 'pickle', {}), which every version of CPython takes. */
const struct xp_datum *xp_proxy_value(struct xp_proxy *proxy, struct xp_datum_arena *arena)
{
	const struct xp_datum *token =
	    xp_datum_token(arena, xp_datum_str(arena, proxy->typeid_),
			   xp_address_datum(xp_manager_address(proxy->manager), arena),
			   xp_datum_str(arena, proxy->ident));
	const struct xp_datum *args[4] = {
	    xp_datum_global(arena, "multiprocessing.managers", "AutoProxy"),
	    token,
	    xp_datum_str(arena, "pickle"),
	    xp_datum_dict(arena),
	};

	return xp_datum_call(arena, "multiprocessing.managers", "RebuildProxy", 4, args);
}

const char *xp_proxy_ident(const struct xp_proxy *proxy)
{
	return proxy->ident;
}

struct xp_manager *xp_proxy_manager(const struct xp_proxy *proxy)
{
	return proxy->manager;
}
