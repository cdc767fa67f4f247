/* SPDX-License-Identifier: MIT */
/*
 * Condition: with a recursive lock of its own, or over a Lock or RLock whose proxy was given. A wait has two
 * phases: until it is notified or its time is up, and until it holds the lock again; only then is it
 * answered. Who waits and goes away is forgotten, so that a notification is never spent on it.
 */
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/client.h"
#include "xpshare/manager/dispatch.h"
#include "xpshare/manager/latch.h"
#include "xpshare/manager/python.h"

#include "xpshare/base/clock.h"

#include <stdlib.h>

struct condition {
	struct xp_referent base;
	struct xp_latch own;
	struct xp_referent *lock; /* somebody else's lock, held; NULL: @own */
	struct xp_waiters waiters;
};

static struct xp_latch *latch_of(const struct condition *condition)
{
	return condition->lock ? xp_lock_latch(condition->lock)
			       : (struct xp_latch *)(uintptr_t)&condition->own;
}

static const struct xp_datum *condition_acquire(struct xp_call *call)
{
	return xp_latch_acquire(call, latch_of(xp_call_self(call, struct condition, base)));
}

static const struct xp_datum *condition_release(struct xp_call *call)
{
	struct xp_latch *latch = latch_of(xp_call_self(call, struct condition, base));

	if (xp_latch_release(latch, call->client) == 0)
		return xp_datum_none();
	return xp_call_raisef(call, "RuntimeError",
			      latch->recursive ? "cannot release un-acquired lock"
					       : "release unlocked lock");
}

/* The second phase. CPython 2 answers None in both cases. */
static void retake(struct condition *condition, struct xp_waiter *waiter, bool notified)
{
	int64_t answer = notified ? XP_LATCH_TRUE : XP_LATCH_FALSE;

	if (xp_waiter_client(waiter)->python2)
		answer = XP_LATCH_NONE;
	xp_latch_await(latch_of(condition), waiter, waiter->extra, answer);
}

static void wait_expire(struct xp_waiter *waiter)
{
	retake((struct condition *)waiter->self, waiter, false);
}

static const struct xp_datum *condition_wait(struct xp_call *call)
{
	struct condition *condition = xp_call_self(call, struct condition, base);
	struct xp_latch *latch = latch_of(condition);
	int64_t deadline;

	if (!xp_latch_is_owner(latch, call->client))
		return xp_call_raisef(call, "RuntimeError", "cannot wait on un-acquired lock");
	if (xp_call_deadline(call, 0, &deadline) < 0)
		return NULL;
	struct xp_waiter *waiter = xp_call_park(call, &condition->waiters, deadline, wait_expire);

	waiter->extra = xp_latch_release_all(latch);
	/* Without patience the lock is let go and taken again all the same. */
	if (deadline != XP_NEVER && deadline <= xp_clock_ns())
		retake(condition, waiter, false);
	return NULL;
}

static const struct xp_datum *notify(struct xp_call *call, int64_t count)
{
	struct condition *condition = xp_call_self(call, struct condition, base);
	struct xp_waiter *waiter = condition->waiters.first;

	if (!xp_latch_is_owner(latch_of(condition), call->client))
		return xp_call_raisef(call, "RuntimeError", "cannot notify on un-acquired lock");
	while (waiter && count > 0) {
		struct xp_waiter *next = waiter->next;

		if (xp_waiter_is_there(waiter)) {
			retake(condition, waiter, true);
			count--;
		}
		waiter = next;
	}
	return xp_datum_none();
}

static const struct xp_datum *condition_notify(struct xp_call *call)
{
	int64_t count;

	return xp_call_int64(call, 0, 1, &count) < 0 ? NULL : notify(call, count);
}

static const struct xp_datum *condition_notify_all(struct xp_call *call)
{
	return notify(call, INT64_MAX);
}

static void condition_fini(struct xp_referent *referent)
{
	struct condition *condition = (struct condition *)referent;

	xp_client_disown(&condition->own.owned);
	xp_referent_unref(condition->lock);
	free(condition);
}

static const struct xp_datum *condition_init(struct xp_call *call)
{
	const struct xp_datum *given = call->args[0];
	struct xp_referent *lock = NULL;
	struct condition *condition;

	if (given && !xp_datum_is(given, XP_DATUM_NONE)) {
		lock = xp_referent_of(given);
		if (!lock || (!xp_referent_is(lock, &xp_typeid_lock) &&
			      !xp_referent_is(lock, &xp_typeid_rlock)))
			return xp_call_raisef(call, "AttributeError",
					      "'%s' object has no attribute 'acquire'",
					      xp_python_type(call->arena, given));
	}
	condition =
	    (struct condition *)xp_referent_new(call, &xp_typeid_condition, sizeof(*condition));
	if (!condition)
		return NULL;
	xp_latch_init(&condition->own, &condition->base, true);
	condition->lock = lock ? xp_referent_ref(lock) : NULL;
	return xp_call_object(call, &condition->base);
}

static const struct xp_datum *condition_repr(struct xp_call *call, struct xp_referent *referent)
{
	const struct condition *condition = (const struct condition *)referent;
	const struct xp_datum *lock =
	    xp_latch_repr(call, latch_of(condition),
			  condition->lock ? condition->lock->number : referent->number);
	size_t count = 0;

	for (const struct xp_waiter *each = condition->waiters.first; each; each = each->next)
		count++;
	return lock ? xp_datum_strf(call->arena, "<Condition(%.*s, %zu)>", (int)lock->size,
				    lock->bytes, count)
		    : NULL;
}

static const struct xp_method methods[] = {XP_METHODS_CONDITION(XP_METHOD_ROW)};

const struct xp_typeid xp_typeid_condition = {
    .name = "Condition",
    .owner = "Condition",
    .init = {.name = "__init__",
	     .style = XP_ARGS_PYTHON,
	     .max = 1,
	     .params = "lock",
	     .call = condition_init},
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = condition_fini,
    .repr = condition_repr,
};
