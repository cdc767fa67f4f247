/* SPDX-License-Identifier: MIT */
/*
 * server - a server process: who may connect, and what happens when there is no place left
 *
 * Overview      Two servers stand on one dispatcher. `event` is one loop on epoll in which a blocking
 *               call is a parked reply; `thread` is the original's design, a thread per connection.
 *               Both speak CPython's wire, so that every stock client from 2.7 on may connect.
 * Use           struct xp_server *server;
 *               xp_server_create(&options, &server);  (listens from here on)
 *               xp_server_run(server);                (until xp_server_stop(), or a client's shutdown)
 *               xp_server_destroy(server);
 * Refusals      A connection that cannot be served is told so at once and in words: a frame
 *               "#FAILURE# reason" where the challenge would stand. Stock CPython raises it as
 *               AssertionError (to 3.11) or AuthenticationError (3.12 on) with the reason in it. One
 *               descriptor is kept in reserve for that, so that also at the limit of descriptors the
 *               server neither spins nor leaves a client waiting (SPEC P8, X1).
 * Security      Mutual challenge and response before anything is parsed; on AF_UNIX the peer's user
 *               must be the server's own (or root); digests by transport (struct xp_server_options).
 * Inherited     A server that has no address but "fd:N" of a door (rpc/door.h) ends when the last client has
 *               gone and the last process that could knock has closed its end.
 * Death         Of a client: its parked call is taken back, what it owned is freed, the rest stays.
 */
#ifndef XPSHARE_MANAGER_SERVER_H
#define XPSHARE_MANAGER_SERVER_H

#include "xpshare/manager/dispatch.h"
#include "xpshare/rpc/conn.h"

#define XP_SERVER_PENDING      1024u /* connections in the handshake */
#define XP_SERVER_HANDSHAKE_NS (INT64_C(10) * 1000000000)
#define XP_SERVER_DRAIN_NS     (INT64_C(1) * 1000000000)

enum xp_server_model { XP_SERVER_EVENT, XP_SERVER_THREAD };

/**
 * struct xp_server_options - Zero in a member means the default.
 * @addresses:    Where to listen, @address_count of them.
 * @fds:          Sockets that listen already (socket activation) and doors, @fd_count of them. As those of
 *                addresses "fd:N" they are the server's from now on.
 * @door:         Of xp_manager_start() alone: no address but a door, which descendants inherit.
 * @registry:     What it serves; borrowed.
 * @key:          The authkey; borrowed.
 * @connections:  Clients at a time; default: the limit of descriptors less what the server needs.
 * @pending:      Connections in the handshake at a time; at the limit the oldest is given up.
 * @handshake_ns: How long a client may take until its first request.
 * @polls:        How often to look for the next request before sleeping, adapting to whether that pays;
 *                0: sleep at once. A look into a ring takes nanoseconds, one at a socket a system call. For
 *                clients on other CPUs that wait for little else; only `event`.
 * @any_user:     Do not ask for the user of a peer on AF_UNIX.
 * @allow_md5:    Also where the peer's user is not known: CPython up to 3.11 can do nothing better.
 * @ring_max:     Bytes of the largest segment that a client may hand over for calls by ring
 *                (session_ring.h); default: XP_DUPLEX_SIZE_MAX.
 * @no_rings:     Take none.
 * @log:          One line without newline, rate-limited; may be NULL.
 * @stopping:     It accepts no more and begins to drain; may be NULL.
 */
struct xp_server_options {
	enum xp_server_model model;
	const struct xp_address *addresses;
	size_t address_count;
	const int *fds;
	size_t fd_count;
	const struct xp_registry *registry;
	const void *key;
	size_t key_size;
	struct xp_limits limits;
	unsigned connections;
	unsigned pending;
	int64_t handshake_ns;
	uint32_t polls;
	bool door;
	bool any_user;
	bool allow_md5;
	size_t ring_max;
	bool no_rings;
	void (*log)(void *context, const char *line);
	void (*stopping)(void *context);
	void *log_context;
};

struct xp_server;

/** xp_server_own_process() - Make this process one that is a server and nothing else: no SIGPIPE, and an
 *  allocator that gives back what large values took. Before any thread is started. */
void xp_server_own_process(void);

/** xp_server_create() - Listen; @log hears on which address it cannot. Return: 0; -EADDRINUSE; -EBUSY see
 *  xp_listen(); -EINVAL nowhere to listen; -errno. */
XP_MUST_CHECK int xp_server_create(const struct xp_server_options *options,
				   struct xp_server **ret_server);
/** xp_server_run() - Serve until stopped. Return: 0; -errno of a failure that ends the server. */
XP_MUST_CHECK int xp_server_run(struct xp_server *server);
/** xp_server_stop() - End xp_server_run(): replies that are ready still go out. Async-signal-safe. */
void xp_server_stop(struct xp_server *server);
/** xp_server_destroy() - Unlink socket files, free everything. NULL is allowed. */
void xp_server_destroy(struct xp_server *server);

/** xp_server_address() - Where it listens, with the real port; NULL past the end. */
const struct xp_address *xp_server_address(const struct xp_server *server, size_t index);

#endif
