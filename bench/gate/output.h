/* SPDX-License-Identifier: MIT */
/*
 * output - a file that is whole or not there
 *
 * Overview      Written under a temporary name beside its place, flushed to the disk, and renamed
 *               only when every write has succeeded: an interruption or a full disk leaves what was
 *               there before. A target that is no regular file (/dev/stdout, a pipe) is written to
 *               directly, and errors are found all the same. "-" is standard output.
 */
#ifndef GATE_OUTPUT_H
#define GATE_OUTPUT_H

#include "xpshare/base/err.h"

#include <stdbool.h>
#include <stdio.h>

struct xg_output {
	FILE *file;
	char *path;
	char *temporary; /* NULL where the target is written directly */
};

/** xg_output_open() - Begin to write @path. Return: 0, -errno. */
XP_MUST_CHECK int xg_output_open(struct xg_output *output, const char *path);

/** xg_output_commit() - End it: all is written and in its place, or nothing is. 0, -errno. */
XP_MUST_CHECK int xg_output_commit(struct xg_output *output);

/** xg_output_drop() - Give up; accepts a zeroed or committed one. */
void xg_output_drop(struct xg_output *output);

/** xg_output_append() - Add @line to the end of @path in one write, and flush it to the disk. The
 * file is not extended where not all of it could be written. Return: 0, -errno. */
XP_MUST_CHECK int xg_output_append(const char *path, const char *line);

#endif
