/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/latch.h"

#include "xpshare/manager/client.h"

#include "xpshare/base/clock.h"

static void grant(struct xp_latch *latch);

static struct xp_latch *latch_of(struct xp_owned *owned)
{
	return (struct xp_latch *)((char *)owned - offsetof(struct xp_latch, owned));
}

static void owner_departed(struct xp_owned *owned)
{
	struct xp_latch *latch = latch_of(owned);
	struct xp_referent *referent = xp_referent_ref(latch->referent);

	latch->depth = 0;
	latch->owner = 0;
	grant(latch);
	xp_referent_unref(referent);
}

void xp_latch_init(struct xp_latch *latch, struct xp_referent *referent, bool recursive)
{
	*latch = (struct xp_latch){.referent = referent, .recursive = recursive};
	latch->owned.departed = owner_departed;
}

static void hold(struct xp_latch *latch, struct xp_client *client, uint32_t depth)
{
	latch->depth = depth;
	if (latch->recursive) {
		latch->owner = client->generation;
		xp_client_own(client, &latch->owned);
	}
}

static void set_free(struct xp_latch *latch)
{
	latch->depth = 0;
	latch->owner = 0;
	xp_client_disown(&latch->owned);
}

/* Free: pass it on to the first call that is still there. */
static void grant(struct xp_latch *latch)
{
	while (latch->depth == 0 && latch->waiters.first) {
		struct xp_waiter *waiter = latch->waiters.first;
		struct xp_client *client = xp_waiter_client(waiter);
		const struct xp_datum *value = waiter->number == XP_LATCH_NONE
						   ? xp_datum_none()
						   : xp_datum_bool(waiter->number == XP_LATCH_TRUE);

		hold(latch, client, waiter->extra);
		if (!xp_waiter_return(waiter, value))
			set_free(latch);
	}
}

uint32_t xp_latch_take(struct xp_latch *latch, struct xp_client *client)
{
	if (latch->depth == 0) {
		hold(latch, client, 1);
		return 1;
	}
	if (!latch->recursive || latch->owner != client->generation)
		return 0;
	return ++latch->depth;
}

bool xp_latch_is_owner(const struct xp_latch *latch, const struct xp_client *client)
{
	return latch->depth > 0 && (!latch->recursive || latch->owner == client->generation);
}

int xp_latch_release(struct xp_latch *latch, const struct xp_client *client)
{
	if (!xp_latch_is_owner(latch, client))
		return -EPERM;
	if (--latch->depth == 0) {
		set_free(latch);
		grant(latch);
	}
	return 0;
}

uint32_t xp_latch_release_all(struct xp_latch *latch)
{
	uint32_t depth = latch->depth;

	set_free(latch);
	grant(latch);
	return depth;
}

void xp_latch_await(struct xp_latch *latch, struct xp_waiter *waiter, uint32_t depth,
		    int64_t number)
{
	waiter->extra = depth;
	waiter->number = number;
	waiter->deadline = XP_NEVER;
	xp_waiter_move(waiter, &latch->waiters);
	grant(latch);
}

static void acquire_expire(struct xp_waiter *waiter)
{
	xp_waiter_return(waiter, xp_datum_bool(false));
}

const struct xp_datum *xp_latch_acquire(struct xp_call *call, struct xp_latch *latch)
{
	int64_t deadline = XP_NEVER;
	double timeout = -1;
	uint32_t depth;
	bool block;

	if (xp_call_bool(call, 0, true, &block) < 0)
		return NULL;
	if (call->args[1]) {
		if (xp_call_deadline(call, 1, &deadline) < 0)
			return NULL;
		if (deadline == XP_NEVER) /* None is no timeout of a lock */
			return xp_call_raisef(
			    call, "TypeError",
			    "'NoneType' object cannot be interpreted as an integer");
		if (xp_datum_to_double(call->args[1], &timeout) < 0)
			timeout = 0;
		if (!block && timeout != -1)
			return xp_call_raisef(call, "ValueError",
					      "can't specify a timeout for a non-blocking call");
		if (timeout < 0 && timeout != -1)
			return xp_call_raisef(call, "ValueError",
					      "timeout value must be a non-negative number");
		if (timeout == -1)
			deadline = XP_NEVER;
	}
	depth = xp_latch_take(latch, call->client);
	/* CPython 2's RLock answers 1 where it is entered again. */
	if (depth > 1 && xp_call_python2(call))
		return xp_datum_int(call->arena, 1);
	if (depth > 0)
		return xp_datum_bool(true);
	if (!block || (deadline != XP_NEVER && deadline <= xp_clock_ns()))
		return xp_datum_bool(false);
	struct xp_waiter *waiter = xp_call_park(call, &latch->waiters, deadline, acquire_expire);

	waiter->number = XP_LATCH_TRUE;
	waiter->extra = 1;
	return NULL;
}
