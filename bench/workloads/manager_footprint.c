/* SPDX-License-Identifier: MIT */
/*
 * manager footprint - memory of the server process for each idle, authenticated connection
 *
 * The growth of its proportional set size over CONNECTIONS connections, or over the 10,000 that a crowd
 * holds. The kernel's buffers are not in it, for any server alike.
 */
#include "bench/matrix.h"
#include "bench/peers/crowd.h"
#include "bench/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS 256
#define HELD	    10000

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
		if (service->wait)
			continue;
		xb_matrix_add(matrix, &c);
		if (!matrix->quick && service->door && service->role == XB_ROLE_SUBJECT) {
			c.param[XB_CLIENTS] = xb_number(HELD);
			xb_matrix_add(matrix, &c);
		}
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

/* Links of this process. */
static int grow_by_links(struct xb_actor *actor, double *ret_each)
{
	struct xb_served *served = actor->stage->own;
	void *clients[CONNECTIONS];
	int made = 0, rc = 0;

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
	*ret_each = grown / (made - first);
	return 0;
}

/* A crowd, in a process of its own. */
static int grow_by_crowd(struct xb_actor *actor, double *ret_each)
{
	struct xb_served *served = actor->stage->own;
	struct xb_case crowded = *actor->c;
	struct xb_crowd *crowd;

	crowded.param[XB_HELD] = xb_number(HELD);
	double before = memory_of(served->pid);
	int rc = xb_crowd_start(&crowded, served, &crowd);
	if (rc < 0)
		return xb_fail(actor, "%d connections: %s", HELD, strerror(-rc));
	*ret_each = (memory_of(served->pid) - before) / HELD;
	xb_crowd_stop(crowd);
	return 0;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	double each = 0;
	int rc = xb_clients_of(actor->c) == HELD ? grow_by_crowd(actor, &each)
						 : grow_by_links(actor, &each);

	(void)n;
	(void)pass;
	/* A growth below a page in all is one byte a connection, not none: a figure is positive. */
	actor->tally->ns = each > 0 ? each : 1;
	actor->tally->total_ns = actor->tally->ns;
	actor->tally->ops = 1;
	return rc;
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
