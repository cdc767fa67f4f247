/* SPDX-License-Identifier: MIT */
/*
 * The suite with Criterion's face: one parameterised test, a parameter for each case on each
 * implementation, for tools that know Criterion. It adds nothing: the judge decides.
 */
#include "conformance/iut.h"
#include "conformance/plan.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>

/* Made anew, and alike, in every process: parameters are indices, since a pointer would mean nothing in
 * the process of the test. */
static struct xc_plan *plan(void)
{
	static struct xc_plan plan;
	static const struct xc_selection everything;
	struct xc_iut *iuts;

	if (plan.entries_count > 0)
		return &plan;
	int count = xc_iut_all(true, &iuts);
	if (count < 0 || xc_plan_make(&everything, iuts, (size_t)count, &plan) < 0)
		return NULL;
	return &plan;
}

static void free_indices(struct criterion_test_params *params)
{
	free(params->params);
}

ParameterizedTestParameters(conformance, judged)
{
	size_t count = plan() ? plan()->entries_count : 0;
	size_t *indices = malloc((count + 1) * sizeof(*indices));

	if (!indices)
		count = 0;
	for (size_t i = 0; i < count; i++)
		indices[i] = i;
	return cr_make_param_array(size_t, indices, count, free_indices);
}

ParameterizedTest(size_t *index, conformance, judged, .timeout = 600)
{
	cr_assert_not_null(plan());
	const struct xc_entry *entry = &plan()->entries[*index];
	const struct xc_judge_options options = {.carrier = XP_CARRIER_PROCESS};
	const struct xc_clause *clause = xc_clause_find(entry->test->clause);
	struct xc_outcome outcome;

	xc_judge(entry->test, entry->iut, &options, &outcome);
	if (outcome.verdict == XC_UNSUPPORTED || outcome.verdict == XC_UNRESOLVED)
		cr_skip_test("%s on %s: %s", clause->id, entry->iut->name, outcome.detail);
	if (entry->iut->peer || clause->level == XC_SHOULD)
		return;
	cr_expect_eq(outcome.verdict, XC_PASS, "%s on %s: %s\n%s", clause->id, entry->iut->name,
		     clause->text, outcome.detail);
}
