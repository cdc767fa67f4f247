/* SPDX-License-Identifier: MIT */
/*
 * workload - what is measured, and how one workload is written
 *
 * Overview      A workload is a constant of functions. It says which cases it has (cases), makes
 *               what they share before the fork (open), and runs n operations in each member (run).
 *               Everything else is the session's: processes, places, the start gate, the clock
 *               around the window, counting, checking and tidying (session.h).
 * Use           Write workloads/<name>.c with one struct xb_workload, and list it in workloads.def.
 * Order         leader: open; fork of the members; member: enter, run, run, ..., leave;
 *               leader: close.
 * Rules         (1) run starts with every member in it (the session lines them up), and does
 *               untimed warm-up round trips itself where it needs them.
 *               (2) What crosses is written by the sender and read by the receiver: a receiver
 *               proves it with a checksum or count, and fails the run otherwise.
 *               (3) Two processes by default; nothing of the harness lies on a line that is
 *               measured.
 *               (4) A failure is reported by xb_fail(), never printed.
 * Timing        In the batch pass one clock reading encloses many operations, and the figure of a
 *               run is that of its median batch, which a preempted one does not move. In the each
 *               pass every operation is stamped for the distribution. The two are never mixed.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench/case.h"
#include "bench/hist.h"

#include "xpshare/kind/object.h"
#include "xpshare/proc/crew.h"

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define XB_OBJECTS_MAX 4
#define XB_BATCHES     64
#define XB_FAIL_TEXT   160

/* X(ENUM, "metric", "unit"): what a figure is (results/FORMAT.md); the unit decides which way is
 * better. */
#define XB_METRIC_MAP(X)                   \
	X(RTT, "rtt", "ns")                \
	X(OP, "op", "ns")                  \
	X(RESPONSE, "response", "ns")      \
	X(ITEMS, "throughput", "items/s")  \
	X(BYTES, "throughput", "bytes/s")  \
	X(RECOVERY, "recovery", "ns")      \
	X(SETUP, "setup", "ns")            \
	X(TEARDOWN, "teardown", "ns")      \
	X(FOOTPRINT, "footprint", "bytes") \
	X(IDLE, "idle", "ns")

#define X(id, metric, unit) XB_METRIC_##id,
enum xb_metric { XB_METRIC_MAP(X) };
#undef X

enum xb_pass {
	XB_PASS_BATCH, /* for the figure */
	XB_PASS_EACH,  /* for the distribution */
};

/* Whose clock gives the time of a run. */
enum xb_clock {
	XB_CLOCK_OWN,  /* the members that used xb_timed(): the slowest of them */
	XB_CLOCK_SPAN, /* from the first member's start to the last one's end */
};

/**
 * struct xb_tally - What a member reports of one run; written by it, read by the leader after it.
 * @ns:       Time of the run's operations by its median batch; 0 if this member did not time.
 * @total_ns: The same by the clock, preemptions included.
 * @begin_ns, @end_ns: CLOCK_MONOTONIC, around run().
 * @ops, @bytes: Done and verified by this member. Only those that shall be counted once.
 * @moved:    It ran on another CPU than its own, at the start or at the end.
 * @within:   It is in run() now.
 */
struct xb_tally {
	_Alignas(XP_ISOLATION) double ns;
	double total_ns;
	int64_t begin_ns, end_ns;
	int64_t ops, bytes;
	int64_t cpu_ns, switches_voluntary, switches_involuntary, faults_minor;
	int32_t moved;
	int32_t failed;
	_Atomic int32_t within;
	char text[XB_FAIL_TEXT];
};

struct xb_board;
struct xb_calls;

/**
 * struct xb_stage - What the leader sets up and all members inherit.
 * @object: Made by open(), dropped by the session after close().
 * @shared: Anonymous shared memory of the workload, from xb_stage_share(); unmapped by the session.
 * @own:    The workload's, freed by its close().
 * @server: A process that works for the members, whose CPU time is counted too; 0: none.
 */
struct xb_stage {
	const struct xb_case *c;
	struct xp_place place;
	struct xp_object object[XB_OBJECTS_MAX];
	void *shared;
	size_t shared_size;
	void *own;
	pid_t server;
	char error[XB_FAIL_TEXT];
	/* the session's */
	struct xb_board *board;
	struct xb_hist *hists;
	struct xp_crew crew;
	struct xb_calls *calls; /* while they are counted */
	bool placed, opened, manned, broken;
	uint32_t orders;
};

/**
 * struct xb_actor - A member in its run.
 * @hist: For the each pass; its own.
 * @own:  The member's, freed by leave().
 * @turn: Where a sequence stands from one run to the next; the workload's.
 */
struct xb_actor {
	int index;
	int members;
	struct xb_stage *stage;
	const struct xb_case *c;
	struct xb_tally *tally;
	struct xb_hist *hist;
	void *own;
	uint64_t turn;
	double batch[XB_BATCHES];
};

struct xb_matrix;

/**
 * struct xb_workload - One workload.
 * @title:   What it does, one line.
 * @managed: Its place needs a manager.
 * @fixed:   Operations of a repetition, for those whose operations take long beside what they time; 0:
 *           as many as fill the window.
 * @driven:  Its operations are those of a program that it drives (peers/driver.h), of whose processes neither
 *           the CPU time nor the system calls are known.
 * @distribution: Has an each pass.
 * @cases:   Add its cases to the matrix (matrix.h).
 * @open:    0, or a negative errno value; -ENOTSUP for what cannot be had here; stage->error may say
 *           more.
 * @run:     @n operations of the case, which the members share out among them; 0, or xb_fail().
 * @close:   Also after an open that failed.
 */
struct xb_workload {
	const char *name;
	const char *title;
	enum xb_metric metric;
	enum xb_clock clock;
	bool managed;
	int64_t fixed;
	bool driven;
	bool distribution;
	void (*cases)(const struct xb_workload *workload, struct xb_matrix *matrix);
	int (*open)(struct xb_stage *stage);
	int (*enter)(struct xb_actor *actor);
	int (*run)(struct xb_actor *actor, int64_t n, enum xb_pass pass);
	void (*leave)(struct xb_actor *actor);
	void (*close)(struct xb_stage *stage);
};

/** xb_workload_at() - The workload at @index in a stable order, NULL past the end. */
const struct xb_workload *xb_workload_at(size_t index);

/** xb_metric_name(), xb_metric_unit() - "throughput", "items/s". */
const char *xb_metric_name(enum xb_metric metric);
const char *xb_metric_unit(enum xb_metric metric);

/** xb_metric_higher() - Whether more is better. */
bool xb_metric_higher(enum xb_metric metric);

/** xb_stage_share() - @size zeroed bytes that all members map, in @stage->shared. 0 or -ENOMEM. */
XP_MUST_CHECK int xb_stage_share(struct xb_stage *stage, size_t size);

/** xb_fail() - Leave a sentence for the record and return -1, to be returned from enter and run. */
int xb_fail(struct xb_actor *actor, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** xb_share() - Member @index's part of @n operations shared out among @members. */
static inline int64_t xb_share(int64_t n, int index, int members)
{
	return n / members + (index < n % members);
}

/** xb_now() - Nanoseconds on CLOCK_MONOTONIC, without a call into the library. */
static inline int64_t xb_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/** xb_timed_end() - Turn the times of @batches batches into the run's figure. */
void xb_timed_end(struct xb_actor *actor, int batches, int64_t n, int64_t total_ns);

/**
 * xb_timed() - Run @expression @n times and time it as the pass demands.
 *
 * A macro, so that the operation is compiled into the loop. @expression is an int, below zero where
 * it failed, which ends the loops; @rc receives its last value.
 */
#define xb_timed(actor, n, pass, rc, expression)                                            \
	do {                                                                                \
		const int64_t n_ = (n);                                                     \
		const int batches_ = n_ < XB_BATCHES ? (int)n_ : XB_BATCHES;                \
		int64_t total_ = 0;                                                         \
		(rc) = 0;                                                                   \
		if ((pass) == XB_PASS_EACH) {                                               \
			int64_t last_ = xb_now();                                           \
			const int64_t first_ = last_;                                       \
			for (int64_t i_ = 0; i_ < n_ && ((rc) = (expression)) >= 0; i_++) { \
				int64_t now_ = xb_now();                                    \
				xb_hist_add((actor)->hist, (uint64_t)(now_ - last_));       \
				last_ = now_;                                               \
			}                                                                   \
			total_ = last_ - first_;                                            \
			(actor)->batch[0] = (double)total_ / (double)(n_ ? n_ : 1);         \
			xb_timed_end((actor), 1, n_, total_);                               \
			break;                                                              \
		}                                                                           \
		for (int b_ = 0; b_ < batches_ && (rc) >= 0; b_++) {                        \
			const int64_t ops_ = xb_share(n_, b_, batches_);                    \
			const int64_t begin_ = xb_now();                                    \
			for (int64_t i_ = 0; i_ < ops_ && ((rc) = (expression)) >= 0; i_++) \
				;                                                           \
			const int64_t took_ = xb_now() - begin_;                            \
			(actor)->batch[b_] = (double)took_ / (double)ops_;                  \
			total_ += took_;                                                    \
		}                                                                           \
		xb_timed_end((actor), batches_, n_, total_);                                \
	} while (0)

/**
 * xb_each_made() - After xb_timed() of a member that is one of @members which make @n operations each, at the
 * same time: the figure is the time of one, as the slowest member sees it, and not that divided by them.
 *
 * The turns of the others are what is measured then, and no disturbance: the mean, where a member alone has its
 * median batch. Of members that take their turns in bursts the median would show a burst from within.
 */
static inline void xb_each_made(struct xb_actor *actor, int64_t n, int members)
{
	actor->tally->ns = (members > 1 ? actor->tally->total_ns : actor->tally->ns) * members;
	actor->tally->ops = n;
}

/** xb_repeat() - The other side of xb_timed(): the same operations, without a clock. */
#define xb_repeat(n, rc, expression)                                              \
	do {                                                                      \
		const int64_t n_ = (n);                                           \
		(rc) = 0;                                                         \
		for (int64_t i_ = 0; i_ < n_ && ((rc) = (expression)) >= 0; i_++) \
			;                                                         \
	} while (0)

/** xb_ping_pong() - Member 0 runs and times @ping, the other one answers with @pong, as often. */
#define xb_ping_pong(actor, n, pass, rc, ping, pong)                  \
	do {                                                          \
		if ((actor)->index == 0) {                            \
			xb_repeat(XB_WARM_UP, rc, ping);              \
			if ((rc) >= 0)                                \
				xb_timed((actor), n, pass, rc, ping); \
			(actor)->tally->ops = (n);                    \
		} else {                                              \
			xb_repeat(XB_WARM_UP + (n), rc, pong);        \
		}                                                     \
	} while (0)

/** xb_keep() - Make the compiler believe that @value is used, and that memory may have changed. */
#define xb_keep(value) __asm__ volatile("" : : "r,m"(value) : "memory")

/* Round trips before each window: both sides are awake and the lines are where they will be. */
#define XB_WARM_UP 16

#endif
