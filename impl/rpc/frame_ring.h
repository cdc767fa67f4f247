/* SPDX-License-Identifier: MIT */
/*
 * frame_ring - frames of any size from one process to another through shared memory
 *
 * Overview      One direction of a connection by ring (duplex.h has two). A frame lies in as many
 *               lines of 64 bytes as it needs; the signal that it is there travels in its first line,
 *               so that a frame of 60 bytes costs the transfer of one line. Nothing here blocks.
 * Use           producer: xp_frame_ring_put(), and wake whoever it says sleeps.
 *               consumer: xp_frame_ring_take(); where that gives -EAGAIN, xp_frame_ring_announce(),
 *               and sleep if that says so.
 * Memory        struct xp_frame_line, each a word and 60 bytes of a frame. No byte of a frame ever lies
 *               where a word is looked for, so that no payload can pass for one. A word is
 *               bits 31, 30  who sleeps until it changes (XP_FRAME_RING_ASLEEP, _ELSEWHERE);
 *               bits 29..22  the lap in which the line was written, modulo 256;
 *               bits 21..0   of a frame's first line: its size + 1, or MARK; of the others: 0.
 *               Positions, laps and the geometry are each side's own; of the peer's words only
 *               `taken` is read (by the producer), and compared before it is used.
 * Invariants    (1) A frame is published by exactly one exchange, of its first line's word, after
 *               everything else of it. (2) Every line is written once in each lap, so that a word of
 *               this lap says that the producer has written here. (3) Who replaces a word in which
 *               somebody has said that he sleeps wakes him. (4) lines put - lines taken <= lines.
 * Why it is correct
 *               The consumer's acquire load of the word pairs with the exchange (1); the producer's
 *               acquire load of `taken` with the consumer's release store after it has copied the
 *               frame. Sleeping is wait.h's protocol: the consumer sets its bit by a compare-and-swap
 *               in the very word that the producer exchanges, so either the exchange sees the bit, or
 *               the swap fails and the consumer looks again.
 * Death         A producer that dies before (1) has sent nothing, after it the frame is there. A
 *               consumer that dies leaves it there. Nobody takes over either end.
 * Garbage       A frame is copied out before anybody looks at it, its size is read once, and compared
 *               with what the ring can hold; a peer can send nonsense or -EPROTO, and nothing else.
 */
#ifndef XPSHARE_RPC_FRAME_RING_H
#define XPSHARE_RPC_FRAME_RING_H

#include "xpshare/base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define XP_FRAME_RING_ASLEEP	UINT32_C(0x80000000) /* the consumer sleeps, as agreed with its peer */
#define XP_FRAME_RING_ELSEWHERE UINT32_C(0x40000000) /* it sleeps in the other way agreed */
#define XP_FRAME_RING_SLEEPS	(XP_FRAME_RING_ASLEEP | XP_FRAME_RING_ELSEWHERE)
#define XP_FRAME_RING_LAP	UINT32_C(0x3fc00000)
#define XP_FRAME_RING_LAP_ONE	UINT32_C(0x00400000)
#define XP_FRAME_RING_SIZE	UINT32_C(0x003fffff)
#define XP_FRAME_RING_MARK	UINT32_C(0x003fffff) /* no frame: see xp_frame_ring_mark() */

#define XP_FRAME_LINE_BYTES 60u
#define XP_FRAME_LINES_MIN  4u
#define XP_FRAME_LINES_MAX  4096u

/** struct xp_frame_line - Writer: the producer; of the sleepers' bits: the consumer. */
struct xp_frame_line {
	_Alignas(XP_CACHELINE) _Atomic uint32_t word;
	unsigned char bytes[XP_FRAME_LINE_BYTES];
};

_Static_assert(sizeof(struct xp_frame_line) == XP_CACHELINE,
	       "a line of the ring is one of the cache");

/** struct xp_frame_taken - Lines taken since the start. Writer: consumer, release. */
struct xp_frame_taken {
	_Alignas(XP_ISOLATION) _Atomic uint64_t lines;
};

/**
 * struct xp_frame_ring - One side's view, private to its process.
 * @count: Lines.
 * @at:    The line of the next frame.
 * @lap:   The lap of that line, where a word has it.
 * @moved: Lines put (producer) or taken (consumer) so far.
 * @seen:  Producer: lines taken when it last looked.
 */
struct xp_frame_ring {
	struct xp_frame_line *lines;
	struct xp_frame_taken *taken;
	uint32_t count;
	uint32_t at;
	uint32_t lap;
	uint64_t moved;
	uint64_t seen;
};

/** xp_frame_ring_init() - Either side's view of a ring in zeroed memory. @count: LINES_MIN to LINES_MAX. */
void xp_frame_ring_init(struct xp_frame_ring *ring, struct xp_frame_line *lines, uint32_t count,
			struct xp_frame_taken *taken);

/** xp_frame_ring_max() - Bytes of the largest frame: it fills the ring. */
static inline size_t xp_frame_ring_max(const struct xp_frame_ring *ring)
{
	return (size_t)ring->count * XP_FRAME_LINE_BYTES;
}

/**
 * xp_frame_ring_put() - Publish one frame, the concatenation of @parts, @size bytes in all.
 * @ret_sleeps: What the consumer has announced: 0, ASLEEP or ELSEWHERE. Wake it.
 *
 * Progress: Wait-free; no system call.
 * Ordering: A release operation; pairs with xp_frame_ring_take().
 * Return:   0; -EMSGSIZE; -EAGAIN: the frames before it have not been taken; -EPROTO: garbage.
 */
XP_MUST_CHECK int xp_frame_ring_put(struct xp_frame_ring *ring, const struct iovec *parts,
				    size_t size, uint32_t *ret_sleeps);

/** xp_frame_ring_mark() - Publish, in place of a frame that is too large, that it comes in another way. */
XP_MUST_CHECK int xp_frame_ring_mark(struct xp_frame_ring *ring, uint32_t *ret_sleeps);

/** xp_frame_ring_ready() - Whether there is something to take, the cheapest way: to be polled. */
static inline bool xp_frame_ring_ready(const struct xp_frame_ring *ring)
{
	uint32_t word = atomic_load_explicit(&ring->lines[ring->at].word, memory_order_acquire);

	return ((word ^ ring->lap) & XP_FRAME_RING_LAP) == 0;
}

/**
 * xp_frame_ring_take() - Copy the next frame out.
 * @room: Of @buffer; -EPROTO also where the frame is larger. xp_frame_ring_max() is always enough.
 *
 * Progress: Wait-free.
 * Ordering: An acquire operation; pairs with xp_frame_ring_put().
 * Return:   0; 1 a mark; -EAGAIN nothing is there; -EPROTO garbage: the ring is unusable.
 */
XP_MUST_CHECK int xp_frame_ring_take(struct xp_frame_ring *ring, void *buffer, size_t room,
				     size_t *ret_size);

/**
 * xp_frame_ring_announce() - Say that the consumer is about to sleep, and how.
 * @how:      ASLEEP or ELSEWHERE; it takes the place of what was said before.
 * @ret_word: The word that the next put replaces: what a sleeper on a futex expects to see.
 *
 * Progress: Wait-free: a peer that keeps the word changing is told apart by nothing but that, and gets false.
 * Return: Whether to sleep; false: something is there, or the peer plays with the word: look again.
 */
XP_MUST_CHECK bool xp_frame_ring_announce(struct xp_frame_ring *ring, uint32_t how,
					  uint32_t *ret_word);

/** xp_frame_ring_word() - The word that the next put replaces, for a sleeper on a futex. */
static inline _Atomic uint32_t *xp_frame_ring_word(const struct xp_frame_ring *ring)
{
	return &ring->lines[ring->at].word;
}

#endif
