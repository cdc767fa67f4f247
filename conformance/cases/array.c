/* SPDX-License-Identifier: MIT */
#include "conformance/cases/cases.h"

#include <string.h>

#define ARRAY  XC_KIND(ARRAY)
#define CROWD  4
#define LENGTH 100

static enum xc_verdict make(struct xc_case_context *cc, enum xp_type type, size_t size,
			    size_t length, struct xp_object *ret_object)
{
	struct xp_params params = {.type = type, .size = size, .length = length};

	return xc_make(cc, &params, ret_object);
}

static size_t size_of(enum xp_type type)
{
	return type == XP_TYPE_BYTES ? 12 : xp_type_size(type);
}

/* A small number as each type holds it: exact in all, bool and char included. */
static void number_as(enum xp_type type, size_t size, int number, void *ret_item)
{
	memset(ret_item, 0, size);
	switch (type) {
#define X(id, ctype, name, code)                      \
	case XP_TYPE_##id:                            \
		*(ctype *)ret_item = (ctype)(number); \
		break;
		XP_TYPE_MAP(X)
#undef X
	default:
		memset(ret_item, number, size);
	}
}

static bool same(enum xp_type type, size_t size, const void *a, const void *b)
{
	if (type == XP_TYPE_LDOUBLE)
		return *(const long double *)a == *(const long double *)b;
	return memcmp(a, b, size) == 0;
}

/* ---- sharing ---------------------------------------------------------------------------------- */

static int answer(struct xp_member *me, void *arg)
{
	struct xp_array *array = arg;

	xp_member_arrive(me);
	for (size_t i = 0; i < array->length; i++) {
		int64_t item;
		XM_GIVES(me, xp_array_get(array, i, &item), 0);
		XM_REQUIRE(me, item == (int64_t)i, "the child gets %ld at %zu", (long)item, i);
		item = -item;
		XM_GIVES(me, xp_array_set(array, i, &item), 0);
	}
	return 0;
}

static enum xc_verdict shared(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, XP_TYPE_LLONG, 0, LENGTH, &object));
	struct xp_array *array = &object.as.array;
	for (int64_t i = 0; i < LENGTH; i++)
		XC_GIVES(cc, xp_array_set(array, (size_t)i, &i), 0);
	XC_TRY(xc_start(cc, 1, answer, array));
	XC_TRY(xc_join(cc));
	for (int64_t i = 0; i < LENGTH; i++) {
		int64_t item = 1;
		XC_GIVES(cc, xp_array_get(array, (size_t)i, &item), 0);
		XC_REQUIRE(cc, item == -i, "the parent gets what its child has set",
			   "it gets %ld at %ld", (long)item, (long)i);
	}
	return XC_PASS;
}

static int negate_samples(struct xp_member *me, void *arg)
{
	struct xp_array *array = arg;
	_Alignas(16) unsigned char seen[64], wanted[64];

	xp_member_arrive(me);
	for (size_t i = 0; i < array->length; i++) {
		number_as(array->type, array->size, (int)(i % 2), wanted);
		XM_GIVES(me, xp_array_get(array, i, seen), 0);
		XM_REQUIRE(me, same(array->type, array->size, seen, wanted),
			   "a %s arrives with other bits at %zu", xp_type_name(array->type), i);
		number_as(array->type, array->size, (int)(i % 3 == 0), wanted);
		XM_GIVES(me, xp_array_set(array, i, wanted), 0);
	}
	return 0;
}

static enum xc_verdict one_type(struct xc_case_context *cc, enum xp_type type, size_t size)
{
	struct xp_object object;
	_Alignas(16) unsigned char seen[64], item[64];

	XC_TRY(make(cc, type, size, LENGTH, &object));
	struct xp_array *array = &object.as.array;
	for (size_t i = 0; i < LENGTH; i++) {
		number_as(type, size, (int)(i % 2), item);
		XC_GIVES(cc, xp_array_set(array, i, item), 0);
	}
	XC_TRY(xc_start(cc, 1, negate_samples, array));
	XC_TRY(xc_join(cc));
	for (size_t i = 0; i < LENGTH; i++) {
		number_as(type, size, (int)(i % 3 == 0), item);
		XC_GIVES(cc, xp_array_get(array, i, seen), 0);
		XC_REQUIRE(cc, same(type, size, seen, item), "a get gives the bits that were set",
			   "a %s differs at %zu", xp_type_name(type), i);
	}
	xp_object_drop(&cc->objects[--cc->objects_count]);
	return XC_PASS;
}

static enum xc_verdict types(struct xc_case_context *cc)
{
	static const size_t structs[] = {1, 3, 8, 12, 40};

	for (int type = 0; type < XP_TYPE_BYTES; type++)
		XC_TRY(one_type(cc, (enum xp_type)type, size_of((enum xp_type)type)));
	for (size_t i = 0; i < sizeof(structs) / sizeof(structs[0]); i++)
		XC_TRY(one_type(cc, XP_TYPE_BYTES, structs[i]));
	return XC_PASS;
}

/* ---- limits ----------------------------------------------------------------------------------- */

static enum xc_verdict length(struct xc_case_context *cc)
{
	static const size_t lengths[] = {1, 2, 7, 64, 1000};

	for (size_t n = 0; n < sizeof(lengths) / sizeof(lengths[0]); n++) {
		struct xp_object object;
		XC_TRY(make(cc, XP_TYPE_INT, 0, lengths[n], &object));
		XC_GIVES(cc, xp_array_length(&object.as.array), lengths[n]);
		for (size_t i = 0; i < lengths[n]; i++) {
			int item = -1;
			XC_GIVES(cc, xp_array_get(&object.as.array, i, &item), 0);
			XC_REQUIRE(cc, item == 0, "a new array is zero", "%d at %zu", item, i);
		}
	}
	return XC_PASS;
}

static enum xc_verdict range(struct xc_case_context *cc)
{
	static const struct {
		size_t first, count;
	} outside[] = {{LENGTH, 1},	     {0, LENGTH + 1},	{LENGTH - 1, 2},
		       {LENGTH + 1, 0},	     {SIZE_MAX, 1},	{1, SIZE_MAX},
		       {SIZE_MAX, SIZE_MAX}, {2, SIZE_MAX / 4}, {SIZE_MAX - 1, 2}};
	struct xp_object object;
	int items[2 * LENGTH], before[LENGTH], after[LENGTH];

	XC_TRY(make(cc, XP_TYPE_INT, 0, LENGTH, &object));
	struct xp_array *array = &object.as.array;
	for (int i = 0; i < LENGTH; i++)
		before[i] = i * i;
	XC_GIVES(cc, xp_array_copy_in(array, 0, LENGTH, before), 0);
	memset(items, 0x55, sizeof(items));
	XC_GIVES(cc, xp_array_get(array, LENGTH, items), -ERANGE);
	XC_GIVES(cc, xp_array_set(array, LENGTH, items), -ERANGE);
	XC_GIVES(cc, xp_array_get(array, SIZE_MAX, items), -ERANGE);
	XC_GIVES(cc, xp_array_set(array, SIZE_MAX, items), -ERANGE);
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		XC_GIVES(cc, xp_array_copy_in(array, outside[i].first, outside[i].count, items),
			 -ERANGE);
		XC_GIVES(cc, xp_array_copy_out(array, outside[i].first, outside[i].count, items),
			 -ERANGE);
	}
	for (int i = 0; i < 2 * LENGTH; i++)
		XC_REQUIRE(cc, items[i] == 0x55555555, "a refused call leaves its buffer alone",
			   "item %d was written", i);
	XC_GIVES(cc, xp_array_copy_out(array, 0, LENGTH, after), 0);
	XC_REQUIRE(cc, memcmp(before, after, sizeof(before)) == 0,
		   "a refused call leaves the array alone", "it has changed");
	XC_GIVES(cc, xp_array_copy_out(array, LENGTH, 0, after), 0);
	return XC_PASS;
}

static enum xc_verdict blocks(struct xc_case_context *cc)
{
	struct xp_object object;
	short model[LENGTH] = {0}, seen[LENGTH];
	uint64_t seed = 5;

	XC_TRY(make(cc, XP_TYPE_SHORT, 0, LENGTH, &object));
	for (int round = 0; round < 500; round++) {
		short block[LENGTH];
		size_t first = xc_random(&seed) % LENGTH;
		size_t count = xc_random(&seed) % (LENGTH - first + 1);
		xc_fill(block, sizeof(block), seed);
		XC_GIVES(cc, xp_array_copy_in(&object.as.array, first, count, block), 0);
		memcpy(model + first, block, count * sizeof(short));
		XC_GIVES(cc, xp_array_copy_out(&object.as.array, 0, LENGTH, seen), 0);
		XC_REQUIRE(cc, memcmp(model, seen, sizeof(model)) == 0,
			   "a block changes its own items only, to what was copied in",
			   "it differs after %zu items at %zu", count, first);
		XC_GIVES(cc, xp_array_copy_out(&object.as.array, first, count, block), 0);
		XC_REQUIRE(cc, memcmp(model + first, block, count * sizeof(short)) == 0,
			   "a block copied out is what is there", "it differs");
	}
	return XC_PASS;
}

/* ---- concurrency ------------------------------------------------------------------------------ */

struct work {
	struct xp_array array;
	int rounds;
	bool hold;
};

/* Member 0 sets items all of whose bytes are equal; the others get, and look. */
static int tear(struct xp_member *me, void *arg)
{
	struct work *w = arg;
	_Alignas(16) unsigned char bytes[16];

	xp_member_arrive(me);
	for (int i = 0; i < w->rounds; i++) {
		if (me->index == 0) {
			memset(bytes, i & 0xff, sizeof(bytes));
			XM_GIVES(me, xp_array_set(&w->array, (size_t)i % w->array.length, bytes),
				 0);
			continue;
		}
		XM_GIVES(me, xp_array_get(&w->array, (size_t)i % w->array.length, bytes), 0);
		for (size_t b = 1; b < w->array.size; b++)
			XM_REQUIRE(me, bytes[b] == bytes[0],
				   "a get of %zu bytes is torn in round %d", w->array.size, i);
	}
	return 0;
}

static enum xc_verdict untorn(struct xc_case_context *cc)
{
	static const enum xp_type words[] = {XP_TYPE_UCHAR, XP_TYPE_USHORT, XP_TYPE_UINT,
					     XP_TYPE_ULLONG};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct xp_object object;
		XC_TRY(make(cc, words[i], 0, 3, &object));
		struct work w = {.array = object.as.array,
				 .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 200 : 50000};
		XC_TRY(xc_start(cc, 3, tear, &w));
		XC_TRY(xc_join(cc));
	}
	return XC_PASS;
}

/* All copy blocks in whose items are equal, and demand the same of what they copy out. */
static int tear_blocks(struct xp_member *me, void *arg)
{
	struct work *w = arg;
	int64_t block[LENGTH];

	xp_member_arrive(me);
	for (int i = 0; i < w->rounds; i++) {
		if (w->hold)
			XM_GIVES(me, xp_lock_acquire(&w->array.lock), 0);
		for (size_t n = 0; n < LENGTH; n++)
			block[n] = i * 8 + me->index;
		if (me->index % 2 == 0) {
			XM_GIVES(me, xp_array_copy_in(&w->array, 0, LENGTH, block), 0);
		} else {
			XM_GIVES(me, xp_array_copy_out(&w->array, 0, LENGTH, block), 0);
		}
		if (w->hold)
			XM_GIVES(me, xp_lock_release(&w->array.lock), 0);
		for (size_t n = 1; n < LENGTH; n++)
			XM_REQUIRE(me, block[n] == block[0], "a block is torn in round %d", i);
	}
	return 0;
}

static enum xc_verdict untorn_locked(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(make(cc, XP_TYPE_LLONG, 0, LENGTH, &object));
	struct work w = {.array = object.as.array,
			 .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 100 : 5000};
	for (int hold = 0; hold < 2; hold++) {
		w.hold = hold;
		XC_TRY(xc_start(cc, CROWD, tear_blocks, &w));
		XC_TRY(xc_join(cc));
	}
	return XC_PASS;
}

/* Each member owns every CROWD-th item, and counts it up by get and set. */
static int count_own(struct xp_member *me, void *arg)
{
	struct work *w = arg;
	_Alignas(16) unsigned char item[16], seen[16];

	xp_member_arrive(me);
	for (int i = 1; i <= w->rounds; i++) {
		for (size_t n = (size_t)me->index; n < w->array.length; n += CROWD) {
			number_as(w->array.type, w->array.size, i % 2, item);
			XM_GIVES(me, xp_array_set(&w->array, n, item), 0);
			XM_GIVES(me, xp_array_get(&w->array, n, seen), 0);
			XM_REQUIRE(me, memcmp(item, seen, w->array.size) == 0,
				   "item %zu of type %s was changed by another's set", n,
				   xp_type_name(w->array.type));
		}
	}
	return 0;
}

static enum xc_verdict neighbours(struct xc_case_context *cc)
{
	static const enum xp_type types_[] = {XP_TYPE_BOOL, XP_TYPE_UCHAR, XP_TYPE_USHORT,
					      XP_TYPE_UINT, XP_TYPE_ULLONG};

	for (size_t i = 0; i < sizeof(types_) / sizeof(types_[0]); i++) {
		struct xp_object object;
		XC_TRY(make(cc, types_[i], 0, 16, &object));
		struct work w = {.array = object.as.array,
				 .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 20 : 5000};
		XC_TRY(xc_start(cc, CROWD, count_own, &w));
		XC_TRY(xc_join(cc));
	}
	return XC_PASS;
}

static int count_all(struct xp_member *me, void *arg)
{
	struct work *w = arg;
	uint64_t seed = (uint64_t)me->index + 1;

	xp_member_arrive(me);
	for (int i = 0; i < w->rounds; i++) {
		int64_t item;
		size_t n = (size_t)i % w->array.length;
		if (w->hold)
			XM_GIVES(me, xp_lock_acquire(&w->array.lock), 0);
		XM_GIVES(me, xp_array_get(&w->array, n, &item), 0);
		xc_dither(&seed);
		item++;
		XM_GIVES(me, xp_array_set(&w->array, n, &item), 0);
		if (w->hold)
			XM_GIVES(me, xp_lock_release(&w->array.lock), 0);
	}
	return 0;
}

static enum xc_verdict sum(struct xc_case_context *cc, struct work *w, int64_t *ret_sum)
{
	*ret_sum = 0;
	XC_TRY(xc_start(cc, CROWD, count_all, w));
	XC_TRY(xc_join(cc));
	for (size_t i = 0; i < w->array.length; i++) {
		int64_t item = 0, zero = 0;
		XC_GIVES(cc, xp_array_get(&w->array, i, &item), 0);
		XC_GIVES(cc, xp_array_set(&w->array, i, &zero), 0);
		*ret_sum += item;
	}
	return XC_PASS;
}

static enum xc_verdict locked_sum(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t total;

	XC_TRY(make(cc, XP_TYPE_LLONG, 0, 3, &object));
	struct work w = {.array = object.as.array,
			 .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 100 : 5000,
			 .hold = true};
	XC_TRY(sum(cc, &w, &total));
	XC_REQUIRE(cc, total == CROWD * (int64_t)w.rounds, "N*M increments end at N*M",
		   "%ld instead of %d", (long)total, CROWD * w.rounds);
	return XC_PASS;
}

#define LOSS_ATTEMPTS 20

static enum xc_verdict raw_loses(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t total;

	XC_TRY(make(cc, XP_TYPE_LLONG, 0, 1, &object));
	struct work w = {.array = object.as.array,
			 .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 200 : 50000};
	for (int attempt = 0; attempt < LOSS_ATTEMPTS; attempt++) {
		XC_TRY(sum(cc, &w, &total));
		XC_REQUIRE(cc, total >= w.rounds && total <= CROWD * (int64_t)w.rounds,
			   "updates are lost, not invented", "the sum is %ld", (long)total);
		if (total < CROWD * (int64_t)w.rounds)
			return XC_PASS;
	}
	return xc_unresolved(cc, "no update was lost in %d attempts of %d increments",
			     LOSS_ATTEMPTS, CROWD * w.rounds);
}

static enum xc_verdict lock_recursive(struct xc_case_context *cc)
{
	struct xp_object object;
	int items[LENGTH] = {0};

	XC_TRY(make(cc, XP_TYPE_INT, 0, LENGTH, &object));
	struct xp_array *array = &object.as.array;
	XC_REQUIRE(cc, array->lock.ops, "a locked array carries a lock", "it has none");
	XC_GIVES(cc, xp_lock_acquire(&array->lock), 0);
	XC_GIVES(cc, xp_array_set(array, 3, &items[3]), 0);
	XC_GIVES(cc, xp_array_get(array, 3, &items[3]), 0);
	XC_GIVES(cc, xp_array_copy_in(array, 0, LENGTH, items), 0);
	XC_GIVES(cc, xp_lock_acquire(&array->lock), 0);
	XC_GIVES(cc, xp_array_copy_out(array, 0, LENGTH, items), 0);
	XC_GIVES(cc, xp_lock_release(&array->lock), 0);
	XC_GIVES(cc, xp_lock_release(&array->lock), 0);
	XC_GIVES(cc, xp_lock_release(&array->lock), -EPERM);
	return XC_PASS;
}

const struct xc_case xc_cases_array[] = {
    {.clause = "array.shared", .name = "both_ways", .kinds = ARRAY, .run = shared},
    {.clause = "array.types", .name = "all", .kinds = ARRAY, .run = types},
    {.clause = "array.length", .name = "several", .kinds = ARRAY, .run = length},
    {.clause = "array.range", .name = "outside", .kinds = ARRAY, .run = range},
    {.clause = "array.blocks", .name = "random", .kinds = ARRAY, .run = blocks},
    {.clause = "array.untorn", .name = "words", .kinds = ARRAY, .run = untorn},
    {.clause = "array.untorn_locked",
     .name = "blocks",
     .kinds = ARRAY,
     .caps = XP_CAP_LOCKED,
     .run = untorn_locked},
    {.clause = "array.neighbours", .name = "crowd", .kinds = ARRAY, .run = neighbours},
    {.clause = "array.locked_sum",
     .name = "crowd",
     .kinds = ARRAY,
     .caps = XP_CAP_LOCKED,
     .run = locked_sum},
    {.clause = "array.raw_loses",
     .name = "crowd",
     .kinds = ARRAY,
     .lacks = XP_CAP_LOCKED,
     .flags = XC_NEEDS_PROCESSES,
     .run = raw_loses},
    {.clause = "array.lock_recursive",
     .name = "depth",
     .kinds = ARRAY,
     .caps = XP_CAP_LOCKED,
     .run = lock_recursive},
    {0},
};
