/* SPDX-License-Identifier: MIT */
/*
 * scenario - run one scenario of the stepper, with a helper that lives through all its victims
 *
 * The helper is one process for all victims; it sleeps in its call when the victim starts, so that a wake-up
 * which the victim's death swallows leaves it asleep.
 */
#include "conformance/cases/step.h"
#include "conformance/stepper.h"

#include "xpshare/base/wait.h"

#include <string.h>

/* ---- the helper ------------------------------------------------------------------------------- */

static int help(struct xp_member *me, void *arg)
{
	struct xc_scene *scene = arg;
	struct xc_helper *helper = scene->helper;

	xp_member_arrive(me);
	if (!helper)
		return 0;
	for (uint32_t turn = 0;; turn++) {
		while (xp_wait_value(&helper->asked) == turn)
			(void)!xp_wait_while(&helper->asked, turn, NULL, NULL);
		atomic_store(&helper->begun, turn + 1);
		int rc = helper->job ? helper->job(scene) : -EINVAL;
		atomic_store(&helper->rc, rc);
		xp_wait_publish(&helper->ended, turn + 1, XP_FUTEX_ALL);
	}
}

void xc_helper_ask(struct xc_scene *scene, int (*job)(struct xc_scene *scene))
{
	struct xc_helper *helper = scene->helper;

	/* Code has the same address in the helper, which is a fork. */
	helper->job = job;
	xp_wait_publish(&helper->asked, xp_wait_value(&helper->asked) + 1, XP_FUTEX_ALL);
}

bool xc_helper_done(struct xc_scene *scene)
{
	return xp_wait_value(&scene->helper->ended) == xp_wait_value(&scene->helper->asked);
}

enum xc_verdict xc_helper_sleeps(struct xc_scene *scene)
{
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();

	while (atomic_load(&scene->helper->begun) != xp_wait_value(&scene->helper->asked))
		XC_REQUIRE(cc, !xp_deadline_passed(&by), "the helper begins", "it does not");
	pid_t tid = atomic_load(&cc->crew.page->tally[0].tid);
	XC_GIVES(cc, xp_blocked_until(tid, &by), 0);
	return XC_PASS;
}

enum xc_verdict xc_helper_finish(struct xc_scene *scene, const char *expected)
{
	struct xc_helper *helper = scene->helper;
	struct xc_case_context *cc = scene->cc;
	struct timespec by = xc_patience();

	/* Looked at once: between two looks it may have ended, and would not change again. */
	for (uint32_t seen;
	     (seen = xp_wait_value(&helper->ended)) != xp_wait_value(&helper->asked);) {
		int rc = xp_wait_while(&helper->ended, seen, NULL, &by);
		XC_REQUIRE(cc, rc == 0, expected, "the helper still sleeps in its call");
	}
	int rc = atomic_load(&helper->rc);
	char number[32];
	XC_REQUIRE(cc, rc == 0, "the helper succeeds", "its call returned %s",
		   xc_number(rc, number));
	return XC_PASS;
}

/* ---- running one ------------------------------------------------------------------------------ */

static enum xc_verdict do_prepare(struct xc_case_context *cc, void *arg)
{
	struct xc_scene *scene = arg;

	(void)cc;
	scene->held = false;
	return scene->scenario->prepare(scene);
}

static void do_operate(void *arg)
{
	struct xc_scene *scene = arg;

	scene->scenario->operate(scene);
}

static enum xc_verdict do_release(struct xc_case_context *cc, void *arg)
{
	struct xc_scene *scene = arg;

	(void)cc;
	return scene->scenario->release(scene);
}

static int do_frozen(void *arg)
{
	struct xc_scene *scene = arg;

	return scene->scenario->frozen(scene);
}

static enum xc_verdict do_check(struct xc_case_context *cc, void *arg, bool killed)
{
	struct xc_scene *scene = arg;

	(void)cc;
	return scene->scenario->check(scene, killed);
}

static enum xc_verdict run_scenario(struct xc_case_context *cc, const struct xc_scenario *scenario)
{
	struct xc_scene scene = {.cc = cc,
				 .scenario = scenario,
				 .helper = cc->shared,
				 .release_needed = scenario->release != NULL};
	const struct xc_stepping stepping = {
	    .prepare = do_prepare,
	    .operate = do_operate,
	    .release = scenario->release ? do_release : NULL,
	    .frozen = scenario->frozen ? do_frozen : NULL,
	    .check = do_check,
	    .arg = &scene,
	};
	bool stop = strstr(cc->test->clause, ".stopped_anywhere");

	/* Parking at once: polls in a loop are the same instructions again and again. */
	struct xp_params params = scenario->params;
	params.strategy = XP_STRATEGY_PARK;
	XC_TRY(xc_make(cc, &params, &scene.object));
	XC_TRY(xc_start(cc, 1, help, &scene));
	XC_TRY(xc_step(cc, &stepping, stop ? XC_STEP_STOP : XC_STEP_KILL));
	return xc_kill(cc, 0);
}

enum xc_verdict xc_scenario_find(struct xc_case_context *cc, const struct xc_scenario *scenarios,
				 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (xc_clause_in(cc->test->clause, scenarios[i].family) &&
		    strcmp(cc->test->name + strlen("step_"), scenarios[i].name) == 0)
			return run_scenario(cc, &scenarios[i]);
	}
	return xc_unresolved(cc, "no such scenario");
}
