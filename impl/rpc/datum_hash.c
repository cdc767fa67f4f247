/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/datum_compare.h"
#include "xpshare/rpc/datum_walk.h"

#include <math.h>
#include <pthread.h>
#include <sys/random.h>

/*
 * Every hash depends on a key of the process: who could choose keys that collide would make each look-up
 * as long as the dict. CPython's hash of numbers has no key (all multiples of 2^61 - 1 collide), so numbers
 * are hashed otherwise here: by sign, odd part and power of two, which an int and the float that equals it
 * have in common.
 */
struct hashing {
	const struct xp_datum *culprit;
	unsigned depth;
	unsigned steps;
};

/* ---- SipHash-1-3 with a key per process ---------------------------------------------- */

static uint64_t key[2];
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void make_key(void)
{
	/* Without entropy the hash still works, only predictably. */
	if (getrandom(key, sizeof(key), GRND_NONBLOCK) != (ssize_t)sizeof(key))
		key[0] = key[1] = (uint64_t)(uintptr_t)&key;
}

static uint64_t rotate(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint64_t hash_bytes(const char *bytes, size_t size)
{
	pthread_once(&key_once, make_key);
	uint64_t v[4] = {
	    key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
	    key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
	uint64_t word, last = (uint64_t)size << 56;
	size_t at = 0;

	for (; at + 8 <= size; at += 8) {
		memcpy(&word, bytes + at, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	for (size_t i = at; i < size; i++)
		last |= (uint64_t)(unsigned char)bytes[i] << 8 * (i - at);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- numbers ------------------------------------------------------------------------- */

static uint64_t hash_words(uint64_t first, uint64_t second)
{
	uint64_t words[2] = {first, second};

	return hash_bytes((const char *)words, sizeof(words));
}

/* (-1)^@negative * @odd * 2^@exponent, where @odd may be even as yet. */
static uint64_t hash_number(bool negative, uint64_t odd, int64_t exponent)
{
	if (odd == 0)
		return hash_words(0, 0);
	int zeros = __builtin_ctzll(odd);

	return hash_words(odd >> zeros, (uint64_t)(exponent + zeros) << 1 | negative);
}

static uint64_t hash_int(int64_t value)
{
	return hash_number(value < 0, value < 0 ? -(uint64_t)value : (uint64_t)value, 0);
}

static uint64_t hash_bigint(const struct xp_datum *value)
{
	const unsigned char *bytes = (const unsigned char *)value->bytes;
	bool negative = bytes[value->size - 1] >= 0x80;
	size_t low = 0;
	uint64_t word = 0;

	while (bytes[low] == 0)
		low++;
	/* From its lowest bit on within 63 bits and the sign: a float may be equal to it. */
	if (value->size - low > 8)
		return hash_bytes(value->bytes, value->size);
	for (size_t i = 0; i < 8; i++)
		word |= (uint64_t)(low + i < value->size ? bytes[low + i]
				   : negative		 ? 0xff
							 : 0)
			<< 8 * i;
	return hash_number(negative, negative ? -word : word, (int64_t)(8 * low));
}

static uint64_t hash_float(const struct xp_datum *value)
{
	double real = value->real;
	int exponent;

	if (isnan(real)) /* equal to itself alone */
		return hash_words((uint64_t)(uintptr_t)value, UINT64_MAX);
	if (isinf(real))
		return hash_words(UINT64_MAX, real < 0);
	uint64_t mantissa = (uint64_t)ldexp(frexp(fabs(real), &exponent), 53);

	return hash_number(real < 0, mantissa, exponent - 53);
}

/* ---- all ----------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash)
{
	hash ^= hash >> 33;
	hash *= UINT64_C(0xff51afd7ed558ccd);
	hash ^= hash >> 33;
	hash *= UINT64_C(0xc4ceb9fe1a85ec53);
	return hash ^ hash >> 33;
}

/* Instances whose classes have no hash. */
static bool is_unhashable_instance(const struct xp_datum *value)
{
	static const char *const names[][2] = {
	    {"builtins", "slice"},	    {"collections", "OrderedDict"},
	    {"collections", "defaultdict"}, {"collections", "Counter"},
	    {"collections", "deque"},	    {"array", "array"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (xp_datum_is_global(value->reduce->callable, names[i][0], names[i][1]))
			return true;
	}
	return false;
}

static int hash_any(struct hashing *hashing, const struct xp_datum *value, uint64_t *ret_hash);

/* Of the parts of an instance only what is flat: equal instances have equal ones, and there is nothing
 * in them that could not be hashed. */
static int hash_instance(struct hashing *hashing, const struct xp_datum *value, uint64_t *ret_hash)
{
	const struct xp_datum_reduce *instance = value->reduce;
	const struct xp_datum *parts[] = {instance->args, instance->state};
	uint64_t hash = 0, one = 0;

	if (is_unhashable_instance(value)) {
		hashing->culprit = value;
		return -EINVAL;
	}
	if (instance->callable->kind == XP_DATUM_GLOBAL) {
		int rc = hash_any(hashing, instance->callable, &hash);
		if (rc < 0)
			return rc;
	}
	for (size_t p = 0; p < 2; p++) {
		if (!parts[p] || parts[p]->kind != XP_DATUM_TUPLE)
			continue;
		for (size_t i = 0; i < parts[p]->count; i++) {
			const struct xp_datum *item = parts[p]->items[i];
			bool flat = xp_datum_is_leaf(item) && item->kind != XP_DATUM_BYTEARRAY;
			int rc = flat ? hash_any(hashing, item, &one) : 0;
			if (rc < 0)
				return rc;
			hash = mix(hash + 31 * p) + one;
		}
	}
	*ret_hash = hash;
	return 0;
}

static int hash_items(struct hashing *hashing, const struct xp_datum *value, uint64_t *ret_hash)
{
	bool ordered = value->kind == XP_DATUM_TUPLE;
	uint64_t hash = 0, one;

	for (size_t i = 0; i < value->count; i++) {
		int rc = hash_any(hashing, value->items[i], &one);
		if (rc < 0)
			return rc;
		hash = ordered ? mix(hash) + mix(one) : hash + mix(one);
	}
	*ret_hash = hash_words(hash, value->count);
	return 0;
}

static int hash_any(struct hashing *hashing, const struct xp_datum *value, uint64_t *ret_hash)
{
	uint64_t module;
	int rc = 0;

	switch ((enum xp_datum_kind)value->kind) {
	case XP_DATUM_NONE:
		*ret_hash = hash_words(0, UINT64_MAX);
		return 0;
	case XP_DATUM_BOOL:
	case XP_DATUM_INT:
		*ret_hash = hash_int(value->integer);
		return 0;
	case XP_DATUM_BIGINT:
		if (!xp_datum_visit(&hashing->steps, value))
			return -E2BIG;
		*ret_hash = hash_bigint(value);
		return 0;
	case XP_DATUM_FLOAT:
		*ret_hash = hash_float(value);
		return 0;
	case XP_DATUM_STR:
	case XP_DATUM_BYTES:
		if (!xp_datum_visit(&hashing->steps, value))
			return -E2BIG;
		*ret_hash = hash_bytes(value->bytes, value->size);
		return 0;
	case XP_DATUM_TUPLE:
	case XP_DATUM_FROZENSET:
	case XP_DATUM_REDUCE:
		if (++hashing->depth > XP_DATUM_COMPARE_DEPTH)
			return -ELOOP;
		if (!xp_datum_visit(&hashing->steps, value))
			return -E2BIG;
		rc = value->kind == XP_DATUM_REDUCE ? hash_instance(hashing, value, ret_hash)
						    : hash_items(hashing, value, ret_hash);
		hashing->depth--;
		return rc;
	case XP_DATUM_GLOBAL:
		module = hash_bytes(value->global->module->bytes, value->global->module->size);
		*ret_hash =
		    mix(module) + hash_bytes(value->global->name->bytes, value->global->name->size);
		return 0;
	case XP_DATUM_OBJECT:
		*ret_hash = mix((uint64_t)(uintptr_t)value->object->object);
		return 0;
	default:
		hashing->culprit = value;
		return -EINVAL;
	}
}

int xp_datum_hash_counted(const struct xp_datum *value, unsigned *steps, uint64_t *ret_hash,
			  const struct xp_datum **ret_culprit)
{
	struct hashing hashing = {.steps = *steps};
	int rc = hash_any(&hashing, value, ret_hash);

	*steps = hashing.steps;
	if (rc == -EINVAL && ret_culprit)
		*ret_culprit = hashing.culprit;
	return rc;
}

int xp_datum_hash(const struct xp_datum *value, uint64_t *ret_hash,
		  const struct xp_datum **ret_culprit)
{
	unsigned steps = 0;

	return xp_datum_hash_counted(value, &steps, ret_hash, ret_culprit);
}
