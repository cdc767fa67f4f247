/* SPDX-License-Identifier: MIT */
#include "conformance/report.h"

#include "commit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *time_of(time_t when)
{
	struct tm tm;
	char text[32];

	gmtime_r(&when, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static json_t *capabilities_of(unsigned caps)
{
	json_t *list = json_array();

	for (unsigned bit = 1; bit; bit <<= 1) {
		if (caps & bit)
			json_array_append_new(list, json_string(xc_capability_name(bit)));
	}
	return list;
}

static json_t *implementation(const struct xc_iut *iut)
{
	json_t *object = json_object();

	json_object_set_new(object, "name", json_string(iut->name));
	json_object_set_new(object, "kind",
			    json_string(iut->impl ? xp_kind_name(iut->impl->kind) : "manager"));
	json_object_set_new(object, "scope", json_string(xp_scope_name(iut->scope)));
	json_object_set_new(object, "role", json_string(iut->peer ? "peer" : "subject"));
	if (iut->version)
		json_object_set_new(object, "version", json_string(iut->version));
	json_object_set_new(object, "capabilities", capabilities_of(iut->caps));
	return object;
}

static void set_clause(json_t *object, const struct xc_clause *clause)
{
	json_object_set_new(object, "level", json_string(xc_level_name(clause->level)));
	json_object_set_new(object, "text", json_string(clause->text));
	json_object_set_new(object, "source", json_string(clause->source));
}

static json_t *result(const struct xc_ruling *ruling, enum xp_carrier carrier)
{
	json_t *object = json_object();

	json_object_set_new(object, "clause", json_string(ruling->clause->id));
	json_object_set_new(object, "impl", json_string(ruling->iut->name));
	set_clause(object, ruling->clause);
	json_object_set_new(object, "verdict", json_string(xc_verdict_name(ruling->verdict)));
	if (ruling->entry) {
		const char *detail = ruling->entry->outcome.detail;
		json_object_set_new(object, "case", json_string(ruling->entry->test->name));
		json_object_set_new(
		    object, "carrier",
		    json_string(carrier == XP_CARRIER_PROCESS ? "process" : "thread"));
		/* A detail may quote bytes that are no UTF-8; json_string() then gives NULL. */
		json_t *text = json_string(detail);
		if (detail[0])
			json_object_set_new(object, "detail",
					    text ? text : json_string("(not printable)"));
		else
			json_decref(text);
		json_object_set_new(object, "seconds", json_real(ruling->seconds));
	}
	return object;
}

static json_t *document(const struct xc_plan *plan, const struct xc_run_facts *facts)
{
	json_t *root = json_object(), *argv = json_array(), *impls = json_array();
	json_t *clauses = json_array(), *results = json_array();

	for (int i = 0; i < facts->argc; i++)
		json_array_append_new(argv, json_string(facts->argv[i]));
	for (size_t i = 0; i < plan->iuts_count; i++) {
		for (size_t r = 0; r < plan->rulings_count; r++) {
			if (plan->rulings[r].iut == &plan->iuts[i]) {
				json_array_append_new(impls, implementation(&plan->iuts[i]));
				break;
			}
		}
	}
	for (size_t c = 0; xc_clause_at(c); c++) {
		json_t *clause = json_object();
		json_object_set_new(clause, "id", json_string(xc_clause_at(c)->id));
		set_clause(clause, xc_clause_at(c));
		json_array_append_new(clauses, clause);
	}
	for (size_t r = 0; r < plan->rulings_count; r++)
		json_array_append_new(results, result(&plan->rulings[r], facts->carrier));
	json_object_set_new(root, "schema", json_integer(1));
	json_object_set_new(root, "program", json_string("xpconform"));
	json_object_set_new(root, "version", json_string(XC_VERSION));
	json_object_set_new(root, "commit", json_string(XC_COMMIT));
	json_object_set_new(root, "argv", argv);
	json_object_set_new(root, "started", time_of(facts->started));
	json_object_set_new(root, "finished", time_of(facts->finished));
	json_object_set_new(root, "complete", json_boolean(!plan->interrupted));
	json_object_set_new(root, "implementations", impls);
	json_object_set_new(root, "clauses", clauses);
	json_object_set_new(root, "results", results);
	return root;
}

int xc_report_json(const char *path, const struct xc_plan *plan, const struct xc_run_facts *facts)
{
	char *temporary = NULL;
	int rc = 0;

	if (asprintf(&temporary, "%s.%d", path, getpid()) < 0)
		return -ENOMEM;
	json_t *root = document(plan, facts);
	FILE *out = fopen(temporary, "we");
	if (!out)
		rc = -errno;
	if (out && json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) < 0)
		rc = -EIO;
	if (out && fclose(out) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(temporary);
	json_decref(root);
	free(temporary);
	return rc;
}
