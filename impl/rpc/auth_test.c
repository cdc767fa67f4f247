/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/auth.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD 11 /* bytes of "#CHALLENGE#" */

static size_t unhex(const char *text, unsigned char *bytes)
{
	size_t size = strlen(text) / 2;

	for (size_t i = 0; i < size; i++) {
		char pair[3] = {text[2 * i], text[2 * i + 1], 0};
		bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
	return size;
}

/* A recorded challenge takes the place of the random one. */
static void plant(struct xp_auth *auth, const unsigned char *frame, size_t size)
{
	memcpy(auth->challenge, frame + HEAD, size - HEAD);
	auth->challenge_size = (unsigned char)(size - HEAD);
}

static void replay(unsigned char frame[6][XP_AUTH_FRAME_MAX], const size_t size[6])
{
	struct xp_auth auth;
	unsigned char reply[XP_AUTH_FRAME_MAX];
	size_t length;

	cr_assert_eq(xp_auth_start(&auth, XP_AUTH_SERVER, "secret", 6, NULL, reply, &length), 0);
	cr_expect_eq(length, HEAD + 48);
	plant(&auth, frame[0], size[0]);
	cr_expect_eq(xp_auth_step(&auth, frame[1], size[1], reply, &length), XP_AUTH_MORE);
	cr_expect(length == size[2] && !memcmp(reply, frame[2], length));
	cr_expect_eq(xp_auth_step(&auth, frame[3], size[3], reply, &length), XP_AUTH_MORE);
	/* We answer a modern challenge in its form; a legacy peer answered it by bare md5. */
	if (size[3] == HEAD + 20 || size[4] > 16)
		cr_expect(length == size[4] && !memcmp(reply, frame[4], length));
	cr_expect_eq(xp_auth_step(&auth, frame[5], size[5], reply, &length), XP_AUTH_DONE);
	cr_expect_eq(length, 0);

	cr_assert_eq(xp_auth_start(&auth, XP_AUTH_CLIENT, "secret", 6, NULL, reply, &length), 0);
	cr_expect_eq(length, 0);
	cr_expect_eq(xp_auth_step(&auth, frame[0], size[0], reply, &length), XP_AUTH_MORE);
	if (size[0] == HEAD + 20 || size[1] > 16)
		cr_expect(length == size[1] && !memcmp(reply, frame[1], length));
	cr_expect_eq(xp_auth_step(&auth, frame[2], size[2], reply, &length), XP_AUTH_MORE);
	plant(&auth, frame[3], size[3]);
	cr_expect_eq(xp_auth_step(&auth, frame[4], size[4], reply, &length), XP_AUTH_DONE);
	cr_expect(length == size[5] && !memcmp(reply, frame[5], length));
}

Test(auth, recorded_handshakes_of_every_pair_of_versions_are_understood)
{
	FILE *file = fopen(XP_TESTDATA "/auth.tsv", "r");
	char line[4096];
	int rows = 0;

	cr_assert_not_null(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned char frame[6][XP_AUTH_FRAME_MAX];
		size_t size[6];
		char *rest = line;
		if (line[0] == '#')
			continue;
		line[strcspn(line, "\n")] = 0;
		strsep(&rest, "\t"); /* client */
		strsep(&rest, "\t"); /* server */
		for (int i = 0; i < 6; i++)
			size[i] = unhex(strsep(&rest, "\t"), frame[i]);
		replay(frame, size);
		rows++;
	}
	fclose(file);
	cr_expect_eq(rows, 6);
}

/* Both machines against each other. Return: the server's last answer; *ret_client the client's. */
static int talk(const char *server_key, const char *client_key, unsigned server_digests,
		unsigned client_digests, int *ret_client)
{
	struct xp_auth server, client;
	struct xp_auth_policy server_policy = {server_digests}, client_policy = {client_digests};
	unsigned char to_client[XP_AUTH_FRAME_MAX], to_server[XP_AUTH_FRAME_MAX];
	size_t client_gets, server_gets;
	int s = 0, c = 0;

	cr_assert_eq(xp_auth_start(&client, XP_AUTH_CLIENT, client_key, strlen(client_key),
				   &client_policy, to_server, &server_gets),
		     0);
	cr_assert_eq(xp_auth_start(&server, XP_AUTH_SERVER, server_key, strlen(server_key),
				   &server_policy, to_client, &client_gets),
		     0);
	/* Each hears the other's last frame, but the first error of each is what counts. */
	while (c >= 0 && client_gets > 0) {
		c = xp_auth_step(&client, to_client, client_gets, to_server, &server_gets);
		client_gets = 0;
		if (s >= 0 && server_gets > 0)
			s = xp_auth_step(&server, to_server, server_gets, to_client, &client_gets);
	}
	*ret_client = c;
	return s;
}

Test(auth, both_roles_agree_with_each_digest)
{
	int client;

	for (unsigned digest = XP_AUTH_MD5; digest <= XP_AUTH_SHA3_384; digest *= 2) {
		cr_expect_eq(talk("k", "k", digest, digest, &client), XP_AUTH_DONE);
		cr_expect_eq(client, XP_AUTH_DONE);
		cr_expect_eq(talk("", "", digest, digest, &client), XP_AUTH_DONE);
		cr_expect_eq(client, XP_AUTH_DONE);
	}
	cr_expect_eq(talk("k", "k", XP_AUTH_ALL, XP_AUTH_STRONG, &client), XP_AUTH_DONE);
	cr_expect_eq(client, XP_AUTH_DONE);
}

Test(auth, a_wrong_key_is_refused_on_both_sides)
{
	int client;

	cr_expect_eq(talk("right", "wrong", XP_AUTH_ALL, XP_AUTH_ALL, &client), -EACCES);
	cr_expect_eq(client, -EACCES);
}

Test(auth, a_digest_outside_the_policy_is_refused)
{
	int client;

	cr_expect_eq(talk("k", "k", XP_AUTH_SHA256, XP_AUTH_SHA3_256, &client), -EACCES);
	cr_expect_eq(client, -EACCES);

	/* A legacy client: its answer could be right, but md5 does not count here. */
	struct xp_auth auth;
	struct xp_auth_policy strong = {XP_AUTH_STRONG};
	unsigned char reply[XP_AUTH_FRAME_MAX], legacy[16] = {0};
	size_t size;
	cr_assert_eq(xp_auth_start(&auth, XP_AUTH_SERVER, "k", 1, &strong, reply, &size), 0);
	cr_expect_eq(xp_auth_step(&auth, legacy, 16, reply, &size), -EACCES);
	cr_expect_eq(size, 9);
	cr_expect_eq(memcmp(reply, "#FAILURE#", 9), 0);
	cr_expect_not_null(strstr(xp_auth_why(&auth), "md5"));
	/* A failed machine stays so. */
	cr_expect_eq(xp_auth_step(&auth, "#WELCOME#", 9, reply, &size), -EPROTO);
	cr_expect_eq(size, 0);
}

Test(auth, malformed_frames_are_refused_in_every_state)
{
	static const char *const frames[] = {
	    "",
	    "#WELCOME#!",
	    "#CHALLENGE#",
	    "#CHALLENGE#too short",
	    "{md5}",
	    "{sha256}",
	    "{",
	    "#challenge#aaaaaaaaaaaaaaaaaaaa",
	    "{sha256}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "#CHALLENGE#aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "#CHALLENGE#{nosuch}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	unsigned char reply[XP_AUTH_FRAME_MAX];
	unsigned char large[XP_AUTH_FRAME_MAX + 1] = "#CHALLENGE#{sha256}";
	struct xp_auth auth;
	size_t size;

	for (int role = XP_AUTH_SERVER; role <= XP_AUTH_CLIENT; role++) {
		for (size_t i = 0; i < sizeof(frames) / sizeof(*frames); i++) {
			cr_assert_eq(xp_auth_start(&auth, (enum xp_auth_role)role, "k", 1, NULL,
						   reply, &size),
				     0);
			int rc = xp_auth_step(&auth, frames[i], strlen(frames[i]), reply, &size);
			cr_expect(rc == -EPROTO || rc == -EACCES, "role %d '%s': %d", role,
				  frames[i], rc);
			cr_expect_gt(strlen(xp_auth_why(&auth)), 0);
		}
		cr_assert_eq(
		    xp_auth_start(&auth, (enum xp_auth_role)role, "k", 1, NULL, reply, &size), 0);
		cr_expect_eq(xp_auth_step(&auth, large, sizeof(large), reply, &size), -EPROTO);
	}
}

Test(auth, a_client_may_send_its_challenge_right_behind_its_answer)
{
	unsigned char to_client[XP_AUTH_FRAME_MAX], answer[XP_AUTH_FRAME_MAX],
	    challenge[XP_AUTH_FRAME_MAX];
	struct xp_auth server, client;
	size_t size, answer_size, challenge_size;

	cr_assert_eq(xp_auth_start(&client, XP_AUTH_CLIENT, "k", 1, NULL, answer, &answer_size), 0);
	cr_expect_eq(xp_auth_ahead(&client, challenge, &challenge_size), -EPROTO);
	cr_assert_eq(xp_auth_start(&server, XP_AUTH_SERVER, "k", 1, NULL, to_client, &size), 0);
	cr_expect_eq(xp_auth_ahead(&server, challenge, &challenge_size), -EPROTO);
	cr_assert_eq(xp_auth_step(&client, to_client, size, answer, &answer_size), XP_AUTH_MORE);
	cr_assert_eq(xp_auth_ahead(&client, challenge, &challenge_size), 0);
	cr_expect_eq(xp_auth_ahead(&client, challenge, &challenge_size), -EPROTO);
	cr_assert_eq(xp_auth_step(&server, answer, answer_size, to_client, &size), XP_AUTH_MORE);
	cr_assert_eq(xp_auth_step(&client, to_client, size, answer, &answer_size), XP_AUTH_MORE);
	cr_expect_eq(answer_size, 0);
	cr_assert_eq(xp_auth_step(&server, challenge, challenge_size, to_client, &size),
		     XP_AUTH_MORE);
	cr_assert_eq(xp_auth_step(&client, to_client, size, answer, &answer_size), XP_AUTH_DONE);
	cr_assert_eq(xp_auth_step(&server, answer, answer_size, to_client, &size), XP_AUTH_DONE);
}
