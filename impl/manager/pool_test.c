/* SPDX-License-Identifier: MIT */
/* A bounded pool of connections against our own server in a child process. */
#include "xpshare/manager/proxy.h"

#include "xpshare/base/clock.h"
#include "xpshare/proc/child.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 8
#define BOUND	2u

static struct xp_manager *server;
static struct xp_manager *manager; /* the same one, through a pool */

static void start(void)
{
	struct xp_manager_plan plan = {.connections = BOUND};

	cr_assert_eq(xp_manager_start(NULL, &server), 0);
	plan.address = xp_manager_address(server);
	plan.key = xp_manager_key(server, &plan.key_size);
	cr_assert_eq(xp_manager_connect(&plan, &manager), 0);
}

static void stop(void)
{
	xp_manager_close(manager);
	xp_manager_close(server);
}

TestSuite(pool, .init = start, .fini = stop, .timeout = 60);

static struct xp_proxy *make(const char *typeid_)
{
	struct xp_proxy *proxy;

	cr_assert_eq(xp_proxy_create(manager, typeid_, 0, NULL, NULL, &proxy, NULL), 0);
	return proxy;
}

static bool call(struct xp_proxy *proxy, const char *method)
{
	const struct xp_datum *value;

	return xp_proxy_call(proxy, method, 0, NULL, NULL, &value, NULL) == 0 &&
	       xp_datum_truth(value);
}

static int sockets(void)
{
	DIR *list = opendir("/proc/self/fd");
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(list))) {
		char path[300], target[64] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		count += readlink(path, target, sizeof(target) - 1) > 0 &&
			 !strncmp(target, "socket:", 7);
	}
	closedir(list);
	return count;
}

struct work {
	pthread_t thread;
	struct xp_proxy *dict;
	int index;
	int rc;
	bool wrong;
};

static void *work(void *argument)
{
	struct work *work = argument;
	char key[16];

	snprintf(key, sizeof(key), "key%d", work->index);
	for (int i = 0; i < 200 && work->rc == 0 && !work->wrong; i++) {
		struct xp_datum_arena *arena = xp_proxy_arena(work->dict);
		const struct xp_datum *args[2] = {xp_datum_str(arena, key), xp_datum_int(arena, i)};
		const struct xp_datum *value;

		work->rc = xp_proxy_call(work->dict, "__setitem__", 2, args, NULL, NULL, NULL);
		if (work->rc == 0) {
			args[0] = xp_datum_str(xp_proxy_arena(work->dict), key);
			work->rc =
			    xp_proxy_call(work->dict, "__getitem__", 1, args, NULL, &value, NULL);
		}
		if (work->rc == 0) {
			/* The reply is this thread's, whoever uses the connection meanwhile. */
			sched_yield();
			work->wrong = value->integer != i;
		}
	}
	return NULL;
}

Test(pool, many_threads_share_few_connections_and_each_gets_its_own_replies)
{
	struct xp_proxy *dict = make("dict");
	struct work works[THREADS] = {0};
	int before = sockets();

	for (int i = 0; i < THREADS; i++) {
		works[i] = (struct work){.dict = dict, .index = i};
		cr_assert_eq(pthread_create(&works[i].thread, NULL, work, &works[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(works[i].thread, NULL);
		cr_expect_eq(works[i].rc, 0);
		cr_expect_not(works[i].wrong);
	}
	cr_expect_leq(sockets() - before, (int)BOUND);
	xp_proxy_drop(dict);
}

static void *acquire_and_end(void *argument)
{
	return call(argument, "acquire") ? argument : NULL;
}

static void *try_acquire(void *argument)
{
	const struct xp_datum *args[1] = {xp_datum_bool(false)};
	const struct xp_datum *value;

	if (xp_proxy_call(argument, "acquire", 1, args, NULL, &value, NULL) < 0)
		return NULL;
	return xp_datum_truth(value) ? argument : NULL;
}

static void *in_thread(void *(*body)(void *argument), void *argument)
{
	pthread_t thread;
	void *result;

	cr_assert_eq(pthread_create(&thread, NULL, body, argument), 0);
	pthread_join(thread, &result);
	return result;
}

Test(pool, a_thread_that_owns_a_lock_keeps_its_connection)
{
	struct xp_proxy *rlock = make("RLock");

	cr_assert(call(rlock, "acquire"));
	cr_assert(call(rlock, "acquire"));
	/* Through a connection of the same pool, yet nobody else's lock. */
	cr_expect_null(in_thread(try_acquire, rlock));
	cr_assert_eq(xp_proxy_call(rlock, "release", 0, NULL, NULL, NULL, NULL), 0);
	cr_expect_null(in_thread(try_acquire, rlock));
	cr_assert_eq(xp_proxy_call(rlock, "release", 0, NULL, NULL, NULL, NULL), 0);
	cr_expect_not_null(in_thread(try_acquire, rlock));
	xp_proxy_drop(rlock);
}

Test(pool, a_lock_is_freed_when_its_thread_ends)
{
	struct xp_proxy *rlock = make("RLock");

	cr_assert_not_null(in_thread(acquire_and_end, rlock));
	cr_expect(call(rlock, "acquire"));
	xp_proxy_drop(rlock);
}

/* The connections that the bound allows, each held by one thread. */
struct holder {
	pthread_t thread;
	struct xp_proxy *rlock;
	pthread_barrier_t *barrier;
};

static void *hold(void *argument)
{
	struct holder *holder = argument;

	(void)call(holder->rlock, "acquire");
	pthread_barrier_wait(holder->barrier); /* it is held */
	pthread_barrier_wait(holder->barrier); /* it may end */
	return NULL;
}

Test(pool, a_call_that_finds_no_connection_says_so_by_its_deadline)
{
	struct xp_proxy *dict = make("dict");
	struct holder holders[BOUND];
	pthread_barrier_t barrier;
	struct timespec soon;

	pthread_barrier_init(&barrier, NULL, BOUND + 1);
	for (unsigned i = 0; i < BOUND; i++) {
		holders[i] = (struct holder){.rlock = make("RLock"), .barrier = &barrier};
		cr_assert_eq(pthread_create(&holders[i].thread, NULL, hold, &holders[i]), 0);
	}
	pthread_barrier_wait(&barrier);
	soon = xp_deadline_after(50 * XP_NS_PER_MS);
	cr_expect_eq(xp_proxy_call(dict, "__len__", 0, NULL, &soon, NULL, NULL), -EBUSY);
	pthread_barrier_wait(&barrier);
	cr_expect_eq(xp_proxy_call(dict, "__len__", 0, NULL, NULL, NULL, NULL), 0);
	for (unsigned i = 0; i < BOUND; i++) {
		pthread_join(holders[i].thread, NULL);
		xp_proxy_drop(holders[i].rlock);
	}
	pthread_barrier_destroy(&barrier);
	xp_proxy_drop(dict);
}

static int use_in_child(void *argument)
{
	for (int i = 0; i < 100; i++) {
		if (xp_proxy_call(argument, "__len__", 0, NULL, NULL, NULL, NULL) < 0)
			return 1;
	}
	return 0;
}

Test(pool, a_forked_child_makes_connections_of_its_own)
{
	struct xp_proxy *dict = make("dict");
	struct xp_child child;
	int status;

	cr_assert_eq(xp_proxy_call(dict, "__len__", 0, NULL, NULL, NULL, NULL), 0);
	cr_assert_eq(xp_child_start(use_in_child, dict, &child), 0);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(xp_proxy_call(dict, "__len__", 0, NULL, NULL, NULL, NULL), 0);
	cr_assert_eq(xp_child_wait(&child, NULL, &status), 0);
	cr_expect(xp_child_ok(status), "status 0x%x", (unsigned)status);
	xp_proxy_drop(dict);
}
