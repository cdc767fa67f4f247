/* SPDX-License-Identifier: MIT */
/*
 * utf8 - text as Python encodes it: UTF-8 in which lone surrogates are allowed ("surrogatepass")
 *
 * Private to the room.
 */
#ifndef XPSHARE_RPC_UTF8_H
#define XPSHARE_RPC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether @text holds only bytes below 0x80. */
bool xp_utf8_is_ascii(const char *text, size_t size);
/* Whether @text is valid: no overlong form, nothing above U+10FFFF, nothing torn. */
bool xp_utf8_is_valid(const char *text, size_t size);
/* The code point at @at, which is valid text, and how many bytes it takes. */
uint32_t xp_utf8_decode(const char *at, unsigned *ret_size);
/* Write @point (at most 0x10ffff). Return: how many bytes, 1 to 4. */
unsigned xp_utf8_encode(uint32_t point, char at[4]);

#endif
