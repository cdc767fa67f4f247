/* SPDX-License-Identifier: MIT */
/*
 * scarce - xpmanager with an allocator that fails on demand, for the test of what happens then
 *
 * Linked with the whole of xpmanager by --wrap, so that every allocation of the library comes by here. The test
 * maps the file named by XP_SCARCE, three numbers: how many allocations until one fails (0: none does),
 * whether all after it fail as well, and how many blocks are in use.
 */
#include "xpshare/base/err.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct scarce {
	_Atomic int64_t countdown;
	_Atomic int64_t for_good;
	_Atomic int64_t in_use;
};

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);

static struct scarce unmapped;
static struct scarce *scarce = &unmapped;

static __attribute__((constructor)) void map(void)
{
	const char *path = getenv("XP_SCARCE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *shared;

	if (fd < 0)
		return;
	shared = mmap(NULL, sizeof(*scarce), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (shared != MAP_FAILED)
		scarce = shared;
}

static bool fails(void)
{
	int64_t left = atomic_load(&scarce->countdown);

	if (left <= 0)
		return left < 0;
	left = atomic_fetch_sub(&scarce->countdown, 1) - 1;
	if (left == 0 && atomic_load(&scarce->for_good))
		atomic_store(&scarce->countdown, -1);
	return left == 0;
}

static void *counted(void *block)
{
	if (block)
		atomic_fetch_add(&scarce->in_use, 1);
	return block;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
	if (fails())
		return NULL;
	return block ? __real_realloc(block, size) : counted(__real_realloc(NULL, size));
}

void __wrap_free(void *block)
{
	if (block)
		atomic_fetch_sub(&scarce->in_use, 1);
	__real_free(block);
}
