/* SPDX-License-Identifier: MIT */
#include "gate/selftest.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Add a judged run of one case with that verdict, whose change was measured as @recovered. */
static void add(struct xg_trial *trial, const char *name, enum xg_verdict verdict, double recovered)
{
	struct xg_run run;

	cr_assert_eq(xg_run_init(&run, 2), 0);
	snprintf(run.cases[0].name, XG_NAME_MAX, "%s", name);
	run.cases[0].verdict = verdict;
	run.cases[0].estimate.pairs = 200;
	run.cases[0].estimate.median = log1p(recovered);
	run.cases[1].control = true; /* counts for nothing */
	run.cases[1].verdict = XG_REGRESSED;
	cr_assert_eq(xg_trial_add(trial, &run), 0);
	xg_run_fini(&run);
}

static struct xg_finding find(struct xg_trial *trial)
{
	struct xg_finding finding;

	xg_trial_find(trial, &finding);
	return finding;
}

Test(selftest, false_alarms_below_one_percent_hold)
{
	struct xg_trial trial = {.condition = "A/A"};

	for (int i = 0; i < 299; i++)
		add(&trial, "case", i % 2 ? XG_OK : XG_TOO_NOISY, 0);
	add(&trial, "case", XG_REGRESSED, 0);
	struct xg_finding finding = find(&trial);
	cr_expect_eq(finding.verdicts, 300);
	cr_expect_eq(finding.decided, 150);
	cr_expect_eq(finding.regressed, 1);
	cr_expect(finding.holds);
	cr_expect(fabs(finding.regressed_bounds.upper - 0.018439) < 1e-5, "%g",
		  finding.regressed_bounds.upper);
	for (int i = 0; i < 3; i++)
		add(&trial, "case", XG_REGRESSED, 0);
	cr_expect_not(find(&trial).holds);
	xg_trial_fini(&trial);
}

Test(selftest, an_error_is_no_verdict_and_no_proof)
{
	struct xg_trial trial = {.condition = "A/A"};

	cr_expect_not(find(&trial).holds);
	add(&trial, "case", XG_OK, 0);
	cr_expect(find(&trial).holds);
	add(&trial, "case", XG_SKIPPED, 0);
	cr_expect_eq(find(&trial).verdicts, 1);
	add(&trial, "case", XG_ERROR, 0);
	cr_expect_eq(find(&trial).verdicts, 1);
	cr_expect_eq(find(&trial).errors, 1);
	cr_expect_not(find(&trial).holds);
	xg_trial_fini(&trial);
}

Test(selftest, an_insensitive_case_is_listed_and_not_counted_as_sensitive)
{
	struct xg_trial trial = {.condition = "+10 %", .inject = 0.10};

	for (int i = 0; i < 20; i++) {
		add(&trial, "sensitive", XG_REGRESSED, 0.10);
		add(&trial, "dull", XG_OK, 0.02);
	}
	struct xg_finding finding = find(&trial);
	cr_expect_eq(finding.insensitive_cases, 1);
	cr_expect_eq(finding.sensitive_verdicts, 20);
	cr_expect_eq(finding.sensitive_regressed, 20);
	cr_expect_not(finding.holds, "half of all verdicts is not 95 %%");
	cr_expect(fabs(xg_tally_slope(&trial.tallies[0]) - 1) < 1e-9);
	cr_expect(fabs(xg_tally_slope(&trial.tallies[1]) - log(1.02) / log(1.1)) < 1e-9);
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	xg_trial_text(&trial, file);
	fclose(file);
	cr_expect_not_null(strstr(text, "0.21 insensitive"));
	cr_expect_not_null(strstr(text, "DOES NOT HOLD"));
	free(text);
	xg_trial_fini(&trial);
}

Test(selftest, an_ok_for_twice_the_tolerance_is_wrong)
{
	struct xg_trial trial = {.condition = "+20 %", .inject = 0.20, .noisy = true};

	for (int i = 0; i < 20; i++)
		add(&trial, "case", i < 5 ? XG_TOO_NOISY : XG_REGRESSED, 0.20);
	cr_expect(find(&trial).holds, "under load a case may stay undecided");
	add(&trial, "case", XG_OK, 0.19);
	cr_expect_eq(find(&trial).wrong_ok, 1);
	cr_expect_not(find(&trial).holds);
	xg_trial_fini(&trial);
}

Test(selftest, the_json_has_every_count)
{
	struct xg_trial trial = {.condition = "+10 %", .inject = 0.10};

	add(&trial, "case", XG_REGRESSED, 0.10);
	add(&trial, "case", XG_OK, 0.09);
	json_t *object = xg_trial_json(&trial);
	cr_assert_not_null(object);
	json_t *tally = json_array_get(json_object_get(object, "cases"), 0);
	json_t *verdicts = json_object_get(tally, "verdicts");
	cr_expect_eq(json_integer_value(json_object_get(object, "verdicts")), 2);
	cr_expect_eq(json_integer_value(json_object_get(verdicts, "regressed")), 1);
	cr_expect_eq(json_integer_value(json_object_get(verdicts, "ok")), 1);
	cr_expect_eq(json_array_size(json_object_get(tally, "slopes")), 2);
	json_decref(object);
	xg_trial_fini(&trial);
}
