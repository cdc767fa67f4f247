/* SPDX-License-Identifier: MIT */
#include "conformance/subjects/client.h"

#include "xpshare/base/io.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

XC_EMBED(xc_client_py, XC_SUBJECTS "/client.py");

struct launch {
	const struct xc_subject *subject;
	const char *text;
	int in, out, other_in, other_out;
};

static int run_client(void *arg)
{
	const struct launch *launch = arg;
	struct xp_address address;

	close(launch->other_in);
	close(launch->other_out);
	if (launch->subject->python[0]) {
		int null = open("/dev/null", O_WRONLY);
		dup2(launch->in, STDIN_FILENO);
		dup2(launch->out, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		setenv("XP_ADDRESS", launch->text, 1);
		setenv("XP_AUTHKEY", XC_KEY, 1);
		execl(launch->subject->python, launch->subject->python, "-S", "-c", xc_client_py,
		      (char *)NULL);
		return 127;
	}
	if (xp_address_parse(launch->text, &address) < 0)
		return 126;
	return xc_client_speak(&address,
			       launch->subject->ring ? XP_TRANSPORT_RING : XP_TRANSPORT_SOCKET,
			       launch->in, launch->out);
}

enum xc_verdict xc_client_start(struct xc_case_context *cc, const char *text,
				struct xc_client *ret_client)
{
	struct xc_client client = {0};
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) < 0)
		return xc_unresolved(cc, "no pipe");
	if (pipe2(from, O_CLOEXEC) < 0)
		return xc_unresolved(cc, "no pipe");
	struct launch launch = {.subject = cc->iut->subject,
				.text = text,
				.in = to[0],
				.out = from[1],
				.other_in = from[0],
				.other_out = to[1]};
	if (xp_child_start(run_client, &launch, &client.child) < 0)
		return xc_unresolved(cc, "no client process");
	close(to[0]);
	close(from[1]);
	client.to_fd = to[1];
	client.from_fd = from[0];
	*ret_client = client;
	return xc_client_do(cc, ret_client, "connect", "ok");
}

void xc_client_stop(struct xc_client *client)
{
	xp_child_stop(&client->child);
	close(client->to_fd);
	close(client->from_fd);
}

void xc_client_tell(struct xc_client *client, const char *line)
{
	struct timespec by = xc_patience();

	/* A client that is gone shows in what is heard of it. */
	if (xp_io_write_full(client->to_fd, line, strlen(line), &by) == 0)
		(void)!xp_io_write_full(client->to_fd, "\n", 1, &by);
}

int xc_client_hear(struct xc_client *client, const struct timespec *deadline)
{
	size_t used = 0;

	for (;;) {
		char byte;
		ssize_t n = xp_io_read_some(client->from_fd, &byte, 1, deadline);
		if (n < 0)
			return (int)n;
		if (byte == '\n')
			break;
		if (used < XC_LINE_MAX - 1)
			client->answer[used++] = byte;
	}
	client->answer[used] = 0;
	return 0;
}

enum xc_verdict xc_client_blocks(struct xc_case_context *cc, struct xc_client *client)
{
	struct timespec by = xc_patience();

	/* The line must have been read, or what sleeps is the client that waits for it. */
	int unread = 1;
	while (unread > 0) {
		XC_REQUIRE(cc, ioctl(client->to_fd, FIONREAD, &unread) == 0, "the client reads",
			   "its pipe is closed");
		XC_REQUIRE(cc, !xp_deadline_passed(&by), "the client reads its line",
			   "it does not");
		if (unread)
			xc_pause_us(200);
	}
	XC_GIVES(cc, xp_blocked_until(client->child.pid, &by), 0);
	struct timespec now = xp_deadline_after(0);
	int rc = xc_client_hear(client, &now);
	XC_REQUIRE(cc, rc == -ETIMEDOUT, "the call blocks", "it is answered: %s", client->answer);
	return XC_PASS;
}

enum xc_verdict xc_client_do(struct xc_case_context *cc, struct xc_client *client, const char *line,
			     const char *expected)
{
	struct timespec by = xc_bound(cc);
	char number[32];

	xc_client_tell(client, line);
	int rc = xc_client_hear(client, &by);
	XC_REQUIRE(cc, rc == 0, "every call of a client is answered in bounded time",
		   "'%s' gives %s", line,
		   rc == -ETIMEDOUT ? "nothing: it still hangs" : xc_number(rc, number));
	XC_REQUIRE(cc, strncmp(client->answer, expected, strlen(expected)) == 0, expected,
		   "'%s' is answered by '%s'", line, client->answer);
	return XC_PASS;
}
