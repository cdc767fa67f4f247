/* SPDX-License-Identifier: MIT */
/*
 * fingerprint - what makes figures of one machine meaningless on another
 *
 * Read from the kernel; a field that cannot be read is absent. No field names the machine or its
 * owner: two machines of the same kind, kernel and settings have the same fingerprint.
 */
#ifndef GATE_FINGERPRINT_H
#define GATE_FINGERPRINT_H

#include "xpshare/base/err.h"

#include <jansson.h>
#include <stddef.h>

/** xg_fingerprint() - Of this machine now; the caller owns it. NULL: no memory. */
json_t *xg_fingerprint(void);

/**
 * xg_fingerprint_diff() - The fields in which @one and @other differ, "cpu: X, was Y; ...".
 * Return: how many; 0 leaves @ret_text empty.
 */
size_t xg_fingerprint_diff(const json_t *one, const json_t *other, char *ret_text, size_t size);

#endif
