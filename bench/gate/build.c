/* SPDX-License-Identifier: MIT */
#include "gate/build.h"

#include "gate/arm.h"
#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTING_BYTES_MAX (1u << 20)

static const char *const program_places[] = {"", "/bin/xpbench", "/xpbench"};

static bool is_program(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* Find the program and make its path absolute: a worker may be started from anywhere. */
static int find_program(struct xg_build *build, const char *label)
{
	char *path = NULL;

	if (access(build->given, F_OK) < 0) {
		snprintf(build->why, sizeof(build->why), "the %s build %.150s: %s", label,
			 build->given, strerror(errno));
		return -ENOENT;
	}
	for (size_t i = 0; i < sizeof(program_places) / sizeof(program_places[0]); i++) {
		if (asprintf(&path, "%s%s", build->given, program_places[i]) < 0)
			return -ENOMEM;
		if (is_program(path))
			break;
		free(path);
		path = NULL;
	}
	if (!path) {
		snprintf(build->why, sizeof(build->why),
			 "the %s build %.120s has no program bin/xpbench: build it first", label,
			 build->given);
		return -ENOENT;
	}
	if (access(path, X_OK) < 0) {
		snprintf(build->why, sizeof(build->why), "the %s %.180s cannot be executed", label,
			 path);
		free(path);
		return -EACCES;
	}
	build->program = realpath(path, NULL);
	free(path);
	return build->program ? 0 : -errno;
}

/* The commit that scripts/regress wrote beside the build, if any. */
static char *read_commit(const char *given)
{
	char path[4096], line[80] = "";

	snprintf(path, sizeof(path), "%s/COMMIT", given);
	FILE *file = fopen(path, "re");
	if (!file)
		return NULL;
	char *got = fgets(line, sizeof(line), file);
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return got && line[0] ? strdup(line) : NULL;
}

static int nonsense(struct xg_build *build, const char *label, const char *what, const char *line)
{
	snprintf(build->why, sizeof(build->why), "the %s lists its cases wrongly: %s \"%.80s\"",
		 label, what, line);
	return -EPROTO;
}

static void read_attribute(struct xg_listed *listed, const char *text)
{
	int64_t bytes;

	if (strcmp(text, "default") == 0)
		listed->is_default = true;
	else if (sscanf(text, "shared_bytes=%" SCNd64, &bytes) == 1 && bytes >= 0)
		listed->shared_bytes = bytes;
}

bool xg_build_default(const char *name)
{
	static const char *const patterns[] = {
#define X(pattern) pattern,
#include "gate/default_cases.def"
#undef X
	};

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	}
	return false;
}

static bool is_name(const char *name)
{
	for (const char *at = name; *at; at++) {
		if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 127)
			return false;
	}
	return name[0] && strlen(name) < XG_NAME_MAX;
}

static int read_case(struct xg_build *build, const char *label, char *line)
{
	struct xg_listed *listed = &build->cases[build->case_count];
	char *rest = line;
	char *name = strsep(&rest, "\t"), *better = strsep(&rest, "\t"),
	     *unit = strsep(&rest, "\t");
	char *members = strsep(&rest, "\t"), *role = strsep(&rest, "\t"), *attribute;

	if (!is_name(name))
		return nonsense(build, label, "no name of a case:", name);
	if (!role || !unit || !members || strtol(members, NULL, 10) < 1 ||
	    (strcmp(better, "lower") != 0 && strcmp(better, "higher") != 0))
		return nonsense(build, label, "fields are missing for", name);
	if (build->case_count >= XG_LISTED_MAX)
		return nonsense(build, label, "too many cases, at", name);
	if (xg_build_find(build, name))
		return nonsense(build, label, "a name twice:", name);
	*listed = (struct xg_listed){.members = (int)strtol(members, NULL, 10),
				     .is_default = xg_build_default(name),
				     .shared_bytes = -1};
	snprintf(listed->name, sizeof(listed->name), "%s", name);
	while ((attribute = strsep(&rest, "\t")))
		read_attribute(listed, attribute);
	build->case_count++;
	return 0;
}

static int read_listing(struct xg_build *build, const char *label, char *text)
{
	char *line = strsep(&text, "\n");
	int schema;

	if (!line || sscanf(line, "schema %d", &schema) != 1)
		return nonsense(build, label, "expected \"schema 1\", got", line ? line : "");
	if (schema != XG_SCHEMA) {
		snprintf(build->why, sizeof(build->why),
			 "the %s speaks schema %d of the worker protocol, this gate %d", label,
			 schema, XG_SCHEMA);
		return -EPROTO;
	}
	build->cases = calloc(XG_LISTED_MAX + 1, sizeof(*build->cases));
	if (!build->cases)
		return -ENOMEM;
	while ((line = strsep(&text, "\n"))) {
		int rc = line[0] ? read_case(build, label, line) : 0;
		if (rc < 0)
			return rc;
	}
	if (build->case_count == 0)
		return nonsense(build, label, "no case at all after", "schema 1");
	return 0;
}

/* All of its standard output, NUL-terminated, in *@ret_text. */
static int collect(struct xg_arm *arm, const struct timespec *deadline, char **ret_text)
{
	char *text = malloc(LISTING_BYTES_MAX + 1);
	size_t have = 0;

	if (!text)
		return -ENOMEM;
	for (;;) {
		ssize_t n =
		    xp_io_read_some(arm->out, text + have, LISTING_BYTES_MAX - have, deadline);
		if (n == -EPIPE)
			break;
		if (n < 0 || have + (size_t)n == LISTING_BYTES_MAX) {
			free(text);
			return n < 0 ? (int)n : -EPROTO;
		}
		have += (size_t)n;
	}
	text[have] = '\0';
	*ret_text = text;
	return 0;
}

static int list_cases(struct xg_build *build, const char *label, int64_t timeout_ns)
{
	const char *argv[] = {build->program, "--list-cases", NULL};
	struct xg_arm_plan plan = {.argv = argv, .label = label, .timeout_ns = timeout_ns};
	struct timespec deadline = xp_deadline_after(timeout_ns);
	struct xg_arm arm;
	char *text = NULL;
	int status = 0;

	int rc = xg_arm_start(&arm, &plan);
	if (rc < 0) {
		snprintf(build->why, sizeof(build->why), "%s", arm.why);
		return rc;
	}
	rc = collect(&arm, &deadline, &text);
	if (rc == 0)
		rc = xp_child_wait(&arm.child, &deadline, &status);
	xg_arm_kill(&arm);
	if (rc == -ETIMEDOUT) {
		snprintf(build->why, sizeof(build->why),
			 "the %s hung: --list-cases did not end within %.1f s", label,
			 (double)timeout_ns / 1e9);
	} else if (rc == 0 && WIFSIGNALED(status)) {
		rc = -EPIPE;
		snprintf(build->why, sizeof(build->why),
			 "the %s crashed with signal %d while it listed its cases", label,
			 WTERMSIG(status));
	} else if (rc == 0 && WEXITSTATUS(status) != 0) {
		rc = -EPROTO;
		snprintf(build->why, sizeof(build->why),
			 "the %s does not list its cases: --list-cases ends with status %d", label,
			 WEXITSTATUS(status));
	} else if (rc == 0) {
		rc = read_listing(build, label, text);
	} else {
		snprintf(build->why, sizeof(build->why), "the %s lists too much: %s", label,
			 strerror(-rc));
	}
	free(text);
	return rc;
}

int xg_build_open(struct xg_build *build, const char *path, const char *label, int64_t timeout_ns)
{
	*build = (struct xg_build){.given = strdup(path)};
	if (!build->given)
		return -ENOMEM;
	build->commit = read_commit(path);
	int rc = find_program(build, label);
	return rc < 0 ? rc : list_cases(build, label, timeout_ns);
}

void xg_build_close(struct xg_build *build)
{
	free(build->given);
	free(build->program);
	free(build->commit);
	free(build->cases);
	*build = (struct xg_build){0};
}

const struct xg_listed *xg_build_find(const struct xg_build *build, const char *name)
{
	for (size_t i = 0; i < build->case_count; i++) {
		if (strcmp(build->cases[i].name, name) == 0)
			return &build->cases[i];
	}
	return NULL;
}
