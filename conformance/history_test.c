/* SPDX-License-Identifier: MIT */
#include "conformance/sequential.h"

#include <criterion/criterion.h>
#include <errno.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum xc_history_answer check(const struct xc_model *model, const void *arg,
				    const struct xc_op *ops, size_t count)
{
	size_t stuck = 0;

	return xc_history_check(model, arg, ops, count, &stuck);
}

static const int64_t zero;

Test(history, a_load_that_overlaps_a_store_may_see_either_value)
{
	for (int64_t seen = 0; seen < 3; seen++) {
		const struct xc_op ops[] = {
		    {.start = 0, .end = 10, .code = XC_OP_STORE, .argument = 1},
		    {.start = 5, .end = 15, .code = XC_OP_LOAD, .result = seen},
		};
		cr_expect_eq(check(&xc_model_value, &zero, ops, COUNT(ops)),
			     seen < 2 ? XC_LINEARISABLE : XC_NOT_LINEARISABLE);
	}
}

Test(history, a_load_after_a_store_sees_it)
{
	const struct xc_op ops[] = {
	    {.start = 0, .end = 10, .code = XC_OP_STORE, .argument = 1},
	    {.start = 11, .end = 15, .code = XC_OP_LOAD, .result = 0},
	};
	size_t stuck = 9;

	cr_expect_eq(xc_history_check(&xc_model_value, &zero, ops, COUNT(ops), &stuck),
		     XC_NOT_LINEARISABLE);
	cr_expect_eq(stuck, 1u);
}

Test(history, a_lost_update_is_found)
{
	const struct xc_op ops[] = {
	    {.start = 0, .end = 10, .code = XC_OP_FETCH_ADD, .argument = 1, .result = 0},
	    {.start = 0, .end = 10, .code = XC_OP_FETCH_ADD, .argument = 1, .result = 0},
	};
	cr_expect_eq(check(&xc_model_value, &zero, ops, COUNT(ops)), XC_NOT_LINEARISABLE);
}

Test(history, a_queue_that_reorders_or_repeats_is_found)
{
	const int64_t capacity = 8;
	struct xc_op ops[] = {
	    {.start = 0, .end = 1, .code = XC_OP_PUT, .argument = 7},
	    {.start = 2, .end = 3, .code = XC_OP_PUT, .argument = 8},
	    {.start = 4, .end = 5, .code = XC_OP_GET, .result = 7},
	    {.start = 6, .end = 7, .code = XC_OP_GET, .result = 8},
	    {.start = 8, .end = 9, .code = XC_OP_GET, .rc = -EAGAIN},
	};

	cr_expect_eq(check(&xc_model_queue, &capacity, ops, COUNT(ops)), XC_LINEARISABLE);
	ops[2].result = 8;
	ops[3].result = 7;
	cr_expect_eq(check(&xc_model_queue, &capacity, ops, COUNT(ops)), XC_NOT_LINEARISABLE);
	/* Had the puts overlapped, either order would do. */
	ops[1].start = 0;
	cr_expect_eq(check(&xc_model_queue, &capacity, ops, COUNT(ops)), XC_LINEARISABLE);
	ops[3].result = 8;
	cr_expect_eq(check(&xc_model_queue, &capacity, ops, COUNT(ops)), XC_NOT_LINEARISABLE);
}

Test(history, full_and_empty_need_a_reason)
{
	const int64_t capacity = 1;
	struct xc_op ops[] = {
	    {.start = 0, .end = 1, .code = XC_OP_PUT, .argument = 7},
	    {.start = 2, .end = 3, .code = XC_OP_PUT, .argument = 8, .rc = -EAGAIN},
	    {.start = 4, .end = 5, .code = XC_OP_GET, .rc = -EAGAIN},
	};

	cr_expect_eq(check(&xc_model_queue, &capacity, ops, COUNT(ops)), XC_NOT_LINEARISABLE);
	ops[2].lenient = true;
	cr_expect_eq(check(&xc_model_queue, &capacity, ops, COUNT(ops)), XC_LINEARISABLE);
}

Test(history, a_pending_operation_may_have_happened_or_not)
{
	const int64_t capacity = 8;
	struct xc_op ops[] = {
	    {.start = 0, .end = XC_PENDING, .code = XC_OP_PUT, .argument = 7},
	    {.start = 4, .end = 5, .code = XC_OP_GET, .result = 7},
	};

	cr_expect_eq(check(&xc_model_queue, &capacity, ops, COUNT(ops)), XC_LINEARISABLE);
	ops[1] = (struct xc_op){.start = 4, .end = 5, .code = XC_OP_GET, .rc = -EAGAIN};
	cr_expect_eq(check(&xc_model_queue, &capacity, ops, COUNT(ops)), XC_LINEARISABLE);
	ops[1] = (struct xc_op){.start = 4, .end = 5, .code = XC_OP_GET, .result = 6};
	cr_expect_eq(check(&xc_model_queue, &capacity, ops, COUNT(ops)), XC_NOT_LINEARISABLE);
}

Test(history, two_holders_of_a_lock_are_found)
{
	struct xc_op ops[] = {
	    {.start = 0, .end = 5, .code = XC_OP_ACQUIRE},
	    {.start = 2, .end = 6, .code = XC_OP_ACQUIRE},
	    {.start = 7, .end = 8, .code = XC_OP_RELEASE},
	};

	cr_expect_eq(check(&xc_model_lock, NULL, ops, COUNT(ops)), XC_NOT_LINEARISABLE);
	ops[1].rc = -EBUSY;
	cr_expect_eq(check(&xc_model_lock, NULL, ops, COUNT(ops)), XC_LINEARISABLE);
}

Test(history, a_semaphore_gives_no_more_than_it_has)
{
	const int64_t params[2] = {1, 1};
	struct xc_op ops[] = {
	    {.start = 0, .end = 5, .code = XC_OP_WAIT},
	    {.start = 0, .end = 5, .code = XC_OP_WAIT},
	    {.start = 3, .end = 9, .code = XC_OP_POST},
	};

	cr_expect_eq(check(&xc_model_semaphore, params, ops, COUNT(ops)), XC_LINEARISABLE);
	ops[2].start = 6;
	cr_expect_eq(check(&xc_model_semaphore, params, ops, COUNT(ops)), XC_NOT_LINEARISABLE);
}

Test(history, a_lost_wake_up_of_an_event_is_found)
{
	struct xc_op ops[] = {
	    {.start = 0, .end = 1, .code = XC_OP_SET},
	    {.start = 2, .end = 9, .code = XC_OP_WAIT, .rc = -ETIMEDOUT},
	};

	cr_expect_eq(check(&xc_model_event, NULL, ops, COUNT(ops)), XC_NOT_LINEARISABLE);
}

Test(history, a_long_concurrent_history_is_decided)
{
	struct xc_op ops[XC_HISTORY_MAX];

	/* Four members add 1, sixteen times each, all overlapping their neighbours. */
	for (int i = 0; i < XC_HISTORY_MAX; i++)
		ops[i] = (struct xc_op){.start = i * 10,
					.end = i * 10 + 35,
					.code = XC_OP_FETCH_ADD,
					.argument = 1,
					.result = i};
	cr_expect_eq(check(&xc_model_value, &zero, ops, COUNT(ops)), XC_LINEARISABLE);
	ops[63].result = 62;
	cr_expect_eq(check(&xc_model_value, &zero, ops, COUNT(ops)), XC_NOT_LINEARISABLE);
}
