/* SPDX-License-Identifier: MIT */
#include "conformance/case.h"

#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PATIENCE_NS  (20 * XP_NS_PER_SEC)
#define BRIEF_NS     (30 * XP_NS_PER_MS)
#define JOIN_LOOK_NS (10 * XP_NS_PER_MS) /* how long one member's end hides another's failure */

/* A build under a sanitizer is slower by about this much. */
#if defined(__SANITIZE_THREAD__)
#define BUILD_SCALE 4
#elif defined(__SANITIZE_ADDRESS__)
#define BUILD_SCALE 2
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define BUILD_SCALE 4
#endif
#endif
#ifndef BUILD_SCALE
#define BUILD_SCALE 1
#endif

unsigned xc_time_scale(void)
{
	const char *text = getenv("XP_TIMEOUT_MULTIPLIER");
	unsigned long asked = text ? strtoul(text, NULL, 10) : 1;

	if (asked < 1)
		asked = 1;
	if (asked > 1000)
		asked = 1000;
	return (unsigned)asked * BUILD_SCALE;
}

struct timespec xc_patience(void)
{
	return xp_deadline_after(PATIENCE_NS * xc_time_scale());
}

struct timespec xc_brief(void)
{
	return xp_deadline_after(BRIEF_NS);
}

void xc_pause_us(unsigned microseconds)
{
	struct timespec pause = {.tv_nsec = (long)microseconds * 1000};

	ppoll(NULL, 0, &pause, NULL);
}

uint64_t xc_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void xc_dither(uint64_t *state)
{
	uint64_t draw = xc_random(state) % 64;

	if (draw == 0)
		sched_yield();
	for (; draw > 0; draw--)
		atomic_signal_fence(memory_order_seq_cst);
}

void xc_fill(void *buffer, size_t size, uint64_t seed)
{
	unsigned char *bytes = buffer;
	uint64_t word = 0;

	for (size_t i = 0; i < size; i++) {
		if (i % 8 == 0)
			word = xc_random(&seed);
		bytes[i] = (unsigned char)(word >> (i % 8 * 8));
	}
}

bool xc_filled(const void *buffer, size_t size, uint64_t seed)
{
	const unsigned char *bytes = buffer;
	uint64_t word = 0;

	for (size_t i = 0; i < size; i++) {
		if (i % 8 == 0)
			word = xc_random(&seed);
		if (bytes[i] != (unsigned char)(word >> (i % 8 * 8)))
			return false;
	}
	return true;
}

/* ---- verdicts --------------------------------------------------------------------------------- */

const char *xc_number(int64_t number, char buffer[32])
{
	const char *name = number < 0 && number > -4096 ? strerrorname_np((int)-number) : NULL;

	if (name)
		snprintf(buffer, 32, "-%s", name);
	else
		snprintf(buffer, 32, "%" PRId64, number);
	return buffer;
}

enum xc_verdict xc_fail(struct xc_case_context *cc, const char *expected, const char *actual, ...)
{
	char text[XC_DETAIL_MAX / 2];
	va_list args;

	va_start(args, actual);
	vsnprintf(text, sizeof(text), actual, args);
	va_end(args);
	snprintf(cc->detail, XC_DETAIL_MAX, "expected: %s\nactual:   %s", expected, text);
	return XC_FAIL;
}

enum xc_verdict xc_fail_rc(struct xc_case_context *cc, const char *call, int64_t want, int64_t got)
{
	char wanted[32], gotten[32];

	snprintf(cc->detail, XC_DETAIL_MAX, "expected: %s returns %s\nactual:   it returns %s",
		 call, xc_number(want, wanted), xc_number(got, gotten));
	return XC_FAIL;
}

static enum xc_verdict say(struct xc_case_context *cc, enum xc_verdict verdict, const char *why,
			   va_list args)
{
	vsnprintf(cc->detail, XC_DETAIL_MAX, why, args);
	return verdict;
}

enum xc_verdict xc_unresolved(struct xc_case_context *cc, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	enum xc_verdict verdict = say(cc, XC_UNRESOLVED, why, args);
	va_end(args);
	return verdict;
}

enum xc_verdict xc_unsupported(struct xc_case_context *cc, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	enum xc_verdict verdict = say(cc, XC_UNSUPPORTED, why, args);
	va_end(args);
	return verdict;
}

int xc_member_rc(struct xp_member *me, const char *call, int64_t want, int64_t got)
{
	char wanted[32], gotten[32];

	return xp_member_fail(me, "%s returns %s, not %s", call, xc_number(got, gotten),
			      xc_number(want, wanted));
}

/* ---- objects ---------------------------------------------------------------------------------- */

enum xc_verdict xc_make(struct xc_case_context *cc, const struct xp_params *params,
			struct xp_object *ret_object)
{
	char number[32];

	if (!cc->placed) {
		struct xp_place_plan plan = {.managed = cc->iut->scope == XP_SCOPE_MANAGED};
		int rc = xp_place_open(&cc->place, &plan);
		if (rc < 0)
			return xc_fail(cc, "a place for objects can be opened",
				       "xp_place_open() returns %s", xc_number(rc, number));
		cc->placed = true;
	}
	if (cc->objects_count == XC_OBJECTS_MAX)
		return xc_fail(cc, "a case makes few objects", "it makes more than %d",
			       XC_OBJECTS_MAX);
	int rc = xp_object_make(cc->iut->impl, &cc->place, params, ret_object);
	if (rc == -ENOTSUP)
		return xc_unsupported(cc, "%s cannot be made with these parameters", cc->iut->name);
	if (rc < 0)
		return xc_fail(cc, "an object of it can be made", "its maker returns %s",
			       xc_number(rc, number));
	cc->objects[cc->objects_count++] = *ret_object;
	return XC_PASS;
}

void xc_drop_last(struct xc_case_context *cc)
{
	xp_object_drop(&cc->objects[--cc->objects_count]);
}

/* ---- crews ------------------------------------------------------------------------------------ */

static enum xc_verdict member_failed(struct xc_case_context *cc, int index)
{
	int status = cc->crew.statuses[index];
	const char *text = cc->crew.page->tally[index].text;

	if (WIFSIGNALED(status))
		return xc_fail(cc, "every member of the crew ends well", "member %d died of SIG%s",
			       index, sigabbrev_np(WTERMSIG(status)));
	if (text[0])
		return xc_fail(cc, "every check of a member holds", "member %d: %s", index, text);
	return xc_fail(cc, "every member of the crew ends well", "member %d ended with status %d",
		       index, WEXITSTATUS(status));
}

static enum xc_verdict crew_rc(struct xc_case_context *cc, int index, int rc, const char *expected)
{
	char number[32];

	if (rc == 0)
		return XC_PASS;
	if (rc == -ESRCH && cc->crew.ended[index] && !xp_child_ok(cc->crew.statuses[index]))
		return member_failed(cc, index);
	if (rc == -ETIMEDOUT)
		return xc_fail(cc, expected, "member %d has not after %d s; it is at checkpoint %u",
			       index, (int)(PATIENCE_NS / XP_NS_PER_SEC) * (int)xc_time_scale(),
			       atomic_load(&cc->crew.page->tally[index].reached) & 0x7fffffffu);
	return xc_fail(cc, expected, "waiting for member %d returns %s", index,
		       xc_number(rc, number));
}

enum xc_verdict xc_start(struct xc_case_context *cc, int members, xp_member_body *body, void *arg)
{
	struct timespec by = xc_patience();
	struct xp_crew_plan plan = {
	    .members = members, .carrier = cc->carrier, .body = body, .arg = arg};
	char number[32];

	int rc = xp_crew_start(&cc->crew, &plan);
	if (rc < 0)
		return xc_unresolved(cc, "a crew of %d cannot be started: %s", members,
				     xc_number(rc, number));
	cc->manned = true;
	memset(cc->killed, 0, sizeof(cc->killed));
	rc = xp_crew_open_gate(&cc->crew, &by);
	if (rc == 0)
		return XC_PASS;
	for (int i = 0; i < members; i++) {
		if (cc->crew.ended[i])
			return member_failed(cc, i);
	}
	return xc_fail(cc, "all members arrive at the start gate", "the gate says %s",
		       xc_number(rc, number));
}

enum xc_verdict xc_await(struct xc_case_context *cc, int index, uint32_t checkpoint)
{
	struct timespec by = xc_patience();

	return crew_rc(cc, index, xp_crew_await(&cc->crew, index, checkpoint, &by),
		       "a member gets on to its next checkpoint");
}

enum xc_verdict xc_blocked(struct xc_case_context *cc, int index, uint32_t checkpoint)
{
	struct timespec by = xc_patience();

	XC_TRY(xc_await(cc, index, checkpoint));
	pid_t tid = atomic_load(&cc->crew.page->tally[index].tid);
	int rc = xp_blocked_until(tid, &by);
	if (rc == -ESRCH) {
		/* It has ended where it should sleep: its own complaint is the best explanation. */
		(void)!xp_crew_wait(&cc->crew, index, &by);
	}
	return crew_rc(cc, index, rc, "the member blocks in its call");
}

enum xc_verdict xc_ends(struct xc_case_context *cc, int index)
{
	struct timespec by = xc_patience();

	XC_TRY(crew_rc(cc, index, xp_crew_wait(&cc->crew, index, &by),
		       "the member gets its answer and ends"));
	return xp_child_ok(cc->crew.statuses[index]) ? XC_PASS : member_failed(cc, index);
}

enum xc_verdict xc_kill(struct xc_case_context *cc, int index)
{
	struct timespec by = xc_patience();

	cc->killed[index] = true;
	int rc = xp_crew_signal(&cc->crew, index, SIGKILL);
	if (rc < 0 && rc != -ESRCH)
		return crew_rc(cc, index, rc, "a member can be killed");
	return crew_rc(cc, index, xp_crew_wait(&cc->crew, index, &by), "a killed member ends");
}

/* Look at all members that still run; the first failure decides, so that the ones that it has left
 * waiting need not be waited for. */
static enum xc_verdict look_at_members(struct xc_case_context *cc, int *ret_running)
{
	*ret_running = -1;
	for (int i = 0; i < cc->crew.plan.members; i++) {
		struct timespec now = xp_deadline_after(0);
		if (cc->killed[i])
			continue;
		int rc = xp_crew_wait(&cc->crew, i, &now);
		if (rc == -ETIMEDOUT)
			*ret_running = i;
		else if (rc < 0)
			return crew_rc(cc, i, rc, "the member ends");
		else if (!xp_child_ok(cc->crew.statuses[i]))
			return member_failed(cc, i);
	}
	return XC_PASS;
}

enum xc_verdict xc_join(struct xc_case_context *cc)
{
	struct timespec by = xc_patience();
	int running;

	for (;;) {
		XC_TRY(look_at_members(cc, &running));
		if (running < 0)
			break;
		if (xp_deadline_passed(&by))
			return crew_rc(cc, running, -ETIMEDOUT, "all members end");
		struct timespec look = xp_deadline_after(JOIN_LOOK_NS);
		(void)!xp_crew_wait(&cc->crew, running, &look);
	}
	xp_crew_fini(&cc->crew);
	cc->manned = false;
	return XC_PASS;
}

int64_t xc_tally(const struct xc_case_context *cc, int index, int slot)
{
	return atomic_load(&cc->crew.page->tally[index].count[slot]);
}

/* ---- running ---------------------------------------------------------------------------------- */

bool xc_case_applies(const struct xc_case *test, const struct xc_iut *iut)
{
	return (test->kinds & iut->kinds) && (!test->scopes || (test->scopes & (1u << iut->scope)));
}

const char *xc_capability_name(unsigned caps)
{
	static const struct {
		unsigned cap;
		const char *name;
	} names[] = {
	    {XP_CAP_ROBUST, "robust"},
	    {XP_CAP_CLOSE, "close"},
	    {XP_CAP_DUPLEX, "duplex"},
	    {XP_CAP_MULTI_PRODUCER, "multi_producer"},
	    {XP_CAP_MULTI_CONSUMER, "multi_consumer"},
	    {XP_CAP_ATOMIC, "atomic"},
	    {XP_CAP_LOCKED, "locked"},
	    {XP_CAP_FAIR, "fair"},
	    {XP_CAP_DESCRIPTOR, "descriptor"},
	    {XP_CAP_EXEC, "exec"},
	    {XP_CAP_OWNED, "owned"},
	    {XP_CAP_UNBOUNDED, "unbounded"},
	    {XP_CAP_DEADLINE, "deadline"},
	    {XP_CAP_UNTRUSTING, "untrusting"},
	};

	unsigned lowest = caps & -caps;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (lowest == names[i].cap)
			return names[i].name;
	}
	return "?";
}

enum xc_verdict xc_case_run(const struct xc_case *test, const struct xc_iut *iut,
			    enum xp_carrier carrier, char *detail)
{
	struct xc_case_context cc = {
	    .test = test, .iut = iut, .carrier = carrier, .detail = detail};

	detail[0] = 0;
	unsigned missing = test->caps & ~iut->caps;
	if (missing)
		return xc_unsupported(&cc, "it lacks the capability '%s'",
				      xc_capability_name(missing));
	unsigned surplus = test->lacks & iut->caps;
	if (surplus)
		return xc_unsupported(&cc, "the clause is about those without the capability '%s'",
				      xc_capability_name(surplus));
	if ((test->flags & XC_NEEDS_PROCESSES) && carrier != XP_CARRIER_PROCESS)
		return xc_unsupported(&cc, "the case needs members that are processes");

	cc.shared =
	    mmap(NULL, XC_SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (cc.shared == MAP_FAILED)
		return xc_unresolved(&cc, "no memory for the case");
	enum xc_verdict verdict = test->run(&cc);
	if (verdict == XC_FAIL)
		return verdict; /* members may be stuck: the judge sweeps up */
	if (cc.manned)
		xp_crew_fini(&cc.crew);
	while (cc.objects_count > 0)
		xp_object_drop(&cc.objects[--cc.objects_count]);
	if (cc.placed)
		xp_place_close(&cc.place);
	munmap(cc.shared, XC_SHARED_BYTES);
	return verdict;
}
