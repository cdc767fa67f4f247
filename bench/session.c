/* SPDX-License-Identifier: MIT */
#include "bench/session.h"

#include "bench/calls.h"
#include "bench/stats.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/wait.h"
#include "xpshare/catalog/catalog.h"

#include <dirent.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* How often the leader looks whether a member has died or the user has lost patience. */
#define LOOK_PERIOD_NS (100 * XP_NS_PER_MS)

/* How long members may take to tidy up before they are killed. */
#define LEAVE_NS (5 * XP_NS_PER_SEC)

/* Polls of the line-up before yielding: members on one CPU must not wait out a time slice. */
#define LINE_UP_POLLS 200

volatile sig_atomic_t xb_interrupted;

/**
 * struct xb_board - The page on which orders are given and their end is told.
 * @order:   Number of the current order: a word of base/wait.h; written by the leader.
 * @n:       Its operations; 0: leave. Written by the leader before @order.
 * @arrived: Members lined up, over all orders.
 * @done:    Number of the last order that all have carried out; a word of base/wait.h; written by
 *           the last member to finish.
 * @finished: Members that have carried out an order, over all orders.
 */
struct xb_board {
	_Alignas(XP_ISOLATION) _Atomic uint32_t order;
	int64_t n;
	enum xb_pass pass;
	_Alignas(XP_ISOLATION) _Atomic uint64_t arrived;
	_Alignas(XP_ISOLATION) _Atomic uint32_t done;
	_Alignas(XP_ISOLATION) _Atomic uint64_t finished;
	_Alignas(XP_ISOLATION) struct xb_tally tally[];
};

static void *map_shared(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static size_t board_size(int members)
{
	return sizeof(struct xb_board) + (size_t)members * sizeof(struct xb_tally);
}

int xb_stage_share(struct xb_stage *stage, size_t size)
{
	stage->shared = map_shared(size);
	stage->shared_size = size;
	return stage->shared ? 0 : -ENOMEM;
}

int xb_fail(struct xb_actor *actor, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(actor->tally->text, sizeof(actor->tally->text), format, args);
	va_end(args);
	return -1;
}

void xb_timed_end(struct xb_actor *actor, int batches, int64_t n, int64_t total_ns)
{
	actor->tally->ns = batches ? xb_median(actor->batch, (size_t)batches) * (double)n : 0;
	actor->tally->total_ns = (double)total_ns;
}

static void line_up(struct xb_actor *actor, uint32_t order)
{
	struct xb_board *board = actor->stage->board;
	uint64_t all = (uint64_t)order * (uint64_t)actor->members;

	atomic_fetch_add(&board->arrived, 1);
	for (int polls = 0; atomic_load(&board->arrived) < all; polls++) {
		if (polls < LINE_UP_POLLS)
			xp_cpu_relax();
		else
			sched_yield();
	}
}

static int64_t timeval_ns(struct timeval t)
{
	return (int64_t)t.tv_sec * XP_NS_PER_SEC + (int64_t)t.tv_usec * XP_NS_PER_US;
}

static void count_usage(struct xb_tally *tally, const struct rusage *before,
			const struct rusage *after)
{
	tally->cpu_ns = timeval_ns(after->ru_utime) + timeval_ns(after->ru_stime) -
			timeval_ns(before->ru_utime) - timeval_ns(before->ru_stime);
	tally->switches_voluntary = after->ru_nvcsw - before->ru_nvcsw;
	tally->switches_involuntary = after->ru_nivcsw - before->ru_nivcsw;
	tally->faults_minor = after->ru_minflt - before->ru_minflt;
}

static void carry_out(struct xb_actor *actor, uint32_t order, int cpu)
{
	struct xb_board *board = actor->stage->board;
	struct xb_tally *tally = actor->tally;
	struct rusage before, after;
	int64_t n = board->n;
	enum xb_pass pass = board->pass;

	memset(tally, 0, sizeof(*tally));
	if (pass == XB_PASS_EACH)
		xb_hist_init(actor->hist);
	line_up(actor, order);
	tally->moved = cpu >= 0 && sched_getcpu() != cpu;
	getrusage(RUSAGE_THREAD, &before);
	tally->within = 1;
	tally->begin_ns = xb_now();
	tally->failed = actor->c->workload->run(actor, n, pass) < 0;
	tally->end_ns = xb_now();
	tally->within = 0;
	getrusage(RUSAGE_THREAD, &after);
	tally->moved |= cpu >= 0 && sched_getcpu() != cpu;
	count_usage(tally, &before, &after);
	uint64_t all = (uint64_t)order * (uint64_t)actor->members;
	if (atomic_fetch_add(&board->finished, 1) + 1 == all)
		xp_wait_publish(&board->done, order, XP_FUTEX_ALL);
}

/* The terminal interrupts the whole group; the leader alone decides what that means. */
static void set_signals(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, standard = {.sa_handler = SIG_DFL};

	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGTERM, &standard, NULL);
}

static int member_body(struct xp_member *me, void *arg)
{
	struct xb_stage *stage = arg;
	const struct xb_workload *workload = stage->c->workload;
	struct xb_board *board = stage->board;
	struct xb_actor actor = {
	    .index = me->index,
	    .members = stage->c->placement.count,
	    .stage = stage,
	    .c = stage->c,
	    .tally = &board->tally[me->index],
	    .hist = stage->hists ? &stage->hists[me->index] : NULL,
	};

	if (stage->c->carrier == XP_CARRIER_PROCESS)
		set_signals();
	if (workload->enter && workload->enter(&actor) < 0)
		return xp_member_fail(me, "%s", actor.tally->text);
	xp_member_arrive(me);
	for (uint32_t seen = 0;; seen++) {
		while (xp_wait_value(&board->order) == seen)
			(void)!xp_wait_while(&board->order, seen, NULL, NULL);
		if (board->n == 0)
			break;
		carry_out(&actor, seen + 1, me->cpu);
	}
	if (workload->leave)
		workload->leave(&actor);
	return 0;
}

static int man(struct xb_stage *stage, char error[XB_FAIL_TEXT])
{
	const struct xb_placement *where = &stage->c->placement;
	struct xp_crew_plan plan = {
	    .members = where->count,
	    .carrier = stage->c->carrier,
	    .cpus = where->class == XB_ANY ? NULL : where->cpus,
	    .body = member_body,
	    .arg = stage,
	};
	int rc = xp_crew_start(&stage->crew, &plan);

	if (rc < 0) {
		snprintf(error, XB_FAIL_TEXT, "cannot start %d members: %s", where->count,
			 strerror(-rc));
		return rc;
	}
	stage->manned = true;
	struct timespec by = xp_deadline_after(XB_SESSION_DEADLINE_S * XP_NS_PER_SEC);
	rc = xp_crew_open_gate(&stage->crew, &by);
	if (rc == 0)
		return 0;
	snprintf(error, XB_FAIL_TEXT, "the members did not get ready: %s", strerror(-rc));
	for (int i = 0; i < where->count; i++)
		if (stage->crew.page->tally[i].text[0])
			snprintf(error, XB_FAIL_TEXT, "%.*s", XB_FAIL_TEXT - 1,
				 stage->crew.page->tally[i].text);
	return rc;
}

static int set_up(struct xb_stage *stage, char error[XB_FAIL_TEXT])
{
	const struct xb_workload *workload = stage->c->workload;
	int members = stage->c->placement.count;

	stage->board = map_shared(board_size(members));
	if (workload->distribution)
		stage->hists = map_shared((size_t)members * sizeof(*stage->hists));
	if (!stage->board || (workload->distribution && !stage->hists))
		return -ENOMEM;
	struct xp_place_plan plan = {.managed = workload->managed};
	if (stage->c->impl) {
		int rc = xp_place_open(&stage->place, &plan);
		if (rc < 0)
			return rc;
		stage->placed = true;
	}
	stage->opened = true;
	int rc = workload->open ? workload->open(stage) : 0;
	if (rc < 0 && stage->error[0])
		snprintf(error, XB_FAIL_TEXT, "%s", stage->error);
	return rc;
}

int xb_session_open(struct xb_session *session, const struct xb_case *c, char error[XB_FAIL_TEXT])
{
	*session = (struct xb_session){.stage = {.c = c}};
	error[0] = '\0';
	int rc = set_up(&session->stage, error);
	if (rc == 0)
		rc = man(&session->stage, error);
	if (rc < 0) {
		if (!error[0])
			snprintf(error, XB_FAIL_TEXT, "cannot set up: %s", strerror(-rc));
		xb_session_close(session);
	}
	return rc;
}

/* Whether a member has ended although nobody told it to. */
static bool member_lost(struct xb_stage *stage, char error[XB_FAIL_TEXT])
{
	struct timespec now = xp_deadline_after(0);

	for (int i = 0; i < stage->c->placement.count; i++) {
		if (xp_crew_wait(&stage->crew, i, &now) != 0)
			continue;
		snprintf(error, XB_FAIL_TEXT, "member %d died (status 0x%x): %.80s", i,
			 (unsigned)stage->crew.statuses[i], stage->crew.page->tally[i].text);
		return true;
	}
	return false;
}

static int await_done(struct xb_stage *stage, char error[XB_FAIL_TEXT])
{
	struct timespec by = xp_deadline_after(XB_SESSION_DEADLINE_S * XP_NS_PER_SEC);

	while (xp_wait_value(&stage->board->done) != stage->orders) {
		if (xb_interrupted) {
			snprintf(error, XB_FAIL_TEXT, "interrupted");
			return -EINTR;
		}
		if (xp_deadline_passed(&by)) {
			snprintf(error, XB_FAIL_TEXT, "hung: no end within %d s",
				 XB_SESSION_DEADLINE_S);
			return -ETIMEDOUT;
		}
		if (stage->calls) {
			if (!xb_calls_attend(stage->calls) && member_lost(stage, error))
				return -ECHILD;
			continue;
		}
		struct timespec look = xp_deadline_after(LOOK_PERIOD_NS);
		uint32_t before = xp_wait_value(&stage->board->done);
		if (before == stage->orders)
			break;
		int rc = xp_wait_while(&stage->board->done, before, NULL, &look);
		if (rc == -ETIMEDOUT && member_lost(stage, error))
			return -ECHILD;
	}
	return 0;
}

/* Jiffies that the CPUs of @where had, and those of them that were stolen. */
static void read_steal(const struct xb_placement *where, int64_t *ret_all, int64_t *ret_stolen)
{
	FILE *in = fopen("/proc/stat", "re");
	char line[256];

	*ret_all = *ret_stolen = 0;
	while (in && fgets(line, sizeof(line), in)) {
		long long t[8];
		int cpu;
		if (sscanf(line, "cpu%d %lld %lld %lld %lld %lld %lld %lld %lld", &cpu, &t[0],
			   &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) != 9)
			continue;
		for (int i = 0; i < where->count; i++) {
			if (where->cpus[i] != cpu)
				continue;
			for (int k = 0; k < 8; k++)
				*ret_all += t[k];
			*ret_stolen += t[7];
			break;
		}
	}
	if (in)
		fclose(in);
}

/* CPU seconds of all threads of a process so far; 0 where they cannot be read. */
static double cpu_of(pid_t pid)
{
	char path[64];
	double total = 0;

	if (pid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *list = opendir(path);
	struct dirent *entry;
	while (list && (entry = readdir(list))) {
		char file[384];
		unsigned long long ns;
		snprintf(file, sizeof(file), "/proc/%d/task/%s/schedstat", (int)pid, entry->d_name);
		FILE *in = entry->d_name[0] == '.' ? NULL : fopen(file, "re");
		if (in && fscanf(in, "%llu", &ns) == 1)
			total += (double)ns / 1e9;
		if (in)
			fclose(in);
	}
	if (list)
		closedir(list);
	return total;
}

static void add_up(struct xb_stage *stage, struct xb_figures *sum)
{
	int members = stage->c->placement.count;
	int64_t begin = INT64_MAX, end = INT64_MIN;
	double shares[XB_MEMBERS_MAX];
	size_t working = 0;

	for (int i = 0; i < members; i++) {
		const struct xb_tally *t = &stage->board->tally[i];
		if (t->ns > sum->ns)
			sum->ns = t->ns;
		if (t->total_ns > sum->total_ns)
			sum->total_ns = t->total_ns;
		if (t->begin_ns < begin)
			begin = t->begin_ns;
		if (t->end_ns > end)
			end = t->end_ns;
		sum->ops += t->ops;
		sum->bytes += t->bytes;
		sum->cpu_s += (double)t->cpu_ns / 1e9;
		sum->switches_voluntary += t->switches_voluntary;
		sum->switches_involuntary += t->switches_involuntary;
		sum->faults_minor += t->faults_minor;
		sum->moved |= t->moved != 0;
		if (t->ops > 0)
			shares[working++] = (double)t->ops / (double)(t->end_ns - t->begin_ns + 1);
	}
	sum->span_ns = (double)(end - begin);
	if (stage->c->workload->clock == XB_CLOCK_SPAN)
		sum->ns = sum->total_ns = sum->span_ns;
	if (working > 1)
		sum->fairness = xb_jain(shares, working);
}

int xb_session_run(struct xb_session *session, enum xb_pass pass, int64_t n, struct xb_hist *merged,
		   struct xb_figures *ret_figures, char error[XB_FAIL_TEXT])
{
	struct xb_stage *stage = &session->stage;
	struct xb_figures sum = {0};
	int64_t all[2], stolen[2];

	xp_assert(n > 0);
	error[0] = '\0';
	if (xb_interrupted) {
		snprintf(error, XB_FAIL_TEXT, "interrupted");
		return -EINTR;
	}
	read_steal(&stage->c->placement, &all[0], &stolen[0]);
	double server_cpu = cpu_of(stage->server);
	stage->board->n = n;
	stage->board->pass = pass;
	xp_wait_publish(&stage->board->order, ++stage->orders, XP_FUTEX_ALL);
	int rc = await_done(stage, error);
	if (rc < 0) {
		stage->broken = true;
		return rc;
	}
	for (int i = 0; i < stage->c->placement.count; i++) {
		const struct xb_tally *t = &stage->board->tally[i];
		if (t->failed) {
			snprintf(error, XB_FAIL_TEXT, "%s",
				 t->text[0] ? t->text : "a member failed");
			return -ECHILD;
		}
		if (merged && pass == XB_PASS_EACH && stage->hists[i].total)
			xb_hist_merge(merged, &stage->hists[i]);
	}
	read_steal(&stage->c->placement, &all[1], &stolen[1]);
	add_up(stage, &sum);
	sum.server_cpu_s = cpu_of(stage->server) - server_cpu;
	if (sum.ops == 0)
		sum.ops = n;
	if (all[1] > all[0])
		sum.steal = (double)(stolen[1] - stolen[0]) / (double)(all[1] - all[0]);
	*ret_figures = sum;
	return 0;
}

const _Atomic int32_t *xb_session_within(const struct xb_stage *stage, int index)
{
	return &stage->board->tally[index].within;
}

void xb_session_close(struct xb_session *session)
{
	struct xb_stage *stage = &session->stage;

	if (stage->manned) {
		stage->board->n = 0;
		xp_wait_publish(&stage->board->order, ++stage->orders, XP_FUTEX_ALL);
		/* Members of an order that did not end would not look; they are killed below. */
		struct timespec by = xp_deadline_after(stage->broken ? 0 : LEAVE_NS);
		(void)!xp_crew_join(&stage->crew, &by);
		xp_crew_fini(&stage->crew);
	}
	if (stage->opened && stage->c->workload->close)
		stage->c->workload->close(stage);
	for (int i = 0; i < XB_OBJECTS_MAX; i++)
		xp_object_drop(&stage->object[i]);
	if (stage->placed)
		xp_place_close(&stage->place);
	if (stage->shared)
		munmap(stage->shared, stage->shared_size);
	if (stage->hists)
		munmap(stage->hists, (size_t)stage->c->placement.count * sizeof(*stage->hists));
	if (stage->board)
		munmap(stage->board, board_size(stage->c->placement.count));
	*session = (struct xb_session){0};
}
