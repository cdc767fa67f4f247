/* SPDX-License-Identifier: MIT */
/*
 * object - one object of any kind, what is asked of it, and who makes it
 *
 * Overview      An implementation (struct xp_impl) is described once, in a constant next to its
 *               code, and listed once, in catalog/. The conformance suite and the benchmark iterate
 *               that list and never name a mechanism: a new implementation inherits every case and
 *               every workload.
 * Use           parent: xp_object_make(impl, place, params, &object); fork; use object.as.lock
 *               in both;
 *               every process: xp_object_drop(&object) before it exits, the maker last.
 * Memory        struct xp_object is a handle of this process. It is copied by fork and stays valid
 *               there; a managed one notices the fork and connects anew by itself.
 */
#ifndef XPSHARE_KIND_OBJECT_H
#define XPSHARE_KIND_OBJECT_H

#include "xpshare/kind/array.h"
#include "xpshare/kind/barrier.h"
#include "xpshare/kind/condition.h"
#include "xpshare/kind/event.h"
#include "xpshare/kind/kind.h"
#include "xpshare/kind/lock.h"
#include "xpshare/kind/pipe.h"
#include "xpshare/kind/queue.h"
#include "xpshare/kind/semaphore.h"
#include "xpshare/kind/value.h"

/* What an implementation can do beyond the common part of its contract. A case or a workload that
 * needs a capability which is absent gets the verdict UNSUPPORTED. */
enum xp_cap {
	XP_CAP_ROBUST = 1u << 0, /* survivors go on after the death of any process at any point */
	XP_CAP_CLOSE = 1u << 1,	 /* queue: close */
	XP_CAP_DUPLEX = 1u << 2, /* pipe: both directions */
	XP_CAP_MULTI_PRODUCER = 1u << 3, /* queue: several producers at a time */
	XP_CAP_MULTI_CONSUMER = 1u << 4, /* queue: several consumers at a time */
	XP_CAP_ATOMIC = 1u << 5,	 /* value: exchange, fetch_add, compare_exchange */
	XP_CAP_LOCKED = 1u << 6,	 /* value, array: carries a lock */
	XP_CAP_FAIR = 1u << 7,		 /* lock: waiters are served in turn */
	XP_CAP_DESCRIPTOR = 1u << 8,	 /* pipe: has a descriptor to wait on */
	XP_CAP_EXEC = 1u << 9,		 /* survives exec when its descriptors are passed on */
	XP_CAP_OWNED = 1u << 10,	 /* lock: release by another than the holder is -EPERM */
	XP_CAP_UNBOUNDED = 1u << 11,	 /* queue: capacity 0 means no bound */
	XP_CAP_DEADLINE = 1u << 12, /* the _until forms keep their deadline also in mid-transfer */
	/* Whatever a peer writes over its shared memory, a survivor's call ends with a result or an
	 * error: no crash, no access out of bounds, no wait beyond its deadline. (A peer can always
	 * hold a lock for ever, by acquiring it or by writing that it has.) */
	XP_CAP_UNTRUSTING = 1u << 13,
};

/* How the members wait (METHOD 1: every claim names its wait strategy). */
enum xp_wait_strategy {
	XP_STRATEGY_HYBRID, /* spin, then park: the default */
	XP_STRATEGY_SPIN,   /* never park */
	XP_STRATEGY_PARK,   /* never spin */
};

/**
 * struct xp_params - What the maker wants. Zero in a member means the implementation's default.
 * @type, @size:  value, array: the type of an item; @size counts for XP_TYPE_BYTES only.
 * @length:       array: items.
 * @capacity:     queue: items; 0 is unbounded where XP_CAP_UNBOUNDED, else a default. A ring rounds
 *                it up to a power of two for its slots but keeps the bound.
 * @item_max:     queue, pipe: bytes of the largest item.
 * @count:        semaphore: initial value (0 is 0). barrier: parties.
 * @simplex:      pipe: one direction only.
 * @fair:         lock: prefer handing over in turn to throughput, where XP_CAP_FAIR.
 * @single:       queue: the caller promises one producer and one consumer.
 * @strategy:     how waiters wait.
 * @lock:         value, array with XP_CAP_LOCKED: the lock to use, which should be recursive and
 *                outlives the object; NULL: the object makes one of its own.
 * @action, @arg: barrier: run by the last to arrive, in its process; non-zero breaks the barrier.
 */
struct xp_params {
	enum xp_type type;
	size_t size;
	size_t length;
	size_t capacity;
	size_t item_max;
	uint32_t count;
	bool simplex;
	bool fair;
	bool single;
	enum xp_wait_strategy strategy;
	const struct xp_lock *lock;
	int (*action)(void *arg);
	void *arg;
};

/**
 * struct xp_place - Where an object is made.
 * @arena:    Shared memory for the shm and inherited scopes (shm/arena.h).
 * @manager:  The connected manager for the managed scope (manager/proxy.h); NULL where there is
 *            none.
 * @existing: 0, or the offset of the object in the arena's segment, which another process has made:
 *            then make takes it as it is. For xp_object_attach() only.
 *
 * The place outlives the objects that are made in it.
 */
struct xp_place {
	struct xp_arena *arena;
	struct xp_manager *manager;
	uint64_t existing;
};

struct xp_impl;

/**
 * struct xp_object - A handle on an object of any kind.
 * @impl:  Who made it.
 * @as:    The handle of its kind. Managed list, dict and namespace have no machine-typed contract:
 *         their proxy is in @as.proxy (manager/proxy.h).
 * @owner: The implementation's own bookkeeping for drop.
 */
struct xp_object {
	const struct xp_impl *impl;
	union {
		struct xp_value value;
		struct xp_array array;
		struct xp_pipe pipe;
		struct xp_queue queue;
		struct xp_lock lock;
		struct xp_semaphore semaphore;
		struct xp_condition condition;
		struct xp_event event;
		struct xp_barrier barrier;
		void *proxy;
	} as;
	void *owner;
};

/**
 * struct xp_impl - One implementation of one kind.
 * @name:  "lock/futex": stable, unique, the name in every report.
 * @title: One line for a table: what it is made of.
 * @caps:  Bits of enum xp_cap. xp_impl_caps() says which of them hold on this system.
 * @robust_by_list: XP_CAP_ROBUST rests on the kernel's robust list (sync/robust.h): without it the
 *         object works, and nobody may count on surviving the death of an owner.
 * @make:  Make an object. 0 or -errno; -ENOTSUP for parameters that it cannot serve.
 * @where: The object's bytes in shared memory; NULL where there is more to it than those, so that
 *         no process can attach to it (catalog/catalog.h).
 * @drop:  Release what this process holds of it. The process that made it also destroys it.
 */
struct xp_impl {
	const char *name;
	const char *title;
	enum xp_kind kind;
	enum xp_scope scope;
	unsigned caps;
	bool robust_by_list;
	int (*make)(const struct xp_impl *impl, struct xp_place *place,
		    const struct xp_params *params, struct xp_object *ret_object);
	void *(*where)(const struct xp_object *object);
	void (*drop)(struct xp_object *object);
};

#endif
