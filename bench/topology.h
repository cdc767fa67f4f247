/* SPDX-License-Identifier: MIT */
/*
 * topology - which CPUs to run on: pairs by class, and plans for more members than two
 *
 * Overview      What two processes cost each other depends first on where they run. Every pair of
 *               CPUs belongs to exactly one class, derived with hwloc from what the two share. A
 *               class that this machine does not have is reported as absent, with the reason, and
 *               never replaced by CPUs 0 and 1.
 * Classes       of two PUs (hwloc's word for a hardware thread), the first that holds:
 *               same_pu        the same one
 *               smt            one core
 *               same_l2        one level 2 cache
 *               same_l3        one level 3 cache
 *               same_package   one package and NUMA node, no cache in common
 *               cross_numa     one package, two NUMA nodes
 *               same_numa      two packages in one NUMA node (virtual machines)
 *               cross_package  two packages, two NUMA nodes
 * Limits        Only PUs that this process may run on take part.
 */
#ifndef BENCH_TOPOLOGY_H
#define BENCH_TOPOLOGY_H

#include "xpshare/base/err.h"

#include <hwloc.h>
#include <stdbool.h>
#include <stddef.h>

#define XB_PAIR_CLASS_MAP(X)            \
	X(SAME_PU, "same_pu")           \
	X(SMT, "smt")                   \
	X(SAME_L2, "same_l2")           \
	X(SAME_L3, "same_l3")           \
	X(SAME_PACKAGE, "same_package") \
	X(SAME_NUMA, "same_numa")       \
	X(CROSS_NUMA, "cross_numa")     \
	X(CROSS_PACKAGE, "cross_package")

#define X(id, name) XB_##id,
enum xb_class { XB_PAIR_CLASS_MAP(X) XB_PAIR_CLASSES, XB_SINGLE = XB_PAIR_CLASSES, XB_ANY };
#undef X

/* How more than two members are laid out. */
enum xb_variant {
	XB_PAIRWISE,	   /* not stated: one or two members */
	XB_COMPACT,	   /* as near to each other as possible */
	XB_SPREAD,	   /* as far apart as possible */
	XB_OVERSUBSCRIBED, /* more members than PUs */
};

#define XB_MEMBERS_MAX 256

/**
 * struct xb_placement - Where the members of a case run.
 * @class:    Of the pair, or of the two members that are farthest apart.
 * @cpus:     The operating system's number of each member's CPU; empty for XB_ANY.
 * @numbered: The name states the CPUs, because several pairs of the class are measured.
 */
struct xb_placement {
	enum xb_class class;
	enum xb_variant variant;
	int count;
	int cpus[XB_MEMBERS_MAX];
	bool numbered;
};

/** struct xb_class_facts - What this machine has of one class. @why: if absent. */
struct xb_class_facts {
	bool present;
	int pairs; /* ordered pairs, but for same_pu: PUs */
	int cpus[2];
	const char *why;
};

struct xb_topology {
	hwloc_topology_t hwloc;
	hwloc_cpuset_t allowed;
	struct xb_class_facts classes[XB_PAIR_CLASSES];
};

/** xb_class_name() - "same_l3"; "single", "any". */
const char *xb_class_name(enum xb_class class);

/** xb_class_find() - The class of that name, or -EINVAL. */
XP_MUST_CHECK int xb_class_find(const char *name);

/** xb_variant_name() - "compact"; NULL for XB_PAIRWISE. */
const char *xb_variant_name(enum xb_variant variant);

/**
 * xb_topology_open() - Look at this machine, or at a synthetic one.
 * @synthetic: A description as hwloc_topology_set_synthetic() takes it, or NULL for this machine.
 * Return: 0; -EINVAL for a description that hwloc refuses; -ENOMEM; -EIO.
 */
XP_MUST_CHECK int xb_topology_open(struct xb_topology *topology, const char *synthetic);

/** xb_topology_close() - Accepts a zeroed one. */
void xb_topology_close(struct xb_topology *topology);

/** xb_topology_pus() - How many PUs this process may use. */
int xb_topology_pus(const struct xb_topology *topology);

/** xb_topology_class() - Of the PUs with the operating system's numbers @a and @b; -ENODEV. */
XP_MUST_CHECK int xb_topology_class(const struct xb_topology *topology, int a, int b);

/** xb_topology_single() - Where a workload of one member runs. */
struct xb_placement xb_topology_single(const struct xb_topology *topology);

/**
 * xb_topology_plan() - Places for @members (more than two) members.
 *
 * With more members than PUs the result is oversubscribed, whatever was asked. Return: 0 or
 * -EINVAL.
 */
XP_MUST_CHECK int xb_topology_plan(const struct xb_topology *topology, int members,
				   enum xb_variant variant, struct xb_placement *ret_placement);

/**
 * xb_topology_pairs() - The pairs that @choice asks for, in a stable order.
 * @choice: "classes": one representative pair of each class present; "all": every ordered pair;
 *          or a list of classes and of pairs: "same_l3,0-5".
 * @ret_pairs: Allocated; to be freed by the caller.
 * @error:     One line for the user where the choice is impossible.
 * Return: how many; -EINVAL with @error filled; -ENOMEM.
 */
XP_MUST_CHECK int xb_topology_pairs(const struct xb_topology *topology, const char *choice,
				    struct xb_placement **ret_pairs, char *error,
				    size_t error_size);

/** xb_topology_node() - The operating system's number of the NUMA node of @cpu; -ENODEV. */
XP_MUST_CHECK int xb_topology_node(const struct xb_topology *topology, int cpu);

/** xb_placement_name() - "same_l3", "same_l3:compact", "same_l3:0-5". */
void xb_placement_name(const struct xb_placement *placement, char *text, size_t size);

#endif
