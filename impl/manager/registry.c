/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/registry.h"

#include "xpshare/manager/builtins.h"

#include <stdlib.h>

struct xp_registry {
	struct xp_type_entry *first;
	struct xp_type_entry **last;
	size_t types;
	size_t methods;
};

static uint32_t name_hash(const char *name, size_t size)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	return hash ^ hash >> 15;
}

int xp_registry_create(struct xp_registry **ret_registry)
{
	struct xp_registry *registry = calloc(1, sizeof(*registry));

	if (!registry)
		return -ENOMEM;
	registry->last = &registry->first;
	*ret_registry = registry;
	return 0;
}

static void entry_free(struct xp_type_entry *entry)
{
	xp_datum_arena_fini(&entry->arena);
	free(entry->slots);
	free(entry);
}

void xp_registry_destroy(struct xp_registry *registry)
{
	if (!registry)
		return;
	for (struct xp_type_entry *entry = registry->first; entry;) {
		struct xp_type_entry *next = entry->next;

		entry_free(entry);
		entry = next;
	}
	free(registry);
}

static const struct xp_method *method_named(const struct xp_typeid *type, const char *name)
{
	for (size_t i = 0; i < type->method_count; i++) {
		if (!strcmp(type->methods[i].name, name))
			return &type->methods[i];
	}
	return NULL;
}

static void entry_expose(struct xp_type_entry *entry, const struct xp_method *method)
{
	uint32_t at = name_hash(method->name, strlen(method->name)) & entry->slot_mask;

	while (entry->slots[at])
		at = (at + 1) & entry->slot_mask;
	entry->slots[at] = method;
}

static bool is_exposed(const struct xp_type_entry *entry, const struct xp_method *method)
{
	return xp_type_method(entry, method->name, strlen(method->name)) == method;
}

/* Who: 0 is 2.7, 1 is 3.x, 2 is 3.12 and later. */
static bool listed_to(const struct xp_method *method, int who)
{
	switch (method->listed) {
	case XP_LISTED:
		return true;
	case XP_LISTED_PY2:
		return who == 0;
	case XP_LISTED_3_12:
		return who == 2;
	case XP_UNLISTED:
		break;
	}
	return false;
}

/* The exposed tuple: the listed names, then once more those that make objects, as CPython does. */
static int entry_list(struct xp_type_entry *entry, int who)
{
	const struct xp_typeid *type = entry->as.type;
	const struct xp_datum **names =
	    calloc(2 * type->method_count + 1, sizeof(const struct xp_datum *));
	size_t count = 0;

	if (!names)
		return -ENOMEM;
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < type->method_count; i++) {
			const struct xp_method *method = &type->methods[i];

			if (is_exposed(entry, method) && listed_to(method, who) &&
			    (!again || method->result))
				names[count++] = xp_datum_str(&entry->arena, method->name);
		}
	}
	entry->exposed[who] = xp_datum_tuple(&entry->arena, count, names);
	free(names);
	return entry->exposed[who] ? 0 : -ENOMEM;
}

int xp_registry_register(struct xp_registry *registry, const struct xp_registration *registration)
{
	const struct xp_typeid *type = registration->type;
	const char *name = registration->name ? registration->name : type->name;
	struct xp_type_entry *entry;
	uint32_t slots = 8;
	int rc = 0;

	if (xp_registry_find(registry, name, strlen(name)))
		return -EEXIST;
	while (slots < 2 * type->method_count + 1)
		slots *= 2;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	xp_datum_arena_init(&entry->arena, 0);
	entry->as = *registration;
	entry->name = name;
	entry->slot_mask = slots - 1;
	entry->slots = calloc(slots, sizeof(const struct xp_method *));
	if (!entry->slots) {
		entry_free(entry);
		return -ENOMEM;
	}
	if (registration->exposed) {
		for (const char *const *each = registration->exposed; *each && rc == 0; each++) {
			const struct xp_method *method = method_named(type, *each);

			if (!method)
				rc = -EINVAL;
			else if (!is_exposed(entry, method))
				entry_expose(entry, method);
		}
	} else {
		for (size_t i = 0; i < type->method_count; i++) {
			if (type->methods[i].name[0] != '_')
				entry_expose(entry, &type->methods[i]);
		}
	}
	for (int who = 0; who < 3 && rc == 0; who++)
		rc = entry_list(entry, who);
	if (rc < 0) {
		entry_free(entry);
		return rc;
	}
	entry->index = registry->types++;
	entry->first_method = registry->methods;
	registry->methods += type->method_count + 1;
	*registry->last = entry;
	registry->last = &entry->next;
	return 0;
}

int xp_registry_add_builtins(struct xp_registry *registry)
{
	static const struct xp_typeid *const types[] = {
#define X(id) &xp_typeid_##id,
	    XP_BUILTIN_MAP(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const char *exposed[64];
		size_t count = 0;

		/* The table says who is told of a method; each of its methods may be called. */
		for (size_t k = 0; k < types[i]->method_count; k++)
			exposed[count++] = types[i]->methods[k].name;
		xp_assert(count < sizeof(exposed) / sizeof(exposed[0]));
		exposed[count] = NULL;
		int rc = xp_registry_register(
		    registry, &(struct xp_registration){.type = types[i], .exposed = exposed});
		if (rc < 0)
			return rc;
	}
	return 0;
}

const struct xp_type_entry *xp_registry_find(const struct xp_registry *registry, const char *name,
					     size_t size)
{
	for (const struct xp_type_entry *entry = registry->first; entry; entry = entry->next) {
		if (strlen(entry->name) == size && !memcmp(entry->name, name, size))
			return entry;
	}
	return NULL;
}

const struct xp_type_entry *xp_registry_next(const struct xp_registry *registry,
					     const struct xp_type_entry *entry)
{
	return entry ? entry->next : registry->first;
}

size_t xp_registry_types(const struct xp_registry *registry)
{
	return registry->types;
}

size_t xp_registry_methods(const struct xp_registry *registry)
{
	return registry->methods;
}

const struct xp_method *xp_type_method(const struct xp_type_entry *entry, const char *name,
				       size_t size)
{
	for (uint32_t at = name_hash(name, size) & entry->slot_mask; entry->slots[at];
	     at = (at + 1) & entry->slot_mask) {
		const char *candidate = entry->slots[at]->name;

		if (!strncmp(candidate, name, size) && candidate[size] == '\0')
			return entry->slots[at];
	}
	return NULL;
}
