/* SPDX-License-Identifier: MIT */
/*
 * stats - what a server counts about itself
 *
 * Overview      Counters that the parts of a server add to, and the connection-level function `stats` that
 *               hands them out as a dict of dicts of plain values: a stock client asks by
 *               multiprocessing.managers.dispatch(conn, None, 'stats'), a user by xpmanager --stats. A key
 *               that ends with _ns, _s or _bytes names its unit.
 * Cost          A call adds to four counters. One call in sixteen, at random, is timed, because reading the
 *               clock twice costs more than the counters together; the others read no clock for it.
 * Latency       `served` is the time from a whole request in memory to its reply handed to the kernel;
 *               `waited` is how long calls that had to wait were parked. Both are histograms with four
 *               buckets to an octave: a percentile is at most a quarter too high.
 * Threads       All under the lock of the dispatcher.
 */
#ifndef XPSHARE_MANAGER_STATS_H
#define XPSHARE_MANAGER_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a connection was not served: X(name, NAME). The first five before the challenge, in words; the rest
 * in the handshake. */
#define XP_REFUSAL_MAP(X)           \
	X(descriptors, DESCRIPTORS) \
	X(clients, CLIENTS)         \
	X(user, USER)               \
	X(threads, THREADS)         \
	X(memory, MEMORY)           \
	X(key, KEY)                 \
	X(slow, SLOW)               \
	X(crowded, CROWDED)

enum xp_refusal {
#define X(name, NAME) XP_REFUSAL_##NAME,
	XP_REFUSAL_MAP(X)
#undef X
	    XP_REFUSAL_COUNT
};

/* Quarters of octaves up to 2^40 ns, a quarter of an hour. */
#define XP_HISTOGRAM_BUCKETS 160

/** struct xp_histogram - Durations in nanoseconds. */
struct xp_histogram {
	uint64_t count;
	uint64_t longest;
	uint64_t buckets[XP_HISTOGRAM_BUCKETS];
};

/** xp_histogram_add() - One more; a negative duration counts as none. */
void xp_histogram_add(struct xp_histogram *histogram, int64_t duration_ns);
/** xp_histogram_percentile() - Nanoseconds that @percent of a hundred do not exceed; 0 where empty. */
uint64_t xp_histogram_percentile(const struct xp_histogram *histogram, double percent);

/** struct xp_sampler - Picks one in sixteen, at random; the first always. */
struct xp_sampler {
	uint32_t random;
	uint32_t left; /* until the next one */
};

void xp_sampler_rearm(struct xp_sampler *sampler);

/** xp_sampler_picks() - Whether this one is it. */
static inline bool xp_sampler_picks(struct xp_sampler *sampler)
{
	if (__builtin_expect(--sampler->left > 0, 1))
		return false;
	xp_sampler_rearm(sampler);
	return true;
}

#define XP_STATS_FUNCTIONS 16 /* room for the connection-level functions */

/** struct xp_stats - Counted since the start. */
struct xp_stats {
	int64_t started; /* CLOCK_MONOTONIC nanoseconds */
	const char *model;
	unsigned clients;
	unsigned clients_most;
	unsigned clients_limit;
	unsigned rings;	      /* clients whose calls go by ring */
	uint64_t connections; /* accepted */
	uint64_t refused[XP_REFUSAL_COUNT];
	uint64_t functions[XP_STATS_FUNCTIONS];
	uint64_t calls;
	uint64_t errors;    /* calls answered with an exception */
	uint64_t parked;    /* calls that had to wait */
	uint64_t abandoned; /* parked calls whose client went away */
	uint64_t received;  /* bytes of requests, without the headers of their frames */
	uint64_t sent;	    /* bytes of replies, likewise */
	struct xp_histogram served;
	struct xp_histogram waited;
	struct xp_sampler serving;
	struct xp_sampler waiting;
};

struct xp_call;
struct xp_datum;

/** xp_stats_init() - All zero, from now on. */
void xp_stats_init(struct xp_stats *stats);

/** xp_stats_value() - All of them, as `stats` answers. NULL: no memory. */
const struct xp_datum *xp_stats_value(struct xp_call *call);

#endif
