/* SPDX-License-Identifier: MIT */
/* Semaphore and BoundedSemaphore. Nobody owns a unit: one that a client took with it stays taken. */
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/dispatch.h"

#include "xpshare/base/clock.h"

#include <stdlib.h>

struct semaphore {
	struct xp_referent base;
	int64_t value;
	int64_t initial; /* upper bound, of a bounded one */
	bool bounded;
	struct xp_waiters waiters;
};

/* Units have come: the first who are still there get them. */
static void grant(struct semaphore *semaphore)
{
	while (semaphore->value > 0 && semaphore->waiters.first) {
		semaphore->value--;
		if (!xp_waiter_return(semaphore->waiters.first, xp_datum_bool(true)))
			semaphore->value++;
	}
}

static void acquire_expire(struct xp_waiter *waiter)
{
	xp_waiter_return(waiter, xp_datum_bool(false));
}

static const struct xp_datum *semaphore_acquire(struct xp_call *call)
{
	struct semaphore *semaphore = xp_call_self(call, struct semaphore, base);
	int64_t deadline;
	bool block;

	if (xp_call_bool(call, 0, true, &block) < 0 || xp_call_deadline(call, 1, &deadline) < 0)
		return NULL;
	if (!block && deadline != XP_NEVER)
		return xp_call_raisef(call, "ValueError",
				      "can't specify timeout for non-blocking acquire");
	if (semaphore->value > 0) {
		semaphore->value--;
		return xp_datum_bool(true);
	}
	if (!block || (deadline != XP_NEVER && deadline <= xp_clock_ns()))
		return xp_datum_bool(false);
	xp_call_park(call, &semaphore->waiters, deadline, acquire_expire);
	return NULL;
}

static const struct xp_datum *semaphore_release(struct xp_call *call)
{
	struct semaphore *semaphore = xp_call_self(call, struct semaphore, base);
	int64_t units;

	if (xp_call_int64(call, 0, 1, &units) < 0)
		return NULL;
	if (units < 1)
		return xp_call_raisef(call, "ValueError", "n must be one or more");
	if (semaphore->bounded && units > semaphore->initial - semaphore->value)
		return xp_call_raisef(call, "ValueError", "Semaphore released too many times");
	if (units > INT64_MAX - semaphore->value)
		return xp_call_raisef(call, "OverflowError", "too many units");
	semaphore->value += units;
	grant(semaphore);
	return xp_datum_none();
}

static void semaphore_fini(struct xp_referent *referent)
{
	free(referent);
}

static const struct xp_datum *make(struct xp_call *call, const struct xp_typeid *type, bool bounded)
{
	struct semaphore *semaphore;
	int64_t value;

	if (xp_call_int64(call, 0, 1, &value) < 0)
		return NULL;
	if (value < 0)
		return xp_call_raisef(call, "ValueError", "semaphore initial value must be >= 0");
	semaphore = (struct semaphore *)xp_referent_new(call, type, sizeof(*semaphore));
	if (!semaphore)
		return NULL;
	semaphore->value = value;
	semaphore->initial = value;
	semaphore->bounded = bounded;
	return xp_call_object(call, &semaphore->base);
}

static const struct xp_datum *semaphore_init(struct xp_call *call)
{
	return make(call, &xp_typeid_semaphore, false);
}

static const struct xp_datum *bounded_init(struct xp_call *call)
{
	return make(call, &xp_typeid_bounded_semaphore, true);
}

static const struct xp_datum *semaphore_repr(struct xp_call *call, struct xp_referent *referent)
{
	const struct semaphore *semaphore = (const struct semaphore *)referent;

	if (semaphore->bounded)
		return xp_datum_strf(call->arena,
				     "<threading.BoundedSemaphore at 0x%llx: value=%lld/%lld>",
				     (unsigned long long)referent->number,
				     (long long)semaphore->value, (long long)semaphore->initial);
	return xp_datum_strf(call->arena, "<threading.Semaphore at 0x%llx: value=%lld>",
			     (unsigned long long)referent->number, (long long)semaphore->value);
}

static const struct xp_method methods[] = {XP_METHODS_SEMAPHORE(XP_METHOD_ROW)};

const struct xp_typeid xp_typeid_semaphore = {
    .name = "Semaphore",
    .owner = "Semaphore",
    .init = {.name = "__init__",
	     .style = XP_ARGS_PYTHON,
	     .max = 1,
	     .params = "value",
	     .call = semaphore_init},
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = semaphore_fini,
    .repr = semaphore_repr,
};

const struct xp_typeid xp_typeid_bounded_semaphore = {
    .name = "BoundedSemaphore",
    .owner = "BoundedSemaphore",
    .init = {.name = "__init__",
	     .style = XP_ARGS_PYTHON,
	     .max = 1,
	     .params = "value",
	     .call = bounded_init},
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = semaphore_fini,
    .repr = semaphore_repr,
};
