/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define PATH_AT offsetof(struct sockaddr_un, sun_path)

static int parse_unix(const char *path, struct xp_address *ret_address)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	bool abstract = path[0] == '@';

	if (length <= (abstract ? 1 : 0))
		return -EINVAL;
	/* A path needs its NUL within the limit; an abstract name has one in front instead. */
	if (length + !abstract > sizeof(name.sun_path))
		return -ENAMETOOLONG;
	memcpy(name.sun_path, path, length);
	if (abstract)
		name.sun_path[0] = 0;
	struct xp_address address = {.size = (socklen_t)(PATH_AT + length + !abstract)};
	memcpy(&address.storage, &name, sizeof(name));
	*ret_address = address;
	return 0;
}

static int parse_tcp(const char *text, struct xp_address *ret_address)
{
	char host[256];
	const char *end = text[0] == '[' ? strchr(text, ']') : strrchr(text, ':');
	const char *start = text[0] == '[' ? text + 1 : text;
	const char *port = end && *end == ']' ? end + 1 : end;

	if (!port || *port != ':' || (size_t)(end - start) >= sizeof(host) || end == start)
		return -EINVAL;
	port++;
	if (!*port || strspn(port, "0123456789") != strlen(port) || strlen(port) > 5)
		return -EINVAL;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = 0;
	/* An IPv6 address outside brackets could end anywhere. */
	if (text[0] != '[' && strchr(host, ':'))
		return -EINVAL;

	struct addrinfo hints = {
	    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found;
	int rc = getaddrinfo(host, port, &hints, &found);
	if (rc != 0)
		return rc == EAI_MEMORY ? -ENOMEM : -ENOENT;
	struct xp_address address = {.size = found->ai_addrlen};
	memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	*ret_address = address;
	return 0;
}

/* An address without a family holds a descriptor; one that is all zero holds nothing. */
struct fd_name {
	sa_family_t family;
	int fd;
};

struct xp_address xp_address_of_fd(int fd)
{
	struct xp_address address = {.size = sizeof(struct fd_name)};
	struct fd_name name = {.family = AF_UNSPEC, .fd = fd};

	memcpy(&address.storage, &name, sizeof(name));
	return address;
}

int xp_address_fd(const struct xp_address *address)
{
	struct fd_name name;

	memcpy(&name, &address->storage, sizeof(name));
	return name.family == AF_UNSPEC && address->size == sizeof(name) ? name.fd : -1;
}

static int parse_fd(const char *digits, struct xp_address *ret_address)
{
	int fd = 0;

	if (!*digits || strspn(digits, "0123456789") != strlen(digits) || strlen(digits) > 9)
		return -EINVAL;
	for (; *digits; digits++)
		fd = 10 * fd + (*digits - '0');
	*ret_address = xp_address_of_fd(fd);
	return 0;
}

int xp_address_parse(const char *text, struct xp_address *ret_address)
{
	if (!strncmp(text, "fd:", 3))
		return parse_fd(text + 3, ret_address);
	if (!strncmp(text, "unix:", 5))
		return parse_unix(text + 5, ret_address);
	if (!strncmp(text, "tcp:", 4))
		return parse_tcp(text + 4, ret_address);
	if (text[0] == '@' || strchr(text, '/'))
		return parse_unix(text, ret_address);
	return parse_tcp(text, ret_address);
}

/* The name of an AF_UNIX address and its length; an abstract one begins with a NUL. */
static const char *unix_name(const struct xp_address *address, size_t *ret_size)
{
	const struct sockaddr_un *name =
	    (const struct sockaddr_un *)(const void *)&address->storage;
	size_t size = address->size > PATH_AT ? address->size - PATH_AT : 0;

	if (size > 0 && name->sun_path[0])
		size = strnlen(name->sun_path, size);
	*ret_size = size;
	return name->sun_path;
}

/* Host and port of a TCP address. */
static unsigned tcp_name(const struct xp_address *address, char host[INET6_ADDRSTRLEN])
{
	const void *storage = &address->storage;

	host[0] = 0;
	if (address->storage.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = storage;
		inet_ntop(AF_INET6, &in6->sin6_addr, host, INET6_ADDRSTRLEN);
		return ntohs(in6->sin6_port);
	}
	const struct sockaddr_in *in = storage;
	inet_ntop(AF_INET, &in->sin_addr, host, INET6_ADDRSTRLEN);
	return ntohs(in->sin_port);
}

int xp_address_format(const struct xp_address *address, char *buffer, size_t size)
{
	char host[INET6_ADDRSTRLEN];
	size_t length;
	int wrote;

	if (xp_address_fd(address) >= 0) {
		wrote = snprintf(buffer, size, "fd:%d", xp_address_fd(address));
	} else if (address->storage.ss_family == AF_UNIX) {
		const char *name = unix_name(address, &length);
		bool abstract = length > 0 && !name[0];
		wrote = snprintf(buffer, size, "unix:%s%.*s", abstract ? "@" : "",
				 (int)(length - abstract), name + abstract);
	} else {
		unsigned port = tcp_name(address, host);
		bool six = address->storage.ss_family == AF_INET6;
		wrote = snprintf(buffer, size, "tcp:%s%s%s:%u", six ? "[" : "", host,
				 six ? "]" : "", port);
	}
	return wrote < 0 || (size_t)wrote >= size ? -ENOSPC : wrote;
}

struct xp_datum *xp_address_datum(const struct xp_address *address, struct xp_datum_arena *arena)
{
	char host[INET6_ADDRSTRLEN];
	size_t size;

	if (xp_address_fd(address) >= 0)
		return xp_datum_strf(arena, "fd:%d", xp_address_fd(address));
	if (address->storage.ss_family == AF_UNIX) {
		const char *name = unix_name(address, &size);
		return size > 0 && name[0] ? xp_datum_str_n(arena, name, size)
					   : xp_datum_bytes(arena, name, size);
	}
	unsigned port = tcp_name(address, host);
	return xp_datum_tuple(
	    arena, 2,
	    (const struct xp_datum *const[]){xp_datum_str(arena, host), xp_datum_int(arena, port)});
}

const char *xp_address_path(const struct xp_address *address)
{
	size_t size;

	if (address->storage.ss_family != AF_UNIX)
		return NULL;
	const char *name = unix_name(address, &size);
	return size > 0 && name[0] ? name : NULL;
}
