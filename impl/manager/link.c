/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/link.h"

#include "xpshare/manager/pool.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_FIRST_NS XP_NS_PER_MS /* between two attempts to reconnect, doubled each time */
#define PAUSE_LAST_NS  (64 * XP_NS_PER_MS) /* up to this */
#define STOP_NS	       (3 * XP_NS_PER_SEC) /* for a manager of ours to end by itself */

/* What one thread has of one manager. */
struct link {
	struct link *next;
	struct link **at; /* what points here */
	struct xp_manager *manager;
	struct xp_line *line;  /* for calls on objects; NULL: none yet, or given back */
	struct xp_conn single; /* of the last connection-level call */
	struct xp_datum_arena arena;
	struct xp_datum_arena replies; /* of a line that has been given back */
	bool spoilt; /* the arena's content has been sent: forget it before the next use */
};

struct xp_manager {
	struct xp_manager *next;
	struct xp_manager **at;
	struct xp_address address;
	struct xp_auth_policy policy;
	int64_t patience;
	int64_t reconnect;
	enum xp_transport transport;
	size_t ring_size;
	char *key;
	size_t key_size;
	pthread_key_t own; /* the calling thread's link */
	uint32_t polls;
	struct xp_pool pool;
	pthread_mutex_t lock;
	struct link *links;
	struct link *survivor; /* in a child: the link of the thread that forked */
	_Atomic bool forked;   /* in a child: @links are still those of the parent */
	pid_t listener;	       /* which process listens, as far as the kernel tells (AF_UNIX) */
	_Atomic uint32_t epoch;
	_Atomic bool python2;
	_Atomic bool stock; /* it wants a connection for each connection-level call */
	pid_t starter;	    /* the process that started @child; 0: none */
	struct xp_child child;
	int door; /* the address is this end of a door, which is ours; -1: it is not */
	char directory[128];
};

/* All managers of this process, so that a fork finds every lock free and every link of the parent. */
static struct xp_manager *managers;
static pthread_mutex_t managers_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

/* ---- links ------------------------------------------------------------------------------------- */

static void link_free(struct link *link)
{
	xp_conn_fini(&link->single);
	xp_datum_arena_fini(&link->arena);
	xp_datum_arena_fini(&link->replies);
	free(link);
}

static void link_remove(struct link *link)
{
	*link->at = link->next;
	if (link->next)
		link->next->at = link->at;
}

/* What the thread owned is owned no more. */
static void line_reset(struct xp_line *line)
{
	xp_conn_close(&line->conn);
	line->ready = false;
	line->held = 0;
}

static void line_give(struct link *link)
{
	xp_pool_give(&link->manager->pool, link->line);
	link->line = NULL;
}

/* The thread ends. */
static void thread_ends(void *argument)
{
	struct link *link = argument;
	struct xp_manager *manager = link->manager;

	/* In a forked child that has not called since, the lines are still those of the parent. */
	if (link->line && !atomic_load_explicit(&manager->forked, memory_order_acquire)) {
		line_reset(link->line);
		line_give(link);
	}
	pthread_mutex_lock(&manager->lock);
	link_remove(link);
	pthread_mutex_unlock(&manager->lock);
	link_free(link);
}

/* After a fork: the streams are the parent's. Let go of the descriptors, and of the links of threads that
 * were not copied; the calling thread keeps its own, not ready. Not in the handler of the fork itself,
 * because rpc/conn.h learns of it by another such handler, and their order is not ours to choose. */
static void forget_parent(struct xp_manager *manager)
{
	struct link *own = pthread_getspecific(manager->own);
	struct link *link = manager->links;

	while (link) {
		struct link *next = link->next;

		link->line = NULL;
		if (link == manager->survivor) {
			xp_conn_close(&link->single);
		} else if (link != own) {
			link_remove(link);
			link_free(link);
		}
		link = next;
	}
	manager->survivor = NULL;
	xp_pool_forget(&manager->pool);
}

static struct link *link_get(struct xp_manager *manager)
{
	struct link *link = pthread_getspecific(manager->own);

	if (atomic_load_explicit(&manager->forked, memory_order_acquire)) {
		pthread_mutex_lock(&manager->lock);
		if (atomic_load_explicit(&manager->forked, memory_order_relaxed)) {
			forget_parent(manager);
			atomic_store_explicit(&manager->forked, false, memory_order_release);
		}
		pthread_mutex_unlock(&manager->lock);
	}
	if (link)
		return link;
	link = calloc(1, sizeof(*link));
	if (!link)
		return NULL;
	link->manager = manager;
	xp_conn_init(&link->single, NULL);
	xp_datum_arena_init(&link->arena, 0);
	xp_datum_arena_init(&link->replies, 0);
	if (pthread_setspecific(manager->own, link) != 0) {
		link_free(link);
		return NULL;
	}
	pthread_mutex_lock(&manager->lock);
	link->next = manager->links;
	link->at = &manager->links;
	if (link->next)
		link->next->at = &link->next;
	manager->links = link;
	pthread_mutex_unlock(&manager->lock);
	return link;
}

struct xp_datum_arena *xp_link_arena(struct xp_manager *manager)
{
	struct link *link = link_get(manager);

	if (!link)
		return NULL;
	if (link->spoilt) {
		xp_datum_arena_reset(&link->arena);
		link->spoilt = false;
	}
	return &link->arena;
}

/* ---- fork -------------------------------------------------------------------------------------- */

static void fork_prepare(void)
{
	pthread_mutex_lock(&managers_lock);
	for (struct xp_manager *each = managers; each; each = each->next) {
		pthread_mutex_lock(&each->lock);
		xp_pool_lock(&each->pool);
	}
}

static void fork_parent(void)
{
	for (struct xp_manager *each = managers; each; each = each->next) {
		xp_pool_unlock(&each->pool);
		pthread_mutex_unlock(&each->lock);
	}
	pthread_mutex_unlock(&managers_lock);
}

static void fork_child(void)
{
	for (struct xp_manager *each = managers; each; each = each->next) {
		each->survivor = pthread_getspecific(each->own);
		atomic_store_explicit(&each->forked, true, memory_order_release);
		pthread_mutex_init(&each->lock, NULL);
		xp_pool_forked(&each->pool);
	}
	pthread_mutex_init(&managers_lock, NULL);
}

static void fork_register(void)
{
	xp_assert(pthread_atfork(fork_prepare, fork_parent, fork_child) == 0);
}

/* ---- connecting -------------------------------------------------------------------------------- */

/* Another process at the address is another incarnation. Where the kernel does not tell, the idents do: those
 * of our server name it. */
static void identify(struct xp_manager *manager, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (manager->address.storage.ss_family != AF_UNIX ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return;
	pthread_mutex_lock(&manager->lock);
	if (peer.pid != manager->listener) {
		if (manager->listener)
			atomic_fetch_add(&manager->epoch, 1);
		manager->listener = peer.pid;
	}
	pthread_mutex_unlock(&manager->lock);
}

uint32_t xp_link_epoch(struct xp_manager *manager)
{
	return atomic_load(&manager->epoch);
}

int64_t xp_link_patience(const struct xp_manager *manager)
{
	return manager->patience;
}

static const struct timespec *earlier(const struct timespec *a, const struct timespec *b)
{
	if (!a || !b)
		return a ? a : b;
	return xp_deadline_ns(a) < xp_deadline_ns(b) ? a : b;
}

/* What the caller is told where the stream broke. */
static int broken(int rc)
{
	return rc == -EPIPE || rc == -ECONNREFUSED || rc == -ENOENT || rc == -ECONNABORTED
		   ? -ECONNRESET
		   : rc;
}

/* A pause between two attempts: nothing to wait for but time. */
static void pause_for(int64_t duration)
{
	struct timespec wait = xp_deadline_after(duration);

	while (poll(NULL, 0, xp_deadline_poll_ms(&wait)) < 0 && errno == EINTR)
		;
}

/* Connect and shake hands by @deadline, trying again while nobody listens. */
static int open_conn(struct xp_manager *manager, struct xp_conn *conn,
		     const struct timespec *deadline)
{
	int64_t left = xp_deadline_ns(deadline);
	int64_t give_up = xp_clock_ns() + (manager->reconnect < left ? manager->reconnect : left);
	int64_t pause = PAUSE_FIRST_NS;
	int rc;

	for (;;) {
		xp_conn_close(conn);
		rc = xp_conn_open(conn, &manager->address, deadline);
		if (rc == 0) {
			rc = xp_conn_authenticate(conn, XP_AUTH_CLIENT, manager->key,
						  manager->key_size, &manager->policy, deadline);
			if (rc == 0) {
				identify(manager, conn->fd);
				return 0;
			}
			break;
		}
		if ((rc != -ECONNREFUSED && rc != -ENOENT) || xp_clock_ns() + pause > give_up)
			break;
		pause_for(pause);
		pause = pause < PAUSE_LAST_NS ? 2 * pause : pause;
	}
	xp_conn_close(conn);
	return broken(rc);
}

static bool is_text_pair(const struct xp_datum *reply, const char *kind)
{
	return xp_datum_is(reply, XP_DATUM_TUPLE) && reply->count == 2 &&
	       xp_datum_is_text(reply->items[0], kind);
}

/* Switch a fresh connection to calls on objects. */
static int accept_connection(struct xp_conn *conn, const struct timespec *deadline)
{
	struct xp_datum_arena arena;
	const struct xp_datum *reply;
	char name[32];
	int rc = -ENOMEM;

	snprintf(name, sizeof(name), "xpshare-%d", (int)getpid());
	xp_datum_arena_init(&arena, 0);
	const struct xp_datum *args[1] = {xp_datum_str(&arena, name)};
	const struct xp_datum *parts[4] = {
	    xp_datum_none(),
	    xp_datum_str(&arena, "accept_connection"),
	    xp_datum_tuple(&arena, 1, args),
	    xp_datum_dict(&arena),
	};
	const struct xp_datum *request = xp_datum_tuple(&arena, 4, parts);

	if (request)
		rc = xp_conn_call(conn, request, deadline, &reply);
	if (rc == 0 && !is_text_pair(reply, "#RETURN"))
		rc = -EPROTO;
	xp_datum_arena_fini(&arena);
	return rc;
}

/* Calls go by ring from here on, if the plan says so and the manager takes one. */
static int take_ring(const struct xp_manager *manager, struct xp_conn *conn,
		     const struct timespec *deadline)
{
	if (manager->transport != XP_TRANSPORT_RING ||
	    manager->address.storage.ss_family != AF_UNIX)
		return 0;
	int rc = xp_link_hand_over(conn, manager->ring_size, manager->polls, deadline);

	return rc == -ENOTSUP ? 0 : rc;
}

/* A line that is ready for a call. */
static int make_ready(struct link *link, const struct timespec *deadline)
{
	struct xp_line *line = link->line;
	int rc;

	if (!line) {
		rc = xp_pool_take(&link->manager->pool, deadline, &line);
		if (rc < 0)
			return rc;
		link->line = line;
		if (line->conn.wait.polls_max != link->manager->polls)
			xp_conn_spin(&line->conn, link->manager->polls);
	}
	if (line->ready)
		return 0;
	rc = open_conn(link->manager, &line->conn, deadline);
	if (rc == 0) {
		rc = accept_connection(&line->conn, deadline);
		if (rc == 0)
			rc = take_ring(link->manager, &line->conn, deadline);
		rc = broken(rc);
		if (rc < 0)
			xp_conn_close(&line->conn);
	}
	line->ready = rc == 0;
	return rc;
}

/* ---- calls ------------------------------------------------------------------------------------- */

/* Whether the manager still answers: asked on a connection of its own. */
static int probe(struct link *link)
{
	struct timespec deadline = xp_deadline_after(link->manager->patience);
	struct xp_conn conn;
	int rc;

	xp_conn_init(&conn, NULL);
	rc = open_conn(link->manager, &conn, &deadline);
	xp_conn_fini(&conn);
	/* It answers, if only to say that it is full. */
	return rc == -EUSERS || rc == -EACCES ? 0 : rc;
}

/* Wait for the reply to a call that may block for ever, as long as the manager lives. */
static int await_reply(struct link *link)
{
	for (;;) {
		struct timespec slice = xp_deadline_after(link->manager->patience);
		int rc = xp_conn_await(&link->line->conn, &slice);

		if (rc != -ETIMEDOUT)
			return rc;
		rc = probe(link);
		if (rc < 0)
			return rc;
	}
}

static int exchange(struct link *link, const struct xp_datum *request,
		    const struct timespec *deadline, const struct xp_datum **ret_reply,
		    bool *ret_sent)
{
	struct timespec patience = xp_deadline_after(link->manager->patience);
	int rc;

	*ret_sent = false;
	rc = xp_conn_send(&link->line->conn, request,
			  deadline && deadline != XP_PROXY_FOREVER ? deadline : &patience);
	if (rc < 0)
		return rc;
	*ret_sent = true;
	if (deadline == XP_PROXY_FOREVER) {
		rc = await_reply(link);
		if (rc < 0)
			return rc;
		patience = xp_deadline_after(link->manager->patience);
		deadline = NULL;
	}
	return xp_conn_recv(&link->line->conn, deadline ? deadline : &patience, ret_reply);
}

/* One attempt. @ret_again: the stream had been closed before the request went out, so that it was not
 * executed. */
static int attempt(struct link *link, uint32_t epoch, const struct xp_datum *request,
		   const struct timespec *deadline, const struct xp_datum **ret_reply,
		   bool *ret_again)
{
	struct xp_manager *manager = link->manager;
	struct xp_line *line = link->line;
	bool fresh = !line || !line->ready;
	bool sent;
	int rc;

	*ret_again = false;
	if (fresh) {
		struct timespec patience = xp_deadline_after(manager->patience);

		rc = make_ready(link,
				earlier(deadline == XP_PROXY_FOREVER ? NULL : deadline, &patience));
		if (rc < 0)
			return rc;
		line = link->line;
	}
	if (epoch != xp_link_epoch(manager))
		return -ESTALE;
	rc = exchange(link, request, deadline, ret_reply, &sent);
	if (rc == 0) {
		atomic_store_explicit(&manager->python2, line->conn.dialect.python == 2,
				      memory_order_relaxed);
		return 0;
	}
	/* Too large or not to be written: nothing was sent, the stream is as it was. */
	if (!sent && (rc == -EMSGSIZE || rc == -ENOTSUP || rc == -ENOMEM))
		return rc;
	line_reset(line);
	rc = broken(rc);
	*ret_again = rc == -ECONNRESET && !sent && !fresh;
	return rc;
}

/* The thread has come to own something, or no longer does. */
static void count_held(struct xp_line *line, enum xp_link_effect effect,
		       const struct xp_datum *reply)
{
	if (effect == XP_LINK_PLAIN || !is_text_pair(reply, "#RETURN"))
		return;
	if (effect == XP_LINK_RELEASES)
		line->held -= line->held > 0;
	else
		line->held += xp_datum_truth(reply->items[1]);
}

/* Let others have the line, if the thread owns nothing by it; the reply stays here. */
static int share_line(struct link *link, enum xp_link_effect effect, int rc,
		      const struct xp_datum **reply)
{
	if (!link->manager->pool.bound || !link->line)
		return rc;
	xp_datum_arena_reset(&link->replies);
	if (rc == 0) {
		count_held(link->line, effect, *reply);
		*reply = xp_datum_copy(&link->replies, *reply);
		if (!*reply)
			rc = -ENOMEM;
	}
	if (!link->line->held)
		line_give(link);
	return rc;
}

int xp_link_call(struct xp_manager *manager, uint32_t epoch, const struct xp_datum *request,
		 enum xp_link_effect effect, const struct timespec *deadline,
		 const struct xp_datum **ret_reply)
{
	struct link *link = link_get(manager);
	bool again;

	if (!link)
		return -ENOMEM;
	int rc = attempt(link, epoch, request, deadline, ret_reply, &again);
	if (again)
		rc = attempt(link, epoch, request, deadline, ret_reply, &again);
	link->spoilt = true;
	return share_line(link, effect, rc, ret_reply);
}

/* What a server says that knows no object called None. */
static bool is_unknown_none(const struct xp_datum *reply)
{
	static const char last[] = "KeyError: None";
	const struct xp_datum *text;

	if (!is_text_pair(reply, "#TRACEBACK"))
		return false;
	text = reply->items[1];
	return xp_datum_is(text, XP_DATUM_STR) && text->size >= sizeof(last) &&
	       memmem(text->bytes + text->size - sizeof(last), sizeof(last), last,
		      sizeof(last) - 1);
}

/* The same on the stream that the thread has already, if the server is one of ours. Return: whether that
 * settled it, with *@ret_rc. */
static bool on_stream(struct link *link, const struct xp_datum *request,
		      const struct timespec *deadline, const struct xp_datum **ret_reply,
		      int *ret_rc)
{
	struct xp_manager *manager = link->manager;
	struct xp_line *line = link->line;
	bool sent;

	if (!line || !line->ready || manager->pool.bound ||
	    atomic_load_explicit(&manager->stock, memory_order_relaxed))
		return false;
	int rc = exchange(link, request, deadline, ret_reply, &sent);
	if (rc == 0 && is_unknown_none(*ret_reply)) {
		atomic_store_explicit(&manager->stock, true, memory_order_relaxed);
		return false;
	}
	*ret_rc = rc;
	if (rc == 0 || (!sent && (rc == -EMSGSIZE || rc == -ENOTSUP || rc == -ENOMEM)))
		return true;
	line_reset(line);
	*ret_rc = broken(rc);
	return sent;
}

int xp_link_once(struct xp_manager *manager, const struct xp_datum *request, bool streamed,
		 const struct xp_datum **ret_reply)
{
	struct timespec deadline = xp_deadline_after(manager->patience);
	struct link *link = link_get(manager);
	int rc;

	if (!link)
		return -ENOMEM;
	if (!streamed || !on_stream(link, request, &deadline, ret_reply, &rc)) {
		rc = open_conn(manager, &link->single, &deadline);
		if (rc == 0) {
			rc = broken(xp_conn_call(&link->single, request, &deadline, ret_reply));
			/* The reply lives in the memory of the connection, which its end leaves alone. */
			xp_conn_break(&link->single);
		}
	}
	link->spoilt = true;
	return rc;
}

/* ---- managers ---------------------------------------------------------------------------------- */

int xp_manager_connect(const struct xp_manager_plan *plan, struct xp_manager **ret_manager)
{
	struct xp_manager *manager = calloc(1, sizeof(*manager));
	struct timespec deadline;
	struct xp_conn conn;
	int rc;

	if (!manager)
		return -ENOMEM;
	pthread_once(&fork_once, fork_register);
	manager->door = -1;
	manager->address = *plan->address;
	manager->policy.digests = plan->digests ? plan->digests : XP_AUTH_ALL;
	manager->patience = plan->patience_ns ? plan->patience_ns : XP_PATIENCE_NS;
	manager->reconnect = plan->reconnect_ns;
	manager->polls = plan->polls;
	if (plan->transport == XP_TRANSPORT_RING)
		xp_manager_set_ring(manager, plan->ring_size, plan->polls);
	manager->key_size = plan->key_size;
	manager->key = malloc(plan->key_size + 1);
	if (!manager->key || pthread_key_create(&manager->own, thread_ends) != 0) {
		free(manager->key);
		free(manager);
		return -ENOMEM;
	}
	memcpy(manager->key, plan->key, plan->key_size);
	pthread_mutex_init(&manager->lock, NULL);
	xp_pool_init(&manager->pool, plan->connections);
	pthread_mutex_lock(&managers_lock);
	manager->next = managers;
	manager->at = &managers;
	if (managers)
		managers->at = &manager->next;
	managers = manager;
	pthread_mutex_unlock(&managers_lock);
	deadline = xp_deadline_after(manager->patience);
	xp_conn_init(&conn, NULL);
	rc = open_conn(manager, &conn, &deadline);
	xp_conn_fini(&conn);
	if (rc < 0) {
		xp_manager_close(manager);
		return rc;
	}
	*ret_manager = manager;
	return 0;
}

/* Stop the child that runs the manager: politely, then not. */
static void stop_child(struct xp_manager *manager)
{
	struct timespec deadline = xp_deadline_after(STOP_NS);
	int status;

	if (manager->starter != getpid())
		return;
	if (xp_child_signal(&manager->child, SIGTERM) < 0 ||
	    xp_child_wait(&manager->child, &deadline, &status) < 0)
		xp_child_stop(&manager->child);
	if (manager->directory[0]) {
		char path[160];

		/* What a manager that was killed has left. */
		snprintf(path, sizeof(path), "%s/socket", manager->directory);
		unlink(path);
		rmdir(manager->directory);
	}
}

void xp_manager_close(struct xp_manager *manager)
{
	if (!manager)
		return;
	pthread_mutex_lock(&managers_lock);
	*manager->at = manager->next;
	if (manager->next)
		manager->next->at = manager->at;
	pthread_mutex_unlock(&managers_lock);
	pthread_key_delete(manager->own);
	for (struct link *link = manager->links, *next; link; link = next) {
		next = link->next;
		link_free(link);
	}
	xp_pool_fini(&manager->pool);
	manager->door = xp_io_close(manager->door);
	stop_child(manager);
	pthread_mutex_destroy(&manager->lock);
	free(manager->key);
	free(manager);
}

void xp_manager_adopt_child(struct xp_manager *manager, const struct xp_child *child,
			    const char *directory, int door)
{
	manager->child = *child;
	manager->door = door;
	manager->starter = getpid();
	snprintf(manager->directory, sizeof(manager->directory), "%s", directory);
}

const struct xp_address *xp_manager_address(const struct xp_manager *manager)
{
	return &manager->address;
}

const void *xp_manager_key(const struct xp_manager *manager, size_t *ret_size)
{
	*ret_size = manager->key_size;
	return manager->key;
}

pid_t xp_manager_pid(const struct xp_manager *manager)
{
	return manager->child.pid;
}

void xp_manager_set_ring(struct xp_manager *manager, size_t size, uint32_t polls)
{
	manager->transport = XP_TRANSPORT_RING;
	manager->ring_size = size ? size : XP_DUPLEX_SIZE_DEFAULT;
	manager->polls = polls;
}

enum xp_transport xp_manager_transport(struct xp_manager *manager)
{
	const struct link *link = link_get(manager);

	return link && link->line && link->line->conn.ring ? XP_TRANSPORT_RING
							   : XP_TRANSPORT_SOCKET;
}

bool xp_manager_is_python2(const struct xp_manager *manager)
{
	return atomic_load_explicit(&manager->python2, memory_order_relaxed);
}
