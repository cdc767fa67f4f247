/* SPDX-License-Identifier: MIT */
/*
 * The reader: one loop over the opcodes, with a stack of nodes, a list of marks and a memo, as CPython
 * has them. Nothing recurses, and each opcode makes at most one node (a name: five), so memory is linear
 * in the input whatever it says.
 */
#include "xpshare/rpc/pickle.h"

#include "xpshare/rpc/datum_number.h"
#include "xpshare/rpc/pickle_opcode.h"
#include "xpshare/rpc/pickle_run.h"
#include "xpshare/rpc/pickle_text.h"
#include "xpshare/rpc/utf8.h"

#include <stdio.h>

#define PROTOCOL_MAX 5

void xp_pickle_note(struct xp_pickle_run *run, const char *text)
{
	struct xp_pickle_error *error = &run->reader->error;

	error->offset = (size_t)(run->op - run->start);
	snprintf(error->text, sizeof(error->text), "%s at byte %zu", text, error->offset);
}

/* ---- memo ---------------------------------------------------------------------------- */

static int memo_put(struct xp_pickle_run *run, uint64_t index)
{
	struct xp_pickle_reader *reader = run->reader;
	int rc = need(run, 1);

	if (rc < 0)
		return rc;
	if (index >= reader->limits.memo)
		return xp_pickle_fail(run, -EMSGSIZE, "memo index over the limit");
	/* Each entry takes at least one byte of the pickle: a higher index only wastes our memory. */
	if (index > (uint64_t)(run->op - run->start))
		return xp_pickle_fail(run, -EPROTO, "memo index out of proportion");
	while (index >= reader->memo_room) {
		rc = grow_array(run, (void **)&reader->memo, &reader->memo_room,
				sizeof(*reader->memo));
		if (rc < 0)
			return rc;
	}
	while (run->memo_top <= index)
		reader->memo[run->memo_top++] = NULL;
	run->memo_count += reader->memo[index] == NULL;
	reader->memo[index] = top(run);
	if (!(top(run)->flags & XP_DATUM_FROZEN))
		top(run)->flags |= XP_DATUM_MEMOISED;
	return 0;
}

static int share(struct xp_pickle_run *run, struct xp_datum *node)
{
	if (!(node->flags & XP_DATUM_FROZEN))
		node->flags |= XP_DATUM_SHARED;
	return push(run, node);
}

static int memo_get(struct xp_pickle_run *run, uint64_t index)
{
	if (index >= run->memo_top || !run->reader->memo[index])
		return xp_pickle_fail(run, -EPROTO, "memo has no such entry");
	return share(run, run->reader->memo[index]);
}

/* ---- values -------------------------------------------------------------------------- */

static int push_text(struct xp_pickle_run *run, const char *text, size_t size)
{
	bool ascii = xp_utf8_is_ascii(text, size);

	if (!ascii && !xp_utf8_is_valid(text, size))
		return xp_pickle_fail(run, -EPROTO, "text is not UTF-8");
	struct xp_datum *made = over(run, XP_DATUM_STR, text, size);
	if (made)
		made->flags = (uint8_t)((ascii ? XP_DATUM_ASCII : 0) |
					(run->python2 ? XP_DATUM_PY2_UNICODE : 0));
	return push(run, made);
}

/* A `str` of Python 2: text where it is ASCII, as Python 3 reads it, else bytes. */
static int push_str2(struct xp_pickle_run *run, const char *bytes, size_t size)
{
	bool ascii = xp_utf8_is_ascii(bytes, size);
	struct xp_datum *made = over(run, ascii ? XP_DATUM_STR : XP_DATUM_BYTES, bytes, size);

	run->python2 = true;
	if (made)
		made->flags = XP_DATUM_PY2_STR | (ascii ? XP_DATUM_ASCII : 0);
	return push(run, made);
}

static int push_long(struct xp_pickle_run *run, unsigned size_bytes)
{
	const char *bytes;
	size_t size;
	int rc = take_counted(run, size_bytes, &bytes, &size);

	if (rc < 0)
		return rc;
	if (size_bytes == 4 && size > INT32_MAX)
		return xp_pickle_fail(run, -EPROTO, "negative length of an integer");
	struct xp_datum *made = xp_datum_bigint(run->arena, bytes, size);
	if (made && run->protocol <= 2)
		made->flags |= XP_DATUM_PY2_LONG;
	return push(run, made);
}

/* INT, LONG: decimal, with the L that Python 2 puts behind a long. */
static int push_decimal(struct xp_pickle_run *run, bool is_long)
{
	const char *text;
	size_t size;
	struct xp_datum *made;
	int rc = take_line(run, &text, &size);

	if (rc < 0)
		return rc;
	if (!is_long && size == 2 && text[0] == '0' && (text[1] == '0' || text[1] == '1'))
		return push(run, &xp_datum_constants[text[1] - '0']);
	if (is_long && size > 0 && text[size - 1] == 'L')
		size--;
	rc = xp_number_parse_int(run->arena, text, size, &made);
	if (rc == -ENOMEM)
		return exhausted(run);
	if (rc < 0)
		return xp_pickle_fail(run, rc == -EMSGSIZE ? rc : -EPROTO, "malformed integer");
	if (is_long)
		made->flags |= XP_DATUM_PY2_LONG;
	return push(run, made);
}

static int push_float(struct xp_pickle_run *run)
{
	const char *text;
	size_t size;
	double value;
	int rc = take_line(run, &text, &size);

	if (rc < 0)
		return rc;
	if (xp_number_parse_float(text, size, &value) < 0)
		return xp_pickle_fail(run, -EPROTO, "malformed float");
	return push(run, xp_datum_float(run->arena, value));
}

static int push_binfloat(struct xp_pickle_run *run)
{
	uint64_t bits;
	double value;
	int rc = take_number(run, 8, &bits);

	if (rc < 0)
		return rc;
	bits = __builtin_bswap64(bits);
	memcpy(&value, &bits, sizeof(value));
	return push(run, xp_datum_float(run->arena, value));
}

static int push_quoted(struct xp_pickle_run *run, bool unicode)
{
	const char *text;
	size_t size;
	int rc = take_line(run, &text, &size);

	if (rc < 0)
		return rc;
	rc = unicode ? xp_pickle_unescape(run->arena, text, size, &text, &size)
		     : xp_pickle_unquote(run->arena, text, size, &text, &size);
	if (rc == -ENOMEM)
		return exhausted(run);
	if (rc < 0)
		return xp_pickle_fail(run, -EPROTO, "malformed text");
	/* It lies in the arena already. */
	bool borrow = run->borrow;
	run->borrow = true;
	rc = unicode ? push_text(run, text, size) : push_str2(run, text, size);
	run->borrow = borrow;
	return rc;
}

/* ---- containers ---------------------------------------------------------------------- */

static int push_tuple_of(struct xp_pickle_run *run, size_t count)
{
	int rc = need(run, count);

	return rc < 0 ? rc : push_tuple(run, count);
}

static int push_empty(struct xp_pickle_run *run, enum xp_datum_kind kind)
{
	run->containers++;
	return push(run, xp_datum_container(run->arena, kind, 0));
}

/* Put the @count values on top of the stack behind those of @container, and drop them. */
static int fill(struct xp_pickle_run *run, struct xp_datum *container, size_t count)
{
	bool dict = container->kind == XP_DATUM_DICT;
	size_t used = dict ? 2 * container->count : container->count;

	run->depth -= count;
	if (count == 0)
		return 0;
	if (dict && count % 2)
		return xp_pickle_fail(run, -EPROTO, "a key without a value");
	if (xp_datum_reserve(run->arena, container, used, count) < 0)
		return exhausted(run);
	memcpy(container->items + used, run->reader->stack + run->depth,
	       count * sizeof(*container->items));
	container->count += dict ? count / 2 : count;
	return 0;
}

/* Where an instance keeps what is put into it. */
static struct xp_datum **part_of(struct xp_datum_reduce *reduce, enum xp_datum_kind kind)
{
	if (kind == XP_DATUM_LIST)
		return &reduce->items;
	return kind == XP_DATUM_DICT ? &reduce->pairs : &reduce->members;
}

/* APPENDS, SETITEMS, ADDITEMS and their kin: @count values go into the container of @kind below them. */
static int put_into(struct xp_pickle_run *run, enum xp_datum_kind kind, size_t count)
{
	if (run->depth - run->fence < count + 1)
		return xp_pickle_fail(run, -EPROTO, "stack underflow");
	struct xp_datum *target = run->reader->stack[run->depth - count - 1];
	if (target->kind == XP_DATUM_REDUCE) {
		struct xp_datum **part = part_of(target->reduce, kind);
		if (!*part)
			*part = xp_datum_container(run->arena, kind, 0);
		if (!*part)
			return exhausted(run);
		target = *part;
	}
	if (target->kind != (uint8_t)kind)
		return xp_pickle_fail(run, -EPROTO, "items for something that takes none");
	return fill(run, target, count);
}

static int put_marked(struct xp_pickle_run *run, enum xp_datum_kind kind)
{
	ssize_t count = unmark(run);

	return count < 0 ? (int)count : put_into(run, kind, (size_t)count);
}

/* LIST, DICT, FROZENSET: a container of all that lies above the mark. */
static int push_marked(struct xp_pickle_run *run, enum xp_datum_kind kind)
{
	ssize_t count = unmark(run);
	struct xp_datum *made;

	if (count < 0)
		return (int)count;
	if (kind == XP_DATUM_TUPLE)
		return push_tuple(run, (size_t)count);
	run->containers++;
	made = xp_datum_container(run->arena, kind, 0);
	if (!made)
		return exhausted(run);
	int rc = fill(run, made, (size_t)count);
	return rc < 0 ? rc : push(run, made);
}

static int discard(struct xp_pickle_run *run)
{
	/* As in CPython, POP on a mark closes it. */
	if (run->depth == run->fence && run->marks > 0) {
		ssize_t count = unmark(run);
		return count < 0 ? (int)count : 0;
	}
	int rc = need(run, 1);
	if (rc < 0)
		return rc;
	const struct xp_datum *gone = pop(run);
	if (gone->kind == XP_DATUM_REDUCE && !(gone->flags & XP_DATUM_MEMOISED))
		return xp_pickle_fail(run, -ENOTSUP, "a call for its side effect only");
	return 0;
}

/* ---- the loop ------------------------------------------------------------------------ */

/* Opcodes with an argument that is counted or numbered. */
static int step_sized(struct xp_pickle_run *run, enum xp_pickle_opcode op)
{
	const char *bytes;
	size_t size;
	uint64_t number;
	unsigned width;
	int rc;

	switch (op) {
	case OP_SHORT_BINUNICODE:
	case OP_BINUNICODE:
	case OP_BINUNICODE8:
		width = op == OP_SHORT_BINUNICODE ? 1 : op == OP_BINUNICODE ? 4 : 8;
		rc = take_counted(run, width, &bytes, &size);
		return rc < 0 ? rc : push_text(run, bytes, size);
	case OP_SHORT_BINSTRING:
	case OP_BINSTRING:
		rc = take_counted(run, op == OP_BINSTRING ? 4 : 1, &bytes, &size);
		return rc < 0 ? rc : push_str2(run, bytes, size);
	case OP_SHORT_BINBYTES:
	case OP_BINBYTES:
	case OP_BINBYTES8:
		width = op == OP_SHORT_BINBYTES ? 1 : op == OP_BINBYTES ? 4 : 8;
		rc = take_counted(run, width, &bytes, &size);
		return rc < 0 ? rc : push(run, over(run, XP_DATUM_BYTES, bytes, size));
	case OP_BYTEARRAY8:
		rc = take_counted(run, 8, &bytes, &size);
		return rc < 0 ? rc : push(run, over(run, XP_DATUM_BYTEARRAY, bytes, size));
	case OP_BININT:
		rc = take_number(run, 4, &number);
		return rc < 0 ? rc : push(run, xp_datum_int(run->arena, (int32_t)number));
	case OP_BININT1:
	case OP_BININT2:
		rc = take_number(run, op == OP_BININT1 ? 1 : 2, &number);
		return rc < 0 ? rc : push(run, xp_datum_int(run->arena, (int64_t)number));
	case OP_BINPUT:
	case OP_LONG_BINPUT:
		rc = take_number(run, op == OP_BINPUT ? 1 : 4, &number);
		return rc < 0 ? rc : memo_put(run, number);
	case OP_BINGET:
	case OP_LONG_BINGET:
		rc = take_number(run, op == OP_BINGET ? 1 : 4, &number);
		return rc < 0 ? rc : memo_get(run, number);
	case OP_PUT:
		rc = take_index(run, &number);
		return rc < 0 ? rc : memo_put(run, number);
	case OP_GET:
		rc = take_index(run, &number);
		return rc < 0 ? rc : memo_get(run, number);
	case OP_FRAME: /* says how much may be read at once, which is all here */
		return take_number(run, 8, &number);
	case OP_PROTO:
		rc = take_number(run, 1, &number);
		if (rc == 0 && number > PROTOCOL_MAX)
			return xp_pickle_fail(run, -ENOTSUP, "unknown protocol");
		run->protocol = rc == 0 ? (unsigned)number : 0;
		return rc;
	default:
		return xp_pickle_fail(run, -EPROTO, "unknown opcode");
	}
}

static int step(struct xp_pickle_run *run, enum xp_pickle_opcode op)
{
	ssize_t count;
	int rc;

	switch (op) {
	case OP_MARK:
		return mark(run);
	case OP_POP:
		return discard(run);
	case OP_POP_MARK:
		count = unmark(run);
		run->depth -= count > 0 ? (size_t)count : 0;
		return count < 0 ? (int)count : 0;
	case OP_DUP:
		rc = need(run, 1);
		return rc < 0 ? rc : share(run, top(run));
	case OP_NONE:
		return push(run, &xp_datum_constants[2]);
	case OP_NEWTRUE:
		return push(run, &xp_datum_constants[1]);
	case OP_NEWFALSE:
		return push(run, &xp_datum_constants[0]);
	case OP_INT:
	case OP_LONG:
		return push_decimal(run, op == OP_LONG);
	case OP_LONG1:
		return push_long(run, 1);
	case OP_LONG4:
		return push_long(run, 4);
	case OP_FLOAT:
		return push_float(run);
	case OP_BINFLOAT:
		return push_binfloat(run);
	case OP_STRING:
	case OP_UNICODE:
		return push_quoted(run, op == OP_UNICODE);
	case OP_EMPTY_TUPLE:
		return push_tuple(run, 0);
	case OP_TUPLE1:
	case OP_TUPLE2:
	case OP_TUPLE3:
		return push_tuple_of(run, (size_t)(op - OP_TUPLE1) + 1);
	case OP_TUPLE:
		return push_marked(run, XP_DATUM_TUPLE);
	case OP_LIST:
		return push_marked(run, XP_DATUM_LIST);
	case OP_DICT:
		return push_marked(run, XP_DATUM_DICT);
	case OP_FROZENSET:
		return push_marked(run, XP_DATUM_FROZENSET);
	case OP_EMPTY_LIST:
		return push_empty(run, XP_DATUM_LIST);
	case OP_EMPTY_DICT:
		return push_empty(run, XP_DATUM_DICT);
	case OP_EMPTY_SET:
		return push_empty(run, XP_DATUM_SET);
	case OP_APPEND:
		return put_into(run, XP_DATUM_LIST, 1);
	case OP_SETITEM:
		return put_into(run, XP_DATUM_DICT, 2);
	case OP_APPENDS:
		return put_marked(run, XP_DATUM_LIST);
	case OP_SETITEMS:
		return put_marked(run, XP_DATUM_DICT);
	case OP_ADDITEMS:
		return put_marked(run, XP_DATUM_SET);
	case OP_MEMOIZE:
		return memo_put(run, run->memo_count);
	case OP_GLOBAL:
		return xp_pickle_global(run);
	case OP_STACK_GLOBAL:
		return xp_pickle_stack_global(run);
	case OP_REDUCE:
		return xp_pickle_call(run, XP_DATUM_CALL);
	case OP_NEWOBJ:
		return xp_pickle_call(run, XP_DATUM_NEWOBJ);
	case OP_NEWOBJ_EX:
		return xp_pickle_call(run, XP_DATUM_NEWOBJ_EX);
	case OP_OBJ:
		return xp_pickle_old_object(run);
	case OP_INST:
		return xp_pickle_old_instance(run);
	case OP_BUILD:
		return xp_pickle_build(run);
	case OP_EXT1:
	case OP_EXT2:
	case OP_EXT4:
		return xp_pickle_fail(run, -ENOTSUP, "extension codes are not supported");
	case OP_PERSID:
	case OP_BINPERSID:
		return xp_pickle_fail(run, -ENOTSUP, "persistent ids are not supported");
	case OP_NEXT_BUFFER:
	case OP_READONLY_BUFFER:
		return xp_pickle_fail(run, -ENOTSUP,
				      "buffers outside the pickle are not supported");
	default:
		return step_sized(run, op);
	}
}

static int finish(struct xp_pickle_run *run, struct xp_datum **ret_value)
{
	if (run->depth != 1 || run->marks > 0)
		return xp_pickle_fail(run, -EPROTO, "the stack does not hold one value at the end");
	if (run->at != run->end)
		return xp_pickle_fail(run, -EPROTO, "bytes after the end of the pickle");
	struct xp_datum *value = top(run);
	/* Fewer containers than the limit cannot nest more deeply than it. */
	if (run->containers > run->reader->limits.depth) {
		int rc = xp_datum_depth(value, run->reader->limits.depth);
		if (rc == -E2BIG)
			return xp_pickle_fail(run, -EMSGSIZE, "nested too deeply");
		if (rc < 0)
			return exhausted(run);
	}
	run->reader->dialect =
	    (struct xp_dialect){.python = run->python2 ? 2 : 3, .protocol = (uint8_t)run->protocol};
	*ret_value = value;
	return 0;
}

void xp_pickle_reader_init(struct xp_pickle_reader *reader, const struct xp_pickle_limits *limits)
{
	*reader = (struct xp_pickle_reader){.dialect = XP_DIALECT_ANY};
	if (limits)
		reader->limits = *limits;
	if (!reader->limits.bytes)
		reader->limits.bytes = XP_PICKLE_MAX_BYTES;
	if (!reader->limits.nodes)
		reader->limits.nodes = XP_PICKLE_MAX_NODES;
	if (!reader->limits.depth)
		reader->limits.depth = XP_PICKLE_MAX_DEPTH;
	if (!reader->limits.memo)
		reader->limits.memo = XP_PICKLE_MAX_MEMO;
}

void xp_pickle_reader_fini(struct xp_pickle_reader *reader)
{
	free(reader->stack);
	free(reader->memo);
	free(reader->marks);
	xp_pickle_reader_init(reader, &reader->limits);
}

int xp_pickle_read(struct xp_pickle_reader *reader, struct xp_datum_arena *arena, const void *data,
		   size_t size, unsigned flags, struct xp_datum **ret_value)
{
	struct xp_pickle_run run = {.reader = reader,
				    .arena = arena,
				    .start = data,
				    .op = data,
				    .at = data,
				    .end = (const unsigned char *)data + size,
				    .python2 = flags & XP_PICKLE_PYTHON2,
				    .borrow = flags & XP_PICKLE_BORROW};
	int rc = 0;

	reader->error = (struct xp_pickle_error){0};
	if (size > reader->limits.bytes)
		return xp_pickle_fail(&run, -EMSGSIZE, "pickle is too large");
	while (rc == 0) {
		if (run.at == run.end)
			return truncated(&run);
		run.op = run.at++;
		if (*run.op == OP_STOP)
			return finish(&run, ret_value);
		rc = step(&run, (enum xp_pickle_opcode) * run.op);
	}
	return rc;
}
