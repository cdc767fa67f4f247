/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/pickle_text.h"

#include "xpshare/rpc/utf8.h"

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* @count hexadecimal digits. Return: whether they are. */
static bool hex(const char *text, const char *end, int count, uint32_t *ret_value)
{
	uint32_t value = 0;

	if (end - text < count)
		return false;
	for (int i = 0; i < count; i++) {
		int digit = hex_digit(text[i]);
		if (digit < 0)
			return false;
		value = value << 4 | (uint32_t)digit;
	}
	*ret_value = value;
	return true;
}

/* The character after a backslash, where it is one byte for one byte. */
static int simple_escape(char letter)
{
	static const char letters[] = "\\'\"abfnrtv", meanings[] = "\\'\"\a\b\f\n\r\t\v";
	const char *at = letter ? strchr(letters, letter) : NULL;

	return at ? meanings[at - letters] : -1;
}

int xp_pickle_unquote(struct xp_datum_arena *arena, const char *text, size_t size,
		      const char **ret_bytes, size_t *ret_size)
{
	while (size > 0 &&
	       (text[size - 1] == ' ' || text[size - 1] == '\r' || text[size - 1] == '\t'))
		size--;
	if (size < 2 || (text[0] != '\'' && text[0] != '"') || text[size - 1] != text[0])
		return -EPROTO;
	const char *end = text + size - 1;
	char *bytes = xp_datum_alloc(arena, size);
	char *out = bytes;
	if (!bytes)
		return -ENOMEM;
	for (text++; text < end; text++) {
		uint32_t value = 0;
		if (*text != '\\') {
			*out++ = *text;
			continue;
		}
		if (++text == end)
			return -EPROTO;
		int simple = simple_escape(*text);
		if (simple >= 0) {
			*out++ = (char)simple;
		} else if (*text >= '0' && *text <= '7') {
			for (int i = 0; i < 3 && text < end && *text >= '0' && *text <= '7'; i++)
				value = value * 8 + (uint32_t)(*text++ - '0');
			text--;
			*out++ = (char)value;
		} else if (*text == 'x') {
			if (!hex(text + 1, end, 2, &value))
				return -EPROTO;
			text += 2;
			*out++ = (char)value;
		} else {
			*out++ = '\\'; /* not an escape: both stay */
			*out++ = *text;
		}
	}
	*ret_bytes = bytes;
	*ret_size = (size_t)(out - bytes);
	return 0;
}

int xp_pickle_unescape(struct xp_datum_arena *arena, const char *text, size_t size,
		       const char **ret_bytes, size_t *ret_size)
{
	/* A byte above 0x7f is a code point of Latin-1 and takes two; an escape takes fewer than itself. */
	char *bytes = size < SIZE_MAX / 2 ? xp_datum_alloc(arena, 2 * size) : NULL;
	const char *end = text + size;
	char *out = bytes;

	if (!bytes)
		return -ENOMEM;
	while (text < end) {
		uint32_t point = (unsigned char)*text++;
		if (point == '\\' && text < end && (*text == 'u' || *text == 'U')) {
			int digits = *text == 'u' ? 4 : 8;
			if (!hex(text + 1, end, digits, &point) || point > 0x10ffff)
				return -EPROTO;
			text += 1 + digits;
		} else if (point == '\\' && text < end) {
			*out++ = '\\';
			point = (unsigned char)*text++;
		}
		out += xp_utf8_encode(point, out);
	}
	*ret_bytes = bytes;
	*ret_size = (size_t)(out - bytes);
	return 0;
}

/* ---- calls with a form of their own -------------------------------------------------- */

/* Text whose code points are bytes, as bytes. Return: 1, 0 if some are not, -ENOMEM. */
static int latin1(struct xp_datum_arena *arena, const struct xp_datum *text,
		  enum xp_datum_kind kind, struct xp_datum **ret_value)
{
	const char *from = text->bytes, *end = text->bytes + text->size;
	struct xp_datum *made;

	if (text->flags & XP_DATUM_ASCII) {
		made = xp_datum_borrow(arena, kind, text->bytes, text->size);
	} else {
		char *bytes = xp_datum_alloc(arena, text->size);
		char *out = bytes;
		if (!bytes)
			return -ENOMEM;
		while (from < end) {
			unsigned size;
			uint32_t point = xp_utf8_decode(from, &size);
			if (point > 0xff)
				return 0;
			*out++ = (char)point;
			from += size;
		}
		made = xp_datum_borrow(arena, kind, bytes, (size_t)(out - bytes));
	}
	if (!made)
		return -ENOMEM;
	*ret_value = made;
	return 1;
}

static bool is_latin1(const struct xp_datum *name)
{
	return xp_datum_is_text(name, "latin1") || xp_datum_is_text(name, "latin-1");
}

static int made_or_not(struct xp_datum *made, struct xp_datum **ret_value)
{
	if (!made)
		return -ENOMEM;
	*ret_value = made;
	return 1;
}

/* kind(), kind(list or tuple) */
static int collection(struct xp_datum_arena *arena, enum xp_datum_kind kind,
		      const struct xp_datum *args, struct xp_datum **ret_value)
{
	const struct xp_datum *from = args->count == 1 ? args->items[0] : NULL;
	struct xp_datum *made;

	if (args->count > 1 ||
	    (from && from->kind != XP_DATUM_LIST && from->kind != XP_DATUM_TUPLE))
		return 0;
	made = xp_datum_container(arena, kind, from ? from->count : 0);
	if (made && from && from->count > 0)
		memcpy(made->items, from->items, from->count * sizeof(*from->items));
	return made_or_not(made, ret_value);
}

static int buffer(struct xp_datum_arena *arena, enum xp_datum_kind kind,
		  const struct xp_datum *args, struct xp_datum **ret_value)
{
	const struct xp_datum *first = args->count > 0 ? args->items[0] : NULL;

	if (args->count == 0)
		return made_or_not(xp_datum_borrow(arena, kind, "", 0), ret_value);
	if (args->count == 1 && (first->kind == XP_DATUM_BYTES || first->flags & XP_DATUM_PY2_STR))
		return made_or_not(xp_datum_borrow(arena, kind, first->bytes, first->size),
				   ret_value);
	if (args->count == 2 && first->kind == XP_DATUM_STR && is_latin1(args->items[1]))
		return latin1(arena, first, kind, ret_value);
	return 0;
}

int xp_pickle_normal_form(struct xp_datum_arena *arena, const struct xp_datum *callable,
			  const struct xp_datum *args, struct xp_datum **ret_value)
{
	if (callable->kind != XP_DATUM_GLOBAL)
		return 0;
	const struct xp_datum *name = callable->global->name;
	if (xp_datum_is_text(callable->global->module, "_codecs")) {
		if (xp_datum_is_text(name, "encode") && args->count == 2 &&
		    args->items[0]->kind == XP_DATUM_STR && is_latin1(args->items[1]))
			return latin1(arena, args->items[0], XP_DATUM_BYTES, ret_value);
		return 0;
	}
	if (!xp_datum_is_text(callable->global->module, "builtins"))
		return 0;
	if (xp_datum_is_text(name, "set"))
		return collection(arena, XP_DATUM_SET, args, ret_value);
	if (xp_datum_is_text(name, "frozenset"))
		return collection(arena, XP_DATUM_FROZENSET, args, ret_value);
	if (xp_datum_is_text(name, "list"))
		return collection(arena, XP_DATUM_LIST, args, ret_value);
	if (xp_datum_is_text(name, "bytearray"))
		return buffer(arena, XP_DATUM_BYTEARRAY, args, ret_value);
	if (xp_datum_is_text(name, "bytes"))
		return args->count == 0 ? buffer(arena, XP_DATUM_BYTES, args, ret_value) : 0;
	return 0;
}
