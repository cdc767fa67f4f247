/* SPDX-License-Identifier: MIT */
/*
 * client - a client process of the subject under test, told what to do line by line
 *
 * Verbs         connect                 as every client must first
 *               new TYPEID [ARG...]     make the object that the next verbs are about
 *               call METHOD [ARG...]    call a method of it; one that blocks may block for ever
 *               abandon METHOD [ARG...] the same, but give the call up after 200 ms
 *               fork ROUNDS             parent and child use one object at once; how many got it wrong
 *               threads COUNT ROUNDS    that many use one object at once; how many answers were wrong
 *               nested                  make a list of a dict's proxy; its length
 * Answers       "ok VALUE", or "error CLASS TEXT".
 */
#ifndef CONFORMANCE_SUBJECTS_CLIENT_H
#define CONFORMANCE_SUBJECTS_CLIENT_H

#include "conformance/subjects/subject.h"
#include "xpshare/manager/proxy.h"

#define XC_LINE_MAX 512

struct xc_client {
	struct xp_child child;
	int to_fd, from_fd;
	char answer[XC_LINE_MAX];
};

/** xc_client_start() - Start a client process of the subject for the server at @text, and connect. */
enum xc_verdict xc_client_start(struct xc_case_context *cc, const char *text,
				struct xc_client *ret_client);
void xc_client_stop(struct xc_client *client);

/** xc_client_tell() - Send one line. */
void xc_client_tell(struct xc_client *client, const char *line);
/** xc_client_hear() - Wait for the answer to it; 0 or -ETIMEDOUT, -EPIPE. */
XP_MUST_CHECK int xc_client_hear(struct xc_client *client, const struct timespec *deadline);
/** xc_client_blocks() - It sleeps in what it was told. */
enum xc_verdict xc_client_blocks(struct xc_case_context *cc, struct xc_client *client);

/** xc_client_do() - Tell and hear; FAIL if the answer does not begin with @expected. */
enum xc_verdict xc_client_do(struct xc_case_context *cc, struct xc_client *client, const char *line,
			     const char *expected);

/** xc_client_speak() - The verbs, on @in and @out, with our own proxies: the body of our client. */
int xc_client_speak(const struct xp_address *address, enum xp_transport transport, int in, int out);

#endif
