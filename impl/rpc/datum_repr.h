/* SPDX-License-Identifier: MIT */
/*
 * datum_repr - repr() and str() of a datum, letter for letter as CPython writes them
 *
 * Overview      Exact for None, numbers, text, bytes, containers, recursion ("[...]"), slices, ranges,
 *               complex numbers, exceptions, array, deque, OrderedDict and Decimal. Any other instance
 *               is "<module.Name object at 0x...>", a name "<class 'module.Name'>". The order of a set
 *               is that in which it was pickled.
 * Flavours      That of Python 3.12 and later, and that of 2.7: u'', 1L, set([1]), <type 'int'>.
 * Hostile data  As in datum_compare: depth (-ELOOP) and size (-EMSGSIZE) are bounded.
 */
#ifndef XPSHARE_RPC_DATUM_REPR_H
#define XPSHARE_RPC_DATUM_REPR_H

#include "xpshare/rpc/datum.h"

#define XP_DATUM_REPR_MAX ((size_t)16 << 20) /* bytes of text */

/**
 * xp_datum_repr() - repr(@value) as a STR of @arena.
 * @python: 2 or 3: the flavour.
 *
 * Return: 0; -ELOOP nested too deeply (Python's RecursionError); -EMSGSIZE too long, or an integer of
 *         more digits than Python converts; -ENOMEM.
 */
XP_MUST_CHECK int xp_datum_repr(struct xp_datum_arena *arena, const struct xp_datum *value,
				unsigned python, struct xp_datum **ret_text);

/** xp_datum_to_str() - str(@value): text itself, of an exception its message, else the repr. */
XP_MUST_CHECK int xp_datum_to_str(struct xp_datum_arena *arena, const struct xp_datum *value,
				  unsigned python, struct xp_datum **ret_text);

#endif
