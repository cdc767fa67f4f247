/* SPDX-License-Identifier: MIT */
#include "bench/peers/crowd.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/proc/child.h"
#include "xpshare/rpc/conn.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_NS  (60 * XP_NS_PER_SEC) /* for all of them to be there */
#define SLOW	  200
#define UNREAD	  16
#define KEPT	  500 /* of the flood */
#define TICK_MS	  10
#define PER_TICK  10 /* connections of the flood */
#define ANNOUNCED 0x100000

struct xb_crowd {
	struct xp_child child;
	struct xb_door door;
	int (*act)(struct xb_crowd *crowd, int ready);
	int count;
};

/* ---- connections ------------------------------------------------------------------------------- */

static int open_plain(const struct xb_crowd *crowd)
{
	const struct xp_address *address = crowd->door.address;
	int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address->storage, address->size) == 0)
		return fd;
	int rc = -errno;
	xp_io_close(fd);
	return rc;
}

static int request(struct xp_conn *conn, const char *ident, const char *method, const char *text)
{
	struct timespec deadline = xp_deadline_after(START_NS);
	struct xp_datum_arena arena;
	const struct xp_datum *reply;

	xp_datum_arena_init(&arena, 0);
	const struct xp_datum *args[] = {text ? xp_datum_str(&arena, text) : NULL};
	const struct xp_datum *parts[] = {
	    ident ? xp_datum_str(&arena, ident) : xp_datum_none(), xp_datum_str(&arena, method),
	    xp_datum_tuple(&arena, text ? 1 : 0, args), xp_datum_dict(&arena)};
	const struct xp_datum *whole = xp_datum_tuple(&arena, 4, parts);
	int rc = whole ? xp_conn_call(conn, whole, &deadline, &reply) : -ENOMEM;
	xp_datum_arena_fini(&arena);
	return rc;
}

/* An authenticated connection that serves: its descriptor, or -errno. */
static int open_client(const struct xb_crowd *crowd)
{
	struct timespec deadline = xp_deadline_after(START_NS);
	struct xp_conn conn;
	int fd = -1;

	xp_conn_init(&conn, NULL);
	int rc = xp_conn_open(&conn, crowd->door.address, &deadline);
	if (rc == 0)
		rc = xp_conn_authenticate(&conn, XP_AUTH_CLIENT, crowd->door.key,
					  crowd->door.key_size, NULL, &deadline);
	if (rc == 0)
		rc = request(&conn, NULL, "accept_connection", "crowd");
	/* The stream outlives the structure, which has memory of its own. */
	if (rc == 0) {
		fd = conn.fd;
		conn.fd = -1;
	}
	xp_conn_fini(&conn);
	return rc < 0 ? rc : fd;
}

static int tell(int ready)
{
	return write(ready, "!", 1) == 1 ? 0 : -EPIPE;
}

static void tick(void)
{
	poll(NULL, 0, TICK_MS);
}

/* ---- what they do ------------------------------------------------------------------------------ */

static int hold(struct xb_crowd *crowd, int ready)
{
	for (int i = 0; i < crowd->count; i++) {
		int fd = open_client(crowd);
		if (fd < 0)
			return fd;
	}
	int rc = tell(ready);
	if (rc < 0)
		return rc;
	for (;;)
		pause();
}

/* Each connection sends a byte a tick; one that the server has given up is replaced. */
static int drip(struct xb_crowd *crowd, int ready, int (*open_one)(const struct xb_crowd *crowd),
		const char *opening, size_t size)
{
	int fds[SLOW];
	int rc = 0;

	for (int i = 0; i < SLOW; i++)
		fds[i] = -1;
	for (int round = 0; rc == 0; round++) {
		for (int i = 0; i < SLOW && rc == 0; i++) {
			if (fds[i] < 0) {
				fds[i] = open_one(crowd);
				if (fds[i] >= 0 &&
				    send(fds[i], opening, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
					fds[i] = xp_io_close(fds[i]);
			} else if (send(fds[i], "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
				   errno != EAGAIN) {
				fds[i] = xp_io_close(fds[i]);
			}
			/* Spread over the tick, as the bytes of so many clients would be. */
			if (round > 0 && i % 20 == 19)
				poll(NULL, 0, 1);
		}
		if (round == 0)
			rc = tell(ready);
	}
	return rc;
}

static int slow_handshake(struct xb_crowd *crowd, int ready)
{
	static const char header[] = {0, 0, 0, 40};

	return drip(crowd, ready, open_plain, header, sizeof(header));
}

static int slow_frame(struct xb_crowd *crowd, int ready)
{
	static const char header[] = {0, ANNOUNCED >> 16, 0, 0};

	return drip(crowd, ready, open_client, header, sizeof(header));
}

static int flood(struct xb_crowd *crowd, int ready)
{
	int fds[KEPT];
	int rc = tell(ready);

	for (int i = 0; i < KEPT; i++)
		fds[i] = -1;
	if (rc < 0)
		return rc;
	for (int i = 0;; i = (i + 1) % KEPT) {
		xp_io_close(fds[i]);
		fds[i] = open_plain(crowd);
		if (i % PER_TICK == 0)
			tick();
	}
}

static int no_read(struct xb_crowd *crowd, int ready)
{
	unsigned char frame[512];
	struct xp_pickle_writer writer;
	struct xp_datum_arena arena;
	int fds[UNREAD];
	int rc = 0;

	xp_datum_arena_init(&arena, 0);
	xp_pickle_writer_init(&writer, 0, 0);
	const struct xp_datum *parts[] = {xp_datum_str(&arena, crowd->door.ident),
					  xp_datum_str(&arena, "__str__"),
					  xp_datum_tuple(&arena, 0, NULL), xp_datum_dict(&arena)};
	const struct xp_datum *whole = xp_datum_tuple(&arena, 4, parts);
	if (!whole || xp_pickle_write(&writer, whole, XP_DIALECT_ANY, 0, XP_PICKLE_PARTS) < 0 ||
	    writer.part_count != 1 || writer.size > sizeof(frame) - XP_FRAME_HEADER_MAX)
		return -ENOMEM;
	size_t header = xp_frame_header(writer.size, frame);
	memcpy(frame + header, writer.parts[0].iov_base, writer.size);
	for (int i = 0; i < UNREAD && rc == 0; i++) {
		fds[i] = open_client(crowd);
		rc = fds[i] < 0 ? fds[i] : 0;
	}
	if (rc == 0)
		rc = tell(ready);
	if (rc < 0)
		return rc;
	/* A short send would tear the stream: the socket takes a small frame whole or not at all. */
	for (;;) {
		for (int i = 0; i < UNREAD; i++)
			while (send(fds[i], frame, header + writer.size,
				    MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
				;
		tick();
	}
}

/* ---- life -------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*act)(struct xb_crowd *crowd, int ready);
} attacks[] = {
    {"none", NULL},
    {"slow_handshake", slow_handshake},
    {"slow_frame", slow_frame},
    {"flood", flood},
    {"no_read", no_read},
};

const char *xb_crowd_attack(size_t index)
{
	return index < sizeof(attacks) / sizeof(*attacks) ? attacks[index].name : NULL;
}

struct body {
	struct xb_crowd *crowd;
	int ready;
};

static int body(void *argument)
{
	const struct body *own = argument;

	return own->crowd->act(own->crowd, own->ready) < 0;
}

int xb_crowd_start(const struct xb_case *c, const struct xb_served *served,
		   struct xb_crowd **ret_crowd)
{
	struct timespec deadline = xp_deadline_after(START_NS);
	struct xb_crowd wanted = {.count = (int)xb_case_number(c, XB_HELD, 0)};
	int ends[2];
	char there;

	*ret_crowd = NULL;
	if (wanted.count > 0)
		wanted.act = hold;
	for (size_t i = 0; c->param[XB_ATTACK].set && i < sizeof(attacks) / sizeof(*attacks); i++)
		if (strcmp(attacks[i].name, c->param[XB_ATTACK].text) == 0)
			wanted.act = attacks[i].act;
	if (!wanted.act)
		return 0;
	struct xb_crowd *crowd = malloc(sizeof(*crowd));
	if (!crowd)
		return -ENOMEM;
	*crowd = wanted;
	crowd->door = served->service->door(served);
	int rc = pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
	if (rc == 0) {
		rc = xp_child_start(body, &(struct body){crowd, ends[1]}, &crowd->child);
		xp_io_close(ends[1]);
		if (rc == 0)
			rc = xp_io_read_full(ends[0], &there, 1, &deadline);
		xp_io_close(ends[0]);
	}
	if (rc < 0) {
		xb_crowd_stop(crowd);
		return rc;
	}
	*ret_crowd = crowd;
	return 0;
}

void xb_crowd_stop(struct xb_crowd *crowd)
{
	if (!crowd)
		return;
	xp_child_stop(&crowd->child);
	free(crowd);
}
