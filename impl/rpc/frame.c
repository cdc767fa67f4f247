/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/frame.h"

#include <stdlib.h>
#include <string.h>

#define SHORT_HEADER 4

static uint64_t big_endian(const unsigned char *at, int size)
{
	uint64_t value = 0;

	for (int i = 0; i < size; i++)
		value = value << 8 | at[i];
	return value;
}

size_t xp_frame_header(uint64_t size, unsigned char ret_header[XP_FRAME_HEADER_MAX])
{
	bool brief = size <= XP_FRAME_SHORT_MAX;
	size_t header = brief ? SHORT_HEADER : XP_FRAME_HEADER_MAX;

	memset(ret_header, 0xff, SHORT_HEADER);
	for (size_t i = header; i > (brief ? 0 : SHORT_HEADER); i--, size >>= 8)
		ret_header[i - 1] = (unsigned char)size;
	return header;
}

char *xp_frame_seal(char *payload, uint64_t size)
{
	unsigned char header[XP_FRAME_HEADER_MAX];
	size_t length = xp_frame_header(size, header);

	return memcpy(payload - length, header, length);
}

int xp_frame_parse(const void *data, size_t available, uint64_t limit, size_t *ret_header,
		   size_t *ret_size)
{
	const unsigned char *at = data;
	size_t header = SHORT_HEADER;
	uint64_t size;

	*ret_header = 0;
	*ret_size = 0;
	if (available < SHORT_HEADER)
		return 0;
	size = big_endian(at, SHORT_HEADER);
	if (size > XP_FRAME_SHORT_MAX) {
		if (size != UINT32_MAX)
			return -EPROTO;
		if (available < XP_FRAME_HEADER_MAX)
			return 0;
		header = XP_FRAME_HEADER_MAX;
		size = big_endian(at + SHORT_HEADER, 8);
	}
	*ret_header = header;
	*ret_size = (size_t)size;
	if (size > limit || size > SIZE_MAX - XP_FRAME_HEADER_MAX)
		return -EMSGSIZE;
	return available - header >= size;
}

void xp_frame_buffer_init(struct xp_frame_buffer *buffer)
{
	*buffer = (struct xp_frame_buffer){0};
}

void xp_frame_buffer_fini(struct xp_frame_buffer *buffer)
{
	if (!buffer)
		return;
	free(buffer->data);
	xp_frame_buffer_init(buffer);
}

size_t xp_frame_buffer_pending(const struct xp_frame_buffer *buffer)
{
	return buffer->end - buffer->start;
}

int xp_frame_buffer_space(struct xp_frame_buffer *buffer, char **ret_at, size_t *ret_room)
{
	size_t pending = xp_frame_buffer_pending(buffer);

	if (pending == 0)
		buffer->start = buffer->end = 0;
	if (buffer->room - buffer->end < XP_FRAME_READ_MIN && buffer->start > 0) {
		memmove(buffer->data, buffer->data + buffer->start, pending);
		buffer->start = 0;
		buffer->end = pending;
	}
	if (buffer->room - buffer->end < XP_FRAME_READ_MIN) {
		/* Doubles with what has arrived, whatever the header announces. */
		size_t room = pending < XP_FRAME_READ_MIN ? 2 * XP_FRAME_READ_MIN : 2 * pending;
		if (room < buffer->end + XP_FRAME_READ_MIN)
			room = buffer->end + XP_FRAME_READ_MIN;
		char *data = realloc(buffer->data, room);
		if (!data)
			return -ENOMEM;
		buffer->data = data;
		buffer->room = room;
	}
	*ret_at = buffer->data + buffer->end;
	*ret_room = buffer->room - buffer->end;
	return 0;
}

void xp_frame_buffer_received(struct xp_frame_buffer *buffer, size_t size)
{
	xp_assert(size <= buffer->room - buffer->end);
	buffer->end += size;
}

int xp_frame_buffer_next(struct xp_frame_buffer *buffer, uint64_t limit, char **ret_payload,
			 size_t *ret_size)
{
	size_t header, size;
	size_t pending = xp_frame_buffer_pending(buffer);

	if (pending == 0)
		return 0;
	int rc = xp_frame_parse(buffer->data + buffer->start, pending, limit, &header, &size);
	if (rc == 1) {
		*ret_payload = buffer->data + buffer->start + header;
		*ret_size = size;
		buffer->start += header + size;
	}
	return rc;
}

void xp_frame_buffer_trim(struct xp_frame_buffer *buffer, size_t keep)
{
	if (xp_frame_buffer_pending(buffer) == 0 && buffer->room > keep)
		xp_frame_buffer_fini(buffer);
}
