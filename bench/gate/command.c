/* SPDX-License-Identifier: MIT */
#include "gate/command.h"

#include "gate/report.h"
#include "xpshare/base/clock.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum xg_exit xg_complain(enum xg_exit status, const char *format, ...)
{
	va_list args;

	xg_progress_clear();
	fputs("xpgate: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

double xg_parse_number(const char *text, double low, const char *what, struct argp_state *state)
{
	char *end;

	errno = 0;
	double value = strtod(text, &end);
	if (end == text || *end || errno || !isfinite(value) || value < low)
		argp_error(state, "%s wants a number of at least %g, not '%s'", what, low, text);
	return value;
}

/* The option of a report has its format's index as key, counted from the first. */
enum format_key {
	FORMAT_FIRST = 0x400 - 1,
#define X(name) FORMAT_##name,
	XG_FORMAT_EACH(X)
#undef X
};

static const struct argp_option outputs_options[] = {
    {NULL, 0, NULL, 0, "Reports (FILE may be -):", 2},
#define X(name) {#name, FORMAT_##name, "FILE", 0, "Write this report", 2},
    XG_FORMAT_EACH(X)
#undef X
	{0},
};

static error_t parse_outputs(int key, char *text, struct argp_state *state)
{
	static const char *const names[] = {
#define X(name) #name,
	    XG_FORMAT_EACH(X)
#undef X
	};
	struct xg_outputs *outputs = state->input;
	int index = key - FORMAT_FIRST - 1;

	if (index < 0 || (size_t)index >= sizeof(names) / sizeof(names[0]))
		return ARGP_ERR_UNKNOWN;
	if (outputs->count == sizeof(outputs->path) / sizeof(outputs->path[0]))
		argp_error(state, "too many reports");
	outputs->format[outputs->count] = names[index];
	outputs->path[outputs->count++] = text;
	return 0;
}

const struct argp xg_outputs_argp = {.options = outputs_options, .parser = parse_outputs};

enum xg_exit xg_outputs_write(const struct xg_outputs *outputs, const struct xg_run *run,
			      enum xg_exit status)
{
	bool printed = false;

	for (size_t i = 0; i < outputs->count; i++) {
		int rc = xg_report_write(run, outputs->format[i], outputs->path[i]);
		if (rc < 0)
			status = xg_complain(XG_EXIT_USAGE, "the %s report %s was not written: %s",
					     outputs->format[i], outputs->path[i], strerror(-rc));
		printed = printed || strcmp(outputs->path[i], "-") == 0;
	}
	if (!printed) {
		int rc = xg_report_write(run, "text", "-");
		if (rc < 0)
			status = xg_complain(XG_EXIT_USAGE, "standard output: %s", strerror(-rc));
	}
	return status;
}

enum measuring_key {
	LAUNCHES = 0x500,
	LOOKS,
	BLOCKS,
	SLICE,
	BUDGET,
	TIMEOUT,
	SEED,
	MARGIN,
	TOLERANCE,
	STRICT,
	QUIET,
	CONTROL_PROGRAM
};

static const struct argp_option measuring_options[] = {
    {NULL, 0, NULL, 0, "How to measure:", 1},
    {"launches", LAUNCHES, "N", 0, "Fresh launches to a look (5)", 1},
    {"looks", LOOKS, "N", 0, "Looks at an inconclusive case (3)", 1},
    {"blocks", BLOCKS, "N", 0, "Blocks of two pairs to a launch (20)", 1},
    {"slice-ms", SLICE, "MS", 0, "Length of a slice (5.3)", 1},
    {"budget", BUDGET, "SECONDS", 0, "Time for all of it (300)", 1},
    {"timeout", TIMEOUT, "SECONDS", 0, "A worker silent for this long hangs (20)", 1},
    {"seed", SEED, "N", 0, "Of the order of everything (the time)", 1},
    {"margin", MARGIN, "PERCENT", 0, "Proven slower than this is a regression (3)", 1},
    {"tolerance", TOLERANCE, "PERCENT", 0, "Proven below this is ok (10)", 1},
    {"strict", STRICT, NULL, 0, "Exit 4 where a case was not decided", 1},
    {"quiet", QUIET, NULL, 0, "No progress line", 1},
    /* For tests, whose verdicts must not hang on what the machine does meanwhile. */
    {"control-program", CONTROL_PROGRAM, "PROGRAM", OPTION_HIDDEN, NULL, 1},
    {0},
};

static error_t parse_measuring(int key, char *text, struct argp_state *state)
{
	struct xg_measuring *measuring = state->input;
	char *end;

	switch (key) {
	case LAUNCHES:
		measuring->rule.launches = (unsigned)xg_parse_number(text, 1, "--launches", state);
		return 0;
	case LOOKS:
		measuring->rule.looks_max = (unsigned)xg_parse_number(text, 1, "--looks", state);
		return 0;
	case BLOCKS:
		measuring->blocks = (unsigned)xg_parse_number(text, 1, "--blocks", state);
		return 0;
	case SLICE:
		measuring->slice_ms = xg_parse_number(text, 0.001, "--slice-ms", state);
		return 0;
	case BUDGET:
		measuring->budget_s = xg_parse_number(text, 0, "--budget", state);
		return 0;
	case TIMEOUT:
		measuring->timeout_s = xg_parse_number(text, 0.01, "--timeout", state);
		return 0;
	case SEED:
		measuring->seed = strtoull(text, &end, 0);
		if (end == text || *end)
			argp_error(state, "--seed wants a number, not '%s'", text);
		return 0;
	case MARGIN:
		measuring->rule.margin = xg_parse_number(text, 0, "--margin", state) / 100;
		return 0;
	case TOLERANCE:
		measuring->rule.tolerance = xg_parse_number(text, 0.01, "--tolerance", state) / 100;
		return 0;
	case STRICT:
		measuring->strict = true;
		return 0;
	case QUIET:
		measuring->quiet = true;
		return 0;
	case CONTROL_PROGRAM:
		measuring->control_program = text;
		return 0;
	case ARGP_KEY_END:
		if (measuring->rule.tolerance <= measuring->rule.margin)
			argp_error(state, "--tolerance must be larger than --margin");
		if (measuring->rule.launches * (measuring->rule.looks_max + 1) > XG_LAUNCH_MAX)
			argp_error(state, "at most %d launches over all looks", XG_LAUNCH_MAX);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp xg_measuring_argp = {.options = measuring_options, .parser = parse_measuring};

void xg_measuring_init(struct xg_measuring *measuring)
{
	*measuring = (struct xg_measuring){
	    .rule = XG_RULE_DEFAULT,
	    .budget_s = XG_BUDGET_S,
	    .blocks = XG_BLOCKS,
	    .slice_ms = (double)XG_SLICE_NS / 1e6,
	    .timeout_s = XG_TIMEOUT_S,
	    .seed = (uint64_t)time(NULL),
	    .control_program = "/proc/self/exe",
	};
}

static bool progress_shown;

void xg_progress_clear(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

static void show_progress(void *context, const struct xg_progress *progress)
{
	(void)context;
	fprintf(stderr, "\r\033[K%s %u of %u launches, %.0f of %.0f s: %.60s", progress->doing,
		progress->launches_done, progress->launches_planned, progress->elapsed_s,
		progress->budget_s, progress->case_name);
	progress_shown = true;
}

struct xg_plan xg_measuring_plan(const struct xg_measuring *measuring,
				 const struct xg_build *baseline, const struct xg_build *candidate)
{
	bool visible = !measuring->quiet && isatty(STDERR_FILENO);

	return (struct xg_plan){
	    .baseline = baseline,
	    .candidate = candidate,
	    .control_program = measuring->control_program,
	    .budget_s = measuring->budget_s,
	    .slice_ns = (int64_t)(measuring->slice_ms * 1e6),
	    .blocks = measuring->blocks,
	    .timeout_ns = (int64_t)(measuring->timeout_s * 1e9),
	    .progress = visible ? show_progress : NULL,
	};
}

/* @word with quotes where the shell would need them. */
static void put_word(FILE *file, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-_=+.,:/@%";

	if (word[0] && strspn(word, plain) == strlen(word)) {
		fputs(word, file);
		return;
	}
	fputc('\'', file);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", file);
		else
			fputc(*word, file);
	}
	fputc('\'', file);
}

char *xg_command_line(const char *verb, int argc, char **argv)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	fprintf(file, "xpgate %s", verb);
	for (int i = 1; i < argc; i++) {
		fputc(' ', file);
		put_word(file, argv[i]);
	}
	fclose(file);
	return text;
}

enum xg_exit xg_open_build(struct xg_build *build, const char *path, const char *label,
			   double timeout_s)
{
	int rc = xg_build_open(build, path, label, (int64_t)(timeout_s * 1e9));

	if (rc == 0)
		return XG_EXIT_OK;
	const char *why = build->why[0] ? build->why : strerror(-rc);
	return xg_complain(rc == -EPIPE || rc == -ETIMEDOUT ? XG_EXIT_CRASHED : XG_EXIT_USAGE, "%s",
			   why);
}
