/* SPDX-License-Identifier: MIT */
/* The tables agree: every case has a clause, every clause that must hold has a case. */
#include "conformance/case.h"

#include <criterion/criterion.h>
#include <string.h>

Test(tables, every_case_names_a_clause_and_is_unique)
{
	for (size_t i = 0; xc_case_at(i); i++) {
		const struct xc_case *test = xc_case_at(i);
		cr_expect(xc_clause_find(test->clause), "%s/%s: no such clause", test->clause,
			  test->name);
		cr_expect_neq(test->kinds, 0, "%s/%s applies to no kind", test->clause, test->name);
		cr_expect(test->run, "%s/%s does nothing", test->clause, test->name);
		for (size_t n = 0; n < i; n++) {
			const struct xc_case *other = xc_case_at(n);
			cr_expect(strcmp(test->clause, other->clause) ||
				      strcmp(test->name, other->name),
				  "%s/%s stands there twice", test->clause, test->name);
		}
	}
}

Test(tables, every_clause_has_a_case)
{
	for (size_t c = 0; xc_clause_at(c); c++) {
		int cases = 0;
		for (size_t i = 0; xc_case_at(i); i++)
			cases += strcmp(xc_case_at(i)->clause, xc_clause_at(c)->id) == 0;
		cr_expect_gt(cases, 0, "%s has no case", xc_clause_at(c)->id);
	}
}

Test(tables, a_pattern_is_a_clause_a_family_or_a_wildcard)
{
	cr_expect(xc_clause_matches("lock.try", "lock.try"));
	cr_expect(xc_clause_matches("lock.try", "lock"));
	cr_expect(xc_clause_matches("lock.try", "l*.t?y"));
	cr_expect(!xc_clause_matches("lock.try", "lo"));
	cr_expect(!xc_clause_matches("rlock.owner", "lock"));
	cr_expect(!xc_clause_matches("lock.try", "lock.tr"));
}
