/* SPDX-License-Identifier: MIT */
/*
 * audit - whether a record may be believed, and why not
 *
 * A record is invalid where what it says did not happen (a member ran elsewhere, a payload was
 * wrong), suspect where the machine may have disturbed it, else valid. Each reason is a sentence.
 */
#ifndef BENCH_AUDIT_H
#define BENCH_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

#define XB_WHY_MAX  6
#define XB_WHY_TEXT 160

/* Above these a record is suspect. */
#define XB_STEAL_MAX	   0.05 /* of the CPUs' time in the windows */
#define XB_PREEMPTIONS_MAX 200	/* involuntary switches per second and member */
#define XB_SPREAD_MAX	   0.25 /* half the width of the interval, of the median */

enum xb_validity { XB_VALID, XB_SUSPECT, XB_INVALID };

/**
 * struct xb_evidence - What is known about the repetitions of one case.
 * @busy_s:      Seconds of all windows, times members.
 * @preemptions: Involuntary switches in them.
 * @crowded:     More members than CPUs: being switched is what is measured.
 * @spread:      Half the width of the interval over the median.
 * @failure:     Of a repetition that failed, or NULL.
 */
struct xb_evidence {
	size_t repetitions, wanted, failed;
	const char *failure;
	bool moved;
	double steal;
	double busy_s;
	double preemptions;
	bool crowded;
	double spread;
	bool sanitized;
};

struct xb_verdict {
	enum xb_validity validity;
	size_t reasons;
	char why[XB_WHY_MAX][XB_WHY_TEXT];
};

/** xb_audit() - Judge. */
struct xb_verdict xb_audit(const struct xb_evidence *evidence);

/** xb_validity_name() - "valid", "suspect", "invalid". */
const char *xb_validity_name(enum xb_validity validity);

#endif
