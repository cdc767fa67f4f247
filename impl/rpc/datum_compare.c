/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/datum_compare.h"

#include "xpshare/rpc/datum_walk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define UNORDERED 2

struct comparing {
	const struct xp_datum *culprits[2];
	unsigned depth;
	unsigned steps;
};

static int equal(struct comparing *comparing, const struct xp_datum *a, const struct xp_datum *b);

/* ---- numbers ------------------------------------------------------------------------- */

static int sign_of(const struct xp_datum *big)
{
	return (unsigned char)big->bytes[big->size - 1] >= 0x80 ? -1 : 1;
}

/* Two's complement of equal sign: more bytes are more, up or down. */
static int compare_bytes(const unsigned char *a, size_t a_size, const unsigned char *b,
			 size_t b_size, int sign)
{
	if (a_size != b_size)
		return a_size > b_size ? sign : -sign;
	for (size_t i = a_size; i-- > 0;) {
		if (a[i] != b[i])
			return a[i] > b[i] ? 1 : -1; /* of negative numbers too: their bytes rise */
	}
	return 0;
}

static int compare_bigs(const struct xp_datum *a, const struct xp_datum *b)
{
	int sign = sign_of(a);

	if (sign != sign_of(b))
		return sign;
	return compare_bytes((const unsigned char *)a->bytes, a->size,
			     (const unsigned char *)b->bytes, b->size, sign);
}

static int compare_int_float(int64_t a, double b)
{
	if (isnan(b))
		return UNORDERED;
	if (b >= 0x1p63)
		return -1;
	if (b < -0x1p63)
		return 1;
	double whole = trunc(b);
	int64_t integer = (int64_t)whole;
	if (a != integer)
		return a > integer ? 1 : -1;
	return whole < b ? -1 : whole > b;
}

static int compare_big_float(const struct xp_datum *a, double b)
{
	int sign = sign_of(a);
	unsigned char bytes[136] = {0};
	int exponent;

	if (isnan(b))
		return UNORDERED;
	if (isinf(b))
		return b > 0 ? -1 : 1;
	/* A BIGINT lies outside 64 bits: a float within them is nearer to 0. */
	if ((b < 0 ? -1 : 1) != sign || fabs(b) < 0x1p63)
		return sign;
	/* What is left of the float is a whole number: 53 bits and as many zeros below. */
	uint64_t mantissa = (uint64_t)ldexp(frexp(fabs(b), &exponent), 53);
	size_t shift = (size_t)(exponent - 53);
	for (size_t bit = 0; bit < 53; bit++) {
		size_t at = shift + bit;
		if (mantissa >> bit & 1)
			bytes[at / 8] |= (unsigned char)(1 << at % 8);
	}
	if (sign < 0) {
		unsigned carry = 1;
		for (size_t i = 0; i < sizeof(bytes); i++) {
			carry += (unsigned char)~bytes[i];
			bytes[i] = (unsigned char)carry;
			carry >>= 8;
		}
	}
	size_t size = sizeof(bytes);
	unsigned char fill = sign < 0 ? 0xff : 0;
	while (size > 1 && bytes[size - 1] == fill && (bytes[size - 2] & 0x80) == (fill & 0x80))
		size--;
	return compare_bytes((const unsigned char *)a->bytes, a->size, bytes, size, sign);
}

static bool is_number(const struct xp_datum *value)
{
	return value->kind >= XP_DATUM_BOOL && value->kind <= XP_DATUM_FLOAT;
}

/* -1, 0, 1, or UNORDERED where one is not a number. */
static int compare_numbers(const struct xp_datum *a, const struct xp_datum *b)
{
	int rc;

	if (a->kind == XP_DATUM_FLOAT && b->kind == XP_DATUM_FLOAT) {
		if (isnan(a->real) || isnan(b->real))
			return UNORDERED;
		return a->real < b->real ? -1 : a->real > b->real;
	}
	if (a->kind == XP_DATUM_FLOAT) {
		rc = compare_numbers(b, a);
		return rc == UNORDERED ? rc : -rc;
	}
	if (b->kind == XP_DATUM_FLOAT)
		return a->kind == XP_DATUM_BIGINT ? compare_big_float(a, b->real)
						  : compare_int_float(a->integer, b->real);
	if (a->kind == XP_DATUM_BIGINT)
		return b->kind == XP_DATUM_BIGINT ? compare_bigs(a, b) : sign_of(a);
	if (b->kind == XP_DATUM_BIGINT)
		return -sign_of(b);
	return a->integer < b->integer ? -1 : a->integer > b->integer;
}

/* ---- sets and dicts: by content ------------------------------------------------------ */

/* The distinct keys of a DICT or members of a SET, by hash; the last of equal keys counts. */
struct index {
	const struct xp_datum *of;
	size_t *slots; /* position + 1, 0 is free */
	uint64_t *hashes;
	size_t room;
	size_t distinct;
};

static size_t stride_of(const struct xp_datum *value)
{
	return value->kind == XP_DATUM_DICT ? 2 : 1;
}

/* The slot of @key: the one that holds it, or the free one where it belongs. -errno. */
static ssize_t slot_of(struct comparing *comparing, const struct index *index,
		       const struct xp_datum *key, uint64_t hash)
{
	size_t at = (size_t)hash & (index->room - 1);

	for (; index->slots[at]; at = (at + 1) & (index->room - 1)) {
		size_t position = index->slots[at] - 1;
		if (index->hashes[position] != hash)
			continue;
		int rc = equal(comparing, index->of->items[position * stride_of(index->of)], key);
		if (rc != 0)
			return rc < 0 ? rc : (ssize_t)at;
	}
	return (ssize_t)at;
}

static void index_fini(struct index *index)
{
	free(index->slots);
	free(index->hashes);
}

/* Return: 0; -EINVAL a key that has no hash, which no value of Python can have; -errno. */
static int index_init(struct comparing *comparing, struct index *index, const struct xp_datum *of)
{
	*index = (struct index){.of = of, .room = 8};
	while (index->room < 2 * of->count)
		index->room *= 2;
	index->slots = calloc(index->room, sizeof(*index->slots));
	index->hashes = malloc((of->count + 1) * sizeof(*index->hashes));
	int rc = index->slots && index->hashes ? 0 : -ENOMEM;
	for (size_t i = 0; i < of->count && rc == 0; i++) {
		const struct xp_datum *key = of->items[i * stride_of(of)];
		ssize_t slot =
		    xp_datum_hash_counted(key, &comparing->steps, &index->hashes[i], NULL);
		if (slot >= 0)
			slot = slot_of(comparing, index, key, index->hashes[i]);
		if (slot < 0) {
			rc = (int)slot;
			break;
		}
		index->distinct += index->slots[slot] == 0;
		index->slots[slot] = i + 1;
	}
	if (rc < 0)
		index_fini(index);
	return rc;
}

/* Whether all that @a holds is in @b too, with an equal value in a DICT. 1, 0, -errno. */
static int holds_all(struct comparing *comparing, const struct index *a, const struct index *b)
{
	for (size_t i = 0; i < a->room; i++) {
		if (!a->slots[i])
			continue;
		size_t mine = a->slots[i] - 1, stride = stride_of(a->of);
		ssize_t slot = slot_of(comparing, b, a->of->items[mine * stride], a->hashes[mine]);
		if (slot < 0 || !b->slots[slot])
			return slot < 0 ? (int)slot : 0;
		if (stride == 1)
			continue;
		size_t theirs = b->slots[slot] - 1;
		int rc = equal(comparing, a->of->items[2 * mine + 1], b->of->items[2 * theirs + 1]);
		if (rc <= 0)
			return rc;
	}
	return 1;
}

/* @a within @b; @proper: and not the same. 1, 0, -errno. */
static int is_subset(struct comparing *comparing, const struct xp_datum *a,
		     const struct xp_datum *b, bool exact, bool proper)
{
	struct index mine, theirs;
	int rc = index_init(comparing, &mine, a);

	if (rc < 0)
		return rc == -EINVAL ? 0 : rc;
	rc = index_init(comparing, &theirs, b);
	if (rc == 0) {
		if ((exact && mine.distinct != theirs.distinct) ||
		    (proper && mine.distinct >= theirs.distinct))
			rc = 0;
		else
			rc = holds_all(comparing, &mine, &theirs);
		index_fini(&theirs);
	}
	index_fini(&mine);
	return rc == -EINVAL ? 0 : rc;
}

/* ---- equality ------------------------------------------------------------------------ */

static bool is_set(const struct xp_datum *value)
{
	return value->kind == XP_DATUM_SET || value->kind == XP_DATUM_FROZENSET;
}

static bool is_binary(const struct xp_datum *value)
{
	return value->kind == XP_DATUM_BYTES || value->kind == XP_DATUM_BYTEARRAY;
}

static int equal_parts(struct comparing *comparing, const struct xp_datum *a,
		       const struct xp_datum *b)
{
	struct xp_datum **mine = NULL, **theirs = NULL;
	size_t count = xp_datum_children(a, &mine);

	if (a->kind == XP_DATUM_REDUCE && a->reduce->form != b->reduce->form)
		return 0;
	/* Names of one class may have come in two spellings. */
	if (a->kind == XP_DATUM_GLOBAL)
		count = 2;
	else if (count != xp_datum_children(b, &theirs))
		return 0;
	xp_datum_children(b, &theirs);
	for (size_t i = 0; i < count; i++) {
		if (!mine[i] || !theirs[i]) {
			if (mine[i] != theirs[i])
				return 0;
			continue;
		}
		int rc = equal(comparing, mine[i], theirs[i]);
		if (rc <= 0)
			return rc;
	}
	return 1;
}

static int equal(struct comparing *comparing, const struct xp_datum *a, const struct xp_datum *b)
{
	int rc;

	if (a == b)
		return 1;
	if (xp_datum_has_length(a) && xp_datum_has_length(b) && a->size == b->size &&
	    !xp_datum_visit(&comparing->steps, a))
		return -E2BIG;
	if (is_number(a) && is_number(b))
		return compare_numbers(a, b) == 0;
	if (is_binary(a) && is_binary(b))
		return a->size == b->size && (a->size == 0 || !memcmp(a->bytes, b->bytes, a->size));
	if (a->kind != b->kind && !(is_set(a) && is_set(b)))
		return 0;
	switch ((enum xp_datum_kind)a->kind) {
	case XP_DATUM_NONE:
		return 1;
	case XP_DATUM_STR:
		return a->size == b->size && !memcmp(a->bytes, b->bytes, a->size);
	case XP_DATUM_OBJECT:
		return a->object->object == b->object->object;
	default:
		break;
	}
	if (comparing->depth == XP_DATUM_COMPARE_DEPTH)
		return -ELOOP;
	if (!xp_datum_visit(&comparing->steps, a))
		return -E2BIG;
	comparing->depth++;
	if (a->kind == XP_DATUM_DICT || is_set(a))
		rc = is_subset(comparing, a, b, true, false);
	else
		rc = equal_parts(comparing, a, b);
	comparing->depth--;
	return rc;
}

int xp_datum_equal_counted(const struct xp_datum *a, const struct xp_datum *b, unsigned *steps)
{
	struct comparing comparing = {.steps = *steps};
	int rc = equal(&comparing, a, b);

	*steps = comparing.steps;
	return rc;
}

int xp_datum_equal(const struct xp_datum *a, const struct xp_datum *b)
{
	unsigned steps = 0;

	return xp_datum_equal_counted(a, b, &steps);
}

/* ---- order --------------------------------------------------------------------------- */

static int compare_text(const struct xp_datum *a, const struct xp_datum *b)
{
	/* The order of UTF-8 is that of its code points. */
	size_t common = a->size < b->size ? a->size : b->size;
	int order = common > 0 ? memcmp(a->bytes, b->bytes, common) : 0;

	return order ? order : (a->size > b->size) - (a->size < b->size);
}

static int less(struct comparing *comparing, const struct xp_datum *a, const struct xp_datum *b)
{
	int rc = 1;

	if (xp_datum_has_length(a) && xp_datum_has_length(b) &&
	    !xp_datum_visit(&comparing->steps, a))
		return -E2BIG;
	if (is_number(a) && is_number(b))
		return compare_numbers(a, b) == -1;
	if ((is_binary(a) && is_binary(b)) || (a->kind == XP_DATUM_STR && b->kind == XP_DATUM_STR))
		return compare_text(a, b) < 0;
	if (is_set(a) && is_set(b))
		return is_subset(comparing, a, b, false, true);
	if (a->kind != b->kind || (a->kind != XP_DATUM_TUPLE && a->kind != XP_DATUM_LIST)) {
		comparing->culprits[0] = a;
		comparing->culprits[1] = b;
		return -ENOTSUP;
	}
	/* The first pair that differs decides. */
	if (comparing->depth == XP_DATUM_COMPARE_DEPTH)
		return -ELOOP;
	if (!xp_datum_visit(&comparing->steps, a))
		return -E2BIG;
	comparing->depth++;
	size_t i = 0;
	for (; i < a->count && i < b->count && rc == 1; i++)
		rc = equal(comparing, a->items[i], b->items[i]);
	if (rc == 1)
		rc = a->count < b->count;
	else if (rc == 0)
		rc = less(comparing, a->items[i - 1], b->items[i - 1]);
	comparing->depth--;
	return rc;
}

int xp_datum_less_counted(const struct xp_datum *a, const struct xp_datum *b,
			  const struct xp_datum *ret_culprits[2], unsigned *steps)
{
	struct comparing comparing = {.steps = *steps};
	int rc = less(&comparing, a, b);

	*steps = comparing.steps;
	if (rc == -ENOTSUP)
		memcpy(ret_culprits, comparing.culprits, sizeof(comparing.culprits));
	return rc;
}

int xp_datum_less(const struct xp_datum *a, const struct xp_datum *b,
		  const struct xp_datum *ret_culprits[2])
{
	unsigned steps = 0;

	return xp_datum_less_counted(a, b, ret_culprits, &steps);
}

/* ---- types --------------------------------------------------------------------------- */

const char *xp_datum_type_name(const struct xp_datum *value, char *buffer, size_t size)
{
	static const char *const names[] = {
	    [XP_DATUM_NONE] = "NoneType",
	    [XP_DATUM_BOOL] = "bool",
	    [XP_DATUM_INT] = "int",
	    [XP_DATUM_BIGINT] = "int",
	    [XP_DATUM_FLOAT] = "float",
	    [XP_DATUM_STR] = "str",
	    [XP_DATUM_BYTES] = "bytes",
	    [XP_DATUM_BYTEARRAY] = "bytearray",
	    [XP_DATUM_TUPLE] = "tuple",
	    [XP_DATUM_LIST] = "list",
	    [XP_DATUM_DICT] = "dict",
	    [XP_DATUM_SET] = "set",
	    [XP_DATUM_FROZENSET] = "frozenset",
	    [XP_DATUM_GLOBAL] = "type",
	    [XP_DATUM_REDUCE] = "object",
	    [XP_DATUM_OBJECT] = "BaseProxy",
	};

	if (value->kind == XP_DATUM_REDUCE && value->reduce->callable->kind == XP_DATUM_GLOBAL) {
		const struct xp_datum *name = value->reduce->callable->global->name;
		const char *dot = memrchr(name->bytes, '.', name->size);
		const char *start = dot ? dot + 1 : name->bytes;
		snprintf(buffer, size, "%.*s", (int)(name->bytes + name->size - start), start);
		return buffer;
	}
	return names[value->kind];
}
