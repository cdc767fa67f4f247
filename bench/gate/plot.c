/* SPDX-License-Identifier: MIT */
#include "gate/plot.h"

#include "gate/report.h"
#include "gate/binomial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LETTER		 7.0 /* pixels that one takes in a name, at most as a rule */
#define BASELINE_COLOUR	 "#0072B2"
#define CANDIDATE_COLOUR "#D55E00"

/* A linear axis from data to pixels. */
struct axis {
	double low, high;
	double from, to;
};

static double at(const struct axis *axis, double value)
{
	double share = (value - axis->low) / (axis->high - axis->low);
	/* What lies outside is drawn at the edge. */
	share = share < 0 ? 0 : share > 1 ? 1 : share;
	return axis->from + share * (axis->to - axis->from);
}

/* A step of 1, 2 or 5 times a power of ten that gives about @count ticks. */
static double tick_step(const struct axis *axis, int count)
{
	double raw = (axis->high - axis->low) / count;
	double power = pow(10, floor(log10(raw)));
	double digit = raw / power;
	return power * (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10);
}

const char *xg_plot_colour(enum xg_verdict verdict)
{
	switch (verdict) {
	case XG_OK:
		return "#009E73";
	case XG_IMPROVED:
		return "#0072B2";
	case XG_REGRESSED:
		return "#D55E00";
	case XG_INCONCLUSIVE:
		return "#E69F00";
	case XG_TOO_NOISY:
		return "#CC79A7";
	case XG_CONTAMINATED:
		return "#8C7A00";
	case XG_ERROR:
		return "#000000";
	default:
		return "#777777";
	}
}

/* The shape of a verdict around (x, y). */
static void marker(FILE *file, enum xg_verdict verdict, double x, double y)
{
	const char *colour = xg_plot_colour(verdict);

	if (verdict == XG_REGRESSED)
		fprintf(file, "<path d='M%.1f %.1fl7 0-3.5 -7-3.5 -7-3.5 7-3.5 7z' fill='%s'/>\n",
			x, y + 6, colour);
	else if (verdict == XG_IMPROVED)
		fprintf(file, "<path d='M%.1f %.1fl6 0-6 10-6-10z' fill='%s'/>\n", x, y - 5,
			colour);
	else if (verdict == XG_OK)
		fprintf(file, "<circle cx='%.1f' cy='%.1f' r='4.5' fill='%s'/>\n", x, y, colour);
	else
		fprintf(file, "<path d='M%.1f %.1fl5 5-5 5-5-5z' fill='%s'/>\n", x, y - 5, colour);
}

static void begin(FILE *file, double width, double height, const char *title)
{
	fprintf(file, "<svg viewBox='0 0 %.0f %.0f' width='%.0f' role='img'><title>", width, height,
		width);
	xg_text_xml(file, title);
	fprintf(file, "</title>\n");
}

static void label(FILE *file, double x, double y, const char *anchor, const char *text)
{
	fprintf(file, "<text x='%.1f' y='%.1f' text-anchor='%s'>", x, y, anchor);
	xg_text_xml(file, text);
	fputs("</text>\n", file);
}

/* Ticks along the lower edge; @scale times the value is printed, in @format. */
static void ticks_below(FILE *file, const struct axis *axis, double top, double bottom,
			const char *format_suffix, double scale)
{
	double step = tick_step(axis, 6), first = ceil(axis->low / step) * step;

	for (int i = 0; first + i * step <= axis->high + step / 1e6; i++) {
		double value = first + i * step;
		char text[XG_TEXT_MAX];
		snprintf(text, sizeof(text), "%.4g%s",
			 fabs(value) < step / 1e6 ? 0.0 : value * scale, format_suffix);
		fprintf(file, "<path class='grid' d='M%.1f %.1fV%.1f'/>\n", at(axis, value), top,
			bottom);
		label(file, at(axis, value), bottom + 15, "middle", text);
	}
}

static void ticks_left(FILE *file, const struct axis *axis, double left, double right,
		       const char *format_suffix, double scale)
{
	double step = tick_step(axis, 5), first = ceil(axis->low / step) * step;

	for (int i = 0; first + i * step <= axis->high + step / 1e6; i++) {
		double value = first + i * step;
		char text[XG_TEXT_MAX];
		snprintf(text, sizeof(text), "%.4g%s",
			 fabs(value) < step / 1e6 ? 0.0 : value * scale, format_suffix);
		fprintf(file, "<path class='grid' d='M%.1f %.1fH%.1f'/>\n", left, at(axis, value),
			right);
		label(file, left - 5, at(axis, value) + 4, "end", text);
	}
}

static void forest_row(FILE *file, const struct axis *x, const struct xg_case *tested, double y)
{
	const struct xg_estimate *estimate = &tested->estimate;
	enum xg_verdict verdict = tested->control ? XG_SKIPPED : tested->verdict;
	char change[XG_TEXT_MAX];

	label(file, x->from - 10, y + 4, "end", tested->name);
	if (estimate->pairs == 0) {
		label(file, x->to + 10, y + 4, "start", xg_verdict_word(tested->verdict));
		return;
	}
	fprintf(file, "<path d='M%.1f %.1fH%.1f' stroke='%s' stroke-width='2'/>\n",
		at(x, xg_percent(estimate->lower)), y, at(x, xg_percent(estimate->upper)),
		xg_plot_colour(verdict));
	marker(file, verdict, at(x, xg_percent(estimate->median)), y);
	char text[2 * XG_TEXT_MAX];
	snprintf(text, sizeof(text), "%s %s", xg_text_change(estimate->median, change),
		 tested->control ? "control" : xg_verdict_word(tested->verdict));
	label(file, x->to + 10, y + 4, "start", text);
}

void xg_plot_forest(const struct xg_run *run, const size_t *order, size_t count, FILE *file)
{
	struct axis x = {.low = -12, .high = 22};
	double names = 0, top = 24, row = 22, bottom = top + row * (double)count;
	char title[120];

	for (size_t i = 0; i < count; i++) {
		const struct xg_case *tested = &run->cases[order[i]];
		const struct xg_estimate *estimate = &tested->estimate;
		names = fmax(names, LETTER * (double)strlen(tested->name));
		if (estimate->pairs == 0)
			continue;
		/* A wild interval must not squeeze all others to a point. */
		x.high = fmax(x.high, fmin(120, xg_percent(estimate->upper) + 3));
		x.low = fmin(x.low, fmax(-60, xg_percent(estimate->lower) - 3));
	}
	x.from = names + 20;
	x.to = x.from + 470;
	snprintf(title, sizeof(title),
		 "Change of the time per operation, %zu cases, interval of %.0f %%", count,
		 100 * run->rule.level);
	begin(file, x.to + 180, bottom + 44, title);
	fprintf(file, "<rect class='band' x='%.1f' y='%.1f' width='%.1f' height='%.1f'/>\n", x.from,
		top, at(&x, 100 * run->rule.tolerance) - x.from, bottom - top);
	ticks_below(file, &x, top, bottom, " %", 1);
	fprintf(file, "<path class='zero' d='M%.1f %.1fV%.1f'/>\n", at(&x, 0), top, bottom);
	fprintf(file, "<path class='margin' d='M%.1f %.1fV%.1f'/>\n",
		at(&x, 100 * run->rule.margin), top, bottom);
	fprintf(file, "<path class='limit' d='M%.1f %.1fV%.1f'/>\n",
		at(&x, 100 * run->rule.tolerance), top, bottom);
	label(file, at(&x, 100 * run->rule.margin), top - 6, "middle", "margin");
	label(file, at(&x, 100 * run->rule.tolerance), top - 6, "middle", "tolerance");
	for (size_t i = 0; i < count; i++)
		forest_row(file, &x, &run->cases[order[i]], top + row * ((double)i + 0.5));
	label(file, (x.from + x.to) / 2, bottom + 34, "middle",
	      "candidate against baseline: right is slower");
	fputs("</svg>\n", file);
}

/* The range of both arms' times without the outermost 1 %, and a unit for it. */
static int time_range(const struct xg_case *tested, double *ret_low, double *ret_high)
{
	size_t count = 2 * tested->pair_count;
	double *values = malloc(count * sizeof(*values));

	if (!values)
		return -ENOMEM;
	for (size_t i = 0; i < tested->pair_count; i++) {
		values[2 * i] = tested->pairs[i].baseline_ns;
		values[2 * i + 1] = tested->pairs[i].candidate_ns;
	}
	xg_sort(values, count);
	double low = xg_quantile(values, count, 0.01), high = xg_quantile(values, count, 0.99);
	double room = fmax((high - low) * 0.08, high * 1e-3);
	*ret_low = low - room;
	*ret_high = high + room;
	free(values);
	return 0;
}

static const char *time_unit(double ns, double *ret_scale)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	size_t unit = 0;

	*ret_scale = 1;
	while (unit < 3 && ns * *ret_scale >= 1000) {
		*ret_scale /= 1000;
		unit++;
	}
	return units[unit];
}

void xg_plot_scatter(const struct xg_run *run, const struct xg_case *tested, FILE *file)
{
	struct axis x = {.from = 70, .to = 320}, y = {.from = 280, .to = 30};
	char title[XG_NAME_MAX + 80], text[80];
	double scale;

	if (time_range(tested, &x.low, &x.high) < 0)
		return;
	y.low = x.low;
	y.high = x.high;
	const char *unit = time_unit(x.high, &scale);
	snprintf(title, sizeof(title), "%s: candidate over baseline, %zu pairs", tested->name,
		 tested->pair_count);
	begin(file, 340, 330, title);
	ticks_below(file, &x, y.to, y.from, "", scale);
	ticks_left(file, &y, x.from, x.to, "", scale);
	fprintf(file, "<path class='zero' d='M%.1f %.1fL%.1f %.1f'/>\n", x.from, y.from, x.to,
		y.to);
	double edge = x.high / (1 + run->rule.tolerance);
	fprintf(file, "<path class='limit' d='M%.1f %.1fL%.1f %.1f'/>\n", at(&x, x.low),
		at(&y, x.low * (1 + run->rule.tolerance)), at(&x, edge), at(&y, x.high));
	for (size_t i = 0; i < tested->pair_count; i++)
		fprintf(file, "<circle class='dot' cx='%.1f' cy='%.1f' r='2'/>\n",
			at(&x, tested->pairs[i].baseline_ns),
			at(&y, tested->pairs[i].candidate_ns));
	snprintf(text, sizeof(text), "baseline, %s per operation", unit);
	label(file, (x.from + x.to) / 2, y.from + 34, "middle", text);
	snprintf(text, sizeof(text), "candidate, %s; n = %zu pairs", unit, tested->pair_count);
	label(file, x.from, y.to - 10, "start", text);
	fputs("</svg>\n", file);
}

static void ecdf_line(FILE *file, const struct axis *x, const struct axis *y, const double *sorted,
		      size_t count, const char *colour, const char *dashes)
{
	fprintf(
	    file,
	    "<path fill='none' stroke='%s' stroke-width='2' stroke-dasharray='%s' d='M%.1f %.1f",
	    colour, dashes, at(x, sorted[0]), y->from);
	for (size_t i = 0; i < count; i++)
		fprintf(file, "H%.1fV%.1f", at(x, sorted[i]),
			at(y, (double)(i + 1) / (double)count));
	fputs("'/>\n", file);
}

int xg_plot_ecdf(const struct xg_case *tested, FILE *file)
{
	struct axis x = {.from = 60, .to = 320}, y = {.low = 0, .high = 1, .from = 280, .to = 30};
	size_t count = tested->pair_count;
	char title[XG_NAME_MAX + 80], text[80];
	double scale;
	double *values = malloc((2 * count + 1) * sizeof(*values));

	if (!values || time_range(tested, &x.low, &x.high) < 0) {
		free(values);
		return -ENOMEM;
	}
	const char *unit = time_unit(x.high, &scale);
	for (size_t i = 0; i < count; i++) {
		values[i] = tested->pairs[i].baseline_ns;
		values[count + i] = tested->pairs[i].candidate_ns;
	}
	xg_sort(values, count);
	xg_sort(values + count, count);
	snprintf(title, sizeof(title),
		 "%s: share of slices at or below a time, %zu slices of each arm", tested->name,
		 count);
	begin(file, 340, 330, title);
	ticks_below(file, &x, y.to, y.from, "", scale);
	ticks_left(file, &y, x.from, x.to, " %", 100);
	ecdf_line(file, &x, &y, values, count, BASELINE_COLOUR, "none");
	ecdf_line(file, &x, &y, values + count, count, CANDIDATE_COLOUR, "6 3");
	snprintf(text, sizeof(text), "%s per operation; dashed: candidate", unit);
	label(file, (x.from + x.to) / 2, y.from + 34, "middle", text);
	snprintf(text, sizeof(text), "share of slices; n = %zu of each arm", count);
	label(file, x.from, y.to - 10, "start", text);
	fputs("</svg>\n", file);
	free(values);
	return 0;
}

/* What 95 of 100 pairs changed by at most, in percent. */
static double usual_reach(const struct xg_case *tested)
{
	double *values = malloc((tested->pair_count + 1) * sizeof(*values)), reach = 0;

	for (size_t i = 0; values && i < tested->pair_count; i++)
		values[i] = fabs(
		    xg_percent(log(tested->pairs[i].candidate_ns / tested->pairs[i].baseline_ns)));
	if (values && tested->pair_count > 0) {
		xg_sort(values, tested->pair_count);
		reach = xg_quantile(values, tested->pair_count, 0.95);
	}
	free(values);
	return fmin(reach, 200);
}

void xg_plot_drift(const struct xg_run *run, const struct xg_case *tested, FILE *file)
{
	struct axis x = {.from = 60, .to = 320}, y = {.from = 280, .to = 30};
	char title[XG_NAME_MAX + 80], text[80];
	double reach = 100 * run->rule.tolerance + 3;

	for (size_t i = 0; i < tested->pair_count; i++)
		x.high = fmax(x.high, tested->pairs[i].at_s + 0.1);
	reach = fmax(reach, usual_reach(tested));
	y.low = -reach;
	y.high = reach;
	snprintf(title, sizeof(title), "%s: change of each pair over the run, %u launches",
		 tested->name, tested->launches);
	begin(file, 340, 330, title);
	fprintf(file, "<rect class='band' x='%.1f' y='%.1f' width='%.1f' height='%.1f'/>\n", x.from,
		at(&y, 100 * run->rule.tolerance), x.to - x.from,
		y.from - at(&y, 100 * run->rule.tolerance));
	ticks_below(file, &x, y.to, y.from, "", 1);
	ticks_left(file, &y, x.from, x.to, " %", 1);
	fprintf(file, "<path class='zero' d='M%.1f %.1fH%.1f'/>\n", x.from, at(&y, 0), x.to);
	for (size_t i = 0; i < tested->pair_count; i++) {
		const struct xg_pair *pair = &tested->pairs[i];
		double change = xg_percent(log(pair->candidate_ns / pair->baseline_ns));
		/* Launches alternate between filled and hollow. */
		fprintf(file, "<circle class='%s' cx='%.1f' cy='%.1f' r='2.2'/>\n",
			pair->launch % 2 ? "ring" : "dot", at(&x, pair->at_s), at(&y, change));
	}
	label(file, (x.from + x.to) / 2, y.from + 34, "middle", "seconds since the run began");
	snprintf(text, sizeof(text), "change; n = %zu pairs in %u launches", tested->pair_count,
		 tested->launches);
	label(file, x.from, y.to - 10, "start", text);
	fputs("</svg>\n", file);
}
