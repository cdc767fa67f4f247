/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/event_futex.h"

#include "xpshare/sync/ref.h"

/* (n, down) to (n + 1, up): the flag is free in a word that is down. */
static uint32_t raised(uint32_t word)
{
	return ((word + XP_EVENT_SET) & XP_WAIT_VALUE) | XP_EVENT_UP | (word & XP_WAIT_PARKED);
}

void xp_event_futex_set(struct xp_event_futex *event)
{
	uint32_t word = atomic_load_explicit(&event->word, memory_order_relaxed);

	uint32_t next;

	/* A raised flag is written too: what this setter did before belongs to its set. */
	do
		next = word & XP_EVENT_UP ? word : raised(word);
	while (!atomic_compare_exchange_weak_explicit(&event->word, &word, next,
						      memory_order_release, memory_order_relaxed));
	word = next;
	if (!(word & XP_WAIT_PARKED))
		return;
	xp_futex_wake(&event->word, XP_FUTEX_ALL);
	/* If the word has changed, a clear has left the bit to waiters of the next set. */
	atomic_compare_exchange_strong_explicit(&event->word, &word, word & XP_WAIT_VALUE,
						memory_order_relaxed, memory_order_relaxed);
}

void xp_event_futex_clear(struct xp_event_futex *event)
{
	atomic_fetch_and_explicit(&event->word, ~XP_EVENT_UP, memory_order_relaxed);
}

int xp_event_futex_wait_until(struct xp_event_futex *event, struct xp_wait *how,
			      const struct timespec *deadline)
{
	uint32_t seen = xp_wait_value(&event->word);

	if (seen & XP_EVENT_UP)
		return 0;
	return xp_wait_while(&event->word, seen, how, deadline);
}

static int op_set(void *self)
{
	xp_event_futex_set(((struct xp_sync_ref *)self)->shared);
	return 0;
}

static int op_clear(void *self)
{
	xp_event_futex_clear(((struct xp_sync_ref *)self)->shared);
	return 0;
}

static int op_is_set(void *self)
{
	return xp_event_futex_is_set(((struct xp_sync_ref *)self)->shared);
}

static int op_wait_until(void *self, const struct timespec *deadline)
{
	struct xp_sync_ref *ref = self;

	return xp_event_futex_wait_until(ref->shared, &ref->how, deadline);
}

static const struct xp_event_ops ops = {
    .set = op_set, .clear = op_clear, .is_set = op_is_set, .wait_until = op_wait_until};

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	struct xp_sync_ref *ref;
	int rc = xp_sync_ref_make(place, params, sizeof(struct xp_event_futex), &ref);

	if (rc < 0)
		return rc;
	*ret_object =
	    (struct xp_object){.impl = impl, .as.event = {.ops = &ops, .self = ref}, .owner = ref};
	return 0;
}

const struct xp_impl xp_impl_event_futex = {
    .name = "event/futex",
    .title = "flag and count of sets on one futex word",
    .kind = XP_KIND_EVENT,
    .scope = XP_SCOPE_INHERITED,
    .caps = XP_CAP_ROBUST | XP_CAP_UNTRUSTING,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};
