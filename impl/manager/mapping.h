/* SPDX-License-Identifier: MIT */
/*
 * mapping - a dict of Python: keys by equality and hash, pairs in the order of insertion
 *
 * Overview      Pairs stand in an array in the order in which their keys came, deleted ones leave a
 *               gap until the array is packed; a table of indices by hash finds them. Both are what
 *               CPython does since 3.6.
 * Memory        Keys and values are kept values (xp_call_keep()); the mapping owns one reference
 *               each. An empty mapping owns nothing.
 * Invariants    (1) Every pair whose key is not NULL is in the table exactly once. (2) At least
 *               half of the table is free: entries and the marks of deleted ones together never
 *               exceed the room of the pairs, so that every search ends.
 */
#ifndef XPSHARE_MANAGER_MAPPING_H
#define XPSHARE_MANAGER_MAPPING_H

#include "xpshare/manager/referent.h"

struct xp_pair {
	uint64_t hash;
	struct xp_datum_box *key; /* NULL: a gap */
	struct xp_datum_box *value;
};

/** struct xp_mapping - Private, except @count: pairs in it. Zeroed is empty. */
struct xp_mapping {
	struct xp_pair *pairs;
	uint32_t *table;
	size_t count;
	size_t used;  /* pairs and gaps */
	size_t spent; /* slots of the table that are not free */
	size_t room;
	size_t table_mask;
	uint64_t version; /* changes whenever a key comes or goes */
};

/** xp_mapping_find() - The pair of @key. Return: 1 with it; 0 absent; -EINVAL (unhashable) or another
 *  error, raised in @call. */
XP_MUST_CHECK int xp_mapping_find(struct xp_call *call, const struct xp_mapping *mapping,
				  const struct xp_datum *key, struct xp_pair **ret_pair);
/** xp_mapping_set() - Set or add. Return: 0; -errno, raised. */
XP_MUST_CHECK int xp_mapping_set(struct xp_call *call, struct xp_mapping *mapping,
				 const struct xp_datum *key, const struct xp_datum *value);
/** xp_mapping_remove() - Take a pair out; its key is dropped, its value is the caller's. */
struct xp_datum_box *xp_mapping_remove(struct xp_dispatch *dispatch, struct xp_mapping *mapping,
				       struct xp_pair *pair);
/** xp_mapping_clear() - Drop everything. */
void xp_mapping_clear(struct xp_dispatch *dispatch, struct xp_mapping *mapping);
/** xp_mapping_next() - The pairs in order; NULL begins and ends. */
struct xp_pair *xp_mapping_next(const struct xp_mapping *mapping, const struct xp_pair *pair);
/** xp_mapping_last() - The pair added last, NULL if empty. */
struct xp_pair *xp_mapping_last(const struct xp_mapping *mapping);
/** xp_mapping_dict() - As a DICT in the arena, its members borrowed from the mapping. NULL: memory. */
const struct xp_datum *xp_mapping_dict(struct xp_datum_arena *arena,
				       const struct xp_mapping *mapping);

#endif
