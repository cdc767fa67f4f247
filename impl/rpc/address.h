/* SPDX-License-Identifier: MIT */
/*
 * address - where a manager listens
 *
 * Forms         "unix:/path", "unix:@abstract", "tcp:host:port", "tcp:[v6]:port"; and what Python calls
 *               an address: "/path", "@abstract", "host:port". And "fd:N", a descriptor that this process
 *               has inherited: of a socket that listens, or of a door (rpc/door.h).
 */
#ifndef XPSHARE_RPC_ADDRESS_H
#define XPSHARE_RPC_ADDRESS_H

#include "xpshare/rpc/datum.h"

#include <sys/socket.h>

/* Bytes that any text form fits, with its NUL. */
#define XP_ADDRESS_TEXT 160

struct xp_address {
	struct sockaddr_storage storage;
	socklen_t size;
};

/** xp_address_parse() - From the forms above. A host name is looked up, which may block.
 *  Return: 0; -EINVAL malformed; -ENOENT no such host; -ENAMETOOLONG a path beyond a socket's limit. */
XP_MUST_CHECK int xp_address_parse(const char *text, struct xp_address *ret_address);

/** xp_address_of_fd() - "fd:N". The descriptor stays the caller's, until a server listens on it. */
struct xp_address xp_address_of_fd(int fd);
/** xp_address_fd() - The descriptor of such an address; -1 of all others. */
int xp_address_fd(const struct xp_address *address);

/** xp_address_format() - The canonical text form, e.g. "unix:/run/x", "tcp:127.0.0.1:4711".
 *  Return: its length; -ENOSPC where @size is too small, which XP_ADDRESS_TEXT never is. */
int xp_address_format(const struct xp_address *address, char *buffer, size_t size);

/** xp_address_datum() - As Python has it in a Token: a str path, bytes for an abstract name, a tuple
 *  (host, port), a str "fd:N". NULL: the arena is exhausted. */
struct xp_datum *xp_address_datum(const struct xp_address *address, struct xp_datum_arena *arena);

/** xp_address_path() - The path of the socket file, NULL where there is none. */
const char *xp_address_path(const struct xp_address *address);

#endif
