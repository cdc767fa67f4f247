/* SPDX-License-Identifier: MIT */
#include "conformance/subjects/wire.h"

#include "xpshare/manager/link.h"

#include <string.h>

int xc_wire_connect(struct xc_wire *wire, const struct xc_server *server,
		    const struct timespec *deadline)
{
	xp_conn_init(&wire->conn, NULL);
	xp_datum_arena_init(&wire->arena, 0);
	int rc = xp_conn_open(&wire->conn, &server->address, deadline);
	if (rc < 0)
		xc_wire_close(wire);
	return rc;
}

int xc_wire_shake(struct xc_wire *wire, const struct xc_server *server,
		  const struct timespec *deadline)
{
	int rc = xc_wire_connect(wire, server, deadline);

	if (rc < 0)
		return rc;
	rc = xp_conn_authenticate(&wire->conn, XP_AUTH_CLIENT, XC_KEY, strlen(XC_KEY), NULL,
				  deadline);
	if (rc < 0)
		xc_wire_close(wire);
	return rc;
}

int xc_wire_open(struct xc_wire *wire, const struct xc_server *server,
		 const struct timespec *deadline)
{
	struct xc_reply reply;
	int rc = xc_wire_shake(wire, server, deadline);

	if (rc < 0)
		return rc;
	const struct xp_datum *name = xp_datum_str(&wire->arena, "wire");
	rc = xc_wire_send(wire, NULL, "accept_connection", 1, &name);
	if (rc == 0)
		rc = xc_wire_recv(wire, deadline, &reply);
	if (rc == 0 && strcmp(reply.kind, "#RETURN") != 0)
		rc = -EPROTO;
	if (rc == 0 && server->ring) {
		rc = xp_link_hand_over(&wire->conn, XP_DUPLEX_SIZE_DEFAULT, 0, deadline);
		if (rc == -ENOTSUP)
			rc = 0;
	}
	if (rc < 0)
		xc_wire_close(wire);
	return rc;
}

void xc_wire_close(struct xc_wire *wire)
{
	xp_conn_fini(&wire->conn);
	xp_datum_arena_fini(&wire->arena);
}

int xc_wire_send(struct xc_wire *wire, const char *ident, const char *method, size_t count,
		 const struct xp_datum *const *args)
{
	struct xp_datum_arena *arena = &wire->arena;
	struct timespec by = xc_patience();
	const struct xp_datum *parts[4] = {
	    ident ? xp_datum_str(arena, ident) : xp_datum_none(),
	    xp_datum_str(arena, method),
	    xp_datum_tuple(arena, count, args),
	    xp_datum_dict(arena),
	};
	const struct xp_datum *request = xp_datum_tuple(arena, 4, parts);
	int rc = request ? xp_conn_send(&wire->conn, request, &by) : -ENOMEM;

	xp_datum_arena_reset(arena);
	return rc;
}

static void copy_text(char *to, size_t room, const struct xp_datum *value)
{
	if (value->kind == XP_DATUM_STR || value->kind == XP_DATUM_BYTES)
		snprintf(to, room, "%.*s", (int)value->size, value->bytes);
	else if (value->kind == XP_DATUM_INT)
		snprintf(to, room, "%ld", (long)value->integer);
}

/* "KeyError: text" of an exception, the last line of a traceback, or plain text. */
static void describe(const struct xp_datum *value, char *text, size_t room)
{
	text[0] = 0;
	if (value->kind == XP_DATUM_REDUCE && value->reduce->callable &&
	    value->reduce->callable->kind == XP_DATUM_GLOBAL) {
		const struct xp_datum *class = value->reduce->callable->global->name;
		int n = snprintf(text, room, "%.*s: ", (int)class->size, class->bytes);
		if (value->reduce->args && value->reduce->args->count > 0 && n > 0 &&
		    (size_t)n < room)
			copy_text(text + n, room - (size_t)n, value->reduce->args->items[0]);
		return;
	}
	if (value->kind != XP_DATUM_STR) {
		copy_text(text, room, value);
		return;
	}
	size_t end = value->size;
	while (end > 0 && value->bytes[end - 1] == '\n')
		end--;
	size_t start = end;
	while (start > 0 && value->bytes[start - 1] != '\n')
		start--;
	snprintf(text, room, "%.*s", (int)(end - start), value->bytes + start);
}

int xc_wire_recv(struct xc_wire *wire, const struct timespec *deadline, struct xc_reply *ret_reply)
{
	const struct xp_datum *reply;
	int rc = xp_conn_recv(&wire->conn, deadline, &reply);

	if (rc < 0)
		return rc;
	if (reply->kind != XP_DATUM_TUPLE || reply->count != 2 ||
	    reply->items[0]->kind != XP_DATUM_STR)
		return -EPROTO;
	*ret_reply = (struct xc_reply){.value = reply->items[1]};
	copy_text(ret_reply->kind, sizeof(ret_reply->kind), reply->items[0]);
	describe(reply->items[1], ret_reply->text, sizeof(ret_reply->text));
	return 0;
}

enum xc_verdict xc_wire_ask(struct xc_case_context *cc, struct xc_wire *wire, const char *ident,
			    const char *method, size_t count, const struct xp_datum *const *args,
			    struct xc_reply *ret_reply)
{
	struct timespec by = xc_bound(cc);
	char number[32];
	int rc = xc_wire_send(wire, ident, method, count, args);

	if (rc == 0)
		rc = xc_wire_recv(wire, &by, ret_reply);
	XC_REQUIRE(cc, rc == 0, "the server answers every request", "'%s' gives %s", method,
		   xc_number(rc, number));
	return XC_PASS;
}

enum xc_verdict xc_wire_call(struct xc_case_context *cc, struct xc_wire *wire, const char *ident,
			     const char *method, size_t count, const struct xp_datum *const *args,
			     struct xc_reply *ret_reply)
{
	XC_TRY(xc_wire_ask(cc, wire, ident, method, count, args, ret_reply));
	XC_REQUIRE(cc, strcmp(ret_reply->kind, "#RETURN") == 0, "the call returns a value",
		   "'%s' is answered by %s %s", method, ret_reply->kind, ret_reply->text);
	return XC_PASS;
}

enum xc_verdict xc_wire_create(struct xc_case_context *cc, const struct xc_server *server,
			       const char *typeid_, size_t count,
			       const struct xp_datum *const *args, char ret_ident[XC_IDENT_MAX])
{
	const struct xp_datum *all[8] = {NULL};
	struct timespec by = xc_bound(cc);
	struct xc_reply reply = {0};
	struct xc_wire wire;
	char number[32];

	int rc = xc_wire_shake(&wire, server, &by);
	XC_REQUIRE(cc, rc == 0, "a client can connect", "%s", xc_number(rc, number));
	all[0] = xp_datum_str(&wire.arena, typeid_);
	for (size_t i = 0; i < count; i++)
		all[i + 1] = args[i];
	XC_TRY(xc_wire_call(cc, &wire, NULL, "create", count + 1, all, &reply));
	XC_REQUIRE(cc,
		   reply.value && reply.value->kind == XP_DATUM_TUPLE && reply.value->count == 2 &&
		       reply.value->items[0]->kind == XP_DATUM_STR &&
		       reply.value->items[0]->size < XC_IDENT_MAX,
		   "create returns an ident and the exposed names", "something else");
	copy_text(ret_ident, XC_IDENT_MAX, reply.value->items[0]);
	xc_wire_close(&wire);
	return XC_PASS;
}

enum xc_verdict xc_wire_serves(struct xc_case_context *cc, const struct xc_server *server,
			       struct xc_wire *old, const char *value_ident)
{
	struct timespec by = xc_bound(cc);
	struct xc_reply reply;
	struct xc_wire fresh;
	char number[32];

	XC_REQUIRE(cc, xc_server_alive(server), "the server lives", "its process has ended");
	XC_TRY(xc_wire_call(cc, old, value_ident, "get", 0, NULL, &reply));
	XC_REQUIRE(cc, strcmp(reply.text, "7") == 0, "the object keeps its value", "it is '%s'",
		   reply.text);
	int rc = xc_wire_open(&fresh, server, &by);
	XC_REQUIRE(cc, rc == 0, "a new client is served", "it gets %s", xc_number(rc, number));
	XC_TRY(xc_wire_call(cc, &fresh, value_ident, "get", 0, NULL, &reply));
	xc_wire_close(&fresh);
	return XC_PASS;
}
