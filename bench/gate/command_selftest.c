/* SPDX-License-Identifier: MIT */
/* xpgate selftest. */
#include "gate/command.h"

#include "gate/arm.h"
#include "gate/fingerprint.h"
#include "gate/judge.h"
#include "gate/output.h"
#include "gate/selftest.h"
#include "gate/simulate.h"
#include "gate/stop.h"
#include "xpshare/base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERDICTS_DEFAULT 100
#define TRIALS_MAX	 4
#define LOADER		 "/usr/bin/stress-ng"

struct selftest {
	struct xg_measuring measuring;
	const char *build;
	size_t aa;	 /* verdicts wanted without a change */
	double inject;	 /* share; 0: no such trial */
	size_t verdicts; /* wanted with an injected change */
	bool noise;
	bool simulate;
	const char *json;
	const char *markdown;
	const char **names;
	size_t name_count;
	struct xg_trial trials[TRIALS_MAX];
	size_t trial_count;
	const char *command;
};

enum selftest_key { AA = 0x600, INJECT, VERDICTS, NOISE, SIMULATE, JSON, MARKDOWN };

static const struct argp_option selftest_options[] = {
    {"build", 'b', "BUILD", 0, "Folder of the build to compare with itself", 0},
    {"aa", AA, "N", 0, "Compare without a change until there are N verdicts", 0},
    {"inject", INJECT, "PERCENT", 0, "Compare with an injected slowdown", 0},
    {"verdicts", VERDICTS, "N", 0, "Until there are N verdicts about it (100)", 0},
    {"noise", NOISE, NULL, 0, "While stress-ng loads the last CPU", 0},
    {"simulate", SIMULATE, NULL, 0, "Judge simulated pairs instead of a build", 0},
    {"json", JSON, "FILE", 0, "Write all counts", 0},
    {"markdown", MARKDOWN, "FILE", 0, "Write the text to a file too", 0},
    {0},
};

static error_t parse_selftest(int key, char *text, struct argp_state *state)
{
	struct selftest *selftest = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &selftest->measuring;
		return 0;
	case 'b':
		selftest->build = text;
		return 0;
	case AA:
		selftest->aa = (size_t)xg_parse_number(text, 1, "--aa", state);
		return 0;
	case INJECT:
		selftest->inject = xg_parse_number(text, 1, "--inject", state) / 100;
		return 0;
	case VERDICTS:
		selftest->verdicts = (size_t)xg_parse_number(text, 1, "--verdicts", state);
		return 0;
	case NOISE:
		selftest->noise = true;
		return 0;
	case SIMULATE:
		selftest->simulate = true;
		return 0;
	case JSON:
		selftest->json = text;
		return 0;
	case MARKDOWN:
		selftest->markdown = text;
		return 0;
	case ARGP_KEY_ARG:
		selftest->names[selftest->name_count++] = text;
		return 0;
	case ARGP_KEY_END:
		if (!selftest->build == !selftest->simulate)
			argp_error(state, "selftest wants either --build or --simulate");
		if (selftest->aa == 0 && selftest->inject <= 0)
			argp_error(state, "selftest wants --aa, --inject or both");
		if (selftest->noise && selftest->simulate)
			argp_error(state, "--noise needs a real build");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* One run over the build, compared with itself. */
static int run_real(struct selftest *selftest, const struct xg_build *build, double inject,
		    uint64_t seed, struct xg_run *run)
{
	struct xg_plan plan = xg_measuring_plan(&selftest->measuring, build, build);
	const char *unknown = NULL;

	plan.inject = inject;
	int rc = xg_select(run, &plan, selftest->names, selftest->name_count, &unknown);
	if (rc < 0) {
		xg_complain(XG_EXIT_USAGE, "the build has no case %s",
			    unknown ? unknown : "by default");
		return rc;
	}
	run->rule = selftest->measuring.rule;
	run->seed = seed;
	rc = xg_experiment(run, &plan);
	return rc < 0 ? rc : xg_judge_run(run, false);
}

static int run_simulated(struct selftest *selftest, double inject, uint64_t seed,
			 struct xg_run *run)
{
	struct xg_random random = {seed};

	int rc = xg_run_init(run, 1);
	if (rc < 0)
		return rc;
	run->rule = selftest->measuring.rule;
	run->complete = true;
	snprintf(run->cases[0].name, sizeof(run->cases[0].name), "simulated");
	rc = xg_simulate_case(&run->cases[0], &run->rule, &random, &XG_NOISE_SEEN, log1p(inject),
			      2 * selftest->measuring.blocks);
	return rc < 0 ? rc : xg_judge_run(run, false);
}

/* Run until there are @wanted verdicts. A run that gave none at all ends the trial. */
static int run_trial(struct selftest *selftest, const struct xg_build *build,
		     struct xg_trial *trial, size_t wanted)
{
	while (xg_trial_verdicts(trial) < wanted) {
		size_t before = xg_trial_verdicts(trial);
		uint64_t seed = selftest->measuring.seed + trial->runs * UINT64_C(7919);
		struct xg_run run = {0};
		int rc = selftest->simulate ? run_simulated(selftest, trial->inject, seed, &run)
					    : run_real(selftest, build, trial->inject, seed, &run);
		/* The verdicts of an interrupted run are not those of an experiment. */
		if (rc == 0 && !run.interrupted)
			rc = xg_trial_add(trial, &run);
		bool interrupted = run.interrupted;
		xg_run_fini(&run);
		if (rc < 0)
			return rc;
		if (interrupted)
			return -ECANCELED;
		if (xg_trial_verdicts(trial) == before)
			return 0;
		if (!selftest->simulate && !selftest->measuring.quiet) {
			xg_progress_clear();
			fprintf(stderr, "%s: %zu of %zu verdicts after %u runs, %.0f s\n",
				trial->condition, xg_trial_verdicts(trial), wanted, trial->runs,
				trial->seconds);
		}
	}
	return 0;
}

/* A load on the last CPU until it is killed. */
static int start_load(struct xg_arm *load)
{
	char cpu[24];
	const char *argv[] = {LOADER, "--cpu", "1", "--taskset", cpu, "--quiet", NULL};
	struct xg_arm_plan plan = {.argv = argv, .label = "load", .timeout_ns = XP_NS_PER_SEC};

	snprintf(cpu, sizeof(cpu), "%ld", sysconf(_SC_NPROCESSORS_ONLN) - 1);
	return xg_arm_start(load, &plan);
}

static int run_trials(struct selftest *selftest, const struct xg_build *build)
{
	static char injected[64];
	const char *under = selftest->noise ? " under load on one CPU" : "";
	static char quiet[64];
	int rc = 0;

	snprintf(quiet, sizeof(quiet), "A/A%s", under);
	snprintf(injected, sizeof(injected), "+%.0f %% injected%s", 100 * selftest->inject, under);
	if (selftest->aa > 0) {
		struct xg_trial *trial = &selftest->trials[selftest->trial_count++];
		*trial = (struct xg_trial){.condition = quiet, .noisy = selftest->noise};
		rc = run_trial(selftest, build, trial, selftest->aa);
	}
	if (rc == 0 && selftest->inject > 0) {
		struct xg_trial *trial = &selftest->trials[selftest->trial_count++];
		*trial = (struct xg_trial){
		    .condition = injected, .inject = selftest->inject, .noisy = selftest->noise};
		rc = run_trial(selftest, build, trial, selftest->verdicts);
	}
	return rc;
}

static void write_markdown(struct selftest *selftest, const json_t *machine, bool complete,
			   FILE *file)
{
	const char *key;
	json_t *value;

	fprintf(file, "## xpgate selftest\n\nMade by `%s`.\n\n", selftest->command);
	if (!complete)
		fputs("**INTERRUPTED: these counts are partial.**\n\n", file);
	fputs("Machine:", file);
	json_object_foreach((json_t *)(uintptr_t)machine, key, value)
	{
		if (json_is_string(value))
			fprintf(file, " %s %s;", key, json_string_value(value));
		else
			fprintf(file, " %s %lld;", key, (long long)json_integer_value(value));
	}
	fputs("\n\n", file);
	for (size_t i = 0; i < selftest->trial_count; i++)
		xg_trial_text(&selftest->trials[i], file);
}

static int write_results(struct selftest *selftest, bool complete)
{
	struct xg_output output;
	json_t *machine = xg_fingerprint(), *trials = json_array();
	const char *texts[] = {"-", selftest->markdown};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < 2; i++) {
		if (!texts[i] || (rc = xg_output_open(&output, texts[i])) < 0)
			continue;
		write_markdown(selftest, machine, complete, output.file);
		rc = xg_output_commit(&output);
	}
	for (size_t i = 0; i < selftest->trial_count; i++)
		json_array_append_new(trials, xg_trial_json(&selftest->trials[i]));
	json_t *root = json_pack("{s:i, s:s, s:s, s:I, s:b, s:O, s:o}", "schema", 1, "program",
				 "xpgate selftest", "command", selftest->command, "seed",
				 (json_int_t)selftest->measuring.seed, "complete", complete,
				 "machine", machine, "trials", trials);
	if (!root)
		rc = -ENOMEM;
	if (rc == 0 && selftest->json && (rc = xg_output_open(&output, selftest->json)) == 0) {
		json_dumpf(root, output.file, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
		fputc('\n', output.file);
		rc = xg_output_commit(&output);
	}
	json_decref(root);
	json_decref(machine);
	return rc;
}

static enum xg_exit conclude(struct selftest *selftest)
{
	enum xg_exit status = XG_EXIT_NOTHING;

	for (size_t i = 0; i < selftest->trial_count; i++) {
		struct xg_finding finding;
		xg_trial_find(&selftest->trials[i], &finding);
		if (finding.errors > 0)
			return XG_EXIT_CRASHED;
		if (finding.verdicts == 0)
			continue;
		if (!finding.holds)
			status = XG_EXIT_REGRESSED;
		else if (status == XG_EXIT_NOTHING)
			status = XG_EXIT_OK;
	}
	return status;
}

static enum xg_exit perform(struct selftest *selftest, const struct xg_build *build,
			    bool *ret_interrupted)
{
	struct xg_arm load = {0};

	if (selftest->noise && start_load(&load) < 0)
		return xg_complain(XG_EXIT_NOTHING, "--noise needs stress-ng: %s", load.why);
	int rc = run_trials(selftest, build);
	/* A load that ended early was no load. */
	if (rc == 0 && selftest->noise && xp_child_signal(&load.child, 0) < 0)
		rc = -ESRCH;
	xg_arm_kill(&load);
	xg_progress_clear();
	*ret_interrupted = rc == -ECANCELED;
	if (rc < 0 && rc != -ECANCELED)
		return xg_complain(XG_EXIT_USAGE, "%s",
				   rc == -ESRCH ? "stress-ng ended before the test did"
						: strerror(-rc));
	int written = write_results(selftest, rc == 0);
	if (written < 0)
		return xg_complain(XG_EXIT_USAGE, "the results were not written: %s",
				   strerror(-written));
	return conclude(selftest);
}

enum xg_exit xg_command_selftest(int argc, char **argv)
{
	static const struct argp_child children[] = {{&xg_measuring_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {
	    .options = selftest_options,
	    .parser = parse_selftest,
	    .args_doc = "[CASE...]",
	    .doc =
		"Prove the gate on this machine: compare a build with itself, without and with an "
		"injected slowdown.\v"
		"The exit status is 0 where what the gate claims holds (false alarms below 1 %, "
		"95 % of the slowdowns found; under load no wrong ok), 1 where it does not.",
	    .children = children,
	};
	struct selftest selftest = {.verdicts = VERDICTS_DEFAULT};
	struct xg_build build = {0};
	char *command = xg_command_line("selftest", argc, argv);
	enum xg_exit status = XG_EXIT_OK;
	bool interrupted = false;

	selftest.names = calloc((size_t)argc + 1, sizeof(char *));
	if (!selftest.names || !command) {
		free(selftest.names);
		free(command);
		return xg_complain(XG_EXIT_USAGE, "no memory");
	}
	selftest.command = command;
	xg_measuring_init(&selftest.measuring);
	argp_parse(&argp, argc, argv, 0, NULL, &selftest);
	if (selftest.build)
		status =
		    xg_open_build(&build, selftest.build, "build", selftest.measuring.timeout_s);
	if (status == XG_EXIT_OK)
		status = perform(&selftest, &build, &interrupted);
	for (size_t i = 0; i < selftest.trial_count; i++)
		xg_trial_fini(&selftest.trials[i]);
	xg_build_close(&build);
	free(selftest.names);
	free(command);
	if (interrupted)
		xg_stop_die();
	return status;
}
