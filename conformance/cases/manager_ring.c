/* SPDX-License-Identifier: MIT */
/* Calls by ring: memory that a client shares with the server, and can write anything into. */
#include "conformance/cases/cases.h"
#include "conformance/cases/stage.h"
#include "conformance/subjects/client.h"

#include "xpshare/base/io.h"
#include "xpshare/manager/dispatch.h"
#include "xpshare/manager/link.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static enum xc_verdict need_ring(struct xc_case_context *cc)
{
	return cc->iut->subject->ring ? XC_PASS : xc_unsupported(cc, "it is not called by ring");
}

/* ---- refused ---------------------------------------------------------------------------------- */

/* Asked of every server; one that agrees, to the first form of the request only, is not held to it. */
static enum xc_verdict refused(struct xc_case_context *cc)
{
	struct xc_stage stage;
	struct xc_reply reply;
	struct timespec by = xc_patience();

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	for (int i = 0; i < 3; i++) {
		struct xc_wire wire;
		XC_GIVES(cc, xc_wire_open(&wire, &stage.server, &by), 0);
		const struct xp_datum *args[] = {
		    xp_datum_int(&wire.arena, i == 1 ? 99 : XP_DUPLEX_VERSION),
		    xp_datum_int(&wire.arena, i == 2 ? 5 : (int64_t)XP_DUPLEX_SIZE_DEFAULT)};
		XC_TRY(xc_wire_ask(cc, &wire, NULL, XP_RING_METHOD, 2, args, &reply));
		if (i > 0 || cc->iut->peer || cc->iut->subject->tcp ||
		    strcmp(reply.kind, "#RETURN") != 0) {
			XC_REQUIRE(cc, strcmp(reply.kind, "#TRACEBACK") == 0,
				   "the server refuses by an error", "%s %s", reply.kind,
				   reply.text);
			XC_TRY(xc_wire_call(cc, &wire, stage.value, "get", 0, NULL, &reply));
		}
		xc_wire_close(&wire);
	}
	return xc_stage_tear_down(cc, &stage);
}

/* ---- garbage ---------------------------------------------------------------------------------- */

static enum xc_verdict open_ring(struct xc_case_context *cc, struct xc_stage *stage, size_t size,
				 struct xc_wire *ret_wire)
{
	struct xc_server plain = stage->server;
	struct timespec by = xc_patience();

	plain.ring = false;
	XC_GIVES(cc, xc_wire_open(ret_wire, &plain, &by), 0);
	XC_GIVES(cc, xp_link_hand_over(&ret_wire->conn, size, 0, &by), 0);
	return XC_PASS;
}

static void ring_the_bell(struct xc_wire *wire)
{
	const uint64_t one = 1;

	(void)!write(wire->conn.ring->bell, &one, sizeof(one));
}

/* Whether the server has ended the connection, or has said anything on it. */
static bool is_spent(struct xc_wire *wire)
{
	struct pollfd look = {.fd = wire->conn.fd, .events = POLLIN | POLLRDHUP};

	return poll(&look, 1, 0) != 0;
}

static enum xc_verdict honest_is_served(struct xc_case_context *cc, struct xc_stage *stage)
{
	struct xc_reply reply;

	XC_TRY(xc_wire_call(cc, &stage->honest, stage->value, "get", 0, NULL, &reply));
	XC_REQUIRE(cc, strcmp(reply.text, "7") == 0, "the honest client gets its value", "'%s'",
		   reply.text);
	return XC_PASS;
}

static enum xc_verdict every_word(struct xc_case_context *cc)
{
	struct xc_stage stage;
	struct xc_wire wire;
	int spent = 0;

	XC_TRY(need_ring(cc));
	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	int before = xc_server_descriptors(&stage.server);
	XC_TRY(open_ring(cc, &stage, XP_DUPLEX_SIZE_MIN, &wire));
	size_t words = wire.conn.ring->size / sizeof(uint32_t);
	for (size_t i = 0; i < words; i++) {
		struct xp_frame_ring *out = &wire.conn.ring->out;
		const uint32_t values[] = {UINT32_MAX, XP_FRAME_RING_SLEEPS, out->lap,
					   out->lap | (XP_FRAME_RING_SIZE - 1)};
		volatile uint32_t *word = (volatile uint32_t *)wire.conn.ring->base + i;
		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
			*word = values[v];
			ring_the_bell(&wire);
		}
		/* The bell is answered before what comes after it. */
		XC_TRY(honest_is_served(cc, &stage));
		if (is_spent(&wire)) {
			spent++;
			xc_wire_close(&wire);
			XC_TRY(open_ring(cc, &stage, XP_DUPLEX_SIZE_MIN, &wire));
		}
	}
	XC_REQUIRE(cc, spent > 0, "some garbage is noticed, and its writer told", "none is");
	xc_wire_close(&wire);
	struct timespec by = xc_bound(cc);
	while (xc_server_descriptors(&stage.server) > before) {
		XC_REQUIRE(cc, !xp_deadline_passed(&by), "no descriptor is left behind",
			   "%d, before %d", xc_server_descriptors(&stage.server), before);
		xc_pause_us(1000);
	}
	return xc_stage_tear_down(cc, &stage);
}

/* Frames of random bytes and of random lengths, published as an honest client publishes them, and a segment
 * that is overwritten again and again while the server works on it. */
static enum xc_verdict storm(struct xc_case_context *cc)
{
	struct xc_stage stage;
	struct xc_wire wire;
	uint32_t state = 12345;

	XC_TRY(need_ring(cc));
	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	for (int round = 0; round < 200; round++) {
		XC_TRY(open_ring(cc, &stage, XP_DUPLEX_SIZE_MIN, &wire));
		struct xp_frame_ring *out = &wire.conn.ring->out;
		volatile uint32_t *at = wire.conn.ring->base;
		for (size_t i = 0; i < wire.conn.ring->size / sizeof(*at); i++) {
			state = state * 1664525 + 1013904223;
			at[i] = round % 2 ? state
					  : (state & ~XP_FRAME_RING_LAP & ~XP_FRAME_RING_SLEEPS) |
						out->lap;
			if (i % 64 == 0)
				ring_the_bell(&wire);
		}
		ring_the_bell(&wire);
		XC_TRY(honest_is_served(cc, &stage));
		xc_wire_close(&wire);
	}
	return xc_stage_tear_down(cc, &stage);
}

/* The bell is the client's too: it can take away what it has rung, and make who reads it wait. */
static enum xc_verdict taken_bell(struct xc_case_context *cc)
{
	struct xc_stage stage;
	struct xc_wire wire;

	XC_TRY(need_ring(cc));
	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	XC_TRY(open_ring(cc, &stage, XP_DUPLEX_SIZE_MIN, &wire));
	int bell = wire.conn.ring->bell;
	XC_GIVES(cc, xp_io_set_nonblock(bell, 0), 0);
	for (int i = 0; i < 20000; i++) {
		struct iovec part = {.iov_base = &(uint64_t){0}, .iov_len = sizeof(uint64_t)};

		ring_the_bell(&wire);
		(void)!preadv2(bell, &part, 1, -1, RWF_NOWAIT);
		if (i % 100 == 0)
			XC_TRY(honest_is_served(cc, &stage));
	}
	xc_wire_close(&wire);
	return xc_stage_tear_down(cc, &stage);
}

static enum xc_verdict segments(struct xc_case_context *cc)
{
	struct xc_stage stage;
	struct xc_reply reply;

	XC_TRY(need_ring(cc));
	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	for (int i = 0; i < 3; i++) {
		struct xc_server plain = stage.server;
		struct timespec by = xc_patience();
		struct xc_wire wire;
		int bell = -1, fd = -1;
		plain.ring = false;
		XC_GIVES(cc, xc_wire_open(&wire, &plain, &by), 0);
		const struct xp_datum *args[] = {
		    xp_datum_int(&wire.arena, XP_DUPLEX_VERSION),
		    xp_datum_int(&wire.arena, (int64_t)XP_DUPLEX_SIZE_DEFAULT)};
		XC_TRY(xc_wire_call(cc, &wire, NULL, XP_RING_METHOD, 2, args, &reply));
		if (i == 0) /* it could be cut off under the server's feet */
			fd = memfd_create("loose", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		else if (i == 1)
			fd = dup(wire.conn.fd);
		if (fd >= 0 && i == 0)
			(void)!ftruncate(fd, (off_t)XP_DUPLEX_SIZE_DEFAULT);
		if (fd >= 0)
			XC_GIVES(cc, xp_io_send_fd(wire.conn.fd, fd, &by), 0);
		else /* a byte alone */
			XC_GIVES(cc, xp_io_write_full(wire.conn.fd, "F", 1, &by), 0);
		xp_io_close(fd);
		XC_GIVES(cc, xp_io_recv_fd(wire.conn.fd, &by, &bell), -EPROTO);
		XC_TRY(xc_wire_call(cc, &wire, stage.value, "get", 0, NULL, &reply));
		xc_wire_close(&wire);
	}
	return xc_stage_tear_down(cc, &stage);
}

/* ---- death ------------------------------------------------------------------------------------ */

static enum xc_verdict dead_client(struct xc_case_context *cc)
{
	struct xc_stage stage;
	struct xc_reply reply;
	char queue[XC_IDENT_MAX];

	XC_TRY(need_ring(cc));
	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	XC_TRY(xc_wire_create(cc, &stage.server, "Queue", 0, NULL, queue));
	int before = xc_server_descriptors(&stage.server);
	for (int i = 0; i < 5; i++) {
		struct xp_child child;
		int ready[2];
		char byte;
		XC_REQUIRE(cc, pipe(ready) == 0, "a pipe", "none");
		pid_t pid = fork();
		if (pid == 0) { /* child */
			struct timespec by = xc_patience();
			struct xc_wire wire;
			if (xc_wire_open(&wire, &stage.server, &by) < 0 || !wire.conn.ring ||
			    xc_wire_send(&wire, queue, "get", 0, NULL) < 0)
				_exit(1);
			(void)!write(ready[1], "x", 1);
			(void)!xc_wire_recv(&wire, NULL, &reply);
			_exit(1);
		}
		child.pid = pid;
		close(ready[1]);
		XC_REQUIRE(cc, pid > 0 && read(ready[0], &byte, 1) == 1,
			   "a client can call by ring", "it cannot");
		close(ready[0]);
		/* In the call, by now or soon: at any point of it. */
		if (i > 0) {
			struct timespec by = xc_patience();
			XC_GIVES(cc, xp_blocked_until(pid, &by), 0);
		}
		kill(child.pid, SIGKILL);
		siginfo_t info;
		waitid(P_PID, (id_t)pid, &info, WEXITED);
	}
	struct timespec by = xc_bound(cc);
	while (xc_server_descriptors(&stage.server) > before) {
		XC_REQUIRE(cc, !xp_deadline_passed(&by), "what they had is given back",
			   "%d descriptors, before %d", xc_server_descriptors(&stage.server),
			   before);
		xc_pause_us(1000);
	}
	const struct xp_datum *item = xp_datum_int(&stage.honest.arena, 5);
	XC_TRY(xc_wire_call(cc, &stage.honest, queue, "put", 1, &item, &reply));
	XC_TRY(xc_wire_call(cc, &stage.honest, queue, "get", 0, NULL, &reply));
	XC_REQUIRE(cc, strcmp(reply.text, "5") == 0, "the item is still there", "'%s'", reply.text);
	return xc_stage_tear_down(cc, &stage);
}

/* How long it may take: the nap of rpc/duplex.h, and a busy machine. */
static enum xc_verdict dead_server(struct xc_case_context *cc)
{
	struct xc_server server;
	struct xc_client client;

	XC_TRY(need_ring(cc));
	for (int i = 0; i < 3; i++) {
		struct timespec by;
		int status;
		XC_TRY(xc_server_start(cc, NULL, &server));
		XC_TRY(xc_client_start(cc, server.text, &client));
		XC_TRY(xc_client_do(cc, &client, "new Queue", "ok"));
		XC_TRY(xc_client_do(cc, &client, "call qsize", "ok 0"));
		xc_client_tell(&client, "call get");
		if (i > 0) /* asleep; else wherever it is */
			XC_TRY(xc_client_blocks(cc, &client));
		XC_GIVES(cc, xp_child_signal(&server.child, SIGKILL), 0);
		by = xc_patience();
		XC_GIVES(cc, xp_child_wait(&server.child, &by, &status), 0);
		by = xc_bound(cc);
		int rc = xc_client_hear(&client, &by);
		XC_REQUIRE(cc, rc == 0 && strncmp(client.answer, "error", 5) == 0,
			   "the call returns an error in bounded time", "%s",
			   rc < 0 ? "it hangs" : client.answer);
		xc_client_stop(&client);
		xc_server_stop(&server);
	}
	return XC_PASS;
}

#define CASE(clause_, name_, run_)                                         \
	{                                                                  \
		.clause = clause_, .name = name_, .kinds = XC_KIND_SERVER, \
		.flags = XC_NEEDS_PROCESSES, .run = run_                   \
	}

const struct xc_case xc_cases_manager_ring[] = {
    CASE("manager.ring_refused", "each", refused),
    CASE("manager.ring_garbage", "every_word", every_word),
    CASE("manager.ring_garbage", "storm", storm),
    CASE("manager.ring_garbage", "taken_bell", taken_bell),
    CASE("manager.ring_segment", "three", segments),
    CASE("manager.ring_dead_client", "get", dead_client),
    CASE("manager.ring_dead_server", "get", dead_server),
    {0},
};
