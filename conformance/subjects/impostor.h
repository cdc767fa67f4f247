/* SPDX-License-Identifier: MIT */
/*
 * impostor - a server process that behaves well up to one moment, and then as badly as it is told
 *
 * It answers connect, create, incref, decref and accept_connection as a manager does, so that any client
 * gets as far as its first method call.
 */
#ifndef CONFORMANCE_SUBJECTS_IMPOSTOR_H
#define CONFORMANCE_SUBJECTS_IMPOSTOR_H

#include "conformance/subjects/subject.h"

/* X(NAME, what it does when the first method call has arrived) */
#define XC_MISCHIEF_MAP(X)                                       \
	X(DIES, "dies without a word")                           \
	X(DIES_IN_HEADER, "dies within the length of its reply") \
	X(DIES_IN_REPLY, "dies in the middle of its reply")      \
	X(GARBAGE, "answers by a frame that is no pickle")       \
	X(HUGE, "announces a reply of 2 GiB and dies")           \
	X(SILENT, "never answers")

#define X(name, text) XC_MISCHIEF_##name,
enum xc_mischief { XC_MISCHIEF_MAP(X) XC_MISCHIEF_COUNT };
#undef X

const char *xc_mischief_text(enum xc_mischief mischief);

/** xc_impostor_start() - Start one; stopped by xc_server_stop(). */
enum xc_verdict xc_impostor_start(struct xc_case_context *cc, enum xc_mischief mischief,
				  struct xc_server *ret_server);

#endif
