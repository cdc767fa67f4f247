/* SPDX-License-Identifier: MIT */
/* Our own client process: the verbs of client.h with the proxies of manager/proxy.h. */
#include "conformance/subjects/client.h"

#include "xpshare/base/io.h"
#include "xpshare/manager/proxy.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX   8
#define PATIENCE_NS (1500 * XP_NS_PER_MS) /* how long a manager may be silent */
#define ABANDON_NS  (200 * XP_NS_PER_MS)

struct speaker {
	const struct xp_address *address;
	enum xp_transport transport;
	struct xp_manager *manager;
	struct xp_proxy *proxy;
	char answer[XC_LINE_MAX];
};

static const struct xp_datum *argument(struct xp_datum_arena *arena, const char *word)
{
	char *end;
	long number = strtol(word, &end, 10);

	if (strcmp(word, "None") == 0)
		return xp_datum_none();
	return *end ? xp_datum_str(arena, word) : xp_datum_int(arena, number);
}

static void say_value(struct speaker *speaker, const struct xp_datum *value)
{
	char *to = speaker->answer;

	if (!value || value->kind == XP_DATUM_NONE)
		snprintf(to, XC_LINE_MAX, "ok None");
	else if (value->kind == XP_DATUM_INT)
		snprintf(to, XC_LINE_MAX, "ok %ld", (long)value->integer);
	else if (value->kind == XP_DATUM_BOOL)
		snprintf(to, XC_LINE_MAX, "ok %s", value->integer ? "True" : "False");
	else if (value->kind == XP_DATUM_STR)
		snprintf(to, XC_LINE_MAX, "ok %.*s", (int)(value->size < 200 ? value->size : 200),
			 value->bytes);
	else
		snprintf(to, XC_LINE_MAX, "ok (value)");
}

static void say_error(struct speaker *speaker, int rc, const struct xp_remote_error *error)
{
	char number[32];

	if (rc == -EREMOTEIO)
		snprintf(speaker->answer, XC_LINE_MAX, "error %s %s", error->type, error->text);
	else
		snprintf(speaker->answer, XC_LINE_MAX, "error %s", xc_number(rc, number));
}

static int do_connect(struct speaker *speaker)
{
	struct xp_manager_plan plan = {.address = speaker->address,
				       .key = XC_KEY,
				       .key_size = strlen(XC_KEY),
				       .patience_ns = PATIENCE_NS,
				       .transport = speaker->transport};

	return xp_manager_connect(&plan, &speaker->manager);
}

static int do_new(struct speaker *speaker, char **words, size_t count,
		  struct xp_remote_error *error)
{
	const struct xp_datum *args[WORDS_MAX];
	struct xp_proxy *proxy;

	xp_proxy_drop(speaker->proxy);
	speaker->proxy = NULL;
	struct xp_datum_arena *arena = xp_manager_arena(speaker->manager);
	for (size_t i = 2; i < count; i++)
		args[i - 2] = argument(arena, words[i]);
	int rc = xp_proxy_create(speaker->manager, words[1], count - 2, args, NULL, &proxy, error);
	if (rc == 0)
		speaker->proxy = proxy;
	return rc;
}

static int do_call(struct speaker *speaker, char **words, size_t count, bool abandon,
		   struct xp_remote_error *error)
{
	const struct xp_datum *args[WORDS_MAX], *value = NULL;
	struct timespec by = xp_deadline_after(ABANDON_NS);

	if (!speaker->proxy)
		return -ENOENT;
	struct xp_datum_arena *arena = xp_proxy_arena(speaker->proxy);
	for (size_t i = 2; i < count; i++)
		args[i - 2] = argument(arena, words[i]);
	/* These may block for ever; all others are answered at once by a manager that lives. */
	bool blocks = !strcmp(words[1], "get") || !strcmp(words[1], "put") ||
		      !strcmp(words[1], "acquire") || !strcmp(words[1], "wait");
	int rc = xp_proxy_call(speaker->proxy, words[1], count - 2, args,
			       abandon	? &by
			       : blocks ? XP_PROXY_FOREVER
					: NULL,
			       &value, error);
	if (rc == 0)
		say_value(speaker, value);
	return rc;
}

static int set_and_get(struct speaker *speaker, const char *key, int64_t number, int rounds)
{
	int wrong = 0;

	for (int i = 0; i < rounds; i++) {
		const struct xp_datum *value = NULL;
		struct xp_datum_arena *arena = xp_proxy_arena(speaker->proxy);
		const struct xp_datum *args[2] = {xp_datum_str(arena, key),
						  xp_datum_int(arena, number)};
		int rc =
		    i == 0 ? xp_proxy_call(speaker->proxy, "__setitem__", 2, args, NULL, NULL, NULL)
			   : xp_proxy_call(speaker->proxy, "get", 1, args, NULL, &value, NULL);
		wrong += rc < 0 || (i > 0 && value->integer != number);
	}
	return wrong;
}

static int do_fork(struct speaker *speaker, int rounds)
{
	char *words[] = {(char *)"new", (char *)"dict"};
	int status = 0, wrong;

	int rc = do_new(speaker, words, 2, NULL);
	if (rc < 0)
		return rc;
	/* The parent has its connection before the fork: that is what the child must not use. */
	wrong = set_and_get(speaker, "parent", 1, 2);
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) /* child */
		_exit(set_and_get(speaker, "child", 2, rounds) ? 1 : 0);
	wrong += set_and_get(speaker, "parent", 1, rounds);
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	snprintf(speaker->answer, XC_LINE_MAX, "ok %d", wrong + status);
	return 0;
}

#define THREADS_MAX 64

struct user {
	struct xp_proxy *proxy;
	pthread_t thread;
	int64_t key;
	int rounds;
	int wrong;
};

static void *use(void *arg)
{
	struct user *user = arg;

	for (int64_t i = 0; i < user->rounds; i++) {
		const struct xp_datum *value = NULL;
		struct xp_datum_arena *arena = xp_proxy_arena(user->proxy);
		const struct xp_datum *args[2] = {xp_datum_int(arena, user->key),
						  xp_datum_int(arena, i)};
		int rc = xp_proxy_call(user->proxy, "__setitem__", 2, args, NULL, NULL, NULL);
		args[0] = xp_datum_int(xp_proxy_arena(user->proxy), user->key);
		if (rc == 0)
			rc = xp_proxy_call(user->proxy, "get", 1, args, NULL, &value, NULL);
		user->wrong +=
		    rc < 0 || !value || value->kind != XP_DATUM_INT || value->integer != i;
	}
	return NULL;
}

static int do_threads(struct speaker *speaker, int count, int rounds)
{
	char *words[] = {(char *)"new", (char *)"dict"};
	struct user users[THREADS_MAX];
	int started = 0, wrong = 0;

	if (count < 1 || count > THREADS_MAX)
		return -EINVAL;
	int rc = do_new(speaker, words, 2, NULL);
	for (; rc == 0 && started < count; started++) {
		users[started] =
		    (struct user){.proxy = speaker->proxy, .key = started, .rounds = rounds};
		rc = -pthread_create(&users[started].thread, NULL, use, &users[started]);
		if (rc < 0)
			break;
	}
	while (started > 0) {
		pthread_join(users[--started].thread, NULL);
		wrong += users[started].wrong;
	}
	snprintf(speaker->answer, XC_LINE_MAX, "ok %d", wrong);
	return rc;
}

static int do_nested(struct speaker *speaker, struct xp_remote_error *error)
{
	char *words[] = {(char *)"new", (char *)"dict"};
	struct xp_proxy *list;
	const struct xp_datum *value = NULL;

	int rc = do_new(speaker, words, 2, error);
	if (rc < 0)
		return rc;
	if (set_and_get(speaker, "one", 1, 1) + set_and_get(speaker, "two", 2, 1) > 0)
		return -EPROTO;
	struct xp_datum_arena *arena = xp_manager_arena(speaker->manager);
	const struct xp_datum *args[] = {xp_proxy_value(speaker->proxy, arena)};
	rc = xp_proxy_create(speaker->manager, "list", 1, args, NULL, &list, error);
	if (rc < 0)
		return rc;
	rc = xp_proxy_call(list, "__len__", 0, NULL, NULL, &value, error);
	if (rc == 0)
		say_value(speaker, value);
	xp_proxy_drop(list);
	return rc;
}

static void obey(struct speaker *speaker, char **words, size_t count)
{
	struct xp_remote_error error = {0};
	int rc = -EINVAL;

	snprintf(speaker->answer, XC_LINE_MAX, "ok None");
	if (!strcmp(words[0], "connect"))
		rc = do_connect(speaker);
	else if (!strcmp(words[0], "new") && count > 1)
		rc = do_new(speaker, words, count, &error);
	else if (!strcmp(words[0], "call") && count > 1)
		rc = do_call(speaker, words, count, false, &error);
	else if (!strcmp(words[0], "abandon") && count > 1)
		rc = do_call(speaker, words, count, true, &error);
	else if (!strcmp(words[0], "fork") && count > 1)
		rc = do_fork(speaker, (int)strtol(words[1], NULL, 10));
	else if (!strcmp(words[0], "threads") && count > 2)
		rc = do_threads(speaker, (int)strtol(words[1], NULL, 10),
				(int)strtol(words[2], NULL, 10));
	else if (!strcmp(words[0], "nested"))
		rc = do_nested(speaker, &error);
	if (rc < 0)
		say_error(speaker, rc, &error);
}

int xc_client_speak(const struct xp_address *address, enum xp_transport transport, int in, int out)
{
	struct speaker speaker = {.address = address, .transport = transport};
	FILE *lines = fdopen(in, "r");
	char line[XC_LINE_MAX];

	if (!lines)
		return 1;
	while (fgets(line, sizeof(line), lines)) {
		char *words[WORDS_MAX], *rest = line;
		size_t count = 0;
		for (char *word; count < WORDS_MAX && (word = strsep(&rest, " \n"));) {
			if (word[0])
				words[count++] = word;
		}
		if (count == 0)
			continue;
		obey(&speaker, words, count);
		speaker.answer[strcspn(speaker.answer, "\n")] = 0;
		strncat(speaker.answer, "\n", XC_LINE_MAX - strlen(speaker.answer) - 1);
		if (xp_io_write_full(out, speaker.answer, strlen(speaker.answer), NULL) < 0)
			break;
	}
	fclose(lines);
	return 0;
}
