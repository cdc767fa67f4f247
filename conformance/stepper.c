/* SPDX-License-Identifier: MIT */
#include "conformance/stepper.h"

#include "xpshare/proc/child.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define KNOWN_MACHINE 1
#define TRAP()	      __asm__ volatile("int3" ::: "memory")
#define TRAP_BYTE     0xccL
#else
#define KNOWN_MACHINE 0
#define TRAP()	      raise(SIGTRAP)
#define TRAP_BYTE     0L
#endif

/* A trace longer than this is that of a loop, not of an operation. */
#define STEPS_MAX (1u << 20)

/* How often the list of instructions is made; the shortest counts. */
#define RECORDS 5

/* How long a victim that does not stop is waited for before it is asked whether it sleeps. */
#define STOP_WAIT_NS  (3 * XP_NS_PER_MS)
#define SLEEP_LOOK_NS (20 * XP_NS_PER_MS)

struct trace {
	uint64_t *pc;	      /* of each instruction */
	uint32_t *occurrence; /* which visit of that address it is, from 1 */
	size_t count, room;
};

struct victim {
	struct xp_child child;
	bool ended, released;
	int status;
};

struct session {
	struct xc_case_context *cc;
	const struct xc_stepping *stepping;
	struct trace trace;
	size_t tried, missed, stride;
};

/* ---- one victim ------------------------------------------------------------------------------- */

static int victim_body(void *arg)
{
	const struct xc_stepping *stepping = arg;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		return 99;
	TRAP();
	stepping->operate(stepping->arg);
	TRAP();
	return 0;
}

/* Wait for a stop or the end of the victim. SIGCHLD is blocked, so that it can be waited for with a
 * timeout. Return: 1 it has stopped by SIGTRAP or ended; 0 it has not, for a while. */
static int await_stop(struct victim *victim)
{
	struct timespec by = xp_deadline_after(STOP_WAIT_NS);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (;;) {
		int status;
		pid_t pid = waitpid(victim->child.pid, &status, WNOHANG);
		if (pid == victim->child.pid) {
			victim->status = status;
			victim->ended = !WIFSTOPPED(status);
			if (victim->ended)
				victim->child.pid = 0; /* reaped here */
			return 1;
		}
		int64_t left = xp_deadline_ns(&by);
		if (left == 0)
			return 0;
		struct timespec timeout = {.tv_nsec = (long)left};
		sigtimedwait(&set, NULL, &timeout);
	}
}

static void victim_end(struct victim *victim)
{
	if (victim->child.pid > 0) {
		xp_child_stop(&victim->child);
	} else if (victim->child.pidfd >= 0) {
		close(victim->child.pidfd);
	}
	victim->child.pidfd = -1;
	victim->ended = true;
}

/* Wait for the next stop; a victim that sleeps is released, once. */
static enum xc_verdict next_stop(struct session *session, struct victim *victim)
{
	struct xc_case_context *cc = session->cc;
	struct timespec by = xc_patience();

	while (!await_stop(victim)) {
		struct timespec look = xp_deadline_after(SLEEP_LOOK_NS);
		XC_REQUIRE(cc, !xp_deadline_passed(&by), "the operation ends or blocks",
			   "the victim does neither");
		if (xp_blocked_until(victim->child.pid, &look) != 0)
			continue;
		XC_REQUIRE(cc, session->stepping->release, "the operation does not block",
			   "the victim sleeps in it");
		if (victim->released) /* it may have to wait for others, too */
			continue;
		victim->released = true;
		XC_TRY(session->stepping->release(cc, session->stepping->arg));
	}
	return XC_PASS;
}

static enum xc_verdict start(struct session *session, struct victim *victim)
{
	struct xc_case_context *cc = session->cc;

	*victim = (struct victim){.child = {.pidfd = -1}};
	XC_TRY(session->stepping->prepare(cc, session->stepping->arg));
	int rc = xp_child_start(victim_body, (void *)session->stepping, &victim->child);
	if (rc < 0)
		return xc_unresolved(cc, "a victim cannot be started: %s", strerror(-rc));
	XC_TRY(next_stop(session, victim));
	if (victim->ended)
		return xc_unresolved(cc, "ptrace is refused here");
	return XC_PASS;
}

static bool stopped_by(const struct victim *victim, int signal)
{
	return !victim->ended && WIFSTOPPED(victim->status) && WSTOPSIG(victim->status) == signal;
}

#if KNOWN_MACHINE
static uint64_t pc_of(const struct victim *victim)
{
	struct user_regs_struct regs;

	return ptrace(PTRACE_GETREGS, victim->child.pid, NULL, &regs) < 0 ? 0 : regs.rip;
}

static void set_pc(const struct victim *victim, uint64_t pc)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, victim->child.pid, NULL, &regs) == 0) {
		regs.rip = pc;
		ptrace(PTRACE_SETREGS, victim->child.pid, NULL, &regs);
	}
}
#else
static uint64_t pc_of(const struct victim *victim)
{
	(void)victim;
	return 0;
}

static void set_pc(const struct victim *victim, uint64_t pc)
{
	(void)victim;
	(void)pc;
}
#endif

/* The trap after the operation is one byte long; a step over it stops just behind. Its address is not
 * known beforehand, but a trap stops with SI_KERNEL where a step stops with TRAP_TRACE. */
static bool is_trap(const struct victim *victim)
{
	siginfo_t info;

	return ptrace(PTRACE_GETSIGINFO, victim->child.pid, NULL, &info) == 0 &&
	       info.si_code == SI_KERNEL;
}

/* ---- the list of instructions ----------------------------------------------------------------- */

static int append(struct trace *trace, uint64_t pc)
{
	if (trace->count == trace->room) {
		size_t larger = trace->room ? trace->room * 2 : 1024;
		uint64_t *pcs = realloc(trace->pc, larger * sizeof(*pcs));
		if (!pcs)
			return -ENOMEM;
		trace->pc = pcs;
		trace->room = larger;
	}
	trace->pc[trace->count++] = pc;
	return 0;
}

/* Which visit of its address each instruction is: by sorting, since loops are visited often. */
static const uint64_t *sort_pc;

static int by_pc(const void *a, const void *b)
{
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;

	if (sort_pc[i] != sort_pc[j])
		return sort_pc[i] < sort_pc[j] ? -1 : 1;
	return i < j ? -1 : i > j;
}

static int count_occurrences(struct trace *trace)
{
	uint32_t *order = calloc(trace->count, sizeof(*order));

	trace->occurrence = calloc(trace->count, sizeof(*trace->occurrence));
	if (!order || !trace->occurrence) {
		free(order);
		return -ENOMEM;
	}
	for (size_t i = 0; i < trace->count; i++)
		order[i] = (uint32_t)i;
	sort_pc = trace->pc;
	qsort(order, trace->count, sizeof(*order), by_pc);
	for (size_t i = 0; i < trace->count; i++) {
		bool again = i > 0 && trace->pc[order[i]] == trace->pc[order[i - 1]];
		trace->occurrence[order[i]] = again ? trace->occurrence[order[i - 1]] + 1 : 1;
	}
	free(order);
	return 0;
}

static enum xc_verdict record(struct session *session)
{
	struct xc_case_context *cc = session->cc;
	struct victim victim;

	XC_TRY(start(session, &victim));
	for (;;) {
		if (append(&session->trace, pc_of(&victim)) < 0)
			return xc_unresolved(cc, "out of memory");
		if (session->trace.count > STEPS_MAX)
			return xc_unresolved(cc, "the operation has more than %u instructions",
					     STEPS_MAX);
		if (ptrace(PTRACE_SINGLESTEP, victim.child.pid, NULL, NULL) < 0)
			return xc_unresolved(cc, "single-stepping is refused: %s", strerror(errno));
		XC_TRY(next_stop(session, &victim));
		XC_REQUIRE(cc, stopped_by(&victim, SIGTRAP), "the operation ends",
			   "its process ended, or was stopped, with status %#x",
			   (unsigned)victim.status);
		if (is_trap(&victim))
			break;
	}
	victim_end(&victim);
	/* It was killed after its operation; that, too, is a state to be checked, and to clean up. */
	XC_TRY(session->stepping->check(cc, session->stepping->arg, true));
	if (count_occurrences(&session->trace) < 0)
		return xc_unresolved(cc, "out of memory");
	return XC_PASS;
}

/* ---- running up to one instruction ------------------------------------------------------------ */

/* A breakpoint in the victim's private copy of the code; *@ret_word is what it replaces. */
static bool plant(const struct victim *victim, uint64_t pc, long *ret_word)
{
	errno = 0;
	long word = ptrace(PTRACE_PEEKTEXT, victim->child.pid, (void *)pc, NULL);
	if (errno)
		return false;
	long trapped = (word & ~0xffL) | TRAP_BYTE;
	if (ptrace(PTRACE_POKETEXT, victim->child.pid, (void *)pc, (void *)trapped) < 0)
		return false;
	*ret_word = word;
	return true;
}

static void unplant(const struct victim *victim, uint64_t pc, long word)
{
	ptrace(PTRACE_POKETEXT, victim->child.pid, (void *)pc, (void *)word);
}

/* *@ret_on is false if the operation has ended, or its process has. */
static enum xc_verdict single_step(struct session *session, struct victim *victim, bool *ret_on)
{
	if (ptrace(PTRACE_SINGLESTEP, victim->child.pid, NULL, NULL) < 0)
		return xc_unresolved(session->cc, "single-stepping is refused: %s",
				     strerror(errno));
	XC_TRY(next_stop(session, victim));
	*ret_on = stopped_by(victim, SIGTRAP) && !is_trap(victim);
	return XC_PASS;
}

/* From wherever it is, on to the next visit of @pc. */
static enum xc_verdict run_to_visit(struct session *session, struct victim *victim, uint64_t pc,
				    bool *ret_on)
{
	long word;

	/* A breakpoint under its feet would stop it at once. */
	if (pc_of(victim) == pc) {
		XC_TRY(single_step(session, victim, ret_on));
		if (!*ret_on || pc_of(victim) == pc)
			return XC_PASS;
	}
	*ret_on = plant(victim, pc, &word);
	if (!*ret_on)
		return XC_PASS;
	ptrace(PTRACE_CONT, victim->child.pid, NULL, NULL);
	XC_TRY(next_stop(session, victim));
	*ret_on = stopped_by(victim, SIGTRAP) && pc_of(victim) == pc + 1;
	if (*ret_on) {
		unplant(victim, pc, word);
		set_pc(victim, pc);
	}
	return XC_PASS;
}

/* The last instruction up to @index that takes a breakpoint: the kernel's own page of code does not. */
static size_t anchor_for(const struct session *session, const struct victim *victim, size_t index)
{
	for (; index > 0; index--) {
		uint64_t pc = session->trace.pc[index];
		long word;
		if (plant(victim, pc, &word)) {
			unplant(victim, pc, word);
			break;
		}
	}
	return index;
}

/* Run until before instruction @index. *@ret_there is false if the victim took another way. */
static enum xc_verdict run_to(struct session *session, struct victim *victim, size_t index,
			      bool *ret_there)
{
	const struct trace *trace = &session->trace;
	size_t anchor = anchor_for(session, victim, index);
	uint32_t visits = trace->pc[anchor] == trace->pc[0];
	bool on = true;

	*ret_there = false;
	while (visits < trace->occurrence[anchor]) {
		XC_TRY(run_to_visit(session, victim, trace->pc[anchor], &on));
		if (!on)
			return XC_PASS;
		visits++;
	}
	for (; anchor < index; anchor++) {
		XC_TRY(single_step(session, victim, &on));
		if (!on)
			return XC_PASS;
	}
	*ret_there = pc_of(victim) == trace->pc[index];
	return XC_PASS;
}

/* Let it run to its end, which is the trap after the operation. */
static enum xc_verdict run_out(struct session *session, struct victim *victim)
{
	while (!victim->ended) {
		ptrace(PTRACE_CONT, victim->child.pid, NULL, NULL);
		XC_TRY(next_stop(session, victim));
	}
	return XC_PASS;
}

static enum xc_verdict try_instruction(struct session *session, size_t index,
				       enum xc_step_mode mode)
{
	const struct xc_stepping *stepping = session->stepping;
	struct xc_case_context *cc = session->cc;
	struct victim victim;
	bool there;

	XC_TRY(start(session, &victim));
	XC_TRY(run_to(session, &victim, index, &there));
	session->tried += there;
	session->missed += !there;
	if (mode == XC_STEP_STOP && !victim.ended) {
		char number[32];
		int rc = stepping->frozen ? stepping->frozen(stepping->arg) : 0;
		XC_REQUIRE(cc, rc >= 0 || rc == -ETIMEDOUT,
			   "a survivor with a deadline succeeds or gets -ETIMEDOUT", "%s",
			   xc_number(rc, number));
		XC_TRY(run_out(session, &victim));
	}
	victim_end(&victim);
	return stepping->check(cc, stepping->arg, mode == XC_STEP_KILL);
}

/* ---- all of them ------------------------------------------------------------------------------ */

static void trace_fini(struct trace *trace)
{
	free(trace->pc);
	free(trace->occurrence);
	*trace = (struct trace){0};
}

/* The first time the dynamic linker resolves what the operation calls, so that one does not count. Of the
 * others the shortest is the one that no delay made look and wait once more than need be. */
static enum xc_verdict record_shortest(struct session *session)
{
	struct trace best = {0};

	for (int i = 0; i < RECORDS; i++) {
		session->trace = (struct trace){0};
		enum xc_verdict verdict = record(session);
		if (verdict != XC_PASS) {
			trace_fini(&best);
			return verdict;
		}
		if (i > 0 && (!best.pc || session->trace.count < best.count)) {
			trace_fini(&best);
			best = session->trace;
		} else {
			trace_fini(&session->trace);
		}
	}
	session->trace = best;
	return XC_PASS;
}

static enum xc_verdict try_all(struct session *session, enum xc_step_mode mode)
{
	struct xc_case_context *cc = session->cc;

	XC_TRY(record_shortest(session));
	session->stride = session->trace.count / XC_STEPS_ALL + 1;
	for (size_t i = 0; i < session->trace.count; i += session->stride) {
		enum xc_verdict verdict = try_instruction(session, i, mode);
		if (verdict == XC_PASS)
			continue;
		size_t used = strlen(cc->detail);
		snprintf(cc->detail + used, XC_DETAIL_MAX - used,
			 "\nwhere:    the victim was %s before instruction %zu of %zu, at %#lx",
			 mode == XC_STEP_KILL ? "killed" : "stopped", i + 1, session->trace.count,
			 (unsigned long)session->trace.pc[i]);
		return verdict;
	}
	int n = snprintf(cc->detail, XC_DETAIL_MAX, "%s before each of %zu instructions",
			 mode == XC_STEP_KILL ? "killed" : "stopped", session->tried);
	if (session->stride > 1)
		n += snprintf(cc->detail + n, XC_DETAIL_MAX - (size_t)n, ", every %zu-th of %zu",
			      session->stride, session->trace.count);
	if (session->missed > 0)
		snprintf(cc->detail + n, XC_DETAIL_MAX - (size_t)n,
			 "; %zu times it took another way and was %s at its end", session->missed,
			 mode == XC_STEP_KILL ? "killed" : "stopped");
	return XC_PASS;
}

enum xc_verdict xc_step(struct xc_case_context *cc, const struct xc_stepping *stepping,
			enum xc_step_mode mode)
{
	struct session session = {.cc = cc, .stepping = stepping};
	sigset_t set, before;

	if (!KNOWN_MACHINE)
		return xc_unresolved(cc, "the stepper knows x86-64 only");
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &before);
	enum xc_verdict verdict = try_all(&session, mode);
	sigprocmask(SIG_SETMASK, &before, NULL);
	trace_fini(&session.trace);
	return verdict;
}
