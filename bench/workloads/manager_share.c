/* SPDX-License-Identifier: MIT */
/*
 * manager share - three ways for the threads of one process to use one manager (SPEC P6, P7)
 *
 * form:threads, a connection for each thread; form:pool, two connections for all of them; form:cache, one
 * refresher, and readers that look at a snapshot which is at most 100 ms old. Each thread gets the value of
 * one key of one dict, again and again.
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include "xpshare/base/clock.h"
#include "xpshare/manager/cache.h"

#include <stdlib.h>
#include <string.h>

#define THREADS	  4
#define POOL	  2
#define PERIOD_NS (20 * XP_NS_PER_MS)
#define AGE_NS	  (100 * XP_NS_PER_MS)
#define KEY	  "key"

struct shared {
	struct xp_manager *server;
	struct xp_manager *manager;
	struct xp_proxy *dict;
	struct xp_cache *cache;
};

static const char *const forms[] = {"threads", "pool", "cache"};

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	struct xb_placement plan;

	if (xb_topology_plan(matrix->topology, THREADS, XB_COMPACT, &plan) < 0)
		return;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct xb_case c =
		    xb_case_other(workload, XB_ROLE_SUBJECT, "manager", "manager/event", &plan);
		c.carrier = XP_CARRIER_THREAD;
		c.detail = forms[i];
		c.param[XB_FORM] = xb_text(forms[i]);
		c.param[XB_THREADS] = xb_number(THREADS);
		c.param[XB_TRANSPORT] = xb_text("unix");
		xb_matrix_add(matrix, &c);
	}
}

static bool is_form(const struct xb_case *c, const char *form)
{
	return strcmp(c->detail, form) == 0;
}

static int fill(struct xp_proxy *dict)
{
	struct xp_datum_arena *arena = xp_proxy_arena(dict);
	const struct xp_datum *args[] = {xp_datum_str(arena, KEY), xp_datum_int(arena, 7)};

	return xp_proxy_call(dict, "__setitem__", 2, args, NULL, NULL, NULL);
}

static int open_manager(struct xb_stage *stage)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	struct xp_manager_plan plan = {.connections = is_form(stage->c, "pool") ? POOL : 0};

	if (!shared)
		return -ENOMEM;
	stage->own = shared;
	int rc = xp_manager_start(NULL, &shared->server);
	if (rc < 0)
		return rc;
	stage->server = xp_manager_pid(shared->server);
	plan.address = xp_manager_address(shared->server);
	plan.key = xp_manager_key(shared->server, &plan.key_size);
	rc = xp_manager_connect(&plan, &shared->manager);
	if (rc == 0)
		rc = xp_proxy_create(shared->manager, "dict", 0, NULL, NULL, &shared->dict, NULL);
	if (rc == 0)
		rc = fill(shared->dict);
	if (rc == 0 && is_form(stage->c, "cache"))
		rc = xp_cache_create(&(struct xp_cache_plan){.proxy = shared->dict,
							     .method = "copy",
							     .period_ns = PERIOD_NS,
							     .age_max_ns = AGE_NS},
				     &shared->cache);
	return rc;
}

static void close_manager(struct xb_stage *stage)
{
	struct shared *shared = stage->own;

	if (!shared)
		return;
	xp_cache_destroy(shared->cache);
	xp_proxy_drop(shared->dict);
	xp_manager_close(shared->manager);
	xp_manager_close(shared->server);
	free(shared);
}

static int enter(struct xb_actor *actor)
{
	struct shared *shared = actor->stage->own;
	struct xp_cache_reader *reader;

	if (!shared->cache)
		return 0;
	if (xp_cache_join(shared->cache, &reader) < 0)
		return xb_fail(actor, "no memory");
	actor->own = reader;
	return 0;
}

static void leave(struct xb_actor *actor)
{
	xp_cache_leave(actor->own);
}

static int get(struct xp_proxy *dict)
{
	const struct xp_datum *args[] = {xp_datum_str(xp_proxy_arena(dict), KEY)};
	const struct xp_datum *value;
	int rc = xp_proxy_call(dict, "__getitem__", 1, args, NULL, &value, NULL);

	return rc < 0 ? rc : value->integer == 7 ? 0 : -EPROTO;
}

static int look(struct xp_cache_reader *reader)
{
	const struct xp_datum *dict;
	int rc = xp_cache_read(reader, &dict);

	if (rc < 0)
		return rc;
	const struct xp_datum *value = xp_datum_dict_get(dict, KEY);
	return value && value->integer == 7 ? 0 : -EPROTO;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	struct shared *shared = actor->stage->own;
	int rc = 0;

	if (actor->own)
		xb_timed(actor, n, pass, rc, look(actor->own));
	else
		xb_timed(actor, n, pass, rc, get(shared->dict));
	xb_each_made(actor, n, actor->members);
	return rc < 0 ? xb_fail(actor, "get: %s", strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_manager_share = {
    .name = "manager_share",
    .title = "time of a get by each of several threads of one process",
    .metric = XB_METRIC_OP,
    .distribution = true,
    .cases = cases,
    .open = open_manager,
    .enter = enter,
    .run = run,
    .leave = leave,
    .close = close_manager,
};
