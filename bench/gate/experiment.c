/* SPDX-License-Identifier: MIT */
#include "gate/experiment.h"

#include "gate/arm.h"
#include "gate/judge.h"
#include "gate/random.h"
#include "gate/stop.h"
#include "xpshare/base/clock.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An idle arm may use so much of a CPU, and so much in each slice for going to sleep when the other
 * begins. Little: on a busy machine even one that spins gets only a part of a CPU. */
#define IDLE_SHARE_MAX 0.05
#define IDLE_SLICE_NS  100000
/* A launch of slow operations may take this many times as long as one of quick ones. */
#define LAUNCH_STRETCH 4
#define INJECT_STEPS   20 /* an injected share is whole at this many operations (5 %, 10 %, 20 %) */

enum side { BASELINE, CANDIDATE, SIDES };

/* The state of one experiment. */
struct bench {
	struct xg_run *run;
	const struct xg_plan *plan;
	struct xg_random random;
	int64_t began_ns;
	unsigned *wanted; /* launches, per case */
	double *launch_s; /* what one took, per case */
	bool *settled;	  /* per case */
	size_t *order;
	unsigned done;
};

/* A launch in progress. */
struct launch {
	struct xg_arm arms[SIDES];
	pid_t members[SIDES][XG_GROUP_MAX];
	size_t member_count[SIDES];
	uint64_t iterations[SIDES];
	int64_t idle_ns[SIDES]; /* how long it was to sleep */
	int64_t idle_slices[SIDES];
	int64_t used_ns[SIDES]; /* what its members used of the CPUs meanwhile */
};

static const char *const side_labels[SIDES] = {"baseline", "candidate"};

const char *const *xg_controls(void)
{
	static const char *const names[] = {"control/spin", "control/pipe", "control/wake", NULL};
	return names;
}

static double elapsed_s(const struct bench *bench)
{
	return (double)(xp_clock_ns() - bench->began_ns) / 1e9;
}

static void add_case(struct xg_run *run, size_t index, const struct xg_plan *plan, const char *name,
		     bool control)
{
	struct xg_case *tested = &run->cases[index];

	snprintf(tested->name, sizeof(tested->name), "%s", name);
	tested->control = control;
	if (control)
		return;
	if (!xg_build_find(plan->baseline, name))
		snprintf(tested->missing, sizeof(tested->missing), "new: the baseline lacks it");
	else if (!xg_build_find(plan->candidate, name))
		snprintf(tested->missing, sizeof(tested->missing), "gone: the candidate lacks it");
}

static bool already(const struct xg_run *run, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(run->cases[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Add the cases of both builds that match @pattern, or the default ones where it is NULL. */
static bool add_matching(struct xg_run *run, size_t *count, const struct xg_plan *plan,
			 const char *pattern)
{
	const struct xg_build *builds[] = {plan->baseline, plan->candidate};
	bool matched = false;

	for (size_t b = 0; b < 2; b++) {
		for (size_t i = 0; i < builds[b]->case_count; i++) {
			const struct xg_listed *listed = &builds[b]->cases[i];
			bool wanted = pattern ? strcmp(pattern, listed->name) == 0 ||
						    fnmatch(pattern, listed->name, 0) == 0
					      : listed->is_default;
			if (!wanted)
				continue;
			matched = true;
			if (!already(run, *count, listed->name))
				add_case(run, (*count)++, plan, listed->name, false);
		}
	}
	return matched;
}

int xg_select(struct xg_run *run, const struct xg_plan *plan, const char *const *names,
	      size_t name_count, const char **ret_unknown)
{
	size_t controls = 0, count = 0;

	while (xg_controls()[controls])
		controls++;
	int rc =
	    xg_run_init(run, plan->baseline->case_count + plan->candidate->case_count + controls);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < (name_count ? name_count : 1); i++) {
		const char *name = name_count ? names[i] : NULL;
		if (add_matching(run, &count, plan, name))
			continue;
		xg_run_fini(run);
		*ret_unknown = name;
		return -ENOENT;
	}
	for (size_t i = 0; i < controls; i++)
		add_case(run, count++, plan, xg_controls()[i], true);
	run->case_count = count;
	run->inject = plan->inject;
	return 0;
}

int xg_calibrate(struct xg_arm *arm, int64_t slice_ns, int64_t timeout_ns, uint64_t *ret_iterations)
{
	uint64_t iterations = 1;
	double ns = 0, wanted = (double)slice_ns;

	/* Quadruple until the slice is long enough to be scaled, then scale, twice, because the
	 * first long slice is the first with warm caches and a CPU at full speed. */
	for (;;) {
		int rc = xg_arm_run(arm, iterations, timeout_ns, &ns);
		if (rc < 0)
			return rc;
		if (ns >= wanted / 4 || iterations >= UINT64_C(1) << 40)
			break;
		iterations *= 4;
	}
	for (int i = 0; i < 2 && ns < wanted * 4; i++) {
		double scaled = (double)iterations * wanted / ns;
		iterations = scaled < 1 ? 1 : (uint64_t)llround(scaled);
		int rc = xg_arm_run(arm, iterations, timeout_ns, &ns);
		if (rc < 0)
			return rc;
	}
	*ret_iterations = iterations;
	return 0;
}

static int start_arms(struct bench *bench, const struct xg_case *tested, struct launch *launch,
		      enum side *ret_failed)
{
	const struct xg_build *builds[SIDES] = {bench->plan->baseline, bench->plan->candidate};
	enum side first = xg_random_bool(&bench->random) ? CANDIDATE : BASELINE;

	for (int i = 0; i < SIDES; i++) {
		enum side side = i == 0 ? first : (enum side) !first;
		const char *argv[] = {
		    tested->control ? bench->plan->control_program : builds[side]->program,
		    tested->control ? "control-worker" : "--worker",
		    tested->name,
		    NULL,
		};
		struct xg_arm_plan plan = {.argv = argv,
					   .label = side_labels[side],
					   .case_name = tested->name,
					   .timeout_ns = bench->plan->timeout_ns};
		*ret_failed = side;
		int rc = xg_arm_start(&launch->arms[side], &plan);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The untimed handshake before a slice. */
static int shake_hands(struct bench *bench, struct launch *launch, enum side side)
{
	uint64_t iterations = launch->iterations[side] / 16;
	double unused;

	return xg_arm_run(&launch->arms[side], iterations ? iterations : 1, bench->plan->timeout_ns,
			  &unused);
}

static int run_slice(struct bench *bench, struct launch *launch, enum side side, double *ret_ns)
{
	return xg_arm_run(&launch->arms[side], launch->iterations[side], bench->plan->timeout_ns,
			  ret_ns);
}

/* A slice during which the other arm is watched: it must sleep. The watch begins after the handshake:
 * the kernel books what a process used when it leaves the CPU, and the other arm may just have told
 * its result and be about to. */
static int run_watched(struct bench *bench, struct launch *launch, enum side side, double *ret_ns)
{
	enum side idle = (enum side) !side;

	int rc = shake_hands(bench, launch, side);
	if (rc < 0)
		return rc;
	int64_t used_ns = xg_arm_cpu_ns(launch->members[idle], launch->member_count[idle]);
	int64_t began_ns = xp_clock_ns();
	rc = run_slice(bench, launch, side, ret_ns);
	launch->idle_ns[idle] += xp_clock_ns() - began_ns;
	launch->idle_slices[idle]++;
	launch->used_ns[idle] +=
	    xg_arm_cpu_ns(launch->members[idle], launch->member_count[idle]) - used_ns;
	return rc;
}

/* Over the whole launch: in a single slice a busy machine may hide it. */
static int check_idle(struct launch *launch, enum side *ret_failed)
{
	for (int i = 0; i < SIDES; i++) {
		double allowed = IDLE_SHARE_MAX * (double)launch->idle_ns[i] +
				 (double)(launch->idle_slices[i] * IDLE_SLICE_NS);
		if ((double)launch->used_ns[i] <= allowed)
			continue;
		*ret_failed = (enum side)i;
		snprintf(launch->arms[i].why, sizeof(launch->arms[i].why),
			 "the %s used %.0f %% of a CPU while it should sleep and the other was "
			 "measured",
			 side_labels[i],
			 100 * (double)launch->used_ns[i] / (double)launch->idle_ns[i]);
		return -EPROTO;
	}
	return 0;
}

/* The frozen iteration count, found at the first launch of the case. */
static int set_iterations(struct bench *bench, struct xg_case *tested, struct launch *launch)
{
	double share = bench->plan->inject;

	if (tested->iterations == 0) {
		int rc = xg_calibrate(&launch->arms[BASELINE], bench->plan->slice_ns,
				      bench->plan->timeout_ns, &tested->iterations);
		if (rc < 0)
			return rc;
		if (share > 0) {
			uint64_t steps = (tested->iterations + INJECT_STEPS - 1) / INJECT_STEPS;
			tested->iterations = steps * INJECT_STEPS;
		}
	}
	launch->iterations[BASELINE] = tested->iterations;
	launch->iterations[CANDIDATE] = tested->iterations;
	if (share > 0 && !tested->control)
		launch->iterations[CANDIDATE] =
		    (uint64_t)llround((double)tested->iterations * (1 + share));
	return 0;
}

/* How many blocks, after a slice of each arm that also warms them up. */
static int warm_up(struct bench *bench, struct launch *launch, enum side *ret_failed,
		   unsigned *ret_blocks)
{
	double ns[SIDES], block_ns, cap_ns;

	for (int i = 0; i < SIDES; i++) {
		*ret_failed = (enum side)i;
		int rc = shake_hands(bench, launch, (enum side)i);
		if (rc == 0)
			rc = run_slice(bench, launch, (enum side)i, &ns[i]);
		if (rc < 0)
			return rc;
		launch->member_count[i] = xg_arm_members(&launch->arms[i], launch->members[i]);
	}
	block_ns = 2 * (ns[BASELINE] + ns[CANDIDATE]);
	cap_ns = 4.0 * (double)bench->plan->slice_ns * bench->plan->blocks * LAUNCH_STRETCH;
	*ret_blocks = bench->plan->blocks;
	if (block_ns * bench->plan->blocks > cap_ns) {
		*ret_blocks = (unsigned)(cap_ns / block_ns);
		if (*ret_blocks < XG_BLOCKS_MIN)
			*ret_blocks = XG_BLOCKS_MIN;
	}
	return 0;
}

/* A B B A, or B A A B: a drift over the block cancels. */
static int run_block(struct bench *bench, struct xg_case *tested, struct launch *launch,
		     enum side *ret_failed)
{
	bool candidate_first = xg_random_bool(&bench->random);
	double per_op = (double)tested->iterations;

	for (int half = 0; half < 2; half++) {
		struct xg_pair pair = {.launch = tested->launches,
				       .at_s = elapsed_s(bench),
				       .candidate_first = candidate_first != (half == 1)};
		double ns[SIDES];
		for (int i = 0; i < SIDES; i++) {
			enum side side = pair.candidate_first == (i == 0) ? CANDIDATE : BASELINE;
			*ret_failed = side;
			int rc = run_watched(bench, launch, side, &ns[side]);
			if (rc < 0)
				return rc;
		}
		pair.baseline_ns = ns[BASELINE] / per_op;
		pair.candidate_ns = ns[CANDIDATE] / per_op;
		int rc = xg_case_add_pair(tested, &pair);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int run_pairs(struct bench *bench, struct xg_case *tested, struct launch *launch,
		     enum side *ret_failed)
{
	unsigned blocks = 0;

	int rc = start_arms(bench, tested, launch, ret_failed);
	if (rc < 0)
		return rc;
	*ret_failed = BASELINE;
	rc = set_iterations(bench, tested, launch);
	if (rc == 0)
		rc = warm_up(bench, launch, ret_failed, &blocks);
	for (unsigned i = 0; rc == 0 && i < blocks; i++)
		rc = run_block(bench, tested, launch, ret_failed);
	if (rc == 0)
		rc = check_idle(launch, ret_failed);
	for (int i = 0; rc == 0 && i < SIDES; i++) {
		*ret_failed = (enum side)i;
		rc = xg_arm_stop(&launch->arms[i], bench->plan->timeout_ns);
	}
	return rc;
}

/* One launch of one case. Return: 0, also where the case failed; -ECANCELED; -ENOMEM. */
static int run_launch(struct bench *bench, size_t index)
{
	struct xg_case *tested = &bench->run->cases[index];
	struct launch *launch = calloc(1, sizeof(*launch));
	size_t pairs_before = tested->pair_count;
	int64_t began_ns = xp_clock_ns();
	enum side failed = BASELINE;

	if (!launch)
		return -ENOMEM;
	int rc = run_pairs(bench, tested, launch, &failed);
	for (int i = 0; i < SIDES; i++)
		xg_arm_kill(&launch->arms[i]);
	if (rc < 0) {
		/* Half a launch is no launch. */
		tested->pair_count = pairs_before;
		if (rc == -ENOTSUP) {
			snprintf(tested->missing, sizeof(tested->missing), "%s",
				 launch->arms[failed].why);
			bench->settled[index] = true;
			rc = 0;
		} else if (rc != -ECANCELED && rc != -ENOMEM) {
			snprintf(tested->failure, sizeof(tested->failure), "%s",
				 launch->arms[failed].why);
			tested->failed_candidate = failed == CANDIDATE;
			bench->settled[index] = true;
			rc = 0;
		}
	} else {
		tested->launches++;
		bench->done++;
	}
	double took_s = (double)(xp_clock_ns() - began_ns) / 1e9;
	if (took_s > bench->launch_s[index])
		bench->launch_s[index] = took_s;
	free(launch);
	return rc;
}

static bool wants_launch(const struct bench *bench, size_t index)
{
	return !bench->settled[index] && !bench->run->cases[index].control &&
	       bench->run->cases[index].launches < bench->wanted[index];
}

static void tell(struct bench *bench, const char *doing, size_t index)
{
	struct xg_progress progress = {.doing = doing,
				       .case_name = bench->run->cases[index].name,
				       .launches_done = bench->done,
				       .launches_planned = bench->done,
				       .elapsed_s = elapsed_s(bench),
				       .budget_s = bench->plan->budget_s};

	for (size_t i = 0; i < bench->run->case_count; i++) {
		if (wants_launch(bench, i))
			progress.launches_planned +=
			    bench->wanted[i] - bench->run->cases[i].launches;
	}
	if (bench->plan->progress)
		bench->plan->progress(bench->plan->context, &progress);
}

/* Every case that wants a launch, and the controls, in a random order. */
static int run_round(struct bench *bench, const char *doing)
{
	size_t count = 0;

	for (size_t i = 0; i < bench->run->case_count; i++) {
		bool control = bench->run->cases[i].control && !bench->settled[i] &&
			       bench->run->cases[i].launches < XG_LAUNCH_MAX;
		if (control || wants_launch(bench, i))
			bench->order[count++] = i;
	}
	xg_random_shuffle(&bench->random, bench->order, count);
	for (size_t i = 0; i < count; i++) {
		size_t index = bench->order[i];
		if (xg_stop_requested())
			return -ECANCELED;
		if (elapsed_s(bench) + bench->launch_s[index] > bench->plan->budget_s)
			return -ETIME;
		tell(bench, doing, index);
		int rc = run_launch(bench, index);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* After the first round: drop cases from the end until one look at all the others fits. */
static void fit_budget(struct bench *bench)
{
	double round_s = 0, left_s = bench->plan->budget_s - elapsed_s(bench);
	unsigned rounds = bench->run->rule.launches - 1;

	for (size_t i = 0; i < bench->run->case_count; i++)
		round_s += bench->settled[i] ? 0 : bench->launch_s[i];
	for (size_t i = bench->run->case_count; i-- > 0 && rounds * round_s > left_s;) {
		struct xg_case *tested = &bench->run->cases[i];
		if (tested->control || bench->settled[i])
			continue;
		round_s -= bench->launch_s[i];
		bench->settled[i] = true;
		bench->run->out_of_time = true;
		snprintf(tested->missing, sizeof(tested->missing),
			 "no time for it in a budget of %.0f s", bench->plan->budget_s);
	}
}

/* Judge whoever has the launches it wanted. Return: 0, -ENOMEM; *@ret_doing names the next round. */
static int judge_ready(struct bench *bench, const char **ret_doing)
{
	for (size_t i = 0; i < bench->run->case_count; i++) {
		struct xg_case *tested = &bench->run->cases[i];
		enum xg_next next;
		if (bench->settled[i] || tested->control || tested->launches < bench->wanted[i])
			continue;
		int rc = xg_judge_case(tested, &bench->run->rule, &next);
		if (rc < 0)
			return rc;
		if (next == XG_NEXT_NOTHING ||
		    tested->launches + bench->run->rule.launches > XG_LAUNCH_MAX) {
			bench->settled[i] = true;
			continue;
		}
		bench->wanted[i] += bench->run->rule.launches;
		*ret_doing = next == XG_NEXT_CONFIRM ? "confirm" : "extend";
	}
	return 0;
}

static bool anything_wanted(const struct bench *bench)
{
	for (size_t i = 0; i < bench->run->case_count; i++) {
		if (wants_launch(bench, i))
			return true;
	}
	return false;
}

static int run_rounds(struct bench *bench)
{
	const char *doing = "measure";
	bool fitted = false;

	while (anything_wanted(bench)) {
		int rc = run_round(bench, doing);
		if (rc < 0)
			return rc;
		if (!fitted)
			fit_budget(bench);
		fitted = true;
		rc = judge_ready(bench, &doing);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* All CPU time and stolen CPU time of the machine so far, in ticks. */
static void read_steal(double *ret_all, double *ret_stolen)
{
	double value[8] = {0};
	FILE *file = fopen("/proc/stat", "re");

	*ret_all = *ret_stolen = 0;
	if (!file)
		return;
	if (fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &value[0], &value[1], &value[2],
		   &value[3], &value[4], &value[5], &value[6], &value[7]) == 8) {
		for (int i = 0; i < 8; i++)
			*ret_all += value[i];
		*ret_stolen = value[7];
	}
	fclose(file);
}

int xg_experiment(struct xg_run *run, const struct xg_plan *plan)
{
	struct bench bench = {
	    .run = run, .plan = plan, .random = {run->seed}, .began_ns = xp_clock_ns()};
	double all[2], stolen[2];
	int rc = -ENOMEM;

	xg_run_begin(run);
	read_steal(&all[0], &stolen[0]);
	bench.wanted = calloc(run->case_count, sizeof(*bench.wanted));
	bench.launch_s = calloc(run->case_count, sizeof(*bench.launch_s));
	bench.settled = calloc(run->case_count, sizeof(*bench.settled));
	bench.order = calloc(run->case_count, sizeof(*bench.order));
	if (bench.wanted && bench.launch_s && bench.settled && bench.order) {
		for (size_t i = 0; i < run->case_count; i++) {
			bench.wanted[i] = run->rule.launches;
			bench.settled[i] = run->cases[i].missing[0] != '\0';
		}
		rc = run_rounds(&bench);
	}
	free(bench.wanted);
	free(bench.launch_s);
	free(bench.settled);
	free(bench.order);

	run->interrupted = rc == -ECANCELED;
	run->out_of_time = run->out_of_time || rc == -ETIME;
	run->complete = !run->interrupted && !run->out_of_time && rc == 0;
	run->seconds = elapsed_s(&bench);
	read_steal(&all[1], &stolen[1]);
	if (all[1] > all[0])
		run->steal_percent = 100 * (stolen[1] - stolen[0]) / (all[1] - all[0]);
	return rc == -ENOMEM ? rc : 0;
}
