/* SPDX-License-Identifier: MIT */
/*
 * registry - which typeids a server knows, and how it makes their objects
 *
 * Overview      As BaseManager.register(typeid, callable, exposed, method_to_typeid) of Python: the
 *               methods and what they make stand in the struct xp_typeid, the factory and the list
 *               of exposed names here. A registry is filled before the server starts and constant
 *               from then on.
 * Use           xp_registry_create(&registry); xp_registry_add_builtins(registry);
 *               xp_registry_register(registry, &(struct xp_registration){
 *                       .name = "stats", .type = &stats_type, .factory = the_stats});
 * Exposed       A name that begins with an underscore is exposed only if the list names it (SPEC
 *               P5); without a list all others are. The server refuses the rest, not only the proxy.
 */
#ifndef XPSHARE_MANAGER_REGISTRY_H
#define XPSHARE_MANAGER_REGISTRY_H

#include "xpshare/manager/referent.h"

struct xp_registry;

/**
 * struct xp_registration - One typeid.
 * @name:    What clients ask for; NULL: the type's own name.
 * @type:    Methods and behaviour; must outlive the registry.
 * @factory: Makes the object or hands out one that is there already, with one reference for the
 *           caller (xp_referent_ref()); NULL and an error raised in @call if it cannot. Several
 *           processes share one object when the factory always answers the same. NULL: the type's
 *           own constructor, a new object per call.
 * @argument: Passed to the factory.
 * @exposed: Names ended by NULL, or NULL for all public ones.
 */
struct xp_registration {
	const char *name;
	const struct xp_typeid *type;
	struct xp_referent *(*factory)(struct xp_call *call, void *argument);
	void *argument;
	const char *const *exposed;
};

/** struct xp_type_entry - A registered typeid, prepared for dispatch. Read-only. */
struct xp_type_entry {
	struct xp_type_entry *next;
	struct xp_registration as;
	const char *name;
	size_t index; /* among the entries */
	size_t
	    first_method; /* among the methods of all entries, with one more after those of each */
	uint32_t slot_mask;
	const struct xp_method **slots; /* exposed methods by the hash of their names */
	/* The exposed tuple by who asks: 2.7, 3.x, 3.12 and later. Constants. */
	const struct xp_datum *exposed[3];
	struct xp_datum_arena arena; /* holds them */
};

XP_MUST_CHECK int xp_registry_create(struct xp_registry **ret_registry);
void xp_registry_destroy(struct xp_registry *registry);

/** xp_registry_register() - Add a typeid. Return: 0; -EEXIST; -EINVAL an exposed name that the type
 *  does not have; -ENOMEM. */
XP_MUST_CHECK int xp_registry_register(struct xp_registry *registry,
				       const struct xp_registration *registration);
/** xp_registry_add_builtins() - All typeids of SyncManager that need no Python (methods.def). */
XP_MUST_CHECK int xp_registry_add_builtins(struct xp_registry *registry);

/** xp_registry_find() - By typeid; NULL if unknown. */
const struct xp_type_entry *xp_registry_find(const struct xp_registry *registry, const char *name,
					     size_t size);
/** xp_registry_next() - All entries in the order of registration; NULL begins and ends. */
const struct xp_type_entry *xp_registry_next(const struct xp_registry *registry,
					     const struct xp_type_entry *entry);
/** xp_registry_types() - How many entries there are. */
size_t xp_registry_types(const struct xp_registry *registry);
/** xp_registry_methods() - The bound of xp_type_entry.first_method. */
size_t xp_registry_methods(const struct xp_registry *registry);
/** xp_type_method() - The exposed method of that name, or NULL. */
const struct xp_method *xp_type_method(const struct xp_type_entry *entry, const char *name,
				       size_t size);

#endif
