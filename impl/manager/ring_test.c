/* SPDX-License-Identifier: MIT */
/* Calls by ring: what goes through it, what goes beside it, and what a hostile client can do. */
#include "xpshare/manager/dispatch.h"
#include "xpshare/manager/link.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/proc/blocked.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct xp_manager *manager;

/* The variable chooses the server: each test runs with both. */
static void start_with(struct xp_server_options options)
{
	const char *model = getenv("XP_TEST_SERVER");

	options.model = model && !strcmp(model, "thread") ? XP_SERVER_THREAD : XP_SERVER_EVENT;
	cr_assert_eq(xp_manager_start(&options, &manager), 0);
	xp_manager_set_ring(manager, 0, 0);
}

static void start(void)
{
	start_with((struct xp_server_options){0});
}

static void stop(void)
{
	xp_manager_close(manager);
}

TestSuite(ring, .init = start, .fini = stop, .timeout = 60);

static struct xp_proxy *make(const char *typeid_)
{
	struct xp_proxy *proxy;

	cr_assert_eq(xp_proxy_create(manager, typeid_, 0, NULL, NULL, &proxy, NULL), 0);
	return proxy;
}

static int set(struct xp_proxy *dict, const char *key, const char *text, size_t size)
{
	struct xp_datum_arena *arena = xp_proxy_arena(dict);
	const struct xp_datum *args[] = {xp_datum_str(arena, key),
					 xp_datum_borrow(arena, XP_DATUM_BYTES, text, size)};

	return xp_proxy_call(dict, "__setitem__", 2, args, NULL, NULL, NULL);
}

static void expect(struct xp_proxy *dict, const char *key, const char *text, size_t size)
{
	const struct xp_datum *args[] = {xp_datum_str(xp_proxy_arena(dict), key)};
	const struct xp_datum *value = NULL;

	cr_assert_eq(xp_proxy_call(dict, "get", 1, args, NULL, &value, NULL), 0);
	cr_assert(xp_datum_is(value, XP_DATUM_BYTES));
	cr_assert_eq(value->size, size);
	cr_assert_eq(memcmp(value->bytes, text, size), 0);
}

/* ---- what travels ------------------------------------------------------------------------------ */

Test(ring, requests_and_replies_of_any_size_arrive)
{
	static char text[1 << 20];
	struct xp_proxy *dict = make("dict");

	memset(text, 'r', sizeof(text));
	cr_assert_eq(set(dict, "a", text, 1), 0);
	cr_assert_eq(xp_manager_transport(manager), XP_TRANSPORT_RING);
	/* Below, around and far above what the ring holds. */
	for (size_t size = 1; size <= sizeof(text); size = size * 3 / 2 + 1) {
		cr_assert_eq(set(dict, "a", text, size), 0, "%zu", size);
		expect(dict, "a", text, size);
	}
	for (size_t size = 7300; size < 7600; size++) {
		cr_assert_eq(set(dict, "a", text, size), 0, "%zu", size);
		expect(dict, "a", text, size);
	}
	cr_assert_eq(xp_manager_transport(manager), XP_TRANSPORT_RING);
	xp_proxy_drop(dict);
}

Test(ring, many_calls_go_around_it)
{
	struct xp_proxy *dict = make("dict");
	char text[64];

	for (int i = 0; i < 5000; i++) {
		size_t size = (size_t)snprintf(text, sizeof(text), "%d", i * 7919);

		cr_assert_eq(set(dict, "key", text, size), 0);
		expect(dict, "key", text, size);
	}
	xp_proxy_drop(dict);
}

/* Longer than a nap: the client goes to sleep on the stream, and is nudged. */
Test(ring, a_call_that_blocks_long_returns)
{
	struct xp_proxy *event = make("Event");
	static char text[20000];
	const struct xp_datum *value;

	for (int i = 0; i < 5; i++) {
		const struct xp_datum *args[] = {
		    xp_datum_float(xp_proxy_arena(event), 0.005 + 0.02 * i)};

		cr_assert_eq(xp_proxy_call(event, "wait", 1, args, XP_PROXY_FOREVER, &value, NULL),
			     0);
		cr_assert(xp_datum_is(value, XP_DATUM_BOOL));
		/* The reply of a short one, and a large one, are not confused by the nudge. */
		cr_assert_eq(xp_proxy_call(event, "is_set", 0, NULL, NULL, &value, NULL), 0);
		cr_assert(xp_datum_is(value, XP_DATUM_BOOL));
	}
	struct xp_proxy *queue = make("Queue");
	const struct xp_datum *item[] = {
	    xp_datum_borrow(xp_proxy_arena(queue), XP_DATUM_BYTES, text, sizeof(text))};
	pid_t pid = fork();

	if (pid == 0) { /* child */
		struct timespec by = xp_deadline_after(20 * XP_NS_PER_SEC);
		if (xp_blocked_until(getppid(), &by) < 0)
			_exit(1);
		item[0] =
		    xp_datum_borrow(xp_proxy_arena(queue), XP_DATUM_BYTES, text, sizeof(text));
		_exit(xp_proxy_call(queue, "put", 1, item, NULL, NULL, NULL) < 0);
	}
	/* Too large for the ring, and late: a nudge, a mark, and the frame. */
	cr_assert_eq(xp_proxy_call(queue, "get", 0, NULL, XP_PROXY_FOREVER, &value, NULL), 0);
	cr_assert_eq(value->size, sizeof(text));
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	cr_assert_eq(xp_proxy_call(queue, "qsize", 0, NULL, NULL, &value, NULL), 0);
	xp_proxy_drop(queue);
	xp_proxy_drop(event);
}

Test(ring, a_client_that_polls_is_served_too)
{
	xp_manager_set_ring(manager, XP_DUPLEX_SIZE_MIN, XP_WAIT_POLLS_DEFAULT);
	struct xp_proxy *dict = make("dict");

	for (int i = 0; i < 1000; i++)
		cr_assert_eq(set(dict, "key", "value", 5), 0);
	expect(dict, "key", "value", 5);
	xp_proxy_drop(dict);
}

Test(ring, a_server_that_spins_serves_rings_and_sockets, .init = NULL)
{
	start_with((struct xp_server_options){.polls = 10000});
	struct xp_proxy *dict = make("dict");

	for (int i = 0; i < 1000; i++)
		cr_assert_eq(set(dict, "key", "value", 5), 0);
	/* A creation is a connection of its own, by socket. */
	xp_proxy_drop(make("list"));
	xp_proxy_drop(dict);
}

static void *call_often(void *arg)
{
	struct xp_proxy *dict = arg;
	intptr_t failed = 0;

	for (int i = 0; i < 300; i++)
		failed += set(dict, "key", "value", 5) < 0;
	return (void *)(failed + (xp_manager_transport(manager) != XP_TRANSPORT_RING));
}

Test(ring, each_thread_has_its_own)
{
	struct xp_proxy *dict = make("dict");
	pthread_t threads[16];
	void *failed;

	for (int i = 0; i < 16; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, call_often, dict), 0);
	for (int i = 0; i < 16; i++) {
		pthread_join(threads[i], &failed);
		cr_assert_null(failed);
	}
	xp_proxy_drop(dict);
}

/* ---- what is refused --------------------------------------------------------------------------- */

static void expect_socket(struct xp_server_options options)
{
	start_with(options);
	struct xp_proxy *dict = make("dict");

	cr_assert_eq(set(dict, "key", "value", 5), 0);
	cr_assert_eq(xp_manager_transport(manager), XP_TRANSPORT_SOCKET);
	expect(dict, "key", "value", 5);
	xp_proxy_drop(dict);
}

Test(ring, a_server_that_takes_none_is_called_by_socket, .init = NULL)
{
	expect_socket((struct xp_server_options){.no_rings = true});
	stop();
	expect_socket((struct xp_server_options){.ring_max = XP_DUPLEX_SIZE_MIN});
	stop();
	struct xp_address tcp;

	cr_assert_eq(xp_address_parse("tcp:127.0.0.1:0", &tcp), 0);
	expect_socket((struct xp_server_options){.addresses = &tcp, .address_count = 1});
}

Test(ring, its_memory_counts_against_the_limit, .init = NULL)
{
	expect_socket((struct xp_server_options){.limits.memory = 10000});
}

/* ---- a client by hand -------------------------------------------------------------------------- */

static void dial(struct xp_conn *conn)
{
	size_t key_size;
	const void *key = xp_manager_key(manager, &key_size);
	const struct xp_datum *reply;

	xp_conn_init(conn, NULL);
	cr_assert_eq(xp_conn_open(conn, xp_manager_address(manager), NULL), 0);
	cr_assert_eq(xp_conn_authenticate(conn, XP_AUTH_CLIENT, key, key_size, NULL, NULL), 0);
	struct xp_datum_arena *arena = xp_manager_arena(manager);
	const struct xp_datum *args[1] = {xp_datum_str(arena, "test")};
	const struct xp_datum *parts[4] = {xp_datum_none(),
					   xp_datum_str(arena, "accept_connection"),
					   xp_datum_tuple(arena, 1, args), xp_datum_dict(arena)};

	cr_assert_eq(xp_conn_call(conn, xp_datum_tuple(arena, 4, parts), NULL, &reply), 0);
}

static int call(struct xp_conn *conn, struct xp_proxy *proxy, const char *method)
{
	struct xp_datum_arena *arena = xp_manager_arena(manager);
	const struct xp_datum *parts[4] = {xp_datum_str(arena, xp_proxy_ident(proxy)),
					   xp_datum_str(arena, method),
					   xp_datum_tuple(arena, 0, NULL), xp_datum_dict(arena)};
	struct timespec by = xp_deadline_after(10 * XP_NS_PER_SEC);
	const struct xp_datum *reply;

	return xp_conn_call(conn, xp_datum_tuple(arena, 4, parts), &by, &reply);
}

#define MANY 400

Test(ring, hundreds_of_them_are_served_and_given_back)
{
	static struct xp_conn conns[MANY];
	struct xp_proxy *list = make("list");

	for (int i = 0; i < MANY; i++) {
		dial(&conns[i]);
		cr_assert_eq(xp_link_hand_over(&conns[i], XP_DUPLEX_SIZE_MIN, 0, NULL), 0);
	}
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++)
			cr_assert_eq(call(&conns[i], list, "__len__"), 0);
	}
	for (int i = 0; i < MANY; i++)
		xp_conn_fini(&conns[i]);
	xp_proxy_drop(list);
}

Test(ring, a_second_one_is_refused_and_the_first_goes_on)
{
	struct xp_proxy *list = make("list");
	struct xp_conn conn;

	dial(&conn);
	cr_assert_eq(xp_link_hand_over(&conn, XP_DUPLEX_SIZE_DEFAULT, 0, NULL), 0);
	cr_assert_eq(xp_link_hand_over(&conn, XP_DUPLEX_SIZE_DEFAULT, 0, NULL), -ENOTSUP);
	cr_assert_eq(call(&conn, list, "__len__"), 0);
	xp_conn_fini(&conn);
	xp_proxy_drop(list);
}

/* Agreed, and then something else than a sealed segment of that size. */
Test(ring, a_segment_that_will_not_do_leaves_the_stream)
{
	struct xp_proxy *list = make("list");
	struct xp_conn conn;
	int loose = memfd_create("loose", MFD_CLOEXEC);
	int bell = -1;

	dial(&conn);
	struct xp_datum_arena *arena = xp_manager_arena(manager);
	const struct xp_datum *args[2] = {xp_datum_int(arena, XP_DUPLEX_VERSION),
					  xp_datum_int(arena, (int64_t)XP_DUPLEX_SIZE_DEFAULT)};
	const struct xp_datum *parts[4] = {xp_datum_none(), xp_datum_str(arena, XP_RING_METHOD),
					   xp_datum_tuple(arena, 2, args), xp_datum_dict(arena)};
	const struct xp_datum *reply;

	cr_assert_eq(xp_conn_call(&conn, xp_datum_tuple(arena, 4, parts), NULL, &reply), 0);
	cr_assert(xp_datum_is_text(reply->items[0], "#RETURN"));
	cr_assert_eq(xp_io_send_fd(conn.fd, loose, NULL), 0);
	cr_assert_eq(xp_io_recv_fd(conn.fd, NULL, &bell), -EPROTO);
	close(loose);
	cr_assert_eq(call(&conn, list, "__len__"), 0);
	xp_conn_fini(&conn);
	xp_proxy_drop(list);
}

Test(ring, garbage_ends_the_client_that_wrote_it_with_a_reason)
{
	struct xp_proxy *list = make("list");
	struct xp_conn conn;

	dial(&conn);
	cr_assert_eq(xp_link_hand_over(&conn, XP_DUPLEX_SIZE_DEFAULT, 0, NULL), 0);
	cr_assert_eq(call(&conn, list, "__len__"), 0);
	struct xp_frame_ring *out = &conn.ring->out;
	uint64_t one = 1;

	/* Published, and larger than any ring. */
	atomic_store(&out->lines[out->at].word, out->lap | (XP_FRAME_RING_SIZE - 1));
	cr_assert_eq(write(conn.ring->bell, &one, 8), 8);
	/* It is told on the stream: what was a reply's place holds no reply. */
	const struct xp_datum *reply;

	cr_assert_eq(xp_conn_recv(&conn, NULL, &reply), -EPROTO);
	xp_conn_fini(&conn);
	struct xp_proxy *other = make("list");

	cr_assert_eq(xp_proxy_call(other, "__len__", 0, NULL, NULL, NULL, NULL), 0);
	xp_proxy_drop(other);
	xp_proxy_drop(list);
}

/* ---- death ------------------------------------------------------------------------------------- */

struct blocked {
	struct xp_proxy *queue;
	_Atomic pid_t tid;
	int rc;
};

static void *block(void *arg)
{
	struct blocked *blocked = arg;

	blocked->tid = gettid();
	blocked->rc = xp_proxy_call(blocked->queue, "get", 0, NULL, XP_PROXY_FOREVER, NULL, NULL);
	return NULL;
}

Test(ring, a_killed_server_is_noticed_by_whoever_waits)
{
	struct blocked blocked = {.queue = make("Queue")};
	struct timespec by = xp_deadline_after(20 * XP_NS_PER_SEC);
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, block, &blocked), 0);
	while (!blocked.tid)
		;
	cr_assert_eq(xp_blocked_until(blocked.tid, &by), 0);
	cr_assert_eq(kill(xp_manager_pid(manager), SIGKILL), 0);
	pthread_join(thread, NULL);
	cr_assert_eq(blocked.rc, -ECONNRESET);
	cr_assert_eq(xp_proxy_call(blocked.queue, "qsize", 0, NULL, NULL, NULL, NULL), -ECONNRESET);
	xp_proxy_drop(blocked.queue);
}

Test(ring, a_stopped_server_costs_the_deadline)
{
	struct xp_proxy *list = make("list");
	struct timespec by;

	cr_assert_eq(xp_proxy_call(list, "__len__", 0, NULL, NULL, NULL, NULL), 0);
	cr_assert_eq(kill(xp_manager_pid(manager), SIGSTOP), 0);
	by = xp_deadline_after(20 * XP_NS_PER_SEC);
	cr_assert_eq(xp_stopped_until(xp_manager_pid(manager), &by), 0);
	by = xp_deadline_after(50 * XP_NS_PER_MS);
	cr_assert_eq(xp_proxy_call(list, "__len__", 0, NULL, &by, NULL, NULL), -ETIMEDOUT);
	cr_assert_eq(kill(xp_manager_pid(manager), SIGCONT), 0);
	cr_assert_eq(xp_proxy_call(list, "__len__", 0, NULL, NULL, NULL, NULL), 0);
	cr_assert_eq(xp_manager_transport(manager), XP_TRANSPORT_RING);
	xp_proxy_drop(list);
}

Test(ring, a_client_killed_in_mid_call_takes_nothing_with_it)
{
	struct xp_proxy *queue = make("Queue");
	struct timespec by = xp_deadline_after(20 * XP_NS_PER_SEC);
	const struct xp_datum *value;
	pid_t pid = fork();

	if (pid == 0) { /* child */
		(void)!xp_proxy_call(queue, "get", 0, NULL, XP_PROXY_FOREVER, NULL, NULL);
		_exit(0);
	}
	cr_assert_eq(xp_blocked_until(pid, &by), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	const struct xp_datum *item[] = {xp_datum_int(xp_proxy_arena(queue), 5)};

	cr_assert_eq(xp_proxy_call(queue, "put", 1, item, NULL, NULL, NULL), 0);
	cr_assert_eq(xp_proxy_call(queue, "get", 0, NULL, NULL, &value, NULL), 0);
	cr_assert_eq(value->integer, 5);
	xp_proxy_drop(queue);
}
