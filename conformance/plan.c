/* SPDX-License-Identifier: MIT */
#include "conformance/plan.h"

#include <fnmatch.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_MAX     64u
#define STOP_LOOK_MS 200 /* a signal between the look at *stop and poll() waits this long */

static bool selects_clause(const struct xc_selection *selection, const char *id)
{
	for (size_t i = 0; i < selection->patterns_count; i++) {
		if (xc_clause_matches(id, selection->patterns[i]))
			return true;
	}
	return selection->patterns_count == 0;
}

static bool selects_iut(const struct xc_selection *selection, const struct xc_iut *iut)
{
	if (selection->scopes && !(selection->scopes & (1u << iut->scope)))
		return false;
	for (size_t i = 0; i < selection->iuts_count; i++) {
		if (fnmatch(selection->iuts[i], iut->name, 0) == 0)
			return true;
	}
	return selection->iuts_count == 0;
}

static bool selects_case(const struct xc_selection *selection, const struct xc_case *test)
{
	bool heavy = test->flags & XC_HEAVY, steps = test->flags & XC_STEPPER;

	return steps == selection->stepper && !(selection->heavy_only && !heavy) &&
	       !(selection->light_only && heavy);
}

static const char *family_of(const struct xc_iut *iut)
{
	return iut->impl ? xp_kind_name(iut->impl->kind) : "manager";
}

/* Whether the clause has anything to say about @iut: a case of it applies, or it belongs to the kind
 * and no case looks at that kind yet, which makes it UNTESTED. */
static bool concerns(const struct xc_clause *clause, const struct xc_iut *iut)
{
	bool mentioned = false;

	for (size_t i = 0; xc_case_at(i); i++) {
		const struct xc_case *test = xc_case_at(i);
		if (strcmp(test->clause, clause->id) != 0)
			continue;
		if (xc_case_applies(test, iut))
			return true;
		mentioned |= (test->kinds & iut->kinds) != 0;
	}
	return !mentioned && xc_clause_in(clause->id, family_of(iut));
}

static int push(void **array, size_t *count, size_t size, const void *item)
{
	if ((*count & (*count - 1)) == 0) { /* grow at each power of two */
		void *larger = realloc(*array, size * (*count ? *count * 2 : 1));
		if (!larger)
			return -ENOMEM;
		*array = larger;
	}
	memcpy((char *)*array + size * *count, item, size);
	(*count)++;
	return 0;
}

static int plan_clause(struct xc_plan *plan, const struct xc_selection *selection,
		       const struct xc_clause *clause, const struct xc_iut *iut)
{
	struct xc_ruling ruling = {.clause = clause, .iut = iut, .verdict = XC_UNTESTED};
	bool any = false, left_out = false;

	for (size_t i = 0; xc_case_at(i); i++) {
		const struct xc_case *test = xc_case_at(i);
		struct xc_entry entry = {.test = test, .iut = iut};
		if (strcmp(test->clause, clause->id) != 0 || !xc_case_applies(test, iut))
			continue;
		if (!selects_case(selection, test)) {
			left_out = true;
			continue;
		}
		any = true;
		int rc = push((void **)&plan->entries, &plan->entries_count, sizeof(entry), &entry);
		if (rc < 0)
			return rc;
	}
	/* A clause whose cases were not asked for is not UNTESTED but left out; so is, when only steps are
	 * asked for, one that has none. */
	if (!any && (left_out || selection->stepper))
		return 0;
	return push((void **)&plan->rulings, &plan->rulings_count, sizeof(ruling), &ruling);
}

int xc_plan_make(const struct xc_selection *selection, const struct xc_iut *iuts, size_t iuts_count,
		 struct xc_plan *ret_plan)
{
	struct xc_plan plan = {.iuts = iuts, .iuts_count = iuts_count};

	for (size_t c = 0; xc_clause_at(c); c++) {
		const struct xc_clause *clause = xc_clause_at(c);
		if (!selects_clause(selection, clause->id))
			continue;
		for (size_t i = 0; i < iuts_count; i++) {
			if (!selects_iut(selection, &iuts[i]) || !concerns(clause, &iuts[i]))
				continue;
			int rc = plan_clause(&plan, selection, clause, &iuts[i]);
			if (rc < 0) {
				xc_plan_fini(&plan);
				return rc;
			}
		}
	}
	*ret_plan = plan;
	return 0;
}

void xc_plan_fini(struct xc_plan *plan)
{
	free(plan->entries);
	free(plan->rulings);
	*plan = (struct xc_plan){0};
}

/* ---- running ---------------------------------------------------------------------------------- */

struct slot {
	struct xc_trial trial;
	struct xc_entry *entry; /* NULL: free */
};

static void finish(struct slot *slot, size_t *ended, const struct xc_plan *plan,
		   xc_plan_watch *watch, void *arg)
{
	xc_trial_finish(&slot->trial, &slot->entry->outcome);
	slot->entry->done = true;
	(*ended)++;
	if (watch)
		watch(plan, slot->entry, *ended, arg);
	slot->entry = NULL;
}

/* Wait until one of the trials is over, and finish all that are; or until a signal comes. */
static int reap(struct slot *slots, unsigned jobs, size_t *ended, const struct xc_plan *plan,
		xc_plan_watch *watch, void *arg)
{
	struct pollfd fds[JOBS_MAX];

	for (unsigned i = 0; i < jobs; i++)
		fds[i] = (struct pollfd){.fd = slots[i].entry ? slots[i].trial.warden.pidfd : -1,
					 .events = POLLIN};
	int n = poll(fds, jobs, STOP_LOOK_MS);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (unsigned i = 0; i < jobs; i++) {
		if (fds[i].revents)
			finish(&slots[i], ended, plan, watch, arg);
	}
	return 0;
}

int xc_plan_run(struct xc_plan *plan, const struct xc_judge_options *options, unsigned jobs,
		xc_plan_watch *watch, void *arg, const volatile int *stop)
{
	struct slot slots[JOBS_MAX] = {0};
	size_t next = 0, ended = 0;
	int rc = 0;

	jobs = jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs;
	while (rc == 0 && !*stop && ended < plan->entries_count) {
		for (unsigned i = 0; i < jobs && rc == 0 && next < plan->entries_count; i++) {
			if (slots[i].entry)
				continue;
			struct xc_entry *entry = &plan->entries[next];
			if (watch)
				watch(plan, entry, ended, arg);
			rc = xc_trial_start(&slots[i].trial, entry->test, entry->iut, options);
			if (rc < 0)
				break;
			slots[i].entry = entry;
			next++;
			if (options->in_place)
				finish(&slots[i], &ended, plan, watch, arg);
		}
		if (rc == 0 && !options->in_place)
			rc = reap(slots, jobs, &ended, plan, watch, arg);
	}
	for (unsigned i = 0; i < jobs; i++) {
		if (slots[i].entry)
			xc_trial_abort(&slots[i].trial);
	}
	plan->interrupted = ended < plan->entries_count;
	return rc;
}

/* ---- ruling ----------------------------------------------------------------------------------- */

void xc_plan_rule(struct xc_plan *plan)
{
	for (size_t r = 0; r < plan->rulings_count; r++) {
		struct xc_ruling *ruling = &plan->rulings[r];
		ruling->verdict = XC_UNTESTED;
		ruling->entry = NULL;
		ruling->seconds = 0;
		for (size_t e = 0; e < plan->entries_count; e++) {
			const struct xc_entry *entry = &plan->entries[e];
			if (!entry->done || entry->iut != ruling->iut ||
			    strcmp(entry->test->clause, ruling->clause->id) != 0)
				continue;
			ruling->seconds += entry->outcome.seconds;
			if (!ruling->entry ||
			    xc_verdict_worse(entry->outcome.verdict, ruling->verdict) !=
				ruling->verdict) {
				ruling->verdict = entry->outcome.verdict;
				ruling->entry = entry;
			}
		}
	}
}

bool xc_plan_failed(const struct xc_plan *plan, bool strict)
{
	for (size_t r = 0; r < plan->rulings_count; r++) {
		const struct xc_ruling *ruling = &plan->rulings[r];
		bool must = ruling->clause->level == XC_MUST;
		if (ruling->iut->peer)
			continue;
		if (ruling->verdict == XC_FAIL && (must || strict))
			return true;
		if (strict && must &&
		    (ruling->verdict == XC_UNRESOLVED || ruling->verdict == XC_UNTESTED))
			return true;
	}
	return false;
}
