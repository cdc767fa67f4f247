/* SPDX-License-Identifier: MIT */
#include "xpshare/base/clock.h"
#include "xpshare/proc/blocked.h"
#include "xpshare/proc/crew.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

static const enum xp_carrier carriers[] = {XP_CARRIER_PROCESS, XP_CARRIER_THREAD};

static struct timespec patience(void)
{
	return xp_deadline_after(20 * XP_NS_PER_SEC);
}

static int count_up(struct xp_member *me, void *arg)
{
	(void)arg;
	xp_member_arrive(me);
	for (int i = 0; i <= me->index; i++)
		atomic_fetch_add(&me->tally->count[0], 1);
	return 0;
}

Test(crew, all_members_report_through_the_tally)
{
	for (int c = 0; c < 2; c++) {
		struct xp_crew crew;
		struct xp_crew_plan plan = {.members = 5, .carrier = carriers[c], .body = count_up};
		struct timespec by = patience();

		cr_assert_eq(xp_crew_start(&crew, &plan), 0);
		cr_assert_eq(xp_crew_open_gate(&crew, &by), 0);
		cr_assert_eq(xp_crew_join(&crew, &by), 0);
		for (int i = 0; i < 5; i++)
			cr_expect_eq(atomic_load(&crew.page->tally[i].count[0]), i + 1);
		xp_crew_fini(&crew);
	}
}

static int die_early(struct xp_member *me, void *arg)
{
	(void)arg;
	if (me->index == 1)
		return xp_member_fail(me, "member %d has had enough", me->index);
	xp_member_arrive(me);
	return 0;
}

Test(crew, a_member_that_ends_early_is_named_and_blocks_nobody)
{
	struct xp_crew crew;
	struct xp_crew_plan plan = {.members = 2, .body = die_early};
	struct timespec by = patience();

	cr_assert_eq(xp_crew_start(&crew, &plan), 0);
	cr_expect_eq(xp_crew_open_gate(&crew, &by), -ESRCH);
	cr_expect_str_eq(crew.page->tally[1].text, "member 1 has had enough");
	xp_crew_fini(&crew);
}

_Noreturn static int sleep_for_ever(struct xp_member *me, void *arg)
{
	(void)arg;
	xp_member_arrive(me);
	xp_member_reach(me, 2);
	for (;;)
		pause();
}

Test(crew, a_blocked_member_is_seen_stopped_and_killed)
{
	struct xp_crew crew;
	struct xp_crew_plan plan = {.members = 1, .body = sleep_for_ever};
	struct timespec by = patience();

	cr_assert_eq(xp_crew_start(&crew, &plan), 0);
	cr_assert_eq(xp_crew_open_gate(&crew, &by), 0);
	cr_assert_eq(xp_crew_await(&crew, 0, 2, &by), 0);
	pid_t tid = atomic_load(&crew.page->tally[0].tid);
	cr_expect_eq(xp_blocked_until(tid, &by), 0);
	cr_expect_eq(xp_crew_signal(&crew, 0, SIGSTOP), 0);
	cr_expect_eq(xp_stopped_until(tid, &by), 0);
	cr_expect_eq(xp_crew_signal(&crew, 0, SIGKILL), 0);
	cr_expect_eq(xp_crew_join(&crew, &by), -ECHILD);
	cr_expect_eq(crew.statuses[0], SIGKILL);
	xp_crew_fini(&crew);
}

_Noreturn static int spin_for_ever(struct xp_member *me, void *arg)
{
	(void)arg;
	xp_member_arrive(me);
	for (;;)
		;
}

Test(crew, a_running_member_is_not_taken_for_blocked)
{
	struct xp_crew crew;
	struct xp_crew_plan plan = {.members = 1, .body = spin_for_ever};
	struct timespec by = patience();

	cr_assert_eq(xp_crew_start(&crew, &plan), 0);
	cr_assert_eq(xp_crew_open_gate(&crew, &by), 0);
	struct timespec soon = xp_deadline_after(20 * XP_NS_PER_MS);
	cr_expect_eq(xp_blocked_until(atomic_load(&crew.page->tally[0].tid), &soon), -ETIMEDOUT);
	xp_crew_fini(&crew);
}

static int tell_cpu(struct xp_member *me, void *arg)
{
	(void)arg;
	xp_member_arrive(me);
	atomic_store(&me->tally->count[0], sched_getcpu());
	return 0;
}

Test(crew, members_run_where_they_are_pinned)
{
	struct xp_crew crew;
	int cpu = sched_getcpu();
	int cpus[2] = {cpu, -1};
	struct xp_crew_plan plan = {.members = 2, .cpus = cpus, .body = tell_cpu};
	struct timespec by = patience();

	cr_assert_eq(xp_crew_start(&crew, &plan), 0);
	cr_assert_eq(xp_crew_open_gate(&crew, &by), 0);
	cr_assert_eq(xp_crew_join(&crew, &by), 0);
	cr_expect_eq(atomic_load(&crew.page->tally[0].count[0]), cpu);
	xp_crew_fini(&crew);

	cpus[0] = CPU_SETSIZE - 1;
	cr_assert_eq(xp_crew_start(&crew, &plan), 0);
	cr_expect_eq(xp_crew_open_gate(&crew, &by), -ESRCH);
	cr_expect_neq(crew.page->tally[0].text[0], 0);
	xp_crew_fini(&crew);
}

Test(crew, a_plan_outside_its_limits_is_refused)
{
	struct xp_crew crew;
	struct xp_crew_plan none = {.members = 0, .body = count_up};
	struct xp_crew_plan many = {.members = XP_CREW_MAX + 1, .body = count_up};

	cr_expect_eq(xp_crew_start(&crew, &none), -EINVAL);
	cr_expect_eq(xp_crew_start(&crew, &many), -EINVAL);
}
