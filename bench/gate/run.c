/* SPDX-License-Identifier: MIT */
#include "gate/run.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

const char *xg_verdict_word(enum xg_verdict verdict)
{
	static const char *const words[] = {
#define X(name, word) word,
	    XG_VERDICT_EACH(X)
#undef X
	};

	xp_assert((size_t)verdict < XG_VERDICTS);
	return words[verdict];
}

const char *xg_cost_word(enum xg_cost_state state)
{
	switch (state) {
	case XG_COST_SAME:
		return "same";
	case XG_COST_MORE:
		return "more";
	case XG_COST_LESS:
		return "less";
	case XG_COST_UNSTABLE:
		return "unstable";
	case XG_COST_NOT_COUNTED:
		break;
	}
	return "not counted";
}

double xg_percent(double log_ratio)
{
	return 100 * expm1(log_ratio);
}

int xg_run_init(struct xg_run *run, size_t case_count)
{
	*run = (struct xg_run){.rule = XG_RULE_DEFAULT};
	run->cases = calloc(case_count ? case_count : 1, sizeof(*run->cases));
	if (!run->cases)
		return -ENOMEM;
	run->case_count = case_count;
	return 0;
}

void xg_run_begin(struct xg_run *run)
{
	time_t now = time(NULL);
	struct tm utc;

	if (!run->started[0])
		strftime(run->started, sizeof(run->started), "%Y-%m-%dT%H:%M:%SZ",
			 gmtime_r(&now, &utc));
}

void xg_run_fini(struct xg_run *run)
{
	for (size_t i = 0; i < run->case_count; i++)
		free(run->cases[i].pairs);
	free(run->cases);
	free(run->command);
	free(run->baseline);
	free(run->candidate);
	free(run->baseline_commit);
	free(run->candidate_commit);
	json_decref(run->machine);
	*run = (struct xg_run){0};
}

size_t xg_run_count(const struct xg_run *run, enum xg_verdict verdict)
{
	size_t count = 0;

	for (size_t i = 0; i < run->case_count; i++)
		count += !run->cases[i].control && run->cases[i].verdict == verdict;
	return count;
}

int xg_case_add_pair(struct xg_case *tested, const struct xg_pair *pair)
{
	if (tested->pair_count == tested->pair_room) {
		size_t room = tested->pair_room ? 2 * tested->pair_room : 256;
		struct xg_pair *more = realloc(tested->pairs, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		tested->pairs = more;
		tested->pair_room = room;
	}
	tested->pairs[tested->pair_count++] = *pair;
	return 0;
}
