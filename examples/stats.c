/* SPDX-License-Identifier: MIT */
/*
 * stats - a type of one's own, shared between processes of C and of Python
 *
 *   XP_AUTHKEY=secret stats serve unix:/tmp/stats            until SIGTERM or SIGINT
 *   XP_AUTHKEY=secret stats add unix:/tmp/stats 1.5 2 -4
 *   XP_AUTHKEY=secret stats show unix:/tmp/stats
 *
 * Three parts: the type as the server has it, a proxy written by hand for C clients, and main(). The
 * same object from Python: stats.py.
 */
#include "xpshare/manager/proxy.h"
#include "xpshare/manager/registry.h"
#include "xpshare/manager/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the type, in the server ------------------------------------------------------------------- */

struct stats {
	struct xp_referent base;
	int64_t count;
	double sum;
	double least;
	double most;
};

static const struct xp_datum *stats_add(struct xp_call *call)
{
	struct stats *stats = xp_call_self(call, struct stats, base);
	double value;

	if (xp_datum_to_double(call->args[0], &value) < 0)
		return xp_call_raisef(call, "TypeError", "add() wants a number");
	if (stats->count == 0 || value < stats->least)
		stats->least = value;
	if (stats->count == 0 || value > stats->most)
		stats->most = value;
	stats->sum += value;
	return xp_datum_int(call->arena, ++stats->count);
}

static const struct xp_datum *stats_mean(struct xp_call *call)
{
	const struct stats *stats = xp_call_self(call, struct stats, base);

	if (stats->count == 0)
		return xp_call_raisef(call, "ValueError", "no values yet");
	return xp_datum_float(call->arena, stats->sum / (double)stats->count);
}

static const struct xp_datum *stats_summary(struct xp_call *call)
{
	const struct stats *stats = xp_call_self(call, struct stats, base);
	const struct xp_datum *items[] = {
	    xp_datum_int(call->arena, stats->count),
	    xp_datum_float(call->arena, stats->least),
	    xp_datum_float(call->arena, stats->most),
	};

	return xp_datum_tuple(call->arena, 3, items);
}

static const struct xp_datum *stats_reset(struct xp_call *call)
{
	struct stats *stats = xp_call_self(call, struct stats, base);

	*stats = (struct stats){.base = stats->base};
	return xp_datum_none();
}

static void stats_fini(struct xp_referent *referent)
{
	free(referent);
}

static const struct xp_method stats_methods[] = {
    {.name = "add",
     .style = XP_ARGS_PYTHON,
     .min = 1,
     .max = 1,
     .params = "value",
     .call = stats_add},
    {.name = "mean", .style = XP_ARGS_PYTHON, .params = "", .call = stats_mean},
    {.name = "summary", .style = XP_ARGS_PYTHON, .params = "", .call = stats_summary},
    {.name = "reset", .style = XP_ARGS_PYTHON, .params = "", .call = stats_reset},
};

static const struct xp_typeid stats_type = {
    .name = "Stats",
    .owner = "Stats",
    .init = {.name = "Stats", .style = XP_ARGS_PYTHON, .params = ""},
    .methods = stats_methods,
    .method_count = sizeof(stats_methods) / sizeof(stats_methods[0]),
    .fini = stats_fini,
};

/* Every client that asks for "Stats" gets this one: that is how they share it. The first call makes it,
 * and @argument keeps it from then on, whether or not a client is there. */
static struct xp_referent *the_stats(struct xp_call *call, void *argument)
{
	struct xp_referent **kept = argument;

	if (!*kept)
		*kept = xp_referent_new(call, &stats_type, sizeof(struct stats));
	return *kept ? xp_referent_ref(*kept) : NULL;
}

/* What clients may call. reset() is not among them: the server refuses it, whatever a client sends. */
static const char *const exposed[] = {"add", "mean", "summary", NULL};

/* ---- the proxy, in a client -------------------------------------------------------------------- */

static int remote_add(struct xp_proxy *proxy, double value, int64_t *ret_count)
{
	const struct xp_datum *args[] = {xp_datum_float(xp_proxy_arena(proxy), value)};
	const struct xp_datum *count;
	int rc = xp_proxy_call(proxy, "add", 1, args, NULL, &count, NULL);

	return rc < 0 ? rc : xp_datum_to_int64(count, ret_count);
}

/* Return: 0; -ENODATA: there are no values yet; -errno. */
static int remote_mean(struct xp_proxy *proxy, double *ret_mean)
{
	struct xp_remote_error error;
	const struct xp_datum *mean;
	int rc = xp_proxy_call(proxy, "mean", 0, NULL, NULL, &mean, &error);

	if (rc == -EREMOTEIO && xp_remote_error_is(&error, "ValueError"))
		return -ENODATA;
	return rc < 0 ? rc : xp_datum_to_double(mean, ret_mean);
}

/* ---- the program ------------------------------------------------------------------------------- */

static struct xp_server *server;

static void on_signal(int number)
{
	(void)number;
	xp_server_stop(server);
}

static int serve(const struct xp_address *address, const char *key)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct xp_referent *kept = NULL;
	struct xp_registry *registry;
	int rc = xp_registry_create(&registry);

	if (rc < 0)
		return rc;
	rc = xp_registry_register(registry, &(struct xp_registration){
						.type = &stats_type,
						.factory = the_stats,
						.argument = &kept,
						.exposed = exposed,
					    });
	if (rc == 0)
		rc = xp_server_create(&(struct xp_server_options){.addresses = address,
								  .address_count = 1,
								  .registry = registry,
								  .key = key,
								  .key_size = strlen(key)},
				      &server);
	if (rc == 0) {
		sigaction(SIGTERM, &action, NULL);
		sigaction(SIGINT, &action, NULL);
		puts("serving");
		fflush(stdout);
		rc = xp_server_run(server);
		xp_referent_unref(kept);
		xp_server_destroy(server);
	}
	xp_registry_destroy(registry);
	return rc;
}

static int add_values(struct xp_proxy *proxy, char **values)
{
	int64_t count = 0;
	int rc = 0;

	for (; rc == 0 && *values; values++) {
		char *end;
		double value = strtod(*values, &end);

		rc = end == *values || *end ? -EINVAL : remote_add(proxy, value, &count);
	}
	if (rc == 0)
		printf("%lld values\n", (long long)count);
	return rc;
}

static int show(struct xp_proxy *proxy)
{
	double mean;
	int rc = remote_mean(proxy, &mean);

	if (rc == -ENODATA) {
		puts("no values yet");
		return 0;
	}
	if (rc == 0)
		printf("mean %g\n", mean);
	return rc;
}

static int use(const struct xp_address *address, const char *key, char **values)
{
	struct xp_manager_plan plan = {.address = address, .key = key, .key_size = strlen(key)};
	struct xp_manager *manager;
	struct xp_proxy *proxy;
	int rc = xp_manager_connect(&plan, &manager);

	if (rc < 0)
		return rc;
	rc = xp_proxy_create(manager, "Stats", 0, NULL, NULL, &proxy, NULL);
	if (rc == 0) {
		rc = values ? add_values(proxy, values) : show(proxy);
		xp_proxy_drop(proxy);
	}
	xp_manager_close(manager);
	return rc;
}

int main(int argc, char **argv)
{
	const char *key = getenv("XP_AUTHKEY");
	struct xp_address address;
	int rc;

	if (argc < 3 || !key || xp_address_parse(argv[2], &address) < 0) {
		fputs("usage: XP_AUTHKEY=key stats serve|add|show ADDRESS [VALUE...]\n", stderr);
		return 2;
	}
	if (!strcmp(argv[1], "serve"))
		rc = serve(&address, key);
	else
		rc = use(&address, key, !strcmp(argv[1], "add") ? argv + 3 : NULL);
	if (rc < 0) {
		fprintf(stderr, "stats: %s\n", strerror(-rc));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
