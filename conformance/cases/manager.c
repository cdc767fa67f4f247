/* SPDX-License-Identifier: MIT */
/* What a server process does with what comes over the wire: calls, names, keys, malformed input. */
#include "conformance/cases/cases.h"
#include "conformance/cases/stage.h"

#include "xpshare/base/io.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- calls ------------------------------------------------------------------------------------ */

static enum xc_verdict call(struct xc_case_context *cc)
{
	struct xc_stage stage;
	struct xc_wire other;
	struct xc_reply reply;
	struct timespec by = xc_patience();

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	XC_GIVES(cc, xc_wire_open(&other, &stage.server, &by), 0);
	for (int i = 0; i < 100; i++) {
		const struct xp_datum *number = xp_datum_int(&other.arena, i);
		char text[16];
		XC_TRY(xc_wire_call(cc, &other, stage.value, "set", 1, &number, &reply));
		XC_TRY(xc_wire_call(cc, &stage.honest, stage.value, "get", 0, NULL, &reply));
		snprintf(text, sizeof(text), "%d", i);
		XC_REQUIRE(cc, strcmp(reply.text, text) == 0,
			   "one client gets what another has set", "'%s', not '%s'", reply.text,
			   text);
	}
	const struct xp_datum *seven = xp_datum_int(&other.arena, 7);
	XC_TRY(xc_wire_call(cc, &other, stage.value, "set", 1, &seven, &reply));
	xc_wire_close(&other);
	return xc_stage_tear_down(cc, &stage);
}

static enum xc_verdict exception(struct xc_case_context *cc)
{
	struct xc_stage stage;
	struct xc_reply reply;
	char ident[XC_IDENT_MAX];

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	XC_TRY(xc_wire_create(cc, &stage.server, "dict", 0, NULL, ident));
	const struct xp_datum *key = xp_datum_str(&stage.honest.arena, "no such key");
	XC_TRY(xc_wire_ask(cc, &stage.honest, ident, "__getitem__", 1, &key, &reply));
	XC_REQUIRE(
	    cc,
	    strcmp(reply.kind, "#ERROR") == 0 && strcmp(reply.text, "KeyError: no such key") == 0,
	    "the exception KeyError with the key as its argument", "%s %s", reply.kind, reply.text);
	XC_TRY(xc_wire_create(cc, &stage.server, "Queue", 0, NULL, ident));
	XC_TRY(xc_wire_ask(cc, &stage.honest, ident, "get_nowait", 0, NULL, &reply));
	XC_REQUIRE(cc, strcmp(reply.kind, "#ERROR") == 0 && strncmp(reply.text, "Empty", 5) == 0,
		   "the exception Empty", "%s %s", reply.kind, reply.text);
	return xc_stage_tear_down(cc, &stage);
}

static enum xc_verdict new_object(struct xc_case_context *cc)
{
	struct xc_stage stage;
	char first[XC_IDENT_MAX], second[XC_IDENT_MAX];
	struct xc_reply reply;

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	XC_TRY(xc_wire_create(cc, &stage.server, "Queue", 0, NULL, first));
	XC_TRY(xc_wire_create(cc, &stage.server, "Queue", 0, NULL, second));
	XC_REQUIRE(cc, strcmp(first, second) != 0, "two creations give two objects", "both are %s",
		   first);
	const struct xp_datum *item = xp_datum_int(&stage.honest.arena, 1);
	XC_TRY(xc_wire_call(cc, &stage.honest, first, "put", 1, &item, &reply));
	XC_TRY(xc_wire_call(cc, &stage.honest, second, "qsize", 0, NULL, &reply));
	XC_REQUIRE(cc, strcmp(reply.text, "0") == 0, "the other one stays empty", "it has %s",
		   reply.text);
	return xc_stage_tear_down(cc, &stage);
}

static enum xc_verdict refused(struct xc_case_context *cc, struct xc_wire *wire, const char *ident,
			       const char *method)
{
	struct xc_reply reply;

	XC_TRY(xc_wire_ask(cc, wire, ident, method, 0, NULL, &reply));
	XC_REQUIRE(cc,
		   reply.kind[0] == '#' && strcmp(reply.kind, "#RETURN") != 0 &&
		       strcmp(reply.kind, "#PROXY") != 0,
		   "the server refuses it", "'%s' is answered by %s %s", method, reply.kind,
		   reply.text);
	return XC_PASS;
}

static enum xc_verdict public_only(struct xc_case_context *cc)
{
	static const char *const names[] = {
	    "_qsize",	"_init",    "mutex",	 "queue",      "maxsize",
	    "__init__", "__dict__", "__class__", "__reduce__", "__getattribute__",
	    "not_empty"};
	struct xc_stage stage;
	char ident[XC_IDENT_MAX];

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	XC_TRY(xc_wire_create(cc, &stage.server, "Queue", 0, NULL, ident));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		XC_TRY(refused(cc, &stage.honest, ident, names[i]));
	return xc_stage_tear_down(cc, &stage);
}

static enum xc_verdict special_exposed(struct xc_case_context *cc)
{
	struct xc_stage stage;
	struct xc_reply reply;
	char list[XC_IDENT_MAX], dict[XC_IDENT_MAX];

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	XC_TRY(xc_wire_create(cc, &stage.server, "list", 0, NULL, list));
	XC_TRY(xc_wire_create(cc, &stage.server, "dict", 0, NULL, dict));
	XC_TRY(xc_wire_call(cc, &stage.honest, list, "__len__", 0, NULL, &reply));
	XC_TRY(refused(cc, &stage.honest, list, "__iter__"));
	XC_TRY(refused(cc, &stage.honest, list, "__class__"));
	XC_TRY(refused(cc, &stage.honest, dict, "__reduce__"));
	return xc_stage_tear_down(cc, &stage);
}

static enum xc_verdict named(struct xc_case_context *cc, struct xc_wire *wire, const char *ident,
			     const char *method, size_t count, const struct xp_datum *const *args,
			     const char *name)
{
	struct xc_reply reply;

	XC_TRY(xc_wire_ask(cc, wire, ident, method, count, args, &reply));
	XC_REQUIRE(cc, strcmp(reply.kind, "#TRACEBACK") == 0 && strstr(reply.text, name),
		   "an error that names it", "'%s' is answered by %s %s", name, reply.kind,
		   reply.text);
	return XC_PASS;
}

static enum xc_verdict unknown_names(struct xc_case_context *cc)
{
	struct xc_stage stage;
	struct xc_wire wire;
	struct timespec by = xc_patience();

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	XC_TRY(named(cc, &stage.honest, stage.value, "no_such_method", 0, NULL, "no_such_method"));
	XC_TRY(named(cc, &stage.honest, "7f00deadbeef", "get", 0, NULL, "7f00deadbeef"));
	XC_GIVES(cc, xc_wire_shake(&wire, &stage.server, &by), 0);
	const struct xp_datum *typeid_ = xp_datum_str(&wire.arena, "no_such_type");
	XC_TRY(named(cc, &wire, NULL, "create", 1, &typeid_, "no_such_type"));
	xc_wire_close(&wire);
	XC_GIVES(cc, xc_wire_shake(&wire, &stage.server, &by), 0);
	XC_TRY(named(cc, &wire, NULL, "no_such_function", 0, NULL, "no_such_function"));
	xc_wire_close(&wire);
	return xc_stage_tear_down(cc, &stage);
}

static enum xc_verdict raises(struct xc_case_context *cc, struct xc_wire *wire, const char *ident,
			      const char *method, size_t count, const struct xp_datum *const *args,
			      const char *class)
{
	struct xc_reply reply;

	XC_TRY(xc_wire_ask(cc, wire, ident, method, count, args, &reply));
	XC_REQUIRE(
	    cc, strcmp(reply.kind, "#ERROR") == 0 && strncmp(reply.text, class, strlen(class)) == 0,
	    "the exception that Python raises", "%s is expected, %s %s comes", class, reply.kind,
	    reply.text);
	return XC_PASS;
}

static enum xc_verdict wrong_arguments(struct xc_case_context *cc)
{
	struct xc_stage stage;
	char queue[XC_IDENT_MAX], list[XC_IDENT_MAX];
	const struct xp_datum *args[5];

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	XC_TRY(xc_wire_create(cc, &stage.server, "Queue", 0, NULL, queue));
	XC_TRY(xc_wire_create(cc, &stage.server, "list", 0, NULL, list));
	struct xc_wire *wire = &stage.honest;
	XC_TRY(raises(cc, wire, queue, "put", 0, NULL, "TypeError"));
	for (int i = 0; i < 5; i++)
		args[i] = xp_datum_int(&wire->arena, i);
	XC_TRY(raises(cc, wire, queue, "put", 5, args, "TypeError"));
	args[0] = xp_datum_int(&wire->arena, 99);
	XC_TRY(raises(cc, wire, list, "__getitem__", 1, args, "IndexError"));
	args[0] = xp_datum_str(&wire->arena, "text");
	XC_TRY(raises(cc, wire, list, "__getitem__", 1, args, "TypeError"));
	XC_TRY(raises(cc, wire, list, "pop", 0, NULL, "IndexError"));
	XC_TRY(raises(cc, wire, queue, "task_done", 0, NULL, "ValueError"));
	return xc_stage_tear_down(cc, &stage);
}

/* ---- keys ------------------------------------------------------------------------------------- */

/* One frame of the handshake; its size, or -errno. */
static int read_frame(int fd, unsigned char payload[XP_AUTH_FRAME_MAX],
		      const struct timespec *deadline)
{
	unsigned char header[4];
	int rc = xp_io_read_full(fd, header, sizeof(header), deadline);

	if (rc < 0)
		return rc;
	if (header[0] || header[1] || header[2])
		return -EMSGSIZE;
	rc = xp_io_read_full(fd, payload, header[3], deadline);
	return rc < 0 ? rc : header[3];
}

/* A client that does not mind who the server is: only the server's own check keeps it out. */
static enum xc_verdict wrong_answer(struct xc_case_context *cc, struct xc_stage *stage,
				    const void *answer, unsigned char size)
{
	unsigned char frame[XP_AUTH_FRAME_MAX], header[4] = {0, 0, 0, size};
	struct iovec parts[] = {{header, sizeof(header)}, {(void *)answer, size}};
	struct timespec by = xc_bound(cc);
	struct xc_wire wire;

	XC_GIVES(cc, xc_wire_connect(&wire, &stage->server, &by), 0);
	int rc = read_frame(wire.conn.fd, frame, &by);
	XC_REQUIRE(cc, rc > 20 && memcmp(frame, "#CHALLENGE#", 11) == 0,
		   "the server begins with a challenge", "%d bytes of something else", rc);
	XC_GIVES(cc, xp_io_send_full(wire.conn.fd, parts, 2, &by), 0);
	rc = read_frame(wire.conn.fd, frame, &by);
	XC_REQUIRE(cc, rc != -ETIMEDOUT, "a wrong answer is refused at once", "nothing comes");
	XC_REQUIRE(cc, rc != 9 || memcmp(frame, "#WELCOME#", 9) != 0, "a wrong answer is refused",
		   "it is welcomed");
	xc_wire_close(&wire);
	return XC_PASS;
}

static enum xc_verdict wrong_key(struct xc_case_context *cc)
{
	static const char *const keys[] = {"", "wrong", XC_KEY " ", "not-a-secreT"};
	struct xc_stage stage;
	struct xc_wire wire;

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct timespec by = xc_bound(cc);
		XC_GIVES(cc, xc_wire_connect(&wire, &stage.server, &by), 0);
		int rc = xp_conn_authenticate(&wire.conn, XP_AUTH_CLIENT, keys[i], strlen(keys[i]),
					      NULL, &by);
		XC_GIVES(cc, rc, -EACCES);
		xc_wire_close(&wire);
	}
	XC_TRY(wrong_answer(cc, &stage, "0123456789abcdef", 16));
	XC_TRY(wrong_answer(cc, &stage, "{sha256}0123456789abcdef0123456789abcdef", 40));
	XC_TRY(wrong_answer(cc, &stage, "", 0));
	return xc_stage_tear_down(cc, &stage);
}

/* The end of a stream: nothing more than what is read and thrown away here. */
static int read_to_end(int fd, const struct timespec *deadline)
{
	char buffer[512];
	ssize_t n;

	do {
		n = xp_io_read_some(fd, buffer, sizeof(buffer), deadline);
	} while (n > 0);
	return n == -EPIPE || n == -ECONNRESET ? 0 : (int)n;
}

static enum xc_verdict parse_nothing(struct xc_case_context *cc)
{
	struct xc_stage stage;
	struct xc_wire wire;
	struct timespec by = xc_bound(cc);

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	/* A well-formed request where the answer to the challenge should be. */
	XC_GIVES(cc, xc_wire_connect(&wire, &stage.server, &by), 0);
	static const unsigned char shutdown_request[] =
	    "\0\0\0\x15\x80\x02(NX\x08\0\0\0shutdown)}t.";
	struct iovec part = {(void *)shutdown_request, sizeof(shutdown_request) - 1};
	XC_GIVES(cc, xp_io_send_full(wire.conn.fd, &part, 1, &by), 0);
	int rc = read_to_end(wire.conn.fd, &by);
	XC_REQUIRE(cc, rc == 0, "the server ends that connection", "it goes on");
	xc_wire_close(&wire);
	return xc_stage_tear_down(cc, &stage);
}

#define SILENT 20

static enum xc_verdict silent_client(struct xc_case_context *cc)
{
	struct xc_stage stage;
	struct xc_wire wires[SILENT];
	struct timespec by = xc_bound(cc);

	XC_TRY(xc_stage_set_up(cc, &(struct xc_server_plan){.handshake_s = 1}, &stage));
	for (int i = 0; i < SILENT; i++)
		XC_GIVES(cc, xc_wire_connect(&wires[i], &stage.server, &by), 0);
	XC_TRY(xc_stage_serves(cc, &stage));
	by = xc_bound(cc);
	for (int i = 0; i < SILENT; i++) {
		int rc = read_to_end(wires[i].conn.fd, &by);
		XC_REQUIRE(cc, rc == 0, "a silent client is dropped in bounded time",
			   "the server waits for it for ever");
		xc_wire_close(&wires[i]);
	}
	return xc_stage_tear_down(cc, &stage);
}

static enum xc_verdict slow_client(struct xc_case_context *cc)
{
	struct xc_stage stage;
	struct xc_wire wire;
	unsigned char byte = 0;
	struct timespec by = xc_bound(cc);

	XC_TRY(xc_stage_set_up(cc, &(struct xc_server_plan){.handshake_s = 1}, &stage));
	XC_GIVES(cc, xc_wire_connect(&wire, &stage.server, &by), 0);
	/* A frame of 200 bytes, begun, and one byte more now and then. */
	int sent = 0, rc = 0;
	for (; rc == 0 && !xp_deadline_passed(&by) && sent < 190; sent++) {
		struct pollfd look = {.fd = wire.conn.fd, .events = POLLRDHUP};
		struct iovec part = {&byte, 1};
		byte = sent == 3 ? 200 : 0;
		rc = xp_io_send_full(wire.conn.fd, &part, 1, &by);
		if (rc == 0 && poll(&look, 1, 25) > 0)
			rc = -EPIPE;
	}
	XC_REQUIRE(cc, rc == -EPIPE || rc == -ECONNRESET,
		   "a slow client is dropped in bounded time", "after %d bytes it is not", sent);
	xc_wire_close(&wire);
	return xc_stage_tear_down(cc, &stage);
}

/* ---- malformed -------------------------------------------------------------------------------- */

static enum xc_verdict torn_frame(struct xc_case_context *cc)
{
	static const unsigned char torn[] = {0, 0, 0, 100, 0x80, 2, '(', 'N'};
	struct xc_stage stage;

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	int before = xc_server_descriptors(&stage.server);
	for (size_t size = 1; size <= sizeof(torn); size++) {
		struct xc_wire wire;
		struct timespec by = xc_bound(cc);
		struct iovec part = {(void *)torn, size};
		XC_GIVES(cc, xc_wire_open(&wire, &stage.server, &by), 0);
		XC_GIVES(cc, xp_io_send_full(wire.conn.fd, &part, 1, &by), 0);
		xc_wire_close(&wire);
	}
	XC_TRY(xc_stage_serves(cc, &stage));
	struct timespec by = xc_bound(cc);
	while (xc_server_descriptors(&stage.server) > before + 1) {
		XC_REQUIRE(cc, !xp_deadline_passed(&by), "the server closes what was cut short",
			   "it has %d descriptors, %d before", xc_server_descriptors(&stage.server),
			   before);
		xc_pause_us(1000);
	}
	return xc_stage_tear_down(cc, &stage);
}

#define HUGE_SLACK_KIB (256 << 10)

static enum xc_verdict huge_frame(struct xc_case_context *cc)
{
	static const unsigned char frames[][12] = {{0x7f, 0xff, 0xff, 0xff, 0x80, 2},
						   {0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0, 0, 0, 0, 0},
						   {0x80, 0, 0, 0, 0x80, 2}};
	struct xc_stage stage;

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	int64_t before = xc_server_memory_kib(&stage.server, true);
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct xc_wire wire;
		struct timespec by = xc_bound(cc);
		struct iovec part = {(void *)frames[i], sizeof(frames[i])};
		XC_GIVES(cc, xc_wire_open(&wire, &stage.server, &by), 0);
		XC_GIVES(cc, xp_io_send_full(wire.conn.fd, &part, 1, &by), 0);
		/* Its answer to another proves that it has read this. */
		XC_TRY(xc_stage_serves(cc, &stage));
		int64_t now = xc_server_memory_kib(&stage.server, true);
		XC_REQUIRE(cc, now < before + HUGE_SLACK_KIB, "an announcement reserves no memory",
			   "the server's memory grows from %ld to %ld KiB", (long)before,
			   (long)now);
		xc_wire_close(&wire);
	}
	return xc_stage_tear_down(cc, &stage);
}

static enum xc_verdict bad_pickle(struct xc_case_context *cc)
{
	static const struct {
		const char *bytes;
		size_t size;
	} frames[] = {{"\0\0\0\x04\xff\xff\xff\xff", 8},
		      {"\0\0\0\x02\x80\x02", 6},
		      {"\0\0\0\x03\x80\x63.", 7},
		      {"\0\0\0\x05\x80\x02)R.", 9},
		      {"\0\0\0\x08\x80\x02]q\0h\x05.", 12},
		      {"\0\0\0\x04\x80\x02N.", 8},
		      {"\0\0\0\x0b\x80\x02(NNNNNNt.", 15},
		      {"\0\0\0\x07\x80\x02\x8a\xff\0\0.", 11},
		      {"\0\0\0\x08\x80\x02X\xff\xff\xff\x7f.", 12},
		      {"\0\0\0\0", 4}};
	struct xc_stage stage;

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct xc_wire wire;
		struct timespec by = xc_bound(cc);
		struct iovec part = {(void *)frames[i].bytes, frames[i].size};
		char buffer[4];
		XC_GIVES(cc, xc_wire_open(&wire, &stage.server, &by), 0);
		XC_GIVES(cc, xp_io_send_full(wire.conn.fd, &part, 1, &by), 0);
		ssize_t n = xp_io_read_some(wire.conn.fd, buffer, sizeof(buffer), &by);
		XC_REQUIRE(cc, n != -ETIMEDOUT, "an answer, or the end of the connection",
			   "neither comes for malformed frame %zu", i);
		xc_wire_close(&wire);
		XC_TRY(xc_stage_serves(cc, &stage));
	}
	return xc_stage_tear_down(cc, &stage);
}

/* ---- TCP -------------------------------------------------------------------------------------- */

#define EXCHANGES     20
#define STALL_NS      (30 * XP_NS_PER_MS) /* a delayed acknowledgement is 40 ms */
#define PAYLOAD_BYTES 20000		  /* what stock CPython sends in two writes */

static enum xc_verdict no_stall(struct xc_case_context *cc)
{
	static char payload[PAYLOAD_BYTES];
	struct xc_stage stage;
	struct xc_reply reply;
	int stalls = 0;

	if (!cc->iut->subject->tcp)
		return xc_unsupported(cc, "it does not use TCP");
	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	memset(payload, 'x', sizeof(payload));
	for (int i = 0; i < EXCHANGES; i++) {
		const struct xp_datum *text =
		    xp_datum_borrow(&stage.honest.arena, XP_DATUM_STR, payload, sizeof(payload));
		int64_t start = xp_clock_ns();
		XC_TRY(xc_wire_call(cc, &stage.honest, stage.value, "set", 1, &text, &reply));
		XC_TRY(xc_wire_call(cc, &stage.honest, stage.value, "get", 0, NULL, &reply));
		stalls += xp_clock_ns() - start > STALL_NS;
	}
	XC_REQUIRE(cc, stalls <= EXCHANGES / 2, "few exchanges of 20 kB take longer than 30 ms",
		   "%d of %d do", stalls, EXCHANGES);
	const struct xp_datum *seven = xp_datum_int(&stage.honest.arena, 7);
	XC_TRY(xc_wire_call(cc, &stage.honest, stage.value, "set", 1, &seven, &reply));
	return xc_stage_tear_down(cc, &stage);
}

#define SERVER XC_KIND_SERVER

const struct xc_case xc_cases_manager[] = {
    {.clause = "manager.call", .name = "two_clients", .kinds = SERVER, .run = call},
    {.clause = "manager.exception", .name = "key_and_empty", .kinds = SERVER, .run = exception},
    {.clause = "manager.new_object", .name = "two_queues", .kinds = SERVER, .run = new_object},
    {.clause = "manager.public_only", .name = "queue", .kinds = SERVER, .run = public_only},
    {.clause = "manager.special_exposed", .name = "list", .kinds = SERVER, .run = special_exposed},
    {.clause = "manager.unknown_names", .name = "each", .kinds = SERVER, .run = unknown_names},
    {.clause = "manager.wrong_arguments",
     .name = "several",
     .kinds = SERVER,
     .run = wrong_arguments},
    {.clause = "manager.wrong_key", .name = "several", .kinds = SERVER, .run = wrong_key},
    {.clause = "manager.parse_nothing", .name = "shutdown", .kinds = SERVER, .run = parse_nothing},
    {.clause = "manager.silent_client", .name = "twenty", .kinds = SERVER, .run = silent_client},
    {.clause = "manager.slow_client", .name = "trickle", .kinds = SERVER, .run = slow_client},
    {.clause = "manager.torn_frame", .name = "every_byte", .kinds = SERVER, .run = torn_frame},
    {.clause = "manager.huge_frame", .name = "three", .kinds = SERVER, .run = huge_frame},
    {.clause = "manager.bad_pickle", .name = "several", .kinds = SERVER, .run = bad_pickle},
    {.clause = "manager.no_stall", .name = "20_kB", .kinds = SERVER, .run = no_stall},
    {0},
};
