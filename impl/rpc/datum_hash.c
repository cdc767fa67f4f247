/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/datum_compare.h"
#include "xpshare/rpc/datum_walk.h"

#include <math.h>
#include <pthread.h>
#include <sys/random.h>

/* Numbers: reduction modulo the prime 2^61 - 1, as CPython does, so that an int and the float that equals
 * it agree. */
#define PRIME_BITS 61
#define PRIME	   ((UINT64_C(1) << PRIME_BITS) - 1)
#define INFINITE   UINT64_C(314159)

struct hashing {
	const struct xp_datum *culprit;
	unsigned depth;
	unsigned steps;
};

/* ---- text: SipHash-1-3 with a key per process ---------------------------------------- */

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

/* @value * 2^@bits modulo the prime: a rotation of 61 bits. */
static uint64_t shift(uint64_t value, unsigned bits)
{
	return ((value << bits) & PRIME) | value >> (PRIME_BITS - bits);
}

static uint64_t reduce(uint64_t value)
{
	value = (value & PRIME) + (value >> PRIME_BITS);
	return value >= PRIME ? value - PRIME : value;
}

static uint64_t hash_int(int64_t value)
{
	uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
	uint64_t hash = reduce(size);

	return value < 0 ? -hash : hash;
}

static uint64_t hash_bigint(const struct xp_datum *value)
{
	const unsigned char *bytes = (const unsigned char *)value->bytes;
	bool negative = bytes[value->size - 1] >= 0x80;
	uint64_t hash = 0;

	/* The magnitude from the top, byte by byte: invert now, add the one of two's complement below. */
	for (size_t i = value->size; i-- > 0;)
		hash = reduce(shift(hash, 8) + (negative ? (unsigned char)~bytes[i] : bytes[i]));
	return negative ? -reduce(hash + 1) : hash;
}

static uint64_t hash_float(double value)
{
	int exponent;
	uint64_t hash = 0;

	if (isnan(value))
		return 0; /* equal to nothing but itself: any number will do */
	if (isinf(value))
		return value > 0 ? INFINITE : -INFINITE;
	double rest = frexp(fabs(value), &exponent);
	/* 28 bits at a time, as CPython does */
	while (rest != 0) {
		hash = shift(hash, 28);
		rest *= (double)(1 << 28);
		exponent -= 28;
		uint64_t part = (uint64_t)rest;
		rest -= (double)part;
		hash = reduce(hash + part);
	}
	int bits =
	    exponent >= 0 ? exponent % PRIME_BITS : PRIME_BITS - 1 - ((-1 - exponent) % PRIME_BITS);
	hash = shift(hash, (unsigned)bits);
	return value < 0 ? -hash : hash;
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
	*ret_hash = mix(hash + value->count);
	return 0;
}

static int hash_any(struct hashing *hashing, const struct xp_datum *value, uint64_t *ret_hash)
{
	uint64_t module;
	int rc = 0;

	if (++hashing->steps > XP_DATUM_COMPARE_STEPS)
		return -E2BIG;
	switch ((enum xp_datum_kind)value->kind) {
	case XP_DATUM_NONE:
		*ret_hash = mix(1);
		return 0;
	case XP_DATUM_BOOL:
	case XP_DATUM_INT:
		*ret_hash = hash_int(value->integer);
		return 0;
	case XP_DATUM_BIGINT:
		*ret_hash = hash_bigint(value);
		return 0;
	case XP_DATUM_FLOAT:
		*ret_hash = hash_float(value->real);
		return 0;
	case XP_DATUM_STR:
	case XP_DATUM_BYTES:
		*ret_hash = hash_bytes(value->bytes, value->size);
		return 0;
	case XP_DATUM_TUPLE:
	case XP_DATUM_FROZENSET:
	case XP_DATUM_REDUCE:
		if (++hashing->depth > XP_DATUM_COMPARE_DEPTH)
			return -ELOOP;
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
