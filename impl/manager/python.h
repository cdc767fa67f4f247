/* SPDX-License-Identifier: MIT */
/*
 * python - what Python would say: type names, repr, slices, iteration and tracebacks, for methods
 *
 * Overview      Equality, order, hash and repr of values are those of rpc/datum_compare.h and
 *               rpc/datum_repr.h. This is the part that needs a call: errors become the exceptions that
 *               CPython raises, and a proxy of one of our own objects stands for the object.
 */
#ifndef XPSHARE_MANAGER_PYTHON_H
#define XPSHARE_MANAGER_PYTHON_H

#include "xpshare/manager/referent.h"
#include "xpshare/rpc/datum_compare.h"
#include "xpshare/rpc/datum_repr.h"

/** xp_python_type() - type(value).__name__; a constant or in @arena. */
const char *xp_python_type(struct xp_datum_arena *arena, const struct xp_datum *value);

/** xp_python_repr() - repr(value) in the flavour of the client, a STR. NULL, raised. */
const struct xp_datum *xp_python_repr(struct xp_call *call, const struct xp_datum *value);

/** xp_python_raise() - What a failed comparison or repr means: RecursionError, MemoryError. Returns NULL. */
const struct xp_datum *xp_python_raise(struct xp_call *call, int error);
/** xp_python_raise_unhashable() - TypeError "unhashable type: 'list'" for -EINVAL, else as above. */
const struct xp_datum *xp_python_raise_unhashable(struct xp_call *call, int error,
						  const struct xp_datum *culprit);
/** xp_python_raise_unordered() - TypeError "'<' not supported between ..." for -ENOTSUP, else as above. */
const struct xp_datum *xp_python_raise_unordered(struct xp_call *call, int error,
						 const struct xp_datum *const culprits[2]);

/** xp_python_traceback() - The text of @exception as traceback.format_exc() writes it, in ASCII, so that
 *  Python 2 takes it for its own str. NULL: memory exhausted. */
const struct xp_datum *xp_python_traceback(struct xp_datum_arena *arena, const char *where,
					   const struct xp_datum *exception);

/**
 * xp_python_iterate() - The items of anything that can be iterated, as an array in the call's arena.
 *
 * A proxy of a list, dict, Array or iterator of this server stands for its referent: no call to
 * itself, and so none of the deadlocks of the original (SPEC X9).
 * Return: 0; -EINVAL with TypeError raised ("'int' object is not iterable"); -ENOMEM, raised.
 */
XP_MUST_CHECK int xp_python_iterate(struct xp_call *call, const struct xp_datum *value,
				    const struct xp_datum *const **ret_items, size_t *ret_count);

/** xp_python_index() - operator.index(value), clamped to 64 bits, for slices. Return: 0; -EINVAL. */
XP_MUST_CHECK int xp_python_index(const struct xp_datum *value, int64_t *ret_index);
/** xp_python_index_sized() - operator.index(value) as an index or a count: beyond 64 bits @name
 *  ("IndexError") is raised, as CPython does. Return: 0; -EINVAL not an integer; -ERANGE, raised. */
XP_MUST_CHECK int xp_python_index_sized(struct xp_call *call, const struct xp_datum *value,
					const char *name, int64_t *ret_index);

/** struct xp_range - a slice applied to a length: @count members from @start by @step. */
struct xp_range {
	int64_t start;
	int64_t stop;
	int64_t step;
	int64_t count;
};

/** xp_python_slice() - slice.indices(). Return: 0; -EINVAL, raised. */
XP_MUST_CHECK int xp_python_slice(struct xp_call *call, const struct xp_datum *const members[3],
				  size_t length, struct xp_range *ret_range);

#endif
