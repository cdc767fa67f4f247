/* SPDX-License-Identifier: MIT */
/*
 * array - a fixed number of machine values in shared memory, without a lock
 *
 * Overview      array/raw, an implementation of the contract of kind/array.h. array/locked needs a
 *               lock and therefore lives in sync/array_locked.h.
 * Memory        The items lie one after the other at their natural distance, as in C. Length and
 *               item size are in the private memory of each process: a peer cannot move the bounds.
 * Why it is correct
 *               Each item is accessed like a value (value.h): of 1, 2, 4 or 8 bytes never torn, in
 *               block copies too. A block as a whole is not atomic.
 * Death         Of a process in a copy: each item of up to 8 bytes is old or new.
 */
#ifndef XPSHARE_SHM_ARRAY_H
#define XPSHARE_SHM_ARRAY_H

#include "xpshare/shm/value.h"

extern const struct xp_impl xp_impl_array_raw;

/** xp_array_items() - The first item behind a handle of array/raw, for the typed accessors. */
void *xp_array_items(const struct xp_array *array);

/**
 * xp_items_load() - Copy @count shared items of @size bytes out; items of up to 8 bytes untorn.
 * xp_items_store() - Copy them in. Acquire and release as xp_cell_load() and xp_cell_store().
 */
void xp_items_load(void *ret_items, const void *cells, size_t count, size_t size);
void xp_items_store(void *cells, const void *items, size_t count, size_t size);

#endif
