/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/lock_futex.h"

#include "xpshare/sync/ref.h"

#include <string.h>

void xp_lock_futex_init(struct xp_lock_futex *lock, unsigned flags)
{
	memset(lock, 0, sizeof(*lock));
	lock->flags = flags;
}

/* Whether a lock without owner is reserved for another than @tid. */
static bool reserved(struct xp_lock_futex *lock, uint32_t tid)
{
	if (!(lock->flags & XP_LOCK_FAIR))
		return false;

	uint32_t turn = atomic_load_explicit(&lock->turn, memory_order_relaxed);
	return turn != 0 && turn != tid;
}

/* A reservation for a dead waiter, which would never come, is void. */
static void check_turn(struct xp_lock_futex *lock)
{
	uint32_t turn = atomic_load_explicit(&lock->turn, memory_order_relaxed);

	if (turn != 0 && !xp_robust_alive(turn))
		atomic_compare_exchange_strong(&lock->turn, &turn, 0);
}

/* The lock is ours: finish what a reservation for us has begun. */
static void taken(struct xp_lock_futex *lock, struct xp_robust *self)
{
	uint32_t turn = self->tid;

	xp_robust_link(self, xp_lock_futex_place(lock));
	if (lock->flags & XP_LOCK_FAIR)
		atomic_compare_exchange_strong(&lock->turn, &turn, 0);
}

/*
 * Try to go from @seen, a word without owner, or with one that is dead, to the caller's ownership.
 * @mark is FUTEX_WAITERS for a caller that has slept: it may not be the only one.
 */
static bool take(struct xp_lock_futex *lock, struct xp_robust *self, uint32_t seen, uint32_t mark)
{
	uint32_t next = self->tid | (seen & FUTEX_WAITERS) | mark;

	if (!atomic_compare_exchange_strong_explicit(&lock->word, &seen, next, memory_order_acquire,
						     memory_order_relaxed))
		return false;
	taken(lock, self);
	return true;
}

/*
 * A waiter of a fair lock that has run out of patience asks for its turn. Either the releaser, who
 * gives up the word and then looks at the turn, sees it and wakes everybody; or this waiter, who
 * sets the turn and then has the kernel compare the word, does not fall asleep. Both in sequential
 * order.
 */
static void claim_turn(struct xp_lock_futex *lock, uint32_t tid, int64_t since)
{
	uint32_t nobody = 0;

	if ((lock->flags & XP_LOCK_FAIR) && xp_clock_ns() - since > XP_LOCK_PATIENCE_NS)
		atomic_compare_exchange_strong(&lock->turn, &nobody, tid);
}

/* A waiter gives up. Those that stood back for it must not sleep on. */
static void give_up_turn(struct xp_lock_futex *lock, uint32_t tid)
{
	uint32_t turn = tid;

	if ((lock->flags & XP_LOCK_FAIR) && atomic_compare_exchange_strong(&lock->turn, &turn, 0))
		xp_futex_wake(&lock->word, XP_FUTEX_ALL);
}

int xp_lock_futex_acquire_slow(struct xp_lock_futex *lock, struct xp_robust *self,
			       struct xp_wait *how, const struct timespec *deadline)
{
	struct xp_patrol patrol = {0};
	int64_t since = lock->flags & XP_LOCK_FAIR ? xp_clock_ns() : 0;
	uint32_t mark = 0;

	if (xp_robust_find(self, xp_lock_futex_place(lock)) < self->depth)
		return -EDEADLK;

	for (;;) {
		uint32_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);
		uint32_t owner = seen & FUTEX_TID_MASK;

		/* Our id in a lock that we do not hold: of an earlier thread with this id, or garbage. */
		bool dead = seen & FUTEX_OWNER_DIED || owner == self->tid;
		if (owner == self->tid || (owner == 0 && !reserved(lock, self->tid))) {
			if (take(lock, self, seen, mark))
				return dead ? -EOWNERDEAD : 0;
			continue;
		}
		claim_turn(lock, self->tid, since);

		int rc = xp_wait_step(&lock->word, seen & XP_WAIT_VALUE, how, &patrol, deadline);
		if (patrol.nap_ns > 0)
			mark = FUTEX_WAITERS;
		if (rc == -EAGAIN) {
			/* Nobody woke us. Has somebody died without our being told? */
			check_turn(lock);
			if (owner != 0 && !xp_robust_alive(owner) &&
			    take(lock, self, seen | FUTEX_WAITERS, mark))
				return -EOWNERDEAD;
		} else if (rc < 0) {
			give_up_turn(lock, self->tid);
			return rc;
		}
	}
}

int xp_lock_futex_try_acquire(struct xp_lock_futex *lock)
{
	struct xp_robust *self = &xp_robust_self;
	int rc = xp_robust_enter(self, xp_lock_futex_place(lock));

	if (rc < 0)
		return rc;
	if (!xp_lock_futex_take_free(lock, self)) {
		uint32_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);

		rc = -EBUSY;
		if (reserved(lock, self->tid))
			check_turn(lock);
		if ((seen & FUTEX_TID_MASK) == 0 && !reserved(lock, self->tid) &&
		    take(lock, self, seen, 0))
			rc = seen & FUTEX_OWNER_DIED ? -EOWNERDEAD : 0;
	}
	xp_robust_leave(self);
	return rc;
}

/* Leave @word, which has no owner, behind, and wake whoever may sleep. */
static void leave_and_wake(struct xp_lock_futex *lock, uint32_t word)
{
	/* First the word, then the turn, in sequential order: see claim_turn(). */
	atomic_exchange(&lock->word, word);
	bool claimed = (lock->flags & XP_LOCK_FAIR) && atomic_load(&lock->turn) != 0;

	/* Who sleeps first in the kernel's queue need not be the one whose turn it is. */
	int woken = xp_futex_wake(&lock->word, claimed ? XP_FUTEX_ALL : 1);
	if (woken == 0 && word == FUTEX_WAITERS)
		/* Nobody slept: give the fast path back, unless somebody has come meanwhile. */
		atomic_compare_exchange_strong_explicit(&lock->word, &word, 0, memory_order_relaxed,
							memory_order_relaxed);
}

int xp_lock_futex_release_slow(struct xp_lock_futex *lock, struct xp_robust *self)
{
	uint32_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);

	if (seen != (self->tid | FUTEX_WAITERS))
		return -ENOTRECOVERABLE;
	leave_and_wake(lock, FUTEX_WAITERS);
	return 0;
}

int xp_lock_futex_release_dead(struct xp_lock_futex *lock)
{
	struct xp_robust *self = &xp_robust_self;
	int rc = -EPERM;

	if (!xp_lock_futex_held(lock))
		return rc;
	self->head->list_op_pending = (struct robust_list *)(void *)&lock->node.next;
	atomic_signal_fence(memory_order_seq_cst);
	(void)xp_robust_unlink(self, xp_lock_futex_place(lock));

	uint32_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);
	if ((seen & ~FUTEX_WAITERS) != self->tid) {
		rc = -ENOTRECOVERABLE;
	} else {
		leave_and_wake(lock, FUTEX_OWNER_DIED | FUTEX_WAITERS);
		rc = 0;
	}
	xp_robust_leave(self);
	return rc;
}

static int op_acquire_until(void *self, const struct timespec *deadline)
{
	struct xp_sync_ref *ref = self;

	return xp_lock_futex_acquire_until(ref->shared, &ref->how, deadline);
}

static int op_try_acquire(void *self)
{
	return xp_lock_futex_try_acquire(((struct xp_sync_ref *)self)->shared);
}

static int op_release(void *self)
{
	return xp_lock_futex_release(((struct xp_sync_ref *)self)->shared);
}

static const struct xp_lock_ops ops = {
    .acquire_until = op_acquire_until, .try_acquire = op_try_acquire, .release = op_release};

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	struct xp_sync_ref *ref;
	int rc = xp_sync_ref_make(place, params, sizeof(struct xp_lock_futex), &ref);

	if (rc < 0)
		return rc;
	if (!place->existing)
		xp_lock_futex_init(ref->shared, params->fair ? XP_LOCK_FAIR : 0);
	*ret_object =
	    (struct xp_object){.impl = impl, .as.lock = {.ops = &ops, .self = ref}, .owner = ref};
	return 0;
}

const struct xp_impl xp_impl_lock_futex = {
    .name = "lock/futex",
    .title = "one futex word on the robust list",
    .kind = XP_KIND_LOCK,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_FAIR | XP_CAP_OWNED | XP_CAP_UNTRUSTING,
    .robust_by_list = true,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};
