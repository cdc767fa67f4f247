/* SPDX-License-Identifier: MIT */
#include "xpshare/sync/robust.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Never a current epoch: makes a thread's first enter register it. */
#define EPOCH_NONE UINT32_MAX

_Thread_local struct xp_robust xp_robust_self
    __attribute__((tls_model("initial-exec"))) = {.epoch = EPOCH_NONE};

/* Until the page exists, an epoch that no thread has. */
static _Atomic uint32_t no_epoch = 0;
_Atomic(_Atomic uint32_t *) xp_robust_epoch = &no_epoch;

static pthread_once_t page_once = PTHREAD_ONCE_INIT;
/* Lives on in a forked child, so that its epoch differs from every one of its ancestors. */
static _Atomic uint32_t epochs = 0;

/*
 * In a child that the C library has forked: the same as the wiped page. An emulator that accepts
 * MADV_WIPEONFORK and does nothing would leave the child with the name of its parent.
 */
static void forget(void)
{
	atomic_store_explicit(atomic_load(&xp_robust_epoch), 0, memory_order_relaxed);
}

static void make_page(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	if (madvise(page, size, MADV_WIPEONFORK) < 0 || pthread_atfork(NULL, NULL, forget) != 0) {
		munmap(page, size);
		return;
	}
	atomic_store_explicit(&xp_robust_epoch, page, memory_order_release);
}

/* The list of this thread, if our nodes fit into it. */
static struct robust_list_head *registered_head(void)
{
	struct robust_list_head *head = NULL;
	size_t size = 0;

	if (syscall(SYS_get_robust_list, 0, &head, &size) < 0 || size != sizeof(*head))
		return NULL;
	return head && head->futex_offset == -XP_ROBUST_DISTANCE ? head : NULL;
}

bool xp_robust_listed(void)
{
	static _Atomic int answer; /* 0: not asked yet; 1: no; 2: yes */
	int known = atomic_load_explicit(&answer, memory_order_relaxed);

	/* Threads that ask at a time get the same answer. */
	if (known == 0) {
		known = registered_head() ? 2 : 1;
		atomic_store_explicit(&answer, known, memory_order_relaxed);
	}
	return known == 2;
}

/* Put both sentinels in front of whatever the C library has on its list. */
static void insert_sentinels(struct xp_robust *self)
{
	struct robust_list_head *head = self->head;
	/* The lowest bit marks a priority-inheritance mutex. */
	uintptr_t next = (uintptr_t)head->list.next;
	void **old_first = (void **)(next & ~(uintptr_t)1);

	self->last.node.next = (void *)next;
	self->last.node.prev = &self->first.node.next;
	self->first.node.next = &self->last.node.next;
	self->first.node.prev = &head->list;
	/* A mutex of the C library has its prev right before the next that the list names. */
	if ((void *)old_first != (void *)&head->list)
		old_first[-1] = &self->last.node.next;
	atomic_signal_fence(memory_order_seq_cst);
	head->list.next = (struct robust_list *)(void *)&self->first.node.next;
}

static uint32_t current_epoch(void)
{
	uint32_t seen = 0;
	uint32_t mine = atomic_fetch_add(&epochs, 1) + 1;

	/* Another thread may have been faster: then its number counts for both. */
	if (atomic_compare_exchange_strong(atomic_load(&xp_robust_epoch), &seen, mine))
		seen = mine;
	return seen;
}

int xp_robust_register(struct xp_robust *self)
{
	pthread_once(&page_once, make_page);
	if (atomic_load(&xp_robust_epoch) == &no_epoch)
		return -ENOMEM;
	if (self->epoch == xp_robust_epoch_now())
		return -ENOLCK;

	memset(self, 0, sizeof(*self));
	self->head = registered_head();
	self->tid = (uint32_t)syscall(SYS_gettid);
	self->first.node.next = &self->last.node.next;
	if (self->head)
		insert_sentinels(self);
	else
		self->head = &self->no_list;
	self->epoch = current_epoch();
	return 0;
}

/* The state letter of /proc/<tid>/stat; 0 where it cannot be had. */
static char proc_state(uint32_t tid)
{
	char path[32], line[128];
	char state = 0;

	snprintf(path, sizeof(path), "/proc/%u/stat", tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file)) {
		/* The name in brackets may contain anything, brackets too. */
		const char *end = strrchr(line, ')');
		if (end && end[1] == ' ')
			state = end[2];
	}
	fclose(file);
	return state;
}

bool xp_robust_alive(uint32_t tid)
{
	if (tid == 0 || (syscall(SYS_tkill, tid, 0) < 0 && errno == ESRCH))
		return false;

	/* It exists until its parent has waited for it; but it holds nothing any more. */
	char state = proc_state(tid);
	return state != 'Z' && state != 'X';
}

uint32_t xp_robust_find(const struct xp_robust *self, const struct xp_robust_place *place)
{
	for (uint32_t i = self->depth; i > 0; i--)
		if (self->held[i - 1] == place)
			return i - 1;
	return self->depth;
}

void xp_robust_unlink_at(struct xp_robust *self, uint32_t index)
{
	xp_assert(index < self->depth);

	void *next = index > 0 ? &self->held[index - 1]->node.next : &self->last.node.next;
	if (index + 1 == self->depth)
		self->first.node.next = next;
	else
		self->held[index + 1]->node.next = next;
	self->depth--;
	for (uint32_t i = index; i < self->depth; i++)
		self->held[i] = self->held[i + 1];
	atomic_signal_fence(memory_order_seq_cst);
}
