/* SPDX-License-Identifier: MIT */
/*
 * server_event - one thread, one epoll, every blocking call a parked reply
 *
 * Notification is edge-triggered: a stream that is not being read (its call is parked, or its peer does
 * not take the reply) costs nothing, and a request costs recv, send and its share of one epoll_wait. One that
 * comes by ring costs no system call while there is work, and else the share of the epoll_wait and the
 * wake-up of its client.
 * With options.polls the loop looks for the next request for a while before it sleeps: into the rings, or at
 * the stream that it served last, and now and then at all streams (hybrid wait, base/wait.h).
 * Invariants: (1) A connection is freed only between two rounds (the list of the dead), so that nothing in
 * the middle of a call loses its client. (2) Whatever makes a session handle frames again puts it into the
 * list of the ready.
 */
#include "xpshare/manager/rings.h"
#include "xpshare/manager/server_internal.h"
#include "xpshare/manager/timer.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX  256
#define ACCEPTS_MAX 64			 /* of a listener, before the clients have their turn */
#define PAUSE_NS    (100 * XP_NS_PER_MS) /* of a listener that can accept nothing */
#define LOOKS_MAX   16			 /* at one stream, before all of them have a look */
#define FINISH_NS   (10 * XP_NS_PER_SEC) /* for a peer to take the last it is sent */

/* Turns of the rings, with work and without, before the sockets are looked at again. */
#define RING_TURNS 64u
#define RING_LOOKS 64u

/* Others that keep the CPU for so long are no clients of its rings. */
#define YIELD_NS_MAX (200 * XP_NS_PER_US)

/* What epoll hands back: the stop descriptor, a listener, a connection, or the bell of its ring. */
enum source_kind { SOURCE_STOP, SOURCE_LISTENER, SOURCE_CONNECTION, SOURCE_BELL };

struct source {
	enum source_kind kind;
};

struct listening {
	struct source source;
	bool waiting;
	const struct xp_listener *listener;
};

struct connection {
	struct source source;
	bool listed_ready;
	bool listed_dead;
	bool pending; /* in the list of those in the handshake */
	struct loop *loop;
	struct xp_session session;
	struct source bell;
	struct xp_ring_seat seat;
	struct xp_timer timer;	 /* of a parked call, or of the last bytes */
	struct connection *next; /* of the dead or the ready */
	/* All connections of the loop; those in the handshake in the order of their arrival. */
	struct connection *after;
	struct connection **link;
	struct connection *younger;
	struct connection *older;
	int64_t handshake_deadline;
};

struct loop {
	struct xp_server *server;
	int epoll;
	struct source stop;
	struct listening *listenings;
	struct connection *all;
	struct connection *oldest; /* in the handshake */
	struct connection *youngest;
	unsigned pending;
	struct connection *dead;
	struct connection *ready;
	struct xp_timers timers;
	struct xp_rings rings;
	bool accepting;	      /* a listener has somebody waiting */
	int64_t paused_until; /* 0: listeners are watched */
	int64_t now;
	char *scratch;
	struct xp_wait wait;
	struct xp_wait yields;	 /* whether it pays to let others run before sleeping */
	struct connection *last; /* that was served; NULL: gone */
	unsigned looks;		 /* at it, since all had one */
};

static struct connection *connection_of(struct xp_session *session)
{
	return (struct connection *)((char *)session - offsetof(struct connection, session));
}

/* ---- hooks of the sessions --------------------------------------------------------------------- */

static void list_dead(struct loop *loop, struct connection *connection)
{
	connection->listed_dead = true;
	connection->next = loop->dead;
	loop->dead = connection;
}

static void on_dead(struct xp_session *session)
{
	struct connection *connection = connection_of(session);

	/* In the list of the ready it is found dead. */
	if (!connection->listed_ready && !connection->listed_dead)
		list_dead(connection->loop, connection);
}

static void on_ready(struct xp_session *session)
{
	struct connection *connection = connection_of(session);

	if (connection->listed_ready || connection->listed_dead)
		return;
	connection->listed_ready = true;
	connection->next = connection->loop->ready;
	connection->loop->ready = connection;
}

static int watch(struct connection *connection, int operation, bool write)
{
	struct epoll_event event = {
	    .events = EPOLLIN | EPOLLRDHUP | EPOLLET | (write ? (unsigned)EPOLLOUT : 0u),
	    .data.ptr = connection,
	};

	return epoll_ctl(connection->loop->epoll, operation, connection->session.stream.fd,
			 &event) < 0
		   ? -errno
		   : 0;
}

static int on_want_write(struct xp_session *session, bool on)
{
	return watch(connection_of(session), EPOLL_CTL_MOD, on);
}

static int on_bell(struct xp_session *session, bool on)
{
	struct connection *connection = connection_of(session);
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = &connection->bell};

	connection->bell.kind = SOURCE_BELL;
	connection->seat.session = session;
	if (!on)
		xp_rings_remove(&connection->seat);
	return epoll_ctl(connection->loop->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
			 session->ring->bell, &event) < 0
		   ? -errno
		   : 0;
}

static const struct xp_session_hooks hooks = {
    .want_write = on_want_write, .ready = on_ready, .dead = on_dead, .bell = on_bell};

/* ---- connections ------------------------------------------------------------------------------- */

static void leave_handshake(struct connection *connection)
{
	struct loop *loop = connection->loop;

	if (!connection->pending)
		return;
	connection->pending = false;
	loop->pending--;
	*(connection->older ? &connection->older->younger : &loop->oldest) = connection->younger;
	*(connection->younger ? &connection->younger->older : &loop->youngest) = connection->older;
}

static void enter_handshake(struct connection *connection)
{
	struct loop *loop = connection->loop;

	connection->pending = true;
	connection->handshake_deadline = loop->now + loop->server->options.handshake_ns;
	connection->older = loop->youngest;
	*(loop->youngest ? &loop->youngest->younger : &loop->oldest) = connection;
	loop->youngest = connection;
	loop->pending++;
}

static void arm(struct connection *connection, int64_t deadline)
{
	if (deadline != XP_NEVER &&
	    xp_timers_set(&connection->loop->timers, &connection->timer, deadline) < 0)
		xp_session_kill(&connection->session);
}

/* Go on with it, then see what it waits for. */
static void connection_run(struct connection *connection)
{
	struct xp_session *session = &connection->session;

	connection->loop->last = connection;
	xp_session_run(session, connection->loop->scratch);
	if (connection->pending && !xp_session_is_new(session))
		leave_handshake(connection);
	if (session->dead)
		return;
	if (session->ring && !session->ring_due)
		xp_rings_add(&connection->loop->rings, &connection->seat);
	if (session->parked)
		arm(connection, session->client.waiter.deadline);
	else if (session->finished)
		arm(connection, xp_clock_ns() + FINISH_NS);
}

static void connection_event(struct connection *connection, unsigned events)
{
	struct xp_session *session = &connection->session;

	if (events & EPOLLOUT)
		xp_session_flush(session);
	if (events & EPOLLIN)
		session->readable = true;
	if (events & EPOLLERR)
		xp_session_kill(session);
	else if (events & (EPOLLHUP | EPOLLRDHUP))
		xp_session_hang_up(session);
	if (!session->dead)
		connection_run(connection);
}

static void connection_ring(struct connection *connection)
{
	if (!connection->session.dead)
		connection_run(connection);
}

static void run_seat(struct xp_ring_seat *seat)
{
	connection_run(connection_of(seat->session));
}

static void connection_free(struct connection *connection)
{
	struct loop *loop = connection->loop;

	if (loop->last == connection)
		loop->last = NULL;
	leave_handshake(connection);
	xp_timers_cancel(&loop->timers, &connection->timer);
	*connection->link = connection->after;
	if (connection->after)
		connection->after->link = connection->link;
	xp_session_end(&connection->session);
	free(connection);
}

/* ---- accepting --------------------------------------------------------------------------------- */

static void watch_listeners(struct loop *loop, bool on)
{
	for (size_t i = 0; i < loop->server->gate.count; i++) {
		struct epoll_event event = {.events = on ? EPOLLIN : 0u,
					    .data.ptr = &loop->listenings[i]};

		int fd = loop->server->gate.listeners[i].fd;

		/* Of a registered descriptor this cannot fail. */
		xp_assert(fd < 0 || epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) == 0);
	}
	loop->paused_until = on ? 0 : loop->now + PAUSE_NS;
}

static int connection_start(struct loop *loop, const struct xp_listener *listener, int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return -ENOMEM;
	connection->source.kind = SOURCE_CONNECTION;
	connection->loop = loop;
	connection->session.stream.fd = fd;
	if (watch(connection, EPOLL_CTL_ADD, false) < 0) {
		free(connection);
		return -ENOMEM;
	}
	connection->after = loop->all;
	connection->link = &loop->all;
	if (loop->all)
		loop->all->link = &connection->after;
	loop->all = connection;
	enter_handshake(connection);
	xp_session_start(&connection->session, &loop->server->gate, &loop->server->dispatch, &hooks,
			 listener, fd);
	return 0;
}

static void give_up_oldest(struct loop *loop)
{
	struct connection *oldest = loop->oldest;

	xp_gate_log(&loop->server->gate, XP_GATE_PENDING,
		    "gave up the oldest of %u connections in the handshake", loop->pending);
	loop->server->dispatch.stats.refused[XP_REFUSAL_CROWDED]++;
	leave_handshake(oldest);
	xp_session_kill(&oldest->session);
}

static void accept_some(struct loop *loop, const struct xp_listener *listener)
{
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd;
		int rc = xp_gate_accept(&loop->server->gate, listener, &fd);

		if (rc == -ECANCELED)
			continue;
		if (rc == -EBUSY)
			watch_listeners(loop, false);
		if (rc == -EPIPE) {
			/* The descriptor may be open elsewhere too: its end does not unwatch it. */
			(void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, listener->fd, NULL);
			xp_gate_abandon(&loop->server->gate, listener);
		}
		if (rc < 0)
			return;
		if (loop->pending >= loop->server->options.pending)
			give_up_oldest(loop);
		if (connection_start(loop, listener, fd) < 0) {
			xp_gate_left(&loop->server->gate);
			xp_gate_refuse(&loop->server->gate, fd, XP_REFUSAL_MEMORY,
				       "busy: the server is out of memory");
		}
	}
}

static void accept_waiting(struct loop *loop)
{
	loop->accepting = false;
	loop->now = xp_clock_ns();
	for (size_t i = 0; i < loop->server->gate.count; i++) {
		struct listening *listening = &loop->listenings[i];

		if (listening->waiting) {
			listening->waiting = false;
			accept_some(loop, listening->listener);
		}
	}
}

/* ---- the loop ---------------------------------------------------------------------------------- */

static void bury(struct loop *loop)
{
	while (loop->dead) {
		struct connection *connection = loop->dead;

		/* Its end may wake or kill others, which join the lists. */
		loop->dead = connection->next;
		connection_free(connection);
		if (loop->paused_until)
			watch_listeners(loop, true);
	}
}

/* Streams that can go on: those that are ready now; what becomes ready meanwhile waits for the next
 * round, so that nobody starves the rest. */
static void run_ready(struct loop *loop)
{
	struct connection *ready = loop->ready;

	loop->ready = NULL;
	while (ready) {
		struct connection *connection = ready;

		ready = connection->next;
		connection->listed_ready = false;
		if (connection->session.dead) {
			list_dead(loop, connection);
			continue;
		}
		if (!connection->session.parked)
			xp_timers_cancel(&loop->timers, &connection->timer);
		connection_run(connection);
	}
}

static void expire(struct loop *loop)
{
	struct xp_timer *timer;

	while ((timer = xp_timers_first(&loop->timers)) && timer->when <= loop->now) {
		struct connection *connection =
		    (struct connection *)((char *)timer - offsetof(struct connection, timer));

		struct xp_session *session = &connection->session;

		xp_timers_cancel(&loop->timers, timer);
		if (session->finished)
			xp_session_kill(session);
		if (session->dead || !session->parked)
			continue;
		/* A call that was moved to another list meanwhile may have another deadline. */
		if (session->client.waiter.deadline <= loop->now)
			xp_session_expire(session);
		if (session->parked && !session->dead)
			arm(connection, session->client.waiter.deadline);
	}
	while (loop->oldest && loop->oldest->handshake_deadline <= loop->now) {
		struct connection *connection = loop->oldest;

		xp_gate_log(&loop->server->gate, XP_GATE_HANDSHAKE,
			    "closed a connection that was too slow in the handshake");
		loop->server->dispatch.stats.refused[XP_REFUSAL_SLOW]++;
		leave_handshake(connection);
		xp_session_kill(&connection->session);
	}
	if (loop->paused_until && loop->paused_until <= loop->now)
		watch_listeners(loop, true);
}

/* Milliseconds for epoll_wait, rounded up. */
static int patience(const struct loop *loop)
{
	const struct xp_timer *timer = xp_timers_first(&loop->timers);
	int64_t until = timer ? timer->when : XP_NEVER;

	if (loop->ready || loop->dead)
		return 0;
	if (loop->oldest && loop->oldest->handshake_deadline < until)
		until = loop->oldest->handshake_deadline;
	if (loop->paused_until && loop->paused_until < until)
		until = loop->paused_until;
	if (until == XP_NEVER)
		return -1;
	int64_t left = until - xp_clock_ns();

	if (left <= 0)
		return 0;
	left = (left + XP_NS_PER_MS - 1) / XP_NS_PER_MS;
	return left > 3600000 ? 3600000 : (int)left;
}

static bool has_deadlines(const struct loop *loop)
{
	return loop->oldest || loop->paused_until || xp_timers_first(&loop->timers);
}

/* Whether the stream that was served last has a request: serve it. */
static bool served_again(struct loop *loop)
{
	struct xp_dispatch *dispatch = &loop->server->dispatch;
	uint64_t calls = dispatch->stats.calls;

	if (!loop->last || loop->last->session.dead)
		return false;
	loop->last->session.readable = true;
	connection_run(loop->last);
	return dispatch->stats.calls != calls;
}

/* A server that looks before it sleeps keeps an eye on its rings. Return: whether one has a request. */
static bool ring_comes(struct loop *loop)
{
	/* What experience says, without learning from it: look() does that. */
	uint32_t polls = atomic_load_explicit(&loop->wait.polls, memory_order_relaxed);

	for (uint32_t looks = 0; looks < polls && looks < RING_LOOKS; looks++) {
		if (xp_rings_have(&loop->rings))
			return true;
		xp_cpu_relax();
	}
	return false;
}

/*
 * Clients that share this CPU, and wait only for it, send their next requests meanwhile: then neither they ring
 * nor does the server sleep. Return: whether one has.
 */
static bool lets_others_run(struct loop *loop)
{
	if (xp_wait_polls(&loop->yields) == 0)
		return false;
	int64_t began = xp_clock_ns();

	sched_yield();
	bool came = xp_rings_have(&loop->rings);

	xp_wait_learn(&loop->yields, came && xp_clock_ns() - began < YIELD_NS_MAX);
	return came;
}

/* Serve the rings until they are empty, or the rest of the loop deserves a look. Return: whether there was
 * a request. */
static bool serve_rings(struct loop *loop)
{
	unsigned turns = 0;
	bool waited = false;

	while (loop->rings.first && turns < RING_TURNS) {
		if (xp_rings_serve(&loop->rings, run_seat) > 0) {
			turns++;
			waited = false;
		} else if (!ring_comes(loop)) {
			if (waited)
				break;
			waited = true;
			if (!lets_others_run(loop))
				break;
		}
		/* What a request has set off elsewhere does not wait for the next ones. */
		if (loop->ready || loop->dead || loop->server->dispatch.shutdown)
			break;
	}
	return turns > 0;
}

/* Look for work as long as experience says that it pays. Return: whether there was some: *@ret_count events,
 * or, with none, a request by ring or of the last stream that has been served. */
static bool look(struct loop *loop, struct epoll_event *events, int *ret_count)
{
	bool paid = false;

	*ret_count = 0;
	for (uint32_t left = xp_wait_polls(&loop->wait); left > 0 && !paid;) {
		if (++loop->looks >= LOOKS_MAX) {
			loop->looks = 0;
			*ret_count = epoll_wait(loop->epoll, events, EVENTS_MAX, 0);
			paid = *ret_count != 0;
			left--;
		} else if (loop->rings.first) {
			paid = serve_rings(loop);
			left -= left < RING_LOOKS ? left : RING_LOOKS;
		} else {
			paid = served_again(loop);
			left--;
		}
	}
	xp_wait_learn(&loop->wait, paid);
	return paid;
}

static int loop_round(struct loop *loop, bool *ret_stop)
{
	struct epoll_event events[EVENTS_MAX];
	int wait = patience(loop);
	int count;

	if (wait == 0 || !loop->wait.polls_max || !look(loop, events, &count)) {
		/* Whatever has come by ring meanwhile keeps it awake; what comes later rings. */
		if (wait != 0 && !xp_rings_leave(&loop->rings))
			wait = 0;
		count = epoll_wait(loop->epoll, events, EVENTS_MAX, wait);
	}

	if (count < 0 && errno != EINTR)
		return -errno;
	/* The clock is read only where somebody waits for it. */
	if (has_deadlines(loop) || count <= 0)
		loop->now = xp_clock_ns();
	for (int i = 0; i < count; i++) {
		struct source *source = events[i].data.ptr;

		switch (source->kind) {
		case SOURCE_STOP:
			*ret_stop = true;
			break;
		case SOURCE_LISTENER:
			((struct listening *)(void *)source)->waiting = true;
			loop->accepting = true;
			break;
		case SOURCE_CONNECTION:
			connection_event((struct connection *)(void *)source, events[i].events);
			break;
		case SOURCE_BELL:
			connection_ring(
			    (struct connection *)(void *)((char *)source -
							  offsetof(struct connection, bell)));
			break;
		}
	}
	if (has_deadlines(loop))
		expire(loop);
	run_ready(loop);
	bury(loop);
	/* Last, so that those who leave make place for those who come. */
	if (loop->accepting)
		accept_waiting(loop);
	(void)serve_rings(loop);
	if (loop->server->dispatch.shutdown || xp_gate_is_over(&loop->server->gate))
		*ret_stop = true;
	return 0;
}

/* Stopped: no new connections, no new requests; what is ready to be sent still goes out. */
static void drain(struct loop *loop)
{
	int64_t end = xp_clock_ns() + XP_SERVER_DRAIN_NS;
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		bool left = false;

		bury(loop);
		for (struct connection *each = loop->all; each; each = each->after) {
			if (!each->session.dead && xp_stream_unsent(&each->session.stream) > 0)
				left = true;
		}
		int64_t now = xp_clock_ns();

		if (!left || now >= end)
			return;
		int count = epoll_wait(loop->epoll, events, EVENTS_MAX,
				       (int)((end - now) / XP_NS_PER_MS) + 1);

		for (int i = 0; i < count; i++) {
			struct connection *connection = events[i].data.ptr;

			if (connection->source.kind != SOURCE_CONNECTION ||
			    connection->session.dead)
				continue;
			if (events[i].events & (EPOLLERR | EPOLLHUP))
				xp_session_kill(&connection->session);
			else
				xp_session_flush(&connection->session);
		}
	}
}

static int loop_init(struct loop *loop, struct xp_server *server)
{
	struct xp_gate *gate = &server->gate;

	*loop = (struct loop){.server = server, .epoll = -1, .now = xp_clock_ns()};
	xp_wait_init_across(&loop->wait, server->options.polls);
	xp_wait_init_across(&loop->yields, 1);
	loop->stop.kind = SOURCE_STOP;
	loop->scratch = malloc(XP_STREAM_SCRATCH);
	loop->listenings = calloc(gate->count, sizeof(*loop->listenings));
	if (!loop->scratch || !loop->listenings)
		return -ENOMEM;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return -errno;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &loop->stop};

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, server->stop_fd, &event) < 0)
		return -errno;
	for (size_t i = 0; i < gate->count; i++) {
		loop->listenings[i].source.kind = SOURCE_LISTENER;
		loop->listenings[i].listener = &gate->listeners[i];
		event.data.ptr = &loop->listenings[i];
		if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, gate->listeners[i].fd, &event) < 0)
			return -errno;
	}
	return 0;
}

static void loop_fini(struct loop *loop)
{
	for (struct connection *each = loop->all; each; each = each->after)
		xp_session_kill(&each->session);
	while (loop->ready)
		run_ready(loop);
	bury(loop);
	xp_timers_fini(&loop->timers);
	free(loop->listenings);
	free(loop->scratch);
	loop->epoll = xp_io_close(loop->epoll);
}

int xp_server_run_event(struct xp_server *server)
{
	struct loop loop;
	bool stop = false;
	int rc = loop_init(&loop, server);

	while (rc == 0 && !stop)
		rc = loop_round(&loop, &stop);
	loop.paused_until = 0;
	if (rc == 0) {
		xp_server_shut(server);
		drain(&loop);
	}
	loop_fini(&loop);
	return rc;
}
