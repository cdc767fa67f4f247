/* SPDX-License-Identifier: MIT */
/*
 * layout - what a segment looks like in memory, byte for byte
 *
 * Overview      Every segment begins with a header that an opener checks before it believes
 *               anything else. Objects follow, at offsets that are multiples of XP_ISOLATION; the
 *               layout of each is in the header of its own room, by the same rules: fixed-width
 *               fields, padding spelled out, offsets never pointers, sizes and offsets asserted.
 * States        absent -> HALF_MADE [create], HALF_MADE -> READY [publish]. There is no way back:
 *               a segment is abandoned by unlink, never recycled.
 * Invariants    (1) Everything but @ready and @root is written once, before @ready.
 *               (2) @ready is stored last, with release; an opener loads it first, with acquire.
 *               (3) No process uses a size or an offset from here without a bounds check against
 *                   the size that the kernel states: a peer may have written garbage.
 */
#ifndef XPSHARE_SHM_LAYOUT_H
#define XPSHARE_SHM_LAYOUT_H

#include "xpshare/base/err.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define XP_SEGMENT_MAGIC   UINT64_C(0x0065726168737078) /* "xpshare" as bytes, little endian */
#define XP_SEGMENT_VERSION 1u
#define XP_SEGMENT_READY   0x59444552u /* "REDY": neither 0 nor 1, so that garbage is noticed */

/**
 * struct xp_segment_header - The first bytes of every segment.
 * @magic:       XP_SEGMENT_MAGIC. Written by the maker, read by openers, as are the next six.
 * @version:     Of this layout; an opener accepts its own version only.
 * @header_size: Bytes of this struct: the offset of the first object.
 * @size:        Bytes of the whole segment, header included.
 * @incarnation: Random; tells this segment from an earlier one of the same name.
 * @owner_uid:   Effective user of the maker; must agree with what the kernel says.
 * @ready:       0, then XP_SEGMENT_READY with release, by publish.
 * @root:        Offset of the object that an opener starts from, 0 for none; maker, release.
 */
struct xp_segment_header {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size;
	uint64_t size;
	uint64_t incarnation;
	uint32_t owner_uid;
	_Atomic uint32_t ready;
	_Atomic uint64_t root;
	uint8_t pad[XP_ISOLATION - 48];
};

/* Other builds and other compilers map the same bytes. */
_Static_assert(sizeof(struct xp_segment_header) == XP_ISOLATION, "header fills its lines");
_Static_assert(offsetof(struct xp_segment_header, magic) == 0, "layout of version 1");
_Static_assert(offsetof(struct xp_segment_header, version) == 8, "layout of version 1");
_Static_assert(offsetof(struct xp_segment_header, header_size) == 12, "layout of version 1");
_Static_assert(offsetof(struct xp_segment_header, size) == 16, "layout of version 1");
_Static_assert(offsetof(struct xp_segment_header, incarnation) == 24, "layout of version 1");
_Static_assert(offsetof(struct xp_segment_header, owner_uid) == 32, "layout of version 1");
_Static_assert(offsetof(struct xp_segment_header, ready) == 36, "layout of version 1");
_Static_assert(offsetof(struct xp_segment_header, root) == 40, "layout of version 1");
/* A lock inside an atomic would be private to each process. */
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2, "lock-free atomics");

#endif
