/* SPDX-License-Identifier: MIT */
#include "bench/options.h"

#include "bench/gbench.h"

#include "xpshare/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A normal run and a quick one: the least window of a repetition, and how many there are. */
#define WINDOW_S	  0.1
#define REPETITIONS	  9
#define QUICK_WINDOW_S	  0.02
#define QUICK_REPETITIONS 3

/* The first complaint is the one that the user reads. */
__attribute__((format(printf, 2, 3))) static void refuse(struct xb_options *options,
							 const char *format, ...)
{
	va_list args;

	if (options->error[0])
		return;
	va_start(args, format);
	vsnprintf(options->error, sizeof(options->error), format, args);
	va_end(args);
}

void xb_options_help(void)
{
	puts(
	    "Usage: xpbench [OPTION...]\n"
	    "       xpbench doctor\n"
	    "       xpbench --report targets RUN\n"
	    "       xpbench --worker CASE | --list-cases\n"
	    "\n"
	    "Measures every implementation of the catalogue beside the physical floor of the same\n"
	    "pair of CPUs. A case is WORKLOAD/KIND/MECHANISM[/PARAMETER:VALUE...]/PLACEMENT.\n"
	    "\n"
	    "What to run\n"
	    "  --benchmark_filter=REGEX    cases whose name matches (-REGEX: does not); the "
	    "floors\n"
	    "                              that they stand on are measured too\n"
	    "  --placement=WHERE           classes (default): one pair of CPUs for each class;\n"
	    "                              all: every ordered pair; or a list: same_l3,0-1\n"
	    "  --quick                     short windows and 3 repetitions\n"
	    "  --dry                       one operation of every case, once: do they all run?\n"
	    "  --benchmark_list_tests      print the names and do nothing\n"
	    "  --list-cases                the same for programs (bench/worker.h)\n"
	    "\n"
	    "How to run\n"
	    "  --benchmark_repetitions=N   default 9, each in fresh processes\n"
	    "  --benchmark_min_time=S      least window of a repetition, default 0.1 s\n"
	    "  --benchmark_enable_random_interleaving=BOOL   default true\n"
	    "  --seed=N                    order in which the cases are registered; Google "
	    "Benchmark\n"
	    "                              interleaves the repetitions at random on top of it\n"
	    "  --wait                      first wait until the machine is quiet (5 minutes at "
	    "most)\n"
	    "\n"
	    "What comes out\n"
	    "  --out=DIR                   a new run: context.json bench.json hgrm/ topology.xml\n"
	    "                              (results/FORMAT.md)\n"
	    "  --report targets [RUN]      figure, floor or peer, ratio, required, met or not: of "
	    "the\n"
	    "                              run in the folder RUN, or of the one just made\n"
	    "  --benchmark_format=F, --benchmark_out=FILE, --benchmark_out_format=F, ...\n"
	    "                              Google Benchmark's own reports and flags\n"
	    "\n"
	    "  doctor                      what is wrong with this machine, and how to mend it\n"
	    "  --worker CASE               one case, driven by lines on standard input\n"
	    "  --help, --version\n"
	    "\n"
	    "Exit codes: 0; 1 a case failed; 2 usage, or a filter that selects nothing; 77 the\n"
	    "worker's case cannot run here; 130 interrupted, what was complete is written.");
}

/* "--name=value" or "--name value": the value, or NULL if @arg is another option. */
static const char *value_of(struct xb_options *options, const char *name, int *i, int argc,
			    char **argv)
{
	size_t length = strlen(name);

	if (!argv[*i] || strncmp(argv[*i], name, length) != 0)
		return NULL;
	if (argv[*i][length] == '=')
		return argv[*i] + length + 1;
	if (argv[*i][length] != '\0')
		return NULL;
	if (*i + 1 < argc)
		return argv[++*i];
	refuse(options, "%s needs a value", name);
	return "";
}

static uint64_t number_of(struct xb_options *options, const char *name, const char *text)
{
	char *end;

	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-')
		refuse(options, "%s: not a number: '%s'", name, text);
	return value;
}

static double seconds_of(struct xb_options *options, const char *name, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value > 0 && value <= 600))
		refuse(options, "%s: not a sensible number of seconds: '%s'", name, text);
	return value;
}

/* Flags of Google Benchmark whose value is needed here as well. */
static void peek(struct xb_options *options, const char *arg)
{
	const char *value = strchr(arg, '=');

	value = value ? value + 1 : "true";
	if (strncmp(arg, "--benchmark_min_time=", 21) == 0)
		options->window_s = seconds_of(options, "--benchmark_min_time", value);
	else if (strncmp(arg, "--benchmark_repetitions=", 24) == 0)
		options->repetitions = number_of(options, "--benchmark_repetitions", value);
	else if (strncmp(arg, "--benchmark_format", 18) == 0)
		options->google_display = true;
	else if (strncmp(arg, "--benchmark_list_tests", 22) == 0 && strcmp(value, "false") != 0 &&
		 strcmp(value, "0") != 0)
		options->action = XB_ACTION_LIST_TESTS;
}

static void read_report(struct xb_options *options, const char *what, int *i, int argc, char **argv)
{
	if (strcmp(what, "targets") != 0)
		refuse(options, "--report: unknown report '%s': there is 'targets'", what);
	options->report = true;
	if (*i + 1 < argc && argv[*i + 1][0] != '-') {
		options->report_run = argv[++*i];
		options->action = XB_ACTION_REPORT;
	}
}

/* One argument that is ours. */
static void read_one(struct xb_options *options, int *i, int argc, char **argv)
{
	const char *arg = argv[*i], *value;

	if (strcmp(arg, "doctor") == 0)
		options->action = XB_ACTION_DOCTOR;
	else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
		options->action = XB_ACTION_HELP;
	else if (strcmp(arg, "--version") == 0)
		options->action = XB_ACTION_VERSION;
	else if (strcmp(arg, "--list-cases") == 0)
		options->action = XB_ACTION_LIST_CASES;
	else if (strcmp(arg, "--quick") == 0)
		options->quick = true;
	else if (strcmp(arg, "--dry") == 0)
		options->dry = true;
	else if (strcmp(arg, "--wait") == 0)
		options->wait = true;
	else if ((value = value_of(options, "--placement", i, argc, argv)))
		options->placement = value;
	else if ((value = value_of(options, "--out", i, argc, argv)))
		options->out = value;
	else if ((value = value_of(options, "--seed", i, argc, argv)))
		options->seed = number_of(options, "--seed", value);
	else if ((value = value_of(options, "--report", i, argc, argv)))
		read_report(options, value, i, argc, argv);
	else if ((value = value_of(options, "--worker", i, argc, argv))) {
		options->worker = value;
		options->action = XB_ACTION_WORKER;
	} else if (arg[0] == '-')
		refuse(options, "unknown option '%s'", arg);
	else
		refuse(options, "unexpected argument '%s'", arg);
}

/* Our defaults go in front of the user's flags, which then win. */
static void hand_to_google(struct xb_options *options, int argc, char **argv)
{
	static char window[64], repetitions[64],
	    interleave[] = "--benchmark_enable_random_interleaving=true";
	char **flags = calloc((size_t)argc + 5, sizeof(*flags));
	int n = 0;

	if (!flags) {
		refuse(options, "no memory");
		return;
	}
	snprintf(window, sizeof(window), "--benchmark_min_time=%g", options->window_s);
	snprintf(repetitions, sizeof(repetitions), "--benchmark_repetitions=%zu",
		 options->repetitions);
	flags[n++] = argv[0];
	flags[n++] = window;
	flags[n++] = repetitions;
	if (options->repetitions > 1)
		flags[n++] = interleave;
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "--benchmark_", 12) == 0 &&
		    strncmp(argv[i], "--benchmark_list_tests", 22) != 0)
			flags[n++] = argv[i];
	xb_gbench_init(&n, flags);
	if (n > 1)
		refuse(options, "unknown option '%s'", flags[1]);
	free(flags);
}

int xb_options_parse(int argc, char **argv, struct xb_options *ret_options)
{
	struct xb_options options = {.placement = "classes", .seed = (uint64_t)time(NULL)};

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--benchmark_", 12) == 0)
			peek(&options, argv[i]);
		else
			read_one(&options, &i, argc, argv);
	}
	if (options.window_s == 0)
		options.window_s = options.quick ? QUICK_WINDOW_S : WINDOW_S;
	if (options.repetitions == 0)
		options.repetitions = options.quick ? QUICK_REPETITIONS : REPETITIONS;
	if (options.dry)
		options.repetitions = 1;
	if (options.out && options.action != XB_ACTION_RUN)
		refuse(&options, "--out goes with a run only");
	if (!options.error[0])
		hand_to_google(&options, argc, argv);
	*ret_options = options;
	return options.error[0] ? -EINVAL : 0;
}
