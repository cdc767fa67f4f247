/* SPDX-License-Identifier: MIT */
/*
 * case - one thing to measure: a workload, an implementation, parameters and a place
 *
 * The name says all four and is stable: it is the record's identity, what --benchmark_filter
 * matches, and what a worker is started with.
 *     <workload>/<kind>/<mechanism>[/<parameter>:<value>...]/<placement>
 */
#ifndef BENCH_CASE_H
#define BENCH_CASE_H

#include "bench/topology.h"

#include "xpshare/kind/object.h"
#include "xpshare/proc/crew.h"

#include <stdint.h>

#define XB_NAME_MAX 256
#define XB_RIVALS   3

/* X(ENUM, "name"): the parameters that a name can state, in alphabetic order. */
#define XB_PARAM_MAP(X)           \
	X(ATTACK, "attack")       \
	X(BATCH, "batch")         \
	X(CAPACITY, "capacity")   \
	X(CLIENTS, "clients")     \
	X(FAIR, "fair")           \
	X(FORM, "form")           \
	X(HELD, "held")           \
	X(MEMBERS, "members")     \
	X(METHOD, "method")       \
	X(RATE, "rate")           \
	X(READERS, "readers")     \
	X(SERVER, "server")       \
	X(SIZE, "size")           \
	X(THREADS, "threads")     \
	X(TRANSPORT, "transport") \
	X(WAIT, "wait")           \
	X(WRITERS, "writers")

#define X(id, name) XB_##id,
enum xb_param { XB_PARAM_MAP(X) XB_PARAMS };
#undef X

/** struct xb_value - The value of a parameter: a text, or a number where @text is NULL. */
struct xb_value {
	bool set;
	int64_t number;
	const char *text;
};

/* X(ENUM, "name"): what a case stands for (results/FORMAT.md). */
#define XB_ROLE_MAP(X)        \
	X(SUBJECT, "subject") \
	X(PEER, "peer")       \
	X(FLOOR, "floor")     \
	X(CONTROL, "control")

#define X(id, name) XB_ROLE_##id,
enum xb_role { XB_ROLE_MAP(X) };
#undef X

struct xb_workload;

/**
 * struct xb_case - One thing to measure.
 * @impl:      From the catalogue; NULL for a floor, a peer or a control.
 * @impl_name: "lock/futex", "floor/cache_line".
 * @floor:     The name of the record that is its physical limit, or "".
 * @rival:     Names of the records that it is to be compared with, or "".
 * @detail:    The workload's own: which variant of it this is.
 */
struct xb_case {
	char name[XB_NAME_MAX];
	const struct xb_workload *workload;
	const struct xp_impl *impl;
	const char *impl_name;
	const char *kind;
	enum xb_role role;
	enum xp_carrier carrier;
	struct xb_value param[XB_PARAMS];
	struct xb_placement placement;
	char floor[XB_NAME_MAX];
	char rival[XB_RIVALS][XB_NAME_MAX];
	const void *detail;
};

/** xb_param_name() - "size" for XB_SIZE. */
const char *xb_param_name(enum xb_param param);

/** xb_role_name() - "subject" for XB_ROLE_SUBJECT. */
const char *xb_role_name(enum xb_role role);

/** xb_number(), xb_text() - Values for struct xb_case.param. */
static inline struct xb_value xb_number(int64_t number)
{
	return (struct xb_value){.set = true, .number = number};
}

static inline struct xb_value xb_text(const char *text)
{
	return (struct xb_value){.set = true, .text = text};
}

/** xb_case_number() - The number of @param, or @otherwise where it is not set. */
static inline int64_t xb_case_number(const struct xb_case *c, enum xb_param param,
				     int64_t otherwise)
{
	return c->param[param].set ? c->param[param].number : otherwise;
}

/** xb_strategy_name(), xb_strategy_find() - "hybrid", "spin", "park" and back. */
const char *xb_strategy_name(enum xp_wait_strategy strategy);
enum xp_wait_strategy xb_case_strategy(const struct xb_case *c);

/** xb_case_name() - Compose @c->name from the other fields. Return: 0; -ENAMETOOLONG. */
XP_MUST_CHECK int xb_case_name(struct xb_case *c);

/**
 * xb_case_floor() - State the floor of @c: the record of @impl_name ("floor/pipe"), of @size bytes
 * (0: it has no size), on the same placement.
 */
void xb_case_floor(struct xb_case *c, const char *impl_name, int64_t size);

/**
 * xb_case_rival() - State that @c is to be compared with @other: both are then run side by side.
 *
 * Where @other is not in the matrix nothing is compared.
 */
void xb_case_rival(struct xb_case *c, const struct xb_case *other);

#endif
