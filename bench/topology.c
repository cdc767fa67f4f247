/* SPDX-License-Identifier: MIT */
#include "bench/topology.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *xb_class_name(enum xb_class class)
{
#define X(id, name) name,
	static const char *const names[] = {XB_PAIR_CLASS_MAP(X) "single", "any"};
#undef X
	return names[class];
}

int xb_class_find(const char *name)
{
	for (int i = 0; i <= XB_ANY; i++)
		if (strcmp(name, xb_class_name((enum xb_class)i)) == 0)
			return i;
	return -EINVAL;
}

const char *xb_variant_name(enum xb_variant variant)
{
	static const char *const names[] = {NULL, "compact", "spread", "oversubscribed"};

	return names[variant];
}

static hwloc_obj_t pu_at(const struct xb_topology *topology, int index)
{
	return hwloc_get_obj_inside_cpuset_by_type(topology->hwloc, topology->allowed, HWLOC_OBJ_PU,
						   (unsigned)index);
}

int xb_topology_pus(const struct xb_topology *topology)
{
	return hwloc_get_nbobjs_inside_cpuset_by_type(topology->hwloc, topology->allowed,
						      HWLOC_OBJ_PU);
}

static bool share(const struct xb_topology *topology, hwloc_obj_type_t type, hwloc_obj_t a,
		  hwloc_obj_t b)
{
	hwloc_obj_t above = hwloc_get_ancestor_obj_by_type(topology->hwloc, type, a);

	return above && hwloc_bitmap_isincluded(b->cpuset, above->cpuset);
}

static enum xb_class class_of(const struct xb_topology *topology, hwloc_obj_t a, hwloc_obj_t b)
{
	if (a == b)
		return XB_SAME_PU;
	if (share(topology, HWLOC_OBJ_CORE, a, b))
		return XB_SMT;
	if (share(topology, HWLOC_OBJ_L2CACHE, a, b))
		return XB_SAME_L2;
	if (share(topology, HWLOC_OBJ_L3CACHE, a, b))
		return XB_SAME_L3;
	bool same_node = hwloc_bitmap_intersects(a->nodeset, b->nodeset);
	/* Without package objects the machine is one package. */
	bool same_package = hwloc_get_nbobjs_by_type(topology->hwloc, HWLOC_OBJ_PACKAGE) <= 1 ||
			    share(topology, HWLOC_OBJ_PACKAGE, a, b);
	if (same_package)
		return same_node ? XB_SAME_PACKAGE : XB_CROSS_NUMA;
	return same_node ? XB_SAME_NUMA : XB_CROSS_PACKAGE;
}

static const char *absent_because(const struct xb_topology *topology, enum xb_class class)
{
	hwloc_topology_t t = topology->hwloc;
	bool one_pu = xb_topology_pus(topology) == 1;

	if (one_pu)
		return "this process may use one PU only";
	switch (class) {
	case XB_SMT:
		return "no core has two usable PUs";
	case XB_SAME_L2:
		return "no two cores share a level 2 cache";
	case XB_SAME_L3:
		return hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_L3CACHE) > 0
			   ? "no two cores share a level 3 cache"
			   : "no level 3 cache is known";
	case XB_SAME_PACKAGE:
		return "all cores of a package and node share a cache";
	case XB_SAME_NUMA:
		return "no NUMA node spans two packages";
	case XB_CROSS_NUMA:
		return "no package has two NUMA nodes";
	default:
		return "there is one package only";
	}
}

/* The efficiency rank of a PU's kind (hwloc: higher is faster); 0 where all are alike. */
static int rank_of(const struct xb_topology *topology, hwloc_obj_t pu)
{
	int kind = hwloc_cpukinds_get_by_cpuset(topology->hwloc, pu->cpuset, 0);
	int rank = 0;

	if (kind < 0 || hwloc_cpukinds_get_info(topology->hwloc, (unsigned)kind, NULL, &rank, NULL,
						NULL, 0) < 0)
		return 0;
	return rank;
}

/*
 * The representative of a class is the first pair that has the fastest kinds of CPU and, if there
 * is one, leaves out the first PU, on which most systems handle interrupts.
 */
static void survey(struct xb_topology *topology)
{
	int n = xb_topology_pus(topology);
	int best[XB_PAIR_CLASSES];

	for (int c = 0; c < XB_PAIR_CLASSES; c++)
		best[c] = INT32_MIN;
	for (int i = 0; i < n; i++) {
		hwloc_obj_t a = pu_at(topology, i);
		for (int j = 0; j < n; j++) {
			hwloc_obj_t b = pu_at(topology, j);
			enum xb_class class = class_of(topology, a, b);
			struct xb_class_facts *facts = &topology->classes[class];

			facts->present = true;
			facts->pairs++;
			int score =
			    2 * (rank_of(topology, a) + rank_of(topology, b)) + (i > 0 && j > 0);
			if (i > j || score <= best[class])
				continue;
			best[class] = score;
			facts->cpus[0] = (int)a->os_index;
			facts->cpus[1] = (int)b->os_index;
		}
	}
	for (int c = 0; c < XB_PAIR_CLASSES; c++)
		if (!topology->classes[c].present)
			topology->classes[c].why = absent_because(topology, (enum xb_class)c);
}

/* Only where this process may run; a synthetic machine belongs to us as a whole. */
static void restrict_to_affinity(struct xb_topology *topology)
{
	hwloc_bitmap_t mine = hwloc_bitmap_alloc();

	if (mine && hwloc_get_cpubind(topology->hwloc, mine, HWLOC_CPUBIND_PROCESS) == 0 &&
	    hwloc_bitmap_intersects(mine, topology->allowed))
		hwloc_bitmap_and(topology->allowed, topology->allowed, mine);
	hwloc_bitmap_free(mine);
}

int xb_topology_open(struct xb_topology *topology, const char *synthetic)
{
	*topology = (struct xb_topology){0};
	if (hwloc_topology_init(&topology->hwloc) < 0)
		return -ENOMEM;
	if (synthetic && hwloc_topology_set_synthetic(topology->hwloc, synthetic) < 0) {
		xb_topology_close(topology);
		return -EINVAL;
	}
	if (hwloc_topology_load(topology->hwloc) < 0) {
		xb_topology_close(topology);
		return -EIO;
	}
	topology->allowed = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(topology->hwloc));
	if (!topology->allowed) {
		xb_topology_close(topology);
		return -ENOMEM;
	}
	if (!synthetic)
		restrict_to_affinity(topology);
	survey(topology);
	return 0;
}

void xb_topology_close(struct xb_topology *topology)
{
	hwloc_bitmap_free(topology->allowed);
	if (topology->hwloc)
		hwloc_topology_destroy(topology->hwloc);
	*topology = (struct xb_topology){0};
}

static hwloc_obj_t pu_of_cpu(const struct xb_topology *topology, int cpu)
{
	if (cpu < 0 || !hwloc_bitmap_isset(topology->allowed, (unsigned)cpu))
		return NULL;
	return hwloc_get_pu_obj_by_os_index(topology->hwloc, (unsigned)cpu);
}

int xb_topology_class(const struct xb_topology *topology, int a, int b)
{
	hwloc_obj_t x = pu_of_cpu(topology, a), y = pu_of_cpu(topology, b);

	return x && y ? (int)class_of(topology, x, y) : -ENODEV;
}

int xb_topology_node(const struct xb_topology *topology, int cpu)
{
	hwloc_obj_t pu = pu_of_cpu(topology, cpu);

	return pu && pu->nodeset ? hwloc_bitmap_first(pu->nodeset) : -ENODEV;
}

struct xb_placement xb_topology_single(const struct xb_topology *topology)
{
	return (struct xb_placement){
	    .class = XB_SINGLE,
	    .count = 1,
	    .cpus = {topology->classes[XB_SAME_PU].cpus[0]},
	};
}

/* The class of the two members that are farthest apart: the enum is in order of distance. */
static enum xb_class widest(const struct xb_topology *topology,
			    const struct xb_placement *placement)
{
	enum xb_class widest = XB_SAME_PU;

	for (int i = 0; i < placement->count; i++) {
		for (int j = i + 1; j < placement->count; j++) {
			int class =
			    xb_topology_class(topology, placement->cpus[i], placement->cpus[j]);
			if (class > (int)widest)
				widest = (enum xb_class) class;
		}
	}
	return widest;
}

int xb_topology_plan(const struct xb_topology *topology, int members, enum xb_variant variant,
		     struct xb_placement *ret_placement)
{
	int pus = xb_topology_pus(topology);

	if (members < 3 || members > XB_MEMBERS_MAX)
		return -EINVAL;
	struct xb_placement plan = {
	    .variant = members > pus ? XB_OVERSUBSCRIBED : variant,
	    .count = members,
	};
	if (plan.variant == XB_SPREAD) {
		hwloc_bitmap_t *sets = calloc((size_t)members, sizeof(*sets));
		if (!sets)
			return -ENOMEM;
		hwloc_obj_t root = hwloc_get_root_obj(topology->hwloc);
		hwloc_distrib(topology->hwloc, &root, 1, sets, (unsigned)members, INT32_MAX, 0);
		/* hwloc gives each member a set of its own part of the machine. */
		for (int i = 0; i < members; i++) {
			hwloc_bitmap_and(sets[i], sets[i], topology->allowed);
			int cpu = hwloc_bitmap_first(sets[i]);
			plan.cpus[i] = cpu >= 0 ? cpu : (int)pu_at(topology, i % pus)->os_index;
			hwloc_bitmap_free(sets[i]);
		}
		free(sets);
	} else {
		/* hwloc's logical order runs through a core, then its neighbours. */
		for (int i = 0; i < members; i++)
			plan.cpus[i] = (int)pu_at(topology, i % pus)->os_index;
	}
	plan.class = widest(topology, &plan);
	*ret_placement = plan;
	return 0;
}

static struct xb_placement pair_of(enum xb_class class, int a, int b, bool numbered)
{
	return (struct xb_placement){
	    .class = class, .count = 2, .cpus = {a, b}, .numbered = numbered};
}

static int pairs_by_class(const struct xb_topology *topology, struct xb_placement *pairs)
{
	int n = 0;

	for (int c = 0; c < XB_PAIR_CLASSES; c++) {
		const struct xb_class_facts *facts = &topology->classes[c];
		if (facts->present)
			pairs[n++] =
			    pair_of((enum xb_class)c, facts->cpus[0], facts->cpus[1], false);
	}
	return n;
}

static int pairs_all(const struct xb_topology *topology, struct xb_placement *pairs)
{
	int pus = xb_topology_pus(topology);
	int n = 0;

	for (int i = 0; i < pus; i++) {
		for (int j = 0; j < pus; j++) {
			hwloc_obj_t a = pu_at(topology, i), b = pu_at(topology, j);
			pairs[n++] = pair_of(class_of(topology, a, b), (int)a->os_index,
					     (int)b->os_index, true);
		}
	}
	return n;
}

/* One item of a list: a class, or "3-7". */
static int pair_from_item(const struct xb_topology *topology, const char *item,
			  struct xb_placement *ret_pair, char *error, size_t error_size)
{
	int class = xb_class_find(item);
	int a, b, used = 0;

	if (class >= 0 && class < XB_PAIR_CLASSES) {
		const struct xb_class_facts *facts = &topology->classes[class];
		if (!facts->present) {
			snprintf(error, error_size, "placement '%s': this machine has none: %s",
				 item, facts->why);
			return -EINVAL;
		}
		*ret_pair = pair_of((enum xb_class) class, facts->cpus[0], facts->cpus[1], false);
		return 0;
	}
	if (sscanf(item, "%d-%d%n", &a, &b, &used) != 2 || item[used] != '\0') {
		snprintf(error, error_size,
			 "placement '%s': neither a class (same_pu, same_l3, ...) nor a pair of "
			 "CPUs (0-1)",
			 item);
		return -EINVAL;
	}
	class = xb_topology_class(topology, a, b);
	if (class < 0) {
		snprintf(error, error_size, "placement '%s': no such CPU, or not allowed here",
			 item);
		return -EINVAL;
	}
	*ret_pair = pair_of((enum xb_class) class, a, b, true);
	return 0;
}

int xb_topology_pairs(const struct xb_topology *topology, const char *choice,
		      struct xb_placement **ret_pairs, char *error, size_t error_size)
{
	size_t pus = (size_t)xb_topology_pus(topology);
	size_t most = pus * pus + XB_PAIR_CLASSES + strlen(choice);
	struct xb_placement *pairs = calloc(most, sizeof(*pairs));
	char *list = strdup(choice);
	int n = 0;

	if (!pairs || !list) {
		free(pairs);
		free(list);
		return -ENOMEM;
	}
	if (strcmp(choice, "classes") == 0) {
		n = pairs_by_class(topology, pairs);
	} else if (strcmp(choice, "all") == 0) {
		n = pairs_all(topology, pairs);
	} else {
		char *save = NULL;
		for (char *item = strtok_r(list, ",", &save); item && n >= 0;
		     item = strtok_r(NULL, ",", &save)) {
			int rc = pair_from_item(topology, item, &pairs[n], error, error_size);
			n = rc < 0 ? rc : n + 1;
		}
		if (n == 0) {
			snprintf(error, error_size, "placement '%s': empty", choice);
			n = -EINVAL;
		}
	}
	free(list);
	if (n < 0)
		free(pairs);
	else
		*ret_pairs = pairs;
	return n;
}

void xb_placement_name(const struct xb_placement *placement, char *text, size_t size)
{
	const char *variant = xb_variant_name(placement->variant);

	if (variant)
		snprintf(text, size, "%s:%s", xb_class_name(placement->class), variant);
	else if (placement->numbered && placement->count == 2)
		snprintf(text, size, "%s:%d-%d", xb_class_name(placement->class),
			 placement->cpus[0], placement->cpus[1]);
	else
		snprintf(text, size, "%s", xb_class_name(placement->class));
}
