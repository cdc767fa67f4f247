/* SPDX-License-Identifier: MIT */
/* Event: a flag, and the calls that wait for it. */
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/dispatch.h"

#include "xpshare/base/clock.h"

#include <stdlib.h>

struct event {
	struct xp_referent base;
	struct xp_waiters waiters;
	bool set;
};

static const struct xp_datum *event_is_set(struct xp_call *call)
{
	return xp_datum_bool(xp_call_self(call, struct event, base)->set);
}

static const struct xp_datum *event_set(struct xp_call *call)
{
	struct event *event = xp_call_self(call, struct event, base);

	event->set = true;
	while (event->waiters.first)
		xp_waiter_return(event->waiters.first, xp_datum_bool(true));
	return xp_datum_none();
}

static const struct xp_datum *event_clear(struct xp_call *call)
{
	xp_call_self(call, struct event, base)->set = false;
	return xp_datum_none();
}

static void event_expire(struct xp_waiter *waiter)
{
	xp_waiter_return(waiter, xp_datum_bool(false));
}

static const struct xp_datum *event_wait(struct xp_call *call)
{
	struct event *event = xp_call_self(call, struct event, base);
	int64_t deadline;

	if (event->set)
		return xp_datum_bool(true);
	if (xp_call_deadline(call, 0, &deadline) < 0)
		return NULL;
	if (deadline <= xp_clock_ns())
		return xp_datum_bool(false);
	xp_call_park(call, &event->waiters, deadline, event_expire);
	return NULL;
}

static void event_fini(struct xp_referent *referent)
{
	free(referent);
}

static const struct xp_datum *event_init(struct xp_call *call)
{
	struct xp_referent *event = xp_referent_new(call, &xp_typeid_event, sizeof(struct event));

	return event ? xp_call_object(call, event) : NULL;
}

static const struct xp_datum *event_repr(struct xp_call *call, struct xp_referent *referent)
{
	const struct event *event = (const struct event *)referent;

	return xp_datum_strf(call->arena, "<threading.Event at 0x%llx: %s>",
			     (unsigned long long)referent->number, event->set ? "set" : "unset");
}

static const struct xp_method methods[] = {XP_METHODS_EVENT(XP_METHOD_ROW)};

const struct xp_typeid xp_typeid_event = {
    .name = "Event",
    .owner = "Event",
    .init = {.name = "__init__", .style = XP_ARGS_PYTHON, .params = "", .call = event_init},
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = event_fini,
    .repr = event_repr,
};
