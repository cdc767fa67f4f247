/* SPDX-License-Identifier: MIT */
#include "gate/judge.h"
#include "gate/simulate.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS 40

static const struct xg_noise quiet = {.slice = 0.01};
static const struct xg_noise wild = {.slice = 0.8, .launch = 0.1};

static struct xg_rule rule(void)
{
	return XG_RULE_DEFAULT;
}

/* @launches more with that change, in percent. */
static void launches(struct xg_case *tested, unsigned count, double percent,
		     const struct xg_noise *noise)
{
	static struct xg_random random = {42};

	for (unsigned i = 0; i < count; i++)
		cr_assert_eq(
		    xg_simulate_launch(tested, &random, noise, log1p(percent / 100), PAIRS), 0);
}

static enum xg_next judge(struct xg_case *tested)
{
	struct xg_rule numbers = rule();
	enum xg_next next;

	cr_assert_eq(xg_judge_case(tested, &numbers, &next), 0);
	return next;
}

static void expect(const struct xg_case *tested, enum xg_verdict verdict)
{
	cr_expect_eq(tested->verdict, verdict, "%s, wanted %s: %s",
		     xg_verdict_word(tested->verdict), xg_verdict_word(verdict), tested->reason);
	cr_expect(tested->reason[0] != '\0');
}

Test(judge, no_change_is_ok_after_one_look)
{
	struct xg_case tested = {0};

	launches(&tested, 5, 0, &quiet);
	cr_expect_eq(judge(&tested), XG_NEXT_NOTHING);
	expect(&tested, XG_OK);
	cr_expect_eq(tested.looks, 1);
	cr_expect_eq(tested.estimate.pairs, 5 * PAIRS);
	cr_expect(fabs(tested.estimate.median) < 0.01);
	free(tested.pairs);
}

Test(judge, a_slowdown_takes_two_disjoint_sets_of_launches)
{
	struct xg_case tested = {0};

	launches(&tested, 5, 12, &quiet);
	cr_expect_eq(judge(&tested), XG_NEXT_CONFIRM);
	expect(&tested, XG_INCONCLUSIVE);
	cr_expect_eq(tested.confirm_from, 5);
	launches(&tested, 4, 12, &quiet);
	cr_expect_eq(judge(&tested), XG_NEXT_LAUNCH);
	expect(&tested, XG_INCONCLUSIVE);
	launches(&tested, 1, 12, &quiet);
	cr_expect_eq(judge(&tested), XG_NEXT_NOTHING);
	expect(&tested, XG_REGRESSED);
	cr_expect(fabs(xg_percent(tested.estimate.median) - 12) < 1);
	cr_expect(fabs(xg_percent(tested.fresh.median) - 12) < 1);
	cr_expect_eq(tested.fresh.pairs, 5 * PAIRS);
	/* Judging again changes nothing. */
	cr_expect_eq(judge(&tested), XG_NEXT_NOTHING);
	expect(&tested, XG_REGRESSED);
	free(tested.pairs);
}

Test(judge, a_first_alarm_that_fresh_launches_deny_is_no_regression)
{
	struct xg_case tested = {0};

	launches(&tested, 5, 8, &quiet);
	cr_expect_eq(judge(&tested), XG_NEXT_CONFIRM);
	launches(&tested, 5, 0, &quiet);
	cr_expect_eq(judge(&tested), XG_NEXT_NOTHING);
	expect(&tested, XG_OK);
	cr_expect(strstr(tested.reason, "not confirmed") != NULL);
	free(tested.pairs);
}

Test(judge, a_launch_beyond_the_tolerance_is_not_outvoted_by_the_first_look)
{
	struct xg_case tested = {0};

	launches(&tested, 4, 0, &quiet);
	launches(&tested, 1, 15, &quiet);
	cr_expect_eq(judge(&tested), XG_NEXT_EXTEND);
	expect(&tested, XG_INCONCLUSIVE);
	cr_expect_lt(xg_percent(tested.estimate.upper), 10);
	cr_expect(strstr(tested.reason, "not in 1 of 5 launches"), "%s", tested.reason);
	launches(&tested, 5, 0, &quiet);
	cr_expect_eq(judge(&tested), XG_NEXT_NOTHING);
	expect(&tested, XG_OK);
	free(tested.pairs);
}

Test(judge, one_launch_may_disagree_and_two_may_not)
{
	struct xg_case one = {0}, two = {0};

	launches(&one, 4, 20, &quiet);
	launches(&one, 1, 0, &quiet);
	cr_expect_eq(judge(&one), XG_NEXT_CONFIRM);
	launches(&two, 3, 20, &quiet);
	launches(&two, 2, 0, &quiet);
	cr_expect_eq(judge(&two), XG_NEXT_EXTEND);
	expect(&two, XG_INCONCLUSIVE);
	free(one.pairs);
	free(two.pairs);
}

Test(judge, faster_is_improved)
{
	struct xg_case tested = {0};

	launches(&tested, 5, -20, &quiet);
	cr_expect_eq(judge(&tested), XG_NEXT_NOTHING);
	expect(&tested, XG_IMPROVED);
	free(tested.pairs);
}

Test(judge, between_margin_and_tolerance_either_verdict_is_right)
{
	struct xg_case two = {0}, five = {0};

	launches(&two, 5, 2, &quiet);
	cr_expect_eq(judge(&two), XG_NEXT_NOTHING);
	expect(&two, XG_OK);
	launches(&five, 5, 6, &quiet);
	cr_expect_eq(judge(&five), XG_NEXT_CONFIRM);
	free(two.pairs);
	free(five.pairs);
}

Test(judge, noise_is_extended_and_then_called_too_noisy)
{
	struct xg_case tested = {0};

	launches(&tested, 5, 0, &wild);
	cr_expect_eq(judge(&tested), XG_NEXT_EXTEND);
	launches(&tested, 5, 0, &wild);
	cr_expect_eq(judge(&tested), XG_NEXT_EXTEND);
	launches(&tested, 5, 0, &wild);
	cr_expect_eq(judge(&tested), XG_NEXT_NOTHING);
	expect(&tested, XG_TOO_NOISY);
	cr_expect_eq(tested.looks, 3);
	free(tested.pairs);
}

Test(judge, an_unfinished_look_decides_nothing)
{
	struct xg_case tested = {0};

	launches(&tested, 4, 50, &quiet);
	cr_expect_eq(judge(&tested), XG_NEXT_LAUNCH);
	expect(&tested, XG_INCONCLUSIVE);
	free(tested.pairs);

	struct xg_case none = {0};
	cr_expect_eq(judge(&none), XG_NEXT_LAUNCH);
	expect(&none, XG_SKIPPED);
}

Test(judge, a_failure_outweighs_pairs_and_a_missing_case_is_skipped)
{
	struct xg_case tested = {.failure = "the candidate crashed"}, gone = {.missing = "gone"};

	launches(&tested, 5, 0, &quiet);
	cr_expect_eq(judge(&tested), XG_NEXT_NOTHING);
	expect(&tested, XG_ERROR);
	free(tested.pairs);
	cr_expect_eq(judge(&gone), XG_NEXT_NOTHING);
	expect(&gone, XG_SKIPPED);
}

static struct xg_case with_cost(enum xg_cost_state state)
{
	struct xg_case tested = {.cost_count = 1};

	tested.costs[0] =
	    (struct xg_cost){.name = "syscalls", .state = state, .baseline = 2, .candidate = 3};
	return tested;
}

Test(judge, a_count_that_rose_is_a_regression_whatever_the_time)
{
	struct xg_case more = with_cost(XG_COST_MORE), same = with_cost(XG_COST_SAME);
	struct xg_case unstable = with_cost(XG_COST_UNSTABLE);

	launches(&more, 5, 0, &quiet);
	launches(&same, 5, 0, &quiet);
	launches(&unstable, 5, 0, &quiet);
	judge(&more);
	judge(&same);
	judge(&unstable);
	expect(&more, XG_REGRESSED);
	cr_expect(strstr(more.reason, "syscalls") != NULL);
	expect(&same, XG_OK);
	expect(&unstable, XG_OK);
	free(more.pairs);
	free(same.pairs);
	free(unstable.pairs);

	struct xg_case untimed = with_cost(XG_COST_SAME);
	judge(&untimed);
	expect(&untimed, XG_OK);
}

/* A run of one case and one control. */
static struct xg_run run_of(double case_percent, double control_percent)
{
	struct xg_run run;

	cr_assert_eq(xg_run_init(&run, 2), 0);
	snprintf(run.cases[0].name, XG_NAME_MAX, "case");
	snprintf(run.cases[1].name, XG_NAME_MAX, "control");
	run.cases[1].control = true;
	launches(&run.cases[0], 5, case_percent, &quiet);
	launches(&run.cases[1], 5, control_percent, &quiet);
	if (case_percent > 3) {
		judge(&run.cases[0]);
		launches(&run.cases[0], 5, case_percent, &quiet);
	}
	return run;
}

Test(judge, the_exit_status_follows_the_verdicts)
{
	struct xg_run run = run_of(0, 0);
	cr_assert_eq(xg_judge_run(&run, true), 0);
	cr_expect_eq(run.exit, XG_EXIT_OK);
	xg_run_fini(&run);

	run = run_of(15, 0);
	cr_assert_eq(xg_judge_run(&run, false), 0);
	cr_expect_eq(run.exit, XG_EXIT_REGRESSED);
	snprintf(run.cases[0].failure, XG_REASON_MAX, "crashed");
	cr_assert_eq(xg_judge_run(&run, false), 0);
	cr_expect_eq(run.exit, XG_EXIT_CRASHED);
	xg_run_fini(&run);

	cr_assert_eq(xg_run_init(&run, 1), 0);
	cr_assert_eq(xg_judge_run(&run, false), 0);
	cr_expect_eq(run.exit, XG_EXIT_NOTHING);
	launches(&run.cases[0], 5, 0, &wild);
	cr_assert_eq(xg_judge_run(&run, false), 0);
	cr_expect_eq(run.exit, XG_EXIT_OK);
	cr_assert_eq(xg_judge_run(&run, true), 0);
	cr_expect_eq(run.exit, XG_EXIT_INCONCLUSIVE);
	xg_run_fini(&run);
}

Test(judge, a_control_that_moves_in_either_direction_contaminates)
{
	static const double moves[] = {12, -12};

	for (int i = 0; i < 2; i++) {
		struct xg_run run = run_of(15, moves[i]);
		cr_assert_eq(xg_judge_run(&run, true), 0);
		expect(&run.cases[0], XG_CONTAMINATED);
		cr_expect(run.contaminated);
		cr_expect_eq(run.exit, XG_EXIT_INCONCLUSIVE);
		cr_assert_eq(xg_judge_run(&run, false), 0);
		cr_expect_eq(run.exit, XG_EXIT_OK);
		xg_run_fini(&run);
	}
}

Test(judge, neither_a_crash_nor_a_count_is_contaminated)
{
	struct xg_run run = run_of(0, 12);
	run.cases[0].cost_count = 1;
	run.cases[0].costs[0] = (struct xg_cost){.name = "faults", .state = XG_COST_MORE};
	cr_assert_eq(xg_judge_run(&run, false), 0);
	expect(&run.cases[0], XG_REGRESSED);
	xg_run_fini(&run);
}

/* Over noise like that of a shared machine, with fixed seeds: what the gate promises. */
Test(judge, simulated_false_alarms_and_finds_are_within_the_promise)
{
	struct xg_rule numbers = rule();
	int alarms = 0, found = 0, wrong_ok = 0;

	for (uint64_t seed = 0; seed < 600; seed++) {
		struct xg_random random = {seed * 1000003};
		struct xg_case same = {0}, slower = {0}, twice = {0};
		struct xg_noise noise = XG_NOISE_SEEN;
		cr_assert_eq(xg_simulate_case(&same, &numbers, &random, &noise, 0, PAIRS), 0);
		cr_assert_eq(xg_simulate_case(&slower, &numbers, &random, &noise, log(1.1), PAIRS),
			     0);
		noise.slice = 0.3;
		cr_assert_eq(xg_simulate_case(&twice, &numbers, &random, &noise, log(1.2), PAIRS),
			     0);
		alarms += same.verdict == XG_REGRESSED;
		found += slower.verdict == XG_REGRESSED;
		wrong_ok += twice.verdict == XG_OK || twice.verdict == XG_IMPROVED;
		free(same.pairs);
		free(slower.pairs);
		free(twice.pairs);
	}
	cr_expect_eq(alarms, 0, "%d false alarms", alarms);
	cr_expect_geq(found, 570, "%d found", found);
	cr_expect_eq(wrong_ok, 0, "%d wrong ok", wrong_ok);
}
