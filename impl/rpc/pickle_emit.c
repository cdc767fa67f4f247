/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/pickle_emit.h"

#include "xpshare/rpc/pickle_names.h"
#include "xpshare/rpc/utf8.h"

#include <stdio.h>
#include <stdlib.h>

#define BUFFER_FIRST 512

int xp_pickle_emit_fail(struct xp_pickle_writer *writer, int err, const char *text)
{
	writer->error.offset = writer->used;
	snprintf(writer->error.text, sizeof(writer->error.text), "%s", text);
	return err;
}

/* ---- buffer -------------------------------------------------------------------------- */

int xp_pickle_emit_grow(struct xp_pickle_writer *writer, size_t more)
{
	size_t room = writer->room ? writer->room : BUFFER_FIRST;

	if (more > writer->max_bytes || writer->used + writer->lent > writer->max_bytes - more)
		return xp_pickle_emit_fail(writer, -EMSGSIZE, "the value is too large to be sent");
	while (room - writer->used < more)
		room *= 2;
	char *buffer = realloc(writer->buffer, room);
	if (!buffer)
		return xp_pickle_emit_fail(writer, -ENOMEM, "memory exhausted");
	writer->buffer = buffer;
	writer->room = room;
	return 0;
}

static int put_bytes(struct xp_pickle_writer *writer, const char *bytes, size_t size)
{
	int rc = xp_pickle_emit_room(writer, size);

	if (rc == 0 && size > 0) {
		memcpy(writer->buffer + writer->used, bytes, size);
		writer->used += size;
	}
	return rc;
}

/* A part that ends what is in the buffer so far, and one that lies elsewhere. */
static int lend(struct xp_pickle_writer *writer, const char *bytes, size_t size)
{
	if (size > writer->max_bytes || writer->used + writer->lent > writer->max_bytes - size)
		return xp_pickle_emit_fail(writer, -EMSGSIZE, "the value is too large to be sent");
	/* And one more slot for what follows. */
	if (writer->parts_room - writer->part_count < 3) {
		int room = writer->parts_room ? 2 * writer->parts_room : 8;
		void *grown = realloc(writer->parts, (size_t)room * sizeof(*writer->parts));
		if (!grown)
			return xp_pickle_emit_fail(writer, -ENOMEM, "memory exhausted");
		writer->parts = grown;
		writer->parts_room = room;
	}
	/* The buffer may still move: its pieces get their addresses at the end. */
	writer->parts[writer->part_count++] =
	    (struct iovec){.iov_base = NULL, .iov_len = writer->used - writer->piece};
	writer->parts[writer->part_count++] =
	    (struct iovec){.iov_base = (char *)(uintptr_t)bytes, .iov_len = size};
	writer->piece = writer->used;
	writer->lent += size;
	return 0;
}

/* @op1 with a length of one byte (0: there is none), @op4 of four, @op8 of eight (likewise). */
static int put_counted(struct xp_pickle_writer *writer, int op1, enum xp_pickle_opcode op4, int op8,
		       const char *bytes, size_t size)
{
	int rc;

	if (op1 && size <= UINT8_MAX)
		rc = xp_pickle_emit_number(writer, (enum xp_pickle_opcode)op1, size, 1);
	else if (size <= UINT32_MAX)
		rc = xp_pickle_emit_number(writer, op4, size, 4);
	else if (op8)
		rc = xp_pickle_emit_number(writer, (enum xp_pickle_opcode)op8, size, 8);
	else
		rc = xp_pickle_emit_fail(writer, -ENOTSUP, "4 GiB or more need protocol 4");
	if (rc < 0)
		return rc;
	if (writer->flags & XP_PICKLE_PARTS && size >= XP_PICKLE_BORROW_MIN)
		return lend(writer, bytes, size);
	return put_bytes(writer, bytes, size);
}

/* ---- text and bytes ------------------------------------------------------------------ */

static int put_unicode(struct xp_pickle_writer *writer, const char *text, size_t size)
{
	if (writer->dialect.protocol >= 4)
		return put_counted(writer, OP_SHORT_BINUNICODE, OP_BINUNICODE, OP_BINUNICODE8, text,
				   size);
	return put_counted(writer, 0, OP_BINUNICODE, 0, text, size);
}

/* A `str` of Python 2. */
static int put_str2(struct xp_pickle_writer *writer, const char *bytes, size_t size)
{
	if (size > INT32_MAX) /* Python 2 reads the length with its sign */
		return xp_pickle_emit_fail(writer, -ENOTSUP, "2 GiB or more for Python 2");
	return put_counted(writer, OP_SHORT_BINSTRING, OP_BINSTRING, 0, bytes, size);
}

static int put_text(struct xp_pickle_writer *writer, const struct xp_datum *node)
{
	bool str2 = writer->dialect.python == 2 && !(node->flags & XP_DATUM_PY2_UNICODE) &&
		    (node->flags & XP_DATUM_ASCII || xp_utf8_is_ascii(node->bytes, node->size));

	return str2 ? put_str2(writer, node->bytes, node->size)
		    : put_unicode(writer, node->bytes, node->size);
}

/* Bytes as the text that has the same code points: Latin-1. */
static int put_latin1(struct xp_pickle_writer *writer, const char *bytes, size_t size)
{
	size_t wide = 0;

	if (xp_utf8_is_ascii(bytes, size))
		return put_unicode(writer, bytes, size);
	for (size_t i = 0; i < size; i++)
		wide += (unsigned char)bytes[i] >= 0x80;
	if (size + wide > UINT32_MAX)
		return xp_pickle_emit_fail(writer, -ENOTSUP, "4 GiB or more need protocol 4");
	int rc = xp_pickle_emit_number(writer, OP_BINUNICODE, size + wide, 4);
	if (rc == 0)
		rc = xp_pickle_emit_room(writer, size + wide + 4);
	for (size_t i = 0; i < size && rc == 0; i++)
		writer->used +=
		    xp_utf8_encode((unsigned char)bytes[i], writer->buffer + writer->used);
	return rc;
}

/* _codecs.encode(text, 'latin1'), @callable(text, 'latin-1') */
static int put_latin1_call(struct xp_pickle_writer *writer, const char *module, const char *name,
			   const char *codec, const struct xp_datum *node)
{
	int rc = xp_pickle_emit_name(writer, module, name);

	if (rc == 0)
		rc = put_latin1(writer, node->bytes, node->size);
	if (rc == 0)
		rc = put_unicode(writer, codec, strlen(codec));
	if (rc == 0)
		rc = xp_pickle_emit_op(writer, OP_TUPLE2);
	return rc == 0 ? xp_pickle_emit_op(writer, OP_REDUCE) : rc;
}

static int put_binary(struct xp_pickle_writer *writer, const struct xp_datum *node)
{
	if (writer->dialect.python == 2)
		return put_str2(writer, node->bytes, node->size);
	if (writer->dialect.protocol <= 2)
		return put_latin1_call(writer, "_codecs", "encode", "latin1", node);
	return put_counted(writer, OP_SHORT_BINBYTES, OP_BINBYTES,
			   writer->dialect.protocol >= 4 ? OP_BINBYTES8 : 0, node->bytes,
			   node->size);
}

static int put_bytearray(struct xp_pickle_writer *writer, const struct xp_datum *node)
{
	int rc;

	if (writer->dialect.protocol <= 2)
		return put_latin1_call(writer, "builtins", "bytearray", "latin-1", node);
	if (writer->dialect.protocol >= 5) {
		rc = xp_pickle_emit_number(writer, OP_BYTEARRAY8, node->size, 8);
		return rc == 0 ? put_bytes(writer, node->bytes, node->size) : rc;
	}
	rc = xp_pickle_emit_name(writer, "builtins", "bytearray");
	if (rc == 0)
		rc = put_binary(writer, node);
	if (rc == 0)
		rc = xp_pickle_emit_op(writer, OP_TUPLE1);
	return rc == 0 ? xp_pickle_emit_op(writer, OP_REDUCE) : rc;
}

/* ---- numbers ------------------------------------------------------------------------- */

static int put_long(struct xp_pickle_writer *writer, const char *bytes, size_t size)
{
	if (size > INT32_MAX)
		return xp_pickle_emit_fail(writer, -ENOTSUP, "an integer of 2 GiB or more");
	return put_counted(writer, OP_LONG1, OP_LONG4, 0, bytes, size);
}

static int put_int(struct xp_pickle_writer *writer, const struct xp_datum *node)
{
	int64_t value = node->integer;
	bool python2 = writer->dialect.python == 2;
	char bytes[32];
	size_t size = 0;

	if (!(python2 && node->flags & XP_DATUM_PY2_LONG)) {
		if (value >= 0 && value <= UINT8_MAX)
			return xp_pickle_emit_number(writer, OP_BININT1, (uint64_t)value, 1);
		if (value >= 0 && value <= UINT16_MAX)
			return xp_pickle_emit_number(writer, OP_BININT2, (uint64_t)value, 2);
		if (value >= INT32_MIN && value <= INT32_MAX)
			return xp_pickle_emit_number(writer, OP_BININT, (uint64_t)value, 4);
		if (python2) {
			size = (size_t)snprintf(bytes, sizeof(bytes), "I%lld\n", (long long)value);
			return put_bytes(writer, bytes, size);
		}
	}
	/* As few bytes as keep the sign; none at all for 0. */
	int64_t rest = value;
	while (value != 0 && (size == 0 || (rest != 0 && rest != -1) ||
			      ((bytes[size - 1] & 0x80) != 0) != (value < 0))) {
		bytes[size++] = (char)rest;
		rest >>= 8;
	}
	return put_long(writer, bytes, size);
}

static int put_float(struct xp_pickle_writer *writer, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return xp_pickle_emit_number(writer, OP_BINFLOAT, __builtin_bswap64(bits), 8);
}

/* ---- names --------------------------------------------------------------------------- */

static bool has_newline(const char *text, size_t size)
{
	return memchr(text, '\n', size) != NULL;
}

/* GLOBAL: two lines. */
static int put_lines(struct xp_pickle_writer *writer, const struct xp_pickle_name *name)
{
	int rc;

	/* A name of a hostile protocol 4 pickle could end its line and go on with opcodes of its own. */
	if (has_newline(name->module, name->module_size) ||
	    has_newline(name->name, name->name_size))
		return xp_pickle_emit_fail(writer, -ENOTSUP, "a name with a line break");
	rc = xp_pickle_emit_op(writer, OP_GLOBAL);
	if (rc == 0)
		rc = put_bytes(writer, name->module, name->module_size);
	if (rc == 0)
		rc = put_bytes(writer, "\n", 1);
	if (rc == 0)
		rc = put_bytes(writer, name->name, name->name_size);
	return rc == 0 ? put_bytes(writer, "\n", 1) : rc;
}

/* Before protocol 4 a nested class is getattr(getattr(module.A, 'B'), 'C'), as CPython writes it. */
static int put_nested(struct xp_pickle_writer *writer, struct xp_pickle_name name)
{
	const char *end = name.name + name.name_size;
	const char *dot = memchr(name.name, '.', name.name_size);
	int rc = 0;

	for (const char *at = dot; at && rc == 0; at = memchr(at + 1, '.', (size_t)(end - at - 1)))
		rc = xp_pickle_emit_name(writer, "builtins", "getattr");
	if (dot == name.name)
		return xp_pickle_emit_fail(writer, -ENOTSUP, "a nested name without a first part");
	name.name_size = (size_t)(dot - name.name);
	if (rc == 0)
		rc = put_lines(writer, &name);
	while (dot && rc == 0) {
		const char *part = dot + 1;
		dot = memchr(part, '.', (size_t)(end - part));
		size_t size = (size_t)((dot ? dot : end) - part);
		rc = writer->dialect.python == 2 ? put_str2(writer, part, size)
						 : put_unicode(writer, part, size);
		if (rc == 0)
			rc = xp_pickle_emit_op(writer, OP_TUPLE2);
		if (rc == 0)
			rc = xp_pickle_emit_op(writer, OP_REDUCE);
	}
	return rc;
}

static int put_name(struct xp_pickle_writer *writer, struct xp_pickle_name name)
{
	if (writer->dialect.protocol >= 4) {
		int rc = put_unicode(writer, name.module, name.module_size);
		if (rc == 0)
			rc = put_unicode(writer, name.name, name.name_size);
		return rc == 0 ? xp_pickle_emit_op(writer, OP_STACK_GLOBAL) : rc;
	}
	if (writer->dialect.protocol <= 2)
		xp_pickle_name_to_python2(&name);
	return memchr(name.name, '.', name.name_size) ? put_nested(writer, name)
						      : put_lines(writer, &name);
}

int xp_pickle_emit_name(struct xp_pickle_writer *writer, const char *module, const char *name)
{
	return put_name(writer,
			(struct xp_pickle_name){module, strlen(module), name, strlen(name)});
}

static int put_global(struct xp_pickle_writer *writer, const struct xp_datum_global *global)
{
	/* What came in the names of Python 2 goes back in the very same. */
	if (global->wire_module && writer->dialect.protocol <= 2) {
		struct xp_pickle_name wire = {global->wire_module->bytes, global->wire_module->size,
					      global->wire_name->bytes, global->wire_name->size};
		return put_lines(writer, &wire);
	}
	return put_name(writer, (struct xp_pickle_name){global->module->bytes, global->module->size,
							global->name->bytes, global->name->size});
}

int xp_pickle_emit_leaf(struct xp_pickle_writer *writer, const struct xp_datum *node)
{
	switch ((enum xp_datum_kind)node->kind) {
	case XP_DATUM_NONE:
		return xp_pickle_emit_op(writer, OP_NONE);
	case XP_DATUM_BOOL:
		return xp_pickle_emit_op(writer, node->integer ? OP_NEWTRUE : OP_NEWFALSE);
	case XP_DATUM_INT:
		return put_int(writer, node);
	case XP_DATUM_BIGINT:
		return put_long(writer, node->bytes, node->size);
	case XP_DATUM_FLOAT:
		return put_float(writer, node->real);
	case XP_DATUM_STR:
		return put_text(writer, node);
	case XP_DATUM_BYTES:
		return put_binary(writer, node);
	case XP_DATUM_BYTEARRAY:
		return put_bytearray(writer, node);
	case XP_DATUM_GLOBAL:
		return put_global(writer, node->global);
	default:
		return xp_pickle_emit_fail(writer, -ENOTSUP, "not a leaf");
	}
}
