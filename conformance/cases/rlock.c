/* SPDX-License-Identifier: MIT */
#include "conformance/cases/cases.h"

#include <pthread.h>
#include <string.h>

#define DEPTH 5

enum { OWNS = 2 };

static int find_held(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_try_acquire(arg), -EBUSY);
	return 0;
}

static int find_free(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_try_acquire(arg), 0);
	XM_GIVES(me, xp_lock_release(arg), 0);
	return 0;
}

static enum xc_verdict reentrant(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	for (int i = 0; i < DEPTH; i++) {
		struct timespec by = xc_brief();
		if (i % 3 == 0)
			XC_GIVES(cc, xp_lock_acquire(lock), 0);
		else if (i % 3 == 1)
			XC_GIVES(cc, xp_lock_try_acquire(lock), 0);
		else
			XC_GIVES(cc, xp_lock_acquire_until(lock, &by), 0);
	}
	for (int i = 0; i < DEPTH; i++) {
		XC_TRY(xc_start(cc, 1, find_held, lock));
		XC_TRY(xc_join(cc));
		XC_GIVES(cc, xp_lock_release(lock), 0);
	}
	XC_GIVES(cc, xp_lock_release(lock), -EPERM);
	XC_TRY(xc_start(cc, 1, find_free, lock));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static int release_refused(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_release(arg), -EPERM);
	XM_GIVES(me, xp_lock_try_acquire(arg), -EBUSY);
	return 0;
}

static enum xc_verdict owner(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	XC_GIVES(cc, xp_lock_acquire(lock), 0);
	XC_GIVES(cc, xp_lock_acquire(lock), 0);
	XC_TRY(xc_start(cc, 1, release_refused, lock));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_lock_release(lock), 0);
	XC_GIVES(cc, xp_lock_release(lock), 0);
	return XC_PASS;
}

struct stranger {
	struct xp_lock *lock;
	int try, release;
};

static void *be_stranger(void *arg)
{
	struct stranger *s = arg;

	s->try = xp_lock_try_acquire(s->lock);
	s->release = xp_lock_release(s->lock);
	return NULL;
}

static enum xc_verdict owner_thread(struct xc_case_context *cc)
{
	struct xp_object object;
	pthread_t thread;

	XC_TRY(xc_make(cc, NULL, &object));
	struct stranger s = {.lock = &object.as.lock};
	XC_GIVES(cc, xp_lock_acquire(s.lock), 0);
	if (pthread_create(&thread, NULL, be_stranger, &s) != 0)
		return xc_unresolved(cc, "no thread can be started");
	pthread_join(thread, NULL);
	XC_GIVES(cc, s.try, -EBUSY);
	XC_GIVES(cc, s.release, -EPERM);
	XC_GIVES(cc, xp_lock_release(s.lock), 0);
	/* And the other way round: a thread that has ended owns nothing that a later one inherits. */
	XC_GIVES(cc, xp_lock_release(s.lock), -EPERM);
	return XC_PASS;
}

/* The member is a child forked while its parent owned the lock. */
static enum xc_verdict child(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	XC_GIVES(cc, xp_lock_acquire(lock), 0);
	XC_TRY(xc_start(cc, 2, find_held, lock));
	XC_TRY(xc_join(cc));
	XC_TRY(xc_start(cc, 2, release_refused, lock));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_lock_acquire(lock), 0);
	XC_GIVES(cc, xp_lock_release(lock), 0);
	XC_GIVES(cc, xp_lock_release(lock), 0);
	return XC_PASS;
}

static int own_for_ever(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	for (int i = 0; i < DEPTH; i++)
		XM_GIVES(me, xp_lock_acquire(arg), 0);
	xp_member_reach(me, OWNS);
	for (;;)
		xc_pause_us(500000);
}

static enum xc_verdict owner_died(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_lock *lock = &object.as.lock;
	XC_TRY(xc_start(cc, 1, own_for_ever, lock));
	XC_TRY(xc_await(cc, 0, OWNS));
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(xc_join(cc));
	struct timespec by = xc_patience();
	int rc = xp_lock_acquire_until(lock, &by);
	/* A manager sees the end of the connection and frees the lock by itself (SPEC X3). */
	if (cc->iut->scope == XP_SCOPE_MANAGED)
		XC_REQUIRE(cc, rc == 0 || rc == -EOWNERDEAD, "the lock can be acquired",
			   "acquire returns -%s", strerrorname_np(-rc));
	else
		XC_GIVES(cc, rc, -EOWNERDEAD);
	XC_TRY(xc_start(cc, 1, find_held, lock));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_lock_release(lock), 0);
	XC_TRY(xc_start(cc, 1, find_free, lock));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

const struct xc_case xc_cases_rlock[] = {
    {.clause = "rlock.reentrant", .name = "depth", .kinds = XC_KIND(RLOCK), .run = reentrant},
    {.clause = "rlock.owner", .name = "child", .kinds = XC_KIND(RLOCK), .run = owner},
    {.clause = "rlock.owner_thread",
     .name = "thread",
     .kinds = XC_KIND(RLOCK),
     .run = owner_thread},
    {.clause = "rlock.child",
     .name = "fork",
     .kinds = XC_KIND(RLOCK),
     .flags = XC_NEEDS_PROCESSES,
     .run = child},
    {.clause = "rlock.owner_died",
     .name = "deep",
     .kinds = XC_KIND(RLOCK),
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = owner_died},
    {0},
};
