/* SPDX-License-Identifier: MIT */
/*
 * history - is what several processes saw explained by one object that did one thing at a time?
 *
 * Overview      Members record each operation with the time before its call and after its return. The
 *               checker looks for an order of all operations that respects those times (one that ended
 *               before another began comes first) and in which a sequential model of the object gives
 *               each operation the result that it had. If there is one the history is linearisable
 *               (Herlihy and Wing, "Linearizability", TOPLAS 12(3), 1990).
 * Method        The search of Wing and Gong ("Testing and Verifying Concurrent Objects", JPDC 17, 1993),
 *               with Lowe's memory of the pairs (set of operations placed, state) already tried
 *               ("Testing for linearizability", CCPE 29(4), 2017). Exponential in the worst case,
 *               bounded here by XC_HISTORY_MAX operations and a budget of configurations.
 * Pending       An operation whose member died in it has no end: it may have taken effect at any time
 *               after its start, or never.
 */
#ifndef CONFORMANCE_HISTORY_H
#define CONFORMANCE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XC_HISTORY_MAX	  64	    /* operations: one bit each */
#define XC_STATE_MAX	  256	    /* bytes of a model's state */
#define XC_HISTORY_BUDGET 2000000   /* configurations that one check may visit */
#define XC_PENDING	  INT64_MAX /* the end of an operation that never returned */

/**
 * struct xc_op - One operation of one member.
 * @start, @end: Nanoseconds of one clock that all members share; @end may be XC_PENDING.
 * @code:        What it did; the model's own numbering.
 * @rc:          What it returned.
 * @argument, @result: What it was given and what it gave back.
 * @lenient:     Computed by the case: a weaker result is allowed (e.g. "empty" while a put overlaps).
 */
struct xc_op {
	int64_t start;
	int64_t end;
	int64_t argument;
	int64_t result;
	int32_t rc;
	int16_t member;
	uint8_t code;
	bool lenient;
};

/**
 * struct xc_model - The sequential object.
 * @size:  Bytes of its state, at most XC_STATE_MAX; every byte counts in comparisons.
 * @init:  Set the state of a fresh object; @arg is the case's (a capacity, an initial value).
 * @apply: Apply @op to @state. Returns false if the object could not have answered like that. For a
 *         pending operation the result is unknown and must not be looked at.
 */
struct xc_model {
	size_t size;
	void (*init)(void *state, const void *arg);
	bool (*apply)(void *state, const struct xc_op *op);
};

enum xc_history_answer {
	XC_LINEARISABLE,
	XC_NOT_LINEARISABLE,
	XC_HISTORY_UNDECIDED, /* the budget ran out, or memory */
};

/**
 * xc_history_check() - Search for an explanation of @ops.
 * @ret_stuck: Where there is none: the index of an operation that could not be placed after the longest
 *             explained prefix; for the report. May be NULL.
 */
enum xc_history_answer xc_history_check(const struct xc_model *model, const void *arg,
					const struct xc_op *ops, size_t count, size_t *ret_stuck);

#endif
