/* SPDX-License-Identifier: MIT */
/*
 * rings - the rings that an event server looks into without being called
 *
 * Private to server_event.c. A ring is in the list, and is polled, from the moment its bell rings until it has
 * been empty for a while or the server wants to sleep; then it is told to ring the bell again. So rings at
 * rest cost nothing, however many there are, and rings at work cost no system call.
 * Invariant: a ring whose session may handle a request is in the list or has announced that it is not.
 */
#ifndef XPSHARE_MANAGER_RINGS_H
#define XPSHARE_MANAGER_RINGS_H

#include "xpshare/manager/session.h"

/** struct xp_ring_seat - Of one session; zeroed. */
struct xp_ring_seat {
	struct xp_session *session;
	struct xp_ring_seat *next;
	struct xp_ring_seat **link; /* what points here; NULL: not in the list */
	unsigned empty;		    /* looks in vain */
};

struct xp_rings {
	struct xp_ring_seat *first;
};

/** xp_rings_add() - Poll it; nothing happens where it is polled. */
void xp_rings_add(struct xp_rings *rings, struct xp_ring_seat *seat);
/** xp_rings_remove() - No longer; accepts one that is not polled. */
void xp_rings_remove(struct xp_ring_seat *seat);
/** xp_rings_serve() - Look into each once, and @run those with a request. Return: how many. */
unsigned xp_rings_serve(struct xp_rings *rings, void (*run)(struct xp_ring_seat *seat));
/** xp_rings_have() - Whether one of them has a request, the cheapest way. */
bool xp_rings_have(const struct xp_rings *rings);
/** xp_rings_leave() - The server is about to sleep: let them ring. False: one of them has a request. */
bool xp_rings_leave(struct xp_rings *rings);

#endif
