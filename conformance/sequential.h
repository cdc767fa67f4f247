/* SPDX-License-Identifier: MIT */
/*
 * sequential - sequential objects against which histories are checked: one per kind, in terms of kind/
 */
#ifndef CONFORMANCE_SEQUENTIAL_H
#define CONFORMANCE_SEQUENTIAL_H

#include "conformance/history.h"

enum xc_model_code {
	XC_OP_NONE,	 /* nothing was done: to be left out of the history */
	XC_OP_LOAD,	 /* value: result */
	XC_OP_STORE,	 /* value: argument */
	XC_OP_FETCH_ADD, /* value: argument; result is the old value */
	XC_OP_EXCHANGE,	 /* value: argument; result is the old value */
	XC_OP_PUT,	 /* queue: argument; rc 0, -EAGAIN (full), -EPIPE (closed) */
	XC_OP_GET,	 /* queue: result; rc 0, -EAGAIN (empty), -EPIPE (closed and empty) */
	XC_OP_CLOSE,	 /* queue */
	XC_OP_ACQUIRE,	 /* lock: rc 0, -EBUSY */
	XC_OP_RELEASE,	 /* lock: rc 0, -EPERM */
	XC_OP_WAIT,	 /* semaphore: rc 0, -EAGAIN; event: rc 0, -ETIMEDOUT */
	XC_OP_POST,	 /* semaphore: rc 0, -EOVERFLOW */
	XC_OP_SET,	 /* event */
	XC_OP_CLEAR,	 /* event */
	XC_OP_IS_SET,	 /* event: result */
};

/* A 64-bit integer; the argument of init is the first value (int64_t). */
extern const struct xc_model xc_model_value;
/* A bounded FIFO of up to XC_MODEL_QUEUE_MAX integers; the argument is the capacity (int64_t). */
extern const struct xc_model xc_model_queue;
#define XC_MODEL_QUEUE_MAX 24
/* A lock without an owner, free at first. */
extern const struct xc_model xc_model_lock;
/* A semaphore; the argument is two int64_t: the first value and the bound (INT64_MAX: none). */
extern const struct xc_model xc_model_semaphore;
/* An event, down at first. */
extern const struct xc_model xc_model_event;

#endif
