/* SPDX-License-Identifier: MIT */
/*
 * pipe ping-pong - one message there and one back
 *
 * Through one duplex pipe, or two simplex ones where the implementation has no other. The floor is a
 * hand-written loop over the same kind of kernel object, which the pipe's descriptor tells.
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const int64_t sizes[] = {8, 1024, 65536};

static bool duplex(const struct xp_impl *impl)
{
	return impl->caps & XP_CAP_DUPLEX;
}

static struct xp_params params_of(const struct xb_case *c)
{
	return (struct xp_params){
	    .item_max = (size_t)xb_case_number(c, XB_SIZE, 8),
	    .simplex = !duplex(c->impl),
	    .strategy = xb_case_strategy(c),
	};
}

/* What it is made of, asked of the object itself. */
static const char *floor_name(struct xb_matrix *matrix, const struct xp_impl *impl,
			      const struct xp_params *params)
{
	const char *name = NULL;
	struct xp_object object;
	struct stat about;

	if (xp_object_make(impl, &matrix->probe, params, &object) < 0)
		return NULL;
	const struct xp_pipe *pipe = &object.as.pipe;
	int fd = pipe->ops->descriptor ? pipe->ops->descriptor(pipe->self, 0) : -1;
	if (fd >= 0 && fstat(fd, &about) == 0)
		name = S_ISSOCK(about.st_mode) ? "floor/socketpair" : "floor/pipe";
	xp_object_drop(&object);
	return name;
}

static void add(const struct xb_workload *workload, struct xb_matrix *matrix,
		const struct xp_impl *impl, const struct xb_placement *pair, int64_t size)
{
	struct xb_case c = xb_case_of(workload, impl, pair);
	const char *waits[3];

	c.param[XB_SIZE] = xb_number(size);
	struct xp_params params = params_of(&c);
	const char *floor = floor_name(matrix, impl, &params);
	int n = xb_matrix_waits(matrix, impl, &params, pair, waits);
	if (n == 0)
		xb_matrix_absent(matrix, "messages of that size are not supported",
				 "%s/%s/size:%lld", workload->name, impl->name, (long long)size);
	for (int w = 0; w < n; w++) {
		xb_case_wait(&c, waits[w]);
		if (floor)
			xb_case_floor(&c, floor, size);
		else
			xb_case_wait_floor(&c);
		xb_matrix_add(matrix, &c);
	}
}

static void cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	xb_each_impl(impl, XP_KIND_PIPE)
	{
		if (impl->scope == XP_SCOPE_MANAGED)
			continue;
		xb_each_pair(matrix, pair) for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes);
						i++) add(workload, matrix, impl, pair, sizes[i]);
	}
}

static int open_pipes(struct xb_stage *stage)
{
	struct xp_params params = params_of(stage->c);
	int count = duplex(stage->c->impl) ? 1 : 2, rc = 0;

	for (int i = 0; i < count && rc == 0; i++)
		rc = xp_object_make(stage->c->impl, &stage->place, &params, &stage->object[i]);
	return rc;
}

/* A pipe and the end of it that a member uses. */
struct end {
	const struct xp_pipe *pipe;
	int end;
};

/* A simplex pipe leads from end 1 to end 0: object 0 leads there, object 1 back. */
static void ends_of(const struct xb_actor *actor, struct end *ret_in, struct end *ret_out)
{
	const struct xp_object *object = actor->stage->object;
	int me = actor->index;

	if (duplex(actor->c->impl)) {
		*ret_in = *ret_out = (struct end){&object[0].as.pipe, me};
	} else {
		*ret_in = (struct end){&object[1 - me].as.pipe, 0};
		*ret_out = (struct end){&object[me].as.pipe, 1};
	}
}

static int enter(struct xb_actor *actor)
{
	struct end in, out;

	/* As a user would: each process keeps its own ends only. */
	ends_of(actor, &in, &out);
	if (actor->c->carrier == XP_CARRIER_THREAD)
		return 0;
	xp_pipe_close(in.pipe, 1 - in.end);
	if (out.pipe != in.pipe)
		xp_pipe_close(out.pipe, 1 - out.end);
	return 0;
}

static inline int send(const struct end *out, const char *message, size_t size)
{
	return xp_pipe_send_until(out->pipe, out->end, message, size, NULL);
}

static inline int receive(const struct end *in, char *message, size_t size)
{
	size_t got = 0;
	int rc = xp_pipe_recv_until(in->pipe, in->end, message, size, &got, NULL);

	return rc < 0 ? rc : got == size ? 0 : -EPROTO;
}

static inline int ping(const struct end *out, const struct end *in, char *message, size_t size,
		       uint64_t *turn)
{
	uint64_t number = ++*turn, seen;

	memcpy(message + size - 8, &number, 8);
	int rc = send(out, message, size);
	if (rc == 0)
		rc = receive(in, message, size);
	memcpy(&seen, message + size - 8, 8);
	return rc < 0 ? rc : seen == number ? 0 : -EPROTO;
}

static inline int pong(const struct end *in, const struct end *out, char *message, size_t size)
{
	int rc = receive(in, message, size);

	return rc < 0 ? rc : send(out, message, size);
}

static int run(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	size_t size = (size_t)xb_case_number(actor->c, XB_SIZE, 8);
	char *message = calloc(1, size);
	struct end in, out;
	int rc;

	if (!message)
		return xb_fail(actor, "no memory");
	ends_of(actor, &in, &out);
	xb_ping_pong(actor, n, pass, rc, ping(&out, &in, message, size, &actor->turn),
		     pong(&in, &out, message, size));
	free(message);
	return rc < 0 ? xb_fail(actor, "pipe: %s", strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_pipe_pingpong = {
    .name = "pipe_pingpong",
    .title = "one message there and one back",
    .metric = XB_METRIC_RTT,
    .distribution = true,
    .cases = cases,
    .open = open_pipes,
    .enter = enter,
    .run = run,
};
