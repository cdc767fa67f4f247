/* SPDX-License-Identifier: MIT */
/*
 * pickle_names - what Python 3 calls the classes and functions of Python 2, and the other way round
 *
 * Private to the room. The mapping is that of CPython's _compat_pickle: a name that moved by itself
 * first, else the module that it is in. Pickles of protocol 2 and below use the names of Python 2,
 * whoever wrote them.
 */
#ifndef XPSHARE_RPC_PICKLE_NAMES_H
#define XPSHARE_RPC_PICKLE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* A name, as slices; the text of a result is constant. */
struct xp_pickle_name {
	const char *module;
	size_t module_size;
	const char *name;
	size_t name_size;
};

/* Map @name in place. Return: whether it changed. */
bool xp_pickle_name_to_python3(struct xp_pickle_name *name);
bool xp_pickle_name_to_python2(struct xp_pickle_name *name);

#endif
