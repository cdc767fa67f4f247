/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/server_internal.h"

#include "xpshare/base/io.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int xp_server_create(const struct xp_server_options *options, struct xp_server **ret_server)
{
	struct xp_server *server = calloc(1, sizeof(*server));
	int rc;

	if (!server)
		return -ENOMEM;
	server->options = *options;
	if (!server->options.pending)
		server->options.pending = XP_SERVER_PENDING;
	if (!server->options.handshake_ns)
		server->options.handshake_ns = XP_SERVER_HANDSHAKE_NS;
	rc = xp_dispatch_init(&server->dispatch, options->registry, &options->limits, options->key,
			      options->key_size);
	if (rc < 0) {
		free(server);
		return rc;
	}
	server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = server->stop_fd < 0
		 ? -errno
		 : xp_gate_open(&server->gate, &server->options, &server->dispatch.stats);
	if (rc < 0) {
		xp_io_close(server->stop_fd);
		xp_dispatch_fini(&server->dispatch);
		free(server);
		return rc;
	}
	*ret_server = server;
	return 0;
}

int xp_server_run(struct xp_server *server)
{
	return server->options.model == XP_SERVER_THREAD ? xp_server_run_thread(server)
							 : xp_server_run_event(server);
}

void xp_server_stop(struct xp_server *server)
{
	uint64_t one = 1;
	int saved = errno;

	/* Full only if stopped 2^64 times. */
	(void)!write(server->stop_fd, &one, sizeof(one));
	errno = saved;
}

void xp_server_destroy(struct xp_server *server)
{
	if (!server)
		return;
	xp_gate_close(&server->gate);
	xp_dispatch_fini(&server->dispatch);
	xp_io_close(server->stop_fd);
	free(server);
}

const struct xp_address *xp_server_address(const struct xp_server *server, size_t index)
{
	return index < server->gate.count ? &server->gate.listeners[index].address : NULL;
}
