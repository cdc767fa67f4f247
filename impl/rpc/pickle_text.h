/* SPDX-License-Identifier: MIT */
/* What protocols 0 and 1 write as text, and calls that have a form of their own. Private to the room. */
#ifndef XPSHARE_RPC_PICKLE_TEXT_H
#define XPSHARE_RPC_PICKLE_TEXT_H

#include "xpshare/rpc/datum.h"

/* The body of a STRING: a quoted literal with the escapes of Python 2. -EPROTO; -ENOMEM. */
XP_MUST_CHECK int xp_pickle_unquote(struct xp_datum_arena *arena, const char *text, size_t size,
				    const char **ret_bytes, size_t *ret_size);
/* The body of a UNICODE: raw-unicode-escape, to UTF-8. -EPROTO; -ENOMEM. */
XP_MUST_CHECK int xp_pickle_unescape(struct xp_datum_arena *arena, const char *text, size_t size,
				     const char **ret_bytes, size_t *ret_size);
/*
 * The datum that the call @callable(*@args) is another spelling of: bytes, bytearray, set, frozenset,
 * list. Return: 1 with *ret_value, 0 if the call is none of them, -ENOMEM.
 */
XP_MUST_CHECK int xp_pickle_normal_form(struct xp_datum_arena *arena,
					const struct xp_datum *callable,
					const struct xp_datum *args, struct xp_datum **ret_value);

#endif
