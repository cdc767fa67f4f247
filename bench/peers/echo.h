/* SPDX-License-Identifier: MIT */
/*
 * echo - what the echo servers share: a listener in a private directory, a child that serves it, clients
 *
 * Death         The server dies with the leader, and is reaped by xb_echo_stop().
 */
#ifndef BENCH_PEERS_ECHO_H
#define BENCH_PEERS_ECHO_H

#include "bench/peers/service.h"

/** xb_echo_start() - Fork a child that runs @serve on the listener, for ever. 0 or -errno. */
XP_MUST_CHECK int xb_echo_start(struct xb_served *served, int (*serve)(int listener));

/* The rest as in struct xb_service. */
void xb_echo_stop(struct xb_served *served);
XP_MUST_CHECK int xb_echo_connect(struct xb_served *served, void **ret_client);
XP_MUST_CHECK int xb_echo_call(void *client);
void xb_echo_disconnect(void *client);

#endif
