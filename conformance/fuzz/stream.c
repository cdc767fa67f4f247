/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: what an unauthenticated peer can send: frames, torn anywhere, to the handshake of either
 * role, and on to the reader. The first byte chooses the role, the second how the stream is torn.
 */
#include "xpshare/base/err.h"
#include "xpshare/rpc/auth.h"
#include "xpshare/rpc/frame.h"
#include "xpshare/rpc/pickle.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct session {
	struct xp_frame_buffer input;
	struct xp_auth auth;
	struct xp_pickle_reader reader;
	struct xp_datum_arena arena;
	int state; /* of the handshake; below 0: it is over */
};

/* Return: whether the stream may go on. */
static bool take(struct session *session, const char *payload, size_t size)
{
	unsigned char reply[XP_AUTH_FRAME_MAX];
	struct xp_datum *value;
	size_t reply_size = 0;

	if (session->state == XP_AUTH_MORE) {
		session->state = xp_auth_step(&session->auth, payload, size, reply, &reply_size);
		xp_assert(session->state != XP_AUTH_DONE); /* the key is not in any input */
		xp_assert(reply_size <= XP_AUTH_FRAME_MAX);
		xp_assert(session->state == XP_AUTH_MORE || xp_auth_why(&session->auth)[0]);
		return true;
	}
	/* A real server closes now; here the frames that follow are requests. */
	(void)!xp_pickle_read(&session->reader, &session->arena, payload, size, 0, &value);
	xp_datum_arena_reset(&session->arena);
	return true;
}

static bool drain(struct session *session)
{
	char *payload;
	size_t size;
	int rc;

	do {
		uint64_t limit = session->state == XP_AUTH_MORE ? XP_AUTH_FRAME_MAX : 1 << 20;
		rc = xp_frame_buffer_next(&session->input, limit, &payload, &size);
		xp_assert(rc != 1 || size <= limit);
		if (rc == 1)
			take(session, payload, size);
	} while (rc == 1);
	return rc == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char reply[XP_AUTH_FRAME_MAX];
	struct session session = {0};
	size_t reply_size, step;

	if (size < 2)
		return 0;
	enum xp_auth_role role = data[0] & 1 ? XP_AUTH_CLIENT : XP_AUTH_SERVER;
	struct xp_auth_policy policy = {.digests = data[0] & 2 ? XP_AUTH_ALL : XP_AUTH_STRONG};
	step = (size_t)data[1] + 1;
	xp_frame_buffer_init(&session.input);
	xp_pickle_reader_init(&session.reader, NULL);
	xp_datum_arena_init(&session.arena, 16 << 20);
	session.state =
	    xp_auth_start(&session.auth, role, "k\x01y\xff", 4, &policy, reply, &reply_size);

	for (size_t at = 2; at < size;) {
		char *room_at;
		size_t room, now = size - at < step ? size - at : step;
		if (xp_frame_buffer_space(&session.input, &room_at, &room) < 0)
			break;
		now = now < room ? now : room;
		memcpy(room_at, data + at, now);
		xp_frame_buffer_received(&session.input, now);
		at += now;
		/* Memory follows what came, not what was announced. */
		xp_assert(session.input.room <= 4 * size + 4 * XP_FRAME_READ_MIN);
		if (!drain(&session))
			break;
	}
	xp_datum_arena_fini(&session.arena);
	xp_pickle_reader_fini(&session.reader);
	xp_frame_buffer_fini(&session.input);
	return 0;
}
