/* SPDX-License-Identifier: MIT */
/*
 * crew - several members that run the same function, start together and report in shared memory
 *
 * Overview      A crew of up to XP_CREW_MAX members, each carried by a process (the default) or by
 *               a thread (for sanitizers that see nothing across processes). Members are started,
 *               warm up, arrive at the start gate, and go on together once the leader opens it.
 *               Order between members is made by checkpoints, never by sleeping. Results travel in
 *               the tally page.
 * Use           leader: xp_crew_start(); xp_crew_open_gate(); xp_crew_join(); xp_crew_fini().
 *               member: [warm up] xp_member_arrive(); work; me->tally->count[0] = ...; return 0.
 *               member: xp_member_reach(me, 3);
 *               leader or other member: xp_crew_await(crew, index, 3, deadline).
 * Memory        The tally page is one anonymous shared mapping; each member's part is isolated by
 *               XP_ISOLATION, so that counting does not disturb what is measured.
 * Death         Of a member: seen by xp_crew_join() (its status) and by xp_crew_await() (-ESRCH),
 *               never a hang. Of the leader: process members are killed (PR_SET_PDEATHSIG).
 */
#ifndef XPSHARE_PROC_CREW_H
#define XPSHARE_PROC_CREW_H

#include "xpshare/base/err.h"
#include "xpshare/proc/child.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define XP_CREW_MAX	256
#define XP_TALLY_COUNTS 16
#define XP_TALLY_TEXT	256

enum xp_carrier {
	XP_CARRIER_PROCESS,
	XP_CARRIER_THREAD, /* sanitizer runs and a labelled control; cannot be killed */
};

/**
 * struct xp_tally - What a member reports; written by that member, read by the leader after a
 * checkpoint or after the join.
 * @reached: The highest checkpoint reached; the value half of a futex word (base/wait.h).
 * @tid:     The member's thread id, for xp_blocked_until(); set before the first checkpoint.
 * @count:   Free for the case or workload.
 * @text:    A sentence for the report, NUL-terminated.
 */
struct xp_tally {
	_Alignas(XP_ISOLATION) _Atomic uint32_t reached;
	_Atomic int32_t tid;
	_Atomic int64_t count[XP_TALLY_COUNTS];
	char text[XP_TALLY_TEXT];
};

/** struct xp_crew_page - The shared mapping; private to crew.c but for the members' tallies. */
struct xp_crew_page {
	_Alignas(XP_ISOLATION) _Atomic uint32_t gate;
	_Alignas(XP_ISOLATION) struct xp_tally tally[];
};

struct xp_crew;

/** struct xp_member - What a member knows of itself. */
struct xp_member {
	struct xp_crew *crew;
	int index;
	int cpu; /* -1: not pinned */
	struct xp_tally *tally;
};

/** xp_member_body - What a member does. Return: 0, or 1..255 for a failure. */
typedef int xp_member_body(struct xp_member *me, void *arg);

/**
 * struct xp_crew_plan - How to man the crew.
 * @members: 1 to XP_CREW_MAX.
 * @cpus:    A CPU per member to pin it to, or NULL; -1 leaves that member free.
 */
struct xp_crew_plan {
	int members;
	enum xp_carrier carrier;
	const int *cpus;
	xp_member_body *body;
	void *arg;
};

struct xp_crew {
	struct xp_crew_page *page;
	size_t page_size;
	struct xp_crew_plan plan;
	struct xp_member *members;
	struct xp_child *children;  /* process carrier */
	pthread_t *threads;	    /* thread carrier */
	_Atomic uint32_t *finished; /* thread carrier: 1 once the body has returned */
	int *statuses;		    /* as waitpid(2) gives them */
	bool *ended;
};

#define XP_CHECKPOINT_GATE 1u /* reached by xp_member_arrive(); a case's own start above it */

/**
 * xp_crew_start() - Start all members; they run up to the start gate.
 * @crew: Memory of the caller; finished by xp_crew_fini().
 * @plan: Copied, but for @plan->cpus and @plan->arg, which must outlive the crew.
 * Return: 0; -EINVAL for a plan outside its limits; -EAGAIN, -ENOMEM, after which nothing runs.
 */
XP_MUST_CHECK int xp_crew_start(struct xp_crew *crew, const struct xp_crew_plan *plan);

/** xp_crew_open_gate() - Wait until all have arrived, then let them go. -ESRCH if one ended before.
 */
XP_MUST_CHECK int xp_crew_open_gate(struct xp_crew *crew, const struct timespec *deadline);

/** xp_crew_await() - Wait until member @index has reached @checkpoint. 0, -ETIMEDOUT, -ESRCH (it
 * ended). */
XP_MUST_CHECK int xp_crew_await(struct xp_crew *crew, int index, uint32_t checkpoint,
				const struct timespec *deadline);

/** xp_crew_signal() - Signal a member; process carrier only (-ENOTSUP otherwise). */
XP_MUST_CHECK int xp_crew_signal(struct xp_crew *crew, int index, int signal);

/**
 * xp_crew_wait() - Wait for the end of one member.
 * Return: 0 with its status in crew->statuses[@index]; -ETIMEDOUT.
 */
XP_MUST_CHECK int xp_crew_wait(struct xp_crew *crew, int index, const struct timespec *deadline);

/**
 * xp_crew_join() - Wait for the end of all members.
 * Return: 0 if each ended with 0; -ECHILD if one failed or was killed (see crew->statuses);
 * -ETIMEDOUT.
 */
XP_MUST_CHECK int xp_crew_join(struct xp_crew *crew, const struct timespec *deadline);

/** xp_crew_fini() - Kill what still runs (process carrier), reap it, free everything. */
void xp_crew_fini(struct xp_crew *crew);

/** xp_member_arrive() - Arrive at the start gate and wait until it is open. */
void xp_member_arrive(struct xp_member *me);

/** xp_member_reach() - Tell whoever awaits it that @checkpoint (above XP_CHECKPOINT_GATE) is
 * reached. */
void xp_member_reach(struct xp_member *me, uint32_t checkpoint);

/** xp_member_fail() - Leave a sentence in the tally and return 1, to be returned from the body. */
int xp_member_fail(struct xp_member *me, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
