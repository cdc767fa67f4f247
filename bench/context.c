/* SPDX-License-Identifier: MIT */
#include "bench/context.h"

#include "bench/peers/python.h"

#include "build.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

const char *xb_version(void)
{
	return XB_BUILD_VERSION;
}

const char *xb_commit(void)
{
	return XB_BUILD_COMMIT;
}

bool xb_sanitized(void)
{
	return XB_BUILD_SANITIZE[0] != '\0';
}

static void utc_now(char text[32])
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void xb_context_start(struct xb_context *context)
{
	utc_now(context->started);
	context->load_before = xb_machine_load();
	context->ticks_before = xb_machine_ticks();
	xb_machine_clock(&context->clock_cost, &context->clock_step);
}

/* Set @key to the first line of @path, if there is one. */
static void set_line(json_t *object, const char *key, const char *path)
{
	char text[512];

	if (xb_machine_line(path, text, sizeof(text)) == 0)
		json_object_set_new(object, key, json_string(text));
}

/* "always [madvise] never": the word in brackets. */
static void set_choice(json_t *object, const char *key, const char *path)
{
	char text[256];

	if (xb_machine_line(path, text, sizeof(text)) < 0)
		return;
	char *open = strchr(text, '['), *close = strchr(text, ']');
	if (open && close > open)
		json_object_set_new(object, key,
				    json_stringn(open + 1, (size_t)(close - open - 1)));
	else
		json_object_set_new(object, key, json_string(text));
}

static json_t *mitigations(void)
{
	static const char dir[] = "/sys/devices/system/cpu/vulnerabilities";
	json_t *all = json_object();
	DIR *list = opendir(dir);
	struct dirent *entry;

	while (list && (entry = readdir(list))) {
		char path[512];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%.200s", dir, entry->d_name);
		set_line(all, entry->d_name, path);
	}
	if (list)
		closedir(list);
	return all;
}

static json_t *caches(hwloc_topology_t hwloc)
{
	static const char *const types[] = {"unified", "data", "instruction"};
	json_t *list = json_array();

	for (hwloc_obj_type_t type = HWLOC_OBJ_L1CACHE; type <= HWLOC_OBJ_L5CACHE; type++) {
		hwloc_obj_t cache = hwloc_get_obj_by_type(hwloc, type, 0);
		if (!cache)
			continue;
		json_array_append_new(
		    list, json_pack("{si ss sI si}", "level", (int)cache->attr->cache.depth, "type",
				    types[cache->attr->cache.type], "bytes",
				    (json_int_t)cache->attr->cache.size, "shared_by",
				    hwloc_bitmap_weight(cache->cpuset)));
	}
	return list;
}

static json_t *host(const struct xb_context *context)
{
	hwloc_topology_t hwloc = context->topology->hwloc;
	struct utsname uts;
	char name[256] = "unknown", cpu[256], os[256] = "unknown", hypervisor[64], synthetic[1024];
	json_t *h = json_object(), *cgroup = json_object();

	gethostname(name, sizeof(name) - 1);
	uname(&uts);
	xb_machine_cpu(cpu, sizeof(cpu));
	FILE *release = fopen("/etc/os-release", "re");
	char line[256];
	while (release && fgets(line, sizeof(line), release))
		if (sscanf(line, "PRETTY_NAME=\"%255[^\"]\"", os) == 1)
			break;
	if (release)
		fclose(release);
	json_object_set_new(h, "name", json_string(name));
	json_object_set_new(h, "os", json_string(os));
	json_object_set_new(h, "kernel", json_string(uts.release));
	json_object_set_new(h, "arch", json_string(uts.machine));
	json_object_set_new(h, "cpu", json_string(cpu));
	int packages = hwloc_get_nbobjs_by_type(hwloc, HWLOC_OBJ_PACKAGE);
	json_object_set_new(h, "packages", json_integer(packages > 0 ? packages : 1));
	json_object_set_new(h, "cores",
			    json_integer(hwloc_get_nbobjs_by_type(hwloc, HWLOC_OBJ_CORE)));
	json_object_set_new(h, "pus", json_integer(xb_topology_pus(context->topology)));
	json_object_set_new(h, "numa_nodes",
			    json_integer(hwloc_get_nbobjs_by_type(hwloc, HWLOC_OBJ_NUMANODE)));
	if (hwloc_topology_export_synthetic(hwloc, synthetic, sizeof(synthetic), 0) > 0)
		json_object_set_new(h, "synthetic", json_string(synthetic));
	json_object_set_new(h, "caches", caches(hwloc));
	json_object_set_new(
	    h, "memory_bytes",
	    json_integer((json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)));
	xb_machine_hypervisor(hypervisor, sizeof(hypervisor));
	if (hypervisor[0])
		json_object_set_new(h, "hypervisor", json_string(hypervisor));
	set_line(h, "governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
	set_line(h, "boost", "/sys/devices/system/cpu/cpufreq/boost");
	set_choice(h, "thp", "/sys/kernel/mm/transparent_hugepage/enabled");
	set_line(h, "clocksource",
		 "/sys/devices/system/clocksource/clocksource0/current_clocksource");
	json_object_set_new(h, "mitigations", mitigations());
	set_line(cgroup, "cpu_max", "/sys/fs/cgroup/cpu.max");
	set_line(cgroup, "memory_max", "/sys/fs/cgroup/memory.max");
	json_object_set_new(h, "cgroup", cgroup);
	return h;
}

static json_t *build(void)
{
	json_t *b = json_pack("{ss ss ss}", "compiler", XB_BUILD_COMPILER, "flags", XB_BUILD_FLAGS,
			      "type", XB_BUILD_TYPE);

	if (xb_sanitized())
		json_object_set_new(b, "sanitize", json_string(XB_BUILD_SANITIZE));
	json_object_set_new(b, "libraries",
			    json_pack("{ss ss ss}", "benchmark", XB_BUILD_BENCHMARK, "hwloc",
				      XB_BUILD_HWLOC, "jansson", JANSSON_VERSION));
	return b;
}

static json_t *noise(const struct xb_context *context)
{
	struct xb_ticks now = xb_machine_ticks();
	double all = now.all - context->ticks_before.all;
	double stolen = now.stolen - context->ticks_before.stolen;

	return json_pack("{sf sf sf sf sf}", "load_before", context->load_before, "load_after",
			 xb_machine_load(), "steal_percent", all > 0 ? 100 * stolen / all : 0.0,
			 "clock_ns", context->clock_cost, "clock_step_ns", context->clock_step);
}

static json_t *placements(const struct xb_topology *topology)
{
	json_t *list = json_array();

	for (int c = 0; c < XB_PAIR_CLASSES; c++) {
		const struct xb_class_facts *facts = &topology->classes[c];
		json_t *entry = json_pack("{ss sb}", "class", xb_class_name((enum xb_class)c),
					  "present", facts->present);
		if (facts->present) {
			json_object_set_new(entry, "cpus",
					    json_pack("[ii]", facts->cpus[0], facts->cpus[1]));
			json_object_set_new(entry, "pairs", json_integer(facts->pairs));
		} else {
			json_object_set_new(entry, "why", json_string(facts->why));
		}
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *not_measured(const struct xb_matrix *matrix)
{
	json_t *list = json_array();

	for (size_t i = 0; i < matrix->absent_count; i++)
		json_array_append_new(list, json_pack("{ss ss}", "what", matrix->absents[i].what,
						      "why", matrix->absents[i].why));
	return list;
}

static json_t *doctor(const struct xb_topology *topology)
{
	struct xb_check checks[XB_CHECKS_MAX];
	size_t n = xb_machine_doctor(topology, checks);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *entry = json_pack("{ss ss ss}", "check", checks[i].check, "state",
					  checks[i].state, "found", checks[i].found);
		if (checks[i].mend[0])
			json_object_set_new(entry, "mend", json_string(checks[i].mend));
		json_array_append_new(list, entry);
	}
	return list;
}

int xb_context_write(const struct xb_context *context, const char *dir, bool complete,
		     bool finished)
{
	char path[4096], temporary[4096 + 8], now[32];
	json_t *argv = json_array();

	for (int i = 0; i < context->argc; i++)
		json_array_append_new(argv, json_string(context->argv[i]));
	json_t *root =
	    json_pack("{si ss ss ss sb so sb sI ss sb}", "schema", 1, "program", "xpbench",
		      "version", xb_version(), "commit", xb_commit(), "dirty", XB_BUILD_DIRTY,
		      "argv", argv, "quick", context->quick, "seed", (json_int_t)context->seed,
		      "started", context->started, "complete", complete);
	if (!root)
		return -ENOMEM;
	if (finished) {
		utc_now(now);
		json_object_set_new(root, "finished", json_string(now));
		json_object_set_new(root, "records",
				    json_pack("{sI sI sI}", "valid",
					      (json_int_t)context->records[XB_VALID], "suspect",
					      (json_int_t)context->records[XB_SUSPECT], "invalid",
					      (json_int_t)context->records[XB_INVALID]));
	}
	json_object_set_new(root, "host", host(context));
	json_object_set_new(root, "build", build());
	json_object_set_new(root, "noise", noise(context));
	if (xb_python_used())
		json_object_set_new(root, "peers",
				    json_pack("{ss}", "cpython", xb_python_used()->version));
	json_object_set_new(root, "placements", placements(context->topology));
	json_object_set_new(root, "not_measured", not_measured(context->matrix));
	json_object_set_new(root, "doctor", doctor(context->topology));
	snprintf(path, sizeof(path), "%s/context.json", dir);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	int rc = json_dump_file(root, temporary, JSON_INDENT(1) | JSON_REAL_PRECISION(10));
	json_decref(root);
	if (rc < 0)
		return -EIO;
	return rename(temporary, path) < 0 ? -errno : 0;
}

int xb_context_topology(const struct xb_context *context, const char *dir)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/topology.xml", dir);
	return hwloc_topology_export_xml(context->topology->hwloc, path, 0) < 0 ? -EIO : 0;
}
