/* SPDX-License-Identifier: MIT */
/* What the server does with peers that are silent, slow, greedy or wrong: the others notice nothing. */
#include "xpshare/manager/proxy_kind.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/proc/blocked.h"
#include "xpshare/proc/child.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct xp_manager *manager;
static struct xp_proxy *witness; /* an honest client's object */

/* The variable chooses the server: each test runs with both. */
static struct xp_server_options chosen(struct xp_server_options options)
{
	const char *model = getenv("XP_TEST_SERVER");

	options.model = model && !strcmp(model, "thread") ? XP_SERVER_THREAD : XP_SERVER_EVENT;
	return options;
}

static void start_with(const struct xp_server_options *options)
{
	struct xp_server_options both = chosen(*options);

	cr_assert_eq(xp_manager_start(&both, &manager), 0);
	cr_assert_eq(xp_proxy_create(manager, "Event", 0, NULL, NULL, &witness, NULL), 0);
}

/* The server lives and serves. */
static void expect_served(void)
{
	cr_assert_eq(xp_proxy_call(witness, "is_set", 0, NULL, NULL, NULL, NULL), 0);
}

static void stop(void)
{
	expect_served();
	xp_proxy_drop(witness);
	xp_manager_close(manager);
}

static void start(void)
{
	start_with(&(struct xp_server_options){0});
}

TestSuite(server, .timeout = 120);

/* ---- raw peers --------------------------------------------------------------------------------- */

static int dial(void)
{
	const struct xp_address *address = xp_manager_address(manager);
	int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0);
	cr_assert_eq(connect(fd, (const struct sockaddr *)&address->storage, address->size), 0);
	return fd;
}

static void send_bytes(int fd, const void *bytes, size_t size)
{
	cr_assert_eq(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

static void send_frame(int fd, const void *payload, size_t size)
{
	unsigned char header[XP_FRAME_HEADER_MAX];

	send_bytes(fd, header, xp_frame_header(size, header));
	send_bytes(fd, payload, size);
}

/* One frame. Return: its size; -1 at the end of the stream. */
static ssize_t read_frame(int fd, char *payload, size_t room)
{
	unsigned char header[4];
	size_t size;

	if (xp_io_read_full(fd, header, 4, NULL) < 0)
		return -1;
	size =
	    (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
	cr_assert(size <= room, "a frame of %zu bytes", size);
	cr_assert_eq(xp_io_read_full(fd, payload, size, NULL), 0);
	return (ssize_t)size;
}

/* Reads to the end of the stream, which must come. */
static void expect_closed(int fd)
{
	char byte[256];
	ssize_t got;

	do
		got = xp_io_read_some(fd, byte, sizeof(byte), NULL);
	while (got > 0);
	cr_assert(got == -EPIPE || got == -ECONNRESET, "%zd", got);
	xp_io_close(fd);
}

/* A connection past the handshake; serving after accept_connection. */
static void dial_as_client(struct xp_conn *conn, bool serving)
{
	size_t key_size;
	const void *key = xp_manager_key(manager, &key_size);
	const struct xp_datum *reply;

	xp_conn_init(conn, NULL);
	cr_assert_eq(xp_conn_open(conn, xp_manager_address(manager), NULL), 0);
	cr_assert_eq(xp_conn_authenticate(conn, XP_AUTH_CLIENT, key, key_size, NULL, NULL), 0);
	if (!serving)
		return;
	struct xp_datum_arena *arena = xp_manager_arena(manager);
	const struct xp_datum *args[1] = {xp_datum_str(arena, "test")};
	const struct xp_datum *parts[4] = {xp_datum_none(),
					   xp_datum_str(arena, "accept_connection"),
					   xp_datum_tuple(arena, 1, args), xp_datum_dict(arena)};

	cr_assert_eq(xp_conn_call(conn, xp_datum_tuple(arena, 4, parts), NULL, &reply), 0);
}

static const struct xp_datum *request(struct xp_proxy *proxy, const char *method, size_t count,
				      const struct xp_datum *const *args)
{
	struct xp_datum_arena *arena = xp_manager_arena(manager);
	const struct xp_datum *parts[4] = {
	    xp_datum_str(arena, xp_proxy_ident(proxy)), xp_datum_str(arena, method),
	    xp_datum_tuple(arena, count, args), xp_datum_dict(arena)};

	return xp_datum_tuple(arena, 4, parts);
}

/* What a reply says: its kind, and the text where that is all there is. */
static void expect_reply(const struct xp_datum *reply, const char *kind, const char *word)
{
	cr_assert(xp_datum_is(reply, XP_DATUM_TUPLE) && reply->count == 2);
	cr_assert(xp_datum_is_text(reply->items[0], kind), "%.*s", (int)reply->items[0]->size,
		  reply->items[0]->bytes);
	if (word)
		cr_assert(memmem(reply->items[1]->bytes, reply->items[1]->size, word, strlen(word)),
			  "%.*s", (int)reply->items[1]->size, reply->items[1]->bytes);
}

/* ---- before the handshake ---------------------------------------------------------------------- */

/* Long enough for the honest client, whatever else the machine does. */
#define HANDSHAKE (2 * XP_NS_PER_SEC)

Test(server, a_silent_peer_is_given_up)
{
	start_with(&(struct xp_server_options){.handshake_ns = HANDSHAKE});
	expect_closed(dial());
	stop();
}

Test(server, half_a_frame_in_the_handshake_is_given_up)
{
	start_with(&(struct xp_server_options){.handshake_ns = HANDSHAKE});
	int fd = dial();

	send_bytes(fd, "\0\0\0\x10half", 8);
	expect_closed(fd);
	stop();
}

Test(server, a_frame_of_2_gib_in_the_handshake_is_refused, .init = start, .fini = stop)
{
	int fd = dial();

	send_bytes(fd, "\x7f\xff\xff\xff", 4);
	expect_closed(fd);
}

Test(server, a_wrong_answer_is_refused, .init = start, .fini = stop)
{
	char payload[XP_AUTH_FRAME_MAX];
	int fd = dial();

	cr_assert(read_frame(fd, payload, sizeof(payload)) > 0);
	send_frame(fd, "sixteen bytes !!", 16);
	cr_assert_eq(read_frame(fd, payload, sizeof(payload)), 9);
	cr_assert_arr_eq(payload, "#FAILURE#", 9);
	expect_closed(fd);
}

Test(server, too_many_in_the_handshake_cost_the_oldest_its_place)
{
	int fds[8];

	start_with(&(struct xp_server_options){.pending = 4});
	for (int i = 0; i < 8; i++)
		fds[i] = dial();
	for (int i = 0; i < 4; i++)
		expect_closed(fds[i]);
	/* The youngest got the places of the oldest. */
	char payload[XP_AUTH_FRAME_MAX];

	for (int i = 5; i < 8; i++) {
		cr_assert(read_frame(fds[i], payload, sizeof(payload)) > 0);
		xp_io_close(fds[i]);
	}
	stop();
}

/* ---- after it ---------------------------------------------------------------------------------- */

Test(server, a_frame_over_the_limit_is_answered_and_ends_the_connection, .init = start,
     .fini = stop)
{
	const struct xp_datum *reply;
	struct xp_conn conn;

	dial_as_client(&conn, true);
	send_bytes(conn.fd, "\x7f\xff\xff\xff", 4);
	cr_assert_eq(xp_conn_recv(&conn, NULL, &reply), 0);
	expect_reply(reply, "#TRACEBACK", "2147483647");
	cr_assert(xp_conn_recv(&conn, NULL, &reply) < 0);
	xp_conn_fini(&conn);
}

Test(server, a_malformed_pickle_is_answered_and_the_connection_goes_on, .init = start, .fini = stop)
{
	static const struct {
		const char *bytes;
		size_t size;
	} wrong[] = {
	    {"garbage", 7},
	    {"\x80\x04.", 3},	 /* nothing on the stack */
	    {"\x80\x04(((.", 6}, /* marks without end */
	    {"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff"
	     "N.",
	     13},
	    {"\x80\x04"
	     "X\xff\xff\xff\xff.",
	     8}, /* text longer than the pickle */
	    {"\x80\x04"
	     "j\xff\xff\xff\xff.",
	     8}, /* memo that is not there */
	    {"\x80\x04"
	     "cos\nsystem\n(S'true'\ntR.",
	     24}, /* a call: inert, and no request */
	    {"\x80\x04"
	     "K\x01.",
	     5},		    /* a number */
	    {"\x80\x04)N\x86.", 6}, /* two of four members */
	};
	const struct xp_datum *reply;
	struct xp_conn conn;

	dial_as_client(&conn, true);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		send_frame(conn.fd, wrong[i].bytes, wrong[i].size);
		cr_assert_eq(xp_conn_recv(&conn, NULL, &reply), 0, "%zu", i);
		expect_reply(reply, "#TRACEBACK", NULL);
	}
	cr_assert_eq(xp_conn_call(&conn, request(witness, "is_set", 0, NULL), NULL, &reply), 0);
	expect_reply(reply, "#RETURN", NULL);
	xp_conn_fini(&conn);
}

Test(server, nesting_beyond_the_limit_is_refused, .init = start, .fini = stop)
{
	enum { DEEP = 100000 };
	const struct xp_datum *reply;
	struct xp_conn conn;
	char *pickle = malloc(2 * DEEP + 8);

	/* A list in a list in a list. */
	pickle[0] = '\x80';
	pickle[1] = 4;
	memset(pickle + 2, ']', DEEP);
	memset(pickle + 2 + DEEP, 'a', DEEP - 1);
	pickle[1 + 2 * DEEP] = '.';
	dial_as_client(&conn, true);
	send_frame(conn.fd, pickle, 2 + 2 * DEEP);
	cr_assert_eq(xp_conn_recv(&conn, NULL, &reply), 0);
	expect_reply(reply, "#TRACEBACK", NULL);
	xp_conn_fini(&conn);
	free(pickle);
}

Test(server, idents_that_are_not_ours_name_nothing, .init = start, .fini = stop)
{
	static const char *const idents[] = {"", "0", "7f736ef285f0", "zz",
					     "ffffffffffffffffffffffffff"};
	struct xp_remote_error error;

	for (size_t i = 0; i < sizeof(idents) / sizeof(idents[0]); i++) {
		const struct xp_datum *args[1] = {
		    xp_datum_str(xp_manager_arena(manager), idents[i])};

		cr_assert_eq(xp_manager_call(manager, "incref", 1, args, NULL, &error), -EREMOTEIO);
		args[0] = xp_datum_str(xp_manager_arena(manager), idents[i]);
		cr_assert_eq(xp_manager_call(manager, "decref", 1, args, NULL, &error), -EREMOTEIO);
		cr_assert(strstr(error.text, "KeyError"), "%s", error.text);
	}
}

Test(server, references_given_back_too_often_are_an_error, .init = start, .fini = stop)
{
	struct xp_remote_error error;
	struct xp_proxy *proxy;

	cr_assert_eq(xp_proxy_create(manager, "list", 0, NULL, NULL, &proxy, NULL), 0);
	for (int i = 0; i < 2; i++) {
		const struct xp_datum *args[1] = {
		    xp_datum_str(xp_manager_arena(manager), xp_proxy_ident(proxy))};

		cr_assert_eq(xp_manager_call(manager, "decref", 1, args, NULL, &error),
			     i == 0 ? 0 : -EREMOTEIO);
	}
	cr_assert_eq(xp_proxy_call(proxy, "__len__", 0, NULL, NULL, NULL, &error), -ESTALE);
	xp_proxy_drop(proxy);
}

Test(server, wrong_arguments_are_the_callers_error, .init = start, .fini = stop)
{
	struct xp_remote_error error;
	struct xp_proxy *queue;
	struct xp_proxy *list;

	cr_assert_eq(xp_proxy_create(manager, "Queue", 0, NULL, NULL, &queue, NULL), 0);
	cr_assert_eq(xp_proxy_create(manager, "list", 0, NULL, NULL, &list, NULL), 0);
	cr_assert_eq(xp_proxy_call(queue, "put", 0, NULL, NULL, NULL, &error), -EREMOTEIO);
	cr_assert_str_eq(error.type, "builtins.TypeError");
	cr_assert_str_eq(error.text, "Queue.put() missing 1 required positional argument: 'item'");
	struct xp_datum_arena *arena = xp_proxy_arena(list);
	const struct xp_datum *args[4] = {xp_datum_str(arena, "x"), xp_datum_none(),
					  xp_datum_none(), xp_datum_none()};

	cr_assert_eq(xp_proxy_call(list, "__getitem__", 1, args, NULL, NULL, &error), -EREMOTEIO);
	cr_assert_str_eq(error.text, "list indices must be integers or slices, not str");
	args[0] = xp_datum_none();
	cr_assert_eq(xp_proxy_call(queue, "put", 4, args, NULL, NULL, &error), -EREMOTEIO);
	cr_assert_str_eq(error.text,
			 "Queue.put() takes from 2 to 4 positional arguments but 5 were given");
	xp_proxy_drop(queue);
	xp_proxy_drop(list);
	cr_assert_eq(xp_proxy_create(
			 manager, "Semaphore", 1,
			 (const struct xp_datum *[]){xp_datum_int(xp_manager_arena(manager), -1)},
			 NULL, &list, &error),
		     -EREMOTEIO);
	cr_assert_str_eq(error.text, "ValueError: semaphore initial value must be >= 0");
}

Test(server, a_frame_behind_a_blocked_call_waits, .init = start, .fini = stop)
{
	const struct xp_datum *reply;
	struct xp_proxy *queue;
	struct xp_conn conn;

	cr_assert_eq(xp_proxy_create(manager, "Queue", 0, NULL, NULL, &queue, NULL), 0);
	dial_as_client(&conn, true);
	cr_assert_eq(xp_conn_send(&conn, request(queue, "get", 0, NULL), NULL), 0);
	cr_assert_eq(xp_conn_send(&conn, request(queue, "qsize", 0, NULL), NULL), 0);
	cr_assert_eq(xp_blocked_until(xp_manager_pid(manager), NULL), 0);
	for (int i = 7; i < 9; i++) {
		const struct xp_datum *args[1] = {xp_datum_int(xp_proxy_arena(queue), i)};

		cr_assert_eq(xp_proxy_call(queue, "put", 1, args, NULL, NULL, NULL), 0);
	}
	cr_assert_eq(xp_conn_recv(&conn, NULL, &reply), 0);
	cr_assert_eq(reply->items[1]->integer, 7);
	cr_assert_eq(xp_conn_recv(&conn, NULL, &reply), 0);
	cr_assert(reply->items[1]->integer <= 1); /* the second item may not have been put yet */
	xp_conn_fini(&conn);
	xp_proxy_drop(queue);
}

Test(server, a_frame_behind_a_call_that_is_given_up_is_answered, .init = start, .fini = stop)
{
	struct timespec deadline = xp_deadline_after(60 * XP_NS_PER_SEC);
	const struct xp_datum *reply;
	struct xp_conn conn;

	dial_as_client(&conn, true);
	const struct xp_datum *soon[1] = {xp_datum_float(xp_manager_arena(manager), 0.1)};

	cr_assert_eq(xp_conn_send(&conn, request(witness, "wait", 1, soon), NULL), 0);
	cr_assert_eq(xp_conn_send(&conn, request(witness, "is_set", 0, NULL), NULL), 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(xp_conn_recv(&conn, &deadline, &reply), 0, "reply %d", i);
		cr_assert_eq(reply->items[1]->integer, 0);
	}
	xp_conn_fini(&conn);
}

/* While the server is busy a deadline passes, an item comes for the client that waited, and that client goes:
 * its end is seen last, because more are ready than the server takes at a time. */
Test(server, a_deadline_of_a_client_that_has_gone_unseen_passes_in_silence, .init = start,
     .fini = stop)
{
	enum { OTHERS = 300, NUMBERS = 4000000 };
	static struct xp_conn others[OTHERS];
	struct timespec deadline = xp_deadline_after(60 * XP_NS_PER_SEC);
	struct xp_datum_arena *arena = xp_manager_arena(manager);
	const struct xp_datum *reply;
	struct xp_proxy *queue;
	struct xp_proxy *list;
	struct xp_conn waiting;

	cr_assert_eq(xp_proxy_create(manager, "Queue", 0, NULL, NULL, &queue, NULL), 0);
	cr_assert_eq(xp_proxy_create(manager, "list", 0, NULL, NULL, &list, NULL), 0);
	struct xp_datum *numbers = xp_datum_container(arena, XP_DATUM_LIST, NUMBERS);
	struct xp_datum *one = xp_datum_int(arena, 1);

	for (size_t i = 0; i < NUMBERS; i++)
		xp_datum_put(numbers, i, one);
	cr_assert_eq(xp_proxy_call(list, "extend", 1, (const struct xp_datum *[]){numbers},
				   &deadline, NULL, NULL),
		     0);
	dial_as_client(&waiting, true);
	for (int i = 0; i < OTHERS; i++)
		dial_as_client(&others[i], true);
	const struct xp_datum *soon[2] = {xp_datum_bool(true), xp_datum_float(arena, 0.05)};

	cr_assert_eq(xp_conn_send(&waiting, request(queue, "get", 2, soon), NULL), 0);
	cr_assert_eq(xp_blocked_until(xp_manager_pid(manager), NULL), 0);
	cr_assert_eq(xp_conn_send(&others[0], request(list, "__repr__", 0, NULL), NULL), 0);
	const struct xp_datum *item[1] = {xp_datum_int(arena, 7)};

	cr_assert_eq(xp_conn_send(&others[1], request(queue, "put", 1, item), NULL), 0);
	for (int i = 2; i < OTHERS; i++)
		cr_assert_eq(xp_conn_send(&others[i], request(queue, "qsize", 0, NULL), NULL), 0);
	xp_conn_close(&waiting);
	for (int i = 0; i < OTHERS; i++) {
		cr_assert_eq(xp_conn_recv(&others[i], &deadline, &reply), 0, "%d", i);
		xp_conn_fini(&others[i]);
	}
	/* Nobody has taken it; of two threads the waiting one may have been the quicker, just before its client went. */
	cr_assert_eq(xp_proxy_call(queue, "qsize", 0, NULL, NULL, &reply, NULL), 0);
	if (chosen((struct xp_server_options){0}).model == XP_SERVER_EVENT)
		cr_assert_eq(reply->integer, 1);
	xp_conn_fini(&waiting);
	xp_proxy_drop(queue);
	xp_proxy_drop(list);
}

Test(server, a_client_that_never_reads_is_not_read_from, .init = start, .fini = stop)
{
	struct xp_proxy *value;
	struct xp_conn conn;
	char *large = calloc(1, 1 << 20);
	struct xp_datum_arena *arena = xp_manager_arena(manager);
	const struct xp_datum *args[2] = {xp_datum_str(arena, "c"),
					  xp_datum_borrow(arena, XP_DATUM_BYTES, large, 1 << 20)};

	cr_assert_eq(xp_proxy_create(manager, "Value", 2, args, NULL, &value, NULL), 0);
	dial_as_client(&conn, true);
	/* Ask until the server takes no more: its memory then holds one reply, not thousands. */
	struct timespec deadline = xp_deadline_after(2 * XP_NS_PER_SEC);
	int asked = 0;
	int rc;

	do
		rc = xp_conn_send(&conn, request(value, "get", 0, NULL), &deadline);
	while (rc == 0 && ++asked < 100000);
	cr_assert_eq(rc, -ETIMEDOUT, "after %d requests: %d", asked, rc);
	cr_assert_eq(xp_blocked_until(xp_manager_pid(manager), NULL), 0);
	expect_served();
	xp_conn_fini(&conn);
	xp_proxy_drop(value);
	free(large);
}

/* ---- limits ------------------------------------------------------------------------------------ */

#define DESCRIPTORS 32

Test(server, without_a_descriptor_it_refuses_in_words_and_sleeps)
{
	struct rlimit limit;
	struct rlimit low;
	char payload[XP_AUTH_FRAME_MAX + 1];
	int fds[2 * DESCRIPTORS];
	int refused = 0;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){.rlim_cur = DESCRIPTORS, .rlim_max = limit.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	start_with(&(struct xp_server_options){.connections = 10000});
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	expect_served();
	for (int i = 0; i < 2 * DESCRIPTORS; i++)
		fds[i] = dial();
	for (int i = 0; i < 2 * DESCRIPTORS; i++) {
		ssize_t size = read_frame(fds[i], payload, XP_AUTH_FRAME_MAX);

		cr_assert(size > 0);
		payload[size] = '\0';
		if (!strncmp(payload, "#CHALLENGE#", 11))
			continue;
		cr_assert_str_eq(payload, "#FAILURE# busy: the server is out of file descriptors");
		refused++;
		expect_closed(fds[i]);
		fds[i] = -1;
	}
	cr_assert(refused >= DESCRIPTORS);
	/* Nothing spins, and who was there before is served. */
	cr_assert_eq(xp_blocked_until(xp_manager_pid(manager), NULL), 0);
	expect_served();
	for (int i = 0; i < 2 * DESCRIPTORS; i++)
		xp_io_close(fds[i]);
	/* There is room again. */
	struct xp_conn conn;

	dial_as_client(&conn, true);
	xp_conn_fini(&conn);
	stop();
}

Test(server, values_beyond_the_memory_limit_raise_memory_error)
{
	struct xp_remote_error error;
	struct xp_proxy *list;
	char *large = calloc(1, 1 << 20);
	int rc = 0;

	start_with(&(struct xp_server_options){.limits.memory = 8 << 20});
	cr_assert_eq(xp_proxy_create(manager, "list", 0, NULL, NULL, &list, NULL), 0);
	for (int i = 0; i < 8 && rc == 0; i++) {
		const struct xp_datum *args[1] = {
		    xp_datum_borrow(xp_proxy_arena(list), XP_DATUM_BYTES, large, 1 << 20)};

		rc = xp_proxy_call(list, "append", 1, args, NULL, NULL, &error);
	}
	cr_assert_eq(rc, -EREMOTEIO);
	cr_assert_str_eq(error.type, "builtins.MemoryError");
	/* What was there is there, and goes when the list goes. */
	cr_assert_eq(xp_proxy_call(list, "pop", 0, NULL, NULL, NULL, NULL), 0);
	xp_proxy_drop(list);
	free(large);
	stop();
}

Test(server, objects_beyond_the_limit_are_refused)
{
	struct xp_remote_error error;
	struct xp_proxy *proxies[8];
	int made = 0;

	start_with(&(struct xp_server_options){.limits.objects = 4});
	while (made < 8 &&
	       xp_proxy_create(manager, "Lock", 0, NULL, NULL, &proxies[made], &error) == 0)
		made++;
	cr_assert_eq(made, 3);
	cr_assert(strstr(error.text, "MemoryError"), "%s", error.text);
	xp_proxy_drop(proxies[0]);
	cr_assert_eq(xp_proxy_create(manager, "Lock", 0, NULL, NULL, &proxies[0], &error), 0);
	while (made-- > 0)
		xp_proxy_drop(proxies[made]);
	stop();
}

/* ---- the end ----------------------------------------------------------------------------------- */

Test(server, a_socket_file_of_a_dead_server_is_replaced_and_of_a_living_one_not, .init = start,
     .fini = stop)
{
	struct xp_address address = *xp_manager_address(manager);
	struct xp_manager *second;
	struct xp_server_options options = {
	    .addresses = &address, .address_count = 1, .key = "k", .key_size = 1};

	cr_assert_eq(xp_manager_start(&options, &second), -EADDRINUSE);
	char path[] = "/tmp/xpshare-test-XXXXXX";
	char text[64];

	cr_assert_not_null(mkdtemp(path));
	snprintf(text, sizeof(text), "unix:%s/s", path);
	cr_assert_eq(xp_address_parse(text, &address), 0);
	cr_assert_eq(xp_manager_start(&options, &second), 0);
	cr_assert_eq(kill(xp_manager_pid(second), SIGKILL), 0);
	xp_manager_close(second);
	cr_assert_eq(access(text + 5, F_OK), 0);
	cr_assert_eq(xp_manager_start(&options, &second), 0);
	xp_manager_close(second);
	cr_assert_neq(access(text + 5, F_OK), 0);
	cr_assert_eq(rmdir(path), 0);
}

static int count_entries(const char *path)
{
	DIR *entries = opendir(path);
	int count = 0;

	for (struct dirent *entry; (entry = readdir(entries));)
		count += entry->d_name[0] != '.';
	closedir(entries);
	return count;
}

/* Starts a manager, tells its pid, and waits to be killed. */
static int start_and_wait(void *end)
{
	struct xp_server_options options = chosen((struct xp_server_options){0});
	pid_t pid;

	if (xp_manager_start(&options, &manager) < 0)
		return 1;
	pid = xp_manager_pid(manager);
	if (write(*(int *)end, &pid, sizeof(pid)) != sizeof(pid))
		return 1;
	for (;;)
		pause();
}

Test(server, what_is_left_of_one_that_was_killed_with_its_parent_is_swept_by_the_next)
{
	char path[] = "/tmp/xpshare-sweep-XXXXXX";
	struct xp_child child;
	int ends[2];
	pid_t pid;

	cr_assert_not_null(mkdtemp(path));
	setenv("TMPDIR", path, 1);
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(xp_child_start(start_and_wait, &ends[1], &child), 0);
	cr_assert_eq(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
	/* Neither can clean up: the manager goes first, and the parent is not asked. */
	cr_assert_eq(kill(child.pid, SIGSTOP), 0);
	struct pollfd gone = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(poll(&gone, 1, 20000), 1);
	cr_assert_eq(close(gone.fd), 0);
	xp_child_stop(&child);
	cr_assert_eq(count_entries(path), 1);
	start();
	/* The dead one's is gone, ours is there; and another start leaves it alone. */
	cr_assert_eq(count_entries(path), 1);
	struct xp_server_options options = chosen((struct xp_server_options){0});
	struct xp_manager *second;

	cr_assert_eq(xp_manager_start(&options, &second), 0);
	cr_assert_eq(count_entries(path), 2);
	expect_served();
	xp_manager_close(second);
	stop();
	cr_assert_eq(rmdir(path), 0);
}

Test(server, a_temporary_directory_that_takes_no_more_is_an_error)
{
	struct xp_manager *none;

	setenv("TMPDIR", "/proc", 1);
	cr_assert(xp_manager_start(NULL, &none) < 0);
	setenv("TMPDIR", "/nonexistent", 1);
	cr_assert_eq(xp_manager_start(NULL, &none), -ENOENT);
	/* A door needs none. */
	cr_assert_eq(xp_manager_start(&(struct xp_server_options){.door = true}, &none), 0);
	xp_manager_close(none);
}

Test(server, a_shutdown_request_ends_it)
{
	const struct xp_datum *value;
	struct xp_conn conn;

	start();
	dial_as_client(&conn, true);
	cr_assert_eq(xp_manager_call(manager, "shutdown", 0, NULL, &value, NULL), 0);
	cr_assert(xp_conn_recv(&conn, NULL, &value) < 0);
	xp_conn_fini(&conn);
	xp_proxy_drop(witness);
	xp_manager_close(manager);
}
