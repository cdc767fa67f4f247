/* SPDX-License-Identifier: MIT */
/*
 * leak - what a process holds, before and after
 *
 * Overview      Takes stock of this process: open descriptors, threads, shared mappings, children; and
 *               of a folder: its names. The difference between two stocks is what was left behind, in
 *               words. Threads that have been joined may still be on their way out of the kernel's
 *               list, so the second look is repeated for a while before it counts.
 */
#ifndef CONFORMANCE_LEAK_H
#define CONFORMANCE_LEAK_H

#include "xpshare/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define XC_STOCK_FDS 1024

struct xc_stock {
	bool fd[XC_STOCK_FDS];
	int threads;
	int mappings;
};

/** xc_stock_take() - What this process holds now. */
void xc_stock_take(struct xc_stock *ret_stock);

/**
 * xc_stock_differs() - Whether this process holds more than it did at @before, or has children left.
 * @text: What it is, one line, @size bytes.
 */
bool xc_stock_differs(const struct xc_stock *before, char *text, size_t size);

/** xc_folder_has() - Whether there is any name in the folder @path; the names in @text. */
bool xc_folder_has(const char *path, char *text, size_t size);

#endif
