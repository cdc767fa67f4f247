/* SPDX-License-Identifier: MIT */
/*
 * lock_futex - a robust lock on one futex word
 *
 * Overview      lock/futex: owned by the thread that acquired it, not recursive. When the owner dies
 *               the next acquire returns -EOWNERDEAD and holds the lock.
 * Use           Through struct xp_lock, or, where nanoseconds count, by the functions below on
 *               memory that xp_lock_futex_init() has prepared.
 * Memory        struct xp_lock_futex in shared memory, XP_ISOLATION bytes with nothing else in them.
 * States        of the word (W is FUTEX_WAITERS, "somebody sleeps, or was just woken"; D is
 *               FUTEX_OWNER_DIED; T a thread id):
 *                 0       -> T      acquire, the fast path: one compare-and-swap
 *                 T       -> T|W    a waiter goes to sleep
 *                 T       -> 0      release, the fast path: one compare-and-swap
 *                 T|W     -> W      release; then it wakes a sleeper, and W -> 0 if there was none
 *                 W       -> U|W    acquire by anybody, a sleeper or a newcomer
 *                 T[|W]   -> D[|W]  the kernel, when T has died (robust.h)
 *                 D[|W]   -> U[|W]  acquire: -EOWNERDEAD
 *                 T|W     -> U|W    acquire by a sleeper whose patrol found T dead: -EOWNERDEAD
 * Invariants    (1) A thread works under the lock only while the word holds its id.
 *               (2) A sleeper sleeps only on a word with W. A release keeps W until a wake-up has
 *                   found nobody asleep; so a newcomer cannot take the mark of the others away.
 * Why it is correct
 *               Exclusion: the word changes from no owner to an owner by compare-and-swap only, and
 *               from an owner to none by that owner, or by the kernel after its end. Acquire and
 *               release orders on these exchanges make what one holder wrote visible to the next.
 *               Death, at any instruction: robust.h has the kernel mark the word and wake a sleeper,
 *               and wake one more where the dead thread was between giving up the word and waking,
 *               or had just been woken itself. What even that leaves open (a wake-up swallowed by a
 *               death while a newcomer holds the lock, a list spoiled by garbage, a word that names
 *               a thread that never was) is found by the patrol: a sleeper gets up after naps of
 *               20 ms to 1 s (base/wait.h), sees whether the lock is free and whether the owner lives.
 *               Why not the alternatives: a pthread mutex follows pointers that peers may overwrite;
 *               checking the owner's life by patrol alone recovers late, and is fooled by reuse of
 *               thread ids.
 * Fairness      Without XP_LOCK_FAIR a newcomer may take the lock before a sleeper that was woken:
 *               the best throughput, since the lock is never idle while a sleeper gets up. With it,
 *               a waiter that has waited for XP_LOCK_PATIENCE_NS puts its id into @turn, and the
 *               next release reserves the lock for it.
 * Death         Of a holder: -EOWNERDEAD for the next. Of a waiter: nothing is lost.
 */
#ifndef XPSHARE_SYNC_LOCK_FUTEX_H
#define XPSHARE_SYNC_LOCK_FUTEX_H

#include "xpshare/base/wait.h"
#include "xpshare/kind/object.h"
#include "xpshare/sync/robust.h"

/* How long a waiter of a fair lock lets newcomers pass before the lock is reserved for it. */
#define XP_LOCK_PATIENCE_NS (1 * XP_NS_PER_MS)

enum xp_lock_flags { XP_LOCK_FAIR = 1u << 0 };

/**
 * struct xp_lock_futex - The lock in shared memory.
 * @word:  See States. Written by all, the kernel included.
 * @turn:  Thread id of the waiter that the lock is reserved for, 0 for none. Fair locks only.
 * @flags: Of enum xp_lock_flags; written by init.
 * @count: For a recursive lock: acquisitions by the present owner, who alone writes it.
 * @node:  See robust.h; written by the owner.
 */
struct xp_lock_futex {
	_Atomic uint32_t word;
	_Atomic uint32_t turn;
	uint32_t flags;
	_Atomic uint32_t count;
	uint32_t pad[2];
	struct xp_robust_node node;
	unsigned char isolation[XP_ISOLATION - 24 - sizeof(struct xp_robust_node)];
};

_Static_assert(sizeof(struct xp_lock_futex) == XP_ISOLATION, "alone on its lines");
/* robust.h treats the beginning of a lock as a struct xp_robust_place. */
_Static_assert(offsetof(struct xp_lock_futex, word) == offsetof(struct xp_robust_place, word) &&
		   offsetof(struct xp_lock_futex, node) == offsetof(struct xp_robust_place, node),
	       "word and node where the kernel expects them");
/* One bit serves both the hybrid wait and the kernel's own wake-up at a death. */
_Static_assert(XP_WAIT_PARKED == FUTEX_WAITERS, "the waiter bit is the kernel's");

/** xp_lock_futex_init() - Prepare a free lock in zeroed or recycled memory. */
void xp_lock_futex_init(struct xp_lock_futex *lock, unsigned flags);

/**
 * xp_lock_futex_acquire_slow() - The rest of an acquire whose fast path failed. Not for users.
 */
XP_MUST_CHECK int xp_lock_futex_acquire_slow(struct xp_lock_futex *lock, struct xp_robust *self,
					     struct xp_wait *how, const struct timespec *deadline);

/** xp_lock_futex_release_slow() - The rest of a release with waiters. Not for users. */
int xp_lock_futex_release_slow(struct xp_lock_futex *lock, struct xp_robust *self);

/** xp_lock_futex_place() - The part of the lock that robust.h works on. */
static inline struct xp_robust_place *xp_lock_futex_place(struct xp_lock_futex *lock)
{
	return (struct xp_robust_place *)(void *)lock;
}

/* The compare-and-swap from free to held. */
static inline bool xp_lock_futex_take_free(struct xp_lock_futex *lock, struct xp_robust *self)
{
	uint32_t expected = 0;

	if (!atomic_compare_exchange_strong_explicit(&lock->word, &expected, self->tid,
						     memory_order_acquire, memory_order_relaxed))
		return false;
	xp_robust_link(self, xp_lock_futex_place(lock));
	return true;
}

/**
 * xp_lock_futex_acquire_until() - Acquire the lock, or give up at the deadline.
 * @how:      The caller's policy of waiting; NULL parks at once.
 * @deadline: Absolute CLOCK_MONOTONIC time; NULL waits for ever. A free lock is taken even after it.
 *
 * Context:  Any thread of any process that maps @lock. May block. Not async-signal-safe.
 * Progress: Blocking. Uncontended: one compare-and-swap, no system call.
 * Ordering: Success is an acquire operation; pairs with xp_lock_futex_release().
 * Death:    If the owner died: -EOWNERDEAD, and the caller now holds the lock.
 * Return:   0, -EOWNERDEAD (held), -ETIMEDOUT, -EDEADLK (the caller holds it), -ENOLCK (the caller
 *           holds XP_HELD_MAX others), -ENOMEM (first use in this process).
 */
XP_MUST_CHECK static inline int xp_lock_futex_acquire_until(struct xp_lock_futex *lock,
							    struct xp_wait *how,
							    const struct timespec *deadline)
{
	struct xp_robust *self = &xp_robust_self;
	int rc = xp_robust_enter(self, xp_lock_futex_place(lock));

	if (__builtin_expect(rc < 0, 0))
		return rc;
	if (__builtin_expect(!xp_lock_futex_take_free(lock, self), 0))
		rc = xp_lock_futex_acquire_slow(lock, self, how, deadline);
	xp_robust_leave(self);
	return rc;
}

/** xp_lock_futex_acquire() - Acquire, waiting for ever. */
XP_MUST_CHECK static inline int xp_lock_futex_acquire(struct xp_lock_futex *lock,
						      struct xp_wait *how)
{
	return xp_lock_futex_acquire_until(lock, how, NULL);
}

/**
 * xp_lock_futex_try_acquire() - Acquire if that needs no waiting.
 * Return: 0; -EOWNERDEAD (held); -EBUSY, to the holder too; -ENOLCK; -ENOMEM.
 */
XP_MUST_CHECK int xp_lock_futex_try_acquire(struct xp_lock_futex *lock);

/**
 * xp_lock_futex_release() - Give it back.
 *
 * Progress: Wait-free but for a system call if somebody sleeps.
 * Ordering: A release operation; pairs with every successful acquire.
 * Return:   0; -EPERM where the calling thread does not hold it; -ENOTRECOVERABLE where a peer has
 *           overwritten the word: the caller does not hold it any more, nor can it say who does.
 */
static inline int xp_lock_futex_release(struct xp_lock_futex *lock)
{
	struct xp_robust *self = &xp_robust_self;
	uint32_t mine = self->tid;
	int rc = 0;

	if (__builtin_expect(self->epoch != xp_robust_epoch_now(), 0))
		return -EPERM;
	self->head->list_op_pending = (struct robust_list *)(void *)&lock->node.next;
	atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(!xp_robust_unlink(self, xp_lock_futex_place(lock)), 0))
		rc = -EPERM;
	else if (__builtin_expect(!atomic_compare_exchange_strong_explicit(&lock->word, &mine, 0,
									   memory_order_release,
									   memory_order_relaxed),
				  0))
		rc = xp_lock_futex_release_slow(lock, self);
	xp_robust_leave(self);
	return rc;
}

/** xp_lock_futex_held() - Whether the calling thread holds @lock. */
static inline bool xp_lock_futex_held(struct xp_lock_futex *lock)
{
	struct xp_robust *self = &xp_robust_self;

	return self->epoch == xp_robust_epoch_now() && self->depth > 0 &&
	       (self->held[self->depth - 1] == xp_lock_futex_place(lock) ||
		xp_robust_find(self, xp_lock_futex_place(lock)) < self->depth);
}

/**
 * xp_lock_futex_release_dead() - Give it back as if the caller had died: the next acquire gets
 * -EOWNERDEAD. For a caller that was told so itself and cannot do the repair. Return: as release.
 */
int xp_lock_futex_release_dead(struct xp_lock_futex *lock);

extern const struct xp_impl xp_impl_lock_futex;

#endif
