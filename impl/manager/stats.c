/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/stats.h"

#include "xpshare/manager/dispatch.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define SAMPLE_MASK 31u /* gaps of 1 to 32: 16.5 in the mean */

void xp_stats_init(struct xp_stats *stats)
{
	const struct xp_sampler first = {.random = 2463534242u, .left = 1};

	*stats = (struct xp_stats){
	    .started = xp_clock_ns(), .model = "", .serving = first, .waiting = first};
}

/* Random gaps: a client that repeats a round of sixteen calls would always have the same one timed. */
void xp_sampler_rearm(struct xp_sampler *sampler)
{
	uint32_t random = sampler->random; /* xorshift */

	random ^= random << 13;
	random ^= random >> 17;
	random ^= random << 5;
	sampler->random = random;
	sampler->left = 1 + (random & SAMPLE_MASK);
}

/* ---- histograms -------------------------------------------------------------------------------- */

/* The octave of the highest bit, and the two bits below it; below 4 the number itself. */
static unsigned bucket_of(uint64_t ns)
{
	unsigned top;
	unsigned bucket;

	if (ns < 4)
		return (unsigned)ns;
	top = 63 - (unsigned)__builtin_clzll(ns);
	bucket = 4 * (top - 1) + (unsigned)(ns >> (top - 2) & 3);
	return bucket < XP_HISTOGRAM_BUCKETS ? bucket : XP_HISTOGRAM_BUCKETS - 1;
}

/* The longest duration that falls into @bucket. */
static uint64_t bucket_end(unsigned bucket)
{
	if (bucket < 4)
		return bucket;
	return ((UINT64_C(5) + bucket % 4) << (bucket / 4 - 1)) - 1;
}

void xp_histogram_add(struct xp_histogram *histogram, int64_t duration_ns)
{
	uint64_t ns = duration_ns > 0 ? (uint64_t)duration_ns : 0;

	histogram->count++;
	histogram->buckets[bucket_of(ns)]++;
	if (ns > histogram->longest)
		histogram->longest = ns;
}

uint64_t xp_histogram_percentile(const struct xp_histogram *histogram, double percent)
{
	double rank = percent / 100 * (double)histogram->count;
	uint64_t below = 0;

	for (unsigned i = 0; i < XP_HISTOGRAM_BUCKETS; i++) {
		below += histogram->buckets[i];
		/* The last bucket has no end. */
		if (below > 0 && (double)below >= rank)
			return i + 1 < XP_HISTOGRAM_BUCKETS && bucket_end(i) < histogram->longest
				   ? bucket_end(i)
				   : histogram->longest;
	}
	return histogram->longest;
}

/* ---- as a value -------------------------------------------------------------------------------- */

/* A dict under construction: one failure, and the whole comes to nothing. */
struct table {
	struct xp_datum_arena *arena;
	struct xp_datum *dict;
	bool failed;
};

static struct table table_in(struct xp_datum_arena *arena)
{
	return (struct table){.arena = arena, .dict = xp_datum_dict(arena)};
}

static void put(struct table *table, const char *name, const struct xp_datum *value)
{
	const struct xp_datum *key = xp_datum_str(table->arena, name);

	if (!table->dict || !key || !value ||
	    xp_datum_set_item(table->arena, table->dict, key, value) < 0)
		table->failed = true;
}

static void put_count(struct table *table, const char *name, uint64_t count)
{
	put(table, name, xp_datum_uint(table->arena, count));
}

static void put_table(struct table *table, const char *name, const struct table *inner)
{
	put(table, name, inner->failed ? NULL : inner->dict);
}

static void put_server(struct table *all, const struct xp_dispatch *dispatch)
{
	struct table table = table_in(all->arena);
	int64_t uptime = xp_clock_ns() - dispatch->stats.started;

	put_count(&table, "pid", (uint64_t)getpid());
	put(&table, "model", xp_datum_str(all->arena, dispatch->stats.model));
	put(&table, "incarnation", xp_datum_str(all->arena, dispatch->incarnation));
	put(&table, "uptime_s", xp_datum_float(all->arena, (double)uptime / (double)XP_NS_PER_SEC));
	put_table(all, "server", &table);
}

static void put_clients(struct table *all, const struct xp_stats *stats)
{
	struct table table = table_in(all->arena);

	put_count(&table, "now", stats->clients);
	put_count(&table, "most", stats->clients_most);
	put_count(&table, "limit", stats->clients_limit);
	put_count(&table, "rings", stats->rings);
	put_table(all, "clients", &table);
}

static void put_connections(struct table *all, const struct xp_stats *stats)
{
	static const char *const names[] = {
#define X(name, NAME) [XP_REFUSAL_##NAME] = #name,
	    XP_REFUSAL_MAP(X)
#undef X
	};
	struct table table = table_in(all->arena);
	struct table refused = table_in(all->arena);

	put_count(&table, "accepted", stats->connections);
	for (size_t i = 0; i < XP_REFUSAL_COUNT; i++)
		put_count(&refused, names[i], stats->refused[i]);
	put_table(&table, "refused", &refused);
	put_table(all, "connections", &table);
}

static void put_objects(struct table *all, const struct xp_dispatch *dispatch)
{
	struct table table = table_in(all->arena);
	struct table typeids = table_in(all->arena);
	const struct xp_type_entry *entry = NULL;

	put_count(&table, "now", dispatch->objects);
	put_count(&table, "made", dispatch->objects_made);
	put_count(&table, "limit", dispatch->limits.objects);
	while ((entry = xp_registry_next(dispatch->registry, entry))) {
		if (dispatch->type_objects[entry->index] > 0)
			put_count(&typeids, entry->name, dispatch->type_objects[entry->index]);
	}
	put_table(&table, "typeids", &typeids);
	put_table(all, "objects", &table);
}

/* Of each typeid the methods that have been called. */
static void put_methods(struct table *table, const struct xp_dispatch *dispatch)
{
	struct table typeids = table_in(table->arena);
	const struct xp_type_entry *entry = NULL;

	while ((entry = xp_registry_next(dispatch->registry, entry))) {
		const struct xp_typeid *type = entry->as.type;
		const uint64_t *counts = &dispatch->method_calls[entry->first_method];
		struct table methods = table_in(table->arena);

		for (size_t i = 0; i < type->method_count; i++) {
			if (counts[i] > 0)
				put_count(&methods, type->methods[i].name, counts[i]);
		}
		/* What no list names: #GETVALUE, __str__ and __repr__, and what is not there. */
		if (counts[type->method_count] > 0)
			put_count(&methods, "(fallback)", counts[type->method_count]);
		if (methods.failed || !methods.dict || methods.dict->count > 0)
			put_table(&typeids, entry->name, &methods);
	}
	put_table(table, "methods", &typeids);
}

static void put_calls(struct table *all, const struct xp_dispatch *dispatch)
{
	const struct xp_stats *stats = &dispatch->stats;
	struct table table = table_in(all->arena);
	struct table functions = table_in(all->arena);
	const char *name;

	put_count(&table, "total", stats->calls);
	put_count(&table, "errors", stats->errors);
	put_count(&table, "waited", stats->parked);
	put_count(&table, "abandoned", stats->abandoned);
	for (size_t i = 0; (name = xp_dispatch_function_name(i)); i++) {
		if (stats->functions[i] > 0)
			put_count(&functions, name, stats->functions[i]);
	}
	put_table(&table, "functions", &functions);
	put_methods(&table, dispatch);
	put_table(all, "calls", &table);
}

static void put_histogram(struct table *latency, const char *name,
			  const struct xp_histogram *histogram)
{
	struct table table = table_in(latency->arena);

	put_count(&table, "samples", histogram->count);
	put_count(&table, "p50_ns", xp_histogram_percentile(histogram, 50));
	put_count(&table, "p90_ns", xp_histogram_percentile(histogram, 90));
	put_count(&table, "p99_ns", xp_histogram_percentile(histogram, 99));
	put_count(&table, "p999_ns", xp_histogram_percentile(histogram, 99.9));
	put_count(&table, "longest_ns", histogram->longest);
	put_table(latency, name, &table);
}

/* Resident memory; 0 where there is no descriptor left to ask with. */
static uint64_t resident_bytes(void)
{
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	unsigned long pages = 0;
	char text[128];
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	xp_io_close(fd);
	if (size <= 0)
		return 0;
	text[size] = '\0';
	if (sscanf(text, "%*u %lu", &pages) != 1)
		return 0;
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_memory(struct table *all, const struct xp_dispatch *dispatch)
{
	struct table table = table_in(all->arena);
	uint64_t resident = resident_bytes();
	struct rusage usage = {0};

	/* Of one's own process it cannot fail. */
	(void)getrusage(RUSAGE_SELF, &usage);
	put_count(&table, "kept_bytes", dispatch->memory);
	put_count(&table, "limit_bytes", dispatch->limits.memory);
	put(&table, "resident_bytes",
	    resident ? xp_datum_uint(all->arena, resident) : xp_datum_none());
	put_count(&table, "peak_bytes", (uint64_t)usage.ru_maxrss << 10);
	put_table(all, "memory", &table);
}

const struct xp_datum *xp_stats_value(struct xp_call *call)
{
	const struct xp_dispatch *dispatch = call->dispatch;
	const struct xp_stats *stats = &dispatch->stats;
	struct table all = table_in(call->arena);
	struct table bytes = table_in(call->arena);
	struct table latency = table_in(call->arena);

	put_server(&all, dispatch);
	put_clients(&all, stats);
	put_connections(&all, stats);
	put_objects(&all, dispatch);
	put_calls(&all, dispatch);
	put_count(&bytes, "received_bytes", stats->received);
	put_count(&bytes, "sent_bytes", stats->sent);
	put_table(&all, "traffic", &bytes);
	put_histogram(&latency, "served", &stats->served);
	put_histogram(&latency, "waited", &stats->waited);
	put_table(&all, "latency", &latency);
	put_memory(&all, dispatch);
	return all.failed ? NULL : all.dict;
}
