/* SPDX-License-Identifier: MIT */
/*
 * Servers with known faults are caught: one that skips the check of the key, and the stock manager of a
 * CPython, whose faults are real.
 */
#include "conformance/plan.h"
#include "conformance/subjects/subject.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

XC_EMBED(xc_permissive_py, XC_SELFTEST "/permissive_server.py");

/* The python3 that is there, or none. */
static bool find_python(struct xc_subject *ret_subject)
{
	struct xc_subject subjects[16];
	size_t count = xc_subject_all(subjects, 16);

	for (size_t i = 0; i < count; i++) {
		if (subjects[i].python[0] && subjects[i].version[0] == '3') {
			*ret_subject = subjects[i];
			return true;
		}
	}
	return false;
}

static void expect_verdicts(const struct xc_subject *subject, const char *const *patterns,
			    size_t count, enum xc_verdict verdict)
{
	const struct xc_iut iut = {.name = subject->name,
				   .kinds = XC_KIND_SERVER,
				   .scope = XP_SCOPE_MANAGED,
				   .subject = subject,
				   .peer = true};
	const struct xc_selection selection = {.patterns = patterns, .patterns_count = count};
	const struct xc_judge_options options = {.carrier = XP_CARRIER_PROCESS};
	const volatile int stop = 0;
	struct xc_plan plan;

	cr_assert_eq(xc_plan_make(&selection, &iut, 1, &plan), 0);
	cr_assert_eq(plan.rulings_count, count);
	cr_assert_eq(xc_plan_run(&plan, &options, 2, NULL, NULL, &stop), 0);
	xc_plan_rule(&plan);
	for (size_t r = 0; r < plan.rulings_count; r++)
		cr_expect_eq(plan.rulings[r].verdict, verdict, "%s is %s: %s",
			     plan.rulings[r].clause->id, xc_verdict_name(plan.rulings[r].verdict),
			     plan.rulings[r].entry->outcome.detail);
	cr_expect(!xc_plan_failed(&plan, true), "what a peer does fails no run");
	xc_plan_fini(&plan);
}

TestSuite(mutant_server, .timeout = 240);

Test(mutant_server, that_lets_everybody_in_is_caught)
{
	static const char *const caught[] = {"manager.wrong_key"};
	static const char *const fine[] = {"manager.call", "manager.public_only"};
	struct xc_subject subject;

	if (!find_python(&subject))
		cr_skip_test("there is no python3");
	subject.script = xc_permissive_py;
	expect_verdicts(&subject, caught, 1, XC_FAIL);
	expect_verdicts(&subject, fine, 2, XC_PASS);
}

Test(mutant_server, of_stock_python_is_caught_where_it_is_at_fault)
{
	static const char *const caught[] = {"manager.full_refuses", "manager.full_idles",
					     "manager.stopped",	     "manager.late_reply",
					     "manager.dead_getter",  "manager.dead_acquirer",
					     "manager.huge_frame",   "manager.silent_client"};
	static const char *const fine[] = {"manager.call", "manager.wrong_key",
					   "manager.killed_in_call"};
	struct xc_subject subject;

	if (!find_python(&subject))
		cr_skip_test("there is no python3");
	expect_verdicts(&subject, caught, sizeof(caught) / sizeof(caught[0]), XC_FAIL);
	expect_verdicts(&subject, fine, sizeof(fine) / sizeof(fine[0]), XC_PASS);
}
