/* SPDX-License-Identifier: MIT */
/*
 * latch - the lock inside a Lock, an RLock and a Condition of the server
 *
 * Overview      A plain latch has no owner: any client may release it, and it stays held when the one
 *               that took it goes, because a client may acquire in one process and release in
 *               another (SPEC X3). A recursive one belongs to the connection that acquired it,
 *               counts, and is freed when that connection ends, because nobody else could ever
 *               release it (SPEC X9).
 * States        FREE -> HELD [take], HELD -> FREE [release, end of the owner], HELD -> HELD by the
 *               first in the list that is still there.
 * Invariants    (1) Calls wait only while it is held. (2) A grant is undone when its receiver turns
 *               out to be gone: the next one gets it.
 */
#ifndef XPSHARE_MANAGER_LATCH_H
#define XPSHARE_MANAGER_LATCH_H

#include "xpshare/manager/referent.h"

struct xp_latch {
	struct xp_referent *referent; /* whose part it is */
	bool recursive;
	uint32_t depth; /* 0: free */
	uint64_t owner; /* generation of the client, of a recursive one */
	struct xp_owned owned;
	struct xp_waiters waiters;
};

/* What a waiter for the latch gets once it holds it: in its @number. */
enum { XP_LATCH_FALSE = 0, XP_LATCH_TRUE = 1, XP_LATCH_NONE = 2 };

void xp_latch_init(struct xp_latch *latch, struct xp_referent *referent, bool recursive);

/** xp_latch_take() - Take it now. Return: the depth reached; 0 if somebody else holds it. */
uint32_t xp_latch_take(struct xp_latch *latch, struct xp_client *client);
/** xp_latch_is_owner() - Whether @client may use what needs it held. */
bool xp_latch_is_owner(const struct xp_latch *latch, const struct xp_client *client);
/** xp_latch_release() - One level. Return: 0; -EPERM not held, or not by @client. */
XP_MUST_CHECK int xp_latch_release(struct xp_latch *latch, const struct xp_client *client);
/** xp_latch_release_all() - All levels of its owner. Return: how many there were. */
uint32_t xp_latch_release_all(struct xp_latch *latch);
/**
 * xp_latch_await() - Take it for a parked call, now or when its turn comes, @depth levels deep; the
 * call is then completed with what @number says.
 */
void xp_latch_await(struct xp_latch *latch, struct xp_waiter *waiter, uint32_t depth,
		    int64_t number);

/** xp_latch_acquire() - The method acquire(blocking=True, timeout=-1) of all that have a latch. */
const struct xp_datum *xp_latch_acquire(struct xp_call *call, struct xp_latch *latch);

#endif
