/* SPDX-License-Identifier: MIT */
/*
 * session_ring - a session's calls by ring: the private extension of CPython's wire
 *
 * Overview      A client on AF_UNIX that has authenticated and sent accept_connection may ask to send its
 *               requests through a pair of rings in shared memory (rpc/duplex.h) instead of its stream.
 * On the wire   client: (None, "#RING", (version, size), {}): a segment of that many bytes.
 *               server: ("#RETURN", version), or ("#TRACEBACK", why not), as CPython's server answers
 *                       any request for an object that it does not know: the connection goes on
 *                       as it is, and the client goes on without a ring.
 *               client: one byte with the descriptor of the segment (SCM_RIGHTS).
 *               server: one byte with that of the bell, and from now on looks into the ring; or one
 *                       byte without: the segment will not do, and the stream goes on alone.
 *               A reply goes back the way its request came, but for what rpc/conn.h says of large ones
 *               and of clients that wait long.
 * Trust         The client can write anything into the segment at any time. A frame is copied out before it
 *               is looked at; the size of the segment counts against the server's memory limit and has a
 *               limit of its own; garbage in a word of the ring ends this client, which is told why on
 *               its stream, and the log too.
 * Death         Of the client: the end of the stream, as ever.
 */
#ifndef XPSHARE_MANAGER_SESSION_RING_H
#define XPSHARE_MANAGER_SESSION_RING_H

#include "xpshare/manager/session.h"

/** xp_session_ring_offer() - A client asks; see xp_client_ops. */
XP_MUST_CHECK int xp_session_ring_offer(struct xp_session *session, uint64_t size,
					const char **ret_why);
/** xp_session_ring_accept() - Its segment is due on the stream. */
void xp_session_ring_accept(struct xp_session *session);
/** xp_session_ring_take() - Copy the next request into @scratch, XP_STREAM_SCRATCH bytes.
 *  Return: 0; -EAGAIN; -EPROTO: the session is being ended. */
XP_MUST_CHECK int xp_session_ring_take(struct xp_session *session, char *scratch, size_t *ret_size);
/** xp_session_ring_send() - A whole frame, its header included, goes to the client by ring. Return: 0;
 *  -EMSGSIZE: the mark is set, send it by the stream; -errno. */
XP_MUST_CHECK int xp_session_ring_send(struct xp_session *session, struct iovec *parts, int count);
/** xp_session_ring_end() - Let go of the segment and the bell. */
void xp_session_ring_end(struct xp_session *session);

/** xp_session_ring_is_ready() - Whether the client has put something into its ring. */
static inline bool xp_session_ring_is_ready(const struct xp_session *session)
{
	return session->ring && !session->ring_due && xp_frame_ring_ready(&session->ring->in);
}

#endif
