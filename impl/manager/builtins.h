/* SPDX-License-Identifier: MIT */
/*
 * builtins - the typeids of SyncManager, one file each: referent_<typeid>.c
 *
 * Pool and whatever else needs Python code in the server is absent: create answers KeyError.
 */
#ifndef XPSHARE_MANAGER_BUILTINS_H
#define XPSHARE_MANAGER_BUILTINS_H

#include "xpshare/manager/mapping.h"
#include "xpshare/manager/referent.h"

#include "xpshare/manager/methods.def"

#define XP_BUILTIN_MAP(X)    \
	X(queue)             \
	X(joinable)          \
	X(event)             \
	X(lock)              \
	X(rlock)             \
	X(semaphore)         \
	X(bounded_semaphore) \
	X(condition)         \
	X(barrier)           \
	X(list)              \
	X(dict)              \
	X(value)             \
	X(array)             \
	X(namespace)         \
	X(iterator)

#define X(id) extern const struct xp_typeid xp_typeid_##id;
XP_BUILTIN_MAP(X)
#undef X

#define XP_LISTED_TO_ALL  XP_LISTED
#define XP_LISTED_TO_PY2  XP_LISTED_PY2
#define XP_LISTED_TO_3_12 XP_LISTED_3_12
#define XP_LISTED_TO_NONE XP_UNLISTED

/* A row of methods.def as a struct xp_method. */
#define XP_METHOD_ROW(name_, style_, min_, max_, params_, listed_, call_, makes_) \
	{                                                                         \
	    .name = name_,                                                        \
	    .style = XP_ARGS_##style_,                                            \
	    .min = min_,                                                          \
	    .max = max_,                                                          \
	    .listed = XP_LISTED_TO_##listed_,                                     \
	    .params = params_,                                                    \
	    .call = call_,                                                        \
	    .result = makes_,                                                     \
	},

/* ---- what one type needs of another ------------------------------------------------------------ */

/** xp_list_members() - The members of a list, as an array in the call's arena. NULL: memory. */
const struct xp_datum *const *xp_list_members(struct xp_call *call, const struct xp_referent *list,
					      size_t *ret_count);
/** xp_dict_mapping() - What a dict consists of. */
const struct xp_mapping *xp_dict_mapping(const struct xp_referent *dict);
/** xp_iterator_new() - An iterator over the keys of @dict, or NULL, raised. */
struct xp_referent *xp_iterator_new(struct xp_call *call, struct xp_referent *dict);
/** xp_iterator_rest() - What is left of it, taken. NULL: raised. */
const struct xp_datum *const *xp_iterator_rest(struct xp_call *call, struct xp_referent *iterator,
					       size_t *ret_count);

struct xp_latch;
/** xp_array_members() - As xp_list_members(), of an Array. */
const struct xp_datum *const *xp_array_members(struct xp_call *call,
					       const struct xp_referent *array, size_t *ret_count);
/** xp_lock_latch() - What a Lock or an RLock consists of. */
struct xp_latch *xp_lock_latch(struct xp_referent *referent);
/** xp_latch_repr() - "<locked _thread.lock object at 0x...>" */
const struct xp_datum *xp_latch_repr(struct xp_call *call, const struct xp_latch *latch,
				     uint64_t number);

/** xp_object_repr() - "<queue.Queue object at 0x...>" of @class. */
const struct xp_datum *xp_object_repr(struct xp_call *call, const struct xp_referent *referent,
				      const char *class);

#endif
