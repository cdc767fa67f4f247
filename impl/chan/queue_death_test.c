/* SPDX-License-Identifier: MIT */
/*
 * Each operation is run once instruction by instruction, to learn which of them change the shared
 * memory; then it is run again for each of those, and killed right after it. Between two of them a
 * death leaves the same memory behind, so these are all the states that a survivor can meet. Each
 * time the survivor's queue must hold what it should. (The conformance suite's stepper kills at every
 * instruction; it takes longer.)
 */
#include "xpshare/chan/joinable.h"
#include "xpshare/chan/queue_ring.h"
#include "xpshare/chan/queue_test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

static const struct xp_impl *const impls[] = {
    &xp_impl_queue_ring_spsc,
    &xp_impl_queue_ring_mpmc,
    &xp_impl_joinable_ring,
};
#define IMPLS (sizeof(impls) / sizeof(impls[0]))

/* Values that are in the queue before, are put by the victim, and are put by the survivor. */
enum { BEFORE = 100, VICTIM = 200, AFTER = 300 };
#define BEFORE_COUNT 5u
#define BATCH_COUNT  9u
#define STEPS_MAX    200000u
#define CHANGES_MAX  200u

/* What the victim does. It returns to its caller only if nobody killed it. */
typedef void victim(struct stage *stage);

static void victim_puts(struct stage *stage)
{
	uint64_t value = VICTIM;

	(void)!xp_queue_put(&stage->object.as.queue, &value, sizeof(value));
}

static void victim_gets(struct stage *stage)
{
	uint64_t value;
	size_t size;

	(void)!xp_queue_get(&stage->object.as.queue, &value, sizeof(value), &size);
}

static void victim_puts_a_batch(struct stage *stage)
{
	uint64_t values[BATCH_COUNT];

	for (uint64_t i = 0; i < BATCH_COUNT; i++)
		values[i] = VICTIM + i;
	(void)!xp_queue_ring_put_batch(xp_queue_ring_of(&stage->object.as.queue), values,
				       sizeof(values[0]), BATCH_COUNT, NULL);
}

static void victim_gets_a_batch(struct stage *stage)
{
	uint64_t values[3];

	(void)!xp_queue_ring_get_batch(xp_queue_ring_of(&stage->object.as.queue), values,
				       sizeof(values[0]), 3, NULL);
}

/* A child that is about to run @act, stopped at an instruction not far before it. */
static pid_t start(victim *act, struct stage *stage)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		act(stage);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSTOPPED(status));
	return child;
}

/* One instruction. Returns whether the child still lives. */
static bool step(pid_t child)
{
	int status;

	cr_assert_eq(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) || WIFSTOPPED(status));
	return WIFSTOPPED(status);
}

/* After how many instructions of @act the shared memory changes. Returns how often it does. */
static size_t find_changes(victim *act, struct stage *stage, size_t *changes)
{
	const struct xp_queue_ring *queue = xp_queue_ring_of(&stage->object.as.queue);
	size_t count = 0, bytes;

	cr_assert_eq(xp_queue_ring_size(queue->ring.capacity, queue->ring.item_max, &bytes), 0);
	void *before = malloc(bytes);
	memcpy(before, queue->shared, bytes);
	pid_t child = start(act, stage);
	for (size_t steps = 1; step(child); steps++) {
		cr_assert_lt(steps, STEPS_MAX);
		if (memcmp(before, queue->shared, bytes) == 0)
			continue;
		cr_assert_lt(count, CHANGES_MAX);
		changes[count++] = steps;
		memcpy(before, queue->shared, bytes);
	}
	free(before);
	return count;
}

/* Run @act in a child for @steps instructions, then kill it. */
static void kill_after(victim *act, struct stage *stage, size_t steps)
{
	pid_t child = start(act, stage);

	for (size_t i = 0; i < steps; i++)
		cr_assert(step(child));
	kill(child, SIGKILL);
	cr_assert_eq(exit_code(child), 128 + SIGKILL);
}

/* The survivor puts one item and takes all. Returns how many there were, values to @values. */
static size_t drain(struct stage *stage, uint64_t *values, size_t max)
{
	struct xp_queue *queue = &stage->object.as.queue;
	struct timespec limit = in_time();
	uint64_t value = AFTER;
	size_t size, n = 0;

	cr_assert_eq(xp_queue_put_until(queue, &value, sizeof(value), &limit), 0);
	while (xp_queue_try_get(queue, &value, sizeof(value), &size) == 0) {
		cr_assert_lt(n, max);
		cr_assert_eq(size, sizeof(value));
		values[n++] = value;
	}
	return n;
}

static struct stage *prepared(size_t index, size_t item_max)
{
	const struct xp_params params = {.capacity = 16, .item_max = item_max};
	struct stage *stage = stage_open(impls[index], &params);

	for (uint64_t i = 0; i < BEFORE_COUNT; i++) {
		uint64_t value = BEFORE + i;
		cr_assert_eq(xp_queue_put(&stage->object.as.queue, &value, sizeof(value)), 0);
	}
	return stage;
}

/*
 * The queue must hold what was there before, less a prefix of at most @taken_max, then a prefix of at
 * most @put_max of what the victim put, then what the survivor put. Returns how much of the victim's
 * work was done.
 */
static size_t judge(struct stage *stage, size_t taken_max, size_t put_max)
{
	struct xp_queue *queue = &stage->object.as.queue;
	uint64_t values[64];
	size_t n = drain(stage, values, 64);
	size_t at = 0, put = 0, taken = BEFORE_COUNT;

	if (values[0] >= BEFORE && values[0] < BEFORE + BEFORE_COUNT)
		taken = values[0] - BEFORE;
	cr_assert_leq(taken, taken_max);
	for (uint64_t i = taken; i < BEFORE_COUNT; i++)
		cr_assert_eq(values[at++], BEFORE + i);
	while (at < n && values[at] == VICTIM + put) {
		at++;
		put++;
	}
	cr_assert_leq(put, put_max);
	cr_assert_eq(at, n - 1);
	cr_assert_eq(values[at], AFTER);
	if (queue->ops->join_until) {
		/* The accounts agree with what was committed. */
		struct timespec now = xp_deadline_after(0);
		for (size_t i = 0; i < n + taken; i++)
			cr_assert_eq(xp_queue_task_done(queue), 0);
		cr_assert_eq(xp_queue_task_done(queue), -EOVERFLOW);
		cr_assert_eq(xp_queue_join_until(queue, &now), 0);
	}
	return taken + put;
}

static void step_through(size_t index, size_t item_max, victim *act, size_t taken_max,
			 size_t put_max)
{
	struct stage *stage = prepared(index, item_max);
	size_t changes[CHANGES_MAX];
	size_t count = find_changes(act, stage, changes);
	size_t done_before = 0;

	cr_expect_eq(judge(stage, taken_max, put_max), taken_max + put_max);
	stage_close(stage);
	cr_expect_gt(count, 0u);
	for (size_t i = 0; i < count; i++) {
		stage = prepared(index, item_max);
		kill_after(act, stage, changes[i]);
		size_t done = judge(stage, taken_max, put_max);
		cr_expect_geq(done, done_before); /* later instructions only add to it */
		done_before = done;
		stage_close(stage);
	}
	cr_expect_eq(done_before, taken_max + put_max);
}

EACH(queue_death, a_put_killed_anywhere_loses_at_most_its_item, IMPLS)
{
	step_through(*index, 8, victim_puts, 0, 1);
	step_through(*index, 56, victim_puts, 0, 1);
}

EACH(queue_death, a_get_killed_anywhere_takes_at_most_one_item, IMPLS)
{
	step_through(*index, 8, victim_gets, 1, 0);
	step_through(*index, 56, victim_gets, 1, 0);
}

EACH(queue_death, a_batch_killed_anywhere_is_cut_short, IMPLS)
{
	step_through(*index, 8, victim_puts_a_batch, 0, BATCH_COUNT);
	step_through(*index, 56, victim_puts_a_batch, 0, BATCH_COUNT);
	step_through(*index, 8, victim_gets_a_batch, 3, 0);
	step_through(*index, 56, victim_gets_a_batch, 3, 0);
}

/* Random bytes all over the shared memory: an error, or wrong items, but no crash and no hang. */
EACH(queue_death, garbage_anywhere_is_survived, IMPLS)
{
	const size_t item_maxes[] = {8, 56, 5000};
	uint64_t random = 88172645463325252u;

	for (size_t round = 0; round < 120; round++) {
		const struct xp_params params = {.capacity = 16, .item_max = item_maxes[round % 3]};
		struct stage *stage = stage_open(impls[*index], &params);
		struct xp_queue *queue = &stage->object.as.queue;
		struct xp_queue_ring *ring = xp_queue_ring_of(queue);
		size_t bytes;
		cr_assert_eq(xp_queue_ring_size(16, item_maxes[round % 3], &bytes), 0);
		pid_t child = fork();
		if (child == 0) {
			unsigned char *at = (unsigned char *)ring->shared;
			static unsigned char item[5000];
			size_t size;
			for (size_t op = 0; op < 60; op++) {
				struct timespec now = xp_deadline_after(0);
				random ^= random << 13;
				random ^= random >> 7;
				random ^= random << 17;
				/* Mostly the words that matter, not the items. */
				size_t where = random % (op % 4 ? 1100 : bytes - 8);
				memcpy(at + where, &random, op % 3 ? 1 : 8);
				(void)!xp_queue_put_until(queue, item, op % 9, &now);
				(void)!xp_queue_try_put(queue, item, item_maxes[round % 3]);
				(void)!xp_queue_get_until(queue, item, sizeof(item), &size, &now);
				(void)!xp_queue_try_get(queue, item, sizeof(item), &size);
				(void)!xp_queue_length(queue);
				(void)!xp_queue_ring_put_batch(ring, item, 8, 20, &now);
				(void)!xp_queue_ring_get_batch(ring, item, 8, 20, &now);
				(void)!xp_queue_task_done(queue);
				(void)!xp_queue_join_until(queue, &now);
			}
			_exit(0);
		}
		cr_assert_eq(exit_code(child), 0);
		stage_close(stage);
		random += round;
	}
}
