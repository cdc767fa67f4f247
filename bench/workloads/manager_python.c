/* SPDX-License-Identifier: MIT */
/*
 * manager python - unmodified CPython as the client, of our managers and of its own
 *
 * What a user of multiprocessing sees who changes nothing but the server, and what the original costs with
 * its own clients. Python processes make the calls (peers/manager_client.py); the first member passes orders
 * on to them and takes their times. One client: on the first CPU of the pair, the server on the second one.
 */
#include "bench/matrix.h"
#include "bench/peers/driver.h"
#include "bench/peers/service.h"
#include "bench/workload.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define KEY "bench"

extern const struct xb_service xb_service_cpython;

static const struct variant {
	const char *name;
	bool stock;
	enum xp_server_model model;
} event = {"manager/event", false, XP_SERVER_EVENT},
  thread = {"manager/thread", false, XP_SERVER_THREAD},
  stock = {"manager/cpython", true, XP_SERVER_EVENT};

static const struct variant *const variants[] = {&event, &thread, &stock};

static const char *const unix_methods[] = {"dict.get", "dict.set", "connect", "object"};
static const char *const tcp_methods[] = {"dict.get", "dict.set17k", "connect", "object"};

struct run {
	struct xb_served served; /* stock */
	struct xp_manager *ours;
	struct xb_driver clients;
};

/* ---- cases ------------------------------------------------------------------------------------- */

static void add(const struct xb_workload *workload, struct xb_matrix *matrix,
		const struct variant *variant, const struct xb_placement *where, int clients,
		const char *method, const char *transport)
{
	struct xb_case c = xb_case_other(workload, variant->stock ? XB_ROLE_PEER : XB_ROLE_SUBJECT,
					 "manager", variant->name, where);

	c.detail = variant;
	c.param[XB_CLIENTS] = xb_number(clients);
	c.param[XB_METHOD] = xb_text(method);
	c.param[XB_TRANSPORT] = xb_text(transport);
	xb_matrix_add(matrix, &c);
}

static bool is_absent(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	if (!xb_service_cpython.absent())
		return false;
	xb_matrix_absent(matrix, xb_service_cpython.absent(), "%s", workload->name);
	return true;
}

static void one_client(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	if (is_absent(workload, matrix))
		return;
	for (size_t v = 0; v < sizeof(variants) / sizeof(*variants); v++)
		xb_each_pair(matrix, pair) for (size_t m = 0; m < (matrix->quick ? 2 : 4); m++)
		{
			add(workload, matrix, variants[v], pair, 1, unix_methods[m], "unix");
			if (!variants[v]->stock)
				add(workload, matrix, variants[v], pair, 1, tcp_methods[m], "tcp");
		}
}

static void many_clients(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	struct xb_placement anywhere = {.class = XB_ANY, .count = 1};

	/* To start 64 interpreters takes seconds. */
	if (matrix->quick || is_absent(workload, matrix))
		return;
	for (size_t v = 0; v < sizeof(variants) / sizeof(*variants); v++)
		add(workload, matrix, variants[v], &anywhere, 64, "dict.get", "unix");
}

/* ---- the server -------------------------------------------------------------------------------- */

static int start_server(struct run *run, const struct xb_case *c, struct xb_door *ret_door)
{
	const struct variant *variant = c->detail;
	struct xp_server_options options = {
	    .model = variant->model, .key = KEY, .key_size = sizeof(KEY) - 1, .allow_md5 = true};
	struct xp_address address;

	if (variant->stock) {
		run->served.service = &xb_service_cpython;
		int rc = xb_service_cpython.start(&run->served);
		if (rc == 0)
			*ret_door = xb_service_cpython.door(&run->served);
		return rc;
	}
	if (strcmp(c->param[XB_TRANSPORT].text, "tcp") == 0) {
		int rc = xp_address_parse("tcp:127.0.0.1:0", &address);
		if (rc < 0)
			return rc;
		options.addresses = &address;
		options.address_count = 1;
	}
	int rc = xp_manager_start(&options, &run->ours);
	if (rc < 0)
		return rc;
	run->served.pid = xp_manager_pid(run->ours);
	ret_door->address = xp_manager_address(run->ours);
	return 0;
}

/* As manager_client.py wants it. */
static void address_text(const struct xp_address *address, char *text, size_t room)
{
	xp_assert(address);
	const struct sockaddr_storage *at = &address->storage;

	if (at->ss_family == AF_UNIX)
		snprintf(text, room, "%s", ((const struct sockaddr_un *)at)->sun_path);
	else
		snprintf(text, room, "127.0.0.1:%d",
			 ntohs(((const struct sockaddr_in *)at)->sin_port));
}

/* ---- the clients ------------------------------------------------------------------------------- */

static int start_clients(struct xb_stage *stage, struct run *run, const struct xb_door *door)
{
	const struct xb_case *c = stage->c;
	char address[128], clients[12], cpu[12];

	address_text(door->address, address, sizeof(address));
	snprintf(clients, sizeof(clients), "%d", xb_clients_of(c));
	snprintf(cpu, sizeof(cpu), "%d", c->placement.class == XB_ANY ? -1 : c->placement.cpus[0]);
	return xb_driver_start(
	    &run->clients, stage, "manager_client.py",
	    (const char *const[]){address, KEY, clients, cpu, c->param[XB_METHOD].text, NULL});
}

static int open_run(struct xb_stage *stage)
{
	struct run *run = calloc(1, sizeof(*run));
	struct xb_door door = {0};

	if (!run)
		return -ENOMEM;
	stage->own = run;
	int rc = start_server(run, stage->c, &door);
	if (rc == 0)
		rc = xb_served_pin(stage->c, run->served.pid);
	stage->server = run->served.pid;
	return rc < 0 ? rc : start_clients(stage, run, &door);
}

static void close_run(struct xb_stage *stage)
{
	struct run *run = stage->own;

	if (!run)
		return;
	xb_driver_stop(&run->clients);
	if (run->served.service)
		run->served.service->stop(&run->served);
	xp_manager_close(run->ours);
	free(run);
}

static int run_calls(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	struct run *run = actor->stage->own;

	return actor->index == 0 ? xb_driver_run(&run->clients, actor, n, pass) : 0;
}

const struct xb_workload xb_workload_manager_python = {
    .name = "manager_python",
    .title = "an exchange of an unmodified CPython client",
    .metric = XB_METRIC_RTT,
    .driven = true,
    .distribution = true,
    .cases = one_client,
    .open = open_run,
    .run = run_calls,
    .close = close_run,
};

const struct xb_workload xb_workload_manager_python_throughput = {
    .name = "manager_python_throughput",
    .title = "calls per second of unmodified CPython clients, all together",
    .metric = XB_METRIC_ITEMS,
    .driven = true,
    .cases = many_clients,
    .open = open_run,
    .run = run_calls,
    .close = close_run,
};
