/* SPDX-License-Identifier: MIT */
/*
 * dialect - which pickles a peer writes and can read
 *
 * Overview      The reader reports the dialect of each pickle; a server answers each client in the
 *               client's own.
 * Python 2      Protocol at most 2; text that is ASCII travels as `str`, names are those of Python
 *               2.
 * Python 3      Protocol 2 to 5; protocol 2 uses the names of Python 2 too, and has no bytes.
 * Ambiguity     A Python 3 (or C) peer that writes protocol 2 cannot be told from Python 2 unless
 *               the pickle holds a `str` of Python 2, which every request of a stock 2.7 client
 *               does (its ident and method name).
 */
#ifndef XPSHARE_RPC_DIALECT_H
#define XPSHARE_RPC_DIALECT_H

#include <stdint.h>

struct xp_dialect {
	uint8_t python;	  /* 2 or 3 */
	uint8_t protocol; /* 0 to 5 */
};

#define XP_DIALECT_PY2 ((struct xp_dialect){.python = 2, .protocol = 2}) /* 2.7 */
#define XP_DIALECT_PY3 ((struct xp_dialect){.python = 3, .protocol = 3}) /* any 3.x */
#define XP_DIALECT_PY4 ((struct xp_dialect){.python = 3, .protocol = 4}) /* 3.4 and later */
#define XP_DIALECT_ANY \
	((struct xp_dialect){.python = 3, .protocol = 2}) /* read by 2.7 and all 3.x */

/** xp_dialect_reply() - What to answer a request of @request in: the peer's own dialect, but a Python 3
 *  peer that writes protocol 2 is a C client that does not know us yet and reads everything. */
static inline struct xp_dialect xp_dialect_reply(struct xp_dialect request)
{
	if (request.python == 2)
		return XP_DIALECT_PY2;
	return request.protocol <= 2 ? XP_DIALECT_PY4 : request;
}

#endif
