/* SPDX-License-Identifier: MIT */
/* Lock, RLock, Semaphore, BoundedSemaphore, Condition, Event and Barrier of a manager. */
#include "xpshare/manager/proxy_kind.h"

#include "xpshare/base/clock.h"

#include <stdlib.h>

/* A method whose answer is whether it succeeded. Return: 1, 0, -errno. */
static int ask(struct xp_proxy *proxy, const char *method, size_t count,
	       const struct xp_datum *const *args, const struct timespec *limit,
	       struct xp_remote_error *error)
{
	const struct xp_datum *value;
	int rc = xp_proxy_call(proxy, method, count, args, limit, &value, error);

	return rc < 0 ? rc : xp_datum_truth(value);
}

/* Where an exception can only mean that the caller does not hold it. */
static int not_held(int rc, const struct xp_remote_error *error)
{
	if (rc == -EREMOTEIO &&
	    (xp_remote_error_is(error, "RuntimeError") || xp_remote_error_is(error, "error") ||
	     xp_remote_error_is(error, "AssertionError")))
		return -EPERM;
	return rc;
}

/* ---- acquire and release, of all that have them ------------------------------------------------- */

static int acquire_until(void *self, const struct timespec *deadline)
{
	struct xp_remote_error error;
	struct xp_wait_plan plan;
	const struct xp_datum *args[2] = {xp_datum_bool(true), NULL};
	int rc = xp_wait_plan_init(&plan, self, deadline);

	if (rc < 0)
		return rc;
	args[1] = plan.timeout;
	rc = ask(self, "acquire", deadline ? 2 : 1, args, plan.limit, &error);
	/* Python 2's locks know no timeout. */
	if (rc == -EREMOTEIO && deadline && xp_remote_error_is(&error, "TypeError"))
		return -ENOTSUP;
	return rc < 0 ? rc : rc == 0 ? -ETIMEDOUT : 0;
}

static int try_acquire(struct xp_proxy *proxy, int busy)
{
	const struct xp_datum *args[1] = {xp_datum_bool(false)};
	int rc = ask(proxy, "acquire", 1, args, NULL, NULL);

	return rc < 0 ? rc : rc == 0 ? busy : 0;
}

static int try_lock(void *self)
{
	return try_acquire(self, -EBUSY);
}

static int release(void *self)
{
	struct xp_remote_error error;

	return not_held(xp_proxy_call(self, "release", 0, NULL, NULL, NULL, &error), &error);
}

static const struct xp_lock_ops lock_ops = {
    .acquire_until = acquire_until,
    .try_acquire = try_lock,
    .release = release,
};

/* ---- semaphore --------------------------------------------------------------------------------- */

static int try_wait(void *self)
{
	return try_acquire(self, -EAGAIN);
}

static int post(void *self)
{
	struct xp_remote_error error;
	int rc = xp_proxy_call(self, "release", 0, NULL, NULL, NULL, &error);

	return rc == -EREMOTEIO && xp_remote_error_is(&error, "ValueError") ? -EOVERFLOW : rc;
}

static const struct xp_semaphore_ops semaphore_ops = {
    .wait_until = acquire_until,
    .try_wait = try_wait,
    .post = post,
};

/* ---- condition --------------------------------------------------------------------------------- */

static int condition_wait_until(void *self, const struct timespec *deadline)
{
	struct xp_remote_error error;
	struct xp_wait_plan plan;
	const struct xp_datum *args[1];
	int rc = xp_wait_plan_init(&plan, self, deadline);

	if (rc < 0)
		return rc;
	args[0] = plan.timeout;
	/* Also after the deadline it comes back only with the lock, for which it may have to wait. */
	rc = ask(self, "wait", 1, args, XP_PROXY_FOREVER, &error);
	if (rc < 0)
		return not_held(rc, &error);
	/* Python 2 answers None in both cases. */
	if (rc == 0 && xp_manager_is_python2(xp_proxy_manager(self)))
		return xp_deadline_passed(deadline) ? -ETIMEDOUT : 0;
	return rc == 0 ? -ETIMEDOUT : 0;
}

static int condition_signal(void *self, uint32_t count)
{
	struct xp_datum_arena *arena = xp_proxy_arena(self);
	struct xp_remote_error error;
	const struct xp_datum *args[1];
	int rc;

	if (!arena)
		return -ENOMEM;
	args[0] = xp_datum_uint(arena, count);
	if (count == UINT32_MAX)
		rc = xp_proxy_call(self, "notify_all", 0, NULL, NULL, NULL, &error);
	else
		rc = xp_proxy_call(self, "notify", 1, args, NULL, NULL, &error);
	return not_held(rc, &error);
}

static const struct xp_condition_ops condition_ops = {
    .wait_until = condition_wait_until,
    .signal = condition_signal,
};

/* ---- event ------------------------------------------------------------------------------------- */

static int event_set(void *self)
{
	return xp_proxy_call(self, "set", 0, NULL, NULL, NULL, NULL);
}

static int event_clear(void *self)
{
	return xp_proxy_call(self, "clear", 0, NULL, NULL, NULL, NULL);
}

static int event_is_set(void *self)
{
	return ask(self, "is_set", 0, NULL, NULL, NULL);
}

static int event_wait_until(void *self, const struct timespec *deadline)
{
	struct xp_wait_plan plan;
	const struct xp_datum *args[1];
	int rc = xp_wait_plan_init(&plan, self, deadline);

	if (rc < 0)
		return rc;
	args[0] = plan.timeout;
	rc = ask(self, "wait", 1, args, plan.limit, NULL);
	return rc < 0 ? rc : rc == 0 ? -ETIMEDOUT : 0;
}

static const struct xp_event_ops event_ops = {
    .set = event_set,
    .clear = event_clear,
    .is_set = event_is_set,
    .wait_until = event_wait_until,
};

/* ---- barrier ----------------------------------------------------------------------------------- */

static int64_t attribute(struct xp_proxy *proxy, const char *name)
{
	struct xp_datum_arena *arena = xp_proxy_arena(proxy);
	const struct xp_datum *args[1];
	const struct xp_datum *value;
	int64_t number;
	int rc;

	if (!arena)
		return -ENOMEM;
	args[0] = xp_datum_str(arena, name);
	rc = xp_proxy_call(proxy, "__getattribute__", 1, args, NULL, &value, NULL);
	if (rc == 0 && xp_datum_to_int64(value, &number) < 0)
		rc = -EPROTO;
	return rc < 0 ? rc : number;
}

static int64_t barrier_parties(void *self)
{
	return attribute(self, "parties");
}

static int64_t barrier_waiting(void *self)
{
	return attribute(self, "n_waiting");
}

static int barrier_broken(void *self)
{
	return (int)attribute(self, "broken");
}

static int barrier_wait_until(void *self, const struct timespec *deadline)
{
	struct xp_remote_error error;
	struct xp_wait_plan plan;
	const struct xp_datum *args[1];
	const struct xp_datum *value;
	int64_t parties;
	int64_t index;
	int rc = xp_wait_plan_init(&plan, self, deadline);

	if (rc < 0)
		return rc;
	args[0] = plan.timeout;
	rc = xp_proxy_call(self, "wait", 1, args, plan.limit, &value, &error);
	if (rc == -EREMOTEIO && xp_remote_error_is(&error, "BrokenBarrierError"))
		return xp_deadline_passed(deadline) ? -ETIMEDOUT : -ECANCELED;
	if (rc < 0)
		return rc;
	if (xp_datum_to_int64(value, &index) < 0)
		return -EPROTO;
	parties = barrier_parties(self);
	if (parties < 0)
		return (int)parties;
	return index == parties - 1 ? XP_BARRIER_SERIAL : 0;
}

static int barrier_abort(void *self)
{
	return xp_proxy_call(self, "abort", 0, NULL, NULL, NULL, NULL);
}

static int barrier_reset(void *self)
{
	return xp_proxy_call(self, "reset", 0, NULL, NULL, NULL, NULL);
}

static const struct xp_barrier_ops barrier_ops = {
    .wait_until = barrier_wait_until,
    .abort = barrier_abort,
    .reset = barrier_reset,
    .parties = barrier_parties,
    .waiting = barrier_waiting,
    .broken = barrier_broken,
};

/* ---- making ------------------------------------------------------------------------------------ */

static const char *typeid_of(enum xp_kind kind)
{
	switch (kind) {
	case XP_KIND_LOCK:
		return "Lock";
	case XP_KIND_RLOCK:
		return "RLock";
	case XP_KIND_SEMAPHORE:
		return "Semaphore";
	case XP_KIND_BOUNDED:
		return "BoundedSemaphore";
	case XP_KIND_CONDITION:
		return "Condition";
	case XP_KIND_EVENT:
		return "Event";
	default:
		return "Barrier";
	}
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	bool counted = impl->kind == XP_KIND_SEMAPHORE || impl->kind == XP_KIND_BOUNDED ||
		       impl->kind == XP_KIND_BARRIER;
	struct xp_datum_arena *arena;
	const struct xp_datum *args[1];
	int rc;

	/* An action would have to run here while the others wait there. */
	if (!place->manager || params->action)
		return -ENOTSUP;
	if (impl->kind == XP_KIND_BARRIER && params->count == 0)
		return -EINVAL;
	arena = xp_manager_arena(place->manager);
	if (!arena)
		return -ENOMEM;
	args[0] = xp_datum_uint(arena, params->count);
	rc = xp_managed_make(place, typeid_of(impl->kind), counted ? 1 : 0, args, ret_object);
	if (rc < 0)
		return rc;
	struct xp_lock lock = {.ops = &lock_ops, .self = ret_object->owner};

	switch (impl->kind) {
	case XP_KIND_LOCK:
	case XP_KIND_RLOCK:
		ret_object->as.lock = lock;
		break;
	case XP_KIND_SEMAPHORE:
	case XP_KIND_BOUNDED:
		ret_object->as.semaphore =
		    (struct xp_semaphore){.ops = &semaphore_ops, .self = ret_object->owner};
		break;
	case XP_KIND_CONDITION:
		ret_object->as.condition = (struct xp_condition){
		    .ops = &condition_ops, .self = ret_object->owner, .lock = lock};
		break;
	case XP_KIND_EVENT:
		ret_object->as.event =
		    (struct xp_event){.ops = &event_ops, .self = ret_object->owner};
		break;
	default:
		ret_object->as.barrier =
		    (struct xp_barrier){.ops = &barrier_ops, .self = ret_object->owner};
		break;
	}
	return 0;
}

#define IMPL(id, kind_, typeid_, caps_)                    \
	const struct xp_impl xp_impl_##id##_managed = {    \
	    .name = #id "/managed",                        \
	    .title = "a " typeid_ " in a manager process", \
	    .kind = kind_,                                 \
	    .scope = XP_SCOPE_MANAGED,                     \
	    .caps = caps_,                                 \
	    .make = make,                                  \
	    .drop = xp_managed_drop,                       \
	};

/* A plain lock that its holder took along stays held, a recursive one is freed without a word: neither
 * is robust in the sense of lock.h. */
IMPL(lock, XP_KIND_LOCK, "Lock", XP_CAP_FAIR | XP_CAP_DEADLINE)
IMPL(rlock, XP_KIND_RLOCK, "RLock", XP_CAP_FAIR | XP_CAP_OWNED | XP_CAP_DEADLINE)
IMPL(semaphore, XP_KIND_SEMAPHORE, "Semaphore", XP_CAP_ROBUST | XP_CAP_DEADLINE)
IMPL(bounded, XP_KIND_BOUNDED, "BoundedSemaphore", XP_CAP_ROBUST | XP_CAP_DEADLINE)
IMPL(condition, XP_KIND_CONDITION, "Condition", XP_CAP_DEADLINE)
IMPL(event, XP_KIND_EVENT, "Event", XP_CAP_ROBUST | XP_CAP_DEADLINE)
IMPL(barrier, XP_KIND_BARRIER, "Barrier", XP_CAP_ROBUST | XP_CAP_DEADLINE)
