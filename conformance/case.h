/* SPDX-License-Identifier: MIT */
/*
 * case - one experiment that puts one clause to the test, on any implementation of a kind
 *
 * Overview      A case is a plain C function. It makes objects, mans a crew, orders its members by
 *               checkpoints, and returns a verdict. It knows the contract of its kind (impl/kind/)
 *               and never a mechanism. The judge runs it in a process of its own.
 * Use           static enum xc_verdict try_held(struct xc_case_context *cc)
 *               {
 *                       struct xp_object object;
 *                       XC_TRY(xc_make(cc, NULL, &object));
 *                       XC_GIVES(cc, xp_lock_acquire(&object.as.lock), 0);
 *                       XC_GIVES(cc, xp_lock_try_acquire(&object.as.lock), -EBUSY);
 *                       ...
 *                       return XC_PASS;
 *               }
 *               Objects and crews belong to the context, which releases them after a verdict.
 * Members       The body of a member reports a failed check by XM_GIVES or XM_REQUIRE, which leave a
 *               sentence in its tally and end it; xc_join() turns that into the verdict.
 * Time          xc_patience() bounds what must happen, generously: it decides only between "happens"
 *               and "hangs". xc_brief() is for waits that are meant to time out. No verdict depends
 *               on a speed.
 */
#ifndef CONFORMANCE_CASE_H
#define CONFORMANCE_CASE_H

#include "conformance/clause.h"
#include "conformance/verdict.h"
#include "xpshare/base/clock.h"
#include "xpshare/catalog/catalog.h"
#include "xpshare/proc/blocked.h"
#include "xpshare/proc/crew.h"

#include <stdio.h>

#define XC_KIND(name)  (1u << XP_KIND_##name)
#define XC_SCOPE(name) (1u << XP_SCOPE_##name)

#define XC_KINDS_ALL   ((1u << XP_KIND_COUNT) - 1)
#define XC_KIND_SERVER (1u << XP_KIND_COUNT) /* a server process as a whole: struct xc_subject */

enum xc_flag {
	XC_NEEDS_PROCESSES =
	    1u << 0,	      /* kills members or relies on fork: not for the thread carrier */
	XC_HEAVY = 1u << 1,   /* takes seconds: run in ctest under the label long */
	XC_STEPPER = 1u << 2, /* kills or stops at every instruction: only run when asked for */
};

struct xc_subject;

/**
 * struct xc_iut - An implementation under test: one of the catalogue, or a server process.
 * @kinds: One bit: XC_KIND(LOCK), or XC_KIND_SERVER.
 * @peer:  Somebody else's: its verdicts are reported and fail no run.
 */
struct xc_iut {
	const char *name;
	unsigned kinds;
	enum xp_scope scope;
	unsigned caps;
	const struct xp_impl *impl;
	const struct xc_subject *subject;
	bool peer;
	const char *version;
};

struct xc_case_context;

/**
 * struct xc_case - One experiment.
 * @clause: Id of the clause that it tests.
 * @name:   What it does; "<clause>/<name>" is unique.
 * @kinds:  Kinds that it can run on; bits of XC_KIND().
 * @scopes: Scopes that it can run in; 0 for all.
 * @caps:   Capabilities without which the verdict is UNSUPPORTED; bits of enum xp_cap.
 * @lacks:  Capabilities with which the clause does not apply; likewise UNSUPPORTED.
 * @flags:  Bits of enum xc_flag.
 * @seconds: Time it may take; 0: XC_DEADLINE_S.
 */
struct xc_case {
	const char *clause;
	const char *name;
	unsigned kinds;
	unsigned scopes;
	unsigned caps;
	unsigned lacks;
	unsigned flags;
	unsigned seconds;
	enum xc_verdict (*run)(struct xc_case_context *cc);
};

#define XC_DEADLINE_S	60
#define XC_DETAIL_MAX	2048
#define XC_OBJECTS_MAX	16
#define XC_SHARED_BYTES (1u << 20)

/**
 * struct xc_case_context - What a case has to work with.
 * @shared:  XC_SHARED_BYTES of zeroed memory that every member sees, for the case's own use.
 * @detail:  Why it failed, or was not decided; written by xc_fail() and its like.
 * @crew:    The crew that is at work; one at a time.
 */
struct xc_case_context {
	const struct xc_case *test;
	const struct xc_iut *iut;
	enum xp_carrier carrier;
	struct xp_place place;
	bool placed;
	struct xp_object objects[XC_OBJECTS_MAX];
	size_t objects_count;
	struct xp_crew crew;
	bool manned;
	bool killed[XP_CREW_MAX];
	void *shared;
	char *detail;
};

/* ---- running ---------------------------------------------------------------------------------- */

/** xc_case_run() - Run @test on @iut in this process and release all that it used if it passed.
 *  @detail has XC_DETAIL_MAX bytes. Anything else than PASS leaves members and objects as they are. */
enum xc_verdict xc_case_run(const struct xc_case *test, const struct xc_iut *iut,
			    enum xp_carrier carrier, char *detail);

/** xc_case_applies() - Whether @test is about implementations like @iut at all. */
bool xc_case_applies(const struct xc_case *test, const struct xc_iut *iut);

/** xc_capability_name() - "robust" for XP_CAP_ROBUST: the name of the lowest bit of @caps. */
const char *xc_capability_name(unsigned caps);

/** xc_case_at() - The case at @index in a stable order, NULL past the end. */
const struct xc_case *xc_case_at(size_t index);

/* ---- verdicts --------------------------------------------------------------------------------- */

enum xc_verdict xc_fail(struct xc_case_context *cc, const char *expected, const char *actual, ...)
    __attribute__((format(printf, 3, 4)));
enum xc_verdict xc_fail_rc(struct xc_case_context *cc, const char *call, int64_t want, int64_t got);
enum xc_verdict xc_unresolved(struct xc_case_context *cc, const char *why, ...)
    __attribute__((format(printf, 2, 3)));
enum xc_verdict xc_unsupported(struct xc_case_context *cc, const char *why, ...)
    __attribute__((format(printf, 2, 3)));

/** xc_number() - "-ETIMEDOUT" for an errno value, "42" otherwise; in @buffer. */
const char *xc_number(int64_t number, char buffer[32]);

/* Go on if @step is PASS, return its verdict otherwise. */
#define XC_TRY(step)                               \
	do {                                       \
		enum xc_verdict verdict_ = (step); \
		if (verdict_ != XC_PASS)           \
			return verdict_;           \
	} while (0)

/* The call must return @want. */
#define XC_GIVES(cc, call, want)                                             \
	do {                                                                 \
		int64_t got_ = (int64_t)(call);                              \
		if (got_ != (int64_t)(want))                                 \
			return xc_fail_rc(cc, #call, (int64_t)(want), got_); \
	} while (0)

/* @condition must hold; @expected is a sentence, the rest says what was seen instead. */
#define XC_REQUIRE(cc, condition, expected, ...)                   \
	do {                                                       \
		if (!(condition))                                  \
			return xc_fail(cc, expected, __VA_ARGS__); \
	} while (0)

/* The same in the body of a member. */
#define XM_GIVES(me, call, want)                                               \
	do {                                                                   \
		int64_t got_ = (int64_t)(call);                                \
		if (got_ != (int64_t)(want))                                   \
			return xc_member_rc(me, #call, (int64_t)(want), got_); \
	} while (0)

#define XM_REQUIRE(me, condition, ...)                          \
	do {                                                    \
		if (!(condition))                               \
			return xp_member_fail(me, __VA_ARGS__); \
	} while (0)

int xc_member_rc(struct xp_member *me, const char *call, int64_t want, int64_t got);

/* ---- objects ---------------------------------------------------------------------------------- */

/** xc_make() - Make an object of the implementation under test; the context drops it. -ENOTSUP from
 *  its maker is UNSUPPORTED. */
enum xc_verdict xc_make(struct xc_case_context *cc, const struct xp_params *params,
			struct xp_object *ret_object);

/** xc_drop_last() - Drop the object that was made last, before the end of the case: for cases that
 *  make one a round. No process uses it any more. */
void xc_drop_last(struct xc_case_context *cc);

/* ---- crews ------------------------------------------------------------------------------------ */

/** xc_start() - Start @members that run @body and open the gate once all have arrived. */
enum xc_verdict xc_start(struct xc_case_context *cc, int members, xp_member_body *body, void *arg);
/** xc_await() - Member @index has reached @checkpoint. */
enum xc_verdict xc_await(struct xc_case_context *cc, int index, uint32_t checkpoint);
/** xc_blocked() - Member @index has reached @checkpoint and sleeps in a call since. */
enum xc_verdict xc_blocked(struct xc_case_context *cc, int index, uint32_t checkpoint);
/** xc_ends() - Member @index ends, without complaint. */
enum xc_verdict xc_ends(struct xc_case_context *cc, int index);
/** xc_kill() - SIGKILL member @index and see it gone. */
enum xc_verdict xc_kill(struct xc_case_context *cc, int index);
/** xc_join() - All members that were not killed end, without complaint; then the crew is dismissed. */
enum xc_verdict xc_join(struct xc_case_context *cc);

/** xc_tally() - Count @slot of member @index. */
int64_t xc_tally(const struct xc_case_context *cc, int index, int slot);

/* ---- time ------------------------------------------------------------------------------------- */

/** xc_patience() - A deadline for what must happen. */
struct timespec xc_patience(void);
/** xc_brief() - A deadline for what must not happen before it. */
struct timespec xc_brief(void);
/** xc_time_scale() - How many times slower than usual this build and environment are: a sanitizer, and
 *  XP_TIMEOUT_MULTIPLIER. */
unsigned xc_time_scale(void);

/** xc_pause_us() - Wait for @microseconds; for kills at random moments only, never to order anything. */
void xc_pause_us(unsigned microseconds);

/** xc_random() - Next of a small generator (SplitMix64); @state is its seed. */
uint64_t xc_random(uint64_t *state);

/** xc_dither() - Waste a little time, now and then the rest of the time slice: to be called where two
 *  members must not be at once, so that they are if nothing keeps them apart, on one CPU too. */
void xc_dither(uint64_t *state);

/** xc_fill(), xc_filled() - A pattern that depends on @seed in every byte, and whether it is intact. */
void xc_fill(void *buffer, size_t size, uint64_t seed);
bool xc_filled(const void *buffer, size_t size, uint64_t seed);

#endif
