/* SPDX-License-Identifier: MIT */
/* A running service as a workload's stage: where it runs, and who else calls it. */
#include "bench/peers/crowd.h"
#include "bench/workload.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

int xb_clients_of(const struct xb_case *c)
{
	return (int)xb_case_number(c, XB_CLIENTS, 1);
}

static int pin_task(pid_t task, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	return sched_setaffinity(task, sizeof(set), &set) < 0 ? -errno : 0;
}

int xb_served_pin(const struct xb_case *c, pid_t pid)
{
	char path[64];
	int rc = 0;

	if (xb_clients_of(c) > 1 || c->placement.class == XB_ANY || c->placement.count != 2)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *list = opendir(path);
	if (!list)
		return -errno;
	struct dirent *entry;
	while (rc == 0 && (entry = readdir(list))) {
		if (entry->d_name[0] != '.')
			rc = pin_task((pid_t)strtol(entry->d_name, NULL, 10), c->placement.cpus[1]);
		if (rc == -ESRCH) /* that of a client which has just left */
			rc = 0;
	}
	closedir(list);
	return rc;
}

int xb_served_open(struct xb_stage *stage, const struct xb_service *service)
{
	struct xb_served *served = calloc(1, sizeof(*served));

	if (!served)
		return -ENOMEM;
	served->service = service;
	stage->own = served;
	int rc = service->start(served);
	if (rc == 0)
		rc = xb_served_pin(stage->c, served->pid);
	if (rc == 0)
		rc = xb_crowd_start(stage->c, served, &served->crowd);
	stage->server = served->pid;
	return rc;
}

void xb_served_close(struct xb_stage *stage)
{
	struct xb_served *served = stage->own;

	if (!served)
		return;
	xb_crowd_stop(served->crowd);
	served->service->stop(served);
	free(served);
}
