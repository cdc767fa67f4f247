/* SPDX-License-Identifier: MIT */
/*
 * linear - what members saw of an object under random use is explained by a sequential one
 *
 * Each round makes a fresh object, lets MEMBERS do OPS random operations each, and hands the recorded
 * history to conformance/history.h. Many short histories find more than one long one: the search stays
 * exact, and each start is a new chance for an unlucky interleaving. The seed of a failing round is in its
 * detail; XP_STRESS_ROUNDS asks for more rounds.
 */
#include "conformance/case.h"
#include "conformance/history.h"
#include "conformance/sequential.h"

#include <stdlib.h>

#define MEMBERS 3
#define OPS	12
#define ROUNDS	60

_Static_assert(MEMBERS *OPS <= XC_HISTORY_MAX, "a round fits a history");

struct round {
	struct xp_object *object;
	struct xc_op (*ops)[OPS]; /* [member], in shared memory */
	uint64_t seed;
};

/* What a member does next: chooses by the turn's random number, performs, fills in everything but the
 * times. */
struct turn {
	int member;
	uint64_t random;
	int64_t unique; /* an operand that nobody else uses */
	bool last;	/* of this member in this round */
};

typedef void do_op(struct xp_object *object, const struct turn *turn, struct xc_op *op);

struct subject {
	enum xp_kind kind;
	const struct xc_model *model;
	struct xp_params params;
	int64_t init[2];
	do_op *perform;
};

static void op_value(struct xp_object *object, const struct turn *turn, struct xc_op *op)
{
	const struct xp_value *value = &object->as.value;
	long long operand = turn->unique, result = 0;
	bool atomic = object->impl->caps & XP_CAP_ATOMIC;

	op->code = (uint8_t)(XC_OP_LOAD + turn->random % (atomic ? 4 : 2));
	switch (op->code) {
	case XC_OP_LOAD:
		op->rc = xp_value_load(value, &result);
		break;
	case XC_OP_STORE:
		op->rc = xp_value_store(value, &operand);
		break;
	case XC_OP_FETCH_ADD:
		op->rc = xp_value_fetch_add(value, &operand, &result);
		break;
	default:
		op->rc = xp_value_exchange(value, &operand, &result);
		break;
	}
	op->argument = operand;
	op->result = result;
}

static bool many_sided(const struct xp_impl *impl)
{
	const unsigned both = XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER;

	return (impl->kind != XP_KIND_QUEUE && impl->kind != XP_KIND_JOINABLE) ||
	       (impl->caps & both) == both;
}

static void op_queue(struct xp_object *object, const struct turn *turn, struct xc_op *op)
{
	const struct xp_queue *queue = &object->as.queue;
	int64_t item = turn->unique;
	size_t size = 0;

	/* With one producer and one consumer the members have roles. */
	bool put = many_sided(object->impl) ? turn->random % 2 : turn->member == 0;

	op->code = put ? XC_OP_PUT : XC_OP_GET;
	if (op->code == XC_OP_PUT) {
		op->argument = item;
		op->rc = xp_queue_try_put(queue, &item, sizeof(item));
	} else {
		op->rc = xp_queue_try_get(queue, &item, sizeof(item), &size);
		op->result = item;
		if (op->rc == 0 && size != sizeof(item))
			op->rc = -EPROTO; /* no model explains that */
	}
}

/* Releases only what it holds itself: whether another may release is a clause of its own. */
static void op_lock(struct xp_object *object, const struct turn *turn, struct xc_op *op)
{
	static _Thread_local int64_t held_in;
	const struct xp_lock *lock = &object->as.lock;
	int64_t round = turn->unique >> 16;

	if (held_in == round) {
		op->code = XC_OP_RELEASE;
		op->rc = xp_lock_release(lock);
		held_in = 0;
		return;
	}
	if (turn->last)
		return; /* whoever ends with the lock in hand has died as its owner */
	op->code = XC_OP_ACQUIRE;
	op->rc = xp_lock_try_acquire(lock);
	if (op->rc == 0)
		held_in = round;
}

static void op_semaphore(struct xp_object *object, const struct turn *turn, struct xc_op *op)
{
	const struct xp_semaphore *semaphore = &object->as.semaphore;

	op->code = turn->random % 2 ? XC_OP_WAIT : XC_OP_POST;
	op->rc = op->code == XC_OP_WAIT ? xp_semaphore_try_wait(semaphore)
					: xp_semaphore_post(semaphore);
}

static void op_event(struct xp_object *object, const struct turn *turn, struct xc_op *op)
{
	const struct xp_event *event = &object->as.event;
	int up;

	op->code = (uint8_t)(XC_OP_SET + turn->random % 3);
	switch (op->code) {
	case XC_OP_SET:
		op->rc = xp_event_set(event);
		break;
	case XC_OP_CLEAR:
		op->rc = xp_event_clear(event);
		break;
	default:
		up = xp_event_is_set(event);
		op->rc = up < 0 ? up : 0;
		op->result = up;
		break;
	}
}

static const struct subject subjects[] = {
    {XP_KIND_VALUE, &xc_model_value, {.type = XP_TYPE_LLONG}, {0}, op_value},
    {XP_KIND_QUEUE, &xc_model_queue, {.capacity = 4, .item_max = 8}, {4}, op_queue},
    {XP_KIND_JOINABLE, &xc_model_queue, {.capacity = 4, .item_max = 8}, {4}, op_queue},
    {XP_KIND_LOCK, &xc_model_lock, {0}, {0}, op_lock},
    {XP_KIND_RLOCK, &xc_model_lock, {0}, {0}, op_lock},
    {XP_KIND_SEMAPHORE, &xc_model_semaphore, {.count = 2}, {2, INT64_MAX}, op_semaphore},
    {XP_KIND_BOUNDED, &xc_model_semaphore, {.count = 2}, {2, 2}, op_semaphore},
    {XP_KIND_EVENT, &xc_model_event, {0}, {0}, op_event},
};

static const struct subject *subject_of(enum xp_kind kind)
{
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		if (subjects[i].kind == kind)
			return &subjects[i];
	}
	return NULL;
}

static int take_part(struct xp_member *me, void *arg)
{
	const struct round *round = arg;
	const struct subject *subject = subject_of(round->object->impl->kind);
	uint64_t state = round->seed + (uint64_t)me->index;
	struct xc_op *ops = round->ops[me->index];

	xp_member_arrive(me);
	for (int i = 0; i < OPS; i++) {
		struct xc_op op = {.member = (int16_t)me->index};
		struct turn turn = {
		    .member = me->index,
		    .random = xc_random(&state) >> 7,
		    .unique = (int64_t)(round->seed << 16) + me->index * OPS + i + 1,
		    .last = i == OPS - 1,
		};

		op.start = xp_clock_ns();
		subject->perform(round->object, &turn, &op);
		/* A release store may still wait in this CPU's store buffer when it returns. That is
		 * allowed, so the operation ends when it has become visible. */
		atomic_thread_fence(memory_order_seq_cst);
		op.end = xp_clock_ns();
		ops[i] = op;
	}
	return 0;
}

/* "Full" and "empty" of a queue, and "busy" of a semaphore or lock, are allowed while an operation of
 * another member overlaps: an item that is claimed and not yet committed is neither in nor out, and the
 * contract's words are "a try that would block". */
static void mark_lenient(struct xc_op *ops, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < count; k++) {
			if (ops[k].member != ops[i].member && ops[k].start <= ops[i].end &&
			    ops[k].end >= ops[i].start)
				ops[i].lenient = true;
		}
	}
}

static enum xc_verdict one_round(struct xc_case_context *cc, const struct subject *subject,
				 uint64_t seed)
{
	struct xp_object object;
	struct round round = {.object = &object, .ops = cc->shared, .seed = seed};
	struct xc_op all[MEMBERS * OPS];
	size_t count = 0, stuck = 0;

	XC_TRY(xc_make(cc, &subject->params, &object));
	int members = many_sided(cc->iut->impl) ? MEMBERS : 2;
	XC_TRY(xc_start(cc, members, take_part, &round));
	XC_TRY(xc_join(cc));
	xc_drop_last(cc);

	for (int m = 0; m < members; m++) {
		for (int i = 0; i < OPS; i++) {
			if (round.ops[m][i].code != XC_OP_NONE)
				all[count++] = round.ops[m][i];
		}
	}
	mark_lenient(all, count);
	enum xc_history_answer answer =
	    xc_history_check(subject->model, subject->init, all, count, &stuck);
	if (answer == XC_HISTORY_UNDECIDED)
		return xc_unresolved(cc, "the search for an explanation ran out of its budget");
	XC_REQUIRE(
	    cc, answer == XC_LINEARISABLE,
	    "an order of the operations, true to their times, in which one object gives these "
	    "results",
	    "none; seed %llu: operation of member %d (code %d, argument %lld) cannot have "
	    "returned %d with %lld",
	    (unsigned long long)seed, all[stuck].member, all[stuck].code,
	    (long long)all[stuck].argument, all[stuck].rc, (long long)all[stuck].result);
	return XC_PASS;
}

static enum xc_verdict linearisable(struct xc_case_context *cc)
{
	const struct subject *subject = subject_of(cc->iut->impl->kind);
	const char *asked = getenv("XP_STRESS_ROUNDS");
	long rounds = asked ? strtol(asked, NULL, 10) : ROUNDS;

	for (long i = 0; i < rounds; i++)
		XC_TRY(one_round(cc, subject, (uint64_t)i + 1));
	return XC_PASS;
}

const struct xc_case xc_cases_linear[] = {
    {.clause = "value.linearisable",
     .name = "random",
     .kinds = XC_KIND(VALUE),
     .run = linearisable},
    {.clause = "queue.linearisable",
     .name = "random",
     .kinds = XC_KIND(QUEUE),
     .run = linearisable},
    {.clause = "joinable.linearisable",
     .name = "random",
     .kinds = XC_KIND(JOINABLE),
     .run = linearisable},
    {.clause = "lock.linearisable", .name = "random", .kinds = XC_KIND(LOCK), .run = linearisable},
    {.clause = "rlock.linearisable",
     .name = "random",
     .kinds = XC_KIND(RLOCK),
     .run = linearisable},
    {.clause = "semaphore.linearisable",
     .name = "random",
     .kinds = XC_KIND(SEMAPHORE),
     .run = linearisable},
    {.clause = "bounded.linearisable",
     .name = "random",
     .kinds = XC_KIND(BOUNDED),
     .run = linearisable},
    {.clause = "event.linearisable",
     .name = "random",
     .kinds = XC_KIND(EVENT),
     .run = linearisable},
    {0},
};
