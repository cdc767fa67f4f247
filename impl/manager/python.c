/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/python.h"

#include "xpshare/manager/dispatch.h"

#include <stdio.h>

#define TYPE_NAME_MAX 128

const char *xp_python_type(struct xp_datum_arena *arena, const struct xp_datum *value)
{
	char *buffer = xp_datum_alloc(arena, TYPE_NAME_MAX);

	return buffer ? xp_datum_type_name(value, buffer, TYPE_NAME_MAX) : "object";
}

const struct xp_datum *xp_python_repr(struct xp_call *call, const struct xp_datum *value)
{
	struct xp_datum *text;
	int rc = xp_datum_repr(call->arena, value, xp_call_python2(call) ? 2 : 3, &text);

	return rc < 0 ? xp_python_raise(call, rc) : text;
}

/* ---- failures ---------------------------------------------------------------------------------- */

const struct xp_datum *xp_python_raise(struct xp_call *call, int error)
{
	if (error == -ELOOP)
		return xp_call_raisef(call, "RecursionError",
				      "maximum recursion depth exceeded in comparison");
	return xp_call_raisef(call, "MemoryError", NULL);
}

const struct xp_datum *xp_python_raise_unhashable(struct xp_call *call, int error,
						  const struct xp_datum *culprit)
{
	if (error != -EINVAL)
		return xp_python_raise(call, error);
	return xp_call_raisef(call, "TypeError", "unhashable type: '%s'",
			      xp_python_type(call->arena, culprit));
}

const struct xp_datum *xp_python_raise_unordered(struct xp_call *call, int error,
						 const struct xp_datum *const culprits[2])
{
	if (error != -ENOTSUP)
		return xp_python_raise(call, error);
	return xp_call_raisef(
	    call, "TypeError", "'<' not supported between instances of '%s' and '%s'",
	    xp_python_type(call->arena, culprits[0]), xp_python_type(call->arena, culprits[1]));
}

/* ---- tracebacks -------------------------------------------------------------------------------- */

/* @text with everything that is not ASCII escaped, at @to, which has room for four bytes per byte. */
static size_t put_ascii(char *to, const struct xp_datum *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t used = 0;

	for (size_t i = 0; i < text->size; i++) {
		unsigned char c = (unsigned char)text->bytes[i];

		if (c < 0x80) {
			to[used++] = (char)c;
			continue;
		}
		to[used++] = '\\';
		to[used++] = 'x';
		to[used++] = digits[c >> 4];
		to[used++] = digits[c & 15];
	}
	return used;
}

/* What stands after the name of an exception: str() of it. */
static const struct xp_datum *message_of(struct xp_datum_arena *arena,
					 const struct xp_datum *exception)
{
	struct xp_datum *text;

	if (exception->reduce->args->count == 0 || xp_datum_to_str(arena, exception, 3, &text) < 0)
		return NULL;
	return text;
}

const struct xp_datum *xp_python_traceback(struct xp_datum_arena *arena, const char *where,
					   const struct xp_datum *exception)
{
	const struct xp_datum_global *class;
	const struct xp_datum *message;
	bool builtin;

	if (!exception)
		return NULL;
	class = exception->reduce->callable->global;
	builtin = xp_datum_is_text(class->module, "builtins");
	message = message_of(arena, exception);
	char *text = xp_datum_alloc(arena, (message ? 4 * message->size : 0) + 2);

	if (!text)
		return NULL;
	text[message ? put_ascii(text, message) : 0] = '\0';
	return xp_datum_strf(
	    arena,
	    "Traceback (most recent call last):\n  File \"xpmanager\", line 1, in %s\n"
	    "%.*s%s%.*s%s%s\n",
	    where, builtin ? 0 : (int)class->module->size, class->module->bytes, builtin ? "" : ".",
	    (int)class->name->size, class->name->bytes, message ? ": " : "", text);
}

/* ---- indices and slices ------------------------------------------------------------------------ */

static bool is_negative(const struct xp_datum *bigint)
{
	return (unsigned char)bigint->bytes[bigint->size - 1] & 0x80;
}

int xp_python_index(const struct xp_datum *value, int64_t *ret_index)
{
	int rc = xp_datum_to_int64(value, ret_index);

	if (rc == -ERANGE) {
		*ret_index = is_negative(value) ? INT64_MIN : INT64_MAX;
		return 0;
	}
	return rc;
}

int xp_python_index_sized(struct xp_call *call, const struct xp_datum *value, const char *name,
			  int64_t *ret_index)
{
	int rc = xp_datum_to_int64(value, ret_index);

	if (rc == -ERANGE)
		xp_call_raisef(call, name, "cannot fit '%s' into an index-sized integer",
			       xp_call_python2(call) ? "long" : "int");
	return rc;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

int xp_python_slice(struct xp_call *call, const struct xp_datum *const members[3], size_t length,
		    struct xp_range *ret_range)
{
	int64_t size = (int64_t)length;
	int64_t values[3] = {0, 0, 1};

	for (int i = 0; i < 3; i++) {
		if (!xp_datum_is(members[i], XP_DATUM_NONE) &&
		    xp_python_index(members[i], &values[i]) < 0) {
			xp_call_raisef(
			    call, "TypeError",
			    "slice indices must be integers or None or have an __index__ method");
			return -EINVAL;
		}
	}
	int64_t step = values[2];

	if (step == 0) {
		xp_call_raisef(call, "ValueError", "slice step cannot be zero");
		return -EINVAL;
	}
	if (step == INT64_MIN)
		step = -INT64_MAX;
	int64_t low = step < 0 ? -1 : 0;
	int64_t high = step < 0 ? size - 1 : size;
	int64_t bounds[2];

	for (int i = 0; i < 2; i++) {
		int64_t value = values[i];

		if (xp_datum_is(members[i], XP_DATUM_NONE))
			bounds[i] = (i == 0) == (step > 0) ? low : high;
		else
			bounds[i] = clamp(value < 0 ? (value < -size ? low : value + size) : value,
					  low, high);
	}
	int64_t span = step > 0 ? bounds[1] - bounds[0] : bounds[0] - bounds[1];
	int64_t stride = step > 0 ? step : -step;

	*ret_range = (struct xp_range){
	    .start = bounds[0],
	    .stop = bounds[1],
	    .step = step,
	    .count = span > 0 ? (span - 1) / stride + 1 : 0,
	};
	return 0;
}
