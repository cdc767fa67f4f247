/* SPDX-License-Identifier: MIT */
/*
 * referent - what a server process keeps, and the methods that clients may call on it
 *
 * Overview      A typeid (struct xp_typeid) is a row of methods and a way to make an object. A
 *               referent is one such object in the server. A call (struct xp_call) is one request
 *               of one client on one referent; its method returns the value, raises an exception,
 *               makes an object that the client gets a proxy of, or parks until another call, a
 *               deadline or the end of the client completes it.
 * Use           A type of one's own: embed struct xp_referent at the start of a structure, list the
 *               methods, register (registry.h). The dispatcher checks ident, exposed names and
 *               arguments before a method runs, so that a method sees only what it asked for:
 *                   static const struct xp_datum *counter_add(struct xp_call *call)
 *                   {
 *                           struct counter *counter = xp_call_self(call, struct counter, base);
 *                           int64_t step;
 *                           if (xp_call_int64(call, 0, 1, &step) < 0)
 *                                   return NULL;
 *                           counter->total += step;
 *                           return xp_datum_int(call->arena, counter->total);
 *                   }
 *                   static const struct xp_method methods[] = {
 *                           {.name = "add", .style = XP_ARGS_PYTHON, .max = 1, .params = "step",
 *                            .call = counter_add},
 *                   };
 * Memory        Arguments and results live in the call's arena until the reply is encoded. What
 *               shall live longer is kept by xp_call_keep() and given back by xp_dispatch_drop().
 * Threads       One call at a time runs in a dispatcher; the servers see to that. A method never
 *               blocks: it parks.
 * Invariants    (1) A method that returns NULL has raised, parked or run out of memory.
 *               (2) A client has at most one parked call; its later requests wait behind it.
 *               (3) A parked call is completed once: by xp_waiter_return(), xp_waiter_raise(), or
 *               silently by the end of its client, after which it can receive nothing any more.
 */
#ifndef XPSHARE_MANAGER_REFERENT_H
#define XPSHARE_MANAGER_REFERENT_H

#include "xpshare/base/err.h"
#include "xpshare/rpc/datum.h"
#include "xpshare/rpc/dialect.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xp_call;
struct xp_client;
struct xp_dispatch;
struct xp_waiter;

/* ---- typeids and methods ----------------------------------------------------------------------- */

/* How a method takes its arguments, and so in which words CPython refuses wrong ones. */
enum xp_args_style {
	XP_ARGS_PYTHON, /* def f(self, a, b=...): positional or by the names in params */
	XP_ARGS_KEYED,	/* a function of C with keywords: positional or by the names in params */
	XP_ARGS_RANGE,	/* a function of C without keywords, min to max arguments */
	XP_ARGS_ONE,	/* a function of C with exactly one argument */
	XP_ARGS_NONE,	/* a function of C without arguments */
	XP_ARGS_SLOT,	/* a special method of a type of C: exactly min arguments */
	XP_ARGS_RAW,	/* the method looks at call->positional and call->keywords itself */
};

/* Which clients the exposed list names a method to. Every client may call every method: a list only
 * decides what proxy a client builds. */
enum xp_listed {
	XP_LISTED = 0,
	XP_LISTED_PY2 = 1,  /* 2.7 */
	XP_LISTED_3_12 = 2, /* 3.12 and later, as far as its handshake tells */
	XP_UNLISTED = 3,    /* nobody */
};

/**
 * struct xp_method - One public method of a typeid.
 * @params: Names of the arguments, separated by commas; "" where none can be given by name.
 * @call:   Runs it. See invariant (1). NULL: the name is listed, as CPython lists names that an object
 *          may have, and answered like one that is not.
 * @result: NULL, or the typeid of the object that the method makes (Python's method_to_typeid): it
 *          then ends with xp_call_object(), and the client gets a proxy.
 */
struct xp_method {
	const char *name;
	enum xp_args_style style;
	uint8_t min;
	uint8_t max;
	enum xp_listed listed;
	const char *params;
	const struct xp_datum *(*call)(struct xp_call *call);
	const char *result;
};

#define XP_ARGS_MAX 8 /* named arguments of one method */

struct xp_referent;

/**
 * struct xp_typeid - What the server knows of one type. A constant of the program.
 * @name:     The typeid that clients send.
 * @owner:    What CPython calls the class in messages ("Queue" in "Queue.put() missing ...").
 * @init:     How the arguments of create() are checked; its call returns the result of
 *            xp_call_object(). NULL: clients cannot create one by themselves (Iterator).
 * @fini:     Free the structure that embeds the referent. Its waiters and owner are gone by then.
 * @repr, @str: As Python's; str NULL means repr, repr NULL means "<name object at 0x...>".
 * @value:    The object as data, for copy.deepcopy() of a proxy; NULL: it cannot be pickled.
 */
struct xp_typeid {
	const char *name;
	const char *owner;
	struct xp_method init;
	const struct xp_method *methods;
	size_t method_count;
	void (*fini)(struct xp_referent *referent);
	const struct xp_datum *(*repr)(struct xp_call *call, struct xp_referent *referent);
	const struct xp_datum *(*str)(struct xp_call *call, struct xp_referent *referent);
	const struct xp_datum *(*value)(struct xp_call *call, struct xp_referent *referent);
};

/**
 * struct xp_referent - One object of the server; the first member of its type's structure.
 * @type:     Its row in the registry: type->typeid is the struct xp_typeid.
 * @number:   What its ident says after the incarnation; never used again. 0: not in the store yet.
 * @dying:    Next of those whose last reference has gone.
 * @proxies:  References that clients hold (create, incref, decref).
 * @holders:  References from inside: values that contain a proxy of it, parked calls, other
 *            referents, the registry. It lives as long as either is above 0.
 */
struct xp_referent {
	const struct xp_type_entry *type;
	struct xp_dispatch *dispatch;
	struct xp_referent *dying;
	uint64_t number;
	uint32_t proxies;
	uint32_t holders;
};

/** xp_referent_ref() - Hold a referent from inside. Return: @referent. */
struct xp_referent *xp_referent_ref(struct xp_referent *referent);
/** xp_referent_unref() - Let go; the last reference of both sorts frees it. NULL is allowed. */
void xp_referent_unref(struct xp_referent *referent);

/** xp_referent_of() - The referent behind a proxy that stands in a value, or NULL. */
struct xp_referent *xp_referent_of(const struct xp_datum *value);
/** xp_referent_is() - Whether @referent was registered with @typeid. */
bool xp_referent_is(const struct xp_referent *referent, const struct xp_typeid *typeid_);

/** xp_referent_text() - str() or repr() of it. NULL: raised, or no memory. */
const struct xp_datum *xp_referent_text(struct xp_call *call, struct xp_referent *referent,
					bool str);

/* ---- calls ------------------------------------------------------------------------------------- */

/**
 * struct xp_call - One request while it runs.
 * @args:       Checked arguments by position, NULL where absent (all styles but XP_ARGS_RAW).
 * @arg_count:  Positional arguments that came.
 * @positional: The TUPLE or LIST as it came.
 * @keywords:   The DICT as it came, NULL where empty.
 * @error:      Exception raised (xp_call_raise*).
 * @object:     Object made (xp_call_object).
 * @parked:     The reply will come from elsewhere.
 * @steps:      What its comparisons have cost so far (rpc/datum_compare.h).
 * @creating:   The entry of the registry that create() is asked for.
 */
struct xp_call {
	struct xp_dispatch *dispatch;
	struct xp_client *client;
	struct xp_datum_arena *arena;
	struct xp_referent *self;
	const struct xp_method *method;
	const struct xp_datum *args[XP_ARGS_MAX];
	size_t arg_count;
	const struct xp_datum *positional;
	const struct xp_datum *keywords;
	const struct xp_datum *error;
	struct xp_referent *object;
	const struct xp_type_entry *creating;
	bool parked;
	unsigned steps;
};

#define xp_call_self(call, type, member) ((type *)((char *)(call)->self - offsetof(type, member)))

/** xp_call_python2() - Whether the client is Python 2, whose results differ here and there. */
bool xp_call_python2(const struct xp_call *call);

/* Each raises and returns NULL, so that a method can return the call itself. */
const struct xp_datum *xp_call_raise(struct xp_call *call, const struct xp_datum *exception);
/** xp_call_raisef() - @name is "ValueError" (of builtins) or "queue.Empty"; NULL @format: no args. */
__attribute__((format(printf, 3, 4))) const struct xp_datum *
xp_call_raisef(struct xp_call *call, const char *name, const char *format, ...);
/** xp_call_raise_value() - @name(@value), e.g. KeyError(key). */
const struct xp_datum *xp_call_raise_value(struct xp_call *call, const char *name,
					   const struct xp_datum *value);

/* Arguments by position. A missing one is @otherwise; a wrong type raises and returns -EINVAL. */
XP_MUST_CHECK int xp_call_int64(struct xp_call *call, size_t index, int64_t otherwise,
				int64_t *ret_value);
XP_MUST_CHECK int xp_call_bool(struct xp_call *call, size_t index, bool otherwise, bool *ret_value);
/** xp_call_text() - A str without a NUL inside, copied to @buffer. */
XP_MUST_CHECK int xp_call_text(struct xp_call *call, size_t index, char *buffer, size_t size);
/**
 * xp_call_deadline() - A timeout in seconds; None or missing is for ever.
 * @ret_deadline: CLOCK_MONOTONIC nanoseconds, XP_NEVER for none; a negative timeout is the past.
 */
XP_MUST_CHECK int xp_call_deadline(struct xp_call *call, size_t index, int64_t *ret_deadline);

#define XP_NEVER INT64_MAX

/** xp_call_object() - The call made @referent: the client gets a proxy of it. The reference that the
 *  caller has (holders) passes to the call. Returns a value that is not NULL. */
const struct xp_datum *xp_call_object(struct xp_call *call, struct xp_referent *referent);

/**
 * xp_call_keep() - Keep @value beyond the call, within the server's memory limit.
 * Return: 0; -ENOMEM, with MemoryError raised.
 */
XP_MUST_CHECK int xp_call_keep(struct xp_call *call, const struct xp_datum *value,
			       struct xp_datum_box **ret_box);
/** xp_dispatch_charge() - @bytes more of a referent's own memory (its array of members) count against the
 *  server's limit. False: they would exceed it. xp_dispatch_discharge() takes them off again. */
bool xp_dispatch_charge(struct xp_dispatch *dispatch, size_t bytes);
void xp_dispatch_discharge(struct xp_dispatch *dispatch, size_t bytes);
/** xp_dispatch_share() - One more reference to what was kept. Return: @box; NULL, MemoryError raised. */
struct xp_datum_box *xp_dispatch_share(struct xp_call *call, struct xp_datum_box *box);
/** xp_dispatch_drop() - Give back what was kept. NULL is allowed. */
void xp_dispatch_drop(struct xp_dispatch *dispatch, struct xp_datum_box *box);
/** xp_call_release() - The same once the reply has been encoded, because it contains the value.
 *  Returns the value, NULL if memory is exhausted (the box is dropped then). */
const struct xp_datum *xp_call_release(struct xp_call *call, struct xp_datum_box *box);

/** xp_referent_new() - A zeroed structure of @size bytes that begins with a referent of @typeid_; one
 *  reference in holders is the caller's. Of several registrations of the type it belongs to the one that is
 *  being created, else to the one that the method names as its result. NULL: out of memory, raised. */
struct xp_referent *xp_referent_new(struct xp_call *call, const struct xp_typeid *typeid_,
				    size_t size);

/* ---- parked calls ------------------------------------------------------------------------------ */

/** struct xp_waiters - Parked calls in the order in which they came. */
struct xp_waiters {
	struct xp_waiter *first;
	struct xp_waiter *last;
};

/**
 * struct xp_waiter - The parked call of a client; part of the client.
 * @self:     The referent that the call is on, held; NULL: the client has no parked call.
 * @deadline: When expire() is called; CLOCK_MONOTONIC nanoseconds or XP_NEVER.
 * @expire:   The deadline has passed: complete the call, or park it elsewhere.
 * @abandon:  The client has gone; the waiter is out of its list. NULL: nothing to do.
 * @box, @number, @extra: The method's own; @box is dropped if the client goes.
 */
struct xp_waiter {
	struct xp_waiter *next;
	struct xp_waiter *previous;
	struct xp_waiters *list;
	struct xp_referent *self;
	const struct xp_method *method;
	int64_t deadline;
	void (*expire)(struct xp_waiter *waiter);
	void (*abandon)(struct xp_waiter *waiter);
	struct xp_datum_box *box;
	int64_t number;
	uint32_t extra;
	int64_t
	    since; /* when it was parked, CLOCK_MONOTONIC nanoseconds; 0: nobody asks (stats.h) */
};

/** xp_call_park() - Leave the call in @list until it is completed. Returns its waiter, for @expire
 *  and the method's own fields; @deadline XP_NEVER waits for ever. */
struct xp_waiter *xp_call_park(struct xp_call *call, struct xp_waiters *list, int64_t deadline,
			       void (*expire)(struct xp_waiter *waiter));
/** xp_waiter_move() - Put a parked call at the end of another list. */
void xp_waiter_move(struct xp_waiter *waiter, struct xp_waiters *list);
/** xp_waiter_is_there() - Whether its client still listens, as far as the kernel knows. */
bool xp_waiter_is_there(struct xp_waiter *waiter);
/** xp_waiter_client() - Whose it is. */
struct xp_client *xp_waiter_client(struct xp_waiter *waiter);

/**
 * xp_waiter_return() - Complete a parked call with @value; xp_waiter_raise() with an exception.
 *
 * Whatever the result, the waiter is out of its list and no longer parked.
 * Return: whether the client was there to be told. If not, what it would have got goes to the next.
 */
bool xp_waiter_return(struct xp_waiter *waiter, const struct xp_datum *value);
bool xp_waiter_raise(struct xp_waiter *waiter, const char *name);
/** xp_waiter_raise_exception() - The same with one that was built in its arena. */
bool xp_waiter_raise_exception(struct xp_waiter *waiter, const struct xp_datum *exception);
/** xp_waiter_arena() - Where to build its result. */
struct xp_datum_arena *xp_waiter_arena(struct xp_waiter *waiter);

/* ---- ownership --------------------------------------------------------------------------------- */

/**
 * struct xp_owned - A thing that belongs to a connection as long as that lives (SPEC X9).
 * @departed: Its owner is gone; the entry is already out of the owner's list.
 */
struct xp_owned {
	struct xp_owned *next;
	struct xp_owned **link; /* what points here; NULL: nobody owns it */
	void (*departed)(struct xp_owned *owned);
};

/** xp_client_own() - @owned belongs to @client from now on. */
void xp_client_own(struct xp_client *client, struct xp_owned *owned);
/** xp_client_disown() - Nobody's any more. */
void xp_client_disown(struct xp_owned *owned);

#endif
