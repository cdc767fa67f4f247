/* SPDX-License-Identifier: MIT */
/*
 * server_event - one thread, one epoll, every blocking call a parked reply
 *
 * Notification is edge-triggered: a stream that is not being read (its call is parked, or its peer does
 * not take the reply) costs nothing, and a request costs recv, send and its share of one epoll_wait.
 * Invariants: (1) A connection with unsent bytes or a parked call handles no further frame, so that what
 * one peer can make us keep is one request and one reply. (2) A connection is freed only between two
 * events (the list of the dead), so that nothing in the middle of a call loses its client. (3) Whatever
 * makes a stream handle frames again puts it into the list of the ready.
 */
#include "xpshare/manager/server_internal.h"
#include "xpshare/manager/timer.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/rpc/frame.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX     256
#define ROUNDS_MAX     8  /* reads of one stream before the others have their turn */
#define ACCEPTS_MAX    64 /* likewise, of a listener */
#define PAUSE_NS       (100 * XP_NS_PER_MS) /* of a listener that can accept nothing */
#define FRAMES_IN_TURN 64		    /* requests of one stream before the others */

/* What epoll hands back: the stop descriptor, a listener, or a connection. */
enum source_kind { SOURCE_STOP, SOURCE_LISTENER, SOURCE_CONNECTION };

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
	bool readable; /* the socket may have bytes that nobody has read */
	bool ended;    /* the peer has closed: after what it has sent, the end */
	bool finished; /* close once everything is sent */
	bool parked;   /* its call waits for a reply */
	bool dead;     /* in the list of the dead */
	bool ready;    /* in the list of the ready */
	bool pending;  /* in the list of those in the handshake */
	bool wants_write;
	struct xp_client client;
	struct xp_stream stream;
	struct xp_timer timer;	 /* of a parked call */
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
	bool accepting;	      /* a listener has somebody waiting */
	int64_t paused_until; /* 0: listeners are watched */
	int64_t now;
	char *scratch;
};

static struct connection *connection_of(struct xp_client *client)
{
	return (struct connection *)((char *)client - offsetof(struct connection, client));
}

static struct loop *loop_of(struct connection *connection)
{
	return xp_server_loop(connection->client.dispatch);
}

/* ---- lists ------------------------------------------------------------------------------------- */

static void mark_dead(struct loop *loop, struct connection *connection)
{
	if (connection->dead)
		return;
	connection->dead = true;
	if (!connection->ready) {
		connection->next = loop->dead;
		loop->dead = connection;
	} /* else it is found dead in the list of the ready */
}

static void mark_ready(struct loop *loop, struct connection *connection)
{
	if (connection->dead || connection->ready)
		return;
	connection->ready = true;
	connection->next = loop->ready;
	loop->ready = connection;
}

static void leave_handshake(struct loop *loop, struct connection *connection)
{
	if (!connection->pending)
		return;
	connection->pending = false;
	loop->pending--;
	*(connection->older ? &connection->older->younger : &loop->oldest) = connection->younger;
	*(connection->younger ? &connection->younger->older : &loop->youngest) = connection->older;
}

static void enter_handshake(struct loop *loop, struct connection *connection)
{
	connection->pending = true;
	connection->handshake_deadline = loop->now + loop->server->options.handshake_ns;
	connection->older = loop->youngest;
	*(loop->youngest ? &loop->youngest->younger : &loop->oldest) = connection;
	loop->youngest = connection;
	loop->pending++;
}

/* ---- writing ----------------------------------------------------------------------------------- */

static int watch(struct loop *loop, struct connection *connection, int operation, bool write)
{
	struct epoll_event event = {
	    .events = EPOLLIN | EPOLLRDHUP | EPOLLET | (write ? (unsigned)EPOLLOUT : 0u),
	    .data.ptr = connection,
	};

	connection->wants_write = write;
	return epoll_ctl(loop->epoll, operation, connection->stream.fd, &event) < 0 ? -errno : 0;
}

static int connection_send(struct xp_client *client, struct iovec *parts, int count)
{
	struct connection *connection = connection_of(client);
	struct loop *loop = loop_of(connection);
	int rc;

	if (connection->dead)
		return -EPIPE;
	rc = xp_stream_send(&connection->stream, parts, count);
	if (rc == -ENOMEM)
		xp_gate_log(&loop->server->gate, XP_GATE_MEMORY,
			    "closed a connection: its reply exceeds the memory that is left");
	if (rc == 0 && xp_stream_unsent(&connection->stream) > 0 && !connection->wants_write)
		rc = watch(loop, connection, EPOLL_CTL_MOD, true);
	if (rc < 0)
		mark_dead(loop, connection);
	/* A reply to a parked call: the frames behind it may be handled. */
	if (connection->parked) {
		connection->parked = false;
		mark_ready(loop, connection);
	}
	return rc;
}

static bool connection_alive(struct xp_client *client)
{
	const struct connection *connection = connection_of(client);

	return !connection->dead && xp_stream_is_open(&connection->stream);
}

static const struct xp_client_ops connection_ops = {
    .send = connection_send,
    .alive = connection_alive,
};

static void connection_flush(struct loop *loop, struct connection *connection)
{
	int rc = xp_stream_flush(&connection->stream);

	if (rc == -EAGAIN)
		return;
	if (rc == 0 && connection->finished)
		rc = -EPIPE;
	if (rc == 0)
		rc = watch(loop, connection, EPOLL_CTL_MOD, false);
	if (rc < 0) {
		mark_dead(loop, connection);
		return;
	}
	/* The edge of what came meanwhile may have been spent: look. */
	connection->readable = true;
	mark_ready(loop, connection);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static bool may_handle(const struct connection *connection)
{
	return !connection->dead && !connection->finished &&
	       !xp_client_parked(&connection->client) && xp_stream_unsent(&connection->stream) == 0;
}

static void arm(struct loop *loop, struct connection *connection)
{
	int64_t deadline = connection->client.waiter.deadline;

	if (deadline == XP_NEVER)
		return;
	if (xp_timers_set(&loop->timers, &connection->timer, deadline) < 0)
		mark_dead(loop, connection);
}

/* One frame of @connection. Return: whether the next may be handled. */
static bool handle_frame(struct loop *loop, struct connection *connection, char *payload,
			 size_t size)
{
	int rc = xp_client_frame(&connection->client, payload, size);

	if (connection->pending && connection->client.state >= XP_CLIENT_SERVING)
		leave_handshake(loop, connection);
	if (rc == XP_CLIENT_PARKED) {
		connection->parked = true;
		arm(loop, connection);
		/* It asked, and left without waiting for the answer. */
		if (connection->ended)
			mark_dead(loop, connection);
		return false;
	}
	if (rc == XP_CLIENT_DONE) {
		connection->finished = true;
		if (xp_stream_unsent(&connection->stream) == 0)
			mark_dead(loop, connection);
		return false;
	}
	if (rc < 0)
		mark_dead(loop, connection);
	return may_handle(connection);
}

static void refuse_frame(struct loop *loop, struct connection *connection, int error, size_t size)
{
	if (error == -EMSGSIZE) {
		xp_gate_log(&loop->server->gate, XP_GATE_FRAME,
			    "closed a connection: it announced a frame of %zu bytes", size);
		if (xp_client_refuse_size(&connection->client, size) == 0 &&
		    xp_stream_unsent(&connection->stream) > 0) {
			connection->finished = true;
			return;
		}
	}
	mark_dead(loop, connection);
}

/* Handle the whole frames in @data and keep the rest. */
static void handle_data(struct loop *loop, struct connection *connection, char *data, size_t size)
{
	size_t expected = 0;
	int frames = 0;
	bool more = may_handle(connection);

	while (more && size > 0) {
		size_t header;
		size_t payload;
		int rc = xp_frame_parse(data, size, xp_client_limit(&connection->client), &header,
					&payload);

		if (rc < 0) {
			refuse_frame(loop, connection, rc, payload);
			return;
		}
		if (rc == 0) {
			expected = header ? header + payload : 0;
			break;
		}
		if (++frames > FRAMES_IN_TURN) {
			mark_ready(loop, connection);
			break;
		}
		more = handle_frame(loop, connection, data + header, payload);
		data += header + payload;
		size -= header + payload;
	}
	if (!connection->dead && xp_stream_keep(&connection->stream, data, size, expected) < 0) {
		xp_gate_log(&loop->server->gate, XP_GATE_MEMORY,
			    "closed a connection: its request exceeds the memory that is left");
		mark_dead(loop, connection);
	}
}

/* Go on with @connection as far as it goes without waiting. */
static void connection_run(struct loop *loop, struct connection *connection)
{
	size_t size;
	char *data;

	if (!may_handle(connection))
		return;
	data = xp_stream_pending(&connection->stream, &size);
	if (size > 0)
		handle_data(loop, connection, data, size);
	for (int round = 0; connection->readable && may_handle(connection); round++) {
		bool drained = false;

		if (round == ROUNDS_MAX) {
			mark_ready(loop, connection);
			return;
		}
		int rc =
		    xp_stream_receive(&connection->stream, loop->scratch, &data, &size, &drained);

		if (rc == -EAGAIN) {
			connection->readable = false;
			return;
		}
		if (rc < 0) {
			mark_dead(loop, connection);
			return;
		}
		/* After a short read nothing is left, and what comes later is a new edge; but the end of
		 * the stream may have been announced already. */
		if (drained && !connection->ended)
			connection->readable = false;
		handle_data(loop, connection, data, size);
	}
}

static void connection_event(struct loop *loop, struct connection *connection, unsigned events)
{
	if (connection->dead)
		return;
	if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
		connection->ended = true;
		connection->readable = true;
		/* A client that is gone takes back its parked call, and nothing else (SPEC X3). */
		if (xp_client_parked(&connection->client) || events & EPOLLERR) {
			mark_dead(loop, connection);
			return;
		}
	}
	if (events & EPOLLOUT && xp_stream_unsent(&connection->stream) > 0)
		connection_flush(loop, connection);
	if (events & EPOLLIN)
		connection->readable = true;
	if (connection->ended && xp_stream_unsent(&connection->stream) > 0) {
		mark_dead(loop, connection);
		return;
	}
	connection_run(loop, connection);
}

/* ---- accepting --------------------------------------------------------------------------------- */

static void watch_listeners(struct loop *loop, bool on)
{
	for (size_t i = 0; i < loop->server->gate.count; i++) {
		struct epoll_event event = {.events = on ? EPOLLIN : 0u,
					    .data.ptr = &loop->listenings[i]};

		/* Of a registered descriptor this cannot fail. */
		xp_assert(epoll_ctl(loop->epoll, EPOLL_CTL_MOD, loop->server->gate.listeners[i].fd,
				    &event) == 0);
	}
	loop->paused_until = on ? 0 : loop->now + PAUSE_NS;
}

static int connection_start(struct loop *loop, const struct xp_listener *listener, int fd)
{
	struct xp_dispatch *dispatch = &loop->server->dispatch;
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return -ENOMEM;
	connection->source.kind = SOURCE_CONNECTION;
	xp_stream_init(&connection->stream, fd, listener->tcp, &dispatch->memory,
		       dispatch->limits.memory);
	connection->client.dispatch = dispatch;
	if (watch(loop, connection, EPOLL_CTL_ADD, false) < 0) {
		free(connection);
		return -ENOMEM;
	}
	connection->after = loop->all;
	connection->link = &loop->all;
	if (loop->all)
		loop->all->link = &connection->after;
	loop->all = connection;
	enter_handshake(loop, connection);
	if (xp_client_start(&connection->client, dispatch, &connection_ops, listener->datum,
			    listener->digests) < 0)
		mark_dead(loop, connection);
	return 0;
}

static void give_up_oldest(struct loop *loop)
{
	struct connection *oldest = loop->oldest;

	xp_gate_log(&loop->server->gate, XP_GATE_PENDING,
		    "gave up the oldest of %u connections in the handshake", loop->pending);
	loop->server->dispatch.stats.denied++;
	leave_handshake(loop, oldest);
	mark_dead(loop, oldest);
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
		if (rc < 0)
			return;
		if (loop->pending >= loop->server->options.pending)
			give_up_oldest(loop);
		if (connection_start(loop, listener, fd) < 0) {
			xp_gate_left(&loop->server->gate);
			xp_gate_refuse(&loop->server->gate, fd,
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

static void connection_free(struct loop *loop, struct connection *connection)
{
	leave_handshake(loop, connection);
	xp_timers_cancel(&loop->timers, &connection->timer);
	*connection->link = connection->after;
	if (connection->after)
		connection->after->link = connection->link;
	xp_client_end(&connection->client);
	xp_stream_close(&connection->stream);
	free(connection);
	xp_gate_left(&loop->server->gate);
	if (loop->paused_until)
		watch_listeners(loop, true);
}

static void bury(struct loop *loop)
{
	while (loop->dead) {
		struct connection *connection = loop->dead;

		/* Its end may wake or kill others, which join the lists. */
		loop->dead = connection->next;
		connection_free(loop, connection);
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
		connection->ready = false;
		if (connection->dead) {
			connection->next = loop->dead;
			loop->dead = connection;
			continue;
		}
		if (!xp_client_parked(&connection->client))
			xp_timers_cancel(&loop->timers, &connection->timer);
		connection_run(loop, connection);
	}
}

static void expire(struct loop *loop)
{
	struct xp_timer *timer;

	while ((timer = xp_timers_first(&loop->timers)) && timer->when <= loop->now) {
		struct connection *connection =
		    (struct connection *)((char *)timer - offsetof(struct connection, timer));

		xp_timers_cancel(&loop->timers, timer);
		if (connection->dead || !xp_client_parked(&connection->client))
			continue;
		/* A call that was moved to another list meanwhile may have another deadline. */
		if (connection->client.waiter.deadline > loop->now) {
			arm(loop, connection);
			continue;
		}
		xp_client_expire(&connection->client);
		if (xp_client_parked(&connection->client))
			arm(loop, connection);
	}
	while (loop->oldest && loop->oldest->handshake_deadline <= loop->now) {
		struct connection *connection = loop->oldest;

		xp_gate_log(&loop->server->gate, XP_GATE_HANDSHAKE,
			    "closed a connection that was too slow in the handshake");
		loop->server->dispatch.stats.denied++;
		leave_handshake(loop, connection);
		mark_dead(loop, connection);
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

static int loop_round(struct loop *loop, bool *ret_stop)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(loop->epoll, events, EVENTS_MAX, patience(loop));

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
			connection_event(loop, (struct connection *)(void *)source,
					 events[i].events);
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
	if (loop->server->dispatch.shutdown)
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
			if (!each->dead && xp_stream_unsent(&each->stream) > 0)
				left = true;
		}
		int64_t now = xp_clock_ns();

		if (!left || now >= end)
			return;
		int count = epoll_wait(loop->epoll, events, EVENTS_MAX,
				       (int)((end - now) / XP_NS_PER_MS) + 1);

		for (int i = 0; i < count; i++) {
			struct connection *connection = events[i].data.ptr;

			if (connection->source.kind != SOURCE_CONNECTION || connection->dead)
				continue;
			if (events[i].events & (EPOLLERR | EPOLLHUP))
				mark_dead(loop, connection);
			else if (xp_stream_flush(&connection->stream) != -EAGAIN)
				mark_dead(loop, connection);
		}
	}
}

static int loop_init(struct loop *loop, struct xp_server *server)
{
	struct xp_gate *gate = &server->gate;

	*loop = (struct loop){.server = server, .epoll = -1, .now = xp_clock_ns()};
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
		mark_dead(loop, each);
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

	server->loop = &loop;
	while (rc == 0 && !stop)
		rc = loop_round(&loop, &stop);
	loop.paused_until = 0;
	if (rc == 0) {
		xp_gate_shut(&server->gate);
		drain(&loop);
	}
	loop_fini(&loop);
	server->loop = NULL;
	return rc;
}
