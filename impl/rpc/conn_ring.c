/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/conn_ring.h"

#include "xpshare/base/io.h"

#include <poll.h>
#include <stdlib.h>

int xp_conn_ring_open(struct xp_conn *conn, size_t size, uint32_t polls,
		      const struct timespec *deadline)
{
	struct xp_duplex *ring = calloc(1, sizeof(*ring));
	int rc = ring ? xp_duplex_create(size, polls, ring) : -ENOMEM;

	if (rc == 0)
		conn->ring_payload = malloc(xp_frame_ring_max(&ring->in));
	if (rc == 0 && !conn->ring_payload)
		rc = -ENOMEM;
	if (rc == 0)
		rc = xp_io_send_fd(conn->fd, ring->fd, deadline);
	if (rc == 0)
		rc = xp_io_recv_fd(conn->fd, deadline, &ring->bell);
	if (rc == 0) {
		ring->fd = xp_io_close(ring->fd);
		conn->ring = ring;
		return 0;
	}
	/* A byte without a descriptor is the answer no. */
	if (rc == -EPROTO)
		rc = -ENOTSUP;
	if (ring)
		xp_duplex_close(ring);
	free(ring);
	xp_conn_ring_close(conn);
	return rc;
}

void xp_conn_ring_close(struct xp_conn *conn)
{
	if (conn->ring)
		xp_duplex_close(conn->ring);
	free(conn->ring);
	free(conn->ring_payload);
	conn->ring = NULL;
	conn->ring_payload = NULL;
	conn->by_ring = false;
}

int xp_conn_ring_send(struct xp_conn *conn, const struct iovec *parts, size_t size)
{
	int rc = xp_duplex_call(conn->ring, parts, size);

	/* Full: the peer has not taken what was sent before. The stream waits for it. */
	if (rc == -EAGAIN)
		return -EMSGSIZE;
	conn->by_ring = rc == 0;
	return rc;
}

/* The stream has something, or its end, while the reply is awaited in the ring. */
static int recv_nudge(struct xp_conn *conn, const struct timespec *deadline)
{
	char *payload;
	size_t size;
	int rc = xp_conn_recv_frame(conn, conn->frame_max, deadline, &payload, &size);

	if (rc < 0)
		return rc;
	if (size > 0) {
		conn->why = "the server has given up the ring";
		return -EPROTO;
	}
	conn->ring->elsewhere = false;
	return xp_frame_ring_ready(&conn->ring->in) ? 0 : -EPROTO;
}

int xp_conn_ring_await(struct xp_conn *conn, const struct timespec *deadline)
{
	struct xp_duplex *ring = conn->ring;

	while (!ring->elsewhere) {
		struct pollfd look = {.fd = conn->fd, .events = POLLIN | POLLRDHUP};
		int rc = xp_frame_ring_ready(&ring->in) ? 0 : xp_duplex_await(ring, deadline);

		if (rc != -EAGAIN)
			return rc;
		if (ring->how.polls_max != XP_WAIT_POLLS_FOREVER) {
			if (!xp_duplex_go_elsewhere(ring))
				return 0;
		} else if (poll(&look, 1, 0) > 0) {
			return recv_nudge(conn, deadline);
		}
	}
	/* Once it has said so a nudge will come, also where the reply is there already. */
	return recv_nudge(conn, deadline);
}

int xp_conn_ring_recv(struct xp_conn *conn, const struct timespec *deadline, char **ret_payload,
		      size_t *ret_size)
{
	int rc = xp_conn_ring_await(conn, deadline);

	if (rc == 0)
		rc = xp_frame_ring_take(&conn->ring->in, conn->ring_payload,
					xp_frame_ring_max(&conn->ring->in), ret_size);
	/* A mark: this one was too large for the ring. */
	if (rc == 1)
		return xp_conn_recv_frame(conn, conn->frame_max, deadline, ret_payload, ret_size);
	*ret_payload = conn->ring_payload;
	/* It was there a moment ago: the server plays with the ring. */
	return rc == -EAGAIN ? -EPROTO : rc;
}
