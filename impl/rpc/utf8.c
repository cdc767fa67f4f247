/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* How many bytes from the start are below 0x80; eight at a time, the common case of all text. */
static size_t ascii_prefix(const char *text, size_t size)
{
	size_t at = 0;

	for (; at + 8 <= size; at += 8) {
		uint64_t word;
		memcpy(&word, text + at, 8);
		if (word & HIGH_BITS)
			break;
	}
	while (at < size && (unsigned char)text[at] < 0x80)
		at++;
	return at;
}

bool xp_utf8_is_ascii(const char *text, size_t size)
{
	return ascii_prefix(text, size) == size;
}

static bool is_rest(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

bool xp_utf8_is_valid(const char *text, size_t size)
{
	const unsigned char *at = (const unsigned char *)text;

	for (size_t i = ascii_prefix(text, size); i < size;) {
		unsigned char lead = at[i];
		size_t left = size - i;
		if (lead < 0x80) {
			i += ascii_prefix(text + i, left);
		} else if (lead >= 0xc2 && lead < 0xe0) {
			if (left < 2 || !is_rest(at[i + 1]))
				return false;
			i += 2;
		} else if (lead >= 0xe0 && lead < 0xf0) {
			if (left < 3 || !is_rest(at[i + 1]) || !is_rest(at[i + 2]) ||
			    (lead == 0xe0 && at[i + 1] < 0xa0))
				return false;
			i += 3;
		} else if (lead >= 0xf0 && lead < 0xf5) {
			if (left < 4 || !is_rest(at[i + 1]) || !is_rest(at[i + 2]) ||
			    !is_rest(at[i + 3]) || (lead == 0xf0 && at[i + 1] < 0x90) ||
			    (lead == 0xf4 && at[i + 1] >= 0x90))
				return false;
			i += 4;
		} else {
			return false;
		}
	}
	return true;
}

uint32_t xp_utf8_decode(const char *text, unsigned *ret_size)
{
	const unsigned char *at = (const unsigned char *)text;

	if (at[0] < 0x80) {
		*ret_size = 1;
		return at[0];
	}
	if (at[0] < 0xe0) {
		*ret_size = 2;
		return (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
	}
	if (at[0] < 0xf0) {
		*ret_size = 3;
		return (at[0] & 0xfu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
	}
	*ret_size = 4;
	return (at[0] & 7u) << 18 | (at[1] & 0x3fu) << 12 | (at[2] & 0x3fu) << 6 | (at[3] & 0x3fu);
}

unsigned xp_utf8_encode(uint32_t point, char at[4])
{
	if (point < 0x80) {
		at[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		at[0] = (char)(0xc0 | point >> 6);
		at[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		at[0] = (char)(0xe0 | point >> 12);
		at[1] = (char)(0x80 | (point >> 6 & 0x3f));
		at[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	at[0] = (char)(0xf0 | point >> 18);
	at[1] = (char)(0x80 | (point >> 12 & 0x3f));
	at[2] = (char)(0x80 | (point >> 6 & 0x3f));
	at[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}
