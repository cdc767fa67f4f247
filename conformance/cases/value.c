/* SPDX-License-Identifier: MIT */
#include "conformance/cases/cases.h"

#include <string.h>

#define VALUE		XC_KIND(VALUE)
#define CROWD		4
#define SIZE_MAX_TESTED 256

static bool locked(const struct xp_value *value)
{
	return value->lock.ops != NULL;
}

/* Bytes of a type that carry its value; the rest of an x87 long double is padding. */
static size_t significant(enum xp_type type, size_t size)
{
#if defined(__x86_64__) || defined(__i386__)
	if (type == XP_TYPE_LDOUBLE)
		return 10;
#endif
	return type == XP_TYPE_BYTES ? size : xp_type_size(type);
}

/* A valid representation of @type that depends on @seed: a bool is 0 or 1, a floating number finite. */
static void sample(enum xp_type type, size_t size, uint64_t seed, void *ret_value)
{
	uint64_t state = seed;
	double number = (double)(xc_random(&state) >> 12) / 7.0;

	memset(ret_value, 0, size);
	switch (type) {
	case XP_TYPE_BOOL:
		*(_Bool *)ret_value = seed % 2;
		break;
	case XP_TYPE_FLOAT:
		*(float *)ret_value = (float)number;
		break;
	case XP_TYPE_DOUBLE:
		*(double *)ret_value = number;
		break;
	case XP_TYPE_LDOUBLE:
		*(long double *)ret_value = (long double)number;
		break;
	default:
		xc_fill(ret_value, size, seed);
	}
}

static size_t size_of(enum xp_type type)
{
	return type == XP_TYPE_BYTES ? 24 : xp_type_size(type);
}

static enum xc_verdict make(struct xc_case_context *cc, enum xp_type type, size_t size,
			    struct xp_object *ret_object)
{
	return xc_make(cc, &(struct xp_params){.type = type, .size = size}, ret_object);
}

/* Whether the implementation may refuse a type: what is atomic is no larger than a machine word. */
static bool may_refuse(const struct xc_case_context *cc, size_t size)
{
	return (cc->iut->caps & XP_CAP_ATOMIC) && (size > 8 || (size & (size - 1)) != 0);
}

/* ---- sharing ---------------------------------------------------------------------------------- */

enum { TOLD = 2 };

/* Answers every number with the next one. */
static int answer(struct xp_member *me, void *arg)
{
	struct xp_value *value = arg;
	int64_t number;

	xp_member_arrive(me);
	XM_GIVES(me, xp_value_load(value, &number), 0);
	XM_REQUIRE(me, number == 41, "the child loads %ld, the parent had stored 41", (long)number);
	number = 42;
	XM_GIVES(me, xp_value_store(value, &number), 0);
	return 0;
}

static enum xc_verdict shared(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t number = 41;

	XC_TRY(make(cc, XP_TYPE_LLONG, 0, &object));
	int64_t zero = -1;
	XC_GIVES(cc, xp_value_load(&object.as.value, &zero), 0);
	XC_REQUIRE(cc, zero == 0, "a new value is zero", "it is %ld", (long)zero);
	XC_GIVES(cc, xp_value_store(&object.as.value, &number), 0);
	XC_TRY(xc_start(cc, 1, answer, &object.as.value));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_value_load(&object.as.value, &number), 0);
	XC_REQUIRE(cc, number == 42, "the parent loads what its child has stored", "it loads %ld",
		   (long)number);
	return XC_PASS;
}

struct exchange {
	struct xp_value value;
	size_t size;
};

#define SEEDS 64

static int store_samples(struct xp_member *me, void *arg)
{
	struct exchange *e = arg;
	_Alignas(16) unsigned char seen[SIZE_MAX_TESTED], wanted[SIZE_MAX_TESTED];
	size_t bytes = significant(e->value.type, e->size);

	xp_member_arrive(me);
	sample(e->value.type, e->size, 1, wanted);
	XM_GIVES(me, xp_value_load(&e->value, seen), 0);
	XM_REQUIRE(me, memcmp(seen, wanted, bytes) == 0, "a %s arrives with other bits",
		   xp_type_name(e->value.type));
	sample(e->value.type, e->size, 2, wanted);
	XM_GIVES(me, xp_value_store(&e->value, wanted), 0);
	return 0;
}

static enum xc_verdict one_type(struct xc_case_context *cc, enum xp_type type, size_t size)
{
	struct xp_object object;
	_Alignas(16) unsigned char seen[SIZE_MAX_TESTED], sent[SIZE_MAX_TESTED];
	size_t bytes = significant(type, size);

	enum xc_verdict made = make(cc, type, size, &object);
	if (made == XC_UNSUPPORTED && may_refuse(cc, size))
		return XC_PASS;
	XC_TRY(made);
	struct exchange e = {.value = object.as.value, .size = size};
	XC_REQUIRE(cc, e.value.type == type && e.value.size == size,
		   "the handle says the type and size asked for", "%s of %zu bytes",
		   xp_type_name(e.value.type), e.value.size);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		sample(type, size, seed, sent);
		XC_GIVES(cc, xp_value_store(&e.value, sent), 0);
		XC_GIVES(cc, xp_value_load(&e.value, seen), 0);
		XC_REQUIRE(cc, memcmp(seen, sent, bytes) == 0,
			   "a load gives the bits that were stored", "a %s of %zu bytes differs",
			   xp_type_name(type), size);
	}
	sample(type, size, 1, sent);
	XC_GIVES(cc, xp_value_store(&e.value, sent), 0);
	XC_TRY(xc_start(cc, 1, store_samples, &e));
	XC_TRY(xc_join(cc));
	sample(type, size, 2, sent);
	XC_GIVES(cc, xp_value_load(&e.value, seen), 0);
	XC_REQUIRE(cc, memcmp(seen, sent, bytes) == 0,
		   "a load gives the bits that the child stored", "a %s of %zu bytes differs",
		   xp_type_name(type), size);
	xp_object_drop(&cc->objects[--cc->objects_count]);
	return XC_PASS;
}

static enum xc_verdict types(struct xc_case_context *cc)
{
	static const size_t structs[] = {1, 3, 7, 8, 12, 24, 64, 65, 255};

	for (int type = 0; type < XP_TYPE_BYTES; type++)
		XC_TRY(one_type(cc, (enum xp_type)type, size_of((enum xp_type)type)));
	for (size_t i = 0; i < sizeof(structs) / sizeof(structs[0]); i++)
		XC_TRY(one_type(cc, XP_TYPE_BYTES, structs[i]));
	return XC_PASS;
}

/* ---- tearing ---------------------------------------------------------------------------------- */

struct tearing {
	struct xp_value value;
	size_t size;
	int rounds;
	bool hold; /* take the lock around each access */
	_Atomic int *stop;
};

static bool whole(const unsigned char *bytes, size_t size)
{
	for (size_t i = 1; i < size; i++) {
		if (bytes[i] != bytes[0])
			return false;
	}
	return true;
}

/* Member 0 stores values all of whose bytes are equal; the others load, and look. */
static int tear(struct xp_member *me, void *arg)
{
	struct tearing *t = arg;
	_Alignas(16) unsigned char bytes[SIZE_MAX_TESTED];

	xp_member_arrive(me);
	for (int i = 0; i < t->rounds; i++) {
		if (me->index == 0)
			memset(bytes, i & 0xff, t->size);
		if (t->hold)
			XM_GIVES(me, xp_lock_acquire(&t->value.lock), 0);
		if (me->index == 0)
			XM_GIVES(me, xp_value_store(&t->value, bytes), 0);
		else
			XM_GIVES(me, xp_value_load(&t->value, bytes), 0);
		if (t->hold)
			XM_GIVES(me, xp_lock_release(&t->value.lock), 0);
		XM_REQUIRE(me, whole(bytes, t->size), "a load of %zu bytes is torn in round %d",
			   t->size, i);
	}
	return 0;
}

static enum xc_verdict tear_sizes(struct xc_case_context *cc, const enum xp_type *types_,
				  const size_t *sizes, size_t count, bool with_hold)
{
	for (size_t i = 0; i < count; i++) {
		struct xp_object object;
		XC_TRY(make(cc, types_[i], sizes[i], &object));
		struct tearing t = {.value = object.as.value,
				    .size = sizes[i],
				    .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 200 : 50000};
		for (int hold = 0; hold <= with_hold; hold++) {
			t.hold = hold;
			XC_TRY(xc_start(cc, 3, tear, &t));
			XC_TRY(xc_join(cc));
		}
		xp_object_drop(&cc->objects[--cc->objects_count]);
	}
	return XC_PASS;
}

static enum xc_verdict untorn(struct xc_case_context *cc)
{
	static const enum xp_type words[] = {XP_TYPE_UCHAR, XP_TYPE_USHORT, XP_TYPE_UINT,
					     XP_TYPE_ULLONG};
	static const size_t sizes[] = {sizeof(unsigned char), sizeof(unsigned short),
				       sizeof(unsigned), sizeof(unsigned long long)};

	return tear_sizes(cc, words, sizes, 4, false);
}

static enum xc_verdict untorn_locked(struct xc_case_context *cc)
{
	static const enum xp_type types_[] = {XP_TYPE_ULLONG, XP_TYPE_BYTES, XP_TYPE_BYTES,
					      XP_TYPE_BYTES};
	static const size_t sizes[] = {sizeof(unsigned long long), 17, 64, 200};

	return tear_sizes(cc, types_, sizes, 4, true);
}

/* ---- counting --------------------------------------------------------------------------------- */

struct counting {
	struct xp_value value;
	int rounds;
};

static int count_locked(struct xp_member *me, void *arg)
{
	struct counting *c = arg;
	uint64_t seed = (uint64_t)me->index + 1;
	int64_t number;

	xp_member_arrive(me);
	for (int i = 0; i < c->rounds; i++) {
		XM_GIVES(me, xp_lock_acquire(&c->value.lock), 0);
		XM_GIVES(me, xp_value_load(&c->value, &number), 0);
		xc_dither(&seed);
		number++;
		XM_GIVES(me, xp_value_store(&c->value, &number), 0);
		XM_GIVES(me, xp_lock_release(&c->value.lock), 0);
	}
	return 0;
}

static enum xc_verdict locked_sum(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t sum = 0;

	XC_TRY(make(cc, XP_TYPE_LLONG, 0, &object));
	struct counting c = {.value = object.as.value,
			     .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 100 : 5000};
	XC_REQUIRE(cc, locked(&c.value), "a locked value carries a lock", "it has none");
	XC_TRY(xc_start(cc, CROWD, count_locked, &c));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_value_load(&c.value, &sum), 0);
	XC_REQUIRE(cc, sum == CROWD * (int64_t)c.rounds, "N*M increments end at N*M",
		   "%ld instead of %d", (long)sum, CROWD * c.rounds);
	return XC_PASS;
}

static int count_raw(struct xp_member *me, void *arg)
{
	struct counting *c = arg;
	uint64_t seed = (uint64_t)me->index + 1;
	int64_t number;

	xp_member_arrive(me);
	for (int i = 0; i < c->rounds; i++) {
		XM_GIVES(me, xp_value_load(&c->value, &number), 0);
		xc_dither(&seed);
		number++;
		XM_GIVES(me, xp_value_store(&c->value, &number), 0);
	}
	return 0;
}

/* How often a loss is waited for before the machine is said not to show it. */
#define LOSS_ATTEMPTS 20

static enum xc_verdict raw_loses(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t sum = 0, zero = 0;

	XC_TRY(make(cc, XP_TYPE_LLONG, 0, &object));
	struct counting c = {.value = object.as.value,
			     .rounds = cc->iut->scope == XP_SCOPE_MANAGED ? 200 : 50000};
	for (int attempt = 0; attempt < LOSS_ATTEMPTS; attempt++) {
		XC_GIVES(cc, xp_value_store(&c.value, &zero), 0);
		XC_TRY(xc_start(cc, CROWD, count_raw, &c));
		XC_TRY(xc_join(cc));
		XC_GIVES(cc, xp_value_load(&c.value, &sum), 0);
		XC_REQUIRE(cc, sum >= c.rounds && sum <= CROWD * (int64_t)c.rounds,
			   "updates are lost, not invented", "the sum is %ld", (long)sum);
		if (sum < CROWD * (int64_t)c.rounds)
			return XC_PASS;
	}
	return xc_unresolved(cc, "no update was lost in %d attempts of %d increments",
			     LOSS_ATTEMPTS, CROWD * c.rounds);
}

static enum xc_verdict lock_recursive(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t number = 7;

	XC_TRY(make(cc, XP_TYPE_LLONG, 0, &object));
	struct xp_value *value = &object.as.value;
	XC_REQUIRE(cc, locked(value), "a locked value carries a lock", "it has none");
	XC_GIVES(cc, xp_lock_acquire(&value->lock), 0);
	XC_GIVES(cc, xp_value_store(value, &number), 0);
	XC_GIVES(cc, xp_lock_acquire(&value->lock), 0);
	XC_GIVES(cc, xp_value_load(value, &number), 0);
	XC_GIVES(cc, xp_lock_release(&value->lock), 0);
	XC_GIVES(cc, xp_lock_release(&value->lock), 0);
	XC_GIVES(cc, xp_lock_release(&value->lock), -EPERM);
	return XC_PASS;
}

/* ---- atomic operations ------------------------------------------------------------------------ */

struct ticketing {
	struct xp_value value;
	int rounds;
	_Atomic unsigned char *taken; /* a byte per ticket */
};

static int take_tickets(struct xp_member *me, void *arg)
{
	struct ticketing *t = arg;
	int64_t one = 1, ticket;

	xp_member_arrive(me);
	for (int i = 0; i < t->rounds; i++) {
		XM_GIVES(me, xp_value_fetch_add(&t->value, &one, &ticket), 0);
		XM_REQUIRE(me, ticket >= 0 && ticket < (int64_t)CROWD * t->rounds,
			   "ticket %ld was never issued", (long)ticket);
		XM_REQUIRE(me, atomic_fetch_add(&t->taken[ticket], 1) == 0,
			   "ticket %ld was issued twice", (long)ticket);
	}
	return 0;
}

static enum xc_verdict atomic_sum(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t sum = 0;

	XC_TRY(make(cc, XP_TYPE_LLONG, 0, &object));
	struct ticketing t = {.value = object.as.value, .rounds = 50000, .taken = cc->shared};
	_Static_assert(CROWD * 50000 <= XC_SHARED_BYTES, "a byte per ticket");
	XC_TRY(xc_start(cc, CROWD, take_tickets, &t));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_value_load(&t.value, &sum), 0);
	XC_GIVES(cc, sum, CROWD * t.rounds);
	return XC_PASS;
}

static enum xc_verdict add_checked(struct xc_case_context *cc, enum xp_type type, const void *start,
				   const void *operand, const void *sum)
{
	struct xp_object object;
	_Alignas(16) unsigned char old[16] = {0}, now[16] = {0};
	size_t bytes = significant(type, xp_type_size(type));

	enum xc_verdict made = make(cc, type, 0, &object);
	if (made == XC_UNSUPPORTED && may_refuse(cc, xp_type_size(type)))
		return XC_PASS;
	XC_TRY(made);
	XC_GIVES(cc, xp_value_store(&object.as.value, start), 0);
	XC_GIVES(cc, xp_value_fetch_add(&object.as.value, operand, old), 0);
	XC_GIVES(cc, xp_value_load(&object.as.value, now), 0);
	XC_REQUIRE(cc, memcmp(old, start, bytes) == 0, "fetch_add gives the old value",
		   "another one for %s", xp_type_name(type));
	XC_REQUIRE(cc, memcmp(now, sum, bytes) == 0, "fetch_add stores what C's addition gives",
		   "another value for %s", xp_type_name(type));
	xp_object_drop(&cc->objects[--cc->objects_count]);
	return XC_PASS;
}

static enum xc_verdict fetch_add_types(struct xc_case_context *cc)
{
	/* The largest value and one: it wraps, floating types excepted; and 3 and 4. */
#define X(id, type, name, code)                                                       \
	{                                                                             \
		_Alignas(16) type a = (type)3, b = (type)4, sum = (type)(a + b);      \
		XC_TRY(add_checked(cc, XP_TYPE_##id, &a, &b, &sum));                  \
		memset(&a, 0xff, sizeof(a));                                          \
		if (XP_TYPE_##id >= XP_TYPE_CHAR && XP_TYPE_##id <= XP_TYPE_ULLONG) { \
			b = (type)1;                                                  \
			sum = (type)0;                                                \
			XC_TRY(add_checked(cc, XP_TYPE_##id, &a, &b, &sum));          \
		}                                                                     \
	}
	XP_TYPE_MAP(X)
#undef X
	int most = INT32_MAX, one = 1, least = INT32_MIN;
	XC_TRY(add_checked(cc, XP_TYPE_INT, &most, &one, &least));
	return XC_PASS;
}

static int swap_tokens(struct xp_member *me, void *arg)
{
	struct ticketing *t = arg;

	xp_member_arrive(me);
	for (int i = 0; i < t->rounds; i++) {
		int64_t token = (int64_t)me->index * t->rounds + i + 1, old;
		XM_GIVES(me, xp_value_exchange(&t->value, &token, &old), 0);
		XM_REQUIRE(me, old >= 0 && old <= (int64_t)CROWD * t->rounds,
			   "%ld was never stored", (long)old);
		XM_REQUIRE(me, atomic_fetch_add(&t->taken[old], 1) == 0, "%ld was got twice",
			   (long)old);
	}
	return 0;
}

static enum xc_verdict exchange(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t last = 0;

	XC_TRY(make(cc, XP_TYPE_LLONG, 0, &object));
	struct ticketing t = {.value = object.as.value, .rounds = 50000, .taken = cc->shared};
	XC_TRY(xc_start(cc, CROWD, swap_tokens, &t));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_value_load(&t.value, &last), 0);
	for (int64_t token = 0; token <= (int64_t)CROWD * t.rounds; token++)
		XC_REQUIRE(cc, atomic_load(&t.taken[token]) == (token != last),
			   "each value but the last is got by exactly one process",
			   "%ld was got %d times", (long)token, atomic_load(&t.taken[token]));
	return XC_PASS;
}

static int count_by_exchange(struct xp_member *me, void *arg)
{
	struct counting *c = arg;
	int64_t expected, desired;

	xp_member_arrive(me);
	XM_GIVES(me, xp_value_load(&c->value, &expected), 0);
	for (int i = 0; i < c->rounds; i++) {
		int rc;
		do {
			desired = expected + 1;
			int64_t before = expected;
			rc = xp_value_compare_exchange(&c->value, &expected, &desired);
			XM_REQUIRE(me, rc == 0 || (rc == -EAGAIN && expected != before),
				   "compare_exchange returns %d and says %ld for %ld", rc,
				   (long)expected, (long)before);
		} while (rc == -EAGAIN);
		expected = desired;
	}
	return 0;
}

static enum xc_verdict compare_exchange(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t sum = 0, wrong = 5, desired = 9;

	XC_TRY(make(cc, XP_TYPE_LLONG, 0, &object));
	struct counting c = {.value = object.as.value, .rounds = 20000};
	XC_GIVES(cc, xp_value_compare_exchange(&c.value, &wrong, &desired), -EAGAIN);
	XC_REQUIRE(cc, wrong == 0, "a failed compare_exchange says what the value is", "%ld",
		   (long)wrong);
	XC_TRY(xc_start(cc, CROWD, count_by_exchange, &c));
	XC_TRY(xc_join(cc));
	XC_GIVES(cc, xp_value_load(&c.value, &sum), 0);
	XC_GIVES(cc, sum, CROWD * c.rounds);
	return XC_PASS;
}

/* ---- death ------------------------------------------------------------------------------------ */

static int hold_for_ever(struct xp_member *me, void *arg)
{
	struct xp_value *value = arg;
	int64_t number = 1;

	xp_member_arrive(me);
	XM_GIVES(me, xp_lock_acquire(&value->lock), 0);
	XM_GIVES(me, xp_value_store(value, &number), 0);
	xp_member_reach(me, TOLD);
	for (;;)
		xc_pause_us(500000);
}

static enum xc_verdict owner_died(struct xc_case_context *cc)
{
	struct xp_object object;
	int64_t number = 0;

	XC_TRY(make(cc, XP_TYPE_LLONG, 0, &object));
	struct xp_value *value = &object.as.value;
	for (int round = 0; round < 2; round++) {
		XC_TRY(xc_start(cc, 1, hold_for_ever, value));
		XC_TRY(xc_await(cc, 0, TOLD));
		XC_TRY(xc_kill(cc, 0));
		XC_TRY(xc_join(cc));
		struct timespec by = xc_patience();
		if (round == 0) {
			XC_GIVES(cc, xp_lock_acquire_until(&value->lock, &by), -EOWNERDEAD);
			XC_GIVES(cc, xp_lock_release(&value->lock), 0);
		}
		/* A plain load needs nobody to repair a single value. */
		XC_GIVES(cc, xp_value_load(value, &number), 0);
		XC_GIVES(cc, number, 1);
		number = 0;
		XC_GIVES(cc, xp_value_store(value, &number), 0);
	}
	return XC_PASS;
}

const struct xc_case xc_cases_value[] = {
    {.clause = "value.shared", .name = "both_ways", .kinds = VALUE, .run = shared},
    {.clause = "value.types", .name = "all", .kinds = VALUE, .run = types},
    {.clause = "value.untorn", .name = "words", .kinds = VALUE, .run = untorn},
    {.clause = "value.untorn_locked",
     .name = "sizes",
     .kinds = VALUE,
     .caps = XP_CAP_LOCKED,
     .run = untorn_locked},
    {.clause = "value.locked_sum",
     .name = "crowd",
     .kinds = VALUE,
     .caps = XP_CAP_LOCKED,
     .run = locked_sum},
    {.clause = "value.raw_loses",
     .name = "crowd",
     .kinds = VALUE,
     .lacks = XP_CAP_LOCKED,
     .flags = XC_NEEDS_PROCESSES,
     .run = raw_loses},
    {.clause = "value.lock_recursive",
     .name = "depth",
     .kinds = VALUE,
     .caps = XP_CAP_LOCKED,
     .run = lock_recursive},
    {.clause = "value.atomic_sum",
     .name = "tickets",
     .kinds = VALUE,
     .caps = XP_CAP_ATOMIC,
     .run = atomic_sum},
    {.clause = "value.fetch_add_types",
     .name = "all",
     .kinds = VALUE,
     .caps = XP_CAP_ATOMIC,
     .run = fetch_add_types},
    {.clause = "value.exchange",
     .name = "tokens",
     .kinds = VALUE,
     .caps = XP_CAP_ATOMIC,
     .run = exchange},
    {.clause = "value.compare_exchange",
     .name = "crowd",
     .kinds = VALUE,
     .caps = XP_CAP_ATOMIC,
     .run = compare_exchange},
    {.clause = "value.owner_died",
     .name = "twice",
     .kinds = VALUE,
     .scopes = XC_SCOPE(SHM) | XC_SCOPE(INHERITED),
     .caps = XP_CAP_LOCKED | XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = owner_died},
    {0},
};
