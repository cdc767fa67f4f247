/* SPDX-License-Identifier: MIT */
/*
 * crowd - other clients of a manager, beside those that are measured: many that do nothing, or attackers
 *
 * A process of its own, which dies with the leader. What it is to be is in the case's name: "held" says how
 * many connections it authenticates and then keeps idle; "attack" is one of
 *     none            nothing, for comparison
 *     slow_handshake  200 connections that send their answer a byte at a time
 *     slow_frame      200 authenticated connections that send a frame of 1 MiB a byte at a time
 *     flood           1000 connections a second without a word, the last 500 of them kept open
 *     no_read         16 clients that send requests and never read a reply
 */
#ifndef BENCH_PEERS_CROWD_H
#define BENCH_PEERS_CROWD_H

#include "bench/peers/service.h"

struct xb_crowd;

/** xb_crowd_attack() - The attack at @index, NULL past the end. */
const char *xb_crowd_attack(size_t index);

/** xb_crowd_start() - As the case demands; returns when they are all there. 0, -errno; NULL for none. */
XP_MUST_CHECK int xb_crowd_start(const struct xb_case *c, const struct xb_served *served,
				 struct xb_crowd **ret_crowd);
/** xb_crowd_stop() - NULL is allowed. */
void xb_crowd_stop(struct xb_crowd *crowd);

#endif
