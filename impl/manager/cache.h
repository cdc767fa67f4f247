/* SPDX-License-Identifier: MIT */
/*
 * cache - a value of a manager kept in the process: one refresher, any number of readers (SPEC P7)
 *
 * Overview      A cache asks one object for one value, again and again, on one connection, and keeps the
 *               last answer as a snapshot that never changes. Readers look at it in place: that costs
 *               them a few memory reads, however many they are, and the manager nothing.
 * Use           struct xp_cache_plan plan = {.proxy = dict, .method = "copy",
 *                                            .period_ns = 10 * ms, .age_max_ns = 100 * ms};
 *               xp_cache_create(&plan, &cache);
 *               each thread: xp_cache_join(cache, &reader);
 *                            while (...) rc = xp_cache_read(reader, &value);
 *                            xp_cache_leave(reader);
 *               xp_cache_destroy(cache);
 *               Writers call the proxy as ever, and xp_cache_refresh() before they read their own writes.
 * Staleness     What a reader gets was the manager's value at some moment no longer ago than age_max_ns:
 *               an answer counts from when it was asked for. Where no newer one came in time, because the
 *               manager is gone, stopped or slow, the snapshot is withdrawn and readers get the error until
 *               a refresh succeeds. The refresher does that by the clock, so it is late by as much as
 *               the scheduler keeps it waiting; xp_cache_asked() tells a reader who must know exactly.
 * Memory        In the heap of the process. At most a snapshot for each reader, and two.
 * States        FRESH -> FRESH, WITHDRAWN -> FRESH [answered]; FRESH -> WITHDRAWN [too old, forked].
 * Invariants    (1) A snapshot that is current, or that some reader uses, is not freed. (2) One thread asks.
 * Why it is correct
 *               A reader announces a snapshot (using), then looks again whether it is still the current
 *               one; the refresher replaces the current one, then looks for announcements. Both are
 *               store, full fence, load, so that at least one of the two sees the other (Michael,
 *               "Hazard pointers", 2004). While a reader finds the snapshot current that it has announced
 *               already, it need not announce it again: that is the fast path, without a store or a fence.
 * Fork          A child has no refresher: there the cache is withdrawn at once (-ECONNRESET), and may
 *               only be left and destroyed.
 * Death         Of the manager: see Staleness. It is asked again each period, so that a new incarnation is
 *               noticed: -ESTALE, as of every proxy of an earlier one.
 */
#ifndef XPSHARE_MANAGER_CACHE_H
#define XPSHARE_MANAGER_CACHE_H

#include "xpshare/manager/proxy.h"

#include <stdatomic.h>

struct xp_cache;

/**
 * struct xp_cache_plan - What to ask for, and how often.
 * @proxy:      Must outlive the cache.
 * @method:     Called with @args: "copy" of a dict, "get" of a Value. Both are copied.
 * @period_ns:  From one answer to the next question.
 * @age_max_ns: The staleness. Should be a few periods and calls, so that one slow call does no harm.
 */
struct xp_cache_plan {
	struct xp_proxy *proxy;
	const char *method;
	size_t count;
	const struct xp_datum *const *args;
	int64_t period_ns;
	int64_t age_max_ns;
};

/** struct xp_cache_view - A snapshot; private. @rc: 0, or why there is no @value. */
struct xp_cache_view {
	const struct xp_datum *value;
	int rc;
	int64_t asked_ns;
	struct xp_datum_box *box;
	struct xp_cache_view *next; /* of those that are current no more */
};

/** struct xp_cache_reader - One thread's; private. @using is read by the refresher. */
struct xp_cache_reader {
	_Alignas(XP_ISOLATION) _Atomic(struct xp_cache_view *) using;
	_Atomic(struct xp_cache_view *) *current; /* of the cache */
	struct xp_cache *cache;
	struct xp_cache_reader *next;
};

/**
 * xp_cache_create() - Start the refresher, and wait for the first snapshot.
 * Return: 0; -EINVAL a period or an age that is not positive; -EAGAIN no thread can be had; -ENOMEM; else
 *         what the call gave.
 */
XP_MUST_CHECK int xp_cache_create(const struct xp_cache_plan *plan, struct xp_cache **ret_cache);
/** xp_cache_destroy() - Stop the refresher, which may be in a call: blocks as long as that may take. All
 *  readers must have left. NULL is allowed. */
void xp_cache_destroy(struct xp_cache *cache);

/** xp_cache_join() - A reader, for one thread at a time. Return: 0, -ENOMEM. */
XP_MUST_CHECK int xp_cache_join(struct xp_cache *cache, struct xp_cache_reader **ret_reader);
/** xp_cache_leave() - What it read last is no longer valid. NULL is allowed. */
void xp_cache_leave(struct xp_cache_reader *reader);

/**
 * xp_cache_refresh() - Wait for a snapshot that was asked for after this call began.
 *
 * So a thread reads what it has written, and what others wrote before they told it.
 * Return: 0; -ETIMEDOUT; else what the call gave: the old snapshot stays until it is too old.
 */
XP_MUST_CHECK int xp_cache_refresh(struct xp_cache *cache, const struct timespec *deadline);

/* The current snapshot is another one than at the last read. */
struct xp_cache_view *xp_cache_look(struct xp_cache_reader *reader);

static inline struct xp_cache_view *xp_cache_view_of(struct xp_cache_reader *reader)
{
	struct xp_cache_view *view = atomic_load_explicit(reader->current, memory_order_acquire);

	if (__builtin_expect(view == atomic_load_explicit(&reader->using, memory_order_relaxed), 1))
		return view;
	return xp_cache_look(reader);
}

/**
 * xp_cache_read() - The value.
 * @ret_value: Valid until this reader's next read or its leave. Shared with other readers: not to be changed.
 *
 * Progress: Wait-free while the snapshot is the one of the last read, else lock-free. No system call.
 * Clauses:  manager.cache_fresh, manager.cache_withdrawn.
 * Return:   0; -ECONNRESET, -ETIMEDOUT, -ESTALE and so on: withdrawn, for that reason.
 */
XP_MUST_CHECK static inline int xp_cache_read(struct xp_cache_reader *reader,
					      const struct xp_datum **ret_value)
{
	struct xp_cache_view *view = xp_cache_view_of(reader);

	if (view->rc < 0)
		return view->rc;
	*ret_value = view->value;
	return 0;
}

/** xp_cache_asked() - When what @reader read last was asked for, on CLOCK_MONOTONIC; 0 after an error. */
static inline int64_t xp_cache_asked(const struct xp_cache_reader *reader)
{
	const struct xp_cache_view *view =
	    atomic_load_explicit(&reader->using, memory_order_relaxed);

	return view ? view->asked_ns : 0;
}

#endif
