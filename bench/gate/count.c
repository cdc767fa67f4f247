/* SPDX-License-Identifier: MIT */
#include "gate/count.h"

#include "gate/binomial.h"
#include "gate/stop.h"
#include "gate/trace.h"
#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LONG_MIN_RUN	 20
#define LONG_MAX_RUN	 2000
#define SHORT_DIVISOR	 4
#define CALLGRIND_LENGTH 10 /* times the operations of the other passes */
#define CALLGRIND_RUNS	 2  /* long ones; a short one comes before them */

/* What the kernel and the preloaded counter say about a worker at one moment. */
struct snapshot {
	double switches;
	double faults;
	double allocations;
};

static const char *const kind_words[] = {
#define X(name, word) word,
    XG_COST_EACH(X)
#undef X
};

const char *xg_cost_kind_word(enum xg_cost_kind kind)
{
	xp_assert((size_t)kind < XG_COST_KINDS);
	return kind_words[kind];
}

static void not_counted(struct xg_counts *counts, enum xg_cost_kind kind, const char *why)
{
	counts->cost[kind] = (struct xg_count){0};
	snprintf(counts->cost[kind].why, sizeof(counts->cost[kind].why), "%s", why);
}

/* By how much two counts may differ and still be the same. */
static double tolerated(enum xg_cost_kind kind, double value)
{
	double slack =
	    kind == XG_COST_KIND_INSTRUCTIONS ? XG_COUNT_SLACK_INSTRUCTIONS : XG_COUNT_SLACK;
	return fmax(slack, XG_COUNT_TOLERANCE * fabs(value));
}

/* An event at the edge of a run is counted in it or not: what is nearly whole is whole. */
static double whole(enum xg_cost_kind kind, double value)
{
	double nearest = nearbyint(value);
	bool near = kind != XG_COST_KIND_INSTRUCTIONS && fabs(value - nearest) <= XG_COUNT_SLACK;
	return near ? nearest + 0.0 : value; /* no negative zero */
}

/*
 * The median of the repeats, and whether they agree. A member that always sleeps, or never, does so a whole
 * number of times; where it sleeps now and then the scheduler decides, and three that agree do so by chance.
 */
static void settle(struct xg_counts *counts, enum xg_cost_kind kind, double *values)
{
	xg_sort(values, XG_COUNT_REPEATS);
	double spread = values[XG_COUNT_REPEATS - 1] - values[0];
	double value = whole(kind, xg_median(values, XG_COUNT_REPEATS));
	bool chance = kind == XG_COST_KIND_SWITCHES && value != nearbyint(value);
	counts->cost[kind] = (struct xg_count){
	    .value = value,
	    .stable = spread <= tolerated(kind, value) && !chance,
	};
}

/* The number after @key in the file @path, or 0. */
static double number_in(const char *path, const char *key)
{
	char line[256];
	double value = 0;
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) == 0) {
			value = strtod(line + strlen(key), NULL);
			break;
		}
	}
	if (file)
		fclose(file);
	return value;
}

/* Voluntary switches of all threads of @pid. */
static double switches_of(pid_t pid)
{
	char path[64];
	double sum = 0;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		char status[400];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(status, sizeof(status), "%s/%s/status", path, entry->d_name);
		sum += number_in(status, "voluntary_ctxt_switches:");
	}
	if (tasks)
		closedir(tasks);
	return sum;
}

/* Minor faults of @pid: the tenth field of its stat, the eighth after the name. */
static double faults_of(pid_t pid)
{
	char path[64], line[1024] = "";
	unsigned long faults = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	const char *after = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	if (after && sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %lu", &faults) != 1)
		faults = 0;
	fclose(file);
	return (double)faults;
}

static struct snapshot look(const struct xg_arm *arm, const _Atomic uint64_t *allocations)
{
	struct snapshot seen = {.allocations = allocations ? (double)*allocations : 0};
	pid_t members[XG_GROUP_MAX];
	size_t count = xg_arm_members(arm, members);

	for (size_t i = 0; i < count; i++) {
		seen.switches += switches_of(members[i]);
		seen.faults += faults_of(members[i]);
	}
	return seen;
}

/* Resident bytes of the mappings that the worker shares. */
static double shared_resident(const struct xg_arm *arm)
{
	char path[64], line[512];
	bool shared = false;
	double bytes = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps", arm->child.pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		char mode[8];
		unsigned long from, to, kib;
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3)
			shared = mode[3] == 's' && mode[1] == 'w';
		else if (shared && sscanf(line, "Rss: %lu kB", &kib) == 1)
			bytes += 1024.0 * (double)kib;
	}
	if (file)
		fclose(file);
	return bytes;
}

static void set_lengths(struct xg_counts *counts, uint64_t slice)
{
	uint64_t length = slice < LONG_MIN_RUN	 ? LONG_MIN_RUN
			  : slice > LONG_MAX_RUN ? LONG_MAX_RUN
						 : slice;
	counts->long_run = length;
	counts->short_run = length / SHORT_DIVISOR;
}

/* The repeats of a short and a long run, and what each operation added. */
static int count_plain(struct xg_arm *arm, const struct xg_plan *plan, struct xg_counts *counts,
		       const _Atomic uint64_t *allocations, bool preloaded)
{
	double switches[XG_COUNT_REPEATS], faults[XG_COUNT_REPEATS], allocs[XG_COUNT_REPEATS];
	double unused;
	int rc = 0;

	if (counts->short_run == 0) {
		uint64_t slice;
		rc = xg_calibrate(arm, plan->slice_ns, plan->timeout_ns, &slice);
		if (rc < 0)
			return rc;
		set_lengths(counts, slice);
	}
	double operations = (double)(counts->long_run - counts->short_run);
	for (int i = -1; rc == 0 && i < XG_COUNT_REPEATS; i++) {
		struct snapshot seen[3] = {look(arm, allocations)};
		rc = xg_arm_run(arm, counts->short_run, plan->timeout_ns, &unused);
		seen[1] = look(arm, allocations);
		if (rc == 0)
			rc = xg_arm_run(arm, counts->long_run, plan->timeout_ns, &unused);
		seen[2] = look(arm, allocations);
		if (rc < 0 || i < 0) /* the first turn touches what is touched once */
			continue;
		switches[i] =
		    (seen[2].switches - 2 * seen[1].switches + seen[0].switches) / operations;
		faults[i] = (seen[2].faults - 2 * seen[1].faults + seen[0].faults) / operations;
		allocs[i] = (seen[2].allocations - 2 * seen[1].allocations + seen[0].allocations) /
			    operations;
	}
	if (rc < 0)
		return rc;
	settle(counts, XG_COST_KIND_SWITCHES, switches);
	settle(counts, XG_COST_KIND_FAULTS, faults);
	if (preloaded)
		settle(counts, XG_COST_KIND_ALLOCATIONS, allocs);
	counts->cost[XG_COST_KIND_SHARED] =
	    (struct xg_count){.value = shared_resident(arm), .stable = true};
	return 0;
}

/* A library that lies beside this program. */
static bool find_beside(const char *name, char *ret_path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", ret_path, size - 1);

	if (length <= 0)
		return false;
	ret_path[length] = '\0';
	char *slash = strrchr(ret_path, '/');
	if (!slash)
		return false;
	size_t used = (size_t)(slash - ret_path);
	snprintf(ret_path + used, size - used, "/%s", name);
	return access(ret_path, R_OK) == 0;
}

/* Everything but system calls and instructions, in a worker with the counter preloaded. */
static int plain_pass(const struct xg_arm_plan *start, const struct xg_plan *plan,
		      struct xg_counts *counts)
{
	char library[4096], preload[4200], counter[64];
	struct xg_arm_plan with = *start;
	struct xg_arm arm;
	_Atomic uint64_t *allocations = MAP_FAILED;
	bool preloaded = find_beside("xpgate_alloc.so", library, sizeof(library));

	int fd = memfd_create("allocations", MFD_CLOEXEC);
	if (fd >= 0 && ftruncate(fd, sizeof(*allocations)) == 0)
		allocations =
		    mmap(NULL, sizeof(*allocations), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (allocations == MAP_FAILED)
		preloaded = false;
	if (preloaded) {
		snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", library);
		snprintf(counter, sizeof(counter), "XPGATE_ALLOC_COUNTER=/proc/%d/fd/%d", getpid(),
			 fd);
		with.env[0] = preload;
		with.env[1] = counter;
	} else {
		not_counted(counts, XG_COST_KIND_ALLOCATIONS, "no xpgate_alloc.so beside xpgate");
	}
	int rc = xg_arm_start(&arm, &with);
	/* A static program, or one that must load a library first, goes without. */
	if (rc == 0 && preloaded && *allocations == 0) {
		preloaded = false;
		not_counted(counts, XG_COST_KIND_ALLOCATIONS, "the counter cannot be preloaded");
	} else if (rc < 0 && rc != -ECANCELED && preloaded) {
		preloaded = false;
		not_counted(counts, XG_COST_KIND_ALLOCATIONS,
			    "the worker does not start with the "
			    "counter preloaded");
		rc = xg_arm_start(&arm, start);
	}
	if (rc == 0)
		rc = count_plain(&arm, plan, counts, preloaded ? allocations : NULL, preloaded);
	if (rc < 0) {
		for (int kind = XG_COST_KIND_SWITCHES; kind < XG_COST_KINDS; kind++)
			not_counted(counts, (enum xg_cost_kind)kind, arm.why);
	}
	xg_arm_kill(&arm);
	if (allocations != MAP_FAILED)
		munmap(allocations, sizeof(*allocations));
	xp_io_close(fd);
	return rc;
}

static int count_syscalls(struct xg_trace *trace, const struct xg_plan *plan,
			  struct xg_counts *counts)
{
	uint64_t seen[3][XG_SYSCALLS_MAX];
	double operations = (double)(counts->long_run - counts->short_run);
	double low[XG_SYSCALLS_MAX], high[XG_SYSCALLS_MAX];

	for (int i = 0; i < XG_COUNT_REPEATS; i++) {
		memcpy(seen[0], trace->counts, sizeof(seen[0]));
		int rc = xg_trace_run(trace, counts->short_run, plan->timeout_ns);
		memcpy(seen[1], trace->counts, sizeof(seen[1]));
		if (rc == 0)
			rc = xg_trace_run(trace, counts->long_run, plan->timeout_ns);
		if (rc < 0)
			return rc;
		memcpy(seen[2], trace->counts, sizeof(seen[2]));
		for (size_t k = 0; k < XG_SYSCALLS_MAX; k++) {
			double value = ((double)(seen[2][k] - seen[1][k]) -
					(double)(seen[1][k] - seen[0][k])) /
				       operations;
			low[k] = i == 0 || value < low[k] ? value : low[k];
			high[k] = i == 0 || value > high[k] ? value : high[k];
		}
	}
	struct xg_count sum = {.stable = true};
	for (size_t k = 0; k < XG_SYSCALLS_MAX; k++) {
		double middle = (low[k] + high[k]) / 2;
		counts->calls[k] = (struct xg_count_call){
		    .value = whole(XG_COST_KIND_SYSCALLS, middle),
		    .stable = high[k] - low[k] <= tolerated(XG_COST_KIND_SYSCALLS, middle),
		};
		sum.value += counts->calls[k].value;
		sum.stable = sum.stable && counts->calls[k].stable;
	}
	counts->cost[XG_COST_KIND_SYSCALLS] = sum;
	return 0;
}

static int traced_pass(const struct xg_arm_plan *start, const struct xg_plan *plan,
		       struct xg_counts *counts)
{
	struct xg_trace *trace = malloc(sizeof(*trace));

	if (!trace)
		return -ENOMEM;
	int rc = xg_trace_start(trace, start);
	if (rc == 0)
		rc = count_syscalls(trace, plan, counts);
	if (rc < 0)
		not_counted(counts, XG_COST_KIND_SYSCALLS, trace->arm.why);
	xg_trace_end(trace);
	free(trace);
	return rc;
}

/* The absolute path of @name in PATH. */
static bool find_tool(const char *name, char *ret_path, size_t size)
{
	const char *path = getenv("PATH");

	while (path && *path) {
		size_t length = strcspn(path, ":");
		snprintf(ret_path, size, "%.*s/%s", (int)length, path, name);
		if (length > 0 && access(ret_path, X_OK) == 0)
			return true;
		path += length + (path[length] == ':');
	}
	return false;
}

/* What callgrind says that the members executed, or the worker where it has none. What a member has
 * from before its fork is the same in every launch. */
static double collected(const struct xg_arm *arm, pid_t worker)
{
	char line[512];
	double members = 0, itself = 0;
	FILE *file = fdopen(dup(arm->errors), "re");

	if (!file)
		return 0;
	rewind(file);
	while (fgets(line, sizeof(line), file)) {
		const char *at = strstr(line, "Collected : ");
		if (!at)
			continue;
		double count = strtod(at + strlen("Collected : "), NULL);
		if (strtol(line + strspn(line, "="), NULL, 10) == worker)
			itself += count;
		else
			members += count;
	}
	fclose(file);
	return members > 0 ? members : itself;
}

/* One launch under callgrind, and one run in it. */
static int callgrind_once(const struct xg_arm_plan *plan, uint64_t iterations, double *ret_sum,
			  char *ret_why)
{
	struct xg_arm arm;
	double unused;

	int rc = xg_arm_start(&arm, plan);
	pid_t worker = arm.group;
	if (rc == 0)
		rc = xg_arm_run(&arm, iterations, plan->timeout_ns, &unused);
	if (rc == 0)
		rc = xg_arm_end(&arm, plan->timeout_ns);
	if (rc == 0)
		*ret_sum = collected(&arm, worker);
	xg_arm_kill(&arm);
	if (rc < 0)
		snprintf(ret_why, XG_REASON_MAX, "under callgrind: %.200s", arm.why);
	return rc;
}

static int callgrind_pass(const struct xg_arm_plan *start, const struct xg_plan *plan,
			  struct xg_counts *counts)
{
	char tool[4096], preload[4200] = "", library[4096], why[XG_REASON_MAX] = "";
	const char *argv[] = {tool,
			      "--tool=callgrind",
			      "--callgrind-out-file=/dev/null",
			      start->argv[0],
			      start->argv[1],
			      start->argv[2],
			      NULL};
	struct xg_arm_plan under = *start;
	double small = 0, large[CALLGRIND_RUNS] = {0};
	/* The more operations, the less it matters when a member went to sleep. */
	uint64_t few = CALLGRIND_LENGTH * counts->short_run;
	uint64_t many = CALLGRIND_LENGTH * counts->long_run;
	double operations = (double)(many - few);

	if (!find_tool("valgrind", tool, sizeof(tool))) {
		not_counted(counts, XG_COST_KIND_INSTRUCTIONS, "no valgrind");
		return 0;
	}
	under.argv = argv;
	under.timeout_ns = 5 * plan->timeout_ns; /* it is that much slower */
	if (find_beside("xpgate_pidfd.so", library, sizeof(library))) {
		snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", library);
		under.env[0] = preload;
	}
	int rc = callgrind_once(&under, few, &small, why);
	for (int i = 0; rc == 0 && i < CALLGRIND_RUNS; i++)
		rc = callgrind_once(&under, many, &large[i], why);
	if (rc < 0) {
		not_counted(counts, XG_COST_KIND_INSTRUCTIONS, why);
		return rc;
	}
	double one = (large[0] - small) / operations, other = (large[1] - small) / operations;
	counts->cost[XG_COST_KIND_INSTRUCTIONS] = (struct xg_count){
	    .value = (one + other) / 2,
	    .stable = small > 0 && fabs(one - other) <= tolerated(XG_COST_KIND_INSTRUCTIONS, one),
	};
	return 0;
}

int xg_count_case(const struct xg_build *build, const struct xg_listed *listed,
		  const struct xg_plan *plan, struct xg_counts *counts)
{
	const char *argv[] = {build->program, "--worker", listed->name, NULL};
	struct xg_arm_plan start = {.argv = argv,
				    .label = "counted worker",
				    .case_name = listed->name,
				    .timeout_ns = plan->timeout_ns};

	counts->calls = calloc(XG_SYSCALLS_MAX, sizeof(*counts->calls));
	if (!counts->calls)
		return -ENOMEM;
	int rc = plain_pass(&start, plan, counts);
	if (rc == 0) {
		if (listed->shared_bytes >= 0)
			counts->cost[XG_COST_KIND_SHARED].value = (double)listed->shared_bytes;
		rc = traced_pass(&start, plan, counts);
	} else {
		not_counted(counts, XG_COST_KIND_SYSCALLS, counts->cost[XG_COST_KIND_SWITCHES].why);
	}
	if (rc != -ECANCELED && rc != -ENOMEM && counts->short_run > 0) {
		if (listed->members == 1)
			rc = callgrind_pass(&start, plan, counts);
		else
			not_counted(counts, XG_COST_KIND_INSTRUCTIONS,
				    "more than one member: it depends on the timing");
	}
	/* A worker that fails is the business of the timed comparison, which says so. */
	return rc == -ECANCELED || rc == -ENOMEM ? rc : 0;
}

void xg_counts_fini(struct xg_counts *counts)
{
	free(counts->calls);
	*counts = (struct xg_counts){0};
}

static bool call_counts(const struct xg_counts *baseline, const struct xg_counts *candidate,
			size_t i)
{
	return baseline->calls[i].stable && candidate->calls[i].stable;
}

/* The calls that are made more or less often, the largest differences first, at most three. */
static void explain_syscalls(const struct xg_counts *baseline, const struct xg_counts *candidate,
			     char *text, size_t size)
{
	double least = INFINITY;
	size_t used = 0;

	for (int n = 0; n < 3; n++) {
		size_t best = XG_SYSCALLS_MAX;
		double most = XG_COUNT_SLACK;
		for (size_t i = 0; i < XG_SYSCALLS_MAX; i++) {
			double change = fabs(candidate->calls[i].value - baseline->calls[i].value);
			if (call_counts(baseline, candidate, i) && change > most &&
			    change < least) {
				most = change;
				best = i;
			}
		}
		if (best == XG_SYSCALLS_MAX || used >= size)
			return;
		char name[24];
		least = most;
		used +=
		    (size_t)snprintf(text + used, size - used, "%s%s %+.3g", used ? ", " : "",
				     xg_trace_name(best, name),
				     candidate->calls[best].value - baseline->calls[best].value);
	}
}

/* The sum of the kinds of call that are stable in both: a wait that sometimes spins and sometimes
 * sleeps must not hide a call that is new. */
static void sum_syscalls(const struct xg_counts *baseline, const struct xg_counts *candidate,
			 struct xg_count *ret_one, struct xg_count *ret_other)
{
	if (!baseline->calls || !candidate->calls || ret_one->why[0] || ret_other->why[0])
		return;
	ret_one->value = ret_other->value = 0;
	ret_one->stable = ret_other->stable = true;
	for (size_t i = 0; i < XG_SYSCALLS_MAX; i++) {
		if (!call_counts(baseline, candidate, i))
			continue;
		ret_one->value += baseline->calls[i].value;
		ret_other->value += candidate->calls[i].value;
	}
}

static enum xg_cost_state state_of(enum xg_cost_kind kind, const struct xg_count *baseline,
				   const struct xg_count *candidate)
{
	double slack = tolerated(kind, baseline->value);
	double more = candidate->value - baseline->value;

	if (baseline->why[0] || candidate->why[0])
		return XG_COST_NOT_COUNTED;
	if (!baseline->stable || !candidate->stable)
		return XG_COST_UNSTABLE;
	return more > slack ? XG_COST_MORE : more < -slack ? XG_COST_LESS : XG_COST_SAME;
}

void xg_counts_compare(struct xg_case *tested, const struct xg_counts *baseline,
		       const struct xg_counts *candidate)
{
	tested->cost_count = 0;
	for (int kind = 0; kind < XG_COST_KINDS; kind++) {
		struct xg_count one = baseline->cost[kind], other = candidate->cost[kind];
		struct xg_cost *cost = &tested->costs[tested->cost_count++];
		if (kind == XG_COST_KIND_SYSCALLS)
			sum_syscalls(baseline, candidate, &one, &other);
		*cost = (struct xg_cost){.name = kind_words[kind],
					 .state = state_of((enum xg_cost_kind)kind, &one, &other),
					 .baseline = one.value,
					 .candidate = other.value};
		if (cost->state == XG_COST_NOT_COUNTED)
			snprintf(cost->detail, sizeof(cost->detail), "%s",
				 one.why[0] ? one.why : other.why);
		else if (kind == XG_COST_KIND_SYSCALLS && cost->state != XG_COST_SAME)
			explain_syscalls(baseline, candidate, cost->detail, sizeof(cost->detail));
	}
}

static int count_both(struct xg_case *tested, const struct xg_plan *plan)
{
	struct xg_counts baseline = {0}, candidate = {0};

	int rc = xg_count_case(plan->baseline, xg_build_find(plan->baseline, tested->name), plan,
			       &baseline);
	if (rc == 0) {
		candidate.short_run = baseline.short_run;
		candidate.long_run = baseline.long_run;
		rc = xg_count_case(plan->candidate, xg_build_find(plan->candidate, tested->name),
				   plan, &candidate);
	}
	if (rc == 0)
		xg_counts_compare(tested, &baseline, &candidate);
	xg_counts_fini(&baseline);
	xg_counts_fini(&candidate);
	return rc;
}

static void no_time(struct xg_case *tested)
{
	tested->cost_count = 1;
	tested->costs[0] = (struct xg_cost){
	    .name = kind_words[0], .state = XG_COST_NOT_COUNTED, .detail = "no time"};
}

/* Whether instructions are counted too: under callgrind, which takes as long as all the rest. */
static bool is_slow(const struct xg_case *tested, const struct xg_plan *plan)
{
	return xg_build_find(plan->baseline, tested->name)->members == 1;
}

int xg_count_run(struct xg_run *run, const struct xg_plan *plan, int64_t deadline_ns)
{
	int64_t began_ns = xp_clock_ns();
	unsigned done = 0;

	for (int slow = 0; slow <= 1; slow++) {
		for (size_t i = 0; i < run->case_count; i++) {
			struct xg_case *tested = &run->cases[i];
			if (tested->control || tested->missing[0] ||
			    is_slow(tested, plan) != (slow == 1))
				continue;
			if (xg_stop_requested())
				return -ECANCELED;
			if (xp_clock_ns() > deadline_ns) {
				no_time(tested);
				continue;
			}
			struct xg_progress progress = {
			    .doing = "count",
			    .case_name = tested->name,
			    .launches_done = done++,
			    .launches_planned = (unsigned)run->case_count,
			    .elapsed_s = (double)(xp_clock_ns() - began_ns) / 1e9,
			    .budget_s = plan->budget_s};
			if (plan->progress)
				plan->progress(plan->context, &progress);
			int rc = count_both(tested, plan);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

json_t *xg_counts_json(const struct xg_counts *counts)
{
	json_t *object = json_pack("{s:I, s:I}", "short_run", (json_int_t)counts->short_run,
				   "long_run", (json_int_t)counts->long_run);
	json_t *list = json_array(), *calls = json_array();

	for (int kind = 0; kind < XG_COST_KINDS; kind++) {
		const struct xg_count *count = &counts->cost[kind];
		json_t *entry = json_pack("{s:s}", "name", kind_words[kind]);
		if (count->why[0]) {
			json_object_set_new(entry, "not_counted", json_string(count->why));
		} else {
			json_object_set_new(entry, "value", json_real(count->value));
			json_object_set_new(entry, "stable", json_boolean(count->stable));
		}
		json_array_append_new(list, entry);
	}
	json_object_set_new(object, "costs", list);
	/* By number, since a name can be unknown; both are of this machine's architecture. */
	for (size_t i = 0; counts->calls && i < XG_SYSCALLS_MAX; i++) {
		const struct xg_count_call *call = &counts->calls[i];
		char name[24];
		if (call->stable && call->value == 0)
			continue;
		json_array_append_new(calls,
				      json_pack("{s:I, s:s, s:f, s:b}", "number", (json_int_t)i,
						"name", xg_trace_name(i, name), "value",
						call->value, "stable", call->stable));
	}
	json_object_set_new(object, "syscalls", calls);
	return object;
}

static int load_calls(struct xg_counts *counts, const json_t *list)
{
	size_t index;
	json_t *entry;

	counts->calls = calloc(XG_SYSCALLS_MAX, sizeof(*counts->calls));
	if (!counts->calls)
		return -ENOMEM;
	for (size_t i = 0; i < XG_SYSCALLS_MAX; i++)
		counts->calls[i].stable = true;
	json_array_foreach(list, index, entry)
	{
		json_int_t number;
		double value;
		int stable;
		if (json_unpack(entry, "{s:I, s:F, s:b}", "number", &number, "value", &value,
				"stable", &stable) < 0 ||
		    number < 0 || number >= XG_SYSCALLS_MAX)
			return -EPROTO;
		counts->calls[number] = (struct xg_count_call){.value = value, .stable = stable};
	}
	return 0;
}

int xg_counts_load(const json_t *object, struct xg_counts *ret_counts)
{
	struct xg_counts counts = {
	    .short_run = (uint64_t)json_integer_value(json_object_get(object, "short_run")),
	    .long_run = (uint64_t)json_integer_value(json_object_get(object, "long_run")),
	};
	const json_t *list = json_object_get(object, "costs");

	if (json_array_size(list) != XG_COST_KINDS || counts.short_run >= counts.long_run)
		return -EPROTO;
	for (int kind = 0; kind < XG_COST_KINDS; kind++) {
		const json_t *entry = json_array_get(list, (size_t)kind);
		const char *name = json_string_value(json_object_get(entry, "name"));
		const char *why = json_string_value(json_object_get(entry, "not_counted"));
		const json_t *value = json_object_get(entry, "value");
		if (!name || strcmp(name, kind_words[kind]) != 0 ||
		    (!why && !json_is_number(value)))
			return -EPROTO;
		if (why)
			not_counted(&counts, (enum xg_cost_kind)kind, why);
		counts.cost[kind].value = json_number_value(value);
		counts.cost[kind].stable = json_is_true(json_object_get(entry, "stable"));
	}
	int rc = load_calls(&counts, json_object_get(object, "syscalls"));
	if (rc < 0)
		xg_counts_fini(&counts);
	else
		*ret_counts = counts;
	return rc;
}
