/* SPDX-License-Identifier: MIT */
/*
 * pickle_emit - the output of the writer: bytes, parts, and the values that nest nothing
 *
 * Private to the writer, which is in two files: pickle_write.c has the traversal and the memo,
 * pickle_emit.c the leaves and the names.
 */
#ifndef XPSHARE_RPC_PICKLE_EMIT_H
#define XPSHARE_RPC_PICKLE_EMIT_H

#include "xpshare/rpc/datum_walk.h"
#include "xpshare/rpc/pickle.h"
#include "xpshare/rpc/pickle_opcode.h"

/* Note @text. Return: @err. */
int xp_pickle_emit_fail(struct xp_pickle_writer *writer, int err, const char *text);
int xp_pickle_emit_grow(struct xp_pickle_writer *writer, size_t more);

/* Room for @more bytes at the end of the buffer. */
static inline int xp_pickle_emit_room(struct xp_pickle_writer *writer, size_t more)
{
	return writer->room - writer->used >= more ? 0 : xp_pickle_emit_grow(writer, more);
}

static inline int xp_pickle_emit_op(struct xp_pickle_writer *writer, enum xp_pickle_opcode op)
{
	int rc = xp_pickle_emit_room(writer, 1);

	if (rc == 0)
		writer->buffer[writer->used++] = (char)op;
	return rc;
}

/* @op and @value in @size bytes, little-endian. */
static inline int xp_pickle_emit_number(struct xp_pickle_writer *writer, enum xp_pickle_opcode op,
					uint64_t value, unsigned size)
{
	int rc = xp_pickle_emit_room(writer, 1 + 8);

	if (rc < 0)
		return rc;
	char *at = writer->buffer + writer->used;
	*at++ = (char)op;
	for (unsigned i = 0; i < size; i++, value >>= 8)
		*at++ = (char)value;
	writer->used += 1 + size;
	return 0;
}

/* A value that nests nothing: scalars, text, bytes, names. @node is not looked up in the memo. */
XP_MUST_CHECK int xp_pickle_emit_leaf(struct xp_pickle_writer *writer, const struct xp_datum *node);
/* The name @module.@name in the naming of Python 3, as the dialect spells it. */
XP_MUST_CHECK int xp_pickle_emit_name(struct xp_pickle_writer *writer, const char *module,
				      const char *name);

#endif
