/* SPDX-License-Identifier: MIT */
#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/chan/pipe_fd.h"
#include "xpshare/chan/pipe_socket.h"
#include "xpshare/chan/pipe_wait.h"
#include "xpshare/shm/arena.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every test runs over each implementation; a parameter is an index into this table. */
static const struct xp_impl *const impls[] = {&xp_impl_pipe_fd, &xp_impl_pipe_socket};

#define EACH(name)                                                                               \
	ParameterizedTestParameters(pipe, name)                                                  \
	{                                                                                        \
		static size_t indices[] = {0, 1};                                                \
		return cr_make_param_array(size_t, indices, sizeof(indices) / sizeof(*indices)); \
	}                                                                                        \
	ParameterizedTest(size_t *index, pipe, name)

#define LARGE ((size_t)1 << 20)

static struct xp_segment segment;
static struct xp_arena arena;
static struct xp_place place = {.arena = &arena};

static struct xp_object fresh(size_t index, bool simplex)
{
	const struct xp_segment_params room = {.size = 1 << 20};
	const struct xp_params params = {.simplex = simplex};
	struct xp_object object = {0};

	cr_assert_eq(xp_segment_create(&room, &segment), 0);
	cr_assert_eq(xp_arena_init(&arena, &segment), 0);
	cr_assert_eq(impls[index]->make(impls[index], &place, &params, &object), 0);
	object.impl = impls[index];
	return object;
}

static void done(struct xp_object *object)
{
	object->impl->drop(object);
	xp_arena_fini(&arena);
	xp_segment_close(&segment);
}

static struct timespec soon(void)
{
	return xp_deadline_after(5 * XP_NS_PER_MS);
}

static struct timespec in_time(void)
{
	return xp_deadline_after(20 * XP_NS_PER_SEC);
}

static unsigned char pattern(size_t message, size_t at)
{
	return (unsigned char)(message * 31 + at * 7 + (at >> 8));
}

static void paint(unsigned char *bytes, size_t size, size_t message)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern(message, i);
}

static bool is_painted(const unsigned char *bytes, size_t size, size_t message)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != pattern(message, i))
			return false;
	}
	return true;
}

static int exit_code(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Sizes around every boundary in the code. */
static const size_t sizes[] = {0,     1,     8,	    100,    4091,   4092,    4093,   4096,
			       65535, 65536, 65537, 131072, 131073, 1000000, 1048576};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

EACH(messages_keep_their_size_bytes_and_order)
{
	struct xp_object object = fresh(*index, false);
	struct xp_pipe *pipe = &object.as.pipe;
	unsigned char *bytes = malloc(LARGE);
	pid_t child = fork();

	if (child == 0) {
		struct timespec limit = in_time();
		for (size_t i = 0; i < 4 * SIZES; i++) {
			paint(bytes, sizes[i % SIZES], i);
			if (xp_pipe_send_until(pipe, 1, bytes, sizes[i % SIZES],
					       i % 3 ? NULL : &limit) != 0)
				_exit(1);
		}
		_exit(0);
	}
	for (size_t i = 0; i < 4 * SIZES; i++) {
		struct timespec limit = in_time();
		size_t size = SIZE_MAX;
		cr_assert_eq(
		    xp_pipe_recv_until(pipe, 0, bytes, LARGE, &size, i % 2 ? &limit : NULL), 0);
		cr_assert_eq(size, sizes[i % SIZES]);
		cr_assert(is_painted(bytes, size, i));
	}
	cr_expect_eq(exit_code(child), 0);
	free(bytes);
	done(&object);
}

EACH(a_duplex_pipe_carries_both_ways)
{
	struct xp_object object = fresh(*index, false);
	struct xp_pipe *pipe = &object.as.pipe;
	pid_t child = fork();

	if (child == 0) {
		uint64_t value;
		size_t size;
		xp_pipe_close(pipe, 0);
		while (xp_pipe_recv_until(pipe, 1, &value, sizeof(value), &size, NULL) == 0) {
			value++;
			if (xp_pipe_send_until(pipe, 1, &value, sizeof(value), NULL) != 0)
				_exit(1);
		}
		_exit(0);
	}
	xp_pipe_close(pipe, 1);
	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t value = i * 3;
		size_t size;
		struct timespec limit = in_time();
		cr_assert_eq(xp_pipe_send_until(pipe, 0, &value, sizeof(value), NULL), 0);
		cr_assert_eq(xp_pipe_recv_until(pipe, 0, &value, sizeof(value), &size, &limit), 0);
		cr_assert_eq(value, i * 3 + 1);
	}
	xp_pipe_close(pipe, 0);
	cr_expect_eq(exit_code(child), 0);
	done(&object);
}

EACH(a_simplex_pipe_refuses_the_wrong_direction)
{
	struct xp_object object = fresh(*index, true);
	struct xp_pipe *pipe = &object.as.pipe;
	struct timespec now = xp_deadline_after(0);
	char byte;
	size_t size;

	cr_expect_not(pipe->duplex);
	cr_expect_eq(xp_pipe_send_until(pipe, 0, "x", 1, NULL), -EBADF);
	cr_expect_eq(xp_pipe_recv_until(pipe, 1, &byte, 1, &size, &now), -EBADF);
	cr_expect_eq(xp_pipe_poll_until(pipe, 1, &now), -EBADF);
	cr_expect_eq(xp_pipe_send_until(pipe, 1, "x", 1, NULL), 0);
	cr_expect_eq(xp_pipe_recv_until(pipe, 0, &byte, 1, &size, NULL), 0);
	xp_pipe_close(pipe, 1);
	cr_expect_eq(xp_pipe_send_until(pipe, 1, "x", 1, NULL), -EBADF);
	done(&object);
}

EACH(the_end_comes_after_what_was_sent)
{
	struct xp_object object = fresh(*index, false);
	struct xp_pipe *pipe = &object.as.pipe;
	char bytes[8];
	size_t size;

	cr_assert_eq(xp_pipe_send_until(pipe, 1, "one", 3, NULL), 0);
	cr_assert_eq(xp_pipe_send_until(pipe, 1, "four", 4, NULL), 0);
	xp_pipe_close(pipe, 1);
	cr_expect_eq(xp_pipe_recv_until(pipe, 0, bytes, 8, &size, NULL), 0);
	cr_expect_eq(size, 3u);
	cr_expect_eq(xp_pipe_poll_until(pipe, 0, NULL), 0);
	cr_expect_eq(xp_pipe_recv_until(pipe, 0, bytes, 8, &size, NULL), 0);
	cr_expect_eq(size, 4u);
	cr_expect_eq(xp_pipe_poll_until(pipe, 0, NULL), 0);
	cr_expect_eq(xp_pipe_recv_until(pipe, 0, bytes, 8, &size, NULL), -EPIPE);
	cr_expect_eq(xp_pipe_recv_until(pipe, 0, bytes, 8, &size, NULL), -EPIPE);
	done(&object);
}

EACH(a_send_to_nobody_is_an_error_and_no_signal)
{
	struct xp_object object = fresh(*index, false);
	struct xp_pipe *pipe = &object.as.pipe;
	pid_t child;

	xp_pipe_close(pipe, 0);
	for (int ignored = 0; ignored < 2; ignored++) {
		child = fork();
		if (child == 0) {
			signal(SIGPIPE, ignored ? SIG_IGN : SIG_DFL);
			for (int i = 0; i < 3; i++) {
				if (xp_pipe_send_until(pipe, 1, "x", 1, NULL) != -EPIPE)
					_exit(1);
			}
			_exit(0);
		}
		cr_expect_eq(exit_code(child), 0);
	}
	done(&object);
}

EACH(a_message_that_does_not_fit_is_kept)
{
	const size_t large[] = {100, 4093, 70000, 200000};
	struct xp_object object = fresh(*index, false);
	struct xp_pipe *pipe = &object.as.pipe;
	unsigned char *bytes = malloc(LARGE);

	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
		size_t size = 0;
		pid_t child = fork();
		if (child == 0) {
			paint(bytes, large[i], i);
			_exit(xp_pipe_send_until(pipe, 1, bytes, large[i], NULL) == 0 ? 0 : 1);
		}
		for (size_t small = 0; small < 100; small += 33) {
			cr_assert_eq(xp_pipe_recv_until(pipe, 0, bytes, small, &size, NULL),
				     -EMSGSIZE);
			cr_expect_eq(size, large[i]);
			struct timespec now = xp_deadline_after(0);
			cr_expect_eq(xp_pipe_poll_until(pipe, 0, &now), 0);
		}
		cr_assert_eq(xp_pipe_recv_until(pipe, 0, bytes, size, &size, NULL), 0);
		cr_expect_eq(size, large[i]);
		cr_expect(is_painted(bytes, size, i));
		cr_expect_eq(exit_code(child), 0);
	}
	free(bytes);
	done(&object);
}

EACH(deadlines_hold_and_a_receive_goes_on_afterwards)
{
	struct xp_object object = fresh(*index, false);
	struct xp_pipe *pipe = &object.as.pipe;
	unsigned char *bytes = malloc(LARGE);
	size_t size = 77;
	struct timespec limit;
	pid_t child;

	limit = soon();
	cr_expect_eq(xp_pipe_poll_until(pipe, 0, &limit), -ETIMEDOUT);
	limit = soon();
	cr_expect_eq(xp_pipe_recv_until(pipe, 0, bytes, LARGE, &size, &limit), -ETIMEDOUT);
	cr_expect(xp_deadline_passed(&limit));
	cr_expect_eq(size, 77u);

	/* The sender stops in mid-message, since nobody makes room; then the receiver runs dry. */
	child = fork();
	if (child == 0) {
		paint(bytes, LARGE, 1);
		_exit(xp_pipe_send_until(pipe, 1, bytes, LARGE, NULL) == 0 ? 0 : 1);
	}
	cr_assert_eq(xp_pipe_poll_until(pipe, 0, NULL), 0);
	cr_assert_eq(kill(child, SIGSTOP), 0);
	cr_assert_eq(waitpid(child, NULL, WUNTRACED), child);
	for (int i = 0; i < 3; i++) {
		limit = soon();
		cr_expect_eq(xp_pipe_recv_until(pipe, 0, bytes, LARGE, &size, &limit), -ETIMEDOUT);
	}
	cr_assert_eq(kill(child, SIGCONT), 0);
	limit = in_time();
	cr_assert_eq(xp_pipe_recv_until(pipe, 0, bytes, LARGE, &size, &limit), 0);
	cr_expect_eq(size, LARGE);
	cr_expect(is_painted(bytes, size, 1));
	cr_expect_eq(exit_code(child), 0);
	free(bytes);
	done(&object);
}

EACH(a_send_that_times_out_in_mid_message_ends_the_stream)
{
	struct xp_object object = fresh(*index, false);
	struct xp_pipe *pipe = &object.as.pipe;
	unsigned char *bytes = calloc(1, LARGE);
	struct timespec limit = soon();
	size_t size;

	cr_expect_eq(xp_pipe_send_until(pipe, 1, bytes, LARGE, &limit), -ETIMEDOUT);
	cr_expect_lt(xp_pipe_send_until(pipe, 1, "x", 1, &limit), 0);
	limit = in_time();
	cr_expect_eq(xp_pipe_recv_until(pipe, 0, bytes, LARGE, &size, &limit), -EPROTO);
	free(bytes);
	done(&object);
}

EACH(a_message_torn_by_a_death_is_an_error_after_the_whole_ones)
{
	struct xp_object object = fresh(*index, false);
	struct xp_pipe *pipe = &object.as.pipe;
	unsigned char *bytes = calloc(1, LARGE);
	size_t size;
	pid_t child = fork();

	if (child == 0) {
		if (xp_pipe_send_until(pipe, 1, "whole", 5, NULL) == 0)
			(void)!xp_pipe_send_until(pipe, 1, bytes, LARGE, NULL);
		_exit(1);
	}
	xp_pipe_close(pipe, 1);
	cr_assert_eq(xp_pipe_recv_until(pipe, 0, bytes, LARGE, &size, NULL), 0);
	cr_expect_eq(size, 5u);
	cr_assert_eq(xp_pipe_poll_until(pipe, 0, NULL), 0);
	kill(child, SIGKILL);
	cr_expect_eq(exit_code(child), 128 + SIGKILL);
	cr_expect_eq(xp_pipe_recv_until(pipe, 0, bytes, LARGE, &size, NULL), -EPROTO);
	free(bytes);
	done(&object);
}

EACH(o_nonblock_switched_from_outside_is_not_noticed)
{
	struct xp_object object = fresh(*index, false);
	struct xp_pipe *pipe = &object.as.pipe;
	unsigned char *bytes = malloc(LARGE);
	pid_t child = fork();

	if (child == 0) {
		for (size_t i = 0; i < 20; i++) {
			paint(bytes, LARGE / 4, i);
			if (xp_pipe_send_until(pipe, 1, bytes, LARGE / 4, NULL) != 0)
				_exit(1);
		}
		_exit(0);
	}
	int fd = pipe->ops->descriptor(pipe->self, 0);
	int peer = pipe->ops->descriptor(pipe->self, 1);
	pid_t meddler = fork();
	if (meddler == 0) {
		for (int on = 0;; on ^= 1) {
			if (xp_io_set_nonblock(fd, on) < 0 || xp_io_set_nonblock(peer, on) < 0)
				_exit(1);
		}
	}
	for (size_t i = 0; i < 20; i++) {
		size_t size = 0;
		cr_assert_eq(xp_pipe_recv_until(pipe, 0, bytes, LARGE, &size, NULL), 0);
		cr_assert_eq(size, LARGE / 4);
		cr_assert(is_painted(bytes, size, i));
	}
	kill(meddler, SIGKILL);
	cr_expect_eq(exit_code(meddler), 128 + SIGKILL);
	cr_expect_eq(exit_code(child), 0);
	free(bytes);
	done(&object);
}

EACH(waiting_on_several_ends_says_which)
{
	struct xp_object object = fresh(*index, false);
	struct xp_object other = {0};
	const struct xp_params params = {0};
	char byte;
	size_t size;

	cr_assert_eq(impls[*index]->make(impls[*index], &place, &params, &other), 0);
	struct xp_pipe_end ends[] = {{&object.as.pipe, 0, false}, {&other.as.pipe, 0, false}};
	struct timespec limit = soon();
	cr_expect_eq(xp_pipe_wait_any(ends, 2, &limit), -ETIMEDOUT);
	cr_expect_eq(xp_pipe_wait_any(ends, 0, &limit), -EINVAL);

	pid_t child = fork();
	if (child == 0) {
		bool sent = xp_pipe_send_until(&other.as.pipe, 1, "a", 1, NULL) == 0 &&
			    xp_pipe_send_until(&other.as.pipe, 1, "b", 1, NULL) == 0;
		_exit(!sent);
	}
	cr_expect_eq(exit_code(child), 0);
	for (int i = 0; i < 2; i++) {
		limit = in_time();
		cr_assert_eq(xp_pipe_wait_any(ends, 2, &limit), 1);
		cr_expect(ends[1].ready && !ends[0].ready);
		cr_assert_eq(xp_pipe_recv_until(&other.as.pipe, 0, &byte, 1, &size, NULL), 0);
	}
	xp_pipe_close(&object.as.pipe, 1);
	cr_assert_eq(xp_pipe_wait_any(ends, 2, NULL), 1);
	cr_expect(ends[0].ready && !ends[1].ready);
	impls[*index]->drop(&other);
	done(&object);
}

static int adopt(size_t index, int fd, struct xp_object *ret_object)
{
	return index == 0 ? xp_pipe_fd_adopt(0, fd, -1, ret_object)
			  : xp_pipe_socket_adopt(0, fd, ret_object);
}

EACH(an_end_travels_to_another_process_as_a_descriptor)
{
	struct xp_object object = fresh(*index, true);
	struct xp_pipe *pipe = &object.as.pipe;
	int carrier[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, carrier), 0);
	pid_t child = fork();
	if (child == 0) {
		struct xp_object got = {0};
		char bytes[8];
		size_t size;
		int fd;
		xp_pipe_close(pipe, 0);
		if (xp_io_recv_fd(carrier[1], NULL, &fd) != 0 || adopt(*index, fd, &got) != 0)
			_exit(1);
		int rc = xp_pipe_recv_until(&got.as.pipe, 0, bytes, 8, &size, NULL);
		got.impl->drop(&got);
		_exit(rc == 0 && size == 5 && memcmp(bytes, "hello", 5) == 0 ? 0 : 2);
	}
	cr_assert_eq(xp_io_send_fd(carrier[0], pipe->ops->descriptor(pipe->self, 0), NULL), 0);
	cr_assert_eq(xp_pipe_send_until(pipe, 1, "hello", 5, NULL), 0);
	cr_expect_eq(exit_code(child), 0);
	close(carrier[0]);
	close(carrier[1]);
	done(&object);
}

Test(pipe_fd, an_end_with_bytes_read_ahead_is_not_exported)
{
	struct xp_object object = fresh(0, true);
	struct xp_pipe *pipe = &object.as.pipe;
	char byte;
	size_t size;
	int in, out;

	cr_assert_eq(xp_pipe_send_until(pipe, 1, "a", 1, NULL), 0);
	cr_assert_eq(xp_pipe_send_until(pipe, 1, "b", 1, NULL), 0);
	cr_assert_eq(xp_pipe_recv_until(pipe, 0, &byte, 1, &size, NULL), 0);
	cr_expect_eq(xp_pipe_fd_export(pipe, 0, &in, &out), -EBUSY);
	cr_assert_eq(xp_pipe_recv_until(pipe, 0, &byte, 1, &size, NULL), 0);
	cr_expect_eq(xp_pipe_fd_export(pipe, 0, &in, &out), 0);
	cr_expect(in >= 0 && out == -1);
	done(&object);
}

Test(pipe_fd, what_one_process_read_ahead_another_receives)
{
	struct xp_object object = fresh(0, true);
	struct xp_pipe *pipe = &object.as.pipe;
	char byte = 0;
	size_t size;

	cr_assert_eq(xp_pipe_send_until(pipe, 1, "a", 1, NULL), 0);
	cr_assert_eq(xp_pipe_send_until(pipe, 1, "b", 1, NULL), 0);
	pid_t child = fork();
	if (child == 0)
		_exit(xp_pipe_recv_until(pipe, 0, &byte, 1, &size, NULL) == 0 && byte == 'a' ? 0
											     : 1);
	cr_expect_eq(exit_code(child), 0);
	struct timespec limit = in_time();
	cr_expect_eq(xp_pipe_recv_until(pipe, 0, &byte, 1, &size, &limit), 0);
	cr_expect_eq(byte, 'b');
	done(&object);
}

Test(pipe_fd, garbage_is_an_error)
{
	struct xp_object object = fresh(0, true);
	struct xp_pipe *pipe = &object.as.pipe;
	unsigned char bytes[16];
	size_t size;
	int in, out;

	cr_assert_eq(xp_pipe_fd_export(pipe, 1, &in, &out), 0);
	cr_assert_eq(write(out, "\xff\xff\xff\xfe....", 8), 8);
	cr_expect_eq(xp_pipe_recv_until(pipe, 0, bytes, sizeof(bytes), &size, NULL), -EPROTO);
	/* The receive buffer lies in shared memory: let a peer write over all of it. */
	memset(segment.base + 128, 0xee, 1 << 14);
	cr_expect_eq(xp_pipe_recv_until(pipe, 0, bytes, sizeof(bytes), &size, NULL), -EPROTO);
	done(&object);
}
