/* SPDX-License-Identifier: MIT */
/* What a server counts about itself, and that a client is told it. */
#include "xpshare/manager/proxy_kind.h"
#include "xpshare/manager/stats.h"

#include "xpshare/base/clock.h"
#include "xpshare/proc/blocked.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(stats, .timeout = 60);

/* ---- histograms -------------------------------------------------------------------------------- */

Test(stats, a_percentile_is_at_most_a_quarter_too_high)
{
	for (uint64_t ns = 1; ns < UINT64_C(1) << 39; ns = ns * 5 / 4 + 1) {
		struct xp_histogram histogram = {0};

		xp_histogram_add(&histogram, (int64_t)ns);
		/* One far above, so that the longest does not cap it. */
		xp_histogram_add(&histogram, (int64_t)(4 * ns));
		uint64_t half = xp_histogram_percentile(&histogram, 50);

		cr_assert(half >= ns && half - ns <= ns / 4, "%llu for %llu",
			  (unsigned long long)half, (unsigned long long)ns);
		cr_assert_eq(xp_histogram_percentile(&histogram, 100), 4 * ns);
	}
}

Test(stats, percentiles_are_ranks)
{
	struct xp_histogram histogram = {0};

	cr_assert_eq(xp_histogram_percentile(&histogram, 50), 0);
	for (int i = 0; i < 990; i++)
		xp_histogram_add(&histogram, 3);
	for (int i = 0; i < 10; i++)
		xp_histogram_add(&histogram, 1000000);
	cr_assert_eq(xp_histogram_percentile(&histogram, 50), 3);
	cr_assert_eq(xp_histogram_percentile(&histogram, 99), 3);
	cr_assert(xp_histogram_percentile(&histogram, 99.9) >= 1000000);
	cr_assert_eq(histogram.longest, 1000000);
}

Test(stats, no_duration_is_out_of_range)
{
	struct xp_histogram histogram = {0};

	xp_histogram_add(&histogram, -5);
	xp_histogram_add(&histogram, INT64_MAX);
	cr_assert_eq(histogram.count, 2);
	cr_assert_eq(xp_histogram_percentile(&histogram, 50), 0);
	cr_assert_eq(xp_histogram_percentile(&histogram, 100), INT64_MAX);
}

Test(stats, one_call_in_sixteen_is_timed)
{
	struct xp_stats stats;
	int picked = 0;

	xp_stats_init(&stats);
	cr_assert(xp_sampler_picks(&stats.serving));
	for (int i = 0; i < 160000; i++)
		picked += xp_sampler_picks(&stats.serving);
	cr_assert(picked > 9000 && picked < 11000, "%d", picked);
}

/* ---- a server ---------------------------------------------------------------------------------- */

static struct xp_manager *manager;

static void start(void)
{
	const char *model = getenv("XP_TEST_SERVER");
	struct xp_server_options options = {0};

	if (model && !strcmp(model, "thread"))
		options.model = XP_SERVER_THREAD;
	cr_assert_eq(xp_manager_start(&options, &manager), 0);
}

static void stop(void)
{
	xp_manager_close(manager);
}

/* The number at a path such as "calls.methods.list.append"; -1 where there is none. */
static int64_t number_at(const struct xp_datum *stats, const char *path)
{
	char part[64];
	int64_t number;

	while (stats && *path) {
		size_t size = strcspn(path, ".");

		snprintf(part, sizeof(part), "%.*s", (int)size, path);
		stats = xp_datum_is(stats, XP_DATUM_DICT) ? xp_datum_dict_get(stats, part) : NULL;
		path += size + (path[size] == '.');
	}
	return stats && xp_datum_to_int64(stats, &number) == 0 ? number : -1;
}

static const struct xp_datum *ask(void)
{
	struct xp_remote_error error;
	const struct xp_datum *stats;

	cr_assert_eq(xp_manager_call(manager, "stats", 0, NULL, &stats, &error), 0, "%s",
		     error.text);
	return stats;
}

Test(stats, calls_and_objects_are_counted, .init = start, .fini = stop)
{
	struct xp_proxy *lists[3];
	const struct xp_datum *stats;

	for (int i = 0; i < 3; i++)
		cr_assert_eq(xp_proxy_create(manager, "list", 0, NULL, NULL, &lists[i], NULL), 0);
	xp_proxy_drop(lists[2]);
	for (int i = 0; i < 100; i++) {
		const struct xp_datum *args[1] = {xp_datum_int(xp_proxy_arena(lists[0]), i)};

		cr_assert_eq(xp_proxy_call(lists[0], "append", 1, args, NULL, NULL, NULL), 0);
	}
	cr_assert_eq(xp_proxy_call(lists[0], "pop", 0, NULL, NULL, NULL, NULL), 0);
	cr_assert_eq(xp_proxy_call(lists[1], "pop", 0, NULL, NULL, NULL, NULL), -EREMOTEIO);
	stats = ask();
	cr_assert_eq(number_at(stats, "objects.now"), 2);
	cr_assert_eq(number_at(stats, "objects.made"), 3);
	cr_assert_eq(number_at(stats, "objects.typeids.list"), 2);
	cr_assert_eq(number_at(stats, "calls.total"), 102);
	cr_assert_eq(number_at(stats, "calls.errors"), 1);
	cr_assert_eq(number_at(stats, "calls.methods.list.append"), 100);
	cr_assert_eq(number_at(stats, "calls.methods.list.pop"), 2);
	cr_assert_eq(number_at(stats, "calls.methods.dict.get"), -1);
	cr_assert_eq(number_at(stats, "calls.functions.create"), 3);
	cr_assert_eq(number_at(stats, "calls.functions.decref"), 1);
	cr_assert(number_at(stats, "traffic.received_bytes") > 100 * 20);
	cr_assert(number_at(stats, "traffic.sent_bytes") > 100 * 10);
	cr_assert(number_at(stats, "latency.served.samples") >= 1);
	cr_assert(number_at(stats, "latency.served.longest_ns") > 0);
	cr_assert(number_at(stats, "memory.resident_bytes") > 0);
	cr_assert_eq(number_at(stats, "server.pid"), xp_manager_pid(manager));
	xp_proxy_drop(lists[0]);
	xp_proxy_drop(lists[1]);
}

static void *get_one(void *queue)
{
	return xp_proxy_call(queue, "get", 0, NULL, XP_PROXY_FOREVER, NULL, NULL) == 0 ? queue
										       : NULL;
}

Test(stats, calls_that_wait_are_counted_and_timed, .init = start, .fini = stop)
{
	struct xp_proxy *queue;
	pthread_t thread;
	void *done;

	cr_assert_eq(xp_proxy_create(manager, "Queue", 0, NULL, NULL, &queue, NULL), 0);
	cr_assert_eq(pthread_create(&thread, NULL, get_one, queue), 0);
	/* Parked in the server: only that can be asked whether it is. */
	while (number_at(ask(), "calls.waited") != 1)
		;
	cr_assert_eq(number_at(ask(), "clients.most") >= 2, true);
	const struct xp_datum *item[1] = {xp_datum_int(xp_proxy_arena(queue), 1)};

	cr_assert_eq(xp_proxy_call(queue, "put", 1, item, NULL, NULL, NULL), 0);
	pthread_join(thread, &done);
	cr_assert_eq(done, queue);
	/* The first of a server is always timed. */
	cr_assert_eq(number_at(ask(), "latency.waited.samples"), 1);
	cr_assert_eq(number_at(ask(), "calls.abandoned"), 0);
	xp_proxy_drop(queue);
}

Test(stats, refusals_are_counted_by_reason, .init = start, .fini = stop)
{
	struct xp_manager *stranger;
	const struct xp_manager_plan plan = {
	    .address = xp_manager_address(manager), .key = "wrong", .key_size = 5};

	for (int i = 0; i < 3; i++)
		cr_assert_eq(xp_manager_connect(&plan, &stranger), -EACCES);
	cr_assert_eq(number_at(ask(), "connections.refused.key"), 3);
	cr_assert_eq(number_at(ask(), "connections.refused.slow"), 0);
}
