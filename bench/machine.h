/* SPDX-License-Identifier: MIT */
/*
 * machine - what this machine is, how quiet it is, and what could be mended
 *
 * Read from /proc and /sys; a file that is not there leaves its answer empty. Nothing is changed.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include "bench/topology.h"

#include "xpshare/base/err.h"

#include <stddef.h>

#define XB_CHECKS_MAX 16

/** struct xb_check - One finding of the doctor. @mend: the command that would mend it, or "". */
struct xb_check {
	const char *check;
	const char *state; /* "ok", "warn", "bad" */
	char found[160];
	char mend[200];
};

/** xb_machine_line() - The first line of a small file, without its newline. 0 or -errno. */
XP_MUST_CHECK int xb_machine_line(const char *path, char *text, size_t size);

/** xb_machine_cpu() - The model of the processor. */
void xb_machine_cpu(char *text, size_t size);

/** xb_machine_hypervisor() - "KVM", "unknown", or "" on bare metal. */
void xb_machine_hypervisor(char *text, size_t size);

/** xb_machine_load() - The load average of the last minute; negative if unknown. */
double xb_machine_load(void);

/** struct xb_ticks - CPU time since boot, in ticks of the kernel, over all CPUs. */
struct xb_ticks {
	double all, busy, stolen;
};

struct xb_ticks xb_machine_ticks(void);

/** xb_machine_listen() - The ticks of the next @ms milliseconds, or until a signal; all > 0. */
struct xb_ticks xb_machine_listen(int ms);

/** xb_machine_clock() - What one reading of the clock costs, and its resolution, in ns. */
void xb_machine_clock(double *ret_cost, double *ret_step);

/** xb_machine_doctor() - All checks, about a second. Return: how many. */
size_t xb_machine_doctor(const struct xb_topology *topology, struct xb_check checks[XB_CHECKS_MAX]);

#endif
