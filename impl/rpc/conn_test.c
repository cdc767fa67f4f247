/* SPDX-License-Identifier: MIT */
#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/rpc/conn.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ITEMS(...) ((const struct xp_datum *const[]){__VA_ARGS__})

static char directory[] = "/tmp/xp_conn_test.XXXXXX";
static struct xp_datum_arena arena;
static struct xp_conn client;

static void begin(void)
{
	cr_assert_not_null(mkdtemp(directory));
	xp_datum_arena_init(&arena, 0);
	xp_conn_init(&client, NULL);
}

static void end(void)
{
	xp_conn_fini(&client);
	xp_datum_arena_fini(&arena);
	rmdir(directory);
}

TestSuite(conn, .init = begin, .fini = end, .timeout = 60);

/* A server for one connection: answers each request with ("echo", request). */
static void *echo_server(void *arg)
{
	int listener = *(int *)arg;
	struct xp_conn conn;
	struct xp_datum_arena replies;
	const struct xp_datum *request;
	int fd;

	if (xp_io_wait(listener, POLLIN, NULL) < 0)
		return NULL;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	xp_conn_init(&conn, NULL);
	xp_conn_adopt(&conn, fd);
	xp_datum_arena_init(&replies, 0);
	int rc = xp_conn_authenticate(&conn, XP_AUTH_SERVER, "key", 3, NULL, NULL);
	while (rc == 0 && xp_conn_recv(&conn, NULL, &request) == 0) {
		conn.speak = xp_dialect_reply(conn.dialect);
		rc = xp_conn_send(
		    &conn,
		    xp_datum_tuple(&replies, 2, ITEMS(xp_datum_str(&replies, "echo"), request)),
		    NULL);
		xp_datum_arena_reset(&replies);
	}
	xp_datum_arena_fini(&replies);
	xp_conn_fini(&conn);
	return NULL;
}

static void converse(const char *text)
{
	struct xp_address address, bound;
	const struct xp_datum *reply;
	pthread_t thread;
	int listener;
	struct timespec deadline = xp_deadline_after(30 * XP_NS_PER_SEC);
	static char block[3 << 20];

	cr_assert_eq(xp_address_parse(text, &address), 0, "%s", text);
	cr_assert_eq(xp_listen(&address, 0, &bound, &listener), 0, "%s", text);
	cr_assert_eq(pthread_create(&thread, NULL, echo_server, &listener), 0);
	cr_assert_eq(xp_conn_open(&client, &bound, &deadline), 0, "%s", xp_conn_why(&client));
	cr_assert_eq(xp_conn_authenticate(&client, XP_AUTH_CLIENT, "key", 3, NULL, &deadline), 0,
		     "%s", xp_conn_why(&client));
	for (int i = 0; i < 20; i++) {
		/* What it has to bear: another process switches the mode of the socket. */
		cr_assert_eq(xp_io_set_nonblock(client.fd, i % 3 == 0), 0);
		const struct xp_datum *request =
		    i % 2 ? xp_datum_borrow(&arena, XP_DATUM_BYTES, block, sizeof(block))
			  : xp_datum_int(&arena, i);
		cr_assert_eq(xp_conn_call(&client, request, i % 4 ? &deadline : NULL, &reply), 0,
			     "%s", xp_conn_why(&client));
		cr_assert(xp_datum_is(reply, XP_DATUM_TUPLE));
		if (i % 2)
			cr_expect_eq(reply->items[1]->size, sizeof(block));
		else
			cr_expect_eq(reply->items[1]->integer, i);
	}
	cr_expect_eq(client.speak.protocol, 4);
	cr_expect(xp_conn_is_usable(&client));
	xp_conn_close(&client);
	cr_expect_not(xp_conn_is_usable(&client));
	pthread_join(thread, NULL);
	xp_listen_close(listener, &bound);
}

Test(conn, calls_cross_a_socket_file)
{
	char text[100];
	struct stat status;

	snprintf(text, sizeof(text), "unix:%s/s", directory);
	converse(text);
	cr_expect_eq(stat(text + 5, &status), -1); /* removed at the end */
}

Test(conn, calls_cross_an_abstract_socket)
{
	char text[100];

	snprintf(text, sizeof(text), "unix:@%s/s", directory);
	converse(text);
}

Test(conn, calls_cross_tcp)
{
	converse("tcp:127.0.0.1:0");
	struct xp_address six;
	int fd;
	if (xp_address_parse("tcp:[::1]:0", &six) == 0 && xp_listen(&six, 0, NULL, &fd) == 0) {
		xp_io_close(fd);
		converse("tcp:[::1]:0");
	}
}

Test(conn, addresses_have_one_form)
{
	static const char *const forms[][2] = {{"/tmp/x", "unix:/tmp/x"},
					       {"unix:rel", "unix:rel"},
					       {"@name", "unix:@name"},
					       {"unix:@a/b", "unix:@a/b"},
					       {"127.0.0.1:80", "tcp:127.0.0.1:80"},
					       {"tcp:[::1]:65535", "tcp:[::1]:65535"}};
	static const char *const wrong[] = {"",	       "unix:",	       "@",
					    "tcp:x",   "127.0.0.1",    "tcp::1:9",
					    "[::1]",   "tcp:1.2.3.4:", "tcp:[::1]:123456",
					    "tcp:h:9x"};
	struct xp_address address;
	char text[XP_ADDRESS_TEXT], path[200];

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		cr_assert_eq(xp_address_parse(forms[i][0], &address), 0, "%s", forms[i][0]);
		cr_expect_gt(xp_address_format(&address, text, sizeof(text)), 0);
		cr_expect_str_eq(text, forms[i][1]);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		cr_expect_eq(xp_address_parse(wrong[i], &address), -EINVAL, "%s", wrong[i]);
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[108] = 0;
	cr_expect_eq(xp_address_parse(path, &address), -ENAMETOOLONG);
	path[107] = 0;
	cr_expect_eq(xp_address_parse(path, &address), 0);
	cr_expect_eq(xp_datum_is(xp_address_datum(&address, &arena), XP_DATUM_STR), true);
}

Test(conn, a_dead_servers_file_is_replaced_and_a_living_ones_is_not)
{
	struct xp_address address;
	struct stat status;
	char text[100];
	int first, second;

	snprintf(text, sizeof(text), "unix:%s/s", directory);
	cr_assert_eq(xp_address_parse(text, &address), 0);
	cr_assert_eq(xp_listen(&address, 0, NULL, &first), 0);
	cr_assert_eq(stat(text + 5, &status), 0);
	cr_expect_eq(status.st_mode & 0777, 0600);
	cr_expect_eq(xp_listen(&address, 0, NULL, &second), -EADDRINUSE);
	cr_expect_not(xp_listen_sweep(&address));
	/* Whoever looks takes none of its places. */
	cr_expect_eq(accept(first, NULL, NULL), -1);
	cr_expect_eq(errno, EAGAIN);
	xp_io_close(first); /* as if it had been killed: the file stays */
	cr_expect_eq(xp_conn_open(&client, &address, NULL), -ECONNREFUSED);
	cr_assert_eq(xp_listen(&address, 0, NULL, &second), 0);
	xp_listen_close(second, &address);
	cr_expect_eq(xp_conn_open(&client, &address, NULL), -ENOENT);
	/* What is no socket is nobody's to remove. */
	FILE *file = fopen(text + 5, "w");
	cr_assert_not_null(file);
	fclose(file);
	cr_expect_eq(xp_listen(&address, 0, NULL, &second), -EADDRINUSE);
	cr_expect_eq(unlink(text + 5), 0);
}

/* From here on this process dies at listen(2). Return: whether the kernel can do that. */
static bool die_at_listen(void)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_listen, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = sizeof(code) / sizeof(*code), .filter = code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

Test(conn, a_server_that_died_before_it_listened_is_replaced)
{
	struct xp_address address;
	char text[100];
	int fd, status;

	snprintf(text, sizeof(text), "unix:%s/s", directory);
	cr_assert_eq(xp_address_parse(text, &address), 0);
	pid_t child = fork();
	if (child == 0)
		_exit(die_at_listen() ? xp_listen(&address, 0, NULL, &fd) != 0 : 77);
	cr_assert_eq(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("no seccomp filters here");
	cr_assert(WIFSIGNALED(status), "it did not die: %d", status);
	cr_expect_eq(access(text + 5, F_OK), 0, "it died before it bound");
	cr_expect_eq(xp_conn_open(&client, &address, NULL), -ECONNREFUSED);
	cr_assert_eq(xp_listen(&address, 0, NULL, &fd), 0);
	xp_listen_close(fd, &address);
	cr_expect_neq(access(text + 5, F_OK), 0);
}

Test(conn, who_finds_the_directory_locked_waits_and_not_for_ever)
{
	struct xp_address address;
	char text[100];
	int fd, status, ready[2];
	int locked = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	snprintf(text, sizeof(text), "unix:%s/s", directory);
	cr_assert_eq(xp_address_parse(text, &address), 0);
	cr_assert_eq(flock(locked, LOCK_EX), 0);
	int64_t begin_ns = xp_clock_ns();
	cr_expect_eq(xp_listen(&address, 0, NULL, &fd), -EBUSY);
	cr_expect_geq(xp_clock_ns() - begin_ns, XP_LISTEN_LOCK_NS);
	cr_expect_neq(access(text + 5, F_OK), 0, "it bound all the same");
	cr_assert_eq(xp_io_close(locked), -1);

	/* The lock ends with its holder. */
	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		locked = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (flock(locked, LOCK_EX) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		poll(NULL, 0, 20);
		_exit(0);
	}
	cr_assert_eq(read(ready[0], &(char){0}, 1), 1);
	cr_expect_eq(xp_listen(&address, 0, NULL, &fd), 0);
	xp_listen_close(fd, &address);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0);
	xp_io_close(ready[0]);
	xp_io_close(ready[1]);
}

Test(conn, a_full_backlog_is_left_at_the_deadline)
{
	struct xp_address address;
	struct xp_conn others[8];
	char text[100];
	int listener, rc = 0, opened = 0;

	snprintf(text, sizeof(text), "unix:@%s/full", directory);
	cr_assert_eq(xp_address_parse(text, &address), 0);
	cr_assert_eq(xp_listen(&address, 1, NULL, &listener), 0);
	while (rc == 0 && opened < 8) {
		struct timespec deadline = xp_deadline_after(20 * XP_NS_PER_MS);
		xp_conn_init(&others[opened], NULL);
		rc = xp_conn_open(&others[opened], &address, &deadline);
		opened++;
	}
	cr_expect_eq(rc, -ETIMEDOUT);
	while (opened > 0)
		xp_conn_fini(&others[--opened]);
	xp_io_close(listener);
}

/* A pair whose client end is READY without a handshake. */
static int pair(void)
{
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	xp_conn_adopt(&client, fds[0]);
	client.state = 2;
	return fds[1];
}

Test(conn, a_late_reply_is_never_taken_for_the_next_one)
{
	const struct xp_datum *reply;
	int peer = pair();
	struct timespec soon = xp_deadline_after(5 * XP_NS_PER_MS);
	static const char late[] = "\0\0\0\4\x80\x02N.";

	cr_expect_eq(xp_conn_call(&client, xp_datum_none(), &soon, &reply), -ETIMEDOUT);
	cr_expect_eq(send(peer, late, sizeof(late) - 1, MSG_NOSIGNAL), -1);
	cr_expect_eq(xp_conn_call(&client, xp_datum_none(), NULL, &reply), -ECONNRESET);
	cr_expect_str_eq(xp_conn_why(&client), "the connection was abandoned");
	xp_io_close(peer);
}

Test(conn, a_peer_that_dies_or_lies_breaks_the_connection_at_once)
{
	static const struct {
		const char *bytes;
		size_t size;
		int err;
	} cases[] = {{"", 0, -ECONNRESET},
		     {"\0\0", 2, -ECONNRESET},
		     {"\0\0\0\4\x80", 5, -ECONNRESET},
		     {"\0\0\0\0", 4, -EPROTO},
		     {"\0\0\0\2xx", 6, -EPROTO},
		     {"\x7f\xff\xff\xff", 4, -EPROTO},
		     {"\xff\xff\xff\xf0", 4, -EPROTO}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct xp_datum *reply;
		int peer = pair();
		cr_assert_eq(write(peer, cases[i].bytes, cases[i].size), (ssize_t)cases[i].size);
		shutdown(peer, SHUT_WR);
		cr_expect_eq(xp_conn_call(&client, xp_datum_none(), NULL, &reply), cases[i].err,
			     "case %zu", i);
		cr_expect_gt(strlen(xp_conn_why(&client)), 0);
		cr_expect_eq(xp_conn_call(&client, xp_datum_none(), NULL, &reply), -ECONNRESET);
		xp_io_close(peer);
	}
}

Test(conn, what_nobody_asked_for_is_not_taken_for_a_reply)
{
	static const char two[] = "\0\0\0\4\x80\x02N.\0\0\0\4\x80\x02N.";
	const struct xp_datum *reply;
	int peer = pair();

	cr_assert_eq(write(peer, two, sizeof(two) - 1), sizeof(two) - 1);
	cr_expect_not(xp_conn_is_usable(&client));
	cr_expect_eq(xp_conn_call(&client, xp_datum_none(), NULL, &reply), 0);
	cr_expect_eq(xp_conn_call(&client, xp_datum_none(), NULL, &reply), -EPROTO);
	xp_io_close(peer);
}

Test(conn, a_request_that_cannot_be_written_leaves_the_connection_as_it_is)
{
	const struct xp_datum *reply;
	int peer = pair();

	client.writer.max_bytes = 1000;
	cr_expect_eq(
	    xp_conn_call(&client, xp_datum_bytes(&arena, (char[2000]){0}, 2000), NULL, &reply),
	    -EMSGSIZE);
	cr_expect(xp_conn_is_usable(&client));
	xp_io_close(peer);
}

Test(conn, a_forked_child_cannot_use_its_parents_connection)
{
	const struct xp_datum *reply;
	int peer = pair(), status;

	pid_t child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) { /* child */
		bool refused = xp_conn_call(&client, xp_datum_none(), NULL, &reply) == -ECONNRESET;
		xp_conn_fini(&client);
		_exit(refused ? 0 : 1);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0);
	/* parent: nothing was sent, and the stream still stands */
	cr_expect(xp_conn_is_usable(&client));
	xp_io_close(peer);
}

static void *refusing_server(void *arg)
{
	struct xp_conn conn;

	xp_conn_init(&conn, NULL);
	xp_conn_adopt(&conn, *(int *)arg);
	int rc = xp_conn_authenticate(&conn, XP_AUTH_SERVER, "right", 5, NULL, NULL);
	xp_conn_fini(&conn);
	return rc == -EACCES ? arg : NULL;
}

Test(conn, a_wrong_key_is_refused_on_both_sides)
{
	int fds[2];
	pthread_t thread;
	void *refused;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	cr_assert_eq(pthread_create(&thread, NULL, refusing_server, &fds[1]), 0);
	xp_conn_adopt(&client, fds[0]);
	cr_expect_eq(xp_conn_authenticate(&client, XP_AUTH_CLIENT, "wrong", 5, NULL, NULL),
		     -EACCES);
	cr_expect_not_null(strstr(xp_conn_why(&client), "wrong key"));
	pthread_join(thread, &refused);
	cr_expect_not_null(refused);
}

static int64_t recv_limit_ns(int fd)
{
	struct timeval limit;
	socklen_t size = sizeof(limit);

	cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &size), 0);
	return (int64_t)limit.tv_sec * XP_NS_PER_SEC + (int64_t)limit.tv_usec * XP_NS_PER_US;
}

Test(conn, the_kernel_ends_no_wait_behind_its_deadline_and_poll_waits_out_the_rest)
{
	static const int64_t patiences[] = {XP_NS_PER_MS, 30 * XP_NS_PER_MS, 70 * XP_NS_PER_MS,
					    150 * XP_NS_PER_MS};

	for (size_t i = 0; i < sizeof(patiences) / sizeof(*patiences); i++) {
		const struct xp_datum *reply;
		int peer = pair();
		struct timespec deadline = xp_deadline_after(patiences[i]);

		/* Awaiting leaves the connection as it is; a call does not. */
		cr_expect_eq(xp_conn_await(&client, &deadline), -ETIMEDOUT);
		cr_expect(xp_deadline_passed(&deadline));
		cr_expect_lt(recv_limit_ns(client.fd), patiences[i]);
		cr_expect(xp_conn_is_usable(&client));
		deadline = xp_deadline_after(patiences[i]);
		cr_expect_eq(xp_conn_call(&client, xp_datum_none(), &deadline, &reply), -ETIMEDOUT);
		cr_expect(xp_deadline_passed(&deadline));
		xp_io_close(peer);
	}
}

Test(conn, a_limit_of_an_earlier_call_does_not_end_a_later_one)
{
	static const char reply_none[] = "\0\0\0\4\x80\x02N.";
	const struct xp_datum *reply;
	int peer = pair();
	struct timespec soon = xp_deadline_after(60 * XP_NS_PER_MS);

	cr_expect_eq(xp_conn_await(&client, &soon), -ETIMEDOUT);
	pid_t child = fork();
	if (child == 0) {
		/* Later than the limit that is still set. */
		poll(NULL, 0, 150);
		_exit(write(peer, reply_none, sizeof(reply_none) - 1) < 0);
	}
	cr_assert_gt(child, 0);
	cr_expect_eq(xp_conn_call(&client, xp_datum_none(), NULL, &reply), 0, "%s",
		     xp_conn_why(&client));
	waitpid(child, NULL, 0);
	xp_io_close(peer);
}

Test(conn, a_connection_that_spins_first_gets_the_same_replies)
{
	static const char reply_none[] = "\0\0\0\4\x80\x02N.";
	const struct xp_datum *reply;
	int peer = pair();
	struct timespec soon;

	xp_conn_spin(&client, 50);
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(xp_conn_send(&client, xp_datum_none(), NULL), 0);
		cr_assert_gt(write(peer, reply_none, sizeof(reply_none) - 1), 0);
		cr_assert_eq(xp_conn_recv(&client, NULL, &reply), 0);
	}
	soon = xp_deadline_after(5 * XP_NS_PER_MS);
	cr_expect_eq(xp_conn_await(&client, &soon), -ETIMEDOUT);
	xp_io_close(peer);
	cr_expect_eq(xp_conn_call(&client, xp_datum_none(), NULL, &reply), -ECONNRESET);
}
