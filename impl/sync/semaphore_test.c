/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/ref.h"
#include "xpshare/sync/semaphore_eventfd.h"
#include "xpshare/sync/semaphore_futex.h"
#include "xpshare/sync/semaphore_posix.h"
#include "xpshare/sync/sync_test.h"

#include <fcntl.h>

#define MEMBERS 4
#define ROUNDS	5000u
#define UNITS	2

static const struct {
	const struct xp_impl *impl;
	struct xp_params params;
} forms[] = {
    {&xp_impl_semaphore_futex, {.count = UNITS}},
    {&xp_impl_semaphore_futex, {.count = UNITS, .strategy = XP_STRATEGY_PARK}},
    {&xp_impl_semaphore_posix, {.count = UNITS}},
    {&xp_impl_semaphore_eventfd, {.count = UNITS}},
    {&xp_impl_bounded_futex, {.count = UNITS}},
    {&xp_impl_bounded_posix, {.count = UNITS}},
};

/* The object of each form in turn. */
#define EACH_FORM                                                                                 \
	for (size_t form_ = 0; form_ < sizeof(forms) / sizeof(forms[0]); form_++)                 \
		for (struct xp_object object = test_make(forms[form_].impl, forms[form_].params); \
		     object.impl; object.impl->drop(&object))

TestSuite(semaphore, .init = test_open, .fini = test_close, .timeout = 110);

Test(semaphore, units_are_counted)
{
	EACH_FORM
	{
		const struct xp_semaphore *semaphore = &object.as.semaphore;
		struct timespec soon = xp_deadline_after(3 * XP_NS_PER_MS);

		cr_expect_eq(xp_semaphore_wait(semaphore), 0);
		cr_expect_eq(xp_semaphore_try_wait(semaphore), 0);
		cr_expect_eq(xp_semaphore_try_wait(semaphore), -EAGAIN);
		cr_expect_eq(xp_semaphore_wait_until(semaphore, &soon), -ETIMEDOUT, "%s",
			     object.impl->name);
		cr_expect(xp_deadline_passed(&soon));
		cr_expect_eq(xp_semaphore_post(semaphore), 0);
		int64_t value = xp_semaphore_value(semaphore);
		cr_expect(value == 1 ||
			  (value == -ENOTSUP && object.impl == &xp_impl_semaphore_eventfd));
		cr_expect_eq(xp_semaphore_post(semaphore), 0);
		bool bounded = object.impl->kind == XP_KIND_BOUNDED;
		cr_expect_eq(xp_semaphore_post(semaphore), bounded ? -EOVERFLOW : 0, "%s",
			     object.impl->name);
	}
}

static int enter_and_leave(void *arg)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (xp_semaphore_wait(arg) != 0)
			return 1;
		uint32_t inside = atomic_fetch_add(&test_page->other, 1) + 1;
		if (inside > UNITS)
			return 2;
		atomic_fetch_sub(&test_page->other, 1);
		if (xp_semaphore_post(arg) != 0)
			return 3;
	}
	return 0;
}

Test(semaphore, never_more_inside_than_units)
{
	EACH_FORM
	{
		pid_t members[MEMBERS];

		for (int i = 0; i < MEMBERS; i++)
			members[i] = test_fork(enter_and_leave, &object.as.semaphore);
		for (int i = 0; i < MEMBERS; i++)
			cr_expect_eq(test_join(members[i]), 0, "%s", object.impl->name);
	}
}

static int take_one(void *arg)
{
	struct timespec end = test_deadline();

	return -xp_semaphore_wait_until(arg, &end);
}

Test(semaphore, every_post_lets_one_sleeper_go_on)
{
	EACH_FORM
	{
		pid_t members[MEMBERS];

		for (int i = 0; i < UNITS; i++)
			cr_expect_eq(xp_semaphore_wait(&object.as.semaphore), 0);
		if (object.impl == &xp_impl_semaphore_eventfd)
			continue; /* sleeps in poll, which the next line cannot see */
		for (int i = 0; i < MEMBERS; i++) {
			members[i] = test_fork(take_one, &object.as.semaphore);
			test_await_blocked(members[i]);
		}
		/* One dies in its sleep: it takes nothing with it. */
		kill(members[0], SIGKILL);
		test_join(members[0]);
		for (int i = 1; i < MEMBERS; i++) {
			/* A bounded one takes a unit more only once a sleeper has taken one. */
			while (xp_semaphore_post(&object.as.semaphore) == -EOVERFLOW)
				sched_yield();
		}
		for (int i = 1; i < MEMBERS; i++)
			cr_expect_eq(test_join(members[i]), 0, "%s", object.impl->name);
	}
}

Test(semaphore, a_swallowed_wake_up_is_found)
{
	struct xp_object object =
	    test_make(&xp_impl_semaphore_futex, (struct xp_params){.count = 0});
	struct xp_semaphore_futex *semaphore = ((struct xp_sync_ref *)object.owner)->shared;
	pid_t waiter = test_fork(take_one, &object.as.semaphore);

	test_await_blocked(waiter);
	/* A post whose process was killed before its wake-up. */
	atomic_fetch_add(&semaphore->word, 1);
	cr_expect_eq(test_join(waiter), 0);
	cr_expect_eq(xp_semaphore_value(&object.as.semaphore), 0);
	object.impl->drop(&object);
}

Test(semaphore, a_counter_in_the_kernel_is_found_again_by_its_descriptor)
{
	struct xp_object object =
	    test_make(&xp_impl_semaphore_eventfd, (struct xp_params){.count = 1});
	struct xp_object other = {0};
	int fd = xp_semaphore_eventfd(&object.as.semaphore);

	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(xp_semaphore_eventfd_open(dup(fd), &other), 0);
	cr_expect_eq(xp_semaphore_try_wait(&other.as.semaphore), 0);
	cr_expect_eq(xp_semaphore_try_wait(&object.as.semaphore), -EAGAIN);
	other.impl->drop(&other);
	object.impl->drop(&object);
	cr_expect_eq(xp_semaphore_eventfd_open(-1, &other), -EBADF);
}

Test(semaphore, a_value_beyond_the_maximum_is_refused)
{
	struct xp_object object = {0};
	struct xp_params params = {.count = XP_SEMAPHORE_MAX};
	const struct xp_impl *impl = &xp_impl_semaphore_futex;

	cr_assert_eq(impl->make(impl, &test_place, &params, &object), 0);
	cr_expect_eq(xp_semaphore_post(&object.as.semaphore), -EOVERFLOW);
	cr_expect_eq(xp_semaphore_value(&object.as.semaphore), XP_SEMAPHORE_MAX);
	impl->drop(&object);
	params.count = XP_SEMAPHORE_MAX + 1u;
	cr_expect_eq(impl->make(impl, &test_place, &params, &object), -EINVAL);
	impl = &xp_impl_semaphore_posix;
	cr_expect_eq(impl->make(impl, &test_place, &params, &object), -EINVAL);
}
