/* SPDX-License-Identifier: MIT */
/* The threads of one client process on one manager: a bounded pool, and a cache (SPEC P6, P7). */
#include "conformance/cases/cases.h"
#include "conformance/subjects/subject.h"

#include "xpshare/manager/cache.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define THREADS	  6
#define BOUND	  2u
#define CALLS	  100
#define PERIOD_NS (5 * XP_NS_PER_MS)
#define AGE_NS	  (300 * XP_NS_PER_MS)

struct stage {
	struct xc_server server;
	struct xp_manager *manager;
	struct xp_proxy *value;
};

static enum xc_verdict set_up(struct xc_case_context *cc, unsigned connections, struct stage *stage)
{
	if (cc->iut->subject->python[0])
		return xc_unsupported(cc, "a client of CPython has a connection for each thread");
	XC_TRY(xc_server_start(cc, NULL, &stage->server));
	struct xp_manager_plan plan = {.address = &stage->server.address,
				       .key = XC_KEY,
				       .key_size = strlen(XC_KEY),
				       .connections = connections};
	XC_GIVES(cc, xp_manager_connect(&plan, &stage->manager), 0);
	struct xp_datum_arena *arena = xp_manager_arena(stage->manager);
	const struct xp_datum *args[] = {xp_datum_str(arena, "q"), xp_datum_int(arena, 0)};
	XC_GIVES(cc, xp_proxy_create(stage->manager, "Value", 2, args, NULL, &stage->value, NULL),
		 0);
	return XC_PASS;
}

static enum xc_verdict tear_down(struct stage *stage)
{
	xp_proxy_drop(stage->value);
	xp_manager_close(stage->manager);
	xc_server_stop(&stage->server);
	return XC_PASS;
}

static int set(struct xp_proxy *value, int64_t number)
{
	const struct xp_datum *args[] = {xp_datum_int(xp_proxy_arena(value), number)};

	return xp_proxy_call(value, "set", 1, args, NULL, NULL, NULL);
}

/* ---- the pool --------------------------------------------------------------------------------- */

struct caller {
	pthread_t thread;
	struct xp_proxy *dict;
	int index;
	int rc;
	int wrong;
};

/* Each thread uses a key of its own, so that a reply meant for another is seen. */
static void *call_on(void *argument)
{
	struct caller *caller = argument;

	for (int i = 0; i < CALLS && caller->rc == 0; i++) {
		struct xp_datum_arena *arena = xp_proxy_arena(caller->dict);
		const struct xp_datum *args[] = {xp_datum_int(arena, caller->index),
						 xp_datum_int(arena, 1000 * caller->index + i)};
		const struct xp_datum *value = NULL;

		caller->rc = xp_proxy_call(caller->dict, "__setitem__", 2, args, NULL, NULL, NULL);
		if (caller->rc < 0)
			break;
		args[0] = xp_datum_int(xp_proxy_arena(caller->dict), caller->index);
		caller->rc =
		    xp_proxy_call(caller->dict, "__getitem__", 1, args, NULL, &value, NULL);
		if (caller->rc == 0 && value->integer != 1000 * caller->index + i)
			caller->wrong++;
	}
	return NULL;
}

static enum xc_verdict pool_bound(struct xc_case_context *cc)
{
	struct caller callers[THREADS];
	struct stage stage;
	struct xp_proxy *dict;
	char number[32];

	XC_TRY(set_up(cc, BOUND, &stage));
	XC_GIVES(cc, xp_proxy_create(stage.manager, "dict", 0, NULL, NULL, &dict, NULL), 0);
	int before = xc_server_descriptors(&stage.server);
	for (int i = 0; i < THREADS; i++) {
		callers[i] = (struct caller){.dict = dict, .index = i};
		XC_GIVES(cc, pthread_create(&callers[i].thread, NULL, call_on, &callers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(callers[i].thread, NULL);
	/* Those of the pool stay open. */
	int more = xc_server_descriptors(&stage.server) - before;
	XC_REQUIRE(cc, more <= (int)BOUND, "the server has two connections more at most",
		   "it has %d more", more);
	for (int i = 0; i < THREADS; i++) {
		XC_REQUIRE(cc, callers[i].rc == 0, "every call succeeds", "%s",
			   xc_number(callers[i].rc, number));
		XC_REQUIRE(cc, callers[i].wrong == 0, "each thread gets its own replies",
			   "%d of %d are another's", callers[i].wrong, CALLS);
	}
	xp_proxy_drop(dict);
	return tear_down(&stage);
}

/* One thread acquires; what another one is told by a try is left in @entered. */
struct entrant {
	struct xp_proxy *rlock;
	int rc;
	bool entered;
};

static void *enter(void *argument)
{
	struct entrant *entrant = argument;
	const struct xp_datum *args[] = {xp_datum_bool(false)};
	const struct xp_datum *value = NULL;

	entrant->rc = xp_proxy_call(entrant->rlock, "acquire", 1, args, NULL, &value, NULL);
	entrant->entered = entrant->rc == 0 && xp_datum_truth(value);
	return NULL;
}

static enum xc_verdict enter_by_thread(struct xc_case_context *cc, struct xp_proxy *rlock,
				       bool *ret_entered)
{
	struct entrant entrant = {.rlock = rlock};
	pthread_t thread;

	XC_GIVES(cc, pthread_create(&thread, NULL, enter, &entrant), 0);
	pthread_join(thread, NULL);
	XC_GIVES(cc, entrant.rc, 0);
	*ret_entered = entrant.entered;
	return XC_PASS;
}

static enum xc_verdict pool_owner(struct xc_case_context *cc)
{
	struct stage stage;
	struct xp_proxy *rlock;
	bool entered;

	XC_TRY(set_up(cc, BOUND, &stage));
	XC_GIVES(cc, xp_proxy_create(stage.manager, "RLock", 0, NULL, NULL, &rlock, NULL), 0);
	XC_GIVES(cc, xp_proxy_call(rlock, "acquire", 0, NULL, NULL, NULL, NULL), 0);
	for (int i = 0; i < 5; i++) {
		XC_TRY(enter_by_thread(cc, rlock, &entered));
		XC_REQUIRE(cc, !entered, "an RLock that one thread owns refuses the others",
			   "thread %d of the same pool has entered it", i);
	}
	XC_GIVES(cc, xp_proxy_call(rlock, "release", 0, NULL, NULL, NULL, NULL), 0);
	/* This thread ends as its owner. */
	XC_TRY(enter_by_thread(cc, rlock, &entered));
	XC_REQUIRE(cc, entered, "released, it lets another thread in", "it does not");
	struct timespec by = xc_patience();
	const struct xp_datum *value = NULL;
	XC_GIVES(cc, xp_proxy_call(rlock, "acquire", 0, NULL, &by, &value, NULL), 0);
	XC_REQUIRE(cc, xp_datum_truth(value), "its owner has ended: it is free", "it is not");
	XC_GIVES(cc, xp_proxy_call(rlock, "release", 0, NULL, NULL, NULL, NULL), 0);
	xp_proxy_drop(rlock);
	return tear_down(&stage);
}

/* ---- the cache -------------------------------------------------------------------------------- */

static enum xc_verdict make_cache(struct xc_case_context *cc, struct stage *stage,
				  struct xp_cache **ret_cache, struct xp_cache_reader **ret_reader)
{
	struct xp_cache_plan plan = {.method = "get", .period_ns = PERIOD_NS, .age_max_ns = AGE_NS};

	XC_TRY(set_up(cc, 0, stage));
	plan.proxy = stage->value;
	XC_GIVES(cc, xp_cache_create(&plan, ret_cache), 0);
	XC_GIVES(cc, xp_cache_join(*ret_cache, ret_reader), 0);
	return XC_PASS;
}

static void drop_cache(struct xp_cache *cache, struct xp_cache_reader *reader)
{
	xp_cache_leave(reader);
	xp_cache_destroy(cache);
}

static enum xc_verdict cache_fresh(struct xc_case_context *cc)
{
	struct stage stage;
	struct xp_cache *cache;
	struct xp_cache_reader *reader;
	int64_t last = 0;

	XC_TRY(make_cache(cc, &stage, &cache, &reader));
	for (int64_t i = 1; i <= 20; i++) {
		const struct xp_datum *seen = NULL;
		struct timespec by = xc_patience();
		XC_GIVES(cc, set(stage.value, i), 0);
		do {
			XC_GIVES(cc, xp_cache_read(reader, &seen), 0);
			XC_REQUIRE(cc, seen->integer >= last, "a reader never goes back in time",
				   "%lld after %lld", (long long)seen->integer, (long long)last);
			last = seen->integer;
			XC_REQUIRE(cc, !xp_deadline_passed(&by), "what was set is read soon",
				   "still %lld, not %lld", (long long)last, (long long)i);
		} while (last != i);
	}
	/* Asked for, it is there at once. */
	for (int64_t i = 21; i <= 40; i++) {
		const struct xp_datum *seen = NULL;
		struct timespec by = xc_patience();
		XC_GIVES(cc, set(stage.value, i), 0);
		XC_GIVES(cc, xp_cache_refresh(cache, &by), 0);
		XC_GIVES(cc, xp_cache_read(reader, &seen), 0);
		XC_REQUIRE(cc, seen->integer == i, "a refresh brings what was written before it",
			   "%lld, not %lld", (long long)seen->integer, (long long)i);
	}
	drop_cache(cache, reader);
	return tear_down(&stage);
}

static enum xc_verdict withdrawn_after(struct xc_case_context *cc, int signal)
{
	struct stage stage;
	struct xp_cache *cache;
	struct xp_cache_reader *reader;
	struct timespec by;
	int rc;

	XC_TRY(make_cache(cc, &stage, &cache, &reader));
	XC_GIVES(cc, xp_child_signal(&stage.server.child, signal), 0);
	by = xc_bound(cc);
	do {
		const struct xp_datum *seen;
		rc = xp_cache_read(reader, &seen);
		XC_REQUIRE(cc, rc < 0 || !xp_deadline_passed(&by),
			   "a value that nobody can confirm is withdrawn", "it is still read");
		poll(NULL, 0, 1);
	} while (rc == 0);
	XC_GIVES(cc, rc, signal == SIGKILL ? -ECONNRESET : -ETIMEDOUT);
	drop_cache(cache, reader);
	return tear_down(&stage);
}

static enum xc_verdict cache_killed(struct xc_case_context *cc)
{
	return withdrawn_after(cc, SIGKILL);
}

static enum xc_verdict cache_stopped(struct xc_case_context *cc)
{
	return withdrawn_after(cc, SIGSTOP);
}

#define CASE(clause_, name_, run_)                                         \
	{                                                                  \
		.clause = clause_, .name = name_, .kinds = XC_KIND_SERVER, \
		.flags = XC_NEEDS_PROCESSES, .run = run_                   \
	}

const struct xc_case xc_cases_manager_share[] = {
    CASE("manager.pool_bound", "dict", pool_bound),
    CASE("manager.pool_owner", "rlock", pool_owner),
    CASE("manager.cache_fresh", "value", cache_fresh),
    CASE("manager.cache_withdrawn", "killed", cache_killed),
    CASE("manager.cache_withdrawn", "stopped", cache_stopped),
    {0},
};
