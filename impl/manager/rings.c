/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/rings.h"

#include "xpshare/manager/session_ring.h"

/* Looks into a ring in vain until it is let go: about as long as ringing the bell and answering it takes. */
#define EMPTY_MAX 200u

void xp_rings_add(struct xp_rings *rings, struct xp_ring_seat *seat)
{
	if (seat->link)
		return;
	seat->empty = 0;
	seat->next = rings->first;
	seat->link = &rings->first;
	if (seat->next)
		seat->next->link = &seat->next;
	rings->first = seat;
}

void xp_rings_remove(struct xp_ring_seat *seat)
{
	if (!seat->link)
		return;
	*seat->link = seat->next;
	if (seat->next)
		seat->next->link = seat->link;
	seat->link = NULL;
}

/* Return: whether the seat is out of the list. */
static bool let_go(struct xp_ring_seat *seat)
{
	/* One that cannot go on comes back when it can. */
	if (xp_session_may_handle(seat->session) && !xp_duplex_listen(seat->session->ring))
		return false;
	xp_rings_remove(seat);
	return true;
}

unsigned xp_rings_serve(struct xp_rings *rings, void (*run)(struct xp_ring_seat *seat))
{
	unsigned found = 0;

	for (struct xp_ring_seat *seat = rings->first, *next; seat; seat = next) {
		next = seat->next;
		if (!xp_session_may_handle(seat->session)) {
			xp_rings_remove(seat);
		} else if (xp_session_ring_is_ready(seat->session)) {
			seat->empty = 0;
			found++;
			run(seat);
		} else if (++seat->empty > EMPTY_MAX) {
			(void)let_go(seat);
		}
	}
	return found;
}

bool xp_rings_have(const struct xp_rings *rings)
{
	for (const struct xp_ring_seat *seat = rings->first; seat; seat = seat->next) {
		if (xp_session_ring_is_ready(seat->session))
			return true;
	}
	return false;
}

bool xp_rings_leave(struct xp_rings *rings)
{
	bool all = true;

	for (struct xp_ring_seat *seat = rings->first, *next; seat; seat = next) {
		next = seat->next;
		all &= let_go(seat);
	}
	return all;
}
