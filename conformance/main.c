/* SPDX-License-Identifier: MIT */
/*
 * xpconform - judge every implementation of the catalogue by every clause
 */
#include "conformance/iut.h"
#include "conformance/plan.h"
#include "conformance/report.h"

#include <argp.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_MET = 0, EXIT_NOT_MET = 1, EXIT_USAGE = 2, EXIT_INTERNAL = 3, EXIT_SKIPPED = 77 };

#define PATTERNS_MAX 256

enum option_key {
	KEY_IUT = 'i',
	KEY_SCOPE = 's',
	KEY_LIST = 'l',
	KEY_JOBS = 'j',
	KEY_DEADLINE = 'd',
	KEY_CARRIER = 'c',
	KEY_STRICT = 256,
	KEY_JSON,
	KEY_TAP,
	KEY_JUNIT,
	KEY_DEBUG,
	KEY_HEAVY,
	KEY_LIGHT,
	KEY_CTEST,
	KEY_STEPPER,
};

struct arguments {
	const char *patterns[PATTERNS_MAX];
	const char *iuts[PATTERNS_MAX];
	struct xc_selection selection;
	struct xc_judge_options judge;
	unsigned jobs;
	bool strict, list, tap, ctest;
	const char *json, *junit;
};

static const struct argp_option option_table[] = {
    {"iut", KEY_IUT, "GLOB", 0, "Only implementations under test whose name matches; repeatable",
     1},
    {"scope", KEY_SCOPE, "SCOPE", 0, "Only shm, inherited or managed; repeatable", 1},
    {"heavy", KEY_HEAVY, NULL, 0, "Only cases that take long", 1},
    {"light", KEY_LIGHT, NULL, 0, "Only cases that do not", 1},
    {"stepper", KEY_STEPPER, NULL, 0,
     "Only cases that kill or stop a process before each instruction of an operation", 1},
    {"list", KEY_LIST, NULL, 0, "Print the clauses, and run nothing", 2},
    {"carrier", KEY_CARRIER, "process|thread", 0, "What carries the members of a crew", 2},
    {"jobs", KEY_JOBS, "N", 0, "Cases that run at a time (default: one a CPU)", 2},
    {"deadline", KEY_DEADLINE, "S", 0, "Seconds that a case may take (default: its own)", 2},
    {"debug", KEY_DEBUG, NULL, 0, "Run in this process, without deadline, for a debugger", 2},
    {"strict", KEY_STRICT, NULL, 0,
     "A SHOULD that fails, and a MUST that is UNRESOLVED or UNTESTED, fail the run", 3},
    {"json", KEY_JSON, "FILE", 0, "Write conformance.json", 3},
    {"junit", KEY_JUNIT, "FILE", 0, "Write JUnit XML", 3},
    {"tap", KEY_TAP, NULL, 0, "Print TAP instead of text", 3},
    {"ctest", KEY_CTEST, NULL, 0, "Exit with 77 if nothing was decided: all UNSUPPORTED", 3},
    {0},
};

static unsigned positive(struct argp_state *state, const char *text, const char *what)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*end || number < 1 || number > 100000)
		argp_failure(state, EXIT_USAGE, 0, "%s wants a number from 1, not '%s'", what,
			     text);
	return (unsigned)number;
}

static unsigned scope_bit(struct argp_state *state, const char *text)
{
	for (unsigned scope = 0; scope < XP_SCOPE_COUNT; scope++) {
		if (strcmp(text, xp_scope_name((enum xp_scope)scope)) == 0)
			return 1u << scope;
	}
	argp_failure(state, EXIT_USAGE, 0, "there is no scope '%s': shm, inherited or managed",
		     text);
	return 0;
}

static void add_pattern(struct argp_state *state, const char **list, size_t *count,
			const char *text)
{
	if (*count == PATTERNS_MAX)
		argp_failure(state, EXIT_USAGE, 0, "more than %d patterns", PATTERNS_MAX);
	list[(*count)++] = text;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *to = state->input;

	switch (key) {
	case KEY_IUT:
		add_pattern(state, to->iuts, &to->selection.iuts_count, arg);
		break;
	case KEY_SCOPE:
		to->selection.scopes |= scope_bit(state, arg);
		break;
	case KEY_HEAVY:
		to->selection.heavy_only = true;
		break;
	case KEY_LIGHT:
		to->selection.light_only = true;
		break;
	case KEY_STEPPER:
		to->selection.stepper = true;
		break;
	case KEY_LIST:
		to->list = true;
		break;
	case KEY_CARRIER:
		if (strcmp(arg, "process") != 0 && strcmp(arg, "thread") != 0)
			argp_failure(state, EXIT_USAGE, 0,
				     "a carrier is 'process' or 'thread', not '%s'", arg);
		to->judge.carrier = arg[0] == 't' ? XP_CARRIER_THREAD : XP_CARRIER_PROCESS;
		break;
	case KEY_JOBS:
		to->jobs = positive(state, arg, "--jobs");
		break;
	case KEY_DEADLINE:
		to->judge.seconds = positive(state, arg, "--deadline");
		break;
	case KEY_DEBUG:
		to->judge.in_place = true;
		break;
	case KEY_STRICT:
		to->strict = true;
		break;
	case KEY_JSON:
		to->json = arg;
		break;
	case KEY_JUNIT:
		to->junit = arg;
		break;
	case KEY_TAP:
		to->tap = true;
		break;
	case KEY_CTEST:
		to->ctest = true;
		break;
	case ARGP_KEY_ARG:
		add_pattern(state, to->patterns, &to->selection.patterns_count, arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static volatile int stop_asked;

static void on_signal(int signal)
{
	(void)signal;
	stop_asked = 1;
}

static void show_progress(const struct xc_plan *plan, const struct xc_entry *entry, size_t ended,
			  void *arg)
{
	bool terminal = *(bool *)arg;

	if (!terminal)
		return;
	fprintf(stderr, "\r\033[K[%zu/%zu] %s %s", ended, plan->entries_count, entry->test->clause,
		entry->iut->name);
	if (ended == plan->entries_count)
		fputs("\r\033[K", stderr);
}

/* A pattern that selects nothing is a mistake that would look like a pass. */
static int check_patterns(const struct arguments *arguments, const struct xc_iut *iuts,
			  size_t count)
{
	for (size_t i = 0; i < arguments->selection.patterns_count; i++) {
		bool matches = false;
		for (size_t c = 0; xc_clause_at(c) && !matches; c++)
			matches = xc_clause_matches(xc_clause_at(c)->id, arguments->patterns[i]);
		if (!matches) {
			fprintf(stderr, "xpconform: no clause matches '%s'; see xpconform --list\n",
				arguments->patterns[i]);
			return EXIT_USAGE;
		}
	}
	for (size_t i = 0; i < arguments->selection.iuts_count; i++) {
		bool matches = false;
		for (size_t n = 0; n < count && !matches; n++)
			matches = fnmatch(arguments->iuts[i], iuts[n].name, 0) == 0;
		if (!matches) {
			fprintf(stderr, "xpconform: no implementation matches '%s'\n",
				arguments->iuts[i]);
			return EXIT_USAGE;
		}
	}
	return EXIT_MET;
}

static int write_reports(const struct arguments *arguments, const struct xc_plan *plan,
			 const struct xc_run_facts *facts)
{
	int result = EXIT_MET;

	if (arguments->json) {
		int rc = xc_report_json(arguments->json, plan, facts);
		if (rc < 0) {
			fprintf(stderr, "xpconform: %s: %s\n", arguments->json, strerror(-rc));
			result = EXIT_INTERNAL;
		}
	}
	if (arguments->junit) {
		int rc = xc_report_junit(arguments->junit, plan);
		if (rc < 0) {
			fprintf(stderr, "xpconform: %s: %s\n", arguments->junit, strerror(-rc));
			result = EXIT_INTERNAL;
		}
	}
	return result;
}

static bool all_undecided(const struct xc_plan *plan)
{
	for (size_t r = 0; r < plan->rulings_count; r++) {
		if (plan->rulings[r].verdict == XC_PASS || plan->rulings[r].verdict == XC_FAIL)
			return false;
	}
	return true;
}

static int judge_all(const struct arguments *arguments, struct xc_plan *plan,
		     struct xc_run_facts *facts)
{
	bool terminal = isatty(STDERR_FILENO);

	facts->started = time(NULL);
	int rc = xc_plan_run(plan, &arguments->judge, arguments->jobs, show_progress, &terminal,
			     &stop_asked);
	facts->finished = time(NULL);
	xc_plan_rule(plan);
	if (arguments->tap)
		xc_report_tap(stdout, plan);
	else
		xc_report_text(stdout, plan);
	int result = write_reports(arguments, plan, facts);
	if (rc < 0) {
		fprintf(stderr, "xpconform: cannot go on: %s\n", strerror(-rc));
		return EXIT_INTERNAL;
	}
	if (result != EXIT_MET)
		return result;
	if (xc_plan_failed(plan, arguments->strict))
		return EXIT_NOT_MET;
	if (plan->interrupted)
		return 128 + SIGINT;
	if (arguments->ctest && all_undecided(plan))
		return EXIT_SKIPPED;
	return EXIT_MET;
}

/* Whether a clause about server processes is selected, so that they are looked for. */
static bool wants_servers(const struct xc_selection *selection)
{
	for (size_t c = 0; xc_clause_at(c); c++) {
		const char *id = xc_clause_at(c)->id;
		for (size_t i = 0; xc_clause_in(id, "manager") && i < selection->patterns_count;
		     i++) {
			if (xc_clause_matches(id, selection->patterns[i]))
				return true;
		}
	}
	return selection->patterns_count == 0;
}

int main(int argc, char **argv)
{
	static const struct argp parser = {
	    option_table,
	    parse_option,
	    "[PATTERN...]",
	    "Judge the implementations of shared objects by the clauses that PATTERNs select: a "
	    "clause "
	    "('lock.deadline'), a wildcard ('lock.*') or a family ('lock').\v"
	    "Exit status: 0 no MUST failed, 1 one did, 2 wrong usage, 3 internal error.",
	    NULL,
	    NULL,
	    NULL,
	};
	static struct arguments arguments;
	struct xc_run_facts facts = {.argc = argc, .argv = argv};
	struct xc_iut *iuts = NULL;
	struct xc_plan plan = {0};

	arguments.jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	arguments.selection.patterns = arguments.patterns;
	arguments.selection.iuts = arguments.iuts;
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&parser, argc, argv, 0, NULL, &arguments);
	facts.carrier = arguments.judge.carrier;

	int count = xc_iut_all(wants_servers(&arguments.selection), &iuts);
	if (count < 0 || xc_plan_make(&arguments.selection, iuts, (size_t)count, &plan) < 0) {
		fprintf(stderr, "xpconform: out of memory\n");
		return EXIT_INTERNAL;
	}
	int result = check_patterns(&arguments, iuts, (size_t)count);
	if (result == EXIT_MET && arguments.list) {
		xc_report_list(stdout, &arguments.selection);
	} else if (result == EXIT_MET) {
		struct sigaction action = {.sa_handler = on_signal};
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
		result = judge_all(&arguments, &plan, &facts);
	}
	xc_plan_fini(&plan);
	free(iuts);
	return result;
}
