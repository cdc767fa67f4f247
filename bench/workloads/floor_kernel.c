/* SPDX-License-Identifier: MIT */
/*
 * floor: kernel objects - a round trip through the plainest loop over each of them
 *
 * The limit of everything that sleeps, and of everything built on the same object. Hand-written
 * loops with no check that a real program needs but the one for a short transfer.
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include "xpshare/base/futex.h"
#include "xpshare/base/io.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum object { FUTEX, EVENTFD, PIPE, SOCKETPAIR, TCP };

static const struct variant {
	const char *name;
	enum object object;
	bool sized;
} variants[] = {
    {"floor/futex", FUTEX, false}, {"floor/eventfd", EVENTFD, false},
    {"floor/pipe", PIPE, true},	   {"floor/socketpair", SOCKETPAIR, true},
    {"floor/tcp", TCP, true},
};

static const int64_t sizes[] = {8, 64, 1024, 65536};

/* Descriptors by member: [i] is where member i reads, and where it writes. */
struct ends {
	int in[2], out[2];
};

struct futex_word {
	_Alignas(XP_ISOLATION) _Atomic uint32_t turn;
};

static void add(const struct xb_workload *workload, struct xb_matrix *matrix,
		const struct variant *variant, const struct xb_placement *pair, int64_t size,
		const char *wait)
{
	struct xb_case c = xb_case_other(workload, XB_ROLE_FLOOR, "floor", variant->name, pair);

	c.detail = variant;
	if (size)
		c.param[XB_SIZE] = xb_number(size);
	if (wait)
		c.param[XB_WAIT] = xb_text(wait);
	xb_matrix_add(matrix, &c);
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	xb_each_pair(matrix, pair)
	{
		for (size_t v = 0; v < sizeof(variants) / sizeof(*variants); v++) {
			if (!variants[v].sized) {
				add(workload, matrix, &variants[v], pair, 0, NULL);
				continue;
			}
			for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++)
				add(workload, matrix, &variants[v], pair, sizes[s], NULL);
		}
		/* The socket polled without sleeping: the limit of a hybrid wait on a socket. */
		if (pair->class != XB_SAME_PU)
			add(workload, matrix, &variants[SOCKETPAIR], pair, 64, "spin");
	}
}

static int open_pipes(struct ends *ends)
{
	int there[2], back[2];

	if (pipe2(there, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(back, O_CLOEXEC) < 0) {
		int rc = -errno;
		xp_io_close(there[0]);
		xp_io_close(there[1]);
		return rc;
	}
	*ends = (struct ends){.in = {back[0], there[0]}, .out = {there[1], back[1]}};
	return 0;
}

static int open_eventfds(struct ends *ends)
{
	int there = eventfd(0, EFD_CLOEXEC), back = eventfd(0, EFD_CLOEXEC);

	*ends = (struct ends){.in = {back, there}, .out = {there, back}};
	return there < 0 || back < 0 ? -errno : 0;
}

static int open_sockets(struct ends *ends)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	*ends = (struct ends){.in = {pair[0], pair[1]}, .out = {pair[0], pair[1]}};
	return 0;
}

static int connect_loopback(int listener, int *ret_client, int *ret_server)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	int one = 1;

	/* Port 0: the kernel finds a free one. */
	if (bind(listener, (struct sockaddr *)&at, size) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &size) < 0)
		return -errno;
	*ret_client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*ret_client < 0 || connect(*ret_client, (struct sockaddr *)&at, size) < 0)
		return -errno;
	*ret_server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (*ret_server < 0 ||
	    setsockopt(*ret_client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    setsockopt(*ret_server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		return -errno;
	return 0;
}

static int open_tcp(struct ends *ends)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = -1, server = -1;

	if (listener < 0)
		return -errno;
	int rc = connect_loopback(listener, &client, &server);
	xp_io_close(listener);
	*ends = (struct ends){.in = {client, server}, .out = {client, server}};
	return rc;
}

static int open_object(struct xb_stage *stage)
{
	const struct variant *variant = stage->c->detail;
	struct ends *ends = malloc(sizeof(*ends));

	if (!ends)
		return -ENOMEM;
	*ends = (struct ends){.in = {-1, -1}, .out = {-1, -1}};
	stage->own = ends;
	switch (variant->object) {
	case FUTEX:
		return xb_stage_share(stage, 2 * sizeof(struct futex_word));
	case EVENTFD:
		return open_eventfds(ends);
	case PIPE:
		return open_pipes(ends);
	case SOCKETPAIR:
		return open_sockets(ends);
	default:
		return open_tcp(ends);
	}
}

static void close_object(struct xb_stage *stage)
{
	struct ends *ends = stage->own;

	for (int i = 0; ends && i < 2; i++) {
		xp_io_close(ends->in[i]);
		if (ends->out[i] != ends->in[i] && ends->out[i] != ends->in[1 - i])
			xp_io_close(ends->out[i]);
	}
	free(ends);
}

static inline int write_all(int fd, const char *from, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, from + done, size - done);
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static inline int read_all(int fd, char *into, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, into + done, size - done);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Poll instead of sleeping. */
static inline int read_spin(int fd, char *into, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = recv(fd, into + done, size - done, MSG_DONTWAIT);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static inline int trip(const struct ends *ends, int me, char *buffer, size_t size, bool first,
		       bool spin)
{
	int rc = 0;

	if (first)
		rc = write_all(ends->out[me], buffer, size);
	if (rc == 0)
		rc = spin ? read_spin(ends->in[me], buffer, size)
			  : read_all(ends->in[me], buffer, size);
	if (rc == 0 && !first)
		rc = write_all(ends->out[me], buffer, size);
	return rc;
}

/* Each side sleeps on its own word and hands the turn over by a store and a wake. */
static inline int await_turn(struct futex_word *word, uint32_t turn)
{
	for (;;) {
		uint32_t seen = atomic_load_explicit(&word->turn, memory_order_acquire);
		if (seen == turn)
			return 0;
		int rc = xp_futex_wait_until(&word->turn, seen, NULL);
		if (rc < 0)
			return rc;
	}
}

static inline void give_turn(struct futex_word *word, uint32_t turn)
{
	atomic_store_explicit(&word->turn, turn, memory_order_release);
	xp_futex_wake(&word->turn, 1);
}

static inline int futex_ping(struct futex_word *words, uint64_t *count)
{
	uint32_t turn = (uint32_t)++ * count;

	give_turn(&words[0], turn);
	return await_turn(&words[1], turn);
}

static inline int futex_pong(struct futex_word *words, uint64_t *count)
{
	uint32_t turn = (uint32_t)++ * count;

	int rc = await_turn(&words[0], turn);
	give_turn(&words[1], turn);
	return rc;
}

static int run_futex(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	struct futex_word *words = actor->stage->shared;
	int rc;

	xb_ping_pong(actor, n, pass, rc, futex_ping(words, &actor->turn),
		     futex_pong(words, &actor->turn));
	return rc;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct variant *variant = actor->c->detail;
	const struct ends *ends = actor->stage->own;
	size_t size = (size_t)xb_case_number(actor->c, XB_SIZE, 8);
	bool spin = actor->c->param[XB_WAIT].set;
	int me = actor->index, rc;

	if (variant->object == FUTEX)
		return run_futex(actor, n, pass);
	char *buffer = calloc(1, size);
	if (!buffer)
		return xb_fail(actor, "no memory");
	buffer[0] = 1; /* an eventfd counts: 8 bytes that are not all ones, and not zero */
	xb_ping_pong(actor, n, pass, rc, trip(ends, me, buffer, size, true, spin),
		     trip(ends, me, buffer, size, false, spin));
	free(buffer);
	return rc < 0 ? xb_fail(actor, "%s: %s", variant->name, strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_floor_kernel = {
    .name = "floor",
    .title = "a round trip through a kernel object",
    .metric = XB_METRIC_RTT,
    .distribution = true,
    .cases = cases,
    .open = open_object,
    .run = run,
    .close = close_object,
};
