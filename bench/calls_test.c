/* SPDX-License-Identifier: MIT */
#include "bench/calls.h"
#include "bench/matrix.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct xb_topology topology;
static struct xb_matrix matrix;
static struct xb_session session;
static char error[XB_FAIL_TEXT];

static void set_up(void)
{
	char text[256];

	cr_assert_eq(xb_topology_open(&topology, NULL), 0);
	cr_assert_geq(xb_matrix_open(&matrix, &topology, "classes", true, text, sizeof(text)), 0,
		      "%s", text);
}

static void tear_down(void)
{
	xb_session_close(&session);
	xb_matrix_close(&matrix);
	xb_topology_close(&topology);
}

TestSuite(calls, .init = set_up, .fini = tear_down, .timeout = 120);

/* The first case whose name begins so. */
static void open_case(const char *name)
{
	for (size_t i = 0; i < matrix.count; i++)
		if (strncmp(matrix.cases[i]->name, name, strlen(name)) == 0) {
			cr_assert_eq(xb_session_open(&session, matrix.cases[i], error), 0, "%s",
				     error);
			return;
		}
	cr_assert_fail("no case %s", name);
}

/* Calls per operation of that case; the test is skipped where nothing may be traced. */
static double count(const char *name)
{
	double per_op = -1;

	open_case(name);
	int rc = xb_calls_per_op(&session, 40, &per_op, error);
	xb_session_close(&session);
	if (rc == -EPERM)
		cr_skip_test("tracing is not allowed here");
	cr_assert_eq(rc, 0, "%s: %d %s", name, rc, error);
	return per_op;
}

Test(calls, of_an_operation_are_counted_and_no_others)
{
	cr_expect_eq(count("floor/floor/syscall/"), 1);
	cr_expect_eq(count("lock_uncontended/lock/futex/"), 0);
	/* A write and a read on either side. */
	cr_expect_eq(count("floor/floor/pipe/size:8"), 4);
	/* The server's count too: it receives and sends as often as its client. */
	cr_expect_geq(count("manager_call/manager/event/"), 4);
}

Test(calls, the_session_goes_on_as_before)
{
	struct xb_figures figures;
	double per_op;
	sigset_t mask;

	open_case("floor/floor/pipe/size:8");
	for (int i = 0; i < 2; i++) {
		int rc = xb_calls_per_op(&session, 20, &per_op, error);
		if (rc == -EPERM)
			cr_skip_test("tracing is not allowed here");
		cr_assert_eq(rc, 0, "%s", error);
		cr_assert_eq(xb_session_run(&session, XB_PASS_BATCH, 100, NULL, &figures, error),
			     0);
		cr_expect_eq(figures.ops, 100);
	}
	sigprocmask(SIG_BLOCK, NULL, &mask);
	cr_expect_not(sigismember(&mask, SIGCHLD));
}

/* Workloads of which nothing can be said. */

static int run_differing(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	(void)pass;
	/* Each window makes twice the calls of the one before. */
	for (int64_t i = 0; i < n << actor->turn; i++)
		syscall(SYS_getppid);
	actor->turn++;
	actor->tally->ops = n;
	return 0;
}

static int run_dead(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	(void)pass;
	if (n > 10 && actor->index == 0)
		raise(SIGKILL);
	return 0;
}

static int count_made_up(int (*run)(struct xb_actor *, int64_t, enum xb_pass),
			 enum xp_carrier carrier)
{
	struct xb_workload workload = {.name = "made_up", .run = run};
	struct xb_placement alone = {.class = XB_SAME_PU, .count = 1};

	alone.cpus[0] = topology.classes[XB_SAME_PU].cpus[0];
	struct xb_case c =
	    xb_case_other(&workload, XB_ROLE_CONTROL, "floor", "floor/made_up", &alone);
	c.carrier = carrier;
	cr_assert_eq(xb_case_name(&c), 0);
	cr_assert_eq(xb_session_open(&session, &c, error), 0, "%s", error);
	double per_op = -1;
	int rc = xb_calls_per_op(&session, 10, &per_op, error);
	xb_session_close(&session);
	if (rc == -EPERM)
		cr_skip_test("tracing is not allowed here");
	cr_expect_lt(rc, 0);
	cr_expect_eq(per_op, -1, "told all the same");
	return rc;
}

Test(calls, that_differ_from_count_to_count_are_not_told)
{
	cr_expect_eq(count_made_up(run_differing, XP_CARRIER_PROCESS), -EAGAIN);
}

Test(calls, a_member_that_dies_while_it_is_traced_ends_the_count)
{
	cr_expect_eq(count_made_up(run_dead, XP_CARRIER_PROCESS), -ECHILD);
	cr_expect(strstr(error, "member 0 died") != NULL, "%s", error);
}

Test(calls, of_threads_of_the_leader_cannot_be_counted)
{
	cr_expect_eq(count_made_up(run_differing, XP_CARRIER_THREAD), -ENOTSUP);
}
