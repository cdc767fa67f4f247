/* SPDX-License-Identifier: MIT */
/*
 * faulty - small implementations, right or with one defect each
 *
 * Overview      Without a defect each passes every clause of its kind; each defect is one that real code
 *               has had, and names the clauses that must notice it. A suite that lets a mutant pass, or
 *               fails the right one, is itself at fault.
 */
#ifndef CONFORMANCE_SELFTEST_FAULTY_H
#define CONFORMANCE_SELFTEST_FAULTY_H

#include "conformance/iut.h"

/* The mechanisms are as plain as can be: a word or a mutex in a shared page. */
extern const struct xp_impl xc_faulty_lock;
extern const struct xp_impl xc_faulty_semaphore;
extern const struct xp_impl xc_faulty_event;
extern const struct xp_impl xc_faulty_barrier;
extern const struct xp_impl xc_faulty_queue;
extern const struct xp_impl xc_faulty_value;

/* X(name of the defect): what is wrong. NONE comes first. */
#define XC_DEFECT_MAP(X)                                                          \
	X(NONE)                                                                   \
	X(LOCK_DOES_NOT_LOCK)	  /* a contended acquire goes on without it */    \
	X(LOCK_RELEASES_SILENTLY) /* release without a wake-up */                 \
	X(LOCK_GIVES_UP_EARLY)	  /* -ETIMEDOUT before the deadline */            \
	X(LOCK_FREES_TWICE)	  /* release of a free lock succeeds */           \
	X(SEMAPHORE_LOSES_POSTS)  /* a post to a positive counter is forgotten */ \
	X(EVENT_SETS_SILENTLY)	  /* set without a wake-up */                     \
	X(EVENT_FORGETS_PULSE)	  /* a waiter looks at the flag, not at sets */   \
	X(BARRIER_TWO_SERIALS)	  /* the first to leave is told so, too */        \
	X(BARRIER_LETS_ONE_PASS)  /* one party too few is waited for */           \
	X(QUEUE_DROPS)		  /* now and then an item is not stored */        \
	X(QUEUE_DUPLICATES)	  /* now and then an item is got twice */         \
	X(QUEUE_REORDERS)	  /* now and then the newest is got first */      \
	X(QUEUE_IGNORES_SEQUENCE) /* get does not look whether put has ended */   \
	X(QUEUE_CORRUPTS)	  /* now and then a byte of an item is changed */ \
	X(QUEUE_HAS_NO_BOUND)	  /* one item too many is taken */                \
	X(VALUE_RAW_AS_LOCKED)	  /* its lock does nothing */

#define X(name) XC_DEFECT_##name,
enum xc_defect { XC_DEFECT_MAP(X) XC_DEFECT_COUNT };
#undef X

/** xc_defect_choose() - What is wrong with all objects made from now on, in this process and those that
 *  it forks. */
void xc_defect_choose(enum xc_defect defect);

enum xc_defect xc_defect_chosen(void);

#endif
