/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/event_futex.h"
#include "xpshare/sync/event_pthread.h"
#include "xpshare/sync/ref.h"
#include "xpshare/sync/sync_test.h"

#define MEMBERS 3
#define ROUNDS	2000u

static const struct {
	const struct xp_impl *impl;
	struct xp_params params;
} forms[] = {
    {&xp_impl_event_futex, {0}},
    {&xp_impl_event_futex, {.strategy = XP_STRATEGY_PARK}},
    {&xp_impl_event_pthread, {0}},
};

/* The object of each form in turn. */
#define EACH_FORM                                                                                 \
	for (size_t form_ = 0; form_ < sizeof(forms) / sizeof(forms[0]); form_++)                 \
		for (struct xp_object object = test_make(forms[form_].impl, forms[form_].params); \
		     object.impl; object.impl->drop(&object))

TestSuite(event, .init = test_open, .fini = test_close, .timeout = 110);

static int wait_for_it(void *arg)
{
	struct timespec end = test_deadline();

	return -xp_event_wait_until(arg, &end);
}

Test(event, a_flag_that_is_up_holds_nobody)
{
	EACH_FORM
	{
		const struct xp_event *event = &object.as.event;
		struct timespec past = xp_deadline_after(0);

		cr_expect_eq(xp_event_is_set(event), 0);
		cr_expect_eq(xp_event_wait_until(event, &past), -ETIMEDOUT);
		cr_expect_eq(xp_event_set(event), 0);
		cr_expect_eq(xp_event_set(event), 0);
		cr_expect_eq(xp_event_is_set(event), 1);
		cr_expect_eq(xp_event_wait_until(event, &past), 0);
		cr_expect_eq(xp_event_wait(event), 0);
		cr_expect_eq(xp_event_clear(event), 0);
		cr_expect_eq(xp_event_clear(event), 0);
		cr_expect_eq(xp_event_is_set(event), 0);
		struct timespec soon = xp_deadline_after(3 * XP_NS_PER_MS);
		cr_expect_eq(xp_event_wait_until(event, &soon), -ETIMEDOUT);
		cr_expect(xp_deadline_passed(&soon));
	}
}

Test(event, every_waiter_goes_on_even_if_the_flag_is_lowered_at_once)
{
	EACH_FORM
	{
		for (int round = 0; round < 20; round++) {
			pid_t members[MEMBERS];

			for (int i = 0; i < MEMBERS; i++)
				members[i] = test_fork(wait_for_it, &object.as.event);
			for (int i = 0; i < MEMBERS; i++)
				test_await_blocked(members[i]);
			cr_expect_eq(xp_event_set(&object.as.event), 0);
			cr_expect_eq(xp_event_clear(&object.as.event), 0);
			for (int i = 0; i < MEMBERS; i++)
				cr_expect_eq(test_join(members[i]), 0);
		}
	}
}

struct ping {
	struct xp_event there;
	struct xp_event back;
};

static int pong(void *arg)
{
	struct ping *ping = arg;
	struct timespec end = test_deadline();

	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (xp_event_wait_until(&ping->there, &end) != 0)
			return 1;
		if (xp_event_clear(&ping->there) != 0 || xp_event_set(&ping->back) != 0)
			return 2;
	}
	return 0;
}

Test(event, no_set_is_lost_in_ping_pong)
{
	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		struct xp_object there = test_make(forms[f].impl, forms[f].params);
		struct xp_object back = test_make(forms[f].impl, forms[f].params);
		struct ping ping = {.there = there.as.event, .back = back.as.event};
		struct timespec end = test_deadline();
		pid_t member = test_fork(pong, &ping);

		for (uint32_t i = 0; i < ROUNDS; i++) {
			cr_assert_eq(xp_event_set(&ping.there), 0);
			cr_assert_eq(xp_event_wait_until(&ping.back, &end), 0);
			cr_assert_eq(xp_event_clear(&ping.back), 0);
		}
		cr_expect_eq(test_join(member), 0);
		back.impl->drop(&back);
		there.impl->drop(&there);
	}
}

Test(event, a_setter_that_dies_before_its_wake_up_leaves_nobody_asleep)
{
	struct xp_object object = test_make(&xp_impl_event_futex, (struct xp_params){0});
	struct xp_event_futex *event = ((struct xp_sync_ref *)object.owner)->shared;

	/* By its own nap, and by the next set. */
	for (int again = 0; again < 2; again++) {
		pid_t waiter = test_fork(wait_for_it, &object.as.event);

		test_await_blocked(waiter);
		uint32_t word = atomic_load(&event->word);
		cr_assert(word & XP_WAIT_PARKED);
		/* All that the dead setter has done: the exchange. */
		atomic_store(&event->word, (word + XP_EVENT_SET) | XP_EVENT_UP);
		if (again)
			cr_expect_eq(xp_event_set(&object.as.event), 0);
		cr_expect_eq(test_join(waiter), 0);
		cr_expect_eq(xp_event_set(&object.as.event), 0);
		cr_expect_eq(atomic_load(&event->word) & XP_WAIT_PARKED, 0u);
		cr_expect_eq(xp_event_clear(&object.as.event), 0);
	}
	object.impl->drop(&object);
}
