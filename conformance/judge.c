/* SPDX-License-Identifier: MIT */
#include "conformance/judge.h"

#include "conformance/leak.h"
#include "conformance/warden.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the warden and the process of the case are told; both are forks of the runner. */
struct brief {
	const struct xc_case *test;
	const struct xc_iut *iut;
	struct xc_judge_options options;
	struct xc_outcome *page;
	struct xc_warden warden;
};

static void rule(struct xc_outcome *page, enum xc_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void rule(struct xc_outcome *page, enum xc_verdict verdict, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	page->verdict = verdict;
	vsnprintf(page->detail, sizeof(page->detail), format, args);
	va_end(args);
}

/* ---- the process of the case ------------------------------------------------------------------ */

static int run_case(void *arg)
{
	struct brief *brief = arg;
	struct xc_outcome *page = brief->page;
	struct xc_stock before;
	char left[512];

	xc_warden_enter(&brief->warden);
	/* A crash is a verdict here, not a core file; a broken pipe is an error code (kind/pipe.h). */
	sigaction(SIGINT, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	setrlimit(RLIMIT_CORE, &(struct rlimit){0});
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	xc_stock_take(&before);
	enum xc_verdict verdict =
	    xc_case_run(brief->test, brief->iut, brief->options.carrier, page->detail);
	if (verdict != XC_FAIL && xc_stock_differs(&before, left, sizeof(left))) {
		rule(page, XC_FAIL, "expected: nothing stays behind\nactual:   %s", left);
		return 0;
	}
	page->verdict = verdict;
	return 0;
}

/* ---- the warden ------------------------------------------------------------------------------- */

static int run_warden(void *arg)
{
	struct brief *brief = arg;
	struct xc_outcome *page = brief->page;
	struct xp_child child;
	char left[512];
	int status;

	unsigned seconds = brief->options.seconds ? brief->options.seconds
			   : brief->test->seconds ? brief->test->seconds
						  : XC_DEADLINE_S;
	seconds *= xc_time_scale();
	struct timespec by = xp_deadline_after((int64_t)seconds * XP_NS_PER_SEC);

	/* A case that ends without a word, whatever its exit status, has not passed. */
	page->verdict = XC_UNTESTED;
	int rc = xc_warden_begin(&brief->warden);
	if (rc == 0)
		rc = xp_child_start(run_case, brief, &child);
	if (rc < 0) {
		rule(page, XC_UNRESOLVED, "the case cannot be started: %s", strerror(-rc));
		return 0;
	}
	rc = xc_warden_wait(&brief->warden, &child, &by, &status);
	if (rc == -ECANCELED) {
		rule(page, XC_UNRESOLVED, "interrupted");
	} else if (rc < 0) {
		xc_warden_describe(child.pid, left, sizeof(left));
		rule(page, XC_FAIL, "expected: the case ends\nactual:   it has not after %u s; %s",
		     seconds, left);
	} else if (WIFSIGNALED(status)) {
		rule(page, XC_FAIL, "expected: the case ends\nactual:   it died of SIG%s",
		     sigabbrev_np(WTERMSIG(status)));
	} else if (page->verdict == XC_UNTESTED) {
		rule(page, XC_FAIL,
		     "expected: the case returns a verdict\nactual:   its process ended with "
		     "status %d",
		     WEXITSTATUS(status));
	}
	if (rc < 0)
		xp_child_stop(&child);
	bool stayed = xc_warden_end(&brief->warden, left, sizeof(left));
	if (stayed && rc == 0 && page->verdict != XC_FAIL)
		rule(page, XC_FAIL, "expected: nothing stays behind\nactual:   %s", left);
	return 0;
}

/* ---- the runner ------------------------------------------------------------------------------- */

int xc_trial_start(struct xc_trial *trial, const struct xc_case *test, const struct xc_iut *iut,
		   const struct xc_judge_options *options)
{
	*trial = (struct xc_trial){.test = test, .iut = iut};
	void *page = mmap(NULL, sizeof(struct xc_outcome), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return -errno;
	trial->page = page;
	trial->page->verdict = XC_UNTESTED;
	trial->page->seconds = -(double)xp_clock_ns() / (double)XP_NS_PER_SEC;
	struct brief brief = {.test = test, .iut = iut, .options = *options, .page = page};
	if (options->in_place) {
		/* The caller's place is the debugger's: descriptors and children are its own. */
		trial->page->verdict =
		    xc_case_run(test, iut, options->carrier, trial->page->detail);
		return 0;
	}
	int rc = xp_child_start(run_warden, &brief, &trial->warden);
	if (rc < 0)
		munmap(page, sizeof(struct xc_outcome));
	return rc;
}

void xc_trial_finish(struct xc_trial *trial, struct xc_outcome *ret_outcome)
{
	int status = 0;

	if (trial->warden.pid > 0)
		(void)!xp_child_wait(&trial->warden, NULL, &status);
	xp_assert(trial->page);
	*ret_outcome = *trial->page;
	ret_outcome->seconds += (double)xp_clock_ns() / (double)XP_NS_PER_SEC;
	if (!xp_child_ok(status))
		rule(ret_outcome, XC_UNRESOLVED, "the warden of the case ended with status %#x",
		     (unsigned)status);
	munmap(trial->page, sizeof(struct xc_outcome));
	*trial = (struct xc_trial){0};
}

void xc_trial_abort(struct xc_trial *trial)
{
	/* SIGTERM lets the warden sweep up; all that it started dies with it in any case. */
	int status;
	struct timespec by = xp_deadline_after(5 * XP_NS_PER_SEC);

	if (trial->warden.pid > 0) {
		(void)!xp_child_signal(&trial->warden, SIGTERM);
		(void)!xp_child_wait(&trial->warden, &by, &status);
		xp_child_stop(&trial->warden);
	}
	munmap(trial->page, sizeof(struct xc_outcome));
	*trial = (struct xc_trial){0};
}

void xc_judge(const struct xc_case *test, const struct xc_iut *iut,
	      const struct xc_judge_options *options, struct xc_outcome *ret_outcome)
{
	struct xc_trial trial;

	int rc = xc_trial_start(&trial, test, iut, options);
	if (rc < 0) {
		*ret_outcome = (struct xc_outcome){.verdict = XC_UNRESOLVED};
		rule(ret_outcome, XC_UNRESOLVED, "the judge cannot start: %s", strerror(-rc));
		return;
	}
	xc_trial_finish(&trial, ret_outcome);
}
