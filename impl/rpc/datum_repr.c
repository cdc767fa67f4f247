/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/datum_repr.h"

#include "xpshare/rpc/datum_compare.h"
#include "xpshare/rpc/datum_number.h"
#include "xpshare/rpc/datum_walk.h"
#include "xpshare/rpc/unicode_printable.h"
#include "xpshare/rpc/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct writing {
	char *text;
	size_t size;
	size_t room;
	unsigned python;
	unsigned depth;
	const struct xp_datum *path[XP_DATUM_COMPARE_DEPTH]; /* containers that are open */
};

static int write_any(struct writing *writing, const struct xp_datum *value);

/* ---- output -------------------------------------------------------------------------- */

static int put(struct writing *writing, const char *text, size_t size)
{
	if (size == 0)
		return 0;
	if (size > XP_DATUM_REPR_MAX - writing->size)
		return -EMSGSIZE;
	if (writing->size + size > writing->room) {
		size_t room = 2 * (writing->size + size) + 64;
		char *grown = realloc(writing->text, room);
		if (!grown)
			return -ENOMEM;
		writing->text = grown;
		writing->room = room;
	}
	memcpy(writing->text + writing->size, text, size);
	writing->size += size;
	return 0;
}

static int put_text(struct writing *writing, const char *text)
{
	return put(writing, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static int putf(struct writing *writing, const char *format,
						      ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	int size = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return put(writing, text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1);
}

/* ---- text ---------------------------------------------------------------------------- */

/* Single quotes, unless there is one inside and no double one. */
static char quote_for(const char *text, size_t size)
{
	return memchr(text, '\'', size) && !memchr(text, '"', size) ? '"' : '\'';
}

/* A code point below 0x80, or a byte, as both flavours and bytes write it. */
static int put_narrow(struct writing *writing, unsigned point, char quote)
{
	if (point == (unsigned char)quote || point == '\\')
		return putf(writing, "\\%c", (int)point);
	if (point == '\n')
		return put_text(writing, "\\n");
	if (point == '\r')
		return put_text(writing, "\\r");
	if (point == '\t')
		return put_text(writing, "\\t");
	if (point < 0x20 || point >= 0x7f)
		return putf(writing, "\\x%02x", point);
	char letter = (char)point;
	return put(writing, &letter, 1);
}

static int write_text(struct writing *writing, const char *text, size_t size)
{
	char quote = quote_for(text, size);
	const char *end = text + size;
	int rc = put(writing, &quote, 1);

	while (text < end && rc == 0) {
		unsigned length;
		uint32_t point = xp_utf8_decode(text, &length);
		if (point < 0x80)
			rc = put_narrow(writing, point, quote);
		else if (writing->python == 3 && xp_unicode_is_printable(point))
			rc = put(writing, text, length);
		else if (point <= 0xff)
			rc = putf(writing, "\\x%02x", point);
		else if (point <= 0xffff)
			rc = putf(writing, "\\u%04x", point);
		else
			rc = putf(writing, "\\U%08x", point);
		text += length;
	}
	return rc == 0 ? put(writing, &quote, 1) : rc;
}

static int write_bytes(struct writing *writing, const char *bytes, size_t size)
{
	char quote = quote_for(bytes, size);
	int rc = put(writing, &quote, 1);

	for (size_t i = 0; i < size && rc == 0; i++)
		rc = put_narrow(writing, (unsigned char)bytes[i], quote);
	return rc == 0 ? put(writing, &quote, 1) : rc;
}

static int write_str(struct writing *writing, const struct xp_datum *value)
{
	bool unicode = value->flags & XP_DATUM_PY2_UNICODE || !(value->flags & XP_DATUM_ASCII);
	int rc = writing->python == 2 && unicode ? put_text(writing, "u") : 0;

	return rc == 0 ? write_text(writing, value->bytes, value->size) : rc;
}

static int write_binary(struct writing *writing, const struct xp_datum *value)
{
	bool array = value->kind == XP_DATUM_BYTEARRAY;
	int rc = array ? put_text(writing, "bytearray(") : 0;

	if (rc == 0 && (writing->python == 3 || array))
		rc = put_text(writing, "b");
	if (rc == 0)
		rc = write_bytes(writing, value->bytes, value->size);
	return rc == 0 && array ? put_text(writing, ")") : rc;
}

/* ---- numbers ------------------------------------------------------------------------- */

static int write_integer(struct writing *writing, const struct xp_datum *value)
{
	char *text;
	int rc = xp_number_format_int(value, &text);

	if (rc < 0)
		return rc;
	rc = put_text(writing, text);
	free(text);
	if (rc == 0 && writing->python == 2 &&
	    (value->kind == XP_DATUM_BIGINT || value->flags & XP_DATUM_PY2_LONG))
		rc = put_text(writing, "L");
	return rc;
}

static int write_float(struct writing *writing, double value)
{
	char text[XP_FLOAT_TEXT];
	size_t size = xp_number_format_float(value, text);

	return put(writing, text, size);
}

/* ---- containers ---------------------------------------------------------------------- */

/* The items of @value, separated; pairs with a colon between. */
static int write_items(struct writing *writing, const struct xp_datum *value)
{
	bool dict = value->kind == XP_DATUM_DICT;
	int rc = 0;

	for (size_t i = 0; i < value->count && rc == 0; i++) {
		if (i > 0)
			rc = put_text(writing, ", ");
		if (rc == 0)
			rc = write_any(writing, value->items[dict ? 2 * i : i]);
		if (rc == 0 && dict)
			rc = put_text(writing, ": ");
		if (rc == 0 && dict)
			rc = write_any(writing, value->items[2 * i + 1]);
	}
	return rc;
}

static int write_between(struct writing *writing, const char *open, const struct xp_datum *value,
			 const char *close)
{
	int rc = put_text(writing, open);

	if (rc == 0)
		rc = write_items(writing, value);
	return rc == 0 ? put_text(writing, close) : rc;
}

static int write_set(struct writing *writing, const struct xp_datum *value)
{
	bool frozen = value->kind == XP_DATUM_FROZENSET;

	if (writing->python == 2)
		return write_between(writing, frozen ? "frozenset([" : "set([", value, "])");
	if (value->count == 0)
		return put_text(writing, frozen ? "frozenset()" : "set()");
	return write_between(writing, frozen ? "frozenset({" : "{", value, frozen ? "})" : "}");
}

/* What stands for a container inside itself. */
static int write_again(struct writing *writing, const struct xp_datum *value)
{
	switch ((enum xp_datum_kind)value->kind) {
	case XP_DATUM_LIST:
		return put_text(writing, "[...]");
	case XP_DATUM_DICT:
		return put_text(writing, "{...}");
	case XP_DATUM_TUPLE:
		return put_text(writing, "(...)");
	case XP_DATUM_SET:
		return put_text(writing, "set(...)");
	case XP_DATUM_FROZENSET:
		return put_text(writing, "frozenset(...)");
	default:
		return put_text(writing, "...");
	}
}

static bool is_open(const struct writing *writing, const struct xp_datum *value)
{
	for (unsigned i = writing->depth; value->flags & XP_DATUM_SHARED && i-- > 0;) {
		if (writing->path[i] == value)
			return true;
	}
	return false;
}

/* ---- instances ----------------------------------------------------------------------- */

/* Whether @global is an exception, by the name that all of them have. */
static bool is_exception(const struct xp_datum *global)
{
	static const char *const endings[] = {"Error",	   "Exception", "Warning",
					      "Interrupt", "Exit",	"Iteration",
					      "Empty",	   "Full",	"ShutDown"};

	if (global->kind != XP_DATUM_GLOBAL)
		return false;
	const struct xp_datum *name = global->global->name;
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		size_t size = strlen(endings[i]);
		if (name->size >= size &&
		    !memcmp(name->bytes + name->size - size, endings[i], size))
			return true;
	}
	return false;
}

/* Name(a, b): the last part of the class's name and the arguments. */
static int write_call(struct writing *writing, const struct xp_datum *value)
{
	char buffer[256];
	const struct xp_datum *args = value->reduce->args;
	/* 2.7 leaves the comma of a tuple of one. */
	bool comma =
	    writing->python == 2 && args->count == 1 && is_exception(value->reduce->callable);
	int rc = put_text(writing, xp_datum_type_name(value, buffer, sizeof(buffer)));

	return rc == 0 ? write_between(writing, "(", args, comma ? ",)" : ")") : rc;
}

static int write_complex(struct writing *writing, const struct xp_datum *args)
{
	char text[2][XP_FLOAT_TEXT];
	size_t size[2];

	for (int i = 0; i < 2; i++) {
		double part;
		if (xp_datum_to_double(args->items[i], &part) < 0)
			return put_text(writing, "<complex>");
		size[i] = xp_number_format_float(part, text[i]);
		/* Inside a complex number whole parts have no ".0". */
		if (size[i] > 2 && !memcmp(text[i] + size[i] - 2, ".0", 2))
			size[i] -= 2;
	}
	bool whole = !(size[0] == 1 && text[0][0] == '0');
	if (!whole)
		return putf(writing, "%.*sj", (int)size[1], text[1]);
	return putf(writing, "(%.*s%s%.*sj)", (int)size[0], text[0], text[1][0] == '-' ? "" : "+",
		    (int)size[1], text[1]);
}

/* range(0, 3), range(0, 9, 2): the step only where it is not 1; 2.7 leaves the start out too. */
static int write_range(struct writing *writing, const struct xp_datum *args)
{
	int64_t start = 0, step = 1;
	size_t last = args->count;
	int rc = put_text(writing, writing->python == 2 ? "xrange(" : "range(");

	if (last == 3 && xp_datum_to_int64(args->items[2], &step) == 0 && step == 1)
		last = 2;
	bool brief = writing->python == 2 && last == 2 &&
		     xp_datum_to_int64(args->items[0], &start) == 0 && start == 0;
	for (size_t i = brief ? 1 : 0; i < last && rc == 0; i++) {
		rc = write_any(writing, args->items[i]);
		if (rc == 0 && i + 1 < last)
			rc = put_text(writing, ", ");
	}
	return rc == 0 ? put_text(writing, ")") : rc;
}

/* deque([1, 2], maxlen=5) from the call deque([], 5) or deque((), 5), filled */
static int write_deque(struct writing *writing, const struct xp_datum *value)
{
	const struct xp_datum *args = value->reduce->args;
	int rc = put_text(writing, "deque([");

	if (rc == 0 && args->count > 0 && !xp_datum_is_leaf(args->items[0]) &&
	    !value->reduce->items)
		rc = write_items(writing, args->items[0]);
	if (rc == 0 && value->reduce->items)
		rc = write_items(writing, value->reduce->items);
	if (rc == 0)
		rc = put_text(writing, "]");
	if (rc == 0 && args->count > 1 && args->items[1]->kind != XP_DATUM_NONE) {
		rc = put_text(writing, ", maxlen=");
		if (rc == 0)
			rc = write_any(writing, args->items[1]);
	}
	return rc == 0 ? put_text(writing, ")") : rc;
}

/* OrderedDict([('a', 1)]) from lists or tuples of two. */
static int write_ordered_call(struct writing *writing, const struct xp_datum *pairs)
{
	int rc = put_text(writing, "OrderedDict([");

	for (size_t i = 0; i < pairs->count && rc == 0; i++) {
		const struct xp_datum *pair = pairs->items[i];
		if (xp_datum_is_leaf(pair) || pair->kind > XP_DATUM_LIST)
			return put_text(writing, "...])");
		rc = write_between(writing, i > 0 ? ", (" : "(", pair, ")");
	}
	return rc == 0 ? put_text(writing, "])") : rc;
}

static int write_ordered(struct writing *writing, const struct xp_datum *value)
{
	const struct xp_datum *pairs = value->reduce->pairs;
	const struct xp_datum *args = value->reduce->args;

	/* 2.7 pickles it as the call OrderedDict([['a', 1]]). */
	if (args->count == 1 && args->items[0]->kind == XP_DATUM_LIST)
		return write_ordered_call(writing, args->items[0]);
	if (!pairs)
		return put_text(writing, "OrderedDict()");
	if (writing->python == 3)
		return write_between(writing, "OrderedDict({", pairs, "})");
	int rc = put_text(writing, "OrderedDict([");
	for (size_t i = 0; i < pairs->count && rc == 0; i++) {
		rc = put_text(writing, i > 0 ? ", (" : "(");
		if (rc == 0)
			rc = write_any(writing, pairs->items[2 * i]);
		if (rc == 0)
			rc = put_text(writing, ", ");
		if (rc == 0)
			rc = write_any(writing, pairs->items[2 * i + 1]);
		if (rc == 0)
			rc = put_text(writing, ")");
	}
	return rc == 0 ? put_text(writing, "])") : rc;
}

static int write_global(struct writing *writing, const struct xp_datum *value)
{
	const struct xp_datum_global *global = value->global;
	const char *sort = writing->python == 2 ? "type" : "class";

	if (xp_datum_is_text(global->module, "builtins")) {
		if (xp_datum_is_text(global->name, "Ellipsis") ||
		    xp_datum_is_text(global->name, "NotImplemented"))
			return put(writing, global->name->bytes, global->name->size);
		return putf(writing, "<%s '%s%.*s'>", sort,
			    writing->python == 2 && is_exception(value) ? "exceptions." : "",
			    (int)global->name->size, global->name->bytes);
	}
	return putf(writing, "<class '%.*s.%.*s'>", (int)global->module->size,
		    global->module->bytes, (int)global->name->size, global->name->bytes);
}

static int write_instance(struct writing *writing, const struct xp_datum *value)
{
	const struct xp_datum *callable = value->reduce->callable;
	const struct xp_datum *args = value->reduce->args;

	if (xp_datum_is_global(callable, "builtins", "complex") && args->count == 2)
		return write_complex(writing, args);
	if (xp_datum_is_global(callable, "builtins", "range"))
		return write_range(writing, args);
	if (xp_datum_is_global(callable, "collections", "deque"))
		return write_deque(writing, value);
	if (xp_datum_is_global(callable, "collections", "OrderedDict"))
		return write_ordered(writing, value);
	if (xp_datum_is_global(callable, "builtins", "slice") ||
	    xp_datum_is_global(callable, "array", "array") ||
	    xp_datum_is_global(callable, "decimal", "Decimal") || is_exception(callable))
		return write_call(writing, value);
	if (callable->kind != XP_DATUM_GLOBAL)
		return putf(writing, "<object at %p>", (const void *)value);
	return putf(writing, "<%.*s.%.*s object at %p>", (int)callable->global->module->size,
		    callable->global->module->bytes, (int)callable->global->name->size,
		    callable->global->name->bytes, (const void *)value);
}

/* ---- all ----------------------------------------------------------------------------- */

static int write_nested(struct writing *writing, const struct xp_datum *value)
{
	switch ((enum xp_datum_kind)value->kind) {
	case XP_DATUM_TUPLE:
		return write_between(writing, "(", value, value->count == 1 ? ",)" : ")");
	case XP_DATUM_LIST:
		return write_between(writing, "[", value, "]");
	case XP_DATUM_DICT:
		return write_between(writing, "{", value, "}");
	case XP_DATUM_SET:
	case XP_DATUM_FROZENSET:
		return write_set(writing, value);
	case XP_DATUM_OBJECT:
		return write_any(writing, value->object->original);
	case XP_DATUM_REDUCE:
		return write_instance(writing, value);
	default:
		return write_global(writing, value);
	}
}

static int write_any(struct writing *writing, const struct xp_datum *value)
{
	switch ((enum xp_datum_kind)value->kind) {
	case XP_DATUM_NONE:
		return put_text(writing, "None");
	case XP_DATUM_BOOL:
		return put_text(writing, value->integer ? "True" : "False");
	case XP_DATUM_INT:
	case XP_DATUM_BIGINT:
		return write_integer(writing, value);
	case XP_DATUM_FLOAT:
		return write_float(writing, value->real);
	case XP_DATUM_STR:
		return write_str(writing, value);
	case XP_DATUM_BYTES:
	case XP_DATUM_BYTEARRAY:
		return write_binary(writing, value);
	default:
		break;
	}
	if (is_open(writing, value))
		return write_again(writing, value);
	if (writing->depth == XP_DATUM_COMPARE_DEPTH)
		return -ELOOP;
	writing->path[writing->depth++] = value;
	int rc = write_nested(writing, value);
	writing->depth--;
	return rc;
}

static int finish(struct writing *writing, struct xp_datum_arena *arena, int rc,
		  struct xp_datum **ret_text)
{
	struct xp_datum *text = NULL;

	if (rc == 0) {
		text = xp_datum_str_n(arena, writing->text ? writing->text : "", writing->size);
		rc = text ? 0 : -ENOMEM;
	}
	free(writing->text);
	if (rc == 0)
		*ret_text = text;
	return rc;
}

int xp_datum_repr(struct xp_datum_arena *arena, const struct xp_datum *value, unsigned python,
		  struct xp_datum **ret_text)
{
	struct writing writing;

	writing.text = NULL;
	writing.size = writing.room = 0;
	writing.python = python;
	writing.depth = 0; /* the path is filled as far as it is deep */
	return finish(&writing, arena, write_any(&writing, value), ret_text);
}

int xp_datum_to_str(struct xp_datum_arena *arena, const struct xp_datum *value, unsigned python,
		    struct xp_datum **ret_text)
{
	if (value->kind == XP_DATUM_STR) {
		struct xp_datum *same = xp_datum_str_n(arena, value->bytes, value->size);
		if (!same)
			return -ENOMEM;
		*ret_text = same;
		return 0;
	}
	if (value->kind == XP_DATUM_REDUCE && is_exception(value->reduce->callable)) {
		const struct xp_datum *args = value->reduce->args;
		bool key = xp_datum_is_global(value->reduce->callable, "builtins", "KeyError");
		if (args->count == 0)
			return finish(&(struct writing){0}, arena, 0, ret_text);
		if (args->count == 1)
			return key ? xp_datum_repr(arena, args->items[0], python, ret_text)
				   : xp_datum_to_str(arena, args->items[0], python, ret_text);
		return xp_datum_repr(arena, args, python, ret_text);
	}
	return xp_datum_repr(arena, value, python, ret_text);
}
