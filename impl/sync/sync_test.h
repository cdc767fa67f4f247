/* SPDX-License-Identifier: MIT */
/*
 * sync_test - what the unit tests of this room share: an arena, children, and a page to report on
 *
 * A failed assertion in a forked child would look like a hang: children answer by exit status.
 */
#ifndef XPSHARE_SYNC_SYNC_TEST_H
#define XPSHARE_SYNC_SYNC_TEST_H

#include "xpshare/base/clock.h"
#include "xpshare/base/wait.h"
#include "xpshare/kind/object.h"
#include "xpshare/shm/arena.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Far beyond what any test needs; a test that runs into it has found a hang. */
#define TEST_PATIENCE_NS (20 * XP_NS_PER_SEC)

struct test_page {
	_Atomic uint32_t step;
	_Atomic uint32_t other;
	_Atomic uint64_t count;
	volatile uint64_t plain;
	volatile uint64_t twin;
};

static struct xp_segment test_segment;
static struct xp_arena test_arena;
static struct xp_place test_place = {.arena = &test_arena};
static struct test_page *test_page;

static inline void test_open(void)
{
	cr_assert_eq(xp_segment_create(&(struct xp_segment_params){.size = 1 << 16}, &test_segment),
		     0);
	cr_assert_eq(xp_arena_init(&test_arena, &test_segment), 0);
	void *page = NULL;
	cr_assert_eq(xp_arena_alloc(&test_arena, sizeof(*test_page), 8, &page), 0);
	test_page = page;
}

static inline void test_close(void)
{
	xp_arena_fini(&test_arena);
	xp_segment_close(&test_segment);
}

static inline struct xp_object test_make(const struct xp_impl *impl, struct xp_params params)
{
	struct xp_object object = {0};

	cr_assert_eq(impl->make(impl, &test_place, &params, &object), 0, "%s", impl->name);
	return object;
}

/* A child that does not outlive its parent and answers with what @body returns. */
static inline pid_t test_fork(int (*body)(void *arg), void *arg)
{
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(body(arg));
	}
	return child;
}

/* The exit status of @child, or 256 + the signal that ended it. */
static inline int test_join(pid_t child)
{
	int status = 0;

	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static inline void test_reach(uint32_t step)
{
	xp_wait_publish(&test_page->step, step, XP_FUTEX_ALL);
}

static inline void test_await(uint32_t step)
{
	struct timespec end = xp_deadline_after(TEST_PATIENCE_NS);

	while (xp_wait_value(&test_page->step) < step)
		if (xp_wait_while(&test_page->step, xp_wait_value(&test_page->step), NULL, &end) <
		    0)
			abort();
}

/* Until @child sleeps in the kernel, as /proc says: the only way to know that it has parked. */
static inline void test_await_blocked(pid_t child)
{
	struct timespec end = xp_deadline_after(TEST_PATIENCE_NS);
	char path[64], line[64], number[16];

	snprintf(number, sizeof(number), "%d ", SYS_futex);
	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)child);
	for (;;) {
		FILE *file = fopen(path, "re");
		bool futex = file && fgets(line, sizeof(line), file) &&
			     strncmp(line, number, strlen(number)) == 0;
		if (file)
			fclose(file);
		if (futex)
			return;
		if (xp_deadline_passed(&end))
			abort();
		xp_cpu_relax();
	}
}

static inline struct timespec test_deadline(void)
{
	return xp_deadline_after(TEST_PATIENCE_NS);
}

#endif
