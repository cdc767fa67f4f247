/* SPDX-License-Identifier: MIT */
/*
 * value - machine values in shared memory, without a lock
 *
 * Overview      Two implementations of the contract of kind/value.h: value/raw has load and store,
 *               value/atomic adds exchange, fetch_add and compare_exchange for what the machine can
 *               change in one step (1, 2, 4 or 8 bytes). value/locked needs a lock and therefore
 *               lives in sync/value_locked.h.
 * Use           Through struct xp_value, or, where nanoseconds count, by the typed functions below
 *               on the cell itself: xp_value_load_INT(cell), xp_value_store_DOUBLE(cell, 0.5), one
 *               set for each name of XP_TYPE_MAP. xp_value_cell() gives the cell of a handle.
 * Memory        A cell is the C object itself, naturally aligned, alone on its lines. The handle's
 *               self is private to the process; nothing but the value is in shared memory, so no
 *               peer can mislead another by garbage: it can only write another value.
 * Why it is correct
 *               A load or store of 1, 2, 4 or 8 aligned bytes is one C11 atomic access (acquire,
 *               release): never torn, and what was written before a store is visible after the load
 *               that sees it. Anything larger is copied byte for byte and may be torn.
 * Death         Of a process in any call: the value is the old or the new one; one of more than 8
 *               bytes may be a mixture.
 */
#ifndef XPSHARE_SHM_VALUE_H
#define XPSHARE_SHM_VALUE_H

#include "xpshare/kind/object.h"

#include <stdatomic.h>
#include <string.h>

/* The largest value or array item: a bound for absurd parameters, not for any real struct. */
#define XP_ITEM_SIZE_MAX ((size_t)1 << 20)

/* Shared memory has no declared type: these may alias what the user keeps there. */
#define XP_CELL_WIDTHS(X) X(1, uint8_t) X(2, uint16_t) X(4, uint32_t) X(8, uint64_t)
#define X(width, word)	  typedef word __attribute__((may_alias)) xp_cell_##width;
XP_CELL_WIDTHS(X)
#undef X

/** xp_cell_is_atomic() - Whether the machine reads and writes @size aligned bytes in one step. */
static inline bool xp_cell_is_atomic(size_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

/** xp_cell_load() - Copy a cell out; one instruction where @size is a constant up to 8. */
static inline __attribute__((always_inline)) void xp_cell_load(const void *cell, size_t size,
							       void *ret_value)
{
	switch (size) {
#define X(width, word)                                                                        \
	case width: {                                                                         \
		word bits = __atomic_load_n((const xp_cell_##width *)cell, __ATOMIC_ACQUIRE); \
		memcpy(ret_value, &bits, width);                                              \
		break;                                                                        \
	}
		XP_CELL_WIDTHS(X)
#undef X
	default:
		memcpy(ret_value, cell, size);
		atomic_thread_fence(memory_order_acquire);
	}
}

/** xp_cell_store() - Copy a value in; one instruction where @size is a constant up to 8. */
static inline __attribute__((always_inline)) void xp_cell_store(void *cell, size_t size,
								const void *value)
{
	switch (size) {
#define X(width, word)                                                             \
	case width: {                                                              \
		word bits;                                                         \
		memcpy(&bits, value, width);                                       \
		__atomic_store_n((xp_cell_##width *)cell, bits, __ATOMIC_RELEASE); \
		break;                                                             \
	}
		XP_CELL_WIDTHS(X)
#undef X
	default:
		atomic_thread_fence(memory_order_release);
		memcpy(cell, value, size);
	}
}

/** xp_cell_exchange() - Replace an atomic cell; false, and nothing done, for another size. */
static inline __attribute__((always_inline)) bool xp_cell_exchange(void *cell, size_t size,
								   const void *value, void *ret_old)
{
	switch (size) {
#define X(width, word)                                                                       \
	case width: {                                                                        \
		word bits;                                                                   \
		memcpy(&bits, value, width);                                                 \
		bits = __atomic_exchange_n((xp_cell_##width *)cell, bits, __ATOMIC_ACQ_REL); \
		memcpy(ret_old, &bits, width);                                               \
		return true;                                                                 \
	}
		XP_CELL_WIDTHS(X)
#undef X
	default:
		return false;
	}
}

/**
 * xp_cell_compare_exchange() - Replace an atomic cell if it holds *@expected, byte for byte.
 * Return: true if replaced; else false with the present value in *@expected.
 */
static inline __attribute__((always_inline)) bool
xp_cell_compare_exchange(void *cell, size_t size, void *expected, const void *desired)
{
	switch (size) {
#define X(width, word)                                                                       \
	case width: {                                                                        \
		word have, want;                                                             \
		memcpy(&have, expected, width);                                              \
		memcpy(&want, desired, width);                                               \
		bool done =                                                                  \
		    __atomic_compare_exchange_n((xp_cell_##width *)cell, &have, want, false, \
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);         \
		memcpy(expected, &have, width);                                              \
		return done;                                                                 \
	}
		XP_CELL_WIDTHS(X)
#undef X
	default:
		return false;
	}
}

/* xp_value_load_ID(cell) and xp_value_store_ID(cell, value) for every type of XP_TYPE_MAP. */
#define X(id, ctype, name, code)                                        \
	static inline ctype xp_value_load_##id(const void *cell)        \
	{                                                               \
		ctype value;                                            \
		xp_cell_load(cell, sizeof(value), &value);              \
		return value;                                           \
	}                                                               \
	static inline void xp_value_store_##id(void *cell, ctype value) \
	{                                                               \
		xp_cell_store(cell, sizeof(value), &value);             \
	}
XP_TYPE_MAP(X)
#undef X

/**
 * xp_item_size() - Bytes of one value or array item as @params ask for it.
 * Return: 0; -EINVAL for a type outside the enum and for a size of 0 or above XP_ITEM_SIZE_MAX.
 */
XP_MUST_CHECK int xp_item_size(const struct xp_params *params, size_t *ret_size);

/* The implementations, for the catalogue. */
extern const struct xp_impl xp_impl_value_raw;
extern const struct xp_impl xp_impl_value_atomic;

/** xp_value_cell() - The cell behind a handle of value/raw or value/atomic. */
void *xp_value_cell(const struct xp_value *value);

#endif
