/* SPDX-License-Identifier: MIT */
/*
 * manager setup - connections and objects that come and go
 *
 * manager_connect: connect, authenticate both ways, one exchange, disconnect, by one client; also with many
 * idle connections held beside it. manager_connections: how many of these in a second, by all clients
 * together. manager_object: make an object and remove it, which takes two connections in CPython's protocol.
 */
#include "bench/matrix.h"
#include "bench/peers/crowd.h"
#include "bench/workload.h"

#include <stdio.h>
#include <string.h>

#define HELD 10000

/* Few of them leave a CPU idle now and then while they wait for each other, and waking it is dear. */
static const int crowds[] = {4, 32};

static void add(const struct xb_workload *workload, struct xb_matrix *matrix,
		const struct xb_service *service, const struct xb_placement *where, int clients,
		int held)
{
	struct xb_case c = xb_case_other(workload, service->role,
					 service->role == XB_ROLE_FLOOR ? "floor" : "manager",
					 service->name, where);

	c.detail = service;
	c.param[XB_CLIENTS] = xb_number(clients);
	c.param[XB_TRANSPORT] = xb_text("unix");
	if (held)
		c.param[XB_HELD] = xb_number(held);
	if (service->role != XB_ROLE_FLOOR && !held) {
		struct xb_case echo = c;
		echo.impl_name = xb_service_at(0)->name;
		if (xb_case_name(&echo) == 0)
			memcpy(c.floor, echo.name, sizeof(c.floor));
	}
	xb_matrix_add(matrix, &c);
}

static void one_client(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	for (size_t i = 0; xb_service_at(i); i++) {
		const struct xb_service *service = xb_service_at(i);
		if (!service->shake || (service->absent && service->absent()))
			continue;
		xb_each_pair(matrix, pair)
		{
			add(workload, matrix, service, pair, 1, 0);
			/* A thread for each connection is what the other server is about. */
			if (!matrix->quick && strcmp(service->name, "manager/event") == 0 &&
			    strcmp(workload->name, "manager_connect") == 0)
				add(workload, matrix, service, pair, 1, HELD);
		}
	}
}

static void many_clients(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	struct xb_placement plan;

	for (size_t i = 0; xb_service_at(i); i++) {
		const struct xb_service *service = xb_service_at(i);
		if (!service->shake || (service->absent && service->absent()))
			continue;
		for (size_t c = 0; c < sizeof(crowds) / sizeof(*crowds); c++)
			if (xb_topology_plan(matrix->topology, crowds[c], XB_COMPACT, &plan) == 0)
				add(workload, matrix, service, &plan, crowds[c], 0);
	}
}

static int open_service(struct xb_stage *stage)
{
	return xb_served_open(stage, stage->c->detail);
}

static int enter(struct xb_actor *actor)
{
	struct xb_served *served = actor->stage->own;

	if (actor->index >= xb_clients_of(actor->c))
		return 0;
	int rc = served->service->connect(served, &actor->own);
	if (rc == 0)
		rc = served->service->get(actor->own);
	return rc < 0 ? xb_fail(actor, "connect: %s", strerror(-rc)) : 0;
}

static void leave(struct xb_actor *actor)
{
	struct xb_served *served = actor->stage->own;

	if (actor->own)
		served->service->disconnect(actor->own);
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass, int (*operation)(void *client))
{
	int clients = xb_clients_of(actor->c), rc = 0;

	if (actor->index >= clients)
		return 0;
	int64_t mine = xb_share(n, actor->index, clients);
	if (mine == 0)
		return 0;
	if (clients == 1)
		xb_timed(actor, mine, pass, rc, operation(actor->own));
	else
		xb_repeat(mine, rc, operation(actor->own));
	actor->tally->ops = mine;
	return rc < 0 ? xb_fail(actor, "%s", strerror(-rc)) : 0;
}

static int run_shake(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	return run(actor, n, pass, ((struct xb_served *)actor->stage->own)->service->shake);
}

static int run_make(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	return run(actor, n, pass, ((struct xb_served *)actor->stage->own)->service->make);
}

const struct xb_workload xb_workload_manager_connect = {
    .name = "manager_connect",
    .title = "connect, authenticate, one exchange, disconnect",
    .metric = XB_METRIC_SETUP,
    .distribution = true,
    .cases = one_client,
    .open = open_service,
    .enter = enter,
    .run = run_shake,
    .leave = leave,
    .close = xb_served_close,
};

const struct xb_workload xb_workload_manager_connections = {
    .name = "manager_connections",
    .title = "connections per second, authenticated, all clients together",
    .metric = XB_METRIC_ITEMS,
    .clock = XB_CLOCK_SPAN,
    .cases = many_clients,
    .open = open_service,
    .enter = enter,
    .run = run_shake,
    .leave = leave,
    .close = xb_served_close,
};

const struct xb_workload xb_workload_manager_object = {
    .name = "manager_object",
    .title = "make an object in a server process and remove it",
    .metric = XB_METRIC_SETUP,
    .distribution = true,
    .cases = one_client,
    .open = open_service,
    .enter = enter,
    .run = run_make,
    .leave = leave,
    .close = xb_served_close,
};
