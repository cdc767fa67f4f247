/* SPDX-License-Identifier: MIT */
/*
 * auth - the mutual challenge and response of multiprocessing.connection
 *
 * Overview      Six frames, both ways; each side proves that it knows the key, and nothing else of
 *               the peer is looked at before that. One state machine for both roles, without a
 *               socket: feed it the payload of each frame received, send the payload that it
 *               returns.
 * Frames        0 server: challenge   1 client: answer   2 server: verdict
 *               3 client: challenge   4 server: answer   5 client: verdict, then its first request
 *               The first request may arrive in the same read as frame 5: take one frame at a time,
 *               with the limit XP_AUTH_FRAME_MAX only until xp_auth_step() has answered
 *               XP_AUTH_DONE.
 * Dialects      Legacy (2.7, 3.6-3.11): 20 random bytes, answered by a raw HMAC-MD5 of 16. Modern
 *               (3.12+): "{digest}" and 40 random bytes, answered by "{digest}" and the HMAC over
 *               the whole. A modern challenge suits both, so that is what is always sent; answers
 *               of both forms are understood, and the policy decides which digests count.
 * Security      Challenges come from RAND_bytes, digests are compared in constant time. A refused
 *               peer is told "#FAILURE#" and nothing more. The protocol proves knowledge of the key
 *               at that moment and no more: it neither encrypts what follows nor withstands a relay
 *               in between.
 * States        What is awaited. Server: ANSWER -> CHALLENGE -> VERDICT -> DONE.
 *               Client: CHALLENGE -> VERDICT -> ANSWER -> DONE.
 *               FAILED from any; a FAILED machine stays so.
 */
#ifndef XPSHARE_RPC_AUTH_H
#define XPSHARE_RPC_AUTH_H

#include "xpshare/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define XP_AUTH_FRAME_MAX 256 /* bytes of a payload during the handshake */

enum xp_auth_digest {
	XP_AUTH_MD5 = 1,
	XP_AUTH_SHA256 = 2,
	XP_AUTH_SHA384 = 4,
	XP_AUTH_SHA3_256 = 8,
	XP_AUTH_SHA3_384 = 16,
};

#define XP_AUTH_STRONG (XP_AUTH_SHA256 | XP_AUTH_SHA384 | XP_AUTH_SHA3_256 | XP_AUTH_SHA3_384)
#define XP_AUTH_ALL    (XP_AUTH_STRONG | XP_AUTH_MD5)

enum xp_auth_role { XP_AUTH_SERVER, XP_AUTH_CLIENT };

/** struct xp_auth_policy - which digests a peer may prove itself with, and we answer with. */
struct xp_auth_policy {
	unsigned digests; /* of enum xp_auth_digest; without MD5 no peer before 3.12 is accepted */
};

/**
 * struct xp_auth - one handshake. Private; holds no descriptor and owns no memory.
 *
 * What the library of digests needs to compute a code is made once for each thread, because making it takes four
 * times as long as using it. It holds the key of the thread's last handshake, and goes with the thread.
 */
struct xp_auth {
	const void *key;
	size_t key_size;
	unsigned digests;
	unsigned char role;
	unsigned char state;
	bool modern; /* the peer sent a modern challenge or answer: 3.12 or later */
	bool ahead;  /* client: the challenge has been sent already */
	unsigned char challenge_size;
	const char *why;
	unsigned char challenge[64]; /* ours, as the peer must MAC it */
};

enum { XP_AUTH_MORE = 0, XP_AUTH_DONE = 1 };

/**
 * xp_auth_start() - Begin a handshake.
 * @key:       Borrowed: must live until the handshake ends. Any length, also 0.
 * @policy:    NULL: XP_AUTH_ALL.
 * @ret_reply: The first frame to send (server), XP_AUTH_FRAME_MAX bytes of room.
 * @ret_size:  Its size; 0 (client): wait for the server.
 *
 * Return: 0; -EIO no random bytes.
 */
XP_MUST_CHECK int xp_auth_start(struct xp_auth *auth, enum xp_auth_role role, const void *key,
				size_t key_size, const struct xp_auth_policy *policy,
				unsigned char ret_reply[XP_AUTH_FRAME_MAX], size_t *ret_size);

/**
 * xp_auth_step() - The next frame of the peer has arrived.
 * @ret_reply: What to send now, XP_AUTH_FRAME_MAX bytes of room.
 * @ret_size:  Its size, 0 for nothing. Set on -EACCES too: send it, then close.
 *
 * Return: XP_AUTH_MORE; XP_AUTH_DONE, after sending the reply; -EACCES one side refused the other;
 *         -EUSERS the server has no place left;
 *         -EPROTO not a frame of a handshake; -EIO no random bytes or digest.
 */
XP_MUST_CHECK int xp_auth_step(struct xp_auth *auth, const void *payload, size_t size,
			       unsigned char ret_reply[XP_AUTH_FRAME_MAX], size_t *ret_size);

/**
 * xp_auth_ahead() - The client's challenge, right behind its answer: one write and one wait fewer.
 *
 * Allowed once, when the client has answered. The server takes one frame after the other, so it does not
 * matter to it; but one that refuses the answer closes without having read the challenge, and over TCP such a
 * close may destroy the "#FAILURE#" on its way: for local streams only.
 *
 * Return: 0 with another frame to send; -EPROTO not the moment for it; -EIO no random bytes.
 */
XP_MUST_CHECK int xp_auth_ahead(struct xp_auth *auth, unsigned char ret_frame[XP_AUTH_FRAME_MAX],
				size_t *ret_size);

/** xp_auth_thread_end() - Give back what the library of digests keeps for the calling thread: for threads that
 *  nobody joins, and whose last breath the end of the process may cut short. */
void xp_auth_thread_end(void);

/** xp_auth_why() - After a failure: one line that says what was wrong; a constant. */
const char *xp_auth_why(const struct xp_auth *auth);

#endif
