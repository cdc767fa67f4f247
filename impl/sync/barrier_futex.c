/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/barrier_futex.h"

#include "xpshare/sync/ref.h"

#include <stdlib.h>

/* The 31 bits of value: broken, 10 bits of arrivals, 20 bits of generation. */
#define BROKEN		1u
#define ARRIVED_SHIFT	1u
#define ARRIVED_ONE	(1u << ARRIVED_SHIFT)
#define ARRIVED_MASK	(XP_BARRIER_PARTIES_MAX << ARRIVED_SHIFT)
#define GENERATION_BITS 20u
#define GENERATION_UNIT (1u << 11)

static uint32_t generation_of(uint32_t word)
{
	return (word & XP_WAIT_VALUE) / GENERATION_UNIT;
}

static uint32_t arrived_of(uint32_t word)
{
	return (word & ARRIVED_MASK) >> ARRIVED_SHIFT;
}

/* The beginning of the generation after that of @word. */
static uint32_t next_generation(uint32_t word)
{
	return ((generation_of(word) + 1) & ((1u << GENERATION_BITS) - 1)) * GENERATION_UNIT;
}

/* Change the word from *@seen to @next, and wake all sleepers: their wait is over. */
static bool turn(struct xp_barrier_futex *barrier, uint32_t *seen, uint32_t next)
{
	if (!atomic_compare_exchange_strong_explicit(&barrier->word, seen, next,
						     memory_order_acq_rel, memory_order_acquire))
		return false;
	if (*seen & XP_WAIT_PARKED)
		xp_futex_wake(&barrier->word, XP_FUTEX_ALL);
	return true;
}

/* Break @generation if it has neither ended nor broken yet. Returns whether it was this call. */
static bool break_generation(struct xp_barrier_futex *barrier, uint32_t generation)
{
	uint32_t word = atomic_load_explicit(&barrier->word, memory_order_acquire);

	while (generation_of(word) == generation && !(word & BROKEN))
		if (turn(barrier, &word, (word & XP_WAIT_VALUE) | BROKEN))
			return true;
	return false;
}

/* How @generation, which is over or broken, has ended. */
static int outcome(struct xp_barrier_futex *barrier, uint32_t generation)
{
	uint32_t word = atomic_load_explicit(&barrier->word, memory_order_acquire);

	if (generation_of(word) == generation)
		return word & BROKEN ? -ECANCELED : 0;
	return atomic_load_explicit(&barrier->history[generation % XP_BARRIER_HISTORY],
				    memory_order_acquire) == generation + 1
		   ? -ECANCELED
		   : 0;
}

static struct xp_robust_place *life_of(struct xp_barrier_place *place)
{
	return (struct xp_robust_place *)(void *)place;
}

/*
 * Whether the party in @place has died. The kernel's mark is enough in the common case; who has been
 * left alone for a nap asks the kernel about the thread, in case there was no list to be marked by.
 */
static bool is_dead(struct xp_barrier_place *place, bool ask)
{
	uint32_t life = atomic_load_explicit(&place->life, memory_order_acquire);

	return life & FUTEX_OWNER_DIED ||
	       (ask && life != 0 && !xp_robust_alive(life & FUTEX_TID_MASK));
}

static bool is_of(struct xp_barrier_place *place, uint32_t generation)
{
	return atomic_load_explicit(&place->generation, memory_order_relaxed) == generation + 1;
}

/*
 * Occupy a place that is free, or whose party died in another generation than @generation. Returns
 * 0; -EAGAIN where there is none; -ENOLCK; -ENOMEM.
 */
static int claim(struct xp_barrier_futex *barrier, uint32_t parties, uint32_t generation, bool ask,
		 struct xp_barrier_place **ret_place)
{
	struct xp_robust *self = &xp_robust_self;

	for (uint32_t i = 0; i < 2 * parties; i++) {
		struct xp_barrier_place *place = &barrier->places[i];
		uint32_t life = atomic_load_explicit(&place->life, memory_order_relaxed);
		if (life != 0 && (is_of(place, generation) || !is_dead(place, ask)))
			continue;

		int rc = xp_robust_enter(self, life_of(place));
		if (rc < 0)
			return rc;
		bool ours = atomic_compare_exchange_strong(&place->life, &life, self->tid);
		if (ours) {
			atomic_store_explicit(&place->generation, generation + 1,
					      memory_order_relaxed);
			xp_robust_link(self, life_of(place));
		}
		xp_robust_leave(self);
		if (ours) {
			*ret_place = place;
			return 0;
		}
	}
	return -EAGAIN;
}

static void give_back(struct xp_barrier_place *place)
{
	struct xp_robust *self = &xp_robust_self;

	if (!place)
		return;
	self->head->list_op_pending = (struct robust_list *)(void *)&place->node.next;
	atomic_signal_fence(memory_order_seq_cst);
	(void)xp_robust_unlink(self, life_of(place));
	atomic_store_explicit(&place->life, 0, memory_order_release);
	xp_robust_leave(self);
}

/*
 * Whether @generation shall not be completed: one of its parties is dead; or more have arrived than
 * have claimed a place, which no honest process does.
 */
static bool is_hopeless(struct xp_barrier_futex *barrier, uint32_t parties, uint32_t generation,
			bool ask)
{
	uint32_t arrived = arrived_of(atomic_load_explicit(&barrier->word, memory_order_acquire));
	uint32_t claimed = 0;

	for (uint32_t i = 0; i < 2 * parties; i++) {
		struct xp_barrier_place *place = &barrier->places[i];
		if (!is_of(place, generation) ||
		    atomic_load_explicit(&place->life, memory_order_relaxed) == 0)
			continue;
		if (is_dead(place, ask))
			return true;
		claimed++;
	}
	return arrived > claimed;
}

/* Wait while the word shows @generation, unbroken. */
static int wait_for_end(struct xp_barrier_futex *barrier, uint32_t parties, uint32_t generation,
			struct xp_wait *how, const struct timespec *deadline)
{
	struct xp_patrol patrol = {0};

	for (;;) {
		uint32_t word = xp_wait_value(&barrier->word);
		if (generation_of(word) != generation || (word & BROKEN))
			return outcome(barrier, generation);

		int rc = xp_wait_step(&barrier->word, word, how, &patrol, deadline);
		if (rc == -EAGAIN) {
			if (is_hopeless(barrier, parties, generation, true))
				(void)break_generation(barrier, generation);
		} else if (rc < 0 && break_generation(barrier, generation)) {
			return rc;
		}
	}
}

/* The last arrival: run the action, then let everybody go. */
static int complete(struct xp_barrier_futex *barrier, uint32_t parties, uint32_t generation,
		    int (*action)(void *arg), void *arg)
{
	if (is_hopeless(barrier, parties, generation, false) || (action && action(arg) != 0))
		(void)break_generation(barrier, generation);

	uint32_t word = atomic_load_explicit(&barrier->word, memory_order_acquire);
	while (generation_of(word) == generation && !(word & BROKEN))
		if (turn(barrier, &word, next_generation(word)))
			return XP_BARRIER_SERIAL;
	return -ECANCELED;
}

/*
 * Arrive in the present generation, in a place of our own. Returns how many had arrived before, or
 * -ECANCELED, -ETIMEDOUT, -ENOLCK, -ENOMEM.
 */
static int arrive(struct xp_barrier_futex *barrier, uint32_t parties, struct xp_wait *how,
		  const struct timespec *deadline, struct xp_barrier_place **place,
		  uint32_t *ret_generation)
{
	uint32_t word = atomic_load_explicit(&barrier->word, memory_order_acquire);
	struct xp_patrol patrol = {0};
	bool alone = false;

	for (;;) {
		uint32_t generation = generation_of(word);
		int rc = 0;

		if (word & BROKEN)
			return -ECANCELED;
		if (!*place)
			rc = claim(barrier, parties, generation, alone, place);
		else
			atomic_store_explicit(&(*place)->generation, generation + 1,
					      memory_order_relaxed);
		if (rc < 0 && rc != -EAGAIN)
			return rc;
		if (rc == 0 && arrived_of(word) < parties) {
			if (!atomic_compare_exchange_weak_explicit(
				&barrier->word, &word, word + ARRIVED_ONE, memory_order_acq_rel,
				memory_order_acquire))
				continue;
			*ret_generation = generation;
			return (int)arrived_of(word);
		}

		/* More processes than parties: this one belongs to a later generation. */
		give_back(*place);
		*place = NULL;
		rc = xp_wait_step(&barrier->word, word & XP_WAIT_VALUE, how, &patrol, deadline);
		if (rc < 0 && rc != -EAGAIN)
			return rc;
		alone = rc == -EAGAIN;
		if (alone && is_hopeless(barrier, parties, generation, true))
			(void)break_generation(barrier, generation);
		word = atomic_load_explicit(&barrier->word, memory_order_acquire);
	}
}

int xp_barrier_futex_wait_until(struct xp_barrier_futex *barrier, uint32_t parties,
				int (*action)(void *arg), void *arg, struct xp_wait *how,
				const struct timespec *deadline)
{
	struct xp_barrier_place *place = NULL;
	uint32_t generation = 0;

	xp_assert(parties > 0 && parties <= XP_BARRIER_PARTIES_MAX);
	int rc = arrive(barrier, parties, how, deadline, &place, &generation);
	if (rc >= 0)
		rc = (uint32_t)rc + 1 == parties
			 ? complete(barrier, parties, generation, action, arg)
			 : wait_for_end(barrier, parties, generation, how, deadline);
	give_back(place);
	return rc;
}

void xp_barrier_futex_abort(struct xp_barrier_futex *barrier)
{
	uint32_t word = atomic_load_explicit(&barrier->word, memory_order_acquire);

	while (!(word & BROKEN) && !turn(barrier, &word, (word & XP_WAIT_VALUE) | BROKEN))
		continue;
}

void xp_barrier_futex_reset(struct xp_barrier_futex *barrier)
{
	uint32_t word = atomic_load_explicit(&barrier->word, memory_order_acquire);
	uint32_t generation = generation_of(word);

	if (!(word & BROKEN) && arrived_of(word) == 0)
		return;
	(void)break_generation(barrier, generation);
	word = atomic_load_explicit(&barrier->word, memory_order_acquire);
	while (generation_of(word) == generation && (word & BROKEN)) {
		/* It is decided that it ended broken: now, not before, it may be written down. */
		atomic_store_explicit(&barrier->history[generation % XP_BARRIER_HISTORY],
				      generation + 1, memory_order_release);
		if (turn(barrier, &word, next_generation(word)))
			return;
	}
}

/* The self of the operations: number of parties and action are private to each process. */
struct barrier_ref {
	struct xp_sync_ref ref;
	uint32_t parties;
	int (*action)(void *arg);
	void *arg;
};

static struct xp_barrier_futex *barrier_of(void *self)
{
	return ((struct barrier_ref *)self)->ref.shared;
}

static int op_wait_until(void *self, const struct timespec *deadline)
{
	struct barrier_ref *ref = self;

	return xp_barrier_futex_wait_until(barrier_of(self), ref->parties, ref->action, ref->arg,
					   &ref->ref.how, deadline);
}

static int op_abort(void *self)
{
	xp_barrier_futex_abort(barrier_of(self));
	return 0;
}

static int op_reset(void *self)
{
	xp_barrier_futex_reset(barrier_of(self));
	return 0;
}

static int64_t op_parties(void *self)
{
	return ((struct barrier_ref *)self)->parties;
}

static int64_t op_waiting(void *self)
{
	uint32_t word = atomic_load_explicit(&barrier_of(self)->word, memory_order_acquire);

	return word & BROKEN ? 0 : arrived_of(word);
}

static int op_broken(void *self)
{
	return atomic_load_explicit(&barrier_of(self)->word, memory_order_acquire) & BROKEN;
}

static const struct xp_barrier_ops ops = {.wait_until = op_wait_until,
					  .abort = op_abort,
					  .reset = op_reset,
					  .parties = op_parties,
					  .waiting = op_waiting,
					  .broken = op_broken};

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	struct barrier_ref *ref;

	if (params->count == 0 || params->count > XP_BARRIER_PARTIES_MAX)
		return -EINVAL;
	ref = malloc(sizeof(*ref));
	if (!ref)
		return -ENOMEM;
	int rc = xp_sync_ref_init(&ref->ref, place, params, xp_barrier_futex_size(params->count));
	if (rc < 0) {
		free(ref);
		return rc;
	}
	ref->parties = params->count;
	ref->action = params->action;
	ref->arg = params->arg;
	*ret_object = (struct xp_object){
	    .impl = impl, .as.barrier = {.ops = &ops, .self = ref}, .owner = ref};
	return 0;
}

const struct xp_impl xp_impl_barrier_futex = {
    .name = "barrier/futex",
    .title = "generation and arrivals on one futex word",
    .kind = XP_KIND_BARRIER,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_UNTRUSTING,
    .robust_by_list = true,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};
