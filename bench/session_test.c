/* SPDX-License-Identifier: MIT */
#include "bench/matrix.h"
#include "bench/session.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct xb_topology topology;
static struct xb_matrix matrix;

static void set_up(void)
{
	char error[256];

	cr_assert_eq(xb_topology_open(&topology, NULL), 0);
	cr_assert_geq(xb_matrix_open(&matrix, &topology, "classes", true, error, sizeof(error)), 0,
		      "%s", error);
}

static void tear_down(void)
{
	xb_matrix_close(&matrix);
	xb_topology_close(&topology);
}

TestSuite(session, .init = set_up, .fini = tear_down);

static int open_descriptors(void)
{
	DIR *list = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(list))
		n++;
	closedir(list);
	return n;
}

Test(session, every_floor_runs_and_gives_a_positive_figure)
{
	int floors = 0, before = open_descriptors();

	for (size_t i = 0; i < matrix.count; i++) {
		const struct xb_case *c = matrix.cases[i];
		struct xb_session session;
		struct xb_figures figures;
		char error[XB_FAIL_TEXT];

		if (c->role != XB_ROLE_FLOOR || c->workload->managed)
			continue;
		cr_assert_eq(xb_session_open(&session, c, error), 0, "%s: %s", c->name, error);
		/* Twice: a sequence goes on from one order to the next. */
		for (int order = 0; order < 2; order++) {
			cr_assert_eq(
			    xb_session_run(&session, XB_PASS_BATCH, 100, NULL, &figures, error), 0,
			    "%s: %s", c->name, error);
			cr_expect_gt(figures.ns, 0, "%s", c->name);
			cr_expect_gt(figures.ops, 0, "%s", c->name);
			cr_expect_not(figures.moved, "%s", c->name);
		}
		xb_session_close(&session);
		floors++;
	}
	cr_expect_geq(floors, 10);
	cr_expect_eq(open_descriptors(), before, "descriptors are left");
}

Test(session, a_distribution_holds_every_operation)
{
	struct xb_hist *hist = malloc(sizeof(*hist));
	struct xb_session session;
	struct xb_figures figures;
	char error[XB_FAIL_TEXT];
	const struct xb_case *c = NULL;

	for (size_t i = 0; i < matrix.count && !c; i++)
		if (strcmp(matrix.cases[i]->impl_name, "floor/futex") == 0)
			c = matrix.cases[i];
	cr_assert_not_null(c);
	xb_hist_init(hist);
	cr_assert_eq(xb_session_open(&session, c, error), 0, "%s", error);
	for (int order = 0; order < 3; order++)
		cr_assert_eq(xb_session_run(&session, XB_PASS_EACH, 50, hist, &figures, error), 0);
	cr_expect_eq(hist->total, 150);
	xb_session_close(&session);
	free(hist);
}

/* Workloads that misbehave. */

static int run_wrong(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	(void)pass;
	return actor->index == 1 && n == 7 ? xb_fail(actor, "item 3 is not what was sent") : 0;
}

static int run_dead(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	(void)n;
	(void)pass;
	if (actor->index == 1)
		kill(getpid(), SIGKILL);
	return 0;
}

_Noreturn static int run_for_ever(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	(void)n;
	(void)pass;
	if (actor->index == 0)
		kill(getppid(), SIGUSR1);
	for (;;)
		pause();
}

static int enter_never(struct xb_actor *actor)
{
	return xb_fail(actor, "no connection for member %d", actor->index);
}

static struct xb_case made_up(const struct xb_workload *workload)
{
	struct xb_placement pair = {.class = XB_SAME_PU, .count = 2};

	pair.cpus[0] = pair.cpus[1] = topology.classes[XB_SAME_PU].cpus[0];
	struct xb_case c =
	    xb_case_other(workload, XB_ROLE_CONTROL, "floor", "floor/made_up", &pair);
	c.carrier = XP_CARRIER_PROCESS;
	cr_assert_eq(xb_case_name(&c), 0);
	return c;
}

Test(session, a_failed_check_is_told_in_the_members_words)
{
	struct xb_workload workload = {.name = "made_up", .run = run_wrong};
	struct xb_case c = made_up(&workload);
	struct xb_session session;
	struct xb_figures figures;
	char error[XB_FAIL_TEXT];

	cr_assert_eq(xb_session_open(&session, &c, error), 0, "%s", error);
	cr_expect_eq(xb_session_run(&session, XB_PASS_BATCH, 6, NULL, &figures, error), 0);
	cr_expect_eq(xb_session_run(&session, XB_PASS_BATCH, 7, NULL, &figures, error), -ECHILD);
	cr_expect_str_eq(error, "item 3 is not what was sent");
	xb_session_close(&session);
}

Test(session, a_dead_member_ends_the_order)
{
	struct xb_workload workload = {.name = "made_up", .run = run_dead};
	struct xb_case c = made_up(&workload);
	struct xb_session session;
	struct xb_figures figures;
	char error[XB_FAIL_TEXT];

	cr_assert_eq(xb_session_open(&session, &c, error), 0, "%s", error);
	cr_expect_eq(xb_session_run(&session, XB_PASS_BATCH, 1, NULL, &figures, error), -ECHILD);
	cr_expect(strstr(error, "member 1 died") != NULL, "%s", error);
	xb_session_close(&session);
}

Test(session, a_member_that_cannot_enter_is_told_at_once)
{
	struct xb_workload workload = {.name = "made_up", .enter = enter_never, .run = run_wrong};
	struct xb_case c = made_up(&workload);
	struct xb_session session;
	char error[XB_FAIL_TEXT];

	cr_expect_lt(xb_session_open(&session, &c, error), 0);
	cr_expect(strstr(error, "no connection for member") != NULL, "%s", error);
}

static void interrupt(int number)
{
	(void)number;
	xb_interrupted = 1;
}

Test(session, an_interruption_ends_the_order_and_the_members)
{
	struct xb_workload workload = {.name = "made_up", .run = run_for_ever};
	struct sigaction action = {.sa_handler = interrupt};
	struct xb_case c = made_up(&workload);
	struct xb_session session;
	struct xb_figures figures;
	char error[XB_FAIL_TEXT];

	sigaction(SIGUSR1, &action, NULL);
	cr_assert_eq(xb_session_open(&session, &c, error), 0, "%s", error);
	pid_t member = session.stage.crew.children[1].pid;
	cr_expect_eq(xb_session_run(&session, XB_PASS_BATCH, 1, NULL, &figures, error), -EINTR);
	xb_session_close(&session);
	cr_expect_eq(kill(member, 0), -1, "a member is left");
}
