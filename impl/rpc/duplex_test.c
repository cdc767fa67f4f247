/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/duplex.h"

#include "xpshare/base/io.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static struct xp_duplex client, server;

static void pair_of(size_t size, uint32_t polls)
{
	cr_assert_eq(xp_duplex_create(size, polls, &client), 0);
	cr_assert_eq(xp_duplex_open(client.fd, client.size, &server), 0);
	server.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	client.bell = dup(server.bell);
}

static void end(void)
{
	xp_duplex_close(&client);
	xp_duplex_close(&server);
}

TestSuite(duplex, .fini = end, .timeout = 60);

static bool has_rung(void)
{
	uint64_t count;

	return read(server.bell, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

static int call(const char *text)
{
	struct iovec part = {(void *)(uintptr_t)text, strlen(text)};

	return xp_duplex_call(&client, &part, part.iov_len);
}

static int reply(const char *text)
{
	struct iovec part = {(void *)(uintptr_t)text, strlen(text)};

	return xp_duplex_reply(&server, &part, part.iov_len);
}

Test(duplex, the_bell_rings_only_for_a_server_that_sleeps)
{
	char got[8192];
	size_t size;

	pair_of(XP_DUPLEX_SIZE_MIN, 0);
	for (int i = 0; i < 200; i++) {
		cr_assert_eq(call("awake"), 0);
		cr_assert(!has_rung());
		cr_assert(!xp_duplex_listen(&server));
		cr_assert_eq(xp_frame_ring_take(&server.in, got, sizeof(got), &size), 0);
		cr_assert(xp_duplex_listen(&server));
		cr_assert_eq(call("asleep"), 0);
		cr_assert(has_rung());
		cr_assert_eq(xp_frame_ring_take(&server.in, got, sizeof(got), &size), 0);
	}
}

Test(duplex, a_reply_that_is_there_is_not_waited_for)
{
	pair_of(XP_DUPLEX_SIZE_DEFAULT, 0);
	cr_assert_eq(reply("text"), 0);
	cr_assert_eq(xp_duplex_await(&client, NULL), 0);
	cr_assert(!xp_duplex_go_elsewhere(&client));
}

Test(duplex, a_nap_ends_and_a_deadline_holds)
{
	struct timespec soon = xp_deadline_after(XP_DUPLEX_NAP_NS / 10);

	pair_of(XP_DUPLEX_SIZE_DEFAULT, 10);
	cr_assert_eq(xp_duplex_await(&client, NULL), -EAGAIN);
	cr_assert_eq(xp_duplex_await(&client, &soon), -ETIMEDOUT);
	client.how.polls_max = XP_WAIT_POLLS_FOREVER;
	cr_assert_eq(xp_duplex_await(&client, NULL), -EAGAIN);
	cr_assert_eq(xp_duplex_await(&client, &soon), -ETIMEDOUT);
}

Test(duplex, whoever_sleeps_on_the_stream_is_to_be_nudged)
{
	pair_of(XP_DUPLEX_SIZE_DEFAULT, 0);
	cr_assert(xp_duplex_go_elsewhere(&client));
	cr_assert(client.elsewhere);
	cr_assert_eq(reply("text"), 1);
	cr_assert_eq(reply("text"), 0);
}

static void *answer_all(void *arg)
{
	char got[8192];
	size_t size;

	for (int i = 0; i < *(int *)arg; i++) {
		while (xp_frame_ring_take(&server.in, got, sizeof(got), &size) == -EAGAIN)
			sched_yield();
		if (xp_duplex_reply(&server, &(struct iovec){got, size}, size) < 0)
			break;
	}
	return NULL;
}

static void converse(uint32_t polls)
{
	int rounds = 20000;
	pthread_t thread;
	char text[32], got[8192];
	size_t size;

	pair_of(XP_DUPLEX_SIZE_MIN, polls);
	cr_assert_eq(pthread_create(&thread, NULL, answer_all, &rounds), 0);
	for (int i = 0; i < rounds; i++) {
		int rc;

		snprintf(text, sizeof(text), "request %d", i);
		cr_assert_eq(call(text), 0);
		/* On a busy machine the answer may take longer than a nap. */
		do
			rc = xp_duplex_await(&client, NULL);
		while (rc == -EAGAIN);
		cr_assert_eq(rc, 0);
		cr_assert_eq(xp_frame_ring_take(&client.in, got, sizeof(got), &size), 0);
		cr_assert_eq(size, strlen(text));
		cr_assert_eq(memcmp(got, text, size), 0);
	}
	pthread_join(thread, NULL);
}

Test(duplex, a_client_that_sleeps_is_woken)
{
	converse(0);
}

Test(duplex, a_client_that_polls_and_sleeps_is_woken)
{
	converse(50);
}

Test(duplex, a_server_maps_nothing_but_a_sealed_memfd_of_the_agreed_size)
{
	size_t size = XP_DUPLEX_SIZE_DEFAULT;
	struct xp_duplex refused;

	cr_assert_eq(xp_duplex_create(size, 0, &client), 0);
	cr_assert_eq(xp_duplex_open(client.fd, size / 2, &refused), -EPROTO);
	cr_assert_eq(xp_duplex_open(client.fd, 2 * size, &refused), -EPROTO);
	cr_assert_eq(xp_duplex_open(client.fd, 2 * XP_DUPLEX_SIZE_MAX, &refused), -EINVAL);
	cr_assert_eq(xp_duplex_create(XP_DUPLEX_SIZE_MIN - 1, 0, &refused), -EINVAL);
	((struct xp_duplex_shared *)client.base)->version++;
	cr_assert_eq(xp_duplex_open(client.fd, size, &refused), -EPROTO);

	int loose = memfd_create("loose", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	cr_assert_eq(ftruncate(loose, (off_t)size), 0);
	cr_assert_eq(xp_duplex_open(loose, size, &refused), -EPROTO);
	/* Sealed, but without what a client writes first. */
	cr_assert_eq(fcntl(loose, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	cr_assert_eq(xp_duplex_open(loose, size, &refused), -EPROTO);
	close(loose);

	int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file >= 0) {
		cr_assert_eq(ftruncate(file, (off_t)size), 0);
		cr_assert_eq(xp_duplex_open(file, size, &refused), -EPROTO);
		close(file);
	}
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	cr_assert_eq(xp_duplex_open(null, size, &refused), -EPROTO);
	close(null);
	/* It cannot be made smaller under the server's feet. */
	cr_assert_lt(ftruncate(client.fd, 0), 0);
}
