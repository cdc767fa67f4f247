/* SPDX-License-Identifier: MIT */
/*
 * manager python - unmodified CPython as the client, of our managers and of its own
 *
 * What a user of multiprocessing sees who changes nothing but the server, and what the original costs with
 * its own clients. Python processes make the calls (peers/manager_client.py); the first member passes orders
 * on to them and takes their times. One client: on the first CPU of the pair, the server on the second one.
 */
#include "bench/matrix.h"
#include "bench/peers/python.h"
#include "bench/peers/service.h"
#include "bench/workload.h"

#include "build.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

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

/* The server, and the leader's ends of the pipes to the clients. */
struct run {
	struct xb_served served; /* stock */
	struct xp_manager *ours;
	pid_t client;
	FILE *to, *from;
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
	const struct sockaddr_storage *at = &address->storage;

	if (at->ss_family == AF_UNIX)
		snprintf(text, room, "%s", ((const struct sockaddr_un *)at)->sun_path);
	else
		snprintf(text, room, "127.0.0.1:%d",
			 ntohs(((const struct sockaddr_in *)at)->sin_port));
}

/* ---- the clients ------------------------------------------------------------------------------- */

_Noreturn static void become_client(const struct xb_case *c, const char *address, int in, int out)
{
	const struct xb_python *python = xb_python();
	const char *program = python ? python->path : "python3";
	char clients[12], cpu[12];

	snprintf(clients, sizeof(clients), "%d", xb_clients_of(c));
	snprintf(cpu, sizeof(cpu), "%d", c->placement.class == XB_ANY ? -1 : c->placement.cpus[0]);
	xb_process_child(in, out);
	execlp(program, program, XB_BUILD_SOURCE "/bench/peers/manager_client.py", address, KEY,
	       clients, cpu, c->param[XB_METHOD].text, (char *)NULL);
	_exit(127);
}

static int start_clients(struct xb_stage *stage, struct run *run, const struct xb_door *door)
{
	char address[128], line[16] = "";
	int orders[2], answers[2];

	address_text(door->address, address, sizeof(address));
	(void)xb_python(); /* asked here, known to the child */
	if (pipe2(orders, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(answers, O_CLOEXEC) < 0) {
		int rc = -errno;
		close(orders[0]);
		close(orders[1]);
		return rc;
	}
	run->client = fork();
	if (run->client == 0)
		become_client(stage->c, address, orders[0], answers[1]);
	close(orders[0]);
	close(answers[1]);
	run->to = fdopen(orders[1], "w");
	run->from = fdopen(answers[0], "r");
	if (run->client < 0 || !run->to || !run->from)
		return -ENOMEM;
	if (fgets(line, sizeof(line), run->from) && strcmp(line, "ready\n") == 0)
		return 0;
	snprintf(stage->error, sizeof(stage->error), "the Python client did not start");
	return -ENOTSUP;
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
	if (run->to)
		fclose(run->to);
	if (run->client > 0)
		xb_process_reap(run->client);
	if (run->from)
		fclose(run->from);
	if (run->served.service)
		run->served.service->stop(&run->served);
	xp_manager_close(run->ours);
	free(run);
}

static int take_times(struct xb_actor *actor, char *line, int64_t n, enum xb_pass pass)
{
	double total = 0;

	if (strncmp(line, "ns ", 3) != 0)
		return xb_fail(actor, "the Python client: %.100s", line);
	for (char *at = line + 3, *end; (void)strtoll(at, &end, 10), end != at; at = end) {
		int64_t ns = strtoll(at, NULL, 10);
		total += (double)ns;
		if (pass == XB_PASS_EACH)
			xb_hist_add(actor->hist, (uint64_t)ns);
	}
	actor->tally->ns = actor->tally->total_ns = total;
	actor->tally->ops = n;
	return 0;
}

static int run_calls(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	struct run *run = actor->stage->own;
	char *line = NULL;
	size_t room = 0;

	if (actor->index != 0)
		return 0;
	fprintf(run->to, "%s %lld\n", pass == XB_PASS_EACH ? "each" : "run", (long long)n);
	fflush(run->to);
	int rc = getline(&line, &room, run->from) > 0 ? take_times(actor, line, n, pass)
						      : xb_fail(actor, "the Python client ended");
	free(line);
	return rc;
}

const struct xb_workload xb_workload_manager_python = {
    .name = "manager_python",
    .title = "an exchange of an unmodified CPython client",
    .metric = XB_METRIC_RTT,
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
    .cases = many_clients,
    .open = open_run,
    .run = run_calls,
    .close = close_run,
};
