/* SPDX-License-Identifier: MIT */
/* Arguments of a call: bound to names and counted, refused in CPython's words. */
#include "xpshare/manager/dispatch.h"

#include "xpshare/base/clock.h"
#include "xpshare/manager/python.h"

#include <math.h>
#include <stdio.h>

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* The name of parameter @index in "a,b,c". */
static const char *param_name(const char *params, size_t index, size_t *ret_size)
{
	while (index-- > 0) {
		params = strchr(params, ',');
		if (!params)
			return NULL;
		params++;
	}
	*ret_size = strcspn(params, ",");
	return *ret_size ? params : NULL;
}

static int wrong(struct xp_call *call)
{
	xp_assert(call->error);
	return -EINVAL;
}

static int bind_keywords(struct xp_call *call, const struct xp_method *method, const char *name,
			 const struct xp_datum *keywords)
{
	for (size_t k = 0; k < keywords->count; k++) {
		const struct xp_datum *key = keywords->items[2 * k];
		size_t index = 0;
		size_t size;
		const char *param;

		while ((param = param_name(method->params, index, &size))) {
			if (size == key->size && !memcmp(param, key->bytes, size))
				break;
			index++;
		}
		if (!param || index >= method->max) {
			if (method->style == XP_ARGS_PYTHON)
				xp_call_raisef(call, "TypeError",
					       "%s() got an unexpected keyword argument '%.*s'",
					       name, (int)key->size, key->bytes);
			else
				xp_call_raisef(call, "TypeError",
					       "'%.*s' is an invalid keyword argument for %s()",
					       (int)key->size, key->bytes, method->name);
			return wrong(call);
		}
		if (call->args[index]) {
			if (method->style == XP_ARGS_PYTHON)
				xp_call_raisef(call, "TypeError",
					       "%s() got multiple values for argument '%.*s'", name,
					       (int)size, param);
			else
				xp_call_raisef(
				    call, "TypeError",
				    "argument for %s() given by name ('%.*s') and position (%zu)",
				    name, (int)size, param, index + 1);
			return wrong(call);
		}
		call->args[index] = keywords->items[2 * k + 1];
	}
	return 0;
}

/* def f(self, ...): the counts in the message include self. */
static int too_many_python(struct xp_call *call, const struct xp_method *method, const char *name,
			   size_t count)
{
	if (method->min == method->max)
		xp_call_raisef(call, "TypeError",
			       "%s() takes %d positional argument%s but %zu were given", name,
			       method->max + 1, plural(method->max + 1u), count + 1);
	else
		xp_call_raisef(call, "TypeError",
			       "%s() takes from %d to %d positional arguments but %zu were given",
			       name, method->min + 1, method->max + 1, count + 1);
	return wrong(call);
}

static int missing(struct xp_call *call, const struct xp_method *method, const char *name)
{
	char names[128] = "";
	size_t used = 0;
	size_t absent = 0;
	size_t left;
	size_t size;

	for (size_t i = 0; i < method->min; i++)
		absent += !call->args[i];
	if (absent == 0)
		return 0;
	left = absent;
	for (size_t i = 0; i < method->min && used < sizeof(names); i++) {
		const char *param = param_name(method->params, i, &size);

		if (call->args[i])
			continue;
		left--;
		used += (size_t)snprintf(names + used, sizeof(names) - used, "'%.*s'%s",
					 param ? (int)size : 0, param ? param : "",
					 left == 0   ? ""
					 : left == 1 ? (absent == 2 ? " and " : ", and ")
						     : ", ");
	}
	if (method->style == XP_ARGS_PYTHON)
		xp_call_raisef(call, "TypeError",
			       "%s() missing %zu required positional argument%s: %s", name, absent,
			       plural(absent), names);
	else
		xp_call_raisef(call, "TypeError", "%s() missing required argument %s (pos %zu)",
			       name, names, call->arg_count + 1);
	return wrong(call);
}

/* CPython 3 counts two and more arguments with a tuple of no name, and prints the name all the same. */
static const char *slot_space(const struct xp_call *call, size_t bound)
{
	return bound > 1 && !xp_call_python2(call) ? " " : "";
}

/* A function of C without keywords. */
static int count_wrong(struct xp_call *call, const struct xp_method *method, const char *name,
		       size_t count)
{
	bool few = count < method->min;
	size_t bound = few ? method->min : method->max;

	switch (method->style) {
	case XP_ARGS_ONE:
		xp_call_raisef(call, "TypeError", "%s() takes exactly one argument (%zu given)",
			       name, count);
		break;
	case XP_ARGS_NONE:
		xp_call_raisef(call, "TypeError", "%s() takes no arguments (%zu given)", name,
			       count);
		break;
	case XP_ARGS_SLOT:
		xp_call_raisef(call, "TypeError", "%sexpected %zu argument%s, got %zu",
			       slot_space(call, bound), bound, plural(bound), count);
		break;
	default:
		xp_call_raisef(call, "TypeError", "%s expected %s%zu argument%s, got %zu",
			       method->name,
			       method->min == method->max ? ""
			       : few			  ? "at least "
							  : "at most ",
			       bound, plural(bound), count);
		break;
	}
	return wrong(call);
}

int xp_args_bind(struct xp_call *call, const struct xp_method *method, const char *owner,
		 const struct xp_datum *positional, const struct xp_datum *keywords)
{
	size_t count = positional->count;
	char name[96];

	call->positional = positional;
	call->keywords = keywords->count > 0 ? keywords : NULL;
	call->arg_count = count;
	for (size_t i = 0; i < keywords->count; i++) {
		if (!xp_datum_is(keywords->items[2 * i], XP_DATUM_STR)) {
			xp_call_raisef(call, "TypeError", "keywords must be strings");
			return wrong(call);
		}
	}
	if (method->style == XP_ARGS_RAW)
		return 0;
	/* The usual call: right by position, nothing by name. */
	if (count >= method->min && count <= method->max && !call->keywords) {
		for (size_t i = 0; i < count; i++)
			call->args[i] = positional->items[i];
		return 0;
	}
	snprintf(name, sizeof(name), "%s%s%s", owner, *owner ? "." : "", method->name);
	if (method->style != XP_ARGS_PYTHON && method->style != XP_ARGS_KEYED) {
		if (call->keywords) {
			xp_call_raisef(call, "TypeError", "%s() takes no keyword arguments", name);
			return wrong(call);
		}
		return count_wrong(call, method, name, count);
	}
	if (count > method->max) {
		if (method->style == XP_ARGS_PYTHON)
			return too_many_python(call, method, name, count);
		xp_call_raisef(call, "TypeError", "%s() takes at most %d argument%s (%zu given)",
			       method->name, method->max, plural(method->max),
			       count + (call->keywords ? call->keywords->count : 0));
		return wrong(call);
	}
	for (size_t i = 0; i < count; i++)
		call->args[i] = positional->items[i];
	if (call->keywords) {
		int rc = bind_keywords(call, method, name, call->keywords);

		if (rc < 0)
			return rc;
	}
	return missing(call, method, name);
}

int xp_call_int64(struct xp_call *call, size_t index, int64_t otherwise, int64_t *ret_value)
{
	const struct xp_datum *arg = call->args[index];
	int rc;

	if (!arg) {
		*ret_value = otherwise;
		return 0;
	}
	rc = xp_datum_to_int64(arg, ret_value);
	if (rc == -ERANGE)
		xp_call_raisef(call, "OverflowError",
			       "Python int too large to convert to C ssize_t");
	else if (rc < 0)
		xp_call_raisef(call, "TypeError", "'%s' object cannot be interpreted as an integer",
			       xp_python_type(call->arena, arg));
	return rc < 0 ? -EINVAL : 0;
}

int xp_call_bool(struct xp_call *call, size_t index, bool otherwise, bool *ret_value)
{
	*ret_value = call->args[index] ? xp_datum_truth(call->args[index]) : otherwise;
	return 0;
}

int xp_call_text(struct xp_call *call, size_t index, char *buffer, size_t size)
{
	const struct xp_datum *arg = call->args[index];

	if (!arg || !xp_datum_is(arg, XP_DATUM_STR)) {
		xp_call_raisef(call, "TypeError", "argument %zu must be str, not %s", index + 1,
			       arg ? xp_python_type(call->arena, arg) : "missing");
		return -EINVAL;
	}
	if (arg->size >= size || memchr(arg->bytes, 0, arg->size)) {
		xp_call_raisef(call, "ValueError",
			       "argument %zu: longer than %zu bytes or with a NUL", index + 1,
			       size - 1);
		return -EINVAL;
	}
	memcpy(buffer, arg->bytes, arg->size);
	buffer[arg->size] = '\0';
	return 0;
}

int xp_call_deadline(struct xp_call *call, size_t index, int64_t *ret_deadline)
{
	const struct xp_datum *arg = call->args[index];
	double seconds;
	int rc;

	if (!arg || xp_datum_is(arg, XP_DATUM_NONE)) {
		*ret_deadline = XP_NEVER;
		return 0;
	}
	rc = xp_datum_to_double(arg, &seconds);
	if (rc == -EINVAL) {
		xp_call_raisef(call, "TypeError", "'%s' object cannot be interpreted as an integer",
			       xp_python_type(call->arena, arg));
		return -EINVAL;
	}
	if (rc < 0 || isnan(seconds) || seconds > 9.2e9) {
		if (isnan(seconds))
			xp_call_raisef(call, "ValueError", "Invalid value NaN (not a number)");
		else
			xp_call_raisef(call, "OverflowError",
				       "timestamp too large to convert to C PyTime_t");
		return -EINVAL;
	}
	if (seconds < 0) {
		*ret_deadline = INT64_MIN;
	} else {
		int64_t now = xp_clock_ns();
		int64_t wait = (int64_t)(seconds * (double)XP_NS_PER_SEC);

		*ret_deadline = wait < XP_NEVER - 1 - now ? now + wait : XP_NEVER - 1;
	}
	return 0;
}
