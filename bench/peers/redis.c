/* SPDX-License-Identifier: MIT */
/* peer: Redis on a private AF_UNIX socket, without persistence, called through hiredis. */
#include "bench/peers/service.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <hiredis/hiredis.h>
#pragma GCC diagnostic pop

#include <stdio.h>
#include <stdlib.h>

struct redis {
	struct xb_process process;
	char path[100];
};

static const char *absent(void)
{
	return xb_program_there("redis-server") ? NULL : "there is no redis-server in PATH";
}

static int start(struct xb_served *served)
{
	struct redis *redis = calloc(1, sizeof(*redis));

	if (!redis)
		return -ENOMEM;
	served->own = redis;
	int rc = xb_process_prepare(&redis->process);
	if (rc < 0)
		return rc;
	snprintf(redis->path, sizeof(redis->path), "%s/redis", redis->process.dir);
	char *argv[] = {
	    "redis-server", "--port", "0",     "--unixsocket",	   redis->path, "--save", "",
	    "--appendonly", "no",     "--dir", redis->process.dir, NULL};
	rc = xb_process_start(&redis->process, argv);
	served->pid = redis->process.pid;
	return rc < 0 ? rc : xb_process_await(&redis->process, redis->path);
}

static void stop(struct xb_served *served)
{
	struct redis *redis = served->own;

	if (!redis)
		return;
	xb_process_stop(&redis->process);
	free(redis);
}

static int command(redisContext *context, const char *text)
{
	redisReply *reply = redisCommand(context, text);
	int rc = !reply ? -ECONNRESET : reply->type == REDIS_REPLY_ERROR ? -EPROTO : 0;

	if (reply)
		freeReplyObject(reply);
	return rc;
}

static int set(void *client)
{
	return command(client, "SET key 7");
}

static int get(void *client)
{
	return command(client, "GET key");
}

static int connect_client(struct xb_served *served, void **ret_client)
{
	struct redis *redis = served->own;
	redisContext *context = redisConnectUnix(redis->path);

	if (!context || context->err)
		return -ECONNREFUSED;
	*ret_client = context;
	return set(context);
}

static int shake(void *client)
{
	redisContext *own = client;
	redisContext *context = redisConnectUnix(own->unix_sock.path);

	if (!context || context->err)
		return -ECONNREFUSED;
	int rc = command(context, "PING");
	redisFree(context);
	return rc;
}

static int make(void *client)
{
	int rc = command(client, "SET object 7");

	return rc < 0 ? rc : command(client, "DEL object");
}

static void disconnect(void *client)
{
	redisFree(client);
}

const struct xb_service xb_service_redis = {
    .name = "manager/redis",
    .role = XB_ROLE_PEER,
    .absent = absent,
    .start = start,
    .stop = stop,
    .connect = connect_client,
    .get = get,
    .set = set,
    .shake = shake,
    .make = make,
    .disconnect = disconnect,
    .link = connect_client,
    .unlink = disconnect,
};
