/* SPDX-License-Identifier: MIT */
/*
 * simulate - pairs with a known change and the noise of a shared machine, from a seed
 *
 * Overview      For the proof that needs no quiet machine: the statistic is run over thousands of
 *               cases whose truth is known. The noise has what was seen on a 2-CPU virtual machine
 *               and what the statistic is not told about: heavy tails (a slice that lost its CPU),
 *               a speed that wanders over the launch and hits both arms of a pair nearly alike, and
 *               an offset of each launch (addresses, pages) that no number of pairs averages out.
 */
#ifndef GATE_SIMULATE_H
#define GATE_SIMULATE_H

#include "gate/random.h"
#include "gate/run.h"

/** struct xg_noise - Standard deviations of ln(time). */
struct xg_noise {
	double slice;	   /* each slice by itself */
	double launch;	   /* each launch of each arm */
	double wander;	   /* from one pair to the next, both arms */
	double tail;	   /* of the heavy tail */
	double tail_share; /* of the slices that are in the tail */
};

/** XG_NOISE_SEEN - About what the virtual machine of the results showed for a ping-pong. */
#define XG_NOISE_SEEN       \
	((struct xg_noise){ \
	    .slice = 0.05, .launch = 0.008, .wander = 0.03, .tail = 0.5, .tail_share = 0.05})

/** xg_simulate_launch() - Add a launch of @pairs pairs whose candidate takes exp(@ln_effect) times
 * as long. Return: 0, -ENOMEM. */
XP_MUST_CHECK int xg_simulate_launch(struct xg_case *tested, struct xg_random *random,
				     const struct xg_noise *noise, double ln_effect,
				     unsigned pairs);

/** xg_simulate_case() - Add launches until the case is decided, as the experiment does. Return: 0,
 * -ENOMEM. */
XP_MUST_CHECK int xg_simulate_case(struct xg_case *tested, const struct xg_rule *rule,
				   struct xg_random *random, const struct xg_noise *noise,
				   double ln_effect, unsigned pairs);

#endif
