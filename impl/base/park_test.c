/* SPDX-License-Identifier: MIT */
#include "xpshare/base/park.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Two turnstiles: each side waits for the other's plain store, and nobody issues a fence. */
struct table {
	_Alignas(XP_ISOLATION) _Atomic uint32_t ping;
	struct xp_park ping_spot;
	_Alignas(XP_ISOLATION) _Atomic uint32_t pong;
	struct xp_park pong_spot;
};

static struct table *table(bool fences)
{
	struct table *shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(shared, MAP_FAILED);
	xp_park_init(&shared->ping_spot, fences);
	xp_park_init(&shared->pong_spot, fences);
	return shared;
}

static int wait_for(_Atomic uint32_t *word, uint32_t value, struct xp_park *spot,
		    const struct timespec *deadline)
{
	struct xp_patrol patrol = {0};

	for (;;) {
		uint32_t ticket = xp_park_prepare(spot);
		if (atomic_load_explicit(word, memory_order_acquire) == value)
			return 0;
		int rc = xp_park_sleep(spot, ticket, &patrol, deadline);
		if (rc < 0)
			return rc;
	}
}

static void play(bool fences)
{
	const uint32_t rounds = 3000;
	struct table *shared = table(fences);
	pid_t child = fork();

	if (child == 0) {
		for (uint32_t i = 1; i <= rounds; i++) {
			if (wait_for(&shared->ping, i, &shared->ping_spot, NULL) != 0)
				_exit(1);
			atomic_store_explicit(&shared->pong, i, memory_order_release);
			xp_park_wake(&shared->pong_spot);
		}
		_exit(0);
	}
	int64_t begin = xp_clock_ns();
	for (uint32_t i = 1; i <= rounds; i++) {
		struct timespec limit = xp_deadline_after(20 * XP_NS_PER_SEC);
		atomic_store_explicit(&shared->ping, i, memory_order_release);
		xp_park_wake(&shared->ping_spot);
		cr_assert_eq(wait_for(&shared->pong, i, &shared->pong_spot, &limit), 0);
	}
	int status;
	waitpid(child, &status, 0);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* A wake-up lost now and then is mended by a nap; one lost in each round would take minutes. */
	cr_expect_lt(xp_clock_ns() - begin, (int64_t)rounds * XP_WAIT_NAP_FIRST_NS / 2);
	munmap(shared, sizeof(*shared));
}

Test(park, no_wake_up_is_lost_without_fences)
{
	if (xp_park_join() < 0)
		cr_skip_test("membarrier is refused here");
	play(false);
}

Test(park, no_wake_up_is_lost_with_fences)
{
	play(true);
}

Test(park, a_deadline_ends_the_sleep)
{
	struct table *shared = table(xp_park_join() < 0);
	struct timespec soon = xp_deadline_after(2 * XP_NS_PER_MS);

	cr_expect_eq(wait_for(&shared->ping, 1, &shared->ping_spot, &soon), -ETIMEDOUT);
	cr_expect(xp_deadline_passed(&soon));
	munmap(shared, sizeof(*shared));
}

Test(park, a_store_without_a_wake_up_is_found)
{
	struct table *shared = table(xp_park_join() < 0);
	struct timespec limit = xp_deadline_after(20 * XP_NS_PER_SEC);
	pid_t child = fork();

	if (child == 0) {
		/* As if killed between the store and the wake-up, once the parent has parked. */
		while (!(atomic_load(&shared->ping_spot.word) & XP_PARK_PARKED))
			xp_cpu_relax();
		atomic_store(&shared->ping, 1);
		kill(getpid(), SIGKILL);
	}
	cr_expect_eq(wait_for(&shared->ping, 1, &shared->ping_spot, &limit), 0);
	waitpid(child, NULL, 0);
	munmap(shared, sizeof(*shared));
}
