/* SPDX-License-Identifier: MIT */
/*
 * link - the connections of a client process to its managers
 *
 * Private to proxy.c and start.c; the rules are in proxy.h. Invariants: (1) A connection is used by one
 * thread at a time, the one that took it from the pool (pool.h), in the process that made it. (2) A connection on which a call failed is closed
 * before anything else is sent on it. (3) fork never copies a lock that is held by another thread.
 */
#ifndef XPSHARE_MANAGER_LINK_H
#define XPSHARE_MANAGER_LINK_H

#include "xpshare/manager/proxy.h"

#include "xpshare/proc/child.h"

#define XP_IDENT_ROOM 64 /* bytes of an ident of any server, with the NUL */

/* What a call does to what the manager says the connection owns. */
enum xp_link_effect {
	XP_LINK_PLAIN,	  /* nothing */
	XP_LINK_ACQUIRES, /* it owns the object, if the value is true */
	XP_LINK_RELEASES, /* it owns it no more */
};

/** xp_link_call() - One request on the thread's object connection. @deadline as xp_proxy_call(). */
XP_MUST_CHECK int xp_link_call(struct xp_manager *manager, uint32_t epoch,
			       const struct xp_datum *request, enum xp_link_effect effect,
			       const struct timespec *deadline, const struct xp_datum **ret_reply);
/** xp_link_hand_over() - Ask for a ring on a connection that serves, and hand it over. Return: 0; -ENOTSUP the
 *  manager takes none, and the connection goes on by its socket; -errno: it is broken. */
XP_MUST_CHECK int xp_link_hand_over(struct xp_conn *conn, size_t size, uint32_t polls,
				    const struct timespec *deadline);
/** xp_link_once() - A connection-level request on a connection of its own. @streamed: our server takes it on the
 *  thread's object connection as well (xp_dispatch_takes()): there, if the thread has one. */
XP_MUST_CHECK int xp_link_once(struct xp_manager *manager, const struct xp_datum *request,
			       bool streamed, const struct xp_datum **ret_reply);
/** xp_link_arena() - For the arguments of the thread's next call. NULL: no memory. */
struct xp_datum_arena *xp_link_arena(struct xp_manager *manager);
/** xp_link_epoch() - Changes whenever another manager process is found at the address. */
uint32_t xp_link_epoch(struct xp_manager *manager);

/** xp_link_patience() - Nanoseconds of the plan. */
int64_t xp_link_patience(const struct xp_manager *manager);

/** xp_manager_adopt_child() - @child runs the manager, in @directory (which may be ""), behind @door (-1:
 *  none), the end of which @manager now owns. */
void xp_manager_adopt_child(struct xp_manager *manager, const struct xp_child *child,
			    const char *directory, int door);

#endif
