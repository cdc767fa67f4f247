/* SPDX-License-Identifier: MIT */
/*
 * show_main - `xpmanager --stats`: ask a manager that runs what it has counted, and print it
 *
 * Part of the program xpmanager, not of the library: it prints.
 */
#ifndef XPSHARE_MANAGER_SHOW_MAIN_H
#define XPSHARE_MANAGER_SHOW_MAIN_H

#include "xpshare/rpc/address.h"

/** xp_show_stats() - Print the counters of the manager at @address (stats.h), as a table or, with @json,
 *  as one JSON object. Return: the exit status; a failure has been told on standard error. */
int xp_show_stats(const struct xp_address *address, const void *key, size_t key_size, bool json);

#endif
