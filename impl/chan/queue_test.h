/* SPDX-License-Identifier: MIT */
/*
 * queue_test - what the tests of this room share: a place, a fresh object, a child's exit code
 */
#ifndef XPSHARE_CHAN_QUEUE_TEST_H
#define XPSHARE_CHAN_QUEUE_TEST_H

#include "xpshare/base/clock.h"
#include "xpshare/kind/object.h"
#include "xpshare/shm/arena.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sys/wait.h>
#include <unistd.h>

/* A parameter of a test is an index into the file's table of implementations. */
#define EACH(suite, name, count)                                    \
	ParameterizedTestParameters(suite, name)                    \
	{                                                           \
		static size_t indices[] = {0, 1, 2, 3, 4, 5, 6, 7}; \
		return cr_make_param_array(size_t, indices, count); \
	}                                                           \
	ParameterizedTest(size_t *index, suite, name)

struct stage {
	struct xp_segment segment;
	struct xp_arena arena;
	struct xp_place place;
	struct xp_object object;
};

static inline struct stage *stage_open(const struct xp_impl *impl, const struct xp_params *params)
{
	const struct xp_segment_params room = {.size = 16 << 20};
	struct stage *stage = calloc(1, sizeof(*stage));

	cr_assert_not_null(stage);
	cr_assert_eq(xp_segment_create(&room, &stage->segment), 0);
	cr_assert_eq(xp_arena_init(&stage->arena, &stage->segment), 0);
	stage->place.arena = &stage->arena;
	cr_assert_eq(impl->make(impl, &stage->place, params, &stage->object), 0);
	stage->object.impl = impl;
	return stage;
}

static inline void stage_close(struct stage *stage)
{
	stage->object.impl->drop(&stage->object);
	xp_arena_fini(&stage->arena);
	xp_segment_close(&stage->segment);
	free(stage);
}

static inline struct timespec soon(void)
{
	return xp_deadline_after(5 * XP_NS_PER_MS);
}

/* Long past any honest wait, so that a lost wake-up is a failure and not a hang. */
static inline struct timespec in_time(void)
{
	return xp_deadline_after(30 * XP_NS_PER_SEC);
}

static inline int exit_code(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
