/* SPDX-License-Identifier: MIT */
#include "bench/audit.h"

#include <stdarg.h>
#include <stdio.h>

const char *xb_validity_name(enum xb_validity validity)
{
	static const char *const names[] = {"valid", "suspect", "invalid"};

	return names[validity];
}

__attribute__((format(printf, 3, 4))) static void
mark(struct xb_verdict *verdict, enum xb_validity validity, const char *format, ...)
{
	va_list args;

	if (validity > verdict->validity)
		verdict->validity = validity;
	if (verdict->reasons == XB_WHY_MAX)
		return;
	va_start(args, format);
	vsnprintf(verdict->why[verdict->reasons++], XB_WHY_TEXT, format, args);
	va_end(args);
}

struct xb_verdict xb_audit(const struct xb_evidence *e)
{
	struct xb_verdict verdict = {.validity = XB_VALID};

	if (e->moved)
		mark(&verdict, XB_INVALID, "a member ran on another CPU than its own");
	if (e->failed)
		mark(&verdict, XB_INVALID, "%zu of %zu repetitions failed: %.90s", e->failed,
		     e->failed + e->repetitions, e->failure ? e->failure : "no reason given");
	if (e->sanitized)
		mark(&verdict, XB_SUSPECT, "built with a sanitizer");
	if (e->repetitions + e->failed < e->wanted)
		mark(&verdict, XB_SUSPECT, "interrupted after %zu of %zu repetitions",
		     e->repetitions, e->wanted);
	if (e->steal > XB_STEAL_MAX)
		mark(&verdict, XB_SUSPECT, "the hypervisor took %.0f %% of the CPUs' time",
		     100 * e->steal);
	if (!e->crowded && e->busy_s > 0 && e->preemptions / e->busy_s > XB_PREEMPTIONS_MAX)
		mark(&verdict, XB_SUSPECT, "preempted %.0f times per second and member",
		     e->preemptions / e->busy_s);
	if (e->spread > XB_SPREAD_MAX)
		mark(&verdict, XB_SUSPECT, "repetitions differ by +-%.0f %%", 100 * e->spread);
	return verdict;
}
