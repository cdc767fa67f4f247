/* SPDX-License-Identifier: MIT */
/*
 * dispatch - requests in, replies out: everything of the server that is not input and output
 *
 * Overview      One dispatcher holds the objects of one server, decodes each request, checks it,
 *               runs the method and encodes the reply for the client's own dialect. Both servers
 *               (server_event.c, server_thread.c) stand on it.
 * Order         of the checks of a request, as in CPython, because it decides the kind of error:
 *               pickle, shape, ident (#TRACEBACK); exposed name, else the fallbacks __str__,
 *               __repr__, #GETVALUE (#TRACEBACK); arguments, method (#ERROR); result (#RETURN or
 *               #PROXY); a result that cannot be written (#UNSERIALIZABLE).
 * Idents        Twelve hexadecimal digits that name the incarnation of the server, at random, then
 *               the number of the object, which is never used again. So a proxy of an earlier
 *               incarnation can reach nothing (SPEC X5).
 * Memory        Of a request: an arena and the buffers of reader and writer, kept between requests
 *               up to a bound. Of an object: its structure and one block per value kept.
 * Threads       One call at a time, by a lock of the server's.
 */
#ifndef XPSHARE_MANAGER_DISPATCH_H
#define XPSHARE_MANAGER_DISPATCH_H

#include "xpshare/manager/client.h"
#include "xpshare/manager/registry.h"
#include "xpshare/manager/stats.h"
#include "xpshare/rpc/pickle.h"

#define XP_LIMIT_FRAME	 ((size_t)256 << 20)
#define XP_LIMIT_DEPTH	 500u
#define XP_LIMIT_NODES	 ((size_t)16 << 20)
#define XP_LIMIT_OBJECTS ((size_t)1 << 20)

/** struct xp_limits - Put on everything that a client can make grow. 0 is the default. */
struct xp_limits {
	size_t frame;	/* bytes of one request or reply; XP_LIMIT_FRAME */
	unsigned depth; /* nesting of a value; XP_LIMIT_DEPTH */
	size_t nodes;	/* values in one request; XP_LIMIT_NODES */
	size_t objects; /* XP_LIMIT_OBJECTS */
	size_t memory;	/* bytes kept in objects and buffers, in total; half of the machine's */
};

#define XP_RING_METHOD "#RING" /* session_ring.h */

#define XP_INCARNATION_SIZE 12 /* hexadecimal digits */
#define XP_IDENT_MAX	    32 /* with the NUL */

struct xp_store_slot;
struct xp_held;

/** struct xp_dispatch - Private, except @limits, @stats, @memory and @shutdown. */
struct xp_dispatch {
	const struct xp_registry *registry;
	struct xp_limits limits;
	struct xp_stats stats;
	size_t memory; /* bytes in use that count against limits.memory */
	bool shutdown; /* a client has asked the server to end */
	/* private */
	char incarnation[XP_INCARNATION_SIZE + 1];
	const void *key;
	size_t key_size;
	uint64_t generations;
	struct xp_store_slot *slots;
	uint32_t slot_count;
	uint32_t slot_room;
	uint32_t slot_free;
	uint64_t objects_made;
	size_t objects;
	uint64_t *type_objects; /* by xp_type_entry.index */
	uint64_t *method_calls; /* by xp_type_entry.first_method and the place in its type */
	struct xp_pickle_reader reader;
	struct xp_pickle_writer writer;
	struct xp_datum_arena arena;
	struct xp_held *held;
	struct xp_referent *dying; /* to be freed by whoever frees already */
	bool freeing;
};

/**
 * xp_dispatch_init() - A dispatcher without objects.
 * @key: The authkey; borrowed, as @registry is, until xp_dispatch_fini().
 * Return: 0; -EIO no random bytes; -ENOMEM.
 */
XP_MUST_CHECK int xp_dispatch_init(struct xp_dispatch *dispatch, const struct xp_registry *registry,
				   const struct xp_limits *limits, const void *key,
				   size_t key_size);
/** xp_dispatch_fini() - Free every object. All clients must have ended. */
void xp_dispatch_fini(struct xp_dispatch *dispatch);

/* ---- the store of objects (store.c) ------------------------------------------------------------ */

/** xp_store_add() - Give @referent a number. Return: 0; -ENOMEM; -EMFILE too many objects. */
XP_MUST_CHECK int xp_store_add(struct xp_dispatch *dispatch, struct xp_referent *referent);
/** xp_store_remove() - Forget its number. */
void xp_store_remove(struct xp_dispatch *dispatch, const struct xp_referent *referent);
/** xp_store_find() - By ident; NULL if it names none of this incarnation. */
struct xp_referent *xp_store_find(const struct xp_dispatch *dispatch, const char *ident,
				  size_t size);
/** xp_store_ident() - Write its ident. */
void xp_store_ident(const struct xp_referent *referent, char ret_ident[XP_IDENT_MAX]);
/** xp_store_next() - All objects in the order of their idents; NULL begins and ends. */
struct xp_referent *xp_store_next(const struct xp_dispatch *dispatch,
				  const struct xp_referent *referent);

/* ---- the parts of a request (dispatch.c, connection.c, reply.c) -------------------------------- */

/** xp_dispatch_decode() - One request into the arena. Return: 0, or as xp_pickle_read(). */
XP_MUST_CHECK int xp_dispatch_decode(struct xp_client *client, char *payload, size_t size,
				     struct xp_datum **ret_request);
/** xp_dispatch_call() - A decoded request of a client that serves. Return: as xp_client_frame(). */
XP_MUST_CHECK int xp_dispatch_call(struct xp_client *client, const struct xp_datum *request);
/** xp_dispatch_connection_call() - The first request. Return: as xp_client_frame(). */
XP_MUST_CHECK int xp_dispatch_connection_call(struct xp_client *client,
					      const struct xp_datum *request);
/** xp_dispatch_ring() - The request XP_RING_METHOD. Return: as xp_client_frame(). */
XP_MUST_CHECK int xp_dispatch_ring(struct xp_client *client, const struct xp_datum *args);
/** xp_dispatch_takes() - Whether @name is a connection-level function that a client that serves may call too, on
 *  the ident None: create, incref, decref. Stock CPython wants a connection for each of these and answers
 *  "KeyError: None", by which a client knows it. */
bool xp_dispatch_takes(const struct xp_datum *name);
/** xp_dispatch_object_call() - One of those, as the connection-level call. Return: as xp_client_frame(). */
XP_MUST_CHECK int xp_dispatch_object_call(struct xp_client *client, const struct xp_datum *request);
/** xp_dispatch_function_name() - The connection-level functions by number; NULL past the end. */
const char *xp_dispatch_function_name(size_t index);
/** xp_dispatch_end_request() - Forget what the request built. */
void xp_dispatch_end_request(struct xp_dispatch *dispatch);
/** xp_dispatch_exposed() - The exposed tuple of @entry as @client should see it. */
const struct xp_datum *xp_dispatch_exposed(const struct xp_client *client,
					   const struct xp_type_entry *entry);

/** xp_reply() - Encode (kind, payload) for @client and send it. Return: 0, or -errno of the stream:
 *  what cannot be encoded becomes #UNSERIALIZABLE and is no error. */
XP_MUST_CHECK int xp_reply(struct xp_client *client, const char *kind,
			   const struct xp_datum *payload);
/** xp_reply_reference() - xp_reply() with @payload that gives the client a reference to @referent: it counts
 *  only where the reply was made and sent, for otherwise nobody would ever drop it. */
XP_MUST_CHECK int xp_reply_reference(struct xp_client *client, const char *kind,
				     const struct xp_datum *payload, struct xp_referent *referent);
/** xp_reply_traceback() - (#TRACEBACK, text of @exception, raised in @where). */
XP_MUST_CHECK int xp_reply_traceback(struct xp_client *client, const char *where,
				     const struct xp_datum *exception);

/** xp_args_bind() - Check the arguments of @call against @method. Return: 0; -EINVAL, raised. */
XP_MUST_CHECK int xp_args_bind(struct xp_call *call, const struct xp_method *method,
			       const char *owner, const struct xp_datum *positional,
			       const struct xp_datum *keywords);

#endif
