/* SPDX-License-Identifier: MIT */
/*
 * datum_walk - for the files that traverse datums: children as one array, and a map of nodes
 *
 * Private to the room. Traversals are iterative and look a node up in the map only where it carries
 * XP_DATUM_SHARED, so that plain trees, which nearly all values are, pay nothing for identity.
 */
#ifndef XPSHARE_RPC_DATUM_WALK_H
#define XPSHARE_RPC_DATUM_WALK_H

#include "xpshare/rpc/datum_compare.h"

#include <stdlib.h>

#define XP_GLOBAL_PARTS 4
#define XP_REDUCE_PARTS 7

_Static_assert(sizeof(struct xp_datum_global) == XP_GLOBAL_PARTS * sizeof(void *),
	       "the parts of a global are walked as an array");
_Static_assert(sizeof(struct xp_datum_reduce) - offsetof(struct xp_datum_reduce, callable) ==
		   XP_REDUCE_PARTS * sizeof(void *),
	       "the parts of a reduce are walked as an array");

/* The slots of @node that hold children, some of them NULL in GLOBAL and REDUCE; 0 for a leaf. */
static inline size_t xp_datum_children(const struct xp_datum *node, struct xp_datum ***ret_children)
{
	switch ((enum xp_datum_kind)node->kind) {
	case XP_DATUM_TUPLE:
	case XP_DATUM_LIST:
	case XP_DATUM_SET:
	case XP_DATUM_FROZENSET:
		*ret_children = node->items;
		return node->count;
	case XP_DATUM_DICT:
		*ret_children = node->items;
		return 2 * node->count;
	case XP_DATUM_GLOBAL:
		*ret_children = &node->global->module;
		return XP_GLOBAL_PARTS;
	case XP_DATUM_REDUCE:
		*ret_children = &node->reduce->callable;
		return XP_REDUCE_PARTS;
	case XP_DATUM_OBJECT:
		*ret_children = &node->object->original;
		return 1;
	default:
		return 0;
	}
}

/* A leaf that is compared byte by byte. */
static inline bool xp_datum_has_length(const struct xp_datum *node)
{
	return node->kind == XP_DATUM_BIGINT ||
	       (node->kind >= XP_DATUM_STR && node->kind <= XP_DATUM_BYTEARRAY);
}

static inline bool xp_datum_is_leaf(const struct xp_datum *node)
{
	return node->kind < XP_DATUM_TUPLE;
}

/* Whether two equal values of this kind can be told apart by changing one of them. */
static inline bool xp_datum_is_mutable(const struct xp_datum *node)
{
	return node->kind == XP_DATUM_LIST || node->kind == XP_DATUM_DICT ||
	       node->kind == XP_DATUM_SET || node->kind == XP_DATUM_BYTEARRAY ||
	       node->kind == XP_DATUM_REDUCE;
}

/* Make room for @more slots after the first @used of a LIST, SET or DICT of @arena. 0, -ENOMEM. */
XP_MUST_CHECK int xp_datum_reserve(struct xp_datum_arena *arena, struct xp_datum *container,
				   size_t used, size_t more);

/* False, True, None: the only nodes of their kinds in a box. Never written to. */
extern struct xp_datum xp_datum_constants[3];

static inline bool xp_datum_is_constant(const struct xp_datum *node)
{
	return node->kind == XP_DATUM_NONE || node->kind == XP_DATUM_BOOL;
}

/* Which of them @node, a None or a bool, is. */
static inline size_t xp_datum_constant_index(const struct xp_datum *node)
{
	return node->kind == XP_DATUM_NONE ? 2 : node->integer != 0;
}

/* Count what a comparison has to look at: a container is as much work as it has members, text and bytes are by
 * their length, other leaves are none. False: @steps is beyond XP_DATUM_COMPARE_STEPS. */
static inline bool xp_datum_visit(unsigned *steps, const struct xp_datum *value)
{
	struct xp_datum **children;
	size_t count =
	    xp_datum_has_length(value) ? value->size / 64 : xp_datum_children(value, &children) + 1;

	if (count > XP_DATUM_COMPARE_STEPS - *steps)
		return false;
	*steps += (unsigned)count;
	return true;
}

/* A map from node to pointer. Zeroed is empty. */
struct xp_datum_map {
	struct xp_datum_map_slot {
		const void *key;
		void *value;
	} * slots;
	size_t count;
	size_t room; /* a power of two */
};

static inline size_t xp_datum_map_hash(const void *key)
{
	return (size_t)(((uintptr_t)key >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 20);
}

static inline struct xp_datum_map_slot *xp_datum_map_slot(const struct xp_datum_map *map,
							  const void *key)
{
	size_t at = xp_datum_map_hash(key) & (map->room - 1);

	while (map->slots[at].key && map->slots[at].key != key)
		at = (at + 1) & (map->room - 1);
	return &map->slots[at];
}

static inline void *xp_datum_map_get(const struct xp_datum_map *map, const void *key)
{
	return map->count > 0 ? xp_datum_map_slot(map, key)->value : NULL;
}

/* @value must not be NULL. Return: 0, -ENOMEM. */
static inline int xp_datum_map_put(struct xp_datum_map *map, const void *key, void *value)
{
	if (2 * (map->count + 1) > map->room) {
		struct xp_datum_map grown = {.room = map->room ? 2 * map->room : 16};
		grown.slots = calloc(grown.room, sizeof(*grown.slots));
		if (!grown.slots)
			return -ENOMEM;
		for (size_t i = 0; i < map->room; i++) {
			if (map->slots[i].key)
				*xp_datum_map_slot(&grown, map->slots[i].key) = map->slots[i];
		}
		grown.count = map->count;
		free(map->slots);
		*map = grown;
	}
	struct xp_datum_map_slot *slot = xp_datum_map_slot(map, key);
	if (!slot->key)
		map->count++;
	*slot = (struct xp_datum_map_slot){key, value};
	return 0;
}

static inline void xp_datum_map_fini(struct xp_datum_map *map)
{
	free(map->slots);
	*map = (struct xp_datum_map){0};
}

#endif
