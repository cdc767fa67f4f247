/* SPDX-License-Identifier: MIT */
/*
 * payload - what a stream carries, so that the receiver can prove that it has read all of it
 *
 * Every 8 bytes of an item are its number plus their position: the sender writes each word, the
 * receiver adds them all up and compares with the sum that the number implies.
 */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** xb_payload_write() - Fill @size bytes (a multiple of 8) for item @number. */
static inline void xb_payload_write(void *item, size_t size, uint64_t number)
{
	uint64_t *word = item;

	for (size_t i = 0; i < size / 8; i++)
		word[i] = number + i;
}

/** xb_payload_right() - Whether @item is what xb_payload_write() made of @number; reads all of it. */
static inline int xb_payload_right(const void *item, size_t size, uint64_t number)
{
	const uint64_t *word = item;
	uint64_t n = size / 8, sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += word[i];
	return sum == n * number + n * (n - 1) / 2;
}

#endif
