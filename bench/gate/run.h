/* SPDX-License-Identifier: MIT */
/*
 * run - what a comparison measured, and what follows from it
 *
 * Overview      A run holds cases, a case holds pairs: the same number of operations done by the
 *               baseline and by the candidate, one right after the other. Everything that is
 *               reported is computed from the pairs, so a run that was written to a file can be
 *               judged again (xpgate judge).
 * Memory        A run owns its cases and their pairs; xg_run_fini() frees all of it.
 */
#ifndef GATE_RUN_H
#define GATE_RUN_H

#include "xpshare/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XG_NAME_MAX   256
#define XG_REASON_MAX 240
#define XG_COSTS_MAX  8
#define XG_LAUNCH_MAX 256 /* launches of one case, over all looks and the confirmation */

/* name, word in reports, whether the whole run fails because of it */
#define XG_VERDICT_EACH(X)              \
	X(OK, "ok")                     \
	X(IMPROVED, "improved")         \
	X(REGRESSED, "regressed")       \
	X(INCONCLUSIVE, "inconclusive") \
	X(TOO_NOISY, "too-noisy")       \
	X(CONTAMINATED, "contaminated") \
	X(ERROR, "error")               \
	X(SKIPPED, "skipped")

enum xg_verdict {
#define X(name, word) XG_##name,
	XG_VERDICT_EACH(X)
#undef X
	    XG_VERDICTS
};

/* How the program ends: the meaning of each status is fixed, so that CI can tell them apart. */
enum xg_exit {
	XG_EXIT_OK = 0,
	XG_EXIT_REGRESSED = 1,
	XG_EXIT_USAGE =
	    2, /* wrong usage, unusable build, incomparable baseline, report not written */
	XG_EXIT_CRASHED = 3,
	XG_EXIT_INCONCLUSIVE = 4, /* with --strict only */
	XG_EXIT_NOTHING = 77,
};

/**
 * struct xg_rule - The numbers that turn pairs into a verdict.
 * @margin:    A slowdown must be proven to exceed this (0.03 is 3 %) to be a regression.
 * @tolerance: A slowdown must be proven to stay below this to be ok.
 * @level:     Confidence of the interval.
 * @launches:  Fresh launches to a look.
 * @looks_max: How often an inconclusive case may be looked at; each look adds @launches.
 */
struct xg_rule {
	double margin;
	double tolerance;
	double level;
	unsigned launches;
	unsigned looks_max;
};

#define XG_RULE_DEFAULT    \
	((struct xg_rule){ \
	    .margin = 0.03, .tolerance = 0.10, .level = 0.99, .launches = 5, .looks_max = 3})

/** struct xg_pair - Two neighbouring slices of the same number of operations. */
struct xg_pair {
	double baseline_ns; /* per operation */
	double candidate_ns;
	double at_s;	 /* since the run began */
	unsigned launch; /* of this case, from 0 */
	bool candidate_first;
};

/** struct xg_estimate - The size of the change over some of a case's pairs. */
struct xg_estimate {
	size_t pairs;
	unsigned launches;
	unsigned worse;	      /* launches whose own median is above the margin */
	unsigned better;      /* launches whose own median is below minus the margin */
	unsigned intolerable; /* launches whose own median is above the tolerance */
	bool bounded;	      /* there are enough pairs for an interval */
	double median;	      /* of ln(candidate / baseline): positive is slower */
	double lower;
	double upper;
	double baseline_ns; /* medians of each arm, for the reader; no verdict uses them */
	double candidate_ns;
};

/* What a counted cost can say. NOT_COUNTED carries the reason; UNSTABLE differs between repeated
 * counts of the same build, so it informs and decides nothing. */
enum xg_cost_state {
	XG_COST_SAME,
	XG_COST_MORE,
	XG_COST_LESS,
	XG_COST_UNSTABLE,
	XG_COST_NOT_COUNTED
};

/** struct xg_cost - One counted cost per operation, of both builds. */
struct xg_cost {
	const char *name; /* a string constant */
	enum xg_cost_state state;
	double baseline;
	double candidate;
	char detail[XG_REASON_MAX];
};

struct xg_case {
	char name[XG_NAME_MAX];
	bool control;
	char missing[XG_REASON_MAX]; /* why it cannot be run, empty if it can */
	char failure[XG_REASON_MAX]; /* what went wrong while it ran, empty if nothing did */
	bool failed_candidate;	     /* the failing arm */
	uint64_t iterations;	     /* of one slice, the same for both arms and all launches */
	struct xg_pair *pairs;
	size_t pair_count;
	size_t pair_room;
	unsigned launches;     /* done */
	unsigned confirm_from; /* launches from here on are fresh ones that confirm; 0: none */
	struct xg_cost costs[XG_COSTS_MAX];
	size_t cost_count;
	/* Filled by judge.h: */
	enum xg_verdict verdict;
	char reason[XG_REASON_MAX];
	struct xg_estimate estimate; /* over all pairs, or over the first look's if confirmed */
	struct xg_estimate fresh;    /* over the confirming launches */
	unsigned looks;
};

struct xg_run {
	struct xg_case *cases;
	size_t case_count;
	struct xg_rule rule;
	uint64_t seed;
	char *command; /* the command line that makes this run again */
	char *baseline;
	char *candidate;
	char *baseline_commit; /* NULL where not known */
	char *candidate_commit;
	char started[32]; /* UTC, 2026-01-31T12:00:00Z */
	double seconds;
	double
	    inject; /* the candidate did this much more than it reported; 0 outside the selftest */
	double steal_percent;
	bool complete;	  /* all that was planned was done */
	bool interrupted; /* by a signal */
	bool out_of_time;
	bool contaminated;
	struct json_t *machine; /* the fingerprint, owned */
	enum xg_exit exit;
};

/** xg_verdict_word() - "ok", "too-noisy" ... */
const char *xg_verdict_word(enum xg_verdict verdict);

/** xg_cost_word() - "same", "more", "less", "unstable", "not counted". */
const char *xg_cost_word(enum xg_cost_state state);

/** xg_percent() - A logarithm of a ratio as percent: ln(1.1) is 10. */
double xg_percent(double log_ratio);

/** xg_run_init() - An empty run with room for @case_count cases. Return: 0, -ENOMEM. */
XP_MUST_CHECK int xg_run_init(struct xg_run *run, size_t case_count);

/** xg_run_begin() - Note the time of day, once. */
void xg_run_begin(struct xg_run *run);

/** xg_run_fini() - Free what @run owns; accepts a zeroed one. */
void xg_run_fini(struct xg_run *run);

/** xg_run_count() - How many cases that are no controls got @verdict. */
size_t xg_run_count(const struct xg_run *run, enum xg_verdict verdict);

/** xg_case_add_pair() - Append @pair. Return: 0, -ENOMEM. */
XP_MUST_CHECK int xg_case_add_pair(struct xg_case *tested, const struct xg_pair *pair);

#endif
