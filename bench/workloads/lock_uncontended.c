/* SPDX-License-Identifier: MIT */
/*
 * lock uncontended - acquire and release by one process that nobody competes with
 *
 * Every lock through the table of its kind. In the form "inline", for those whose bodies are open:
 * the operations compiled into the loop, as a C program would use them, ours and those of the C
 * library on a mutex with the same attributes.
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include "xpshare/sync/lock_futex.h"
#include "xpshare/sync/lock_pthread.h"

#include <string.h>

enum form { TABLE, FUTEX, PTHREAD };

static const enum form table = TABLE, inline_futex = FUTEX, inline_pthread = PTHREAD;

static void add(const struct xb_workload *workload, struct xb_matrix *matrix,
		const struct xp_impl *impl, const enum form *form)
{
	struct xb_placement single = xb_topology_single(matrix->topology);
	struct xb_case c = xb_case_of(workload, impl, &single);

	c.detail = form;
	if (*form != TABLE)
		c.param[XB_FORM] = xb_text("inline");
	xb_case_floor(&c, "floor/atomic", 0);
	xb_matrix_add(matrix, &c);
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	for (const struct xp_impl *impl = xb_impl_first(); impl; impl = xb_impl_after(impl)) {
		bool lock = impl->kind == XP_KIND_LOCK || impl->kind == XP_KIND_RLOCK;
		if (!lock || impl->scope == XP_SCOPE_MANAGED)
			continue;
		add(workload, matrix, impl, &table);
		if (impl == &xp_impl_lock_futex)
			add(workload, matrix, impl, &inline_futex);
		if (impl == &xp_impl_lock_pthread)
			add(workload, matrix, impl, &inline_pthread);
	}
}

static int open_lock(struct xb_stage *stage)
{
	enum form form = *(const enum form *)stage->c->detail;

	if (form == TABLE)
		return xp_object_make(stage->c->impl, &stage->place, NULL, &stage->object[0]);
	int rc = xb_stage_share(stage, 2 * XP_ISOLATION);
	if (rc == 0 && form == FUTEX)
		xp_lock_futex_init(stage->shared, 0);
	if (rc == 0 && form == PTHREAD)
		rc = xp_mutex_init(stage->shared, PTHREAD_MUTEX_ERRORCHECK);
	return rc;
}

static inline int by_table(const struct xp_lock *lock)
{
	int rc = xp_lock_acquire(lock);

	return rc < 0 ? rc : xp_lock_release(lock);
}

static inline int by_futex(struct xp_lock_futex *lock)
{
	int rc = xp_lock_futex_acquire(lock, NULL);

	return rc < 0 ? rc : xp_lock_futex_release(lock);
}

static inline int by_pthread(pthread_mutex_t *mutex)
{
	int rc = pthread_mutex_lock(mutex);

	return rc ? -rc : -pthread_mutex_unlock(mutex);
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct xp_lock *lock = &actor->stage->object[0].as.lock;
	void *shared = actor->stage->shared;
	int rc = 0;

	switch (*(const enum form *)actor->c->detail) {
	case TABLE:
		xb_timed(actor, n, pass, rc, by_table(lock));
		break;
	case FUTEX:
		xb_timed(actor, n, pass, rc, by_futex(shared));
		break;
	case PTHREAD:
		xb_timed(actor, n, pass, rc, by_pthread(shared));
		break;
	}
	actor->tally->ops = n;
	return rc < 0 ? xb_fail(actor, "lock: %s", strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_lock_uncontended = {
    .name = "lock_uncontended",
    .title = "acquire and release without competition",
    .metric = XB_METRIC_OP,
    .cases = cases,
    .open = open_lock,
    .run = run,
};
