/* SPDX-License-Identifier: MIT */
/* The chooser is tested on machines that nobody here owns: hwloc makes them from a description. */
#include "bench/topology.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct xb_topology machine(const char *synthetic)
{
	struct xb_topology topology;

	cr_assert_eq(xb_topology_open(&topology, synthetic), 0, "%s", synthetic);
	return topology;
}

static bool has(const struct xb_topology *topology, enum xb_class class)
{
	return topology->classes[class].present;
}

static int pairs_total(const struct xb_topology *topology)
{
	int n = 0;

	for (int c = 0; c < XB_PAIR_CLASSES; c++)
		n += topology->classes[c].pairs;
	return n;
}

Test(topology, a_plain_laptop_has_smt_and_a_shared_l3)
{
	struct xb_topology t = machine("package:1 l3:1 l2:4 core:1 pu:2");

	cr_expect(has(&t, XB_SAME_PU));
	cr_expect(has(&t, XB_SMT));
	cr_expect(has(&t, XB_SAME_L3));
	cr_expect_not(has(&t, XB_SAME_L2));
	cr_expect_not(has(&t, XB_SAME_PACKAGE));
	cr_expect_not(has(&t, XB_CROSS_PACKAGE));
	cr_expect_not_null(t.classes[XB_CROSS_PACKAGE].why);
	cr_expect_eq(pairs_total(&t), 8 * 8);
	cr_expect_eq(t.classes[XB_SMT].pairs, 8);
	xb_topology_close(&t);
}

Test(topology, the_representative_leaves_the_first_pu_alone_where_it_can)
{
	struct xb_topology t = machine("package:1 l3:1 l2:4 core:1 pu:2");

	cr_expect_neq(t.classes[XB_SAME_L3].cpus[0], 0);
	cr_expect_neq(t.classes[XB_SMT].cpus[0], 0);
	xb_topology_close(&t);

	/* Two PUs: there is no other pair. */
	t = machine("package:1 l3:1 l2:2 core:1 pu:1");
	cr_expect_eq(t.classes[XB_SAME_L3].cpus[0], 0);
	cr_expect_eq(t.classes[XB_SAME_L3].cpus[1], 1);
	xb_topology_close(&t);
}

Test(topology, clusters_that_share_an_l2_are_a_class)
{
	struct xb_topology t = machine("package:1 l3:1 l2:2 core:4 pu:1");

	cr_expect(has(&t, XB_SAME_L2));
	cr_expect_eq(t.classes[XB_SAME_L2].pairs, 2 * 4 * 3);
	cr_expect_eq(t.classes[XB_SAME_L3].pairs, 2 * 4 * 4);
	xb_topology_close(&t);
}

Test(topology, several_l3_in_a_package_give_same_package)
{
	struct xb_topology t = machine("package:1 l3:8 l2:8 core:1 pu:2");

	cr_expect(has(&t, XB_SAME_PACKAGE));
	cr_expect_eq(pairs_total(&t), 128 * 128);
	int a = t.classes[XB_SAME_PACKAGE].cpus[0], b = t.classes[XB_SAME_PACKAGE].cpus[1];
	cr_expect_neq(a / 16, b / 16, "%d and %d share an L3", a, b);
	xb_topology_close(&t);
}

Test(topology, two_packages_with_two_nodes_each)
{
	struct xb_topology t = machine("package:2 numa:2 l3:1 l2:4 core:1 pu:1");

	cr_expect(has(&t, XB_CROSS_NUMA));
	cr_expect(has(&t, XB_CROSS_PACKAGE));
	cr_expect_not(has(&t, XB_SAME_NUMA));
	cr_expect_not(has(&t, XB_SMT));
	cr_expect_eq(t.classes[XB_CROSS_PACKAGE].pairs, 2 * 8 * 8);
	cr_expect_eq(t.classes[XB_CROSS_NUMA].pairs, 2 * 2 * 4 * 4);
	cr_expect_eq(xb_topology_node(&t, 0), 0);
	cr_expect_eq(xb_topology_node(&t, 15), 3);
	xb_topology_close(&t);
}

Test(topology, virtual_cpus_as_packages_of_one_node_are_same_numa)
{
	struct xb_topology t = machine("numa:1 package:4 core:1 pu:1");

	cr_expect(has(&t, XB_SAME_NUMA));
	cr_expect_not(has(&t, XB_CROSS_PACKAGE));
	xb_topology_close(&t);
}

Test(topology, one_cpu_has_one_class_and_says_why)
{
	struct xb_topology t = machine("package:1 core:1 pu:1");

	cr_expect(has(&t, XB_SAME_PU));
	for (int c = XB_SMT; c < XB_PAIR_CLASSES; c++) {
		cr_expect_not(has(&t, (enum xb_class)c));
		cr_expect_str_eq(t.classes[c].why, "this process may use one PU only");
	}
	xb_topology_close(&t);
}

Test(topology, many_members_lie_near_or_far_or_on_top_of_each_other)
{
	struct xb_topology t = machine("package:2 numa:1 l3:1 l2:4 core:1 pu:2");
	struct xb_placement p;

	cr_assert_eq(xb_topology_plan(&t, 4, XB_COMPACT, &p), 0);
	cr_expect_eq(p.count, 4);
	cr_expect_eq(p.class, XB_SAME_L3);
	cr_assert_eq(xb_topology_plan(&t, 4, XB_SPREAD, &p), 0);
	cr_expect_eq(p.class, XB_CROSS_PACKAGE);
	for (int i = 0; i < 4; i++)
		for (int j = i + 1; j < 4; j++)
			cr_expect_neq(p.cpus[i] / 2, p.cpus[j] / 2, "members share a core");
	cr_assert_eq(xb_topology_plan(&t, 64, XB_COMPACT, &p), 0);
	cr_expect_eq(p.variant, XB_OVERSUBSCRIBED);
	cr_expect_eq(xb_topology_plan(&t, 2, XB_COMPACT, &p), -EINVAL);
	cr_expect_eq(xb_topology_plan(&t, XB_MEMBERS_MAX + 1, XB_COMPACT, &p), -EINVAL);
	xb_topology_close(&t);
}

Test(topology, a_choice_of_pairs_is_what_was_asked_or_a_clear_error)
{
	struct xb_topology t = machine("package:1 l3:2 l2:4 core:1 pu:1");
	struct xb_placement *pairs = NULL;
	char error[200] = "", name[64];

	cr_expect_eq(xb_topology_pairs(&t, "classes", &pairs, error, sizeof(error)), 3);
	free(pairs);
	cr_expect_eq(xb_topology_pairs(&t, "all", &pairs, error, sizeof(error)), 64);
	free(pairs);
	cr_assert_eq(xb_topology_pairs(&t, "same_l3,0-7", &pairs, error, sizeof(error)), 2);
	xb_placement_name(&pairs[0], name, sizeof(name));
	cr_expect_str_eq(name, "same_l3");
	xb_placement_name(&pairs[1], name, sizeof(name));
	cr_expect_str_eq(name, "same_package:0-7");
	free(pairs);

	static const char *const wrong[] = {"smt", "0-8", "0", "moon", "", ",", "0-1x", "single"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		error[0] = '\0';
		cr_expect_eq(xb_topology_pairs(&t, wrong[i], &pairs, error, sizeof(error)), -EINVAL,
			     "'%s'", wrong[i]);
		cr_expect_neq(error[0], '\0');
	}
	xb_topology_close(&t);
}

Test(topology, a_description_that_makes_no_sense_is_refused)
{
	struct xb_topology t;

	cr_expect_eq(xb_topology_open(&t, "package:x"), -EINVAL);
}

Test(topology, this_machine_has_at_least_itself)
{
	struct xb_topology t = machine(NULL);

	cr_expect(has(&t, XB_SAME_PU));
	cr_expect_geq(xb_topology_pus(&t), 1);
	cr_expect_eq(pairs_total(&t), xb_topology_pus(&t) * xb_topology_pus(&t));
	xb_topology_close(&t);
}
