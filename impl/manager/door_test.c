/* SPDX-License-Identifier: MIT */
/* A manager behind an inherited descriptor: no address, no file. */
#include "xpshare/manager/proxy_kind.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/proc/child.h"
#include "xpshare/rpc/door.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(door, .timeout = 60);

static struct xp_manager *manager;

static struct xp_server_options behind_a_door(void)
{
	const char *model = getenv("XP_TEST_SERVER");
	struct xp_server_options options = {.door = true};

	if (model && !strcmp(model, "thread"))
		options.model = XP_SERVER_THREAD;
	return options;
}

static void start(void)
{
	struct xp_server_options options = behind_a_door();

	cr_assert_eq(xp_manager_start(&options, &manager), 0);
}

static void stop(void)
{
	xp_manager_close(manager);
}

static int64_t length_of(struct xp_proxy *list)
{
	const struct xp_datum *value;
	int64_t length = -1;

	if (xp_proxy_call(list, "__len__", 0, NULL, NULL, &value, NULL) < 0 ||
	    xp_datum_to_int64(value, &length) < 0)
		return -1;
	return length;
}

static int append(struct xp_proxy *list)
{
	const struct xp_datum *args[1] = {xp_datum_int(xp_proxy_arena(list), 1)};

	return xp_proxy_call(list, "append", 1, args, NULL, NULL, NULL);
}

Test(door, proxies_work_without_an_address, .init = start, .fini = stop)
{
	struct xp_proxy *list;

	cr_assert(xp_address_fd(xp_manager_address(manager)) >= 0);
	cr_assert_eq(xp_proxy_create(manager, "list", 0, NULL, NULL, &list, NULL), 0);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(append(list), 0);
	cr_assert_eq(length_of(list), 10);
	xp_proxy_drop(list);
}

static int append_ten(void *list)
{
	for (int i = 0; i < 10; i++) {
		if (append(list) < 0)
			return 1;
	}
	return 0;
}

static void *append_in_thread(void *list)
{
	return append_ten(list) == 0 ? list : NULL;
}

Test(door, children_and_threads_have_connections_of_their_own, .init = start, .fini = stop)
{
	struct xp_proxy *list;
	struct xp_child children[3];
	pthread_t threads[3];

	cr_assert_eq(xp_proxy_create(manager, "list", 0, NULL, NULL, &list, NULL), 0);
	cr_assert_eq(append(list), 0);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(xp_child_start(append_ten, list, &children[i]), 0);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, append_in_thread, list), 0);
	for (int i = 0; i < 3; i++) {
		void *done;
		int status;

		cr_assert_eq(xp_child_wait(&children[i], NULL, &status), 0);
		cr_assert_eq(status, 0);
		pthread_join(threads[i], &done);
		cr_assert_eq(done, list);
	}
	cr_assert_eq(length_of(list), 61);
	xp_proxy_drop(list);
}

Test(door, a_dead_manager_is_noticed_at_once, .init = start, .fini = stop)
{
	struct xp_proxy *list;

	cr_assert_eq(xp_proxy_create(manager, "list", 0, NULL, NULL, &list, NULL), 0);
	cr_assert_eq(append(list), 0);
	kill(xp_manager_pid(manager), SIGKILL);
	cr_assert_eq(append(list), -ECONNRESET);
	cr_assert_eq(append(list), -ECONNRESET);
	xp_proxy_drop(list);
}

/* A server process of which the only trace is a door. Its copy of the clients' end has to go. */
static int serve(void *argument)
{
	const int *ends = argument;
	struct xp_server_options options = behind_a_door();
	struct xp_address address = xp_address_of_fd(ends[0]);
	struct xp_registry *registry;
	struct xp_server *server;
	int rc = xp_registry_create(&registry);

	close(ends[1]);
	options.addresses = &address;
	options.address_count = 1;
	options.registry = registry;
	options.key = "key";
	options.key_size = 3;
	if (rc == 0)
		rc = xp_registry_add_builtins(registry);
	if (rc == 0)
		rc = xp_server_create(&options, &server);
	if (rc < 0)
		return 1;
	rc = xp_server_run(server);
	xp_server_destroy(server);
	xp_registry_destroy(registry);
	return rc < 0;
}

Test(door, a_server_that_nobody_can_reach_any_more_ends)
{
	struct timespec soon = xp_deadline_after(20 * XP_NS_PER_SEC);
	struct xp_address address;
	struct xp_manager *reached;
	struct xp_child child;
	struct xp_proxy *list;
	int ends[2];
	int status;

	cr_assert_eq(xp_door_create(&ends[0], &ends[1]), 0);
	cr_assert_eq(xp_child_start(serve, ends, &child), 0);
	close(ends[0]);
	address = xp_address_of_fd(ends[1]);
	const struct xp_manager_plan plan = {.address = &address, .key = "key", .key_size = 3};

	cr_assert_eq(xp_manager_connect(&plan, &reached), 0);
	cr_assert_eq(xp_proxy_create(reached, "list", 0, NULL, NULL, &list, NULL), 0);
	cr_assert_eq(append(list), 0);
	xp_proxy_drop(list);
	xp_manager_close(reached);
	close(ends[1]);
	cr_assert_eq(xp_child_wait(&child, &soon, &status), 0);
	cr_assert_eq(status, 0);
}
