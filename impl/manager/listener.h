/* SPDX-License-Identifier: MIT */
/*
 * listener - accepting and refusing connections, for both servers
 *
 * Private to the servers. A gate counts what is accepted, keeps a descriptor in reserve, and says no in
 * words (server.h).
 */
#ifndef XPSHARE_MANAGER_LISTENER_H
#define XPSHARE_MANAGER_LISTENER_H

#include "xpshare/manager/server.h"

/** struct xp_listener - One listening socket, or the server's end of a door (rpc/door.h). */
struct xp_listener {
	int fd; /* -1: closed */
	struct xp_address address;
	const struct xp_datum *datum; /* the address as Python writes it */
	unsigned digests;
	bool tcp;
	bool door;
	bool own; /* we made the socket file and unlink it */
};

/* Sorts of log lines; each has its own rate. */
enum xp_gate_event {
	XP_GATE_DESCRIPTORS,
	XP_GATE_CONNECTIONS,
	XP_GATE_USER,
	XP_GATE_HANDSHAKE,
	XP_GATE_PENDING,
	XP_GATE_MEMORY,
	XP_GATE_FRAME,
	XP_GATE_ACCEPT,
	XP_GATE_RING,
	XP_GATE_LISTEN,
	XP_GATE_LOG_KINDS
};

/** struct xp_gate - All listening sockets of a server. */
struct xp_gate {
	struct xp_listener *listeners;
	size_t count;
	struct xp_datum_arena arena;
	const struct xp_server_options *options;
	struct xp_stats *stats;
	unsigned connections_max;
	unsigned connections;
	unsigned rings_max; /* see xp_gate_open() */
	unsigned rings;
	int reserve; /* a descriptor to accept with when there is none; -1: lost */
	struct xp_gate_log {
		int64_t since;
		unsigned lines;
		unsigned held_back;
	} logs[XP_GATE_LOG_KINDS];
};

/**
 * xp_gate_open() - Listen everywhere, or nowhere.
 *
 * A ring takes a descriptor for its bell. Rings get those that connections cannot need, and a quarter of all
 * in any case: beyond that a client is served by its socket, so that rings keep nobody out.
 * Return: 0, -errno.
 */
XP_MUST_CHECK int xp_gate_open(struct xp_gate *gate, const struct xp_server_options *options,
			       struct xp_stats *stats);
/** xp_gate_shut() - Stop listening: close, and unlink what is ours. */
void xp_gate_shut(struct xp_gate *gate);
/** xp_gate_abandon() - Nobody can come through this door any more: close it. */
void xp_gate_abandon(struct xp_gate *gate, const struct xp_listener *listener);
/** xp_gate_is_over() - Nobody is connected, and nobody can connect any more. */
bool xp_gate_is_over(const struct xp_gate *gate);
/** xp_gate_close() - The same, and free. */
void xp_gate_close(struct xp_gate *gate);

/**
 * xp_gate_accept() - Take one connection that may be served.
 *
 * Those that may not are told so and closed here. Never blocks, whatever mode the socket is in.
 * Return: 0 with it; -EAGAIN nobody waits; -EBUSY somebody waits who can not even be refused: try again
 *         when a descriptor has become free; -ECANCELED one was refused, go on; -EPIPE nobody is left to come through this door; -errno.
 */
XP_MUST_CHECK int xp_gate_accept(struct xp_gate *gate, const struct xp_listener *listener,
				 int *ret_fd);
/** xp_gate_refuse() - Tell a connection why, count it under @reason, and close it. */
void xp_gate_refuse(struct xp_gate *gate, int fd, enum xp_refusal reason, const char *why);
/** xp_gate_left() - A connection that was accepted has ended. */
void xp_gate_left(struct xp_gate *gate);
/** xp_gate_log() - A line, at most a few of each sort per second. */
__attribute__((format(printf, 3, 4))) void
xp_gate_log(struct xp_gate *gate, enum xp_gate_event event, const char *format, ...);

#endif
