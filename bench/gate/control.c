/* SPDX-License-Identifier: MIT */
#include "gate/control.h"

#include "gate/serve.h"
#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/proc/child.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SPIN_STEPS 64 /* dependent multiplications to an operation */

static int64_t spin(void *context, uint64_t iterations)
{
	uint64_t *state = context;
	uint64_t x = *state;
	int64_t began_ns = xp_clock_ns();

	for (uint64_t i = 0; i < iterations; i++) {
		for (int step = 0; step < SPIN_STEPS; step++) {
			x = x * UINT64_C(6364136223846793005) + 1;
			/* Keeps the compiler from folding the chain. */
			__asm__ volatile("" : "+r"(x));
		}
	}
	int64_t took_ns = xp_clock_ns() - began_ns;
	*state = x;
	return took_ns > 0 ? took_ns : 1;
}

/* Send a byte and read one, @iterations times. */
static int64_t exchange(int out, int in, uint64_t iterations)
{
	int64_t began_ns = xp_clock_ns();

	for (uint64_t i = 0; i < iterations; i++) {
		char byte = 'x';
		if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
			return -EPIPE;
	}
	int64_t took_ns = xp_clock_ns() - began_ns;
	return took_ns > 0 ? took_ns : 1;
}

static int64_t through_pipe(void *context, uint64_t iterations)
{
	const int *ends = context;
	return exchange(ends[1], ends[0], iterations);
}

struct echo {
	int to[2];
	int from[2];
};

/* child */
static int echo_back(void *arg)
{
	const struct echo *echo = arg;
	char byte;

	close(echo->to[1]);
	while (read(echo->to[0], &byte, 1) == 1) {
		if (write(echo->from[1], &byte, 1) != 1)
			return 1;
	}
	return 0;
}

static int64_t through_peer(void *context, uint64_t iterations)
{
	const struct echo *echo = context;
	return exchange(echo->to[1], echo->from[0], iterations);
}

static int serve_wake(const char *case_name)
{
	struct echo echo;
	struct xp_child peer = {0};

	if (pipe2(echo.to, O_CLOEXEC) < 0 || pipe2(echo.from, O_CLOEXEC) < 0)
		return -errno;
	int rc = xp_child_start(echo_back, &echo, &peer);
	if (rc == 0)
		rc = xg_serve(case_name, through_peer, &echo);
	xp_child_stop(&peer);
	return rc;
}

int xg_control_serve(const char *case_name)
{
	if (strcmp(case_name, "control/spin") == 0) {
		uint64_t state = 1;
		return xg_serve(case_name, spin, &state);
	}
	if (strcmp(case_name, "control/pipe") == 0) {
		int ends[2];
		if (pipe2(ends, O_CLOEXEC) < 0)
			return -errno;
		int rc = xg_serve(case_name, through_pipe, ends);
		xp_io_close(ends[0]);
		xp_io_close(ends[1]);
		return rc;
	}
	return strcmp(case_name, "control/wake") == 0 ? serve_wake(case_name) : -ENOENT;
}
