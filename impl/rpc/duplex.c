/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/duplex.h"

#include "xpshare/base/io.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Polls of a client that never sleeps between two looks at the clock. */
#define POLLS_PER_LOOK 1024u

/* Polls of a client that may sleep before it lets others run for the first time, about as many as a server
 * that is awake on another CPU needs, and between two such times. */
#define POLLS_ALONE	100u
#define POLLS_PER_YIELD 20u

/* Others that keep the CPU for so long will do so again: to sleep, and be woken, is better. */
#define YIELD_NS_MAX (200 * XP_NS_PER_US)

/* ---- segments ---------------------------------------------------------------------------------- */

static int map(int fd, size_t size, bool server, struct xp_duplex *ret_duplex)
{
	struct xp_duplex_shared *shared =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint32_t count = (uint32_t)((size - sizeof(*shared)) / sizeof(struct xp_frame_line) / 2);
	struct xp_frame_ring requests, replies;

	if (shared == MAP_FAILED)
		return -errno;
	xp_frame_ring_init(&requests, shared->lines, count, &shared->requests_taken);
	xp_frame_ring_init(&replies, shared->lines + count, count, &shared->replies_taken);
	*ret_duplex = (struct xp_duplex){
	    .base = shared,
	    .size = size,
	    .fd = -1,
	    .bell = -1,
	    .out = server ? replies : requests,
	    .in = server ? requests : replies,
	};
	return 0;
}

int xp_duplex_create(size_t size, uint32_t polls, struct xp_duplex *ret_duplex)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int rc;

	if (size < XP_DUPLEX_SIZE_MIN || size > XP_DUPLEX_SIZE_MAX)
		return -EINVAL;
	size = (size + page - 1) / page * page;
	int fd = memfd_create("xpshare-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	/* All pages now: memory that cannot be had is an error here, and no SIGBUS on either side later. */
	do
		rc = fallocate(fd, 0, 0, (off_t)size) < 0 ? -errno : 0;
	while (rc == -EINTR);
	if (rc == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		rc = -errno;
	if (rc == 0)
		rc = map(fd, size, false, ret_duplex);
	if (rc < 0) {
		xp_io_close(fd);
		return rc;
	}
	struct xp_duplex_shared *shared = ret_duplex->base;

	shared->magic = XP_DUPLEX_MAGIC;
	shared->version = XP_DUPLEX_VERSION;
	ret_duplex->fd = fd;
	xp_wait_init_across(&ret_duplex->how, polls);
	xp_wait_init_across(&ret_duplex->yields, 1);
	return 0;
}

int xp_duplex_open(int fd, size_t size, struct xp_duplex *ret_duplex)
{
	struct stat status;
	struct statfs system;

	if (size < XP_DUPLEX_SIZE_MIN || size > XP_DUPLEX_SIZE_MAX)
		return -EINVAL;
	/* First, because it asks nobody but the kernel: what follows would ask the file's own system. */
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EPROTO;
	/* Pages of a huge page pool can run out under a mapping. */
	if (fstatfs(fd, &system) < 0 || system.f_type != TMPFS_MAGIC)
		return -EPROTO;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size != (off_t)size)
		return -EPROTO;
	struct xp_duplex duplex;
	int rc = map(fd, size, true, &duplex);

	if (rc < 0)
		return rc;
	const struct xp_duplex_shared *shared = duplex.base;

	if (shared->magic != XP_DUPLEX_MAGIC || shared->version != XP_DUPLEX_VERSION) {
		xp_duplex_close(&duplex);
		return -EPROTO;
	}
	*ret_duplex = duplex;
	return 0;
}

void xp_duplex_close(struct xp_duplex *duplex)
{
	if (!duplex->base)
		return;
	munmap(duplex->base, duplex->size);
	xp_io_close(duplex->fd);
	xp_io_close(duplex->bell);
	*duplex = (struct xp_duplex){.fd = -1, .bell = -1};
}

/* ---- the client -------------------------------------------------------------------------------- */

int xp_duplex_call(struct xp_duplex *duplex, const struct iovec *parts, size_t size)
{
	const uint64_t one = 1;
	uint32_t sleeps;
	int rc = xp_frame_ring_put(&duplex->out, parts, size, &sleeps);

	/* An eventfd blocks only once it has counted to 2^64, and whoever owns it is gone only with the
	 * stream. */
	if (rc == 0 && sleeps)
		(void)!write(duplex->bell, &one, sizeof(one));
	return rc;
}

static bool poll_ring(const struct xp_frame_ring *ring, uint32_t polls)
{
	for (uint32_t i = 0; i < polls; i++) {
		if (xp_frame_ring_ready(ring))
			return true;
		xp_cpu_relax();
	}
	return false;
}

/* Let others run, and look in between: the server, where it shares the CPU, or other clients. To sleep and be
 * woken costs more, unless they are no clients and keep the CPU. */
static bool yield_and_look(struct xp_duplex *duplex, uint32_t polls)
{
	int64_t began = xp_clock_ns();
	bool came = false;
	bool late = false;

	for (uint32_t done = 0; !came && !late && done < polls; done += POLLS_PER_YIELD) {
		sched_yield();
		came = poll_ring(&duplex->in, POLLS_PER_YIELD);
		late = xp_clock_ns() - began > YIELD_NS_MAX;
	}
	xp_wait_learn(&duplex->yields, came && !late);
	return came;
}

/* Poll as long as experience says that it pays: at first alone. Return: whether the reply came. */
static bool look(struct xp_duplex *duplex)
{
	uint32_t polls = xp_wait_polls(&duplex->how);
	uint32_t alone = polls < POLLS_ALONE ? polls : POLLS_ALONE;
	bool came = poll_ring(&duplex->in, alone);

	if (!came && polls > alone)
		came = xp_wait_polls(&duplex->yields) > 0 ? yield_and_look(duplex, polls - alone)
							  : poll_ring(&duplex->in, polls - alone);
	xp_wait_learn(&duplex->how, came);
	return came;
}

/* For a client that never sleeps: poll for the length of a nap. */
static int poll_for_a_nap(const struct xp_frame_ring *ring, const struct timespec *deadline)
{
	struct timespec end;

	if (poll_ring(ring, POLLS_PER_LOOK))
		return 0;
	end = xp_deadline_after(XP_DUPLEX_NAP_NS);
	for (;;) {
		if (poll_ring(ring, POLLS_PER_LOOK))
			return 0;
		if (xp_deadline_passed(deadline))
			return -ETIMEDOUT;
		if (xp_deadline_passed(&end))
			return -EAGAIN;
	}
}

static int sleep_for_a_nap(const struct xp_frame_ring *ring, uint32_t word,
			   const struct timespec *deadline)
{
	struct timespec end = xp_deadline_after(XP_DUPLEX_NAP_NS);

	if (deadline && (deadline->tv_sec < end.tv_sec ||
			 (deadline->tv_sec == end.tv_sec && deadline->tv_nsec < end.tv_nsec)))
		end = *deadline;
	for (;;) {
		int rc = xp_futex_wait_until(xp_frame_ring_word(ring), word, &end);

		if (xp_frame_ring_ready(ring))
			return 0;
		if (rc == -ETIMEDOUT || xp_deadline_passed(&end))
			return xp_deadline_passed(deadline) ? -ETIMEDOUT : -EAGAIN;
		if (rc < 0)
			return rc;
		/* Woken in vain: by a signal, or by a peer that plays with the word. */
		word = atomic_load_explicit(xp_frame_ring_word(ring), memory_order_acquire);
	}
}

int xp_duplex_await(struct xp_duplex *duplex, const struct timespec *deadline)
{
	struct xp_frame_ring *ring = &duplex->in;
	uint32_t word;

	if (duplex->how.polls_max == XP_WAIT_POLLS_FOREVER)
		return poll_for_a_nap(ring, deadline);
	if (duplex->how.polls_max > 0 && look(duplex))
		return 0;
	if (!xp_frame_ring_announce(ring, XP_FRAME_RING_ASLEEP, &word))
		return 0;
	return sleep_for_a_nap(ring, word, deadline);
}

bool xp_duplex_go_elsewhere(struct xp_duplex *duplex)
{
	uint32_t word;

	duplex->elsewhere = xp_frame_ring_announce(&duplex->in, XP_FRAME_RING_ELSEWHERE, &word);
	return duplex->elsewhere;
}

/* ---- the server -------------------------------------------------------------------------------- */

int xp_duplex_reply(struct xp_duplex *duplex, const struct iovec *parts, size_t size)
{
	struct xp_frame_ring *ring = &duplex->out;
	_Atomic uint32_t *word = xp_frame_ring_word(ring);
	uint32_t sleeps;
	int rc = parts ? xp_frame_ring_put(ring, parts, size, &sleeps)
		       : xp_frame_ring_mark(ring, &sleeps);

	if (rc < 0 || !sleeps)
		return rc;
	if (sleeps & XP_FRAME_RING_ELSEWHERE)
		return 1;
	xp_futex_wake(word, 1);
	return 0;
}

bool xp_duplex_listen(struct xp_duplex *duplex)
{
	uint32_t word;

	return xp_frame_ring_announce(&duplex->in, XP_FRAME_RING_ASLEEP, &word);
}
