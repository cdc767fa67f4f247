/* SPDX-License-Identifier: MIT */
/* The client's half of the handover of a ring: session_ring.h has the words. */
#include "xpshare/manager/link.h"

#include "xpshare/manager/dispatch.h"

int xp_link_hand_over(struct xp_conn *conn, size_t size, uint32_t polls,
		      const struct timespec *deadline)
{
	struct xp_datum_arena arena;
	const struct xp_datum *reply;
	int rc = -ENOMEM;

	xp_datum_arena_init(&arena, 0);
	const struct xp_datum *args[2] = {xp_datum_int(&arena, XP_DUPLEX_VERSION),
					  xp_datum_int(&arena, (int64_t)size)};
	const struct xp_datum *parts[4] = {
	    xp_datum_none(),
	    xp_datum_str(&arena, XP_RING_METHOD),
	    xp_datum_tuple(&arena, 2, args),
	    xp_datum_dict(&arena),
	};
	const struct xp_datum *request = xp_datum_tuple(&arena, 4, parts);

	if (request)
		rc = xp_conn_call(conn, request, deadline, &reply);
	/* Whatever it answers but yes means no. */
	if (rc == 0 && !(xp_datum_is(reply, XP_DATUM_TUPLE) && reply->count == 2 &&
			 xp_datum_is_text(reply->items[0], "#RETURN")))
		rc = -ENOTSUP;
	if (rc == 0)
		rc = xp_conn_hand_over(conn, size, polls, deadline);
	xp_datum_arena_fini(&arena);
	return rc;
}
