/* SPDX-License-Identifier: MIT */
/* The record of a case: the fields of results/FORMAT.md, from the figures of its repetitions. */
#include "bench/context.h"
#include "bench/stats.h"
#include "bench/suite.h"

#include <math.h>
#include <string.h>

#define CONFIDENCE 0.95

static void set_real(json_t *record, const char *key, double value)
{
	if (!isfinite(value))
		return;
	/* A whole number is written as one: easier to read, and exact. */
	if (value == floor(value) && fabs(value) < 1e15)
		json_object_set_new(record, key, json_integer((json_int_t)value));
	else
		json_object_set_new(record, key, json_real(value));
}

static json_t *number(double value)
{
	return value == floor(value) && fabs(value) < 1e15 ? json_integer((json_int_t)value)
							   : json_real(value);
}

static json_t *params_of(const struct xb_case *c)
{
	json_t *params = json_object();

	for (int i = 0; i < XB_PARAMS; i++) {
		const struct xb_value *v = &c->param[i];
		if (v->set)
			json_object_set_new(params, xb_param_name((enum xb_param)i),
					    v->text ? json_string(v->text)
						    : json_integer(v->number));
	}
	return params;
}

static json_t *placement_of(const struct xb_entry *entry)
{
	const struct xb_placement *where = &entry->c->placement;
	json_t *cpus = json_array();

	for (int i = 0; i < where->count && where->class != XB_ANY; i++)
		json_array_append_new(cpus, json_integer(where->cpus[i]));
	json_t *p = json_pack("{ss so}", "class", xb_class_name(where->class), "cpus", cpus);
	if (xb_variant_name(where->variant))
		json_object_set_new(p, "variant", json_string(xb_variant_name(where->variant)));
	/* The leader maps and the first member touches: the pages lie at home of that member. */
	int node = xb_topology_node(entry->suite->matrix->topology, where->cpus[0]);
	if (node >= 0 && where->class != XB_ANY) {
		json_object_set_new(p, "memory_node", json_integer(node));
		json_object_set_new(p, "memory_home", json_string("first_touch"));
	}
	return p;
}

static void set_percentiles(json_t *record, const struct xb_hist *hist)
{
	static const struct {
		const char *key;
		double at;
	} points[] = {
	    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"p9999", 0.9999}};

	if (!hist || hist->total == 0)
		return;
	for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++)
		if (xb_hist_states(hist, points[i].at))
			set_real(record, points[i].key, (double)xb_hist_at(hist, points[i].at));
	set_real(record, "min", (double)hist->min);
	set_real(record, "max", (double)hist->max);
}

/* The median of the paired ratios, or of their inverses. Return: whether there were any. */
static bool set_paired(json_t *object, const struct xb_beside *beside, bool inverse)
{
	if (beside->count == 0)
		return false;
	struct xb_interval ci = xb_interval_of(beside->ratios, beside->count, CONFIDENCE);
	json_object_set_new(object, "ratio", json_real(inverse ? 1 / ci.median : ci.median));
	json_object_set_new(object, "paired", json_integer((json_int_t)beside->count));
	json_object_set_new(
	    object, "ratio_ci",
	    json_pack("[ff]", inverse ? 1 / ci.hi : ci.lo, inverse ? 1 / ci.lo : ci.hi));
	return true;
}

/* How many times worse than the floor, so that 1 is the limit in both directions. */
static json_t *floor_of(const struct xb_entry *entry, const struct xb_entry *floor)
{
	bool higher = xb_metric_higher(entry->c->workload->metric);
	const char *unit = xb_metric_unit(floor->c->workload->metric);
	double mine = entry->value;

	/* Items of a fixed size against a limit in bytes. */
	if (strcmp(unit, "bytes/s") == 0 && entry->c->workload->metric == XB_METRIC_ITEMS)
		mine *= (double)xb_case_number(entry->c, XB_SIZE, 1);
	else if (strcmp(unit, xb_metric_unit(entry->c->workload->metric)) != 0)
		return NULL;
	json_t *limit = json_pack("{ss so ss}", "name", floor->c->name, "value",
				  number(floor->value), "unit", unit);
	if (!set_paired(limit, &entry->beside[0], false))
		json_object_set_new(limit, "ratio",
				    json_real(higher ? floor->value / mine : mine / floor->value));
	return limit;
}

/* What was run beside it to be compared: the quotient of the values, paired. */
static json_t *rivals_of(const struct xb_entry *entry)
{
	json_t *rivals = json_array();

	for (int i = 1; i < XB_BESIDES; i++) {
		const struct xb_beside *beside = &entry->beside[i];
		json_t *rival = beside->c ? json_pack("{ss}", "name", beside->c->name) : NULL;
		if (rival &&
		    set_paired(rival, beside, xb_metric_higher(entry->c->workload->metric)))
			json_array_append(rivals, rival);
		json_decref(rival);
	}
	return rivals;
}

struct sums {
	double ops, bytes, ns, span_ns, cpu_s, server_cpu_s, fairness;
	double voluntary, involuntary, faults;
	double steal;
	bool moved;
};

static struct sums sum_up(const struct xb_entry *entry)
{
	struct sums s = {0};

	for (size_t i = 0; i < entry->call_count; i++) {
		const struct xb_figures *f = &entry->calls[i];
		s.ops += (double)f->ops;
		s.bytes += (double)f->bytes;
		s.ns += f->total_ns;
		s.span_ns += f->span_ns;
		s.cpu_s += f->cpu_s;
		s.server_cpu_s += f->server_cpu_s;
		s.fairness += f->fairness / (double)entry->call_count;
		s.voluntary += (double)f->switches_voluntary;
		s.involuntary += (double)f->switches_involuntary;
		s.faults += (double)f->faults_minor;
		s.steal += f->steal / (double)entry->call_count;
		s.moved |= f->moved;
	}
	return s;
}

static struct xb_verdict judge(const struct xb_entry *entry, const struct sums *sums,
			       const struct xb_interval *interval)
{
	struct xb_evidence evidence = {
	    .repetitions = entry->run_count,
	    .wanted = entry->suite->plan.repetitions,
	    .failed = entry->failed,
	    .failure = entry->error,
	    .moved = sums->moved,
	    .steal = sums->steal,
	    .busy_s = sums->span_ns / 1e9 * entry->c->placement.count,
	    .preemptions = sums->involuntary,
	    .crowded = entry->c->placement.variant == XB_OVERSUBSCRIBED ||
		       entry->c->placement.class == XB_SAME_PU,
	    .spread = (interval->hi - interval->lo) / 2 / interval->median,
	    .sanitized = xb_sanitized(),
	};

	return xb_audit(&evidence);
}

json_t *xb_record_of(const struct xb_entry *entry, const struct xb_entry *floor,
		     struct xb_verdict *ret_verdict)
{
	const struct xb_case *c = entry->c;
	const struct xb_workload *w = c->workload;
	struct xb_interval ci = xb_interval_of(entry->runs, entry->run_count, CONFIDENCE);
	struct sums sums = sum_up(entry);
	struct xb_verdict verdict = judge(entry, &sums, &ci);
	json_t *runs = json_array(), *why = json_array();
	char command[XB_NAME_MAX + 256];

	for (size_t i = 0; i < entry->run_count; i++)
		json_array_append_new(runs, number(entry->runs[i]));
	for (size_t i = 0; i < verdict.reasons; i++)
		json_array_append_new(why, json_string(verdict.why[i]));
	snprintf(command, sizeof(command), "%s --placement=%s --benchmark_filter='^%s$'",
		 entry->suite->plan.program, entry->suite->plan.placement, c->name);

	json_t *r = json_pack("{si ss ss ss ss ss ss so so ss ss ss}", "schema", 1, "name", c->name,
			      "workload", w->name, "kind", c->kind, "impl", c->impl_name, "role",
			      xb_role_name(c->role), "carrier",
			      c->carrier == XP_CARRIER_THREAD ? "thread" : "process", "params",
			      params_of(c), "placement", placement_of(entry), "metric",
			      xb_metric_name(w->metric), "unit", xb_metric_unit(w->metric),
			      "better", xb_metric_higher(w->metric) ? "higher" : "lower");
	if (c->impl)
		json_object_set_new(r, "scope", json_string(xp_scope_name(c->impl->scope)));
	else if (strcmp(c->kind, "manager") == 0)
		json_object_set_new(r, "scope", json_string(xp_scope_name(XP_SCOPE_MANAGED)));
	set_real(r, "value", ci.median);
	json_object_set_new(r, "ci", json_pack("[oo]", number(ci.lo), number(ci.hi)));
	set_real(r, "ci_level", ci.level);
	json_object_set_new(r, "runs", runs);
	set_real(r, "repetitions", (double)entry->run_count);
	set_real(r, "samples", sums.ops);
	set_percentiles(r, entry->hist);
	/* By the value, not by the clock: the two must not tell different stories. */
	if (w->metric == XB_METRIC_ITEMS && sums.bytes > 0 && sums.ops > 0)
		set_real(r, "bytes_per_s", round(ci.median * sums.bytes / sums.ops));
	if (w->metric == XB_METRIC_RESPONSE && sums.ns > 0) {
		set_real(r, "rate_wanted", (double)xb_case_number(c, XB_RATE, 0));
		set_real(r, "rate_achieved", round(sums.ops / (sums.ns / 1e9)));
	}
	json_t *limit = floor ? floor_of(entry, floor) : NULL;
	if (limit)
		json_object_set_new(r, "floor", limit);
	json_t *rivals = rivals_of(entry);
	if (json_array_size(rivals) > 0)
		json_object_set(r, "rivals", rivals);
	json_decref(rivals);
	if (sums.fairness > 0)
		set_real(r, "fairness", sums.fairness);
	if (sums.ops > 0 && !w->driven)
		set_real(r, "cpu_s_per_op", (sums.cpu_s + sums.server_cpu_s) / sums.ops);
	if (sums.ops > 0 && sums.server_cpu_s > 0)
		set_real(r, "server_cpu_s_per_op", sums.server_cpu_s / sums.ops);
	if (entry->counted && entry->syscalls >= 0)
		set_real(r, "syscalls_per_op", entry->syscalls);
	set_real(r, "ctxt_voluntary", sums.voluntary);
	set_real(r, "ctxt_involuntary", sums.involuntary);
	set_real(r, "faults_minor", sums.faults);
	json_object_set_new(r, "valid", json_string(xb_validity_name(verdict.validity)));
	json_object_set_new(r, "why", why);
	json_object_set_new(r, "command", json_string(command));
	set_real(r, "seconds", round(entry->seconds * 1000) / 1000);
	*ret_verdict = verdict;
	return r;
}
