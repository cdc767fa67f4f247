/* SPDX-License-Identifier: MIT */
/* The cache against our own server in a child process. */
#include "xpshare/manager/cache.h"

#include "xpshare/base/clock.h"
#include "xpshare/proc/child.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#define MS	  XP_NS_PER_MS
#define PERIOD_NS (5 * MS)
#define AGE_NS	  (500 * MS)

static struct xp_manager *manager;
static struct xp_proxy *value;
static struct xp_cache *cache;

static void set(int64_t number)
{
	const struct xp_datum *args[1] = {xp_datum_int(xp_proxy_arena(value), number)};

	cr_assert_eq(xp_proxy_call(value, "set", 1, args, NULL, NULL, NULL), 0);
}

static void start(void)
{
	const struct xp_datum *args[2];

	cr_assert_eq(xp_manager_start(NULL, &manager), 0);
	args[0] = xp_datum_str(xp_manager_arena(manager), "q");
	args[1] = xp_datum_int(xp_manager_arena(manager), 0);
	cr_assert_eq(xp_proxy_create(manager, "Value", 2, args, NULL, &value, NULL), 0);
}

static void stop(void)
{
	xp_cache_destroy(cache);
	xp_proxy_drop(value);
	xp_manager_close(manager);
}

TestSuite(cache, .init = start, .fini = stop, .timeout = 60);

static void make(int64_t period_ns, int64_t age_max_ns)
{
	struct xp_cache_plan plan = {
	    .proxy = value, .method = "get", .period_ns = period_ns, .age_max_ns = age_max_ns};

	cr_assert_eq(xp_cache_create(&plan, &cache), 0);
}

static int64_t number_of(struct xp_cache_reader *reader)
{
	const struct xp_datum *datum = NULL;

	cr_assert_eq(xp_cache_read(reader, &datum), 0);
	return datum->integer;
}

Test(cache, what_is_read_was_true_no_longer_ago_than_the_staleness)
{
	struct xp_cache_reader *reader;

	make(PERIOD_NS, AGE_NS);
	cr_assert_eq(xp_cache_join(cache, &reader), 0);
	for (int64_t i = 1; i <= 50; i++) {
		int64_t set_ns;
		int64_t seen;

		set(i);
		set_ns = xp_clock_ns();
		do
			seen = number_of(reader);
		while (seen != i);
		/* It comes by itself, and each snapshot says when it was asked for. */
		cr_expect_geq(xp_cache_asked(reader), set_ns - 2 * AGE_NS);
	}
	xp_cache_leave(reader);
}

Test(cache, a_refresh_lets_a_thread_read_what_it_has_written)
{
	struct xp_cache_reader *reader;

	/* By itself it would come in an hour. */
	make(3600 * XP_NS_PER_SEC, 7200 * XP_NS_PER_SEC);
	cr_assert_eq(xp_cache_join(cache, &reader), 0);
	for (int64_t i = 1; i <= 100; i++) {
		set(i);
		cr_assert_eq(xp_cache_refresh(cache, NULL), 0);
		cr_assert_eq(number_of(reader), i);
	}
	xp_cache_leave(reader);
}

struct reading {
	pthread_t thread;
	_Atomic bool *end;
	_Atomic uint64_t reads;
	bool went_back;
};

static void *read_on(void *argument)
{
	struct reading *reading = argument;
	struct xp_cache_reader *reader;
	int64_t last = 0;

	if (xp_cache_join(cache, &reader) < 0)
		return NULL;
	while (!atomic_load(reading->end)) {
		const struct xp_datum *datum;

		/* Of a snapshot that was freed too early the sanitizer tells. */
		if (xp_cache_read(reader, &datum) < 0 || !xp_datum_is(datum, XP_DATUM_INT) ||
		    datum->integer < last)
			reading->went_back = true;
		else
			last = datum->integer;
		reading->reads++;
	}
	xp_cache_leave(reader);
	return NULL;
}

static bool all_have_read(const struct reading readings[4])
{
	for (int i = 0; i < 4; i++)
		if (readings[i].reads == 0)
			return false;
	return true;
}

Test(cache, many_readers_see_whole_values_in_their_order)
{
	struct reading readings[4] = {0};
	_Atomic bool end = false;

	make(3600 * XP_NS_PER_SEC, 7200 * XP_NS_PER_SEC);
	for (int i = 0; i < 4; i++) {
		readings[i].end = &end;
		cr_assert_eq(pthread_create(&readings[i].thread, NULL, read_on, &readings[i]), 0);
	}
	for (int64_t i = 1; i <= 300 || !all_have_read(readings); i++) {
		set(i);
		cr_assert_eq(xp_cache_refresh(cache, NULL), 0);
	}
	atomic_store(&end, true);
	for (int i = 0; i < 4; i++) {
		pthread_join(readings[i].thread, NULL);
		cr_expect_not(readings[i].went_back);
	}
}

/* Read until there is an error, and return it. */
static int withdrawn(struct xp_cache_reader *reader)
{
	const struct xp_datum *datum;
	int rc;

	while ((rc = xp_cache_read(reader, &datum)) == 0)
		poll(NULL, 0, 1);
	return rc;
}

Test(cache, readers_learn_that_the_manager_is_dead)
{
	struct xp_cache_reader *reader;

	make(PERIOD_NS, AGE_NS);
	cr_assert_eq(xp_cache_join(cache, &reader), 0);
	set(7);
	cr_assert_eq(xp_cache_refresh(cache, NULL), 0);
	cr_assert_eq(number_of(reader), 7);
	cr_assert_eq(kill(xp_manager_pid(manager), SIGKILL), 0);
	cr_expect_eq(withdrawn(reader), -ECONNRESET);
	cr_expect_eq(xp_cache_refresh(cache, NULL), -ECONNRESET);
	xp_cache_leave(reader);
}

Test(cache, readers_learn_that_the_manager_is_stopped_and_that_it_goes_on)
{
	struct xp_cache_reader *reader;
	int rc;

	make(PERIOD_NS, 100 * MS);
	cr_assert_eq(xp_cache_join(cache, &reader), 0);
	cr_assert_eq(kill(xp_manager_pid(manager), SIGSTOP), 0);
	cr_expect_eq(withdrawn(reader), -ETIMEDOUT);
	cr_assert_eq(kill(xp_manager_pid(manager), SIGCONT), 0);
	do
		rc = xp_cache_refresh(cache, NULL);
	while (rc < 0);
	cr_expect_eq(number_of(reader), 0);
	xp_cache_leave(reader);
}

static int read_in_child(void *argument)
{
	const struct xp_datum *datum;
	int rc = xp_cache_read(argument, &datum);

	xp_cache_leave(argument);
	if (xp_cache_refresh(cache, NULL) != -ECONNRESET)
		return 2;
	xp_cache_destroy(cache);
	return rc == -ECONNRESET ? 0 : 1;
}

Test(cache, a_forked_child_reads_nothing_that_nobody_refreshes)
{
	struct xp_cache_reader *reader;
	struct xp_child child;
	int status;

	make(PERIOD_NS, AGE_NS);
	cr_assert_eq(xp_cache_join(cache, &reader), 0);
	set(5);
	cr_assert_eq(xp_cache_refresh(cache, NULL), 0);
	cr_assert_eq(number_of(reader), 5);
	cr_assert_eq(xp_child_start(read_in_child, reader, &child), 0);
	cr_assert_eq(xp_child_wait(&child, NULL, &status), 0);
	cr_expect(xp_child_ok(status), "status 0x%x", (unsigned)status);
	set(6);
	cr_assert_eq(xp_cache_refresh(cache, NULL), 0);
	cr_expect_eq(number_of(reader), 6);
	xp_cache_leave(reader);
}

Test(cache, what_cannot_be_cached_is_refused)
{
	struct xp_cache_plan plan = {.proxy = value, .method = "get", .period_ns = 0};

	cr_expect_eq(xp_cache_create(&plan, &cache), -EINVAL);
	plan.period_ns = plan.age_max_ns = MS * 100;
	plan.method = "no_such_method";
	cr_expect_eq(xp_cache_create(&plan, &cache), -EREMOTEIO);
	cr_expect_null(cache);
}
