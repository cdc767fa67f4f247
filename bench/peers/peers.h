/* SPDX-License-Identifier: MIT */
/*
 * peers - what users would take instead, as implementations of our contracts
 *
 * Overview      Each peer is a struct xp_impl, like those of the catalogue but outside of it, so the
 *               same workloads run over it through the same table, on the same CPUs, with the same
 *               payload. Built where its package is present; where it is not, the matrix says so.
 *               Those that have their operations inline are also compiled into the loop of a stream.
 * Use           xb_each_impl() goes through the catalogue, then through the peers.
 */
#ifndef BENCH_PEERS_PEERS_H
#define BENCH_PEERS_PEERS_H

#include "xpshare/kind/object.h"

/**
 * struct xb_stream_peer - A peer's loops of a stream of 8-byte items, compiled with its own functions.
 * @batches: Whether it can take several items a call.
 * @send:    Items first, first + 1, ... of an object's owner; in batches of @batch, at most
 *           XB_STREAM_BATCH_MAX.
 * @receive: The other side. Return: whether they were exactly these.
 */
struct xb_stream_peer {
	const struct xp_impl *impl;
	bool batches;
	void (*send)(void *queue, int64_t n, size_t batch);
	int (*receive)(void *queue, int64_t n, size_t batch);
};

#define XB_STREAM_BATCH_MAX 64

/** xb_stream_peer_at() - The one at @index, NULL past the end. */
const struct xb_stream_peer *xb_stream_peer_at(size_t index);

/** xb_peer_at() - The peer at @index, NULL past the end. */
const struct xp_impl *xb_peer_at(size_t index);

/** xb_peer_absent_at() - The name of a peer that was not built, NULL past the end. */
const char *xb_peer_absent_at(size_t index);

/** xb_is_peer() - Whether @impl is one of them. */
bool xb_is_peer(const struct xp_impl *impl);

/** xb_impl_first(), xb_impl_after() - The catalogue, then the peers; NULL at the end. */
const struct xp_impl *xb_impl_first(void);
const struct xp_impl *xb_impl_after(const struct xp_impl *impl);

#endif
