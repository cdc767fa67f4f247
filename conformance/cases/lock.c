/* SPDX-License-Identifier: MIT */
#include "conformance/cases/cases.h"

#include "xpshare/base/wait.h"

#include <sched.h>
#include <string.h>

#define ANY_LOCK (XC_KIND(LOCK) | XC_KIND(RLOCK))

enum { STARTED = 2, DONE = 3 }; /* checkpoints */

static bool holds(int rc)
{
	return rc == 0 || rc == -EOWNERDEAD;
}

/* ---- exclusion -------------------------------------------------------------------------------- */

#define CROWD  4
#define ROUNDS 2000

struct guarded {
	struct xp_lock lock;
	int rounds;
	/* Written by holders only, as plain memory: a lost update or a visible intermediate state is the
	 * proof that two were inside, or that one did not see what the other wrote. */
	volatile int64_t *sum, *inside;
};

static int increment_guarded(struct xp_member *me, void *arg)
{
	struct guarded *g = arg;
	uint64_t seed = (uint64_t)me->index + 1;

	xp_member_arrive(me);
	for (int i = 0; i < g->rounds; i++) {
		XM_GIVES(me, xp_lock_acquire(&g->lock), 0);
		XM_REQUIRE(me, *g->inside == 0, "another member is inside at round %d", i);
		*g->inside = me->index + 1;
		int64_t sum = *g->sum;
		xc_dither(&seed);
		XM_REQUIRE(me, *g->inside == me->index + 1, "somebody came in at round %d", i);
		*g->sum = sum + 1;
		*g->inside = 0;
		XM_GIVES(me, xp_lock_release(&g->lock), 0);
	}
	return 0;
}

static enum xc_verdict exclusion(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	int64_t *cells = cc->shared;
	struct guarded g = {.lock = object.as.lock,
			    .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? ROUNDS / 20 : ROUNDS,
			    .sum = &cells[0],
			    .inside = &cells[XP_ISOLATION / sizeof(int64_t)]};
	XC_TRY(xc_start(cc, CROWD, increment_guarded, &g));
	XC_TRY(xc_join(cc));
	XC_REQUIRE(cc, *g.sum == (int64_t)CROWD * g.rounds,
		   "N members that add 1 M times each end at N*M", "%ld instead of %d",
		   (long)*g.sum, CROWD * g.rounds);
	return XC_PASS;
}

/* ---- a holder and one who wants it ------------------------------------------------------------ */

/* Checks what another member sees of a lock that the leader holds. */
static int find_held(struct xp_member *me, void *arg)
{
	struct xp_lock *lock = arg;

	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_try_acquire(lock), -EBUSY);
	struct timespec by = xc_brief();
	XM_GIVES(me, xp_lock_acquire_until(lock, &by), -ETIMEDOUT);
	XM_REQUIRE(me, xp_deadline_passed(&by), "-ETIMEDOUT before the deadline");
	return 0;
}

static int find_free(struct xp_member *me, void *arg)
{
	struct xp_lock *lock = arg;

	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_try_acquire(lock), 0);
	XM_GIVES(me, xp_lock_release(lock), 0);
	return 0;
}

static enum xc_verdict try_acquire(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	XC_GIVES(cc, xp_lock_try_acquire(lock), 0);
	XC_TRY(xc_start(cc, 1, find_held, lock));
	XC_TRY(xc_join(cc));
	if (cc->iut->kinds & XC_KIND(LOCK))
		XC_GIVES(cc, xp_lock_try_acquire(lock), -EBUSY);
	XC_GIVES(cc, xp_lock_release(lock), 0);
	XC_TRY(xc_start(cc, 1, find_free, lock));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static enum xc_verdict deadline(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	struct timespec past = xp_deadline_after(0);
	XC_GIVES(cc, xp_lock_acquire_until(lock, &past), 0);
	XC_TRY(xc_start(cc, 3, find_held, lock));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_lock_release(lock), 0);
	/* Those who gave up left nothing behind. */
	XC_TRY(xc_start(cc, 1, find_free, lock));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static int acquire_and_release(struct xp_member *me, void *arg)
{
	struct xp_lock *lock = arg;

	xp_member_arrive(me);
	xp_member_reach(me, STARTED);
	int rc = xp_lock_acquire(lock);
	XM_REQUIRE(me, holds(rc), "acquire returns %s", strerrorname_np(-rc));
	atomic_store(&me->tally->count[0], rc);
	XM_GIVES(me, xp_lock_release(lock), 0);
	return 0;
}

static enum xc_verdict release_wakes_all(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	XC_GIVES(cc, xp_lock_acquire(lock), 0);
	XC_TRY(xc_start(cc, CROWD, acquire_and_release, lock));
	for (int i = 0; i < CROWD; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	XC_GIVES(cc, xp_lock_release(lock), 0);
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

/* Two members force each other to block, again and again: a single lost wake-up ends in a hang. */
static int alternate(struct xp_member *me, void *arg)
{
	struct guarded *g = arg;
	uint64_t seed = (uint64_t)me->index + 1;

	xp_member_arrive(me);
	for (int i = 0; i < g->rounds; i++) {
		struct timespec by = xc_patience();
		if (xc_random(&seed) % 4)
			XM_GIVES(me, xp_lock_acquire(&g->lock), 0);
		else
			XM_GIVES(me, xp_lock_acquire_until(&g->lock, &by), 0);
		(*g->sum)++;
		xc_dither(&seed);
		XM_GIVES(me, xp_lock_release(&g->lock), 0);
	}
	return 0;
}

static enum xc_verdict hammer(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, &(struct xp_params){.strategy = XP_STRATEGY_PARK}, &object));
	struct guarded g = {.lock = object.as.lock,
			    .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 300 : 10000,
			    .sum = cc->shared};
	XC_TRY(xc_start(cc, 3, alternate, &g));
	XC_TRY(xc_join(cc));
	XC_REQUIRE(cc, *g.sum == 3 * (int64_t)g.rounds, "every round is counted", "%ld of %d",
		   (long)*g.sum, 3 * g.rounds);
	return XC_PASS;
}

/* A sleeper is woken by the release, and not by a look of its own. An implementation may let its sleepers
 * look up now and then, in case a death has swallowed a wake-up; a release that wakes nobody then costs each
 * sleeper such a nap, and so many in a row take longer than any patience. */
#define NAPS 4000

struct sleeper {
	struct xp_lock lock;
	_Atomic uint32_t *go,
	    *about; /* rounds begun, and rounds in which acquire was just called */
	int rounds;
};

static int sleep_and_take(struct xp_member *me, void *arg)
{
	struct sleeper *s = arg;

	xp_member_arrive(me);
	for (uint32_t i = 0; i < (uint32_t)s->rounds; i++) {
		while (xp_wait_value(s->go) == i)
			(void)!xp_wait_while(s->go, i, NULL, NULL);
		atomic_store(s->about, i + 1);
		XM_GIVES(me, xp_lock_acquire(&s->lock), 0);
		XM_GIVES(me, xp_lock_release(&s->lock), 0);
		xp_member_reach(me, STARTED + i);
	}
	return 0;
}

static enum xc_verdict release_wakes_each(struct xc_case_context *cc)
{
	struct xp_params park = {.strategy = XP_STRATEGY_PARK};
	struct xp_object object;
	uint32_t *words = cc->shared;

	XC_TRY(xc_make(cc, &park, &object));
	struct sleeper s = {.lock = object.as.lock,
			    .go = (_Atomic uint32_t *)&words[0],
			    .about = (_Atomic uint32_t *)&words[XP_ISOLATION / sizeof(uint32_t)],
			    .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? NAPS / 20 : NAPS};
	struct timespec by = xc_patience();
	XC_TRY(xc_start(cc, 1, sleep_and_take, &s));
	pid_t tid = atomic_load(&cc->crew.page->tally[0].tid);
	for (uint32_t i = 0; i < (uint32_t)s.rounds; i++) {
		XC_GIVES(cc, xp_lock_acquire(&s.lock), 0);
		xp_wait_publish(s.go, i + 1, XP_FUTEX_ALL);
		while (atomic_load(s.about) != i + 1 || xp_asleep_now(tid) == 0)
			sched_yield();
		XC_GIVES(cc, xp_lock_release(&s.lock), 0);
		XC_TRY(xc_await(cc, 0, STARTED + i));
		XC_REQUIRE(cc, !xp_deadline_passed(&by), "each release wakes the sleeper at once",
			   "%u releases took more than all patience: sleepers wake by themselves",
			   i + 1);
	}
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

/* ---- release ---------------------------------------------------------------------------------- */

static enum xc_verdict release_free(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	XC_GIVES(cc, xp_lock_release(lock), -EPERM);
	XC_GIVES(cc, xp_lock_acquire(lock), 0);
	XC_TRY(xc_start(cc, 1, find_held, lock));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_lock_release(lock), 0);
	XC_GIVES(cc, xp_lock_release(lock), -EPERM);
	XC_TRY(xc_start(cc, 1, find_free, lock));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static int release_foreign(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_release(arg), 0);
	return 0;
}

static int release_refused(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_release(arg), -EPERM);
	return 0;
}

static enum xc_verdict release_by_another(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	XC_GIVES(cc, xp_lock_acquire(lock), 0);
	XC_TRY(xc_start(cc, 1, release_foreign, lock));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_lock_try_acquire(lock), 0);
	XC_GIVES(cc, xp_lock_release(lock), 0);
	return XC_PASS;
}

static enum xc_verdict owned(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	XC_GIVES(cc, xp_lock_acquire(lock), 0);
	XC_TRY(xc_start(cc, 1, release_refused, lock));
	XC_TRY(xc_join(cc));
	XC_TRY(xc_start(cc, 1, find_held, lock));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_lock_release(lock), 0);
	return XC_PASS;
}

/* ---- death ------------------------------------------------------------------------------------ */

static int hold_for_ever(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	int rc = xp_lock_acquire(arg);
	XM_REQUIRE(me, holds(rc), "acquire returns %s", strerrorname_np(-rc));
	xp_member_reach(me, DONE);
	for (;;)
		xc_pause_us(500000);
}

static enum xc_verdict owner_died(struct xc_case_context *cc)
{
	struct xp_object object;
	struct timespec by = xc_patience();

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	for (int round = 0; round < 3; round++) {
		XC_TRY(xc_start(cc, 1, hold_for_ever, lock));
		XC_TRY(xc_await(cc, 0, DONE));
		XC_TRY(xc_kill(cc, 0));
		XC_TRY(xc_join(cc));
		XC_GIVES(cc, xp_lock_acquire_until(lock, &by), -EOWNERDEAD);
		XC_TRY(xc_start(cc, 1, find_held, lock));
		XC_TRY(xc_join(cc));
		XC_GIVES(cc, xp_lock_release(lock), 0);
		XC_GIVES(cc, xp_lock_acquire_until(lock, &by), 0);
		XC_GIVES(cc, xp_lock_release(lock), 0);
	}
	return XC_PASS;
}

static enum xc_verdict owner_died_try(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	XC_TRY(xc_start(cc, 1, hold_for_ever, lock));
	XC_TRY(xc_await(cc, 0, DONE));
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_lock_try_acquire(lock), -EOWNERDEAD);
	XC_GIVES(cc, xp_lock_release(lock), 0);
	XC_GIVES(cc, xp_lock_try_acquire(lock), 0);
	XC_GIVES(cc, xp_lock_release(lock), 0);
	return XC_PASS;
}

/* Member 0 holds, the others wait; or nobody holds yet. */
static int hold_or_wait(struct xp_member *me, void *arg)
{
	if (me->index == 0)
		return hold_for_ever(me, arg);
	xp_member_arrive(me);
	while (xp_wait_value(&me->crew->page->tally[0].reached) < DONE)
		sched_yield();
	xp_member_reach(me, STARTED);
	struct timespec by = xc_patience();
	int rc = xp_lock_acquire_until(arg, &by);
	XM_REQUIRE(me, holds(rc), "acquire returns %s", strerrorname_np(-rc));
	atomic_store(&me->tally->count[0], rc == -EOWNERDEAD);
	XM_GIVES(me, xp_lock_release(arg), 0);
	return 0;
}

static enum xc_verdict owner_died_waiting(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t told = 0;

	XC_TRY(xc_make(cc, NULL, &object));
	XC_TRY(xc_start(cc, CROWD, hold_or_wait, &object.as.lock));
	for (int i = 1; i < CROWD; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	XC_TRY(xc_kill(cc, 0));
	for (int i = 1; i < CROWD; i++) {
		XC_TRY(xc_ends(cc, i));
		told += xc_tally(cc, i, 0);
	}
	XC_TRY(xc_join(cc));
	XC_REQUIRE(cc, told == 1, "exactly one waiter is told -EOWNERDEAD", "%ld were", (long)told);
	return XC_PASS;
}

static enum xc_verdict waiter_died(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	XC_GIVES(cc, xp_lock_acquire(lock), 0);
	XC_TRY(xc_start(cc, 3, acquire_and_release, lock));
	for (int i = 0; i < 3; i++)
		XC_TRY(xc_blocked(cc, i, STARTED));
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(xc_kill(cc, 1));
	XC_GIVES(cc, xp_lock_release(lock), 0);
	XC_TRY(xc_ends(cc, 2));
	XC_REQUIRE(cc, xc_tally(cc, 2, 0) == 0, "nobody held the lock when it died",
		   "the survivor is told -EOWNERDEAD");
	XC_TRY(xc_join(cc));
	struct timespec by = xc_patience();
	XC_GIVES(cc, xp_lock_acquire_until(lock, &by), 0);
	XC_GIVES(cc, xp_lock_release(lock), 0);
	return XC_PASS;
}

/* Acquires and releases until it is killed; counts what it did. */
static int toil(struct xp_member *me, void *arg)
{
	struct xp_lock *lock = arg;

	xp_member_arrive(me);
	for (;;) {
		int rc = xp_lock_acquire(lock);
		XM_REQUIRE(me, holds(rc), "acquire returns %s", strerrorname_np(-rc));
		atomic_fetch_add(&me->tally->count[0], 1);
		XM_GIVES(me, xp_lock_release(lock), 0);
	}
}

static enum xc_verdict killed_anywhere(struct xc_case_context *cc)
{
	struct xp_object object;
	uint64_t seed = 7;
	int rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 20 : 100;

	XC_TRY(xc_make(cc, NULL, &object));
	for (int round = 0; round < rounds; round++) {
		XC_TRY(xc_start(cc, 2, toil, &object.as.lock));
		while (xc_tally(cc, 0, 0) == 0)
			sched_yield();
		xc_pause_us((unsigned)(xc_random(&seed) % 1000));
		XC_TRY(xc_kill(cc, 0));
		/* The other goes on, for ever: it counts further. */
		int64_t before = xc_tally(cc, 1, 0);
		struct timespec by = xc_patience();
		while (xc_tally(cc, 1, 0) <= before + 1) {
			XC_REQUIRE(cc, !xp_deadline_passed(&by), "the survivor goes on",
				   "it does not after the death of the other, in round %d", round);
			sched_yield();
		}
		XC_TRY(xc_kill(cc, 1));
		XC_TRY(xc_join(cc));
	}
	return XC_PASS;
}

static int acquire_and_leave(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_acquire(arg), 0);
	return 0;
}

static enum xc_verdict stays_held(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	XC_TRY(xc_start(cc, 1, acquire_and_leave, lock));
	XC_TRY(xc_join(cc));
	XC_TRY(xc_start(cc, 1, find_held, lock));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_lock_release(lock), 0);
	XC_GIVES(cc, xp_lock_acquire(lock), 0);
	XC_GIVES(cc, xp_lock_release(lock), 0);
	return XC_PASS;
}

/* ---- fairness --------------------------------------------------------------------------------- */

#define FAIR_MEMBERS 3
#define FAIR_TURNS   30000

/* Turns count from when every member has had one: who starts first is not the lock's doing. So many turns, because
 * a member whose CPU another program takes does not wait for the lock meanwhile, and misses a tenth of a second. */
static int count_turns(struct xp_member *me, void *arg)
{
	struct guarded *g = arg;
	uint64_t seed = (uint64_t)me->index + 1;

	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_acquire(&g->lock), 0);
	++*g->inside;
	XM_GIVES(me, xp_lock_release(&g->lock), 0);
	for (bool on = true; on;) {
		XM_GIVES(me, xp_lock_acquire(&g->lock), 0);
		bool counts = *g->inside == FAIR_MEMBERS;
		on = *g->sum < g->rounds;
		*g->sum += counts;
		atomic_fetch_add(&me->tally->count[0], counts && on);
		xc_dither(&seed);
		XM_GIVES(me, xp_lock_release(&g->lock), 0);
	}
	return 0;
}

static enum xc_verdict fair(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t *cells = cc->shared;

	XC_TRY(xc_make(cc, &(struct xp_params){.fair = true}, &object));
	struct guarded g = {.lock = object.as.lock,
			    .rounds = FAIR_TURNS,
			    .sum = &cells[0],
			    .inside = &cells[XP_ISOLATION / sizeof(int64_t)]};
	XC_TRY(xc_start(cc, FAIR_MEMBERS, count_turns, &g));
	int64_t least = INT64_MAX, most = 0;
	for (int i = 0; i < FAIR_MEMBERS; i++) {
		XC_TRY(xc_ends(cc, i));
		int64_t turns = xc_tally(cc, i, 0);
		least = turns < least ? turns : least;
		most = turns > most ? turns : most;
	}
	XC_TRY(xc_join(cc));
	XC_REQUIRE(cc, most <= 2 * least, "no member gets more than twice as many turns as another",
		   "%ld turns against %ld", (long)most, (long)least);
	return XC_PASS;
}

const struct xc_case xc_cases_lock[] = {
    {.clause = "lock.exclusion", .name = "crowd", .kinds = ANY_LOCK, .run = exclusion},
    {.clause = "lock.try", .name = "held_and_free", .kinds = ANY_LOCK, .run = try_acquire},
    {.clause = "lock.deadline", .name = "held_and_free", .kinds = ANY_LOCK, .run = deadline},
    {.clause = "lock.wakes", .name = "all_waiters", .kinds = ANY_LOCK, .run = release_wakes_all},
    {.clause = "lock.wakes", .name = "hammer", .kinds = ANY_LOCK, .run = hammer},
    {.clause = "lock.wakes", .name = "each_sleeper", .kinds = ANY_LOCK, .run = release_wakes_each},
    {.clause = "lock.release_free",
     .name = "before_and_after",
     .kinds = ANY_LOCK,
     .run = release_free},
    {.clause = "lock.release_by_another",
     .name = "child",
     .kinds = XC_KIND(LOCK),
     .lacks = XP_CAP_OWNED,
     .run = release_by_another},
    {.clause = "lock.owned",
     .name = "child",
     .kinds = XC_KIND(LOCK),
     .caps = XP_CAP_OWNED,
     .run = owned},
    {.clause = "lock.owner_died",
     .name = "acquire",
     .kinds = ANY_LOCK,
     .scopes = XC_SCOPE(SHM) | XC_SCOPE(INHERITED),
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = owner_died},
    {.clause = "lock.owner_died",
     .name = "try",
     .kinds = ANY_LOCK,
     .scopes = XC_SCOPE(SHM) | XC_SCOPE(INHERITED),
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = owner_died_try},
    {.clause = "lock.owner_died_waiting",
     .name = "crowd",
     .kinds = ANY_LOCK,
     .scopes = XC_SCOPE(SHM) | XC_SCOPE(INHERITED),
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = owner_died_waiting},
    {.clause = "lock.waiter_died",
     .name = "two_of_three",
     .kinds = ANY_LOCK,
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = waiter_died},
    {.clause = "lock.killed_anywhere",
     .name = "random",
     .kinds = ANY_LOCK,
     .scopes = XC_SCOPE(SHM) | XC_SCOPE(INHERITED),
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = killed_anywhere},
    {.clause = "lock.stays_held",
     .name = "client_gone",
     .kinds = XC_KIND(LOCK),
     .scopes = XC_SCOPE(MANAGED),
     .flags = XC_NEEDS_PROCESSES,
     .run = stays_held},
    {.clause = "lock.fair",
     .name = "three",
     .kinds = XC_KIND(LOCK),
     .caps = XP_CAP_FAIR,
     .run = fair},
    {0},
};
