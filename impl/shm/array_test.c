/* SPDX-License-Identifier: MIT */
#include "xpshare/shm/arena.h"
#include "xpshare/shm/array.h"

#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

static struct xp_segment segment;
static struct xp_arena arena;
static struct xp_place place = {.arena = &arena};

static void open_arena(void)
{
	cr_assert_eq(xp_segment_create(&(struct xp_segment_params){.size = 1 << 20}, &segment), 0);
	cr_assert_eq(xp_arena_init(&arena, &segment), 0);
}

static void close_arena(void)
{
	xp_arena_fini(&arena);
	xp_segment_close(&segment);
}

TestSuite(array, .init = open_arena, .fini = close_arena);

static struct xp_object make(enum xp_type type, size_t size, size_t length)
{
	struct xp_object object = {0};
	struct xp_params params = {.type = type, .size = size, .length = length};

	cr_assert_eq(xp_impl_array_raw.make(&xp_impl_array_raw, &place, &params, &object), 0);
	return object;
}

Test(array, every_type_keeps_every_item_in_a_child){
#define X(id, ctype, name, code)                                              \
	{                                                                     \
		struct xp_object object = make(XP_TYPE_##id, 0, 11);          \
		struct xp_array *array = &object.as.array;                    \
		int status = -1;                                              \
		pid_t child = fork();                                         \
		if (child == 0) {                                             \
			for (size_t i = 0; i < 11; i++) {                     \
				ctype item = (ctype)(i + 1);                  \
				if (xp_array_set(array, i, &item) != 0)       \
					_exit(1);                             \
			}                                                     \
			_exit(0);                                             \
		}                                                             \
		waitpid(child, &status, 0);                                   \
		cr_expect_eq(status, 0);                                      \
		for (size_t i = 0; i < 11; i++) {                             \
			ctype item = 0;                                       \
			cr_expect_eq(xp_array_get(array, i, &item), 0);       \
			cr_expect(item == (ctype)(i + 1), "%s %zu", name, i); \
		}                                                             \
		object.impl->drop(&object);                                   \
	}
    XP_TYPE_MAP(X)
#undef X
}

/* Each block, at each place, of each item size: neighbours must stay as they are. */
Test(array, a_block_touches_exactly_its_items)
{
	const size_t sizes[] = {1, 2, 3, 4, 8, 12, 16, 24};
	const size_t length = 21;

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		size_t size = sizes[s];
		struct xp_object object = make(XP_TYPE_BYTES, size, length);
		unsigned char model[21 * 24], block[21 * 24], seen[21 * 24];

		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (unsigned char)(i * 7 + s + 1);
		for (size_t first = 0; first <= length; first++) {
			for (size_t count = 0; count <= length - first; count++) {
				memset(model, 0xee, sizeof(model));
				cr_assert_eq(xp_array_copy_in(&object.as.array, 0, length, model),
					     0);
				memcpy(model + first * size, block, count * size);
				cr_assert_eq(
				    xp_array_copy_in(&object.as.array, first, count, block), 0);
				memset(seen, 0, sizeof(seen));
				cr_assert_eq(xp_array_copy_out(&object.as.array, 0, length, seen),
					     0);
				cr_assert(memcmp(seen, model, length * size) == 0,
					  "size %zu first %zu count %zu", size, first, count);
				memset(seen, 0, sizeof(seen));
				cr_assert_eq(
				    xp_array_copy_out(&object.as.array, first, count, seen), 0);
				cr_assert(memcmp(seen, block, count * size) == 0);
			}
		}
		object.impl->drop(&object);
	}
}

Test(array, outside_is_refused_and_untouched)
{
	struct xp_object object = make(XP_TYPE_INT, 0, 4);
	struct xp_array *array = &object.as.array;
	int item = 42, block[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	cr_expect_eq(xp_array_length(array), 4u);
	cr_expect_eq(xp_array_get(array, 4, &item), -ERANGE);
	cr_expect_eq(xp_array_set(array, SIZE_MAX, &item), -ERANGE);
	cr_expect_eq(xp_array_copy_in(array, 3, 2, block), -ERANGE);
	cr_expect_eq(xp_array_copy_in(array, 1, SIZE_MAX, block), -ERANGE);
	cr_expect_eq(xp_array_copy_out(array, 5, 0, block), -ERANGE);
	cr_expect_eq(item, 42);
	cr_expect_eq(xp_array_get(array, 3, &item), 0);
	cr_expect_eq(item, 0);
	object.impl->drop(&object);
}

Test(array, an_impossible_shape_is_refused)
{
	struct xp_object object = {0};
	struct xp_params none = {.type = XP_TYPE_INT};
	struct xp_params vast = {.type = XP_TYPE_LONG, .length = SIZE_MAX / 4};

	cr_expect_eq(xp_impl_array_raw.make(&xp_impl_array_raw, &place, &none, &object), -EINVAL);
	cr_expect_eq(xp_impl_array_raw.make(&xp_impl_array_raw, &place, &vast, &object), -ENOSPC);
}
