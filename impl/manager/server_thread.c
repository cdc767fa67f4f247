/* SPDX-License-Identifier: MIT */
/*
 * server_thread - a thread per connection: the original's design, hardened
 *
 * Every thread sleeps in ppoll(2) on its own stream and does everything else under the one lock of the
 * dispatcher, so that calls run one at a time, as in the event server. A call that blocks parks its thread;
 * whoever completes it sends the reply by itself and wakes the thread only if something is left to do, by a
 * signal that is unblocked in ppoll(2) alone and so cannot be lost. Where a thread cannot be had only the
 * connection that needed it is refused (SPEC X7).
 * With a ring the thread sleeps on its bell too, and says so in the ring before. So a call by ring saves the
 * copies through the kernel, but costs as many wake-ups as one by socket: the server that polls is the other.
 * Invariants: (1) A session and its ring are touched under the lock only. (2) Its thread alone ends it.
 * (3) While a thread sleeps, a ring of which a request could be handled rings.
 */
#include "xpshare/manager/server_internal.h"
#include "xpshare/manager/session_ring.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Address space: sets nested 990 deep, compared, take a third of it, and frames under the thread sanitizer
 * several times that. */
#ifdef __SANITIZE_THREAD__
#define STACK_BYTES ((size_t)4 << 20)
#else
#define STACK_BYTES ((size_t)1 << 20)
#endif
#define PAUSE_NS  (100 * XP_NS_PER_MS) /* while nothing can be accepted */
#define FINISH_NS (10 * XP_NS_PER_SEC) /* for a peer to take the last it is sent */

#define WAKE_SIGNAL (SIGRTMIN + 1)

struct crowd;

struct worker {
	struct crowd *crowd;
	struct xp_session session;
	pthread_t thread;
	struct worker *next;
	struct worker *previous;
	int64_t deadline; /* of the handshake, or of the last bytes */
	bool asleep;	  /* in ppoll, or about to be */
	bool again;	  /* may have frames to handle, wherever they come from */
};

struct crowd {
	struct xp_server *server;
	pthread_mutex_t lock;
	pthread_cond_t empty;
	struct worker *oldest;
	struct worker *youngest;
	unsigned count;
	unsigned pending; /* in the handshake */
	bool stopping;
	char *scratch;
};

static struct worker *worker_of(struct xp_session *session)
{
	return (struct worker *)((char *)session - offsetof(struct worker, session));
}

/* ---- hooks: called under the lock, by any thread ------------------------------------------------- */

static void wake(struct worker *worker)
{
	if (worker->asleep && !pthread_equal(worker->thread, pthread_self()))
		pthread_kill(worker->thread, WAKE_SIGNAL);
}

static int on_want_write(struct xp_session *session, bool on)
{
	if (on)
		wake(worker_of(session));
	return 0;
}

static bool has_ring(const struct xp_session *session)
{
	return session->ring && !session->ring_due;
}

/* From now on its next request by ring rings the bell. False: one is there. */
static bool ring_listens(struct xp_session *session)
{
	return !has_ring(session) || !xp_session_may_handle(session) ||
	       xp_duplex_listen(session->ring);
}

static void on_ready(struct xp_session *session)
{
	struct worker *worker = worker_of(session);
	size_t kept;

	/* Its thread waits for the next request anyway; only one that has come already needs it now. */
	xp_stream_pending(&session->stream, &kept);
	worker->again = true;
	if (kept > 0 || !ring_listens(session))
		wake(worker);
}

static void on_dead(struct xp_session *session)
{
	wake(worker_of(session));
}

/* Its thread polls the bell with the stream. */
static int on_bell(struct xp_session *session, bool on)
{
	(void)session;
	(void)on;
	return 0;
}

static const struct xp_session_hooks hooks = {
    .want_write = on_want_write, .ready = on_ready, .dead = on_dead, .bell = on_bell};

/* Only there to end ppoll(2). */
static void on_wake(int signal)
{
	(void)signal;
}

/* ---- workers ----------------------------------------------------------------------------------- */

static void crowd_enter(struct crowd *crowd, struct worker *worker)
{
	worker->previous = crowd->youngest;
	*(crowd->youngest ? &crowd->youngest->next : &crowd->oldest) = worker;
	crowd->youngest = worker;
	crowd->count++;
	crowd->pending++;
}

static void crowd_leave(struct crowd *crowd, struct worker *worker)
{
	*(worker->previous ? &worker->previous->next : &crowd->oldest) = worker->next;
	*(worker->next ? &worker->next->previous : &crowd->youngest) = worker->previous;
	if (--crowd->count == 0)
		pthread_cond_signal(&crowd->empty);
}

/* What the thread waits for on its stream. Data that comes while a call is parked is read once, into the
 * stream's buffer; more stays with the kernel. */
static short events_of(const struct worker *worker)
{
	const struct xp_session *session = &worker->session;
	bool kept = session->stream.in.end > session->stream.in.at;

	if (xp_stream_unsent(&session->stream) > 0)
		return POLLOUT | POLLRDHUP;
	return session->parked && kept ? POLLRDHUP : POLLIN | POLLRDHUP;
}

static int64_t deadline_of(const struct worker *worker)
{
	const struct xp_session *session = &worker->session;

	if (session->parked)
		return session->client.waiter.deadline;
	if (session->finished || xp_session_is_new(session))
		return worker->deadline;
	return XP_NEVER;
}

/* Never blocks: its client may have read it before us, and the mode of the descriptor is the client's too. */
static void silence(int bell)
{
	uint64_t rings;
	struct iovec part = {.iov_base = &rings, .iov_len = sizeof(rings)};

	(void)!preadv2(bell, &part, 1, -1, RWF_NOWAIT);
}

/* Sleep without the lock until there is something to do. Return: what poll(2) says of the stream. */
static short worker_sleep(struct worker *worker)
{
	struct crowd *crowd = worker->crowd;
	struct xp_session *session = &worker->session;
	struct pollfd polled[2] = {{.fd = session->stream.fd, .events = events_of(worker)},
				   {.fd = -1, .events = POLLIN}};
	/* What is there already does not let it sleep, but lets the others have their turn. */
	bool due = worker->again || !ring_listens(session);
	int64_t deadline = due ? 0 : deadline_of(worker);
	struct timespec left;
	sigset_t mask;

	if (deadline != XP_NEVER) {
		int64_t ns = deadline - xp_clock_ns();

		if (ns < 0)
			ns = 0;
		left =
		    (struct timespec){.tv_sec = ns / XP_NS_PER_SEC, .tv_nsec = ns % XP_NS_PER_SEC};
	}
	if (has_ring(session))
		polled[1].fd = session->ring->bell;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	sigdelset(&mask, WAKE_SIGNAL);
	worker->asleep = true;
	pthread_mutex_unlock(&crowd->lock);
	int count = ppoll(polled, 2, deadline == XP_NEVER ? NULL : &left, &mask);

	pthread_mutex_lock(&crowd->lock);
	worker->asleep = false;
	if (count <= 0)
		return 0;
	if (polled[1].revents)
		silence(session->ring->bell);
	return polled[0].revents;
}

static void expire(struct worker *worker)
{
	struct xp_session *session = &worker->session;

	if (session->dead || deadline_of(worker) > xp_clock_ns())
		return;
	if (session->parked) {
		xp_session_expire(session);
		return;
	}
	if (!session->finished) {
		worker->crowd->server->dispatch.stats.refused[XP_REFUSAL_SLOW]++;
		xp_gate_log(session->gate, XP_GATE_HANDSHAKE,
			    "closed a connection that was too slow in the handshake");
	}
	xp_session_kill(session);
}

/* Read what came while a call is parked, so that the thread need not look at it again. */
static void read_ahead(struct worker *worker)
{
	struct xp_session *session = &worker->session;
	bool drained;
	size_t size;
	char *data;

	int rc =
	    xp_stream_receive(&session->stream, worker->crowd->scratch, &data, &size, &drained);

	if (rc == 0)
		rc = xp_stream_keep(&session->stream, data, size, 0);
	if (rc < 0 && rc != -EAGAIN)
		xp_session_kill(session);
}

static void handle(struct worker *worker, short events)
{
	struct xp_session *session = &worker->session;
	bool fresh = xp_session_is_new(session);

	if (events & POLLOUT)
		xp_session_flush(session);
	if (events & (POLLERR | POLLNVAL))
		xp_session_kill(session);
	else if (events & (POLLHUP | POLLRDHUP))
		xp_session_hang_up(session);
	if (session->dead)
		return;
	if (session->parked && events & POLLIN)
		read_ahead(worker);
	if (events & POLLIN)
		session->readable = true;
	worker->again = false;
	xp_session_run(session, worker->crowd->scratch);
	if (fresh && !xp_session_is_new(session))
		worker->crowd->pending--;
	if (session->finished)
		worker->deadline = xp_clock_ns() + FINISH_NS;
	expire(worker);
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	struct crowd *crowd = worker->crowd;
	struct xp_session *session = &worker->session;

	pthread_mutex_lock(&crowd->lock);
	while (!session->dead && !crowd->stopping) {
		handle(worker, worker_sleep(worker));
		if (crowd->server->dispatch.shutdown)
			xp_server_stop(crowd->server);
	}
	if (xp_session_is_new(session))
		crowd->pending--;
	/* Stopped: what is ready to be sent still goes out, if the peer takes it in time. */
	int64_t end = xp_clock_ns() + XP_SERVER_DRAIN_NS;

	while (!session->dead && xp_stream_unsent(&session->stream) > 0 && xp_clock_ns() < end) {
		session->finished = true;
		worker->deadline = end;
		handle(worker, worker_sleep(worker));
	}
	xp_session_end(session);
	xp_auth_thread_end();
	crowd_leave(crowd, worker);
	if (xp_gate_is_over(&crowd->server->gate))
		xp_server_stop(crowd->server);
	pthread_mutex_unlock(&crowd->lock);
	free(worker);
	return NULL;
}

/* ---- accepting --------------------------------------------------------------------------------- */

static int worker_start(struct crowd *crowd, const struct xp_listener *listener, int fd)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	pthread_attr_t attributes;
	int rc;

	if (!worker)
		return -ENOMEM;
	worker->crowd = crowd;
	worker->deadline = xp_clock_ns() + crowd->server->options.handshake_ns;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	/* It waits for the lock, which the caller holds, before it looks at anything. */
	rc = pthread_create(&worker->thread, &attributes, worker_main, worker);
	pthread_attr_destroy(&attributes);
	if (rc != 0) {
		free(worker);
		return -rc;
	}
	crowd_enter(crowd, worker);
	xp_session_start(&worker->session, &crowd->server->gate, &crowd->server->dispatch, &hooks,
			 listener, fd);
	return 0;
}

static void give_up_oldest(struct crowd *crowd)
{
	for (struct worker *worker = crowd->oldest; worker; worker = worker->next) {
		if (worker->session.dead || !xp_session_is_new(&worker->session))
			continue;
		xp_gate_log(&crowd->server->gate, XP_GATE_PENDING,
			    "gave up the oldest of %u connections in the handshake",
			    crowd->pending);
		crowd->server->dispatch.stats.refused[XP_REFUSAL_CROWDED]++;
		xp_session_kill(&worker->session);
		return;
	}
}

/* Return: whether to go on at once; false: pause. */
static bool accept_some(struct crowd *crowd, const struct xp_listener *listener)
{
	struct xp_gate *gate = &crowd->server->gate;
	int fd;
	int rc;

	do {
		rc = xp_gate_accept(gate, listener, &fd);
		if (rc < 0)
			continue;
		if (crowd->pending >= crowd->server->options.pending)
			give_up_oldest(crowd);
		if (worker_start(crowd, listener, fd) < 0) {
			xp_gate_left(gate);
			xp_gate_log(gate, XP_GATE_ACCEPT,
				    "refused a connection: no thread (%u clients)",
				    gate->connections);
			xp_gate_refuse(gate, fd, XP_REFUSAL_THREADS,
				       "busy: the server can start no thread");
		}
	} while (rc == 0 || rc == -ECANCELED);
	if (rc == -EPIPE)
		xp_gate_abandon(gate, listener);
	return rc != -EBUSY;
}

static void accept_until_stopped(struct crowd *crowd, struct pollfd *polled, size_t count)
{
	struct xp_gate *gate = &crowd->server->gate;
	bool paused = false;

	for (;;) {
		/* The stop descriptor is the last; during a pause it is the only one. */
		int events = paused ? poll(&polled[count], 1, (int)(PAUSE_NS / XP_NS_PER_MS))
				    : poll(polled, count + 1, -1);

		if (events < 0 && errno != EINTR)
			return;
		if (polled[count].revents)
			return;
		pthread_mutex_lock(&crowd->lock);
		paused = false;
		for (size_t i = 0; i < count; i++) {
			if (gate->listeners[i].fd >= 0)
				paused |= !accept_some(crowd, &gate->listeners[i]);
			/* poll(2) skips what is closed. */
			polled[i].fd = gate->listeners[i].fd;
		}
		bool over = xp_gate_is_over(gate);

		pthread_mutex_unlock(&crowd->lock);
		if (over)
			return;
	}
}

/* ---- the server -------------------------------------------------------------------------------- */

static int crowd_init(struct crowd *crowd, struct xp_server *server, struct pollfd **ret_polled)
{
	struct pollfd *polled = calloc(server->gate.count + 1, sizeof(*polled));

	*crowd = (struct crowd){.server = server};
	crowd->scratch = malloc(XP_STREAM_SCRATCH);
	if (!polled || !crowd->scratch) {
		free(polled);
		free(crowd->scratch);
		return -ENOMEM;
	}
	pthread_mutex_init(&crowd->lock, NULL);
	pthread_cond_init(&crowd->empty, NULL);
	for (size_t i = 0; i < server->gate.count; i++)
		polled[i] = (struct pollfd){.fd = server->gate.listeners[i].fd, .events = POLLIN};
	polled[server->gate.count] = (struct pollfd){.fd = server->stop_fd, .events = POLLIN};
	*ret_polled = polled;
	return 0;
}

int xp_server_run_thread(struct xp_server *server)
{
	struct sigaction action = {.sa_handler = on_wake};
	struct sigaction old_action;
	struct pollfd *polled;
	struct crowd crowd;
	sigset_t blocked;
	sigset_t old_mask;
	int rc = crowd_init(&crowd, server, &polled);

	if (rc < 0)
		return rc;
	/* Blocked in every thread, and so pending until its ppoll(2). */
	sigemptyset(&blocked);
	sigaddset(&blocked, WAKE_SIGNAL);
	sigaction(WAKE_SIGNAL, &action, &old_action);
	pthread_sigmask(SIG_BLOCK, &blocked, &old_mask);
	accept_until_stopped(&crowd, polled, server->gate.count);
	pthread_mutex_lock(&crowd.lock);
	xp_server_shut(server);
	crowd.stopping = true;
	for (struct worker *worker = crowd.oldest; worker; worker = worker->next)
		wake(worker);
	while (crowd.count > 0)
		pthread_cond_wait(&crowd.empty, &crowd.lock);
	pthread_mutex_unlock(&crowd.lock);
	pthread_sigmask(SIG_SETMASK, &old_mask, NULL);
	sigaction(WAKE_SIGNAL, &old_action, NULL);
	pthread_cond_destroy(&crowd.empty);
	pthread_mutex_destroy(&crowd.lock);
	free(crowd.scratch);
	free(polled);
	return 0;
}
