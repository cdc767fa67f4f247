/* SPDX-License-Identifier: MIT */
/*
 * Deep copies into one block, and the boxes that hold them.
 *
 * Two passes. The first adds up what the nodes take. The second copies the root to the front of the
 * block and then walks the block from front to back: each node found there still points to children
 * of the original, which are appended to the block in turn (Cheney's algorithm). No stack is
 * needed, and only shared nodes are looked up in a map to see whether they have been moved already.
 */
#include "xpshare/rpc/datum.h"

#include "xpshare/rpc/datum_walk.h"

#include <stdatomic.h>

/* The nodes follow it in the same block. */
struct xp_datum_box {
	atomic_size_t references;
	size_t size; /* bytes of the block; 0: a constant, never freed */
	const struct xp_datum *root;
	struct xp_datum_object *objects;
};

_Static_assert(sizeof(struct xp_datum_box) % 8 == 0,
	       "the nodes follow the box and need 8-byte words");

/* What of a node's flags belongs to its value rather than to its place. */
#define VALUE_FLAGS                                                                   \
	(XP_DATUM_SHARED | XP_DATUM_ASCII | XP_DATUM_PY2_STR | XP_DATUM_PY2_UNICODE | \
	 XP_DATUM_PY2_LONG)

/* Bytes that follow the node itself in the block. */
static size_t payload_size(const struct xp_datum *node)
{
	switch ((enum xp_datum_kind)node->kind) {
	case XP_DATUM_BIGINT:
	case XP_DATUM_STR:
	case XP_DATUM_BYTES:
	case XP_DATUM_BYTEARRAY:
		return (node->size + 7) & ~(size_t)7;
	case XP_DATUM_TUPLE:
	case XP_DATUM_LIST:
	case XP_DATUM_SET:
	case XP_DATUM_FROZENSET:
		return node->count * sizeof(*node->items);
	case XP_DATUM_DICT:
		return 2 * node->count * sizeof(*node->items);
	case XP_DATUM_GLOBAL:
		return sizeof(*node->global);
	case XP_DATUM_REDUCE:
		return sizeof(*node->reduce);
	case XP_DATUM_OBJECT:
		return sizeof(*node->object);
	default:
		return 0;
	}
}

static struct xp_datum *constant(const struct xp_datum *node)
{
	return &xp_datum_constants[xp_datum_constant_index(node)];
}

/* ---- first pass ---------------------------------------------------------------------- */

struct pending {
	const struct xp_datum **nodes;
	size_t count;
	size_t room;
};

static int push(struct pending *pending, const struct xp_datum *node)
{
	if (pending->count == pending->room) {
		size_t room = pending->room ? 2 * pending->room : 64;
		void *grown = realloc(pending->nodes, room * sizeof(*pending->nodes));
		if (!grown)
			return -ENOMEM;
		pending->nodes = grown;
		pending->room = room;
	}
	pending->nodes[pending->count++] = node;
	return 0;
}

static int measure(const struct xp_datum *root, size_t *ret_size)
{
	struct pending pending = {0};
	struct xp_datum_map seen = {0};
	size_t total = sizeof(*root) + payload_size(root);
	const struct xp_datum *node = root;
	int rc = 0;

	if (root->flags & XP_DATUM_SHARED && !xp_datum_is_leaf(root))
		rc = xp_datum_map_put(&seen, root, &pending);
	while (rc == 0 && node) {
		struct xp_datum **children;
		size_t count = xp_datum_children(node, &children);
		for (size_t i = 0; i < count && rc == 0; i++) {
			const struct xp_datum *child = children[i];
			if (!child || xp_datum_is_constant(child))
				continue;
			if (child->flags & XP_DATUM_SHARED) {
				if (xp_datum_map_get(&seen, child))
					continue;
				rc = xp_datum_map_put(&seen, child, &pending);
			}
			total += sizeof(*child) + payload_size(child);
			if (rc == 0 && !xp_datum_is_leaf(child))
				rc = push(&pending, child);
		}
		node = pending.count > 0 ? pending.nodes[--pending.count] : NULL;
	}
	free(pending.nodes);
	xp_datum_map_fini(&seen);
	if (rc == 0)
		*ret_size = total;
	return rc;
}

/* ---- second pass --------------------------------------------------------------------- */

struct copy {
	char *at; /* where the next node goes */
	struct xp_datum_map moved;
	struct xp_datum_object *objects;
	uint8_t flags; /* that every node of the copy gets */
};

/* Copy @from itself; its children still are the original's. */
static struct xp_datum *move(struct copy *copy, const struct xp_datum *from)
{
	struct xp_datum *to = (struct xp_datum *)(void *)copy->at;
	size_t payload = payload_size(from);
	void *rest = to + 1;

	copy->at += sizeof(*to) + payload;
	*to = *from;
	to->flags = (uint8_t)((from->flags & VALUE_FLAGS) | copy->flags);
	to->room = 0;
	if (payload == 0)
		return to;
	switch ((enum xp_datum_kind)from->kind) {
	case XP_DATUM_GLOBAL:
		to->global = memcpy(rest, from->global, payload);
		break;
	case XP_DATUM_REDUCE:
		to->reduce = memcpy(rest, from->reduce, payload);
		break;
	case XP_DATUM_OBJECT:
		to->object = memcpy(rest, from->object, payload);
		to->object->ops->ref(to->object->object);
		to->object->next = copy->objects;
		copy->objects = to->object;
		break;
	case XP_DATUM_BIGINT:
	case XP_DATUM_STR:
	case XP_DATUM_BYTES:
	case XP_DATUM_BYTEARRAY:
		to->bytes = memcpy(rest, from->bytes, from->size);
		break;
	default:
		to->items = memcpy(rest, from->items, payload);
	}
	return to;
}

static int copy_into(struct copy *copy, const struct xp_datum *root, char *block)
{
	int rc = 0;

	copy->at = block;
	struct xp_datum *node = move(copy, root);
	if (root->flags & XP_DATUM_SHARED && !xp_datum_is_leaf(root))
		rc = xp_datum_map_put(&copy->moved, root, node);

	for (char *scan = block; scan < copy->at && rc == 0;) {
		struct xp_datum **children;
		node = (struct xp_datum *)(void *)scan;
		size_t count = xp_datum_children(node, &children);
		for (size_t i = 0; i < count && rc == 0; i++) {
			const struct xp_datum *child = children[i];
			if (!child)
				continue;
			if (xp_datum_is_constant(child)) {
				children[i] = constant(child);
				continue;
			}
			struct xp_datum *moved = NULL;
			if (child->flags & XP_DATUM_SHARED)
				moved = xp_datum_map_get(&copy->moved, child);
			if (!moved) {
				moved = move(copy, child);
				if (child->flags & XP_DATUM_SHARED)
					rc = xp_datum_map_put(&copy->moved, child, moved);
			}
			children[i] = moved;
		}
		scan += sizeof(*node) + payload_size(node);
	}
	xp_datum_map_fini(&copy->moved);
	return rc;
}

static void release(struct xp_datum_object *object)
{
	for (; object; object = object->next)
		object->ops->unref(object->object);
}

/* ---- boxes --------------------------------------------------------------------------- */

static struct xp_datum_box constant_boxes[3] = {
    {.root = &xp_datum_constants[0]},
    {.root = &xp_datum_constants[1]},
    {.root = &xp_datum_constants[2]},
};

int xp_datum_retain(const struct xp_datum *value, struct xp_datum_box **ret_box)
{
	size_t size;

	if (xp_datum_is_constant(value)) {
		*ret_box = &constant_boxes[xp_datum_constant_index(value)];
		return 0;
	}
	int rc = measure(value, &size);
	if (rc < 0)
		return rc;
	struct xp_datum_box *box = malloc(sizeof(*box) + size);
	if (!box)
		return -ENOMEM;
	struct copy copy = {.flags = XP_DATUM_FROZEN};
	rc = copy_into(&copy, value, (char *)(box + 1));
	if (rc < 0) {
		release(copy.objects);
		free(box);
		return rc;
	}
	xp_assert(copy.at == (char *)(box + 1) + size);
	struct xp_datum *root = (struct xp_datum *)(box + 1);
	if (xp_datum_is_mutable(root))
		root->flags |= XP_DATUM_SHARED;
	atomic_init(&box->references, 1);
	box->size = sizeof(*box) + size;
	box->root = root;
	box->objects = copy.objects;
	*ret_box = box;
	return 0;
}

struct xp_datum_box *xp_datum_box_ref(struct xp_datum_box *box)
{
	/* relaxed: the caller holds a reference already, so nothing can be freed meanwhile */
	if (box->size > 0)
		atomic_fetch_add_explicit(&box->references, 1, memory_order_relaxed);
	return box;
}

void xp_datum_box_unref(struct xp_datum_box *box)
{
	if (!box || box->size == 0)
		return;
	/* release, and acquire by the last: whoever frees has seen every use of the others */
	if (atomic_fetch_sub_explicit(&box->references, 1, memory_order_acq_rel) == 1) {
		release(box->objects);
		free(box);
	}
}

const struct xp_datum *xp_datum_box_value(const struct xp_datum_box *box)
{
	return box->root;
}

size_t xp_datum_box_size(const struct xp_datum_box *box)
{
	return box->size;
}

struct xp_datum *xp_datum_copy(struct xp_datum_arena *arena, const struct xp_datum *value)
{
	size_t size;

	if (xp_datum_is_constant(value))
		return constant(value);
	if (measure(value, &size) < 0)
		return NULL;
	char *block = xp_datum_alloc(arena, size);
	if (!block)
		return NULL;
	struct copy copy = {.objects = arena->objects};
	int rc = copy_into(&copy, value, block);
	/* References that were taken belong to the arena now, also where the copy did not complete.
	 */
	arena->objects = copy.objects;
	return rc == 0 ? (struct xp_datum *)(void *)block : NULL;
}

/* ---- depth --------------------------------------------------------------------------- */

struct level {
	struct xp_datum **next;
	struct xp_datum **end;
};

static struct level level_of(const struct xp_datum *node)
{
	struct xp_datum **children = NULL;
	size_t count = xp_datum_children(node, &children);

	return (struct level){children, children ? children + count : NULL};
}

int xp_datum_depth(const struct xp_datum *value, unsigned max)
{
	struct xp_datum_map seen = {0};
	struct level *levels;
	unsigned depth = 1, deepest = 1;
	int rc = 0;

	if (xp_datum_is_leaf(value))
		return 0;
	if (max == 0)
		return -E2BIG;
	levels = malloc(max * sizeof(*levels));
	if (!levels)
		return -ENOMEM;
	levels[0] = level_of(value);
	if (value->flags & XP_DATUM_SHARED)
		rc = xp_datum_map_put(&seen, value, levels);
	while (rc == 0 && depth > 0) {
		struct level *level = &levels[depth - 1];
		if (level->next == level->end) {
			depth--;
			continue;
		}
		const struct xp_datum *child = *level->next++;
		/* A name nests nothing, and what stands in for an object is not the value's own. */
		if (!child || xp_datum_is_leaf(child) || child->kind == XP_DATUM_GLOBAL)
			continue;
		if (child->flags & XP_DATUM_SHARED) {
			if (xp_datum_map_get(&seen, child))
				continue;
			rc = xp_datum_map_put(&seen, child, levels);
		}
		if (depth == max) {
			rc = -E2BIG;
			break;
		}
		levels[depth++] = level_of(child);
		if (depth > deepest)
			deepest = depth;
	}
	free(levels);
	xp_datum_map_fini(&seen);
	return rc < 0 ? rc : (int)deepest;
}
