/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/condition_futex.h"

#include "xpshare/sync/ref.h"

#include <string.h>

/* Of a place, beside the waiter bit. */
enum { IDLE = 0, WAITING = 1, SIGNALLED = 2 };

/* Of @handing, when it is not 0: HANDING, the place of the dead, the place of the heir. */
#define HANDING	  0x80000000u
#define HEIR_BITS 8u
#define HEIR_MASK 0xffu

_Static_assert(XP_CONDITION_WAITERS_MAX <= HEIR_MASK, "both places fit into one word");

void xp_condition_futex_init(struct xp_condition_futex *condition)
{
	memset(condition, 0, sizeof(*condition));
	xp_lock_futex_init(&condition->lock, 0);
}

static struct xp_robust_place *life_of(struct xp_condition_place *place)
{
	return (struct xp_robust_place *)(void *)place;
}

/* Places to look at: what is in shared memory may be garbage. */
static uint32_t used_places(struct xp_condition_futex *condition)
{
	uint32_t used = atomic_load_explicit(&condition->used, memory_order_relaxed);

	return used < XP_CONDITION_WAITERS_MAX ? used : XP_CONDITION_WAITERS_MAX;
}

static bool is_dead(struct xp_condition_place *place)
{
	uint32_t life = atomic_load_explicit(&place->life, memory_order_acquire);

	if (life & FUTEX_OWNER_DIED)
		return true;
	/* Without a list the kernel tells us nothing. */
	return life != 0 && xp_robust_self.head == &xp_robust_self.no_list &&
	       !xp_robust_alive(life & FUTEX_TID_MASK);
}

/* The place of the living waiter that has waited longest, or NULL. The lock is held. */
static struct xp_condition_place *longest_waiter(struct xp_condition_futex *condition)
{
	struct xp_condition_place *found = NULL;
	uint64_t lowest = UINT64_MAX;

	for (uint32_t i = 0; i < used_places(condition); i++) {
		struct xp_condition_place *place = &condition->places[i];
		uint64_t ticket = atomic_load_explicit(&place->ticket, memory_order_relaxed);
		if (xp_wait_value(&place->state) == WAITING && (!found || ticket < lowest)) {
			found = place;
			lowest = ticket;
		}
	}
	return found;
}

static void signal_place(struct xp_condition_place *place)
{
	xp_wait_publish(&place->state, SIGNALLED, XP_FUTEX_ALL);
}

static uint32_t index_of(const struct xp_condition_futex *condition,
			 const struct xp_condition_place *place)
{
	return (uint32_t)(place - condition->places);
}

/* Finish the hand-over in which a holder of the lock died, before anything else changes. */
static void settle(struct xp_condition_futex *condition)
{
	uint32_t handing = atomic_load_explicit(&condition->handing, memory_order_relaxed);
	uint32_t from = handing >> HEIR_BITS & HEIR_MASK, to = handing & HEIR_MASK;

	if (__builtin_expect(handing == 0, 1))
		return;
	/* What is in shared memory may be garbage. */
	if (from < XP_CONDITION_WAITERS_MAX && to < XP_CONDITION_WAITERS_MAX &&
	    xp_wait_value(&condition->places[to].state) != WAITING)
		atomic_store_explicit(&condition->places[from].state, IDLE, memory_order_relaxed);
	atomic_store_explicit(&condition->handing, 0, memory_order_release);
}

/* The signal that died with the waiter of @place goes to the one that has waited longest, if any. */
static void hand_over(struct xp_condition_futex *condition, struct xp_condition_place *place)
{
	struct xp_condition_place *heir = longest_waiter(condition);

	if (heir) {
		atomic_store_explicit(&condition->handing,
				      HANDING | index_of(condition, place) << HEIR_BITS |
					  index_of(condition, heir),
				      memory_order_relaxed);
		/* An exchange with release: @handing is there when the heir is signalled. */
		signal_place(heir);
	}
	atomic_store_explicit(&place->state, IDLE, memory_order_relaxed);
	atomic_store_explicit(&condition->handing, 0, memory_order_release);
}

/* Clear the places of the dead and pass on the signals that they had. The lock is held. */
static void bury(struct xp_condition_futex *condition)
{
	settle(condition);
	for (uint32_t i = 0; i < used_places(condition); i++) {
		struct xp_condition_place *place = &condition->places[i];
		if (!is_dead(place))
			continue;
		if (xp_wait_value(&place->state) == SIGNALLED)
			hand_over(condition, place);
		atomic_store_explicit(&place->state, IDLE, memory_order_relaxed);
		atomic_store_explicit(&place->life, 0, memory_order_release);
	}
}

static void signal_waiters(struct xp_condition_futex *condition, uint32_t count)
{
	/* More rounds than places would mean that a peer is writing garbage. */
	for (uint32_t i = 0; i < count && i < XP_CONDITION_WAITERS_MAX; i++) {
		struct xp_condition_place *place = longest_waiter(condition);
		if (!place)
			return;
		signal_place(place);
	}
}

int xp_condition_futex_signal(struct xp_condition_futex *condition, uint32_t count)
{
	if (!xp_lock_futex_held(&condition->lock))
		return -EPERM;

	bury(condition);
	signal_waiters(condition, count);
	return 0;
}

/* Take an idle place and put its life word on the robust list. The lock is held. */
static int claim(struct xp_condition_futex *condition, struct xp_condition_place **ret_place)
{
	struct xp_robust *self = &xp_robust_self;
	struct xp_condition_place *place = condition->places;
	uint32_t i = 0;

	while (i < XP_CONDITION_WAITERS_MAX &&
	       (atomic_load_explicit(&place[i].life, memory_order_acquire) != 0 ||
		xp_wait_value(&place[i].state) != IDLE))
		i++;
	if (i == XP_CONDITION_WAITERS_MAX)
		return -EOVERFLOW;
	place += i;

	int rc = xp_robust_enter(self, life_of(place));
	if (rc < 0)
		return rc;
	atomic_store_explicit(&place->life, self->tid, memory_order_relaxed);
	xp_robust_link(self, life_of(place));
	xp_robust_leave(self);

	atomic_store_explicit(&place->ticket, atomic_fetch_add(&condition->tickets, 1),
			      memory_order_relaxed);
	if (i >= used_places(condition))
		atomic_store_explicit(&condition->used, i + 1, memory_order_relaxed);
	atomic_store_explicit(&place->state, WAITING, memory_order_release);
	*ret_place = place;
	return 0;
}

/* Give the place back. Returns whether its waiter had been signalled. */
static bool retire(struct xp_condition_futex *condition, struct xp_condition_place *place)
{
	struct xp_robust *self = &xp_robust_self;

	/* Whether this place has got a dead one's signal cannot be seen any more after this. */
	settle(condition);
	bool signalled = xp_wait_value(&place->state) != WAITING;

	atomic_store_explicit(&place->state, IDLE, memory_order_relaxed);
	/* It is on our list, which therefore has room: enter cannot fail. */
	self->head->list_op_pending = (struct robust_list *)(void *)&place->node.next;
	atomic_signal_fence(memory_order_seq_cst);
	(void)xp_robust_unlink(self, life_of(place));
	atomic_store_explicit(&place->life, 0, memory_order_release);
	xp_robust_leave(self);
	return signalled;
}

/* A waiter that nobody has woken looks whether another died with a signal that is now its own. */
static void patrol_places(struct xp_condition_futex *condition, struct xp_wait *how,
			  const struct timespec *deadline)
{
	uint32_t i = 0;

	while (i < used_places(condition) && !is_dead(&condition->places[i]))
		i++;
	if (i == used_places(condition))
		return;

	int rc = xp_lock_futex_acquire_until(&condition->lock, how, deadline);
	if (rc < 0 && rc != -EOWNERDEAD)
		return;
	bury(condition);
	/* Whoever takes the lock for its own purposes has to hear of the death. */
	if (rc == -EOWNERDEAD)
		(void)xp_lock_futex_release_dead(&condition->lock);
	else
		(void)xp_lock_futex_release(&condition->lock);
}

int xp_condition_futex_wait_until(struct xp_condition_futex *condition, struct xp_wait *how,
				  const struct timespec *deadline)
{
	struct xp_lock_futex *lock = &condition->lock;
	struct xp_condition_place *place;
	struct xp_patrol patrol = {0};

	if (!xp_lock_futex_held(lock))
		return -EPERM;
	bury(condition);
	int rc = claim(condition, &place);
	if (rc < 0)
		return rc;

	uint32_t depth = atomic_load_explicit(&lock->count, memory_order_relaxed);
	rc = xp_lock_futex_release(lock);
	if (rc < 0) {
		/* A peer has overwritten the lock: it is not ours any more, and not to be waited for. */
		(void)retire(condition, place);
		return rc;
	}
	while (rc == 0 && xp_wait_value(&place->state) == WAITING) {
		rc = xp_wait_step(&place->state, WAITING, how, &patrol, deadline);
		if (rc == -EAGAIN) {
			patrol_places(condition, how, deadline);
			rc = 0;
		}
	}

	int held = xp_lock_futex_acquire_until(lock, how, NULL);
	if (retire(condition, place) && rc == -ETIMEDOUT)
		rc = 0;
	if (held < 0 && held != -EOWNERDEAD)
		return held;
	atomic_store_explicit(&lock->count, depth, memory_order_relaxed);
	return held < 0 ? held : rc;
}

static int op_wait_until(void *self, const struct timespec *deadline)
{
	struct xp_sync_ref *ref = self;

	return xp_condition_futex_wait_until(ref->shared, &ref->how, deadline);
}

static int op_signal(void *self, uint32_t count)
{
	return xp_condition_futex_signal(((struct xp_sync_ref *)self)->shared, count);
}

static const struct xp_condition_ops ops = {.wait_until = op_wait_until, .signal = op_signal};

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	struct xp_sync_ref *ref;
	int rc = xp_sync_ref_make(place, params, sizeof(struct xp_condition_futex), &ref);

	if (rc < 0)
		return rc;
	if (!place->existing)
		xp_condition_futex_init(ref->shared);
	*ret_object = (struct xp_object){
	    .impl = impl,
	    .as.condition = {.ops = &ops,
			     .self = ref,
			     /* The lock is the first member of the condition. */
			     .lock = {.ops = &xp_rlock_futex_ops, .self = ref}},
	    .owner = ref,
	};
	return 0;
}

const struct xp_impl xp_impl_condition_futex = {
    .name = "condition/futex",
    .title = "a futex word for each waiter, in turn",
    .kind = XP_KIND_CONDITION,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_UNTRUSTING,
    .robust_by_list = true,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};
