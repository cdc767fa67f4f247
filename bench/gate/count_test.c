/* SPDX-License-Identifier: MIT */
#include "gate/count.h"

#include "gate/trace.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* Counts of a build that makes two reads and 100.0 instructions an operation. */
static struct xg_counts plain(void)
{
	struct xg_counts counts = {.short_run = 10, .long_run = 100};

	counts.calls = calloc(XG_SYSCALLS_MAX, sizeof(*counts.calls));
	cr_assert_not_null(counts.calls);
	for (size_t i = 0; i < XG_SYSCALLS_MAX; i++)
		counts.calls[i].stable = true;
	counts.calls[SYS_read].value = 2;
	for (int kind = 0; kind < XG_COST_KINDS; kind++)
		counts.cost[kind].stable = true;
	counts.cost[XG_COST_KIND_INSTRUCTIONS].value = 100;
	return counts;
}

static struct xg_case compare(const struct xg_counts *one, const struct xg_counts *other)
{
	struct xg_case tested = {0};

	xg_counts_compare(&tested, one, other);
	cr_assert_eq(tested.cost_count, XG_COST_KINDS);
	return tested;
}

Test(count, half_a_percent_and_an_event_at_the_edge_are_the_same)
{
	struct xg_counts one = plain(), other = plain();

	other.cost[XG_COST_KIND_INSTRUCTIONS].value = 100.5;
	other.cost[XG_COST_KIND_FAULTS].value = 0.009;
	struct xg_case tested = compare(&one, &other);
	for (size_t i = 0; i < tested.cost_count; i++)
		cr_expect_eq(tested.costs[i].state, XG_COST_SAME, "%s", tested.costs[i].name);

	other.cost[XG_COST_KIND_INSTRUCTIONS].value = 100.6;
	other.cost[XG_COST_KIND_FAULTS].value = 0.02;
	tested = compare(&one, &other);
	cr_expect_eq(tested.costs[XG_COST_KIND_INSTRUCTIONS].state, XG_COST_MORE);
	cr_expect_eq(tested.costs[XG_COST_KIND_FAULTS].state, XG_COST_MORE);
	tested = compare(&other, &one);
	cr_expect_eq(tested.costs[XG_COST_KIND_INSTRUCTIONS].state, XG_COST_LESS);
	xg_counts_fini(&one);
	xg_counts_fini(&other);
}

Test(count, a_new_call_is_named_although_another_is_unstable)
{
	struct xg_counts one = plain(), other = plain();

	one.calls[SYS_futex] = (struct xg_count_call){.value = 1.7, .stable = true};
	other.calls[SYS_futex] = (struct xg_count_call){.value = 0.4, .stable = false};
	other.calls[SYS_getppid].value = 1;
	one.cost[XG_COST_KIND_SYSCALLS].stable = other.cost[XG_COST_KIND_SYSCALLS].stable = false;
	struct xg_case tested = compare(&one, &other);
	const struct xg_cost *calls = &tested.costs[XG_COST_KIND_SYSCALLS];
	cr_expect_eq(calls->state, XG_COST_MORE);
	cr_expect_str_eq(calls->detail, "getppid +1");
	xg_counts_fini(&one);
	xg_counts_fini(&other);
}

Test(count, what_is_unstable_or_missing_decides_nothing)
{
	struct xg_counts one = plain(), other = plain();

	other.cost[XG_COST_KIND_SWITCHES] = (struct xg_count){.value = 9, .stable = false};
	snprintf(other.cost[XG_COST_KIND_ALLOCATIONS].why, XG_REASON_MAX, "no tool");
	struct xg_case tested = compare(&one, &other);
	cr_expect_eq(tested.costs[XG_COST_KIND_SWITCHES].state, XG_COST_UNSTABLE);
	cr_expect_eq(tested.costs[XG_COST_KIND_ALLOCATIONS].state, XG_COST_NOT_COUNTED);
	cr_expect_str_eq(tested.costs[XG_COST_KIND_ALLOCATIONS].detail, "no tool");
	xg_counts_fini(&one);
	xg_counts_fini(&other);
}

Test(count, counts_that_are_stored_and_read_compare_as_the_same)
{
	struct xg_counts one = plain(), again;

	one.calls[SYS_futex] = (struct xg_count_call){.value = 1.5, .stable = false};
	snprintf(one.cost[XG_COST_KIND_SHARED].why, XG_REASON_MAX, "not known");
	json_t *object = xg_counts_json(&one);
	cr_assert_eq(xg_counts_load(object, &again), 0);
	cr_expect_eq(again.long_run, one.long_run);
	cr_expect(again.calls[SYS_read].stable && again.calls[SYS_read].value == 2);
	cr_expect_not(again.calls[SYS_futex].stable);
	struct xg_case tested = compare(&one, &again);
	cr_expect_eq(tested.costs[XG_COST_KIND_SYSCALLS].state, XG_COST_SAME);
	cr_expect_eq(tested.costs[XG_COST_KIND_SHARED].state, XG_COST_NOT_COUNTED);
	json_decref(object);
	xg_counts_fini(&one);
	xg_counts_fini(&again);
}

Test(count, stored_counts_that_are_malformed_are_refused)
{
	struct xg_counts one = plain(), again;
	json_t *object = xg_counts_json(&one);

	json_object_set_new(object, "long_run", json_integer(1));
	cr_expect_eq(xg_counts_load(object, &again), -EPROTO);
	json_object_set_new(object, "long_run", json_integer(100));
	json_array_append_new(
	    json_object_get(object, "syscalls"),
	    json_pack("{s:i, s:f, s:b}", "number", 100000, "value", 1.0, "stable", 1));
	cr_expect_eq(xg_counts_load(object, &again), -EPROTO);
	json_array_clear(json_object_get(object, "costs"));
	cr_expect_eq(xg_counts_load(object, &again), -EPROTO);
	json_decref(object);
	xg_counts_fini(&one);
}

Test(count, system_calls_have_names)
{
	char buffer[24];

	cr_expect_str_eq(xg_trace_name(SYS_futex, buffer), "futex");
	cr_expect_str_eq(xg_trace_name(XG_SYSCALLS_MAX - 1, buffer), "call 511");
}
