/* SPDX-License-Identifier: MIT */
#include "conformance/iut.h"

#include <stdlib.h>

struct xc_iut xc_iut_of(const struct xp_impl *impl)
{
	return (struct xc_iut){
	    .name = impl->name,
	    .kinds = 1u << impl->kind,
	    .scope = impl->scope,
	    .caps = impl->caps,
	    .impl = impl,
	};
}

int xc_iut_all(struct xc_iut **ret_iuts)
{
	size_t count = 0;

	XP_CATALOG_EACH(impl)
	count++;
	struct xc_iut *iuts = calloc(count + 1, sizeof(*iuts));
	if (!iuts)
		return -ENOMEM;
	count = 0;
	XP_CATALOG_EACH(impl)
	iuts[count++] = xc_iut_of(impl);
	*ret_iuts = iuts;
	return (int)count;
}
