/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/listener.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/rpc/door.h"
#include "xpshare/rpc/frame.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Descriptors beside those of clients: standard streams, listening sockets, epoll and its like. */
#define DESCRIPTORS_OWN	 16u
#define LINES_PER_SECOND 5u

/* ---- log --------------------------------------------------------------------------------------- */

void xp_gate_log(struct xp_gate *gate, enum xp_gate_event event, const char *format, ...)
{
	struct xp_gate_log *log = &gate->logs[event];
	int64_t now = xp_clock_ns();
	char line[256];
	va_list list;

	if (!gate->options->log)
		return;
	if (now - log->since >= XP_NS_PER_SEC) {
		if (log->held_back > 0) {
			snprintf(line, sizeof(line), "(%u lines like the last were held back)",
				 log->held_back);
			gate->options->log(gate->options->log_context, line);
		}
		*log = (struct xp_gate_log){.since = now};
	}
	if (log->lines >= LINES_PER_SECOND) {
		log->held_back++;
		return;
	}
	log->lines++;
	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	gate->options->log(gate->options->log_context, line);
}

/* ---- listening --------------------------------------------------------------------------------- */

static void reserve_descriptor(struct xp_gate *gate)
{
	if (gate->reserve < 0)
		gate->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Which digests a peer may prove itself with: MD5 is all that CPython up to 3.11 knows, so it is taken
 * where the kernel vouches for the peer's user, and elsewhere only if asked for. */
static unsigned digests_for(const struct xp_server_options *options, bool tcp)
{
	if (options->allow_md5 || (!tcp && !options->any_user))
		return XP_AUTH_ALL;
	return XP_AUTH_STRONG;
}

static int add_listener(struct xp_gate *gate, int fd, const struct xp_address *address, bool own)
{
	struct xp_listener *listener = &gate->listeners[gate->count];
	sa_family_t family = address->storage.ss_family;

	*listener = (struct xp_listener){
	    .fd = fd,
	    .address = *address,
	    .datum = xp_address_datum(address, &gate->arena),
	    .tcp = family == AF_INET || family == AF_INET6,
	    .own = own,
	};
	listener->digests = digests_for(gate->options, listener->tcp);
	gate->count++;
	return listener->datum ? 0 : -ENOMEM;
}

/* Whether connections can be accepted on it. */
static bool is_listening(int fd)
{
	int listening = 0;
	int type = 0;
	socklen_t size = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* With several addresses the error alone does not say which. */
static void say_cannot_listen(struct xp_gate *gate, const struct xp_address *address, int error)
{
	char text[XP_ADDRESS_TEXT];
	const char *hint = "";

	if (xp_address_format(address, text, sizeof(text)) < 0)
		return;
	if (error == -EBUSY)
		hint = " (another process keeps its directory locked)";
	else if (error == -EADDRINUSE && xp_address_path(address))
		hint = " (a server listens on it, or it is not a socket of this user)";
	xp_gate_log(gate, XP_GATE_LISTEN, "cannot listen on %s: %s%s", text, strerror(-error),
		    hint);
}

/* A socket that somebody else has made. */
static int adopt(struct xp_gate *gate, int fd)
{
	struct xp_address address = {.size = sizeof(address.storage)};

	if (xp_door_is(fd)) {
		struct xp_address name = xp_address_of_fd(fd);
		int added = add_listener(gate, fd, &name, false);

		gate->listeners[gate->count - 1].door = true;
		return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : added;
	}
	if (!is_listening(fd))
		return fcntl(fd, F_GETFD) < 0 ? -EBADF : -ENOTSOCK;
	if (getsockname(fd, (struct sockaddr *)&address.storage, &address.size) < 0)
		return -errno;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	int rc = xp_io_set_nonblock(fd, 1);

	return rc < 0 ? rc : add_listener(gate, fd, &address, false);
}

static int listen_on(struct xp_gate *gate, const struct xp_address *address)
{
	struct xp_address bound;
	int fd = xp_address_fd(address);
	int rc;

	if (fd >= 0) {
		rc = adopt(gate, fd);
	} else {
		rc = xp_listen(address, 0, &bound, &fd);
		if (rc == 0)
			rc = add_listener(gate, fd, &bound, true);
	}
	if (rc < 0)
		say_cannot_listen(gate, address, rc);
	return rc;
}

int xp_gate_open(struct xp_gate *gate, const struct xp_server_options *options,
		 struct xp_stats *stats)
{
	size_t count = options->address_count + options->fd_count;
	struct rlimit limit;
	int rc = 0;

	*gate = (struct xp_gate){.options = options, .stats = stats, .reserve = -1};
	if (count == 0)
		return -EINVAL;
	gate->listeners = calloc(count, sizeof(*gate->listeners));
	if (!gate->listeners)
		return -ENOMEM;
	xp_datum_arena_init(&gate->arena, 0);
	for (size_t i = 0; i < options->fd_count && rc == 0; i++)
		rc = adopt(gate, options->fds[i]);
	for (size_t i = 0; i < options->address_count && rc == 0; i++)
		rc = listen_on(gate, &options->addresses[i]);
	if (rc < 0) {
		xp_gate_close(gate);
		return rc;
	}
	rlim_t descriptors = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
	unsigned places =
	    descriptors > 2 * DESCRIPTORS_OWN
		? (unsigned)(descriptors < UINT32_MAX ? descriptors : UINT32_MAX) - DESCRIPTORS_OWN
		: DESCRIPTORS_OWN;

	gate->connections_max = options->connections ? options->connections : places;
	gate->rings_max = places / 4;
	if (gate->connections_max < places && places - gate->connections_max > gate->rings_max)
		gate->rings_max = places - gate->connections_max;
	stats->clients_limit = gate->connections_max;
	reserve_descriptor(gate);
	return 0;
}

void xp_gate_shut(struct xp_gate *gate)
{
	for (size_t i = 0; i < gate->count; i++) {
		struct xp_listener *listener = &gate->listeners[i];

		/* The file too, unless somebody has put another there since. */
		if (listener->fd >= 0)
			xp_listen_close(listener->fd, listener->own ? &listener->address : NULL);
		listener->fd = -1;
	}
}

void xp_gate_abandon(struct xp_gate *gate, const struct xp_listener *listener)
{
	struct xp_listener *mine = &gate->listeners[listener - gate->listeners];

	mine->fd = xp_io_close(mine->fd);
}

bool xp_gate_is_over(const struct xp_gate *gate)
{
	for (size_t i = 0; i < gate->count; i++) {
		if (gate->listeners[i].fd >= 0)
			return false;
	}
	return gate->connections == 0;
}

void xp_gate_close(struct xp_gate *gate)
{
	xp_gate_shut(gate);
	gate->reserve = xp_io_close(gate->reserve);
	xp_datum_arena_fini(&gate->arena);
	free(gate->listeners);
	gate->listeners = NULL;
	gate->count = 0;
}

/* ---- accepting --------------------------------------------------------------------------------- */

void xp_gate_refuse(struct xp_gate *gate, int fd, enum xp_refusal reason, const char *why)
{
	char payload[XP_AUTH_FRAME_MAX];
	unsigned char header[XP_FRAME_HEADER_MAX];
	int size = snprintf(payload, sizeof(payload), "#FAILURE# %s", why);
	struct iovec parts[2] = {
	    {.iov_base = header, .iov_len = xp_frame_header((size_t)size, header)},
	    {.iov_base = payload, .iov_len = (size_t)size},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	gate->stats->refused[reason]++;
	/* A fresh socket has room for a few bytes; one that has none is closed without words. */
	(void)!sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	xp_io_close(fd);
}

/* There is no descriptor left: give up the reserve for a moment, to say so. */
static int refuse_without_descriptor(struct xp_gate *gate, const struct xp_listener *listener)
{
	int fd;

	if (gate->reserve < 0)
		return -EBUSY;
	gate->reserve = xp_io_close(gate->reserve);
	fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0) {
		xp_gate_log(gate, XP_GATE_DESCRIPTORS,
			    "refused a connection: no descriptor left (%u clients)",
			    gate->connections);
		xp_gate_refuse(gate, fd, XP_REFUSAL_DESCRIPTORS,
			       "busy: the server is out of file descriptors");
	}
	reserve_descriptor(gate);
	return fd >= 0 ? -ECANCELED : -EBUSY;
}

static bool is_waiting(int fd)
{
	struct pollfd one = {.fd = fd, .events = POLLIN};

	return poll(&one, 1, 0) > 0 && one.revents & POLLIN;
}

/* Whether the peer's user is ours, as the kernel knows it. */
static bool is_our_user(int fd, uid_t *ret_user)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	*ret_user = peer.uid;
	return peer.uid == geteuid() || peer.uid == 0;
}

/* Through a listening socket. Return: as xp_gate_accept(). */
static int take_from_socket(struct xp_gate *gate, const struct xp_listener *listener, int *ret_fd)
{
	/* O_NONBLOCK may have been switched off by whoever shares the socket. */
	if (!is_waiting(listener->fd))
		return -EAGAIN;
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0) {
		switch (errno) {
		case EMFILE:
		case ENFILE:
			return refuse_without_descriptor(gate, listener);
		case EAGAIN:
			return -EAGAIN;
		case EINTR:
		case ECONNABORTED:
		case EPROTO:
			return -ECANCELED;
		default: /* ENOBUFS, ENOMEM, or worse */
			return -EBUSY;
		}
	}
	if (gate->reserve < 0)
		reserve_descriptor(gate);
	*ret_fd = fd;
	return 0;
}

/* Through a door. A descriptor that cannot be received is lost, so the reserve makes room for it in any
 * case, and if that cannot be made up for, the one received is the last: refused, and the reserve again. */
static int take_from_door(struct xp_gate *gate, const struct xp_listener *listener, int *ret_fd)
{
	int fd;
	int rc;

	if (!is_waiting(listener->fd))
		return -EAGAIN;
	gate->reserve = xp_io_close(gate->reserve);
	rc = xp_door_answer(listener->fd, &fd);
	reserve_descriptor(gate);
	if (rc == -EPROTO || rc == -EMFILE)
		return -ECANCELED;
	if (rc < 0)
		return rc == -EAGAIN || rc == -EPIPE ? rc : -EBUSY;
	if (gate->reserve < 0) {
		xp_gate_log(gate, XP_GATE_DESCRIPTORS,
			    "refused a connection: no descriptor left (%u clients)",
			    gate->connections);
		xp_gate_refuse(gate, fd, XP_REFUSAL_DESCRIPTORS,
			       "busy: the server is out of file descriptors");
		reserve_descriptor(gate);
		return -ECANCELED;
	}
	*ret_fd = fd;
	return 0;
}

int xp_gate_accept(struct xp_gate *gate, const struct xp_listener *listener, int *ret_fd)
{
	uid_t user = (uid_t)-1;
	int fd = -1;
	int rc = listener->door ? take_from_door(gate, listener, &fd)
				: take_from_socket(gate, listener, &fd);

	if (rc < 0)
		return rc;
	if (gate->connections >= gate->connections_max) {
		xp_gate_log(gate, XP_GATE_CONNECTIONS,
			    "refused a connection: %u clients are the limit", gate->connections);
		xp_gate_refuse(gate, fd, XP_REFUSAL_CLIENTS,
			       "busy: the server has as many clients as it may");
		return -ECANCELED;
	}
	if (!listener->tcp && !gate->options->any_user && !is_our_user(fd, &user)) {
		xp_gate_log(gate, XP_GATE_USER, "refused a connection of user %u", user);
		xp_gate_refuse(gate, fd, XP_REFUSAL_USER,
			       "denied: the server serves its own user only");
		return -ECANCELED;
	}
	if (listener->tcp)
		xp_listen_prepare(fd);
	gate->stats->connections++;
	gate->stats->clients = ++gate->connections;
	if (gate->connections > gate->stats->clients_most)
		gate->stats->clients_most = gate->connections;
	*ret_fd = fd;
	return 0;
}

void xp_gate_left(struct xp_gate *gate)
{
	xp_assert(gate->connections > 0);
	gate->stats->clients = --gate->connections;
	if (gate->reserve < 0)
		reserve_descriptor(gate);
}
