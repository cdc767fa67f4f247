/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/datum.h"
#include "xpshare/rpc/datum_number.h"

#include <criterion/criterion.h>
#include <math.h>

static struct xp_datum_arena arena;

static void begin(void)
{
	xp_datum_arena_init(&arena, 0);
}

static void end(void)
{
	xp_datum_arena_fini(&arena);
}

TestSuite(datum, .init = begin, .fini = end);

#define ITEMS(...) ((const struct xp_datum *const[]){__VA_ARGS__})

Test(datum, a_null_child_makes_the_whole_expression_null)
{
	cr_expect_null(xp_datum_tuple(&arena, 2, ITEMS(xp_datum_none(), NULL)));
	cr_expect_null(xp_datum_call(&arena, "m", "n", 1, ITEMS(NULL)));
	cr_expect_eq(xp_datum_append(&arena, xp_datum_list(&arena, 0, NULL), NULL), -ENOMEM);
}

Test(datum, an_arena_keeps_its_limit_and_works_again_after_a_reset)
{
	struct xp_datum_arena small;
	char block[1000] = {0};
	int made = 0;

	xp_datum_arena_init(&small, 16 << 10);
	for (int round = 0; round < 3; round++) {
		for (made = 0; xp_datum_bytes(&small, block, sizeof(block)); made++)
			;
		cr_expect_geq(made, 14);
		cr_expect_leq(made, 16);
		xp_datum_arena_reset(&small);
	}
	cr_expect_null(xp_datum_bytes(&small, block, SIZE_MAX - 8));
	xp_datum_arena_fini(&small);
}

Test(datum, integers_of_any_size_have_one_form)
{
	static const unsigned char minus_one[] = {0xff, 0xff, 0xff, 0xff, 0xff,
						  0xff, 0xff, 0xff, 0xff};
	struct xp_datum *value = xp_datum_bigint(&arena, minus_one, sizeof(minus_one));

	cr_assert_eq(value->kind, XP_DATUM_INT);
	cr_expect_eq(value->integer, -1);
	value = xp_datum_bigint(&arena, "", 0);
	cr_expect_eq(value->integer, 0);
	value = xp_datum_uint(&arena, UINT64_MAX);
	cr_expect_eq(value->kind, XP_DATUM_BIGINT);
	cr_expect_eq(value->size, 9);
	value = xp_datum_uint(&arena, INT64_MAX);
	cr_expect_eq(value->kind, XP_DATUM_INT);
}

Test(datum, decimal_text_and_integers_convert_both_ways)
{
	static const char *const cases[] = {"0",
					    "-1",
					    "9223372036854775807",
					    "9223372036854775808",
					    "-9223372036854775808",
					    "-9223372036854775809",
					    "18446744073709551615",
					    "18446744073709551616",
					    "340282366920938463463374607431768211456",
					    "-340282366920938463463374607431768211455",
					    "1000000000000000000000000000000000000000000000000000"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct xp_datum *value = NULL;
		char *text = NULL;
		cr_assert_eq(xp_number_parse_int(&arena, cases[i], strlen(cases[i]), &value), 0);
		cr_assert_eq(xp_number_format_int(value, &text), 0);
		cr_expect_str_eq(text, cases[i]);
		free(text);
	}
	struct xp_datum *value;
	cr_expect_eq(xp_number_parse_int(&arena, "12a", 3, &value), -EINVAL);
	cr_expect_eq(xp_number_parse_int(&arena, "-", 1, &value), -EINVAL);
	char many[5000];
	memset(many, '9', sizeof(many));
	cr_expect_eq(xp_number_parse_int(&arena, many, sizeof(many), &value), -EMSGSIZE);
	cr_expect_eq(xp_number_parse_int(&arena, many, 4300, &value), 0);
}

Test(datum, a_large_integer_becomes_the_nearest_double)
{
	struct xp_datum *value;
	double real;

	cr_assert_eq(xp_number_parse_int(&arena, "36893488147419107329", 20, &value), 0);
	cr_assert_eq(xp_datum_to_double(value, &real), 0); /* just above a tie: rounds up */
	cr_expect_eq(real, 36893488147419111424.0);
	cr_assert_eq(xp_number_parse_int(&arena, "36893488147419107328", 20, &value), 0);
	cr_assert_eq(xp_datum_to_double(value, &real), 0); /* a tie: rounds to even */
	cr_expect_eq(real, 36893488147419103232.0);
	char digits[400];
	memset(digits, '9', sizeof(digits));
	cr_assert_eq(xp_number_parse_int(&arena, digits, 400, &value), 0);
	cr_expect_eq(xp_datum_to_double(value, &real), -ERANGE);
	cr_expect_eq(xp_datum_to_double(xp_datum_none(), &real), -EINVAL);
}

Test(datum, floats_print_as_python_prints_them)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {{0.0, "0.0"},
		     {-0.0, "-0.0"},
		     {0.1, "0.1"},
		     {1.0, "1.0"},
		     {1e16, "1e+16"},
		     {1e15, "1000000000000000.0"},
		     {123456.789, "123456.789"},
		     {1e-4, "0.0001"},
		     {1e-5, "1e-05"},
		     {1.0 / 3, "0.3333333333333333"},
		     {5e-324, "5e-324"},
		     {1.7976931348623157e308, "1.7976931348623157e+308"},
		     {INFINITY, "inf"},
		     {-INFINITY, "-inf"},
		     {NAN, "nan"},
		     {2.5e-310, "2.5e-310"},
		     {100.0, "100.0"},
		     {9007199254740993.0, "9007199254740992.0"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[XP_FLOAT_TEXT];
		size_t size = xp_number_format_float(cases[i].value, text);
		cr_expect_str_eq(text, cases[i].text);
		cr_expect_eq(size, strlen(text));
	}
}

Test(datum, a_child_used_twice_is_marked_as_shared)
{
	struct xp_datum *inner = xp_datum_list(&arena, 0, NULL);
	struct xp_datum *once = xp_datum_int(&arena, 7);

	cr_assert_not_null(xp_datum_tuple(&arena, 3, ITEMS(inner, inner, once)));
	cr_expect(inner->flags & XP_DATUM_SHARED);
	cr_expect_not(once->flags & XP_DATUM_SHARED);
}

/* [x, x, itself], x = {'k': <big>}: sharing and a cycle. */
static struct xp_datum *knot(void)
{
	struct xp_datum *dict = xp_datum_dict(&arena);
	struct xp_datum *list = xp_datum_list(&arena, 2, ITEMS(dict, dict));

	cr_assert_eq(xp_datum_set_item(&arena, dict, xp_datum_str(&arena, "k"),
				       xp_datum_uint(&arena, UINT64_MAX)),
		     0);
	cr_assert_eq(xp_datum_append(&arena, list, list), 0);
	return list;
}

static void check_knot(const struct xp_datum *list)
{
	cr_assert_eq(list->count, 3);
	cr_expect_eq(list->items[0], list->items[1]);
	cr_expect_eq(list->items[2], list);
	const struct xp_datum *big = xp_datum_dict_get(list->items[0], "k");
	cr_assert_not_null(big);
	cr_expect_eq(big->kind, XP_DATUM_BIGINT);
}

Test(datum, a_retained_value_is_one_block_with_its_identities)
{
	struct xp_datum_box *box = NULL;

	cr_assert_eq(xp_datum_retain(knot(), &box), 0);
	xp_datum_arena_reset(&arena);
	const struct xp_datum *value = xp_datum_box_value(box);
	check_knot(value);
	cr_expect(value->flags & XP_DATUM_FROZEN);
	cr_expect_eq(xp_datum_box_ref(box), box);
	xp_datum_box_unref(box);
	struct xp_datum *copy = xp_datum_copy(&arena, value);
	xp_datum_box_unref(box);
	check_knot(copy);
	cr_expect_not(copy->flags & XP_DATUM_FROZEN);
}

Test(datum, constants_are_retained_without_memory)
{
	struct xp_datum_box *first, *second;

	cr_assert_eq(xp_datum_retain(xp_datum_bool(true), &first), 0);
	cr_assert_eq(xp_datum_retain(xp_datum_bool(true), &second), 0);
	cr_expect_eq(first, second);
	cr_expect_eq(xp_datum_box_size(first), 0);
	cr_expect_eq(xp_datum_box_value(first), xp_datum_bool(true));
	xp_datum_box_unref(first);
	xp_datum_box_unref(second);
	xp_datum_box_unref(NULL);
}

Test(datum, depth_counts_a_shared_node_once_and_stops_at_its_limit)
{
	struct xp_datum *deep = xp_datum_list(&arena, 0, NULL);
	struct xp_datum_box *box;

	cr_expect_eq(xp_datum_depth(xp_datum_none(), 0), 0);
	cr_expect_eq(xp_datum_depth(knot(), 10), 2);
	for (int i = 1; i < 100000; i++)
		deep = xp_datum_list(&arena, 1, ITEMS(deep));
	cr_expect_eq(xp_datum_depth(deep, 100000), 100000);
	cr_expect_eq(xp_datum_depth(deep, 99999), -E2BIG);
	cr_assert_eq(xp_datum_retain(deep, &box), 0); /* no stack is needed for it */
	xp_datum_box_unref(box);
}

static int held;

static void hold(void *object)
{
	++*(int *)object;
}

static void let_go(void *object)
{
	--*(int *)object;
}

Test(datum, an_object_is_held_by_each_arena_and_box_that_refers_to_it)
{
	static const struct xp_datum_object_ops ops = {hold, let_go};
	struct xp_datum_box *box;
	struct xp_datum *leaf = xp_datum_object(&arena, &ops, &held, xp_datum_str(&arena, "token"));

	cr_expect_eq(held, 1);
	cr_assert_eq(xp_datum_retain(xp_datum_tuple(&arena, 2, ITEMS(leaf, leaf)), &box), 0);
	cr_expect_eq(held, 2);
	xp_datum_arena_reset(&arena);
	cr_expect_eq(held, 1);
	cr_assert_not_null(xp_datum_copy(&arena, xp_datum_box_value(box)));
	xp_datum_box_unref(box);
	cr_expect_eq(held, 1);
	xp_datum_arena_reset(&arena);
	cr_expect_eq(held, 0);
}

Test(datum, well_known_instances_are_recognised)
{
	const struct xp_datum *members[3];
	const struct xp_datum *none = xp_datum_none();
	struct xp_datum *token =
	    xp_datum_token(&arena, xp_datum_str(&arena, "list"), none, xp_datum_str(&arena, "7f"));
	struct xp_datum *proxy =
	    xp_datum_call(&arena, "multiprocessing.managers", "RebuildProxy", 4,
			  ITEMS(xp_datum_global(&arena, "multiprocessing.managers", "ListProxy"),
				token, xp_datum_str(&arena, "pickle"), xp_datum_dict(&arena)));

	cr_assert(xp_datum_as_token(token, members));
	cr_expect(xp_datum_is_text(members[0], "list"));
	cr_expect(xp_datum_is_text(members[2], "7f"));
	cr_assert(xp_datum_as_proxy(proxy, members));
	cr_expect_eq(members[1], token);
	cr_expect_not(xp_datum_as_slice(proxy, members));
	cr_assert(xp_datum_as_slice(xp_datum_slice(&arena, none, none, none), members));
	cr_expect_not(xp_datum_as_token(xp_datum_str(&arena, "x"), members));
}
