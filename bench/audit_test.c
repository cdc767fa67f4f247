/* SPDX-License-Identifier: MIT */
#include "bench/audit.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct xb_evidence clean = {
    .repetitions = 9,
    .wanted = 9,
    .busy_s = 2,
    .preemptions = 10,
    .steal = 0.01,
    .spread = 0.02,
};

Test(audit, a_quiet_run_is_valid_and_gives_no_reason)
{
	struct xb_verdict verdict = xb_audit(&clean);

	cr_expect_eq(verdict.validity, XB_VALID);
	cr_expect_eq(verdict.reasons, 0);
}

Test(audit, each_disturbance_is_suspect_with_its_own_reason)
{
	struct xb_evidence evidence[] = {clean, clean, clean, clean, clean};
	static const char *const says[] = {"hypervisor", "preempted", "differ", "sanitizer",
					   "interrupted after 4 of 9"};

	evidence[0].steal = 0.06;
	evidence[1].preemptions = 1000;
	evidence[2].spread = 0.5;
	evidence[3].sanitized = true;
	evidence[4].repetitions = 4;
	for (size_t i = 0; i < 5; i++) {
		struct xb_verdict verdict = xb_audit(&evidence[i]);
		cr_expect_eq(verdict.validity, XB_SUSPECT, "%s", says[i]);
		cr_expect_eq(verdict.reasons, 1);
		cr_expect(strstr(verdict.why[0], says[i]) != NULL, "%s", verdict.why[0]);
	}
}

Test(audit, being_switched_is_no_disturbance_where_it_is_the_subject)
{
	struct xb_evidence evidence = clean;

	evidence.preemptions = 1e6;
	evidence.crowded = true;
	cr_expect_eq(xb_audit(&evidence).validity, XB_VALID);
}

Test(audit, what_did_not_happen_is_invalid_whatever_else_is_known)
{
	struct xb_evidence evidence = clean;

	evidence.moved = true;
	evidence.steal = 1;
	struct xb_verdict verdict = xb_audit(&evidence);
	cr_expect_eq(verdict.validity, XB_INVALID);
	cr_expect_eq(verdict.reasons, 2);

	evidence = clean;
	evidence.failed = 1;
	evidence.failure = "3 items are missing";
	verdict = xb_audit(&evidence);
	cr_expect_eq(verdict.validity, XB_INVALID);
	cr_expect(strstr(verdict.why[0], "3 items are missing") != NULL);
}
