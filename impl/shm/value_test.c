/* SPDX-License-Identifier: MIT */
#include "xpshare/shm/arena.h"
#include "xpshare/shm/value.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS	20000
#define MEMBERS 2

static struct xp_segment segment;
static struct xp_arena arena;
static struct xp_place place = {.arena = &arena};

static void open_arena(void)
{
	cr_assert_eq(xp_segment_create(&(struct xp_segment_params){.size = 1 << 16}, &segment), 0);
	cr_assert_eq(xp_arena_init(&arena, &segment), 0);
}

static void close_arena(void)
{
	xp_arena_fini(&arena);
	xp_segment_close(&segment);
}

TestSuite(value, .init = open_arena, .fini = close_arena);

static struct xp_object make(const struct xp_impl *impl, enum xp_type type, size_t size)
{
	struct xp_object object = {0};
	struct xp_params params = {.type = type, .size = size};

	cr_assert_eq(impl->make(impl, &place, &params, &object), 0);
	return object;
}

/* Run @body in a child; it answers with an exit status. */
static int in_child(int (*body)(void *), void *arg)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(body(arg));
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Each type crosses in both directions, through the table and through the typed accessors. */
#define X(id, ctype, name, code)                                                     \
	static int answer_##id(void *arg)                                            \
	{                                                                            \
		const struct xp_value *value = arg;                                  \
		ctype got = 0, reply = (ctype)2;                                     \
		if (xp_value_load(value, &got) != 0 || got != (ctype)77)             \
			return 1;                                                    \
		if (xp_value_load_##id(xp_value_cell(value)) != (ctype)77)           \
			return 2;                                                    \
		return xp_value_store(value, &reply) == 0 ? 0 : 3;                   \
	}                                                                            \
	Test(value, a_##id##_crosses_both_ways)                                      \
	{                                                                            \
		struct xp_object object = make(&xp_impl_value_raw, XP_TYPE_##id, 0); \
		struct xp_value *value = &object.as.value;                           \
		cr_expect_eq(value->size, sizeof(ctype));                            \
		xp_value_store_##id(xp_value_cell(value), (ctype)77);                \
		cr_expect_eq(in_child(answer_##id, value), 0);                       \
		ctype got = 0;                                                       \
		cr_expect_eq(xp_value_load(value, &got), 0);                         \
		cr_expect(got == (ctype)2);                                          \
		cr_expect_eq(xp_value_fetch_add(value, &got, &got), -ENOTSUP);       \
		xp_impl_value_raw.drop(&object);                                     \
	}
XP_TYPE_MAP(X)
#undef X

struct point {
	double x, y, z;
};

Test(value, a_struct_of_a_stated_size_is_kept_whole)
{
	struct xp_object object = make(&xp_impl_value_raw, XP_TYPE_BYTES, sizeof(struct point));
	struct point in = {1, 2, 3}, out = {0};

	cr_expect_eq(xp_value_store(&object.as.value, &in), 0);
	cr_expect_eq(xp_value_load(&object.as.value, &out), 0);
	cr_expect(in.x == out.x && in.y == out.y && in.z == out.z);
	object.impl->drop(&object);
}

static int add_many(void *arg)
{
	const struct xp_value *value = arg;
	long one = 1, old;

	for (int i = 0; i < ROUNDS; i++)
		if (xp_value_fetch_add(value, &one, &old) != 0)
			return 1;
	return 0;
}

Test(value, atomic_adds_of_several_processes_all_count)
{
	struct xp_object object = make(&xp_impl_value_atomic, XP_TYPE_LONG, 0);
	pid_t children[MEMBERS];
	long total = 0;

	for (int i = 0; i < MEMBERS; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(add_many(&object.as.value));
	}
	for (int i = 0; i < MEMBERS; i++) {
		int status = -1;
		waitpid(children[i], &status, 0);
		cr_expect_eq(status, 0);
	}
	cr_expect_eq(xp_value_load(&object.as.value, &total), 0);
	cr_expect_eq(total, (long)ROUNDS * MEMBERS);
	object.impl->drop(&object);
}

Test(value, fetch_add_wraps_as_the_type_does)
{
	struct xp_object object = make(&xp_impl_value_atomic, XP_TYPE_SCHAR, 0);
	signed char now = SCHAR_MAX, one = 1, old = 0;

	cr_expect_eq(xp_value_store(&object.as.value, &now), 0);
	cr_expect_eq(xp_value_fetch_add(&object.as.value, &one, &old), 0);
	cr_expect_eq(old, SCHAR_MAX);
	cr_expect_eq(xp_value_load(&object.as.value, &now), 0);
	cr_expect_eq(now, SCHAR_MIN);
	object.impl->drop(&object);

	object = make(&xp_impl_value_atomic, XP_TYPE_DOUBLE, 0);
	double half = 0.5, before = -1;
	cr_expect_eq(xp_value_fetch_add(&object.as.value, &half, &before), 0);
	cr_expect_eq(xp_value_fetch_add(&object.as.value, &half, &before), 0);
	cr_expect(before == 0.5);
	object.impl->drop(&object);

	object = make(&xp_impl_value_atomic, XP_TYPE_BOOL, 0);
	_Bool yes = 1, was = 1;
	cr_expect_eq(xp_value_fetch_add(&object.as.value, &yes, &was), 0);
	cr_expect_eq(was, 0);
	cr_expect_eq(xp_value_fetch_add(&object.as.value, &yes, &was), 0);
	cr_expect_eq(was, 1);
	object.impl->drop(&object);
}

Test(value, exchange_and_compare_exchange_tell_the_old_value)
{
	struct xp_object object = make(&xp_impl_value_atomic, XP_TYPE_INT, 0);
	int five = 5, old = -1, expected = 4, six = 6;

	cr_expect_eq(xp_value_exchange(&object.as.value, &five, &old), 0);
	cr_expect_eq(old, 0);
	cr_expect_eq(xp_value_compare_exchange(&object.as.value, &expected, &six), -EAGAIN);
	cr_expect_eq(expected, 5);
	cr_expect_eq(xp_value_compare_exchange(&object.as.value, &expected, &six), 0);
	cr_expect_eq(xp_value_load(&object.as.value, &old), 0);
	cr_expect_eq(old, 6);
	object.impl->drop(&object);
}

Test(value, what_cannot_be_served_is_refused)
{
	struct xp_object object = {.owner = &object};
	const struct {
		const struct xp_impl *impl;
		struct xp_params params;
		int expected;
	} wishes[] = {
	    {&xp_impl_value_atomic, {.type = XP_TYPE_LDOUBLE}, -ENOTSUP},
	    {&xp_impl_value_atomic, {.type = XP_TYPE_BYTES, .size = 24}, -ENOTSUP},
	    {&xp_impl_value_raw, {.type = XP_TYPE_BYTES}, -EINVAL},
	    {&xp_impl_value_raw, {.type = XP_TYPE_COUNT}, -EINVAL},
	    {&xp_impl_value_raw, {.type = XP_TYPE_BYTES, .size = XP_ITEM_SIZE_MAX + 1}, -EINVAL},
	    {&xp_impl_value_raw, {.type = XP_TYPE_BYTES, .size = XP_ITEM_SIZE_MAX}, -ENOSPC},
	};

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		cr_expect_eq(
		    wishes[i].impl->make(wishes[i].impl, &place, &wishes[i].params, &object),
		    wishes[i].expected, "wish %zu", i);
	cr_expect_eq(object.owner, &object);
}
