/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/barrier_futex.h"
#include "xpshare/sync/barrier_pthread.h"
#include "xpshare/sync/ref.h"
#include "xpshare/sync/sync_test.h"

#define PARTIES 3
#define ROUNDS	1000u

static int act(void *arg)
{
	(void)arg;
	atomic_fetch_add(&test_page->count, 1);
	return test_page->twin ? -1 : 0;
}

static const struct {
	const struct xp_impl *impl;
	struct xp_params params;
} forms[] = {
    {&xp_impl_barrier_futex, {.count = PARTIES, .action = act}},
    {&xp_impl_barrier_futex, {.count = PARTIES, .action = act, .strategy = XP_STRATEGY_PARK}},
    {&xp_impl_barrier_pthread, {.count = PARTIES, .action = act}},
};

/* The object of each form in turn. */
#define EACH_FORM                                                                                 \
	for (size_t form_ = 0; form_ < sizeof(forms) / sizeof(forms[0]); form_++)                 \
		for (struct xp_object object = test_make(forms[form_].impl, forms[form_].params); \
		     object.impl; object.impl->drop(&object))

TestSuite(barrier, .init = test_open, .fini = test_close, .timeout = 110);

/* @other counts the serials, @count the actions; @step the arrivals of all. */
static int meet_often(void *arg)
{
	struct timespec end = test_deadline();

	for (uint32_t i = 0; i < ROUNDS; i++) {
		atomic_fetch_add(&test_page->step, 1);
		int rc = xp_barrier_wait_until(arg, &end);
		if (rc == XP_BARRIER_SERIAL)
			atomic_fetch_add(&test_page->other, 1);
		else if (rc != 0)
			return 1;
		/* All of this generation have arrived, and the action has been run for it. */
		if (atomic_load(&test_page->step) < (i + 1) * PARTIES ||
		    atomic_load(&test_page->count) < i + 1)
			return 2;
	}
	return 0;
}

Test(barrier, parties_go_on_together_again_and_again)
{
	EACH_FORM
	{
		pid_t members[PARTIES];

		memset(test_page, 0, sizeof(*test_page));
		for (int i = 0; i < PARTIES; i++)
			members[i] = test_fork(meet_often, &object.as.barrier);
		for (int i = 0; i < PARTIES; i++)
			cr_expect_eq(test_join(members[i]), 0, "%s", object.impl->name);
		cr_expect_eq(test_page->other, ROUNDS);
		cr_expect_eq(test_page->count, ROUNDS);
		cr_expect_eq(xp_barrier_parties(&object.as.barrier), PARTIES);
		cr_expect_eq(xp_barrier_waiting(&object.as.barrier), 0);
		cr_expect_eq(xp_barrier_broken(&object.as.barrier), 0);
	}
}

/* More processes than parties: whoever is too many belongs to a later generation. */
static int meet_until_abort(void *arg)
{
	struct timespec end = test_deadline();

	for (;;) {
		int rc = xp_barrier_wait_until(arg, &end);
		if (rc == -ECANCELED)
			return 0;
		if (rc < 0)
			return 1;
		if (rc == XP_BARRIER_SERIAL && atomic_fetch_add(&test_page->other, 1) == ROUNDS &&
		    xp_barrier_abort(arg) != 0)
			return 2;
	}
}

Test(barrier, more_processes_than_parties_meet_in_generations)
{
	EACH_FORM
	{
		pid_t members[2 * PARTIES];

		memset(test_page, 0, sizeof(*test_page));
		for (int i = 0; i < 2 * PARTIES; i++)
			members[i] = test_fork(meet_until_abort, &object.as.barrier);
		for (int i = 0; i < 2 * PARTIES; i++)
			cr_expect_eq(test_join(members[i]), 0, "%s", object.impl->name);
		cr_expect_geq(test_page->other, ROUNDS);
		/* The abort may have come between the action and the end of a generation. */
		cr_expect_leq(test_page->count - test_page->other, 1u);
	}
}

static int meet(void *arg)
{
	struct timespec end = test_deadline();

	return -xp_barrier_wait_until(arg, &end);
}

static void await_waiting(const struct xp_barrier *barrier, int64_t count)
{
	struct timespec end = test_deadline();

	while (xp_barrier_waiting(barrier) != count) {
		cr_assert_not(xp_deadline_passed(&end));
		sched_yield();
	}
}

static void expect_canceled(pid_t *members, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		cr_expect_eq(test_join(members[i]), ECANCELED, "%s", name);
}

Test(barrier, a_deadline_an_abort_and_a_reset_end_the_wait_of_all)
{
	EACH_FORM
	{
		const struct xp_barrier *barrier = &object.as.barrier;
		pid_t members[PARTIES - 1];

		test_page->twin = 0;
		for (int way = 0; way < 3; way++) {
			for (int i = 0; i < PARTIES - 1; i++)
				members[i] = test_fork(meet, &object.as.barrier);
			await_waiting(barrier, PARTIES - 1);
			if (way == 0) {
				/* One of them is killed only in the robust form: here one aborts. */
				cr_expect_eq(xp_barrier_abort(barrier), 0);
			} else if (way == 1) {
				cr_expect_eq(xp_barrier_reset(barrier), 0);
			} else {
				cr_expect_eq(xp_barrier_abort(barrier), 0);
				cr_expect_eq(xp_barrier_reset(barrier), 0);
			}
			expect_canceled(members, PARTIES - 1, object.impl->name);
			if (way == 0) {
				cr_expect_eq(xp_barrier_broken(barrier), 1);
				cr_expect_eq(xp_barrier_wait(barrier), -ECANCELED);
				cr_expect_eq(xp_barrier_reset(barrier), 0);
			}
			cr_expect_eq(xp_barrier_broken(barrier), 0);
			cr_expect_eq(xp_barrier_waiting(barrier), 0);
		}

		struct timespec soon = xp_deadline_after(3 * XP_NS_PER_MS);
		members[0] = test_fork(meet, &object.as.barrier);
		await_waiting(barrier, 1);
		cr_expect_eq(xp_barrier_wait_until(barrier, &soon), -ETIMEDOUT);
		cr_expect(xp_deadline_passed(&soon));
		expect_canceled(members, 1, object.impl->name);
		cr_expect_eq(xp_barrier_broken(barrier), 1);
	}
}

Test(barrier, an_action_that_fails_breaks_it)
{
	EACH_FORM
	{
		pid_t members[PARTIES];

		test_page->twin = 1;
		for (int i = 0; i < PARTIES; i++)
			members[i] = test_fork(meet, &object.as.barrier);
		expect_canceled(members, PARTIES, object.impl->name);
		cr_expect_eq(xp_barrier_broken(&object.as.barrier), 1);
		test_page->twin = 0;
	}
}

Test(barrier, the_death_of_a_waiter_breaks_it)
{
	struct xp_object object =
	    test_make(&xp_impl_barrier_futex, (struct xp_params){.count = PARTIES});
	pid_t members[PARTIES - 1];

	for (int i = 0; i < PARTIES - 1; i++)
		members[i] = test_fork(meet, &object.as.barrier);
	await_waiting(&object.as.barrier, PARTIES - 1);
	kill(members[0], SIGKILL);
	/* Not even waited for: it is a zombie to those who look. */
	cr_expect_eq(test_join(members[1]), ECANCELED);
	cr_expect_eq(xp_barrier_broken(&object.as.barrier), 1);
	test_join(members[0]);
	object.impl->drop(&object);
}

Test(barrier, who_comes_last_does_not_go_on_with_the_dead)
{
	struct xp_object object =
	    test_make(&xp_impl_barrier_futex, (struct xp_params){.count = PARTIES});
	pid_t members[PARTIES - 1];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < PARTIES - 1; i++)
			members[i] = test_fork(meet, &object.as.barrier);
		await_waiting(&object.as.barrier, PARTIES - 1);
		kill(members[round], SIGKILL);
		test_join(members[round]);
		cr_expect_eq(xp_barrier_wait(&object.as.barrier), -ECANCELED);
		cr_expect_eq(test_join(members[1 - round]), ECANCELED);
		cr_expect_eq(xp_barrier_reset(&object.as.barrier), 0);
	}
	object.impl->drop(&object);
}

static int die_in_action(void *arg)
{
	(void)arg;
	kill(getpid(), SIGKILL);
	return 0;
}

Test(barrier, the_death_of_the_last_in_its_action_breaks_it)
{
	struct xp_object object = test_make(
	    &xp_impl_barrier_futex, (struct xp_params){.count = 2, .action = die_in_action});
	pid_t waiter = test_fork(meet, &object.as.barrier);

	await_waiting(&object.as.barrier, 1);
	pid_t last = test_fork(meet, &object.as.barrier);
	cr_expect_eq(test_join(waiter), ECANCELED);
	cr_expect_eq(test_join(last), 256 + SIGKILL);
	object.impl->drop(&object);
}

Test(barrier, garbage_hangs_nobody)
{
	const uint32_t words[] = {UINT32_MAX, XP_WAIT_VALUE - 1, 2u * PARTIES, XP_WAIT_PARKED | 2};
	struct xp_object object =
	    test_make(&xp_impl_barrier_futex, (struct xp_params){.count = PARTIES});
	struct xp_barrier_futex *barrier = ((struct xp_sync_ref *)object.owner)->shared;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		memset(barrier->places, 0xa5, 2 * PARTIES * sizeof(barrier->places[0]));
		atomic_store(&barrier->word, words[i]);
		cr_expect_eq(test_join(test_fork(meet, &object.as.barrier)), ECANCELED, "word %zu",
			     i);
	}
	object.impl->drop(&object);
}

Test(barrier, impossible_numbers_of_parties_are_refused)
{
	struct xp_object object = {0};
	const struct xp_impl *impl = &xp_impl_barrier_futex;
	struct xp_params params = {.count = 0};

	cr_expect_eq(impl->make(impl, &test_place, &params, &object), -EINVAL);
	params.count = XP_BARRIER_PARTIES_MAX + 1;
	cr_expect_eq(impl->make(impl, &test_place, &params, &object), -EINVAL);
	params.count = 1;
	cr_assert_eq(impl->make(impl, &test_place, &params, &object), 0);
	cr_expect_eq(xp_barrier_wait(&object.as.barrier), XP_BARRIER_SERIAL);
	cr_expect_eq(xp_barrier_wait(&object.as.barrier), XP_BARRIER_SERIAL);
	impl->drop(&object);
}
