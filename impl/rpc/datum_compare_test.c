/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/datum_compare.h"
#include "xpshare/rpc/datum_repr.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

static struct xp_datum_arena arena;

static void begin(void)
{
	xp_datum_arena_init(&arena, 0);
}

static void end(void)
{
	xp_datum_arena_fini(&arena);
}

TestSuite(datum_compare, .init = begin, .fini = end);

#define ITEMS(...) ((const struct xp_datum *const[]){__VA_ARGS__})

static uint64_t hash(const struct xp_datum *value)
{
	uint64_t hash = 0;

	cr_assert_eq(xp_datum_hash(value, &hash, NULL), 0);
	return hash;
}

Test(datum_compare, one_is_one_whatever_its_type)
{
	const struct xp_datum *const ones[] = {xp_datum_int(&arena, 1), xp_datum_float(&arena, 1.0),
					       xp_datum_bool(true)};

	for (int i = 0; i < 9; i++) {
		cr_expect_eq(xp_datum_equal(ones[i / 3], ones[i % 3]), 1);
		cr_expect_eq(hash(ones[i / 3]), hash(ones[i % 3]));
	}
	cr_expect_eq(xp_datum_equal(ones[0], xp_datum_str(&arena, "1")), 0);
}

Test(datum_compare, dicts_and_sets_are_equal_by_content_in_any_order)
{
	struct xp_datum *one = xp_datum_dict(&arena), *two = xp_datum_dict(&arena);
	struct xp_datum *a = xp_datum_str(&arena, "a"), *b = xp_datum_str(&arena, "b");

	cr_assert_eq(xp_datum_set_item(&arena, one, a, b), 0);
	cr_assert_eq(xp_datum_set_item(&arena, one, b, a), 0);
	cr_assert_eq(xp_datum_set_item(&arena, two, b, a), 0);
	cr_expect_eq(xp_datum_equal(one, two), 0);
	/* A pickle may name a key twice; the last counts. */
	cr_assert_eq(xp_datum_set_item(&arena, two, a, a), 0);
	cr_assert_eq(xp_datum_set_item(&arena, two, a, b), 0);
	cr_expect_eq(xp_datum_equal(one, two), 1);
	cr_expect_eq(xp_datum_equal(xp_datum_set(&arena, 2, ITEMS(a, b)),
				    xp_datum_frozenset(&arena, 3, ITEMS(b, a, b))),
		     1);
	cr_expect_eq(hash(xp_datum_frozenset(&arena, 2, ITEMS(a, b))),
		     hash(xp_datum_frozenset(&arena, 2, ITEMS(b, a))));
}

/* CPython's hash of a multiple of 2^61 - 1 is 0, which makes a dict of them as slow as a list. */
Test(datum_compare, keys_that_collide_in_cpython_do_not_here)
{
	const int64_t prime = (INT64_C(1) << 61) - 1;
	const struct xp_datum *nan = xp_datum_float(&arena, (double)NAN);
	const struct xp_datum *other = xp_datum_float(&arena, (double)NAN);

	cr_expect_neq(hash(xp_datum_int(&arena, 0)), hash(xp_datum_int(&arena, prime)));
	cr_expect_neq(hash(xp_datum_int(&arena, 2 * prime)), hash(xp_datum_int(&arena, prime)));
	cr_expect_neq(hash(xp_datum_int(&arena, 1)), hash(xp_datum_int(&arena, -1)));
	cr_expect_neq(hash(nan), hash(other));
	cr_expect_eq(hash(nan), hash(nan));
}

Test(datum_compare, an_integer_hashes_as_the_float_that_equals_it)
{
	static const double reals[] = {
	    0.0,    -0.0,    1.0,    -1.0,    3.0,     0x1p53,	  0x1p62,
	    0x1p63, -0x1p63, 0x1p64, -0x1p64, 0x1p100, 0x1.8p100, -0x1.fffffffffffffp1023};

	for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++) {
		unsigned char bytes[136] = {0};
		int exponent;
		uint64_t mantissa = (uint64_t)ldexp(frexp(fabs(reals[i]), &exponent), 53);

		/* Two's complement of mantissa * 2^(exponent - 53), bit by bit. */
		for (int bit = 0; bit < 53; bit++) {
			int at = bit + exponent - 53;
			if (mantissa >> bit & 1)
				bytes[at / 8] |= (unsigned char)(1 << at % 8);
		}
		unsigned carry = reals[i] < 0;
		for (size_t k = 0; reals[i] < 0 && k < sizeof(bytes); k++) {
			carry += (unsigned char)~bytes[k];
			bytes[k] = (unsigned char)carry;
			carry >>= 8;
		}
		const struct xp_datum *real = xp_datum_float(&arena, reals[i]);
		const struct xp_datum *whole = xp_datum_bigint(&arena, bytes, sizeof(bytes));

		cr_expect_eq(xp_datum_equal(real, whole), 1, "%g", reals[i]);
		cr_expect_eq(hash(real), hash(whole), "%g", reals[i]);
	}
}

Test(datum_compare, what_has_no_hash_is_named)
{
	const struct xp_datum *culprit = NULL;
	struct xp_datum *list = xp_datum_list(&arena, 0, NULL);
	uint64_t ignored;
	char buffer[32];

	cr_expect_eq(xp_datum_hash(xp_datum_tuple(&arena, 1, ITEMS(list)), &ignored, &culprit),
		     -EINVAL);
	cr_expect_eq(culprit, list);
	cr_expect_str_eq(xp_datum_type_name(culprit, buffer, sizeof(buffer)), "list");
	const struct xp_datum *none = xp_datum_none();
	struct xp_datum *slice = xp_datum_slice(&arena, none, none, none);
	cr_expect_eq(xp_datum_hash(slice, &ignored, &culprit), -EINVAL);
	cr_expect_str_eq(xp_datum_type_name(culprit, buffer, sizeof(buffer)), "slice");
}

/* [x, x] 60 times over: 2^60 leaves as a tree. */
static struct xp_datum *bomb(void)
{
	struct xp_datum *value = xp_datum_tuple(&arena, 0, NULL);

	for (int i = 0; i < 60; i++)
		value = xp_datum_tuple(&arena, 2, ITEMS(value, value));
	return value;
}

Test(datum_compare, exponential_sharing_ends_in_an_error)
{
	uint64_t ignored;
	struct xp_datum *text;
	const struct xp_datum *culprits[2];

	cr_expect_eq(xp_datum_equal(bomb(), bomb()), -E2BIG);
	cr_expect_eq(xp_datum_less(bomb(), bomb(), culprits), -E2BIG);
	cr_expect_eq(xp_datum_hash(bomb(), &ignored, NULL), -E2BIG);
	cr_expect_eq(xp_datum_repr(&arena, bomb(), 3, &text), -EMSGSIZE);
}

Test(datum_compare, depth_ends_in_an_error_too)
{
	uint64_t ignored;
	struct xp_datum *text, *one = xp_datum_tuple(&arena, 0, NULL), *two = one;
	const struct xp_datum *culprits[2];

	one = xp_datum_tuple(&arena, 0, NULL);
	for (int i = 0; i < XP_DATUM_COMPARE_DEPTH; i++) {
		one = xp_datum_tuple(&arena, 1, ITEMS(one));
		two = xp_datum_tuple(&arena, 1, ITEMS(two));
	}
	cr_expect_eq(xp_datum_equal(one, two), -ELOOP);
	cr_expect_eq(xp_datum_less(one, two, culprits), -ELOOP);
	cr_expect_eq(xp_datum_hash(one, &ignored, NULL), -ELOOP);
	cr_expect_eq(xp_datum_repr(&arena, one, 3, &text), -ELOOP);

	/* Two lists that hold themselves: Python's RecursionError. */
	struct xp_datum *loops[2];
	for (int i = 0; i < 2; i++) {
		loops[i] = xp_datum_list(&arena, 0, NULL);
		cr_assert_eq(xp_datum_append(&arena, loops[i], loops[i]), 0);
	}
	cr_expect_eq(xp_datum_equal(loops[0], loops[1]), -ELOOP);
	cr_expect_eq(xp_datum_equal(loops[0], loops[0]), 1);
}

static const char *repr(const struct xp_datum *value, unsigned python)
{
	static char buffer[200];
	struct xp_datum *text;

	cr_assert_eq(xp_datum_repr(&arena, value, python, &text), 0);
	snprintf(buffer, sizeof(buffer), "%.*s", (int)text->size, text->bytes);
	return buffer;
}

Test(datum_compare, repr_has_the_flavour_of_either_python)
{
	struct xp_datum *text = xp_datum_str(&arena, "\xc3\xa9'");
	struct xp_datum *set = xp_datum_set(&arena, 1, ITEMS(xp_datum_bytes(&arena, "\x01", 1)));
	struct xp_datum *knot = xp_datum_list(&arena, 1, ITEMS(xp_datum_uint(&arena, UINT64_MAX)));

	cr_assert_eq(xp_datum_append(&arena, knot, knot), 0);
	cr_expect_str_eq(repr(text, 3), "\"\xc3\xa9'\"");
	cr_expect_str_eq(repr(text, 2), "u\"\\xe9'\"");
	cr_expect_str_eq(repr(set, 3), "{b'\\x01'}");
	cr_expect_str_eq(repr(set, 2), "set(['\\x01'])");
	cr_expect_str_eq(repr(knot, 3), "[18446744073709551615, [...]]");
	cr_expect_str_eq(repr(knot, 2), "[18446744073709551615L, [...]]");
	cr_expect_str_eq(repr(xp_datum_exception(&arena, "queue", "Empty", NULL), 3), "Empty()");
	cr_expect_str_eq(repr(xp_datum_exception(&arena, "builtins", "KeyError", "k"), 2),
			 "KeyError('k',)");
}
