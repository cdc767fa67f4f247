/* SPDX-License-Identifier: MIT */
/*
 * lock recovery - from SIGKILL of the holder until a process that waits for the lock goes on
 *
 * Member 0 starts a holder, waits until it holds the lock and the survivor sleeps in acquire, and
 * kills it. The survivor, member 1, must get -EOWNERDEAD and the lock, and says when.
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/wait.h"
#include "xpshare/proc/blocked.h"
#include "xpshare/proc/child.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_NS (10 * XP_NS_PER_SEC)

/* @round: counts the steps; a word of base/wait.h. @went_on: the survivor's clock. */
struct scene {
	_Alignas(XP_ISOLATION) _Atomic uint32_t round;
	_Atomic int32_t survivor;
	_Atomic int64_t went_on;
};

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	xb_each_impl(impl, XP_KIND_LOCK)
	{
		if (impl->scope == XP_SCOPE_MANAGED)
			continue;
		if (!(xp_impl_caps(impl) & XP_CAP_ROBUST)) {
			xb_matrix_absent(matrix, "not robust: survivors wait for ever", "%s/%s",
					 workload->name, impl->name);
			continue;
		}
		xb_each_pair(matrix, pair)
		{
			struct xb_case c = xb_case_of(workload, impl, pair);
			if (c.carrier == XP_CARRIER_PROCESS)
				xb_matrix_add(matrix, &c);
		}
	}
}

static int open_lock(struct xb_stage *stage)
{
	int rc = xb_stage_share(stage, sizeof(struct scene));

	if (rc == 0)
		rc = xp_object_make(stage->c->impl, &stage->place, NULL, &stage->object[0]);
	return rc;
}

static int enter(struct xb_actor *actor)
{
	struct scene *scene = actor->stage->shared;

	if (actor->index == 1)
		atomic_store(&scene->survivor, (int32_t)gettid());
	return 0;
}

static void step(struct scene *scene, uint32_t round)
{
	xp_wait_publish(&scene->round, round, XP_FUTEX_ALL);
}

static int await(struct scene *scene, uint32_t round)
{
	struct timespec by = xp_deadline_after(PATIENCE_NS);
	uint32_t seen;

	while ((seen = xp_wait_value(&scene->round)) != round)
		if (xp_wait_while(&scene->round, seen, NULL, &by) < 0)
			return -ETIMEDOUT;
	return 0;
}

/* Steps of a round, added to its first number. */
enum { HELD = 1, SURVIVED = 2, ROUND = 2 };

struct holder {
	struct xb_stage *stage;
	uint32_t first;
};

static int hold(void *arg)
{
	struct holder *holder = arg;

	if (xp_lock_acquire(&holder->stage->object[0].as.lock) < 0)
		return 1;
	step(holder->stage->shared, holder->first + HELD);
	for (;;)
		pause();
}

static int kill_holder(struct xb_actor *actor, uint32_t first, int64_t *ret_ns)
{
	struct scene *scene = actor->stage->shared;
	struct holder holder = {actor->stage, first};
	struct timespec by = xp_deadline_after(PATIENCE_NS);
	struct xp_child child;
	int rc = xp_child_start(hold, &holder, &child);

	if (rc < 0)
		return rc;
	rc = await(scene, first + HELD);
	if (rc == 0)
		rc = xp_blocked_until(atomic_load(&scene->survivor), &by);
	int64_t killed = xb_now();
	if (rc == 0)
		rc = xp_child_signal(&child, SIGKILL);
	if (rc == 0)
		rc = await(scene, first + SURVIVED);
	*ret_ns = atomic_load(&scene->went_on) - killed;
	xp_child_stop(&child);
	return rc;
}

static int survive(struct xb_actor *actor, uint32_t first)
{
	struct scene *scene = actor->stage->shared;
	const struct xp_lock *lock = &actor->stage->object[0].as.lock;
	struct timespec by = xp_deadline_after(PATIENCE_NS);
	int rc = await(scene, first + HELD);

	if (rc < 0)
		return rc;
	rc = xp_lock_acquire_until(lock, &by);
	atomic_store(&scene->went_on, xb_now());
	if (rc == 0)
		xp_lock_release(lock);
	if (rc != -EOWNERDEAD)
		return rc < 0 ? rc : -EPROTO;
	rc = xp_lock_release(lock);
	step(scene, first + SURVIVED);
	return rc;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	int64_t total = 0, ns = 0;
	int rc = 0;

	for (int64_t i = 0; i < n && rc == 0; i++, actor->turn += ROUND) {
		if (actor->index == 1) {
			rc = survive(actor, (uint32_t)actor->turn);
			continue;
		}
		rc = kill_holder(actor, (uint32_t)actor->turn, &ns);
		if (pass == XB_PASS_EACH)
			xb_hist_add(actor->hist, (uint64_t)(ns > 0 ? ns : 0));
		if (i < XB_BATCHES)
			actor->batch[i] = (double)ns;
		total += ns;
	}
	if (rc < 0)
		return xb_fail(actor, "recovery: %s", strerror(-rc));
	if (actor->index == 0) {
		xb_timed_end(actor, n < XB_BATCHES ? (int)n : XB_BATCHES, n, total);
		actor->tally->ops = n;
	}
	return 0;
}

const struct xb_workload xb_workload_lock_recovery = {
    .name = "lock_recovery",
    .title = "from SIGKILL of the holder until a waiter has the lock",
    .metric = XB_METRIC_RECOVERY,
    .fixed = 20,
    .distribution = true,
    .cases = cases,
    .open = open_lock,
    .enter = enter,
    .run = run,
};
