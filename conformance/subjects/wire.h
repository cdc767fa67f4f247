/* SPDX-License-Identifier: MIT */
/*
 * wire - a client of any manager, without a proxy: one connection, one request at a time
 *
 * What a case says to a server here is exactly what goes over the wire, so that it can also say what no
 * proxy would, or leave in the middle. Values are those that rpc/datum.h builds.
 */
#ifndef CONFORMANCE_SUBJECTS_WIRE_H
#define CONFORMANCE_SUBJECTS_WIRE_H

#include "conformance/subjects/subject.h"

#define XC_IDENT_MAX 64

/** struct xc_wire - A connection that has authenticated and sent accept_connection. */
struct xc_wire {
	struct xp_conn conn;
	struct xp_datum_arena arena;
};

/**
 * struct xc_reply - What came back.
 * @kind: "#RETURN", "#ERROR", "#TRACEBACK", "#PROXY", "#UNSERIALIZABLE".
 * @value: The payload; valid until the next request.
 * @text:  Its text, or the class and first argument of an exception, for messages and for looking.
 */
struct xc_reply {
	char kind[24];
	const struct xp_datum *value;
	char text[512];
};

/** xc_wire_open() - Connect, authenticate, accept_connection, and hand a ring over where the subject has
 *  one and the server has a place for it. 0 or -errno. */
XP_MUST_CHECK int xc_wire_open(struct xc_wire *wire, const struct xc_server *server,
			       const struct timespec *deadline);
/** xc_wire_shake() - Connect and authenticate only. */
XP_MUST_CHECK int xc_wire_shake(struct xc_wire *wire, const struct xc_server *server,
				const struct timespec *deadline);
/** xc_wire_connect() - Connect only: an anonymous stream, the challenge unread. */
XP_MUST_CHECK int xc_wire_connect(struct xc_wire *wire, const struct xc_server *server,
				  const struct timespec *deadline);
void xc_wire_close(struct xc_wire *wire);

/** xc_wire_send() - Send (ident, method, args, {}), and nothing more. @ident NULL is None. */
XP_MUST_CHECK int xc_wire_send(struct xc_wire *wire, const char *ident, const char *method,
			       size_t count, const struct xp_datum *const *args);
/** xc_wire_recv() - Receive one reply. */
XP_MUST_CHECK int xc_wire_recv(struct xc_wire *wire, const struct timespec *deadline,
			       struct xc_reply *ret_reply);

/** xc_wire_call() - Both, and the reply must be #RETURN: FAIL otherwise. */
enum xc_verdict xc_wire_call(struct xc_case_context *cc, struct xc_wire *wire, const char *ident,
			     const char *method, size_t count, const struct xp_datum *const *args,
			     struct xc_reply *ret_reply);
/** xc_wire_ask() - Both, whatever the reply is; FAIL if there is none in bounded time. */
enum xc_verdict xc_wire_ask(struct xc_case_context *cc, struct xc_wire *wire, const char *ident,
			    const char *method, size_t count, const struct xp_datum *const *args,
			    struct xc_reply *ret_reply);

/** xc_wire_create() - Make an object, on a connection of its own, and keep the creation reference. */
enum xc_verdict xc_wire_create(struct xc_case_context *cc, const struct xc_server *server,
			       const char *typeid_, size_t count,
			       const struct xp_datum *const *args, char ret_ident[XC_IDENT_MAX]);

/** xc_wire_serves() - The server still serves: this connection, and a new one. */
enum xc_verdict xc_wire_serves(struct xc_case_context *cc, const struct xc_server *server,
			       struct xc_wire *old, const char *value_ident);

#endif
