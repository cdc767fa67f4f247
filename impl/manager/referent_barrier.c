/* SPDX-License-Identifier: MIT */
/*
 * Barrier. The last to arrive lets all go in one step, so that the draining and resetting states of
 * threading.Barrier do not exist here. A client that goes away while it waits breaks the barrier: the
 * others would wait for ever for a party that is no more.
 */
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/dispatch.h"
#include "xpshare/manager/python.h"

#include "xpshare/base/clock.h"

#include <stdlib.h>

struct barrier {
	struct xp_referent base;
	int64_t parties;
	int64_t waiting;
	bool broken;
	bool action;		      /* code of the client's, which nobody here can run */
	struct xp_datum_box *timeout; /* of a wait that names none */
	struct xp_waiters waiters;
};

static void fail_all(struct barrier *barrier)
{
	barrier->waiting = 0;
	while (barrier->waiters.first)
		xp_waiter_raise(barrier->waiters.first, "threading.BrokenBarrierError");
}

static void break_barrier(struct barrier *barrier)
{
	barrier->broken = true;
	fail_all(barrier);
}

static void wait_expire(struct xp_waiter *waiter)
{
	break_barrier((struct barrier *)waiter->self);
}

static const struct xp_datum *broken(struct xp_call *call)
{
	return xp_call_raisef(call, "threading.BrokenBarrierError", NULL);
}

/* Whether all who wait are still there: one whose end has not been noticed yet counts as gone. */
static bool all_there(const struct barrier *barrier)
{
	for (struct xp_waiter *each = barrier->waiters.first; each; each = each->next) {
		if (!xp_waiter_is_there(each))
			return false;
	}
	return true;
}

/* All have arrived: each is told its place in the order of arrival. */
static const struct xp_datum *let_go(struct xp_call *call, struct barrier *barrier)
{
	int64_t index = barrier->waiting;

	barrier->waiting = 0;
	while (barrier->waiters.first) {
		struct xp_waiter *waiter = barrier->waiters.first;

		xp_waiter_return(waiter, xp_datum_int(xp_waiter_arena(waiter), waiter->number));
	}
	return xp_datum_int(call->arena, index);
}

static const struct xp_datum *barrier_wait(struct xp_call *call)
{
	struct barrier *barrier = xp_call_self(call, struct barrier, base);
	struct xp_waiter *waiter;
	int64_t deadline;

	if (!call->args[0] || xp_datum_is(call->args[0], XP_DATUM_NONE))
		call->args[0] = xp_datum_box_value(barrier->timeout);
	if (barrier->broken)
		return broken(call);
	if (xp_call_deadline(call, 0, &deadline) < 0)
		return NULL;
	if (barrier->waiting + 1 == barrier->parties) {
		bool complete = all_there(barrier);

		if (complete && !barrier->action)
			return let_go(call, barrier);
		break_barrier(barrier);
		if (!complete)
			return broken(call);
		return xp_call_raisef(call, "TypeError",
				      "a barrier's action is code, which this server never runs");
	}
	if (deadline != XP_NEVER && deadline <= xp_clock_ns()) {
		break_barrier(barrier);
		return broken(call);
	}
	waiter = xp_call_park(call, &barrier->waiters, deadline, wait_expire);
	waiter->abandon = wait_expire;
	waiter->number = barrier->waiting++;
	return NULL;
}

static const struct xp_datum *barrier_abort(struct xp_call *call)
{
	break_barrier(xp_call_self(call, struct barrier, base));
	return xp_datum_none();
}

static const struct xp_datum *barrier_reset(struct xp_call *call)
{
	struct barrier *barrier = xp_call_self(call, struct barrier, base);

	barrier->broken = false;
	fail_all(barrier);
	return xp_datum_none();
}

static const struct xp_datum *barrier_getattribute(struct xp_call *call)
{
	const struct barrier *barrier = xp_call_self(call, struct barrier, base);
	const struct xp_datum *name = call->args[0];

	if (!xp_datum_is(name, XP_DATUM_STR))
		return xp_call_raisef(call, "TypeError", "attribute name must be string, not '%s'",
				      xp_python_type(call->arena, name));
	if (xp_datum_is_text(name, "parties"))
		return xp_datum_int(call->arena, barrier->parties);
	if (xp_datum_is_text(name, "n_waiting"))
		return xp_datum_int(call->arena, barrier->waiting);
	if (xp_datum_is_text(name, "broken"))
		return xp_datum_bool(barrier->broken);
	return xp_call_raisef(call, "AttributeError", "'Barrier' object has no attribute '%.*s'",
			      (int)name->size, name->bytes);
}

static void barrier_fini(struct xp_referent *referent)
{
	struct barrier *barrier = (struct barrier *)referent;

	xp_dispatch_drop(referent->dispatch, barrier->timeout);
	free(barrier);
}

static const struct xp_datum *barrier_init(struct xp_call *call)
{
	const struct xp_datum *timeout = call->args[2] ? call->args[2] : xp_datum_none();
	struct barrier *barrier;
	int64_t parties;

	if (xp_call_int64(call, 0, 0, &parties) < 0)
		return NULL;
	if (parties < 1)
		return xp_call_raisef(call, "ValueError", "parties must be > 0");
	barrier = (struct barrier *)xp_referent_new(call, &xp_typeid_barrier, sizeof(*barrier));
	if (!barrier)
		return NULL;
	if (xp_call_keep(call, timeout, &barrier->timeout) < 0) {
		xp_referent_unref(&barrier->base);
		return NULL;
	}
	barrier->parties = parties;
	barrier->action = call->args[1] && !xp_datum_is(call->args[1], XP_DATUM_NONE);
	return xp_call_object(call, &barrier->base);
}

static const struct xp_datum *barrier_repr(struct xp_call *call, struct xp_referent *referent)
{
	const struct barrier *barrier = (const struct barrier *)referent;

	if (barrier->broken)
		return xp_datum_strf(call->arena, "<threading.Barrier at 0x%llx: broken>",
				     (unsigned long long)referent->number);
	return xp_datum_strf(call->arena, "<threading.Barrier at 0x%llx: waiters=%lld/%lld>",
			     (unsigned long long)referent->number, (long long)barrier->waiting,
			     (long long)barrier->parties);
}

static const struct xp_method methods[] = {XP_METHODS_BARRIER(XP_METHOD_ROW)};

const struct xp_typeid xp_typeid_barrier = {
    .name = "Barrier",
    .owner = "Barrier",
    .init = {.name = "__init__",
	     .style = XP_ARGS_PYTHON,
	     .min = 1,
	     .max = 3,
	     .params = "parties,action,timeout",
	     .call = barrier_init},
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = barrier_fini,
    .repr = barrier_repr,
};
