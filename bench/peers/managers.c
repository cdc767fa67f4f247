/* SPDX-License-Identifier: MIT */
/*
 * managers - server processes that speak CPython's wire, called by the same C proxies: ours by
 * event and by thread, and stock CPython's
 */
#include "bench/peers/python.h"
#include "bench/peers/service.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/wait.h"
#include "xpshare/manager/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "key"

struct managed {
	struct xp_manager *server;  /* the child; NULL: CPython's */
	struct xp_manager *manager; /* through which it is called */
	struct xp_proxy *dict;
	struct xb_process process; /* CPython's */
	struct xp_address address;
};

static int make_dict(struct managed *managed)
{
	int rc = xp_proxy_create(managed->manager, "dict", 0, NULL, NULL, &managed->dict, NULL);

	if (rc < 0)
		return rc;
	struct xp_datum_arena *arena = xp_proxy_arena(managed->dict);
	const struct xp_datum *args[] = {xp_datum_str(arena, KEY), xp_datum_int(arena, 7)};
	return xp_proxy_call(managed->dict, "__setitem__", 2, args, NULL, NULL, NULL);
}

static int connect_to(const struct xp_address *address, const void *key, size_t key_size,
		      uint32_t polls, struct xp_manager **ret_manager)
{
	struct xp_manager_plan plan = {
	    .address = address, .key = key, .key_size = key_size, .polls = polls};

	return xp_manager_connect(&plan, ret_manager);
}

/* Ours, through proxies that look @polls times for a reply. */
static int start_with(struct xb_served *served, const struct xp_server_options *options,
		      uint32_t polls)
{
	struct managed *managed = calloc(1, sizeof(*managed));

	if (!managed)
		return -ENOMEM;
	served->own = managed;
	int rc = xp_manager_start(options, &managed->server);
	if (rc < 0)
		return rc;
	served->pid = xp_manager_pid(managed->server);
	size_t key_size;
	const void *key = xp_manager_key(managed->server, &key_size);
	return connect_to(xp_manager_address(managed->server), key, key_size, polls,
			  &managed->manager);
}

static int start_ours(struct xb_served *served, const struct xp_server_options *options)
{
	int rc = start_with(served, options, options->polls);

	return rc < 0 ? rc : make_dict(served->own);
}

static int start_event(struct xb_served *served)
{
	return start_ours(served, &(struct xp_server_options){.model = XP_SERVER_EVENT});
}

static int start_hybrid(struct xb_served *served)
{
	return start_ours(
	    served, &(struct xp_server_options){.model = XP_SERVER_EVENT, .polls = XP_CONN_POLLS});
}

static int start_thread(struct xb_served *served)
{
	return start_ours(served, &(struct xp_server_options){.model = XP_SERVER_THREAD});
}

/* Ours, called by ring: looking @polls times in the client, @server_polls in the server. */
static int start_ring(struct xb_served *served, uint32_t polls, uint32_t server_polls)
{
	struct xp_server_options options = {.polls = server_polls};
	int rc = start_with(served, &options, 0);

	if (rc < 0)
		return rc;
	struct managed *managed = served->own;
	xp_manager_set_ring(managed->manager, 0, polls);
	return make_dict(managed);
}

static int start_ring_park(struct xb_served *served)
{
	return start_ring(served, 0, 0);
}

static int start_ring_hybrid(struct xb_served *served)
{
	return start_ring(served, XP_WAIT_POLLS_DEFAULT, XP_WAIT_POLLS_DEFAULT);
}

static int start_ring_spin(struct xb_served *served)
{
	return start_ring(served, XP_WAIT_POLLS_FOREVER, 1u << 20);
}

static void stop(struct xb_served *served)
{
	struct managed *managed = served->own;

	if (!managed)
		return;
	xp_proxy_drop(managed->dict);
	xp_manager_close(managed->manager);
	xp_manager_close(managed->server);
	xb_process_stop(&managed->process);
	free(managed);
}

/* A child of the process that made the proxy: its first call connects anew. */
static int connect_client(struct xb_served *served, void **ret_client)
{
	struct managed *managed = served->own;

	*ret_client = managed->dict;
	return 0;
}

static int get(void *client)
{
	struct xp_proxy *dict = client;
	const struct xp_datum *args[] = {xp_datum_str(xp_proxy_arena(dict), KEY)};
	const struct xp_datum *value;

	return xp_proxy_call(dict, "__getitem__", 1, args, NULL, &value, NULL);
}

/* What falls back to the socket is no figure of the ring. */
static int connect_ring(struct xb_served *served, void **ret_client)
{
	struct managed *managed = served->own;
	int rc = connect_client(served, ret_client);

	if (rc == 0)
		rc = get(*ret_client);
	if (rc == 0 && xp_manager_transport(managed->manager) != XP_TRANSPORT_RING)
		rc = -ENOTSUP;
	return rc;
}

static int set(void *client)
{
	struct xp_proxy *dict = client;
	struct xp_datum_arena *arena = xp_proxy_arena(dict);
	const struct xp_datum *args[] = {xp_datum_str(arena, KEY), xp_datum_int(arena, 7)};

	return xp_proxy_call(dict, "__setitem__", 2, args, NULL, NULL, NULL);
}

/* What multiprocessing's connect() does. */
static int shake(void *client)
{
	const struct xp_manager *manager = xp_proxy_manager(client);
	struct timespec deadline = xp_deadline_after(XP_PATIENCE_NS);
	struct xp_datum_arena arena;
	const struct xp_datum *reply;
	struct xp_conn conn;
	size_t key_size;
	const void *key = xp_manager_key(manager, &key_size);

	xp_conn_init(&conn, NULL);
	xp_datum_arena_init(&arena, 0);
	const struct xp_datum *parts[] = {xp_datum_none(), xp_datum_str(&arena, "dummy"),
					  xp_datum_tuple(&arena, 0, NULL), xp_datum_dict(&arena)};
	const struct xp_datum *request = xp_datum_tuple(&arena, 4, parts);
	int rc = request ? xp_conn_open(&conn, xp_manager_address(manager), &deadline) : -ENOMEM;
	if (rc == 0)
		rc = xp_conn_authenticate(&conn, XP_AUTH_CLIENT, key, key_size, NULL, &deadline);
	if (rc == 0)
		rc = xp_conn_call(&conn, request, &deadline, &reply);
	xp_datum_arena_fini(&arena);
	xp_conn_fini(&conn);
	return rc;
}

static int make(void *client)
{
	struct xp_proxy *dict;
	int rc = xp_proxy_create(xp_proxy_manager(client), "dict", 0, NULL, NULL, &dict, NULL);

	if (rc == 0)
		xp_proxy_drop(dict);
	return rc;
}

static struct xb_door door(const struct xb_served *served)
{
	const struct managed *managed = served->own;
	struct xb_door door = {.address = xp_manager_address(managed->manager),
			       .ident = xp_proxy_ident(managed->dict)};

	door.key = xp_manager_key(managed->manager, &door.key_size);
	return door;
}

static void disconnect(void *client)
{
	(void)client; /* with the process */
}

/*
 * A handle of its own has a connection of its own, which is kept once an object has been called
 * through it: here an empty dict, whose memory is counted with the connection.
 */
static int link_client(struct xb_served *served, void **ret_link)
{
	struct managed *managed = served->own;
	struct xp_manager_plan plan = {.address = xp_manager_address(managed->manager)};
	struct managed *link = calloc(1, sizeof(*link));

	if (!link)
		return -ENOMEM;
	plan.key = xp_manager_key(managed->manager, &plan.key_size);
	int rc = xp_manager_connect(&plan, &link->manager);
	if (rc == 0)
		rc = xp_proxy_create(link->manager, "dict", 0, NULL, NULL, &link->dict, NULL);
	if (rc == 0)
		rc = xp_proxy_call(link->dict, "__len__", 0, NULL, NULL, NULL, NULL);
	if (rc < 0) {
		xp_proxy_drop(link->dict);
		xp_manager_close(link->manager);
		free(link);
		return rc;
	}
	*ret_link = link;
	return 0;
}

static void unlink_client(void *client)
{
	struct managed *link = client;

	xp_proxy_drop(link->dict);
	xp_manager_close(link->manager);
	free(link);
}

static const char *python_absent(void)
{
	return xb_python_there() ? NULL : "there is no python3 in PATH";
}

/* The server runs in the process itself, and ends with it. */
static const char program[] =
    "import sys\n"
    "from multiprocessing.managers import SyncManager\n"
    "SyncManager(address=sys.argv[1], authkey=b'bench').get_server().serve_forever()\n";

static int start_cpython(struct xb_served *served)
{
	struct managed *managed = calloc(1, sizeof(*managed));
	const struct xb_python *python = xb_python();
	char path[100];

	if (!managed)
		return -ENOMEM;
	served->own = managed;
	if (!python)
		return -ENOTSUP;
	int rc = xb_process_prepare(&managed->process);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "%s/manager", managed->process.dir);
	char *argv[] = {(char *)python->path, "-c", (char *)program, path, NULL};
	rc = xb_process_start(&managed->process, argv);
	if (rc == 0)
		rc = xb_process_await(&managed->process, path);
	if (rc < 0)
		return rc;
	served->pid = managed->process.pid;
	rc = xp_address_parse(path, &managed->address);
	if (rc < 0)
		return rc;
	rc = connect_to(&managed->address, "bench", 5, 0, &managed->manager);
	return rc < 0 ? rc : make_dict(managed);
}

/* One client for whoever speaks the protocol on a socket: the servers differ, and nothing else. */
#define CLIENT_OF_SOCKETS                                                                \
	.stop = stop, .connect = connect_client, .get = get, .set = set, .shake = shake, \
	.make = make, .door = door, .disconnect = disconnect, .link = link_client,       \
	.unlink = unlink_client

const struct xb_service xb_service_event = {
    .name = "manager/event",
    .role = XB_ROLE_SUBJECT,
    .start = start_event,
    CLIENT_OF_SOCKETS,
};

#define RING(symbol, text, start_)         \
	const struct xb_service symbol = { \
	    .name = "manager/event",       \
	    .transport = "ring",           \
	    .wait = text,                  \
	    .role = XB_ROLE_SUBJECT,       \
	    .start = start_,               \
	    .stop = stop,                  \
	    .connect = connect_ring,       \
	    .get = get,                    \
	    .set = set,                    \
	    .disconnect = disconnect,      \
	}

RING(xb_service_ring_park, "park", start_ring_park);
RING(xb_service_ring_hybrid, "hybrid", start_ring_hybrid);
RING(xb_service_ring_spin, "spin", start_ring_spin);
const struct xb_service xb_service_hybrid = {
    .name = "manager/event",
    .role = XB_ROLE_SUBJECT,
    .wait = "hybrid",
    .start = start_hybrid,
    .stop = stop,
    .connect = connect_client,
    .get = get,
    .set = set,
    .disconnect = disconnect,
};

const struct xb_service xb_service_thread = {
    .name = "manager/thread",
    .role = XB_ROLE_SUBJECT,
    .start = start_thread,
    CLIENT_OF_SOCKETS,
};

const struct xb_service xb_service_cpython = {
    .name = "manager/cpython",
    .role = XB_ROLE_PEER,
    .absent = python_absent,
    .start = start_cpython,
    CLIENT_OF_SOCKETS,
};
