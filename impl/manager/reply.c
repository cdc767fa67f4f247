/* SPDX-License-Identifier: MIT */
/* Replies: encoded once, in the dialect of the client that asked, and sent in one piece. */
#include "xpshare/manager/dispatch.h"

#include "xpshare/manager/python.h"
#include "xpshare/rpc/frame.h"

#include <stdio.h>

/* What a peer of @client's kind reads: never newer than protocol 4, which all from 3.4 on know. */
static struct xp_dialect reply_dialect(const struct xp_client *client)
{
	struct xp_dialect dialect = client->dialect;

	if (client->python2)
		return XP_DIALECT_PY2;
	if (dialect.protocol > 4)
		dialect.protocol = 4;
	if (dialect.protocol < 2)
		return XP_DIALECT_ANY;
	return dialect;
}

static int encode(struct xp_client *client, const char *kind, const struct xp_datum *payload)
{
	struct xp_dispatch *dispatch = client->dispatch;
	struct xp_datum tag = {.kind = XP_DATUM_STR, .flags = XP_DATUM_FROZEN | XP_DATUM_ASCII};
	struct xp_datum *items[2] = {&tag, (struct xp_datum *)(uintptr_t)payload};
	struct xp_datum pair = {.kind = XP_DATUM_TUPLE, .flags = XP_DATUM_FROZEN};

	tag.size = strlen(kind);
	tag.bytes = kind;
	pair.count = 2;
	pair.items = items;
	return xp_pickle_write(&dispatch->writer, &pair, reply_dialect(client), XP_FRAME_HEADER_MAX,
			       XP_PICKLE_PARTS);
}

/* @ret_whole: whether @payload is in the reply. */
static int reply(struct xp_client *client, const char *kind, const struct xp_datum *payload,
		 bool *ret_whole)
{
	struct xp_dispatch *dispatch = client->dispatch;
	struct xp_pickle_writer *writer = &dispatch->writer;
	int rc = encode(client, kind, payload);

	*ret_whole = rc == 0;
	if (rc < 0) {
		struct xp_datum text = {.kind = XP_DATUM_STR,
					.flags = XP_DATUM_FROZEN | XP_DATUM_ASCII};
		char line[256];
		int length = snprintf(line, sizeof(line),
				      "Traceback (most recent call last):\n"
				      "  File \"xpmanager\", line 1, in serve_client\n"
				      "_pickle.PicklingError: %s\n",
				      writer->error.text);

		text.bytes = line;
		text.size = (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1;
		rc = encode(client, "#UNSERIALIZABLE", &text);
		if (rc < 0)
			return rc;
	}
	dispatch->stats.sent += writer->size;
	char *payload_at = (char *)writer->parts[0].iov_base + XP_FRAME_HEADER_MAX;
	char *frame = xp_frame_seal(payload_at, writer->size);
	size_t skipped = (size_t)(frame - (char *)writer->parts[0].iov_base);

	writer->parts[0].iov_base = frame;
	writer->parts[0].iov_len -= skipped;
	return client->ops->send(client, writer->parts, writer->part_count);
}

int xp_reply(struct xp_client *client, const char *kind, const struct xp_datum *payload)
{
	bool whole;

	return reply(client, kind, payload, &whole);
}

int xp_reply_reference(struct xp_client *client, const char *kind, const struct xp_datum *payload,
		       struct xp_referent *referent)
{
	bool whole;
	int rc = reply(client, kind, payload, &whole);

	/* The client may have it already, but no request is handled before the end of this one. */
	if (rc == 0 && whole)
		referent->proxies++;
	return rc;
}

int xp_reply_traceback(struct xp_client *client, const char *where,
		       const struct xp_datum *exception)
{
	struct xp_datum_arena *arena = &client->dispatch->arena;
	const struct xp_datum *text = xp_python_traceback(arena, where, exception);

	client->dispatch->stats.errors++;
	if (!text)
		text = xp_datum_none();
	return xp_reply(client, "#TRACEBACK", text);
}
