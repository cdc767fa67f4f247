/* SPDX-License-Identifier: MIT */
/*
 * datum_number - integers of any size, and floats, to and from text
 *
 * Private to the room. Conversions between decimal and binary are quadratic, as they are in CPython
 * below its limit of 4300 digits; the same limit applies here, so that a hostile number costs
 * little.
 */
#ifndef XPSHARE_RPC_DATUM_NUMBER_H
#define XPSHARE_RPC_DATUM_NUMBER_H

#include "xpshare/rpc/datum.h"

/* Room for any float as repr() writes it. */
#define XP_FLOAT_TEXT 32

/* Parse an optional sign and decimal digits, nothing else. -EINVAL; -EMSGSIZE too many; -ENOMEM. */
XP_MUST_CHECK int xp_number_parse_int(struct xp_datum_arena *arena, const char *text, size_t size,
				      struct xp_datum **ret_value);
/* Parse a float as Python's float() does: decimal, exponent, inf, nan; in the C locale. -EINVAL. */
XP_MUST_CHECK int xp_number_parse_float(const char *text, size_t size, double *ret_value);
/* The decimal digits of an integer datum, NUL-terminated, from malloc. -EMSGSIZE
 *  too many; -ENOMEM. */
XP_MUST_CHECK int xp_number_format_int(const struct xp_datum *value, char **ret_text);
/* repr() of a float: the shortest text that reads back as the same. Return: its length. */
size_t xp_number_format_float(double value, char text[XP_FLOAT_TEXT]);

#endif
