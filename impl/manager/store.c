/* SPDX-License-Identifier: MIT */
/* The table of objects: a slot per object, reused, and a number per object, never reused. */
#include "xpshare/manager/dispatch.h"

#include <stdio.h>
#include <stdlib.h>

#define SLOT_BITS 24
#define SLOT_MASK ((UINT64_C(1) << SLOT_BITS) - 1)
#define NO_SLOT	  UINT32_MAX

struct xp_store_slot {
	struct xp_referent *referent; /* NULL: free */
	uint32_t next_free;
};

int xp_store_add(struct xp_dispatch *dispatch, struct xp_referent *referent)
{
	uint32_t slot = dispatch->slot_free;

	xp_assert(referent->number == 0);
	if (dispatch->objects >= dispatch->limits.objects || dispatch->objects >= SLOT_MASK)
		return -EMFILE;
	if (slot == NO_SLOT) {
		if (dispatch->slot_count == dispatch->slot_room) {
			uint32_t room = dispatch->slot_room ? 2 * dispatch->slot_room : 64;
			struct xp_store_slot *slots =
			    realloc(dispatch->slots, room * sizeof(*slots));

			if (!slots)
				return -ENOMEM;
			dispatch->slots = slots;
			dispatch->slot_room = room;
		}
		slot = dispatch->slot_count++;
	} else {
		dispatch->slot_free = dispatch->slots[slot].next_free;
	}
	dispatch->slots[slot].referent = referent;
	dispatch->objects++;
	dispatch->type_objects[referent->type->index]++;
	referent->number = ++dispatch->objects_made << SLOT_BITS | slot;
	return 0;
}

void xp_store_remove(struct xp_dispatch *dispatch, const struct xp_referent *referent)
{
	uint32_t slot = (uint32_t)(referent->number & SLOT_MASK);

	if (!referent->number)
		return;
	xp_assert(dispatch->slots[slot].referent == referent);
	dispatch->slots[slot].referent = NULL;
	dispatch->slots[slot].next_free = dispatch->slot_free;
	dispatch->slot_free = slot;
	dispatch->objects--;
	dispatch->type_objects[referent->type->index]--;
}

/* Digits of an ident after the incarnation; 0 is no number. */
static uint64_t number_of(const char *digits, size_t count)
{
	uint64_t number = 0;

	if (count == 0 || count > 16)
		return 0;
	for (size_t i = 0; i < count; i++) {
		char c = digits[i];
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			return 0;
		number = number << 4 | digit;
	}
	return number;
}

struct xp_referent *xp_store_find(const struct xp_dispatch *dispatch, const char *ident,
				  size_t size)
{
	if (size <= XP_INCARNATION_SIZE ||
	    memcmp(ident, dispatch->incarnation, XP_INCARNATION_SIZE) != 0)
		return NULL;
	uint64_t number = number_of(ident + XP_INCARNATION_SIZE, size - XP_INCARNATION_SIZE);
	uint64_t slot = number & SLOT_MASK;

	if (number == 0 || slot >= dispatch->slot_count)
		return NULL;
	struct xp_referent *referent = dispatch->slots[slot].referent;

	return referent && referent->number == number ? referent : NULL;
}

void xp_store_ident(const struct xp_referent *referent, char ret_ident[XP_IDENT_MAX])
{
	snprintf(ret_ident, XP_IDENT_MAX, "%s%llx", referent->dispatch->incarnation,
		 (unsigned long long)referent->number);
}

struct xp_referent *xp_store_next(const struct xp_dispatch *dispatch,
				  const struct xp_referent *referent)
{
	uint64_t slot = referent ? (referent->number & SLOT_MASK) + 1 : 0;

	for (; slot < dispatch->slot_count; slot++) {
		if (dispatch->slots[slot].referent)
			return dispatch->slots[slot].referent;
	}
	return NULL;
}
