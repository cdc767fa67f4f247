/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/locked.h"
#include "xpshare/sync/ref.h"
#include "xpshare/sync/rlock_futex.h"
#include "xpshare/sync/sync_test.h"

#define MEMBERS 4
#define ROUNDS	5000u
#define LENGTH	100

TestSuite(locked, .init = test_open, .fini = test_close, .timeout = 110);

static struct xp_object make_value(enum xp_type type, size_t size)
{
	return test_make(&xp_impl_value_locked, (struct xp_params){.type = type, .size = size});
}

static int count_up(void *arg)
{
	const struct xp_value *value = arg;
	long now;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (xp_lock_acquire(&value->lock) != 0 || xp_value_load(value, &now) != 0)
			return 1;
		now++;
		if (xp_value_store(value, &now) != 0 || xp_lock_release(&value->lock) != 0)
			return 2;
	}
	return 0;
}

Test(locked, a_sum_under_the_lock_is_exact)
{
	struct xp_object object = make_value(XP_TYPE_LONG, 0);
	pid_t members[MEMBERS];
	long total = 0;

	for (int i = 0; i < MEMBERS; i++)
		members[i] = test_fork(count_up, &object.as.value);
	for (int i = 0; i < MEMBERS; i++)
		cr_expect_eq(test_join(members[i]), 0);
	cr_expect_eq(xp_value_load(&object.as.value, &total), 0);
	cr_expect_eq(total, (long)MEMBERS * ROUNDS);
	object.impl->drop(&object);
}

Test(locked, every_type_is_kept)
{
#define X(id, ctype, name, code)                                        \
	{                                                               \
		struct xp_object object = make_value(XP_TYPE_##id, 0);  \
		ctype in = (ctype)77, out = 0;                          \
		cr_expect_eq(xp_value_store(&object.as.value, &in), 0); \
		cr_expect_eq(xp_value_load(&object.as.value, &out), 0); \
		cr_expect(in == out, "%s", name);                       \
		object.impl->drop(&object);                             \
	}
	XP_TYPE_MAP(X)
#undef X
}

/* Stores of blocks whose items are all equal; a torn one would show two different items. */
static int store_blocks(void *arg)
{
	long block[LENGTH];

	for (long i = (long)getpid();; i++) {
		for (size_t k = 0; k < LENGTH; k++)
			block[k] = i;
		int rc = xp_array_copy_in(arg, 0, LENGTH, block);
		if (rc != 0)
			return 1;
		atomic_fetch_add(&test_page->count, 1);
	}
}

Test(locked, a_block_is_all_or_nothing_even_if_its_writer_is_killed)
{
	struct xp_object object = test_make(
	    &xp_impl_array_locked, (struct xp_params){.type = XP_TYPE_LONG, .length = LENGTH});
	struct xp_array *array = &object.as.array;
	long block[LENGTH];

	for (int i = 0; i < 60; i++) {
		atomic_store(&test_page->count, 0);
		pid_t writer = test_fork(store_blocks, array);
		while (atomic_load(&test_page->count) < 3)
			sched_yield();
		for (int k = 0; k < 5; k++) {
			cr_assert_eq(xp_array_copy_out(array, 0, LENGTH, block), 0);
			for (size_t n = 1; n < LENGTH; n++)
				cr_assert_eq(block[n], block[0], "torn alive");
		}
		kill(writer, SIGKILL);
		cr_assert_eq(test_join(writer), 256 + SIGKILL);
		cr_assert_eq(xp_array_copy_out(array, 0, LENGTH, block), 0);
		for (size_t n = 1; n < LENGTH; n++)
			cr_assert_eq(block[n], block[0], "torn by death");
	}
	object.impl->drop(&object);
}

static int die_holding(void *arg)
{
	const struct xp_value *value = arg;

	return xp_lock_acquire(&value->lock) == 0 ? 0 : 1;
}

Test(locked, accesses_go_on_after_a_death_and_pass_the_news_on)
{
	struct xp_object object = make_value(XP_TYPE_INT, 0);
	const struct xp_value *value = &object.as.value;
	int now = 5;

	cr_expect_eq(test_join(test_fork(die_holding, &object.as.value)), 0);
	cr_expect_eq(xp_value_store(value, &now), 0);
	cr_expect_eq(xp_value_load(value, &now), 0);
	cr_expect_eq(now, 5);
	cr_expect_eq(xp_lock_acquire(&value->lock), -EOWNERDEAD);
	cr_expect_eq(xp_value_load(value, &now), 0, "by the holder too");
	cr_expect_eq(xp_lock_release(&value->lock), 0);
	cr_expect_eq(xp_lock_try_acquire(&value->lock), 0);
	cr_expect_eq(xp_lock_release(&value->lock), 0);
	object.impl->drop(&object);
}

Test(locked, a_lock_of_the_callers_own_serves_several_objects)
{
	struct xp_object lock = test_make(&xp_impl_rlock_futex, (struct xp_params){0});
	struct xp_params params = {.type = XP_TYPE_INT, .length = 4, .lock = &lock.as.lock};
	struct xp_object value = test_make(&xp_impl_value_locked, params);
	struct xp_object array = test_make(&xp_impl_array_locked, params);
	int now = 3;

	cr_expect_eq(xp_lock_acquire(&value.as.value.lock), 0);
	cr_expect_eq(xp_value_store(&value.as.value, &now), 0);
	cr_expect_eq(xp_array_set(&array.as.array, 3, &now), 0);
	cr_expect_eq(xp_lock_release(&array.as.array.lock), 0, "one and the same lock");
	cr_expect_eq(xp_lock_release(&lock.as.lock), -EPERM);
	cr_expect_eq(test_join(test_fork(die_holding, &value.as.value)), 0);
	cr_expect_eq(xp_lock_acquire(&lock.as.lock), -EOWNERDEAD);
	cr_expect_eq(xp_lock_release(&lock.as.lock), 0);
	array.impl->drop(&array);
	value.impl->drop(&value);
	lock.impl->drop(&lock);
}

Test(locked, outside_is_refused_and_impossible_shapes_too)
{
	struct xp_object object = test_make(
	    &xp_impl_array_locked, (struct xp_params){.type = XP_TYPE_LDOUBLE, .length = 3});
	const struct xp_array *array = &object.as.array;
	long double items[4] = {1, 2, 3, 4};
	struct xp_params params = {.type = XP_TYPE_INT};

	cr_expect_eq(xp_array_copy_in(array, 0, 3, items), 0);
	cr_expect_eq(xp_array_copy_in(array, 1, 3, items), -ERANGE);
	cr_expect_eq(xp_array_set(array, 3, items), -ERANGE);
	cr_expect_eq(xp_array_get(array, 3, items), -ERANGE);
	cr_expect_eq(xp_array_copy_out(array, 3, 0, items), 0);
	cr_expect_eq(xp_array_get(array, 2, items), 0);
	cr_expect(items[0] == 3);
	object.impl->drop(&object);

	const struct xp_impl *impl = &xp_impl_array_locked;
	cr_expect_eq(impl->make(impl, &test_place, &params, &object), -EINVAL);
	params.length = SIZE_MAX;
	cr_expect_eq(impl->make(impl, &test_place, &params, &object), -ENOSPC);
	params = (struct xp_params){.type = XP_TYPE_BYTES};
	cr_expect_eq(impl->make(impl, &test_place, &params, &object), -EINVAL);
}
