/* SPDX-License-Identifier: MIT */
#include "xpshare/base/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

int xp_futex_wait_until(_Atomic uint32_t *word, uint32_t expected, const struct timespec *deadline)
{
	long rc = syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, deadline, NULL,
			  FUTEX_BITSET_MATCH_ANY);
	if (rc == 0 || errno == EAGAIN || errno == EINTR)
		return 0;
	return -errno;
}

int xp_futex_wake(_Atomic uint32_t *word, int count)
{
	long rc = syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);

	return rc >= 0 ? (int)rc : -errno;
}
