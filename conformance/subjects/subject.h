/* SPDX-License-Identifier: MIT */
/*
 * subject - server processes with their clients, ours and stock CPython's
 *
 * Overview      A subject is a way to start a server process and a client process that speak with each
 *               other: the program xpmanager and our proxies, or the manager of a CPython and its own
 *               proxies. The family manager judges them. What is about the server alone is tried on the
 *               wire (wire.h), so that nothing of the client under test stands between; what is about
 *               the client is tried through a client process (client.h).
 * Which         Ours, each server over each transport; python3 if there is one, and every interpreter in the
 *               environment variable XP_PYTHONS (paths, separated by spaces). What CPython does is
 *               reported and fails no run.
 */
#ifndef CONFORMANCE_SUBJECTS_SUBJECT_H
#define CONFORMANCE_SUBJECTS_SUBJECT_H

#include "conformance/case.h"
#include "xpshare/rpc/conn.h"

#define XC_KEY	       "not-a-secret"
#define XC_ADDRESS_MAX 256

/* XC_EMBED() - The file @path as the string @symbol of the program, so that the program is enough. */
#define XC_EMBED(symbol, path)                                                             \
	__asm__(".pushsection .rodata\n.global " #symbol "\n" #symbol ":\n.incbin \"" path \
		"\"\n.byte 0\n.popsection\n");                                             \
	extern const char symbol[]

/** struct xc_subject - @python: path of an interpreter, or "": our own, with the server @model. @ring: its
 *  clients hand a ring over as soon as they may (manager/session_ring.h). @door: it has no address: server
 *  and clients inherit the two ends of a door (rpc/door.h). */
struct xc_subject {
	char name[64];
	char version[32];
	char python[256];
	const char *model;
	bool tcp;
	bool ring;
	bool door;
	const char *script;
};

/** xc_subject_all() - Ours, then the CPythons that are there. Return: how many; at most @room. */
size_t xc_subject_all(struct xc_subject *subjects, size_t room);

/* ---- servers ---------------------------------------------------------------------------------- */

/**
 * struct xc_server - A server process that runs.
 * @text: Its address in the form of rpc/address.h. Of one behind a door: the end of this process, which its
 *        children inherit.
 * @ring: Of its subject.
 */
struct xc_server {
	struct xp_child child;
	char text[XC_ADDRESS_MAX];
	struct xp_address address;
	bool ring;
};

/** struct xc_server_plan - Zero is the default. @text: where to listen; @descriptors: RLIMIT_NOFILE;
 *  @handshake_s: how long a client may take to authenticate, where the server can be told;
 *  @processes: RLIMIT_NPROC; as a user of its own, which only root can arrange and others ignore. */
struct xc_server_plan {
	const char *text;
	unsigned descriptors;
	unsigned handshake_s;
	unsigned processes;
};

/** xc_server_start() - Start the server of the subject under test and wait until it listens. */
enum xc_verdict xc_server_start(struct xc_case_context *cc, const struct xc_server_plan *plan,
				struct xc_server *ret_server);
/** xc_server_stop() - SIGKILL, remove what it left in the file system, and close its door. */
void xc_server_stop(struct xc_server *server);
/** xc_server_alive() - Whether it runs. */
bool xc_server_alive(const struct xc_server *server);

/* What the kernel counts about it. */
int xc_server_descriptors(const struct xc_server *server);
int xc_server_threads(const struct xc_server *server);
/** xc_server_runnable_ns() - How long its threads have run or waited for a CPU: what a spinning server
 *  spends grows with the clock, also on a machine that is busy with something else. */
int64_t xc_server_runnable_ns(const struct xc_server *server);
/** xc_server_memory_kib() - Resident, or with @reserved all that is mapped and writable. */
int64_t xc_server_memory_kib(const struct xc_server *server, bool reserved);
/** xc_server_address_space() - Bytes that count against RLIMIT_AS. */
uint64_t xc_server_address_space(const struct xc_server *server);
/** xc_server_limit() - Set the soft limit of a resource, of the server while it runs; what exceeds the hard
 *  limit is that. Return: 0, -errno. */
XP_MUST_CHECK int xc_server_limit(const struct xc_server *server, int resource, uint64_t soft);

/** xc_set_nonblock_in() - Set O_NONBLOCK on every connected stream socket of the process @pid, from
 *  outside: the flag belongs to the open file description. Return: how many; -errno. */
int xc_set_nonblock_in(pid_t pid);

/** xc_bound() - A deadline for what must be answered in bounded time: shorter for a peer, about which
 *  nothing is at stake. */
struct timespec xc_bound(const struct xc_case_context *cc);

#endif
