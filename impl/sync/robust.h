/* SPDX-License-Identifier: MIT */
/*
 * robust - have the kernel say which locks a thread held when it died
 *
 * Overview      Linux keeps, per thread, a list of the futex words that the thread owns. When the
 *               thread ends, however it ends, the kernel walks the list, puts FUTEX_OWNER_DIED in
 *               place of the owner's thread id in each word, and wakes a waiter. There is one list
 *               per thread and the C library has registered it for its own robust mutexes; this
 *               file lets our locks join it without either side noticing the other.
 * Use           Only lock_futex.h uses it. xp_robust_enter(); compare-and-swap the word;
 *               xp_robust_link() if that succeeded; xp_robust_leave(). To release: enter, unlink,
 *               change the word, wake, leave.
 * Memory        Private to the thread (initial-exec thread-local storage, which lives until the
 *               kernel has walked the list), but for the node inside each lock that is held:
 *
 *                 head (C library) -> its own mutexes -> first -> held[n-1] ... held[0] -> last -> ...
 *
 *               Between the two private sentinels there are only our locks, so the C library never
 *               reads or writes them: it works on its mutexes and their neighbours, and those are
 *               its own or a sentinel. Which lock follows which is known from held[], in private
 *               memory. The nodes in shared memory are written by the owner and read by the kernel
 *               only: garbage there can spoil the walk, and never makes the owner follow it.
 * Invariants    (1) A thread's word holds its id only while the lock is in held[], or is the
 *                   pending one (list_op_pending).
 *               (2) pending is set before the word can become ours and cleared after it is linked;
 *                   set before it is unlinked and cleared after word and wake-up are done.
 * Why it is correct
 *               The kernel sees the memory of the dead thread as of the instruction at which it
 *               died. By (2) a word with its id is found at every instruction, as pending or in the
 *               list, and marked. A pending word with no owner means that a release or a wake-up may
 *               have been cut short: the kernel then wakes one more waiter. Only compiler order
 *               matters here, so signal fences suffice.
 * Fork          A forked child owns nothing, has another id, and the C library starts its list
 *               anew. A page that the kernel wipes on fork (MADV_WIPEONFORK) tells the child to
 *               register again, whichever way it was forked; a handler of pthread_atfork(3) does so too,
 *               for emulators that only pretend to wipe.
 * Limits        XP_HELD_MAX locks held by a thread at a time; one PID namespace for all users of a
 *               lock; not async-signal-safe.
 * Without       Where the kernel offers no list (qemu-user), or the C library lays out its mutexes
 *               differently, xp_robust_listed() says no. Objects are made and work all the same;
 *               only the death of an owner is found by the waiters' patrol alone (lock_futex.h),
 *               which a thread id that is in use again deceives, and by a lock of the C library not
 *               at all. So nothing that rests on the list has XP_CAP_ROBUST there (xp_impl_caps()).
 */
#ifndef XPSHARE_SYNC_ROBUST_H
#define XPSHARE_SYNC_ROBUST_H

#include "xpshare/base/err.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Locks that one thread may hold at a time; the next acquire is -ENOLCK. */
#define XP_HELD_MAX 32u

/* From a node back to its futex word: what glibc registers on 64-bit Linux. The kernel has a single
 * such distance for the whole list, so our locks place word and node as a pthread_mutex_t does. */
#define XP_ROBUST_DISTANCE 32

/**
 * struct xp_robust_node - What the kernel reads of a lock that is held: the next node's address.
 * @prev: Of the C library, in sentinels; unused in locks.
 * @next: An address in the owner's process.
 */
struct xp_robust_node {
	void *prev;
	void *next;
};

/**
 * struct xp_robust_place - Where word and node of a lock, or of a sentinel, lie.
 * @word: The futex word: owner's thread id | FUTEX_WAITERS | FUTEX_OWNER_DIED.
 * @own:  Of the lock.
 */
struct xp_robust_place {
	_Atomic uint32_t word;
	uint32_t own[5];
	struct xp_robust_node node;
};

#if UINTPTR_MAX == UINT64_MAX
/* The kernel computes the word's address from the node's: next, less the distance. */
_Static_assert(offsetof(struct xp_robust_place, node.next) == XP_ROBUST_DISTANCE, "as glibc does");
#endif

/**
 * struct xp_robust - What a thread knows of itself.
 * @epoch: Equal to *xp_robust_epoch while registered in this process.
 * @tid:   Its id, as the kernel writes and compares it.
 * @depth: Locks in @held.
 * @head:  The registered list, or @no_list where there is none to join.
 * @first, @last: The sentinels.
 * @held:  Locks held, the oldest first.
 */
struct xp_robust {
	uint32_t epoch;
	uint32_t tid;
	uint32_t depth;
	uint32_t pad;
	struct robust_list_head *head;
	struct xp_robust_place first;
	struct xp_robust_place last;
	struct robust_list_head no_list;
	struct xp_robust_place *held[XP_HELD_MAX];
};

/* initial-exec: in the thread's own block, never freed before the thread is gone. */
extern _Thread_local struct xp_robust xp_robust_self __attribute__((tls_model("initial-exec")));

/* Points into a page that reads 0 in a process that has been forked since. */
extern _Atomic(_Atomic uint32_t *) xp_robust_epoch;

/** xp_robust_register() - Make this thread known. Return: 0; -ENOMEM; -ENOLCK (held[] is full). */
XP_MUST_CHECK int xp_robust_register(struct xp_robust *self);

/** xp_robust_listed() - Whether there is a list to join. Asked once; the same in every thread. */
bool xp_robust_listed(void);

/** xp_robust_alive() - Whether the thread @tid exists and has not ended. */
bool xp_robust_alive(uint32_t tid);

static inline uint32_t xp_robust_epoch_now(void)
{
	/* Acquire: pairs with the store of a page that has just been made. */
	_Atomic uint32_t *page = atomic_load_explicit(&xp_robust_epoch, memory_order_acquire);

	return atomic_load_explicit(page, memory_order_relaxed);
}

/** xp_robust_enter() - Say that @place is about to change hands. Return: as xp_robust_register(). */
XP_MUST_CHECK static inline int xp_robust_enter(struct xp_robust *self,
						struct xp_robust_place *place)
{
	uint32_t epoch = xp_robust_epoch_now();

	if (__builtin_expect(self->epoch != epoch || self->depth == XP_HELD_MAX, 0)) {
		int rc = xp_robust_register(self);
		if (rc < 0)
			return rc;
	}
	self->head->list_op_pending = (struct robust_list *)(void *)&place->node.next;
	atomic_signal_fence(memory_order_seq_cst);
	return 0;
}

/** xp_robust_leave() - The change announced by enter is complete. */
static inline void xp_robust_leave(struct xp_robust *self)
{
	atomic_signal_fence(memory_order_seq_cst);
	self->head->list_op_pending = NULL;
}

/** xp_robust_link() - Put @place, whose word has just become ours, on the list. */
static inline void xp_robust_link(struct xp_robust *self, struct xp_robust_place *place)
{
	place->node.next = self->first.node.next;
	/* The node is complete before the kernel can come across it. */
	atomic_signal_fence(memory_order_seq_cst);
	self->first.node.next = &place->node.next;
	self->held[self->depth++] = place;
}

/** xp_robust_unlink_at() - Take held[@index] off the list. */
void xp_robust_unlink_at(struct xp_robust *self, uint32_t index);

/** xp_robust_find() - Index of @place in held[], or @depth where it is not held. */
uint32_t xp_robust_find(const struct xp_robust *self, const struct xp_robust_place *place);

/** xp_robust_unlink() - Take @place off the list, the newest first in the usual case.
 *  Return: whether this thread held it. */
static inline bool xp_robust_unlink(struct xp_robust *self, struct xp_robust_place *place)
{
	uint32_t depth = self->depth;

	if (__builtin_expect(depth > 0 && self->held[depth - 1] == place, 1)) {
		self->first.node.next =
		    depth > 1 ? &self->held[depth - 2]->node.next : &self->last.node.next;
		self->depth = depth - 1;
		atomic_signal_fence(memory_order_seq_cst);
		return true;
	}

	uint32_t index = xp_robust_find(self, place);
	if (index == depth)
		return false;
	xp_robust_unlink_at(self, index);
	return true;
}

#endif
