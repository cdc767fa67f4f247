/* SPDX-License-Identifier: MIT */
/*
 * frame - messages on a byte stream, as CPython's multiprocessing.connection writes them
 *
 * Layout        int32 length, big-endian, then the payload; or ff ff ff ff, uint64 length,
 *               big-endian, then the payload (only for more than 0x7fffffff bytes). Other negative
 *               lengths are malformed.
 * Use           A server with many connections reads into a buffer that all of them share, takes
 *               whole frames out with xp_frame_parse() and keeps only a torn rest per connection. A
 *               client owns a struct xp_frame_buffer, which does that by itself.
 * Limits        A length above the limit is refused when its header is read, before anything is
 *               allocated; memory grows with the bytes that arrive, never with those announced.
 */
#ifndef XPSHARE_RPC_FRAME_H
#define XPSHARE_RPC_FRAME_H

#include "xpshare/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XP_FRAME_HEADER_MAX 12
#define XP_FRAME_SHORT_MAX  UINT64_C(0x7fffffff) /* the longest payload with a 4-byte header */
#define XP_FRAME_READ_MIN   ((size_t)8 << 10)	 /* least room that a buffer offers to a read */

/** xp_frame_header() - The header for @size bytes. Return: its length, 4 or 12. */
size_t xp_frame_header(uint64_t size, unsigned char ret_header[XP_FRAME_HEADER_MAX]);

/** xp_frame_seal() - Write the header into the end of the @reserve bytes before @payload.
 *  Return: where the frame begins, @payload - 4 or @payload - 12. @reserve >= XP_FRAME_HEADER_MAX.
 */
char *xp_frame_seal(char *payload, uint64_t size);

/**
 * xp_frame_parse() - Look for one frame at the start of @data.
 * @limit:      Longest payload allowed.
 * @ret_header: Length of the header, set also where only the payload is still missing (0 is
 * returned).
 * @ret_size:   Length of the payload, likewise.
 *
 * Return: 1 a whole frame is there; 0 more bytes are needed (then *ret_header is 0 while the header
 *         itself is torn); -EMSGSIZE over @limit, with both set; -EPROTO a malformed length.
 */
XP_MUST_CHECK int xp_frame_parse(const void *data, size_t available, uint64_t limit,
				 size_t *ret_header, size_t *ret_size);

/** struct xp_frame_buffer - bytes received and not yet taken. Private. */
struct xp_frame_buffer {
	char *data;
	size_t start; /* of the first byte not taken */
	size_t end;   /* of the bytes received */
	size_t room;
};

/** xp_frame_buffer_init() - Empty; allocates nothing. */
void xp_frame_buffer_init(struct xp_frame_buffer *buffer);
void xp_frame_buffer_fini(struct xp_frame_buffer *buffer);

/**
 * xp_frame_buffer_space() - Where the next read may put bytes; at least XP_FRAME_READ_MIN of them.
 *
 * Ends the life of payloads that xp_frame_buffer_next() handed out.
 * Return: 0, -ENOMEM.
 */
XP_MUST_CHECK int xp_frame_buffer_space(struct xp_frame_buffer *buffer, char **ret_at,
					size_t *ret_room);
/** xp_frame_buffer_received() - @size bytes have been read into that space. */
void xp_frame_buffer_received(struct xp_frame_buffer *buffer, size_t size);

/**
 * xp_frame_buffer_next() - Take the next whole frame.
 * @ret_payload: Valid until the next xp_frame_buffer_space().
 *
 * Return: 1 taken; 0 more bytes are needed; -EMSGSIZE, -EPROTO as xp_frame_parse().
 */
XP_MUST_CHECK int xp_frame_buffer_next(struct xp_frame_buffer *buffer, uint64_t limit,
				       char **ret_payload, size_t *ret_size);
/** xp_frame_buffer_pending() - Bytes received and not taken. */
size_t xp_frame_buffer_pending(const struct xp_frame_buffer *buffer);
/** xp_frame_buffer_trim() - Give back memory beyond @keep bytes if nothing is pending. */
void xp_frame_buffer_trim(struct xp_frame_buffer *buffer, size_t keep);

#endif
