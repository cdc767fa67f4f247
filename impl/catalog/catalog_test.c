/* SPDX-License-Identifier: MIT */
#include "xpshare/catalog/catalog.h"

#include <criterion/criterion.h>
#include <string.h>

Test(catalog, every_name_is_unique_and_begins_with_its_kind)
{
	XP_CATALOG_EACH(impl)
	{
		const char *kind = xp_kind_name(impl->kind);
		size_t length = strlen(kind);

		cr_expect(strncmp(impl->name, kind, length) == 0 && impl->name[length] == '/', "%s",
			  impl->name);
		cr_expect_eq(xp_catalog_find(impl->name), impl, "%s is listed twice", impl->name);
		cr_expect_not_null(impl->make);
		cr_expect_not_null(impl->drop);
		cr_expect(impl->title && impl->title[0]);
	}
	cr_expect_null(xp_catalog_find("lock/none"));
}

Test(catalog, a_managed_object_needs_a_manager)
{
	const struct xp_impl managed = {.name = "lock/x", .scope = XP_SCOPE_MANAGED};
	struct xp_place place;
	struct xp_object object;

	cr_assert_eq(xp_place_open(&place, &(struct xp_place_plan){.arena_bytes = 1 << 16}), 0);
	cr_expect_eq(xp_object_make(&managed, &place, NULL, &object), -ENOTSUP);
	xp_place_close(&place);
	xp_place_close(&place);
}

Test(catalog, dropping_makes_room_again)
{
	struct xp_place place;
	struct xp_object object;
	const struct xp_params params = {.type = XP_TYPE_LONG, .length = 64};

	cr_assert_eq(xp_place_open(&place, &(struct xp_place_plan){.arena_bytes = 1 << 20}), 0);
	XP_CATALOG_EACH(impl)
	{
		if (impl->kind != XP_KIND_VALUE && impl->kind != XP_KIND_ARRAY)
			continue;
		for (int i = 0; i < 5000 && impl->scope == XP_SCOPE_SHM; i++) {
			cr_assert_eq(xp_object_make(impl, &place, &params, &object), 0,
				     "%s, round %d", impl->name, i);
			xp_object_drop(&object);
		}
	}
	xp_place_close(&place);
}
