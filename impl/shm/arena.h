/* SPDX-License-Identifier: MIT */
/*
 * arena - hand out pieces of a segment
 *
 * Overview      The process that made a segment divides it among objects. A piece is named by its
 *               offset wherever another process has to find it; addresses differ from map to map.
 * Use           maker: xp_arena_init(&arena, &segment), alloc, free, fini, then close the segment.
 *               Objects are made before fork; a child uses them and does not allocate. An opener of
 *               the segment uses xp_segment_at(), or xp_arena_view() and xp_object_attach().
 * Memory        The books (which piece is taken) are in the maker's private memory. So no peer can
 *               corrupt them, and no death of any process in any call can leave them half-written.
 *               The price is that only the maker allocates: any other process gets -EPERM.
 *               Not for two threads at a time.
 * Invariants    (1) The blocks are sorted, adjacent, and cover all bytes after the header.
 *               (2) No two free blocks are adjacent.
 *               (3) Every block starts at a multiple of XP_ISOLATION and no two objects share a
 *                   line, so that one object's traffic never slows another's.
 */
#ifndef XPSHARE_SHM_ARENA_H
#define XPSHARE_SHM_ARENA_H

#include "xpshare/base/err.h"
#include "xpshare/shm/segment.h"

struct xp_arena_block;

/** struct xp_arena - The maker's books on @segment, which outlives the arena. */
struct xp_arena {
	struct xp_segment *segment;
	struct xp_arena_block *blocks;
	size_t count;
	size_t room;
	pid_t maker;
};

/** xp_arena_init() - Take charge of all of @segment after its header. Return: 0; -ENOMEM. */
XP_MUST_CHECK int xp_arena_init(struct xp_arena *arena, struct xp_segment *segment);

/**
 * xp_arena_view() - Look at the pieces of a @segment that another process divides: alloc is -EPERM,
 * free does nothing.
 */
void xp_arena_view(struct xp_arena *arena, struct xp_segment *segment);

/** xp_arena_fini() - Forget the books; pieces that are still in use stay as they are. */
void xp_arena_fini(struct xp_arena *arena);

/**
 * xp_arena_alloc() - Take @size zeroed bytes, aligned to @align (a power of two, up to a page).
 *
 * Return: 0; -ENOSPC where no free block is large enough; -ENOMEM; -EINVAL (size 0, align);
 *         -EPERM in a process other than the maker.
 */
XP_MUST_CHECK int xp_arena_alloc(struct xp_arena *arena, size_t size, size_t align, void **ret);

/**
 * xp_arena_free() - Give a piece back, for the next alloc; NULL is accepted.
 *
 * No process may use it any more. In a process other than the maker it does nothing, so that a
 * child may drop its inherited handles. An address that alloc did not return is an assertion.
 */
void xp_arena_free(struct xp_arena *arena, void *at);

/**
 * xp_arena_take() - The shared bytes of an object: new and zeroed; or where @existing is not 0,
 * those at that offset. Return: as xp_arena_alloc(); as xp_segment_at().
 */
XP_MUST_CHECK int xp_arena_take(struct xp_arena *arena, uint64_t existing, size_t size, void **ret);

/** xp_arena_offset() - The offset of @at, an address within the segment, for other processes. */
uint64_t xp_arena_offset(const struct xp_arena *arena, const void *at);

/** xp_arena_at() - As xp_segment_at() on the arena's segment. */
XP_MUST_CHECK static inline int xp_arena_at(const struct xp_arena *arena, uint64_t offset,
					    size_t size, size_t align, void **ret_at)
{
	return xp_segment_at(arena->segment, offset, size, align, ret_at);
}

#endif
