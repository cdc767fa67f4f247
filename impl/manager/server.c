/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/server_internal.h"

#include "xpshare/base/io.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MMAP_BYTES (1 << 20) /* blocks of their own from here on, unmapped when freed */
#define TRIM_BYTES (4 << 20) /* of free memory that the heap may keep */

void xp_server_own_process(void)
{
	signal(SIGPIPE, SIG_IGN);
#ifdef __GLIBC__
	/* Left alone, the C library raises both limits with the first large block that is freed, so that the
	 * heap keeps what a few large values took; and it gives threads heaps of their own, of which calls that
	 * run one at a time have only the fragmentation. */
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
	(void)mallopt(M_ARENA_MAX, 1);
#endif
}

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
	server->dispatch.stats.model = options->model == XP_SERVER_THREAD ? "thread" : "event";
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

void xp_server_shut(struct xp_server *server)
{
	if (server->options.stopping)
		server->options.stopping(server->options.log_context);
	xp_gate_shut(&server->gate);
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
