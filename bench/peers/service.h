/* SPDX-License-Identifier: MIT */
/*
 * service - a server process that clients call: ours, those of others, and the floor under them all
 *
 * Overview      The manager workloads run over each service alike: the same clients on the same CPUs,
 *               one call at a time, with a key of 3 bytes and an integer as the value. A service is
 *               started by the leader before the members are forked, and pinned by the workload.
 * Death         A server process dies with the leader, and is reaped by stop().
 */
#ifndef BENCH_PEERS_SERVICE_H
#define BENCH_PEERS_SERVICE_H

#include "bench/case.h"

#include "xpshare/manager/proxy.h"

#include <sys/types.h>

/* What an echo sends and answers: the frames of a dict's __getitem__ over CPython's wire. */
#define XB_ECHO_REQUEST 64
#define XB_ECHO_REPLY	32

/** struct xb_served - A running service. @own: the service's. @crowd: other clients beside the measured. */
struct xb_served {
	const struct xb_service *service;
	pid_t pid;
	void *own;
	struct xb_crowd *crowd;
};

/** struct xb_door - Where a manager is, for clients of other sorts. */
struct xb_door {
	const struct xp_address *address;
	const void *key;
	size_t key_size;
	const char *ident; /* of its dict */
};

/**
 * struct xb_service - One service.
 * @server:  The parameter "server" of its name, or NULL.
 * @transport: How calls travel, where it is not "unix".
 * @wait:    The parameter "wait" of its name, or NULL.
 * @absent:  Why it cannot be had here, or NULL; asked once, before any case is made.
 * @start:   0; -ENOTSUP; -errno. In the leader.
 * @connect: In a member: a connection of its own, to *@ret_client.
 * @get, @set: One call.
 * @shake:   Connect anew, authenticate, one exchange, disconnect.
 * @make:    Make an object and remove it.
 * @door:    Of a manager; NULL otherwise.
 * @link:    A further connection of the same process, authenticated and then idle; closed by @unlink.
 */
struct xb_service {
	const char *name;
	const char *server;
	const char *transport;
	const char *wait;
	enum xb_role role;
	const char *(*absent)(void);
	int (*start)(struct xb_served *served);
	void (*stop)(struct xb_served *served);
	int (*connect)(struct xb_served *served, void **ret_client);
	int (*get)(void *client);
	int (*set)(void *client);
	int (*shake)(void *client);
	int (*make)(void *client);
	struct xb_door (*door)(const struct xb_served *served);
	void (*disconnect)(void *client);
	int (*link)(struct xb_served *served, void **ret_link);
	void (*unlink)(void *link);
};

struct xb_stage;

/**
 * xb_served_open() - For open(): start @service into @stage->own. A single client's server runs on the second
 * CPU of its pair. With the parameter "held" or "attack" other clients come beside it (crowd.h).
 */
XP_MUST_CHECK int xb_served_open(struct xb_stage *stage, const struct xb_service *service);
/** xb_served_pin() - Put the server @pid, with all its threads, where the case wants it. 0, -errno. */
XP_MUST_CHECK int xb_served_pin(const struct xb_case *c, pid_t pid);
/** xb_served_close() - For close(). */
void xb_served_close(struct xb_stage *stage);
/** xb_clients_of() - The parameter "clients". */
int xb_clients_of(const struct xb_case *c);

/** xb_service_at() - The service at @index, NULL past the end. */
const struct xb_service *xb_service_at(size_t index);

/**
 * struct xb_process - A program started for a service, with a private directory of its own.
 * @dir: Made by start, removed with everything in it by stop.
 */
struct xb_process {
	pid_t pid;
	int input; /* its standard input: closed by stop, which tells it to end */
	char dir[64];
};

/** xb_process_prepare() - Make the directory. 0 or -errno. */
XP_MUST_CHECK int xb_process_prepare(struct xb_process *process);

/** xb_process_start() - Run @argv (looked up in PATH). 0 or -errno; what it prints is dropped. */
XP_MUST_CHECK int xb_process_start(struct xb_process *process, char *const argv[]);

/** xb_process_await() - Wait until somebody listens on the socket @path. 0; -ETIMEDOUT; -ECHILD. */
XP_MUST_CHECK int xb_process_await(const struct xb_process *process, const char *path);

/** xb_process_stop() - End it, reap it, remove its directory. Accepts a zeroed one. */
void xb_process_stop(struct xb_process *process);

/** xb_process_child() - In a child before it executes a program: dies with the leader, is not
 *  interrupted with the terminal's group, reads from @in and writes to @out, its errors nowhere. */
void xb_process_child(int in, int out);

/** xb_process_reap() - Wait for @pid to end by itself for some seconds, else kill it; reap it. */
void xb_process_reap(pid_t pid);

/** xb_program_there() - Whether PATH has @name. */
bool xb_program_there(const char *name);

/** xb_connect_unix() - A stream connection to the socket @path: a descriptor or -errno. */
XP_MUST_CHECK int xb_connect_unix(const char *path);

#endif
