/* SPDX-License-Identifier: MIT */
/*
 * server_internal - what the two servers have in common
 *
 * Private to server.c, server_event.c and server_thread.c.
 */
#ifndef XPSHARE_MANAGER_SERVER_INTERNAL_H
#define XPSHARE_MANAGER_SERVER_INTERNAL_H

#include "xpshare/manager/listener.h"
#include "xpshare/manager/stream.h"

struct xp_server {
	struct xp_server_options options;
	struct xp_dispatch dispatch;
	struct xp_gate gate;
	int stop_fd; /* an eventfd: readable once the server shall stop */
	void *loop;  /* of the server that runs */
};

/** xp_server_loop() - The loop of the server that @dispatch belongs to. */
static inline void *xp_server_loop(struct xp_dispatch *dispatch)
{
	return ((struct xp_server *)((char *)dispatch - offsetof(struct xp_server, dispatch)))
	    ->loop;
}

int xp_server_run_event(struct xp_server *server);

#endif
