/* SPDX-License-Identifier: MIT */
#include "conformance/sequential.h"

#include <errno.h>
#include <string.h>

static bool returned(const struct xc_op *op)
{
	return op->end != XC_PENDING;
}

/* Whether the operation gave @value back; a pending one gave nothing that could be wrong. */
static bool gave(const struct xc_op *op, int64_t value)
{
	return !returned(op) || (op->rc == 0 && op->result == value);
}

static void init_number(void *state, const void *arg)
{
	memcpy(state, arg, sizeof(int64_t));
}

static bool apply_value(void *state, const struct xc_op *op)
{
	int64_t *value = state;
	int64_t old = *value;

	switch (op->code) {
	case XC_OP_LOAD:
		return gave(op, old);
	case XC_OP_STORE:
		*value = op->argument;
		return true;
	case XC_OP_FETCH_ADD:
		*value = (int64_t)((uint64_t)old + (uint64_t)op->argument);
		return gave(op, old);
	case XC_OP_EXCHANGE:
		*value = op->argument;
		return gave(op, old);
	default:
		return false;
	}
}

const struct xc_model xc_model_value = {sizeof(int64_t), init_number, apply_value};

struct queue_state {
	int64_t capacity;
	int32_t closed;
	int32_t count;
	int64_t item[XC_MODEL_QUEUE_MAX];
};

_Static_assert(sizeof(struct queue_state) <= XC_STATE_MAX, "the state fits a configuration");

static void init_queue(void *state, const void *arg)
{
	struct queue_state *queue = state;

	memset(queue, 0, sizeof(*queue));
	queue->capacity = *(const int64_t *)arg;
}

static bool apply_put(struct queue_state *queue, const struct xc_op *op)
{
	if (returned(op) && op->rc == -EPIPE)
		return queue->closed;
	if (returned(op) && op->rc == -EAGAIN)
		return op->lenient || queue->count >= queue->capacity;
	if (queue->closed || queue->count >= queue->capacity || queue->count >= XC_MODEL_QUEUE_MAX)
		return false;
	queue->item[queue->count++] = op->argument;
	return !returned(op) || op->rc == 0;
}

static bool apply_get(struct queue_state *queue, const struct xc_op *op)
{
	if (returned(op) && op->rc == -EPIPE)
		return queue->closed && queue->count == 0;
	if (returned(op) && op->rc == -EAGAIN)
		return op->lenient || queue->count == 0;
	if (queue->count == 0)
		return false;
	int64_t first = queue->item[0];
	queue->count--;
	memmove(queue->item, queue->item + 1, (size_t)queue->count * sizeof(queue->item[0]));
	queue->item[queue->count] = 0; /* equal queues have equal bytes */
	return gave(op, first);
}

static bool apply_queue(void *state, const struct xc_op *op)
{
	struct queue_state *queue = state;

	switch (op->code) {
	case XC_OP_PUT:
		return apply_put(queue, op);
	case XC_OP_GET:
		return apply_get(queue, op);
	case XC_OP_CLOSE:
		queue->closed = 1;
		return true;
	default:
		return false;
	}
}

const struct xc_model xc_model_queue = {sizeof(struct queue_state), init_queue, apply_queue};

static void init_flag(void *state, const void *arg)
{
	(void)arg;
	memset(state, 0, sizeof(int32_t));
}

static bool apply_lock(void *state, const struct xc_op *op)
{
	int32_t *held = state;

	switch (op->code) {
	case XC_OP_ACQUIRE:
		if (returned(op) && op->rc == -EBUSY)
			return op->lenient || *held;
		if (*held)
			return false;
		*held = 1;
		return !returned(op) || op->rc == 0;
	case XC_OP_RELEASE:
		if (returned(op) && op->rc == -EPERM)
			return !*held;
		if (!*held)
			return false;
		*held = 0;
		return !returned(op) || op->rc == 0;
	default:
		return false;
	}
}

const struct xc_model xc_model_lock = {sizeof(int32_t), init_flag, apply_lock};

struct semaphore_state {
	int64_t value;
	int64_t bound;
};

static void init_semaphore(void *state, const void *arg)
{
	memcpy(state, arg, sizeof(struct semaphore_state));
}

static bool apply_semaphore(void *state, const struct xc_op *op)
{
	struct semaphore_state *semaphore = state;

	switch (op->code) {
	case XC_OP_WAIT:
		if (returned(op) && op->rc == -EAGAIN)
			return op->lenient || semaphore->value == 0;
		if (semaphore->value == 0)
			return false;
		semaphore->value--;
		return !returned(op) || op->rc == 0;
	case XC_OP_POST:
		if (returned(op) && op->rc == -EOVERFLOW)
			return semaphore->value >= semaphore->bound;
		if (semaphore->value >= semaphore->bound)
			return false;
		semaphore->value++;
		return !returned(op) || op->rc == 0;
	default:
		return false;
	}
}

const struct xc_model xc_model_semaphore = {sizeof(struct semaphore_state), init_semaphore,
					    apply_semaphore};

static bool apply_event(void *state, const struct xc_op *op)
{
	int32_t *up = state;

	switch (op->code) {
	case XC_OP_SET:
		*up = 1;
		return true;
	case XC_OP_CLEAR:
		*up = 0;
		return true;
	case XC_OP_IS_SET:
		return gave(op, *up);
	case XC_OP_WAIT:
		if (returned(op) && op->rc == -ETIMEDOUT)
			return op->lenient || !*up;
		return *up != 0;
	default:
		return false;
	}
}

const struct xc_model xc_model_event = {sizeof(int32_t), init_flag, apply_event};
