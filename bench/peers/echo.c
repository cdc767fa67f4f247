/* SPDX-License-Identifier: MIT */
/*
 * floor: echo - the least that a server of many clients can do
 *
 * One process, one epoll instance: a read, a write, no parsing, no object. The frames are as long as
 * those of a manager's call and its reply.
 */
#include "bench/peers/echo.h"

#include "xpshare/base/io.h"
#include "xpshare/proc/child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EVENTS 64

struct echo {
	struct xp_child child;
	struct xb_process home; /* for its directory only */
	char path[100];
	int listener;
	int (*serve)(int listener);
};

/* Of the process's one echo, which its members inherit. */
static char shared_path[sizeof(((struct echo *)NULL)->path)];

/* One request in, one reply out; a client sends the next request after the reply. */
static int serve_one(int fd)
{
	char request[XB_ECHO_REQUEST], reply[XB_ECHO_REPLY] = {0};
	ssize_t n = read(fd, request, sizeof(request));

	if (n <= 0)
		return -EPIPE;
	if (n < (ssize_t)sizeof(request) &&
	    xp_io_read_full(fd, request + n, sizeof(request) - (size_t)n, NULL) < 0)
		return -EPIPE;
	return write(fd, reply, sizeof(reply)) == (ssize_t)sizeof(reply) ? 0 : -EPIPE;
}

static int serve_by_epoll(int listener)
{
	struct epoll_event events[EVENTS], wanted = {.events = EPOLLIN, .data.fd = listener};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &wanted);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				wanted.data.fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
				if (wanted.data.fd >= 0)
					epoll_ctl(epoll, EPOLL_CTL_ADD, wanted.data.fd, &wanted);
			} else if (serve_one(fd) < 0) {
				close(fd);
			}
		}
	}
	return 0;
}

static int run(void *arg)
{
	struct echo *echo = arg;

	return echo->serve(echo->listener);
}

int xb_echo_start(struct xb_served *served, int (*serve)(int listener))
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct echo *echo = calloc(1, sizeof(*echo));

	if (!echo)
		return -ENOMEM;
	served->own = echo;
	echo->listener = -1;
	echo->serve = serve;
	int rc = xb_process_prepare(&echo->home);
	if (rc < 0)
		return rc;
	snprintf(echo->path, sizeof(echo->path), "%s/echo", echo->home.dir);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", echo->path);
	memcpy(shared_path, echo->path, sizeof(shared_path));
	echo->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (echo->listener < 0 || bind(echo->listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(echo->listener, SOMAXCONN) < 0)
		return -errno;
	rc = xp_child_start(run, echo, &echo->child);
	served->pid = echo->child.pid;
	return rc;
}

static int start(struct xb_served *served)
{
	return xb_echo_start(served, serve_by_epoll);
}

void xb_echo_stop(struct xb_served *served)
{
	struct echo *echo = served->own;

	if (!echo)
		return;
	xp_child_stop(&echo->child);
	xp_io_close(echo->listener);
	xb_process_stop(&echo->home);
	free(echo);
}

int xb_echo_connect(struct xb_served *served, void **ret_client)
{
	struct echo *echo = served->own;
	int fd = xb_connect_unix(echo->path);

	if (fd < 0)
		return fd;
	*ret_client = (void *)(intptr_t)(fd + 1);
	return 0;
}

int xb_echo_call(void *client)
{
	char request[XB_ECHO_REQUEST] = {1}, reply[XB_ECHO_REPLY];
	int fd = (int)(intptr_t)client - 1;

	if (write(fd, request, sizeof(request)) != (ssize_t)sizeof(request))
		return -EPIPE;
	return xp_io_read_full(fd, reply, sizeof(reply), NULL);
}

static int shake(void *client)
{
	int fd = xb_connect_unix(shared_path);

	(void)client;
	if (fd < 0)
		return fd;
	int rc = xb_echo_call((void *)(intptr_t)(fd + 1));
	close(fd);
	return rc;
}

/* Making and removing take a connection each. */
static int make(void *client)
{
	int rc = shake(client);

	return rc < 0 ? rc : shake(client);
}

void xb_echo_disconnect(void *client)
{
	close((int)(intptr_t)client - 1);
}

const struct xb_service xb_service_echo = {
    .name = "floor/echo",
    .role = XB_ROLE_FLOOR,
    .start = start,
    .stop = xb_echo_stop,
    .connect = xb_echo_connect,
    .get = xb_echo_call,
    .set = xb_echo_call,
    .shake = shake,
    .make = make,
    .disconnect = xb_echo_disconnect,
    .link = xb_echo_connect,
    .unlink = xb_echo_disconnect,
};
