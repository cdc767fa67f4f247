/* SPDX-License-Identifier: MIT */
/* What the managed kinds have in common, and the three that are used as plain proxies. */
#include "xpshare/manager/proxy_kind.h"

#include "xpshare/base/clock.h"
#include "xpshare/manager/link.h"

#include <string.h>

int xp_wait_plan_init(struct xp_wait_plan *plan, struct xp_proxy *proxy,
		      const struct timespec *deadline)
{
	int64_t left = xp_deadline_ns(deadline);

	if (!deadline) {
		plan->timeout = xp_datum_none();
		plan->limit = XP_PROXY_FOREVER;
		return 0;
	}
	struct xp_datum_arena *arena = xp_proxy_arena(proxy);

	plan->timeout = arena ? xp_datum_float(arena, (double)left / (double)XP_NS_PER_SEC) : NULL;
	if (!plan->timeout)
		return -ENOMEM;
	plan->at = xp_deadline_after(left + xp_link_patience(xp_proxy_manager(proxy)));
	plan->limit = &plan->at;
	return 0;
}

int xp_managed_make(struct xp_place *place, const char *typeid_, size_t count,
		    const struct xp_datum *const *args, struct xp_object *ret_object)
{
	struct xp_proxy *proxy;
	int rc;

	if (!place->manager)
		return -ENOTSUP;
	rc = xp_proxy_create(place->manager, typeid_, count, args, NULL, &proxy, NULL);
	if (rc == 0)
		ret_object->owner = proxy;
	return rc;
}

void xp_managed_drop(struct xp_object *object)
{
	xp_proxy_drop(object->owner);
	object->owner = NULL;
}

/* ---- machine types ----------------------------------------------------------------------------- */

const struct xp_datum *xp_type_datum(struct xp_datum_arena *arena, enum xp_type type, size_t size,
				     const void *from)
{
#define INTEGER(id, ctype, make)                     \
	case XP_TYPE_##id: {                         \
		ctype value;                         \
		memcpy(&value, from, sizeof(value)); \
		return make(arena, value);           \
	}
	switch (type) {
	case XP_TYPE_BOOL:
		return xp_datum_bool(*(const unsigned char *)from != 0);
		INTEGER(CHAR, char, xp_datum_int)
		INTEGER(SCHAR, signed char, xp_datum_int)
		INTEGER(UCHAR, unsigned char, xp_datum_uint)
		INTEGER(WCHAR, wchar_t, xp_datum_int)
		INTEGER(SHORT, short, xp_datum_int)
		INTEGER(USHORT, unsigned short, xp_datum_uint)
		INTEGER(INT, int, xp_datum_int)
		INTEGER(UINT, unsigned int, xp_datum_uint)
		INTEGER(LONG, long, xp_datum_int)
		INTEGER(ULONG, unsigned long, xp_datum_uint)
		INTEGER(LLONG, long long, xp_datum_int)
		INTEGER(ULLONG, unsigned long long, xp_datum_uint)
		INTEGER(FLOAT, float, xp_datum_float)
		INTEGER(DOUBLE, double, xp_datum_float)
	case XP_TYPE_BYTES:
		return xp_datum_bytes(arena, from, size);
	default: /* a long double has no counterpart in Python */
		return NULL;
	}
#undef INTEGER
}

/* 64 bits of an integer, signed or not. */
static int to_bits(const struct xp_datum *value, bool is_signed, uint64_t *ret_bits)
{
	int64_t number;
	int rc = xp_datum_to_int64(value, &number);

	if (rc == 0) {
		*ret_bits = (uint64_t)number;
		return !is_signed && number < 0 ? -ERANGE : 0;
	}
	/* 2^63 and more: nine bytes, the last of them zero. */
	if (rc == -ERANGE && !is_signed && value->size == 9 && value->bytes[8] == 0) {
		memcpy(ret_bits, value->bytes, 8);
		return 0;
	}
	return rc;
}

static int store_integer(const struct xp_datum *value, bool is_signed, size_t size, void *to)
{
	uint64_t bits;
	int rc = to_bits(value, is_signed, &bits);

	if (rc < 0)
		return rc;
	if (size < 8) {
		int64_t high =
		    is_signed ? (int64_t)bits >> (8 * size - 1) : (int64_t)(bits >> 8 * size);

		if (high != 0 && !(is_signed && high == -1))
			return -ERANGE;
	}
	memcpy(to, &bits, size); /* little-endian, as every machine that this runs on */
	return 0;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers are cut to size by memcpy");

int xp_type_store(const struct xp_datum *value, enum xp_type type, size_t size, void *to)
{
	double real;
	float single;
	int rc;

	switch (type) {
	case XP_TYPE_BOOL:
		*(unsigned char *)to = xp_datum_truth(value);
		return 0;
	case XP_TYPE_CHAR:
	case XP_TYPE_SCHAR:
	case XP_TYPE_WCHAR:
	case XP_TYPE_SHORT:
	case XP_TYPE_INT:
	case XP_TYPE_LONG:
	case XP_TYPE_LLONG:
		return store_integer(value, type != XP_TYPE_CHAR || (char)-1 < 0,
				     xp_type_size(type), to);
	case XP_TYPE_UCHAR:
	case XP_TYPE_USHORT:
	case XP_TYPE_UINT:
	case XP_TYPE_ULONG:
	case XP_TYPE_ULLONG:
		return store_integer(value, false, xp_type_size(type), to);
	case XP_TYPE_FLOAT:
	case XP_TYPE_DOUBLE:
		rc = xp_datum_to_double(value, &real);
		if (rc < 0)
			return rc;
		single = (float)real;
		memcpy(to, type == XP_TYPE_FLOAT ? (const void *)&single : (const void *)&real,
		       xp_type_size(type));
		return 0;
	case XP_TYPE_BYTES:
		if (!xp_datum_is(value, XP_DATUM_BYTES) && !xp_datum_is(value, XP_DATUM_STR))
			return -EINVAL;
		if (value->size != size)
			return -ERANGE;
		memcpy(to, value->bytes, size);
		return 0;
	default:
		return -ENOTSUP;
	}
}

/* ---- list, dict, namespace: proxies as they are ------------------------------------------------- */

static int make_plain(const struct xp_impl *impl, struct xp_place *place,
		      const struct xp_params *params, struct xp_object *ret_object)
{
	const char *typeid_ =
	    impl->kind == XP_KIND_NAMESPACE ? "Namespace" : xp_kind_name(impl->kind);
	int rc = xp_managed_make(place, typeid_, 0, NULL, ret_object);

	(void)params;
	if (rc == 0)
		ret_object->as.proxy = ret_object->owner;
	return rc;
}

const struct xp_impl xp_impl_list_managed = {
    .name = "list/managed",
    .title = "a list in a manager process",
    .kind = XP_KIND_LIST,
    .scope = XP_SCOPE_MANAGED,
    .caps = XP_CAP_ROBUST,
    .make = make_plain,
    .drop = xp_managed_drop,
};

const struct xp_impl xp_impl_dict_managed = {
    .name = "dict/managed",
    .title = "a dict in a manager process",
    .kind = XP_KIND_DICT,
    .scope = XP_SCOPE_MANAGED,
    .caps = XP_CAP_ROBUST,
    .make = make_plain,
    .drop = xp_managed_drop,
};

const struct xp_impl xp_impl_namespace_managed = {
    .name = "namespace/managed",
    .title = "a Namespace in a manager process",
    .kind = XP_KIND_NAMESPACE,
    .scope = XP_SCOPE_MANAGED,
    .caps = XP_CAP_ROBUST,
    .make = make_plain,
    .drop = xp_managed_drop,
};
