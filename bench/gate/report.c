/* SPDX-License-Identifier: MIT */
#include "gate/report.h"

#include "gate/output.h"

#include <math.h>
#include <string.h>

int xg_report_write(const struct xg_run *run, const char *format, const char *path)
{
	static const struct {
		const char *name;
		void (*write)(const struct xg_run *run, FILE *file);
	} formats[] = {
#define X(name) {#name, xg_report_##name},
	    XG_FORMAT_EACH(X)
#undef X
	};
	struct xg_output output;

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i].name, format) != 0)
			continue;
		int rc = xg_output_open(&output, path);
		if (rc < 0)
			return rc;
		formats[i].write(run, output.file);
		return xg_output_commit(&output);
	}
	return -EINVAL;
}

const char *xg_text_time(double ns, char buffer[static XG_TEXT_MAX])
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	size_t unit = 0;

	while (unit < 3 && ns >= 999.5) {
		ns /= 1000;
		unit++;
	}
	int digits = ns >= 99.95 ? 0 : ns >= 9.995 ? 1 : 2;
	snprintf(buffer, XG_TEXT_MAX, "%.*f %s", digits, ns, units[unit]);
	return buffer;
}

const char *xg_text_change(double log_ratio, char buffer[static XG_TEXT_MAX])
{
	snprintf(buffer, XG_TEXT_MAX, "%+.1f %%", xg_percent(log_ratio));
	return buffer;
}

const char *xg_text_caveat(const struct xg_run *run)
{
	if (run->interrupted)
		return "INTERRUPTED: this report is partial";
	if (run->out_of_time)
		return "out of time: not all that was planned was measured";
	return run->complete ? "" : "INCOMPLETE: this report is partial";
}

void xg_text_headline(const struct xg_run *run, char *buffer, size_t size)
{
	size_t used = 0, failed = xg_run_count(run, XG_ERROR);
	size_t regressed = xg_run_count(run, XG_REGRESSED);
	const char *start;

	if (failed > 0)
		start = "A case could not be measured";
	else if (regressed > 0)
		start = "Regression confirmed";
	else if (run->exit == XG_EXIT_NOTHING)
		start = "Nothing could run";
	else if (run->contaminated)
		start = "No verdict: the machine was not quiet enough";
	else if (run->exit == XG_EXIT_INCONCLUSIVE)
		start = "Not decided";
	else
		start = "No regression found";
	used = (size_t)snprintf(buffer, size, "%s:", start);
	for (int v = 0, listed = 0; v < XG_VERDICTS && used < size; v++) {
		size_t count = xg_run_count(run, (enum xg_verdict)v);
		if (count > 0)
			used += (size_t)snprintf(buffer + used, size - used, "%s %zu %s",
						 listed++ ? "," : "", count,
						 xg_verdict_word((enum xg_verdict)v));
	}
}

void xg_text_xml(FILE *file, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '<')
			fputs("&lt;", file);
		else if (c == '>')
			fputs("&gt;", file);
		else if (c == '&')
			fputs("&amp;", file);
		else if (c == '"')
			fputs("&quot;", file);
		else if (c == '\t' || c == '\n' || c >= ' ')
			fputc(c, file);
		else
			fputc('?', file);
	}
}
