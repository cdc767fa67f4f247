/* SPDX-License-Identifier: MIT */
/* xpgate compare, judge and list. */
#include "gate/command.h"

#include "gate/count.h"
#include "gate/fingerprint.h"
#include "gate/judge.h"
#include "gate/report.h"
#include "gate/stop.h"
#include "gate/stored.h"
#include "xpshare/base/clock.h"

#include <stdlib.h>
#include <string.h>

/* The share of the budget that counting may take, before timing takes the rest. */
#define COUNT_SHARE 0.4

enum counted { COUNTED_TOO, COUNTED_NOT, COUNTED_ONLY };

struct compare {
	enum counted counted;
	struct xg_measuring measuring;
	struct xg_outputs outputs;
	const char *baseline;
	const char *candidate;
	const char *history;
	const char **names;
	size_t name_count;
};

enum compare_key { BASELINE = 'b', CANDIDATE = 'c', COUNTED = 0x700, HISTORY };

static const struct argp_option compare_options[] = {
    {"baseline", BASELINE, "BUILD", 0, "Folder of the build to compare with", 0},
    {"candidate", CANDIDATE, "BUILD", 0, "Folder of the build that is judged", 0},
    {"history", HISTORY, "FILE", 0, "Append what was found to a history", 0},
    {"counted", COUNTED, "yes|no|only", 0, "Compare the counted costs: too, not, or nothing else",
     0},
    {0},
};

static error_t parse_compare(int key, char *text, struct argp_state *state)
{
	struct compare *compare = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &compare->measuring;
		state->child_inputs[1] = &compare->outputs;
		return 0;
	case BASELINE:
		compare->baseline = text;
		return 0;
	case CANDIDATE:
		compare->candidate = text;
		return 0;
	case HISTORY:
		compare->history = text;
		return 0;
	case COUNTED:
		if (strcmp(text, "yes") == 0)
			compare->counted = COUNTED_TOO;
		else if (strcmp(text, "no") == 0)
			compare->counted = COUNTED_NOT;
		else if (strcmp(text, "only") == 0)
			compare->counted = COUNTED_ONLY;
		else
			argp_error(state, "--counted is yes, no or only, not '%s'", text);
		return 0;
	case ARGP_KEY_ARG:
		compare->names[compare->name_count++] = text;
		return 0;
	case ARGP_KEY_END:
		if (!compare->baseline || !compare->candidate)
			argp_error(state, "compare wants --baseline and --candidate");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Counts first: they are exact, and what they leave of the budget is for timing. */
static int measure(enum counted counted, struct xg_run *run, struct xg_plan *plan)
{
	int64_t began_ns = xp_clock_ns();
	double share = counted == COUNTED_ONLY ? 1 : COUNT_SHARE;
	int rc = 0;

	xg_run_begin(run);
	if (counted != COUNTED_NOT)
		rc = xg_count_run(run, plan, began_ns + (int64_t)(share * plan->budget_s * 1e9));
	double counted_s = (double)(xp_clock_ns() - began_ns) / 1e9;
	plan->budget_s -= counted_s;
	if (rc == 0 && counted != COUNTED_ONLY)
		rc = xg_experiment(run, plan);
	run->seconds = (double)(xp_clock_ns() - began_ns) / 1e9;
	if (counted == COUNTED_ONLY)
		run->complete = rc == 0;
	run->interrupted = run->interrupted || rc == -ECANCELED;
	return rc == -ECANCELED ? 0 : rc;
}

static enum xg_exit compare_builds(struct compare *compare, struct xg_run *run,
				   const struct xg_build *baseline,
				   const struct xg_build *candidate, const char *command)
{
	struct xg_plan plan = xg_measuring_plan(&compare->measuring, baseline, candidate);
	const char *unknown = NULL;

	int rc = xg_select(run, &plan, compare->names, compare->name_count, &unknown);
	if (rc == -ENOENT && !unknown)
		return xg_complain(XG_EXIT_NOTHING, "no build has a default case: name some");
	if (rc == -ENOENT)
		return xg_complain(XG_EXIT_USAGE,
				   "neither build has a case %s; see xpgate list BUILD", unknown);
	if (rc < 0)
		return xg_complain(XG_EXIT_USAGE, "%s", strerror(-rc));
	run->rule = compare->measuring.rule;
	run->seed = compare->measuring.seed;
	run->command = strdup(command);
	run->baseline = strdup(baseline->given);
	run->candidate = strdup(candidate->given);
	run->baseline_commit = baseline->commit ? strdup(baseline->commit) : NULL;
	run->candidate_commit = candidate->commit ? strdup(candidate->commit) : NULL;
	run->machine = xg_fingerprint();
	if (!run->command || !run->baseline || !run->candidate || !run->machine)
		rc = -ENOMEM;
	if (rc == 0)
		rc = measure(compare->counted, run, &plan);
	if (rc == 0)
		rc = xg_judge_run(run, compare->measuring.strict);
	xg_progress_clear();
	return rc < 0 ? xg_complain(XG_EXIT_USAGE, "%s", strerror(-rc)) : run->exit;
}

static enum xg_exit write_all(const struct compare *compare, const struct xg_run *run,
			      enum xg_exit status)
{
	status = xg_outputs_write(&compare->outputs, run, status);
	/* A partial run is no point of a history. */
	int rc = compare->history && run->complete ? xg_history_append(compare->history, run) : 0;
	return rc < 0 ? xg_complain(XG_EXIT_USAGE, "%s: %s", compare->history, strerror(-rc))
		      : status;
}

enum xg_exit xg_command_compare(int argc, char **argv)
{
	static const struct argp_child children[] = {
	    {&xg_measuring_argp, 0, NULL, 0}, {&xg_outputs_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {
	    .options = compare_options,
	    .parser = parse_compare,
	    .args_doc = "[CASE...]",
	    .doc =
		"Compare two builds in one run, side by side.\v"
		"Without CASEs the default ones are compared. The exit status is 0 where no "
		"regression was found, 1 where one was confirmed, 2 for wrong usage, an unusable "
		"build or a report that could not be written, 3 where a case crashed or hung, 4 "
		"with --strict where a case was not decided, 77 where nothing could run. An "
		"interrupted run writes a partial report and dies of the signal.",
	    .children = children,
	};
	struct compare compare = {.names = calloc((size_t)argc + 1, sizeof(char *))};
	struct xg_build baseline = {0}, candidate = {0};
	struct xg_run run = {0};
	char *command = xg_command_line("compare", argc, argv);

	if (!compare.names || !command) {
		free(compare.names);
		free(command);
		return xg_complain(XG_EXIT_USAGE, "no memory");
	}
	xg_measuring_init(&compare.measuring);
	argp_parse(&argp, argc, argv, 0, NULL, &compare);

	enum xg_exit status =
	    xg_open_build(&baseline, compare.baseline, "baseline", compare.measuring.timeout_s);
	if (status == XG_EXIT_OK)
		status = xg_open_build(&candidate, compare.candidate, "candidate",
				       compare.measuring.timeout_s);
	if (status == XG_EXIT_OK) {
		status = compare_builds(&compare, &run, &baseline, &candidate, command);
		if (run.started[0])
			status = write_all(&compare, &run, status);
	}
	bool interrupted = run.interrupted;
	xg_run_fini(&run);
	xg_build_close(&baseline);
	xg_build_close(&candidate);
	free(compare.names);
	free(command);
	if (interrupted)
		xg_stop_die();
	return status;
}

struct judge {
	struct xg_outputs outputs;
	const char *path;
	bool strict;
};

static const struct argp_option judge_options[] = {
    {"strict", 's', NULL, 0, "Exit 4 where a case was not decided", 0},
    {0},
};

static error_t parse_judge(int key, char *text, struct argp_state *state)
{
	struct judge *judge = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &judge->outputs;
		return 0;
	case 's':
		judge->strict = true;
		return 0;
	case ARGP_KEY_ARG:
		if (judge->path)
			argp_error(state, "judge wants one RUN.json");
		judge->path = text;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "judge wants a RUN.json");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

enum xg_exit xg_command_judge(int argc, char **argv)
{
	static const struct argp_child children[] = {{&xg_outputs_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {
	    .options = judge_options,
	    .parser = parse_judge,
	    .args_doc = "RUN.json",
	    .doc = "Judge a recorded run again from its pairs, and write any report of it.",
	    .children = children,
	};
	struct judge judge = {0};
	struct xg_run run = {0};
	char why[XG_REASON_MAX];

	argp_parse(&argp, argc, argv, 0, NULL, &judge);
	if (xg_report_load(judge.path, &run, why) < 0)
		return xg_complain(XG_EXIT_USAGE, "%s", why);
	int rc = xg_judge_run(&run, judge.strict);
	enum xg_exit status = rc < 0 ? xg_complain(XG_EXIT_USAGE, "%s", strerror(-rc))
				     : xg_outputs_write(&judge.outputs, &run, run.exit);
	xg_run_fini(&run);
	return status;
}

static error_t parse_list(int key, char *text, struct argp_state *state)
{
	const char **path = state->input;

	if (key == ARGP_KEY_ARG && !*path) {
		*path = text;
		return 0;
	}
	if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "list wants a BUILD");
	return ARGP_ERR_UNKNOWN;
}

enum xg_exit xg_command_list(int argc, char **argv)
{
	static const struct argp argp = {
	    .parser = parse_list,
	    .args_doc = "BUILD",
	    .doc = "List the cases of a build; * marks the default ones."};
	struct xg_build build = {0};
	const char *path = NULL;

	argp_parse(&argp, argc, argv, 0, NULL, &path);
	enum xg_exit status = xg_open_build(&build, path, "build", XG_TIMEOUT_S);
	for (size_t i = 0; status == XG_EXIT_OK && i < build.case_count; i++)
		printf("%c %s\n", build.cases[i].is_default ? '*' : ' ', build.cases[i].name);
	xg_build_close(&build);
	if (fflush(stdout) != 0)
		return xg_complain(XG_EXIT_USAGE, "standard output: %s", strerror(errno));
	return status;
}
