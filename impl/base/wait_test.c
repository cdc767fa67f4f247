/* SPDX-License-Identifier: MIT */
#include "xpshare/base/wait.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct ping {
	_Atomic uint32_t there;
	_Atomic uint32_t back;
	uint32_t rounds;
	uint32_t polls;
};

static void *pong(void *arg)
{
	struct ping *ping = arg;
	struct xp_wait how;

	xp_wait_init(&how, ping->polls);
	for (uint32_t i = 0; i < ping->rounds; i++) {
		if (xp_wait_while(&ping->there, i, &how, NULL) != 0)
			return NULL;
		xp_wait_publish(&ping->back, i + 1, 1);
	}
	return ping;
}

static void play(uint32_t rounds, uint32_t polls)
{
	struct ping ping = {.rounds = rounds, .polls = polls};
	struct xp_wait how;
	pthread_t thread;
	void *done = NULL;

	xp_wait_init(&how, polls);
	cr_assert_eq(pthread_create(&thread, NULL, pong, &ping), 0);
	for (uint32_t i = 0; i < rounds; i++) {
		xp_wait_publish(&ping.there, i + 1, 1);
		cr_assert_eq(xp_wait_while(&ping.back, i, &how, NULL), 0);
	}
	pthread_join(thread, &done);
	cr_expect_eq(done, &ping);
}

Test(wait, no_wake_up_is_lost_when_parking)
{
	play(20000, 0);
}

Test(wait, no_wake_up_is_lost_when_mixing)
{
	play(20000, 50);
}

Test(wait, a_deadline_ends_every_way_of_waiting)
{
	const uint32_t ways[] = {0, 10, XP_WAIT_POLLS_FOREVER};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		_Atomic uint32_t word = 7;
		struct xp_wait how;

		xp_wait_init(&how, ways[i]);
		struct timespec soon = xp_deadline_after(2 * XP_NS_PER_MS);
		cr_expect_eq(xp_wait_while(&word, 7, &how, &soon), -ETIMEDOUT);
		cr_expect_eq(xp_wait_value(&word), 7u);
	}
}

Test(wait, vain_spinning_is_unlearned)
{
	_Atomic uint32_t word = 0;
	struct xp_wait how;

	xp_wait_init(&how, 1024);
	if (how.polls_max == 0)
		cr_skip_test("one CPU: no spinning at all");

	for (int i = 0; i < 15; i++) {
		struct timespec now = xp_deadline_after(0);
		cr_expect_eq(xp_wait_while(&word, 0, &how, &now), -ETIMEDOUT);
	}
	cr_expect_eq(how.polls, 0u);
	/* And looked into ever more rarely, until it pays once. */
	for (int i = 0; i < 5000; i++)
		if (xp_wait_polls(&how) > 0)
			xp_wait_learn(&how, false);
	cr_expect_eq(how.period, 1024u);
	xp_wait_learn(&how, true);
	cr_expect_lt(how.period, 1024u);
	cr_expect_gt(how.polls, 0u);
}

/* A publisher that dies between its exchange and its wake, as a store without a wake. */
Test(wait, a_swallowed_wake_up_is_found_by_the_sleeper)
{
	_Atomic uint32_t *word =
	    mmap(NULL, sizeof(*word), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = -1;

	cr_assert_neq(word, MAP_FAILED);
	pid_t sleeper = fork();
	if (sleeper == 0)
		_exit(xp_wait_while(word, 0, NULL, NULL) == 0 ? 0 : 1);
	while (!(atomic_load(word) & XP_WAIT_PARKED))
		xp_cpu_relax();
	atomic_store(word, 1);
	waitpid(sleeper, &status, 0);
	cr_expect_eq(status, 0);
	munmap((void *)word, sizeof(*word));
}

Test(wait, the_naps_double_up_to_their_maximum)
{
	_Atomic uint32_t word = 0;
	struct xp_patrol patrol = {0};
	int64_t expected = XP_WAIT_NAP_FIRST_NS;

	for (int i = 0; i < 3; i++) {
		cr_expect_eq(xp_wait_step(&word, 0, NULL, &patrol, NULL), -EAGAIN);
		cr_expect_eq(patrol.nap_ns, expected);
		expected *= 2;
	}
	patrol.nap_ns = XP_WAIT_NAP_MAX_NS;
	struct timespec soon = xp_deadline_after(2 * XP_NS_PER_MS);
	cr_expect_eq(xp_wait_step(&word, 0, NULL, &patrol, &soon), -ETIMEDOUT);
	cr_expect_eq(patrol.nap_ns, XP_WAIT_NAP_MAX_NS);
}
