/* SPDX-License-Identifier: MIT */
#include "bench/peers/python.h"

#include "bench/peers/service.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The minor versions that are looked for by name. */
#define NEWEST 40
#define OLDEST 6

static struct xb_python newest;

/* Its path may be one that only chooses an interpreter: what that says itself counts. */
static char question[] = "import sys; print('%d.%d.%d' % sys.version_info[:3], sys.executable)";

static bool ask(const char *program, struct xb_python *ret_python)
{
	struct xb_python found;
	int ends[2], major = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	pid_t pid = fork();
	if (pid == 0) {
		xb_process_child(STDIN_FILENO, ends[1]);
		execlp(program, program, "-S", "-c", question, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	FILE *answer = fdopen(ends[0], "r");
	bool right = answer && fscanf(answer, "%15s %511s", found.version, found.path) == 2 &&
		     sscanf(found.version, "%d.", &major) == 1 && major == 3;
	if (answer)
		fclose(answer);
	else
		close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (right)
		*ret_python = found;
	return right;
}

static bool is_newer(const char *version, const char *than)
{
	int a[3] = {0}, b[3] = {0};

	sscanf(version, "%d.%d.%d", &a[0], &a[1], &a[2]);
	sscanf(than, "%d.%d.%d", &b[0], &b[1], &b[2]);
	for (int i = 0; i < 3; i++)
		if (a[i] != b[i])
			return a[i] > b[i];
	return false;
}

static void consider(const char *program)
{
	struct xb_python found;

	if (ask(program, &found) && is_newer(found.version, newest.version))
		newest = found;
}

/* Call @each for every candidate by name, until it returns true; whether it did. */
static bool candidates(bool (*each)(const char *program))
{
	const char *list = getenv("XP_PYTHONS");
	char *words = strdup(list ? list : ""), *rest = words, name[32];
	bool stop = each("python3");

	for (char *word; words && !stop && (word = strsep(&rest, ": "));)
		stop = word[0] && each(word);
	free(words);
	for (int minor = NEWEST; minor >= OLDEST && !stop; minor--) {
		snprintf(name, sizeof(name), "python3.%d", minor);
		stop = xb_program_there(name) && each(name);
	}
	return stop;
}

static bool is_there(const char *program)
{
	return strchr(program, '/') ? access(program, X_OK) == 0 : xb_program_there(program);
}

static bool ask_it(const char *program)
{
	if (is_there(program))
		consider(program);
	return false;
}

bool xb_python_there(void)
{
	return candidates(is_there);
}

const struct xb_python *xb_python(void)
{
	static bool asked;

	if (!asked)
		candidates(ask_it);
	asked = true;
	return xb_python_used();
}

const struct xb_python *xb_python_used(void)
{
	return newest.path[0] ? &newest : NULL;
}
