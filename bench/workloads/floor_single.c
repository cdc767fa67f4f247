/* SPDX-License-Identifier: MIT */
/*
 * floor: one process - the price of the instructions, calls and copies that everything is made of
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum floor { LOOP, CALL, ATOMIC, CLOCK, SYSCALL, FORK_WAIT };

static const struct variant {
	const char *name;
	const char *kind;
	enum xb_role role;
	enum floor floor;
} variants[] = {
    {"floor/loop", "floor", XB_ROLE_CONTROL, LOOP},
    {"floor/call", "floor", XB_ROLE_CONTROL, CALL},
    {"floor/atomic", "floor", XB_ROLE_FLOOR, ATOMIC},
    {"floor/clock", "floor", XB_ROLE_CONTROL, CLOCK},
    {"floor/syscall", "floor", XB_ROLE_FLOOR, SYSCALL},
    {"floor/fork_wait", "floor", XB_ROLE_FLOOR, FORK_WAIT},
};

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	struct xb_placement single = xb_topology_single(matrix->topology);

	for (size_t i = 0; i < sizeof(variants) / sizeof(*variants); i++) {
		struct xb_case c = xb_case_other(workload, variants[i].role, variants[i].kind,
						 variants[i].name, &single);
		c.detail = &variants[i];
		xb_matrix_add(matrix, &c);
	}
}

static int nothing(void *self)
{
	(void)self;
	return 0;
}

/* Read through a volatile pointer, so that the call stays indirect. */
static int (*volatile target)(void *self) = nothing;

static inline int empty(void)
{
	xb_keep(0);
	return 0;
}

static inline int add_one(_Atomic uint64_t *word)
{
	atomic_fetch_add_explicit(word, 1, memory_order_acq_rel);
	return 0;
}

static inline int read_clock(void)
{
	int64_t now = xb_now();
	xb_keep(now);
	return 0;
}

static inline int null_syscall(void)
{
	return (int)(syscall(SYS_getppid) < 0);
}

static int fork_and_wait(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 || waitpid(pid, NULL, 0) != pid ? -errno : 0;
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	const struct variant *variant = actor->c->detail;
	_Alignas(XP_ISOLATION) _Atomic uint64_t word = 0;
	int rc = 0;

	switch (variant->floor) {
	case LOOP:
		xb_timed(actor, n, pass, rc, empty());
		break;
	case CALL:
		xb_timed(actor, n, pass, rc, target(actor));
		break;
	case ATOMIC:
		xb_timed(actor, n, pass, rc, add_one(&word));
		break;
	case CLOCK:
		xb_timed(actor, n, pass, rc, read_clock());
		break;
	case SYSCALL:
		xb_timed(actor, n, pass, rc, null_syscall());
		break;
	case FORK_WAIT:
		xb_timed(actor, n, pass, rc, fork_and_wait());
		break;
	}
	actor->tally->ops = n;
	return rc < 0 ? xb_fail(actor, "%s: %s", variant->name, strerror(-rc)) : 0;
}

/* Below the price of two clock readings a distribution would show the clock: none is taken. */
const struct xb_workload xb_workload_floor_single = {
    .name = "floor",
    .title = "one operation within one process",
    .metric = XB_METRIC_OP,
    .cases = cases,
    .run = run,
};
