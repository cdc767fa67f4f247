/* SPDX-License-Identifier: MIT */
/*
 * floor: echo_uring - the echo of echo.c by io_uring
 *
 * What a server of many clients could save by it: one system call for all requests and replies of a round.
 * Multishot accept and receive, with buffers that the kernel takes by itself, so that a call costs one entry: its
 * reply. It needs Linux 6.0.
 */
#include "bench/peers/echo.h"

#include <liburing.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENTRIES 1024
#define BUFFERS 1024 /* a power of two; requests that may wait at once */
#define GROUP	1

/* What an entry is about: in its user_data, below the descriptor. */
enum about { ACCEPT, RECEIVE, SEND, ABOUTS };

struct room {
	struct io_uring ring;
	struct io_uring_buf_ring *free; /* buffers that the kernel may take */
	char (*requests)[XB_ECHO_REQUEST];
};

static const char reply[XB_ECHO_REPLY];

static struct io_uring_sqe *entry(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	/* Full: what is there goes out first. */
	if (!sqe && io_uring_submit(ring) >= 0)
		sqe = io_uring_get_sqe(ring);
	if (!sqe)
		abort();
	return sqe;
}

static void mark(struct io_uring_sqe *sqe, enum about about, int fd)
{
	io_uring_sqe_set_data64(sqe, (uint64_t)fd * ABOUTS + (uint64_t)about);
}

static void want_clients(struct io_uring *ring, int listener)
{
	struct io_uring_sqe *sqe = entry(ring);

	io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
	mark(sqe, ACCEPT, listener);
}

static void want_requests(struct io_uring *ring, int fd)
{
	struct io_uring_sqe *sqe = entry(ring);

	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	mark(sqe, RECEIVE, fd);
}

static void send_reply(struct io_uring *ring, int fd)
{
	struct io_uring_sqe *sqe = entry(ring);

	io_uring_prep_send(sqe, fd, reply, sizeof(reply), MSG_NOSIGNAL);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	mark(sqe, SEND, fd);
}

static void give_buffer(struct room *room, unsigned index)
{
	io_uring_buf_ring_add(room->free, room->requests[index], sizeof(*room->requests),
			      (unsigned short)index, io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(room->free, 1);
}

static void handle(struct room *room, const struct io_uring_cqe *cqe)
{
	enum about about = cqe->user_data % ABOUTS;
	int fd = (int)(cqe->user_data / ABOUTS);
	bool more = cqe->flags & IORING_CQE_F_MORE;

	if (cqe->flags & IORING_CQE_F_BUFFER)
		give_buffer(room, cqe->flags >> IORING_CQE_BUFFER_SHIFT);
	if (about == ACCEPT) {
		if (cqe->res >= 0)
			want_requests(&room->ring, cqe->res);
		if (!more)
			want_clients(&room->ring, fd);
	} else if (about == RECEIVE) {
		if (cqe->res == XB_ECHO_REQUEST)
			send_reply(&room->ring, fd);
		if (!more && (cqe->res == XB_ECHO_REQUEST || cqe->res == -ENOBUFS))
			want_requests(&room->ring, fd);
		else if (!more)
			close(fd);
	}
}

static void room_fini(struct room *room)
{
	io_uring_queue_exit(&room->ring);
	free(room->free);
	free(room->requests);
}

static int room_init(struct room *room)
{
	/* One thread, and completions only when it asks for them: newer than the rest, and no must. */
	struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
						  IORING_SETUP_DEFER_TASKRUN};
	struct io_uring_buf_reg ring = {.ring_entries = BUFFERS, .bgid = GROUP};
	int rc = io_uring_queue_init_params(ENTRIES, &room->ring, &params);

	if (rc == -EINVAL)
		rc = io_uring_queue_init(ENTRIES, &room->ring, 0);
	if (rc < 0)
		return rc;
	room->requests = calloc(BUFFERS, sizeof(*room->requests));
	room->free =
	    aligned_alloc((size_t)sysconf(_SC_PAGESIZE), BUFFERS * sizeof(struct io_uring_buf));
	ring.ring_addr = (uint64_t)(uintptr_t)room->free;
	if (!room->requests || !room->free)
		rc = -ENOMEM;
	else
		rc = io_uring_register_buf_ring(&room->ring, &ring, 0);
	if (rc < 0)
		room_fini(room);
	else
		io_uring_buf_ring_init(room->free);
	return rc;
}

static int serve(int listener)
{
	struct room room = {0};
	int rc = room_init(&room);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < BUFFERS; i++)
		give_buffer(&room, i);
	want_clients(&room.ring, listener);
	while (rc >= 0 || rc == -EINTR) {
		struct io_uring_cqe *cqe;
		unsigned head, count = 0;

		rc = io_uring_submit_and_wait(&room.ring, 1);
		io_uring_for_each_cqe(&room.ring, head, cqe)
		{
			handle(&room, cqe);
			count++;
		}
		io_uring_cq_advance(&room.ring, count);
	}
	room_fini(&room);
	return rc;
}

static const char *absent(void)
{
	struct room room = {0};
	int rc = room_init(&room);

	if (rc != -ENOSYS && rc != -EPERM && rc != -EACCES)
		room_fini(&room);
	return rc == 0 ? NULL : "io_uring is not allowed here, or the kernel is older than 6.0";
}

static int start(struct xb_served *served)
{
	return xb_echo_start(served, serve);
}

const struct xb_service xb_service_echo_uring = {
    .name = "floor/echo_uring",
    .role = XB_ROLE_FLOOR,
    .absent = absent,
    .start = start,
    .stop = xb_echo_stop,
    .connect = xb_echo_connect,
    .get = xb_echo_call,
    .set = xb_echo_call,
    .disconnect = xb_echo_disconnect,
};
