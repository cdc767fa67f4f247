/* SPDX-License-Identifier: MIT */
#include "conformance/cases/stage.h"

enum xc_verdict xc_stage_set_up(struct xc_case_context *cc, const struct xc_server_plan *plan,
				struct xc_stage *stage)
{
	struct timespec by = xc_patience();
	struct xp_datum_arena arena;
	char number[32];

	XC_TRY(xc_server_start(cc, plan, &stage->server));
	int rc = xc_wire_open(&stage->honest, &stage->server, &by);
	XC_REQUIRE(cc, rc == 0, "a client can connect", "%s", xc_number(rc, number));
	xp_datum_arena_init(&arena, 0);
	const struct xp_datum *args[] = {xp_datum_str(&arena, "i"), xp_datum_int(&arena, 7)};
	XC_TRY(xc_wire_create(cc, &stage->server, "Value", 2, args, stage->value));
	xp_datum_arena_fini(&arena);
	return XC_PASS;
}

enum xc_verdict xc_stage_serves(struct xc_case_context *cc, struct xc_stage *stage)
{
	return xc_wire_serves(cc, &stage->server, &stage->honest, stage->value);
}

enum xc_verdict xc_stage_tear_down(struct xc_case_context *cc, struct xc_stage *stage)
{
	XC_TRY(xc_stage_serves(cc, stage));
	xc_wire_close(&stage->honest);
	xc_server_stop(&stage->server);
	return XC_PASS;
}
