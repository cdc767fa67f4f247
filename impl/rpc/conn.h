/* SPDX-License-Identifier: MIT */
/*
 * conn - a client's connection to a manager
 *
 * Overview      A blocking stream that carries frames, with a deadline on everything: connect,
 *               handshake, call. Requests and replies are datums.
 * Use           xp_address_parse(), xp_conn_open(), xp_conn_authenticate(), then any number of
 *               xp_conn_call(); xp_conn_close().
 * States        CLOSED -> OPEN -> READY -> BROKEN -> CLOSED; by open, authenticate, any failed
 *               call, close.
 * Invariants    (1) A connection on which a call did not end with its whole reply is BROKEN: its
 *               descriptor is closed and every later call answers -ECONNRESET. So a reply that
 *               comes late can never be taken for the reply of the next call (SPEC X2). (2) EAGAIN
 *               never reaches the caller, whoever sets O_NONBLOCK on the descriptor (SPEC P10). (3)
 *               After fork the child must not use the parent's connection: every call checks the
 *               process and answers -ECONNRESET in the child (SPEC X8), whose close leaves the
 *               parent's stream alone.
 * Death         A manager that is killed: -ECONNRESET at once (by ring: XP_DUPLEX_NAP_NS later at the
 *               latest). A stopped one: -ETIMEDOUT at the deadline.
 * Waiting       The kernel keeps the deadline: SO_RCVTIMEO is set when deadlines change by a power of two,
 *               which calls with one patience never do, so that a reply costs one recv. What that
 *               leaves of the time to an absolute deadline is waited out in poll(2). By xp_conn_spin()
 *               the socket is polled for a while first: hybrid wait, for a peer on another CPU.
 * Rings         Between an authenticated client and a server that agrees, both on one machine, requests
 *               and replies may travel through shared memory (duplex.h, xp_conn_hand_over()). The
 *               stream stays open: its end is the death of the peer; a request that the ring cannot
 *               hold goes through it, and so does its reply; of a reply that is too large the ring gets
 *               a mark. A client that waits long sleeps on the stream, and is nudged there by an
 *               empty frame. One request is in flight at a time.
 * Threads       One thread at a time per connection.
 */
#ifndef XPSHARE_RPC_CONN_H
#define XPSHARE_RPC_CONN_H

#include "xpshare/rpc/address.h"
#include "xpshare/rpc/auth.h"
#include "xpshare/rpc/datum.h"
#include "xpshare/rpc/duplex.h"
#include "xpshare/rpc/frame.h"
#include "xpshare/rpc/listen.h"
#include "xpshare/rpc/pickle.h"

#include "xpshare/base/wait.h"

#include <time.h>

#define XP_CONN_POLLS 256u /* of xp_conn_spin(): some 50 us, what a sleep and a wake-up cost */

#define XP_CONN_HELD_MAX 16 /* bytes of the frame of a verdict */

/** struct xp_conn - private, except that `dialect` is that of the peer's last reply. */
struct xp_conn {
	int fd;
	unsigned process; /* the generation of forks that opened it */
	int state;
	bool tcp;
	struct xp_dialect dialect; /* the peer's, known after its first reply */
	struct xp_dialect speak;   /* what requests are written in */
	uint64_t frame_max;
	int64_t recv_limit_ns; /* SO_RCVTIMEO of @fd; 0: none */
	struct xp_wait wait;   /* how often to look before sleeping */
	uint8_t
	    held_size; /* the last frame of the handshake, which leaves with the first request */
	char held[XP_CONN_HELD_MAX];
	struct xp_frame_buffer input;
	struct xp_pickle_reader reader;
	struct xp_pickle_writer writer;
	struct xp_datum_arena replies;
	struct xp_duplex *ring; /* NULL: everything goes by the stream */
	char *ring_payload;	/* what was copied out of it */
	bool by_ring;		/* the last request went by ring, and its reply will */
	const char *why;	/* of the last failure, a constant or reader.error.text */
};

/** xp_conn_init() - Closed; allocates nothing. @limits NULL: defaults. */
void xp_conn_init(struct xp_conn *conn, const struct xp_pickle_limits *limits);
/**
 * xp_conn_spin() - From now on look up to @polls times for a reply before sleeping; 0: sleep at once.
 *
 * Learns whether that pays (base/wait.h). It can only where the peer runs on another CPU: the caller knows.
 */
void xp_conn_spin(struct xp_conn *conn, uint32_t polls);
/** xp_conn_fini() - Close, and give the memory back. */
void xp_conn_fini(struct xp_conn *conn);

/**
 * xp_conn_open() - Connect to a listener.
 *
 * Progress: Blocking until accepted by the kernel of the server, or the deadline.
 * Return:   0; -ETIMEDOUT; -ECONNREFUSED nobody listens; -ENOENT no such socket file; -errno.
 */
XP_MUST_CHECK int xp_conn_open(struct xp_conn *conn, const struct xp_address *address,
			       const struct timespec *deadline);
/** xp_conn_adopt() - Take over a connected stream, e.g. one end of a socketpair. Owns @fd from now
 *  on. */
void xp_conn_adopt(struct xp_conn *conn, int fd);

/**
 * xp_conn_authenticate() - The handshake, as client (@role XP_AUTH_CLIENT) or as server.
 *
 * The client's verdict, the last frame, is kept back until it sends, receives or closes: with the first
 * request it costs neither side anything.
 * Return: 0; -EACCES refused, xp_conn_why() says by whom; -ETIMEDOUT; -EPROTO; -ECONNRESET.
 */
XP_MUST_CHECK int xp_conn_authenticate(struct xp_conn *conn, enum xp_auth_role role,
				       const void *key, size_t key_size,
				       const struct xp_auth_policy *policy,
				       const struct timespec *deadline);

/**
 * xp_conn_call() - One request, one reply.
 * @request:   Any datum; written in protocol 2 at first, which all read, then in the peer's dialect.
 * @ret_reply: Lives until the next call on @conn, or its close.
 *
 * Progress: Blocking. Two system calls where the reply comes in one piece: send and recv.
 * Death:    -ECONNRESET: the manager is gone, before or during the call; it may have been executed.
 * Return:   0; -ETIMEDOUT; -ECONNRESET; -EPROTO a malformed reply; -ENOMEM; -EMSGSIZE, -ENOTSUP a
 *           request over the limit, or that the peer's dialect cannot hold: nothing was sent, and the
 *           connection stays as it is. After every other failure it is BROKEN.
 */
XP_MUST_CHECK int xp_conn_call(struct xp_conn *conn, const struct xp_datum *request,
			       const struct timespec *deadline, const struct xp_datum **ret_reply);

/** xp_conn_send() - One half of a call, for servers on a blocking stream and for tests. */
XP_MUST_CHECK int xp_conn_send(struct xp_conn *conn, const struct xp_datum *value,
			       const struct timespec *deadline);
/** xp_conn_recv() - The other half. -EPIPE: the peer closed between frames. */
XP_MUST_CHECK int xp_conn_recv(struct xp_conn *conn, const struct timespec *deadline,
			       const struct xp_datum **ret_value);

/**
 * xp_conn_await() - Wait until some of a reply has come.
 * Return: 0; -ETIMEDOUT, and the connection stays as it is; else as xp_conn_recv().
 */
XP_MUST_CHECK int xp_conn_await(struct xp_conn *conn, const struct timespec *deadline);

/**
 * xp_conn_hand_over() - A client's: give a segment to the server that has just agreed to take it.
 * @size:  Of the segment, as agreed; see duplex.h.
 * @polls: How often a call looks for its reply before it sleeps, adapting to whether that pays;
 *         XP_WAIT_POLLS_FOREVER never sleeps. The caller knows that the peer runs on another CPU.
 *
 * One byte with the descriptor of the segment goes out, one with that of the bell comes back, or
 * one without: the server could not take it after all, and the stream goes on alone.
 * Return: 0; -ENOTSUP not taken: calls go by the stream as before; otherwise as xp_conn_call().
 */
XP_MUST_CHECK int xp_conn_hand_over(struct xp_conn *conn, size_t size, uint32_t polls,
				    const struct timespec *deadline);

/** xp_conn_is_usable() - READY, in this process, and the peer has neither closed
 *  nor sent anything. */
bool xp_conn_is_usable(struct xp_conn *conn);
/** xp_conn_why() - After a failure: one line that says more than the errno. Valid until the next
 *  call. */
const char *xp_conn_why(const struct xp_conn *conn);
/** xp_conn_break() - Abandon: no later call can succeed until it is opened anew. */
void xp_conn_break(struct xp_conn *conn);
/** xp_conn_close() - End the connection; a closed one may be opened again. */
void xp_conn_close(struct xp_conn *conn);

#endif
