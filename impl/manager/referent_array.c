/* SPDX-License-Identifier: MIT */
/* Array: array.array of Python, machine values in one block. */
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/dispatch.h"
#include "xpshare/manager/python.h"

#include <stdlib.h>

enum sort { SIGNED, UNSIGNED, REAL, TEXT, LETTER };

#define BEYOND_LONG  "Python int too large to convert to C long"
#define BEYOND_ULONG "Python int too large to convert to C unsigned long"
#define LOW_SHORT    "signed short integer is less than minimum"
#define HIGH_SHORT   "signed short integer is greater than maximum"
#define LOW_INT	     "signed integer is less than minimum"
#define HIGH_INT     "signed integer is greater than maximum"
#define NEGATIVE     "can't convert negative value to unsigned int"

/* What a typecode stands for, and CPython's words for a value that it cannot hold. It takes some by way
 * of a wider type, @carrier bits, and then first complains in the name of that. */
static const struct code {
	char code;
	uint8_t size;
	enum sort sort;
	uint8_t carrier;
	const char *low;
	const char *high;
	const char *beyond; /* 64 bits */
} codes[] = {
    {'b', 1, SIGNED, 16, "signed char is less than minimum", "signed char is greater than maximum",
     BEYOND_LONG},
    {'B', 1, UNSIGNED, 8, "unsigned byte integer is less than minimum",
     "unsigned byte integer is greater than maximum", BEYOND_LONG},
    {'h', 2, SIGNED, 16, LOW_SHORT, HIGH_SHORT, BEYOND_LONG},
    {'H', 2, UNSIGNED, 32, "unsigned short is less than minimum",
     "unsigned short is greater than maximum", BEYOND_LONG},
    {'i', 4, SIGNED, 32, LOW_INT, HIGH_INT, BEYOND_LONG},
    {'I', 4, UNSIGNED, 32, NEGATIVE, "unsigned int is greater than maximum", BEYOND_ULONG},
    {'l', 8, SIGNED, 64, BEYOND_LONG, BEYOND_LONG, BEYOND_LONG},
    {'L', 8, UNSIGNED, 64, NEGATIVE, BEYOND_ULONG, BEYOND_ULONG},
    {'q', 8, SIGNED, 64, "int too big to convert", "int too big to convert",
     "int too big to convert"},
    {'Q', 8, UNSIGNED, 64, "can't convert negative int to unsigned", "int too big to convert",
     "int too big to convert"},
    {'f', 4, REAL, 0, NULL, NULL, NULL},
    {'d', 8, REAL, 0, NULL, NULL, NULL},
    {'u', 4, TEXT, 0, NULL, NULL, NULL},
    {'c', 1, LETTER, 0, NULL, NULL, NULL}, /* Python 2 */
};

struct array {
	struct xp_referent base;
	const struct code *code;
	char *items;
	size_t count;
};

static struct array *self_of(struct xp_call *call)
{
	return xp_call_self(call, struct array, base);
}

/* ---- items ------------------------------------------------------------------------------------- */

static const struct xp_datum *text_of(struct xp_datum_arena *arena, uint32_t c)
{
	char bytes[4];
	size_t size = 0;

	if (c < 0x80) {
		bytes[size++] = (char)c;
	} else if (c < 0x800) {
		bytes[size++] = (char)(0xc0 | c >> 6);
		bytes[size++] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		bytes[size++] = (char)(0xe0 | c >> 12);
		bytes[size++] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[size++] = (char)(0x80 | (c & 0x3f));
	} else {
		bytes[size++] = (char)(0xf0 | (c >> 18 & 7));
		bytes[size++] = (char)(0x80 | (c >> 12 & 0x3f));
		bytes[size++] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[size++] = (char)(0x80 | (c & 0x3f));
	}
	return xp_datum_str_n(arena, bytes, size);
}

/* Integers are little-endian here and in Python on the machines that this runs on. */
static const struct xp_datum *item_datum(struct xp_datum_arena *arena, const struct code *code,
					 const char *from)
{
	uint64_t bits = 0;
	double real;
	float single;

	memcpy(&bits, from, code->size);
	switch (code->sort) {
	case SIGNED:
		return xp_datum_int(arena, (int64_t)(bits << (64 - 8 * code->size)) >>
					       (64 - 8 * code->size));
	case UNSIGNED: {
		struct xp_datum *item = xp_datum_uint(arena, bits);

		/* To Python 2 they are long, however small. */
		if (item && xp_datum_is(item, XP_DATUM_INT) && code->carrier >= 32 &&
		    code->code != 'H')
			item->flags |= XP_DATUM_PY2_LONG;
		return item;
	}
	case REAL:
		if (code->size == 8) {
			memcpy(&real, from, sizeof(real));
		} else {
			memcpy(&single, from, sizeof(single));
			real = (double)single;
		}
		return xp_datum_float(arena, real);
	case TEXT:
		return text_of(arena, (uint32_t)bits);
	case LETTER:
		break;
	}
	return xp_datum_bytes(arena, from, 1);
}

static int refuse(struct xp_call *call, const char *name, const char *text)
{
	xp_call_raisef(call, name, "%s", text);
	return -EINVAL;
}

/* Why an integer of 64 bits is refused. */
static const char *out_of_range(const struct code *code, int64_t number)
{
	if (code->carrier == 16 && number < INT16_MIN)
		return LOW_SHORT;
	if (code->carrier == 16 && number > INT16_MAX)
		return HIGH_SHORT;
	if (code->code == 'H' && number < INT32_MIN)
		return LOW_INT;
	if (code->code == 'H' && number > INT32_MAX)
		return HIGH_INT;
	return number < 0 ? code->low : code->high;
}

/* The same beyond 64 bits; 2^63 to 2^64 - 1 are a C unsigned long. */
static const char *far_out_of_range(const struct code *code, bool negative, bool is_ulong)
{
	if (code->sort == UNSIGNED && code->carrier >= 32 && code->code != 'H') {
		if (negative)
			return code->low;
		if (is_ulong)
			return code->high;
	}
	return code->beyond;
}

static int store_integer(struct xp_call *call, const struct code *code,
			 const struct xp_datum *value, char *to)
{
	unsigned width = 8u * code->size;
	int64_t number;
	uint64_t bits;
	int rc = xp_datum_to_int64(value, &number);

	if (rc == -EINVAL) {
		xp_call_raisef(call, "TypeError", "'%s' object cannot be interpreted as an integer",
			       xp_python_type(call->arena, value));
		return rc;
	}
	if (rc == -ERANGE) {
		bool negative = (unsigned char)value->bytes[value->size - 1] & 0x80;

		bool is_ulong = !negative && value->size == 9 && value->bytes[8] == 0;

		if (code->sort != UNSIGNED || width < 64 || !is_ulong)
			return refuse(call, "OverflowError",
				      far_out_of_range(code, negative, is_ulong));
		memcpy(to, value->bytes, 8);
		return 0;
	}
	if (code->sort == UNSIGNED && number < 0)
		return refuse(call, "OverflowError", out_of_range(code, number));
	if (width < 64) {
		int64_t most = code->sort == SIGNED ? (INT64_C(1) << (width - 1)) - 1
						    : (INT64_C(1) << width) - 1;
		int64_t least = code->sort == SIGNED ? -most - 1 : 0;

		if (number > most || number < least)
			return refuse(call, "OverflowError", out_of_range(code, number));
	}
	bits = (uint64_t)number;
	memcpy(to, &bits, code->size);
	return 0;
}

static int store_text(struct xp_call *call, const struct code *code, const struct xp_datum *value,
		      char *to)
{
	const unsigned char *bytes = (const unsigned char *)value->bytes;
	uint32_t c = 0;

	if (code->sort == LETTER) {
		if ((!xp_datum_is(value, XP_DATUM_STR) && !xp_datum_is(value, XP_DATUM_BYTES)) ||
		    value->size != 1)
			return refuse(call, "TypeError", "array item must be char");
		*to = value->bytes[0];
		return 0;
	}
	if (!xp_datum_is(value, XP_DATUM_STR) || value->size == 0)
		return refuse(call, "TypeError", "array item must be a unicode character, not str");
	size_t size = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;

	if (value->size != size)
		return refuse(call, "TypeError", "array item must be a unicode character, not str");
	c = size == 1 ? bytes[0] : bytes[0] & (0x7fu >> size);
	for (size_t i = 1; i < size; i++)
		c = c << 6 | (bytes[i] & 0x3f);
	memcpy(to, &c, sizeof(c));
	return 0;
}

static int store_item(struct xp_call *call, const struct code *code, const struct xp_datum *value,
		      char *to)
{
	double real;
	float single;

	switch (code->sort) {
	case SIGNED:
	case UNSIGNED:
		return store_integer(call, code, value, to);
	case REAL:
		break;
	default:
		return store_text(call, code, value, to);
	}
	int rc = xp_datum_to_double(value, &real);

	if (rc == -ERANGE)
		return refuse(call, "OverflowError", "int too large to convert to float");
	if (rc < 0) {
		xp_call_raisef(call, "TypeError", "must be real number, not %s",
			       xp_python_type(call->arena, value));
		return rc;
	}
	single = (float)real;
	memcpy(to, code->size == 8 ? (const void *)&real : (const void *)&single, code->size);
	return 0;
}

/* ---- arrays in values -------------------------------------------------------------------------- */

/* Members of an array that came or goes by value. */
struct block {
	const struct code *code;
	char *items;
	size_t count;
};

static const struct code *code_of(const struct xp_datum *value)
{
	if (!xp_datum_is(value, XP_DATUM_STR) || value->size != 1)
		return NULL;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].code == value->bytes[0])
			return &codes[i];
	}
	return NULL;
}

static int block_fill(struct xp_call *call, const struct code *code,
		      const struct xp_datum *const *items, size_t count, struct block *ret_block)
{
	char *data = xp_datum_alloc(call->arena, count * code->size + 8);

	if (!data)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		int rc = store_item(call, code, items[i], data + i * code->size);

		if (rc < 0)
			return rc;
	}
	*ret_block = (struct block){.code = code, .items = data, .count = count};
	return 0;
}

static int block_bytes(struct xp_call *call, const struct code *code, const struct xp_datum *bytes,
		       struct block *ret_block)
{
	if (bytes->size % code->size != 0)
		return refuse(call, "ValueError", "bytes length not a multiple of item size");
	*ret_block = (struct block){
	    .code = code,
	    .items = (char *)(uintptr_t)bytes->bytes, /* read only */
	    .count = bytes->size / code->size,
	};
	return 0;
}

/* Python's array.array(code, initial). */
static int block_make(struct xp_call *call, const struct code *code, const struct xp_datum *initial,
		      struct block *ret_block)
{
	const struct xp_datum *const *items;
	size_t count;

	if (xp_datum_is(initial, XP_DATUM_BYTES) || xp_datum_is(initial, XP_DATUM_BYTEARRAY))
		return block_bytes(call, code, initial, ret_block);
	if (xp_datum_is(initial, XP_DATUM_STR) && code->sort != TEXT && code->sort != LETTER) {
		xp_call_raisef(call, "TypeError",
			       "cannot use a str to initialize an array with typecode '%c'",
			       code->code);
		return -EINVAL;
	}
	if (xp_python_iterate(call, initial, &items, &count) < 0)
		return -EINVAL;
	return block_fill(call, code, items, count, ret_block);
}

/* Whether @value is an array.array. Return: 1 with it, 0, -errno raised. */
static int block_of(struct xp_call *call, const struct xp_datum *value, struct block *ret_block)
{
	const struct xp_datum *args = xp_datum_as_call(value, "array", "array");
	const struct code *code = args && args->count == 2 ? code_of(args->items[0]) : NULL;
	int rc;

	if (!code)
		return 0;
	rc = block_make(call, code, args->items[1], ret_block);
	return rc < 0 ? rc : 1;
}

/* array.array(code, [items]): what Python 2 pickles, and what repr() shows. */
static const struct xp_datum *block_listed(struct xp_call *call, const struct block *block)
{
	struct xp_datum_arena *arena = call->arena;
	struct xp_datum *list = xp_datum_container(arena, XP_DATUM_LIST, block->count);
	const struct xp_datum *parts[2] = {xp_datum_str_n(arena, &block->code->code, 1), list};

	for (size_t i = 0; list && i < block->count; i++) {
		const struct xp_datum *item =
		    item_datum(arena, block->code, block->items + i * block->code->size);

		if (!item)
			return NULL;
		xp_datum_put(list, i, item);
	}
	return xp_datum_call(arena, "array", "array", 2, parts);
}

/* array('u', 'abc'), array('c', 'abc'): characters are shown, and passed, as one text. */
static const struct xp_datum *block_text(struct xp_call *call, const struct block *block)
{
	struct xp_datum_arena *arena = call->arena;
	char *text = xp_datum_alloc(arena, block->count * 4 + 1);
	size_t size = 0;

	for (size_t i = 0; text && i < block->count; i++) {
		const struct xp_datum *item =
		    item_datum(arena, block->code, block->items + i * block->code->size);

		if (!item)
			return NULL;
		memcpy(text + size, item->bytes, item->size);
		size += item->size;
	}
	if (!text)
		return NULL;
	return block->code->sort == TEXT ? xp_datum_str_n(arena, text, size)
					 : xp_datum_bytes(arena, text, size);
}

static const struct xp_datum *block_datum(struct xp_call *call, const struct block *block)
{
	struct xp_datum_arena *arena = call->arena;
	const struct xp_datum *parts[2];

	if (xp_call_python2(call))
		return block_listed(call, block);
	parts[0] = xp_datum_str_n(arena, &block->code->code, 1);
	parts[1] = xp_datum_bytes(arena, block->items, block->count * block->code->size);
	return xp_datum_call(arena, "array", "array", 2, parts);
}

/* ---- methods ----------------------------------------------------------------------------------- */

static const struct xp_datum *array_len(struct xp_call *call)
{
	return xp_datum_int(call->arena, (int64_t)self_of(call)->count);
}

static int index_of(struct xp_call *call, const struct array *array, size_t *ret_at,
		    const char *outside)
{
	int64_t index;

	int rc = xp_python_index_sized(call, call->args[0], "IndexError", &index);

	if (rc == -EINVAL)
		return refuse(call, "TypeError", "array indices must be integers");
	if (rc < 0)
		return rc;
	if (index < 0)
		index += (int64_t)array->count;
	if (index < 0 || (uint64_t)index >= array->count)
		return refuse(call, "IndexError", outside);
	*ret_at = (size_t)index;
	return 0;
}

static const struct xp_datum *get_range(struct xp_call *call, const struct array *array,
					const struct xp_range *range)
{
	size_t size = array->code->size;
	struct block block = {.code = array->code, .count = (size_t)range->count};

	block.items = xp_datum_alloc(call->arena, block.count * size + 8);
	if (!block.items)
		return NULL;
	for (int64_t i = 0; i < range->count; i++)
		memcpy(block.items + (size_t)i * size,
		       array->items + (size_t)(range->start + i * range->step) * size, size);
	return block_datum(call, &block);
}

static const struct xp_datum *array_getitem(struct xp_call *call)
{
	const struct array *array = self_of(call);
	const struct xp_datum *members[3];
	struct xp_range range;
	size_t at;

	if (xp_datum_as_slice(call->args[0], members))
		return xp_python_slice(call, members, array->count, &range) < 0
			   ? NULL
			   : get_range(call, array, &range);
	if (index_of(call, array, &at, "array index out of range") < 0)
		return NULL;
	return item_datum(call->arena, array->code, array->items + at * array->code->size);
}

/* Room for @count items in all; charged to the server's limit. */
static int resize(struct xp_call *call, struct array *array, size_t count)
{
	struct xp_dispatch *dispatch = call->dispatch;
	size_t size = array->code->size;
	size_t more = count > array->count ? (count - array->count) * size : 0;
	char *items;

	if (dispatch->memory > dispatch->limits.memory ||
	    more > dispatch->limits.memory - dispatch->memory)
		return refuse(call, "MemoryError", "the server's limit of memory is reached");
	items = realloc(array->items, count * size + 1);
	if (!items)
		return refuse(call, "MemoryError", "");
	array->items = items;
	dispatch->memory += count * size;
	dispatch->memory -= array->count * size;
	array->count = count;
	return 0;
}

/* Take the members of an extended slice out: what CPython does where an empty array is assigned to it. */
static void delete_range(struct array *array, const struct xp_range *range)
{
	size_t size = array->code->size;
	int64_t low =
	    range->step > 0 ? range->start : range->start + (range->count - 1) * range->step;
	int64_t stride = range->step > 0 ? range->step : -range->step;
	size_t kept = 0;

	for (size_t i = 0; i < array->count; i++) {
		int64_t offset = (int64_t)i - low;

		if (offset >= 0 && offset % stride == 0 && offset / stride < range->count)
			continue;
		memmove(array->items + kept * size, array->items + i * size, size);
		kept++;
	}
	array->base.dispatch->memory -= (array->count - kept) * size;
	array->count = kept;
}

static const struct xp_datum *set_range(struct xp_call *call, struct array *array,
					const struct xp_range *range, const struct xp_datum *value)
{
	size_t size = array->code->size;
	struct block block;
	int rc = block_of(call, value, &block);

	if (rc < 0)
		return NULL;
	if (rc == 0)
		return xp_call_raisef(call, "TypeError",
				      "can only assign array (not \"%s\") to array slice",
				      xp_python_type(call->arena, value));
	if (block.code != array->code)
		return xp_call_raisef(call, "TypeError",
				      "bad argument type for built-in operation");
	if (range->step == 1) {
		size_t start = (size_t)range->start;
		size_t removed =
		    range->stop > range->start ? (size_t)(range->stop - range->start) : 0;
		size_t tail = array->count - start - removed;

		if (block.count > removed &&
		    resize(call, array, array->count - removed + block.count) < 0)
			return NULL;
		memmove(array->items + (start + block.count) * size,
			array->items + (start + removed) * size, tail * size);
		memcpy(array->items + start * size, block.items, block.count * size);
		if (block.count < removed && resize(call, array, start + block.count + tail) < 0)
			return NULL;
		return xp_datum_none();
	}
	if (block.count == 0) {
		delete_range(array, range);
		return xp_datum_none();
	}
	if (block.count != (size_t)range->count)
		return xp_call_raisef(
		    call, "ValueError",
		    "attempt to assign array of size %zu to extended slice of size %lld",
		    block.count, (long long)range->count);
	for (int64_t i = 0; i < range->count; i++)
		memcpy(array->items + (size_t)(range->start + i * range->step) * size,
		       block.items + (size_t)i * size, size);
	return xp_datum_none();
}

static const struct xp_datum *array_setitem(struct xp_call *call)
{
	struct array *array = self_of(call);
	const struct xp_datum *members[3];
	struct xp_range range;
	char item[8];
	size_t at;

	if (xp_datum_as_slice(call->args[0], members))
		return xp_python_slice(call, members, array->count, &range) < 0
			   ? NULL
			   : set_range(call, array, &range, call->args[1]);
	if (index_of(call, array, &at, "array assignment index out of range") < 0 ||
	    store_item(call, array->code, call->args[1], item) < 0)
		return NULL;
	memcpy(array->items + at * array->code->size, item, array->code->size);
	return xp_datum_none();
}

/* Python 2's a[i:j]. */
static int old_slice(struct xp_call *call, const struct array *array, struct xp_range *ret_range)
{
	const struct xp_datum *members[3] = {call->args[0], call->args[1], xp_datum_none()};

	return xp_python_slice(call, members, array->count, ret_range);
}

static const struct xp_datum *array_getslice(struct xp_call *call)
{
	struct xp_range range;

	return old_slice(call, self_of(call), &range) < 0 ? NULL
							  : get_range(call, self_of(call), &range);
}

static const struct xp_datum *array_setslice(struct xp_call *call)
{
	struct xp_range range;

	return old_slice(call, self_of(call), &range) < 0
		   ? NULL
		   : set_range(call, self_of(call), &range, call->args[2]);
}

/* ---- the type ---------------------------------------------------------------------------------- */

const struct xp_datum *const *
xp_array_members(struct xp_call *call, const struct xp_referent *referent, size_t *ret_count)
{
	const struct array *array = (const struct array *)referent;
	const struct xp_datum **items =
	    xp_datum_alloc(call->arena, (array->count + 1) * sizeof(const struct xp_datum *));

	for (size_t i = 0; items && i < array->count; i++) {
		items[i] =
		    item_datum(call->arena, array->code, array->items + i * array->code->size);
		if (!items[i])
			return NULL;
	}
	*ret_count = array->count;
	return items;
}

static void array_fini(struct xp_referent *referent)
{
	struct array *array = (struct array *)referent;

	referent->dispatch->memory -= array->count * array->code->size;
	free(array->items);
	free(array);
}

static const struct xp_datum *array_init(struct xp_call *call)
{
	const struct code *code = code_of(call->args[0]);
	struct block block;
	struct array *array;

	if (!xp_datum_is(call->args[0], XP_DATUM_STR) || call->args[0]->size != 1)
		return xp_call_raisef(call, "TypeError",
				      "array() argument 1 must be a unicode character, not %s",
				      xp_python_type(call->arena, call->args[0]));
	if (!code)
		return xp_call_raisef(
		    call, "ValueError",
		    "bad typecode (must be b, B, u, h, H, i, I, l, L, q, Q, f or d)");
	int rc = block_of(call, call->args[1], &block);

	/* Members of another array of the same typecode are taken as they are, others one by one. */
	if (rc == 1 && block.code != code) {
		const struct xp_datum **items = xp_datum_alloc(
		    call->arena, (block.count + 1) * sizeof(const struct xp_datum *));

		for (size_t i = 0; items && i < block.count; i++)
			items[i] =
			    item_datum(call->arena, block.code, block.items + i * block.code->size);
		rc = items ? block_fill(call, code, items, block.count, &block) : -ENOMEM;
	} else if (rc == 0) {
		rc = block_make(call, code, call->args[1], &block);
	}
	if (rc < 0)
		return NULL;
	array = (struct array *)xp_referent_new(call, &xp_typeid_array, sizeof(*array));
	if (!array)
		return NULL;
	array->code = code;
	if (resize(call, array, block.count) < 0) {
		xp_referent_unref(&array->base);
		return NULL;
	}
	memcpy(array->items, block.items, block.count * code->size);
	return xp_call_object(call, &array->base);
}

static struct block whole(const struct array *array)
{
	return (struct block){.code = array->code, .items = array->items, .count = array->count};
}

static const struct xp_datum *array_value(struct xp_call *call, struct xp_referent *referent)
{
	struct block block = whole((const struct array *)referent);

	return block_datum(call, &block);
}

static const struct xp_datum *array_repr(struct xp_call *call, struct xp_referent *referent)
{
	struct block block = whole((const struct array *)referent);
	const struct xp_datum *parts[2] = {xp_datum_str_n(call->arena, &block.code->code, 1), NULL};
	const struct xp_datum *value;

	if (block.count > 0 && (block.code->sort == TEXT || block.code->sort == LETTER)) {
		parts[1] = block_text(call, &block);
		value = xp_datum_call(call->arena, "array", "array", 2, parts);
	} else if (block.count > 0) {
		value = block_listed(call, &block);
	} else {
		value = xp_datum_call(call->arena, "array", "array", 1, parts);
	}
	return value ? xp_python_repr(call, value) : NULL;
}

static const struct xp_method methods[] = {XP_METHODS_ARRAY(XP_METHOD_ROW)};

const struct xp_typeid xp_typeid_array = {
    .name = "Array",
    .owner = "",
    .init = {.name = "Array",
	     .style = XP_ARGS_PYTHON,
	     .min = 2,
	     .max = 3,
	     .params = "typecode,sequence,lock",
	     .call = array_init},
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = array_fini,
    .repr = array_repr,
    .value = array_value,
};
