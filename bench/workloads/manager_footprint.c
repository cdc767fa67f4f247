/* SPDX-License-Identifier: MIT */
/*
 * manager footprint - memory of the server process for each idle, authenticated connection
 *
 * The growth of its private memory over so many connections. Each repetition asks a new server: one that has had
 * as many before keeps their memory, and would grow by nothing. Private: a server that is forked inherits free
 * memory, which is resident before it is used, and shared until then. The kernel's buffers are not in it, for
 * any server alike.
 */
#include "bench/matrix.h"
#include "bench/peers/crowd.h"
#include "bench/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS 1000
#define OF_A_PEER   200 /* which takes pages for each, and seconds for 1,000 */
#define FIRST	    50	/* not counted: they make it take what it takes only once */
#define HELD	    10000

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	struct xb_placement single = xb_topology_single(matrix->topology);

	for (size_t i = 0; xb_service_at(i); i++) {
		const struct xb_service *service = xb_service_at(i);
		/* The echo keeps nothing of a connection but its descriptor. */
		if (!service->link || service->role == XB_ROLE_FLOOR || service->wait ||
		    (service->absent && service->absent()))
			continue;
		struct xb_case c =
		    xb_case_other(workload, service->role, "manager", service->name, &single);
		c.detail = service;
		c.param[XB_CLIENTS] =
		    xb_number(service->role == XB_ROLE_SUBJECT ? CONNECTIONS : OF_A_PEER);
		c.param[XB_TRANSPORT] = xb_text("unix");
		xb_matrix_add(matrix, &c);
		if (!matrix->quick && service->door && service->role == XB_ROLE_SUBJECT) {
			c.param[XB_CLIENTS] = xb_number(HELD);
			xb_matrix_add(matrix, &c);
		}
	}
}

/* Private bytes; 0 where they cannot be read. */
static double memory_of(pid_t pid)
{
	char path[64], line[128];
	double kilobytes = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	FILE *in = fopen(path, "re");
	while (in && fgets(line, sizeof(line), in) &&
	       sscanf(line, "Private_Dirty: %lf kB", &kilobytes) != 1)
		;
	if (in)
		fclose(in);
	return kilobytes * 1024;
}

/* Links of this process. */
static int grow_by_links(struct xb_actor *actor, struct xb_served *served, double *ret_each)
{
	int count = xb_clients_of(actor->c);
	void *clients[FIRST + CONNECTIONS];
	double before = 0;
	int made = 0, rc = 0;

	for (; made < FIRST + count && rc == 0; made += rc == 0) {
		if (made == FIRST)
			before = memory_of(served->pid);
		rc = served->service->link(served, &clients[made]);
	}
	*ret_each = (memory_of(served->pid) - before) / count;
	for (int i = 0; i < made; i++)
		served->service->unlink(clients[i]);
	return rc < 0 ? xb_fail(actor, "connection %d: %s", made, strerror(-rc)) : 0;
}

static int gather(const struct xb_case *c, const struct xb_served *served, int count,
		  struct xb_crowd **ret_crowd)
{
	struct xb_case crowded = *c;

	crowded.param[XB_HELD] = xb_number(count);
	return xb_crowd_start(&crowded, served, ret_crowd);
}

/* Crowds, each in a process of its own: clients of a manager. They stay. */
static int grow_by_crowd(struct xb_actor *actor, struct xb_served *served,
			 struct xb_crowd *crowds[2], double *ret_each)
{
	int count = xb_clients_of(actor->c);
	double before = 0;

	int rc = gather(actor->c, served, FIRST, &crowds[0]);
	if (rc == 0) {
		before = memory_of(served->pid);
		rc = gather(actor->c, served, count, &crowds[1]);
	}
	*ret_each = (memory_of(served->pid) - before) / count;
	return rc < 0 ? xb_fail(actor, "%d connections: %s", count, strerror(-rc)) : 0;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	struct xb_served served = {.service = actor->c->detail};
	struct xb_crowd *crowds[2] = {NULL, NULL};
	double each = 0;
	int rc = served.service->start(&served);

	(void)n;
	(void)pass;
	if (rc < 0)
		rc = xb_fail(actor, "no server: %s", strerror(-rc));
	else if (served.service->door)
		rc = grow_by_crowd(actor, &served, crowds, &each);
	else
		rc = grow_by_links(actor, &served, &each);
	/* First, because CPython's is busy for seconds with so many that have gone. */
	served.service->stop(&served);
	xb_crowd_stop(crowds[0]);
	xb_crowd_stop(crowds[1]);
	/* A figure is positive; a server that does not grow by so many has not been measured. */
	if (rc == 0 && each <= 0)
		rc = xb_fail(actor, "its memory cannot be read, or does not grow");
	actor->tally->ns = each;
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
    .run = run,
};
