/* SPDX-License-Identifier: MIT */
#include "conformance/soak/worker.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/rpc/conn.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_S	    0.02 /* how long a call may block, mostly */
#define LARGE_BYTES ((size_t)4 << 20)
#define CROWD	    40 /* connections at a time of one worker */
#define OBJECTS	    200

/* What a client of a server at its limits may well be told. */
static bool is_fair(int rc)
{
	switch (rc) {
	case 0:
	case -EREMOTEIO:
	case -ESTALE:
	case -EUSERS:
	case -ECONNRESET:
	case -ETIMEDOUT:
		return true;
	default:
		return rc > 0;
	}
}

static int note(struct xc_soak_worker *worker, int rc)
{
	if (!is_fair(rc) && !atomic_load(worker->broken))
		atomic_store(worker->broken, rc);
	return rc;
}

static unsigned dice(struct xc_soak_worker *worker, unsigned sides)
{
	return (unsigned)rand_r(&worker->seed) % sides;
}

/* ---- as proxies do ----------------------------------------------------------------------------- */

static int call(struct xc_soak_worker *worker, struct xp_proxy *proxy, const char *method,
		size_t count, const struct xp_datum *const *args)
{
	struct timespec limit = xp_deadline_after(10 * XP_NS_PER_SEC);

	return note(worker, xp_proxy_call(proxy, method, count, args, &limit, NULL, NULL));
}

static int call_plain(struct xc_soak_worker *worker, struct xp_proxy *proxy, const char *method)
{
	return call(worker, proxy, method, 0, NULL);
}

/* method(timeout), or method(True, timeout) where it has a flag first. */
static int call_blocking(struct xc_soak_worker *worker, struct xp_proxy *proxy, const char *method,
			 bool flag)
{
	struct xp_datum_arena *arena = xp_proxy_arena(proxy);
	/* Some wait for longer than their process will live. */
	double seconds = dice(worker, 4) == 0 ? 5 : BLOCK_S;
	const struct xp_datum *args[2] = {xp_datum_bool(true), xp_datum_float(arena, seconds)};

	return call(worker, proxy, method, flag ? 2 : 1, flag ? args : args + 1);
}

static int put(struct xc_soak_worker *worker, struct xp_proxy *queue)
{
	struct xp_datum_arena *arena = xp_proxy_arena(queue);
	const struct xp_datum *args[3] = {xp_datum_str(arena, "an item"), xp_datum_bool(true),
					  xp_datum_float(arena, BLOCK_S)};

	return call(worker, queue, "put", 3, args);
}

static void share(struct xc_soak_worker *worker)
{
	struct xp_proxy **shared = worker->shared;

	switch ((enum xc_soak_shared)dice(worker, XC_SOAK_SHARED)) {
	case XC_SOAK_QUEUE:
		if (dice(worker, 2))
			put(worker, shared[XC_SOAK_QUEUE]);
		else
			call_blocking(worker, shared[XC_SOAK_QUEUE], "get", true);
		break;
	case XC_SOAK_JOINABLE:
		put(worker, shared[XC_SOAK_JOINABLE]);
		if (call_blocking(worker, shared[XC_SOAK_JOINABLE], "get", true) == 0)
			call_plain(worker, shared[XC_SOAK_JOINABLE], "task_done");
		break;
	case XC_SOAK_LOCK:
		call_blocking(worker, shared[XC_SOAK_LOCK], "acquire", true);
		/* Whoever holds it: it has no owner, and the holder may be dead. */
		call_plain(worker, shared[XC_SOAK_LOCK], "release");
		break;
	case XC_SOAK_RLOCK:
		if (call_blocking(worker, shared[XC_SOAK_RLOCK], "acquire", true) == 0)
			call_plain(worker, shared[XC_SOAK_RLOCK], "release");
		break;
	case XC_SOAK_SEMAPHORE:
		call_blocking(worker, shared[XC_SOAK_SEMAPHORE], "acquire", true);
		call_plain(worker, shared[XC_SOAK_SEMAPHORE], "release");
		break;
	case XC_SOAK_CONDITION:
		if (call_blocking(worker, shared[XC_SOAK_CONDITION], "acquire", true) == 0) {
			call_blocking(worker, shared[XC_SOAK_CONDITION], "wait", false);
			call_plain(worker, shared[XC_SOAK_CONDITION], "notify_all");
			call_plain(worker, shared[XC_SOAK_CONDITION], "release");
		}
		break;
	case XC_SOAK_EVENT:
		call_blocking(worker, shared[XC_SOAK_EVENT], "wait", false);
		call_plain(worker, shared[XC_SOAK_EVENT], dice(worker, 2) ? "set" : "clear");
		break;
	case XC_SOAK_BARRIER:
		if (call_blocking(worker, shared[XC_SOAK_BARRIER], "wait", false) < 0)
			call_plain(worker, shared[XC_SOAK_BARRIER], "reset");
		break;
	case XC_SOAK_SHARED:
		break;
	}
}

static struct xp_proxy *make(struct xc_soak_worker *worker, const char *typeid_)
{
	struct xp_proxy *proxy;

	return note(worker,
		    xp_proxy_create(worker->manager, typeid_, 0, NULL, NULL, &proxy, NULL)) == 0
		   ? proxy
		   : NULL;
}

/* A list of a dict of a list, gone with its maker or given back in order. */
static void nest(struct xc_soak_worker *worker)
{
	struct xp_proxy *outer = make(worker, "list");
	struct xp_proxy *inner = make(worker, "list");

	for (int i = 0; i < 20 && outer && inner; i++) {
		const struct xp_datum *item =
		    i % 4 ? xp_datum_strf(xp_proxy_arena(outer), "item %d", i)
			  : xp_proxy_value(inner, xp_proxy_arena(outer));

		call(worker, outer, "append", 1, &item);
	}
	if (outer && dice(worker, 2))
		call_plain(worker, outer, "reverse");
	xp_proxy_drop(inner);
	xp_proxy_drop(outer);
}

static void hoard(struct xc_soak_worker *worker)
{
	struct xp_proxy *proxies[OBJECTS];
	int count = 0;

	while (count < OBJECTS && (proxies[count] = make(worker, "Lock")))
		count++;
	while (count > 0)
		xp_proxy_drop(proxies[--count]);
}

static void grow(struct xc_soak_worker *worker)
{
	char *large = malloc(LARGE_BYTES);
	struct xp_proxy *list = large ? make(worker, "list") : NULL;

	for (int i = 0; list && i < 4; i++) {
		memset(large, 'a' + i, LARGE_BYTES);
		const struct xp_datum *item =
		    xp_datum_borrow(xp_proxy_arena(list), XP_DATUM_BYTES, large, LARGE_BYTES);

		call(worker, list, "append", 1, &item);
	}
	if (list && dice(worker, 2))
		call_plain(worker, list, "copy");
	xp_proxy_drop(list);
	free(large);
}

/* ---- as nobody should -------------------------------------------------------------------------- */

static void crowd(struct xc_soak_worker *worker)
{
	struct timespec soon = xp_deadline_after(2 * XP_NS_PER_SEC);
	static struct xp_conn conns[CROWD];

	for (int i = 0; i < CROWD; i++) {
		xp_conn_init(&conns[i], NULL);
		if (xp_conn_open(&conns[i], &worker->address, &soon) == 0 && dice(worker, 2))
			(void)!xp_conn_authenticate(&conns[i], XP_AUTH_CLIENT, XC_SOAK_KEY,
						    strlen(XC_SOAK_KEY), NULL, &soon);
	}
	for (int i = 0; i < CROWD; i++)
		xp_conn_fini(&conns[i]);
}

/* Authenticated, then anything: nonsense, half a frame, a huge one, requests whose replies nobody reads. */
static void misbehave(struct xc_soak_worker *worker)
{
	static const char *const nonsense[] = {"\0\0\0\x04\xff\xff\xff\xff",
					       "\x7f\xff\xff\xff\x80\x02(", "\0\0\0\x20\x80\x02(N",
					       "\0\0\0\x04\x80\x02N."};
	const char *key = dice(worker, 4) ? XC_SOAK_KEY : "wrong";
	struct timespec soon = xp_deadline_after(XP_NS_PER_SEC);
	struct xp_conn conn;

	xp_conn_init(&conn, NULL);
	if (xp_conn_open(&conn, &worker->address, &soon) == 0 &&
	    xp_conn_authenticate(&conn, XP_AUTH_CLIENT, key, strlen(key), NULL, &soon) == 0) {
		unsigned which = dice(worker, 5);

		if (which < 4) {
			(void)!send(conn.fd, nonsense[which], 8, MSG_NOSIGNAL);
		} else {
			for (int i = 0; i < 1000; i++)
				if (send(conn.fd, nonsense[3], 8, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
					break;
		}
	}
	xp_conn_fini(&conn);
}

int xc_soak_work(void *argument)
{
	struct xc_soak_worker *worker = argument;

	/* Half of them hand a ring over, where the server takes one. */
	if (dice(worker, 2))
		xp_manager_set_ring(worker->manager, 0, 0);
	for (;;) {
		switch (dice(worker, 16)) {
		case 0:
			crowd(worker);
			break;
		case 1:
			hoard(worker);
			break;
		case 2:
			grow(worker);
			break;
		case 3:
		case 4:
			misbehave(worker);
			break;
		case 5:
		case 6:
		case 7:
			nest(worker);
			break;
		default:
			share(worker);
			break;
		}
		atomic_fetch_add(worker->done, 1);
	}
}
