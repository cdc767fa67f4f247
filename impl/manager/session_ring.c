/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/session_ring.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/rpc/frame.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define HEADER 4 /* of a frame that fits into any ring */

_Static_assert(XP_DUPLEX_SIZE_MAX / 2 <= XP_STREAM_SCRATCH,
	       "a request of any ring fits into the scratch");

/* ---- the handover ------------------------------------------------------------------------------ */

int xp_session_ring_offer(struct xp_session *session, uint64_t size, const char **ret_why)
{
	const struct xp_server_options *options = session->gate->options;
	struct xp_stream *stream = &session->stream;
	size_t limit = options->ring_max ? options->ring_max : XP_DUPLEX_SIZE_MAX;
	const char *why = NULL;

	if (options->no_rings)
		why = "this server takes no rings";
	else if (!session->local)
		why = "a ring needs a connection on AF_UNIX";
	else if (session->ring)
		why = "this connection has a ring";
	else if (size < XP_DUPLEX_SIZE_MIN || size > limit)
		why = "a ring of this size is not allowed";
	else if (session->gate->rings >= session->gate->rings_max)
		why = "the server has as many rings as it may";
	else if (*stream->memory > stream->memory_max ||
		 size > stream->memory_max - *stream->memory)
		why = "the server's limit of memory is reached";
	if (why) {
		*ret_why = why;
		return -ENOTSUP;
	}
	struct xp_duplex *ring = calloc(1, sizeof(*ring));
	int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (!ring || bell < 0) {
		free(ring);
		xp_io_close(bell);
		*ret_why = "the server has no descriptor or no memory left for a ring";
		return -ENOTSUP;
	}
	*ring = (struct xp_duplex){.size = size, .fd = -1, .bell = bell};
	*stream->memory += size;
	session->gate->stats->rings = ++session->gate->rings;
	session->ring = ring;
	session->ring_due = true;
	return 0;
}

/* Map it, and watch its bell. */
static int take_segment(struct xp_session *session, int fd)
{
	struct xp_duplex *ring = session->ring;
	struct xp_duplex opened;
	int rc = xp_duplex_open(fd, ring->size, &opened);

	if (rc < 0)
		return rc;
	opened.bell = ring->bell;
	*ring = opened;
	return session->hooks->bell(session, true);
}

/* No byte of the stream waits to be sent now, so this one has room, or the peer does not read. */
static int answer(struct xp_session *session, bool taken)
{
	struct timespec now = xp_deadline_after(0);
	char no = 'N';

	if (taken)
		return xp_io_send_fd(session->stream.fd, session->ring->bell, &now);
	return send(session->stream.fd, &no, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? 0 : -EPIPE;
}

void xp_session_ring_accept(struct xp_session *session)
{
	struct timespec now = xp_deadline_after(0);
	size_t kept;
	int fd = -1;

	xp_stream_pending(&session->stream, &kept);
	int rc = kept > 0 ? -EPIPE : xp_io_recv_fd(session->stream.fd, &now, &fd);

	if (rc == -ETIMEDOUT) {
		session->readable = session->ended;
		if (session->ended)
			xp_session_kill(session);
		return;
	}
	if (rc < 0 && rc != -EPROTO) {
		/* More than the one byte, or the end of the stream. */
		xp_session_kill(session);
		return;
	}
	session->ring_due = false;
	if (rc == 0)
		rc = take_segment(session, fd);
	xp_io_close(fd);
	int sent = answer(session, rc == 0);

	if (rc < 0)
		xp_session_ring_end(session);
	if (sent < 0)
		xp_session_kill(session);
}

void xp_session_ring_end(struct xp_session *session)
{
	struct xp_duplex *ring = session->ring;

	if (!ring)
		return;
	/* The client has a copy of the bell, which would go on ringing. */
	if (ring->base)
		(void)session->hooks->bell(session, false);
	*session->stream.memory -= ring->size;
	session->gate->stats->rings = --session->gate->rings;
	if (ring->base)
		xp_duplex_close(ring);
	else
		xp_io_close(ring->bell);
	free(ring);
	session->ring = NULL;
	session->ring_due = false;
	session->by_ring = false;
}

/* ---- frames ------------------------------------------------------------------------------------ */

static void end_with_reason(struct xp_session *session)
{
	xp_gate_log(session->gate, XP_GATE_RING, "closed a connection: garbage in its ring");
	session->by_ring = false;
	if (xp_client_refuse_ring(&session->client) < 0) {
		xp_session_kill(session);
		return;
	}
	session->finished = true;
	if (xp_stream_unsent(&session->stream) == 0)
		xp_session_kill(session);
}

int xp_session_ring_take(struct xp_session *session, char *scratch, size_t *ret_size)
{
	int rc = xp_frame_ring_take(&session->ring->in, scratch, XP_STREAM_SCRATCH, ret_size);

	if (rc == 0 || rc == -EAGAIN)
		return rc;
	/* Also a mark: what is too large for the ring comes by the stream, unannounced. */
	end_with_reason(session);
	return -EPROTO;
}

int xp_session_ring_send(struct xp_session *session, struct iovec *parts, int count)
{
	static unsigned char nudge[HEADER];
	struct iovec nudge_part = {.iov_base = nudge, .iov_len = sizeof(nudge)};
	size_t size = 0;
	int rc;

	for (int i = 0; i < count; i++)
		size += parts[i].iov_len;
	if (size - HEADER <= xp_frame_ring_max(&session->ring->out)) {
		struct iovec first = parts[0];

		xp_assert(parts[0].iov_len >= HEADER);
		parts[0].iov_base = (char *)parts[0].iov_base + HEADER;
		parts[0].iov_len -= HEADER;
		rc = xp_duplex_reply(session->ring, parts, size - HEADER);
		parts[0] = first;
	} else {
		rc = xp_duplex_reply(session->ring, NULL, 0);
		if (rc >= 0) {
			int sent = rc == 1 ? xp_stream_send(&session->stream, &nudge_part, 1) : 0;

			return sent < 0 ? sent : -EMSGSIZE;
		}
	}
	if (rc == 1)
		return xp_stream_send(&session->stream, &nudge_part, 1);
	if (rc == -EAGAIN || rc == -EPROTO) {
		/* No reply of ours can be in the way of one who takes each before he asks anew. */
		xp_gate_log(
		    session->gate, XP_GATE_RING,
		    "closed a connection: garbage in its ring, or replies that it leaves there");
		return -EPROTO;
	}
	return rc;
}
