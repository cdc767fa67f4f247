/* SPDX-License-Identifier: MIT */
#include "conformance/subjects/impostor.h"

#include "xpshare/base/io.h"
#include "xpshare/rpc/door.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *xc_mischief_text(enum xc_mischief mischief)
{
#define X(name, text) text,
	static const char *const texts[] = {XC_MISCHIEF_MAP(X)};
#undef X
	return texts[mischief];
}

struct impostor {
	enum xc_mischief mischief;
	int listen_fd;
	bool door;
};

static void misbehave(enum xc_mischief mischief, int fd)
{
	static const unsigned char header[] = {0, 0};
	static const unsigned char half[] = {0, 0, 0, 100, 0x80, 2, 'U', 7, '#', 'R', 'E'};
	static const unsigned char garbage[] = {0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const unsigned char huge[] = {0x7f, 0xff, 0xff, 0xff, 0x80, 2};
	const void *bytes = NULL;
	size_t size = 0;

	switch (mischief) {
	case XC_MISCHIEF_DIES_IN_HEADER:
		bytes = header;
		size = sizeof(header);
		break;
	case XC_MISCHIEF_DIES_IN_REPLY:
		bytes = half;
		size = sizeof(half);
		break;
	case XC_MISCHIEF_GARBAGE:
		bytes = garbage;
		size = sizeof(garbage);
		break;
	case XC_MISCHIEF_HUGE:
		bytes = huge;
		size = sizeof(huge);
		break;
	default:
		break;
	}
	if (bytes)
		(void)!xp_io_write_full(fd, bytes, size, NULL);
	if (mischief == XC_MISCHIEF_SILENT || mischief == XC_MISCHIEF_GARBAGE) {
		for (;;)
			pause();
	}
	_exit(0);
}

static const struct xp_datum *answer_to(struct xp_datum_arena *arena, const struct xp_datum *method)
{
	static const char *const names[] = {"empty", "full",	   "get",   "get_nowait", "join",
					    "put",   "put_nowait", "qsize", "task_done"};
	const struct xp_datum *exposed[9], *created[2], *reply[2];

	for (size_t i = 0; i < 9; i++)
		exposed[i] = xp_datum_str(arena, names[i]);
	created[0] = xp_datum_str(arena, "7f0000000001");
	created[1] = xp_datum_tuple(arena, 9, exposed);
	reply[0] = xp_datum_str(arena, "#RETURN");
	reply[1] = xp_datum_is_text(method, "create") ? xp_datum_tuple(arena, 2, created)
						      : xp_datum_none();
	return xp_datum_tuple(arena, 2, reply);
}

/* One connection, until its peer closes it, or calls a method. */
static void serve(const struct impostor *impostor, int fd)
{
	struct xp_datum_arena arena;
	struct xp_conn conn;
	bool serving = false;
	const struct xp_datum *request;

	xp_conn_init(&conn, NULL);
	xp_datum_arena_init(&arena, 0);
	xp_conn_adopt(&conn, fd);
	if (xp_conn_authenticate(&conn, XP_AUTH_SERVER, XC_KEY, strlen(XC_KEY), NULL, NULL) < 0)
		return;
	while (xp_conn_recv(&conn, NULL, &request) == 0) {
		if (serving)
			misbehave(impostor->mischief, fd);
		if (request->kind != XP_DATUM_TUPLE || request->count != 4)
			break;
		serving = xp_datum_is_text(request->items[1], "accept_connection");
		const struct xp_datum *reply = answer_to(&arena, request->items[1]);
		/* Any reader understands protocol 2. */
		conn.speak = XP_DIALECT_ANY;
		if (!reply || xp_conn_send(&conn, reply, NULL) < 0)
			break;
		xp_datum_arena_reset(&arena);
		if (!serving)
			break;
	}
	xp_conn_fini(&conn);
	xp_datum_arena_fini(&arena);
}

static int run_impostor(void *arg)
{
	const struct impostor *impostor = arg;

	for (;;) {
		if (xp_io_wait(impostor->listen_fd, POLLIN, NULL) < 0)
			return 1;
		int fd = -1;
		int rc = 0;
		if (impostor->door)
			rc = xp_door_answer(impostor->listen_fd, &fd);
		else
			fd = accept(impostor->listen_fd, NULL, NULL);
		if (rc == 0 && fd >= 0)
			serve(impostor, fd);
	}
	return 0;
}

/* Where the subject's servers listen. */
static int listen_as(const struct xc_subject *subject, struct impostor *impostor,
		     struct xc_server *server)
{
	struct xp_address where;
	int door, rc;

	impostor->door = subject->door;
	if (subject->door) {
		rc = xp_door_create(&impostor->listen_fd, &door);
		if (rc == 0)
			server->address = xp_address_of_fd(door);
	} else {
		if (subject->tcp)
			snprintf(server->text, sizeof(server->text), "tcp:127.0.0.1:0");
		else
			snprintf(server->text, sizeof(server->text), "unix:%s/i", getenv("TMPDIR"));
		rc = xp_address_parse(server->text, &where);
		if (rc == 0)
			rc = xp_listen(&where, 0, &server->address, &impostor->listen_fd);
	}
	if (rc == 0)
		rc = xp_address_format(&server->address, server->text, sizeof(server->text));
	return rc < 0 ? rc : 0;
}

enum xc_verdict xc_impostor_start(struct xc_case_context *cc, enum xc_mischief mischief,
				  struct xc_server *ret_server)
{
	struct impostor impostor = {.mischief = mischief};
	struct xc_server server = {0};

	if (listen_as(cc->iut->subject, &impostor, &server) < 0)
		return xc_unresolved(cc, "the impostor cannot listen at %s", server.text);
	int rc = xp_child_start(run_impostor, &impostor, &server.child);
	close(impostor.listen_fd);
	if (rc < 0)
		return xc_unresolved(cc, "no process for the impostor");
	*ret_server = server;
	return XC_PASS;
}
