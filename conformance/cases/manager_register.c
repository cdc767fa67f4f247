/* SPDX-License-Identifier: MIT */
/* Registered typeids: a factory that hands out one object, for ours by a registry in C (SPEC P4). */
#include "conformance/cases/cases.h"
#include "conformance/subjects/wire.h"

#include "xpshare/manager/proxy.h"

#include <stdlib.h>
#include <string.h>

/* ---- a type of one's own ---------------------------------------------------------------------- */

struct counter {
	struct xp_referent base;
	int64_t total;
};

static const struct xp_datum *counter_add(struct xp_call *call)
{
	struct counter *counter = xp_call_self(call, struct counter, base);
	int64_t step;

	if (xp_call_int64(call, 0, 1, &step) < 0)
		return NULL;
	counter->total += step;
	return xp_datum_int(call->arena, counter->total);
}

static void counter_fini(struct xp_referent *referent)
{
	free(referent);
}

static const struct xp_method counter_methods[] = {
    {.name = "add", .style = XP_ARGS_PYTHON, .max = 1, .params = "step", .call = counter_add},
    {.name = "hidden", .style = XP_ARGS_PYTHON, .max = 1, .params = "step", .call = counter_add},
};

static const struct xp_typeid counter_type = {
    .name = "counter",
    .owner = "Counter",
    .methods = counter_methods,
    .method_count = 2,
    .fini = counter_fini,
};

/* One object for everybody; the server process holds it for as long as it lives. */
static struct xp_referent *the_counter(struct xp_call *call, void *argument)
{
	static struct xp_referent *only;

	(void)argument;
	if (!only)
		only = xp_referent_new(call, &counter_type, sizeof(struct counter));
	return only ? xp_referent_ref(only) : NULL;
}

static enum xc_verdict start_ours(struct xc_case_context *cc, struct xp_manager **ret_manager,
				  struct xc_server *ret_server)
{
	static const char *const exposed[] = {"add", NULL};
	const struct xp_registration registration = {
	    .name = "shared", .type = &counter_type, .factory = the_counter, .exposed = exposed};
	struct xp_registry *registry;
	struct xp_address address;
	struct xc_server server = {0};

	XC_GIVES(cc, xp_registry_create(&registry), 0);
	XC_GIVES(cc, xp_registry_add_builtins(registry), 0);
	XC_GIVES(cc, xp_registry_register(registry, &registration), 0);
	struct xp_server_options options = {
	    .registry = registry, .key = XC_KEY, .key_size = strlen(XC_KEY), .allow_md5 = true};

	if (strcmp(cc->iut->subject->model, "thread") == 0)
		options.model = XP_SERVER_THREAD;
	if (cc->iut->subject->tcp) {
		XC_GIVES(cc, xp_address_parse("tcp:127.0.0.1:0", &address), 0);
		options.addresses = &address;
		options.address_count = 1;
	}
	options.door = cc->iut->subject->door;
	XC_GIVES(cc, xp_manager_start(&options, ret_manager), 0);
	xp_registry_destroy(registry); /* the child has its own */
	server.address = *xp_manager_address(*ret_manager);
	server.child.pid = xp_manager_pid(*ret_manager);
	*ret_server = server;
	return XC_PASS;
}

/* ---- the case --------------------------------------------------------------------------------- */

static enum xc_verdict use(struct xc_case_context *cc, const struct xc_server *server,
			   const char *typeid_, const char *change, const char *look,
			   const char *expected)
{
	char first[XC_IDENT_MAX], second[XC_IDENT_MAX];
	struct timespec by = xc_patience();
	struct xc_wire one, other;
	struct xc_reply reply;

	XC_TRY(xc_wire_create(cc, server, typeid_, 0, NULL, first));
	XC_TRY(xc_wire_create(cc, server, typeid_, 0, NULL, second));
	XC_REQUIRE(cc, strcmp(first, second) == 0, "both creations give the one object",
		   "%s and %s", first, second);
	XC_GIVES(cc, xc_wire_open(&one, server, &by), 0);
	XC_GIVES(cc, xc_wire_open(&other, server, &by), 0);
	const struct xp_datum *number = xp_datum_int(&one.arena, 3);
	XC_TRY(xc_wire_call(cc, &one, first, change, 1, &number, &reply));
	XC_TRY(xc_wire_call(cc, &other, second, look, 0, NULL, &reply));
	XC_REQUIRE(cc, strcmp(reply.text, expected) == 0, "one client sees what the other did",
		   "'%s', not '%s'", reply.text, expected);
	/* What the list of exposed names leaves out, the server refuses. */
	XC_TRY(xc_wire_ask(cc, &one, first, "hidden", 0, NULL, &reply));
	XC_REQUIRE(cc, strcmp(reply.kind, "#TRACEBACK") == 0, "a method off the list is refused",
		   "%s %s", reply.kind, reply.text);
	xc_wire_close(&one);
	xc_wire_close(&other);
	return XC_PASS;
}

static enum xc_verdict shared_object(struct xc_case_context *cc)
{
	struct xc_server server;
	struct xp_manager *manager;

	if (cc->iut->peer) {
		XC_TRY(xc_server_start(cc, NULL, &server));
		XC_TRY(use(cc, &server, "shared_queue", "put", "qsize", "1"));
		xc_server_stop(&server);
		return XC_PASS;
	}
	XC_TRY(start_ours(cc, &manager, &server));
	XC_TRY(use(cc, &server, "shared", "add", "add", "4"));
	xp_manager_close(manager);
	return XC_PASS;
}

const struct xc_case xc_cases_manager_register[] = {
    {.clause = "manager.shared_object",
     .name = "factory",
     .kinds = XC_KIND_SERVER,
     .run = shared_object},
    {0},
};
