/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/mapping.h"

#include "xpshare/manager/python.h"

#include <stdlib.h>

#define ROOM_KEPT 64 /* pairs that an empty mapping keeps room for */
#define FREE	  UINT32_MAX
#define GONE	  (UINT32_MAX - 1) /* a pair was here: look further */

static size_t start_of(const struct xp_mapping *mapping, uint64_t hash)
{
	return (size_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 20) & mapping->table_mask;
}

static void table_put(struct xp_mapping *mapping, uint64_t hash, uint32_t index)
{
	size_t at = start_of(mapping, hash);

	while (mapping->table[at] != FREE)
		at = (at + 1) & mapping->table_mask;
	mapping->table[at] = index;
}

/* Room for one more pair: pack the gaps away, and grow if they are few. */
/* Bytes of the two arrays. */
static size_t size_of(size_t room)
{
	return room * (sizeof(struct xp_pair) + 2 * sizeof(uint32_t));
}

static int make_room(struct xp_dispatch *dispatch, struct xp_mapping *mapping)
{
	size_t room = mapping->room;
	size_t packed = 0;

	if (mapping->used < mapping->room && mapping->spent < mapping->room)
		return 0;
	if (mapping->count + 1 > room / 2)
		room = room ? 2 * room : 8;
	else if (mapping->count < room / 8)
		room /= 4;
	if (room > GONE / 2 || !xp_dispatch_charge(dispatch, size_of(room)))
		return -ENOMEM;
	size_t table_size = 2 * room;
	uint32_t *table = malloc(table_size * sizeof(*table));
	struct xp_pair *pairs = malloc(room * sizeof(*pairs));

	if (!table || !pairs) {
		free(table);
		free(pairs);
		xp_dispatch_discharge(dispatch, size_of(room));
		return -ENOMEM;
	}
	for (size_t i = 0; i < mapping->used; i++) {
		if (mapping->pairs[i].key)
			pairs[packed++] = mapping->pairs[i];
	}
	xp_dispatch_discharge(dispatch, size_of(mapping->room));
	free(mapping->pairs);
	free(mapping->table);
	mapping->pairs = pairs;
	mapping->table = table;
	mapping->used = packed;
	mapping->spent = packed;
	mapping->room = room;
	mapping->table_mask = table_size - 1;
	memset(table, 0xff, table_size * sizeof(*table));
	for (size_t i = 0; i < packed; i++)
		table_put(mapping, pairs[i].hash, (uint32_t)i);
	return 0;
}

static int hash_key(struct xp_call *call, const struct xp_datum *key, uint64_t *ret_hash)
{
	const struct xp_datum *culprit;
	int rc = xp_datum_hash_counted(key, &call->steps, ret_hash, &culprit);

	if (rc < 0)
		xp_python_raise_unhashable(call, rc, culprit);
	return rc;
}

static int find_hashed(struct xp_call *call, const struct xp_mapping *mapping,
		       const struct xp_datum *key, uint64_t hash, struct xp_pair **ret_pair)
{
	if (mapping->count == 0)
		return 0;
	for (size_t at = start_of(mapping, hash); mapping->table[at] != FREE;
	     at = (at + 1) & mapping->table_mask) {
		if (mapping->table[at] == GONE)
			continue;
		struct xp_pair *pair = &mapping->pairs[mapping->table[at]];

		if (pair->hash != hash)
			continue;
		int rc = xp_datum_equal_counted(xp_datum_box_value(pair->key), key, &call->steps);

		if (rc < 0) {
			xp_python_raise(call, rc);
			return rc;
		}
		if (rc == 1) {
			*ret_pair = pair;
			return 1;
		}
	}
	return 0;
}

int xp_mapping_find(struct xp_call *call, const struct xp_mapping *mapping,
		    const struct xp_datum *key, struct xp_pair **ret_pair)
{
	uint64_t hash;
	int rc = hash_key(call, key, &hash);

	if (rc < 0)
		return rc;
	return find_hashed(call, mapping, key, hash, ret_pair);
}

int xp_mapping_set(struct xp_call *call, struct xp_mapping *mapping, const struct xp_datum *key,
		   const struct xp_datum *value)
{
	struct xp_pair pair;
	struct xp_pair *old;
	int rc = hash_key(call, key, &pair.hash);

	if (rc < 0)
		return rc;
	rc = find_hashed(call, mapping, key, pair.hash, &old);
	if (rc < 0)
		return rc;
	int kept = xp_call_keep(call, value, &pair.value);

	if (kept < 0)
		return kept;
	if (rc == 1) {
		xp_dispatch_drop(call->dispatch, old->value);
		old->value = pair.value;
		return 0;
	}
	rc = xp_call_keep(call, key, &pair.key);
	if (rc < 0) {
		xp_dispatch_drop(call->dispatch, pair.value);
		return rc;
	}
	rc = make_room(call->dispatch, mapping);
	if (rc < 0) {
		xp_dispatch_drop(call->dispatch, pair.key);
		xp_dispatch_drop(call->dispatch, pair.value);
		xp_call_raisef(call, "MemoryError", NULL);
		return rc;
	}
	table_put(mapping, pair.hash, (uint32_t)mapping->used);
	mapping->pairs[mapping->used++] = pair;
	mapping->spent++;
	mapping->count++;
	mapping->version++;
	return 0;
}

struct xp_datum_box *xp_mapping_remove(struct xp_dispatch *dispatch, struct xp_mapping *mapping,
				       struct xp_pair *pair)
{
	uint32_t index = (uint32_t)(pair - mapping->pairs);
	struct xp_datum_box *value = pair->value;
	struct xp_datum_box *key = pair->key;
	size_t at = start_of(mapping, pair->hash);

	while (mapping->table[at] != index)
		at = (at + 1) & mapping->table_mask;
	mapping->table[at] = GONE;
	*pair = (struct xp_pair){0};
	mapping->count--;
	mapping->version++;
	/* Gaps at the end are given up at once, so that popitem in a loop finds the last pair. */
	while (mapping->used > 0 && !mapping->pairs[mapping->used - 1].key)
		mapping->used--;
	if (mapping->count == 0 && mapping->room > ROOM_KEPT)
		xp_mapping_clear(dispatch, mapping);
	xp_dispatch_drop(dispatch, key);
	return value;
}

void xp_mapping_clear(struct xp_dispatch *dispatch, struct xp_mapping *mapping)
{
	struct xp_mapping old = *mapping;

	/* Empty before anything is dropped: a value may hold the last reference to this very object. */
	*mapping = (struct xp_mapping){.version = old.version + 1};
	for (size_t i = 0; i < old.used; i++) {
		xp_dispatch_drop(dispatch, old.pairs[i].key);
		xp_dispatch_drop(dispatch, old.pairs[i].value);
	}
	xp_dispatch_discharge(dispatch, size_of(old.room));
	free(old.pairs);
	free(old.table);
}

struct xp_pair *xp_mapping_next(const struct xp_mapping *mapping, const struct xp_pair *pair)
{
	size_t at = pair ? (size_t)(pair - mapping->pairs) + 1 : 0;

	while (at < mapping->used && !mapping->pairs[at].key)
		at++;
	return at < mapping->used ? &mapping->pairs[at] : NULL;
}

struct xp_pair *xp_mapping_last(const struct xp_mapping *mapping)
{
	size_t at = mapping->used;

	while (at > 0 && !mapping->pairs[at - 1].key)
		at--;
	return at > 0 ? &mapping->pairs[at - 1] : NULL;
}

const struct xp_datum *xp_mapping_dict(struct xp_datum_arena *arena,
				       const struct xp_mapping *mapping)
{
	struct xp_datum *dict = xp_datum_container(arena, XP_DATUM_DICT, mapping->count);
	const struct xp_pair *pair = NULL;
	size_t index = 0;

	if (!dict)
		return NULL;
	while ((pair = xp_mapping_next(mapping, pair))) {
		xp_datum_put(dict, index++, xp_datum_box_value(pair->key));
		xp_datum_put(dict, index++, xp_datum_box_value(pair->value));
	}
	return dict;
}
