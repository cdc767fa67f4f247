/* SPDX-License-Identifier: MIT */
/* A type of one's own: registered in C, shared by several clients, exporting what it names and no more. */
#include "xpshare/manager/proxy.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* The smallest useful type: a counter that remembers its largest step. */
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

static const struct xp_datum *counter_fail(struct xp_call *call)
{
	return xp_call_raisef(call, "stats.Overdrawn", "by %d", 7);
}

static const struct xp_datum *counter_twin(struct xp_call *call);

static void counter_fini(struct xp_referent *referent)
{
	free(referent);
}

static const struct xp_method methods[] = {
    {.name = "add", .style = XP_ARGS_PYTHON, .max = 1, .params = "step", .call = counter_add},
    {.name = "fail", .style = XP_ARGS_NONE, .params = "", .call = counter_fail},
    {.name = "twin",
     .style = XP_ARGS_NONE,
     .params = "",
     .call = counter_twin,
     .result = "counter"},
    {.name = "_reset", .style = XP_ARGS_NONE, .params = "", .call = counter_fail},
};

static const struct xp_typeid counter_type = {
    .name = "counter",
    .owner = "counter",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = counter_fini,
};

/* A new one per call. */
static struct xp_referent *make_counter(struct xp_call *call, void *argument)
{
	(void)argument;
	return xp_referent_new(call, &counter_type, sizeof(struct counter));
}

/* Always the same one: that is how several processes share an object. */
static struct xp_referent *the_counter(struct xp_call *call, void *argument)
{
	struct xp_referent **shared = argument;

	if (!*shared)
		*shared = make_counter(call, NULL);
	return *shared ? xp_referent_ref(*shared) : NULL;
}

static const struct xp_datum *counter_twin(struct xp_call *call)
{
	struct xp_referent *twin = make_counter(call, NULL);

	if (!twin)
		return NULL;
	((struct counter *)twin)->total = xp_call_self(call, struct counter, base)->total;
	return xp_call_object(call, twin);
}

static struct xp_registry *registry;
static struct xp_manager *manager;
static struct xp_referent *shared;

static void start(void)
{
	static const char *const exposed[] = {"add", NULL};

	cr_assert_eq(xp_registry_create(&registry), 0);
	cr_assert_eq(xp_registry_add_builtins(registry), 0);
	cr_assert_eq(
	    xp_registry_register(registry, &(struct xp_registration){.type = &counter_type,
								     .factory = make_counter}),
	    0);
	cr_assert_eq(
	    xp_registry_register(registry, &(struct xp_registration){.name = "the_counter",
								     .type = &counter_type,
								     .factory = the_counter,
								     .argument = &shared,
								     .exposed = exposed}),
	    0);
	cr_assert_eq(xp_manager_start(&(struct xp_server_options){.registry = registry}, &manager),
		     0);
}

static void stop(void)
{
	xp_manager_close(manager);
	xp_registry_destroy(registry);
}

TestSuite(registry, .init = start, .fini = stop, .timeout = 60);

static int64_t add(struct xp_proxy *proxy, int64_t step)
{
	const struct xp_datum *args[1] = {xp_datum_int(xp_proxy_arena(proxy), step)};
	const struct xp_datum *value;

	cr_assert_eq(xp_proxy_call(proxy, "add", 1, args, NULL, &value, NULL), 0);
	return value->integer;
}

static struct xp_proxy *create(const char *typeid_)
{
	struct xp_proxy *proxy;

	cr_assert_eq(xp_proxy_create(manager, typeid_, 0, NULL, NULL, &proxy, NULL), 0);
	return proxy;
}

Test(registry, a_factory_makes_a_new_object_per_call_or_shares_one)
{
	struct xp_proxy *a = create("counter");
	struct xp_proxy *b = create("counter");
	struct xp_proxy *c = create("the_counter");
	struct xp_proxy *d = create("the_counter");

	cr_assert_eq(add(a, 2), 2);
	cr_assert_eq(add(b, 3), 3);
	cr_assert_eq(add(c, 4), 4);
	cr_assert_eq(add(d, 5), 9);
	cr_assert_str_eq(xp_proxy_ident(c), xp_proxy_ident(d));
	/* The last proxy goes, the object stays with its factory. */
	xp_proxy_drop(c);
	xp_proxy_drop(d);
	d = create("the_counter");
	cr_assert_eq(add(d, 1), 10);
	xp_proxy_drop(a);
	xp_proxy_drop(b);
	xp_proxy_drop(d);
}

Test(registry, only_exposed_names_can_be_called)
{
	static const char *const hidden[] = {"_reset", "total", "base", "__init__", "fini", ""};
	struct xp_remote_error error;
	struct xp_proxy *all = create("counter");
	struct xp_proxy *one = create("the_counter");

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		cr_assert_eq(xp_proxy_call(all, hidden[i], 0, NULL, NULL, NULL, &error),
			     -EREMOTEIO);
		cr_assert_str_eq(error.type, "RemoteError");
	}
	cr_assert_eq(xp_proxy_call(one, "fail", 0, NULL, NULL, NULL, &error), -EREMOTEIO);
	cr_assert_str_eq(error.text, "KeyError: 'fail'");
	cr_assert_eq(xp_proxy_call(all, "fail", 0, NULL, NULL, NULL, &error), -EREMOTEIO);
	cr_assert_str_eq(error.type, "stats.Overdrawn");
	cr_assert_str_eq(error.text, "by 7");
	xp_proxy_drop(all);
	xp_proxy_drop(one);
}

Test(registry, a_method_may_make_an_object)
{
	struct xp_proxy *counter = create("counter");
	struct xp_proxy *twin;

	cr_assert_eq(add(counter, 5), 5);
	cr_assert_eq(xp_proxy_call_object(counter, "twin", 0, NULL, &twin, NULL), 0);
	cr_assert_eq(add(twin, 1), 6);
	cr_assert_eq(add(counter, 0), 5);
	xp_proxy_drop(twin);
	xp_proxy_drop(counter);
}

Test(registry, wrong_registrations_are_refused)
{
	static const char *const unknown[] = {"add", "no_such", NULL};

	cr_assert_eq(
	    xp_registry_register(registry, &(struct xp_registration){.type = &counter_type}),
	    -EEXIST);
	cr_assert_eq(xp_registry_register(registry, &(struct xp_registration){.name = "other",
									      .type = &counter_type,
									      .exposed = unknown}),
		     -EINVAL);
}

Test(registry, arguments_that_a_type_does_not_want_are_refused)
{
	const struct xp_datum *args[1] = {xp_datum_none()};
	struct xp_remote_error error;
	struct xp_proxy *proxy;

	cr_assert_eq(xp_proxy_create(manager, "counter", 1, args, NULL, &proxy, &error),
		     -EREMOTEIO);
	cr_assert(strstr(error.text, "TypeError"), "%s", error.text);
}
