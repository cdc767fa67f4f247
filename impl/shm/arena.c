/* SPDX-License-Identifier: MIT */
#include "xpshare/shm/arena.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_ROOM 16 /* blocks before the table grows */

/* From @offset up to the offset of the next block, or the end of the segment. */
struct xp_arena_block {
	size_t offset;
	bool used;
};

static size_t end_of(const struct xp_arena *arena, size_t index)
{
	return index + 1 < arena->count ? arena->blocks[index + 1].offset : arena->segment->size;
}

static size_t align_up(size_t value, size_t align)
{
	return (value + align - 1) & ~(align - 1);
}

int xp_arena_init(struct xp_arena *arena, struct xp_segment *segment)
{
	struct xp_arena_block *blocks = calloc(FIRST_ROOM, sizeof(*blocks));

	if (!blocks)
		return -ENOMEM;
	blocks[0].offset = sizeof(struct xp_segment_header);
	*arena = (struct xp_arena){.segment = segment,
				   .blocks = blocks,
				   .count = 1,
				   .room = FIRST_ROOM,
				   .maker = getpid()};
	return 0;
}

void xp_arena_fini(struct xp_arena *arena)
{
	free(arena->blocks);
	*arena = (struct xp_arena){0};
}

/* Room for two more blocks: what a cut in the middle of one needs. */
static int grow(struct xp_arena *arena)
{
	if (arena->count + 2 <= arena->room)
		return 0;

	struct xp_arena_block *blocks =
	    realloc(arena->blocks, 2 * arena->room * sizeof(*arena->blocks));
	if (!blocks)
		return -ENOMEM;
	arena->blocks = blocks;
	arena->room *= 2;
	return 0;
}

/* Split block @index at @offset, which lies within it; both parts keep its use. */
static void split(struct xp_arena *arena, size_t index, size_t offset)
{
	struct xp_arena_block *block = &arena->blocks[index];

	memmove(block + 1, block, (arena->count - index) * sizeof(*block));
	block[1].offset = offset;
	arena->count++;
}

/* Join block @index with the one after it. */
static void join(struct xp_arena *arena, size_t index)
{
	struct xp_arena_block *next = &arena->blocks[index + 1];

	memmove(next, next + 1, (arena->count - index - 2) * sizeof(*next));
	arena->count--;
}

int xp_arena_alloc(struct xp_arena *arena, size_t size, size_t align, void **ret)
{
	if (size == 0 || (align & (align - 1)) != 0 || align > (size_t)sysconf(_SC_PAGESIZE))
		return -EINVAL;
	if (arena->maker != getpid())
		return -EPERM;
	if (size > arena->segment->size)
		return -ENOSPC;

	int rc = grow(arena);
	if (rc < 0)
		return rc;
	size = align_up(size, XP_ISOLATION);
	if (align < XP_ISOLATION)
		align = XP_ISOLATION;

	for (size_t i = 0; i < arena->count; i++) {
		size_t from = align_up(arena->blocks[i].offset, align);
		size_t end = end_of(arena, i);
		if (arena->blocks[i].used || from > end || end - from < size)
			continue;
		if (end - from > size)
			split(arena, i, from + size);
		if (from > arena->blocks[i].offset)
			split(arena, i++, from);
		arena->blocks[i].used = true;
		*ret = memset(arena->segment->base + from, 0, size);
		return 0;
	}
	return -ENOSPC;
}

void xp_arena_free(struct xp_arena *arena, void *at)
{
	if (!at || arena->maker != getpid())
		return;

	size_t offset = xp_arena_offset(arena, at);
	size_t low = 0, high = arena->count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (arena->blocks[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	xp_assert(arena->blocks[low].offset == offset && arena->blocks[low].used);
	arena->blocks[low].used = false;
	if (low + 1 < arena->count && !arena->blocks[low + 1].used)
		join(arena, low);
	if (low > 0 && !arena->blocks[low - 1].used)
		join(arena, low - 1);
}

void xp_arena_view(struct xp_arena *arena, struct xp_segment *segment)
{
	/* No process has the id 0: nobody is the maker. */
	*arena = (struct xp_arena){.segment = segment};
}

int xp_arena_take(struct xp_arena *arena, uint64_t existing, size_t size, void **ret)
{
	if (existing == 0)
		return xp_arena_alloc(arena, size, XP_ISOLATION, ret);
	return size == 0 ? -EINVAL : xp_arena_at(arena, existing, size, XP_ISOLATION, ret);
}

uint64_t xp_arena_offset(const struct xp_arena *arena, const void *at)
{
	const unsigned char *byte = at;

	xp_assert(byte >= arena->segment->base &&
		  byte < arena->segment->base + arena->segment->size);
	return (uint64_t)(byte - arena->segment->base);
}
