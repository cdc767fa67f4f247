/* SPDX-License-Identifier: MIT */
/*
 * spin_queue - what peers without a wait of their own share: polling until there is room or an item
 *
 * A header that both C and C++ compile into a peer's file, with @try as an expression that is true
 * once it has succeeded.
 */
#ifndef BENCH_PEERS_SPIN_QUEUE_H
#define BENCH_PEERS_SPIN_QUEUE_H

/* As in base/wait.h, which C++ cannot include. */
static inline void xb_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

#define XB_SPIN_UNTIL(attempt)      \
	do {                        \
		while (!(attempt))  \
			xb_relax(); \
	} while (0)

#endif
