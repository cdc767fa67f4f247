/* SPDX-License-Identifier: MIT */
/*
 * duplex - a pair of frame rings in a sealed memfd: requests one way, replies the other
 *
 * Overview      What a client and a server on one machine use in place of the bytes of their AF_UNIX
 *               stream, once they know each other. The stream stays open beside it: its end tells the
 *               death of either, and what the rings cannot hold goes through it.
 * Use           client: xp_duplex_create(), hand `fd` over, get the bell, xp_duplex_call(),
 *               xp_duplex_await(). server: xp_duplex_open(), make the bell, xp_duplex_listen(),
 *               xp_duplex_reply().
 * Memory        struct xp_duplex_shared, then the lines of the requests, then as many for the replies. The
 *               geometry follows from the size of the file, which the kernel vouches for: nothing of it
 *               is read from the segment.
 * Waiting       A client polls, at first by itself and then letting others run in between, as far as that
 *               has paid before; then it sleeps on the futex of the next reply's word, for
 *               XP_DUPLEX_NAP_NS at most. Where that was not enough it says ELSEWHERE in the word and
 *               sleeps on the stream, where the server will nudge it (rpc/conn.h): a call that blocks
 *               long costs no wake-ups in vain, and the death of the server ends it at once. A server
 *               polls; before it sleeps it says ASLEEP in the word of the next request, and the client
 *               that replaces it rings the bell, an eventfd of the server's, which is watched by edges,
 *               or read once it has rung.
 * Death         Of the server: the client sees the end of the stream, XP_DUPLEX_NAP_NS later at the
 *               latest. Of the client: the server sees the end of the stream.
 * Trust         The server: that the file is a memfd, sealed against shrinking (no SIGBUS), of a size that
 *               it allows, before it maps it. frame_ring.h has the rest.
 */
#ifndef XPSHARE_RPC_DUPLEX_H
#define XPSHARE_RPC_DUPLEX_H

#include "xpshare/base/clock.h"
#include "xpshare/base/wait.h"
#include "xpshare/rpc/frame_ring.h"

#define XP_DUPLEX_MAGIC	       0x6475706cu
#define XP_DUPLEX_VERSION      1u
#define XP_DUPLEX_SIZE_DEFAULT ((size_t)16 << 10)
#define XP_DUPLEX_SIZE_MIN     ((size_t)4 << 10)
#define XP_DUPLEX_SIZE_MAX     ((size_t)256 << 10)
#define XP_DUPLEX_NAP_NS       (20 * XP_NS_PER_MS)

/** struct xp_duplex_shared - Written by the client before it hands the segment over; then the rings'. */
struct xp_duplex_shared {
	uint32_t magic;
	uint32_t version;
	struct xp_frame_taken requests_taken;
	struct xp_frame_taken replies_taken;
	_Alignas(XP_ISOLATION) struct xp_frame_line lines[];
};

_Static_assert(offsetof(struct xp_duplex_shared, lines) == 3 * XP_ISOLATION,
	       "each side's words keep their distance from the other's");

/**
 * struct xp_duplex - One side's view, of this process.
 * @fd:        Client, until it is handed over: the memfd; else -1.
 * @bell:      The server's eventfd, or its copy in the client; -1: none yet.
 * @how:       Client: how long it polls before it sleeps.
 * @yields:    Client: whether it pays to let others run before it sleeps.
 * @elsewhere: Client: it has said that it sleeps on the stream.
 */
struct xp_duplex {
	void *base;
	size_t size;
	int fd;
	int bell;
	struct xp_frame_ring out;
	struct xp_frame_ring in;
	struct xp_wait how;
	struct xp_wait yields;
	bool elsewhere;
};

/**
 * xp_duplex_create() - A client's: make a segment of @size bytes, rounded up to whole pages.
 * @polls: How often to look for a reply before sleeping; XP_WAIT_POLLS_FOREVER never sleeps.
 * Return: 0; -EINVAL not between SIZE_MIN and SIZE_MAX; -errno.
 */
XP_MUST_CHECK int xp_duplex_create(size_t size, uint32_t polls, struct xp_duplex *ret_duplex);

/**
 * xp_duplex_open() - A server's: map what the descriptor @fd of a client refers to. @fd stays the caller's.
 * @size: What the client has announced.
 * Return: 0; -EPROTO: no memfd, not sealed, or not of @size; -errno.
 */
XP_MUST_CHECK int xp_duplex_open(int fd, size_t size, struct xp_duplex *ret_duplex);

/** xp_duplex_close() - Unmap, close. Accepts a zeroed one. */
void xp_duplex_close(struct xp_duplex *duplex);

/**
 * xp_duplex_call() - A client's: put a request, and ring the bell if the server sleeps.
 * Progress: Wait-free; one system call if the server sleeps. Return: as xp_frame_ring_put().
 */
XP_MUST_CHECK int xp_duplex_call(struct xp_duplex *duplex, const struct iovec *parts, size_t size);

/**
 * xp_duplex_await() - A client's: poll for the reply, then sleep for a nap at most.
 * Return: 0 it is there; -EAGAIN not yet: look whether the server lives, or sleep on the stream; -ETIMEDOUT.
 */
XP_MUST_CHECK int xp_duplex_await(struct xp_duplex *duplex, const struct timespec *deadline);

/** xp_duplex_go_elsewhere() - A client's: say that it sleeps on the stream. False: the reply is there. */
XP_MUST_CHECK bool xp_duplex_go_elsewhere(struct xp_duplex *duplex);

/**
 * xp_duplex_reply() - A server's: put a reply and wake the client; with @parts NULL a mark.
 * Return: 0; 1: the client sleeps on the stream and wants a nudge; -errno as xp_frame_ring_put().
 */
XP_MUST_CHECK int xp_duplex_reply(struct xp_duplex *duplex, const struct iovec *parts, size_t size);

/** xp_duplex_listen() - A server's: from now on a request rings the bell. False: one is there. */
XP_MUST_CHECK bool xp_duplex_listen(struct xp_duplex *duplex);

#endif
