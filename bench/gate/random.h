/* SPDX-License-Identifier: MIT */
/*
 * random - a seeded generator, so that the order of a run can be repeated
 *
 * splitmix64: one word of state, every seed is good, and far more quality than a shuffle needs.
 */
#ifndef GATE_RANDOM_H
#define GATE_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xg_random {
	uint64_t state;
};

/** xg_random_next() - 64 uniform bits. */
uint64_t xg_random_next(struct xg_random *random);

/** xg_random_below() - Uniform in [0, @bound); @bound is at least 1. */
uint64_t xg_random_below(struct xg_random *random, uint64_t bound);

/** xg_random_bool() - True half the time. */
bool xg_random_bool(struct xg_random *random);

/** xg_random_uniform() - Uniform in (0, 1). */
double xg_random_uniform(struct xg_random *random);

/** xg_random_normal() - Standard normal. */
double xg_random_normal(struct xg_random *random);

/** xg_random_shuffle() - Put @indices into a random order. */
void xg_random_shuffle(struct xg_random *random, size_t *indices, size_t count);

#endif
