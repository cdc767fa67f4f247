/* SPDX-License-Identifier: MIT */
/*
 * datum - a Python value as inert data
 *
 * Overview      A tree (or graph) of nodes that says what a pickle says and does nothing: a class
 *               is a name, an instance is "call this with those arguments", and neither is ever
 *               executed. Whatever CPython can pickle has a form here and is written back
 *               faithfully, shared and recursive references included.
 * Use           A request: xp_pickle_read() builds nodes in an arena; the server looks at them,
 *               builds its reply in the same arena, xp_pickle_write() encodes it,
 *               xp_datum_arena_reset() forgets everything at once. A value that outlives the
 *               request: xp_datum_retain() copies it into one counted heap block, a box, whose root
 *               may stand in any later reply.
 *                   const struct xp_datum *items[] = {xp_datum_str(arena, "#RETURN"), value};
 *                   reply = xp_datum_tuple(arena, 2, items);
 * Memory        A node is 24 bytes and belongs to an arena, to a box or to the program (constants).
 *               A node of an arena may point to nodes of the same arena, of a box that outlives the
 *               arena's use, and to constants; a node of a box only into that box and to constants.
 *               Builders return NULL when memory or the arena's limit is exhausted and pass a NULL
 *               child on, so that a whole expression is checked once, at its end.
 * Identity      Two references to one node mean one Python object. A node that is referenced more
 *               than once carries XP_DATUM_SHARED: the reader sets it, and so do the builders when
 *               a child is used twice. Only flagged nodes cost anything when a value is copied or
 *               written. The root of a box carries it where the value is mutable, because several
 *               containers of the server may hold that box.
 * Names         One canonical naming: that of Python 3. The reader of a protocol that uses the
 *               names of Python 2 maps them and keeps the spelling of the wire beside them.
 * Invariants    (1) A node of a box or a constant is never written to.
 *               (2) An integer that fits 64 bits is INT, never BIGINT, and a BIGINT has
 *                   no redundant sign byte.
 *               (3) STR is valid UTF-8, where surrogates are allowed ("surrogatepass").
 *               (4) A cycle passes through a LIST, DICT, SET or REDUCE that is flagged.
 * Threads       A box may be read, referenced and released by any thread. An arena belongs to one.
 */
#ifndef XPSHARE_RPC_DATUM_H
#define XPSHARE_RPC_DATUM_H

#include "xpshare/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum xp_datum_kind {
	XP_DATUM_NONE,
	XP_DATUM_BOOL,	    /* integer: 0 or 1 */
	XP_DATUM_INT,	    /* integer */
	XP_DATUM_BIGINT,    /* bytes: two's complement, little-endian, more than 64 bits */
	XP_DATUM_FLOAT,	    /* real */
	XP_DATUM_STR,	    /* bytes: UTF-8 */
	XP_DATUM_BYTES,	    /* bytes */
	XP_DATUM_BYTEARRAY, /* bytes */
	XP_DATUM_TUPLE,	    /* items */
	XP_DATUM_LIST,	    /* items */
	XP_DATUM_DICT,	    /* items: key, value, key, value ...; count is the number of pairs */
	XP_DATUM_SET,	    /* items, in the order of the wire */
	XP_DATUM_FROZENSET, /* items */
	XP_DATUM_GLOBAL,    /* global: a class or function by name */
	XP_DATUM_REDUCE,    /* reduce: an instance, as the call that makes it */
	XP_DATUM_OBJECT,    /* object: a counted reference to an object of the server */
};

enum {
	XP_DATUM_SHARED = 1,	   /* referenced more than once: the writer memoises it */
	XP_DATUM_FROZEN = 2,	   /* of a box or a constant: never written to */
	XP_DATUM_USED = 4,	   /* builders: is somebody's child already */
	XP_DATUM_ASCII = 8,	   /* STR, BYTES of PY2_STR: only bytes below 0x80 */
	XP_DATUM_PY2_STR = 16,	   /* STR or BYTES: was a `str` of Python 2 */
	XP_DATUM_PY2_UNICODE = 32, /* STR: was a `unicode` of Python 2 */
	XP_DATUM_PY2_LONG = 64,	   /* INT: was a `long` of Python 2 */
	XP_DATUM_MEMOISED = 128,   /* reader: has been in its memo */
};

struct xp_datum;

/* A name. The wire_ pair is what the pickle said where that differs (names of Python
 *  2), else NULL. */
struct xp_datum_global {
	struct xp_datum *module; /* STR */
	struct xp_datum *name;	 /* STR, dotted for a nested class */
	struct xp_datum *wire_module;
	struct xp_datum *wire_name;
};

enum xp_datum_form {
	XP_DATUM_CALL,	    /* callable(*args):                  REDUCE */
	XP_DATUM_NEWOBJ,    /* callable.__new__(callable, *args): NEWOBJ */
	XP_DATUM_NEWOBJ_EX, /* the same with keywords:           NEWOBJ_EX */
	XP_DATUM_OLDOBJ,    /* instance of an old-style class:   OBJ, INST */
};

/* An instance: made by a call, then filled. What is absent is NULL. */
struct xp_datum_reduce {
	enum xp_datum_form form;
	struct xp_datum *callable; /* usually GLOBAL */
	struct xp_datum *args;	   /* TUPLE */
	struct xp_datum *kwargs;   /* DICT, NEWOBJ_EX only */
	struct xp_datum *items;	   /* LIST appended to the instance */
	struct xp_datum *pairs;	   /* DICT set into it */
	struct xp_datum *members;  /* SET added to it */
	struct xp_datum *state;	   /* given to __setstate__ or __dict__: BUILD */
};

/** struct xp_datum_object_ops - what an OBJECT leaf needs of its owner; both may be called by any
 *  thread. */
struct xp_datum_object_ops {
	void (*ref)(void *object);
	void (*unref)(void *object);
};

struct xp_datum_object {
	const struct xp_datum_object_ops *ops;
	void *object;
	struct xp_datum *original;    /* what a peer is sent instead: the RebuildProxy call */
	struct xp_datum_object *next; /* of the same arena or box: to be released with it */
};

struct xp_datum {
	uint8_t kind;
	uint8_t flags;
	uint16_t reserved;
	uint32_t room; /* LIST, DICT, SET of an arena: slots that items has */
	union {
		int64_t integer;
		double real;
		struct {
			size_t size; /* bytes */
			const char *bytes;
		};
		struct {
			size_t count;
			struct xp_datum **items;
		};
		struct xp_datum_global *global;
		struct xp_datum_reduce *reduce;
		struct xp_datum_object *object;
	};
};

_Static_assert(sizeof(struct xp_datum) == 24, "a node is three words: arrays of them stay dense");

/* ---- arena --------------------------------------------------------------------------- */

#define XP_DATUM_ARENA_FIRST 4096 /* bytes of the first chunk; each next one doubles */
#define XP_DATUM_ARENA_KEEP  ((size_t)256 << 10) /* bytes kept for the next request */
#define XP_DATUM_ARENA_MAX   ((size_t)1 << 30)	 /* default limit of the bytes in use */

struct xp_datum_chunk;

/** struct xp_datum_arena - where the nodes of one request live. Fields are private. */
struct xp_datum_arena {
	char *at;
	char *end;
	struct xp_datum_chunk *chunks;
	struct xp_datum_object *objects;
	size_t bytes; /* in all chunks */
	size_t max_bytes;
};

/** xp_datum_arena_init() - An empty arena; allocates nothing. @max_bytes
 *  0 is XP_DATUM_ARENA_MAX. */
void xp_datum_arena_init(struct xp_datum_arena *arena, size_t max_bytes);
/** xp_datum_arena_reset() - Forget every node, release the objects, keep some memory for the next
 *  use. */
void xp_datum_arena_reset(struct xp_datum_arena *arena);
/** xp_datum_arena_fini() - The same, and give the memory back. */
void xp_datum_arena_fini(struct xp_datum_arena *arena);

void *xp_datum_alloc_slow(struct xp_datum_arena *arena, size_t size);

/** xp_datum_alloc() - @size bytes, aligned to 8, until the reset. NULL: memory
 *  or limit exhausted. */
static inline void *xp_datum_alloc(struct xp_datum_arena *arena, size_t size)
{
	size_t rounded = (size + 7 + (size == 0)) & ~(size_t)7; /* never 0: it has an address */

	if (__builtin_expect(rounded < size || (size_t)(arena->end - arena->at) < rounded, 0))
		return xp_datum_alloc_slow(arena, size);
	void *block = arena->at;
	arena->at += rounded;
	return block;
}

/* ---- builders ------------------------------------------------------------------------ */
/* Each returns NULL when the arena is exhausted or a child is NULL. Bytes are copied into the
 *  arena. */

const struct xp_datum *xp_datum_none(void);
const struct xp_datum *xp_datum_bool(bool value);
struct xp_datum *xp_datum_int(struct xp_datum_arena *arena, int64_t value);
struct xp_datum *xp_datum_uint(struct xp_datum_arena *arena, uint64_t value);
/** xp_datum_bigint() - From two's complement, little-endian; becomes an INT where it fits. */
struct xp_datum *xp_datum_bigint(struct xp_datum_arena *arena, const void *bytes, size_t size);
struct xp_datum *xp_datum_float(struct xp_datum_arena *arena, double value);
/** xp_datum_str() - From a C string, which must be UTF-8 (a caller's duty: it is not checked). */
struct xp_datum *xp_datum_str(struct xp_datum_arena *arena, const char *text);
struct xp_datum *xp_datum_str_n(struct xp_datum_arena *arena, const char *text, size_t size);
/** xp_datum_strf() - printf into a STR. */
__attribute__((format(printf, 2, 3))) struct xp_datum *xp_datum_strf(struct xp_datum_arena *arena,
								     const char *format, ...);
struct xp_datum *xp_datum_bytes(struct xp_datum_arena *arena, const void *bytes, size_t size);
/** xp_datum_borrow() - STR, BYTES or BYTEARRAY over bytes of the caller that outlive the arena's
 *  use. */
struct xp_datum *xp_datum_borrow(struct xp_datum_arena *arena, enum xp_datum_kind kind,
				 const void *bytes, size_t size);

/** xp_datum_tuple() - A TUPLE of @count children; likewise the others. @items may be NULL if @count
 *  is 0. */
struct xp_datum *xp_datum_tuple(struct xp_datum_arena *arena, size_t count,
				const struct xp_datum *const *items);
struct xp_datum *xp_datum_list(struct xp_datum_arena *arena, size_t count,
			       const struct xp_datum *const *items);
struct xp_datum *xp_datum_set(struct xp_datum_arena *arena, size_t count,
			      const struct xp_datum *const *items);
struct xp_datum *xp_datum_frozenset(struct xp_datum_arena *arena, size_t count,
				    const struct xp_datum *const *items);
struct xp_datum *xp_datum_dict(struct xp_datum_arena *arena);

/** xp_datum_container() - TUPLE, LIST, SET, FROZENSET or DICT whose @count slots (2 x @count for
 * DICT) the caller fills with xp_datum_put() before any other use. The fast way to build a large
 *  one. */
struct xp_datum *xp_datum_container(struct xp_datum_arena *arena, enum xp_datum_kind kind,
				    size_t count);
/** xp_datum_put() - Fill slot @index of a container of an arena; marks @child as used. */
void xp_datum_put(struct xp_datum *container, size_t index, const struct xp_datum *child);

/** xp_datum_append() - Append to a LIST, or add to a SET, of the same arena. Return: 0, -ENOMEM. */
XP_MUST_CHECK int xp_datum_append(struct xp_datum_arena *arena, struct xp_datum *list,
				  const struct xp_datum *item);
/** xp_datum_set_item() - Add a pair to a DICT of the same arena; the last of equal keys counts.
 *  Return: 0, -ENOMEM. */
XP_MUST_CHECK int xp_datum_set_item(struct xp_datum_arena *arena, struct xp_datum *dict,
				    const struct xp_datum *key, const struct xp_datum *value);

/** xp_datum_global() - The name @module.@name, in the naming of Python 3. */
struct xp_datum *xp_datum_global(struct xp_datum_arena *arena, const char *module,
				 const char *name);
/** xp_datum_reduce() - An instance: @form of @callable with @args (a TUPLE); fill in the rest if
 *  any. */
struct xp_datum *xp_datum_reduce(struct xp_datum_arena *arena, enum xp_datum_form form,
				 const struct xp_datum *callable, const struct xp_datum *args);
/** xp_datum_call() - The instance @module.@name(*args). */
struct xp_datum *xp_datum_call(struct xp_datum_arena *arena, const char *module, const char *name,
			       size_t count, const struct xp_datum *const *args);
/** xp_datum_exception() - @module.@name with one text argument, or none if @text is NULL. */
struct xp_datum *xp_datum_exception(struct xp_datum_arena *arena, const char *module,
				    const char *name, const char *text);
/** xp_datum_slice() - builtins.slice(start, stop, step). */
struct xp_datum *xp_datum_slice(struct xp_datum_arena *arena, const struct xp_datum *start,
				const struct xp_datum *stop, const struct xp_datum *step);
/** xp_datum_token() - multiprocessing.managers.Token with its state (typeid, address, ident). */
struct xp_datum *xp_datum_token(struct xp_datum_arena *arena, const struct xp_datum *typeid_,
				const struct xp_datum *address, const struct xp_datum *ident);
/** xp_datum_object() - A counted reference to @object; ref is called now, unref at the reset.
 *  @original is what a peer is sent in its place. */
struct xp_datum *xp_datum_object(struct xp_datum_arena *arena,
				 const struct xp_datum_object_ops *ops, void *object,
				 const struct xp_datum *original);

/* ---- looking ------------------------------------------------------------------------- */

static inline bool xp_datum_is(const struct xp_datum *value, enum xp_datum_kind kind)
{
	return value->kind == (uint8_t)kind;
}

/** xp_datum_is_text() - Whether @value is the STR @text. */
static inline bool xp_datum_is_text(const struct xp_datum *value, const char *text)
{
	size_t size = strlen(text);

	return value->kind == XP_DATUM_STR && value->size == size &&
	       !memcmp(value->bytes, text, size);
}

/** xp_datum_is_integer() - Whether @value is an int of any size, or a bool, which is an int in
 *  Python. */
bool xp_datum_is_integer(const struct xp_datum *value);

/** xp_datum_to_int64() - INT, BOOL. Return: 0; -EINVAL not an integer; -ERANGE a BIGINT. */
XP_MUST_CHECK int xp_datum_to_int64(const struct xp_datum *value, int64_t *ret_value);
/** xp_datum_to_double() - FLOAT or an integer of any size. Return: 0; -EINVAL; -ERANGE beyond a
 *  double. */
XP_MUST_CHECK int xp_datum_to_double(const struct xp_datum *value, double *ret_value);
/** xp_datum_truth() - bool(value) for the types whose truth data decides; instances are true. */
bool xp_datum_truth(const struct xp_datum *value);

/** xp_datum_dict_get() - The value of the STR key @name in a DICT, NULL where absent; the last
 *  counts. */
const struct xp_datum *xp_datum_dict_get(const struct xp_datum *dict, const char *name);

/** xp_datum_is_global() - Whether @value is the name @module.@name (Python 3 naming). */
bool xp_datum_is_global(const struct xp_datum *value, const char *module, const char *name);
/** xp_datum_as_call() - The argument TUPLE of @value if it is @module.@name(...), else NULL. Any
 *  form; an instance that was also filled (items, pairs, state) counts. */
const struct xp_datum *xp_datum_as_call(const struct xp_datum *value, const char *module,
					const char *name);
/** xp_datum_as_slice() - Whether @value is a slice, and its three members. */
bool xp_datum_as_slice(const struct xp_datum *value, const struct xp_datum *ret_members[3]);
/** xp_datum_as_token() - Whether @value is a Token, and its typeid, address and ident. */
bool xp_datum_as_token(const struct xp_datum *value, const struct xp_datum *ret_members[3]);
/** xp_datum_as_proxy() - Whether @value is a RebuildProxy call: its func, Token and keywords. */
bool xp_datum_as_proxy(const struct xp_datum *value, const struct xp_datum *ret_members[3]);

/* ---- boxes --------------------------------------------------------------------------- */

/** struct xp_datum_box - one retained value, in one heap block. Opaque. */
struct xp_datum_box;

/**
 * xp_datum_retain() - Copy @value, deeply, into one counted block of its own.
 *
 * Context:  Any thread that owns @value. Iterative: depth costs no stack.
 * Progress: One allocation (none for None, True and False), two passes over the value.
 * Return:   0 and one reference for the caller; -ENOMEM.
 */
XP_MUST_CHECK int xp_datum_retain(const struct xp_datum *value, struct xp_datum_box **ret_box);
/** xp_datum_box_ref() - One more reference. Return: @box. */
struct xp_datum_box *xp_datum_box_ref(struct xp_datum_box *box);
/** xp_datum_box_unref() - One fewer; the last frees the block and releases its objects. NULL is
 *  allowed. */
void xp_datum_box_unref(struct xp_datum_box *box);
/** xp_datum_box_value() - The value, valid while the caller holds a reference. */
const struct xp_datum *xp_datum_box_value(const struct xp_datum_box *box);
/** xp_datum_box_size() - Bytes that the block takes, for limits. */
size_t xp_datum_box_size(const struct xp_datum_box *box);
/** xp_datum_copy() - Deep copy into @arena, for a value whose box or arena goes away. NULL:
 *  exhausted. */
struct xp_datum *xp_datum_copy(struct xp_datum_arena *arena, const struct xp_datum *value);

/**
 * xp_datum_depth() - How deeply containers nest, each shared node counted where it is met first.
 *
 * Return: the depth; -E2BIG as soon as it exceeds @max; -ENOMEM.
 */
XP_MUST_CHECK int xp_datum_depth(const struct xp_datum *value, unsigned max);

#endif
