/* SPDX-License-Identifier: MIT */
/* Names and instances: what a pickle would import and call is written down instead. */
#include "xpshare/rpc/pickle_names.h"
#include "xpshare/rpc/pickle_run.h"
#include "xpshare/rpc/pickle_text.h"
#include "xpshare/rpc/utf8.h"

static struct xp_datum *name_text(struct xp_pickle_run *run, const char *text, size_t size,
				  bool constant)
{
	bool borrow = run->borrow;

	run->borrow = borrow || constant;
	struct xp_datum *made = over(run, XP_DATUM_STR, text, size);
	run->borrow = borrow;
	if (made && xp_utf8_is_ascii(text, size))
		made->flags |= XP_DATUM_ASCII;
	return made;
}

static int make_global(struct xp_pickle_run *run, const char *module, size_t module_size,
		       const char *text, size_t size, struct xp_datum **ret_made)
{
	struct xp_pickle_name name = {module, module_size, text, size};
	struct xp_datum *made = xp_datum_alloc(run->arena, sizeof(*made));
	struct xp_datum_global *global = xp_datum_alloc(run->arena, sizeof(*global));

	if (!xp_utf8_is_valid(module, module_size) || !xp_utf8_is_valid(text, size) || size == 0)
		return xp_pickle_fail(run, -EPROTO, "malformed name");
	if (!made || !global)
		return exhausted(run);
	*made = (struct xp_datum){.kind = XP_DATUM_GLOBAL, .global = global};
	*global = (struct xp_datum_global){0};
	bool mapped = run->protocol <= 2 && xp_pickle_name_to_python3(&name);
	global->module = name_text(run, name.module, name.module_size, mapped);
	global->name = name_text(run, name.name, name.name_size, mapped && name.name != text);
	if (mapped) {
		global->wire_module = name_text(run, module, module_size, false);
		global->wire_name = name_text(run, text, size, false);
	}
	if (!global->module || !global->name ||
	    (mapped && (!global->wire_module || !global->wire_name)))
		return exhausted(run);
	*ret_made = made;
	return 0;
}

static int take_global(struct xp_pickle_run *run, struct xp_datum **ret_made)
{
	const char *module, *name;
	size_t module_size, size;
	int rc = take_line(run, &module, &module_size);

	if (rc == 0)
		rc = take_line(run, &name, &size);
	return rc < 0 ? rc : make_global(run, module, module_size, name, size, ret_made);
}

int xp_pickle_global(struct xp_pickle_run *run)
{
	struct xp_datum *made;
	int rc = take_global(run, &made);

	return rc < 0 ? rc : push(run, made);
}

int xp_pickle_stack_global(struct xp_pickle_run *run)
{
	struct xp_datum *made;
	int rc = need(run, 2);

	if (rc < 0)
		return rc;
	const struct xp_datum *name = pop(run), *module = pop(run);
	if (name->kind != XP_DATUM_STR || module->kind != XP_DATUM_STR)
		return xp_pickle_fail(run, -EPROTO, "a name that is not text");
	rc = make_global(run, module->bytes, module->size, name->bytes, name->size, &made);
	return rc < 0 ? rc : push(run, made);
}

static int push_call(struct xp_pickle_run *run, enum xp_datum_form form, struct xp_datum *callable,
		     struct xp_datum *args, struct xp_datum *kwargs)
{
	struct xp_datum *made = NULL;
	int rc;

	if (args->kind != XP_DATUM_TUPLE || (kwargs && kwargs->kind != XP_DATUM_DICT))
		return xp_pickle_fail(run, -EPROTO, "arguments that are not a tuple");
	run->containers++;
	if (form == XP_DATUM_CALL) {
		rc = xp_pickle_normal_form(run->arena, callable, args, &made);
		if (rc != 0)
			return rc < 0 ? exhausted(run) : push(run, made);
	}
	made = xp_datum_alloc(run->arena, sizeof(*made));
	struct xp_datum_reduce *reduce = xp_datum_alloc(run->arena, sizeof(*reduce));
	if (!made || !reduce)
		return exhausted(run);
	*made = (struct xp_datum){.kind = XP_DATUM_REDUCE, .reduce = reduce};
	*reduce = (struct xp_datum_reduce){
	    .form = form, .callable = callable, .args = args, .kwargs = kwargs};
	if (form == XP_DATUM_CALL && run->reader->resolve &&
	    xp_datum_is_global(callable, "multiprocessing.managers", "RebuildProxy")) {
		rc = run->reader->resolve(run->reader->resolve_context, run->arena, made, &made);
		if (rc < 0)
			return xp_pickle_fail(run, rc, "reference to an object refused");
	}
	return push(run, made);
}

int xp_pickle_call(struct xp_pickle_run *run, enum xp_datum_form form)
{
	size_t count = form == XP_DATUM_NEWOBJ_EX ? 3 : 2;
	int rc = need(run, count);

	if (rc < 0)
		return rc;
	struct xp_datum *kwargs = form == XP_DATUM_NEWOBJ_EX ? pop(run) : NULL;
	struct xp_datum *args = pop(run);
	return push_call(run, form, pop(run), args, kwargs);
}

/* OBJ has its class below the arguments, INST in the pickle. */
static int call_old(struct xp_pickle_run *run, struct xp_datum *class)
{
	ssize_t count = unmark(run);
	int rc;

	if (count < 0)
		return (int)count;
	if (!class && count == 0)
		return xp_pickle_fail(run, -EPROTO, "an instance without a class");
	rc = push_tuple(run, (size_t)count - !class);
	if (rc < 0)
		return rc;
	struct xp_datum *args = pop(run);
	if (!class)
		class = pop(run);
	return push_call(run, XP_DATUM_OLDOBJ, class, args, NULL);
}

int xp_pickle_build(struct xp_pickle_run *run)
{
	int rc = need(run, 2);

	if (rc < 0)
		return rc;
	struct xp_datum *state = pop(run);
	struct xp_datum *target = top(run);
	if (target->kind != XP_DATUM_REDUCE)
		return xp_pickle_fail(run, -EPROTO, "a state for something that has none");
	if (target->reduce->state)
		return xp_pickle_fail(run, -ENOTSUP, "a second state for one instance");
	target->reduce->state = state;
	return 0;
}

int xp_pickle_old_object(struct xp_pickle_run *run)
{
	return call_old(run, NULL);
}

int xp_pickle_old_instance(struct xp_pickle_run *run)
{
	struct xp_datum *class;
	int rc = take_global(run, &class);

	return rc < 0 ? rc : call_old(run, class);
}
