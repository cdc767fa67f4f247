/* SPDX-License-Identifier: MIT */
#include "xpshare/shm/segment.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Seals that keep a peer from pulling the memory away under a mapping. */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Nodes that one mask below can name; Linux itself stops at 1024. */
#define NODES_MAX 1024u

static struct xp_segment_header *header_of(const struct xp_segment *segment)
{
	return (struct xp_segment_header *)(void *)segment->base;
}

static int check_name(const char *name)
{
	if (!name || name[0] != '/' || name[1] == '\0' || strchr(name + 1, '/') ||
	    strlen(name) > NAME_MAX)
		return -EINVAL;
	return 0;
}

/* Bytes that the line @key of /proc/meminfo states in kB; 0 where there is none. */
static uint64_t meminfo(const char *key)
{
	char line[128];
	unsigned long long kib = 0;
	FILE *file = fopen("/proc/meminfo", "re");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		size_t length = strlen(key);
		if (strncmp(line, key, length) == 0 && line[length] == ':') {
			kib = strtoull(line + length + 1, NULL, 10);
			break;
		}
	}
	fclose(file);
	return (uint64_t)kib * 1024;
}

/*
 * Whether the machine could hold @size more bytes now. A memfd has no limit of its own: reserving
 * more than there is would not fail, it would call the kernel's out-of-memory killer on others.
 */
static bool fits_in_memory(size_t size)
{
	uint64_t available = meminfo("MemAvailable");

	return available == 0 || size <= available + meminfo("SwapFree");
}

static size_t round_up(size_t size, size_t unit)
{
	return (size + unit - 1) / unit * unit;
}

/* A descriptor of @backing, empty, or -1 in *@ret_fd for anonymous memory. */
static int make_fd(const struct xp_segment_params *params, bool huge, int *ret_fd)
{
	int fd = -1;

	if (params->backing == XP_BACKING_MEMFD)
		fd = memfd_create(params->name ? params->name : "xpshare",
				  MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB : 0u));
	else if (params->backing == XP_BACKING_NAMED)
		fd = shm_open(params->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			      S_IRUSR | S_IWUSR);
	if (fd < 0 && params->backing != XP_BACKING_ANONYMOUS)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int bind_to(void *base, size_t size, unsigned node)
{
	unsigned long mask[NODES_MAX / (CHAR_BIT * sizeof(unsigned long))] = {0};

	if (node >= NODES_MAX)
		return -EINVAL;
	mask[node / (CHAR_BIT * sizeof(mask[0]))] = 1ul << (node % (CHAR_BIT * sizeof(mask[0])));
	/* The kernel reads one bit less than it is told. */
	if (syscall(SYS_mbind, base, size, MPOL_BIND, mask, NODES_MAX + 1, MPOL_MF_STRICT) < 0)
		return -errno;
	return 0;
}

/* Reserve every page of a file in memory: what cannot be had is an error here, no SIGBUS later. */
static int reserve(int fd, size_t size)
{
	while (fallocate(fd, 0, 0, (off_t)size) < 0) {
		if (errno == EOPNOTSUPP)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int populate(unsigned char *base, size_t size)
{
#ifdef MADV_POPULATE_WRITE
	if (madvise(base, size, MADV_POPULATE_WRITE) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
#endif
	/* Older kernels: touch each page. Nobody else maps the segment yet. */
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	for (size_t at = 0; at < size; at += page)
		*(volatile unsigned char *)(base + at) = 0;
	return 0;
}

/* Size, map, place and reserve. On failure the caller closes @segment. */
static int map_new(const struct xp_segment_params *params, struct xp_segment *segment)
{
	int flags = MAP_SHARED;
	int rc;

	if (segment->fd < 0)
		flags |= MAP_ANONYMOUS | (segment->pages == XP_PAGES_HUGE ? MAP_HUGETLB : 0);
	else if (ftruncate(segment->fd, (off_t)segment->size) < 0)
		return -errno;

	void *base = mmap(NULL, segment->size, PROT_READ | PROT_WRITE, flags, segment->fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	segment->base = base;

	/* The policy comes before the first page: it does not move pages of others. */
	if (params->bind) {
		rc = bind_to(base, segment->size, params->node);
		if (rc < 0)
			return rc;
	}
	if (segment->fd >= 0) {
		rc = reserve(segment->fd, segment->size);
		if (rc < 0)
			return rc;
	}
	if (segment->backing == XP_BACKING_MEMFD && fcntl(segment->fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	return params->populate ? populate(segment->base, segment->size) : 0;
}

static int create_with(const struct xp_segment_params *params, size_t page, enum xp_pages pages,
		       struct xp_segment *ret_segment)
{
	struct xp_segment segment = {.fd = -1, .backing = params->backing, .pages = pages};

	segment.size = round_up(params->size + sizeof(struct xp_segment_header), page);
	int rc = make_fd(params, pages == XP_PAGES_HUGE, &segment.fd);
	if (rc < 0)
		return rc;
	rc = map_new(params, &segment);
	if (rc < 0) {
		if (params->backing == XP_BACKING_NAMED)
			shm_unlink(params->name);
		xp_segment_close(&segment);
		return rc;
	}
	*ret_segment = segment;
	return 0;
}

int xp_segment_create(const struct xp_segment_params *params, struct xp_segment *ret_segment)
{
	struct xp_segment segment;
	uint64_t incarnation;
	int rc = -ENOMEM;

	if (params->size == 0 || params->size > XP_SEGMENT_SIZE_MAX)
		return -EINVAL;
	if (params->backing == XP_BACKING_NAMED) {
		rc = check_name(params->name);
		if (rc < 0)
			return rc;
		rc = -ENOMEM;
	}
	if (!fits_in_memory(params->size))
		return -ENOMEM;
	if (getrandom(&incarnation, sizeof(incarnation), 0) != (ssize_t)sizeof(incarnation))
		return -EIO;

	/* A POSIX name lives on tmpfs, which has no reserved huge pages. */
	size_t huge = params->pages == XP_PAGES_HUGE && params->backing != XP_BACKING_NAMED
			  ? (size_t)meminfo("Hugepagesize")
			  : 0;
	if (huge > 0)
		rc = create_with(params, huge, XP_PAGES_HUGE, &segment);
	if (rc < 0)
		rc = create_with(params, (size_t)sysconf(_SC_PAGESIZE), XP_PAGES_NORMAL, &segment);
	if (rc < 0)
		return rc;

	struct xp_segment_header *header = header_of(&segment);
	header->magic = XP_SEGMENT_MAGIC;
	header->version = XP_SEGMENT_VERSION;
	header->header_size = sizeof(*header);
	header->size = segment.size;
	header->incarnation = incarnation;
	header->owner_uid = geteuid();
	*ret_segment = segment;
	return 0;
}

/* What the header says, once the kernel has vouched for owner and size. */
static int check_header(const struct xp_segment *segment, uid_t owner)
{
	struct xp_segment_header *header = header_of(segment);
	/* Pairs with publish: what the maker wrote before it is visible now. */
	uint32_t ready = atomic_load_explicit(&header->ready, memory_order_acquire);

	if (ready != XP_SEGMENT_READY)
		return ready == 0 && (header->magic == 0 || header->magic == XP_SEGMENT_MAGIC)
			   ? -EAGAIN
			   : -EPROTO;
	if (header->magic != XP_SEGMENT_MAGIC)
		return -EPROTO;
	if (header->version != XP_SEGMENT_VERSION)
		return -EPROTONOSUPPORT;
	if (header->header_size != sizeof(*header) || header->size != segment->size)
		return -EPROTO;
	return header->owner_uid == owner ? 0 : -EPERM;
}

/* Map and check what @fd refers to; the descriptor stays the caller's on failure. */
static int open_checked(int fd, uid_t owner, enum xp_backing backing,
			struct xp_segment *ret_segment)
{
	struct xp_segment segment = {.fd = fd, .backing = backing};
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EPROTO;
	if (status.st_uid != owner)
		return -EPERM;
	if (backing == XP_BACKING_NAMED && (status.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	if (backing == XP_BACKING_MEMFD) {
		int seals = fcntl(fd, F_GET_SEALS);
		if (seals < 0 || (seals & SEALS) != SEALS)
			return -EPROTO;
	}
	/* The maker creates the name first and sizes it a moment later. */
	if (status.st_size == 0)
		return -EAGAIN;
	if ((uint64_t)status.st_size < sizeof(struct xp_segment_header) ||
	    (uint64_t)status.st_size > XP_SEGMENT_SIZE_MAX)
		return -EPROTO;

	segment.size = (size_t)status.st_size;
	struct statfs system;
	if (fstatfs(fd, &system) == 0 && system.f_type == HUGETLBFS_MAGIC)
		segment.pages = XP_PAGES_HUGE;
	void *base = mmap(NULL, segment.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	segment.base = base;

	int rc = check_header(&segment, owner);
	if (rc < 0) {
		munmap(base, segment.size);
		return rc;
	}
	*ret_segment = segment;
	return 0;
}

int xp_segment_open(const char *name, uid_t owner, struct xp_segment *ret_segment)
{
	int rc = check_name(name);

	if (rc < 0)
		return rc;
	int fd = shm_open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return errno == EACCES ? -EPERM : -errno;
	rc = open_checked(fd, owner, XP_BACKING_NAMED, ret_segment);
	if (rc < 0)
		close(fd);
	return rc;
}

int xp_segment_open_fd(int fd, uid_t owner, struct xp_segment *ret_segment)
{
	return open_checked(fd, owner, XP_BACKING_MEMFD, ret_segment);
}

void xp_segment_publish(struct xp_segment *segment)
{
	/* Pairs with check_header() of an opener. */
	atomic_store_explicit(&header_of(segment)->ready, XP_SEGMENT_READY, memory_order_release);
}

void xp_segment_set_root(struct xp_segment *segment, uint64_t offset)
{
	atomic_store_explicit(&header_of(segment)->root, offset, memory_order_release);
}

int xp_segment_root(const struct xp_segment *segment, uint64_t *ret_offset)
{
	uint64_t root = atomic_load_explicit(&header_of(segment)->root, memory_order_acquire);

	if (root == 0)
		return -EAGAIN;
	*ret_offset = root;
	return 0;
}

uint64_t xp_segment_incarnation(const struct xp_segment *segment)
{
	return header_of(segment)->incarnation;
}

int xp_segment_at(const struct xp_segment *segment, uint64_t offset, size_t size, size_t align,
		  void **ret_at)
{
	xp_assert(align > 0 && (align & (align - 1)) == 0);
	if (offset < sizeof(struct xp_segment_header) || offset > segment->size ||
	    size > segment->size - offset || (offset & (align - 1)) != 0)
		return -EPROTO;
	*ret_at = segment->base + offset;
	return 0;
}

int xp_segment_unlink(const char *name)
{
	int rc = check_name(name);

	if (rc == 0 && shm_unlink(name) < 0)
		rc = -errno;
	return rc;
}

void xp_segment_close(struct xp_segment *segment)
{
	if (segment->base)
		munmap(segment->base, segment->size);
	/* A zeroed handle holds no mapping, and its descriptor 0 is not ours. */
	if (segment->fd >= 0 && segment->backing != XP_BACKING_ANONYMOUS)
		close(segment->fd);
	*segment = (struct xp_segment){.fd = -1};
}
