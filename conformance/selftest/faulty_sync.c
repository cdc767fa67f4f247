/* SPDX-License-Identifier: MIT */
#include "conformance/selftest/faulty.h"

#include "xpshare/base/wait.h"

#include <pthread.h>
#include <sys/mman.h>

static enum xc_defect chosen;

void xc_defect_choose(enum xc_defect defect)
{
	chosen = defect;
}

enum xc_defect xc_defect_chosen(void)
{
	return chosen;
}

/* A mutex and a condition variable that processes share: what every object here is made of, so that it
 * is plainly right but for its defect. */
struct cell {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int64_t number, generation, waiting;
	bool broken;
};

static int cell_make(struct xp_object *object)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t condition;
	void *page = mmap(NULL, sizeof(struct cell), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -ENOMEM;
	struct cell *cell = page;
	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&cell->mutex, &mutex);
	pthread_mutexattr_destroy(&mutex);
	pthread_condattr_init(&condition);
	pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
	pthread_condattr_setclock(&condition, CLOCK_MONOTONIC);
	pthread_cond_init(&cell->changed, &condition);
	pthread_condattr_destroy(&condition);
	object->owner = cell;
	return 0;
}

static void cell_drop(struct xp_object *object)
{
	munmap(object->owner, sizeof(struct cell));
}

static int cell_wait(struct cell *cell, const struct timespec *deadline)
{
	int rc = deadline ? pthread_cond_timedwait(&cell->changed, &cell->mutex, deadline)
			  : pthread_cond_wait(&cell->changed, &cell->mutex);

	return -rc;
}

/* ---- lock: number is 1 while held ------------------------------------------------------------- */

static int lock_acquire_until(void *self, const struct timespec *deadline)
{
	struct cell *cell = self;
	int rc = 0;

	pthread_mutex_lock(&cell->mutex);
	if (chosen == XC_DEFECT_LOCK_GIVES_UP_EARLY && deadline && cell->number)
		rc = -ETIMEDOUT;
	while (cell->number && rc == 0 &&
	       !(chosen == XC_DEFECT_LOCK_DOES_NOT_LOCK && cell->generation++ % 64 == 63))
		rc = cell_wait(cell, deadline);
	if (!cell->number)
		rc = 0;
	if (rc == 0)
		cell->number = 1;
	pthread_mutex_unlock(&cell->mutex);
	return rc;
}

static int lock_try_acquire(void *self)
{
	struct cell *cell = self;

	pthread_mutex_lock(&cell->mutex);
	int rc = cell->number ? -EBUSY : 0;
	cell->number = 1;
	pthread_mutex_unlock(&cell->mutex);
	return rc;
}

static int lock_release(void *self)
{
	struct cell *cell = self;

	pthread_mutex_lock(&cell->mutex);
	int rc = cell->number || chosen == XC_DEFECT_LOCK_FREES_TWICE ? 0 : -EPERM;
	cell->number = 0;
	if (chosen != XC_DEFECT_LOCK_RELEASES_SILENTLY)
		pthread_cond_signal(&cell->changed);
	pthread_mutex_unlock(&cell->mutex);
	return rc;
}

static int lock_make(const struct xp_impl *impl, struct xp_place *place,
		     const struct xp_params *params, struct xp_object *ret_object)
{
	static const struct xp_lock_ops ops = {lock_acquire_until, lock_try_acquire, lock_release};

	(void)impl;
	(void)place;
	(void)params;
	int rc = cell_make(ret_object);
	if (rc == 0)
		ret_object->as.lock = (struct xp_lock){&ops, ret_object->owner};
	return rc;
}

const struct xp_impl xc_faulty_lock = {
    .name = "lock/faulty",
    .title = "a mutex and a condition variable",
    .kind = XP_KIND_LOCK,
    .scope = XP_SCOPE_INHERITED,
    .make = lock_make,
    .drop = cell_drop,
};

/* ---- semaphore: number is the counter --------------------------------------------------------- */

static int semaphore_wait_until(void *self, const struct timespec *deadline)
{
	struct cell *cell = self;
	int rc = 0;

	pthread_mutex_lock(&cell->mutex);
	while (cell->number == 0 && rc == 0)
		rc = cell_wait(cell, deadline);
	if (cell->number > 0) {
		cell->number--;
		rc = 0;
	}
	pthread_mutex_unlock(&cell->mutex);
	return rc;
}

static int semaphore_try_wait(void *self)
{
	struct cell *cell = self;

	pthread_mutex_lock(&cell->mutex);
	int rc = cell->number > 0 ? 0 : -EAGAIN;
	cell->number -= rc == 0;
	pthread_mutex_unlock(&cell->mutex);
	return rc;
}

static int semaphore_post(void *self)
{
	struct cell *cell = self;

	pthread_mutex_lock(&cell->mutex);
	if (cell->number == 0 || chosen != XC_DEFECT_SEMAPHORE_LOSES_POSTS)
		cell->number++;
	pthread_cond_signal(&cell->changed);
	pthread_mutex_unlock(&cell->mutex);
	return 0;
}

static int64_t semaphore_value(void *self)
{
	struct cell *cell = self;

	pthread_mutex_lock(&cell->mutex);
	int64_t value = cell->number;
	pthread_mutex_unlock(&cell->mutex);
	return value;
}

static int semaphore_make(const struct xp_impl *impl, struct xp_place *place,
			  const struct xp_params *params, struct xp_object *ret_object)
{
	static const struct xp_semaphore_ops ops = {semaphore_wait_until, semaphore_try_wait,
						    semaphore_post, semaphore_value};

	(void)impl;
	(void)place;
	int rc = cell_make(ret_object);
	if (rc < 0)
		return rc;
	((struct cell *)ret_object->owner)->number = params->count;
	ret_object->as.semaphore = (struct xp_semaphore){&ops, ret_object->owner};
	return 0;
}

const struct xp_impl xc_faulty_semaphore = {
    .name = "semaphore/faulty",
    .title = "a mutex and a condition variable",
    .kind = XP_KIND_SEMAPHORE,
    .scope = XP_SCOPE_INHERITED,
    .make = semaphore_make,
    .drop = cell_drop,
};

/* ---- event: number is the flag, generation counts sets ---------------------------------------- */

static int event_set(void *self)
{
	struct cell *cell = self;

	pthread_mutex_lock(&cell->mutex);
	cell->number = 1;
	cell->generation++;
	if (chosen != XC_DEFECT_EVENT_SETS_SILENTLY)
		pthread_cond_broadcast(&cell->changed);
	pthread_mutex_unlock(&cell->mutex);
	return 0;
}

static int event_clear(void *self)
{
	struct cell *cell = self;

	pthread_mutex_lock(&cell->mutex);
	cell->number = 0;
	pthread_mutex_unlock(&cell->mutex);
	return 0;
}

static int event_is_set(void *self)
{
	struct cell *cell = self;

	pthread_mutex_lock(&cell->mutex);
	int up = cell->number != 0;
	pthread_mutex_unlock(&cell->mutex);
	return up;
}

static int event_wait_until(void *self, const struct timespec *deadline)
{
	struct cell *cell = self;
	int rc = 0;

	pthread_mutex_lock(&cell->mutex);
	int64_t generation = cell->generation;
	bool set = cell->number;
	while (!set && rc == 0) {
		rc = cell_wait(cell, deadline);
		set = cell->number ||
		      (cell->generation != generation && chosen != XC_DEFECT_EVENT_FORGETS_PULSE);
	}
	pthread_mutex_unlock(&cell->mutex);
	return set ? 0 : rc;
}

static int event_make(const struct xp_impl *impl, struct xp_place *place,
		      const struct xp_params *params, struct xp_object *ret_object)
{
	static const struct xp_event_ops ops = {event_set, event_clear, event_is_set,
						event_wait_until};

	(void)impl;
	(void)place;
	(void)params;
	int rc = cell_make(ret_object);
	if (rc == 0)
		ret_object->as.event = (struct xp_event){&ops, ret_object->owner};
	return rc;
}

const struct xp_impl xc_faulty_event = {
    .name = "event/faulty",
    .title = "a mutex and a condition variable",
    .kind = XP_KIND_EVENT,
    .scope = XP_SCOPE_INHERITED,
    .make = event_make,
    .drop = cell_drop,
};

/* ---- barrier: number is the parties ----------------------------------------------------------- */

static int barrier_wait_until(void *self, const struct timespec *deadline)
{
	struct cell *cell = self;
	int rc = 0;

	pthread_mutex_lock(&cell->mutex);
	int64_t generation = cell->generation, place = cell->waiting++;
	int64_t parties = cell->number - (chosen == XC_DEFECT_BARRIER_LETS_ONE_PASS);
	if (cell->broken) {
		cell->waiting--;
		rc = -ECANCELED;
	} else if (cell->waiting >= parties) {
		cell->waiting = 0;
		cell->generation++;
		pthread_cond_broadcast(&cell->changed);
		rc = XP_BARRIER_SERIAL;
	} else {
		while (cell->generation == generation && !cell->broken && rc == 0)
			rc = cell_wait(cell, deadline);
		if (cell->generation != generation) {
			rc = cell->broken ? -ECANCELED : 0;
			if (chosen == XC_DEFECT_BARRIER_TWO_SERIALS && place == 0 && rc == 0)
				rc = XP_BARRIER_SERIAL;
		} else if (cell->broken) {
			rc = -ECANCELED;
		} else { /* its own deadline: breaks it for all */
			cell->broken = true;
			cell->waiting = 0;
			pthread_cond_broadcast(&cell->changed);
		}
	}
	pthread_mutex_unlock(&cell->mutex);
	return rc;
}

static int barrier_abort(void *self)
{
	struct cell *cell = self;

	pthread_mutex_lock(&cell->mutex);
	cell->broken = true;
	cell->waiting = 0;
	pthread_cond_broadcast(&cell->changed);
	pthread_mutex_unlock(&cell->mutex);
	return 0;
}

/* Waiters of the generation that is reset are told by `broken`, which only goes down once they left;
 * here they are few and at once: the resetter waits for them. */
static int barrier_reset(void *self)
{
	struct cell *cell = self;
	struct timespec by = xp_deadline_after(100 * XP_NS_PER_MS);

	pthread_mutex_lock(&cell->mutex);
	if (cell->waiting > 0) {
		cell->broken = true;
		cell->waiting = 0;
		pthread_cond_broadcast(&cell->changed);
		while (cell_wait(cell, &by) == 0)
			;
	}
	cell->broken = false;
	pthread_mutex_unlock(&cell->mutex);
	return 0;
}

static int64_t barrier_parties(void *self)
{
	return ((struct cell *)self)->number;
}

static int64_t barrier_waiting(void *self)
{
	return ((struct cell *)self)->waiting;
}

static int barrier_broken(void *self)
{
	return ((struct cell *)self)->broken;
}

static int barrier_make(const struct xp_impl *impl, struct xp_place *place,
			const struct xp_params *params, struct xp_object *ret_object)
{
	static const struct xp_barrier_ops ops = {barrier_wait_until, barrier_abort,
						  barrier_reset,      barrier_parties,
						  barrier_waiting,    barrier_broken};

	(void)impl;
	(void)place;
	if (params->action)
		return -ENOTSUP;
	int rc = cell_make(ret_object);
	if (rc < 0)
		return rc;
	((struct cell *)ret_object->owner)->number = params->count;
	ret_object->as.barrier = (struct xp_barrier){&ops, ret_object->owner};
	return 0;
}

const struct xp_impl xc_faulty_barrier = {
    .name = "barrier/faulty",
    .title = "a mutex and a condition variable",
    .kind = XP_KIND_BARRIER,
    .scope = XP_SCOPE_INHERITED,
    .make = barrier_make,
    .drop = cell_drop,
};

/* ---- value: locked by the mutex, or not ------------------------------------------------------- */

struct locked_value {
	pthread_mutex_t mutex; /* recursive */
	_Alignas(16) unsigned char bytes[256];
	size_t size;
};

static int value_lock_acquire_until(void *self, const struct timespec *deadline)
{
	struct locked_value *value = self;

	if (chosen == XC_DEFECT_VALUE_RAW_AS_LOCKED)
		return 0;
	return deadline ? -pthread_mutex_clocklock(&value->mutex, CLOCK_MONOTONIC, deadline)
			: -pthread_mutex_lock(&value->mutex);
}

static int value_lock_try_acquire(void *self)
{
	struct locked_value *value = self;

	return chosen == XC_DEFECT_VALUE_RAW_AS_LOCKED ? 0 : -pthread_mutex_trylock(&value->mutex);
}

static int value_lock_release(void *self)
{
	struct locked_value *value = self;

	return chosen == XC_DEFECT_VALUE_RAW_AS_LOCKED ? 0 : -pthread_mutex_unlock(&value->mutex);
}

/* Byte by byte, at leisure where no lock is held: whoever looks meanwhile sees a mixture. */
static void copy_slowly(volatile unsigned char *to, const volatile unsigned char *from, size_t size)
{
	static uint64_t seed = 1;

	for (size_t i = 0; i < size; i++) {
		to[i] = from[i];
		if (chosen == XC_DEFECT_VALUE_RAW_AS_LOCKED)
			xc_dither(&seed);
	}
}

static int value_load(void *self, void *ret_value)
{
	struct locked_value *value = self;

	value_lock_acquire_until(value, NULL);
	copy_slowly(ret_value, value->bytes, value->size);
	value_lock_release(value);
	return 0;
}

static int value_store(void *self, const void *from)
{
	struct locked_value *value = self;

	value_lock_acquire_until(value, NULL);
	copy_slowly(value->bytes, from, value->size);
	value_lock_release(value);
	return 0;
}

static int value_make(const struct xp_impl *impl, struct xp_place *place,
		      const struct xp_params *params, struct xp_object *ret_object)
{
	static const struct xp_value_ops ops = {.load = value_load, .store = value_store};
	static const struct xp_lock_ops lock_ops = {value_lock_acquire_until,
						    value_lock_try_acquire, value_lock_release};
	pthread_mutexattr_t mutex;

	(void)impl;
	(void)place;
	void *page = mmap(NULL, sizeof(struct locked_value), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return -ENOMEM;
	struct locked_value *value = page;
	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_settype(&mutex, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&value->mutex, &mutex);
	pthread_mutexattr_destroy(&mutex);
	value->size = params->type == XP_TYPE_BYTES ? params->size : xp_type_size(params->type);
	ret_object->owner = value;
	ret_object->as.value = (struct xp_value){.ops = &ops,
						 .self = value,
						 .type = params->type,
						 .size = value->size,
						 .lock = {&lock_ops, value}};
	return 0;
}

static void value_drop(struct xp_object *object)
{
	munmap(object->owner, sizeof(struct locked_value));
}

const struct xp_impl xc_faulty_value = {
    .name = "value/faulty",
    .title = "bytes under a recursive mutex",
    .kind = XP_KIND_VALUE,
    .scope = XP_SCOPE_SHM,
    .caps = XP_CAP_LOCKED,
    .make = value_make,
    .drop = value_drop,
};
