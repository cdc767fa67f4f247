/* SPDX-License-Identifier: MIT */
#include "gate/judge.h"
#include "gate/output.h"
#include "gate/report.h"
#include "gate/simulate.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names that would break out of XML, Markdown and workflow commands. */
#define AWKWARD "odd/<name>&\"quote\"|pipe%,:"

static const struct xg_noise quiet = {.slice = 0.01};
static char folder[64];

static const char *inside(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/report_test.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(void)
{
	/* Fails where anything was left in it. */
	cr_expect_eq(rmdir(folder), 0);
}

/* One case of each verdict that matters, and a control. */
static struct xg_run sample(void)
{
	static const double percents[] = {0, 15, -15};
	struct xg_random random = {7};
	struct xg_run run;

	cr_assert_eq(xg_run_init(&run, 7), 0);
	run.command = strdup("xpgate compare --baseline 'a b' --candidate c");
	run.baseline = strdup("a b");
	run.candidate = strdup("c");
	run.complete = true;
	run.seconds = 12.5;
	run.seed = 99;
	run.machine = json_pack("{s:s, s:i}", "cpu", "Some <CPU>", "cpus", 2);
	snprintf(run.started, sizeof(run.started), "2026-01-31T12:00:00Z");
	for (size_t i = 0; i < run.case_count; i++) {
		struct xg_case *tested = &run.cases[i];
		snprintf(tested->name, XG_NAME_MAX, "%s%zu", i == 1 ? AWKWARD : "case/", i);
		tested->iterations = 1000;
		if (i < 3)
			cr_assert_eq(xg_simulate_case(tested, &run.rule, &random, &quiet,
						      log1p(percents[i] / 100), 40),
				     0);
	}
	snprintf(run.cases[3].failure, XG_REASON_MAX, "the candidate crashed with <signal> 6");
	snprintf(run.cases[4].missing, XG_REASON_MAX, "gone: the candidate lacks it");
	run.cases[5].cost_count = 2;
	run.cases[5].costs[0] = (struct xg_cost){.name = "syscalls",
						 .state = XG_COST_MORE,
						 .baseline = 2,
						 .candidate = 3,
						 .detail = "futex +1"};
	run.cases[5].costs[1] = (struct xg_cost){
	    .name = "instructions", .state = XG_COST_NOT_COUNTED, .detail = "no valgrind"};
	run.cases[6].control = true;
	cr_assert_eq(xg_simulate_launch(&run.cases[6], &random, &quiet, 0, 40), 0);
	cr_assert_eq(xg_judge_run(&run, false), 0);
	return run;
}

static char *written(const struct xg_run *run, void (*write_report)(const struct xg_run *, FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	cr_assert_not_null(file);
	write_report(run, file);
	cr_assert_eq(fclose(file), 0);
	return text;
}

Test(report, a_run_that_is_written_and_read_is_judged_the_same, .init = make_folder,
     .fini = remove_folder)
{
	struct xg_run run = sample(), again;
	char why[XG_REASON_MAX] = "";

	cr_assert_eq(xg_report_write(&run, "json", inside("run.json")), 0);
	cr_assert_eq(xg_report_load(inside("run.json"), &again, why), 0, "%s", why);
	cr_assert_eq(xg_judge_run(&again, false), 0);
	cr_assert_eq(again.case_count, run.case_count);
	cr_expect_eq(again.exit, run.exit);
	cr_expect_eq(again.seed, run.seed);
	cr_expect_str_eq(again.command, run.command);
	for (size_t i = 0; run.cases && again.cases && i < run.case_count; i++) {
		cr_expect_str_eq(again.cases[i].name, run.cases[i].name);
		cr_expect_str_eq(again.cases[i].reason, run.cases[i].reason);
		cr_expect_eq(again.cases[i].verdict, run.cases[i].verdict);
		cr_expect_eq(again.cases[i].pair_count, run.cases[i].pair_count);
		cr_expect(fabs(again.cases[i].estimate.median - run.cases[i].estimate.median) <
			  1e-6);
	}
	xg_run_fini(&run);
	xg_run_fini(&again);
	unlink(inside("run.json"));
}

Test(report, text_states_every_case_and_the_outcome)
{
	struct xg_run run = sample();
	char *text = written(&run, xg_report_text);

	for (size_t i = 0; i < run.case_count; i++)
		cr_expect_not_null(strstr(text, run.cases[i].name));
	cr_expect_not_null(strstr(text, "1 ok, 1 improved, 2 regressed, 1 error, 1 skipped"));
	cr_expect_not_null(strstr(text, "syscalls: 3, was 2 futex +1"));
	cr_expect_null(strstr(text, "partial"));
	free(text);
	run.complete = false;
	run.interrupted = true;
	text = written(&run, xg_report_text);
	cr_expect_not_null(strstr(text, "INTERRUPTED: this report is partial"));
	free(text);
	xg_run_fini(&run);
}

Test(report, annotations_are_at_most_ten_errors_first_and_escaped)
{
	struct xg_run run;

	cr_assert_eq(xg_run_init(&run, 30), 0);
	for (size_t i = 0; i < run.case_count; i++) {
		snprintf(run.cases[i].name, XG_NAME_MAX, "%s%zu", AWKWARD, i);
		run.cases[i].verdict = i < 25 ? XG_REGRESSED : XG_ERROR;
		snprintf(run.cases[i].reason, XG_REASON_MAX, "100 %% slower\nor so");
	}
	char *text = written(&run, xg_report_annotations);
	size_t lines = 0;
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	cr_expect_eq(lines, XG_ANNOTATIONS_MAX);
	cr_expect(strncmp(text, "::error title=odd/<name>&\"quote\"|pipe%25%2C%3A25 error::", 56) ==
		  0);
	cr_expect_not_null(strstr(text, "100 %25 slower%0Aor so"));
	free(text);
	xg_run_fini(&run);
}

Test(report, google_benchmark_json_has_both_arms)
{
	struct xg_run run = sample();
	char *text = written(&run, xg_report_gbench);
	json_t *root = json_loads(text, 0, NULL);

	cr_assert_not_null(root);
	json_t *list = json_object_get(root, "benchmarks");
	cr_expect_eq(json_array_size(list), 8);
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "time_unit")),
			 "ns");
	json_decref(root);
	free(text);
	xg_run_fini(&run);
}

Test(report, the_page_is_one_file_and_nothing_breaks_out_of_it)
{
	struct xg_run run = sample();
	char *text = written(&run, xg_report_html);

	cr_expect_not_null(strstr(text, "odd/&lt;name&gt;&amp;&quot;quote&quot;|pipe%,:1"));
	cr_expect_null(strstr(text, "<name>&\"quote"));
	cr_expect_null(strstr(text, "href="));
	cr_expect_null(strstr(text, "src="));
	cr_expect_null(strstr(text, "nan"));
	/* The forest, and three plots for each of the two that are neither ok nor without pairs. */
	size_t plots = 0;
	for (const char *at = text; (at = strstr(at, "<svg")); at++)
		plots++;
	cr_expect_eq(plots, 1 + 3 * 2);
	free(text);
	xg_run_fini(&run);
}

Test(report, files_that_are_no_runs_are_refused_with_a_reason, .init = make_folder,
     .fini = remove_folder)
{
	static const char *const texts[] = {
	    "",
	    "not json",
	    "{}",
	    "{\"program\":\"xpgate\",\"schema\":2}",
	    "{\"program\":\"xpgate\",\"schema\":1}",
	    "{\"program\":\"xpgate\",\"schema\":1,\"rule\":{\"margin\":0.03,\"tolerance\":0.1,"
	    "\"level\":0.99,\"launches\":5,\"looks_max\":3},\"command\":\"c\",\"baseline\":\"a\","
	    "\"candidate\":\"b\",\"cases\":[{\"name\":\"x\",\"launches\":1,"
	    "\"pairs\":[[1,0.5,10.0,11.0,0]]}]}",
	    "{\"program\":\"xpgate\",\"schema\":1,\"rule\":{\"margin\":0.03,\"tolerance\":0.1,"
	    "\"level\":0.99,\"launches\":5,\"looks_max\":3},\"command\":\"c\",\"baseline\":\"a\","
	    "\"candidate\":\"b\",\"cases\":[{\"name\":\"x\",\"launches\":1,"
	    "\"pairs\":[[0,0.5,-10.0,11.0,0]]}]}",
	};
	struct xg_run run;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char why[XG_REASON_MAX] = "";
		FILE *file = fopen(inside("bad.json"), "we");
		cr_assert_not_null(file);
		fputs(texts[i], file);
		fclose(file);
		cr_expect(xg_report_load(inside("bad.json"), &run, why) < 0, "text %zu", i);
		cr_expect(why[0] != '\0' && !strchr(why, '\n'), "text %zu: %s", i, why);
	}
	unlink(inside("bad.json"));
	char why[XG_REASON_MAX] = "";
	cr_expect_eq(xg_report_load(inside("absent"), &run, why), -ENOENT);
}

static bool exists(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0;
}

Test(output, nothing_is_there_before_the_commit_and_nothing_after_a_drop, .init = make_folder,
     .fini = remove_folder)
{
	struct xg_output output;

	cr_assert_eq(xg_output_open(&output, inside("new")), 0);
	fputs("half", output.file);
	cr_expect_not(exists(inside("new")));
	xg_output_drop(&output);
	cr_expect_not(exists(inside("new")));

	cr_assert_eq(xg_output_open(&output, inside("new")), 0);
	fputs("whole", output.file);
	cr_assert_eq(xg_output_commit(&output), 0);
	cr_expect(exists(inside("new")));
	unlink(inside("new"));
}

Test(output, a_full_disk_is_an_error_and_keeps_what_was_there, .init = make_folder,
     .fini = remove_folder)
{
	struct xg_run run = sample();

	cr_expect_eq(xg_report_write(&run, "json", "/dev/full"), -ENOSPC);
	cr_expect_eq(xg_report_write(&run, "html", "/dev/full"), -ENOSPC);
	struct stat status;
	cr_assert_eq(stat("/dev/full", &status), 0);
	cr_expect(S_ISCHR(status.st_mode));
	cr_expect_eq(xg_report_write(&run, "json", "/nonexistent/folder/run.json"), -ENOENT);
	cr_expect_eq(xg_report_write(&run, "carrier-pigeon", inside("x")), -EINVAL);
	cr_expect_eq(xg_output_append("/dev/full", "line\n"), -ENOSPC);
	xg_run_fini(&run);
}

Test(output, appending_adds_whole_lines, .init = make_folder, .fini = remove_folder)
{
	char text[32] = "";

	cr_assert_eq(xg_output_append(inside("log"), "one\n"), 0);
	cr_assert_eq(xg_output_append(inside("log"), "two\n"), 0);
	int fd = open(inside("log"), O_RDONLY | O_CLOEXEC);
	cr_assert_eq(read(fd, text, sizeof(text) - 1), 8);
	close(fd);
	cr_expect_str_eq(text, "one\ntwo\n");
	unlink(inside("log"));
}
