/* SPDX-License-Identifier: MIT */
/*
 * segment_fuzz - what the fuzz target of a segment tells the program that drives it
 */
#ifndef CONFORMANCE_SEGMENT_FUZZ_H
#define CONFORMANCE_SEGMENT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** struct fuzz_counts - What has been done so far in this process. */
struct fuzz_counts {
	uint64_t inputs, operations, writes, refused, opened;
};

extern struct fuzz_counts fuzz_counts;

#endif
