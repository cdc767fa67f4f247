/* SPDX-License-Identifier: MIT */
#include "conformance/cases/cases.h"

#define CASES_MAX 512

static const struct xc_case *all[CASES_MAX];
static size_t all_count;

static void gather(const struct xc_case *table)
{
	for (; table->clause; table++) {
		xp_assert(all_count < CASES_MAX);
		all[all_count++] = table;
	}
}

const struct xc_case *xc_case_at(size_t index)
{
	if (all_count == 0) {
#define X(file) gather(xc_cases_##file);
		XC_CASES_MAP(X)
#undef X
	}
	return index < all_count ? all[index] : NULL;
}
