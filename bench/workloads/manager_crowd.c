/* SPDX-License-Identifier: MIT */
/*
 * manager crowd - what other clients do to those that are measured
 *
 * manager_crowd: the throughput of 100 clients while 10,000 further connections are held, and without.
 * manager_attack: the time of a call of honest clients during each attack (peers/crowd.h), and without.
 */
#include "bench/matrix.h"
#include "bench/peers/crowd.h"
#include "bench/workload.h"

#include <string.h>

#define ACTIVE 100
#define HELD   10000
#define HONEST 4

static struct xb_case draft(const struct xb_workload *workload, const struct xb_service *service,
			    const struct xb_placement *where, int clients)
{
	struct xb_case c = xb_case_other(workload, service->role, "manager", service->name, where);

	c.detail = service;
	c.param[XB_CLIENTS] = xb_number(clients);
	c.param[XB_METHOD] = xb_text("dict.get");
	c.param[XB_TRANSPORT] = xb_text("unix");
	return c;
}

static void crowd_cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	struct xb_placement plan;

	/* Ten thousand connections take half a minute to make. */
	if (matrix->quick || xb_topology_plan(matrix->topology, ACTIVE, XB_COMPACT, &plan) < 0)
		return;
	for (size_t i = 0; xb_service_at(i); i++) {
		const struct xb_service *service = xb_service_at(i);
		/* A thread for each connection is what the other server is about. */
		if (!service->door || service->wait || strcmp(service->name, "manager/event") != 0)
			continue;
		for (int held = 0; held <= HELD; held += HELD) {
			struct xb_case c = draft(workload, service, &plan, ACTIVE);
			c.param[XB_HELD] = xb_number(held);
			xb_matrix_add(matrix, &c);
		}
	}
}

static void attack_cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	struct xb_placement plan;

	if (xb_topology_plan(matrix->topology, HONEST, XB_COMPACT, &plan) < 0)
		return;
	for (size_t i = 0; xb_service_at(i); i++) {
		const struct xb_service *service = xb_service_at(i);
		if (!service->door || service->wait || service->role != XB_ROLE_SUBJECT)
			continue;
		for (size_t a = 0; xb_crowd_attack(a); a++) {
			struct xb_case c = draft(workload, service, &plan, HONEST);
			c.param[XB_ATTACK] = xb_text(xb_crowd_attack(a));
			xb_matrix_add(matrix, &c);
		}
	}
}

static int open_service(struct xb_stage *stage)
{
	return xb_served_open(stage, stage->c->detail);
}

static int enter(struct xb_actor *actor)
{
	struct xb_served *served = actor->stage->own;
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

static int run_throughput(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct xb_service *service = ((struct xb_served *)actor->stage->own)->service;
	int64_t mine = xb_share(n, actor->index, actor->members);
	int rc;

	(void)pass;
	xb_repeat(mine, rc, service->get(actor->own));
	actor->tally->ops = mine;
	return rc < 0 ? xb_fail(actor, "call: %s", strerror(-rc)) : 0;
}

static int run_latency(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct xb_service *service = ((struct xb_served *)actor->stage->own)->service;
	int rc;

	xb_timed(actor, n, pass, rc, service->get(actor->own));
	xb_each_made(actor, n, actor->members);
	return rc < 0 ? xb_fail(actor, "call: %s", strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_manager_crowd = {
    .name = "manager_crowd",
    .title = "calls per second while other connections are held",
    .metric = XB_METRIC_ITEMS,
    .clock = XB_CLOCK_SPAN,
    .cases = crowd_cases,
    .open = open_service,
    .enter = enter,
    .run = run_throughput,
    .leave = leave,
    .close = xb_served_close,
};

const struct xb_workload xb_workload_manager_attack = {
    .name = "manager_attack",
    .title = "time of an honest client's call while others attack the server",
    .metric = XB_METRIC_RTT,
    .distribution = true,
    .cases = attack_cases,
    .open = open_service,
    .enter = enter,
    .run = run_latency,
    .leave = leave,
    .close = xb_served_close,
};
