/* SPDX-License-Identifier: MIT */
/*
 * touch - of each kind: something that one process does to an object and another one sees
 */
#ifndef CONFORMANCE_CASES_TOUCH_H
#define CONFORMANCE_CASES_TOUCH_H

#include "conformance/case.h"

/* Every kind that has a machine-typed contract. */
#define XC_TOUCH_KINDS (XC_KINDS_ALL & ~(XC_KIND(LIST) | XC_KIND(DICT) | XC_KIND(NAMESPACE)))

/**
 * struct xc_touch - All return 0 if it is as it should be.
 * @touch:    Do something to the object that others can see.
 * @touched:  Another process sees it.
 * @untouch:  What the toucher does before it ends, so that it leaves no debt.
 * @survives: The object can be used after a process died in the state "touched".
 */
struct xc_touch {
	struct xp_params params;
	int (*touch)(const struct xp_object *object);
	int (*touched)(const struct xp_object *object);
	int (*untouch)(const struct xp_object *object);
	int (*survives)(const struct xp_object *object);
};

extern const struct xc_touch xc_touches[XP_KIND_COUNT];

#endif
