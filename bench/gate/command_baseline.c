/* SPDX-License-Identifier: MIT */
/* xpgate baseline, against and export. */
#include "gate/command.h"

#include "gate/fingerprint.h"
#include "gate/judge.h"
#include "gate/output.h"
#include "gate/report.h"
#include "gate/stop.h"
#include "gate/stored.h"
#include "xpshare/base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct options {
	struct xg_measuring measuring;
	struct xg_outputs outputs;
	const char *build;
	const char *file; /* the stored baseline */
	const char *history;
	bool counted_only;
	bool normalize;
	const char **names;
	size_t name_count;
	const char *command;
};

enum baseline_key { COUNTED_ONLY = 0x800, NORMALIZE, HISTORY };

static error_t parse_baseline(int key, char *text, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->measuring;
		if (state->root_argp->children[1].argp)
			state->child_inputs[1] = &options->outputs;
		return 0;
	case 'b':
		options->build = text;
		return 0;
	case 'f':
		options->file = text;
		return 0;
	case COUNTED_ONLY:
		options->counted_only = true;
		return 0;
	case NORMALIZE:
		options->normalize = true;
		return 0;
	case HISTORY:
		options->history = text;
		return 0;
	case ARGP_KEY_ARG:
		options->names[options->name_count++] = text;
		return 0;
	case ARGP_KEY_END:
		if (!options->build || !options->file)
			argp_error(state, "--build and --file are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Time @build against itself: the run's launches are then what one build varies by itself. */
static int time_build(const struct options *options, const struct xg_build *build,
		      struct xg_run *run)
{
	struct xg_plan plan = xg_measuring_plan(&options->measuring, build, build);
	const char *unknown = NULL;

	int rc = xg_select(run, &plan, options->names, options->name_count, &unknown);
	if (rc < 0) {
		xg_complain(XG_EXIT_USAGE, "the build has no case %s",
			    unknown ? unknown : "by default");
		return rc;
	}
	run->rule = options->measuring.rule;
	run->rule.looks_max = 1;
	run->seed = options->measuring.seed;
	run->machine = xg_fingerprint();
	run->command = strdup(options->command);
	run->baseline = strdup(options->file);
	run->candidate = strdup(build->given);
	run->candidate_commit = build->commit ? strdup(build->commit) : NULL;
	if (!run->machine || !run->command || !run->baseline || !run->candidate)
		return -ENOMEM;
	xg_run_begin(run);
	run->complete = true;
	if (!options->counted_only)
		rc = xg_experiment(run, &plan);
	return rc;
}

static int count_build(const struct options *options, const struct xg_build *build,
		       const struct xg_run *run, struct xg_stored *stored)
{
	struct xg_plan plan = xg_measuring_plan(&options->measuring, build, build);

	stored->cases = calloc(run->case_count + 1, sizeof(*stored->cases));
	if (!stored->cases)
		return -ENOMEM;
	for (size_t i = 0; i < run->case_count; i++) {
		const struct xg_case *tested = &run->cases[i];
		if (tested->control)
			continue;
		if (xg_stop_requested())
			return -ECANCELED;
		struct xg_stored_case *kept = &stored->cases[stored->case_count++];
		snprintf(kept->name, sizeof(kept->name), "%s", tested->name);
		int rc =
		    xg_count_case(build, xg_build_find(build, kept->name), &plan, &kept->counts);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static enum xg_exit make_baseline(const struct options *options, const struct xg_build *build,
				  bool *ret_interrupted)
{
	struct xg_stored stored = {0};
	struct xg_run run = {0};

	int rc = time_build(options, build, &run);
	if (rc == 0 && !run.interrupted)
		rc = count_build(options, build, &run, &stored);
	if (rc == 0)
		rc = xg_stored_take(&stored, &run);
	stored.command = strdup(options->command);
	stored.machine = json_incref(run.machine);
	stored.commit = build->commit ? strdup(build->commit) : NULL;
	snprintf(stored.made, sizeof(stored.made), "%s", run.started);
	xg_progress_clear();
	*ret_interrupted = run.interrupted || rc == -ECANCELED;
	if (rc == 0 && !*ret_interrupted)
		rc = xg_stored_save(&stored, options->file);
	size_t cases = stored.case_count;
	xg_run_fini(&run);
	xg_stored_fini(&stored);
	if (*ret_interrupted)
		return xg_complain(XG_EXIT_USAGE, "interrupted: no baseline was written");
	if (rc < 0)
		return xg_complain(XG_EXIT_USAGE, "%s was not written: %s", options->file,
				   strerror(-rc));
	printf("%s: %zu cases\n", options->file, cases);
	return XG_EXIT_OK;
}

/* Times warn. @scale makes up for a machine of another speed. */
static void warn_times(const struct xg_stored *stored, const struct xg_stored *now,
		       double tolerance, double scale)
{
	for (size_t i = 0; i < now->case_count; i++) {
		const struct xg_stored_case *then = xg_stored_find(stored, now->cases[i].name);
		char before[XG_TEXT_MAX], after[XG_TEXT_MAX];
		if (!then || then->ns <= 0 || now->cases[i].ns <= 0)
			continue;
		double ratio = now->cases[i].ns * scale / then->ns;
		if (ratio <= 1 + tolerance)
			continue;
		printf(
		    "warning: %s: %+.0f %% against the stored time (%s, was %s%s); a stored time "
		    "never fails the gate, compare two builds to know\n",
		    then->name, 100 * (ratio - 1), xg_text_time(now->cases[i].ns, after),
		    xg_text_time(then->ns, before), scale < 1 || scale > 1 ? ", normalised" : "");
	}
}

/* Whether the stored baseline may be used here, and how. */
static enum xg_exit admit(const struct options *options, const struct xg_stored *stored,
			  bool *ret_same_machine)
{
	json_t *machine = xg_fingerprint();
	char fields[600];
	size_t differing = xg_fingerprint_diff(machine, stored->machine, fields, sizeof(fields));
	bool same_arch = machine && json_equal(json_object_get(machine, "arch"),
					       json_object_get(stored->machine, "arch"));

	json_decref(machine);
	*ret_same_machine = differing == 0;
	if (differing == 0 || (same_arch && (options->normalize || options->counted_only)))
		return XG_EXIT_OK;
	return xg_complain(
	    XG_EXIT_USAGE, "%s is the baseline of another machine (%s)%s", options->file, fields,
	    same_arch ? "; --counted-only compares what any machine can, --normalize "
			"also warns about times"
		      : "");
}

static enum xg_exit judge_against(const struct options *options, const struct xg_build *build,
				  const struct xg_stored *stored, bool same_machine,
				  bool *ret_interrupted)
{
	struct xg_stored now = {0};
	struct xg_run run = {0};
	enum xg_exit status = XG_EXIT_USAGE;
	int64_t began_ns = xp_clock_ns();

	int rc = time_build(options, build, &run);
	if (rc == 0 && !run.interrupted)
		rc = count_build(options, build, &run, &now);
	if (rc == 0)
		rc = xg_stored_take(&now, &run);
	xg_progress_clear();
	*ret_interrupted = run.interrupted || rc == -ECANCELED;
	run.seconds = (double)(xp_clock_ns() - began_ns) / 1e9;
	for (size_t i = 0; rc == 0 && i < run.case_count; i++) {
		struct xg_case *tested = &run.cases[i];
		const struct xg_stored_case *then = xg_stored_find(stored, tested->name);
		const struct xg_stored_case *counted = xg_stored_find(&now, tested->name);
		/* Its pairs compare the build with itself: not what is asked here. */
		tested->pair_count = 0;
		tested->launches = 0;
		tested->confirm_from = 0;
		if (tested->control)
			continue;
		if (!then)
			snprintf(tested->missing, sizeof(tested->missing),
				 "new: the stored baseline lacks it");
		else if (counted)
			xg_counts_compare(tested, &then->counts, &counted->counts);
	}
	if (rc == 0)
		rc = xg_judge_run(&run, options->measuring.strict);
	if (rc == 0) {
		status = xg_outputs_write(&options->outputs, &run, run.exit);
		double scale =
		    same_machine || !(now.spin_ns > 0) ? 1 : stored->spin_ns / now.spin_ns;
		if (!options->counted_only && !*ret_interrupted)
			warn_times(stored, &now, options->measuring.rule.tolerance, scale);
		if (options->history && (rc = xg_history_append(options->history, &run)) < 0)
			status =
			    xg_complain(XG_EXIT_USAGE, "%s: %s", options->history, strerror(-rc));
	} else if (rc != -ENOENT && !*ret_interrupted) {
		xg_complain(XG_EXIT_USAGE, "%s", strerror(-rc));
	}
	xg_run_fini(&run);
	xg_stored_fini(&now);
	return status;
}

static enum xg_exit against(const struct options *options, const struct xg_build *build,
			    bool *ret_interrupted)
{
	struct xg_stored stored;
	char why[XG_REASON_MAX];
	bool same_machine;

	if (xg_stored_load(options->file, &stored, why) < 0)
		return xg_complain(XG_EXIT_USAGE, "%s", why);
	enum xg_exit status = admit(options, &stored, &same_machine);
	if (status == XG_EXIT_OK)
		status = judge_against(options, build, &stored, same_machine, ret_interrupted);
	xg_stored_fini(&stored);
	return status;
}

/* What both verbs do around their work. */
static enum xg_exit with_build(const struct argp *argp, const char *verb, int argc, char **argv,
			       enum xg_exit (*work)(const struct options *options,
						    const struct xg_build *build,
						    bool *ret_interrupted))
{
	struct options options = {.names = calloc((size_t)argc + 1, sizeof(char *))};
	char *command = xg_command_line(verb, argc, argv);
	struct xg_build build = {0};
	bool interrupted = false;

	if (!options.names || !command) {
		free(options.names);
		free(command);
		return xg_complain(XG_EXIT_USAGE, "no memory");
	}
	options.command = command;
	xg_measuring_init(&options.measuring);
	argp_parse(argp, argc, argv, 0, NULL, &options);
	enum xg_exit status =
	    xg_open_build(&build, options.build, "build", options.measuring.timeout_s);
	if (status == XG_EXIT_OK)
		status = work(&options, &build, &interrupted);
	xg_build_close(&build);
	free(options.names);
	free(command);
	if (interrupted)
		xg_stop_die();
	return status;
}

enum xg_exit xg_command_baseline(int argc, char **argv)
{
	static const struct argp_option known[] = {
	    {"build", 'b', "BUILD", 0, "Folder of the build", 0},
	    {"file", 'f', "FILE", 0, "The baseline to write", 0},
	    {"counted-only", COUNTED_ONLY, NULL, 0, "Leave the times out", 0},
	    {0},
	};
	static const struct argp_child children[] = {{&xg_measuring_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {
	    .options = known,
	    .parser = parse_baseline,
	    .args_doc = "[CASE...]",
	    .doc = "Store the counted costs and the times of a build.",
	    .children = children,
	};

	return with_build(&argp, "baseline", argc, argv, make_baseline);
}

enum xg_exit xg_command_against(int argc, char **argv)
{
	static const struct argp_option known[] = {
	    {"build", 'b', "BUILD", 0, "Folder of the build that is judged", 0},
	    {"file", 'f', "FILE", 0, "A stored baseline", 0},
	    {"counted-only", COUNTED_ONLY, NULL, 0, "Leave the times out: any machine will do", 0},
	    {"normalize", NORMALIZE, NULL, 0,
	     "On another machine, warn about times in relation to the control that spins", 0},
	    {"history", HISTORY, "FILE", 0, "Append what was found to a history", 0},
	    {0},
	};
	static const struct argp_child children[] = {
	    {&xg_measuring_argp, 0, NULL, 0}, {&xg_outputs_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {
	    .options = known,
	    .parser = parse_baseline,
	    .args_doc = "[CASE...]",
	    .doc =
		"Compare a build with a stored baseline.\v"
		"Counted costs decide; times only warn. The baseline of another machine is refused "
		"with the fields that differ (exit 2).",
	    .children = children,
	};

	return with_build(&argp, "against", argc, argv, against);
}

static error_t parse_export(int key, char *text, struct argp_state *state)
{
	const char **paths = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (paths[0] && paths[1])
			argp_error(state, "export wants HISTORY [CSV]");
		paths[paths[0] ? 1 : 0] = text;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "export wants a HISTORY");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

enum xg_exit xg_command_export(int argc, char **argv)
{
	static const struct argp argp = {
	    .parser = parse_export,
	    .args_doc = "HISTORY [CSV]",
	    .doc =
		"Turn a history into CSV, one value a row, for tools that look for change points.",
	};
	const char *paths[2] = {NULL, NULL};
	struct xg_output output;
	char why[XG_REASON_MAX];

	argp_parse(&argp, argc, argv, 0, NULL, paths);
	const char *target = paths[1] ? paths[1] : "-";
	int rc = xg_output_open(&output, target);
	if (rc < 0)
		return xg_complain(XG_EXIT_USAGE, "%s: %s", target, strerror(-rc));
	if (xg_history_export(paths[0], output.file, why) < 0) {
		xg_output_drop(&output);
		return xg_complain(XG_EXIT_USAGE, "%s", why);
	}
	rc = xg_output_commit(&output);
	return rc < 0 ? xg_complain(XG_EXIT_USAGE, "%s was not written: %s", target, strerror(-rc))
		      : XG_EXIT_OK;
}
