/* SPDX-License-Identifier: MIT */
#include "gate/stored.h"

#include "gate/binomial.h"
#include "gate/output.h"

#include <stdlib.h>
#include <string.h>

#define HISTORY_LINE_MAX 4096

void xg_stored_fini(struct xg_stored *stored)
{
	for (size_t i = 0; i < stored->case_count; i++)
		xg_counts_fini(&stored->cases[i].counts);
	free(stored->cases);
	json_decref(stored->machine);
	free(stored->commit);
	free(stored->command);
	*stored = (struct xg_stored){0};
}

struct xg_stored_case *xg_stored_find(const struct xg_stored *stored, const char *name)
{
	for (size_t i = 0; i < stored->case_count; i++) {
		if (strcmp(stored->cases[i].name, name) == 0)
			return &stored->cases[i];
	}
	return NULL;
}

/* The medians of the launches of @tested, both arms being the same build, sorted. */
static double *launch_medians(const struct xg_case *tested, size_t *ret_count)
{
	double *medians = calloc(tested->launches + 1, sizeof(*medians));
	double *values = calloc(2 * tested->pair_count + 1, sizeof(*values));

	*ret_count = 0;
	for (unsigned launch = 0; medians && values && launch < tested->launches; launch++) {
		size_t count = 0;
		for (size_t i = 0; i < tested->pair_count; i++) {
			if (tested->pairs[i].launch != launch)
				continue;
			values[count++] = tested->pairs[i].baseline_ns;
			values[count++] = tested->pairs[i].candidate_ns;
		}
		if (count == 0)
			continue;
		xg_sort(values, count);
		medians[(*ret_count)++] = xg_median(values, count);
	}
	free(values);
	if (medians)
		xg_sort(medians, *ret_count);
	return medians;
}

int xg_stored_take(struct xg_stored *stored, const struct xg_run *run)
{
	for (size_t i = 0; i < run->case_count; i++) {
		const struct xg_case *tested = &run->cases[i];
		struct xg_stored_case *kept = xg_stored_find(stored, tested->name);
		bool spin = strcmp(tested->name, xg_controls()[0]) == 0;
		size_t count;
		if ((!kept && !spin) || tested->failure[0])
			continue;
		double *medians = launch_medians(tested, &count);
		if (!medians)
			return -ENOMEM;
		if (count > 0 && spin)
			stored->spin_ns = xg_median(medians, count);
		if (count > 0 && kept) {
			kept->ns = xg_median(medians, count);
			kept->lower_ns = medians[0];
			kept->upper_ns = medians[count - 1];
		}
		free(medians);
	}
	return 0;
}

int xg_stored_save(const struct xg_stored *stored, const char *path)
{
	struct xg_output output;
	json_t *cases = json_array();

	for (size_t i = 0; i < stored->case_count; i++) {
		const struct xg_stored_case *kept = &stored->cases[i];
		json_t *entry = json_pack("{s:s, s:o}", "name", kept->name, "counts",
					  xg_counts_json(&kept->counts));
		if (kept->ns > 0)
			json_object_set_new(entry, "time",
					    json_pack("{s:f, s:f, s:f}", "ns", kept->ns, "lower_ns",
						      kept->lower_ns, "upper_ns", kept->upper_ns));
		json_array_append_new(cases, entry);
	}
	json_t *root = json_pack("{s:i, s:s, s:s, s:s, s:O}", "schema", XG_STORED_SCHEMA, "program",
				 "xpgate baseline", "command", stored->command, "made",
				 stored->made, "machine", stored->machine);
	if (stored->commit)
		json_object_set_new(root, "commit", json_string(stored->commit));
	if (stored->spin_ns > 0)
		json_object_set_new(root, "spin_ns", json_real(stored->spin_ns));
	json_object_set_new(root, "cases", cases);
	int rc = root ? xg_output_open(&output, path) : -ENOMEM;
	if (rc == 0) {
		json_dumpf(root, output.file, JSON_INDENT(1) | JSON_REAL_PRECISION(7));
		fputc('\n', output.file);
		rc = xg_output_commit(&output);
	}
	json_decref(root);
	return rc;
}

static int load_cases(struct xg_stored *stored, const json_t *list)
{
	stored->cases = calloc(json_array_size(list) + 1, sizeof(*stored->cases));
	if (!stored->cases)
		return -ENOMEM;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i),
			     *times = json_object_get(entry, "time");
		const char *name = json_string_value(json_object_get(entry, "name"));
		struct xg_stored_case *kept = &stored->cases[i];
		if (!name || strlen(name) >= sizeof(kept->name))
			return -EPROTO;
		int rc = xg_counts_load(json_object_get(entry, "counts"), &kept->counts);
		if (rc < 0)
			return rc;
		stored->case_count = i + 1;
		snprintf(kept->name, sizeof(kept->name), "%s", name);
		kept->ns = json_number_value(json_object_get(times, "ns"));
		kept->lower_ns = json_number_value(json_object_get(times, "lower_ns"));
		kept->upper_ns = json_number_value(json_object_get(times, "upper_ns"));
	}
	return 0;
}

int xg_stored_load(const char *path, struct xg_stored *ret_stored, char *ret_why)
{
	struct xg_stored stored = {0};
	json_error_t error;
	int rc = -EPROTO;
	FILE *file = fopen(path, "re");

	if (!file) {
		rc = -errno;
		snprintf(ret_why, XG_REASON_MAX, "%.180s: %s", path, strerror(-rc));
		return rc;
	}
	json_t *root = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
	fclose(file);
	const char *program = json_string_value(json_object_get(root, "program"));
	json_int_t schema = json_integer_value(json_object_get(root, "schema"));
	if (!root) {
		snprintf(ret_why, XG_REASON_MAX, "%.120s:%d: %.80s", path, error.line, error.text);
		return rc;
	}
	if (!program || strcmp(program, "xpgate baseline") != 0) {
		snprintf(ret_why, XG_REASON_MAX, "%.180s is not a baseline of xpgate", path);
	} else if (schema != XG_STORED_SCHEMA) {
		snprintf(ret_why, XG_REASON_MAX, "%.150s has schema %lld, this gate reads %d", path,
			 (long long)schema, XG_STORED_SCHEMA);
	} else {
		rc = load_cases(&stored, json_object_get(root, "cases"));
		stored.machine = json_incref(json_object_get(root, "machine"));
		stored.spin_ns = json_number_value(json_object_get(root, "spin_ns"));
		const char *commit = json_string_value(json_object_get(root, "commit"));
		stored.commit = commit ? strdup(commit) : NULL;
		if (rc == 0 && !json_is_object(stored.machine))
			rc = -EPROTO;
		if (rc < 0)
			snprintf(ret_why, XG_REASON_MAX,
				 "%.180s: a baseline, but its fields are malformed", path);
	}
	json_decref(root);
	if (rc < 0)
		xg_stored_fini(&stored);
	else
		*ret_stored = stored;
	return rc;
}

static json_t *history_entry(const struct xg_run *run, const struct xg_case *tested)
{
	const struct xg_estimate *estimate = &tested->estimate;
	json_t *entry = json_pack("{s:i, s:s, s:s, s:s}", "schema", 1, "time", run->started, "case",
				  tested->name, "verdict", xg_verdict_word(tested->verdict));
	json_t *costs = json_object();

	if (run->baseline_commit)
		json_object_set_new(entry, "baseline_commit", json_string(run->baseline_commit));
	if (run->candidate_commit)
		json_object_set_new(entry, "commit", json_string(run->candidate_commit));
	json_object_set(entry, "cpu", json_object_get(run->machine, "cpu"));
	json_object_set(entry, "kernel", json_object_get(run->machine, "kernel"));
	if (estimate->pairs > 0) {
		json_object_set_new(entry, "ns", json_real(estimate->candidate_ns));
		json_object_set_new(entry, "baseline_ns", json_real(estimate->baseline_ns));
		json_object_set_new(entry, "ln_ratio", json_real(estimate->median));
	}
	for (size_t i = 0; i < tested->cost_count; i++) {
		const struct xg_cost *cost = &tested->costs[i];
		if (cost->state != XG_COST_NOT_COUNTED && cost->state != XG_COST_UNSTABLE)
			json_object_set_new(costs, cost->name, json_real(cost->candidate));
	}
	if (json_object_size(costs) > 0)
		json_object_set(entry, "costs", costs);
	json_decref(costs);
	return entry;
}

int xg_history_append(const char *path, const struct xg_run *run)
{
	char *lines = NULL;
	size_t size;
	FILE *memory = open_memstream(&lines, &size);

	if (!memory)
		return -ENOMEM;
	for (size_t i = 0; i < run->case_count; i++) {
		const struct xg_case *tested = &run->cases[i];
		if (tested->control || tested->verdict == XG_SKIPPED)
			continue;
		json_t *entry = history_entry(run, tested);
		json_dumpf(entry, memory, JSON_COMPACT | JSON_REAL_PRECISION(7));
		fputc('\n', memory);
		json_decref(entry);
	}
	int rc = fclose(memory) == 0 ? xg_output_append(path, lines) : -ENOMEM;
	free(lines);
	return rc;
}

/* A field of CSV as in RFC 4180. */
static void put_field(FILE *file, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		fputs(text, file);
		return;
	}
	fputc('"', file);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', file);
		fputc(*text, file);
	}
	fputc('"', file);
}

static const char *text_of(const json_t *entry, const char *key)
{
	const char *text = json_string_value(json_object_get(entry, key));
	return text ? text : "";
}

static void put_value(FILE *file, const json_t *entry, const char *metric, const json_t *value)
{
	char machine[300];

	if (!json_is_number(value))
		return;
	snprintf(machine, sizeof(machine), "%s %s", text_of(entry, "cpu"),
		 text_of(entry, "kernel"));
	put_field(file, text_of(entry, "time"));
	fputc(',', file);
	put_field(file, text_of(entry, "commit"));
	fputc(',', file);
	put_field(file, machine);
	fputc(',', file);
	put_field(file, text_of(entry, "case"));
	fputc(',', file);
	put_field(file, metric);
	fprintf(file, ",%.7g\n", json_number_value(value));
}

int xg_history_export(const char *path, FILE *file, char *ret_why)
{
	char line[HISTORY_LINE_MAX];
	FILE *history = fopen(path, "re");
	unsigned number = 0;
	int rc = 0;

	if (!history) {
		rc = -errno;
		snprintf(ret_why, XG_REASON_MAX, "%.180s: %s", path, strerror(-rc));
		return rc;
	}
	fputs("time,commit,machine,case,metric,value\n", file);
	while (rc == 0 && fgets(line, sizeof(line), history)) {
		json_error_t error;
		const char *metric;
		json_t *value;
		number++;
		json_t *entry = json_loads(line, JSON_REJECT_DUPLICATES, &error);
		if (!entry || !strchr(line, '\n') || !text_of(entry, "case")[0]) {
			snprintf(ret_why, XG_REASON_MAX, "%.120s:%u: %.80s", path, number,
				 entry ? "not a whole line of a history" : error.text);
			rc = -EPROTO;
		} else {
			put_value(file, entry, "ns", json_object_get(entry, "ns"));
			put_value(file, entry, "ln_ratio", json_object_get(entry, "ln_ratio"));
			json_object_foreach(json_object_get(entry, "costs"), metric, value)
			{
				put_value(file, entry, metric, value);
			}
		}
		json_decref(entry);
	}
	fclose(history);
	return rc;
}
