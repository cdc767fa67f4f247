/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/barrier_pthread.h"

#include "xpshare/sync/lock_pthread.h"
#include "xpshare/sync/ref.h"

#include <stdlib.h>

enum state { FILLING, DRAINING, RESETTING, BROKEN };

/**
 * struct meeting - The barrier in shared memory; all under the mutex.
 * @count:  Parties that have arrived and not yet departed.
 */
struct meeting {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	uint32_t parties;
	uint32_t count;
	uint32_t state;
};

/* The self of the operations. */
struct meeting_ref {
	struct xp_sync_ref ref;
	int (*action)(void *arg);
	void *arg;
};

static struct meeting *meeting_of(void *self)
{
	return ((struct meeting_ref *)self)->ref.shared;
}

static void enter_state(struct meeting *meeting, uint32_t state)
{
	meeting->state = state;
	pthread_cond_broadcast(&meeting->changed);
}

/* Lock it; one who died with the mutex held has left the counts in disorder. */
static int begin(struct meeting *meeting, const struct timespec *deadline)
{
	int rc = xp_mutex_acquire_until(&meeting->mutex, deadline);

	if (rc != -EOWNERDEAD)
		return rc;
	enter_state(meeting, BROKEN);
	return 0;
}

static void end(struct meeting *meeting)
{
	pthread_mutex_unlock(&meeting->mutex);
}

/* Sleep while the state is @state. */
static int wait_while(struct meeting *meeting, uint32_t state, const struct timespec *deadline)
{
	int rc = 0;

	while (meeting->state == state && rc == 0) {
		rc = deadline ? pthread_cond_clockwait(&meeting->changed, &meeting->mutex,
						       CLOCK_MONOTONIC, deadline)
			      : pthread_cond_wait(&meeting->changed, &meeting->mutex);
		if (rc == EOWNERDEAD) {
			pthread_mutex_consistent(&meeting->mutex);
			enter_state(meeting, BROKEN);
			rc = 0;
		}
	}
	return -rc;
}

static void depart(struct meeting *meeting)
{
	if (--meeting->count == 0 && (meeting->state == DRAINING || meeting->state == RESETTING))
		enter_state(meeting, FILLING);
}

static int serve(struct meeting_ref *ref, struct meeting *meeting)
{
	if (ref->action && ref->action(ref->arg) != 0) {
		enter_state(meeting, BROKEN);
		return -ECANCELED;
	}
	enter_state(meeting, DRAINING);
	return XP_BARRIER_SERIAL;
}

static int wait_for_others(struct meeting *meeting, const struct timespec *deadline)
{
	int rc = wait_while(meeting, FILLING, deadline);

	if (rc < 0 && meeting->state == FILLING) {
		enter_state(meeting, BROKEN);
		return rc;
	}
	return meeting->state == DRAINING ? 0 : -ECANCELED;
}

static int op_wait_until(void *self, const struct timespec *deadline)
{
	struct meeting_ref *ref = self;
	struct meeting *meeting = meeting_of(self);
	int rc = begin(meeting, deadline);

	if (rc < 0)
		return rc;
	/* Those of the generation before have to be gone. */
	while (rc == 0 && (meeting->state == DRAINING || meeting->state == RESETTING))
		rc = wait_while(meeting, meeting->state, deadline);
	if (rc == 0 && meeting->state == BROKEN)
		rc = -ECANCELED;
	if (rc == 0) {
		meeting->count++;
		rc = meeting->count == meeting->parties ? serve(ref, meeting)
							: wait_for_others(meeting, deadline);
		depart(meeting);
	}
	end(meeting);
	return rc;
}

static int op_abort(void *self)
{
	struct meeting *meeting = meeting_of(self);
	int rc = begin(meeting, NULL);

	if (rc < 0)
		return rc;
	enter_state(meeting, BROKEN);
	end(meeting);
	return 0;
}

static int op_reset(void *self)
{
	struct meeting *meeting = meeting_of(self);
	int rc = begin(meeting, NULL);

	if (rc < 0)
		return rc;
	if (meeting->count == 0)
		enter_state(meeting, FILLING);
	else if (meeting->state == FILLING || meeting->state == BROKEN)
		/* Whoever waits is told so, the last to go opens it again. */
		enter_state(meeting, RESETTING);
	end(meeting);
	return 0;
}

static int64_t op_parties(void *self)
{
	return meeting_of(self)->parties;
}

static int64_t op_waiting(void *self)
{
	struct meeting *meeting = meeting_of(self);
	int64_t waiting = begin(meeting, NULL);

	if (waiting < 0)
		return waiting;
	waiting = meeting->state == FILLING ? meeting->count : 0;
	end(meeting);
	return waiting;
}

static int op_broken(void *self)
{
	struct meeting *meeting = meeting_of(self);
	int broken = begin(meeting, NULL);

	if (broken < 0)
		return broken;
	broken = meeting->state == BROKEN;
	end(meeting);
	return broken;
}

static const struct xp_barrier_ops ops = {.wait_until = op_wait_until,
					  .abort = op_abort,
					  .reset = op_reset,
					  .parties = op_parties,
					  .waiting = op_waiting,
					  .broken = op_broken};

static int init(struct meeting *meeting, uint32_t parties)
{
	int rc = xp_mutex_init(&meeting->mutex, PTHREAD_MUTEX_ERRORCHECK);

	meeting->parties = parties;
	return rc < 0 ? rc : xp_cond_init(&meeting->changed);
}

static int make(const struct xp_impl *impl, struct xp_place *place, const struct xp_params *params,
		struct xp_object *ret_object)
{
	struct xp_object object = {.impl = impl};
	struct meeting_ref *ref;

	if (params->strategy == XP_STRATEGY_SPIN)
		return -ENOTSUP;
	if (params->count == 0)
		return -EINVAL;
	ref = malloc(sizeof(*ref));
	if (!ref)
		return -ENOMEM;
	int rc = xp_sync_ref_init(&ref->ref, place, params, sizeof(struct meeting));
	if (rc < 0) {
		free(ref);
		return rc;
	}
	object.owner = ref;
	if (!place->existing)
		rc = init(ref->ref.shared, params->count);
	if (rc < 0) {
		xp_sync_ref_drop(&object);
		return rc;
	}
	ref->action = params->action;
	ref->arg = params->arg;
	object.as.barrier = (struct xp_barrier){.ops = &ops, .self = ref};
	*ret_object = object;
	return 0;
}

const struct xp_impl xp_impl_barrier_pthread = {
    .name = "barrier/pthread",
    .title = "mutex and condition variable of the C library, as threading.Barrier",
    .kind = XP_KIND_BARRIER,
    .scope = XP_SCOPE_INHERITED,
    .caps = 0,
    .make = make,
    .where = xp_sync_ref_where,
    .drop = xp_sync_ref_drop,
};
