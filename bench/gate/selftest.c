/* SPDX-License-Identifier: MIT */
#include "gate/selftest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct xg_tally *tally_of(struct xg_trial *trial, const char *name)
{
	for (size_t i = 0; i < trial->tally_count; i++) {
		if (strcmp(trial->tallies[i].name, name) == 0)
			return &trial->tallies[i];
	}
	struct xg_tally *more =
	    realloc(trial->tallies, (trial->tally_count + 1) * sizeof(*trial->tallies));
	if (!more)
		return NULL;
	trial->tallies = more;
	struct xg_tally *tally = &trial->tallies[trial->tally_count++];
	*tally = (struct xg_tally){0};
	snprintf(tally->name, sizeof(tally->name), "%s", name);
	return tally;
}

static int add_slope(struct xg_tally *tally, double slope)
{
	if (tally->slope_count == tally->slope_room) {
		size_t room = tally->slope_room ? 2 * tally->slope_room : 16;
		double *more = realloc(tally->slopes, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		tally->slopes = more;
		tally->slope_room = room;
	}
	tally->slopes[tally->slope_count++] = slope;
	return 0;
}

int xg_trial_add(struct xg_trial *trial, const struct xg_run *run)
{
	for (size_t i = 0; i < run->case_count; i++) {
		const struct xg_case *tested = &run->cases[i];
		if (tested->control)
			continue;
		struct xg_tally *tally = tally_of(trial, tested->name);
		if (!tally)
			return -ENOMEM;
		tally->verdicts[tested->verdict]++;
		if (tested->verdict == XG_ERROR && !tally->failure[0])
			snprintf(tally->failure, sizeof(tally->failure), "%s", tested->reason);
		if (trial->inject <= 0 || tested->estimate.pairs == 0)
			continue;
		int rc = add_slope(tally, tested->estimate.median / log1p(trial->inject));
		if (rc < 0)
			return rc;
	}
	trial->runs++;
	trial->contaminated_runs += run->contaminated;
	trial->seconds += run->seconds;
	trial->tolerance = run->rule.tolerance;
	trial->steal_percent_max = fmax(trial->steal_percent_max, run->steal_percent);
	return 0;
}

void xg_trial_fini(struct xg_trial *trial)
{
	for (size_t i = 0; i < trial->tally_count; i++)
		free(trial->tallies[i].slopes);
	free(trial->tallies);
	*trial = (struct xg_trial){0};
}

static size_t tally_verdicts(const struct xg_tally *tally)
{
	size_t count = 0;

	for (int v = 0; v < XG_VERDICTS; v++)
		count += v == XG_ERROR || v == XG_SKIPPED ? 0 : tally->verdicts[v];
	return count;
}

size_t xg_trial_verdicts(const struct xg_trial *trial)
{
	size_t count = 0;

	for (size_t i = 0; i < trial->tally_count; i++)
		count += tally_verdicts(&trial->tallies[i]);
	return count;
}

double xg_tally_slope(struct xg_tally *tally)
{
	if (tally->slope_count == 0)
		return 0;
	xg_sort(tally->slopes, tally->slope_count);
	return xg_median(tally->slopes, tally->slope_count);
}

static bool is_sensitive(struct xg_tally *tally)
{
	double slope = xg_tally_slope(tally);
	return slope >= XG_SLOPE_MIN && slope <= XG_SLOPE_MAX;
}

void xg_trial_find(struct xg_trial *trial, struct xg_finding *ret_finding)
{
	struct xg_finding finding = {0};
	bool injected = trial->inject > 0;

	for (size_t i = 0; i < trial->tally_count; i++) {
		struct xg_tally *tally = &trial->tallies[i];
		size_t passed = tally->verdicts[XG_OK] + tally->verdicts[XG_IMPROVED];
		size_t verdicts = tally_verdicts(tally);
		finding.verdicts += verdicts;
		finding.decided += passed + tally->verdicts[XG_REGRESSED];
		finding.regressed += tally->verdicts[XG_REGRESSED];
		finding.errors += tally->verdicts[XG_ERROR];
		if (!injected || verdicts == 0)
			continue;
		if (is_sensitive(tally)) {
			finding.sensitive_verdicts += verdicts;
			finding.sensitive_regressed += tally->verdicts[XG_REGRESSED];
			/* The gate does not see all of a change to an insensitive case. */
			if (trial->inject >= 2 * trial->tolerance - 1e-9)
				finding.wrong_ok += passed;
		} else {
			finding.insensitive_cases++;
		}
	}
	finding.regressed_bounds = xg_clopper_pearson((int64_t)finding.regressed,
						      (int64_t)finding.verdicts, XG_BOUND_LEVEL);
	finding.sensitive_bounds =
	    xg_clopper_pearson((int64_t)finding.sensitive_regressed,
			       (int64_t)finding.sensitive_verdicts, XG_BOUND_LEVEL);
	double n = (double)finding.verdicts;
	finding.holds = finding.verdicts > 0 && finding.errors == 0 && finding.wrong_ok == 0;
	if (!injected)
		finding.holds =
		    finding.holds && (double)finding.regressed < XG_FALSE_ALARMS_MAX * n;
	else if (!trial->noisy)
		finding.holds = finding.holds && finding.sensitive_verdicts > 0 &&
				(double)finding.regressed >= XG_FOUND_MIN * n;
	*ret_finding = finding;
}

static void write_claim(const struct xg_trial *trial, const struct xg_finding *finding, FILE *file)
{
	double n = finding->verdicts ? (double)finding->verdicts : 1;

	fprintf(file,
		"%zu verdicts in %u runs (%.0f s), %zu of them decided; %u runs contaminated; ",
		finding->verdicts, trial->runs, trial->seconds, finding->decided,
		trial->contaminated_runs);
	fprintf(file, "at most %.1f %% of CPU time stolen in a run.\n\n", trial->steal_percent_max);
	fprintf(file, trial->inject > 0 ? "* found: " : "* false alarms: ");
	fprintf(file,
		"%zu of %zu (%.2f %%), %.2f %% to %.2f %% with a confidence of %.0f %% "
		"(Clopper-Pearson)\n",
		finding->regressed, finding->verdicts, 100 * (double)finding->regressed / n,
		100 * finding->regressed_bounds.lower, 100 * finding->regressed_bounds.upper,
		100 * XG_BOUND_LEVEL);
	if (trial->inject <= 0 && finding->regressed == 0 && finding->verdicts > 0)
		/* One-sided: the exact form of the rule of three. */
		fprintf(
		    file,
		    "* so the rate of false alarms is below %.2f %%, one-sided at 95 %%: more is "
		    "not claimed\n",
		    100 * (1 - pow(0.05, 1 / n)));
	if (trial->inject > 0) {
		fprintf(
		    file, "* found in cases that are sensitive: %zu of %zu (%.2f %% to %.2f %%)\n",
		    finding->sensitive_regressed, finding->sensitive_verdicts,
		    100 * finding->sensitive_bounds.lower, 100 * finding->sensitive_bounds.upper);
		fprintf(file, "* insensitive cases (slope outside %.1f to %.1f): %zu\n",
			XG_SLOPE_MIN, XG_SLOPE_MAX, finding->insensitive_cases);
		if (trial->inject >= 2 * trial->tolerance - 1e-9)
			fprintf(file, "* wrong ok: %zu\n", finding->wrong_ok);
	}
	if (finding->errors > 0)
		fprintf(file, "* errors: %zu\n", finding->errors);
	fprintf(file, "* what the gate claims for this: %s\n\n",
		finding->holds ? "holds" : "DOES NOT HOLD");
}

void xg_trial_text(struct xg_trial *trial, FILE *file)
{
	struct xg_finding finding;

	xg_trial_find(trial, &finding);
	fprintf(file, "### %s\n\n", trial->condition);
	write_claim(trial, &finding, file);
	fputs("| case |", file);
	for (int v = 0; v < XG_VERDICTS; v++)
		fprintf(file, " %s |", xg_verdict_word((enum xg_verdict)v));
	fputs(trial->inject > 0 ? " slope |\n|---|" : "\n|---|", file);
	for (int v = 0; v < XG_VERDICTS + (trial->inject > 0); v++)
		fputs("--:|", file);
	fputc('\n', file);
	for (size_t i = 0; i < trial->tally_count; i++) {
		struct xg_tally *tally = &trial->tallies[i];
		fprintf(file, "| %s |", tally->name);
		for (int v = 0; v < XG_VERDICTS; v++)
			fprintf(file, " %zu |", tally->verdicts[v]);
		if (trial->inject > 0)
			fprintf(file, " %.2f%s |", xg_tally_slope(tally),
				is_sensitive(tally) ? "" : " insensitive");
		fputc('\n', file);
	}
	fputc('\n', file);
	for (size_t i = 0; i < trial->tally_count; i++) {
		if (trial->tallies[i].failure[0])
			fprintf(file, "* %s: %s\n", trial->tallies[i].name,
				trial->tallies[i].failure);
	}
}

static json_t *tally_json(struct xg_tally *tally, bool injected)
{
	json_t *object = json_pack("{s:s}", "name", tally->name);
	json_t *verdicts = json_object();
	json_t *slopes = json_array();

	for (int v = 0; v < XG_VERDICTS; v++)
		json_object_set_new(verdicts, xg_verdict_word((enum xg_verdict)v),
				    json_integer((json_int_t)tally->verdicts[v]));
	json_object_set_new(object, "verdicts", verdicts);
	if (tally->failure[0])
		json_object_set_new(object, "failure", json_string(tally->failure));
	for (size_t i = 0; i < tally->slope_count; i++)
		json_array_append_new(slopes, json_real(tally->slopes[i]));
	if (injected) {
		json_object_set_new(object, "slope", json_real(xg_tally_slope(tally)));
		json_object_set_new(object, "sensitive", json_boolean(is_sensitive(tally)));
		json_object_set(object, "slopes", slopes);
	}
	json_decref(slopes);
	return object;
}

json_t *xg_trial_json(struct xg_trial *trial)
{
	struct xg_finding finding;
	json_t *cases = json_array();

	xg_trial_find(trial, &finding);
	for (size_t i = 0; i < trial->tally_count; i++)
		json_array_append_new(cases, tally_json(&trial->tallies[i], trial->inject > 0));
	return json_pack(
	    "{s:s, s:f, s:b, s:i, s:i, s:f, s:f, s:I, s:I, s:I, s:[f,f], s:I, s:I, s:I, "
	    "s:I, s:I, s:b, s:o}",
	    "condition", trial->condition, "inject", trial->inject, "under_load", trial->noisy,
	    "runs", trial->runs, "contaminated_runs", trial->contaminated_runs, "seconds",
	    trial->seconds, "steal_percent_max", trial->steal_percent_max, "verdicts",
	    (json_int_t)finding.verdicts, "decided", (json_int_t)finding.decided, "regressed",
	    (json_int_t)finding.regressed, "regressed_share_95", finding.regressed_bounds.lower,
	    finding.regressed_bounds.upper, "errors", (json_int_t)finding.errors, "wrong_ok",
	    (json_int_t)finding.wrong_ok, "insensitive_cases",
	    (json_int_t)finding.insensitive_cases, "sensitive_verdicts",
	    (json_int_t)finding.sensitive_verdicts, "sensitive_regressed",
	    (json_int_t)finding.sensitive_regressed, "holds", finding.holds, "cases", cases);
}
