/* SPDX-License-Identifier: MIT */
/*
 * Each defect is caught by the clauses that it names, the first being the one that is about it, and by no
 * other; what has none passes all.
 */
#include "conformance/plan.h"
#include "conformance/selftest/faulty.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#define CLAUSES_MAX 8

struct mutant {
	enum xc_defect defect;
	const struct xp_impl *impl;
	const char *caught_by[CLAUSES_MAX];
};

static const struct mutant mutants[] = {
    {XC_DEFECT_NONE, &xc_faulty_lock, {NULL}},
    {XC_DEFECT_NONE, &xc_faulty_semaphore, {NULL}},
    {XC_DEFECT_NONE, &xc_faulty_event, {NULL}},
    {XC_DEFECT_NONE, &xc_faulty_barrier, {NULL}},
    {XC_DEFECT_NONE, &xc_faulty_queue, {NULL}},
    {XC_DEFECT_NONE, &xc_faulty_value, {NULL}},
    {XC_DEFECT_LOCK_DOES_NOT_LOCK, &xc_faulty_lock, {"lock.exclusion", "lock.wakes"}},
    {XC_DEFECT_LOCK_RELEASES_SILENTLY, &xc_faulty_lock, {"lock.exclusion", "lock.wakes"}},
    {XC_DEFECT_LOCK_GIVES_UP_EARLY,
     &xc_faulty_lock,
     {"lock.deadline", "lock.try", "lock.release_free", "lock.wakes"}},
    {XC_DEFECT_LOCK_FREES_TWICE, &xc_faulty_lock, {"lock.release_free"}},
    {XC_DEFECT_SEMAPHORE_LOSES_POSTS,
     &xc_faulty_semaphore,
     {"semaphore.count", "semaphore.limit", "semaphore.wakes", "semaphore.no_owner"}},
    {XC_DEFECT_EVENT_SETS_SILENTLY,
     &xc_faulty_event,
     {"event.set_wakes", "event.clear", "event.pulse", "event.ordering", "event.wakes"}},
    {XC_DEFECT_EVENT_FORGETS_PULSE, &xc_faulty_event, {"event.pulse"}},
    {XC_DEFECT_BARRIER_TWO_SERIALS,
     &xc_faulty_barrier,
     {"barrier.serial", "barrier.together", "barrier.deadline", "barrier.reset"}},
    {XC_DEFECT_BARRIER_LETS_ONE_PASS,
     &xc_faulty_barrier,
     {"barrier.together", "barrier.serial", "barrier.deadline", "barrier.abort", "barrier.reset",
      "barrier.counts"}},
    {XC_DEFECT_QUEUE_DROPS,
     &xc_faulty_queue,
     {"queue.exactly_once", "queue.fifo", "queue.payload", "queue.wakes"}},
    {XC_DEFECT_QUEUE_DUPLICATES,
     &xc_faulty_queue,
     {"queue.exactly_once", "queue.fifo", "queue.payload", "queue.wakes"}},
    {XC_DEFECT_QUEUE_REORDERS,
     &xc_faulty_queue,
     {"queue.fifo", "queue.exactly_once", "queue.payload"}},
    {XC_DEFECT_QUEUE_IGNORES_SEQUENCE,
     &xc_faulty_queue,
     {"queue.payload", "queue.fifo", "queue.exactly_once", "queue.wakes"}},
    {XC_DEFECT_QUEUE_CORRUPTS,
     &xc_faulty_queue,
     {"queue.payload", "queue.fifo", "queue.exactly_once", "queue.wakes"}},
    {XC_DEFECT_QUEUE_HAS_NO_BOUND, &xc_faulty_queue, {"queue.bound", "queue.deadline"}},
    {XC_DEFECT_VALUE_RAW_AS_LOCKED,
     &xc_faulty_value,
     {"value.locked_sum", "value.untorn", "value.untorn_locked", "value.lock_recursive"}},
};

static const char *defect_name(enum xc_defect defect)
{
#define X(name) #name,
	static const char *const names[] = {XC_DEFECT_MAP(X)};
#undef X
	return names[defect];
}

static bool expected(const struct mutant *mutant, const char *clause)
{
	for (int i = 0; i < CLAUSES_MAX && mutant->caught_by[i]; i++) {
		if (strcmp(mutant->caught_by[i], clause) == 0)
			return true;
	}
	return false;
}

ParameterizedTestParameters(mutants, caught_by_exactly_what_it_names)
{
	static size_t indices[sizeof(mutants) / sizeof(mutants[0])];
	const size_t count = sizeof(indices) / sizeof(indices[0]);

	/* Indices only: a pointer would mean nothing in the process of the test. */
	for (size_t i = 0; i < count; i++)
		indices[i] = i;
	return cr_make_param_array(size_t, indices, count);
}

ParameterizedTest(size_t *index, mutants, caught_by_exactly_what_it_names, .timeout = 120)
{
	const struct mutant *mutant = &mutants[*index];
	const struct xc_iut iut = xc_iut_of(mutant->impl);
	const char *family = xp_kind_name(mutant->impl->kind);
	const struct xc_selection selection = {.patterns = &family, .patterns_count = 1};
	const struct xc_judge_options options = {.seconds = 3};
	const volatile int stop = 0;
	struct xc_plan plan;

	xc_defect_choose(mutant->defect);
	cr_assert_eq(xc_plan_make(&selection, &iut, 1, &plan), 0);
	cr_assert_gt(plan.entries_count, 0);
	cr_assert_eq(xc_plan_run(&plan, &options, 2, NULL, NULL, &stop), 0);
	xc_plan_rule(&plan);
	for (size_t r = 0; r < plan.rulings_count; r++) {
		const struct xc_ruling *ruling = &plan.rulings[r];
		const char *clause = ruling->clause->id;
		const char *detail = ruling->entry ? ruling->entry->outcome.detail : "";
		if (expected(mutant, clause)) {
			cr_expect_eq(ruling->verdict, XC_FAIL, "%s: %s is %s",
				     defect_name(mutant->defect), clause,
				     xc_verdict_name(ruling->verdict));
			continue;
		}
		/* That one is about everything at once: it may notice any defect. */
		if (mutant->defect != XC_DEFECT_NONE && strstr(clause, ".linearisable"))
			continue;
		cr_expect_neq(ruling->verdict, XC_FAIL, "%s: %s fails, too: %s",
			      defect_name(mutant->defect), clause, detail);
	}
	xc_plan_fini(&plan);
}

/* What the stepper is for: a lock that claims to survive the death of its holder, and does not. */
Test(mutants, the_stepper_catches_a_lock_that_only_claims_to_be_robust, .timeout = 120)
{
	static const char *const patterns[] = {"lock.killed_anywhere"};
	const struct xc_selection selection = {
	    .patterns = patterns, .patterns_count = 1, .stepper = true};
	const struct xc_judge_options options = {.seconds = 5};
	const volatile int stop = 0;
	struct xp_impl claims = xc_faulty_lock;
	struct xc_plan plan;

	claims.caps |= XP_CAP_ROBUST;
	const struct xc_iut iut = xc_iut_of(&claims);
	cr_assert_eq(xc_plan_make(&selection, &iut, 1, &plan), 0);
	cr_assert_gt(plan.entries_count, 0);
	cr_assert_eq(xc_plan_run(&plan, &options, 2, NULL, NULL, &stop), 0);
	for (size_t e = 0; e < plan.entries_count; e++) {
		const struct xc_outcome *outcome = &plan.entries[e].outcome;
		if (outcome->verdict == XC_UNRESOLVED)
			cr_skip_test("%s", outcome->detail);
		cr_expect_eq(outcome->verdict, XC_FAIL, "%s is %s: %s", plan.entries[e].test->name,
			     xc_verdict_name(outcome->verdict), outcome->detail);
	}
	xc_plan_fini(&plan);
}
