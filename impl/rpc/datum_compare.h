/* SPDX-License-Identifier: MIT */
/*
 * datum_compare - Python's equality, order and hash over datums
 *
 * Overview      What `==`, `<` and hash() answer for the built-in types, so that a server can be a
 *               list or a dict: 1 == 1.0 == True also for integers of any size, b'a' == bytearray(b'a'),
 *               (1,) != [1], sets by content, nested containers. As everywhere in Python's containers, a
 *               node is equal to itself, even a NaN.
 * Instances     Equal if their class, arguments, items and state are: what a value type (datetime,
 *               Decimal, a slice ...) answers. Classes that compare by identity cannot be told from
 *               those by data; two separate copies of such an instance count as equal here.
 * Text          A STR and BYTES are never equal, as in Python 3; a STR that came from Python 2 as `str`
 *               and one that came as `unicode` are, as in both.
 * Hostile data  Recursion is bounded by XP_DATUM_COMPARE_DEPTH (-ELOOP: Python's RecursionError), work by
 *               XP_DATUM_COMPARE_STEPS (-E2BIG), since a graph of n nodes may unfold to 2^n. Where many
 *               comparisons are one piece of work, the _counted() forms keep the sum in bounds.
 * Threads       Any number on the same values: nothing is written.
 */
#ifndef XPSHARE_RPC_DATUM_COMPARE_H
#define XPSHARE_RPC_DATUM_COMPARE_H

#include "xpshare/rpc/datum.h"

#define XP_DATUM_COMPARE_DEPTH 990 /* just below the 1000 of CPython's default recursion limit */
#define XP_DATUM_COMPARE_STEPS (1u << 28) /* members of containers visited: a second or two */

/** xp_datum_equal() - @a == @b. Return: 1, 0, -ELOOP, -E2BIG, -ENOMEM. */
XP_MUST_CHECK int xp_datum_equal(const struct xp_datum *a, const struct xp_datum *b);
/** xp_datum_equal_counted() - The same as a part of more work: @steps, 0 at first, counts on. */
XP_MUST_CHECK int xp_datum_equal_counted(const struct xp_datum *a, const struct xp_datum *b,
					 unsigned *steps);

/**
 * xp_datum_less() - @a < @b.
 * @ret_culprits: On -ENOTSUP the two values, perhaps deep inside, that have no order.
 *
 * Return: 1, 0, -ENOTSUP, -ELOOP, -E2BIG, -ENOMEM.
 */
XP_MUST_CHECK int xp_datum_less(const struct xp_datum *a, const struct xp_datum *b,
				const struct xp_datum *ret_culprits[2]);
/** xp_datum_less_counted() - The same as a part of more work. */
XP_MUST_CHECK int xp_datum_less_counted(const struct xp_datum *a, const struct xp_datum *b,
					const struct xp_datum *ret_culprits[2], unsigned *steps);

/**
 * xp_datum_hash() - hash(@value), consistent with xp_datum_equal().
 * @ret_culprit: NULL, or on -EINVAL the value, perhaps deep inside, that cannot be hashed.
 *
 * Keyed per process, so that a peer cannot choose colliding keys; not CPython's own numbers.
 * Return: 0, -EINVAL unhashable, -ELOOP, -E2BIG.
 */
XP_MUST_CHECK int xp_datum_hash(const struct xp_datum *value, uint64_t *ret_hash,
				const struct xp_datum **ret_culprit);
/** xp_datum_hash_counted() - The same as a part of more work. */
XP_MUST_CHECK int xp_datum_hash_counted(const struct xp_datum *value, unsigned *steps,
					uint64_t *ret_hash, const struct xp_datum **ret_culprit);

/** xp_datum_type_name() - The name of @value's type as Python's messages have it, e.g. "NoneType",
 *  "list"; written to @buffer where it is not constant. Python 3's names. */
const char *xp_datum_type_name(const struct xp_datum *value, char *buffer, size_t size);

#endif
