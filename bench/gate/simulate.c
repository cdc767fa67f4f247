/* SPDX-License-Identifier: MIT */
#include "gate/simulate.h"

#include "gate/judge.h"

#include <math.h>

#define NOMINAL_NS 1000.0
#define PAIR_S	   0.011

static double slice_noise(struct xg_random *random, const struct xg_noise *noise)
{
	double value = noise->slice * xg_random_normal(random);

	/* What disturbs a slice makes it longer. */
	if (xg_random_uniform(random) < noise->tail_share)
		value += fabs(noise->tail * xg_random_normal(random));
	return value;
}

int xg_simulate_launch(struct xg_case *tested, struct xg_random *random,
		       const struct xg_noise *noise, double ln_effect, unsigned pairs)
{
	double baseline = noise->launch * xg_random_normal(random);
	double candidate = noise->launch * xg_random_normal(random) + ln_effect;
	double common = 0;

	for (unsigned i = 0; i < pairs; i++) {
		common += noise->wander * xg_random_normal(random);
		struct xg_pair pair = {
		    .launch = tested->launches,
		    .at_s = PAIR_S * (double)tested->pair_count,
		    .candidate_first = xg_random_bool(random),
		    .baseline_ns = NOMINAL_NS * exp(common + baseline + slice_noise(random, noise)),
		    .candidate_ns =
			NOMINAL_NS * exp(common + candidate + slice_noise(random, noise)),
		};
		int rc = xg_case_add_pair(tested, &pair);
		if (rc < 0)
			return rc;
	}
	tested->launches++;
	return 0;
}

int xg_simulate_case(struct xg_case *tested, const struct xg_rule *rule, struct xg_random *random,
		     const struct xg_noise *noise, double ln_effect, unsigned pairs)
{
	enum xg_next next = XG_NEXT_LAUNCH;
	int rc = 0;

	while (rc == 0 && next != XG_NEXT_NOTHING) {
		for (unsigned i = 0; rc == 0 && i < rule->launches; i++)
			rc = xg_simulate_launch(tested, random, noise, ln_effect, pairs);
		if (rc == 0)
			rc = xg_judge_case(tested, rule, &next);
	}
	return rc;
}
