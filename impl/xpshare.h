/* SPDX-License-Identifier: MIT */
/*
 * xpshare - objects shared between processes, in the three ways of Python's multiprocessing
 *
 * One include for a program that uses the library. Each header is the manual of one concept; a program
 * that wants one concept includes that header alone.
 */
#ifndef XPSHARE_XPSHARE_H
#define XPSHARE_XPSHARE_H

#include "xpshare/base/clock.h"
#include "xpshare/base/err.h"
#include "xpshare/catalog/catalog.h"
#include "xpshare/kind/object.h"
#include "xpshare/manager/cache.h"
#include "xpshare/manager/proxy.h"
#include "xpshare/proc/child.h"
#include "xpshare/proc/crew.h"

#endif
