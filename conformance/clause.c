/* SPDX-License-Identifier: MIT */
#include "conformance/clause.h"

#include <fnmatch.h>
#include <string.h>

#define XC_CLAUSE(id, level, text, source) {#id, XC_##level, text, source},
static const struct xc_clause clauses[] = {
/* clang-format off: one line a family */
#include "conformance/clauses/value.def"
#include "conformance/clauses/array.def"
#include "conformance/clauses/pipe.def"
#include "conformance/clauses/queue.def"
#include "conformance/clauses/joinable.def"
#include "conformance/clauses/lock.def"
#include "conformance/clauses/rlock.def"
#include "conformance/clauses/semaphore.def"
#include "conformance/clauses/bounded.def"
#include "conformance/clauses/condition.def"
#include "conformance/clauses/event.def"
#include "conformance/clauses/barrier.def"
#include "conformance/clauses/list.def"
#include "conformance/clauses/dict.def"
#include "conformance/clauses/namespace.def"
#include "conformance/clauses/shm.def"
#include "conformance/clauses/inherit.def"
#include "conformance/clauses/manager.def"
    /* clang-format on */
};
#undef XC_CLAUSE

const struct xc_clause *xc_clause_at(size_t index)
{
	return index < sizeof(clauses) / sizeof(clauses[0]) ? &clauses[index] : NULL;
}

const struct xc_clause *xc_clause_find(const char *id)
{
	for (size_t i = 0; i < sizeof(clauses) / sizeof(clauses[0]); i++) {
		if (strcmp(clauses[i].id, id) == 0)
			return &clauses[i];
	}
	return NULL;
}

bool xc_clause_in(const char *id, const char *family)
{
	size_t length = strlen(family);

	return strncmp(id, family, length) == 0 && id[length] == '.';
}

bool xc_clause_matches(const char *id, const char *pattern)
{
	if (!strpbrk(pattern, ".*?["))
		return xc_clause_in(id, pattern);
	return fnmatch(pattern, id, 0) == 0;
}

const char *xc_level_name(enum xc_level level)
{
	return level == XC_MUST ? "MUST" : "SHOULD";
}
