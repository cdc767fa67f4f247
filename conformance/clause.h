/* SPDX-License-Identifier: MIT */
/*
 * clause - the specification as data
 *
 * Overview      A clause is one sentence that an implementation must (MUST) or should (SHOULD) make
 *               true, with the place that demands it. The files clauses/<family>.def hold them, one a
 *               line, and nothing else does: every table, report and lint reads those lines.
 * Names         "<family>.<what>", stable, never positional. A family is a kind of object, or one of
 *               shm, inherit (the scopes) and manager (a server process as a whole).
 */
#ifndef CONFORMANCE_CLAUSE_H
#define CONFORMANCE_CLAUSE_H

#include <stdbool.h>
#include <stddef.h>

enum xc_level { XC_MUST, XC_SHOULD };

struct xc_clause {
	const char *id;
	enum xc_level level;
	const char *text;
	const char *source;
};

/** xc_clause_at() - The clause at @index in the order of the files, NULL past the end. */
const struct xc_clause *xc_clause_at(size_t index);

/** xc_clause_find() - The clause with that id, or NULL. */
const struct xc_clause *xc_clause_find(const char *id);

/** xc_clause_in() - Whether the clause @id belongs to @family ("lock" for "lock.deadline"). */
bool xc_clause_in(const char *id, const char *family);

/**
 * xc_clause_matches() - Whether @pattern selects the clause @id.
 *
 * A pattern is a shell wildcard over the whole id; one without a dot or wildcard is a family.
 */
bool xc_clause_matches(const char *id, const char *pattern);

/** xc_level_name() - "MUST" or "SHOULD". */
const char *xc_level_name(enum xc_level level);

#endif
