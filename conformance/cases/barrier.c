/* SPDX-License-Identifier: MIT */
#include "conformance/cases/cases.h"

#include <sched.h>
#include <string.h>

#define BARRIER XC_KIND(BARRIER)
#define PARTIES 4

enum { STARTED = 2, LEFT = 3 };

struct meeting {
	struct xp_barrier barrier;
	int rounds;
	_Atomic int64_t *arrived; /* in all generations */
	_Atomic int64_t *serials;
	_Atomic int64_t *actions;
};

static enum xc_verdict make(struct xc_case_context *cc, int (*action)(void *),
			    struct meeting *ret_meeting)
{
	struct xp_object object;
	_Atomic int64_t *cells = cc->shared;

	*ret_meeting = (struct meeting){.rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 50 : 1000,
					.arrived = &cells[0],
					.serials = &cells[16],
					.actions = &cells[32]};
	struct xp_params params = {.count = PARTIES, .action = action, .arg = ret_meeting};
	XC_TRY(xc_make(cc, &params, &object));
	ret_meeting->barrier = object.as.barrier;
	return XC_PASS;
}

static int meet(struct xp_member *me, void *arg)
{
	struct meeting *m = arg;

	xp_member_arrive(me);
	for (int round = 1; round <= m->rounds; round++) {
		atomic_fetch_add(m->arrived, 1);
		int rc = xp_barrier_wait(&m->barrier);
		XM_REQUIRE(me, rc == 0 || rc == XP_BARRIER_SERIAL, "wait returns %d in round %d",
			   rc, round);
		int64_t arrived = atomic_load(m->arrived);
		XM_REQUIRE(me, arrived >= (int64_t)round * PARTIES,
			   "round %d was left when only %ld arrivals were made", round,
			   (long)arrived);
		if (rc == XP_BARRIER_SERIAL) {
			int64_t serials = atomic_fetch_add(m->serials, 1) + 1;
			XM_REQUIRE(me, serials == round, "serial number %ld in round %d",
				   (long)serials, round);
		}
	}
	return 0;
}

static enum xc_verdict together(struct xc_case_context *cc)
{
	struct meeting m;

	XC_TRY(make(cc, NULL, &m));
	XC_TRY(xc_start(cc, PARTIES, meet, &m));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static int meet_loosely(struct xp_member *me, void *arg)
{
	struct meeting *m = arg;

	xp_member_arrive(me);
	for (int round = 0; round < m->rounds; round++) {
		int rc = xp_barrier_wait(&m->barrier);
		XM_REQUIRE(me, rc == 0 || rc == XP_BARRIER_SERIAL, "wait returns %d in round %d",
			   rc, round);
		atomic_fetch_add(m->serials, rc);
	}
	return 0;
}

static enum xc_verdict serial(struct xc_case_context *cc)
{
	struct meeting m;

	XC_TRY(make(cc, NULL, &m));
	XC_TRY(xc_start(cc, PARTIES, meet_loosely, &m));
	XC_TRY(xc_join(cc));
	XC_REQUIRE(cc, atomic_load(m.serials) == m.rounds,
		   "one party of each generation gets XP_BARRIER_SERIAL",
		   "%ld did in %d generations", (long)atomic_load(m.serials), m.rounds);
	return XC_PASS;
}

/* ---- action ----------------------------------------------------------------------------------- */

static int run_action(void *arg)
{
	struct meeting *m = arg;
	int64_t arrived = atomic_load(m->arrived);
	int64_t actions = atomic_fetch_add(m->actions, 1) + 1;

	return arrived == actions * PARTIES ? 0
					    : 1; /* a failure breaks the barrier, and the case */
}

static int meet_for_action(struct xp_member *me, void *arg)
{
	struct meeting *m = arg;

	xp_member_arrive(me);
	for (int round = 1; round <= m->rounds; round++) {
		atomic_fetch_add(m->arrived, 1);
		int rc = xp_barrier_wait(&m->barrier);
		XM_REQUIRE(me, rc == 0 || rc == XP_BARRIER_SERIAL, "wait returns %d in round %d",
			   rc, round);
		int64_t actions = atomic_load(m->actions);
		XM_REQUIRE(me, actions == round,
			   "round %d was left when the action had run %ld times", round,
			   (long)actions);
	}
	return 0;
}

static enum xc_verdict action(struct xc_case_context *cc)
{
	struct meeting *m = (struct meeting *)((char *)cc->shared + 4096);

	XC_TRY(make(cc, run_action, m));
	XC_TRY(xc_start(cc, PARTIES, meet_for_action, m));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, atomic_load(m->actions), m->rounds);
	return XC_PASS;
}

static int fail(void *arg)
{
	(void)arg;
	return 1;
}

static int find_broken(struct xp_member *me, void *arg)
{
	struct meeting *m = arg;

	xp_member_arrive(me);
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xp_barrier_wait(&m->barrier), -ECANCELED);
	return 0;
}

static enum xc_verdict action_fails(struct xc_case_context *cc)
{
	struct meeting m;

	XC_TRY(make(cc, fail, &m));
	XC_TRY(xc_start(cc, PARTIES, find_broken, &m));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_barrier_broken(&m.barrier), 1);
	return XC_PASS;
}

/* ---- breaking --------------------------------------------------------------------------------- */

/* All but one party wait; the leader is the missing one. */
static enum xc_verdict gather(struct xc_case_context *cc, struct meeting *m)
{
	XC_TRY(xc_start(cc, PARTIES - 1, find_broken, m));
	for (int i = 0; i < PARTIES - 1; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	/* One that still connects to a server sleeps too, and is not there yet. */
	struct timespec by = xc_patience();
	while (xp_barrier_waiting(&m->barrier) != PARTIES - 1 && !xp_deadline_passed(&by))
		sched_yield();
	return XC_PASS;
}

static enum xc_verdict broken(struct xc_case_context *cc, struct meeting *m)
{
	XC_GIVES(cc, xp_barrier_broken(&m->barrier), 1);
	XC_GIVES(cc, xp_barrier_wait(&m->barrier), -ECANCELED);
	XC_TRY(xc_start(cc, 1, find_broken, m));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

/* A reset barrier works as a new one. */
static enum xc_verdict usable(struct xc_case_context *cc, struct meeting *m)
{
	atomic_store(m->arrived, 0);
	atomic_store(m->serials, 0);
	m->rounds = 10;
	XC_GIVES(cc, xp_barrier_broken(&m->barrier), 0);
	XC_TRY(xc_start(cc, PARTIES, meet, m));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static int time_out(struct xp_member *me, void *arg)
{
	struct meeting *m = arg;
	bool impatient = me->index == 0;

	xp_member_arrive(me);
	struct timespec by = impatient ? xp_deadline_after(300 * XP_NS_PER_MS) : xc_patience();
	int rc = xp_barrier_wait_until(&m->barrier, &by);
	XM_REQUIRE(me, rc == (impatient ? -ETIMEDOUT : -ECANCELED), "wait returns -%s",
		   strerrorname_np(-rc));
	XM_REQUIRE(me, !impatient || xp_deadline_passed(&by), "-ETIMEDOUT before the deadline");
	return 0;
}

static enum xc_verdict deadline(struct xc_case_context *cc)
{
	struct meeting m;

	XC_TRY(make(cc, NULL, &m));
	XC_TRY(xc_start(cc, PARTIES - 1, time_out, &m));
	XC_TRY(xc_join(cc));
	XC_TRY(broken(cc, &m));
	XC_GIVES(cc, xp_barrier_reset(&m.barrier), 0);
	XC_TRY(usable(cc, &m));
	return XC_PASS;
}

static enum xc_verdict abort_breaks(struct xc_case_context *cc)
{
	struct meeting m;

	XC_TRY(make(cc, NULL, &m));
	XC_TRY(gather(cc, &m));
	XC_GIVES(cc, xp_barrier_abort(&m.barrier), 0);
	XC_TRY(xc_join(cc));
	XC_TRY(broken(cc, &m));
	XC_GIVES(cc, xp_barrier_abort(&m.barrier), 0);
	XC_TRY(broken(cc, &m));
	return XC_PASS;
}

static enum xc_verdict reset(struct xc_case_context *cc)
{
	struct meeting m;

	XC_TRY(make(cc, NULL, &m));
	/* Of an idle one, of one with waiters, of a broken one. */
	XC_GIVES(cc, xp_barrier_reset(&m.barrier), 0);
	XC_TRY(usable(cc, &m));
	XC_TRY(gather(cc, &m));
	XC_GIVES(cc, xp_barrier_reset(&m.barrier), 0);
	XC_TRY(xc_join(cc));
	XC_TRY(usable(cc, &m));
	XC_GIVES(cc, xp_barrier_abort(&m.barrier), 0);
	XC_GIVES(cc, xp_barrier_reset(&m.barrier), 0);
	XC_TRY(usable(cc, &m));
	return XC_PASS;
}

static enum xc_verdict counts(struct xc_case_context *cc)
{
	struct meeting m;

	XC_TRY(make(cc, NULL, &m));
	XC_GIVES(cc, xp_barrier_parties(&m.barrier), PARTIES);
	XC_GIVES(cc, xp_barrier_waiting(&m.barrier), 0);
	XC_GIVES(cc, xp_barrier_broken(&m.barrier), 0);
	XC_TRY(gather(cc, &m));
	XC_GIVES(cc, xp_barrier_waiting(&m.barrier), PARTIES - 1);
	XC_GIVES(cc, xp_barrier_abort(&m.barrier), 0);
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_barrier_parties(&m.barrier), PARTIES);
	XC_GIVES(cc, xp_barrier_waiting(&m.barrier), 0);
	XC_GIVES(cc, xp_barrier_broken(&m.barrier), 1);
	XC_GIVES(cc, xp_barrier_reset(&m.barrier), 0);
	XC_GIVES(cc, xp_barrier_broken(&m.barrier), 0);
	return XC_PASS;
}

static enum xc_verdict waiter_died(struct xc_case_context *cc)
{
	struct meeting m;

	XC_TRY(make(cc, NULL, &m));
	for (int round = 0; round < 2; round++) {
		XC_TRY(gather(cc, &m));
		XC_TRY(xc_kill(cc, round));
		/* Those who wait already, and the one who comes now, whoever notices first. */
		struct timespec by = xc_patience();
		XC_GIVES(cc, xp_barrier_wait_until(&m.barrier, &by), -ECANCELED);
		XC_TRY(xc_join(cc));
		XC_GIVES(cc, xp_barrier_broken(&m.barrier), 1);
		XC_GIVES(cc, xp_barrier_reset(&m.barrier), 0);
		m.rounds = 10;
		XC_TRY(usable(cc, &m));
	}
	return XC_PASS;
}

const struct xc_case xc_cases_barrier[] = {
    {.clause = "barrier.together", .name = "generations", .kinds = BARRIER, .run = together},
    {.clause = "barrier.serial", .name = "generations", .kinds = BARRIER, .run = serial},
    {.clause = "barrier.action",
     .name = "generations",
     .kinds = BARRIER,
     .scopes = XC_SCOPE(SHM) | XC_SCOPE(INHERITED),
     .run = action},
    {.clause = "barrier.action_fails",
     .name = "breaks",
     .kinds = BARRIER,
     .scopes = XC_SCOPE(SHM) | XC_SCOPE(INHERITED),
     .run = action_fails},
    {.clause = "barrier.deadline", .name = "impatient", .kinds = BARRIER, .run = deadline},
    {.clause = "barrier.abort", .name = "waiting", .kinds = BARRIER, .run = abort_breaks},
    {.clause = "barrier.reset", .name = "all_states", .kinds = BARRIER, .run = reset},
    {.clause = "barrier.counts", .name = "all_states", .kinds = BARRIER, .run = counts},
    {.clause = "barrier.waiter_died",
     .name = "one_of_three",
     .kinds = BARRIER,
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = waiter_died},
    {0},
};
