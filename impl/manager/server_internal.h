/* SPDX-License-Identifier: MIT */
/*
 * server_internal - what the two servers have in common
 *
 * Private to server.c, server_event.c and server_thread.c.
 */
#ifndef XPSHARE_MANAGER_SERVER_INTERNAL_H
#define XPSHARE_MANAGER_SERVER_INTERNAL_H

#include "xpshare/manager/session.h"

struct xp_server {
	struct xp_server_options options;
	struct xp_dispatch dispatch;
	struct xp_gate gate;
	int stop_fd; /* an eventfd: readable once the server shall stop */
};

/** xp_server_shut() - Accept no more, and say so: what is ready to be sent still goes out. */
void xp_server_shut(struct xp_server *server);
int xp_server_run_event(struct xp_server *server);
int xp_server_run_thread(struct xp_server *server);

#endif
