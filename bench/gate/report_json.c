/* SPDX-License-Identifier: MIT */
/* The run as JSON, both ways. results/gate/README.md describes the fields. */
#include "gate/report.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text && text[0])
		json_object_set_new(object, key, json_string(text));
}

static json_t *estimate_json(const struct xg_estimate *estimate)
{
	json_t *object =
	    json_pack("{s:I, s:i, s:i, s:i, s:f, s:f, s:f}", "pairs", (json_int_t)estimate->pairs,
		      "launches", estimate->launches, "launches_worse", estimate->worse,
		      "launches_better", estimate->better, "ln_ratio", estimate->median,
		      "baseline_ns", estimate->baseline_ns, "candidate_ns", estimate->candidate_ns);
	if (estimate->bounded) {
		json_object_set_new(object, "ln_lower", json_real(estimate->lower));
		json_object_set_new(object, "ln_upper", json_real(estimate->upper));
	}
	return object;
}

static json_t *costs_json(const struct xg_case *tested)
{
	json_t *list = json_array();

	for (size_t i = 0; i < tested->cost_count; i++) {
		const struct xg_cost *cost = &tested->costs[i];
		json_t *entry =
		    json_pack("{s:s, s:s}", "name", cost->name, "state", xg_cost_word(cost->state));
		if (cost->state != XG_COST_NOT_COUNTED) {
			json_object_set_new(entry, "baseline", json_real(cost->baseline));
			json_object_set_new(entry, "candidate", json_real(cost->candidate));
		}
		set_text(entry, "detail", cost->detail);
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *case_json(const struct xg_case *tested)
{
	json_t *object = json_pack(
	    "{s:s, s:b, s:s, s:s, s:I, s:i, s:i}", "name", tested->name, "control", tested->control,
	    "verdict", xg_verdict_word(tested->verdict), "reason", tested->reason, "iterations",
	    (json_int_t)tested->iterations, "launches", tested->launches, "looks", tested->looks);
	json_t *pairs = json_array();

	set_text(object, "missing", tested->missing);
	set_text(object, "failure", tested->failure);
	if (tested->failure[0])
		set_text(object, "failed_arm", tested->failed_candidate ? "candidate" : "baseline");
	if (tested->confirm_from)
		json_object_set_new(object, "confirm_from", json_integer(tested->confirm_from));
	if (tested->estimate.pairs > 0)
		json_object_set_new(object, "estimate", estimate_json(&tested->estimate));
	if (tested->fresh.pairs > 0)
		json_object_set_new(object, "fresh", estimate_json(&tested->fresh));
	if (tested->cost_count > 0)
		json_object_set_new(object, "costs", costs_json(tested));
	for (size_t i = 0; i < tested->pair_count; i++) {
		const struct xg_pair *pair = &tested->pairs[i];
		json_array_append_new(pairs, json_pack("[i,f,f,f,i]", pair->launch, pair->at_s,
						       pair->baseline_ns, pair->candidate_ns,
						       pair->candidate_first));
	}
	json_object_set_new(object, "pairs", pairs);
	return object;
}

void xg_report_json(const struct xg_run *run, FILE *file)
{
	const struct xg_rule *rule = &run->rule;
	json_t *root = json_pack(
	    "{s:i, s:s, s:s, s:I, s:s, s:f, s:b, s:b, s:b, s:b, s:i, s:f}", "schema", XG_RUN_SCHEMA,
	    "program", "xpgate", "command", run->command, "seed", (json_int_t)run->seed, "started",
	    run->started, "seconds", run->seconds, "complete", run->complete, "interrupted",
	    run->interrupted, "out_of_time", run->out_of_time, "contaminated", run->contaminated,
	    "exit", run->exit, "steal_percent", run->steal_percent);
	json_t *cases = json_array();

	if (run->inject > 0)
		json_object_set_new(root, "inject", json_real(run->inject));
	json_object_set_new(root, "rule",
			    json_pack("{s:f, s:f, s:f, s:i, s:i}", "margin", rule->margin,
				      "tolerance", rule->tolerance, "level", rule->level,
				      "launches", rule->launches, "looks_max", rule->looks_max));
	set_text(root, "baseline", run->baseline);
	set_text(root, "candidate", run->candidate);
	set_text(root, "baseline_commit", run->baseline_commit);
	set_text(root, "candidate_commit", run->candidate_commit);
	if (run->machine)
		json_object_set(root, "machine", run->machine);
	for (size_t i = 0; i < run->case_count; i++)
		json_array_append_new(cases, case_json(&run->cases[i]));
	json_object_set_new(root, "cases", cases);
	/* Nine digits are more than a clock gives, and half the size of seventeen. */
	json_dumpf(root, file, JSON_COMPACT | JSON_REAL_PRECISION(9));
	fputc('\n', file);
	json_decref(root);
}

static void copy_text(char *target, size_t size, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	snprintf(target, size, "%s", text ? text : "");
}

static char *take_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? strdup(text) : NULL;
}

static int load_pairs(struct xg_case *tested, const json_t *list)
{
	size_t index;
	const json_t *entry;

	json_array_foreach(list, index, entry)
	{
		int launch, candidate_first;
		struct xg_pair pair = {0};
		if (json_unpack((json_t *)(uintptr_t)entry, "[i,F,F,F,i]", &launch, &pair.at_s,
				&pair.baseline_ns, &pair.candidate_ns, &candidate_first) < 0)
			return -EPROTO;
		if (launch < 0 || (unsigned)launch >= tested->launches || !(pair.baseline_ns > 0) ||
		    !(pair.candidate_ns > 0))
			return -EPROTO;
		pair.launch = (unsigned)launch;
		pair.candidate_first = candidate_first;
		int rc = xg_case_add_pair(tested, &pair);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int load_costs(struct xg_case *tested, const json_t *list)
{
	static const char *const known[] = {"syscalls",	   "faults",	   "switches",
					    "allocations", "instructions", "shared bytes"};
	size_t index;
	const json_t *entry;

	json_array_foreach(list, index, entry)
	{
		const char *name = json_string_value(json_object_get(entry, "name"));
		const char *state = json_string_value(json_object_get(entry, "state"));
		struct xg_cost *cost = &tested->costs[tested->cost_count];
		if (!name || !state || tested->cost_count == XG_COSTS_MAX)
			return -EPROTO;
		*cost = (struct xg_cost){.state = XG_COST_NOT_COUNTED};
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
			if (strcmp(known[i], name) == 0)
				cost->name = known[i];
		}
		if (!cost->name)
			return -EPROTO;
		while (strcmp(xg_cost_word(cost->state), state) != 0) {
			if (cost->state == XG_COST_SAME)
				return -EPROTO;
			cost->state--;
		}
		cost->baseline = json_number_value(json_object_get(entry, "baseline"));
		cost->candidate = json_number_value(json_object_get(entry, "candidate"));
		copy_text(cost->detail, sizeof(cost->detail), entry, "detail");
		tested->cost_count++;
	}
	return 0;
}

static int load_case(struct xg_case *tested, const json_t *object)
{
	json_int_t launches = json_integer_value(json_object_get(object, "launches"));
	json_int_t confirm = json_integer_value(json_object_get(object, "confirm_from"));
	json_int_t iterations = json_integer_value(json_object_get(object, "iterations"));

	if (launches < 0 || launches > XG_LAUNCH_MAX || confirm < 0 || confirm > launches ||
	    iterations < 0)
		return -EPROTO;
	copy_text(tested->name, sizeof(tested->name), object, "name");
	copy_text(tested->missing, sizeof(tested->missing), object, "missing");
	copy_text(tested->failure, sizeof(tested->failure), object, "failure");
	tested->control = json_is_true(json_object_get(object, "control"));
	tested->launches = (unsigned)launches;
	tested->confirm_from = (unsigned)confirm;
	tested->iterations = (uint64_t)iterations;
	if (!tested->name[0] || !json_is_array(json_object_get(object, "pairs")))
		return -EPROTO;
	int rc = load_costs(tested, json_object_get(object, "costs"));
	return rc < 0 ? rc : load_pairs(tested, json_object_get(object, "pairs"));
}

static int load_rule(struct xg_rule *rule, const json_t *root)
{
	int launches, looks_max;

	if (json_unpack((json_t *)(uintptr_t)root, "{s:{s:F, s:F, s:F, s:i, s:i}}", "rule",
			"margin", &rule->margin, "tolerance", &rule->tolerance, "level",
			&rule->level, "launches", &launches, "looks_max", &looks_max) < 0 ||
	    launches < 1 || looks_max < 1 || !(rule->level > 0 && rule->level < 1) ||
	    !(rule->margin >= 0) || !(rule->tolerance > rule->margin))
		return -EPROTO;
	rule->launches = (unsigned)launches;
	rule->looks_max = (unsigned)looks_max;
	return 0;
}

static int load_run(struct xg_run *run, const json_t *root)
{
	const json_t *cases = json_object_get(root, "cases");

	if (!json_is_array(cases))
		return -EPROTO;
	int rc = xg_run_init(run, json_array_size(cases));
	if (rc == 0)
		rc = load_rule(&run->rule, root);
	for (size_t i = 0; rc == 0 && i < run->case_count; i++)
		rc = load_case(&run->cases[i], json_array_get(cases, i));
	if (rc < 0)
		return rc;
	run->command = take_text(root, "command");
	run->baseline = take_text(root, "baseline");
	run->candidate = take_text(root, "candidate");
	run->baseline_commit = take_text(root, "baseline_commit");
	run->candidate_commit = take_text(root, "candidate_commit");
	copy_text(run->started, sizeof(run->started), root, "started");
	run->seed = (uint64_t)json_integer_value(json_object_get(root, "seed"));
	run->seconds = json_number_value(json_object_get(root, "seconds"));
	run->steal_percent = json_number_value(json_object_get(root, "steal_percent"));
	run->inject = json_number_value(json_object_get(root, "inject"));
	run->complete = json_is_true(json_object_get(root, "complete"));
	run->interrupted = json_is_true(json_object_get(root, "interrupted"));
	run->out_of_time = json_is_true(json_object_get(root, "out_of_time"));
	run->machine = json_incref(json_object_get(root, "machine"));
	return run->command && run->baseline && run->candidate ? 0 : -EPROTO;
}

int xg_report_load(const char *path, struct xg_run *ret_run, char *ret_why)
{
	json_error_t error;
	struct xg_run run = {0};
	FILE *file = fopen(path, "re");

	if (!file) {
		int rc = -errno;
		snprintf(ret_why, XG_REASON_MAX, "%.180s: %s", path, strerror(-rc));
		return rc;
	}
	json_t *root = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
	fclose(file);
	if (!root) {
		snprintf(ret_why, XG_REASON_MAX, "%.120s:%d: %.80s", path, error.line, error.text);
		return -EPROTO;
	}
	json_int_t schema = json_integer_value(json_object_get(root, "schema"));
	const char *program = json_string_value(json_object_get(root, "program"));
	int rc = -EPROTO;
	if (!program || strcmp(program, "xpgate") != 0)
		snprintf(ret_why, XG_REASON_MAX, "%.180s is not a run of xpgate", path);
	else if (schema != XG_RUN_SCHEMA)
		snprintf(ret_why, XG_REASON_MAX, "%.150s has schema %lld, this gate reads %d", path,
			 (long long)schema, XG_RUN_SCHEMA);
	else
		rc = load_run(&run, root);
	if (rc < 0 && program && schema == XG_RUN_SCHEMA)
		snprintf(ret_why, XG_REASON_MAX, "%.180s: a run, but its fields are malformed",
			 path);
	json_decref(root);
	if (rc < 0)
		xg_run_fini(&run);
	else
		*ret_run = run;
	return rc;
}
