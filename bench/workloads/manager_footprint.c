/* SPDX-License-Identifier: MIT */
/*
 * manager footprint - memory of the server process for each idle, authenticated connection
 *
 * The growth of its proportional set size over CONNECTIONS connections. The kernel's buffers are not
 * in it, for any server alike.
 */
#include "bench/matrix.h"
#include "bench/peers/service.h"
#include "bench/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS 256

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	struct xb_placement single = xb_topology_single(matrix->topology);

	for (size_t i = 0; xb_service_at(i); i++) {
		const struct xb_service *service = xb_service_at(i);
		if (!service->link || (service->absent && service->absent()))
			continue;
		struct xb_case c = xb_case_other(
		    workload, service->role, service->role == XB_ROLE_FLOOR ? "floor" : "manager",
		    service->name, &single);
		c.detail = service;
		c.param[XB_CLIENTS] = xb_number(CONNECTIONS);
		c.param[XB_TRANSPORT] = xb_text("unix");
		xb_matrix_add(matrix, &c);
	}
}

static int open_service(struct xb_stage *stage)
{
	struct xb_served *served = calloc(1, sizeof(*served));

	if (!served)
		return -ENOMEM;
	served->service = stage->c->detail;
	stage->own = served;
	return served->service->start(served);
}

static void close_service(struct xb_stage *stage)
{
	struct xb_served *served = stage->own;

	if (served)
		served->service->stop(served);
	free(served);
}

/* Proportional set size in bytes; 0 where it cannot be read. */
static double memory_of(pid_t pid)
{
	char path[64], line[128];
	double kilobytes = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	FILE *in = fopen(path, "re");
	while (in && fgets(line, sizeof(line), in) && sscanf(line, "Pss: %lf kB", &kilobytes) != 1)
		;
	if (in)
		fclose(in);
	return kilobytes * 1024;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	struct xb_served *served = actor->stage->own;
	void *clients[CONNECTIONS];
	int made = 0, rc = 0;

	(void)n;
	(void)pass;
	/* The first ones make it take what it takes only once. */
	for (; made < CONNECTIONS / 4 && rc == 0; made += rc == 0)
		rc = served->service->link(served, &clients[made]);
	double before = memory_of(served->pid);
	int first = made;
	for (; made < CONNECTIONS && rc == 0; made += rc == 0)
		rc = served->service->link(served, &clients[made]);
	double grown = memory_of(served->pid) - before;
	for (int i = 0; i < made; i++)
		served->service->unlink(clients[i]);
	if (rc < 0)
		return xb_fail(actor, "connection %d: %s", made, strerror(-rc));
	/* A growth below a page in all is one byte a connection, not none: a figure is positive. */
	actor->tally->ns = grown > 0 ? grown / (made - first) : 1;
	actor->tally->total_ns = actor->tally->ns;
	actor->tally->ops = 1;
	return 0;
}

const struct xb_workload xb_workload_manager_footprint = {
    .name = "manager_footprint",
    .title = "memory of the server for each idle connection",
    .metric = XB_METRIC_FOOTPRINT,
    .fixed = 1,
    .cases = cases,
    .open = open_service,
    .run = run,
    .close = close_service,
};
