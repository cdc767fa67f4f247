/* SPDX-License-Identifier: MIT */
#include "gate/random.h"

#include "xpshare/base/err.h"

#include <math.h>

uint64_t xg_random_next(struct xg_random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t xg_random_below(struct xg_random *random, uint64_t bound)
{
	xp_assert(bound > 0);
	/* Values above the last whole multiple of the bound would favour the small ones. */
	uint64_t limit = UINT64_MAX - UINT64_MAX % bound, value;
	do {
		value = xg_random_next(random);
	} while (value >= limit);
	return value % bound;
}

bool xg_random_bool(struct xg_random *random)
{
	return xg_random_next(random) >> 63;
}

double xg_random_uniform(struct xg_random *random)
{
	return ((double)(xg_random_next(random) >> 11) + 0.5) * 0x1p-53;
}

double xg_random_normal(struct xg_random *random)
{
	double radius = sqrt(-2 * log(xg_random_uniform(random)));
	return radius * cos(2 * acos(-1) * xg_random_uniform(random));
}

void xg_random_shuffle(struct xg_random *random, size_t *indices, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t j = (size_t)xg_random_below(random, i);
		size_t swap = indices[i - 1];
		indices[i - 1] = indices[j];
		indices[j] = swap;
	}
}
