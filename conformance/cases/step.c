/* SPDX-License-Identifier: MIT */
/*
 * step - a process that is killed, or stopped, before any instruction of an operation
 *
 * Each scenario names an operation of a victim, what a helper waits for meanwhile, and what the survivors
 * demand afterwards; scenario.c runs it.
 */
#include "conformance/cases/cases.h"
#include "conformance/cases/step.h"
#include "conformance/stepper.h"

#include "xpshare/base/wait.h"

#include <string.h>

static bool holds(int rc)
{
	return rc == 0 || rc == -EOWNERDEAD;
}

static enum xc_verdict nothing(struct xc_scene *scene)
{
	(void)scene;
	return XC_PASS;
}

/* ---- lock ------------------------------------------------------------------------------------- */

static struct xp_lock *lock_of(struct xc_scene *scene)
{
	return scene->cc->iut->impl->kind == XP_KIND_CONDITION ? &scene->object.as.condition.lock
	       : scene->cc->iut->impl->kind == XP_KIND_VALUE   ? &scene->object.as.value.lock
							       : &scene->object.as.lock;
}

static int take_and_give(struct xc_scene *scene, const struct timespec *deadline)
{
	int rc = xp_lock_acquire_until(lock_of(scene), deadline);

	return holds(rc) ? xp_lock_release(lock_of(scene)) : rc;
}

static int lock_job(struct xc_scene *scene)
{
	return take_and_give(scene, NULL);
}

static void lock_pair(struct xc_scene *scene)
{
	if (holds(xp_lock_acquire(lock_of(scene))))
		xp_lock_release(lock_of(scene));
}

static void lock_try_pair(struct xc_scene *scene)
{
	if (holds(xp_lock_try_acquire(lock_of(scene))))
		xp_lock_release(lock_of(scene));
}

/* The victim holds the lock, and the helper waits for it: set up by the victim's own first half. */
static void lock_pair_with_waiter(struct xc_scene *scene)
{
	(void)!xp_lock_acquire(lock_of(scene));
	xp_lock_release(lock_of(scene));
}

static int lock_frozen(struct xc_scene *scene)
{
	struct timespec by = xp_deadline_after(2 * XP_NS_PER_MS);

	return take_and_give(scene, &by);
}

static enum xc_verdict lock_check(struct xc_scene *scene, bool killed)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();

	(void)killed;
	XC_GIVES(cc, take_and_give(scene, &by), 0);
	/* As new: no longer marked by a death. */
	XC_GIVES(cc, xp_lock_acquire_until(lock_of(scene), &by), 0);
	XC_GIVES(cc, xp_lock_release(lock_of(scene)), 0);
	return XC_PASS;
}

/* The survivor holds the lock when the victim comes; release() gives it. */
static enum xc_verdict lock_hold(struct xc_scene *scene)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();

	XC_GIVES(cc, xp_lock_acquire_until(lock_of(scene), &by), 0);
	scene->held = true;
	return XC_PASS;
}

static enum xc_verdict lock_let_go(struct xc_scene *scene)
{
	struct xc_case_context *cc = scene->cc;

	if (scene->held)
		XC_GIVES(cc, xp_lock_release(lock_of(scene)), 0);
	scene->held = false;
	return XC_PASS;
}

static int lock_frozen_contended(struct xc_scene *scene)
{
	return scene->held ? 0 : lock_frozen(scene);
}

static enum xc_verdict lock_check_contended(struct xc_scene *scene, bool killed)
{
	XC_TRY(lock_let_go(scene));
	return lock_check(scene, killed);
}

/* The helper waits for the lock that the survivor holds; the victim comes third. Whoever dies, the helper
 * gets it once the survivor has let go. */
static enum xc_verdict lock_queue_up(struct xc_scene *scene)
{
	XC_TRY(lock_hold(scene));
	xc_helper_ask(scene, lock_job);
	return xc_helper_sleeps(scene);
}

static enum xc_verdict lock_check_queue(struct xc_scene *scene, bool killed)
{
	XC_TRY(lock_let_go(scene));
	XC_TRY(xc_helper_finish(scene, "a waiter gets the lock"));
	return lock_check(scene, killed);
}

/* ---- semaphore -------------------------------------------------------------------------------- */

static struct xp_semaphore *semaphore_of(struct xc_scene *scene)
{
	return &scene->object.as.semaphore;
}

/* Take out whatever is there, then put @units in. */
static enum xc_verdict semaphore_level(struct xc_scene *scene, int units)
{
	struct xc_case_context *cc = scene->cc;

	while (xp_semaphore_try_wait(semaphore_of(scene)) == 0)
		;
	for (int i = 0; i < units; i++)
		XC_GIVES(cc, xp_semaphore_post(semaphore_of(scene)), 0);
	return XC_PASS;
}

static enum xc_verdict semaphore_one(struct xc_scene *scene)
{
	return semaphore_level(scene, 1);
}

static enum xc_verdict semaphore_none(struct xc_scene *scene)
{
	return semaphore_level(scene, 0);
}

static int semaphore_job(struct xc_scene *scene)
{
	return xp_semaphore_wait(semaphore_of(scene));
}

static enum xc_verdict semaphore_none_waiter(struct xc_scene *scene)
{
	XC_TRY(semaphore_level(scene, 0));
	xc_helper_ask(scene, semaphore_job);
	return xc_helper_sleeps(scene);
}

static void semaphore_wait(struct xc_scene *scene)
{
	(void)!xp_semaphore_wait(semaphore_of(scene));
}

static void semaphore_post(struct xc_scene *scene)
{
	(void)!xp_semaphore_post(semaphore_of(scene));
}

static enum xc_verdict semaphore_give(struct xc_scene *scene)
{
	struct xc_case_context *cc = scene->cc;

	XC_GIVES(cc, xp_semaphore_post(semaphore_of(scene)), 0);
	scene->held = true; /* the unit has been given */
	return XC_PASS;
}

static int semaphore_frozen(struct xc_scene *scene)
{
	struct timespec by = xp_deadline_after(2 * XP_NS_PER_MS);
	int rc = xp_semaphore_wait_until(semaphore_of(scene), &by);

	return rc == 0 ? xp_semaphore_post(semaphore_of(scene)) : rc;
}

static int64_t semaphore_drain(struct xc_scene *scene)
{
	int64_t units = 0;

	while (xp_semaphore_try_wait(semaphore_of(scene)) == 0)
		units++;
	return units;
}

/* A wait on one unit: it is still there, or gone with the victim. */
static enum xc_verdict semaphore_check_wait(struct xc_scene *scene, bool killed)
{
	struct xc_case_context *cc = scene->cc;
	int64_t most = !scene->release_needed || scene->held ? 1 : 0;
	int64_t units = semaphore_drain(scene);

	scene->held = false;
	XC_REQUIRE(cc, units <= most && (killed || units == 0),
		   "a wait takes one unit or, if it dies, none", "%ld of %ld are left", (long)units,
		   (long)most);
	/* It works as ever, in both directions. */
	xc_helper_ask(scene, semaphore_job);
	XC_TRY(xc_helper_sleeps(scene));
	XC_GIVES(cc, xp_semaphore_post(semaphore_of(scene)), 0);
	XC_TRY(xc_helper_finish(scene, "a post wakes the waiter"));
	XC_GIVES(cc, semaphore_drain(scene), 0);
	return XC_PASS;
}

static enum xc_verdict semaphore_check_post(struct xc_scene *scene, bool killed)
{
	struct xc_case_context *cc = scene->cc;
	int64_t units = semaphore_drain(scene);

	XC_REQUIRE(cc, units <= 1 && (killed || units == 1),
		   "a post gives one unit or, if it dies, none", "%ld are there", (long)units);
	return XC_PASS;
}

/* The helper waits for the unit: it has it, or there is none and the next post wakes it. */
static enum xc_verdict semaphore_check_handed(struct xc_scene *scene, bool killed)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();
	pid_t tid = atomic_load(&cc->crew.page->tally[0].tid);

	while (!xc_helper_done(scene)) {
		struct timespec look = xp_deadline_after(20 * XP_NS_PER_MS);
		/* In this order: a sleeper that looks up by itself takes a unit that is there. */
		int64_t units = xp_semaphore_value(semaphore_of(scene));
		bool asleep = xp_blocked_until(tid, &look) == 0 && !xc_helper_done(scene);
		if (asleep && units <= 0) {
			XC_REQUIRE(cc, killed, "a post wakes the waiter", "it sleeps, value %ld",
				   (long)units);
			XC_GIVES(cc, xp_semaphore_post(semaphore_of(scene)), 0);
			break;
		}
		XC_REQUIRE(cc, !xp_deadline_passed(&by), "a waiter takes a unit that is there",
			   "it sleeps although the value is %ld", (long)units);
	}
	XC_TRY(xc_helper_finish(scene, "a waiter gets a unit"));
	XC_GIVES(cc, semaphore_drain(scene), 0);
	return XC_PASS;
}

/* ---- event ------------------------------------------------------------------------------------ */

static struct xp_event *event_of(struct xc_scene *scene)
{
	return &scene->object.as.event;
}

static int event_job(struct xc_scene *scene)
{
	return xp_event_wait(event_of(scene));
}

static enum xc_verdict event_down(struct xc_scene *scene)
{
	struct xc_case_context *cc = scene->cc;

	XC_GIVES(cc, xp_event_clear(event_of(scene)), 0);
	return XC_PASS;
}

static enum xc_verdict event_down_waiter(struct xc_scene *scene)
{
	XC_TRY(event_down(scene));
	xc_helper_ask(scene, event_job);
	return xc_helper_sleeps(scene);
}

static enum xc_verdict event_up(struct xc_scene *scene)
{
	struct xc_case_context *cc = scene->cc;

	XC_GIVES(cc, xp_event_set(event_of(scene)), 0);
	return XC_PASS;
}

static void event_set(struct xc_scene *scene)
{
	(void)!xp_event_set(event_of(scene));
}

static void event_clear(struct xc_scene *scene)
{
	(void)!xp_event_clear(event_of(scene));
}

static void event_wait(struct xc_scene *scene)
{
	(void)!xp_event_wait(event_of(scene));
}

static int event_frozen(struct xc_scene *scene)
{
	struct timespec by = xp_deadline_after(2 * XP_NS_PER_MS);

	return xp_event_wait_until(event_of(scene), &by);
}

static enum xc_verdict event_check(struct xc_scene *scene, bool killed)
{
	struct xc_case_context *cc = scene->cc;

	(void)killed;
	XC_TRY(event_down_waiter(scene));
	XC_GIVES(cc, xp_event_set(event_of(scene)), 0);
	return xc_helper_finish(scene, "set wakes the waiter");
}

static enum xc_verdict event_check_waiter(struct xc_scene *scene, bool killed)
{
	struct xc_case_context *cc = scene->cc;

	if (!killed)
		XC_TRY(xc_helper_finish(scene, "set wakes the waiter"));
	XC_GIVES(cc, xp_event_set(event_of(scene)), 0);
	XC_TRY(xc_helper_finish(scene, "a later set wakes the waiter"));
	return event_check(scene, killed);
}

/* ---- condition -------------------------------------------------------------------------------- */

static struct xp_condition *condition_of(struct xc_scene *scene)
{
	return &scene->object.as.condition;
}

static int condition_wait_once(struct xc_scene *scene)
{
	int rc = xp_lock_acquire(&condition_of(scene)->lock);

	if (!holds(rc))
		return rc;
	rc = xp_condition_wait(condition_of(scene));
	int released = xp_lock_release(&condition_of(scene)->lock);
	return holds(rc) ? released : rc;
}

static void condition_wait(struct xc_scene *scene)
{
	(void)!condition_wait_once(scene);
}

static void condition_signal(struct xc_scene *scene)
{
	if (!holds(xp_lock_acquire(&condition_of(scene)->lock)))
		return;
	(void)!xp_condition_signal(condition_of(scene), 1);
	xp_lock_release(&condition_of(scene)->lock);
}

static enum xc_verdict condition_waiter(struct xc_scene *scene)
{
	xc_helper_ask(scene, condition_wait_once);
	return xc_helper_sleeps(scene);
}

static enum xc_verdict condition_wake(struct xc_scene *scene)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();

	int rc = xp_lock_acquire_until(&condition_of(scene)->lock, &by);
	XC_GIVES(cc, holds(rc), true);
	XC_GIVES(cc, xp_condition_broadcast(condition_of(scene)), 0);
	XC_GIVES(cc, xp_lock_release(&condition_of(scene)->lock), 0);
	return XC_PASS;
}

static enum xc_verdict condition_check(struct xc_scene *scene, bool killed)
{
	struct xc_case_context *cc = scene->cc;

	XC_TRY(lock_check(scene, killed));
	XC_TRY(condition_waiter(scene));
	/* One signal, and it must not be spent on the dead. */
	XC_GIVES(cc, xp_lock_acquire(&condition_of(scene)->lock), 0);
	XC_GIVES(cc, xp_condition_signal(condition_of(scene), 1), 0);
	XC_GIVES(cc, xp_lock_release(&condition_of(scene)->lock), 0);
	return xc_helper_finish(scene, "a signal goes to the living waiter");
}

static enum xc_verdict condition_check_waiter(struct xc_scene *scene, bool killed)
{
	if (!killed)
		XC_TRY(xc_helper_finish(scene, "a signal wakes the waiter"));
	XC_TRY(condition_wake(scene));
	XC_TRY(xc_helper_finish(scene, "a later signal wakes the waiter"));
	return condition_check(scene, killed);
}

/* ---- barrier ---------------------------------------------------------------------------------- */

static struct xp_barrier *barrier_of(struct xc_scene *scene)
{
	return &scene->object.as.barrier;
}

static int barrier_arrive(struct xc_scene *scene)
{
	int rc = xp_barrier_wait(barrier_of(scene));

	return rc == XP_BARRIER_SERIAL || rc == -ECANCELED ? 0 : rc;
}

static void barrier_wait(struct xc_scene *scene)
{
	(void)!xp_barrier_wait(barrier_of(scene));
}

static enum xc_verdict barrier_fresh(struct xc_scene *scene)
{
	struct xc_case_context *cc = scene->cc;

	XC_GIVES(cc, xp_barrier_reset(barrier_of(scene)), 0);
	return XC_PASS;
}

static enum xc_verdict barrier_waiter(struct xc_scene *scene)
{
	XC_TRY(barrier_fresh(scene));
	xc_helper_ask(scene, barrier_arrive);
	return xc_helper_sleeps(scene);
}

static int barrier_frozen(struct xc_scene *scene)
{
	struct timespec by = xp_deadline_after(2 * XP_NS_PER_MS);
	int rc = xp_barrier_wait_until(barrier_of(scene), &by);

	return rc == -ECANCELED ? 0 : rc;
}

/* The one that completes a generation. */
static enum xc_verdict barrier_complete(struct xc_scene *scene)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();

	int rc = xp_barrier_wait_until(barrier_of(scene), &by);
	XC_REQUIRE(cc, rc == 0 || rc == XP_BARRIER_SERIAL, "the last party completes the barrier",
		   "its wait returns %d", rc);
	return XC_PASS;
}

static enum xc_verdict barrier_check(struct xc_scene *scene, bool killed)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xp_deadline_after(20 * XP_NS_PER_MS);

	/* Broken if the dead one had arrived; otherwise one party is missing. It may also have been the
	 * last of its generation. */
	int rc = xp_barrier_wait_until(barrier_of(scene), &by);
	XC_REQUIRE(cc, rc == -ECANCELED || rc == -ETIMEDOUT,
		   "nobody gets through without the missing party", "wait returns %d", rc);
	XC_TRY(barrier_waiter(scene));
	XC_TRY(barrier_complete(scene));
	(void)killed;
	return xc_helper_finish(scene, "a reset barrier lets its parties go");
}

static enum xc_verdict barrier_check_waiter(struct xc_scene *scene, bool killed)
{
	struct xc_case_context *cc = scene->cc;

	/* The victim would have been the last: either it completed, or it broke the barrier, or it had
	 * not yet arrived, and then abort tells the helper. */
	if (killed)
		XC_GIVES(cc, xp_barrier_abort(barrier_of(scene)), 0);
	XC_TRY(xc_helper_finish(scene, "the waiting party goes on"));
	return barrier_check(scene, killed);
}

/* ---- value ------------------------------------------------------------------------------------ */

static void value_store(struct xc_scene *scene)
{
	int64_t number[2] = {7, 7};

	(void)!xp_value_store(&scene->object.as.value, number);
}

static void value_load(struct xc_scene *scene)
{
	int64_t number[2];

	(void)!xp_value_load(&scene->object.as.value, number);
}

static enum xc_verdict value_check(struct xc_scene *scene, bool killed)
{
	struct xc_case_context *cc = scene->cc;
	int64_t number[2] = {0, 0};

	XC_TRY(lock_check(scene, killed));
	XC_GIVES(cc, xp_value_load(&scene->object.as.value, number), 0);
	return XC_PASS;
}

/* ---- the list --------------------------------------------------------------------------------- */

#define ANY_LOCK      (XC_KIND(LOCK) | XC_KIND(RLOCK))
#define ANY_SEMAPHORE (XC_KIND(SEMAPHORE) | XC_KIND(BOUNDED))

static const struct xc_scenario scenarios[] = {
    {"lock", "acquire_release", ANY_LOCK, {0}, nothing, lock_pair, NULL, lock_frozen, lock_check},
    {"lock", "try_release", ANY_LOCK, {0}, nothing, lock_try_pair, NULL, lock_frozen, lock_check},
    {"lock",
     "contended",
     ANY_LOCK,
     {0},
     lock_hold,
     lock_pair,
     lock_let_go,
     lock_frozen_contended,
     lock_check_contended},
    {"lock",
     "queued",
     ANY_LOCK,
     {0},
     lock_queue_up,
     lock_pair_with_waiter,
     lock_let_go,
     lock_frozen_contended,
     lock_check_queue},
    {"semaphore",
     "wait",
     ANY_SEMAPHORE,
     {.count = 8},
     semaphore_one,
     semaphore_wait,
     NULL,
     semaphore_frozen,
     semaphore_check_wait},
    {"semaphore",
     "wait_blocked",
     ANY_SEMAPHORE,
     {.count = 8},
     semaphore_none,
     semaphore_wait,
     semaphore_give,
     semaphore_frozen,
     semaphore_check_wait},
    {"semaphore",
     "post",
     ANY_SEMAPHORE,
     {.count = 8},
     semaphore_none,
     semaphore_post,
     NULL,
     semaphore_frozen,
     semaphore_check_post},
    {"semaphore",
     "post_to_waiter",
     ANY_SEMAPHORE,
     {.count = 8},
     semaphore_none_waiter,
     semaphore_post,
     NULL,
     NULL,
     semaphore_check_handed},
    {"event", "set", XC_KIND(EVENT), {0}, event_down, event_set, NULL, event_frozen, event_check},
    {"event",
     "set_to_waiter",
     XC_KIND(EVENT),
     {0},
     event_down_waiter,
     event_set,
     NULL,
     event_frozen,
     event_check_waiter},
    {"event", "clear", XC_KIND(EVENT), {0}, event_up, event_clear, NULL, event_frozen, event_check},
    {"event",
     "wait",
     XC_KIND(EVENT),
     {0},
     event_down,
     event_wait,
     event_up,
     event_frozen,
     event_check},
    {"condition",
     "signal",
     XC_KIND(CONDITION),
     {0},
     nothing,
     condition_signal,
     NULL,
     lock_frozen,
     condition_check},
    {"condition",
     "signal_to_waiter",
     XC_KIND(CONDITION),
     {0},
     condition_waiter,
     condition_signal,
     NULL,
     lock_frozen,
     condition_check_waiter},
    {"condition",
     "wait",
     XC_KIND(CONDITION),
     {0},
     nothing,
     condition_wait,
     condition_wake,
     lock_frozen,
     condition_check},
    {"barrier",
     "first",
     XC_KIND(BARRIER),
     {.count = 2},
     barrier_fresh,
     barrier_wait,
     barrier_complete,
     barrier_frozen,
     barrier_check},
    {"barrier",
     "last",
     XC_KIND(BARRIER),
     {.count = 2},
     barrier_waiter,
     barrier_wait,
     NULL,
     NULL,
     barrier_check_waiter},
    {"value",
     "store",
     XC_KIND(VALUE),
     {.type = XP_TYPE_BYTES, .size = 16},
     nothing,
     value_store,
     NULL,
     lock_frozen,
     value_check},
    {"value",
     "load",
     XC_KIND(VALUE),
     {.type = XP_TYPE_BYTES, .size = 16},
     nothing,
     value_load,
     NULL,
     lock_frozen,
     value_check},
};

static enum xc_verdict run(struct xc_case_context *cc)
{
	return xc_scenario_find(cc, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}

const struct xc_case xc_cases_step[] = {
    XC_STEP_CASES("lock", "acquire_release", ANY_LOCK, 0, run),
    XC_STEP_CASES("lock", "try_release", ANY_LOCK, 0, run),
    XC_STEP_CASES("lock", "contended", ANY_LOCK, 0, run),
    XC_STEP_CASES("lock", "queued", ANY_LOCK, 0, run),
    XC_STEP_CASES("semaphore", "wait", ANY_SEMAPHORE, 0, run),
    XC_STEP_CASES("semaphore", "wait_blocked", ANY_SEMAPHORE, 0, run),
    XC_STEP_CASES("semaphore", "post", ANY_SEMAPHORE, 0, run),
    XC_STEP_CASES("semaphore", "post_to_waiter", ANY_SEMAPHORE, 0, run),
    XC_STEP_CASES("event", "set", XC_KIND(EVENT), 0, run),
    XC_STEP_CASES("event", "set_to_waiter", XC_KIND(EVENT), 0, run),
    XC_STEP_CASES("event", "clear", XC_KIND(EVENT), 0, run),
    XC_STEP_CASES("event", "wait", XC_KIND(EVENT), 0, run),
    XC_STEP_CASES("condition", "signal", XC_KIND(CONDITION), 0, run),
    XC_STEP_CASES("condition", "signal_to_waiter", XC_KIND(CONDITION), 0, run),
    XC_STEP_CASES("condition", "wait", XC_KIND(CONDITION), 0, run),
    XC_STEP_CASES("barrier", "first", XC_KIND(BARRIER), 0, run),
    XC_STEP_CASES("barrier", "last", XC_KIND(BARRIER), 0, run),
    XC_STEP_CASES("value", "store", XC_KIND(VALUE), XP_CAP_LOCKED, run),
    XC_STEP_CASES("value", "load", XC_KIND(VALUE), XP_CAP_LOCKED, run),
    {0},
};
