/* SPDX-License-Identifier: MIT */
/*
 * manager call - what a call to an object in a server process costs, and how many go through it
 *
 * One client: on the first CPU of a pair, the server on the second one. Several: the clients lie on
 * all CPUs, the server where the scheduler puts it. Each client has a connection of its own and one
 * call in flight. Time of a call: the median batch of the slowest client. Calls per second: all
 * clients together, from the first call to the last reply.
 */
#include "bench/matrix.h"
#include "bench/peers/service.h"
#include "bench/workload.h"

#include <dirent.h>
#include <sched.h>
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
	} else if (service->role != XB_ROLE_FLOOR) {
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

	xb_each_pair(matrix, pair)
	{
		/* On one PU polling for ever measures the scheduler. */
		if (pair->class != XB_SAME_PU || !service->wait || strcmp(service->wait, "spin"))
			add(workload, matrix, service, pair, 1, method);
	}
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

static int clients_of(const struct xb_case *c)
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

/* The server of a single client runs on the second CPU of the pair, with all threads that it has. */
static int pin_server(const struct xb_case *c, pid_t pid)
{
	char path[64];
	int rc = 0;

	if (clients_of(c) > 1 || c->placement.class == XB_ANY)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *list = opendir(path);
	if (!list)
		return -errno;
	struct dirent *entry;
	while (rc == 0 && (entry = readdir(list)))
		if (entry->d_name[0] != '.')
			rc = pin_task((pid_t)strtol(entry->d_name, NULL, 10), c->placement.cpus[1]);
	closedir(list);
	return rc;
}

static int open_service(struct xb_stage *stage)
{
	const struct call *call = stage->c->detail;
	struct xb_served *served = calloc(1, sizeof(*served));

	if (!served)
		return -ENOMEM;
	served->service = call->service;
	stage->own = served;
	int rc = call->service->start(served);
	if (rc == 0)
		rc = pin_server(stage->c, served->pid);
	stage->server = served->pid;
	return rc;
}

static void close_service(struct xb_stage *stage)
{
	struct xb_served *served = stage->own;

	if (served)
		served->service->stop(served);
	free(served);
}

static int call_once(const struct call *call, void *client)
{
	return call->method == GET ? call->service->get(client) : call->service->set(client);
}

static int enter(struct xb_actor *actor)
{
	struct xb_served *served = actor->stage->own;

	/* Beside a single client the second member only keeps the server's seat. */
	if (actor->index >= clients_of(actor->c))
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
	int clients = clients_of(actor->c), rc = 0;

	if (actor->index >= clients)
		return 0;
	int64_t mine = xb_share(n, actor->index, clients);
	if (mine == 0)
		return 0;
	xb_timed(actor, mine, pass, rc, call_once(call, actor->own));
	/* The time of one call, not of one call divided by the clients that make one at a time. */
	actor->tally->ns *= (double)n / (double)mine;
	actor->tally->ops = mine;
	return rc < 0 ? xb_fail(actor, "call: %s", strerror(-rc)) : 0;
}

static int run_throughput(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct call *call = actor->c->detail;
	int clients = clients_of(actor->c), rc = 0;

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
    .close = close_service,
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
    .close = close_service,
};
