/* SPDX-License-Identifier: MIT */
#include "bench/machine.h"

#include "bench/stats.h"
#include "bench/workload.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How long the doctor listens to the machine. */
#define LISTEN_MS 500

int xb_machine_line(const char *path, char *text, size_t size)
{
	FILE *in = fopen(path, "re");

	if (!in)
		return -errno;
	char *got = fgets(text, (int)size, in);
	fclose(in);
	if (!got)
		return -ENODATA;
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

/* The value of "key : value" in /proc/cpuinfo, of the first processor. */
static int cpuinfo(const char *key, char *text, size_t size)
{
	FILE *in = fopen("/proc/cpuinfo", "re");
	static char line[8192];
	int rc = -ENODATA;

	while (in && rc < 0 && fgets(line, sizeof(line), in)) {
		char *colon = strchr(line, ':');
		if (!colon || strncmp(line, key, strlen(key)) != 0)
			continue;
		colon[strcspn(colon, "\n")] = '\0';
		snprintf(text, size, "%s", colon[1] == ' ' ? colon + 2 : colon + 1);
		rc = 0;
	}
	if (in)
		fclose(in);
	return rc;
}

void xb_machine_cpu(char *text, size_t size)
{
	if (cpuinfo("model name", text, size) < 0 && cpuinfo("CPU part", text, size) < 0)
		snprintf(text, size, "unknown");
}

void xb_machine_hypervisor(char *text, size_t size)
{
	char flags[8192] = "", vendor[64] = "";

	text[0] = '\0';
	if (cpuinfo("flags", flags, sizeof(flags)) < 0 || !strstr(flags, " hypervisor"))
		return;
	snprintf(text, size, "unknown");
	if (xb_machine_line("/sys/class/dmi/id/sys_vendor", vendor, sizeof(vendor)) == 0)
		snprintf(text, size, "%s", vendor);
}

double xb_machine_load(void)
{
	char line[128];
	double load;

	if (xb_machine_line("/proc/loadavg", line, sizeof(line)) < 0 ||
	    sscanf(line, "%lf", &load) != 1)
		return -1;
	return load;
}

struct xb_ticks xb_machine_ticks(void)
{
	char line[512];
	double t[8] = {0};

	if (xb_machine_line("/proc/stat", line, sizeof(line)) < 0 ||
	    sscanf(line, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &t[0], &t[1], &t[2], &t[3], &t[4],
		   &t[5], &t[6], &t[7]) != 8)
		return (struct xb_ticks){0};
	double all = 0;
	for (int i = 0; i < 8; i++)
		all += t[i];
	/* idle and waiting for a disk are not busy */
	return (struct xb_ticks){.all = all, .busy = all - t[3] - t[4], .stolen = t[7]};
}

struct xb_ticks xb_machine_listen(int ms)
{
	struct xb_ticks before = xb_machine_ticks();

	poll(NULL, 0, ms);
	struct xb_ticks after = xb_machine_ticks();
	after.busy -= before.busy;
	after.stolen -= before.stolen;
	after.all = after.all > before.all ? after.all - before.all : 1;
	return after;
}

void xb_machine_clock(double *ret_cost, double *ret_step)
{
	enum { READINGS = 1000, ROUNDS = 51 };
	double cost[ROUNDS], step = 1e9;

	for (int round = 0; round < ROUNDS; round++) {
		int64_t begin = xb_now(), last = begin;
		for (int i = 0; i < READINGS; i++) {
			int64_t now = xb_now();
			if (now > last && (double)(now - last) < step)
				step = (double)(now - last);
			last = now;
		}
		cost[round] = (double)(last - begin) / READINGS;
	}
	*ret_cost = xb_median(cost, ROUNDS);
	*ret_step = step;
}

struct clinic {
	struct xb_check *checks;
	size_t count;
};

__attribute__((format(printf, 5, 6))) static void find(struct clinic *clinic, const char *check,
						       const char *state, const char *mend,
						       const char *found, ...)
{
	va_list args;

	if (clinic->count == XB_CHECKS_MAX)
		return;
	struct xb_check *entry = &clinic->checks[clinic->count++];
	entry->check = check;
	entry->state = state;
	va_start(args, found);
	vsnprintf(entry->found, sizeof(entry->found), found, args);
	va_end(args);
	snprintf(entry->mend, sizeof(entry->mend), "%s", mend);
}

static void look_at_frequency(struct clinic *clinic)
{
	char text[128];

	if (xb_machine_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", text,
			    sizeof(text)) < 0)
		find(clinic, "governor", "ok", "", "the system does not scale frequencies here");
	else if (strcmp(text, "performance") == 0)
		find(clinic, "governor", "ok", "", "performance");
	else
		find(clinic, "governor", "warn", "cpupower frequency-set -g performance", "%s",
		     text);

	if (xb_machine_line("/sys/devices/system/cpu/cpufreq/boost", text, sizeof(text)) == 0)
		find(clinic, "boost", text[0] == '1' ? "warn" : "ok",
		     text[0] == '1' ? "echo 0 > /sys/devices/system/cpu/cpufreq/boost" : "",
		     text[0] == '1' ? "on: frequency depends on heat" : "off");
	else if (xb_machine_line("/sys/devices/system/cpu/intel_pstate/no_turbo", text,
				 sizeof(text)) == 0)
		find(clinic, "boost", text[0] == '0' ? "warn" : "ok",
		     text[0] == '0' ? "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo" : "",
		     text[0] == '0' ? "on: frequency depends on heat" : "off");
}

static void look_at_kernel(struct clinic *clinic)
{
	char text[256];

	if (xb_machine_line("/sys/devices/system/clocksource/clocksource0/current_clocksource",
			    text, sizeof(text)) == 0) {
		bool fast = strcmp(text, "tsc") == 0 || strcmp(text, "kvm-clock") == 0 ||
			    strcmp(text, "arch_sys_counter") == 0;
		find(clinic, "clocksource", fast ? "ok" : "bad",
		     fast ? "" : "boot with clocksource=tsc", "%s", text);
	}
	double cost, step;
	xb_machine_clock(&cost, &step);
	find(clinic, "clock", cost < 100 ? "ok" : "warn", "", "%.0f ns a reading, steps of %.0f ns",
	     cost, step);
	if (xb_machine_line("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text)) == 0)
		find(clinic, "huge pages", "ok", "", "%s", text);
	if (xb_machine_line("/sys/devices/system/cpu/smt/active", text, sizeof(text)) == 0)
		find(clinic, "smt", "ok", "",
		     text[0] == '1' ? "on: siblings are a placement class of their own" : "off");
}

static void look_at_noise(struct clinic *clinic)
{
	char text[64];
	struct xb_ticks heard = xb_machine_listen(LISTEN_MS);
	double busy = 100 * heard.busy / heard.all;
	double stolen = 100 * heard.stolen / heard.all;

	find(clinic, "other work",
	     busy < 10	 ? "ok"
	     : busy < 40 ? "warn"
			 : "bad",
	     busy < 10 ? "" : "end other programs, or run xpbench --wait",
	     "CPUs %.0f %% busy, load %.2f", busy, xb_machine_load());
	xb_machine_hypervisor(text, sizeof(text));
	if (text[0])
		find(clinic, "virtual machine", stolen < 1 ? "warn" : "bad",
		     "use a machine of its own, or dedicated CPUs",
		     "%s: waking a halted CPU costs 50 us and more; stolen %.1f %%", text, stolen);
	else
		find(clinic, "virtual machine", "ok", "", "none seen");
}

static void look_at_cpus(struct clinic *clinic, const struct xb_topology *topology)
{
	char text[256];
	int usable = xb_topology_pus(topology);
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	find(clinic, "cpus", usable >= 2 ? "ok" : "bad",
	     usable >= 2 ? "" : "allow this process two CPUs (taskset, cgroup)", "%d of %ld usable",
	     usable, online);
	if (xb_machine_line("/sys/devices/system/cpu/isolated", text, sizeof(text)) == 0 && text[0])
		find(clinic, "isolated cpus", "ok", "", "%s", text);
	else
		find(clinic, "isolated cpus", "warn", "boot with isolcpus=... nohz_full=...",
		     "none: the scheduler and interrupts share the measured CPUs");
	if (xb_machine_line("/sys/fs/cgroup/cpu.max", text, sizeof(text)) == 0 &&
	    strncmp(text, "max", 3) != 0)
		find(clinic, "cgroup", "bad", "raise cpu.max of the container",
		     "CPU time is limited: %s", text);
}

size_t xb_machine_doctor(const struct xb_topology *topology, struct xb_check checks[XB_CHECKS_MAX])
{
	struct clinic clinic = {.checks = checks};

	look_at_cpus(&clinic, topology);
	look_at_frequency(&clinic);
	look_at_kernel(&clinic);
	look_at_noise(&clinic);
	return clinic.count;
}
