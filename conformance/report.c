/* SPDX-License-Identifier: MIT */
#include "conformance/report.h"

#include <stdlib.h>
#include <string.h>

size_t xc_report_list(FILE *out, const struct xc_selection *selection)
{
	size_t count = 0;

	for (size_t c = 0; xc_clause_at(c); c++) {
		const struct xc_clause *clause = xc_clause_at(c);
		bool selected = selection->patterns_count == 0;
		int cases = 0;

		for (size_t i = 0; i < selection->patterns_count && !selected; i++)
			selected = xc_clause_matches(clause->id, selection->patterns[i]);
		if (!selected)
			continue;
		for (size_t i = 0; xc_case_at(i); i++)
			cases += strcmp(xc_case_at(i)->clause, clause->id) == 0;
		fprintf(out, "%-26s %-6s %d %s\n%36s%s [%s]\n", clause->id,
			xc_level_name(clause->level), cases, cases == 1 ? "case" : "cases", "",
			clause->text, clause->source);
		count++;
	}
	return count;
}

/* ---- text ------------------------------------------------------------------------------------- */

static void print_indented(FILE *out, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		fprintf(out, "      %.*s\n", (int)length, text);
		text += length + (text[length] == '\n');
	}
}

static void print_failures(FILE *out, const struct xc_plan *plan)
{
	for (size_t r = 0; r < plan->rulings_count; r++) {
		const struct xc_ruling *ruling = &plan->rulings[r];
		if (ruling->verdict != XC_FAIL && ruling->verdict != XC_UNRESOLVED)
			continue;
		fprintf(out, "\n%s %s on %s%s (case %s/%s)\n      %s: %s [%s]\n",
			xc_verdict_name(ruling->verdict), ruling->clause->id, ruling->iut->name,
			ruling->iut->peer ? ", reported only" : "", ruling->clause->id,
			ruling->entry->test->name, xc_level_name(ruling->clause->level),
			ruling->clause->text, ruling->clause->source);
		print_indented(out, ruling->entry->outcome.detail);
	}
}

/* "PASS lock.deadline  lock/futex lock/pthread", a line for each verdict that a clause got. */
static void print_clause(FILE *out, const struct xc_plan *plan, size_t first, size_t end)
{
	for (int verdict = 0; verdict < XC_VERDICT_COUNT; verdict++) {
		bool begun = false;
		for (size_t r = first; r < end; r++) {
			const struct xc_ruling *ruling = &plan->rulings[r];
			if ((int)ruling->verdict != verdict)
				continue;
			if (!begun)
				fprintf(out, "%-11s %-26s", xc_verdict_name(ruling->verdict),
					ruling->clause->id);
			fprintf(out, " %s", ruling->iut->name);
			begun = true;
		}
		if (begun)
			fputc('\n', out);
	}
}

void xc_report_text(FILE *out, const struct xc_plan *plan)
{
	size_t counts[XC_VERDICT_COUNT] = {0}, peers = 0, cases = 0;

	for (size_t r = 0, first = 0; r < plan->rulings_count; r++) {
		if (plan->rulings[r].iut->peer)
			peers++;
		else
			counts[plan->rulings[r].verdict]++;
		if (r + 1 == plan->rulings_count ||
		    plan->rulings[r + 1].clause != plan->rulings[r].clause) {
			print_clause(out, plan, first, r + 1);
			first = r + 1;
		}
	}
	for (size_t e = 0; e < plan->entries_count; e++) {
		const struct xc_entry *entry = &plan->entries[e];
		cases += entry->done;
		/* What a passed case has to say is how much it tried. */
		if (entry->done && entry->outcome.verdict == XC_PASS && entry->outcome.detail[0])
			fprintf(out, "%-30s %-18s %-20s %s\n", entry->test->clause,
				entry->test->name, entry->iut->name, entry->outcome.detail);
	}
	print_failures(out, plan);
	fprintf(out, "\n%zu of %zu cases run%s:", cases, plan->entries_count,
		plan->interrupted ? " before the interruption" : "");
	for (int verdict = 0; verdict < XC_VERDICT_COUNT; verdict++)
		fprintf(out, " %zu %s", counts[verdict], xc_verdict_name((enum xc_verdict)verdict));
	if (peers)
		fprintf(out, "; %zu on others' implementations, reported only", peers);
	fputc('\n', out);
}

/* ---- TAP -------------------------------------------------------------------------------------- */

void xc_report_tap(FILE *out, const struct xc_plan *plan)
{
	fprintf(out, "TAP version 13\n1..%zu\n", plan->rulings_count);
	for (size_t r = 0; r < plan->rulings_count; r++) {
		const struct xc_ruling *ruling = &plan->rulings[r];
		const char *detail = ruling->entry ? ruling->entry->outcome.detail : "no case ran";
		/* Only what fails the run is "not ok": not a peer, not a SHOULD. */
		bool failed = ruling->verdict == XC_FAIL && !ruling->iut->peer &&
			      ruling->clause->level == XC_MUST;

		fprintf(out, "%sok %zu - %s %s", failed ? "not " : "", r + 1, ruling->clause->id,
			ruling->iut->name);
		if (!failed && ruling->verdict != XC_PASS)
			fprintf(out, " # SKIP %s", xc_verdict_name(ruling->verdict));
		fputc('\n', out);
		if (ruling->verdict == XC_PASS || !detail[0])
			continue;
		fputs("  ---\n  detail: |\n", out);
		print_indented(out, detail);
		fputs("  ...\n", out);
	}
}

/* ---- JUnit ------------------------------------------------------------------------------------ */

static void print_xml(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\n':
			fputs("&#10;", out);
			break;
		default:
			/* XML has no way to write other control characters. */
			fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
		}
	}
}

static void print_testcase(FILE *out, const struct xc_ruling *ruling)
{
	const char *detail = ruling->entry ? ruling->entry->outcome.detail : "no case ran";

	fprintf(out, "  <testcase classname=\"%s\" name=\"%s\" time=\"%.3f\">", ruling->clause->id,
		ruling->iut->name, ruling->seconds);
	if (ruling->verdict == XC_FAIL && !ruling->iut->peer) {
		fputs("<failure message=\"", out);
		print_xml(out, ruling->clause->text);
		fputs("\">", out);
		print_xml(out, detail);
		fputs("</failure>", out);
	} else if (ruling->verdict != XC_PASS) {
		fprintf(out, "<skipped message=\"%s: ", xc_verdict_name(ruling->verdict));
		print_xml(out, detail);
		fputs("\"/>", out);
	}
	fputs("</testcase>\n", out);
}

int xc_report_junit(const char *path, const struct xc_plan *plan)
{
	size_t failures = 0, skipped = 0;

	FILE *out = fopen(path, "we");
	if (!out)
		return -errno;
	for (size_t r = 0; r < plan->rulings_count; r++) {
		const struct xc_ruling *ruling = &plan->rulings[r];
		bool failed = ruling->verdict == XC_FAIL && !ruling->iut->peer;
		failures += failed;
		skipped += !failed && ruling->verdict != XC_PASS;
	}
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuite name=\"xpconform\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\">\n",
		plan->rulings_count, failures, skipped);
	for (size_t r = 0; r < plan->rulings_count; r++)
		print_testcase(out, &plan->rulings[r]);
	fputs("</testsuite>\n", out);
	int rc = ferror(out) ? -EIO : 0;
	if (fclose(out) != 0)
		rc = -errno;
	return rc;
}
