/* SPDX-License-Identifier: MIT */
/*
 * conn_ring - a connection's calls by ring
 *
 * Private to conn.c and conn_ring.c; the rules are in conn.h. None of these breaks the connection: conn.c
 * does, where one of them fails.
 */
#ifndef XPSHARE_RPC_CONN_RING_H
#define XPSHARE_RPC_CONN_RING_H

#include "xpshare/rpc/conn.h"

/** xp_conn_recv_frame() - The next whole frame of the stream; its bytes stay until the next call. */
XP_MUST_CHECK int xp_conn_recv_frame(struct xp_conn *conn, uint64_t limit,
				     const struct timespec *deadline, char **ret_payload,
				     size_t *ret_size);

/** xp_conn_ring_open() - As xp_conn_hand_over(). */
XP_MUST_CHECK int xp_conn_ring_open(struct xp_conn *conn, size_t size, uint32_t polls,
				    const struct timespec *deadline);
/** xp_conn_ring_close() - The stream goes on alone. */
void xp_conn_ring_close(struct xp_conn *conn);

/** xp_conn_ring_send() - Return: 0; -EMSGSIZE: it must go by the stream; -EPROTO. */
XP_MUST_CHECK int xp_conn_ring_send(struct xp_conn *conn, const struct iovec *parts, size_t size);
/** xp_conn_ring_await() - Wait until a reply is in the ring. Return: 0; -ETIMEDOUT; -EPIPE; -errno. */
XP_MUST_CHECK int xp_conn_ring_await(struct xp_conn *conn, const struct timespec *deadline);
/** xp_conn_ring_recv() - The reply; its bytes stay until the next call. */
XP_MUST_CHECK int xp_conn_ring_recv(struct xp_conn *conn, const struct timespec *deadline,
				    char **ret_payload, size_t *ret_size);

#endif
