/* SPDX-License-Identifier: MIT */
#include "xpshare/base/err.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void xp_assert_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "xpshare: %s:%d: assertion '%s' failed\n", file, line, condition);
	abort();
}
