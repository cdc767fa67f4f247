/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/client.h"

#include "xpshare/manager/dispatch.h"

#include "xpshare/base/clock.h"
#include "xpshare/rpc/frame.h"

#include <stdlib.h>
#include <string.h>

/* Frames of the handshake are raw bytes, not pickles. */
static int send_raw(struct xp_client *client, const void *payload, size_t size)
{
	unsigned char frame[XP_FRAME_HEADER_MAX + XP_AUTH_FRAME_MAX];
	struct iovec part = {.iov_base = frame, .iov_len = xp_frame_header(size, frame) + size};

	xp_assert(size <= XP_AUTH_FRAME_MAX);
	memcpy(frame + part.iov_len - size, payload, size);
	client->dispatch->stats.sent += size;
	return client->ops->send(client, &part, 1);
}

int xp_client_start(struct xp_client *client, struct xp_dispatch *dispatch,
		    const struct xp_client_ops *ops, const struct xp_datum *address,
		    unsigned digests)
{
	unsigned char challenge[XP_AUTH_FRAME_MAX];
	size_t size;
	int rc;

	*client = (struct xp_client){
	    .ops = ops,
	    .dispatch = dispatch,
	    .generation = ++dispatch->generations,
	    .address = address,
	    .dialect = XP_DIALECT_ANY,
	    .state = XP_CLIENT_AUTH,
	};
	client->auth = malloc(sizeof(*client->auth));
	if (!client->auth)
		return -ENOMEM;
	rc = xp_auth_start(client->auth, XP_AUTH_SERVER, dispatch->key, dispatch->key_size,
			   &(struct xp_auth_policy){.digests = digests}, challenge, &size);
	if (rc == 0)
		rc = send_raw(client, challenge, size);
	if (rc < 0) {
		free(client->auth);
		client->auth = NULL;
	}
	return rc;
}

size_t xp_client_limit(const struct xp_client *client)
{
	return client->state == XP_CLIENT_AUTH ? XP_AUTH_FRAME_MAX : client->dispatch->limits.frame;
}

static int auth_frame(struct xp_client *client, const char *payload, size_t size)
{
	unsigned char reply[XP_AUTH_FRAME_MAX];
	size_t reply_size = 0;
	int rc = xp_auth_step(client->auth, payload, size, reply, &reply_size);

	if (reply_size > 0) {
		int sent = send_raw(client, reply, reply_size);

		if (sent < 0 && rc >= 0)
			rc = sent;
	}
	if (rc == XP_AUTH_MORE)
		return XP_CLIENT_MORE;
	if (rc == XP_AUTH_DONE) {
		client->modern = client->auth->modern;
		client->state = XP_CLIENT_FIRST;
		free(client->auth);
		client->auth = NULL;
		return XP_CLIENT_MORE;
	}
	client->state = XP_CLIENT_CLOSING;
	client->dispatch->stats.refused[XP_REFUSAL_KEY]++;
	return rc == -EACCES ? XP_CLIENT_DONE : rc;
}

/* The stream is intact, the pickle is not: say so, and go on. */
static int refuse_pickle(struct xp_client *client, int error, size_t size)
{
	struct xp_dispatch *dispatch = client->dispatch;
	const char *name = error == -ENOMEM ? "MemoryError" : "UnpicklingError";
	const char *module = error == -ENOMEM ? "builtins" : "_pickle";

	/* CPython takes an empty frame for the end of the stream. */
	if (size == 0)
		return -EPROTO;
	int rc = xp_reply_traceback(
	    client, "recv",
	    xp_datum_exception(&dispatch->arena, module, name, dispatch->reader.error.text));
	if (client->state == XP_CLIENT_FIRST) {
		client->state = XP_CLIENT_CLOSING;
		return rc < 0 ? rc : XP_CLIENT_DONE;
	}
	return rc;
}

int xp_client_refuse_size(struct xp_client *client, size_t size)
{
	struct xp_dispatch *dispatch = client->dispatch;
	int rc;

	/* Whoever is not known yet is told nothing. */
	if (client->state == XP_CLIENT_AUTH)
		return -EPROTO;
	const struct xp_datum *text = xp_datum_strf(
	    &dispatch->arena, "a request of %zu bytes exceeds the server's limit of %zu", size,
	    dispatch->limits.frame);

	rc = xp_reply_traceback(client, "recv",
				xp_datum_call(&dispatch->arena, "builtins", "OSError", 1, &text));
	client->state = XP_CLIENT_CLOSING;
	xp_dispatch_end_request(dispatch);
	return rc;
}

int xp_client_refuse_ring(struct xp_client *client)
{
	int rc = xp_reply_traceback(client, "recv",
				    xp_datum_exception(&client->dispatch->arena, "builtins",
						       "OSError", "garbage in the ring"));

	client->state = XP_CLIENT_CLOSING;
	xp_dispatch_end_request(client->dispatch);
	return rc;
}

int xp_client_frame(struct xp_client *client, char *payload, size_t size)
{
	struct xp_stats *stats = &client->dispatch->stats;
	struct xp_datum *request;
	int64_t begun = 0;
	int rc;

	xp_assert(!xp_client_parked(client));
	stats->received += size;
	if (client->state == XP_CLIENT_AUTH)
		return auth_frame(client, payload, size);
	if (client->state == XP_CLIENT_CLOSING)
		return XP_CLIENT_DONE;
	if (client->state == XP_CLIENT_SERVING && xp_sampler_picks(&stats->serving))
		begun = xp_clock_ns();
	rc = xp_dispatch_decode(client, payload, size, &request);
	if (rc < 0)
		rc = refuse_pickle(client, rc, size);
	else if (client->state == XP_CLIENT_FIRST)
		rc = xp_dispatch_connection_call(client, request);
	else
		rc = xp_dispatch_call(client, request);
	xp_dispatch_end_request(client->dispatch);
	if (begun && rc == XP_CLIENT_MORE)
		xp_histogram_add(&stats->served, xp_clock_ns() - begun);
	return rc;
}
