/* SPDX-License-Identifier: MIT */
/* The formats that continuous integration reads: JUnit, Markdown, annotations, Google Benchmark. */
#include "gate/report.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

/* One line of numbers on @tested, the same in every format. */
static void numbers(const struct xg_case *tested, char *buffer, size_t size)
{
	const struct xg_estimate *estimate = &tested->estimate;
	char change[XG_TEXT_MAX], lower[XG_TEXT_MAX], upper[XG_TEXT_MAX];
	char before[XG_TEXT_MAX], after[XG_TEXT_MAX];

	buffer[0] = '\0';
	if (estimate->pairs == 0)
		return;
	snprintf(buffer, size,
		 "%s (%s to %s at 99 %%), %s to %s per operation, %zu pairs in %u launches",
		 xg_text_change(estimate->median, change), xg_text_change(estimate->lower, lower),
		 xg_text_change(estimate->upper, upper),
		 xg_text_time(estimate->baseline_ns, before),
		 xg_text_time(estimate->candidate_ns, after), estimate->pairs, estimate->launches);
}

static bool is_failure(const struct xg_case *tested)
{
	return !tested->control && tested->verdict == XG_REGRESSED;
}

static bool is_error(const struct xg_case *tested)
{
	return !tested->control && tested->verdict == XG_ERROR;
}

/* JUnit knows no "don't know": what was not decided is skipped, with the reason. */
static bool is_skip(const struct xg_case *tested)
{
	return tested->verdict == XG_SKIPPED || tested->verdict == XG_INCONCLUSIVE ||
	       tested->verdict == XG_TOO_NOISY || tested->verdict == XG_CONTAMINATED;
}

static void junit_element(FILE *file, const char *element, const struct xg_case *tested)
{
	fprintf(file, "      <%s message=\"", element);
	xg_text_xml(file, xg_verdict_word(tested->verdict));
	fputs(": ", file);
	xg_text_xml(file, tested->reason);
	if (strcmp(element, "skipped") == 0) {
		fputs("\"/>\n", file);
		return;
	}
	fprintf(file, "\" type=\"%s\">", xg_verdict_word(tested->verdict));
	char line[300];
	numbers(tested, line, sizeof(line));
	xg_text_xml(file, line);
	fprintf(file, "</%s>\n", element);
}

static void junit_costs(FILE *file, const struct xg_case *tested)
{
	for (size_t i = 0; i < tested->cost_count; i++) {
		const struct xg_cost *cost = &tested->costs[i];
		if (cost->state == XG_COST_NOT_COUNTED)
			fprintf(file, "%s: not counted: ", cost->name);
		else
			fprintf(file, "%s per operation: %.6g, was %.6g (%s) ", cost->name,
				cost->candidate, cost->baseline, xg_cost_word(cost->state));
		xg_text_xml(file, cost->detail);
		fputc('\n', file);
	}
}

void xg_report_junit(const struct xg_run *run, FILE *file)
{
	size_t tests = 0, failures = 0, errors = 0, skips = 0;

	for (size_t i = 0; i < run->case_count; i++) {
		const struct xg_case *tested = &run->cases[i];
		if (tested->control)
			continue;
		tests++;
		failures += is_failure(tested);
		errors += is_error(tested);
		skips += is_skip(tested);
	}
	fprintf(file, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
	fprintf(file,
		"  <testsuite name=\"xpgate\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
		"skipped=\"%zu\" time=\"%.3f\"",
		tests, failures, errors, skips, run->seconds);
	/* The schema wants a time without a zone; it is UTC. */
	fprintf(file, run->started[0] ? " timestamp=\"%.19s\">\n" : "%s>\n", run->started);
	for (size_t i = 0; i < run->case_count; i++) {
		const struct xg_case *tested = &run->cases[i];
		char line[300];
		if (tested->control)
			continue;
		numbers(tested, line, sizeof(line));
		fputs("    <testcase classname=\"xpgate\" name=\"", file);
		xg_text_xml(file, tested->name);
		fprintf(file, "\" time=\"%.3f\">\n",
			tested->pair_count > 0
			    ? (double)tested->pair_count * (double)tested->iterations *
				  (tested->estimate.baseline_ns + tested->estimate.candidate_ns) /
				  1e9
			    : 0);
		if (is_failure(tested))
			junit_element(file, "failure", tested);
		else if (is_error(tested))
			junit_element(file, "error", tested);
		else if (is_skip(tested))
			junit_element(file, "skipped", tested);
		fputs("      <system-out>", file);
		xg_text_xml(file, line);
		fputc('\n', file);
		junit_costs(file, tested);
		fputs("</system-out>\n    </testcase>\n", file);
	}
	fputs("  </testsuite>\n</testsuites>\n", file);
}

/* A table cell must not end early. */
static void cell(FILE *file, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			fputs("\\|", file);
		else if (*text == '<')
			fputs("&lt;", file);
		else
			fputc(*text == '\n' ? ' ' : *text, file);
	}
}

void xg_report_markdown(const struct xg_run *run, FILE *file)
{
	char headline[400];

	xg_text_headline(run, headline, sizeof(headline));
	fprintf(file, "## xpgate\n\n**%s**\n\n", headline);
	if (xg_text_caveat(run)[0])
		fprintf(file, "> %s\n\n", xg_text_caveat(run));
	fputs("| case | verdict | change | 99 % interval | baseline | candidate | why |\n"
	      "|---|---|--:|---|--:|--:|---|\n",
	      file);
	/* What needs attention comes first. */
	static const enum xg_verdict order[] = {
	    XG_ERROR,	     XG_REGRESSED, XG_CONTAMINATED, XG_TOO_NOISY,
	    XG_INCONCLUSIVE, XG_IMPROVED,  XG_SKIPPED,	    XG_OK};
	for (size_t v = 0; v < sizeof(order) / sizeof(order[0]); v++) {
		for (size_t i = 0; i < run->case_count; i++) {
			const struct xg_case *tested = &run->cases[i];
			const struct xg_estimate *estimate = &tested->estimate;
			char a[XG_TEXT_MAX], b[XG_TEXT_MAX], c[XG_TEXT_MAX], d[XG_TEXT_MAX],
			    e[XG_TEXT_MAX];
			if (tested->control || tested->verdict != order[v])
				continue;
			fputs("| ", file);
			cell(file, tested->name);
			fprintf(file, " | %s | ", xg_verdict_word(tested->verdict));
			if (estimate->pairs > 0)
				fprintf(file, "%s | %s to %s | %s | %s | ",
					xg_text_change(estimate->median, a),
					xg_text_change(estimate->lower, b),
					xg_text_change(estimate->upper, c),
					xg_text_time(estimate->baseline_ns, d),
					xg_text_time(estimate->candidate_ns, e));
			else
				fputs(" | | | | ", file);
			cell(file, tested->verdict == XG_OK ? "" : tested->reason);
			fputs(" |\n", file);
		}
	}
	fprintf(file,
		"\nRegressed: proven slower than %.0f %%, twice, in fresh launches. Ok: proven "
		"below %.0f %%. "
		"Between the two it may or may not be found.\n\nRun again: `%s`\n",
		100 * run->rule.margin, 100 * run->rule.tolerance, run->command);
}

/* GitHub's workflow commands escape their data like this. */
static void command_text(FILE *file, const char *text, bool property)
{
	for (; *text; text++) {
		if (*text == '%' || *text == '\r' || *text == '\n' ||
		    (property && (*text == ':' || *text == ',')))
			fprintf(file, "%%%02X", (unsigned char)*text);
		else
			fputc(*text, file);
	}
}

void xg_report_annotations(const struct xg_run *run, FILE *file)
{
	static const struct {
		enum xg_verdict verdict;
		const char *level;
	} order[] = {{XG_ERROR, "error"},	   {XG_REGRESSED, "error"},
		     {XG_CONTAMINATED, "warning"}, {XG_TOO_NOISY, "warning"},
		     {XG_INCONCLUSIVE, "warning"}, {XG_IMPROVED, "notice"}};
	int left = XG_ANNOTATIONS_MAX;

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		for (size_t i = 0; i < run->case_count && left > 0; i++) {
			const struct xg_case *tested = &run->cases[i];
			char line[300];
			if (tested->control || tested->verdict != order[k].verdict)
				continue;
			numbers(tested, line, sizeof(line));
			fprintf(file, "::%s title=", order[k].level);
			command_text(file, tested->name, true);
			fprintf(file, " %s::", xg_verdict_word(tested->verdict));
			command_text(file, tested->reason, false);
			if (line[0])
				fputs("; ", file);
			command_text(file, line, false);
			fputc('\n', file);
			left--;
		}
	}
}

static json_t *gbench_entry(const struct xg_case *tested, const char *arm, double ns)
{
	return json_pack("{s:o, s:o, s:s, s:i, s:i, s:I, s:f, s:f, s:s, s:s}", "name",
			 json_sprintf("%s/%s", tested->name, arm), "run_name",
			 json_sprintf("%s/%s", tested->name, arm), "run_type", "iteration",
			 "repetitions", 1, "threads", 1, "iterations",
			 (json_int_t)tested->iterations, "real_time", ns, "cpu_time", ns,
			 "time_unit", "ns", "label", xg_verdict_word(tested->verdict));
}

void xg_report_gbench(const struct xg_run *run, FILE *file)
{
	json_t *list = json_array();

	for (size_t i = 0; i < run->case_count; i++) {
		const struct xg_case *tested = &run->cases[i];
		if (tested->estimate.pairs == 0)
			continue;
		json_array_append_new(
		    list, gbench_entry(tested, "baseline", tested->estimate.baseline_ns));
		json_array_append_new(
		    list, gbench_entry(tested, "candidate", tested->estimate.candidate_ns));
	}
	json_t *root = json_pack("{s:{s:s, s:s, s:s, s:b}, s:o}", "context", "date", run->started,
				 "executable", "xpgate", "library_build_type", "release",
				 "complete", run->complete, "benchmarks", list);
	if (root)
		json_dumpf(root, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
	fputc('\n', file);
	json_decref(root);
}
