/* SPDX-License-Identifier: MIT */
/* Which code points repr() of Python 3 writes as they are. Private to the room. */
#ifndef XPSHARE_RPC_UNICODE_PRINTABLE_H
#define XPSHARE_RPC_UNICODE_PRINTABLE_H

#include <stdbool.h>
#include <stdint.h>

bool xp_unicode_is_printable(uint32_t point);

#endif
