/* SPDX-License-Identifier: MIT */
/*
 * pool - the streams of a client process to one manager, shared out among its threads
 *
 * Private to link.c. A thread takes a line, makes a call on it and gives it back; with a bound there are at
 * most so many lines, and whoever finds all of them taken waits. Without one each thread keeps the line that
 * it took until it ends, which is the original's design (SPEC P6).
 *
 * Invariants    (1) A line is used by the thread that took it and by nobody else. (2) No more than @bound
 *               lines exist. (3) A line that a thread holds, because the manager knows what it owns by the
 *               connection, is not given back until the thread owns nothing or ends.
 * Death         A thread that ends while it holds a line closes it, so that the manager frees what it owned.
 */
#ifndef XPSHARE_MANAGER_POOL_H
#define XPSHARE_MANAGER_POOL_H

#include "xpshare/rpc/conn.h"

#include <pthread.h>

/** struct xp_line - One stream. @ready: a call may be made on it. @held: how much its thread owns. */
struct xp_line {
	struct xp_line *next; /* of all */
	struct xp_line *idle; /* of those that nobody has taken */
	struct xp_conn conn;
	bool ready;
	unsigned held;
};

/** struct xp_pool - Private. */
struct xp_pool {
	pthread_mutex_t lock;
	pthread_cond_t given; /* on CLOCK_MONOTONIC */
	struct xp_line *all;
	struct xp_line *idle; /* the one used last first: its memory is warm */
	unsigned count;
	unsigned bound; /* 0: none */
};

void xp_pool_init(struct xp_pool *pool, unsigned bound);
/** xp_pool_fini() - Close every line. None may be in use. */
void xp_pool_fini(struct xp_pool *pool);

/** xp_pool_take() - A line, ready or not. Return: 0; -EBUSY none was given back by @deadline; -ENOMEM. */
XP_MUST_CHECK int xp_pool_take(struct xp_pool *pool, const struct timespec *deadline,
			       struct xp_line **ret_line);
/** xp_pool_give() - It may be taken by others. Without a bound it is closed: its thread has ended. */
void xp_pool_give(struct xp_pool *pool, struct xp_line *line);

/** xp_pool_lock(), xp_pool_unlock() - Around a fork, in the parent. */
void xp_pool_lock(struct xp_pool *pool);
void xp_pool_unlock(struct xp_pool *pool);
/** xp_pool_forked() - In the child of a fork: the lock is free again. */
void xp_pool_forked(struct xp_pool *pool);
/** xp_pool_forget() - In the child, soon after: let go of every line of the parent. */
void xp_pool_forget(struct xp_pool *pool);

#endif
