/* SPDX-License-Identifier: MIT */
#include "bench/case.h"
#include "bench/workload.h"

#include <stdio.h>
#include <string.h>

const char *xb_param_name(enum xb_param param)
{
#define X(id, name) name,
	static const char *const names[] = {XB_PARAM_MAP(X)};
#undef X
	return names[param];
}

const char *xb_role_name(enum xb_role role)
{
#define X(id, name) name,
	static const char *const names[] = {XB_ROLE_MAP(X)};
#undef X
	return names[role];
}

static const char *const strategies[] = {
    [XP_STRATEGY_HYBRID] = "hybrid",
    [XP_STRATEGY_SPIN] = "spin",
    [XP_STRATEGY_PARK] = "park",
};

const char *xb_strategy_name(enum xp_wait_strategy strategy)
{
	return strategies[strategy];
}

enum xp_wait_strategy xb_case_strategy(const struct xb_case *c)
{
	for (int i = 0; c->param[XB_WAIT].set && i < 3; i++)
		if (strcmp(c->param[XB_WAIT].text, strategies[i]) == 0)
			return (enum xp_wait_strategy)i;
	return XP_STRATEGY_HYBRID;
}

int xb_case_name(struct xb_case *c)
{
	char place[64];
	size_t used;

	used = (size_t)snprintf(c->name, sizeof(c->name), "%s/%s", c->workload->name, c->impl_name);
	for (int i = 0; i < XB_PARAMS && used < sizeof(c->name); i++) {
		const struct xb_value *value = &c->param[i];
		if (!value->set)
			continue;
		char *at = c->name + used;
		size_t room = sizeof(c->name) - used;
		if (value->text)
			used += (size_t)snprintf(at, room, "/%s:%s",
						 xb_param_name((enum xb_param)i), value->text);
		else
			used +=
			    (size_t)snprintf(at, room, "/%s:%lld", xb_param_name((enum xb_param)i),
					     (long long)value->number);
	}
	xb_placement_name(&c->placement, place, sizeof(place));
	if (used < sizeof(c->name))
		used += (size_t)snprintf(c->name + used, sizeof(c->name) - used, "/%s", place);
	return used < sizeof(c->name) ? 0 : -ENAMETOOLONG;
}

void xb_case_rival(struct xb_case *c, const struct xb_case *other)
{
	struct xb_case named = *other;

	xp_assert(xb_case_name(&named) == 0);
	int i = 0;
	while (i < XB_RIVALS && c->rival[i][0])
		i++;
	xp_assert(i < XB_RIVALS);
	memcpy(c->rival[i], named.name, sizeof(named.name));
}

void xb_case_floor(struct xb_case *c, const char *impl_name, int64_t size)
{
	char place[64];

	xb_placement_name(&c->placement, place, sizeof(place));
	if (size > 0)
		snprintf(c->floor, sizeof(c->floor), "floor/%s/size:%lld/%s", impl_name,
			 (long long)size, place);
	else
		snprintf(c->floor, sizeof(c->floor), "floor/%s/%s", impl_name, place);
}
