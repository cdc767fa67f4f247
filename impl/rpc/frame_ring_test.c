/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/frame_ring.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define LINES 8u

static struct memory {
	struct xp_frame_taken taken;
	_Alignas(XP_ISOLATION) struct xp_frame_line lines[LINES];
} memory;

static struct xp_frame_ring out, in;

static void begin(void)
{
	memset(&memory, 0, sizeof(memory));
	xp_frame_ring_init(&out, memory.lines, LINES, &memory.taken);
	xp_frame_ring_init(&in, memory.lines, LINES, &memory.taken);
}

TestSuite(frame_ring, .init = begin, .timeout = 60);

static int put(const void *bytes, size_t size)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
	uint32_t sleeps;

	return xp_frame_ring_put(&out, &part, size, &sleeps);
}

static int take(void *buffer, size_t *ret_size)
{
	return xp_frame_ring_take(&in, buffer, LINES * XP_FRAME_LINE_BYTES, ret_size);
}

static unsigned char byte_of(size_t round, size_t i)
{
	return (unsigned char)(round * 31 + i * 7 + 1);
}

Test(frame_ring, every_size_crosses_the_wrap_whole)
{
	unsigned char frame[LINES * XP_FRAME_LINE_BYTES], got[sizeof(frame)];
	size_t round = 0, size;

	/* Laps beyond 256 as well: their numbers repeat. */
	for (int lap = 0; lap < 5; lap++) {
		for (size_t length = 0; length <= sizeof(frame); length++, round++) {
			for (size_t i = 0; i < length; i++)
				frame[i] = byte_of(round, i);
			cr_assert(!xp_frame_ring_ready(&in));
			cr_assert_eq(put(frame, length), 0);
			cr_assert(xp_frame_ring_ready(&in));
			cr_assert_eq(take(got, &size), 0);
			cr_assert_eq(size, length);
			cr_assert_eq(memcmp(got, frame, length), 0);
			cr_assert_eq(take(got, &size), -EAGAIN);
		}
	}
}

Test(frame_ring, parts_are_put_together)
{
	char a[] = "one ", b[70], got[200];
	uint32_t sleeps;
	size_t size;

	memset(b, 'b', sizeof(b));
	struct iovec parts[] = {{a, 4}, {NULL, 0}, {b, sizeof(b)}, {a, 3}};
	cr_assert_eq(xp_frame_ring_put(&out, parts, 77, &sleeps), 0);
	cr_assert_eq(take(got, &size), 0);
	cr_assert_eq(size, 77);
	cr_assert_eq(memcmp(got, "one bbbb", 8), 0);
	cr_assert_eq(memcmp(got + 70, "bbbbone", 7), 0);
}

Test(frame_ring, a_full_ring_says_so_and_goes_on)
{
	char frame[LINES * XP_FRAME_LINE_BYTES + 1] = "x", got[sizeof(frame)];
	size_t size;

	cr_assert_eq(put(frame, sizeof(frame)), -EMSGSIZE);
	for (unsigned i = 0; i < LINES; i++)
		cr_assert_eq(put(frame, 1), 0);
	cr_assert_eq(put(frame, 1), -EAGAIN);
	cr_assert_eq(take(got, &size), 0);
	cr_assert_eq(put(frame, 61), -EAGAIN);
	cr_assert_eq(put(frame, 60), 0);
	for (unsigned i = 0; i < LINES; i++)
		cr_assert_eq(take(got, &size), 0);
	cr_assert_eq(take(got, &size), -EAGAIN);
}

Test(frame_ring, a_mark_takes_its_place_in_the_order)
{
	char got[600];
	uint32_t sleeps;
	size_t size;

	cr_assert_eq(put("a", 1), 0);
	cr_assert_eq(xp_frame_ring_mark(&out, &sleeps), 0);
	cr_assert_eq(put("b", 1), 0);
	cr_assert_eq(take(got, &size), 0);
	cr_assert_eq(take(got, &size), 1);
	cr_assert_eq(take(got, &size), 0);
	cr_assert_eq(got[0], 'b');
}

Test(frame_ring, a_sleeper_is_seen_by_the_put_that_it_waits_for)
{
	struct iovec part = {"x", 1};
	uint32_t word, sleeps;
	char got[600];
	size_t size;

	for (unsigned i = 0; i < 3 * LINES; i++) {
		uint32_t how = i % 2 ? XP_FRAME_RING_ASLEEP : XP_FRAME_RING_ELSEWHERE;

		cr_assert(xp_frame_ring_announce(&in, XP_FRAME_RING_ASLEEP, &word));
		cr_assert(xp_frame_ring_announce(&in, how, &word));
		cr_assert_eq(*xp_frame_ring_word(&in), word);
		cr_assert_eq(xp_frame_ring_put(&out, &part, 1, &sleeps), 0);
		cr_assert_eq(sleeps, how);
		cr_assert(!xp_frame_ring_announce(&in, how, &word));
		cr_assert_eq(take(got, &size), 0);
		cr_assert_eq(xp_frame_ring_put(&out, &part, 1, &sleeps), 0);
		cr_assert_eq(sleeps, 0);
		cr_assert_eq(take(got, &size), 0);
	}
}

/* A frame whose bytes look like words of every lap: none of them is where a word is looked for. */
Test(frame_ring, a_payload_cannot_pass_for_a_word)
{
	uint32_t fake[LINES * XP_FRAME_LINE_BYTES / 4];
	char got[sizeof(fake)];
	size_t size;

	for (unsigned lap = 0; lap < 600; lap++) {
		for (size_t i = 0; i < sizeof(fake) / 4; i++)
			fake[i] = ((lap + 1) * XP_FRAME_RING_LAP_ONE & XP_FRAME_RING_LAP) | 5;
		cr_assert_eq(put(fake, 3 * XP_FRAME_LINE_BYTES), 0);
		cr_assert_eq(take(got, &size), 0);
		cr_assert_eq(take(got, &size), -EAGAIN);
	}
}

/* The same numbers in every run. */
static uint64_t next_number(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return state >> 16;
}

Test(frame_ring, garbage_in_any_word_gives_an_error_or_a_frame_and_nothing_else)
{
	char got[LINES * XP_FRAME_LINE_BYTES];
	unsigned errors = 0;
	size_t size;

	for (int i = 0; i < 200000; i++) {
		uint32_t word = (uint32_t)next_number();

		if (i % 2)
			word = (word & ~XP_FRAME_RING_LAP) | in.lap;
		begin();
		memory.lines[0].word = word;
		int rc = take(got, &size);

		errors += rc == -EPROTO;
		cr_assert(rc == -EPROTO || rc == -EAGAIN || rc == 1 ||
			  (rc == 0 && size <= sizeof(got)));
	}
	cr_assert(errors > 1000);
	/* What was taken, as the peer says. */
	for (int i = 0; i < 1000; i++) {
		uint64_t lie = i % 2 ? next_number() : next_number() % 16;

		begin();
		for (unsigned k = 0; k < LINES; k++)
			cr_assert_eq(put("x", 1), 0);
		memory.taken.lines = lie;
		cr_assert_eq(put("x", 1), lie <= LINES ? (lie ? 0 : -EAGAIN) : -EPROTO);
	}
}

#define ROUNDS 100000

static void *producer(void *arg)
{
	unsigned char frame[200];
	(void)arg;

	for (size_t round = 0; round < ROUNDS; round++) {
		size_t length = 1 + round % sizeof(frame);

		for (size_t i = 0; i < length; i++)
			frame[i] = byte_of(round, i);
		/* The other one may want this CPU. */
		while (put(frame, length) == -EAGAIN)
			sched_yield();
	}
	return NULL;
}

Test(frame_ring, two_threads_at_full_speed)
{
	unsigned char got[LINES * XP_FRAME_LINE_BYTES];
	pthread_t thread;
	size_t size;

	cr_assert_eq(pthread_create(&thread, NULL, producer, NULL), 0);
	for (size_t round = 0; round < ROUNDS; round++) {
		int rc;

		while ((rc = take(got, &size)) == -EAGAIN)
			sched_yield();
		cr_assert_eq(rc, 0);
		cr_assert_eq(size, 1 + round % 200);
		for (size_t i = 0; i < size; i++)
			cr_assert_eq(got[i], byte_of(round, i));
	}
	pthread_join(thread, NULL);
}
