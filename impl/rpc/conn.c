/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/conn_ring.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/rpc/door.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

enum state { CLOSED, OPEN, READY, BROKEN };

/* Parts per system call; the kernel's limit is 1024. */
#define PARTS_MAX 512

/* The kernel counts SO_RCVTIMEO in ticks and rounds up: a limit ends so long before its deadline at least. */
#define LIMIT_SLACK_NS (20 * XP_NS_PER_MS)

/* What a connection keeps of the memory of its largest call. */
#define KEEP ((size_t)256 << 10)

/* ---- forks --------------------------------------------------------------------------- */

/* Counts the forks between the first process and this one: a system call less than getpid(). */
static unsigned generation;
static pthread_once_t generation_once = PTHREAD_ONCE_INIT;

static void forked(void)
{
	generation++; /* in the child, which has one thread */
}

static void watch_forks(void)
{
	(void)pthread_atfork(NULL, NULL, forked);
}

static bool is_mine(const struct xp_conn *conn)
{
	return conn->process == generation;
}

/* ---- states -------------------------------------------------------------------------- */

void xp_conn_init(struct xp_conn *conn, const struct xp_pickle_limits *limits)
{
	*conn = (struct xp_conn){.fd = -1, .state = CLOSED, .why = ""};
	xp_frame_buffer_init(&conn->input);
	xp_pickle_reader_init(&conn->reader, limits);
	xp_pickle_writer_init(&conn->writer, limits ? limits->bytes : 0, 0);
	xp_datum_arena_init(&conn->replies, 0);
	conn->frame_max = conn->reader.limits.bytes;
}

void xp_conn_spin(struct xp_conn *conn, uint32_t polls)
{
	xp_wait_init_across(&conn->wait, polls);
}

void xp_conn_fini(struct xp_conn *conn)
{
	if (!conn)
		return;
	xp_conn_close(conn);
	xp_frame_buffer_fini(&conn->input);
	xp_pickle_reader_fini(&conn->reader);
	xp_pickle_writer_fini(&conn->writer);
	xp_datum_arena_fini(&conn->replies);
}

static void drop(struct xp_conn *conn, enum state state)
{
	/* The stream itself ends only in the process whose it is: a forked child closes its descriptor and
	 * leaves the parent's stream alone. There a close would not do, if a child still has a copy. */
	if (conn->fd >= 0 && is_mine(conn))
		(void)shutdown(conn->fd, SHUT_RDWR);
	conn->fd = xp_io_close(conn->fd);
	xp_conn_ring_close(conn);
	conn->held_size = 0;
	conn->state = (int)state;
	conn->input.start = conn->input.end = 0;
}

void xp_conn_break(struct xp_conn *conn)
{
	if (conn->state != CLOSED)
		drop(conn, BROKEN);
}

void xp_conn_close(struct xp_conn *conn)
{
	/* A server that has proved itself is told so, if nothing else will be said. */
	if (conn->held_size > 0 && conn->fd >= 0 && is_mine(conn))
		(void)!send(conn->fd, conn->held, conn->held_size, MSG_DONTWAIT | MSG_NOSIGNAL);
	drop(conn, CLOSED);
	xp_datum_arena_reset(&conn->replies);
}

static int fail(struct xp_conn *conn, int err, const char *why)
{
	conn->why = why;
	return err;
}

/* No call can follow one that ended in the middle (invariant 1). */
static int broken(struct xp_conn *conn, int rc)
{
	const char *why = conn->why;

	xp_conn_break(conn);
	switch (rc) {
	case -EPIPE:
	case -ECONNRESET:
		return fail(conn, -ECONNRESET, "the peer is gone");
	case -ETIMEDOUT:
		return fail(conn, rc, "the deadline passed");
	case -EMSGSIZE:
		return fail(conn, -EPROTO, "the peer announced a frame over the limit");
	default:
		return fail(conn, rc, *why ? why : "the stream failed");
	}
}

static int check(struct xp_conn *conn, enum state state)
{
	conn->why = "";
	if (conn->state != (int)state)
		return fail(
		    conn, conn->state == CLOSED || conn->state == BROKEN ? -ECONNRESET : -EPROTO,
		    conn->state == BROKEN ? "the connection was abandoned" : "not connected");
	if (!is_mine(conn))
		return fail(conn, -ECONNRESET, "the connection belongs to the parent process");
	return 0;
}

static void adopt(struct xp_conn *conn, int fd, bool tcp)
{
	pthread_once(&generation_once, watch_forks);
	xp_conn_close(conn);
	conn->fd = fd;
	conn->recv_limit_ns = 0;
	conn->process = generation;
	conn->state = OPEN;
	conn->speak = conn->dialect = XP_DIALECT_ANY;
	conn->tcp = tcp;
}

void xp_conn_adopt(struct xp_conn *conn, int fd)
{
	adopt(conn, fd, xp_listen_prepare(fd));
}

/* ---- opening ------------------------------------------------------------------------- */

/*
 * An AF_UNIX connect waits for room in the listener's backlog, and poll(2) cannot tell when there is
 * some. SO_SNDTIMEO bounds that wait in the kernel. It stays set: a send that it ends waits on in base/io.h.
 */
static int connect_unix(int fd, const struct xp_address *address, const struct timespec *deadline)
{
	for (;;) {
		if (deadline) {
			int64_t left_us = xp_deadline_ns(deadline) / XP_NS_PER_US;
			if (left_us == 0)
				left_us = 1; /* 0 would wait for ever */
			struct timeval patience = {.tv_sec = left_us / 1000000,
						   .tv_usec = left_us % 1000000};
			if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) <
			    0)
				return -errno;
		}
		if (connect(fd, (const struct sockaddr *)&address->storage, address->size) == 0)
			return 0;
		if (errno == EAGAIN && xp_deadline_passed(deadline))
			return -ETIMEDOUT;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
}

static int connect_tcp(int fd, const struct xp_address *address, const struct timespec *deadline)
{
	int err = 0;
	socklen_t size = sizeof(err);
	int rc = xp_io_set_nonblock(fd, 1);

	if (rc < 0)
		return rc;
	if (connect(fd, (const struct sockaddr *)&address->storage, address->size) < 0) {
		if (errno != EINPROGRESS && errno != EINTR)
			return -errno;
		rc = xp_io_wait(fd, POLLOUT, deadline);
		if (rc < 0)
			return rc;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0)
			return -errno;
		if (err != 0)
			return -err;
	}
	return xp_io_set_nonblock(fd, 0);
}

int xp_conn_open(struct xp_conn *conn, const struct xp_address *address,
		 const struct timespec *deadline)
{
	int family = address->storage.ss_family;
	int door = xp_address_fd(address);
	int fd;

	conn->why = "";
	if (door >= 0) {
		int passed = xp_door_knock(door, deadline, &fd);

		if (passed < 0)
			return fail(conn, passed, "nobody is behind that descriptor");
		xp_conn_adopt(conn, fd);
		return 0;
	}
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(conn, -errno, "no socket can be had");
	int rc = family == AF_UNIX ? connect_unix(fd, address, deadline)
				   : connect_tcp(fd, address, deadline);
	if (rc < 0) {
		xp_io_close(fd);
		return fail(conn, rc,
			    rc == -ETIMEDOUT ? "no connection before the deadline"
					     : "nobody listens there");
	}
	adopt(conn, fd, family != AF_UNIX && xp_listen_prepare(fd));
	return 0;
}

/* ---- frames -------------------------------------------------------------------------- */

static int send_parts(struct xp_conn *conn, struct iovec *parts, int count,
		      const struct timespec *deadline)
{
	int rc = 0;

	for (int at = 0; at < count && rc == 0; at += PARTS_MAX) {
		int now = count - at < PARTS_MAX ? count - at : PARTS_MAX;
		rc = xp_io_send_full(conn->fd, parts + at, now, deadline);
	}
	return rc;
}

/*
 * Let the kernel end a recv that waits too long, before @deadline and not by much. Return: whether it does.
 *
 * The limit is set anew only where the one in force would be too late, or too early by far: it is a power of
 * two, so that deadlines of one patience, which differ by microseconds, share it.
 */
static bool limit_recv(struct xp_conn *conn, const struct timespec *deadline)
{
	int64_t left = xp_deadline_ns(deadline) - LIMIT_SLACK_NS;
	int64_t limit = LIMIT_SLACK_NS;

	if (left < LIMIT_SLACK_NS)
		return false;
	if (conn->recv_limit_ns >= left / 4 && conn->recv_limit_ns > 0 &&
	    conn->recv_limit_ns <= left)
		return true;
	while (limit <= left / 2)
		limit *= 2;
	struct timeval time = {.tv_sec = limit / XP_NS_PER_SEC,
			       .tv_usec = limit % XP_NS_PER_SEC / XP_NS_PER_US};
	if (setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) < 0)
		return false;
	conn->recv_limit_ns = limit;
	return true;
}

/* Look for bytes as long as experience says that it pays. Return: how many; -EAGAIN; -EPIPE; -errno. */
static ssize_t look(struct xp_conn *conn, char *at, size_t room)
{
	ssize_t n = -1;

	errno = EAGAIN;
	for (uint32_t left = xp_wait_polls(&conn->wait); left > 0 && n < 0; left--) {
		n = recv(conn->fd, at, room, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			break;
	}
	xp_wait_learn(&conn->wait, n > 0);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n > 0 ? n : -EPIPE;
}

/* Read 1 to @room bytes. Return: how many; -EPIPE; -ETIMEDOUT; -errno. */
static ssize_t receive(struct xp_conn *conn, char *at, size_t room, const struct timespec *deadline)
{
	ssize_t n;

	if (conn->tcp)
		xp_listen_quickack(conn->fd);
	if (conn->wait.polls_max > 0) {
		n = look(conn, at, room);
		if (n != -EAGAIN)
			return n;
	}
	if (!deadline || limit_recv(conn, deadline)) {
		n = recv(conn->fd, at, room, 0);
		if (n > 0)
			return n;
		if (n == 0)
			return -EPIPE;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	/* A signal, the limit, or O_NONBLOCK from somewhere: the rest of the time is waited out here. */
	return xp_io_read_some(conn->fd, at, room, deadline);
}

static int flush_held(struct xp_conn *conn, const struct timespec *deadline)
{
	struct iovec part = {.iov_base = conn->held, .iov_len = conn->held_size};

	conn->held_size = 0;
	return part.iov_len > 0 ? send_parts(conn, &part, 1, deadline) : 0;
}

/* Read what comes next into the buffer. */
static int recv_more(struct xp_conn *conn, const struct timespec *deadline)
{
	size_t room;
	char *at;
	int rc = xp_frame_buffer_space(&conn->input, &at, &room);

	if (rc == 0 && conn->held_size > 0)
		rc = flush_held(conn, deadline);
	if (rc < 0)
		return rc;
	ssize_t n = receive(conn, at, room, deadline);
	if (n < 0)
		return (int)n;
	xp_frame_buffer_received(&conn->input, (size_t)n);
	return 0;
}

int xp_conn_recv_frame(struct xp_conn *conn, uint64_t limit, const struct timespec *deadline,
		       char **ret_payload, size_t *ret_size)
{
	for (;;) {
		int rc = xp_frame_buffer_next(&conn->input, limit, ret_payload, ret_size);
		if (rc != 0)
			return rc < 0 ? rc : 0;
		rc = recv_more(conn, deadline);
		if (rc < 0)
			return rc;
	}
}

/* Frames of the handshake that leave in one write. */
struct small {
	char bytes[2 * (XP_FRAME_HEADER_MAX + XP_AUTH_FRAME_MAX)];
	size_t size;
};

static void small_add(struct small *small, const unsigned char *payload, size_t size)
{
	unsigned char *at = (unsigned char *)small->bytes + small->size;

	xp_assert(size <= XP_AUTH_FRAME_MAX &&
		  small->size + XP_FRAME_HEADER_MAX + size <= sizeof(small->bytes));
	size_t header = xp_frame_header(size, at);
	memcpy(at + header, payload, size);
	small->size += header + size;
}

static int small_send(struct xp_conn *conn, struct small *small, const struct timespec *deadline)
{
	struct iovec part = {.iov_base = small->bytes, .iov_len = small->size};

	small->size = 0;
	return part.iov_len > 0 ? send_parts(conn, &part, 1, deadline) : 0;
}

/* Keep it for the next send. */
static void small_hold(struct xp_conn *conn, const struct small *small)
{
	xp_assert(small->size <= sizeof(conn->held));
	memcpy(conn->held, small->bytes, small->size);
	conn->held_size = (uint8_t)small->size;
}

/* ---- handshake ----------------------------------------------------------------------- */

int xp_conn_authenticate(struct xp_conn *conn, enum xp_auth_role role, const void *key,
			 size_t key_size, const struct xp_auth_policy *policy,
			 const struct timespec *deadline)
{
	unsigned char reply[XP_AUTH_FRAME_MAX];
	struct small small = {.size = 0};
	struct xp_auth auth;
	size_t size;
	char *payload;
	int rc = check(conn, OPEN);

	if (rc < 0)
		return rc;
	int step = xp_auth_start(&auth, role, key, key_size, policy, reply, &size);
	while (step >= 0) {
		if (size > 0)
			small_add(&small, reply, size);
		if (!conn->tcp && step == XP_AUTH_MORE && xp_auth_ahead(&auth, reply, &size) == 0)
			small_add(&small, reply, size);
		if (step == XP_AUTH_DONE) {
			small_hold(conn, &small);
			break;
		}
		rc = small_send(conn, &small, deadline);
		if (rc < 0)
			break;
		rc = xp_conn_recv_frame(conn, XP_AUTH_FRAME_MAX, deadline, &payload, &size);
		if (rc < 0)
			break;
		step = xp_auth_step(&auth, payload, size, reply, &size);
	}
	/* The peer is told before it is left; whether it still listens no longer matters. */
	if (step == -EACCES && size > 0) {
		small_add(&small, reply, size);
		(void)!small_send(conn, &small, deadline);
	}
	if (step < 0)
		rc = step;
	if (rc < 0) {
		conn->why = xp_auth_why(&auth);
		return broken(conn, rc);
	}
	conn->state = READY;
	return 0;
}

/* ---- calls --------------------------------------------------------------------------- */

/* What was held, and the request: together, where that is two parts. */
static int send_held(struct xp_conn *conn, struct xp_pickle_writer *writer,
		     const struct timespec *deadline)
{
	struct iovec parts[2] = {{.iov_base = conn->held, .iov_len = conn->held_size},
				 writer->parts[0]};
	bool together = writer->part_count == 1;
	int rc = send_parts(conn, parts, together ? 2 : 1, deadline);

	conn->held_size = 0;
	if (rc == 0 && !together)
		rc = send_parts(conn, writer->parts, writer->part_count, deadline);
	return rc;
}

int xp_conn_send(struct xp_conn *conn, const struct xp_datum *value,
		 const struct timespec *deadline)
{
	struct xp_pickle_writer *writer = &conn->writer;
	int rc = check(conn, READY);

	if (rc < 0)
		return rc;
	rc = xp_pickle_write(writer, value, conn->speak, XP_FRAME_HEADER_MAX, XP_PICKLE_PARTS);
	if (rc < 0)
		return fail(conn, rc, writer->error.text);
	char *body = (char *)writer->parts[0].iov_base + XP_FRAME_HEADER_MAX;
	writer->parts[0].iov_base = body;
	writer->parts[0].iov_len -= XP_FRAME_HEADER_MAX;
	conn->by_ring = false;
	rc = conn->ring ? xp_conn_ring_send(conn, writer->parts, writer->size) : -EMSGSIZE;
	if (rc == -EMSGSIZE) {
		char *start = xp_frame_seal(body, writer->size);
		writer->parts[0].iov_len += (size_t)(body - start);
		writer->parts[0].iov_base = start;
		rc = conn->held_size > 0
			 ? send_held(conn, writer, deadline)
			 : send_parts(conn, writer->parts, writer->part_count, deadline);
	}
	xp_pickle_writer_trim(writer, KEEP);
	return rc < 0 ? broken(conn, rc) : 0;
}

/* From now on the peer's own dialect, which says more than the one that all read. */
static void learn(struct xp_conn *conn)
{
	conn->dialect = conn->reader.dialect;
	if (conn->dialect.python == 2)
		conn->speak = XP_DIALECT_PY2;
	else if (conn->dialect.protocol > 2)
		conn->speak = conn->dialect;
}

/* The last reply lay in the buffer and the arena. */
static void forget_reply(struct xp_conn *conn)
{
	xp_datum_arena_reset(&conn->replies);
	xp_frame_buffer_trim(&conn->input, KEEP);
}

int xp_conn_await(struct xp_conn *conn, const struct timespec *deadline)
{
	int rc = check(conn, READY);

	if (rc < 0 || (!conn->by_ring && xp_frame_buffer_pending(&conn->input) > 0))
		return rc;
	forget_reply(conn);
	rc = conn->by_ring ? xp_conn_ring_await(conn, deadline) : recv_more(conn, deadline);
	return rc < 0 && rc != -ETIMEDOUT ? broken(conn, rc) : rc;
}

int xp_conn_recv(struct xp_conn *conn, const struct timespec *deadline,
		 const struct xp_datum **ret_value)
{
	struct xp_datum *value;
	char *payload;
	size_t size;
	int rc = check(conn, READY);

	if (rc < 0)
		return rc;
	forget_reply(conn);
	rc = conn->by_ring ? xp_conn_ring_recv(conn, deadline, &payload, &size)
			   : xp_conn_recv_frame(conn, conn->frame_max, deadline, &payload, &size);
	if (rc == -EPIPE && xp_frame_buffer_pending(&conn->input) == 0) {
		(void)broken(conn, rc);
		return -EPIPE;
	}
	if (rc < 0)
		return broken(conn, rc);
	rc = xp_pickle_read(&conn->reader, &conn->replies, payload, size, XP_PICKLE_BORROW, &value);
	if (rc < 0) {
		conn->why = conn->reader.error.text;
		xp_conn_break(conn);
		return rc == -ENOMEM ? rc : -EPROTO;
	}
	learn(conn);
	*ret_value = value;
	return 0;
}

int xp_conn_call(struct xp_conn *conn, const struct xp_datum *request,
		 const struct timespec *deadline, const struct xp_datum **ret_reply)
{
	int rc = check(conn, READY);

	/* Nothing may be there that nobody asked for: it would be taken for the reply. */
	if (rc == 0 && (xp_frame_buffer_pending(&conn->input) > 0 ||
			(conn->ring && xp_frame_ring_ready(&conn->ring->in)))) {
		conn->why = "the peer sent more than was asked for";
		rc = broken(conn, -EPROTO);
	}
	if (rc == 0)
		rc = xp_conn_send(conn, request, deadline);
	if (rc == 0)
		rc = xp_conn_recv(conn, deadline, ret_reply);
	return rc == -EPIPE ? -ECONNRESET : rc;
}

bool xp_conn_is_usable(struct xp_conn *conn)
{
	struct pollfd watch = {.fd = conn->fd, .events = POLLIN | POLLRDHUP};

	return check(conn, READY) == 0 && xp_frame_buffer_pending(&conn->input) == 0 &&
	       !(conn->ring && xp_frame_ring_ready(&conn->ring->in)) && poll(&watch, 1, 0) == 0;
}

int xp_conn_hand_over(struct xp_conn *conn, size_t size, uint32_t polls,
		      const struct timespec *deadline)
{
	int rc = check(conn, READY);

	if (rc == 0)
		rc = xp_conn_ring_open(conn, size, polls, deadline);
	return rc < 0 && rc != -ENOTSUP ? broken(conn, rc) : rc;
}

const char *xp_conn_why(const struct xp_conn *conn)
{
	return conn->why;
}
