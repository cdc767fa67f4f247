/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/listen.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_LOOK_MS 1

static const struct sockaddr *name_of(const struct xp_address *address)
{
	return (const struct sockaddr *)&address->storage;
}

/*
 * Whether nobody has the socket file any more. Asked with a type that no server of ours has: to a socket of
 * another type, whoever has it, the kernel says EPROTOTYPE, and ECONNREFUSED only where there is none. A
 * connection would take one of a living server's places, and many that start would keep it busy.
 */
static bool is_dead(const struct xp_address *address, const char *path)
{
	struct stat status;

	if (lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode) || status.st_uid != geteuid())
		return false;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	bool dead = connect(fd, name_of(address), address->size) < 0 && errno == ECONNREFUSED;
	xp_io_close(fd);
	return dead;
}

/* flock(2) knows no deadline, and whoever may read the directory may hold its lock for as long as it likes. */
static int flock_within(int fd, int64_t patience_ns)
{
	int64_t end = xp_clock_ns() + patience_ns;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (xp_clock_ns() >= end)
			return -EBUSY;
		poll(NULL, 0, LOCK_LOOK_MS);
	}
	return 0;
}

/* Lock the directory of @path until the descriptor is closed. Return: it, or -errno. */
static int lock_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory =
	    !slash ? strdup(".") : strndup(path, slash > path ? (size_t)(slash - path) : 1);

	if (!directory)
		return -ENOMEM;
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : 0;
	free(directory);
	if (fd >= 0)
		rc = flock_within(fd, XP_LISTEN_LOCK_NS);
	if (rc < 0) {
		xp_io_close(fd);
		return rc;
	}
	return fd;
}

static int bind_and_listen(int fd, const struct xp_address *address, int backlog)
{
	const char *path = xp_address_path(address);
	int lock = path ? lock_directory(path) : -1;
	int rc = 0;

	if (path && lock < 0)
		return lock;
	/* The mode of the socket becomes that of its file: there is no moment in which it is wider. */
	if (path && fchmod(fd, 0600) < 0)
		rc = -errno;
	if (rc == 0 && bind(fd, name_of(address), address->size) < 0)
		rc = -errno;
	if (rc == -EADDRINUSE && path && is_dead(address, path)) {
		rc = 0;
		if (unlink(path) < 0 || bind(fd, name_of(address), address->size) < 0)
			rc = -errno;
	}
	/* Within the lock: who finds the file finds a server that listens. */
	if (rc == 0 && listen(fd, backlog > 0 ? backlog : XP_LISTEN_BACKLOG) < 0)
		rc = -errno;
	xp_io_close(lock);
	return rc;
}

int xp_listen(const struct xp_address *address, int backlog, struct xp_address *ret_address,
	      int *ret_fd)
{
	struct xp_address bound = {.size = sizeof(bound.storage)};
	int on = 1, rc = 0;
	int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (address->storage.ss_family != AF_UNIX &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		rc = -errno;
	if (rc == 0)
		rc = bind_and_listen(fd, address, backlog);
	if (rc == 0 && getsockname(fd, (struct sockaddr *)&bound.storage, &bound.size) < 0)
		rc = -errno;
	if (rc < 0) {
		xp_io_close(fd);
		return rc;
	}
	if (ret_address)
		*ret_address = bound;
	*ret_fd = fd;
	return 0;
}

void xp_listen_close(int fd, const struct xp_address *address)
{
	const char *path = address ? xp_address_path(address) : NULL;
	int lock = fd >= 0 && path ? lock_directory(path) : -1;

	xp_io_close(fd);
	/* Nobody answers on the file now unless another server has taken its place. */
	if (lock >= 0 && is_dead(address, path))
		unlink(path);
	xp_io_close(lock);
}

bool xp_listen_sweep(const struct xp_address *address)
{
	const char *path = xp_address_path(address);
	int lock;
	bool gone;

	/* Looked at without the lock first, which who starts there would meet. */
	if (!path || !is_dead(address, path) || (lock = lock_directory(path)) < 0)
		return false;
	gone = is_dead(address, path) && unlink(path) == 0;
	xp_io_close(lock);
	return gone;
}

static bool is_tcp(int fd)
{
	int domain = 0;
	socklen_t size = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	       (domain == AF_INET || domain == AF_INET6);
}

bool xp_listen_prepare(int fd)
{
	int on = 1;
	bool tcp = is_tcp(fd);

	/* A hint: where it is refused, calls are slower and no less right. */
	if (tcp)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return tcp;
}

void xp_listen_quickack(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}
