/* SPDX-License-Identifier: MIT */
#include "xpshare/base/park.h"

#include "xpshare/base/clock.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

int xp_park_join(void)
{
	/* Registering again is a flag test in the kernel, so there is no state to keep here. */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) < 0)
		return -ENOTSUP;
	return 0;
}

uint32_t xp_park_prepare(struct xp_park *spot)
{
	uint32_t ticket =
	    atomic_fetch_or_explicit(&spot->word, XP_PARK_PARKED, memory_order_seq_cst) |
	    XP_PARK_PARKED;

	/* A filter installed after the object was made may refuse this: then a wake-up can be lost,
	 * and the nap bounds what that costs, as it does after the death of a publisher. */
	if (!(ticket & XP_PARK_FENCES))
		(void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
	return ticket;
}

int xp_park_sleep(struct xp_park *spot, uint32_t ticket, struct xp_patrol *patrol,
		  const struct timespec *deadline)
{
	struct timespec end = xp_patrol_nap(patrol, deadline);
	int rc = xp_futex_wait_until(&spot->word, ticket, &end);

	return rc == -ETIMEDOUT && !xp_deadline_passed(deadline) ? 0 : rc;
}

void xp_park_wake_slow(struct xp_park *spot)
{
	uint32_t seen = atomic_load_explicit(&spot->word, memory_order_relaxed);

	/* Two read-modify-writes of one word have an order, and whoever comes second sees the other's
	 * earlier stores: as good as a full fence. */
	if (seen & XP_PARK_FENCES)
		seen = atomic_fetch_add_explicit(&spot->word, 0, memory_order_seq_cst);
	if (!(seen & XP_PARK_PARKED))
		return;

	/* Sleepers only ever set a bit that is set already, so an exchange that fails means that
	 * another publisher has just woken everybody: after our store, so they will see it. */
	uint32_t next = (seen & XP_PARK_FENCES) | ((seen + 1) & XP_PARK_EPOCH);
	if (atomic_compare_exchange_strong_explicit(&spot->word, &seen, next, memory_order_seq_cst,
						    memory_order_relaxed))
		(void)xp_futex_wake(&spot->word, XP_FUTEX_ALL);
}
