/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/activation.h"

#include "xpshare/base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A decimal number without sign or blanks. Return: it; -1. */
static long number_of(const char *text)
{
	char *end;
	long number;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	number = strtol(text, &end, 10);
	return errno || *end != '\0' ? -1 : number;
}

/* Names stand between colons, one for each descriptor. */
static int take_names(const char *names, struct xp_activation *activations, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t size = strcspn(names, ":");

		/* systemd allows 255 bytes; what is cut is only shown. */
		snprintf(activations[i].name, XP_ACTIVATION_NAME, "%.*s", (int)size, names);
		names += size;
		if ((*names == ':') != (i + 1 < count))
			return -EINVAL;
		names++;
	}
	return 0;
}

static int take(struct xp_activation *activations, size_t room)
{
	const char *pid = getenv("LISTEN_PID");
	const char *fds = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");

	/* Meant for another process, by whom the environment was inherited. */
	if (!pid || !fds || number_of(pid) != (long)getpid())
		return pid && number_of(pid) < 0 ? -EINVAL : 0;
	long count = number_of(fds);

	if (count < 0)
		return -EINVAL;
	if ((size_t)count > room)
		return -E2BIG;
	for (int i = 0; i < count; i++) {
		activations[i] = (struct xp_activation){.fd = XP_ACTIVATION_FIRST + i};
		if (fcntl(activations[i].fd, F_SETFD, FD_CLOEXEC) < 0)
			return -errno;
	}
	int rc = names && count > 0 ? take_names(names, activations, (size_t)count) : 0;

	return rc < 0 ? rc : (int)count;
}

int xp_activation_take(struct xp_activation *activations, size_t room)
{
	int rc = take(activations, room);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return rc;
}

int xp_activation_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t size = path ? strlen(path) : 0;

	if (size == 0)
		return 0;
	if ((path[0] != '/' && path[0] != '@') || size >= sizeof(name.sun_path))
		return -EINVAL;
	memcpy(name.sun_path, path, size);
	if (path[0] == '@')
		name.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	ssize_t sent =
	    sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&name,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
	int rc = sent < 0 ? -errno : 1;

	xp_io_close(fd);
	return rc;
}
