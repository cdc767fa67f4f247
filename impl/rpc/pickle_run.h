/* SPDX-License-Identifier: MIT */
/*
 * pickle_run - one pickle being read: its input, the stack with its marks, errors
 *
 * Private to the reader, which is in two files: pickle_read.c has the loop, the values and the
 * containers, pickle_call.c the names and the instances.
 */
#ifndef XPSHARE_RPC_PICKLE_RUN_H
#define XPSHARE_RPC_PICKLE_RUN_H

#include "xpshare/rpc/datum_walk.h"
#include "xpshare/rpc/pickle.h"

#include <stdlib.h>

struct xp_pickle_run {
	struct xp_pickle_reader *reader;
	struct xp_datum_arena *arena;
	const unsigned char *start;
	const unsigned char *op; /* the opcode in work */
	const unsigned char *at; /* what follows it */
	const unsigned char *end;
	size_t depth;	   /* of the stack */
	size_t fence;	   /* what lies below belongs to an outer mark */
	size_t marks;	   /* open */
	size_t memo_top;   /* slots of the memo that this run has set or cleared */
	size_t memo_count; /* slots in use: the next MEMOIZE */
	size_t nodes;
	size_t containers;
	unsigned protocol;
	bool python2;
	bool borrow;
};

/* Note @text and where it happened, for the caller of the reader. */
void xp_pickle_note(struct xp_pickle_run *run, const char *text);

/* Inline, so that the compiler sees that what it returns is an error. */
static inline int xp_pickle_fail(struct xp_pickle_run *run, int err, const char *text)
{
	xp_pickle_note(run, text);
	return err;
}

static inline int exhausted(struct xp_pickle_run *run)
{
	return xp_pickle_fail(run, -ENOMEM, "memory exhausted");
}

/* ---- input --------------------------------------------------------------------------- */

static inline int truncated(struct xp_pickle_run *run)
{
	return xp_pickle_fail(run, -EPROTO, "pickle is truncated");
}

static inline size_t left(const struct xp_pickle_run *run)
{
	return (size_t)(run->end - run->at);
}

static inline uint64_t little_endian(const unsigned char *at, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = size; i-- > 0;)
		value = value << 8 | at[i];
	return value;
}

/* An unsigned number of @size bytes. */
static inline int take_number(struct xp_pickle_run *run, unsigned size, uint64_t *ret_value)
{
	if (left(run) < size)
		return truncated(run);
	*ret_value = little_endian(run->at, size);
	run->at += size;
	return 0;
}

/* A length of @size bytes and as many bytes as it says. */
static inline int take_counted(struct xp_pickle_run *run, unsigned size, const char **ret_bytes,
			       size_t *ret_size)
{
	uint64_t length;
	int rc = take_number(run, size, &length);

	if (rc < 0)
		return rc;
	if (length > left(run))
		return truncated(run);
	*ret_bytes = (const char *)run->at;
	*ret_size = (size_t)length;
	run->at += length;
	return 0;
}

/* The rest of the line, without its end. */
static inline int take_line(struct xp_pickle_run *run, const char **ret_text, size_t *ret_size)
{
	const unsigned char *end = memchr(run->at, '\n', left(run));

	if (!end)
		return truncated(run);
	*ret_text = (const char *)run->at;
	*ret_size = (size_t)(end - run->at);
	run->at = end + 1;
	return 0;
}

/* A line that is a small number: an index of the memo. */
static inline int take_index(struct xp_pickle_run *run, uint64_t *ret_index)
{
	const char *text;
	size_t size;
	uint64_t index = 0;
	int rc = take_line(run, &text, &size);

	if (rc < 0)
		return rc;
	if (size == 0 || size > 9)
		return xp_pickle_fail(run, -EPROTO, "malformed memo index");
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return xp_pickle_fail(run, -EPROTO, "malformed memo index");
		index = index * 10 + (uint64_t)(text[i] - '0');
	}
	*ret_index = index;
	return 0;
}

/* ---- stack --------------------------------------------------------------------------- */

static inline int grow_array(struct xp_pickle_run *run, void **array, size_t *room, size_t element)
{
	size_t wanted = *room ? 2 * *room : 64;
	void *grown = realloc(*array, wanted * element);

	if (!grown)
		return exhausted(run);
	*array = grown;
	*room = wanted;
	return 0;
}

static inline int push(struct xp_pickle_run *run, struct xp_datum *node)
{
	struct xp_pickle_reader *reader = run->reader;

	if (!node)
		return exhausted(run);
	/* NONE and the like make no node, but they stand on the stack. */
	if (++run->nodes > reader->limits.nodes)
		return xp_pickle_fail(run, -EMSGSIZE, "too many values");
	if (run->depth == reader->stack_room) {
		int rc = grow_array(run, (void **)&reader->stack, &reader->stack_room,
				    sizeof(*reader->stack));
		if (rc < 0)
			return rc;
	}
	reader->stack[run->depth++] = node;
	return 0;
}

static inline int need(struct xp_pickle_run *run, size_t count)
{
	return run->depth - run->fence < count ? xp_pickle_fail(run, -EPROTO, "stack underflow")
					       : 0;
}

static inline struct xp_datum *pop(struct xp_pickle_run *run)
{
	return run->reader->stack[--run->depth];
}

static inline struct xp_datum *top(const struct xp_pickle_run *run)
{
	return run->reader->stack[run->depth - 1];
}

static inline int mark(struct xp_pickle_run *run)
{
	struct xp_pickle_reader *reader = run->reader;

	if (run->marks == reader->marks_room) {
		int rc = grow_array(run, (void **)&reader->marks, &reader->marks_room,
				    sizeof(*reader->marks));
		if (rc < 0)
			return rc;
	}
	/* A mark remembers the fence of the one around it; its own place is the new fence. */
	reader->marks[run->marks++] = run->fence;
	run->fence = run->depth;
	return 0;
}

/* Close the innermost mark. Return: how many values lie above it. */
static inline ssize_t unmark(struct xp_pickle_run *run)
{
	if (run->marks == 0)
		return xp_pickle_fail(run, -EPROTO, "no mark");
	size_t count = run->depth - run->fence;
	run->fence = run->reader->marks[--run->marks];
	return (ssize_t)count;
}

/* A node over @size bytes of the input, or over a copy of them. */
static inline struct xp_datum *over(struct xp_pickle_run *run, enum xp_datum_kind kind,
				    const char *bytes, size_t size)
{
	struct xp_datum *made;

	if (run->borrow) {
		made = xp_datum_alloc(run->arena, sizeof(*made));
		if (made)
			*made = (struct xp_datum){.size = size, .bytes = bytes};
	} else {
		made = xp_datum_bytes(run->arena, bytes, size);
	}
	if (made)
		made->kind = (uint8_t)kind;
	return made;
}

/* A tuple of the @count values on top of the stack takes their place. */
static inline int push_tuple(struct xp_pickle_run *run, size_t count)
{
	struct xp_datum *made = xp_datum_container(run->arena, XP_DATUM_TUPLE, count);

	run->containers++;
	run->depth -= count;
	if (made && count > 0)
		memcpy(made->items, run->reader->stack + run->depth, count * sizeof(*made->items));
	return push(run, made);
}

/* ---- names and calls, in pickle_call.c -------------------------------------------- */

int xp_pickle_global(struct xp_pickle_run *run);
int xp_pickle_stack_global(struct xp_pickle_run *run);
/* REDUCE, NEWOBJ, NEWOBJ_EX */
int xp_pickle_call(struct xp_pickle_run *run, enum xp_datum_form form);
/* OBJ, INST */
int xp_pickle_old_object(struct xp_pickle_run *run);
int xp_pickle_old_instance(struct xp_pickle_run *run);
int xp_pickle_build(struct xp_pickle_run *run);

#endif
