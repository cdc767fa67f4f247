/* SPDX-License-Identifier: MIT */
/* list: Python's list, with values as immutable boxes. What a client gets is a copy, so that no two
 * processes ever share a mutable member. */
#include "xpshare/manager/builtins.h"
#include "xpshare/manager/dispatch.h"
#include "xpshare/manager/python.h"

#include <stdlib.h>

#define ROOM_KEPT 64 /* members that an empty list keeps room for */

struct list {
	struct xp_referent base;
	struct xp_datum_box **items;
	size_t count;
	size_t room;
};

static struct list *self_of(struct xp_call *call)
{
	return xp_call_self(call, struct list, base);
}

static const struct xp_datum *item_at(const struct list *list, size_t index)
{
	return xp_datum_box_value(list->items[index]);
}

static int make_room(struct xp_call *call, struct list *list, size_t more)
{
	const size_t each = sizeof(struct xp_datum_box *);
	size_t room = list->count + more;

	if (room <= list->room)
		return 0;
	room += room / 8 + 4;
	if (more <= SIZE_MAX / 64 &&
	    xp_dispatch_charge(call->dispatch, (room - list->room) * each)) {
		struct xp_datum_box **items = realloc(list->items, room * each);

		if (items) {
			list->items = items;
			list->room = room;
			return 0;
		}
		xp_dispatch_discharge(call->dispatch, (room - list->room) * each);
	}
	xp_call_raisef(call, "MemoryError", NULL);
	return -ENOMEM;
}

/* Give back what a list that was much longer does not need any more. */
static void trim(struct list *list)
{
	const size_t each = sizeof(struct xp_datum_box *);
	size_t room = 2 * list->count + ROOM_KEPT;

	if (list->room / 2 <= room)
		return;
	struct xp_datum_box **items = realloc(list->items, room * each);

	if (!items)
		return;
	xp_dispatch_discharge(list->base.dispatch, (list->room - room) * each);
	list->items = items;
	list->room = room;
}

/* @value as an array of kept boxes, all or none. */
static int keep_all(struct xp_call *call, const struct xp_datum *const *items, size_t count,
		    struct xp_datum_box ***ret_boxes)
{
	struct xp_datum_box **boxes = xp_datum_alloc(call->arena, (count + 1) * sizeof(*boxes));

	if (!boxes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (xp_call_keep(call, items[i], &boxes[i]) < 0) {
			while (i-- > 0)
				xp_dispatch_drop(call->dispatch, boxes[i]);
			return -ENOMEM;
		}
	}
	*ret_boxes = boxes;
	return 0;
}

static void drop_all(struct xp_call *call, struct xp_datum_box **boxes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		xp_dispatch_drop(call->dispatch, boxes[i]);
}

/* Replace @removed members from @at by @added boxes, which are the list's from then on. */
static int splice(struct xp_call *call, struct list *list, size_t at, size_t removed,
		  struct xp_datum_box **boxes, size_t added)
{
	if (added > removed && make_room(call, list, added - removed) < 0) {
		drop_all(call, boxes, added);
		return -ENOMEM;
	}
	struct xp_datum_box **gone = xp_datum_alloc(call->arena, (removed + 1) * sizeof(*gone));

	if (!gone) {
		drop_all(call, boxes, added);
		return -ENOMEM;
	}
	if (removed > 0)
		memcpy(gone, list->items + at, removed * sizeof(*gone));
	if (list->count > at + removed)
		memmove(list->items + at + added, list->items + at + removed,
			(list->count - at - removed) * sizeof(*gone));
	if (added > 0)
		memcpy(list->items + at, boxes, added * sizeof(*gone));
	list->count += added - removed;
	trim(list);
	/* Dropped last: a member may hold the last reference to whatever. */
	drop_all(call, gone, removed);
	return 0;
}

static const struct xp_datum *index_error(struct xp_call *call, const char *text)
{
	return xp_call_raisef(call, "IndexError", "%s", text);
}

/* An index into the list, negative ones from the end. Return: 0; -ENOENT outside; -errno, raised. */
static int index_of(struct xp_call *call, const struct xp_datum *value, size_t count,
		    size_t *ret_at)
{
	int64_t index;

	int rc = xp_python_index_sized(call, value, "IndexError", &index);

	if (rc == -EINVAL)
		xp_call_raisef(call, "TypeError", "list indices must be integers or slices, not %s",
			       xp_python_type(call->arena, value));
	if (rc < 0)
		return rc;
	if (index < 0)
		index += (int64_t)count;
	if (index < 0 || (uint64_t)index >= count)
		return -ENOENT;
	*ret_at = (size_t)index;
	return 0;
}

static const struct xp_datum *slice_value(struct xp_call *call, const struct list *list,
					  const struct xp_range *range)
{
	struct xp_datum *made =
	    xp_datum_container(call->arena, XP_DATUM_LIST, (size_t)range->count);

	for (int64_t i = 0; made && i < range->count; i++)
		xp_datum_put(made, (size_t)i,
			     item_at(list, (size_t)(range->start + i * range->step)));
	return made;
}

static const struct xp_datum *list_getitem(struct xp_call *call)
{
	const struct list *list = self_of(call);
	const struct xp_datum *members[3];
	struct xp_range range;
	size_t at;

	if (xp_datum_as_slice(call->args[0], members)) {
		if (xp_python_slice(call, members, list->count, &range) < 0)
			return NULL;
		return slice_value(call, list, &range);
	}
	int rc = index_of(call, call->args[0], list->count, &at);

	if (rc == -ENOENT)
		return index_error(call, "list index out of range");
	return rc < 0 ? NULL : item_at(list, at);
}

static const struct xp_datum *set_slice(struct xp_call *call, struct list *list,
					const struct xp_range *range, const struct xp_datum *value)
{
	const struct xp_datum *const *items;
	struct xp_datum_box **boxes;
	size_t count;

	int rc = xp_python_iterate(call, value, &items, &count);

	if (rc == -EINVAL)
		return xp_call_raisef(call, "TypeError",
				      range->step == 1 || xp_call_python2(call)
					  ? "can only assign an iterable"
					  : "must assign iterable to extended slice");
	if (rc < 0)
		return NULL;
	if (range->step != 1 && count != (size_t)range->count)
		return xp_call_raisef(
		    call, "ValueError",
		    "attempt to assign sequence of size %zu to extended slice of size %lld", count,
		    (long long)range->count);
	if (keep_all(call, items, count, &boxes) < 0)
		return NULL;
	if (range->step == 1) {
		size_t stop = (size_t)(range->stop > range->start ? range->stop : range->start);

		if (splice(call, list, (size_t)range->start, stop - (size_t)range->start, boxes,
			   count) < 0)
			return NULL;
		return xp_datum_none();
	}
	for (size_t i = 0; i < count; i++) {
		size_t at = (size_t)(range->start + (int64_t)i * range->step);
		struct xp_datum_box *old = list->items[at];

		list->items[at] = boxes[i];
		boxes[i] = old;
	}
	drop_all(call, boxes, count);
	return xp_datum_none();
}

static const struct xp_datum *list_setitem(struct xp_call *call)
{
	struct list *list = self_of(call);
	const struct xp_datum *members[3];
	struct xp_datum_box *box;
	struct xp_range range;
	size_t at;

	if (xp_datum_as_slice(call->args[0], members)) {
		if (xp_python_slice(call, members, list->count, &range) < 0)
			return NULL;
		return set_slice(call, list, &range, call->args[1]);
	}
	int rc = index_of(call, call->args[0], list->count, &at);

	if (rc == -ENOENT)
		return index_error(call, "list assignment index out of range");
	if (rc < 0 || xp_call_keep(call, call->args[1], &box) < 0)
		return NULL;
	struct xp_datum_box *old = list->items[at];

	list->items[at] = box;
	xp_dispatch_drop(call->dispatch, old);
	return xp_datum_none();
}

static const struct xp_datum *delete_slice(struct xp_call *call, struct list *list,
					   const struct xp_range *range)
{
	struct xp_datum_box **gone;
	size_t kept = 0;
	size_t taken = 0;

	gone = xp_datum_alloc(call->arena, ((size_t)range->count + 1) * sizeof(*gone));
	if (!gone)
		return NULL;
	int64_t low =
	    range->step > 0 ? range->start : range->start + (range->count - 1) * range->step;
	int64_t stride = range->step > 0 ? range->step : -range->step;

	for (size_t i = 0; i < list->count; i++) {
		int64_t offset = (int64_t)i - low;

		if (range->count > 0 && offset >= 0 && offset % stride == 0 &&
		    offset / stride < range->count)
			gone[taken++] = list->items[i];
		else
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
	trim(list);
	drop_all(call, gone, taken);
	return xp_datum_none();
}

static const struct xp_datum *list_delitem(struct xp_call *call)
{
	struct list *list = self_of(call);
	const struct xp_datum *members[3];
	struct xp_range range;
	size_t at;

	if (xp_datum_as_slice(call->args[0], members)) {
		if (xp_python_slice(call, members, list->count, &range) < 0)
			return NULL;
		return delete_slice(call, list, &range);
	}
	int rc = index_of(call, call->args[0], list->count, &at);

	if (rc == -ENOENT)
		return index_error(call, "list assignment index out of range");
	if (rc < 0 || splice(call, list, at, 1, NULL, 0) < 0)
		return NULL;
	return xp_datum_none();
}

/* Python 2's l[i:j], with both bounds as integers that len() has been added to. */
static int old_slice(struct xp_call *call, const struct list *list, struct xp_range *ret_range)
{
	const struct xp_datum *members[3] = {call->args[0], call->args[1], xp_datum_none()};

	return xp_python_slice(call, members, list->count, ret_range);
}

static const struct xp_datum *list_getslice(struct xp_call *call)
{
	struct list *list = self_of(call);
	struct xp_range range;

	return old_slice(call, list, &range) < 0 ? NULL : slice_value(call, list, &range);
}

static const struct xp_datum *list_setslice(struct xp_call *call)
{
	struct list *list = self_of(call);
	struct xp_range range;

	return old_slice(call, list, &range) < 0 ? NULL
						 : set_slice(call, list, &range, call->args[2]);
}

static const struct xp_datum *list_delslice(struct xp_call *call)
{
	struct list *list = self_of(call);
	struct xp_range range;

	return old_slice(call, list, &range) < 0 ? NULL : delete_slice(call, list, &range);
}

static const struct xp_datum *list_len(struct xp_call *call)
{
	return xp_datum_int(call->arena, (int64_t)self_of(call)->count);
}

static const struct xp_datum *list_append(struct xp_call *call)
{
	struct list *list = self_of(call);
	struct xp_datum_box *box;

	if (make_room(call, list, 1) < 0 || xp_call_keep(call, call->args[0], &box) < 0)
		return NULL;
	list->items[list->count++] = box;
	return xp_datum_none();
}

static const struct xp_datum *list_extend(struct xp_call *call)
{
	struct list *list = self_of(call);
	const struct xp_datum *const *items;
	struct xp_datum_box **boxes;
	size_t count;

	if (xp_python_iterate(call, call->args[0], &items, &count) < 0 ||
	    keep_all(call, items, count, &boxes) < 0 ||
	    splice(call, list, list->count, 0, boxes, count) < 0)
		return NULL;
	return xp_datum_none();
}

static const struct xp_datum *list_insert(struct xp_call *call)
{
	struct list *list = self_of(call);
	struct xp_datum_box *box;
	int64_t count = (int64_t)list->count;
	int64_t at;

	if (xp_call_int64(call, 0, 0, &at) < 0 || xp_call_keep(call, call->args[1], &box) < 0)
		return NULL;
	if (at < 0)
		at = at < -count ? 0 : at + count;
	if (at > count)
		at = count;
	return splice(call, list, (size_t)at, 0, &box, 1) < 0 ? NULL : xp_datum_none();
}

static const struct xp_datum *list_pop(struct xp_call *call)
{
	struct list *list = self_of(call);
	int64_t index;

	if (xp_call_int64(call, 0, -1, &index) < 0)
		return NULL;
	if (list->count == 0)
		return index_error(call, "pop from empty list");
	if (index < 0)
		index += (int64_t)list->count;
	if (index < 0 || (size_t)index >= list->count)
		return index_error(call, "pop index out of range");
	struct xp_datum_box *box = list->items[index];

	list->count--;
	memmove(list->items + index, list->items + index + 1,
		(list->count - (size_t)index) * sizeof(struct xp_datum_box *));
	trim(list);
	return xp_call_release(call, box);
}

/* Where the first member equal to the argument is, from @start to @stop. Return: 0 with SIZE_MAX where
 * there is none; -errno, raised. */
static int search(struct xp_call *call, const struct list *list, const struct xp_datum *value,
		  size_t start, size_t stop, size_t *ret_at)
{
	*ret_at = SIZE_MAX;
	for (size_t i = start; i < stop && i < list->count; i++) {
		int rc = xp_datum_equal_counted(item_at(list, i), value, &call->steps);

		if (rc < 0) {
			xp_python_raise(call, rc);
			return rc;
		}
		if (rc == 1) {
			*ret_at = i;
			return 0;
		}
	}
	return 0;
}

static const struct xp_datum *list_contains(struct xp_call *call)
{
	const struct list *list = self_of(call);
	size_t at;

	if (search(call, list, call->args[0], 0, list->count, &at) < 0)
		return NULL;
	return xp_datum_bool(at != SIZE_MAX);
}

static const struct xp_datum *list_count(struct xp_call *call)
{
	const struct list *list = self_of(call);
	int64_t count = 0;

	for (size_t from = 0;; count++) {
		size_t at;

		if (search(call, list, call->args[0], from, list->count, &at) < 0)
			return NULL;
		if (at == SIZE_MAX)
			return xp_datum_int(call->arena, count);
		from = at + 1;
	}
}

static int bound(struct xp_call *call, size_t index, size_t count, size_t otherwise, size_t *ret_at)
{
	int64_t at;

	if (!call->args[index]) {
		*ret_at = otherwise;
		return 0;
	}
	if (xp_python_index(call->args[index], &at) < 0) {
		xp_call_raisef(call, "TypeError",
			       "slice indices must be integers or have an __index__ method");
		return -EINVAL;
	}
	if (at < 0)
		at = at < -(int64_t)count ? 0 : at + (int64_t)count;
	*ret_at = (uint64_t)at > count ? count : (size_t)at;
	return 0;
}

static const struct xp_datum *list_index(struct xp_call *call)
{
	const struct list *list = self_of(call);
	size_t start;
	size_t stop;
	size_t at;

	if (bound(call, 1, list->count, 0, &start) < 0 ||
	    bound(call, 2, list->count, list->count, &stop) < 0 ||
	    search(call, list, call->args[0], start, stop, &at) < 0)
		return NULL;
	if (at != SIZE_MAX)
		return xp_datum_int(call->arena, (int64_t)at);
	const struct xp_datum *repr = xp_python_repr(call, call->args[0]);

	if (!repr)
		return NULL;
	return xp_call_raise_value(
	    call, "ValueError",
	    xp_datum_strf(call->arena, "%.*s is not in list", (int)repr->size, repr->bytes));
}

static const struct xp_datum *list_remove(struct xp_call *call)
{
	struct list *list = self_of(call);
	size_t at;

	if (search(call, list, call->args[0], 0, list->count, &at) < 0)
		return NULL;
	if (at == SIZE_MAX)
		return xp_call_raisef(call, "ValueError", "list.remove(x): x not in list");
	return splice(call, list, at, 1, NULL, 0) < 0 ? NULL : xp_datum_none();
}

static void reverse(struct list *list)
{
	for (size_t i = 0, j = list->count; i + 1 < j; i++) {
		struct xp_datum_box *box = list->items[i];

		list->items[i] = list->items[--j];
		list->items[j] = box;
	}
}

static const struct xp_datum *list_reverse(struct xp_call *call)
{
	reverse(self_of(call));
	return xp_datum_none();
}

static const struct xp_datum *list_clear(struct xp_call *call)
{
	struct list *list = self_of(call);

	return splice(call, list, 0, list->count, NULL, 0) < 0 ? NULL : xp_datum_none();
}

static const struct xp_datum *whole(struct xp_call *call, const struct list *list)
{
	return slice_value(call, list,
			   &(struct xp_range){.step = 1, .count = (int64_t)list->count});
}

static const struct xp_datum *list_copy(struct xp_call *call)
{
	return whole(call, self_of(call));
}

static const struct xp_datum *list_add(struct xp_call *call)
{
	const struct list *list = self_of(call);
	const struct xp_datum *other = call->args[0];
	const struct xp_referent *referent = xp_referent_of(other);
	const struct xp_datum *const *items;
	size_t count;

	/* A proxy of a list is no list in CPython either, where the method asks for the type. */
	if (!xp_datum_is(other, XP_DATUM_LIST) &&
	    !(referent && xp_referent_is(referent, &xp_typeid_list)))
		return xp_call_raisef(call, "TypeError",
				      "can only concatenate list (not \"%s\") to list",
				      xp_python_type(call->arena, other));
	if (xp_python_iterate(call, other, &items, &count) < 0)
		return NULL;
	struct xp_datum *made = xp_datum_container(call->arena, XP_DATUM_LIST, list->count + count);

	for (size_t i = 0; made && i < list->count; i++)
		xp_datum_put(made, i, item_at(list, i));
	for (size_t i = 0; made && i < count; i++)
		xp_datum_put(made, list->count + i, items[i]);
	return made;
}

/* How often to repeat; 0 for a negative number. */
static int repeats(struct xp_call *call, const struct list *list, size_t *ret_times)
{
	int64_t times;

	int rc = xp_python_index_sized(call, call->args[0], "OverflowError", &times);

	if (rc == -EINVAL)
		xp_call_raisef(call, "TypeError", "'%s' object cannot be interpreted as an integer",
			       xp_python_type(call->arena, call->args[0]));
	if (rc < 0)
		return rc;
	if (times < 0)
		times = 0;
	/* What has more members than a request may have values would not fit into the reply either. */
	if (times > 1 && list->count > 0 &&
	    (uint64_t)times > call->dispatch->limits.nodes / list->count) {
		xp_call_raisef(call, "MemoryError", NULL);
		return -ENOMEM;
	}
	*ret_times = (size_t)times;
	return 0;
}

static const struct xp_datum *list_mul(struct xp_call *call)
{
	const struct list *list = self_of(call);
	struct xp_datum *made;
	size_t times;

	if (repeats(call, list, &times) < 0)
		return NULL;
	if (list->count == 0)
		times = 0;
	made = xp_datum_container(call->arena, XP_DATUM_LIST, list->count * times);
	for (size_t i = 0; made && i < list->count * times; i++)
		xp_datum_put(made, i, item_at(list, i % list->count));
	return made;
}

/* The reply is the whole list, as the original's is: the method returns itself. */
static const struct xp_datum *list_imul(struct xp_call *call)
{
	struct list *list = self_of(call);
	size_t count = list->count;
	size_t times;

	if (repeats(call, list, &times) < 0)
		return NULL;
	if (times == 0 || count == 0) {
		if (splice(call, list, 0, count, NULL, 0) < 0)
			return NULL;
	} else {
		if (make_room(call, list, count * (times - 1)) < 0)
			return NULL;
		for (size_t i = count; i < count * times; i++) {
			struct xp_datum_box *box = xp_dispatch_share(call, list->items[i % count]);

			if (!box) {
				splice(call, list, count, list->count - count, NULL, 0);
				return NULL;
			}
			list->items[list->count++] = box;
		}
	}
	return whole(call, list);
}

/* builtins.reversed(list), and the index at which it stands: what CPython pickles. */
static const struct xp_datum *list_reversed(struct xp_call *call)
{
	const struct list *list = self_of(call);
	const struct xp_datum *items = whole(call, list);
	struct xp_datum *made;

	if (xp_call_python2(call))
		return xp_call_raisef(call, "TypeError",
				      "can't pickle listreverseiterator objects");
	made = xp_datum_call(call->arena, "builtins", "reversed", 1, &items);
	if (made)
		made->reduce->state = xp_datum_int(call->arena, (int64_t)list->count - 1);
	return made && made->reduce->state ? made : NULL;
}

/* ---- sort -------------------------------------------------------------------------------------- */

struct sorter {
	int error;
	unsigned *steps;
	const struct xp_datum *culprits[2];
};

/* Whether @b must stand before @a. Once there is an error nothing moves any more. */
static bool before(struct sorter *sorter, const struct xp_datum *b, const struct xp_datum *a)
{
	int rc;

	if (sorter->error)
		return false;
	rc = xp_datum_less_counted(b, a, sorter->culprits, sorter->steps);
	if (rc < 0)
		sorter->error = rc;
	return rc == 1;
}

/* Merge sort: stable, as Python's. */
static void merge_sort(struct sorter *sorter, struct xp_datum_box **items,
		       struct xp_datum_box **space, size_t count)
{
	size_t half = count / 2;
	size_t left = 0;
	size_t right = half;

	if (count < 2 || sorter->error)
		return;
	merge_sort(sorter, items, space, half);
	merge_sort(sorter, items + half, space, count - half);
	if (!before(sorter, xp_datum_box_value(items[half]), xp_datum_box_value(items[half - 1])))
		return;
	for (size_t i = 0; i < count; i++) {
		if (right >= count ||
		    (left < half && !before(sorter, xp_datum_box_value(items[right]),
					    xp_datum_box_value(items[left]))))
			space[i] = items[left++];
		else
			space[i] = items[right++];
	}
	memcpy(items, space, count * sizeof(struct xp_datum_box *));
}

static const struct xp_datum *list_sort(struct xp_call *call)
{
	struct list *list = self_of(call);
	struct sorter sorter = {.steps = &call->steps};
	struct xp_datum_box **space;
	bool reversed = false;

	if (call->positional->count > 0)
		return xp_call_raisef(call, "TypeError", "sort() takes no positional arguments");
	for (size_t i = 0; call->keywords && i < call->keywords->count; i++) {
		const struct xp_datum *key = call->keywords->items[2 * i];
		const struct xp_datum *value = call->keywords->items[2 * i + 1];

		if (xp_datum_is_text(key, "reverse"))
			reversed = xp_datum_truth(value);
		else if (!xp_datum_is_text(key, "key"))
			return xp_call_raisef(call, "TypeError",
					      "'%.*s' is an invalid keyword argument for sort()",
					      (int)key->size, key->bytes);
		else if (!xp_datum_is(value, XP_DATUM_NONE))
			return xp_call_raisef(
			    call, "TypeError",
			    "sort(): a key function is code, which this server never runs");
	}
	space = malloc((list->count + 1) * sizeof(struct xp_datum_box *));
	if (!space)
		return NULL;
	/* Reversed twice around the sort, equal members keep their order, as in Python. */
	if (reversed)
		reverse(list);
	merge_sort(&sorter, list->items, space, list->count);
	if (reversed)
		reverse(list);
	free(space);
	if (sorter.error)
		return xp_python_raise_unordered(call, sorter.error, sorter.culprits);
	return xp_datum_none();
}

/* ---- the type ---------------------------------------------------------------------------------- */

const struct xp_datum *const *xp_list_members(struct xp_call *call,
					      const struct xp_referent *referent, size_t *ret_count)
{
	const struct list *list = (const struct list *)referent;
	const struct xp_datum **items =
	    xp_datum_alloc(call->arena, (list->count + 1) * sizeof(const struct xp_datum *));

	for (size_t i = 0; items && i < list->count; i++)
		items[i] = item_at(list, i);
	*ret_count = list->count;
	return items;
}

static void list_fini(struct xp_referent *referent)
{
	struct list *list = (struct list *)referent;

	for (size_t i = 0; i < list->count; i++)
		xp_dispatch_drop(referent->dispatch, list->items[i]);
	xp_dispatch_discharge(referent->dispatch, list->room * sizeof(struct xp_datum_box *));
	free(list->items);
	free(list);
}

static const struct xp_datum *list_init(struct xp_call *call)
{
	const struct xp_datum *const *items = NULL;
	struct xp_datum_box **boxes;
	size_t count = 0;

	if (call->args[0] && xp_python_iterate(call, call->args[0], &items, &count) < 0)
		return NULL;
	struct list *list = (struct list *)xp_referent_new(call, &xp_typeid_list, sizeof(*list));

	if (!list)
		return NULL;
	if (keep_all(call, items, count, &boxes) < 0 ||
	    splice(call, list, 0, 0, boxes, count) < 0) {
		xp_referent_unref(&list->base);
		return NULL;
	}
	return xp_call_object(call, &list->base);
}

static const struct xp_datum *list_value(struct xp_call *call, struct xp_referent *referent)
{
	return whole(call, (const struct list *)referent);
}

static const struct xp_datum *list_repr(struct xp_call *call, struct xp_referent *referent)
{
	const struct xp_datum *value = list_value(call, referent);

	return value ? xp_python_repr(call, value) : NULL;
}

static const struct xp_method methods[] = {XP_METHODS_LIST(XP_METHOD_ROW)};

const struct xp_typeid xp_typeid_list = {
    .name = "list",
    .owner = "list",
    .init = {.name = "list", .style = XP_ARGS_RANGE, .max = 1, .params = "", .call = list_init},
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .fini = list_fini,
    .repr = list_repr,
    .value = list_value,
};
