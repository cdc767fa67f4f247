/* SPDX-License-Identifier: MIT */
#include "xpshare/base/clock.h"
#include "xpshare/catalog/catalog.h"
#include "xpshare/catalog/skeleton.h"

#include <criterion/criterion.h>

Test(skeleton, it_is_an_event)
{
	struct xp_place place;
	struct xp_object object;

	cr_assert_eq(xp_place_open(&place, &(struct xp_place_plan){.arena_bytes = 1 << 16}), 0);
	cr_assert_eq(xp_object_make(&xp_impl_event_skeleton, &place, NULL, &object), 0);
	const struct xp_event *event = &object.as.event;
	struct timespec soon = xp_deadline_after(XP_NS_PER_MS);
	cr_expect_eq(xp_event_wait_until(event, &soon), -ETIMEDOUT);
	cr_expect_eq(xp_event_set(event), 0);
	cr_expect_eq(xp_event_set(event), 0);
	cr_expect_eq(xp_event_is_set(event), 1);
	cr_expect_eq(xp_event_wait(event), 0);
	cr_expect_eq(xp_event_clear(event), 0);
	cr_expect_eq(xp_event_is_set(event), 0);
	xp_object_drop(&object);
	xp_place_close(&place);
}
