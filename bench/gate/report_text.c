/* SPDX-License-Identifier: MIT */
#include "gate/report.h"

#include <string.h>

static int name_width(const struct xg_run *run)
{
	size_t width = 4;

	for (size_t i = 0; i < run->case_count; i++) {
		size_t length = strlen(run->cases[i].name);
		if (length > width)
			width = length;
	}
	return (int)width;
}

static void write_costs(const struct xg_case *tested, int width, FILE *file)
{
	for (size_t i = 0; i < tested->cost_count; i++) {
		const struct xg_cost *cost = &tested->costs[i];
		if (cost->state == XG_COST_MORE || cost->state == XG_COST_LESS)
			fprintf(file, "  %-*s    %s: %.6g, was %.6g %s\n", width, "", cost->name,
				cost->candidate, cost->baseline, cost->detail);
	}
}

static void write_case(const struct xg_case *tested, int width, FILE *file)
{
	const struct xg_estimate *estimate = &tested->estimate;
	char change[XG_TEXT_MAX], lower[XG_TEXT_MAX], upper[XG_TEXT_MAX];
	char before[XG_TEXT_MAX], after[XG_TEXT_MAX], interval[3 * XG_TEXT_MAX] = "-";

	if (estimate->bounded)
		snprintf(interval, sizeof(interval), "%s to %s",
			 xg_text_change(estimate->lower, lower),
			 xg_text_change(estimate->upper, upper));
	if (estimate->pairs == 0)
		fprintf(file, "  %-*s  %-12s", width, tested->name,
			tested->control ? "control" : xg_verdict_word(tested->verdict));
	else
		fprintf(file, "  %-*s  %-12s %9s  %-20s %10s %10s %6zu", width, tested->name,
			tested->control ? "control" : xg_verdict_word(tested->verdict),
			xg_text_change(estimate->median, change), interval,
			xg_text_time(estimate->baseline_ns, before),
			xg_text_time(estimate->candidate_ns, after), estimate->pairs);
	if (tested->verdict != XG_OK && !(tested->control && !tested->failure[0]))
		fprintf(file, "  %s", tested->reason);
	fputc('\n', file);
	write_costs(tested, width, file);
}

/* How many counted costs were compared, and why others were not. */
static void write_counted(const struct xg_run *run, FILE *file)
{
	size_t states[XG_COST_NOT_COUNTED + 1] = {0}, total = 0;
	const char *reason = NULL;

	for (size_t i = 0; i < run->case_count; i++) {
		for (size_t k = 0; k < run->cases[i].cost_count; k++) {
			const struct xg_cost *cost = &run->cases[i].costs[k];
			states[cost->state]++;
			total++;
			if (cost->state == XG_COST_NOT_COUNTED && !reason)
				reason = cost->detail;
		}
	}
	if (total == 0)
		return;
	fprintf(file, "counted costs: %zu same, %zu more, %zu less, %zu unstable, %zu not counted",
		states[XG_COST_SAME], states[XG_COST_MORE], states[XG_COST_LESS],
		states[XG_COST_UNSTABLE], states[XG_COST_NOT_COUNTED]);
	fprintf(file, reason ? " (%s)\n" : "\n", reason ? reason : "");
}

void xg_report_text(const struct xg_run *run, FILE *file)
{
	int width = name_width(run);
	char headline[400];

	fprintf(file, "baseline   %s%s%s\n", run->baseline, run->baseline_commit ? " at " : "",
		run->baseline_commit ? run->baseline_commit : "");
	fprintf(file, "candidate  %s%s%s\n", run->candidate, run->candidate_commit ? " at " : "",
		run->candidate_commit ? run->candidate_commit : "");
	fprintf(file, "  %-*s  %-12s %9s  %-20s %10s %10s %6s\n", width, "case", "verdict",
		"change", "interval of 99 %", "baseline", "candidate", "pairs");
	for (size_t i = 0; i < run->case_count; i++)
		write_case(&run->cases[i], width, file);
	write_counted(run, file);
	if (xg_text_caveat(run)[0])
		fprintf(file, "%s\n", xg_text_caveat(run));
	xg_text_headline(run, headline, sizeof(headline));
	fprintf(file, "%s (%.0f s, seed %llu, steal %.1f %%, exit %d)\n", headline, run->seconds,
		(unsigned long long)run->seed, run->steal_percent, run->exit);
}
