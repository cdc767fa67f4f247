/* SPDX-License-Identifier: MIT */
/*
 * segment - memory that several processes map
 *
 * Overview      One contiguous piece of shared memory, in one of three forms: anonymous (reached
 *               by fork only), memfd (reached by its descriptor: inherited, kept across exec, or
 *               sent over a socket) and named (reached by unrelated processes, POSIX shm_open).
 * Use           maker: create, make objects, set_root, publish, then fork or hand the descriptor
 *               or the name over. opener: open or open_fd, root, then
 *               xp_arena_view() and xp_object_attach() (catalog/catalog.h). all: close.
 *               A named segment lives until xp_segment_unlink().
 * Memory        struct xp_segment is a handle of this process, copied by fork and valid there. The
 *               bytes are described in layout.h and are zero at creation. All of them are reserved
 *               at creation where the kernel can do that (memfd, named, huge pages), so that a full
 *               memory is -ENOSPC or -ENOMEM there and never SIGBUS later.
 * Trust         An opener checks who owns it, who else may write it (named), that it cannot shrink
 *               under its feet (memfd, by seals), its magic, version and size, in this order,
 * before it uses anything of it. A named segment cannot be sealed: whoever runs as its owner can
 * truncate it, and its users then get SIGBUS; hand a memfd to peers whom you do not trust that far.
 * Death         Of the maker before publish: openers get -EAGAIN until somebody unlinks the name.
 *               Of any process later: the memory stays as long as one process maps it or its name
 *               exists.
 */
#ifndef XPSHARE_SHM_SEGMENT_H
#define XPSHARE_SHM_SEGMENT_H

#include "xpshare/base/err.h"
#include "xpshare/shm/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Largest segment: far below what offsets can say, far above any use; an absurd size is refused. */
#define XP_SEGMENT_SIZE_MAX (UINT64_C(1) << 46)

enum xp_backing {
	XP_BACKING_ANONYMOUS, /* MAP_SHARED | MAP_ANONYMOUS: fork only */
	XP_BACKING_MEMFD,     /* memfd_create, sealed against shrinking and growing */
	XP_BACKING_NAMED,     /* shm_open */
};

enum xp_pages {
	XP_PAGES_NORMAL,
	XP_PAGES_HUGE, /* the kernel's default huge page size, reserved at creation */
};

/**
 * struct xp_segment_params - What the maker wants; zero in a member is its default.
 * @size:    Bytes usable after the header; rounded up to whole pages. Zero is -EINVAL.
 * @backing: See enum xp_backing.
 * @name:    Named: "/" and then no other "/". Memfd: shown in /proc, or NULL.
 * @pages:   XP_PAGES_HUGE falls back to normal pages where none is free: see @pages of the handle.
 * @bind:    Keep the memory on NUMA node @node; -errno where that cannot be done.
 * @node:    NUMA node, counts only with @bind.
 * @populate: Fault all pages in now, so that no first touch happens later.
 */
struct xp_segment_params {
	size_t size;
	enum xp_backing backing;
	const char *name;
	enum xp_pages pages;
	bool bind;
	unsigned node;
	bool populate;
};

/**
 * struct xp_segment - A mapping in this process.
 * @base:  First byte: the header. Aligned to the page size.
 * @size:  Bytes mapped, as the kernel stated them; the header's own claim is not used again.
 * @fd:    Of memfd and named segments, close-on-exec; -1 for anonymous ones.
 * @pages: What was obtained.
 */
struct xp_segment {
	unsigned char *base;
	size_t size;
	int fd;
	enum xp_backing backing;
	enum xp_pages pages;
};

/**
 * xp_segment_create() - Make a segment and map it; it is HALF_MADE until published.
 *
 * Return: 0; -EINVAL (size, name, node); -EEXIST (name); -ENOMEM (also where less memory than @size
 *         is available now: see /proc/meminfo), -ENOSPC, -EMFILE, -ENOSYS
 *         (@bind on a kernel without NUMA) and others of the system calls. Nothing is left behind.
 */
XP_MUST_CHECK int xp_segment_create(const struct xp_segment_params *params,
				    struct xp_segment *ret_segment);

/**
 * xp_segment_open() - Map a named segment that @owner has made and published.
 * @owner: The user that must own it, normally geteuid().
 *
 * Return: 0; -ENOENT; -EAGAIN (half-made: try again later); -EPERM (another owner, or writable by
 *         group or others); -EPROTO (not a segment, or its size is a lie); -EPROTONOSUPPORT
 *         (another version); -EINVAL (name).
 */
XP_MUST_CHECK int xp_segment_open(const char *name, uid_t owner, struct xp_segment *ret_segment);

/**
 * xp_segment_open_fd() - Map the segment behind a descriptor that was received or inherited.
 * @fd: A memfd of xp_segment_create(). On success it belongs to the handle, else to the caller.
 *
 * Return: as xp_segment_open(); -EPROTO also where the seals are missing.
 */
XP_MUST_CHECK int xp_segment_open_fd(int fd, uid_t owner, struct xp_segment *ret_segment);

/** xp_segment_publish() - Say that all objects are in place. A release operation. */
void xp_segment_publish(struct xp_segment *segment);

/** xp_segment_set_root() - Tell openers the offset of the object to start from. */
void xp_segment_set_root(struct xp_segment *segment, uint64_t offset);

/**
 * xp_segment_root() - The offset that the maker has set. Return: 0; -EAGAIN where there is none.
 * Not checked: xp_segment_at() does that.
 */
XP_MUST_CHECK int xp_segment_root(const struct xp_segment *segment, uint64_t *ret_offset);

/** xp_segment_incarnation() - The random number of this segment's creation. */
uint64_t xp_segment_incarnation(const struct xp_segment *segment);

/**
 * xp_segment_at() - The address of @size bytes at @offset, if they lie within the segment.
 * @align: A power of two; the offset must be a multiple of it.
 *
 * Return: 0; -EPROTO for an offset that no honest peer writes (outside, in the header, crooked).
 */
XP_MUST_CHECK int xp_segment_at(const struct xp_segment *segment, uint64_t offset, size_t size,
				size_t align, void **ret_at);

/** xp_segment_unlink() - Remove the name; mappings stay. Return: 0; -ENOENT; -EINVAL; -EACCES. */
XP_MUST_CHECK int xp_segment_unlink(const char *name);

/** xp_segment_close() - Unmap it and close its descriptor; accepts a closed or zeroed handle. */
void xp_segment_close(struct xp_segment *segment);

#endif
