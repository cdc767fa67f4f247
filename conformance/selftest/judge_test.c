/* SPDX-License-Identifier: MIT */
/* The runner can fail: each way in which a case can go wrong is noticed and named. */
#include "conformance/judge.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct xc_iut nobody = {.name = "lock/nobody", .kinds = XC_KIND(LOCK)};

static struct xc_outcome judge(enum xc_verdict (*run)(struct xc_case_context *cc))
{
	const struct xc_case test = {
	    .clause = "lock.try", .name = "selftest", .kinds = XC_KIND(LOCK), .run = run};
	const struct xc_judge_options options = {.seconds = 3};
	struct xc_outcome outcome;

	xc_judge(&test, &nobody, &options, &outcome);
	return outcome;
}

static void expect(enum xc_verdict (*run)(struct xc_case_context *cc), enum xc_verdict verdict,
		   const char *words)
{
	struct xc_outcome outcome = judge(run);

	cr_expect_eq(outcome.verdict, verdict, "%s, not %s: %s", xc_verdict_name(outcome.verdict),
		     xc_verdict_name(verdict), outcome.detail);
	cr_expect(strstr(outcome.detail, words), "'%s' is not in '%s'", words, outcome.detail);
}

static enum xc_verdict pass(struct xc_case_context *cc)
{
	(void)cc;
	return XC_PASS;
}

Test(judge, a_case_that_passes_passes)
{
	expect(pass, XC_PASS, "");
}

static enum xc_verdict false_assertion(struct xc_case_context *cc)
{
	XC_GIVES(cc, strlen("four"), 5);
	return XC_PASS;
}

Test(judge, a_false_assertion_says_what_was_expected)
{
	expect(false_assertion, XC_FAIL, "expected: strlen(\"four\") returns 5");
	expect(false_assertion, XC_FAIL, "actual:   it returns 4");
}

static int fail_in_member(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	/* One of the two alone: which of several is heard first is the scheduler's choice. */
	XM_REQUIRE(me, arg || me->index == 0, "there is no argument");
	return 0;
}

static enum xc_verdict member_fails(struct xc_case_context *cc)
{
	XC_TRY(xc_start(cc, 2, fail_in_member, NULL));
	return xc_join(cc);
}

Test(judge, a_false_assertion_in_a_member_is_a_failure)
{
	expect(member_fails, XC_FAIL, "member 1: there is no argument");
}

static enum xc_verdict crash(struct xc_case_context *cc)
{
	(void)cc;
	signal(SIGSEGV, SIG_DFL); /* a sanitizer has a handler of its own */
	raise(SIGSEGV);
	return XC_PASS;
}

Test(judge, a_crash_is_a_failure_with_the_name_of_the_signal)
{
	expect(crash, XC_FAIL, "SIGSEGV");
}

static int crash_in_member(struct xp_member *me, void *arg)
{
	(void)arg;
	xp_member_arrive(me);
	abort();
}

static enum xc_verdict member_crashes(struct xc_case_context *cc)
{
	XC_TRY(xc_start(cc, 1, crash_in_member, NULL));
	return xc_join(cc);
}

Test(judge, a_crash_of_a_member_is_a_failure)
{
	expect(member_crashes, XC_FAIL, "SIGABRT");
}

static enum xc_verdict leave(struct xc_case_context *cc)
{
	(void)cc;
	_exit(0);
}

Test(judge, ending_without_a_verdict_is_a_failure)
{
	expect(leave, XC_FAIL, "its process ended with status 0");
}

static enum xc_verdict hang(struct xc_case_context *cc)
{
	while (cc)
		pause();
	return XC_PASS;
}

static enum xc_verdict spin(struct xc_case_context *cc)
{
	for (volatile bool on = true; on;)
		cc->detail[XC_DETAIL_MAX - 1] = 0;
	return XC_PASS;
}

Test(judge, a_case_that_hangs_or_spins_is_a_failure)
{
	expect(hang, XC_FAIL, "it has not after");
	expect(spin, XC_FAIL, "it has not after");
}

static enum xc_verdict leak_descriptor(struct xc_case_context *cc)
{
	(void)cc;
	return open("/dev/null", O_RDONLY | O_CLOEXEC) < 0 ? XC_UNRESOLVED : XC_PASS;
}

Test(judge, a_descriptor_left_open_is_a_failure)
{
	expect(leak_descriptor, XC_FAIL, "(/dev/null) stays open");
}

static enum xc_verdict leak_child(struct xc_case_context *cc)
{
	(void)cc;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0); /* child: ended, but not waited for */
	return pid < 0 ? XC_UNRESOLVED : XC_PASS;
}

Test(judge, a_child_that_was_not_waited_for_is_a_failure)
{
	expect(leak_child, XC_FAIL, "a child process stays");
}

static enum xc_verdict leak_orphan(struct xc_case_context *cc)
{
	(void)cc;
	pid_t pid = fork();
	if (pid == 0) { /* child: leaves a grandchild behind, in a session of its own */
		setsid();
		if (fork() == 0) {
			for (;;)
				pause();
		}
		_exit(0);
	}
	return waitpid(pid, NULL, 0) < 0 ? XC_UNRESOLVED : XC_PASS;
}

Test(judge, a_daemon_left_behind_is_a_failure_and_is_killed)
{
	struct xc_outcome outcome = judge(leak_orphan);
	const char *at = strstr(outcome.detail, "(pid ");

	cr_assert_eq(outcome.verdict, XC_FAIL, "%s", outcome.detail);
	cr_assert(strstr(outcome.detail, "a process stays") && at, "%s", outcome.detail);
	pid_t pid = (pid_t)strtol(at + 5, NULL, 10);
	cr_expect_eq(kill(pid, 0), -1, "the orphan %d lives", pid);
}

static enum xc_verdict leak_name(struct xc_case_context *cc)
{
	char name[64];

	(void)cc;
	snprintf(name, sizeof(name), "/xc-selftest-%d", getpid());
	int fd = shm_open(name, O_CREAT | O_RDWR, 0600);
	if (fd < 0)
		return XC_UNRESOLVED;
	close(fd);
	return XC_PASS;
}

Test(judge, a_name_left_in_shared_memory_is_a_failure)
{
	expect(leak_name, XC_FAIL, "a name in /dev/shm stays: xc-selftest-");
}

static enum xc_verdict leak_file(struct xc_case_context *cc)
{
	char path[512];

	(void)cc;
	snprintf(path, sizeof(path), "%s/left", getenv("TMPDIR"));
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return XC_UNRESOLVED;
	close(fd);
	return XC_PASS;
}

Test(judge, a_temporary_file_left_behind_is_a_failure)
{
	expect(leak_file, XC_FAIL, "a file stays in TMPDIR: left");
}

static enum xc_verdict leak_mapping(struct xc_case_context *cc)
{
	(void)cc;
	return mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		   ? XC_UNRESOLVED
		   : XC_PASS;
}

Test(judge, a_shared_mapping_left_behind_is_a_failure)
{
	expect(leak_mapping, XC_FAIL, "1 shared mappings stay");
}

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static enum xc_verdict leak_thread(struct xc_case_context *cc)
{
	pthread_t thread;

	(void)cc;
	return pthread_create(&thread, NULL, wait_for_ever, NULL) ? XC_UNRESOLVED : XC_PASS;
}

Test(judge, a_thread_left_behind_is_a_failure)
{
	expect(leak_thread, XC_FAIL, "1 threads stay");
}

static enum xc_verdict lacks(struct xc_case_context *cc)
{
	(void)cc;
	return XC_PASS;
}

Test(judge, a_missing_capability_is_unsupported)
{
	const struct xc_case test = {.clause = "lock.try",
				     .name = "selftest",
				     .kinds = XC_KIND(LOCK),
				     .caps = XP_CAP_FAIR,
				     .run = lacks};
	struct xc_outcome outcome;

	xc_judge(&test, &nobody, &(struct xc_judge_options){0}, &outcome);
	cr_expect_eq(outcome.verdict, XC_UNSUPPORTED);
	cr_expect(strstr(outcome.detail, "'fair'"), "%s", outcome.detail);
}
