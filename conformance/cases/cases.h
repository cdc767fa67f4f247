/* SPDX-License-Identifier: MIT */
/*
 * cases - the tables of cases, one a file, each ended by a record without a clause
 */
#ifndef CONFORMANCE_CASES_CASES_H
#define CONFORMANCE_CASES_CASES_H

#include "conformance/case.h"

/* X(file): the order of the reports. */
#define XC_CASES_MAP(X)     \
	X(lock)             \
	X(rlock)            \
	X(semaphore)        \
	X(condition)        \
	X(event)            \
	X(barrier)          \
	X(value)            \
	X(array)            \
	X(pipe)             \
	X(queue)            \
	X(queue_death)      \
	X(joinable)         \
	X(linear)           \
	X(scope)            \
	X(segment)          \
	X(step)             \
	X(step_queue)       \
	X(manager)          \
	X(manager_full)     \
	X(manager_death)    \
	X(manager_attack)   \
	X(manager_client)   \
	X(manager_register) \
	X(manager_ring)     \
	X(manager_share)    \
	X(container)

#define X(file) extern const struct xc_case xc_cases_##file[];
XC_CASES_MAP(X)
#undef X

#endif
