/* SPDX-License-Identifier: MIT */
/*
 * skeleton - the smallest legal implementation, to be copied
 *
 * An event made of one atomic word and a polling waiter. It keeps every sentence of kind/event.h, and its
 * waiter burns a CPU: so it is compiled and tested, and not in the catalogue.
 *
 * To add an implementation: copy skeleton.c and this header into the room that it belongs to, under the name
 * <kind>_<mechanism>; write its layout, its operations, make and drop; state honest capabilities; add the
 * sources to the room's CMakeLists.txt and one line to catalog.c. Run xpconform --iut <kind>/<mechanism>.
 */
#ifndef XPSHARE_CATALOG_SKELETON_H
#define XPSHARE_CATALOG_SKELETON_H

#include "xpshare/kind/object.h"

extern const struct xp_impl xp_impl_event_skeleton;

#endif
