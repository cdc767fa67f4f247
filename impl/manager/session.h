/* SPDX-License-Identifier: MIT */
/*
 * session - a client and its stream: the part of a connection that both servers share
 *
 * Private to the servers. A session turns bytes into frames, hands them to the dispatcher one after the
 * other, and keeps the rules of backpressure; when it may go on is the server's business (struct
 * xp_session_hooks).
 *
 * Invariants    (1) A session with unsent bytes or a parked call handles no further frame, so that what
 *               one peer can make the server keep is one request and one reply. (2) A dead session
 *               handles and sends nothing; it stays in memory until the server ends it.
 */
#ifndef XPSHARE_MANAGER_SESSION_H
#define XPSHARE_MANAGER_SESSION_H

#include "xpshare/manager/listener.h"
#include "xpshare/manager/stream.h"
#include "xpshare/rpc/duplex.h"

struct xp_session;

/**
 * struct xp_session_hooks - What a server does about its sessions. All may be called for any session
 * while a request of another is handled.
 * @want_write: Bytes are left to send, or no longer. Return: 0, -errno.
 * @ready:      It may have frames to handle: call xp_session_run() soon.
 * @dead:       End it soon.
 * @bell:       Watch the bell of its ring, session->ring->bell, or no longer. Return: 0, -errno.
 */
struct xp_session_hooks {
	int (*want_write)(struct xp_session *session, bool on);
	void (*ready)(struct xp_session *session);
	void (*dead)(struct xp_session *session);
	int (*bell)(struct xp_session *session, bool on);
};

/** struct xp_session - Zeroed by the server; private except what a comment gives to it. */
struct xp_session {
	const struct xp_session_hooks *hooks;
	struct xp_gate *gate;
	struct xp_client client;
	struct xp_stream stream;
	bool readable; /* server: the socket may have bytes that nobody has read */
	bool ended;    /* server: the peer has closed; what it has sent before still counts */
	bool parked;   /* a call waits for its reply */
	bool finished; /* close once everything is sent */
	bool dead;
	bool wants_write;
	bool corked;   /* what is sent is held back for what is sent next */
	bool local;    /* on AF_UNIX */
	bool ring_due; /* its segment is the next thing to come */
	bool by_ring;  /* the request in hand came by ring */
	struct xp_duplex *ring;
};

/** xp_session_start() - Take @fd over and send the challenge. Nothing fails: it may be dead. */
void xp_session_start(struct xp_session *session, struct xp_gate *gate,
		      struct xp_dispatch *dispatch, const struct xp_session_hooks *hooks,
		      const struct xp_listener *listener, int fd);

/** xp_session_run() - Handle frames as far as that goes without waiting. @scratch: XP_STREAM_SCRATCH. */
void xp_session_run(struct xp_session *session, char *scratch);
/** xp_session_flush() - The socket takes bytes again. */
void xp_session_flush(struct xp_session *session);
/** xp_session_hang_up() - The peer has closed its end: note it, and take a parked call back. */
void xp_session_hang_up(struct xp_session *session);
/** xp_session_expire() - The deadline of its parked call has passed. */
void xp_session_expire(struct xp_session *session);
/** xp_session_kill() - No more. */
void xp_session_kill(struct xp_session *session);
/** xp_session_end() - Take back what it had parked and owned, close, free its buffers. */
void xp_session_end(struct xp_session *session);

/** xp_session_may_handle() - Whether it could handle a request now. */
static inline bool xp_session_may_handle(const struct xp_session *session)
{
	return !session->dead && !session->finished && !session->parked &&
	       (session->corked || xp_stream_unsent(&session->stream) == 0);
}

/** xp_session_is_new() - Whether it has not made its first request yet. */
static inline bool xp_session_is_new(const struct xp_session *session)
{
	return session->client.state < XP_CLIENT_SERVING;
}

#endif
