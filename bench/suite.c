/* SPDX-License-Identifier: MIT */
#include "bench/suite.h"

#include "bench/calls.h"
#include "bench/gbench.h"
#include "bench/stats.h"

#include "xpshare/base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Operations of an each pass at most: enough for four nines with a hundred samples beyond. */
#define EACH_MAX 2000000

/* And at least so many for each second of a window: enough for a p99 with a hundred samples beyond, over the
 * windows of a full run, where operations are slow. */
#define EACH_PER_S 12000

/* Parts of a window: so many at most, of so many operations at least, for so many times the least
 * time of a window. */
#define BESIDE_FIRST   64 /* operations of what is run beside a case, to begin with */
#define PARTS_MAX      9
#define PART_MIN       200
#define BUDGET_WINDOWS 20

/* Operations of the short window in which system calls are counted, at most; and how long one may take. */
#define COUNT_MAX 1024
#define COUNT_NS  (2 * XP_NS_PER_MS)

static struct xb_entry *entry_named(const struct xb_suite *suite, const char *name)
{
	for (size_t i = 0; i < suite->count; i++)
		if (strcmp(suite->entries[i].c->name, name) == 0)
			return &suite->entries[i];
	return NULL;
}

static void select_case(struct xb_suite *suite, const struct xb_case *c)
{
	if (!entry_named(suite, c->name))
		suite->entries[suite->count++] = (struct xb_entry){.suite = suite, .c = c};
}

/* No figure without the floor of the same placement in the same run, nor without its rivals. */
static void select_with_besides(struct xb_suite *suite, const struct xb_case *c)
{
	const struct xb_case *besides[XB_BESIDES];

	for (int i = 0; i < XB_BESIDES; i++) {
		const char *name = i == 0 ? c->floor : c->rival[i - 1];
		besides[i] = name[0] ? xb_matrix_find(suite->matrix, name) : NULL;
		if (besides[i])
			select_case(suite, besides[i]);
	}
	select_case(suite, c);
	for (int i = 0; i < XB_BESIDES; i++)
		entry_named(suite, c->name)->beside[i].c = besides[i];
}

static int select_all(struct xb_suite *suite, const char *filter)
{
	struct xb_matrix *matrix = suite->matrix;

	suite->entries = calloc(matrix->count + 1, sizeof(*suite->entries));
	if (!suite->entries)
		return -ENOMEM;
	for (size_t i = 0; i < matrix->count; i++) {
		const struct xb_case *c = matrix->cases[i];
		int matches = xb_gbench_matches(filter, c->name);
		if (matches < 0)
			return matches;
		if (!matches)
			continue;
		select_with_besides(suite, c);
	}
	return suite->count ? 0 : -ENODATA;
}

/* Make @path with the folders above it; one that is there already is fine. */
static int make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		int rc = mkdir(path, 0777);
		*slash = '/';
		if (rc < 0 && errno != EEXIST)
			return -errno;
	}
	return mkdir(path, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_records(struct xb_suite *suite)
{
	char path[4096];

	if (!suite->plan.out[0] || strlen(suite->plan.out) > sizeof(path) - sizeof("/bench.json"))
		return suite->plan.out[0] ? -ENAMETOOLONG : -ENOENT;
	snprintf(path, sizeof(path), "%s", suite->plan.out);
	int rc = make_folders(path);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "%s/hgrm", suite->plan.out);
	if (mkdir(path, 0777) < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/bench.json", suite->plan.out);
	suite->records = fopen(path, "wxe");
	return suite->records ? 0 : -errno;
}

int xb_suite_open(struct xb_suite *suite, const struct xb_suite_plan *plan,
		  struct xb_matrix *matrix, const char *filter)
{
	*suite = (struct xb_suite){.plan = *plan, .matrix = matrix, .begin_ns = xb_now()};
	int rc = select_all(suite, filter);
	if (rc == 0 && plan->out)
		rc = open_records(suite);
	return rc;
}

static void keep_call(struct xb_entry *entry, const struct xb_figures *figures)
{
	if (entry->call_count == entry->call_room) {
		entry->call_room = entry->call_room ? 2 * entry->call_room : 16;
		entry->calls = realloc(entry->calls, entry->call_room * sizeof(*entry->calls));
		xp_assert(entry->calls);
		for (int i = 0; i < XB_BESIDES; i++) {
			struct xb_beside *beside = &entry->beside[i];
			beside->ratios =
			    realloc(beside->ratios, entry->call_room * sizeof(*beside->ratios));
			xp_assert(beside->ratios);
		}
	}
	entry->calls[entry->call_count++] = *figures;
}

/* Google Benchmark asks for a number that it has not asked for before: a new search. */
static void begin_number(struct xb_entry *entry, int64_t n)
{
	if (entry->n == n)
		return;
	entry->n = n;
	entry->call_count = 0;
	for (int i = 0; i < XB_BESIDES; i++)
		entry->beside[i].count = 0;
	if (entry->hist)
		xb_hist_init(entry->hist);
}

static void add_part(struct xb_figures *sum, const struct xb_figures *part)
{
	sum->total_ns += part->total_ns;
	sum->span_ns += part->span_ns;
	sum->ops += part->ops;
	sum->bytes += part->bytes;
	sum->cpu_s += part->cpu_s;
	sum->server_cpu_s += part->server_cpu_s;
	sum->switches_voluntary += part->switches_voluntary;
	sum->switches_involuntary += part->switches_involuntary;
	sum->faults_minor += part->faults_minor;
	sum->steal += part->steal;
	sum->fairness += part->fairness;
	sum->moved |= part->moved;
}

/*
 * A window is run in several parts, and its figure is that of the median part: a time slice that
 * goes to another program would otherwise be all that a short window shows. Where the machine has
 * become so busy that the number chosen takes too long, the parts that are left are left out.
 */
static int run_window(const struct xb_suite *suite, struct xb_session *session, enum xb_pass pass,
		      int64_t n, struct xb_hist *hist, struct xb_figures *ret_figures, char *error)
{
	int64_t parts = n / PART_MIN < PARTS_MAX ? n / PART_MIN : PARTS_MAX, done = 0;
	int64_t budget = (int64_t)(suite->plan.window_s * 1e9 * BUDGET_WINDOWS);
	struct xb_figures sum = {0}, part;
	double per_op[PARTS_MAX];
	int64_t begin = xb_now();

	if (parts < 3 || session->stage.c->workload->fixed)
		return xb_session_run(session, pass, n, hist, ret_figures, error);
	do {
		int rc = xb_session_run(session, pass, xb_share(n, (int)done, (int)parts), hist,
					&part, error);
		if (rc < 0)
			return rc;
		per_op[done++] = part.ns / (double)part.ops;
		add_part(&sum, &part);
	} while (done < parts && (budget <= 0 || xb_now() - begin < budget));
	sum.ns = xb_median(per_op, (size_t)done) * (double)sum.ops;
	sum.steal /= (double)done;
	sum.fairness /= (double)done;
	*ret_figures = sum;
	return 0;
}

static int take_distribution(struct xb_entry *entry, struct xb_session *session, int64_t n,
			     char *error)
{
	struct xb_figures ignored;

	if (!entry->hist) {
		entry->hist = malloc(sizeof(*entry->hist));
		xp_assert(entry->hist);
		xb_hist_init(entry->hist);
	}
	return run_window(entry->suite, session, XB_PASS_EACH, n, entry->hist, &ignored, error);
}

/* How many operations to stamp one by one, where @n of them made a window with these @figures. */
static int64_t each_number(const struct xb_entry *entry, const struct xb_figures *figures,
			   int64_t n)
{
	double window_s = entry->suite->plan.window_s;
	/* Several members may make n operations each. */
	double least = EACH_PER_S * window_s * (double)n / (double)figures->ops;
	/* But where each takes long, only what the time allows. */
	double most = BUDGET_WINDOWS * window_s * 1e9 * (double)n / (figures->total_ns + 1);
	double number = fmax((double)n, fmin(least, most));

	if (entry->c->workload->fixed)
		return n;
	return number < EACH_MAX ? (int64_t)number : EACH_MAX;
}

/*
 * Once a case, after all that is timed. Where they cannot be counted, or do not come out the same twice,
 * the record does not say; nor where the server makes most of its calls for an attacker.
 */
static void count_calls(struct xb_entry *entry, struct xb_session *session,
			const struct xb_figures *figures, int64_t n)
{
	const struct xb_case *c = entry->c;
	char ignored[XB_FAIL_TEXT];

	if (entry->counted || entry->suite->plan.window_s <= 0 ||
	    figures->total_ns > COUNT_NS * (double)n || c->workload->fixed || c->workload->driven ||
	    c->workload->metric == XB_METRIC_RESPONSE || c->param[XB_ATTACK].set)
		return;
	entry->counted = true;
	if (xb_calls_per_op(session, COUNT_MAX, &entry->syscalls, ignored) < 0)
		entry->syscalls = -1;
}

/* Nanoseconds that a unit takes: an operation, or a byte where @by_bytes. */
static double unit_ns(const struct xb_case *c, const struct xb_figures *f, bool by_bytes)
{
	double units = (double)f->ops;

	if (by_bytes)
		units = c->workload->metric == XB_METRIC_BYTES
			    ? (double)f->bytes
			    : units * (double)xb_case_number(c, XB_SIZE, 1);
	return f->ns / units;
}

/* One window of @c now, half as long as a repetition's. 0, or negative where it cannot be had. */
static int run_beside(const struct xb_suite *suite, const struct xb_case *c,
		      struct xb_figures *ret_figures)
{
	double window_ns = suite->plan.window_s * 1e9 / 2;
	struct xb_figures figures = {0};
	struct xb_session session;
	char error[XB_FAIL_TEXT];
	int64_t n = BESIDE_FIRST;

	int rc = xb_session_open(&session, c, error);
	if (rc < 0)
		return rc;
	/* From few operations to as many as fill the window. */
	while (rc == 0 && figures.total_ns < window_ns / 2) {
		rc = xb_session_run(&session, XB_PASS_BATCH, n, NULL, &figures, error);
		double fill = window_ns / (figures.total_ns / (double)n + 1e-3);
		n = fill > 100.0 * (double)n ? 100 * n : (int64_t)fill + 1;
	}
	/* A span has no median batch: it needs the parts of a window. */
	if (rc == 0 && c->workload->clock == XB_CLOCK_SPAN)
		rc = run_window(suite, &session, XB_PASS_BATCH, n, NULL, &figures, error);
	xb_session_close(&session);
	*ret_figures = figures;
	return rc;
}

/* Whether the two measure the same sort of thing, in windows that can be chosen. */
static bool comparable(const struct xb_workload *one, const struct xb_workload *other)
{
	return xb_metric_higher(one->metric) == xb_metric_higher(other->metric) && !one->fixed &&
	       !other->fixed;
}

/* What there is to be run beside a repetition of @entry; those that failed have no operations. */
static void run_besides(const struct xb_entry *entry, struct xb_figures figures[XB_BESIDES])
{
	for (int i = 0; i < XB_BESIDES; i++) {
		const struct xb_case *c = entry->beside[i].c;
		figures[i] = (struct xb_figures){0};
		if (c && entry->suite->plan.window_s > 0 &&
		    comparable(c->workload, entry->c->workload) &&
		    run_beside(entry->suite, c, &figures[i]) < 0)
			figures[i].ops = 0;
	}
}

static void keep_ratios(struct xb_entry *entry, const struct xb_figures *mine,
			const struct xb_figures theirs[XB_BESIDES])
{
	for (int i = 0; i < XB_BESIDES; i++) {
		struct xb_beside *beside = &entry->beside[i];
		if (!beside->c || theirs[i].ops == 0)
			continue;
		bool by_bytes = beside->c->workload->metric == XB_METRIC_BYTES;
		beside->ratios[beside->count++] =
		    unit_ns(entry->c, mine, by_bytes) / unit_ns(beside->c, &theirs[i], by_bytes);
	}
}

static void show_progress(const struct xb_entry *entry)
{
	const struct xb_suite *suite = entry->suite;
	FILE *to = suite->plan.progress;

	if (to) {
		fprintf(to, "\r\033[K%zu/%zu  %lld s  %.70s", suite->finished, suite->count,
			(long long)((xb_now() - suite->begin_ns) / 1000000000), entry->c->name);
		fflush(to);
	}
}

double xb_suite_body(void *arg, int64_t n, char *error)
{
	struct xb_entry *entry = arg;
	struct xb_session session;
	struct xb_figures figures = {0}, besides[XB_BESIDES] = {0};
	int64_t begin = xb_now();

	if (xb_interrupted) {
		snprintf(error, XB_FAIL_TEXT, "interrupted");
		return -1;
	}
	if (entry->unsupported) {
		snprintf(error, XB_FAIL_TEXT, "%s", entry->error);
		return -1;
	}
	show_progress(entry);
	begin_number(entry, n);
	/* The search is over once a number is asked for again: only repetitions are worth a pair. */
	bool before = entry->call_count % 2 == 1, full = false;
	if (before)
		run_besides(entry, besides);
	int rc = xb_session_open(&session, entry->c, error);
	if (rc == 0) {
		rc = run_window(entry->suite, &session, XB_PASS_BATCH, n, NULL, &figures, error);
		/* Searches are too short to be worth a distribution; the last one is not. */
		full = entry->c->workload->fixed ||
		       figures.total_ns >= entry->suite->plan.window_s * 1e9 / 2;
		if (rc == 0 && entry->c->workload->distribution && full)
			rc = take_distribution(entry, &session, each_number(entry, &figures, n),
					       error);
		if (rc == 0 && full)
			count_calls(entry, &session, &figures, n);
		xb_session_close(&session);
	}
	if (rc == 0 && full && !before)
		run_besides(entry, besides);
	entry->seconds += (double)(xb_now() - begin) / 1e9;
	if (rc < 0) {
		entry->unsupported = rc == -ENOTSUP;
		snprintf(entry->error, sizeof(entry->error), "%s", error);
		return -1;
	}
	keep_call(entry, &figures);
	keep_ratios(entry, &figures, besides);
	/* The members may have rounded the number of operations up or down. */
	return figures.ns / 1e9 * (double)n / (double)figures.ops;
}

/* The value of a repetition in the unit of the record. */
static double in_unit(const struct xb_entry *entry, const struct xb_figures *f)
{
	double per_op = f->ns / (double)f->ops;

	switch (entry->c->workload->metric) {
	case XB_METRIC_ITEMS:
		return 1e9 / per_op;
	case XB_METRIC_BYTES:
		return (double)f->bytes / (f->ns / 1e9);
	default:
		return per_op;
	}
}

static int write_hgrm(const struct xb_entry *entry, json_t *record)
{
	char file[XB_NAME_MAX + 8], path[4096];

	if (!entry->hist || entry->hist->total == 0)
		return 0;
	snprintf(file, sizeof(file), "%s.hgrm", entry->c->name);
	for (char *at = file; *at; at++)
		if (*at == '/' || *at == ':')
			*at = '_';
	snprintf(path, sizeof(path), "%s/hgrm/%s", entry->suite->plan.out, file);
	FILE *out = fopen(path, "wxe");
	if (!out)
		return -errno;
	int rc = xb_hist_write(entry->hist, out);
	if (fclose(out) != 0)
		rc = -EIO;
	snprintf(path, sizeof(path), "hgrm/%s", file);
	json_object_set_new(record, "hgrm", json_string(path));
	return rc;
}

/* 1234567 as "1.23 M": three digits are what a line can promise. */
static void print_value(FILE *out, double value, const char *unit)
{
	static const char *const rates[] = {"", "k", "M", "G", "T"};
	static const char *const times[] = {"ns", "us", "ms", "s"};
	bool time = strcmp(unit, "ns") == 0;
	const char *short_unit = strcmp(unit, "bytes/s") == 0 ? "B/s"
				 : strcmp(unit, "bytes") == 0 ? "B"
							      : unit;
	int last = time ? 3 : 4, i = 0;

	while (value >= 999.5 && i < last) {
		value /= 1000;
		i++;
	}
	int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
	if (time)
		fprintf(out, "%7.*f %-9s", digits, value, times[i]);
	else
		fprintf(out, "%7.*f %s%-*s", digits, value, rates[i], 9 - (i > 0), short_unit);
}

static void print_line(FILE *out, const struct xb_entry *entry, const json_t *record,
		       const struct xb_verdict *verdict)
{
	const char *unit = xb_metric_unit(entry->c->workload->metric);
	const json_t *limit = json_object_get(record, "floor");

	fprintf(out, "%-64s ", entry->c->name);
	print_value(out, entry->value, unit);
	if (json_object_get(record, "p99"))
		fprintf(out, " p99 "),
		    print_value(out, json_number_value(json_object_get(record, "p99")), unit);
	else
		fprintf(out, " %21s", "");
	if (limit)
		fprintf(out, " %7.2f x floor", json_number_value(json_object_get(limit, "ratio")));
	if (verdict->validity != XB_VALID)
		fprintf(out, "  %s: %s", xb_validity_name(verdict->validity), verdict->why[0]);
	fprintf(out, "\n");
	fflush(out);
}

static int write_entry(struct xb_entry *entry, const struct xb_entry *floor)
{
	struct xb_suite *suite = entry->suite;
	struct xb_verdict verdict;
	int rc = 0;

	entry->written = true;
	if (entry->run_count == 0) {
		xb_matrix_absent(suite->matrix, entry->error, "%s", entry->c->name);
		if (!entry->unsupported && !xb_interrupted) {
			suite->failed++;
			fprintf(stderr, "%sxpbench: %s: %s\n",
				suite->plan.progress ? "\r\033[K" : "", entry->c->name,
				entry->error);
		}
		return 0;
	}
	json_t *record = xb_record_of(entry, floor && floor->run_count ? floor : NULL, &verdict);
	suite->written[verdict.validity]++;
	if (suite->records) {
		rc = write_hgrm(entry, record);
		char *line = json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(10));
		if (!line || fprintf(suite->records, "%s\n", line) < 0 ||
		    fflush(suite->records) != 0)
			rc = -EIO;
		free(line);
	}
	if (suite->plan.progress)
		fprintf(suite->plan.progress, "\r\033[K");
	if (suite->plan.lines)
		print_line(suite->plan.lines, entry, record, &verdict);
	json_decref(record);
	free(entry->hist);
	entry->hist = NULL;
	return rc;
}

/* Write every finished entry whose floor is known, or all that are finished. */
static int write_ready(struct xb_suite *suite, bool all)
{
	int result = 0;

	for (size_t i = 0; i < suite->count; i++) {
		struct xb_entry *entry = &suite->entries[i];
		if (!entry->done || entry->written)
			continue;
		const struct xb_entry *floor =
		    entry->c->floor[0] ? entry_named(suite, entry->c->floor) : NULL;
		if (floor && !floor->done && !all)
			continue;
		int rc = write_entry(entry, floor);
		if (rc < 0) {
			fprintf(stderr, "xpbench: cannot write the record of %s: %s\n",
				entry->c->name, strerror(-rc));
			result = rc;
		}
	}
	return result;
}

void xb_suite_result(void *context, const struct xb_gbench_result *result)
{
	struct xb_suite *suite = context;
	struct xb_entry *entry = result->arg;

	entry->runs = calloc(entry->call_count + 1, sizeof(*entry->runs));
	xp_assert(entry->runs);
	/* The search ends with the first repetition: calls with the final number are repetitions. */
	for (size_t i = 0; i < entry->call_count; i++)
		entry->runs[i] = in_unit(entry, &entry->calls[i]);
	entry->run_count = entry->call_count;
	entry->failed = xb_interrupted ? 0 : result->calls - result->count;
	if (result->count == 0)
		entry->run_count = 0;
	if (result->error && !entry->error[0])
		snprintf(entry->error, sizeof(entry->error), "%s", result->error);
	if (entry->run_count)
		entry->value = xb_interval_of(entry->runs, entry->run_count, 0).median;
	entry->done = true;
	suite->finished++;
	(void)!write_ready(suite, false);
}

int xb_suite_close(struct xb_suite *suite)
{
	int rc = suite->entries ? write_ready(suite, true) : 0;

	for (size_t i = 0; suite->entries && i < suite->count; i++) {
		free(suite->entries[i].calls);
		for (int k = 0; k < XB_BESIDES; k++)
			free(suite->entries[i].beside[k].ratios);
		free(suite->entries[i].runs);
		free(suite->entries[i].hist);
	}
	free(suite->entries);
	if (suite->records && fclose(suite->records) != 0)
		rc = -EIO;
	suite->entries = NULL;
	suite->records = NULL;
	suite->count = 0;
	return rc;
}
