/* SPDX-License-Identifier: MIT */
/* The kinds that only a server process can share: list, dict and namespace, through their proxies. */
#include "conformance/cases/cases.h"

#include "xpshare/manager/proxy.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LIST	  XC_KIND(LIST)
#define DICT	  XC_KIND(DICT)
#define NAMESPACE XC_KIND(NAMESPACE)
#define CROWD	  3

/* One call: a method, its arguments as a string of letters (i: int, s: text, f: double, b: bool) that the
 * rest gives, and what comes back as text: "42", "abc", "True", "None", "[3]" for a container's length,
 * or "!KeyError" for an exception. */
static void call(struct xp_proxy *proxy, char answer[128], const char *method, const char *letters,
		 ...)
{
	const struct xp_datum *args[4], *value = NULL;
	struct xp_datum_arena *arena = xp_proxy_arena(proxy);
	struct xp_remote_error error = {0};
	va_list list;
	size_t count = 0;

	va_start(list, letters);
	for (; letters[count]; count++) {
		switch (letters[count]) {
		case 'i':
			args[count] = xp_datum_int(arena, va_arg(list, int));
			break;
		case 'f':
			args[count] = xp_datum_float(arena, va_arg(list, double));
			break;
		case 'b':
			args[count] = xp_datum_bool(va_arg(list, int));
			break;
		case 'l':
			args[count] = xp_datum_list(arena, 0, NULL);
			break;
		default:
			args[count] = xp_datum_str(arena, va_arg(list, const char *));
		}
	}
	va_end(list);
	int rc = xp_proxy_call(proxy, method, count, args, NULL, &value, &error);
	if (rc == -EREMOTEIO) {
		const char *dot = strrchr(error.type, '.');
		snprintf(answer, 128, "!%s", dot ? dot + 1 : error.type);
	} else if (rc < 0) {
		snprintf(answer, 128, "-%s", strerrorname_np(-rc));
	} else if (value->kind == XP_DATUM_INT) {
		snprintf(answer, 128, "%ld", (long)value->integer);
	} else if (value->kind == XP_DATUM_FLOAT) {
		snprintf(answer, 128, "%g", value->real);
	} else if (value->kind == XP_DATUM_BOOL) {
		snprintf(answer, 128, "%s", value->integer ? "True" : "False");
	} else if (value->kind == XP_DATUM_STR) {
		snprintf(answer, 128, "%.*s", (int)value->size, value->bytes);
	} else if (value->kind == XP_DATUM_NONE) {
		snprintf(answer, 128, "None");
	} else {
		snprintf(answer, 128, "[%zu]", value->count);
	}
}

/* The call must come back with @want. */
#define CALL(cc, proxy, want, ...)                                                              \
	do {                                                                                    \
		char answer_[128];                                                              \
		call(proxy, answer_, __VA_ARGS__);                                              \
		if (strcmp(answer_, want) != 0)                                                 \
			return xc_fail(cc, "call(" #__VA_ARGS__ ") gives " want, "it gives %s", \
				       answer_);                                                \
	} while (0)

#define CALL_M(me, proxy, want, ...)                                                          \
	do {                                                                                  \
		char answer_[128];                                                            \
		call(proxy, answer_, __VA_ARGS__);                                            \
		XM_REQUIRE(me, strcmp(answer_, want) == 0, "call(" #__VA_ARGS__ ") gives %s", \
			   answer_);                                                          \
	} while (0)

/* ---- list ------------------------------------------------------------------------------------- */

static int list_other(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	CALL_M(me, arg, "2", "__len__", "");
	CALL_M(me, arg, "one", "__getitem__", "i", 0);
	CALL_M(me, arg, "None", "__setitem__", "is", 0, "changed");
	CALL_M(me, arg, "None", "append", "i", 3);
	return 0;
}

static enum xc_verdict list_shared(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_proxy *list = object.as.proxy;
	CALL(cc, list, "None", "append", "s", "one");
	CALL(cc, list, "None", "append", "f", 2.5);
	XC_TRY(xc_start(cc, 1, list_other, list));
	XC_TRY(xc_join(cc));
	CALL(cc, list, "3", "__len__", "");
	CALL(cc, list, "changed", "__getitem__", "i", 0);
	CALL(cc, list, "3", "pop", "");
	return XC_PASS;
}

static enum xc_verdict list_python(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_proxy *list = object.as.proxy;
	for (int i = 0; i < 5; i++)
		CALL(cc, list, "None", "append", "i", i);
	CALL(cc, list, "4", "__getitem__", "i", -1);
	CALL(cc, list, "0", "__getitem__", "i", -5);
	CALL(cc, list, "None", "insert", "is", -1, "before the last");
	CALL(cc, list, "before the last", "__getitem__", "i", 4);
	CALL(cc, list, "None", "insert", "is", 100, "end");
	CALL(cc, list, "end", "pop", "");
	CALL(cc, list, "0", "pop", "i", 0);
	CALL(cc, list, "0", "index", "f", 1.0);
	CALL(cc, list, "1", "count", "b", 1);
	CALL(cc, list, "True", "__contains__", "f", 2.0);
	CALL(cc, list, "None", "reverse", "");
	CALL(cc, list, "4", "__getitem__", "i", 0);
	CALL(cc, list, "None", "remove", "s", "before the last");
	CALL(cc, list, "None", "sort", "");
	CALL(cc, list, "1", "__getitem__", "i", 0);
	CALL(cc, list, "[8]", "__mul__", "i", 2);
	CALL(cc, list, "4", "__len__", "");
	return XC_PASS;
}

static enum xc_verdict list_errors(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_proxy *list = object.as.proxy;
	CALL(cc, list, "!IndexError", "pop", "");
	CALL(cc, list, "None", "append", "i", 1);
	CALL(cc, list, "!IndexError", "__getitem__", "i", 1);
	CALL(cc, list, "!IndexError", "__getitem__", "i", -2);
	CALL(cc, list, "!IndexError", "__setitem__", "ii", 1, 1);
	CALL(cc, list, "!TypeError", "__getitem__", "s", "0");
	CALL(cc, list, "!ValueError", "remove", "i", 9);
	CALL(cc, list, "!ValueError", "index", "i", 9);
	CALL(cc, list, "None", "append", "s", "text");
	CALL(cc, list, "!TypeError", "sort", "");
	CALL(cc, list, "2", "__len__", "");
	CALL(cc, list, "1", "__getitem__", "i", 0);
	return XC_PASS;
}

#define APPENDS 100

static int list_append(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	for (int i = 0; i < APPENDS; i++)
		CALL_M(me, arg, "None", "append", "i", me->index * APPENDS + i);
	return 0;
}

static enum xc_verdict list_crowd(struct xc_case_context *cc)
{
	struct xp_object object;
	int last[CROWD];

	XC_TRY(xc_make(cc, NULL, &object));
	XC_TRY(xc_start(cc, CROWD, list_append, object.as.proxy));
	XC_TRY(xc_join(cc));
	CALL(cc, object.as.proxy, "300", "__len__", "");
	memset(last, -1, sizeof(last));
	for (int i = 0; i < CROWD * APPENDS; i++) {
		char answer[128];
		call(object.as.proxy, answer, "__getitem__", "i", i);
		int number = (int)strtol(answer, NULL, 10), member = number / APPENDS;
		XC_REQUIRE(cc, member >= 0 && member < CROWD && number > last[member],
			   "the items of each are in order", "item %d is %s", i, answer);
		last[member] = number;
	}
	return XC_PASS;
}

/* ---- dict ------------------------------------------------------------------------------------- */

static int dict_other(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	CALL_M(me, arg, "7", "__getitem__", "s", "key");
	CALL_M(me, arg, "None", "__setitem__", "ss", "key", "changed");
	CALL_M(me, arg, "None", "__setitem__", "is", 1, "one");
	return 0;
}

static enum xc_verdict dict_shared(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_proxy *dict = object.as.proxy;
	CALL(cc, dict, "None", "__setitem__", "si", "key", 7);
	XC_TRY(xc_start(cc, 1, dict_other, dict));
	XC_TRY(xc_join(cc));
	CALL(cc, dict, "changed", "__getitem__", "s", "key");
	CALL(cc, dict, "2", "__len__", "");
	return XC_PASS;
}

static enum xc_verdict dict_python(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_proxy *dict = object.as.proxy;
	CALL(cc, dict, "None", "__setitem__", "is", 1, "int");
	CALL(cc, dict, "int", "__getitem__", "f", 1.0);
	CALL(cc, dict, "int", "__getitem__", "b", 1);
	CALL(cc, dict, "None", "__setitem__", "bs", 1, "bool");
	CALL(cc, dict, "1", "__len__", "");
	CALL(cc, dict, "bool", "get", "i", 1);
	CALL(cc, dict, "None", "get", "s", "1");
	CALL(cc, dict, "default", "get", "ss", "1", "default");
	CALL(cc, dict, "new", "setdefault", "ss", "z", "new");
	CALL(cc, dict, "new", "setdefault", "ss", "z", "newer");
	CALL(cc, dict, "None", "__setitem__", "ss", "a", "last");
	CALL(cc, dict, "[3]", "keys", "");
	CALL(cc, dict, "[2]", "popitem", "");
	CALL(cc, dict, "False", "__contains__", "s", "a");
	CALL(cc, dict, "new", "pop", "s", "z");
	CALL(cc, dict, "gone", "pop", "ss", "z", "gone");
	CALL(cc, dict, "None", "clear", "");
	CALL(cc, dict, "0", "__len__", "");
	return XC_PASS;
}

static enum xc_verdict dict_errors(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_proxy *dict = object.as.proxy;
	CALL(cc, dict, "!KeyError", "__getitem__", "s", "lost");
	CALL(cc, dict, "!KeyError", "__delitem__", "s", "lost");
	CALL(cc, dict, "!KeyError", "pop", "s", "lost");
	CALL(cc, dict, "!KeyError", "popitem", "");
	CALL(cc, dict, "!TypeError", "__setitem__", "li", 1);
	CALL(cc, dict, "!TypeError", "get", "l");
	CALL(cc, dict, "0", "__len__", "");
	return XC_PASS;
}

static int dict_set(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	for (int i = 0; i < APPENDS; i++)
		CALL_M(me, arg, "None", "__setitem__", "ii", me->index * APPENDS + i, i);
	return 0;
}

static enum xc_verdict dict_crowd(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	XC_TRY(xc_start(cc, CROWD, dict_set, object.as.proxy));
	XC_TRY(xc_join(cc));
	CALL(cc, object.as.proxy, "300", "__len__", "");
	for (int i = 0; i < CROWD * APPENDS; i++) {
		char answer[128], want[16];
		snprintf(want, sizeof(want), "%d", i % APPENDS);
		call(object.as.proxy, answer, "__getitem__", "i", i);
		XC_REQUIRE(cc, strcmp(answer, want) == 0, "each item is as it was set",
			   "item %d is %s", i, answer);
	}
	return XC_PASS;
}

/* ---- namespace -------------------------------------------------------------------------------- */

static int namespace_other(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	CALL_M(me, arg, "7", "__getattribute__", "s", "number");
	CALL_M(me, arg, "2.5", "__getattribute__", "s", "real");
	CALL_M(me, arg, "text", "__getattribute__", "s", "text");
	CALL_M(me, arg, "None", "__setattr__", "sb", "number", 1);
	return 0;
}

static enum xc_verdict namespace_shared(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_proxy *space = object.as.proxy;
	CALL(cc, space, "None", "__setattr__", "si", "number", 7);
	CALL(cc, space, "None", "__setattr__", "sf", "real", 2.5);
	CALL(cc, space, "None", "__setattr__", "ss", "text", "text");
	XC_TRY(xc_start(cc, 1, namespace_other, space));
	XC_TRY(xc_join(cc));
	CALL(cc, space, "True", "__getattribute__", "s", "number");
	return XC_PASS;
}

static enum xc_verdict namespace_errors(struct xc_case_context *cc)
{
	struct xp_object object;

	XC_TRY(xc_make(cc, NULL, &object));
	struct xp_proxy *space = object.as.proxy;
	CALL(cc, space, "!AttributeError", "__getattribute__", "s", "lost");
	CALL(cc, space, "!AttributeError", "__delattr__", "s", "lost");
	CALL(cc, space, "None", "__setattr__", "si", "there", 1);
	CALL(cc, space, "None", "__delattr__", "s", "there");
	CALL(cc, space, "!AttributeError", "__getattribute__", "s", "there");
	return XC_PASS;
}

const struct xc_case xc_cases_container[] = {
    {.clause = "list.shared", .name = "child", .kinds = LIST, .run = list_shared},
    {.clause = "list.python", .name = "several", .kinds = LIST, .run = list_python},
    {.clause = "list.errors", .name = "several", .kinds = LIST, .run = list_errors},
    {.clause = "list.crowd", .name = "append", .kinds = LIST, .run = list_crowd},
    {.clause = "dict.shared", .name = "child", .kinds = DICT, .run = dict_shared},
    {.clause = "dict.python", .name = "several", .kinds = DICT, .run = dict_python},
    {.clause = "dict.errors", .name = "several", .kinds = DICT, .run = dict_errors},
    {.clause = "dict.crowd", .name = "set", .kinds = DICT, .run = dict_crowd},
    {.clause = "namespace.shared", .name = "child", .kinds = NAMESPACE, .run = namespace_shared},
    {.clause = "namespace.errors", .name = "missing", .kinds = NAMESPACE, .run = namespace_errors},
    {0},
};
