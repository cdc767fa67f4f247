/* SPDX-License-Identifier: MIT */
#include "conformance/cases/cases.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PIPE XC_KIND(PIPE)

#define LARGE ((size_t)4 << 20) /* more than any mechanism buffers */

enum { STARTED = 2, SENT = 3 };

enum { RECEIVER = 0, SENDER = 1 }; /* the ends of a simplex pipe */

static enum xc_verdict make(struct xc_case_context *cc, bool simplex, struct xp_object *ret_object)
{
	return xc_make(cc, &(struct xp_params){.simplex = simplex, .item_max = LARGE}, ret_object);
}

struct talk {
	struct xp_pipe pipe;
	int messages;
	size_t size_max;
};

static size_t size_of(const struct talk *talk, int i)
{
	uint64_t state = (uint64_t)i * 2 + 1;

	/* Mostly small, some of 0, some large. */
	switch (i % 8) {
	case 0:
		return 0;
	case 1:
		return xc_random(&state) % (talk->size_max + 1);
	default:
		return xc_random(&state) % 200;
	}
}

/* ---- messages --------------------------------------------------------------------------------- */

static int send_all(struct xp_member *me, void *arg)
{
	struct talk *talk = arg;
	unsigned char *buffer = malloc(talk->size_max + 1);

	XM_REQUIRE(me, buffer, "out of memory");
	xp_member_arrive(me);
	for (int i = 0; i < talk->messages; i++) {
		size_t size = size_of(talk, i);
		struct timespec by = xc_patience();
		xc_fill(buffer, size, (uint64_t)i);
		XM_GIVES(me,
			 xp_pipe_send_until(&talk->pipe, SENDER, buffer, size, i % 2 ? &by : NULL),
			 0);
	}
	free(buffer);
	return 0;
}

static int recv_all(struct xp_member *me, void *arg)
{
	struct talk *talk = arg;
	unsigned char *buffer = malloc(talk->size_max + 1);
	size_t size;

	XM_REQUIRE(me, buffer, "out of memory");
	xp_member_arrive(me);
	for (int i = 0; i < talk->messages; i++) {
		struct timespec by = xc_patience();
		XM_GIVES(me,
			 xp_pipe_recv_until(&talk->pipe, RECEIVER, buffer, talk->size_max, &size,
					    i % 3 ? &by : NULL),
			 0);
		XM_REQUIRE(me, size == size_of(talk, i), "message %d of %zu bytes arrives as %zu",
			   i, size_of(talk, i), size);
		XM_REQUIRE(me, xc_filled(buffer, size, (uint64_t)i),
			   "message %d of %zu bytes arrives changed", i, size);
	}
	free(buffer);
	return 0;
}

static int send_or_recv(struct xp_member *me, void *arg)
{
	return me->index == 0 ? send_all(me, arg) : recv_all(me, arg);
}

static enum xc_verdict payload(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, true, &object));
	struct talk talk = {.pipe = object.as.pipe, .messages = 2000, .size_max = 300000};
	XC_TRY(xc_start(cc, 2, send_or_recv, &talk));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static enum xc_verdict message(struct xc_case_context *cc)
{
	static const size_t sizes[] = {3, 0, 1, 0, 0, 100, 4095, 1};
	const int count = sizeof(sizes) / sizeof(sizes[0]);
	struct xp_object object;
	unsigned char buffer[4096];

	XC_TRY(make(cc, true, &object));
	struct xp_pipe *pipe = &object.as.pipe;
	for (int i = 0; i < count; i++) {
		xc_fill(buffer, sizes[i], (uint64_t)i);
		XC_GIVES(cc, xp_pipe_send_until(pipe, SENDER, buffer, sizes[i], NULL), 0);
	}
	for (int i = 0; i < count; i++) {
		size_t size = 99999;
		struct timespec by = xc_patience();
		XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, buffer, sizeof(buffer), &size, &by),
			 0);
		XC_REQUIRE(cc, size == sizes[i], "a message keeps its size",
			   "message %d of %zu bytes arrives as %zu", i, sizes[i], size);
		XC_REQUIRE(cc, xc_filled(buffer, size, (uint64_t)i), "a message keeps its bytes",
			   "message %d does not", i);
	}
	return XC_PASS;
}

/* Each end sends its messages and receives the other's, one by one. */
static int talk_both_ways(struct xp_member *me, void *arg)
{
	struct talk *talk = arg;
	unsigned char buffer[512];
	int end = me->index;
	size_t size;

	xp_member_arrive(me);
	for (int i = 0; i < talk->messages; i++) {
		uint64_t mine = (uint64_t)i * 2 + (uint64_t)end;
		uint64_t other = (uint64_t)i * 2 + (uint64_t)!end;
		xc_fill(buffer, mine % 500, mine);
		XM_GIVES(me, xp_pipe_send_until(&talk->pipe, end, buffer, mine % 500, NULL), 0);
		XM_GIVES(me,
			 xp_pipe_recv_until(&talk->pipe, end, buffer, sizeof(buffer), &size, NULL),
			 0);
		XM_REQUIRE(me, size == other % 500 && xc_filled(buffer, size, other),
			   "message %d arrives changed at end %d", i, end);
	}
	return 0;
}

static enum xc_verdict duplex(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, false, &object));
	struct talk talk = {.pipe = object.as.pipe, .messages = 2000};
	XC_REQUIRE(cc, talk.pipe.duplex, "a duplex pipe says so", "it says simplex");
	XC_TRY(xc_start(cc, 2, talk_both_ways, &talk));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static enum xc_verdict simplex(struct xc_case_context *cc)
{
	struct xp_object object;
	char byte = 'x';
	size_t size;

	XC_TRY(make(cc, true, &object));
	struct xp_pipe *pipe = &object.as.pipe;
	XC_REQUIRE(cc, !pipe->duplex, "a simplex pipe says so", "it says duplex");
	struct timespec by = xc_brief();
	XC_GIVES(cc, xp_pipe_send_until(pipe, RECEIVER, &byte, 1, &by), -EBADF);
	XC_GIVES(cc, xp_pipe_recv_until(pipe, SENDER, &byte, 1, &size, &by), -EBADF);
	XC_GIVES(cc, xp_pipe_send_until(pipe, SENDER, &byte, 1, NULL), 0);
	XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, &byte, 1, &size, NULL), 0);
	XC_GIVES(cc, size, 1);
	return XC_PASS;
}

/* ---- large messages --------------------------------------------------------------------------- */

/* Where a large message is received. */
static unsigned char received[LARGE];

/* A message of LARGE bytes in memory that the members share. */
static unsigned char *large_message(void)
{
	void *message =
	    mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (message == MAP_FAILED)
		return NULL;
	xc_fill(message, LARGE, 77);
	return message;
}

struct large {
	struct xp_pipe pipe;
	unsigned char *message;
};

static int send_large(struct xp_member *me, void *arg)
{
	struct large *large = arg;

	xp_member_arrive(me);
	/* A process that keeps the other end open would never see it closed. */
	if (me->crew->plan.carrier == XP_CARRIER_PROCESS)
		xp_pipe_close(&large->pipe, RECEIVER);
	xp_member_reach(me, STARTED);
	XM_GIVES(me, xp_pipe_send_until(&large->pipe, SENDER, large->message, LARGE, NULL), 0);
	xp_member_reach(me, SENT);
	return 0;
}

static enum xc_verdict large(struct xc_case_context *cc)
{
	struct xp_object object;
	size_t size = 0;

	struct large large = {.message = large_message()};
	if (!large.message)
		return xc_unresolved(cc, "no memory");
	XC_TRY(make(cc, true, &object));
	large.pipe = object.as.pipe;
	XC_TRY(xc_start(cc, 1, send_large, &large));
	XC_TRY(xc_blocked(cc, 0, STARTED));
	struct timespec now = xp_deadline_after(0);
	XC_GIVES(cc, xp_crew_await(&cc->crew, 0, SENT, &now), -ETIMEDOUT);
	struct timespec by = xc_patience();
	XC_GIVES(cc, xp_pipe_recv_until(&large.pipe, RECEIVER, received, LARGE, &size, &by), 0);
	XC_GIVES(cc, size, LARGE);
	XC_REQUIRE(cc, xc_filled(received, LARGE, 77), "a large message arrives unchanged",
		   "it has changed");
	XC_TRY(xc_join(cc));
	munmap(large.message, LARGE);
	return XC_PASS;
}

static enum xc_verdict small_buffer(struct xc_case_context *cc)
{
	struct xp_object object;
	unsigned char buffer[5000];

	XC_TRY(make(cc, true, &object));
	struct xp_pipe *pipe = &object.as.pipe;
	xc_fill(buffer, 5000, 3);
	XC_GIVES(cc, xp_pipe_send_until(pipe, SENDER, buffer, 5000, NULL), 0);
	XC_GIVES(cc, xp_pipe_send_until(pipe, SENDER, "next", 4, NULL), 0);
	for (size_t room = 0; room < 5000; room += 1666) {
		size_t size = 0;
		memset(buffer, 0, sizeof(buffer));
		XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, buffer, room, &size, NULL),
			 -EMSGSIZE);
		XC_REQUIRE(cc, size == 5000, "-EMSGSIZE comes with the size that is needed",
			   "it says %zu", size);
	}
	size_t size = 0;
	XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, buffer, 5000, &size, NULL), 0);
	XC_REQUIRE(cc, size == 5000 && xc_filled(buffer, 5000, 3), "the message is kept",
		   "it arrives with %zu bytes, or changed", size);
	XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, buffer, 5000, &size, NULL), 0);
	XC_REQUIRE(cc, size == 4 && memcmp(buffer, "next", 4) == 0, "the next message follows",
		   "another one does");
	return XC_PASS;
}

/* ---- the end ---------------------------------------------------------------------------------- */

static int send_two_and_close(struct xp_member *me, void *arg)
{
	struct talk *talk = arg;

	xp_member_arrive(me);
	xp_pipe_close(&talk->pipe, RECEIVER);
	XM_GIVES(me, xp_pipe_send_until(&talk->pipe, SENDER, "one", 3, NULL), 0);
	XM_GIVES(me, xp_pipe_send_until(&talk->pipe, SENDER, "", 0, NULL), 0);
	xp_pipe_close(&talk->pipe, SENDER);
	return 0;
}

static enum xc_verdict expect_two_then_end(struct xc_case_context *cc, struct xp_pipe *pipe)
{
	char buffer[16];
	size_t size;
	struct timespec by = xc_patience();

	XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, buffer, 16, &size, &by), 0);
	XC_GIVES(cc, size, 3);
	XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, buffer, 16, &size, &by), 0);
	XC_GIVES(cc, size, 0);
	XC_GIVES(cc, xp_pipe_poll_until(pipe, RECEIVER, &by), 0);
	XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, buffer, 16, &size, &by), -EPIPE);
	XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, buffer, 16, &size, NULL), -EPIPE);
	return XC_PASS;
}

static enum xc_verdict end(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, true, &object));
	struct talk talk = {.pipe = object.as.pipe};
	XC_TRY(xc_start(cc, 1, send_two_and_close, &talk));
	xp_pipe_close(&talk.pipe, SENDER);
	XC_TRY(expect_two_then_end(cc, &talk.pipe));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static int close_receiver(struct xp_member *me, void *arg)
{
	struct talk *talk = arg;

	xp_member_arrive(me);
	xp_pipe_close(&talk->pipe, RECEIVER);
	xp_pipe_close(&talk->pipe, SENDER);
	return 0;
}

static enum xc_verdict broken(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, true, &object));
	struct talk talk = {.pipe = object.as.pipe};
	XC_TRY(xc_start(cc, 1, close_receiver, &talk));
	XC_TRY(xc_join(cc));
	xp_pipe_close(&talk.pipe, RECEIVER);
	struct timespec by = xc_patience();
	XC_GIVES(cc, xp_pipe_send_until(&talk.pipe, SENDER, "x", 1, &by), -EPIPE);
	XC_GIVES(cc, xp_pipe_send_until(&talk.pipe, SENDER, "x", 1, NULL), -EPIPE);
	return XC_PASS;
}

static enum xc_verdict closed(struct xc_case_context *cc)
{
	struct xp_object object;
	char byte;
	size_t size;

	XC_TRY(make(cc, true, &object));
	struct xp_pipe *pipe = &object.as.pipe;
	xp_pipe_close(pipe, SENDER);
	XC_GIVES(cc, xp_pipe_send_until(pipe, SENDER, "x", 1, NULL), -EBADF);
	xp_pipe_close(pipe, SENDER);
	xp_pipe_close(pipe, RECEIVER);
	XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, &byte, 1, &size, NULL), -EBADF);
	XC_GIVES(cc, xp_pipe_poll_until(pipe, RECEIVER, NULL), -EBADF);
	return XC_PASS;
}

/* ---- deadlines and poll ----------------------------------------------------------------------- */

static enum xc_verdict deadline(struct xc_case_context *cc)
{
	struct xp_object object;
	unsigned char buffer[1024];
	size_t size;
	int sent = 0, rc;

	XC_TRY(make(cc, true, &object));
	struct xp_pipe *pipe = &object.as.pipe;
	struct timespec by = xc_brief();
	XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, buffer, 1, &size, &by), -ETIMEDOUT);
	XC_REQUIRE(cc, xp_deadline_passed(&by), "a receive does not end before its deadline",
		   "it did");
	do {
		by = xc_brief();
		xc_fill(buffer, sizeof(buffer), (uint64_t)sent);
		rc = xp_pipe_send_until(pipe, SENDER, buffer, sizeof(buffer), &by);
		sent += rc == 0;
	} while (rc == 0 && sent < 100000);
	XC_GIVES(cc, rc, -ETIMEDOUT);
	XC_REQUIRE(cc, xp_deadline_passed(&by), "a send does not end before its deadline",
		   "it did");
	for (int i = 0; i < sent; i++) {
		by = xc_patience();
		XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, buffer, sizeof(buffer), &size, &by),
			 0);
		XC_REQUIRE(cc, size == sizeof(buffer) && xc_filled(buffer, size, (uint64_t)i),
			   "what was sent before is received", "message %d of %d is not", i, sent);
	}
	return XC_PASS;
}

/* The sender is stopped in the middle of a message; it is neither dead nor going on. */
static enum xc_verdict deadline_mid_message(struct xc_case_context *cc)
{
	struct xp_object object;
	size_t size;
	struct large large = {.message = large_message()};

	if (!large.message)
		return xc_unresolved(cc, "no memory");
	XC_TRY(make(cc, true, &object));
	large.pipe = object.as.pipe;
	XC_TRY(xc_start(cc, 1, send_large, &large));
	XC_TRY(xc_blocked(cc, 0, STARTED));
	XC_GIVES(cc, xp_crew_signal(&cc->crew, 0, SIGSTOP), 0);
	struct timespec by = xc_patience();
	XC_GIVES(cc, xp_stopped_until(atomic_load(&cc->crew.page->tally[0].tid), &by), 0);
	by = xp_deadline_after(100 * XP_NS_PER_MS);
	XC_GIVES(cc, xp_pipe_recv_until(&large.pipe, RECEIVER, received, LARGE, &size, &by),
		 -ETIMEDOUT);
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(xc_join(cc));
	munmap(large.message, LARGE);
	return XC_PASS;
}

static enum xc_verdict poll_says(struct xc_case_context *cc)
{
	struct xp_object object;
	char buffer[8];
	size_t size;

	XC_TRY(make(cc, true, &object));
	struct xp_pipe *pipe = &object.as.pipe;
	struct timespec by = xc_brief(), past = xp_deadline_after(0);
	XC_GIVES(cc, xp_pipe_poll_until(pipe, RECEIVER, &past), -ETIMEDOUT);
	XC_GIVES(cc, xp_pipe_poll_until(pipe, RECEIVER, &by), -ETIMEDOUT);
	XC_REQUIRE(cc, xp_deadline_passed(&by), "poll does not end before its deadline", "it did");
	XC_GIVES(cc, xp_pipe_send_until(pipe, SENDER, "abc", 3, NULL), 0);
	for (int i = 0; i < 3; i++)
		XC_GIVES(cc, xp_pipe_poll_until(pipe, RECEIVER, &past), 0);
	XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, buffer, 8, &size, NULL), 0);
	XC_GIVES(cc, size, 3);
	XC_GIVES(cc, xp_pipe_poll_until(pipe, RECEIVER, &past), -ETIMEDOUT);
	return XC_PASS;
}

static enum xc_verdict descriptor(struct xc_case_context *cc)
{
	struct xp_object object;
	char buffer[8];
	size_t size;

	XC_TRY(make(cc, true, &object));
	struct xp_pipe *pipe = &object.as.pipe;
	int fd = pipe->ops->descriptor(pipe->self, RECEIVER);
	XC_REQUIRE(cc, fd >= 0, "it has a descriptor", "descriptor() returns %d", fd);
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	XC_GIVES(cc, poll(&pollfd, 1, 0), 0);
	XC_GIVES(cc, xp_pipe_send_until(pipe, SENDER, "abc", 3, NULL), 0);
	XC_GIVES(cc, poll(&pollfd, 1, 20000), 1);
	XC_GIVES(cc, xp_pipe_recv_until(pipe, RECEIVER, buffer, 8, &size, NULL), 0);
	XC_GIVES(cc, poll(&pollfd, 1, 0), 0);
	return XC_PASS;
}

/* ---- death ------------------------------------------------------------------------------------ */

static int send_two_and_stay(struct xp_member *me, void *arg)
{
	struct talk *talk = arg;

	xp_member_arrive(me);
	xp_pipe_close(&talk->pipe, RECEIVER);
	XM_GIVES(me, xp_pipe_send_until(&talk->pipe, SENDER, "one", 3, NULL), 0);
	XM_GIVES(me, xp_pipe_send_until(&talk->pipe, SENDER, "", 0, NULL), 0);
	xp_member_reach(me, SENT);
	for (;;)
		xc_pause_us(500000);
}

static enum xc_verdict sender_died(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, true, &object));
	struct talk talk = {.pipe = object.as.pipe};
	XC_TRY(xc_start(cc, 1, send_two_and_stay, &talk));
	xp_pipe_close(&talk.pipe, SENDER);
	XC_TRY(xc_await(cc, 0, SENT));
	XC_TRY(xc_kill(cc, 0));
	XC_TRY(expect_two_then_end(cc, &talk.pipe));
	XC_TRY(xc_join(cc));
	return XC_PASS;
}

static enum xc_verdict died_mid_message(struct xc_case_context *cc)
{
	struct xp_object object;
	size_t size = 0;
	struct large large = {.message = large_message()};

	if (!large.message)
		return xc_unresolved(cc, "no memory");
	XC_TRY(make(cc, true, &object));
	large.pipe = object.as.pipe;
	XC_TRY(xc_start(cc, 1, send_large, &large));
	xp_pipe_close(&large.pipe, SENDER);
	XC_TRY(xc_blocked(cc, 0, STARTED));
	XC_TRY(xc_kill(cc, 0));
	struct timespec by = xc_patience();
	int rc = xp_pipe_recv_until(&large.pipe, RECEIVER, received, LARGE, &size, &by);
	XC_REQUIRE(cc, rc == -EPROTO || rc == -EPIPE,
		   "a message cut short is -EPROTO, or was never begun: -EPIPE",
		   "recv returns %d with %zu bytes", rc, size);
	XC_TRY(xc_join(cc));
	munmap(large.message, LARGE);
	return XC_PASS;
}

const struct xc_case xc_cases_pipe[] = {
    {.clause = "pipe.message", .name = "sizes", .kinds = PIPE, .run = message},
    {.clause = "pipe.payload", .name = "stream", .kinds = PIPE, .run = payload},
    {.clause = "pipe.duplex", .name = "both", .kinds = PIPE, .caps = XP_CAP_DUPLEX, .run = duplex},
    {.clause = "pipe.simplex", .name = "directions", .kinds = PIPE, .run = simplex},
    {.clause = "pipe.large", .name = "blocks", .kinds = PIPE, .run = large},
    {.clause = "pipe.end",
     .name = "closed",
     .kinds = PIPE,
     .flags = XC_NEEDS_PROCESSES,
     .run = end},
    {.clause = "pipe.broken",
     .name = "closed",
     .kinds = PIPE,
     .flags = XC_NEEDS_PROCESSES,
     .run = broken},
    {.clause = "pipe.small_buffer", .name = "kept", .kinds = PIPE, .run = small_buffer},
    {.clause = "pipe.deadline", .name = "empty_and_full", .kinds = PIPE, .run = deadline},
    {.clause = "pipe.deadline_mid_message",
     .name = "stopped_sender",
     .kinds = PIPE,
     .caps = XP_CAP_DEADLINE,
     .flags = XC_NEEDS_PROCESSES,
     .run = deadline_mid_message},
    {.clause = "pipe.poll", .name = "before_and_after", .kinds = PIPE, .run = poll_says},
    {.clause = "pipe.closed", .name = "both_ends", .kinds = PIPE, .run = closed},
    {.clause = "pipe.sender_died",
     .name = "after_two",
     .kinds = PIPE,
     .flags = XC_NEEDS_PROCESSES,
     .run = sender_died},
    {.clause = "pipe.died_mid_message",
     .name = "large",
     .kinds = PIPE,
     .flags = XC_NEEDS_PROCESSES,
     .run = died_mid_message},
    {.clause = "pipe.descriptor",
     .name = "readable",
     .kinds = PIPE,
     .caps = XP_CAP_DESCRIPTOR,
     .run = descriptor},
    {0},
};
