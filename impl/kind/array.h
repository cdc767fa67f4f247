/* SPDX-License-Identifier: MIT */
/*
 * array - a fixed number of machine values of one type: the contract
 *
 * Overview      As a value, times @length. The raw form has no lock, the locked form carries a
 *               recursive one. An element access follows the rules of value.h; a block copy of the
 *               raw form is not atomic as a whole.
 * Errors        An index or a block outside the array is -ERANGE and touches nothing.
 */
#ifndef XPSHARE_KIND_ARRAY_H
#define XPSHARE_KIND_ARRAY_H

#include "xpshare/base/err.h"
#include "xpshare/kind/kind.h"
#include "xpshare/kind/lock.h"

/**
 * struct xp_array_ops - What every implementation of an array provides.
 * @get, @set:          One element.
 * @copy_out, @copy_in: @count elements from index @first.
 */
struct xp_array_ops {
	int (*get)(void *self, size_t index, void *ret_item);
	int (*set)(void *self, size_t index, const void *item);
	int (*copy_out)(void *self, size_t first, size_t count, void *ret_items);
	int (*copy_in)(void *self, size_t first, size_t count, const void *items);
};

/** struct xp_array - A handle on an array of @length items of @size bytes; @lock as in value.h. */
struct xp_array {
	const struct xp_array_ops *ops;
	void *self;
	enum xp_type type;
	size_t size;
	size_t length;
	struct xp_lock lock;
};

static inline size_t xp_array_length(const struct xp_array *array)
{
	return array->length;
}

XP_MUST_CHECK static inline int xp_array_get(const struct xp_array *array, size_t index,
					     void *ret_item)
{
	return array->ops->get(array->self, index, ret_item);
}

XP_MUST_CHECK static inline int xp_array_set(const struct xp_array *array, size_t index,
					     const void *item)
{
	return array->ops->set(array->self, index, item);
}

XP_MUST_CHECK static inline int xp_array_copy_out(const struct xp_array *array, size_t first,
						  size_t count, void *ret_items)
{
	return array->ops->copy_out(array->self, first, count, ret_items);
}

XP_MUST_CHECK static inline int xp_array_copy_in(const struct xp_array *array, size_t first,
						 size_t count, const void *items)
{
	return array->ops->copy_in(array->self, first, count, items);
}

#endif
