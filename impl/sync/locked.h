/* SPDX-License-Identifier: MIT */
/*
 * locked - values and arrays that carry a recursive lock
 *
 * Overview      value/locked and array/locked: what multiprocessing.Value and Array are. Every access
 *               takes the lock, so none is torn whatever its size; the user takes it around a
 *               read-modify-write. A value is an array of one item here.
 * Use           struct xp_value and struct xp_array; their @lock is get_lock(). With params.lock the
 *               caller's own lock is used, which should be recursive and outlive the object; with
 *               NULL the object makes one (rlock/futex).
 * Memory        In shared memory: the lock, the journal, the items; and behind them room for a copy
 *               of the items, which is what all-or-nothing costs. Length and item size are private
 *               to each process.
 * Invariants    (1) A store that is more than one machine access is written to the journal first;
 *                   the journal is valid while its @count is not zero.
 *               (2) Whoever acquires the lock and finds the journal valid copies it into place: its
 *                   writer has died.
 * Why it is correct
 *               A process killed while it fills the journal leaves it invalid and the items old; one
 *               killed after that leaves it valid, and the copy, which may be made any number of
 *               times, gives the new items. So a store or a block copied in is all or nothing.
 * Death         Of a holder: the next acquire of the lock by a user says -EOWNERDEAD. An access in
 *               between goes on and passes that message on, but with a lock of the caller's it is
 *               the access that has used it up.
 */
#ifndef XPSHARE_SYNC_LOCKED_H
#define XPSHARE_SYNC_LOCKED_H

#include "xpshare/kind/object.h"

extern const struct xp_impl xp_impl_value_locked;
extern const struct xp_impl xp_impl_array_locked;

#endif
