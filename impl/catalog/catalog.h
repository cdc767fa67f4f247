/* SPDX-License-Identifier: MIT */
/*
 * catalog - the only list of implementations
 *
 * Overview      Everything above this room iterates the catalogue and never names a mechanism.
 * Adding an implementation is one line in catalog.c: it inherits every case and every workload. Use
 * XP_CATALOG_EACH(impl) if (impl->kind == XP_KIND_LOCK) ... xp_place_open(&place, &(struct
 * xp_place_plan){0}); xp_object_make(impl, &place, &params, &object); fork; ...;
 * xp_object_drop(&object); xp_place_close(&place);
 */
#ifndef XPSHARE_CATALOG_CATALOG_H
#define XPSHARE_CATALOG_CATALOG_H

#include "xpshare/base/err.h"
#include "xpshare/kind/object.h"

/** xp_catalog_at() - The implementation at @index in a stable order, NULL past the end. */
const struct xp_impl *xp_catalog_at(size_t index);

/** xp_catalog_find() - The implementation with that name, or NULL. */
const struct xp_impl *xp_catalog_find(const char *name);

/** xp_catalog_after() - The one after @impl, or NULL. */
const struct xp_impl *xp_catalog_after(const struct xp_impl *impl);

#define XP_CATALOG_EACH(impl) \
	for (const struct xp_impl *impl = xp_catalog_at(0); impl; impl = xp_catalog_after(impl))

/**
 * struct xp_place_plan - What a place shall offer.
 * @arena_bytes: Shared memory for objects; 0: XP_PLACE_ARENA_DEFAULT.
 * @managed:     Also start a manager of our own in a child process, for the managed scope.
 */
struct xp_place_plan {
	size_t arena_bytes;
	bool managed;
};

#define XP_PLACE_ARENA_DEFAULT (64u << 20)

/**
 * xp_place_open() - Set up an arena in an anonymous segment, and a manager if the plan says so.
 *
 * Context: Before the fork of whoever shares the objects. Return: 0 or -errno, nothing left behind.
 */
XP_MUST_CHECK int xp_place_open(struct xp_place *place, const struct xp_place_plan *plan);

/** xp_place_close() - Stop the manager and unmap; by the process that opened it. Accepts a zeroed
 * one. */
void xp_place_close(struct xp_place *place);

/** xp_impl_caps() - The capabilities of @impl on this system: an emulator may have no robust list. */
unsigned xp_impl_caps(const struct xp_impl *impl);

/** xp_object_make() - Make an object of @impl; NULL @params are all defaults. */
XP_MUST_CHECK int xp_object_make(const struct xp_impl *impl, struct xp_place *place,
				 const struct xp_params *params, struct xp_object *ret_object);

/**
 * xp_object_offset() - Where @object lies in the segment of its place, for xp_object_attach().
 * Return: 0; -ENOTSUP where a process cannot attach: a descriptor belongs to it, or a manager.
 */
XP_MUST_CHECK int xp_object_offset(const struct xp_object *object, const struct xp_place *place,
				   uint64_t *ret_offset);

/**
 * xp_object_attach() - Use the object at @offset of a segment that another process has made and this
 * one has opened by name or descriptor (shm/segment.h); @place has a view of it (xp_arena_view()).
 * @impl, @params: As its maker had them.
 *
 * A barrier's action and a value's lock are this process's own. xp_object_drop() ends the use.
 *
 * Return: 0; -ENOTSUP; -EPROTO: no such object can be there.
 */
XP_MUST_CHECK int xp_object_attach(const struct xp_impl *impl, const struct xp_place *place,
				   const struct xp_params *params, uint64_t offset,
				   struct xp_object *ret_object);

/** xp_object_drop() - Release what this process holds; accepts a zeroed object. */
void xp_object_drop(struct xp_object *object);

#endif
