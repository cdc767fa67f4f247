/* SPDX-License-Identifier: MIT */
/*
 * worker - a client of the soak: does all that a client may do to a server, and some that it should not
 */
#ifndef CONFORMANCE_SOAK_WORKER_H
#define CONFORMANCE_SOAK_WORKER_H

#include "xpshare/manager/proxy.h"

#define XC_SOAK_KEY "not-a-secret"

/* What the workers share: one object of each kind on which a call may block. */
#define XC_SOAK_SHARED_MAP(X)             \
	X(QUEUE, "Queue", "4")            \
	X(JOINABLE, "JoinableQueue", "4") \
	X(LOCK, "Lock", "")               \
	X(RLOCK, "RLock", "")             \
	X(SEMAPHORE, "Semaphore", "2")    \
	X(CONDITION, "Condition", "")     \
	X(EVENT, "Event", "")             \
	X(BARRIER, "Barrier", "3")

enum xc_soak_shared {
#define X(name, typeid_, args) XC_SOAK_##name,
	XC_SOAK_SHARED_MAP(X)
#undef X
	    XC_SOAK_SHARED
};

/**
 * struct xc_soak_worker - Of one worker process.
 * @done:   Actions that it has finished; in memory that the parent sees.
 * @broken: The first error that no server should cause, 0 while there is none; likewise.
 */
struct xc_soak_worker {
	struct xp_address address;
	struct xp_proxy *shared[XC_SOAK_SHARED];
	struct xp_manager *manager;
	unsigned seed;
	_Atomic uint64_t *done;
	_Atomic int *broken;
};

/** xc_soak_work() - Act at random until killed; the body of the process. */
int xc_soak_work(void *worker);

#endif
