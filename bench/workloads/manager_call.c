/* SPDX-License-Identifier: MIT */
/*
 * manager call - what a call to an object in a server process costs, and how many go through it
 *
 * One client: on the first CPU of a pair, the server on the second one. Several: the clients lie on
 * all CPUs, the server where the scheduler puts it. Each client has a connection of its own and one
 * call in flight. Time of a call: the median batch of a client alone; of several the mean of the
 * slowest, in which are the turns of the others. Calls per second: all clients together, from the
 * first call to the last reply.
 */
#include "bench/matrix.h"
#include "bench/peers/service.h"
#include "bench/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int many[] = {4, 16, 64};

enum method { GET, SET };
struct call {
	const struct xb_service *service;
	enum method method;
};

static const char *const methods[] = {[GET] = "dict.get", [SET] = "dict.set"};

/* The least that two processes exchange by a stream, whoever they are. */
static void rival_socketpair(struct xb_case *c, const struct xb_placement *where)
{
	char place[64];

	xb_placement_name(where, place, sizeof(place));
	snprintf(c->rival[0], sizeof(c->rival[0]), "floor/floor/socketpair/size:64/%s", place);
}

static void add(const struct xb_workload *workload, struct xb_matrix *matrix,
		const struct xb_service *service, const struct xb_placement *where, int clients,
		enum method method)
{
	static struct call calls[64];
	static size_t used;
	const char *kind = service->role == XB_ROLE_FLOOR ? "floor" : "manager";
	struct xb_case c = xb_case_other(workload, service->role, kind, service->name, where);

	/* Cases point to their call: one entry for each pair of service and method. */
	size_t i = 0;
	while (i < used && (calls[i].service != service || calls[i].method != method))
		i++;
	xp_assert(i < sizeof(calls) / sizeof(*calls));
	if (i == used)
		calls[used++] = (struct call){service, method};
	c.detail = &calls[i];
	c.param[XB_CLIENTS] = xb_number(clients);
	c.param[XB_METHOD] = xb_text(methods[method]);
	c.param[XB_TRANSPORT] = xb_text(service->transport ? service->transport : "unix");
	xb_case_wait(&c, service->wait);
	if (service->transport && clients == 1) {
		/* One client by ring: what two processes can do with memory alone. */
		xb_case_floor(&c,
			      where->class != XB_SAME_PU && xb_case_strategy(&c) != XP_STRATEGY_PARK
				  ? "floor/cache_line_two"
				  : "floor/futex",
			      0);
	} else if (service->wait && !service->transport) {
		char place[64];
		xb_placement_name(where, place, sizeof(place));
		snprintf(c.floor, sizeof(c.floor), "floor/floor/socketpair/size:64/wait:spin/%s",
			 place);
	} else if (service->role != XB_ROLE_FLOOR) {
		if (service->role == XB_ROLE_SUBJECT && clients == 1)
			rival_socketpair(&c, where);
		/* The echo with the same clients at the same place, whatever the method. */
		struct xb_case echo = c;
		echo.impl_name = xb_service_at(0)->name;
		echo.param[XB_METHOD] = xb_text(methods[GET]);
		echo.param[XB_TRANSPORT] = xb_text("unix");
		echo.param[XB_WAIT] = (struct xb_value){0};
		if (xb_case_name(&echo) == 0)
			memcpy(c.floor, echo.name, sizeof(c.floor));
	}
	xb_matrix_add(matrix, &c);
}

static void cases_of(const struct xb_workload *workload, struct xb_matrix *matrix,
		     const struct xb_service *service, enum method method)
{
	struct xb_placement plan;

	bool by_socket = service->wait && !service->transport;

	xb_each_pair(matrix, pair)
	{
		/* On one PU polling for ever measures the scheduler, and polling a socket can only lose. */
		if (pair->class != XB_SAME_PU || !service->wait ||
		    (!by_socket && strcmp(service->wait, "spin") != 0))
			add(workload, matrix, service, pair, 1, method);
	}
	/* Where there are more of them than CPUs, whoever never sleeps keeps the others out. */
	if (by_socket || (service->wait && strcmp(service->wait, "spin") == 0))
		return;
	/* Among many a set costs what a get costs, but for what the object does. */
	if (matrix->quick && method == SET)
		return;
	for (size_t i = 0; i < sizeof(many) / sizeof(*many); i++)
		if (xb_topology_plan(matrix->topology, many[i], XB_COMPACT, &plan) == 0)
			add(workload, matrix, service, &plan, many[i], method);
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	for (size_t i = 0; xb_service_at(i); i++) {
		const struct xb_service *service = xb_service_at(i);
		const char *why = service->absent ? service->absent() : NULL;
		if (why) {
			xb_matrix_absent(matrix, why, "%s/%s", workload->name, service->name);
			continue;
		}
		cases_of(workload, matrix, service, GET);
		if (service->role != XB_ROLE_FLOOR)
			cases_of(workload, matrix, service, SET);
	}
}

static int open_service(struct xb_stage *stage)
{
	const struct call *call = stage->c->detail;

	return xb_served_open(stage, call->service);
}

static int call_once(const struct call *call, void *client)
{
	return call->method == GET ? call->service->get(client) : call->service->set(client);
}

static int enter(struct xb_actor *actor)
{
	struct xb_served *served = actor->stage->own;

	/* Beside a single client the second member only keeps the server's seat. */
	if (actor->index >= xb_clients_of(actor->c))
		return 0;
	int rc = served->service->connect(served, &actor->own);
	if (rc == 0)
		rc = call_once(actor->c->detail, actor->own);
	return rc < 0 ? xb_fail(actor, "connect: %s", strerror(-rc)) : 0;
}

static void leave(struct xb_actor *actor)
{
	struct xb_served *served = actor->stage->own;

	if (actor->own)
		served->service->disconnect(actor->own);
}

static int run_latency(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct call *call = actor->c->detail;
	int clients = xb_clients_of(actor->c), rc = 0;

	if (actor->index >= clients)
		return 0;
	xb_timed(actor, n, pass, rc, call_once(call, actor->own));
	xb_each_made(actor, n, clients);
	return rc < 0 ? xb_fail(actor, "call: %s", strerror(-rc)) : 0;
}

static int run_throughput(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct call *call = actor->c->detail;
	int clients = xb_clients_of(actor->c), rc = 0;

	(void)pass;
	if (actor->index >= clients)
		return 0;
	int64_t mine = xb_share(n, actor->index, clients);
	xb_repeat(mine, rc, call_once(call, actor->own));
	actor->tally->ops = mine;
	return rc < 0 ? xb_fail(actor, "call: %s", strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_manager_call = {
    .name = "manager_call",
    .title = "time of a call to an object in a server process",
    .metric = XB_METRIC_RTT,
    .distribution = true,
    .cases = cases,
    .open = open_service,
    .enter = enter,
    .run = run_latency,
    .leave = leave,
    .close = xb_served_close,
};

const struct xb_workload xb_workload_manager_throughput = {
    .name = "manager_throughput",
    .title = "calls per second to objects in a server process, all clients together",
    .metric = XB_METRIC_ITEMS,
    .clock = XB_CLOCK_SPAN,
    .cases = cases,
    .open = open_service,
    .enter = enter,
    .run = run_throughput,
    .leave = leave,
    .close = xb_served_close,
};
