/* SPDX-License-Identifier: MIT */
/*
 * codec - what a request costs a server process apart from its system calls
 *
 * A small request: the frame of a dict's __getitem__, decoded, checked, carried out and answered with an
 * encoded frame, in a dispatcher without sockets whose client has shaken hands as every other one. Large
 * bytes: encoded and decoded, copied both times.
 */
#include "bench/matrix.h"
#include "bench/workload.h"

#include "xpshare/manager/dispatch.h"
#include "xpshare/rpc/frame.h"

#include <stdlib.h>
#include <string.h>

#define KEY    "key"
#define ANSWER "#RETURN"

static const int64_t sizes[] = {65536, 1 << 20};

/* What stands in for a connection: the last frame that the server sent, without its header. */
struct line {
	struct xp_client client;
	char frame[512];
	size_t size;
};

/* A server and a client of it; or reader, writer and a value of bytes. */
struct codec {
	struct xp_registry *registry;
	struct xp_dispatch dispatch;
	struct line maker, line;
	struct xp_pickle_reader reader;
	struct xp_pickle_writer writer;
	struct xp_datum_arena arena, input;
	char *request;
	size_t request_size;
	const struct xp_datum *value;
};

static void request_cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	struct xb_placement single = xb_topology_single(matrix->topology);
	struct xb_case c =
	    xb_case_other(workload, XB_ROLE_SUBJECT, "manager", "manager/codec", &single);

	c.param[XB_METHOD] = xb_text("dict.get");
	xb_case_floor(&c, "floor/syscall", 0);
	xb_matrix_add(matrix, &c);
}

static void bytes_cases(const struct xb_workload *workload, struct xb_matrix *matrix)
{
	struct xb_placement single = xb_topology_single(matrix->topology);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct xb_case c =
		    xb_case_other(workload, XB_ROLE_SUBJECT, "manager", "manager/codec", &single);
		c.param[XB_SIZE] = xb_number(sizes[i]);
		xb_case_floor(&c, "floor/memcpy", sizes[i]);
		xb_matrix_add(matrix, &c);
	}
}

static int keep_frame(struct xp_client *client, struct iovec *parts, int count)
{
	struct line *line = (struct line *)(void *)((char *)client - offsetof(struct line, client));
	unsigned char *header = parts[0].iov_base;
	size_t skip = header[0] == 0xff && header[1] == 0xff ? XP_FRAME_HEADER_MAX : 4;

	line->size = 0;
	for (int i = 0; i < count; i++) {
		size_t from = i == 0 ? skip : 0, n = parts[i].iov_len - from;
		if (n > sizeof(line->frame) - line->size)
			return -EMSGSIZE;
		memcpy(line->frame + line->size, (char *)parts[i].iov_base + from, n);
		line->size += n;
	}
	return 0;
}

static bool always_alive(struct xp_client *client)
{
	(void)client;
	return true;
}

static const struct xp_client_ops line_ops = {.send = keep_frame, .alive = always_alive};

static int shake_hands(struct codec *codec, struct line *line)
{
	unsigned char reply[XP_AUTH_FRAME_MAX];
	struct xp_auth auth;
	size_t size;

	int rc = xp_auth_start(&auth, XP_AUTH_CLIENT, KEY, strlen(KEY), NULL, reply, &size);
	if (rc == 0)
		rc = xp_client_start(&line->client, &codec->dispatch, &line_ops, xp_datum_none(),
				     XP_AUTH_ALL);
	while (rc == 0) {
		int mine = xp_auth_step(&auth, line->frame, line->size, reply, &size);
		rc = mine < 0 ? mine : 0;
		if (rc == 0 && size > 0)
			rc = xp_client_frame(&line->client, (char *)reply, size);
		if (mine == XP_AUTH_DONE)
			break;
	}
	return rc;
}

/* Encode (ident, method, args, {}), for codec->request. */
static int prepare(struct codec *codec, const struct xp_datum *ident, const char *method,
		   size_t count, const struct xp_datum *const *args)
{
	struct xp_datum_arena *arena = &codec->arena;
	const struct xp_datum *parts[] = {ident, xp_datum_str(arena, method),
					  xp_datum_tuple(arena, count, args), xp_datum_dict(arena)};
	int rc =
	    xp_pickle_write(&codec->writer, xp_datum_tuple(arena, 4, parts), XP_DIALECT_ANY, 0, 0);
	if (rc < 0)
		return rc;
	free(codec->request);
	codec->request_size = codec->writer.size;
	codec->request = malloc(codec->request_size);
	if (!codec->request)
		return -ENOMEM;
	memcpy(codec->request, codec->writer.parts[0].iov_base, codec->request_size);
	return 0;
}

/* One call, whose answer is to be ("#RETURN", value), to *@ret_value. */
static int call(struct codec *codec, struct line *line, const struct xp_datum **ret_value)
{
	struct xp_datum *reply;
	int rc = xp_client_frame(&line->client, codec->request, codec->request_size);

	if (rc >= 0)
		rc = xp_pickle_read(&codec->reader, &codec->arena, line->frame, line->size, 0,
				    &reply);
	if (rc < 0)
		return rc;
	if (reply->kind != XP_DATUM_TUPLE || reply->count != 2 ||
	    reply->items[0]->kind != XP_DATUM_STR || reply->items[0]->size != strlen(ANSWER) ||
	    memcmp(reply->items[0]->bytes, ANSWER, strlen(ANSWER)) != 0)
		return -EPROTO;
	*ret_value = reply->items[1];
	return 0;
}

/* A dict that holds the key, a client that is served, and its request. */
static int open_server(struct codec *codec)
{
	struct xp_datum_arena *arena = &codec->arena;
	const struct xp_datum *value = NULL;

	int rc = xp_registry_create(&codec->registry);
	if (rc == 0)
		rc = xp_registry_add_builtins(codec->registry);
	if (rc == 0)
		rc = xp_dispatch_init(&codec->dispatch, codec->registry, NULL, KEY, strlen(KEY));
	if (rc == 0)
		rc = shake_hands(codec, &codec->maker);
	if (rc == 0)
		rc = shake_hands(codec, &codec->line);
	const struct xp_datum *typeid[] = {xp_datum_str(arena, "dict")};
	if (rc == 0)
		rc = prepare(codec, xp_datum_none(), "create", 1, typeid);
	if (rc == 0)
		rc = call(codec, &codec->maker, &value);
	if (rc < 0 || !value || value->kind != XP_DATUM_TUPLE || value->count != 2)
		return rc < 0 ? rc : -EPROTO;
	const struct xp_datum *ident = value->items[0], *name[] = {xp_datum_str(arena, "bench")};
	const struct xp_datum *pair[] = {xp_datum_str(arena, KEY), xp_datum_int(arena, 7)};
	rc = prepare(codec, xp_datum_none(), "accept_connection", 1, name);
	if (rc == 0)
		rc = call(codec, &codec->line, &value);
	if (rc == 0)
		rc = prepare(codec, ident, "__setitem__", 2, pair);
	if (rc == 0)
		rc = call(codec, &codec->line, &value);
	return rc < 0 ? rc : prepare(codec, ident, "__getitem__", 1, pair);
}

static int open_bytes(struct codec *codec, size_t size)
{
	char *bytes = malloc(size);

	if (!bytes)
		return -ENOMEM;
	memset(bytes, 'x', size);
	codec->value = xp_datum_bytes(&codec->arena, bytes, size);
	free(bytes);
	return codec->value ? 0 : -ENOMEM;
}

static int enter(struct xb_actor *actor)
{
	size_t size = (size_t)xb_case_number(actor->c, XB_SIZE, 0);
	struct codec *codec = calloc(1, sizeof(*codec));

	if (!codec)
		return xb_fail(actor, "no memory");
	actor->own = codec;
	xp_pickle_reader_init(&codec->reader, NULL);
	xp_pickle_writer_init(&codec->writer, 0, 0);
	xp_datum_arena_init(&codec->arena, 0);
	xp_datum_arena_init(&codec->input, 0);
	int rc = size ? open_bytes(codec, size) : open_server(codec);
	return rc < 0 ? xb_fail(actor, "codec: %s", strerror(-rc)) : 0;
}

static void leave(struct xb_actor *actor)
{
	struct codec *codec = actor->own;

	if (codec->registry) {
		xp_client_end(&codec->maker.client);
		xp_client_end(&codec->line.client);
		xp_dispatch_fini(&codec->dispatch);
		xp_registry_destroy(codec->registry);
	}
	xp_pickle_reader_fini(&codec->reader);
	xp_pickle_writer_fini(&codec->writer);
	xp_datum_arena_fini(&codec->arena);
	xp_datum_arena_fini(&codec->input);
	free(codec->request);
	free(codec);
}

static inline int serve(struct codec *codec)
{
	return xp_client_frame(&codec->line.client, codec->request, codec->request_size);
}

static inline int there_and_back(struct codec *codec)
{
	struct xp_datum *copy;
	int rc = xp_pickle_write(&codec->writer, codec->value, XP_DIALECT_PY4, 0, 0);

	if (rc == 0)
		rc = xp_pickle_read(&codec->reader, &codec->input, codec->writer.parts[0].iov_base,
				    codec->writer.size, 0, &copy);
	if (rc == 0 && copy->size != codec->value->size)
		rc = -EPROTO;
	xp_datum_arena_reset(&codec->input);
	return rc;
}

static int run_request(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	struct codec *codec = actor->own;
	const struct xp_datum *value;
	int64_t number = 0;
	int rc;

	xb_timed(actor, n, pass, rc, serve(codec));
	actor->tally->ops = n;
	/* The last answer of them is the right one. */
	if (rc >= 0)
		rc = call(codec, &codec->line, &value);
	if (rc >= 0)
		rc = xp_datum_to_int64(value, &number);
	return rc < 0 || number != 7 ? xb_fail(actor, "not what the dict holds") : 0;
}

static int run_bytes(struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	struct codec *codec = actor->own;
	int rc;

	xb_timed(actor, n, pass, rc, there_and_back(codec));
	actor->tally->ops = n;
	actor->tally->bytes = n * xb_case_number(actor->c, XB_SIZE, 0);
	return rc < 0 ? xb_fail(actor, "pickle: %s", strerror(-rc)) : 0;
}

const struct xb_workload xb_workload_codec_request = {
    .name = "codec",
    .title = "a request decoded, carried out and answered, without a system call",
    .metric = XB_METRIC_OP,
    .cases = request_cases,
    .enter = enter,
    .run = run_request,
    .leave = leave,
};

const struct xb_workload xb_workload_codec_bytes = {
    .name = "codec",
    .title = "bytes encoded and decoded, copied both times",
    .metric = XB_METRIC_BYTES,
    .cases = bytes_cases,
    .enter = enter,
    .run = run_bytes,
    .leave = leave,
};
