/* SPDX-License-Identifier: MIT */
#include "bench/targets.h"

#include <fnmatch.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX 64
#define TEXT_MAX   256

enum relation { MOST, LEAST };

static const struct target {
	const char *group, *title;
	const char *subject, *subject_field;
	const char *reference, *reference_field;
	enum relation relation;
	double limit;
} targets[] = {
#define X(group, title, subject, field, reference, reference_field, relation, limit) \
	{group, title, subject, field, reference, reference_field, relation, limit},
#include "bench/targets.def"
#undef X
};

struct report {
	json_t *records; /* array */
	char places[PLACES_MAX][64];
	size_t place_count;
};

static const char *name_of(const json_t *record)
{
	const char *name = json_string_value(json_object_get(record, "name"));

	return name ? name : "";
}

static void note_place(struct report *report, const json_t *record)
{
	const char *slash = strrchr(name_of(record), '/');

	if (!slash || report->place_count == PLACES_MAX)
		return;
	for (size_t i = 0; i < report->place_count; i++)
		if (strcmp(report->places[i], slash + 1) == 0)
			return;
	snprintf(report->places[report->place_count++], sizeof(report->places[0]), "%s", slash + 1);
}

static int load(struct report *report, const char *run)
{
	char path[4096], *line = NULL;
	size_t room = 0;
	int number = 0, rc = 0;

	snprintf(path, sizeof(path), "%s/bench.json", run);
	FILE *in = fopen(path, "re");
	if (!in)
		return -ENOENT;
	while (rc == 0 && getline(&line, &room, in) > 0) {
		json_error_t error;
		json_t *record = json_loads(line, 0, &error);
		number++;
		if (!json_is_object(record) || !strchr(line, '\n')) {
			fprintf(stderr, "%s:%d: %s\n", path, number,
				record ? "not a whole record" : error.text);
			rc = -EPROTO;
		} else {
			note_place(report, record);
			json_array_append(report->records, record);
		}
		json_decref(record);
	}
	free(line);
	fclose(in);
	return rc;
}

/* '@' of @pattern becomes @place. */
static void at_place(const char *pattern, const char *place, char name[TEXT_MAX])
{
	const char *at = strchr(pattern, '@');

	if (at)
		snprintf(name, TEXT_MAX, "%.*s%s%s", (int)(at - pattern), pattern, place, at + 1);
	else
		snprintf(name, TEXT_MAX, "%s", pattern);
}

/* The best valid or suspect record that matches, by its own idea of better. */
static const json_t *find(const struct report *report, const char *pattern, const char *field)
{
	const json_t *best = NULL, *record;
	size_t i;

	json_array_foreach(report->records, i, record)
	{
		const json_t *figure = json_object_get(record, field);
		const char *valid = json_string_value(json_object_get(record, "valid"));
		if (!json_is_number(figure) || !valid || strcmp(valid, "invalid") == 0 ||
		    fnmatch(pattern, name_of(record), 0) != 0)
			continue;
		const char *better = json_string_value(json_object_get(record, "better"));
		bool higher = better && strcmp(better, "higher") == 0;
		double old = best ? json_number_value(json_object_get(best, field)) : 0;
		double new = json_number_value(figure);
		if (!best || (higher ? new > old : new < old))
			best = record;
	}
	return best;
}

static void print_figure(FILE *out, double value, const char *unit)
{
	if (strcmp(unit, "ns") == 0 && value >= 1000)
		fprintf(out, " | %.4g us", value / 1000);
	else if (strstr(unit, "/s") && value >= 1e6)
		fprintf(out, " | %.4g M%s", value / 1e6, unit);
	else
		fprintf(out, " | %.4g %s", value, unit);
}

static const char *unit_of(const json_t *record, const char *field)
{
	const char *unit = json_string_value(json_object_get(record, "unit"));

	if (strcmp(field, "fairness") == 0)
		return "";
	if (strstr(field, "cpu_s_per_op"))
		return "s";
	if (strcmp(field, "bytes_per_s") == 0)
		return "bytes/s";
	return unit ? unit : "";
}

/* The paired ratio to @reference, where the two were run side by side; else 0. */
static double paired_ratio(const json_t *subject, const json_t *reference)
{
	const json_t *rival;
	size_t i;

	json_array_foreach(json_object_get(subject, "rivals"), i, rival)
	{
		if (strcmp(name_of(rival), name_of(reference)) == 0)
			return json_number_value(json_object_get(rival, "ratio"));
	}
	return 0;
}

/* One row, if there is something to compare on @place. Return: whether there was. */
static bool print_row(const struct report *report, const struct target *target, const char *place,
		      FILE *out)
{
	char subject_name[TEXT_MAX], reference_name[TEXT_MAX];
	bool own_floor = strcmp(target->reference, "floor") == 0;

	at_place(target->subject, place, subject_name);
	at_place(target->reference, place, reference_name);
	const json_t *subject = find(report, subject_name, target->subject_field);
	const json_t *reference = own_floor ? json_object_get(subject, "floor")
				  : target->reference[0]
				      ? find(report, reference_name, target->reference_field)
				      : NULL;
	if (!subject || (target->reference[0] && !reference))
		return false;
	const char *field = own_floor ? "value" : target->reference_field;
	double figure = json_number_value(json_object_get(subject, target->subject_field));
	double base = reference ? json_number_value(json_object_get(reference, field)) : 1;
	double ratio =
	    own_floor ? json_number_value(json_object_get(reference, "ratio")) : figure / base;
	double paired =
	    own_floor || strcmp(target->subject_field, "value") != 0 || strcmp(field, "value") != 0
		? 0
		: paired_ratio(subject, reference);
	if (paired > 0)
		ratio = paired;
	bool met = target->relation == MOST ? ratio <= target->limit : ratio >= target->limit;
	const char *valid = json_string_value(json_object_get(subject, "valid"));

	fprintf(out, "| %s | %s", target->title, name_of(subject));
	print_figure(out, figure, unit_of(subject, target->subject_field));
	if (reference) {
		fprintf(out, " | %s", name_of(reference));
		print_figure(out, base, unit_of(reference, field));
		fprintf(out, " | %.3g", ratio);
	} else {
		fprintf(out, " | - | - | -");
	}
	fprintf(out, " | %s %g | %s%s |\n", target->relation == MOST ? "<=" : ">=", target->limit,
		met ? "met" : "not met", strcmp(valid, "valid") == 0 ? "" : " (suspect)");
	return true;
}

static void print_group(const struct report *report, const char *group, FILE *out)
{
	fprintf(out,
		"\n%s\n\n| target | record | figure | floor or peer | its figure | ratio | "
		"required | verdict |\n|---|---|---|---|---|---|---|---|\n",
		group);
	for (size_t t = 0; t < sizeof(targets) / sizeof(*targets); t++) {
		bool any = false;
		if (strcmp(targets[t].group, group) != 0)
			continue;
		/* Without a place in the pattern there is one row. */
		size_t places = strchr(targets[t].subject, '@') ? report->place_count : 1;
		for (size_t p = 0; p < places; p++)
			any |= print_row(report, &targets[t],
					 report->place_count ? report->places[p] : "", out);
		if (!any)
			fprintf(out, "| %s | %s | - | %s | - | - | %s %g | absent |\n",
				targets[t].title, targets[t].subject, targets[t].reference,
				targets[t].relation == MOST ? "<=" : ">=", targets[t].limit);
	}
}

int xb_targets_report(const char *run, FILE *out)
{
	struct report report = {.records = json_array()};
	const char *last = "";
	int rc = load(&report, run);

	for (size_t t = 0; rc == 0 && t < sizeof(targets) / sizeof(*targets); t++) {
		if (strcmp(targets[t].group, last) != 0)
			print_group(&report, targets[t].group, out);
		last = targets[t].group;
	}
	json_decref(report.records);
	return rc;
}
