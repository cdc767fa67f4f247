/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/lock_futex.h"
#include "xpshare/sync/lock_pthread.h"
#include "xpshare/sync/lock_sem.h"
#include "xpshare/sync/rlock_futex.h"
#include "xpshare/sync/ref.h"
#include "xpshare/sync/sync_test.h"

#include <pthread.h>

#define MEMBERS 4
#define ROUNDS	20000u

static const struct {
	const struct xp_impl *impl;
	struct xp_params params;
} forms[] = {
    {&xp_impl_lock_futex, {0}},
    {&xp_impl_lock_futex, {.strategy = XP_STRATEGY_PARK}},
    {&xp_impl_lock_futex, {.fair = true}},
    {&xp_impl_lock_pthread, {0}},
    {&xp_impl_lock_sem, {0}},
    {&xp_impl_rlock_futex, {0}},
    {&xp_impl_rlock_pthread, {0}},
};

/* The object of each form in turn. */
#define EACH_FORM                                                                                 \
	for (size_t form_ = 0; form_ < sizeof(forms) / sizeof(forms[0]); form_++)                 \
		for (struct xp_object object = test_make(forms[form_].impl, forms[form_].params); \
		     object.impl; object.impl->drop(&object))

TestSuite(lock, .init = test_open, .fini = test_close, .timeout = 110);

static bool robust(const struct xp_object *object)
{
	return object->impl->caps & XP_CAP_ROBUST;
}

static int count_up(void *arg)
{
	const struct xp_lock *lock = arg;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (xp_lock_acquire(lock) != 0)
			return 1;
		test_page->plain = test_page->plain + 1;
		if (xp_lock_release(lock) != 0)
			return 2;
	}
	return 0;
}

Test(lock, no_increment_of_several_processes_is_lost)
{
	EACH_FORM
	{
		pid_t members[MEMBERS];

		test_page->plain = 0;
		for (int i = 0; i < MEMBERS; i++)
			members[i] = test_fork(count_up, &object.as.lock);
		for (int i = 0; i < MEMBERS; i++)
			cr_expect_eq(test_join(members[i]), 0, "%s", object.impl->name);
		cr_expect_eq(test_page->plain, (uint64_t)MEMBERS * ROUNDS, "%s: %lu",
			     object.impl->name, (unsigned long)test_page->plain);
	}
}

static int refused(void *arg)
{
	const struct xp_object *object = arg;
	const struct xp_lock *lock = &object->as.lock;
	struct timespec soon = xp_deadline_after(3 * XP_NS_PER_MS);
	struct timespec past = xp_deadline_after(0);

	if (xp_lock_try_acquire(lock) != -EBUSY)
		return 1;
	if (xp_lock_acquire_until(lock, &soon) != -ETIMEDOUT || !xp_deadline_passed(&soon))
		return 2;
	if (xp_lock_acquire_until(lock, &past) != -ETIMEDOUT)
		return 3;
	if ((object->impl->caps & XP_CAP_OWNED) && xp_lock_release(lock) != -EPERM)
		return 4;
	return xp_lock_try_acquire(lock) == -EBUSY ? 0 : 5;
}

Test(lock, a_held_lock_refuses_others_and_keeps_the_deadline)
{
	EACH_FORM
	{
		const struct xp_lock *lock = &object.as.lock;

		cr_expect_eq(xp_lock_acquire(lock), 0);
		cr_expect_eq(test_join(test_fork(refused, &object)), 0, "%s", object.impl->name);
		cr_expect_eq(xp_lock_release(lock), 0);
		cr_expect_eq(xp_lock_release(lock), -EPERM, "%s", object.impl->name);
		struct timespec past = xp_deadline_after(0);
		cr_expect_eq(xp_lock_acquire_until(lock, &past), 0, "a free lock needs no time");
		cr_expect_eq(xp_lock_release(lock), 0);
	}
}

Test(lock, a_holder_that_calls_again_is_told)
{
	EACH_FORM
	{
		const struct xp_lock *lock = &object.as.lock;
		bool recursive = object.impl->kind == XP_KIND_RLOCK;

		cr_expect_eq(xp_lock_acquire(lock), 0);
		if (!(object.impl->caps & XP_CAP_OWNED)) {
			cr_expect_eq(xp_lock_release(lock), 0);
			continue;
		}
		cr_expect_eq(xp_lock_try_acquire(lock), recursive ? 0 : -EBUSY);
		cr_expect_eq(xp_lock_acquire(lock), recursive ? 0 : -EDEADLK);
		for (int i = 0; i < (recursive ? 3 : 1); i++)
			cr_expect_eq(xp_lock_release(lock), 0);
		cr_expect_eq(xp_lock_release(lock), -EPERM);
	}
}

static int release_it(void *arg)
{
	return -xp_lock_release(arg);
}

Test(lock, a_lock_without_owner_is_released_by_another)
{
	struct xp_object object = test_make(&xp_impl_lock_sem, (struct xp_params){0});

	cr_expect_eq(xp_lock_acquire(&object.as.lock), 0);
	cr_expect_eq(test_join(test_fork(release_it, &object.as.lock)), 0);
	cr_expect_eq(xp_lock_try_acquire(&object.as.lock), 0);
	object.impl->drop(&object);
}

static int hold(void *arg)
{
	if (xp_lock_acquire(arg) != 0)
		return 1;
	test_reach(1);
	for (;;)
		pause();
}

static int expect_owner_died(void *arg)
{
	struct timespec end = test_deadline();

	if (xp_lock_acquire_until(arg, &end) != -EOWNERDEAD)
		return 1;
	return xp_lock_release(arg) == 0 ? 0 : 2;
}

Test(lock, the_next_one_learns_that_the_holder_died)
{
	EACH_FORM
	{
		const struct xp_lock *lock = &object.as.lock;

		if (!robust(&object))
			continue;
		/* Killed before anybody waits, and while somebody sleeps. */
		for (int waiting = 0; waiting < 2; waiting++) {
			test_page->step = 0;
			pid_t holder = test_fork(hold, &object.as.lock);
			test_await(1);
			pid_t waiter = 0;
			if (waiting) {
				waiter = test_fork(expect_owner_died, &object.as.lock);
				test_await_blocked(waiter);
			}
			kill(holder, SIGKILL);
			cr_expect_eq(test_join(holder), 256 + SIGKILL);
			if (!waiting)
				waiter = test_fork(expect_owner_died, &object.as.lock);
			cr_expect_eq(test_join(waiter), 0, "%s", object.impl->name);
			struct timespec end = test_deadline();
			cr_expect_eq(xp_lock_acquire_until(lock, &end), 0, "told once only");
			cr_expect_eq(xp_lock_release(lock), 0);
		}
	}
}

static int hold_twice(void *arg)
{
	if (xp_lock_acquire(arg) != 0)
		return 1;
	return hold(arg);
}

Test(lock, a_recursive_holder_that_dies_leaves_one_level)
{
	struct xp_object object = test_make(&xp_impl_rlock_futex, (struct xp_params){0});
	pid_t holder = test_fork(hold_twice, &object.as.lock);

	test_await(1);
	kill(holder, SIGKILL);
	test_join(holder);
	cr_expect_eq(xp_lock_acquire(&object.as.lock), -EOWNERDEAD);
	cr_expect_eq(xp_lock_release(&object.as.lock), 0);
	cr_expect_eq(xp_lock_release(&object.as.lock), -EPERM);
	object.impl->drop(&object);
}

static int take_and_release(void *arg)
{
	struct timespec end = test_deadline();

	if (xp_lock_acquire_until(arg, &end) != 0)
		return 1;
	return xp_lock_release(arg) == 0 ? 0 : 2;
}

Test(lock, a_waiter_that_dies_takes_nothing_with_it)
{
	EACH_FORM
	{
		cr_expect_eq(xp_lock_acquire(&object.as.lock), 0);
		pid_t doomed = test_fork(take_and_release, &object.as.lock);
		test_await_blocked(doomed);
		pid_t next = test_fork(take_and_release, &object.as.lock);
		test_await_blocked(next);
		kill(doomed, SIGKILL);
		cr_expect_eq(test_join(doomed), 256 + SIGKILL);
		cr_expect_eq(xp_lock_release(&object.as.lock), 0);
		cr_expect_eq(test_join(next), 0, "%s", object.impl->name);
	}
}

/* Members that are killed at any moment, within the lock's own code too. */
static int race_to_death(void *arg)
{
	for (;;) {
		int rc = xp_lock_acquire(arg);
		if (rc == -EOWNERDEAD)
			test_page->twin = test_page->plain;
		else if (rc != 0 || test_page->plain != test_page->twin)
			return 1;
		test_page->plain = test_page->plain + 1;
		test_page->twin = test_page->plain;
		atomic_fetch_add(&test_page->count, 1);
		if (xp_lock_release(arg) != 0)
			return 2;
	}
}

Test(lock, survivors_go_on_whenever_others_are_killed)
{
	EACH_FORM
	{
		pid_t members[MEMBERS];

		if (!robust(&object))
			continue;
		test_page->plain = test_page->twin = 0;
		for (int i = 0; i < MEMBERS; i++)
			members[i] = test_fork(race_to_death, &object.as.lock);
		for (int i = 0; i < 40; i++) {
			/* The others have to make progress before the next one dies. */
			uint64_t before = atomic_load(&test_page->count);
			struct timespec end = test_deadline();
			while (atomic_load(&test_page->count) < before + 50) {
				cr_assert_not(xp_deadline_passed(&end), "%s: nobody goes on",
					      object.impl->name);
				sched_yield();
			}
			kill(members[i % MEMBERS], SIGKILL);
			cr_assert_eq(test_join(members[i % MEMBERS]), 256 + SIGKILL, "%s",
				     object.impl->name);
			members[i % MEMBERS] = test_fork(race_to_death, &object.as.lock);
		}
		for (int i = 0; i < MEMBERS; i++) {
			kill(members[i], SIGKILL);
			cr_expect_eq(test_join(members[i]), 256 + SIGKILL);
		}
	}
}

static void *acquire_in_thread(void *arg)
{
	return xp_lock_acquire(arg) == 0 ? arg : NULL;
}

Test(lock, a_thread_that_ends_as_holder_has_died)
{
	EACH_FORM
	{
		pthread_t thread;
		void *done = NULL;

		if (!robust(&object))
			continue;
		cr_assert_eq(pthread_create(&thread, NULL, acquire_in_thread, &object.as.lock), 0);
		pthread_join(thread, &done);
		cr_expect_not_null(done);
		struct timespec end = test_deadline();
		cr_expect_eq(xp_lock_acquire_until(&object.as.lock, &end), -EOWNERDEAD, "%s",
			     object.impl->name);
		cr_expect_eq(xp_lock_release(&object.as.lock), 0);
	}
}

/* Our locks and the C library's mutexes in one list, taken and given back in a mixed order. */
static struct xp_lock_futex *ours[4];
static pthread_mutex_t *theirs[3];

static int hold_a_mixture(void *arg)
{
	(void)arg;
	bool fine =
	    pthread_mutex_lock(theirs[0]) == 0 && xp_lock_futex_acquire(ours[0], NULL) == 0 &&
	    xp_lock_futex_acquire(ours[1], NULL) == 0 && pthread_mutex_lock(theirs[1]) == 0 &&
	    xp_lock_futex_acquire(ours[2], NULL) == 0 &&
	    xp_lock_futex_acquire(ours[3], NULL) == 0 && pthread_mutex_lock(theirs[2]) == 0;
	fine = fine && xp_lock_futex_release(ours[1]) == 0 && /* from the middle */
	       pthread_mutex_unlock(theirs[1]) == 0 &&
	       xp_lock_futex_release(ours[3]) == 0 && /* the newest */
	       xp_lock_futex_acquire(ours[1], NULL) == 0 &&
	       xp_lock_futex_release(ours[0]) == 0; /* the oldest */
	/* Left: theirs 0 and 2, ours 2 and 1. */
	return fine ? 0 : 1;
}

Test(lock, the_kernel_finds_every_lock_among_those_of_the_c_library)
{
	void *at = NULL;

	for (int i = 0; i < 4; i++) {
		cr_assert_eq(xp_arena_alloc(&test_arena, sizeof(*ours[i]), 1, &at), 0);
		ours[i] = at;
		xp_lock_futex_init(ours[i], 0);
	}
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(xp_arena_alloc(&test_arena, sizeof(*theirs[i]), 1, &at), 0);
		theirs[i] = at;
		cr_assert_eq(xp_mutex_init(theirs[i], PTHREAD_MUTEX_ERRORCHECK), 0);
	}
	cr_expect_eq(test_join(test_fork(hold_a_mixture, NULL)), 0);
	/* Marked by the kernel, without any patrol: a try is told. */
	const int expected[] = {0, -EOWNERDEAD, -EOWNERDEAD, 0};
	for (int i = 0; i < 4; i++)
		cr_expect_eq(xp_lock_futex_try_acquire(ours[i]), expected[i], "ours %d", i);
	cr_expect_eq(pthread_mutex_trylock(theirs[0]), EOWNERDEAD);
	cr_expect_eq(pthread_mutex_trylock(theirs[1]), 0);
	cr_expect_eq(pthread_mutex_trylock(theirs[2]), EOWNERDEAD);
}

static int child_of_a_holder(void *arg)
{
	struct xp_lock_futex *lock = arg;

	if (xp_lock_futex_held(lock) || xp_lock_futex_release(lock) != -EPERM)
		return 1;
	if (xp_lock_futex_try_acquire(lock) != -EBUSY)
		return 2;
	if (xp_lock_futex_acquire(ours[1], NULL) != 0)
		return 3;
	return 0; /* and ends as the holder of the other */
}

Test(lock, a_forked_child_owns_nothing_and_is_known_anew)
{
	void *at = NULL;

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(xp_arena_alloc(&test_arena, sizeof(*ours[i]), 1, &at), 0);
		ours[i] = at;
		xp_lock_futex_init(ours[i], 0);
	}
	cr_assert_eq(xp_lock_futex_acquire(ours[0], NULL), 0);
	cr_expect_eq(test_join(test_fork(child_of_a_holder, ours[0])), 0);
	cr_expect(xp_lock_futex_held(ours[0]));
	cr_expect_eq(xp_lock_futex_try_acquire(ours[1]), -EOWNERDEAD);
	cr_expect_eq(xp_lock_futex_release(ours[0]), 0);
	cr_expect_eq(xp_lock_futex_release(ours[1]), 0);
}

Test(lock, one_lock_too_many_is_refused)
{
	struct xp_lock_futex *locks[XP_HELD_MAX + 1];
	void *at = NULL;

	for (uint32_t i = 0; i <= XP_HELD_MAX; i++) {
		cr_assert_eq(xp_arena_alloc(&test_arena, sizeof(*locks[i]), 1, &at), 0);
		locks[i] = at;
		xp_lock_futex_init(locks[i], 0);
		cr_expect_eq(xp_lock_futex_acquire(locks[i], NULL), i < XP_HELD_MAX ? 0 : -ENOLCK);
	}
	for (uint32_t i = 0; i <= XP_HELD_MAX; i++)
		cr_expect_eq(xp_lock_futex_release(locks[i]), i < XP_HELD_MAX ? 0 : -EPERM);
}

/* Whatever a peer writes over a lock, its users get an answer. */
Test(lock, garbage_in_a_lock_hangs_nobody)
{
	const uint32_t words[] = {FUTEX_TID_MASK,   0x7fffffff, FUTEX_WAITERS,
				  FUTEX_OWNER_DIED, UINT32_MAX, (uint32_t)getpid()};
	void *at = NULL;

	cr_assert_eq(xp_arena_alloc(&test_arena, sizeof(struct xp_lock_futex), 1, &at), 0);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct xp_lock_futex *lock = at;
		struct timespec end = test_deadline();

		/* Free, and then held: its owner must not follow what it finds there. */
		memset(lock, 0xa5, sizeof(*lock));
		lock->flags = 0;
		lock->word = words[i];
		int rc = xp_lock_futex_acquire_until(lock, NULL, &end);
		cr_expect(rc == 0 || rc == -EOWNERDEAD, "word %zu: %d", i, rc);
		memset(lock, 0x5a, sizeof(*lock));
		cr_expect_eq(xp_lock_futex_release(lock), -ENOTRECOVERABLE);
		cr_expect_not(xp_lock_futex_held(lock));
	}
}

static int die_as_told(void *arg)
{
	if (xp_lock_futex_acquire(arg, NULL) != -EOWNERDEAD)
		return 1;
	return xp_lock_futex_release_dead(arg) == 0 ? 0 : 2;
}

Test(lock, a_death_can_be_passed_on)
{
	struct xp_object object = test_make(&xp_impl_lock_futex, (struct xp_params){0});
	struct xp_lock_futex *lock = ((struct xp_sync_ref *)object.owner)->shared;
	pid_t holder = test_fork(hold, &object.as.lock);

	cr_expect_eq(xp_lock_futex_release_dead(lock), -EPERM);
	test_await(1);
	kill(holder, SIGKILL);
	test_join(holder);
	cr_expect_eq(test_join(test_fork(die_as_told, lock)), 0);
	cr_expect_eq(xp_lock_futex_acquire(lock, NULL), -EOWNERDEAD);
	cr_expect_eq(xp_lock_futex_release(lock), 0);
	object.impl->drop(&object);
}

Test(lock, what_an_implementation_cannot_do_is_not_supported)
{
	struct xp_object object = {0};
	struct xp_params fair = {.fair = true}, strange = {.strategy = (enum xp_wait_strategy)9};

	cr_expect_eq(xp_impl_lock_pthread.make(&xp_impl_lock_pthread, &test_place, &fair, &object),
		     -ENOTSUP);
	cr_expect_eq(xp_impl_lock_sem.make(&xp_impl_lock_sem, &test_place, &fair, &object),
		     -ENOTSUP);
	cr_expect_eq(xp_impl_lock_futex.make(&xp_impl_lock_futex, &test_place, &strange, &object),
		     -EINVAL);
}
