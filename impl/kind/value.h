/* SPDX-License-Identifier: MIT */
/*
 * value - one machine value that several processes read and write: the contract
 *
 * Overview      A value has a fixed type of XP_TYPE_MAP, or is a struct of a fixed size. The raw
 *               form has no lock: a load or a store of a type that the machine writes atomically is
 *               never torn, a read-modify-write of two processes can lose an update (SPEC S4). The
 *               locked form carries a lock that the user takes around a read-modify-write, as
 *               Python's get_lock().
 * Memory        struct xp_value is a handle of this process, copied by fork.
 * Invariants    (1) load and store of 1, 2, 4 or 8 aligned bytes are single C11 atomic accesses.
 *               (2) A larger value is torn in the raw form if written while it is read, and never
 *               in the locked form, whose load and store take the lock.
 *               (3) fetch_add, exchange and compare_exchange are atomic where they are provided.
 */
#ifndef XPSHARE_KIND_VALUE_H
#define XPSHARE_KIND_VALUE_H

#include "xpshare/base/err.h"
#include "xpshare/kind/kind.h"
#include "xpshare/kind/lock.h"

/**
 * struct xp_value_ops - What every implementation of a value provides.
 * @load:             Copy the value to @ret_value (size bytes). Acquire.
 * @store:            Replace it. Release.
 * @exchange:         Replace it, the old one to @ret_old. NULL where not atomic.
 * @fetch_add:        Add *@operand (same type; wraps like the C type), the old one to @ret_old.
 *                    Integers and floating types; NULL where not atomic.
 * @compare_exchange: Replace by *@desired if equal to *@expected, byte for byte; else -EAGAIN and
 *                    the current one in *@expected. NULL where not atomic. All: 0 or -errno;
 *                    managed: also -ECONNRESET, -ESTALE.
 */
struct xp_value_ops {
	int (*load)(void *self, void *ret_value);
	int (*store)(void *self, const void *value);
	int (*exchange)(void *self, const void *value, void *ret_old);
	int (*fetch_add)(void *self, const void *operand, void *ret_old);
	int (*compare_exchange)(void *self, void *expected, const void *desired);
};

/**
 * struct xp_value - A handle on a value.
 * @lock: The value's own lock (Python's get_lock()); ops is NULL in the raw and atomic forms. The
 *        lock is recursive: load and store may be called by its holder.
 */
struct xp_value {
	const struct xp_value_ops *ops;
	void *self;
	enum xp_type type;
	size_t size;
	struct xp_lock lock;
};

XP_MUST_CHECK static inline int xp_value_load(const struct xp_value *value, void *ret_value)
{
	return value->ops->load(value->self, ret_value);
}

XP_MUST_CHECK static inline int xp_value_store(const struct xp_value *value, const void *from)
{
	return value->ops->store(value->self, from);
}

XP_MUST_CHECK static inline int xp_value_exchange(const struct xp_value *value, const void *from,
						  void *ret_old)
{
	return value->ops->exchange ? value->ops->exchange(value->self, from, ret_old) : -ENOTSUP;
}

XP_MUST_CHECK static inline int xp_value_fetch_add(const struct xp_value *value,
						   const void *operand, void *ret_old)
{
	return value->ops->fetch_add ? value->ops->fetch_add(value->self, operand, ret_old)
				     : -ENOTSUP;
}

XP_MUST_CHECK static inline int xp_value_compare_exchange(const struct xp_value *value,
							  void *expected, const void *desired)
{
	return value->ops->compare_exchange
		   ? value->ops->compare_exchange(value->self, expected, desired)
		   : -ENOTSUP;
}

#endif
