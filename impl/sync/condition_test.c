/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/condition_futex.h"
#include "xpshare/sync/condition_pthread.h"
#include "xpshare/sync/ref.h"
#include "xpshare/sync/sync_test.h"

#define MEMBERS 4
#define ROUNDS	2000u

static const struct {
	const struct xp_impl *impl;
	struct xp_params params;
} forms[] = {
    {&xp_impl_condition_futex, {0}},
    {&xp_impl_condition_futex, {.strategy = XP_STRATEGY_PARK}},
    {&xp_impl_condition_pthread, {0}},
};

/* The object of each form in turn. */
#define EACH_FORM                                                                                 \
	for (size_t form_ = 0; form_ < sizeof(forms) / sizeof(forms[0]); form_++)                 \
		for (struct xp_object object = test_make(forms[form_].impl, forms[form_].params); \
		     object.impl; object.impl->drop(&object))

TestSuite(condition, .init = test_open, .fini = test_close, .timeout = 110);

static int wait_in_turn(void *arg)
{
	const struct xp_condition *condition = arg;
	struct timespec end = test_deadline();

	for (int depth = 0; depth < 2; depth++)
		if (xp_lock_acquire(&condition->lock) != 0)
			return 100;
	test_reach(test_page->step + 1);
	int rc = xp_condition_wait_until(condition, &end);
	int turn = (int)test_page->plain;
	test_page->plain = test_page->plain + 1;
	/* Both levels are ours again. */
	for (int depth = 0; depth < 2; depth++)
		if (xp_lock_release(&condition->lock) != 0)
			return 101;
	return rc == 0 ? turn : 102;
}

/* Start @count waiters, one after the other, and see all of them asleep. */
static void start_waiters(const struct xp_object *object, pid_t *members, int count)
{
	test_page->plain = 0;
	test_page->step = 0;
	for (int i = 0; i < count; i++) {
		members[i] = test_fork(wait_in_turn, (void *)&object->as.condition);
		test_await((uint32_t)i + 1);
		test_await_blocked(members[i]);
	}
}

static int signal_it(const struct xp_condition *condition, uint32_t count)
{
	int rc = xp_lock_acquire(&condition->lock);

	if (rc < 0)
		return rc;
	rc = xp_condition_signal(condition, count);
	if (xp_lock_release(&condition->lock) < 0)
		return -EPERM;
	return rc;
}

Test(condition, signals_reach_waiters_in_their_order)
{
	EACH_FORM
	{
		pid_t members[MEMBERS];

		start_waiters(&object, members, MEMBERS);
		for (int i = 0; i < MEMBERS; i++) {
			cr_expect_eq(signal_it(&object.as.condition, 1), 0);
			cr_expect_eq(test_join(members[i]), i, "%s", object.impl->name);
		}
	}
}

Test(condition, a_signal_of_n_wakes_n_and_a_broadcast_the_rest)
{
	EACH_FORM
	{
		pid_t members[MEMBERS];

		start_waiters(&object, members, MEMBERS);
		cr_expect_eq(signal_it(&object.as.condition, 2), 0);
		cr_expect_lt(test_join(members[0]), 2);
		cr_expect_lt(test_join(members[1]), 2);
		for (int i = 2; i < MEMBERS; i++)
			cr_expect_eq(waitpid(members[i], NULL, WNOHANG), 0);
		cr_expect_eq(signal_it(&object.as.condition, UINT32_MAX), 0);
		for (int i = 2; i < MEMBERS; i++)
			cr_expect_lt(test_join(members[i]), MEMBERS);
	}
}

Test(condition, a_signal_without_waiter_is_not_kept)
{
	EACH_FORM
	{
		const struct xp_condition *condition = &object.as.condition;
		struct timespec soon = xp_deadline_after(3 * XP_NS_PER_MS);

		cr_expect_eq(xp_condition_wait_until(condition, &soon), -EPERM);
		cr_expect_eq(xp_condition_signal(condition, 1), -EPERM);
		cr_expect_eq(xp_lock_acquire(&condition->lock), 0);
		cr_expect_eq(xp_condition_broadcast(condition), 0);
		cr_expect_eq(xp_condition_wait_until(condition, &soon), -ETIMEDOUT);
		cr_expect(xp_deadline_passed(&soon));
		cr_expect_eq(xp_lock_release(&condition->lock), 0, "held after the deadline");
		cr_expect_eq(xp_lock_release(&condition->lock), -EPERM);
	}
}

/* Two processes pass a turn to and fro: any lost signal would stop them. */
struct game {
	struct xp_condition condition;
	uint64_t me;
};

static int is_my_turn(void *arg)
{
	return test_page->plain % 2 == ((struct game *)arg)->me;
}

static int play(void *arg)
{
	struct game *game = arg;
	struct timespec end = test_deadline();

	if (xp_lock_acquire(&game->condition.lock) != 0)
		return 1;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (xp_condition_wait_for(&game->condition, is_my_turn, game, &end) != 0)
			return 2;
		test_page->plain = test_page->plain + 1;
		if (xp_condition_signal(&game->condition, 1) != 0)
			return 3;
	}
	return -xp_lock_release(&game->condition.lock);
}

Test(condition, no_signal_is_lost_in_a_game_of_turns)
{
	EACH_FORM
	{
		struct game game = {.condition = object.as.condition, .me = 1};

		test_page->plain = 0;
		pid_t other = test_fork(play, &game);
		game.me = 0;
		cr_expect_eq(play(&game), 0);
		cr_expect_eq(test_join(other), 0);
		cr_expect_eq(test_page->plain, 2u * ROUNDS, "%s", object.impl->name);
	}
}

Test(condition, a_dead_waiter_gets_no_signal)
{
	struct xp_object object = test_make(&xp_impl_condition_futex, (struct xp_params){0});
	pid_t members[3];

	start_waiters(&object, members, 3);
	kill(members[0], SIGKILL);
	test_join(members[0]);
	cr_expect_eq(signal_it(&object.as.condition, 1), 0);
	cr_expect_eq(test_join(members[1]), 0, "the next in the order");
	cr_expect_eq(signal_it(&object.as.condition, 1), 0);
	cr_expect_eq(test_join(members[2]), 1);
	object.impl->drop(&object);
}

Test(condition, a_signal_that_dies_with_its_receiver_goes_to_the_next)
{
	struct xp_object object = test_make(&xp_impl_condition_futex, (struct xp_params){0});
	const struct xp_condition *condition = &object.as.condition;
	pid_t members[2];

	start_waiters(&object, members, 2);
	/* The first is signalled, and killed before it can have the lock. */
	cr_expect_eq(xp_lock_acquire(&condition->lock), 0);
	cr_expect_eq(xp_condition_signal(condition, 1), 0);
	kill(members[0], SIGKILL);
	test_join(members[0]);
	cr_expect_eq(xp_lock_release(&condition->lock), 0);
	/* No further signal: the second finds it by itself. */
	cr_expect_eq(test_join(members[1]), 0);
	object.impl->drop(&object);
}

/* From here on the waiter wants the lock, and only the death of this process gives it away. */
static int signal_and_hold(void *arg)
{
	const struct xp_condition *condition = arg;

	if (xp_lock_acquire(&condition->lock) != 0 || xp_condition_signal(condition, 1) != 0)
		return 1;
	test_reach(1);
	for (;;)
		pause();
}

static int wait_and_learn(void *arg)
{
	const struct xp_condition *condition = arg;
	struct timespec end = test_deadline();

	if (xp_lock_acquire(&condition->lock) != 0)
		return 1;
	test_reach(1);
	if (xp_condition_wait_until(condition, &end) != -EOWNERDEAD)
		return 2;
	return -xp_lock_release(&condition->lock);
}

Test(condition, a_wait_learns_that_the_holder_died)
{
	EACH_FORM
	{
		test_page->step = 0;
		pid_t waiter = test_fork(wait_and_learn, &object.as.condition);
		test_await(1);
		test_await_blocked(waiter);
		test_page->step = 0;
		pid_t holder = test_fork(signal_and_hold, &object.as.condition);
		test_await(1);
		kill(holder, SIGKILL);
		cr_expect_eq(test_join(holder), 256 + SIGKILL);
		cr_expect_eq(test_join(waiter), 0, "%s", object.impl->name);
	}
}

static int wait_for_ever(void *arg)
{
	const struct xp_condition *condition = arg;

	for (;;) {
		int rc = xp_lock_acquire(&condition->lock);
		if (rc != 0 && rc != -EOWNERDEAD)
			return 1;
		struct timespec soon = xp_deadline_after(XP_NS_PER_MS);
		rc = xp_condition_wait_until(condition, &soon);
		if (rc != 0 && rc != -ETIMEDOUT && rc != -EOWNERDEAD)
			return 2;
		if (xp_condition_signal(condition, 1) != 0 || xp_lock_release(&condition->lock) < 0)
			return 3;
		atomic_fetch_add(&test_page->count, 1);
	}
}

Test(condition, survivors_go_on_whenever_others_are_killed)
{
	struct xp_object object = test_make(&xp_impl_condition_futex, (struct xp_params){0});
	pid_t members[MEMBERS];

	for (int i = 0; i < MEMBERS; i++)
		members[i] = test_fork(wait_for_ever, &object.as.condition);
	for (int i = 0; i < 60; i++) {
		uint64_t before = atomic_load(&test_page->count);
		struct timespec end = test_deadline();
		while (atomic_load(&test_page->count) < before + 10) {
			cr_assert_not(xp_deadline_passed(&end), "nobody goes on");
			sched_yield();
		}
		kill(members[i % MEMBERS], SIGKILL);
		cr_assert_eq(test_join(members[i % MEMBERS]), 256 + SIGKILL);
		members[i % MEMBERS] = test_fork(wait_for_ever, &object.as.condition);
	}
	for (int i = 0; i < MEMBERS; i++) {
		kill(members[i], SIGKILL);
		cr_expect_eq(test_join(members[i]), 256 + SIGKILL);
	}
	/* Every place can be had again: none is lost with its waiter. */
	struct xp_condition_futex *condition = ((struct xp_sync_ref *)object.owner)->shared;
	int rc = xp_lock_acquire(&object.as.condition.lock);
	cr_expect(rc == 0 || rc == -EOWNERDEAD);
	cr_expect_eq(xp_condition_broadcast(&object.as.condition), 0);
	for (uint32_t i = 0; i < XP_CONDITION_WAITERS_MAX; i++)
		cr_expect_eq(condition->places[i].life, 0u);
	cr_expect_eq(xp_lock_release(&object.as.condition.lock), 0);
	object.impl->drop(&object);
}
