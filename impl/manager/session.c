/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/session_ring.h"

#include "xpshare/rpc/frame.h"

#define ROUNDS_MAX     8  /* reads of one session before the others have their turn */
#define FRAMES_IN_TURN 64 /* requests of one session before the others */

static struct xp_session *session_of(struct xp_client *client)
{
	return (struct xp_session *)((char *)client - offsetof(struct xp_session, client));
}

void xp_session_kill(struct xp_session *session)
{
	if (session->dead)
		return;
	session->dead = true;
	session->hooks->dead(session);
}

/* ---- writing ----------------------------------------------------------------------------------- */

static int want_write(struct xp_session *session, bool on)
{
	int rc = session->wants_write == on ? 0 : session->hooks->want_write(session, on);

	if (rc == 0)
		session->wants_write = on;
	return rc;
}

static int session_send(struct xp_client *client, struct iovec *parts, int count)
{
	struct xp_session *session = session_of(client);
	int rc;

	if (session->dead)
		return -EPIPE;
	rc = session->by_ring ? xp_session_ring_send(session, parts, count) : -EMSGSIZE;
	if (rc == -EMSGSIZE)
		rc = session->corked ? xp_stream_hold(&session->stream, parts, count)
				     : xp_stream_send(&session->stream, parts, count);
	if (rc == -ENOMEM)
		xp_gate_log(session->gate, XP_GATE_MEMORY,
			    "closed a connection: its reply exceeds the memory that is left");
	if (rc == 0 && !session->corked && xp_stream_unsent(&session->stream) > 0)
		rc = want_write(session, true);
	if (rc < 0)
		xp_session_kill(session);
	/* A reply to a parked call: the frames behind it may be handled. */
	if (session->parked) {
		session->parked = false;
		if (!session->dead)
			session->hooks->ready(session);
	}
	return rc;
}

static bool session_alive(struct xp_client *client)
{
	const struct xp_session *session = session_of(client);

	return !session->dead && xp_stream_is_open(&session->stream);
}

static int session_ring(struct xp_client *client, uint64_t size, const char **ret_why)
{
	return xp_session_ring_offer(session_of(client), size, ret_why);
}

static const struct xp_client_ops session_ops = {
    .send = session_send, .alive = session_alive, .ring = session_ring};

void xp_session_flush(struct xp_session *session)
{
	int rc;

	if (session->dead || xp_stream_unsent(&session->stream) == 0)
		return;
	rc = xp_stream_flush(&session->stream);
	if (rc == -EAGAIN)
		return;
	if (rc == 0)
		rc = session->finished ? -EPIPE : want_write(session, false);
	if (rc < 0) {
		xp_session_kill(session);
		return;
	}
	/* Bytes may have come while nobody looked. */
	session->readable = true;
	session->hooks->ready(session);
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* What was held back goes out. */
static void uncork(struct xp_session *session)
{
	if (!session->corked)
		return;
	session->corked = false;
	if (session->dead)
		return;
	int rc = xp_stream_flush(&session->stream);
	if (rc == -EAGAIN)
		rc = want_write(session, true);
	if (rc < 0 || (session->finished && xp_stream_unsent(&session->stream) == 0))
		xp_session_kill(session);
}

static void finish(struct xp_session *session)
{
	session->finished = true;
	if (xp_stream_unsent(&session->stream) == 0)
		xp_session_kill(session);
}

static void handle_frame(struct xp_session *session, char *payload, size_t size)
{
	int rc = xp_client_frame(&session->client, payload, size);

	if (rc == XP_CLIENT_PARKED) {
		session->parked = true;
		/* It asked, and left without waiting for the answer. */
		if (session->ended)
			xp_session_kill(session);
	} else if (rc == XP_CLIENT_DONE) {
		finish(session);
	} else if (rc < 0) {
		xp_session_kill(session);
	}
}

static void refuse_frame(struct xp_session *session, int error, size_t size)
{
	if (error != -EMSGSIZE || xp_client_refuse_size(&session->client, size) < 0) {
		xp_session_kill(session);
		return;
	}
	xp_gate_log(session->gate, XP_GATE_FRAME,
		    "closed a connection: it announced a frame of %zu bytes", size);
	finish(session);
}

/* Handle the whole frames in @data and keep the rest. */
static void handle_data(struct xp_session *session, char *data, size_t size)
{
	size_t expected = 0;

	session->by_ring = false;
	for (int frames = 0; size > 0 && xp_session_may_handle(session) && !session->ring_due;
	     frames++) {
		size_t header;
		size_t payload;
		int rc = xp_frame_parse(data, size, xp_client_limit(&session->client), &header,
					&payload);

		if (rc < 0) {
			uncork(session);
			refuse_frame(session, rc, payload);
			return;
		}
		if (rc == 0) {
			expected = header ? header + payload : 0;
			break;
		}
		if (frames == FRAMES_IN_TURN) {
			session->hooks->ready(session);
			break;
		}
		/* In the handshake two frames come at once, and their answers leave so. */
		if (session->client.state == XP_CLIENT_AUTH && size > header + payload)
			session->corked = true;
		handle_frame(session, data + header, payload);
		data += header + payload;
		size -= header + payload;
	}
	uncork(session);
	if (!session->dead && xp_stream_keep(&session->stream, data, size, expected) < 0) {
		xp_gate_log(session->gate, XP_GATE_MEMORY,
			    "closed a connection: its request exceeds the memory that is left");
		xp_session_kill(session);
	}
}

/* Handle the requests in its ring. */
static void handle_ring(struct xp_session *session, char *scratch)
{
	for (int frames = 0; xp_session_may_handle(session); frames++) {
		size_t size;

		if (frames == FRAMES_IN_TURN) {
			session->hooks->ready(session);
			return;
		}
		if (xp_session_ring_take(session, scratch, &size) < 0)
			return;
		session->by_ring = true;
		if (size > xp_client_limit(&session->client))
			refuse_frame(session, -EMSGSIZE, size);
		else
			handle_frame(session, scratch, size);
	}
}

void xp_session_run(struct xp_session *session, char *scratch)
{
	size_t size;
	char *data;

	if (!xp_session_may_handle(session))
		return;
	if (session->ring_due) {
		if (session->readable)
			xp_session_ring_accept(session);
		if (session->ring_due || !xp_session_may_handle(session))
			return;
	}
	if (session->ring)
		handle_ring(session, scratch);
	data = xp_stream_pending(&session->stream, &size);
	if (size > 0 && !session->dead)
		handle_data(session, data, size);
	for (int round = 0;
	     session->readable && xp_session_may_handle(session) && !session->ring_due; round++) {
		bool drained = false;

		if (round == ROUNDS_MAX) {
			session->hooks->ready(session);
			return;
		}
		int rc = xp_stream_receive(&session->stream, scratch, &data, &size, &drained);

		if (rc == -EAGAIN) {
			session->readable = false;
			return;
		}
		if (rc < 0) {
			xp_session_kill(session);
			return;
		}
		/* A short read has emptied the socket, and what comes later is news; but the end of the
		 * stream may have been announced already. */
		if (drained && !session->ended)
			session->readable = false;
		handle_data(session, data, size);
	}
}

void xp_session_hang_up(struct xp_session *session)
{
	session->ended = true;
	session->readable = true;
	/* Nobody is there to take a reply; a client that is gone takes back its parked call, and nothing
	 * else (SPEC X3). What it has asked before and not waited for is still done. */
	if (session->parked || xp_stream_unsent(&session->stream) > 0)
		xp_session_kill(session);
}

void xp_session_expire(struct xp_session *session)
{
	/* A call that was completed when its client had gone is told to nobody (SPEC X3), so that the session
	 * is left parked until its end is noticed: here, if not before. */
	if (xp_client_parked(&session->client))
		xp_client_expire(&session->client);
	else
		xp_session_kill(session);
}

/* ---- life -------------------------------------------------------------------------------------- */

void xp_session_start(struct xp_session *session, struct xp_gate *gate,
		      struct xp_dispatch *dispatch, const struct xp_session_hooks *hooks,
		      const struct xp_listener *listener, int fd)
{
	session->hooks = hooks;
	session->gate = gate;
	session->local = listener->door || listener->address.storage.ss_family == AF_UNIX;
	xp_stream_init(&session->stream, fd, listener->tcp, &dispatch->memory,
		       dispatch->limits.memory);
	if (xp_client_start(&session->client, dispatch, &session_ops, listener->datum,
			    listener->digests) < 0)
		xp_session_kill(session);
}

void xp_session_end(struct xp_session *session)
{
	session->dead = true;
	xp_client_end(&session->client);
	xp_session_ring_end(session);
	xp_stream_close(&session->stream);
	xp_gate_left(session->gate);
}
