/* SPDX-License-Identifier: MIT */
/*
 * proxy_kind - the kinds of kind/ over proxies: the managed scope of the catalogue
 *
 * Overview      Each handle is a proxy with the operations of its contract. A deadline becomes the
 *               timeout argument of the method; the manager wakes the call, and the transport waits the
 *               manager's patience longer, so that a manager that is stopped is noticed too.
 * Errors        Those of the contracts, and -ECONNRESET, -ESTALE, -ETIMEDOUT, -EUSERS of proxy.h.
 *               An exception that a contract does not know is -EREMOTEIO.
 * Fork          A handle may be used by children; the process that made it gives the object up.
 * Death         Of a client: its parked call is taken back. A Lock or a Semaphore that it held stays
 *               held (they have no owner, SPEC X3); an RLock or a Condition is freed; a Barrier in
 *               which it waited is broken.
 */
#ifndef XPSHARE_MANAGER_PROXY_KIND_H
#define XPSHARE_MANAGER_PROXY_KIND_H

#include "xpshare/kind/object.h"
#include "xpshare/manager/proxy.h"

extern const struct xp_impl xp_impl_value_managed;
extern const struct xp_impl xp_impl_array_managed;
extern const struct xp_impl xp_impl_queue_managed;
extern const struct xp_impl xp_impl_joinable_managed;
extern const struct xp_impl xp_impl_lock_managed;
extern const struct xp_impl xp_impl_rlock_managed;
extern const struct xp_impl xp_impl_semaphore_managed;
extern const struct xp_impl xp_impl_bounded_managed;
extern const struct xp_impl xp_impl_condition_managed;
extern const struct xp_impl xp_impl_event_managed;
extern const struct xp_impl xp_impl_barrier_managed;
extern const struct xp_impl xp_impl_list_managed;
extern const struct xp_impl xp_impl_dict_managed;
extern const struct xp_impl xp_impl_namespace_managed;

/* ---- for the files that implement them --------------------------------------------------------- */

/** struct xp_wait_plan - a deadline as a call wants it. */
struct xp_wait_plan {
	const struct xp_datum *timeout; /* seconds as a FLOAT, or None */
	const struct timespec *limit;	/* for xp_proxy_call() */
	struct timespec at;
};

/** xp_wait_plan_init() - For @deadline, NULL for ever. Return: 0, -ENOMEM. */
XP_MUST_CHECK int xp_wait_plan_init(struct xp_wait_plan *plan, struct xp_proxy *proxy,
				    const struct timespec *deadline);

/** xp_managed_make() - Create @typeid_ and put its proxy into @ret_object->owner. */
XP_MUST_CHECK int xp_managed_make(struct xp_place *place, const char *typeid_, size_t count,
				  const struct xp_datum *const *args, struct xp_object *ret_object);
/** xp_managed_drop() - Drop the proxy in @object->owner. */
void xp_managed_drop(struct xp_object *object);

/** xp_type_datum() - The value of @type at @from as a datum. NULL: no memory, or no such type in Python. */
const struct xp_datum *xp_type_datum(struct xp_datum_arena *arena, enum xp_type type, size_t size,
				     const void *from);
/** xp_type_store() - The reverse. Return: 0; -EINVAL another type; -ERANGE does not fit. */
XP_MUST_CHECK int xp_type_store(const struct xp_datum *value, enum xp_type type, size_t size,
				void *to);

#endif
