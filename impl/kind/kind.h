/* SPDX-License-Identifier: MIT */
/*
 * kind - the kinds of object, the scopes that they live in, and the machine types
 *
 * The names are X-macros, so that a table, a parser and a report can never disagree with the enum.
 */
#ifndef XPSHARE_KIND_KIND_H
#define XPSHARE_KIND_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

/* X(ENUM, "name"): the kinds of the multiprocessing module (SPEC M2, M3, M4). */
#define XP_KIND_MAP(X)            \
	X(VALUE, "value")         \
	X(ARRAY, "array")         \
	X(PIPE, "pipe")           \
	X(QUEUE, "queue")         \
	X(JOINABLE, "joinable")   \
	X(LOCK, "lock")           \
	X(RLOCK, "rlock")         \
	X(SEMAPHORE, "semaphore") \
	X(BOUNDED, "bounded")     \
	X(CONDITION, "condition") \
	X(EVENT, "event")         \
	X(BARRIER, "barrier")     \
	X(LIST, "list")           \
	X(DICT, "dict")           \
	X(NAMESPACE, "namespace")

/* X(ENUM, "name", "where it lives"): the three modes (SPEC M1). */
#define XP_SCOPE_MAP(X)                                                  \
	X(SHM, "shm", "bytes that both sides map")                       \
	X(INHERITED, "inherited", "made before fork, kept by the child") \
	X(MANAGED, "managed", "lives in a server process, reached by proxy")

/* X(ENUM, C type, "name", typecode of Python's array module or 0): every C arithmetic type. */
#define XP_TYPE_MAP(X)                                           \
	X(BOOL, _Bool, "bool", '?')                              \
	X(CHAR, char, "char", 'c')                               \
	X(SCHAR, signed char, "signed char", 'b')                \
	X(UCHAR, unsigned char, "unsigned char", 'B')            \
	X(WCHAR, wchar_t, "wchar_t", 'u')                        \
	X(SHORT, short, "short", 'h')                            \
	X(USHORT, unsigned short, "unsigned short", 'H')         \
	X(INT, int, "int", 'i')                                  \
	X(UINT, unsigned int, "unsigned int", 'I')               \
	X(LONG, long, "long", 'l')                               \
	X(ULONG, unsigned long, "unsigned long", 'L')            \
	X(LLONG, long long, "long long", 'q')                    \
	X(ULLONG, unsigned long long, "unsigned long long", 'Q') \
	X(FLOAT, float, "float", 'f')                            \
	X(DOUBLE, double, "double", 'd')                         \
	X(LDOUBLE, long double, "long double", 0)

#define X(id, name) XP_KIND_##id,
enum xp_kind { XP_KIND_MAP(X) XP_KIND_COUNT };
#undef X

#define X(id, name, text) XP_SCOPE_##id,
enum xp_scope { XP_SCOPE_MAP(X) XP_SCOPE_COUNT };
#undef X

/* XP_TYPE_BYTES is a struct of a fixed size that the caller states. */
#define X(id, type, name, code) XP_TYPE_##id,
enum xp_type { XP_TYPE_MAP(X) XP_TYPE_BYTES, XP_TYPE_COUNT };
#undef X

/** xp_kind_name() - "lock" for XP_KIND_LOCK; NULL outside the enum. */
static inline const char *xp_kind_name(enum xp_kind kind)
{
#define X(id, name) name,
	static const char *const names[] = {XP_KIND_MAP(X)};
#undef X
	return (unsigned)kind < XP_KIND_COUNT ? names[kind] : NULL;
}

/** xp_scope_name() - "shm" for XP_SCOPE_SHM; NULL outside the enum. */
static inline const char *xp_scope_name(enum xp_scope scope)
{
#define X(id, name, text) name,
	static const char *const names[] = {XP_SCOPE_MAP(X)};
#undef X
	return (unsigned)scope < XP_SCOPE_COUNT ? names[scope] : NULL;
}

/** xp_type_name() - "unsigned short" for XP_TYPE_USHORT, "bytes" for XP_TYPE_BYTES. */
static inline const char *xp_type_name(enum xp_type type)
{
#define X(id, ctype, name, code) name,
	static const char *const names[] = {XP_TYPE_MAP(X) "bytes"};
#undef X
	return (unsigned)type < XP_TYPE_COUNT ? names[type] : NULL;
}

/** xp_type_size() - sizeof the C type; 0 for XP_TYPE_BYTES, whose size the caller states. */
static inline size_t xp_type_size(enum xp_type type)
{
#define X(id, ctype, name, code) sizeof(ctype),
	static const size_t sizes[] = {XP_TYPE_MAP(X) 0};
#undef X
	return (unsigned)type < XP_TYPE_COUNT ? sizes[type] : 0;
}

#endif
