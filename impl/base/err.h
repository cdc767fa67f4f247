/* SPDX-License-Identifier: MIT */
/*
 * err - how every function of the library says what went wrong
 *
 * A function returns 0 or a negative errno value; where a count is the answer it returns the count.
 * Output parameters come last, are named ret_x, and are untouched on failure. errno is never set.
 * The library never prints and never exits; only an xp_assert, a programmer's error, ends the
 * process.
 *
 * Fixed meanings, the same in every room:
 *   -EAGAIN          would block, or not ready yet       -EBUSY      lock held (try)
 *   -ETIMEDOUT       the deadline passed                 -EPIPE      the peer closed
 *   -EOWNERDEAD      the owner died; the caller holds it -ECONNRESET the manager is gone
 *   -ENOTRECOVERABLE the object cannot be repaired       -EPROTO     a frame or segment is malformed
 *   -ESTALE          the referent is gone                -ECANCELED  the barrier is broken
 *   -EDEADLK         the caller would wait for itself    -EPERM      the caller does not own it
 *   -EMSGSIZE        larger than the object's limit      -ENOTSUP    capability absent (UNSUPPORTED)
 *   -EACCES          authentication failed               -EOVERFLOW  a stated count would overflow
 *   -EREMOTEIO       the manager raised an exception     -EUSERS     it has no place for one more
 */
#ifndef XPSHARE_BASE_ERR_H
#define XPSHARE_BASE_ERR_H

#include <errno.h>

#define XP_MUST_CHECK __attribute__((warn_unused_result))

/* Bytes that two writers must keep between them: two lines, since the prefetcher fetches pairs. */
#define XP_ISOLATION 128
#define XP_CACHELINE 64

/**
 * xp_assert() - End the process with a line on standard error if @condition is false.
 *
 * For programmer errors only (use after fini, a broken precondition), never for input. It stays on
 * in release builds: a corrupted shared object must not be used one instruction longer.
 */
#define xp_assert(condition) \
	((condition) ? (void)0 : xp_assert_failed(#condition, __FILE__, __LINE__))

_Noreturn void xp_assert_failed(const char *condition, const char *file, int line);

#endif
