/* SPDX-License-Identifier: MIT */
#include "xpshare/shm/arena.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct xp_segment segment;
static struct xp_arena arena;

static void open_arena(void)
{
	cr_assert_eq(xp_segment_create(&(struct xp_segment_params){.size = 65536}, &segment), 0);
	cr_assert_eq(xp_arena_init(&arena, &segment), 0);
}

static void close_arena(void)
{
	xp_arena_fini(&arena);
	xp_segment_close(&segment);
}

TestSuite(arena, .init = open_arena, .fini = close_arena);

Test(arena, pieces_are_aligned_zeroed_and_apart)
{
	unsigned char *pieces[32];

	for (size_t i = 0; i < 32; i++) {
		void *at = NULL;
		size_t align = (size_t)1 << (i % 13);

		cr_assert_eq(xp_arena_alloc(&arena, 1 + i, align, &at), 0);
		pieces[i] = at;
		cr_expect_eq((uintptr_t)at % align, 0u);
		cr_expect_eq(xp_arena_offset(&arena, at) % XP_ISOLATION, 0u);
		cr_expect_eq(pieces[i][0], 0);
		memset(at, 0xff, XP_ISOLATION);
		for (size_t k = 0; k < i; k++)
			cr_expect(pieces[k] + XP_ISOLATION <= pieces[i] ||
				  pieces[i] + XP_ISOLATION <= pieces[k]);
	}
}

Test(arena, making_and_dropping_for_ever_exhausts_nothing)
{
	void *kept[3], *at = NULL;

	for (int i = 0; i < 3; i++)
		cr_assert_eq(xp_arena_alloc(&arena, 300, 64, &kept[i]), 0);
	for (size_t i = 0; i < 10000; i++) {
		cr_assert_eq(xp_arena_alloc(&arena, 1 + i % 40000, 64, &at), 0);
		cr_expect_eq(*(unsigned char *)at, 0);
		*(unsigned char *)at = 1;
		xp_arena_free(&arena, at);
	}
	/* Whatever the order of the frees, the whole is one piece again. */
	xp_arena_free(&arena, kept[1]);
	xp_arena_free(&arena, kept[2]);
	xp_arena_free(&arena, kept[0]);
	xp_arena_free(&arena, NULL);
	cr_expect_eq(xp_arena_alloc(&arena, segment.size - XP_ISOLATION, 1, &at), 0);
	cr_expect_eq(xp_arena_alloc(&arena, 1, 1, &at), -ENOSPC);
}

Test(arena, an_impossible_wish_changes_nothing)
{
	void *at = NULL;

	cr_expect_eq(xp_arena_alloc(&arena, 0, 1, &at), -EINVAL);
	cr_expect_eq(xp_arena_alloc(&arena, 1, 3, &at), -EINVAL);
	cr_expect_eq(xp_arena_alloc(&arena, 1, 1 << 20, &at), -EINVAL);
	cr_expect_eq(xp_arena_alloc(&arena, SIZE_MAX, 1, &at), -ENOSPC);
	cr_expect_eq(xp_arena_alloc(&arena, segment.size, 1, &at), -ENOSPC);
	cr_expect_null(at);
}

Test(arena, only_the_maker_allocates)
{
	void *at = NULL;
	int status = -1;

	cr_assert_eq(xp_arena_alloc(&arena, 8, 8, &at), 0);
	pid_t child = fork();
	if (child == 0) {
		void *mine = NULL;

		xp_arena_free(&arena, at);
		_exit(xp_arena_alloc(&arena, 8, 8, &mine) == -EPERM && !mine ? 0 : 1);
	}
	waitpid(child, &status, 0);
	cr_expect_eq(status, 0);
	xp_arena_free(&arena, at);
}

Test(arena, an_offset_leads_back_to_its_piece)
{
	void *at = NULL, *found = NULL;

	cr_assert_eq(xp_arena_alloc(&arena, 64, 64, &at), 0);
	uint64_t offset = xp_arena_offset(&arena, at);
	cr_expect_eq(xp_arena_at(&arena, offset, 64, 64, &found), 0);
	cr_expect_eq(at, found);
	cr_expect_eq(xp_arena_at(&arena, segment.size, 64, 64, &found), -EPROTO);
}
