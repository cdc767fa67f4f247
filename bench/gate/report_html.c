/* SPDX-License-Identifier: MIT */
/* One page that stands on its own: verdict, forest plot, the cases that need a look, all numbers. */
#include "gate/plot.h"
#include "gate/report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE_LOOKS_MAX 12 /* cases with plots of their own */

static const char style[] =
    "<style>\n"
    ":root{color-scheme:light}\n"
    "body{font:15px/1.45 system-ui,sans-serif;max-width:1120px;margin:1.5em auto;padding:0 1em;"
    "color:#1a1a1a;background:#fff}\n"
    ".banner{color:#fff;padding:.7em 1em;border-radius:6px;font-size:1.25em;font-weight:600}\n"
    ".caveat{border:2px solid #D55E00;padding:.4em 1em;font-weight:600}\n"
    "table{border-collapse:collapse;margin:.6em 0}td,th{padding:.2em .6em;border-bottom:1px solid "
    "#ddd;text-align:left}td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-"
    "nums}\n"
    "h2{margin-top:1.6em;font-size:1.15em}h3{font-size:1em;margin-bottom:.2em}\n"
    "code{background:#f3f3f3;padding:.1em .3em;overflow-wrap:anywhere}\n"
    "svg{max-width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#1a1a1a}\n"
    ".grid{stroke:#e4e4e4}.zero{stroke:#1a1a1a;fill:none}.margin{stroke:#777;stroke-dasharray:2 3}"
    ".limit{stroke:#D55E00;stroke-dasharray:6 3;fill:none}.band{fill:#009E73;fill-opacity:.09}\n"
    ".dot{fill:#0072B2;fill-opacity:.6}.ring{fill:none;stroke:#D55E00}\n"
    ".scroll{overflow-x:auto}\n"
    "@media print{body{max-width:none}.scroll{overflow:visible}}\n"
    "</style>\n";

/* Cases that need attention first, controls last; skipped ones before the controls. */
static int urgency(const struct xg_case *tested)
{
	static const enum xg_verdict order[] = {XG_ERROR,     XG_REGRESSED,    XG_CONTAMINATED,
						XG_TOO_NOISY, XG_INCONCLUSIVE, XG_IMPROVED,
						XG_OK,	      XG_SKIPPED};

	if (tested->control)
		return XG_VERDICTS;
	for (int i = 0; i < XG_VERDICTS; i++) {
		if (order[i] == tested->verdict)
			return i;
	}
	return XG_VERDICTS;
}

static size_t *order_cases(const struct xg_run *run)
{
	size_t *order = calloc(run->case_count + 1, sizeof(*order)), count = 0;

	for (int rank = 0; order && rank <= XG_VERDICTS; rank++) {
		for (size_t i = 0; i < run->case_count; i++) {
			if (urgency(&run->cases[i]) == rank)
				order[count++] = i;
		}
	}
	return order;
}

static void fact(FILE *file, const char *name, const char *value)
{
	fputs("<tr><th>", file);
	xg_text_xml(file, name);
	fputs("</th><td>", file);
	xg_text_xml(file, value);
	fputs("</td></tr>\n", file);
}

static void write_facts(const struct xg_run *run, FILE *file)
{
	const char *key;
	json_t *value;
	char text[200];

	fputs("<h2>What was compared</h2>\n<table>\n", file);
	fact(file, "baseline", run->baseline);
	if (run->baseline_commit)
		fact(file, "baseline commit", run->baseline_commit);
	fact(file, "candidate", run->candidate);
	if (run->candidate_commit)
		fact(file, "candidate commit", run->candidate_commit);
	snprintf(text, sizeof(text), "%s, %.0f s, seed %llu, %.1f %% of CPU time stolen",
		 run->started, run->seconds, (unsigned long long)run->seed, run->steal_percent);
	fact(file, "run", text);
	json_object_foreach(run->machine, key, value)
	{
		if (json_is_string(value))
			fact(file, key, json_string_value(value));
		else if (json_is_integer(value)) {
			snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
			fact(file, key, text);
		}
	}
	fputs("</table>\n<p>Run again: <code>", file);
	xg_text_xml(file, run->command);
	fputs("</code></p>\n", file);
}

static void write_row(const struct xg_case *tested, FILE *file)
{
	const struct xg_estimate *estimate = &tested->estimate;
	char a[XG_TEXT_MAX], b[XG_TEXT_MAX], c[XG_TEXT_MAX], d[XG_TEXT_MAX], e[XG_TEXT_MAX];

	fputs("<tr><td>", file);
	xg_text_xml(file, tested->name);
	fprintf(file, "</td><td style='color:%s'><b>%s</b></td>",
		xg_plot_colour(tested->control ? XG_SKIPPED : tested->verdict),
		tested->control ? "control" : xg_verdict_word(tested->verdict));
	if (estimate->pairs > 0)
		fprintf(file,
			"<td class='n'>%s</td><td class='n'>%s to %s</td><td class='n'>%s</td>"
			"<td class='n'>%s</td><td class='n'>%zu in %u</td>",
			xg_text_change(estimate->median, a), xg_text_change(estimate->lower, b),
			xg_text_change(estimate->upper, c), xg_text_time(estimate->baseline_ns, d),
			xg_text_time(estimate->candidate_ns, e), tested->pair_count,
			tested->launches);
	else
		fputs("<td></td><td></td><td></td><td></td><td></td>", file);
	fputs("<td>", file);
	if (!tested->control || tested->failure[0])
		xg_text_xml(file, tested->reason);
	fputs("</td></tr>\n", file);
}

static void write_table(const struct xg_run *run, const size_t *order, FILE *file)
{
	fprintf(
	    file,
	    "<h2>All numbers</h2>\n<div class='scroll'><table>\n<tr><th>case</th><th>verdict</th>"
	    "<th>change</th><th>interval of %.0f %%</th><th>baseline</th><th>candidate</th>"
	    "<th>pairs in launches</th><th>why</th></tr>\n",
	    100 * run->rule.level);
	for (size_t i = 0; i < run->case_count; i++)
		write_row(&run->cases[order[i]], file);
	fputs("</table></div>\n", file);
}

static void write_costs(const struct xg_run *run, const size_t *order, FILE *file)
{
	bool any = false;

	for (size_t i = 0; i < run->case_count; i++) {
		const struct xg_case *tested = &run->cases[order[i]];
		for (size_t k = 0; k < tested->cost_count; k++) {
			const struct xg_cost *cost = &tested->costs[k];
			if (!any)
				fputs(
				    "<h2>Counted costs, per operation</h2>\n<div "
				    "class='scroll'><table>\n"
				    "<tr><th>case</th><th>cost</th><th>state</th><th>baseline</th>"
				    "<th>candidate</th><th></th></tr>\n",
				    file);
			any = true;
			fputs("<tr><td>", file);
			xg_text_xml(file, tested->name);
			fprintf(file, "</td><td>%s</td><td>%s</td>", cost->name,
				xg_cost_word(cost->state));
			if (cost->state == XG_COST_NOT_COUNTED)
				fputs("<td></td><td></td><td>", file);
			else
				fprintf(file, "<td class='n'>%.6g</td><td class='n'>%.6g</td><td>",
					cost->baseline, cost->candidate);
			xg_text_xml(file, cost->detail);
			fputs("</td></tr>\n", file);
		}
	}
	if (any)
		fputs("</table></div>\n", file);
}

static void write_close_looks(const struct xg_run *run, const size_t *order, FILE *file)
{
	int shown = 0;

	for (size_t i = 0; i < run->case_count && shown < CLOSE_LOOKS_MAX; i++) {
		const struct xg_case *tested = &run->cases[order[i]];
		if (tested->pair_count == 0 || tested->control || tested->verdict == XG_OK)
			continue;
		if (shown++ == 0)
			fputs("<h2>The cases that need a look</h2>\n", file);
		fputs("<h3>", file);
		xg_text_xml(file, tested->name);
		fprintf(file, ": %s</h3>\n<p>", xg_verdict_word(tested->verdict));
		xg_text_xml(file, tested->reason);
		fputs("</p>\n<div>\n", file);
		xg_plot_scatter(run, tested, file);
		if (xg_plot_ecdf(tested, file) < 0)
			fputs("<p>not drawn: no memory</p>\n", file);
		xg_plot_drift(run, tested, file);
		fputs("</div>\n", file);
	}
}

/* The JSON report inside a script element, which only "</" could end early. */
static void write_data(const struct xg_run *run, FILE *file)
{
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	xg_report_json(run, memory);
	if (fclose(memory) == 0) {
		fputs("<script type='application/json' id='run'>", file);
		for (size_t i = 0; i < size; i++) {
			fputc(text[i], file);
			if (text[i] == '<')
				fputs(text[i + 1] == '/' ? "\\" : "", file);
		}
		fputs("</script>\n", file);
	}
	free(text);
}

static const char *banner_colour(const struct xg_run *run)
{
	if (run->exit == XG_EXIT_CRASHED)
		return "#000000";
	if (run->exit == XG_EXIT_REGRESSED)
		return "#B34700";
	if (run->exit == XG_EXIT_NOTHING || run->exit == XG_EXIT_INCONCLUSIVE ||
	    run->contaminated || !run->complete)
		return "#7A5C00";
	return "#00684C";
}

void xg_report_html(const struct xg_run *run, FILE *file)
{
	size_t *order = order_cases(run);
	char headline[400];

	if (!order) {
		fputs("no memory for the page\n", file);
		return;
	}
	xg_text_headline(run, headline, sizeof(headline));
	fputs("<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>\n"
	      "<meta name='viewport' content='width=device-width'>\n<title>xpgate: ",
	      file);
	xg_text_xml(file, headline);
	fprintf(file, "</title>\n%s</head><body>\n<p class='banner' style='background:%s'>", style,
		banner_colour(run));
	xg_text_xml(file, headline);
	fputs("</p>\n", file);
	if (xg_text_caveat(run)[0])
		fprintf(file, "<p class='caveat'>%s</p>\n", xg_text_caveat(run));
	fputs("<h2>Change of the time per operation</h2>\n<div class='scroll'>\n", file);
	xg_plot_forest(run, order, run->case_count, file);
	fprintf(
	    file,
	    "</div>\n<p>A case is <b>regressed</b> when it is proven slower by more than %.0f %% "
	    "and "
	    "proven so again by fresh launches, <b>ok</b> when it is proven to be below %.0f %%. A "
	    "slowdown between the two may or may not be found.</p>\n",
	    100 * run->rule.margin, 100 * run->rule.tolerance);
	write_close_looks(run, order, file);
	write_table(run, order, file);
	write_costs(run, order, file);
	write_facts(run, file);
	fputs(
	    "<h2>Method</h2>\n<p>Two live workers, one of each build, take turns in slices of "
	    "about "
	    "5 ms (A B B A); the idle one sleeps. Both do the same number of operations. The "
	    "change is "
	    "the median of ln(candidate / baseline) over neighbouring slices, with the exact "
	    "interval "
	    "of the sign test. Controls compare a program with itself: when they move, the machine "
	    "moved, and the run decides nothing. Every pair is embedded in this page as "
	    "JSON.</p>\n",
	    file);
	write_data(run, file);
	fputs("</body></html>\n", file);
	free(order);
}
