/* SPDX-License-Identifier: MIT */
/*
 * proxy - objects of a manager as a client in C sees them
 *
 * Overview      A struct xp_manager stands for a manager process, ours or stock CPython's of any
 *               version; a struct xp_proxy for one object in it. A call serialises its arguments,
 *               sends them, waits for the manager to execute it, and hands back the value or the
 *               exception with its type, its arguments and the remote traceback.
 * Use           xp_manager_connect(&plan, &manager);
 *               xp_proxy_create(manager, "dict", 0, NULL, NULL, &proxy, NULL);
 *               struct xp_datum_arena *arena = xp_proxy_arena(proxy);
 *               const struct xp_datum *args[] = {xp_datum_str(arena, "key"), xp_datum_int(arena, 7)};
 *               rc = xp_proxy_call(proxy, "__setitem__", 2, args, NULL, NULL, &error);
 *               xp_proxy_drop(proxy); xp_manager_close(manager);
 * Threads       Any number may use a manager and its proxies. By default each has a connection of its
 *               own, made at its first call and closed when the thread ends. What the manager calls the
 *               owner of an RLock or a Condition is therefore the calling thread.
 * Pool          With plan.connections the threads of a process share at most so many (SPEC P6): a call
 *               takes one and gives it back, but a thread that owns an RLock or a Condition keeps its own
 *               until it has released everything, or ends. (A registered type of your own that knows
 *               its owner by the connection wants a connection per thread.) A call that finds none free
 *               for as long as it may wait, and at most for the patience, is not sent: -EBUSY. So a
 *               bound must exceed the number of threads that block in the manager at a time.
 * Cache         Where many threads read what changes seldom, one refresher and a snapshot in the process
 *               cost them no call at all: manager/cache.h (SPEC P7).
 * Fork          A child may go on using the manager and the proxies: it makes connections of its own
 *               and never touches those of its parent (SPEC X8). Only the process that created an
 *               object gives the reference up.
 * Waiting       A call that does not block in the manager takes at most the plan's patience. One that
 *               blocks for ever waits as long as the manager answers on a second connection, which is
 *               asked whenever the patience has run out: a stopped or unreachable manager is noticed in
 *               bounded time (SPEC P9, X6), a killed one at once.
 * Death         -ECONNRESET: the manager is gone, or went in mid-call (the call may have been
 *               executed). -ETIMEDOUT: it does not answer. The connection is given up in both cases, so
 *               that a late reply is never taken for that of a later call (SPEC X2); the next call
 *               connects anew. -ESTALE: it is another incarnation, or it has dropped the object.
 * Errors        -EREMOTEIO: the manager raised; struct xp_remote_error says what. -EUSERS: it refused the
 *               connection for want of a place. -EACCES: wrong key.
 */
#ifndef XPSHARE_MANAGER_PROXY_H
#define XPSHARE_MANAGER_PROXY_H

#include "xpshare/manager/server.h"

struct xp_manager;
struct xp_proxy;

#define XP_PATIENCE_NS (INT64_C(10) * 1000000000)

/** enum xp_transport - How calls on objects travel. Of a plan with RING they go by the socket where the
 *  manager takes no ring (CPython's, one on TCP, one that is told not to), and where they are too large. */
enum xp_transport {
	XP_TRANSPORT_SOCKET,
	XP_TRANSPORT_RING, /* shared memory: rpc/duplex.h */
};

/**
 * struct xp_manager_plan - Which manager, and how long to wait for it.
 * @patience_ns:  See above; 0: XP_PATIENCE_NS.
 * @reconnect_ns: How long to go on trying, with growing pauses, where nobody listens; 0: once.
 * @digests:      Of enum xp_auth_digest; 0: all, so that CPython up to 3.11 is accepted too.
 * @connections:  Of this process for calls on objects, at most; 0: one for each thread that calls.
 * @polls:        How often a call looks for its reply before it sleeps, adapting to whether that pays; 0:
 *                it sleeps at once. XP_CONN_POLLS suits a manager that spins on another CPU, XP_WAIT_POLLS_DEFAULT
 *                one that does so on a ring, where XP_WAIT_POLLS_FOREVER never sleeps.
 * @transport:    See above.
 * @ring_size:    Bytes of shared memory per connection by ring, half for requests and half for replies;
 *                0: XP_DUPLEX_SIZE_DEFAULT, 16 KiB. What does not fit goes by the socket.
 */
struct xp_manager_plan {
	const struct xp_address *address;
	const void *key;
	size_t key_size;
	int64_t patience_ns;
	int64_t reconnect_ns;
	unsigned digests;
	unsigned connections;
	uint32_t polls;
	enum xp_transport transport;
	size_t ring_size;
};

/** xp_manager_connect() - Connect and shake hands once. The key is copied. Return: 0; -errno as above. */
XP_MUST_CHECK int xp_manager_connect(const struct xp_manager_plan *plan,
				     struct xp_manager **ret_manager);

/**
 * xp_manager_start() - Start our own server in a child process, and connect to it.
 * @options: NULL, or what it shall be: the registry (NULL: the built-in typeids), limits, model. Without
 *           an address it listens on a socket in a private directory, or with @door behind a descriptor that
 *           all descendants of this process inherit and nobody else can reach (rpc/door.h); it is
 *           close-on-exec, and xp_manager_address() names it. Without a key it gets a random one.
 *
 * The child ends with its parent, and cleans the directory up. What stays if both are killed at once is
 * removed by the next start in the same TMPDIR.
 * Context: As xp_child_start(). Return: 0, -errno.
 */
XP_MUST_CHECK int xp_manager_start(const struct xp_server_options *options,
				   struct xp_manager **ret_manager);

/** xp_manager_close() - Close every connection of this process; the process that started the manager also
 *  stops it. No proxy may be in use. NULL is allowed. */
void xp_manager_close(struct xp_manager *manager);

/** xp_manager_address() - Where it is. */
const struct xp_address *xp_manager_address(const struct xp_manager *manager);
/** xp_manager_key() - Its key. */
const void *xp_manager_key(const struct xp_manager *manager, size_t *ret_size);
/** xp_manager_pid() - The child that xp_manager_start() made; 0 otherwise. */
pid_t xp_manager_pid(const struct xp_manager *manager);
/** xp_manager_set_ring() - Calls go by ring on connections that are made from now on, as in a plan: for a
 *  manager that xp_manager_start() has made, before it is used. */
void xp_manager_set_ring(struct xp_manager *manager, size_t size, uint32_t polls);
/** xp_manager_transport() - How the calling thread's calls on objects travel, once it has made one. */
enum xp_transport xp_manager_transport(struct xp_manager *manager);
/** xp_manager_is_python2() - Whether the last reply was in the dialect of Python 2. */
bool xp_manager_is_python2(const struct xp_manager *manager);

/**
 * struct xp_remote_error - An exception that crossed.
 * @type:      "builtins.KeyError", "queue.Empty"; "RemoteError" where only a traceback came.
 * @text:      Its first argument if that is text, else the last line of the traceback; may be cut.
 * @args:      Its arguments, a TUPLE; NULL for a RemoteError. Valid as long as a result is.
 * @traceback: The remote traceback where one came (a STR), else NULL. Likewise.
 */
struct xp_remote_error {
	char type[64];
	char text[192];
	const struct xp_datum *args;
	const struct xp_datum *traceback;
};

/** xp_remote_error_is() - Whether @error is of that class, named without its module: "KeyError". */
bool xp_remote_error_is(const struct xp_remote_error *error, const char *name);

/**
 * xp_manager_call() - A connection-level function, as "number_of_objects" or "debug_info".
 * Return: as xp_proxy_call().
 */
XP_MUST_CHECK int xp_manager_call(struct xp_manager *manager, const char *function, size_t count,
				  const struct xp_datum *const *args,
				  const struct xp_datum **ret_value, struct xp_remote_error *error);
/** xp_manager_arena() - Where the calling thread builds arguments; forgotten by its next call. */
struct xp_datum_arena *xp_manager_arena(struct xp_manager *manager);

/**
 * xp_proxy_create() - Make an object in the manager.
 * @keywords: A DICT or NULL.
 * @error:    May be NULL. Errors of a creation come as RemoteError.
 * Progress:  One call on the thread's connection where it has one to a server of ours; else, and always to stock
 *            CPython, a connection of its own. The same holds for the drop.
 * Return:    0; -EREMOTEIO; -errno.
 */
XP_MUST_CHECK int xp_proxy_create(struct xp_manager *manager, const char *typeid_, size_t count,
				  const struct xp_datum *const *args,
				  const struct xp_datum *keywords, struct xp_proxy **ret_proxy,
				  struct xp_remote_error *error);
/** xp_proxy_drop() - Give the reference up (in the process that created it) and free. NULL is allowed. */
void xp_proxy_drop(struct xp_proxy *proxy);

/** xp_proxy_arena() - As xp_manager_arena(). NULL: no memory. */
struct xp_datum_arena *xp_proxy_arena(struct xp_proxy *proxy);

#define XP_PROXY_FOREVER ((const struct timespec *)-1)

/**
 * xp_proxy_call() - Call a method.
 * @deadline:  NULL: the patience. XP_PROXY_FOREVER: for a method that blocks, see Waiting.
 * @ret_value: May be NULL. Valid until the calling thread's next call through this manager.
 * @error:     Filled on -EREMOTEIO; may be NULL.
 *
 * Context:  Any thread of any process that inherited @proxy. Blocks.
 * Progress: Two system calls of this process where the reply comes in one piece: send and recv.
 * Return:   0; -EREMOTEIO; -ESTALE; -ECONNRESET; -ETIMEDOUT; -EUSERS; -EACCES; -EMSGSIZE; -ENOMEM; -EBUSY
 *           (a pool only). -ENOMEM of a pool may follow a call that was executed.
 */
XP_MUST_CHECK int xp_proxy_call(struct xp_proxy *proxy, const char *method, size_t count,
				const struct xp_datum *const *args, const struct timespec *deadline,
				const struct xp_datum **ret_value, struct xp_remote_error *error);

/** xp_proxy_call_object() - Call a method that makes an object: the proxy of what came as #PROXY. */
XP_MUST_CHECK int xp_proxy_call_object(struct xp_proxy *proxy, const char *method, size_t count,
				       const struct xp_datum *const *args,
				       struct xp_proxy **ret_object, struct xp_remote_error *error);

/** xp_proxy_value() - The proxy as an argument, e.g. to be stored in a list of the same manager. */
const struct xp_datum *xp_proxy_value(struct xp_proxy *proxy, struct xp_datum_arena *arena);
/** xp_proxy_ident() - Its ident. */
const char *xp_proxy_ident(const struct xp_proxy *proxy);
struct xp_manager *xp_proxy_manager(const struct xp_proxy *proxy);

#endif
