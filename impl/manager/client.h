/* SPDX-License-Identifier: MIT */
/*
 * client - one connection as the dispatcher sees it
 *
 * Overview      A server (server_event.c, server_thread.c) owns the stream; this is the rest: which
 *               dialect the peer speaks, how far its handshake is, what it has parked and what it
 *               owns. Frames go in through xp_client_frame(), replies come out through @ops->send.
 * States        AUTH -> FIRST [handshake done], FIRST -> SERVING [accept_connection],
 *               FIRST -> CLOSING [any other connection-level request, answered once],
 *               any -> CLOSING [refused, malformed, shut down].
 * Invariants    (1) A generation is never used again, so that an owner is never mistaken.
 *               (2) Between xp_client_frame() calls nothing points into the payload.
 */
#ifndef XPSHARE_MANAGER_CLIENT_H
#define XPSHARE_MANAGER_CLIENT_H

#include "xpshare/manager/referent.h"
#include "xpshare/rpc/auth.h"

#include <sys/uio.h>

/**
 * struct xp_client_ops - What a server provides.
 * @send:  Send one whole frame, now or as soon as the peer reads. Copies what it cannot send.
 *         Return: 0; -EPIPE or another error if the peer is known to be gone.
 * @alive: Whether the peer of a parked call still listens, as far as the kernel knows.
 * @ring:  The client wants to hand a segment of @size bytes over (session_ring.h). Return: 0 agreed;
 *         -ENOTSUP, and *@ret_why says why not.
 */
struct xp_client_ops {
	int (*send)(struct xp_client *client, struct iovec *parts, int count);
	bool (*alive)(struct xp_client *client);
	int (*ring)(struct xp_client *client, uint64_t size, const char **ret_why);
};

enum xp_client_state {
	XP_CLIENT_AUTH,
	XP_CLIENT_FIRST,
	XP_CLIENT_SERVING,
	XP_CLIENT_CLOSING,
};

/** struct xp_client - Private to the dispatcher, except @ops, which the server sets. */
struct xp_client {
	const struct xp_client_ops *ops;
	struct xp_dispatch *dispatch;
	uint64_t generation;
	const struct xp_datum *address; /* of the listener, as Python writes it; a constant */
	struct xp_auth *auth;		/* during the handshake only */
	struct xp_owned *owned;
	struct xp_waiter waiter;
	struct xp_dialect dialect; /* of the last request */
	uint8_t state;
	bool modern;  /* 3.12 or later, by its handshake */
	bool python2; /* has sent a pickle that only Python 2 writes */
};

/**
 * xp_client_start() - A connection has been accepted: send the challenge.
 * @digests: Of enum xp_auth_digest; what this peer may prove itself with.
 * Return: 0; -errno, to be closed.
 */
XP_MUST_CHECK int xp_client_start(struct xp_client *client, struct xp_dispatch *dispatch,
				  const struct xp_client_ops *ops, const struct xp_datum *address,
				  unsigned digests);

enum {
	XP_CLIENT_MORE = 0,   /* answered; the next frame may follow */
	XP_CLIENT_PARKED = 1, /* the reply will come later; until then no frame */
	XP_CLIENT_DONE = 2,   /* close once everything is sent */
};

/** xp_client_frame() - The payload of one frame. Return: one of the above, or -errno: close now. */
XP_MUST_CHECK int xp_client_frame(struct xp_client *client, char *payload, size_t size);

/** xp_client_refuse_size() - A frame over the limit was announced: say so. Return: 0, -errno. */
XP_MUST_CHECK int xp_client_refuse_size(struct xp_client *client, size_t size);

/** xp_client_refuse_ring() - There is garbage in its ring: say so. Return: 0, -errno. */
XP_MUST_CHECK int xp_client_refuse_ring(struct xp_client *client);

/** xp_client_limit() - The longest payload that the next frame may have. */
size_t xp_client_limit(const struct xp_client *client);

/** xp_client_expire() - The deadline of its parked call has passed. */
void xp_client_expire(struct xp_client *client);

static inline bool xp_client_parked(const struct xp_client *client)
{
	return client->waiter.self != NULL;
}

/** xp_client_end() - The connection is gone: take back its parked call, free what it owned. */
void xp_client_end(struct xp_client *client);

#endif
