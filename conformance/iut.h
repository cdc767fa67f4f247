/* SPDX-License-Identifier: MIT */
/*
 * iut - the implementations under test: those of a list of struct xp_impl, and the server processes
 */
#ifndef CONFORMANCE_IUT_H
#define CONFORMANCE_IUT_H

#include "conformance/case.h"

/** xc_iut_of() - What the judge needs to know of @impl. */
struct xc_iut xc_iut_of(const struct xp_impl *impl);

/**
 * xc_iut_all() - Every implementation of the catalogue, then every server process that can be started.
 * @servers:  Look for server processes, too: that starts each Python once, to ask who it is.
 * @ret_iuts: To be freed with free().
 * Return: how many; -ENOMEM.
 */
XP_MUST_CHECK int xc_iut_all(bool servers, struct xc_iut **ret_iuts);

#endif
