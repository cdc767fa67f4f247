/* SPDX-License-Identifier: MIT */
/*
 * stage - a server, an honest client of it, and one Value: what the cases about hostile clients start from
 *
 * Use   XC_TRY(xc_stage_set_up(cc, NULL, &stage)); do what is bad; return xc_stage_tear_down(cc, &stage);
 */
#ifndef CONFORMANCE_CASES_STAGE_H
#define CONFORMANCE_CASES_STAGE_H

#include "conformance/subjects/wire.h"

/** struct xc_stage - @value: ident of a Value of 'i', 7. */
struct xc_stage {
	struct xc_server server;
	struct xc_wire honest;
	char value[XC_IDENT_MAX];
};

/** xc_stage_set_up() - Start the server as @plan says, NULL for a usual one; connect; make the Value. */
enum xc_verdict xc_stage_set_up(struct xc_case_context *cc, const struct xc_server_plan *plan,
				struct xc_stage *stage);

/** xc_stage_serves() - The server lives, and the honest client is served. */
enum xc_verdict xc_stage_serves(struct xc_case_context *cc, struct xc_stage *stage);

/** xc_stage_tear_down() - It still serves; then end it. */
enum xc_verdict xc_stage_tear_down(struct xc_case_context *cc, struct xc_stage *stage);

#endif
