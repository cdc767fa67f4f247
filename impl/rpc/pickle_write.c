/* SPDX-License-Identifier: MIT */
/*
 * The writer: a depth-first walk with a stack of its own. Each open container is a step that knows how
 * far it has come.
 *
 * Memo. Only nodes that carry XP_DATUM_SHARED are memoised. A list, dict or set is memoised as soon as
 * it is opened, so a cycle through it finds it there. A tuple, frozenset or instance exists only once its
 * parts do: a cycle back to it, through some list among its parts, writes it again inside that list,
 * where it ends because the list is in the memo by then, and memoises it there. The outer one then finds
 * itself in the memo, drops its parts and fetches that (as CPython does).
 */
#include "xpshare/rpc/pickle_emit.h"

#include <stdlib.h>

#define BATCH 1000 /* items per APPENDS, SETITEMS, ADDITEMS; CPython's own number */

/* The parts of an instance, in the order of the wire. */
enum phase { CALLABLE, ARGS, KWARGS, MAKE, ITEMS, PAIRS, MEMBERS, STATE, BUILD };

struct xp_pickle_step {
	const struct xp_datum *node;
	size_t at; /* slots of the container, or of the part of an instance, that are written */
	unsigned phase; /* of an instance; of an OBJECT: 1 once its original is written */
};

struct xp_pickle_memo {
	const struct xp_datum *node;
	uint32_t index;
	uint32_t generation;
};

static int emit(struct xp_pickle_writer *writer, enum xp_pickle_opcode op)
{
	return xp_pickle_emit_op(writer, op);
}

/* ---- memo ---------------------------------------------------------------------------- */

static struct xp_pickle_memo *memo_slot(const struct xp_pickle_writer *writer,
					const struct xp_datum *node)
{
	size_t at = xp_datum_map_hash(node) & (writer->memo_room - 1);

	while (writer->memo[at].generation == writer->generation && writer->memo[at].node != node)
		at = (at + 1) & (writer->memo_room - 1);
	return &writer->memo[at];
}

static int memo_grow(struct xp_pickle_writer *writer)
{
	struct xp_pickle_writer old = *writer;
	size_t room = old.memo_room ? 2 * old.memo_room : 64;
	struct xp_pickle_memo *memo = calloc(room, sizeof(*memo));

	if (!memo)
		return xp_pickle_emit_fail(writer, -ENOMEM, "memory exhausted");
	writer->memo = memo;
	writer->memo_room = room;
	for (size_t i = 0; i < old.memo_room; i++) {
		if (old.memo[i].generation == old.generation)
			*memo_slot(writer, old.memo[i].node) = old.memo[i];
	}
	free(old.memo);
	return 0;
}

/* The value on top of the reader's stack is @node: remember it if it will be needed again. */
static int memo_put(struct xp_pickle_writer *writer, const struct xp_datum *node)
{
	int rc = 0;

	if (!(node->flags & XP_DATUM_SHARED))
		return 0;
	if (2 * (writer->memo_count + 1) > writer->memo_room)
		rc = memo_grow(writer);
	if (rc < 0)
		return rc;
	uint32_t index = (uint32_t)writer->memo_count++;
	*memo_slot(writer, node) = (struct xp_pickle_memo){node, index, writer->generation};
	if (writer->dialect.protocol >= 4)
		return emit(writer, OP_MEMOIZE);
	return index <= UINT8_MAX ? xp_pickle_emit_number(writer, OP_BINPUT, index, 1)
				  : xp_pickle_emit_number(writer, OP_LONG_BINPUT, index, 4);
}

static const struct xp_pickle_memo *memo_find(const struct xp_pickle_writer *writer,
					      const struct xp_datum *node)
{
	if (!(node->flags & XP_DATUM_SHARED) || writer->memo_count == 0)
		return NULL;
	const struct xp_pickle_memo *slot = memo_slot(writer, node);
	return slot->generation == writer->generation ? slot : NULL;
}

static int memo_get(struct xp_pickle_writer *writer, const struct xp_pickle_memo *slot)
{
	return slot->index <= UINT8_MAX
		   ? xp_pickle_emit_number(writer, OP_BINGET, slot->index, 1)
		   : xp_pickle_emit_number(writer, OP_LONG_BINGET, slot->index, 4);
}

/* ---- opening ------------------------------------------------------------------------- */

static int push_step(struct xp_pickle_writer *writer, const struct xp_datum *node)
{
	if (writer->depth == writer->max_depth)
		return xp_pickle_emit_fail(writer, -EMSGSIZE, "the value is nested too deeply");
	if (writer->depth == writer->steps_room) {
		size_t room = writer->steps_room ? 2 * writer->steps_room : 16;
		void *grown = realloc(writer->steps, room * sizeof(*writer->steps));
		if (!grown)
			return xp_pickle_emit_fail(writer, -ENOMEM, "memory exhausted");
		writer->steps = grown;
		writer->steps_room = room;
	}
	writer->steps[writer->depth++] = (struct xp_pickle_step){.node = node};
	return 0;
}

/* Before protocol 4 a set is a call: builtins.set([...]). */
static int open_set_call(struct xp_pickle_writer *writer, const char *name)
{
	int rc = xp_pickle_emit_name(writer, "builtins", name);

	return rc == 0 ? emit(writer, OP_EMPTY_LIST) : rc;
}

/* Write what comes before the children of @node. */
static int open(struct xp_pickle_writer *writer, const struct xp_datum *node)
{
	bool modern = writer->dialect.protocol >= 4;
	int rc = 0;

	switch ((enum xp_datum_kind)node->kind) {
	case XP_DATUM_LIST:
		rc = emit(writer, OP_EMPTY_LIST);
		return rc == 0 ? memo_put(writer, node) : rc;
	case XP_DATUM_DICT:
		rc = emit(writer, OP_EMPTY_DICT);
		return rc == 0 ? memo_put(writer, node) : rc;
	case XP_DATUM_SET:
		if (!modern)
			return open_set_call(writer, "set");
		rc = emit(writer, OP_EMPTY_SET);
		return rc == 0 ? memo_put(writer, node) : rc;
	case XP_DATUM_FROZENSET:
		return modern ? emit(writer, OP_MARK) : open_set_call(writer, "frozenset");
	case XP_DATUM_TUPLE:
		return node->count > 3 ? emit(writer, OP_MARK) : 0;
	case XP_DATUM_REDUCE:
		return node->reduce->form == XP_DATUM_OLDOBJ ? emit(writer, OP_MARK) : 0;
	default:
		return 0;
	}
}

/* Write @node: all of it where it nests nothing, else its beginning, and a step for the rest. */
static int save(struct xp_pickle_writer *writer, const struct xp_datum *node)
{
	const struct xp_pickle_memo *slot = memo_find(writer, node);
	int rc;

	if (slot)
		return memo_get(writer, slot);
	if (xp_datum_is_leaf(node) || node->kind == XP_DATUM_GLOBAL) {
		rc = xp_pickle_emit_leaf(writer, node);
		return rc == 0 ? memo_put(writer, node) : rc;
	}
	rc = open(writer, node);
	return rc == 0 ? push_step(writer, node) : rc;
}

/* ---- going on ------------------------------------------------------------------------ */

enum { MORE = 0, FINISHED = 1 };

static bool is_plain_leaf(const struct xp_datum *node)
{
	return xp_datum_is_leaf(node) && !(node->flags & XP_DATUM_SHARED);
}

/*
 * The next child of @container, in batches of @stride slots times BATCH, each between a MARK and
 * @many, or followed by @one where it is a single item and there is such an opcode.
 */
static int next_in_batch(struct xp_pickle_writer *writer, const struct xp_datum *container,
			 size_t stride, int one, enum xp_pickle_opcode many)
{
	struct xp_pickle_step *step = &writer->steps[writer->depth - 1];
	size_t total = container->count * stride, batch = BATCH * stride;
	int rc = 0;

	for (;;) {
		size_t at = step->at;
		if (at == total || at % batch == 0) {
			if (at > 0) {
				size_t first = (at - 1) / batch * batch;
				bool single = one && total - first == stride;
				rc = emit(writer, single ? (enum xp_pickle_opcode)one : many);
			}
			if (rc < 0)
				return rc;
			if (at == total)
				return FINISHED;
			if (!one || total - at > stride)
				rc = emit(writer, OP_MARK);
			if (rc < 0)
				return rc;
		}
		step->at++;
		const struct xp_datum *child = container->items[at];
		if (!is_plain_leaf(child)) {
			rc = save(writer, child); /* may move the steps */
			return rc < 0 ? rc : MORE;
		}
		rc = xp_pickle_emit_leaf(writer, child);
		if (rc < 0)
			return rc;
	}
}

static int next_of_tuple(struct xp_pickle_writer *writer)
{
	struct xp_pickle_step *step = &writer->steps[writer->depth - 1];
	const struct xp_datum *tuple = step->node;
	int rc;

	while (step->at < tuple->count) {
		const struct xp_datum *child = tuple->items[step->at++];
		if (!is_plain_leaf(child)) {
			rc = save(writer, child);
			return rc < 0 ? rc : MORE;
		}
		rc = xp_pickle_emit_leaf(writer, child);
		if (rc < 0)
			return rc;
	}
	return FINISHED;
}

static int close_tuple(struct xp_pickle_writer *writer, const struct xp_datum *tuple)
{
	static const enum xp_pickle_opcode ops[] = {OP_EMPTY_TUPLE, OP_TUPLE1, OP_TUPLE2,
						    OP_TUPLE3};
	const struct xp_pickle_memo *slot = memo_find(writer, tuple);
	int rc = 0;

	if (slot) { /* written inside itself */
		for (size_t i = 0; tuple->count <= 3 && i < tuple->count && rc == 0; i++)
			rc = emit(writer, OP_POP);
		if (tuple->count > 3)
			rc = emit(writer, OP_POP_MARK);
		return rc == 0 ? memo_get(writer, slot) : rc;
	}
	rc = emit(writer, tuple->count <= 3 ? ops[tuple->count] : OP_TUPLE);
	return rc == 0 ? memo_put(writer, tuple) : rc;
}

/* What @node was made of is on the stack as one value: keep it, or fetch the one made inside itself. */
static int made(struct xp_pickle_writer *writer, const struct xp_datum *node)
{
	const struct xp_pickle_memo *slot = memo_find(writer, node);

	if (!slot)
		return memo_put(writer, node);
	int rc = emit(writer, OP_POP);
	return rc == 0 ? memo_get(writer, slot) : rc;
}

static int close_set_call(struct xp_pickle_writer *writer, const struct xp_datum *set)
{
	int rc = emit(writer, OP_TUPLE1);

	if (rc == 0)
		rc = emit(writer, OP_REDUCE);
	return rc == 0 ? made(writer, set) : rc;
}

static int close_frozenset(struct xp_pickle_writer *writer, const struct xp_datum *set)
{
	const struct xp_pickle_memo *slot = memo_find(writer, set);
	int rc = emit(writer, slot ? OP_POP_MARK : OP_FROZENSET);

	if (rc < 0)
		return rc;
	return slot ? memo_get(writer, slot) : memo_put(writer, set);
}

/* ---- instances ----------------------------------------------------------------------- */

/* The opcode that makes the instance of what is on the stack. */
static int make(struct xp_pickle_writer *writer, const struct xp_datum *node)
{
	static const enum xp_pickle_opcode ops[] = {
	    [XP_DATUM_CALL] = OP_REDUCE,
	    [XP_DATUM_NEWOBJ] = OP_NEWOBJ,
	    [XP_DATUM_NEWOBJ_EX] = OP_NEWOBJ_EX,
	    [XP_DATUM_OLDOBJ] = OP_OBJ,
	};
	enum xp_datum_form form = node->reduce->form;
	int rc = 0;

	if (form == XP_DATUM_NEWOBJ_EX && writer->dialect.protocol < 4) {
		/* copyreg.__newobj_ex__(class, args, kwargs); its name is there already */
		rc = emit(writer, OP_TUPLE3);
		form = XP_DATUM_CALL;
	}
	if (rc == 0)
		rc = emit(writer, ops[form]);
	return rc == 0 ? made(writer, node) : rc;
}

static int next_of_instance(struct xp_pickle_writer *writer)
{
	struct xp_pickle_step *step = &writer->steps[writer->depth - 1];
	const struct xp_datum *node = step->node;
	const struct xp_datum_reduce *reduce = node->reduce;
	bool before_4 = writer->dialect.protocol < 4;
	unsigned phase = step->phase;
	int rc = 0;

	/* The parts that are containers of their own stay in their phase until they are through. */
	switch ((enum phase)phase) {
	case ARGS:
		if (reduce->form != XP_DATUM_OLDOBJ)
			break;
		if (step->at < reduce->args->count)
			return save(writer, reduce->args->items[step->at++]);
		step->phase = KWARGS;
		step->at = 0;
		return MORE;
	case ITEMS:
		rc = reduce->items ? next_in_batch(writer, reduce->items, 1, OP_APPEND, OP_APPENDS)
				   : FINISHED;
		break;
	case PAIRS:
		rc = reduce->pairs
			 ? next_in_batch(writer, reduce->pairs, 2, OP_SETITEM, OP_SETITEMS)
			 : FINISHED;
		break;
	case MEMBERS:
		if (reduce->members && writer->dialect.python == 2)
			return xp_pickle_emit_fail(
			    writer, -ENOTSUP, "Python 2 cannot take the members of a set subclass");
		rc = reduce->members ? next_in_batch(writer, reduce->members, 1, 0, OP_ADDITEMS)
				     : FINISHED;
		break;
	default:
		break;
	}
	if (phase >= ITEMS && phase <= MEMBERS) {
		if (rc != FINISHED)
			return rc;
		step->at = 0;
	}
	step->phase = phase + 1;
	switch ((enum phase)phase) {
	case CALLABLE:
		if (reduce->form == XP_DATUM_NEWOBJ_EX && before_4) {
			if (writer->dialect.python == 2)
				return xp_pickle_emit_fail(writer, -ENOTSUP,
							   "Python 2 has no __newobj_ex__");
			rc = xp_pickle_emit_name(writer, "copyreg", "__newobj_ex__");
		}
		return rc == 0 ? save(writer, reduce->callable) : rc;
	case ARGS:
		return save(writer, reduce->args);
	case KWARGS:
		return reduce->form == XP_DATUM_NEWOBJ_EX ? save(writer, reduce->kwargs) : MORE;
	case MAKE:
		return make(writer, node);
	case ITEMS:
	case PAIRS:
	case MEMBERS:
		return MORE;
	case STATE:
		return reduce->state ? save(writer, reduce->state) : FINISHED;
	case BUILD:
		rc = emit(writer, OP_BUILD);
		return rc < 0 ? rc : FINISHED;
	}
	return FINISHED;
}

/* One step of the container that is open innermost. */
static int advance(struct xp_pickle_writer *writer)
{
	struct xp_pickle_step *step = &writer->steps[writer->depth - 1];
	const struct xp_datum *node = step->node;
	bool modern = writer->dialect.protocol >= 4;
	int rc;

	switch ((enum xp_datum_kind)node->kind) {
	case XP_DATUM_LIST:
		rc = next_in_batch(writer, node, 1, OP_APPEND, OP_APPENDS);
		break;
	case XP_DATUM_DICT:
		rc = next_in_batch(writer, node, 2, OP_SETITEM, OP_SETITEMS);
		break;
	case XP_DATUM_SET:
	case XP_DATUM_FROZENSET:
		if (modern && node->kind == XP_DATUM_SET)
			rc = next_in_batch(writer, node, 1, 0, OP_ADDITEMS);
		else if (modern)
			rc = next_of_tuple(writer);
		else
			rc = next_in_batch(writer, node, 1, OP_APPEND, OP_APPENDS);
		break;
	case XP_DATUM_TUPLE:
		rc = next_of_tuple(writer);
		break;
	case XP_DATUM_REDUCE:
		rc = next_of_instance(writer);
		break;
	case XP_DATUM_OBJECT:
		if (step->phase == 1) {
			rc = FINISHED;
			break;
		}
		step->phase = 1;
		return save(writer, node->object->original);
	default:
		rc = FINISHED;
	}
	if (rc != FINISHED)
		return rc;
	writer->depth--;
	if (node->kind == XP_DATUM_TUPLE)
		return close_tuple(writer, node);
	if (node->kind == XP_DATUM_OBJECT)
		return made(writer, node);
	if (node->kind == XP_DATUM_FROZENSET && modern)
		return close_frozenset(writer, node);
	if ((node->kind == XP_DATUM_SET || node->kind == XP_DATUM_FROZENSET) && !modern)
		return close_set_call(writer, node);
	return 0;
}

/* ---- the call ------------------------------------------------------------------------ */

void xp_pickle_writer_init(struct xp_pickle_writer *writer, size_t max_bytes, unsigned max_depth)
{
	*writer = (struct xp_pickle_writer){
	    .max_bytes = max_bytes ? max_bytes : XP_PICKLE_MAX_BYTES,
	    .max_depth = max_depth ? max_depth : XP_PICKLE_WRITE_DEPTH,
	};
}

void xp_pickle_writer_fini(struct xp_pickle_writer *writer)
{
	free(writer->parts);
	free(writer->buffer);
	free(writer->steps);
	free(writer->memo);
	xp_pickle_writer_init(writer, writer->max_bytes, writer->max_depth);
}

void xp_pickle_writer_trim(struct xp_pickle_writer *writer, size_t keep)
{
	if (writer->room + writer->memo_room * sizeof(*writer->memo) > keep)
		xp_pickle_writer_fini(writer);
}

/* Give the pieces of the buffer their addresses, now that it no longer moves. */
static int finish_parts(struct xp_pickle_writer *writer)
{
	size_t offset = 0;

	if (writer->parts_room == 0) {
		writer->parts = malloc(2 * sizeof(*writer->parts));
		if (!writer->parts)
			return xp_pickle_emit_fail(writer, -ENOMEM, "memory exhausted");
		writer->parts_room = 2;
	}
	writer->parts[writer->part_count++] =
	    (struct iovec){.iov_base = NULL, .iov_len = writer->used - writer->piece};
	for (int i = 0; i < writer->part_count; i++) {
		if (writer->parts[i].iov_base)
			continue;
		writer->parts[i].iov_base = writer->buffer + offset;
		offset += writer->parts[i].iov_len;
	}
	return 0;
}

int xp_pickle_write(struct xp_pickle_writer *writer, const struct xp_datum *value,
		    struct xp_dialect dialect, size_t reserve, unsigned flags)
{
	/* The oldest that is written; older peers do not exist, and all read it. */
	if (dialect.protocol < 2 || dialect.python == 2)
		dialect.protocol = 2;
	writer->dialect = dialect;
	writer->flags = flags;
	writer->error = (struct xp_pickle_error){0};
	writer->used = writer->lent = writer->piece = writer->depth = 0;
	writer->memo_count = 0;
	writer->part_count = 0;
	writer->size = 0;
	if (++writer->generation == 0) { /* wrapped: the old slots would look like new ones */
		for (size_t i = 0; i < writer->memo_room; i++)
			writer->memo[i].generation = 0;
		writer->generation = 1;
	}

	int rc = xp_pickle_emit_room(writer, reserve);
	if (rc < 0)
		return rc;
	writer->used = reserve;
	rc = xp_pickle_emit_number(writer, OP_PROTO, dialect.protocol, 1);
	if (rc == 0)
		rc = save(writer, value);
	while (rc == 0 && writer->depth > 0)
		rc = advance(writer);
	if (rc == 0)
		rc = emit(writer, OP_STOP);
	if (rc == 0)
		rc = finish_parts(writer);
	if (rc == 0)
		writer->size = writer->used - reserve + writer->lent;
	return rc;
}
