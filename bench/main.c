/* SPDX-License-Identifier: MIT */
/* xpbench - measure every implementation of the catalogue beside the floor of the machine. */
#include "bench/context.h"
#include "bench/gbench.h"
#include "bench/options.h"
#include "bench/suite.h"
#include "bench/targets.h"
#include "bench/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EXIT_FAILED	 1
#define EXIT_USAGE	 2
#define EXIT_INTERRUPTED 130

/* --wait: quiet is less than this part of all CPUs busy, for this long. */
#define QUIET_PART    0.05
#define QUIET_SECONDS 3
#define WAIT_SECONDS  300

static void on_signal(int number)
{
	(void)number;
	xb_interrupted = 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

static void wait_until_quiet(FILE *progress)
{
	int quiet = 0;

	for (int i = 0; i < WAIT_SECONDS && quiet < QUIET_SECONDS && !xb_interrupted; i++) {
		struct xb_ticks second = xb_machine_listen(1000);
		double part = second.busy / second.all;
		quiet = part < QUIET_PART ? quiet + 1 : 0;
		if (progress)
			fprintf(progress, "\r\033[Kwaiting for a quiet machine: %.0f %% busy",
				100 * part);
	}
	if (progress)
		fprintf(progress, "\r\033[K");
	if (quiet < QUIET_SECONDS && !xb_interrupted)
		fprintf(stderr, "xpbench: the machine did not get quiet; going on\n");
}

static int print_doctor(const struct xb_topology *topology)
{
	struct xb_check checks[XB_CHECKS_MAX];
	size_t n = xb_machine_doctor(topology, checks);

	for (size_t i = 0; i < n; i++) {
		printf("%-4s  %-16s %s\n", checks[i].state, checks[i].check, checks[i].found);
		if (checks[i].mend[0])
			printf("      %-16s mend: %s\n", "", checks[i].mend);
	}
	for (int c = 0; c < XB_PAIR_CLASSES; c++) {
		const struct xb_class_facts *facts = &topology->classes[c];
		if (facts->present)
			printf("      %-16s CPUs %d and %d, %d pairs\n",
			       xb_class_name((enum xb_class)c), facts->cpus[0], facts->cpus[1],
			       facts->pairs);
		else
			printf("      %-16s absent: %s\n", xb_class_name((enum xb_class)c),
			       facts->why);
	}
	return 0;
}

/* Fisher and Yates, with a generator of its own so that a seed means the same everywhere. */
static void shuffle(struct xb_entry *entries, size_t count, uint64_t seed)
{
	for (size_t i = count; i > 1; i--) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		size_t j = (size_t)(seed >> 33) % i;
		struct xb_entry held = entries[i - 1];
		entries[i - 1] = entries[j];
		entries[j] = held;
	}
}

static int print_names(struct xb_matrix *matrix)
{
	struct xb_suite suite;
	struct xb_suite_plan plan = {0};
	int rc = xb_suite_open(&suite, &plan, matrix, xb_gbench_filter());

	for (size_t i = 0; rc == 0 && i < suite.count; i++)
		puts(suite.entries[i].c->name);
	(void)!xb_suite_close(&suite);
	if (rc < 0)
		fprintf(stderr, "xpbench: --benchmark_filter='%s' selects nothing\n",
			xb_gbench_filter());
	return rc < 0 ? EXIT_USAGE : 0;
}

static int cannot_open(int rc, const struct xb_options *options)
{
	if (rc == -ENODATA)
		fprintf(stderr, "xpbench: --benchmark_filter='%s' selects no case\n",
			xb_gbench_filter());
	else if (rc == -EINVAL)
		fprintf(stderr, "xpbench: --benchmark_filter='%s' is no regular expression\n",
			xb_gbench_filter());
	else if (rc == -EEXIST)
		fprintf(stderr, "xpbench: --out: %s already holds a run\n", options->out);
	else
		fprintf(stderr, "xpbench: --out: %s: %s\n", options->out ? options->out : "",
			strerror(-rc));
	return EXIT_USAGE;
}

static int report_failed(int rc, const char *run)
{
	if (rc == -ENOENT)
		fprintf(stderr, "xpbench: --report: %s holds no bench.json\n", run);
	return rc < 0 ? EXIT_USAGE : 0;
}

static int run_suite(const struct xb_options *options, struct xb_context *context,
		     struct xb_matrix *matrix)
{
	struct xb_suite suite;
	struct xb_suite_plan plan = {
	    .window_s = options->dry ? 0 : options->window_s,
	    .repetitions = options->repetitions,
	    .out = options->out,
	    .program = context->argv[0],
	    .placement = options->placement,
	    .lines = options->google_display ? NULL : stdout,
	    .progress = isatty(STDERR_FILENO) ? stderr : NULL,
	};

	/* Before the first file is made: a wrong filter leaves nothing behind. */
	int rc = xb_suite_open(&suite, &plan, matrix, xb_gbench_filter());
	if (rc < 0) {
		(void)!xb_suite_close(&suite);
		return cannot_open(rc, options);
	}
	if (options->wait)
		wait_until_quiet(plan.progress);
	xb_context_start(context);
	if (options->out) {
		rc = xb_context_topology(context, options->out);
		if (rc == 0)
			rc = xb_context_write(context, options->out, false, false);
		if (rc < 0)
			fprintf(stderr, "xpbench: --out: %s: %s\n", options->out, strerror(-rc));
	}
	shuffle(suite.entries, suite.count, options->seed);
	for (size_t i = 0; i < suite.count; i++)
		xb_gbench_register(suite.entries[i].c->name, &suite.entries[i],
				   options->dry ? 1 : suite.entries[i].c->workload->fixed,
				   options->dry);
	struct xb_gbench_plan run = {
	    .body = xb_suite_body,
	    .on_result = xb_suite_result,
	    .context = &suite,
	    .display = options->google_display,
	};
	xb_gbench_run(&run);
	int lost = xb_suite_close(&suite);
	memcpy(context->records, suite.written, sizeof(context->records));
	if (options->out && rc == 0)
		rc = xb_context_write(context, options->out, !xb_interrupted && lost == 0, true);
	if (rc < 0 || lost < 0) {
		fprintf(stderr, "xpbench: the run in %s is incomplete: %s\n", options->out,
			strerror(-(rc < 0 ? rc : lost)));
		return EXIT_FAILED;
	}
	if (xb_interrupted) {
		fprintf(stderr, "xpbench: interrupted; what is written is true, but not all\n");
		return EXIT_INTERRUPTED;
	}
	if (options->report && options->out)
		rc = report_failed(xb_targets_report(options->out, stdout), options->out);
	return suite.failed ? EXIT_FAILED : rc;
}

static int act(const struct xb_options *options, struct xb_topology *topology, int argc,
	       char **argv)
{
	struct xb_matrix matrix;
	char error[256] = "";

	if (options->action == XB_ACTION_DOCTOR)
		return print_doctor(topology);
	int rc = xb_matrix_open(&matrix, topology, options->placement,
				options->quick || options->dry, error, sizeof(error));
	if (rc < 0) {
		fprintf(stderr, "xpbench: %s\n", error[0] ? error : strerror(-rc));
		return EXIT_USAGE;
	}
	struct xb_context context = {
	    .topology = topology,
	    .matrix = &matrix,
	    .argc = argc,
	    .argv = argv,
	    .quick = options->quick,
	    .seed = options->seed,
	};
	switch (options->action) {
	case XB_ACTION_LIST_TESTS:
		rc = print_names(&matrix);
		break;
	case XB_ACTION_LIST_CASES:
		xb_worker_list(&matrix);
		rc = 0;
		break;
	case XB_ACTION_WORKER:
		rc = xb_worker_serve(&matrix, options->worker);
		break;
	default:
		rc = run_suite(options, &context, &matrix);
	}
	xb_matrix_close(&matrix);
	return rc;
}

int main(int argc, char **argv)
{
	struct xb_topology topology;
	struct xb_options options;

	if (xb_options_parse(argc, argv, &options) < 0) {
		fprintf(stderr, "xpbench: %s; see xpbench --help\n", options.error);
		return EXIT_USAGE;
	}
	switch (options.action) {
	case XB_ACTION_HELP:
		xb_options_help();
		return 0;
	case XB_ACTION_VERSION:
		printf("xpbench %s (%s)\n", xb_version(), xb_commit());
		return 0;
	case XB_ACTION_REPORT:
		return report_failed(xb_targets_report(options.report_run, stdout),
				     options.report_run);
	default:
		break;
	}
	catch_signals();
	int rc = xb_topology_open(&topology, NULL);
	if (rc < 0) {
		fprintf(stderr, "xpbench: cannot read the topology of this machine: %s\n",
			strerror(-rc));
		return EXIT_FAILED;
	}
	int code = act(&options, &topology, argc, argv);
	xb_topology_close(&topology);
	return code;
}
