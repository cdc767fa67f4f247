/* SPDX-License-Identifier: MIT */
/*
 * pickle - datum from and to the bytes of CPython's pickle, protocols 0 to 5
 *
 * Overview      The reader turns a pickle into inert data: nothing is imported, called or looked
 *               up. The writer turns a datum into a pickle of the dialect that the peer
 *               understands.
 * Use           One reader and one writer per server or connection; both keep their memory between
 *               uses.
 *                   rc = xp_pickle_read(&reader, &arena, payload, size, 0, &request);
 *                   if (rc < 0) ... reader.error.text says what, reader.error.offset where
 *                   rc = xp_pickle_write(&writer, reply, reader.dialect, XP_FRAME_HEADER_MAX, 0);
 * Normal forms  What the protocols spell differently is one datum: bytes (`_codecs.encode` in
 *               protocol 2), bytearray, set and frozenset (calls before protocol 4),
 *               `builtins.list([...])`. All other calls stay XP_DATUM_REDUCE nodes.
 * Limits        struct xp_pickle_limits; a pickle that exceeds one is refused with -EMSGSIZE before
 *               the memory is spent. Sharing stays sharing: a pickle of n bytes makes O(n) memory,
 *               whatever it says.
 * Refused       EXT1-4, PERSID, BINPERSID, NEXT_BUFFER, READONLY_BUFFER: they mean something
 *               outside the pickle. A call made only for its side effect (`state_setter` of Python
 *               3.8): data cannot hold it, and dropping it would change the value.
 */
#ifndef XPSHARE_RPC_PICKLE_H
#define XPSHARE_RPC_PICKLE_H

#include "xpshare/rpc/datum.h"
#include "xpshare/rpc/dialect.h"

#include <sys/uio.h>

#define XP_PICKLE_MAX_BYTES  ((size_t)1 << 30)
#define XP_PICKLE_MAX_NODES  ((size_t)16 << 20)
#define XP_PICKLE_MAX_DEPTH  1000
#define XP_PICKLE_MAX_MEMO   ((size_t)4 << 20)
#define XP_PICKLE_MAX_DIGITS 4300 /* of an integer written in decimal: CPython's own limit */

/** struct xp_pickle_limits - a member that is 0 has the default above. */
struct xp_pickle_limits {
	size_t bytes;	/* of one pickle */
	size_t nodes;	/* values made by one pickle, and slots of its stack */
	unsigned depth; /* nesting of containers */
	size_t memo;	/* highest memo index + 1 */
};

struct xp_pickle_error {
	size_t offset;	/* of the opcode at fault */
	char text[120]; /* one line, no newline; "" after success */
};

struct xp_pickle_reader;

/**
 * typedef xp_pickle_resolve - Replace a call by something else while reading.
 *
 * Called for each call of `multiprocessing.managers.RebuildProxy`. Answer 0 and leave @ret_value as
 * it is (it holds @reduce) or set it to another node of @arena, e.g. xp_datum_object(). A negative
 * errno stops the reader with that error.
 */
typedef int (*xp_pickle_resolve)(void *context, struct xp_datum_arena *arena,
				 struct xp_datum *reduce, struct xp_datum **ret_value);

/** struct xp_pickle_reader - fields above the line are results, those below are private. */
struct xp_pickle_reader {
	struct xp_dialect dialect;    /* of the last pickle */
	struct xp_pickle_error error; /* of the last pickle */
	xp_pickle_resolve resolve;    /* may be set by the owner; NULL: calls stay calls */
	void *resolve_context;
	/* private */
	struct xp_pickle_limits limits;
	struct xp_datum **stack;
	size_t stack_room;
	struct xp_datum **memo;
	size_t memo_room;
	size_t *marks;
	size_t marks_room;
};

enum {
	/* STR and BYTES point into the input, which must stay as it is until the arena is reset.
	 * Without it they are copied into the arena. */
	XP_PICKLE_BORROW = 1,
	/* The peer is known to be Python 2: X opcodes are its `unicode`. Found by itself where the
	 * pickle holds a `str` of Python 2 before them. */
	XP_PICKLE_PYTHON2 = 2,
};

/** xp_pickle_reader_init() - @limits NULL: all defaults. Allocates nothing. */
void xp_pickle_reader_init(struct xp_pickle_reader *reader, const struct xp_pickle_limits *limits);
void xp_pickle_reader_fini(struct xp_pickle_reader *reader);

/**
 * xp_pickle_read() - One pickle into @arena.
 * @flags:     XP_PICKLE_BORROW, XP_PICKLE_PYTHON2.
 * @ret_value: The value; lives as long as @arena (and the input, with XP_PICKLE_BORROW).
 *
 * The whole input must be one pickle: bytes after its STOP are an error.
 *
 * Context:  One thread at a time per reader and per arena.
 * Progress: Linear in @size. Iterative. Allocates only from @arena and for its own stack and memo.
 * Return:   0; -EPROTO malformed; -EMSGSIZE over a limit; -ENOTSUP a refused opcode; -ENOMEM.
 *           On failure @reader->error names the problem and its offset.
 */
XP_MUST_CHECK int xp_pickle_read(struct xp_pickle_reader *reader, struct xp_datum_arena *arena,
				 const void *data, size_t size, unsigned flags,
				 struct xp_datum **ret_value);

/* Bytes from which a string is not copied into the output but sent from where it
 *  lies, if allowed. */
#define XP_PICKLE_BORROW_MIN ((size_t)32 << 10)

/** struct xp_pickle_writer - fields above the line are results, those below are private. */
struct xp_pickle_writer {
	struct iovec *parts; /* the output: part 0 begins with the reserved bytes */
	int part_count;
	size_t size;		      /* of the pickle, without the reserve */
	struct xp_pickle_error error; /* offset: of the output */
	/* private */
	struct xp_dialect dialect;
	unsigned flags;
	char *buffer;
	size_t used; /* of buffer */
	size_t room;
	size_t lent;  /* bytes of parts that lie elsewhere */
	size_t piece; /* where in buffer the current part began */
	int parts_room;
	size_t max_bytes;
	unsigned max_depth;
	struct xp_pickle_step *steps; /* containers that are open */
	size_t depth;
	size_t steps_room;
	struct xp_pickle_memo *memo; /* shared nodes written so far */
	size_t memo_count;
	size_t memo_room;
	uint32_t generation; /* slots of the memo with another one are free */
};

enum {
	/* Large strings are not copied: the parts point at them, so the value must outlive the
	   sending. */
	XP_PICKLE_PARTS = 1,
};

/* A value as deep as the reader allows still fits into a reply, which nests it further. */
#define XP_PICKLE_WRITE_DEPTH (XP_PICKLE_MAX_DEPTH + 32)

/** xp_pickle_writer_init() - 0: XP_PICKLE_MAX_BYTES, XP_PICKLE_WRITE_DEPTH. Allocates nothing. */
void xp_pickle_writer_init(struct xp_pickle_writer *writer, size_t max_bytes, unsigned max_depth);
void xp_pickle_writer_fini(struct xp_pickle_writer *writer);

/**
 * xp_pickle_write() - Encode @value for @dialect.
 * @reserve: Bytes left free at the front of part 0, for a frame's header.
 * @flags:   XP_PICKLE_PARTS, or 0: then there is exactly one part.
 *
 * The output stays valid until the next call on @writer.
 *
 * Context:  One thread at a time per writer; @value may be in use by others if it is of a box.
 * Progress: Linear in the size of the output. Iterative.
 * Return:   0; -EMSGSIZE over a limit of bytes or depth; -ENOTSUP a value that the dialect cannot
 * hold; -ENOMEM. On failure @writer->error.text says why.
 */
XP_MUST_CHECK int xp_pickle_write(struct xp_pickle_writer *writer, const struct xp_datum *value,
				  struct xp_dialect dialect, size_t reserve, unsigned flags);

/** xp_pickle_writer_trim() - Give back memory beyond @keep bytes after a large output. */
void xp_pickle_writer_trim(struct xp_pickle_writer *writer, size_t keep);

#endif
