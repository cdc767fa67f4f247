/* SPDX-License-Identifier: MIT */
/* A server that runs out of something, and clients that want to make it run out (SPEC X7, X10): the others
 * notice nothing. */
#include "conformance/cases/cases.h"
#include "conformance/cases/stage.h"

#include "xpshare/base/io.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define SERVER XC_KIND_SERVER

/* The honest client is served. */
static enum xc_verdict served(struct xc_case_context *cc, struct xc_stage *stage)
{
	struct xc_reply reply;

	XC_REQUIRE(cc, xc_server_alive(&stage->server), "the server lives",
		   "its process has ended");
	return xc_wire_call(cc, &stage->honest, stage->value, "get", 0, NULL, &reply);
}

/* Bytes, and nothing at their end. Return: after them. */
static void *put(void *at, const void *bytes, size_t size)
{
	memcpy(at, bytes, size);
	return (char *)at + size;
}

/* ---- without threads, without memory ---------------------------------------------------------- */

#define NEWCOMERS 20
#define PROCESSES 6 /* the server's threads, its witness's, and a few more */

/* Newcomers are served or refused, at once, and who was there is served. */
static enum xc_verdict newcomers(struct xc_case_context *cc, struct xc_stage *stage)
{
	const char *model = cc->iut->subject->model;
	struct xc_wire wires[NEWCOMERS];
	bool open[NEWCOMERS];
	struct timespec by;
	int refused = 0, rc;

	for (int i = 0; i < NEWCOMERS; i++) {
		by = xc_bound(cc);
		rc = xc_wire_open(&wires[i], &stage->server, &by);
		open[i] = rc == 0;
		refused += rc != 0;
		XC_REQUIRE(cc, rc != -ETIMEDOUT,
			   "a client that cannot be served is told so at once",
			   "client %d waits for ever", i + 1);
		XC_TRY(served(cc, stage));
	}
	if (model && strcmp(model, "thread") == 0 && refused == 0)
		return xc_unresolved(cc, "the limit is not reached");
	for (int i = 0; i < NEWCOMERS; i++) {
		if (open[i])
			xc_wire_close(&wires[i]);
	}
	return XC_PASS;
}

/* There is room again: by the limit that is lifted, or by those who left. */
static enum xc_verdict recovers(struct xc_case_context *cc, struct xc_stage *stage)
{
	struct timespec by;
	struct xc_wire wire;
	int rc;

	by = xc_bound(cc);
	do {
		struct timespec soon = xp_deadline_after(XP_NS_PER_SEC);
		rc = xc_wire_open(&wire, &stage->server, &soon);
	} while (rc != 0 && !xp_deadline_passed(&by));
	XC_REQUIRE(cc, rc == 0, "a new client is served once there are threads again",
		   "it is deaf for good");
	xc_wire_close(&wire);
	return xc_stage_tear_down(cc, stage);
}

/* Sanitizers keep books that need the address space. */
#ifdef XC_SANITIZED
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

static enum xc_verdict no_address_space(struct xc_case_context *cc)
{
	struct xc_stage stage;

	if (IS_SANITIZED)
		return xc_unsupported(cc, "a sanitizer needs the address space");
	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	/* No room for another stack. */
	XC_GIVES(cc,
		 xc_server_limit(&stage.server, RLIMIT_AS, xc_server_address_space(&stage.server)),
		 0);
	XC_TRY(newcomers(cc, &stage));
	XC_GIVES(cc, xc_server_limit(&stage.server, RLIMIT_AS, UINT64_MAX), 0);
	return recovers(cc, &stage);
}

static enum xc_verdict no_process(struct xc_case_context *cc)
{
	struct xc_stage stage;

	if (cc->iut->peer && geteuid() == 0)
		return xc_unsupported(cc, "its server runs as root, which this limit spares");
	XC_TRY(xc_stage_set_up(cc, &(struct xc_server_plan){.processes = PROCESSES}, &stage));
	/* Others than root have processes already: no more. */
	if (geteuid() != 0)
		XC_GIVES(cc, xc_server_limit(&stage.server, RLIMIT_NPROC, 0), 0);
	XC_TRY(newcomers(cc, &stage));
	if (geteuid() != 0)
		XC_GIVES(cc, xc_server_limit(&stage.server, RLIMIT_NPROC, UINT64_MAX), 0);
	return recovers(cc, &stage);
}

#define LARGE	   ((size_t)96 << 20)
#define LITTLE	   ((uint64_t)16 << 20)
#define NODES	   ((size_t)4 << 20)
#define HEADER_MAX 64

/* A request of @size bytes of pickle that the server has no memory for. It is answered by an error, or by
 * the end of that connection. */
static enum xc_verdict too_much(struct xc_case_context *cc, struct xc_stage *stage,
				const char *pickle, size_t size)
{
	unsigned char header[4] = {(unsigned char)(size >> 24), (unsigned char)(size >> 16),
				   (unsigned char)(size >> 8), (unsigned char)size};
	struct iovec parts[] = {{header, sizeof(header)}, {(void *)(uintptr_t)pickle, size}};
	struct timespec by = xc_patience();
	struct xc_wire wire;
	struct xc_reply reply;

	XC_GIVES(cc, xc_wire_open(&wire, &stage->server, &by), 0);
	int rc = xp_io_send_full(wire.conn.fd, parts, 2, &by);
	if (rc == 0)
		rc = xc_wire_recv(&wire, &by, &reply);
	XC_REQUIRE(cc, rc != -ETIMEDOUT, "an error, or the end of that connection",
		   "neither comes");
	XC_REQUIRE(cc, rc < 0 || strcmp(reply.kind, "#RETURN") != 0, "memory is short",
		   "the request is served");
	xc_wire_close(&wire);
	return served(cc, stage);
}

static enum xc_verdict no_memory(struct xc_case_context *cc)
{
	struct xc_stage stage;

	if (IS_SANITIZED)
		return xc_unsupported(cc, "a sanitizer needs the address space");
	char *pickle =
	    mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pickle == MAP_FAILED)
		return xc_unresolved(cc, "no memory here either");
	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	XC_GIVES(cc,
		 xc_server_limit(&stage.server, RLIMIT_AS,
				 xc_server_address_space(&stage.server) + LITTLE),
		 0);
	/* (ident, "set", (text of 96 MB,), {}): too much to be received. */
	char *at = put(pickle, "\x80\x02(X\0\0\0\0", 8);
	pickle[4] = (char)strlen(stage.value);
	at = put(at, stage.value, strlen(stage.value));
	at = put(at, "X\3\0\0\0setX", 9);
	uint32_t text = (uint32_t)(LARGE - 8 - (size_t)(at - pickle));
	at = put(at, &text, 4);
	memset(at, 'x', text);
	put(at + text, "\x85}t.", 4);
	XC_TRY(too_much(cc, &stage, pickle, LARGE));
	/* A list of four million times None: too much to be understood. */
	at = put(pickle, "\x80\x02](", 4);
	memset(at, 'N', NODES);
	put(at + NODES, "e.", 2);
	XC_TRY(too_much(cc, &stage, pickle, NODES + 6));
	XC_GIVES(cc, xc_server_limit(&stage.server, RLIMIT_AS, UINT64_MAX), 0);
	munmap(pickle, LARGE);
	return xc_stage_tear_down(cc, &stage);
}

/* ---- floods ----------------------------------------------------------------------------------- */

#define FLOOD 300

static void ebb(struct xc_wire *wires, int count)
{
	while (count > 0)
		xc_wire_close(&wires[--count]);
}

static enum xc_verdict flood(struct xc_case_context *cc)
{
	static struct xc_wire wires[FLOOD];
	struct xc_stage stage;
	int count = 0;

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	for (; count < FLOOD; count++) {
		struct timespec by = xp_deadline_after(XP_NS_PER_SEC);
		if (xc_wire_connect(&wires[count], &stage.server, &by) < 0)
			break;
		if (count % 50 == 0)
			XC_TRY(xc_wire_serves(cc, &stage.server, &stage.honest, stage.value));
	}
	XC_TRY(xc_wire_serves(cc, &stage.server, &stage.honest, stage.value));
	ebb(wires, count);
	return xc_stage_tear_down(cc, &stage);
}

/* All places are taken by connections that never authenticate: they are given up, and make room. */
static enum xc_verdict flood_at_the_limit(struct xc_case_context *cc)
{
	static struct xc_wire wires[FLOOD];
	const struct xc_server_plan plan = {.descriptors = 64, .handshake_s = 1};
	struct xc_stage stage;
	int count = 0, rc;

	XC_TRY(xc_stage_set_up(cc, &plan, &stage));
	for (; count < 100; count++) {
		struct timespec by = xp_deadline_after(XP_NS_PER_SEC);
		if (xc_wire_connect(&wires[count], &stage.server, &by) < 0)
			break;
	}
	XC_TRY(served(cc, &stage));
	struct timespec by = xc_bound(cc);
	do {
		struct timespec soon = xp_deadline_after(XP_NS_PER_SEC);
		struct xc_wire newcomer;
		rc = xc_wire_open(&newcomer, &stage.server, &soon);
		if (rc == 0)
			xc_wire_close(&newcomer);
		XC_TRY(served(cc, &stage));
	} while (rc != 0 && !xp_deadline_passed(&by));
	XC_REQUIRE(cc, rc == 0, "an honest client gets in, in bounded time",
		   "silent connections keep it out for ever");
	ebb(wires, count);
	return xc_stage_tear_down(cc, &stage);
}

/* ---- slow and deaf ---------------------------------------------------------------------------- */

#define SLOW 5

/* (ident, "get", (), {}) as a frame. Return: its size. */
static size_t get_frame(const char *ident, unsigned char frame[HEADER_MAX])
{
	size_t name = strlen(ident), size = 3 + 5 + name + 5 + 3 + 4;

	put(put(put(frame, "\0\0\0\0\x80\x02(X\0\0\0\0", 12), ident, name), "X\3\0\0\0get)}t.", 12);
	frame[3] = (unsigned char)size;
	frame[8] = (unsigned char)name;
	return size + 4;
}

static enum xc_verdict slow_frame(struct xc_case_context *cc)
{
	unsigned char frame[HEADER_MAX];
	struct xc_wire wires[SLOW];
	struct xc_reply reply;
	struct xc_stage stage;
	size_t size, sent = 0;

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	size = get_frame(stage.value, frame);
	for (int i = 0; i < SLOW; i++) {
		struct timespec by = xc_patience();
		XC_GIVES(cc, xc_wire_open(&wires[i], &stage.server, &by), 0);
	}
	/* All at the same pace, and the others are served after each byte. */
	for (; sent + 1 < size; sent++) {
		for (int i = 0; i < SLOW; i++) {
			struct timespec by = xc_patience();
			struct iovec part = {&frame[sent], 1};
			XC_GIVES(cc, xp_io_send_full(wires[i].conn.fd, &part, 1, &by), 0);
		}
		XC_TRY(served(cc, &stage));
	}
	XC_TRY(xc_wire_serves(cc, &stage.server, &stage.honest, stage.value));
	for (int i = 0; i < SLOW; i++) {
		struct timespec by = xc_patience();
		struct iovec part = {&frame[sent], 1};
		XC_GIVES(cc, xp_io_send_full(wires[i].conn.fd, &part, 1, &by), 0);
		by = xc_bound(cc);
		XC_GIVES(cc, xc_wire_recv(&wires[i], &by, &reply), 0);
		XC_REQUIRE(cc, strcmp(reply.text, "7") == 0,
			   "what came slowly is served in the end", "%s %s comes", reply.kind,
			   reply.text);
	}
	ebb(wires, SLOW);
	return xc_stage_tear_down(cc, &stage);
}

#define REPLY_BYTES ((size_t)1 << 20)
#define REQUESTS    5000
#define DEAF_KIB    (64 << 10)

static enum xc_verdict deaf_client(struct xc_case_context *cc)
{
	static char bytes[REPLY_BYTES];
	char large[XC_IDENT_MAX];
	unsigned char frame[HEADER_MAX];
	struct xp_datum_arena arena;
	struct xc_wire wire;
	struct xc_stage stage;
	struct timespec by = xc_patience();
	int asked = 0, rc = 0;

	XC_TRY(xc_stage_set_up(cc, NULL, &stage));
	memset(bytes, 'x', REPLY_BYTES);
	xp_datum_arena_init(&arena, 0);
	const struct xp_datum *args[] = {xp_datum_str(&arena, "u"),
					 xp_datum_borrow(&arena, XP_DATUM_STR, bytes, REPLY_BYTES)};
	XC_TRY(xc_wire_create(cc, &stage.server, "Value", 2, args, large));
	xp_datum_arena_fini(&arena);
	XC_GIVES(cc, xc_wire_open(&wire, &stage.server, &by), 0);
	int64_t before = xc_server_memory_kib(&stage.server, false);
	size_t size = get_frame(large, frame);
	/* Until the server takes no more. */
	for (; rc == 0 && asked < REQUESTS; asked++) {
		struct timespec soon = xp_deadline_after(200 * XP_NS_PER_MS);
		struct iovec part = {frame, size};
		rc = xp_io_send_full(wire.conn.fd, &part, 1, &soon);
	}
	XC_TRY(xc_wire_serves(cc, &stage.server, &stage.honest, stage.value));
	int64_t after = xc_server_memory_kib(&stage.server, false);
	XC_REQUIRE(cc, after < before + DEAF_KIB, "replies that nobody reads take little memory",
		   "after %d requests for a megabyte the server has grown from %ld to %ld KiB",
		   asked, (long)before, (long)after);
	xc_wire_close(&wire);
	return xc_stage_tear_down(cc, &stage);
}

const struct xc_case xc_cases_manager_attack[] = {
    {.clause = "manager.no_thread",
     .name = "address_space",
     .kinds = SERVER,
     .run = no_address_space},
    {.clause = "manager.no_thread", .name = "processes", .kinds = SERVER, .run = no_process},
    {.clause = "manager.no_memory", .name = "two_requests", .kinds = SERVER, .run = no_memory},
    {.clause = "manager.flood", .name = "three_hundred", .kinds = SERVER, .run = flood},
    {.clause = "manager.flood", .name = "at_the_limit", .kinds = SERVER, .run = flood_at_the_limit},
    {.clause = "manager.slow_frame", .name = "byte_by_byte", .kinds = SERVER, .run = slow_frame},
    {.clause = "manager.deaf_client", .name = "megabytes", .kinds = SERVER, .run = deaf_client},
    {0},
};
