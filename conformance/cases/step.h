/* SPDX-License-Identifier: MIT */
/*
 * step - what the scenarios of the stepper have in common
 */
#ifndef CONFORMANCE_CASES_STEP_H
#define CONFORMANCE_CASES_STEP_H

#include "conformance/case.h"

struct xc_scene;

/**
 * struct xc_scenario - An operation, and what is demanded around it; see struct xc_stepping.
 * @family: Its clauses are <family>.killed_anywhere and <family>.stopped_anywhere.
 */
struct xc_scenario {
	const char *family, *name;
	unsigned kinds;
	struct xp_params params;
	enum xc_verdict (*prepare)(struct xc_scene *scene);
	void (*operate)(struct xc_scene *scene);
	enum xc_verdict (*release)(struct xc_scene *scene);
	int (*frozen)(struct xc_scene *scene);
	enum xc_verdict (*check)(struct xc_scene *scene, bool killed);
};

/** struct xc_helper - How a living process is asked to do a job; in shared memory. Words of base/wait.h. */
struct xc_helper {
	_Atomic uint32_t asked, begun, ended;
	_Atomic int rc;
	int (*job)(struct xc_scene *scene);
	int64_t item; /* what a getter got */
};

struct xc_scene {
	struct xc_case_context *cc;
	const struct xc_scenario *scenario;
	struct xp_object object;
	struct xc_helper *helper;
	bool held;	     /* the survivor holds it, or has let the victim go on */
	bool release_needed; /* the operation blocks */
};

/** xc_helper_ask() - Let the helper do @job. */
void xc_helper_ask(struct xc_scene *scene, int (*job)(struct xc_scene *scene));
bool xc_helper_done(struct xc_scene *scene);
/** xc_helper_sleeps() - The helper is blocked in its job. */
enum xc_verdict xc_helper_sleeps(struct xc_scene *scene);
/** xc_helper_finish() - The job ends, with 0; @expected says why it must. */
enum xc_verdict xc_helper_finish(struct xc_scene *scene, const char *expected);

/** xc_scenario_find() - Step through the one of @scenarios that the case under way names; kill or stop as
 *  its clause says. */
enum xc_verdict xc_scenario_find(struct xc_case_context *cc, const struct xc_scenario *scenarios,
				 size_t count);

#define XC_STEP_CASE(clause_, name_, kinds_, caps_, run_)                                       \
	{                                                                                       \
		.clause = clause_, .name = "step_" name_, .kinds = kinds_,                      \
		.scopes = XC_SCOPE(SHM) | XC_SCOPE(INHERITED), .caps = XP_CAP_ROBUST | (caps_), \
		.flags = XC_NEEDS_PROCESSES | XC_STEPPER, .seconds = 900, .run = run_,          \
	}

#define XC_STEP_CASES(family_, name_, kinds_, caps_, run_)                    \
	XC_STEP_CASE(family_ ".killed_anywhere", name_, kinds_, caps_, run_), \
	    XC_STEP_CASE(family_ ".stopped_anywhere", name_, kinds_, caps_, run_)

#endif
