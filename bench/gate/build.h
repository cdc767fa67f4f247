/* SPDX-License-Identifier: MIT */
/*
 * build - one of the two programs that are compared, and the cases that it offers
 *
 * Overview      A build is named by the folder that it was built in (its bin/xpbench is used) or by
 *               the path of a program that speaks the worker protocol. PROGRAM --list-cases prints
 *               the schema and then one case a line, fields separated by tabs:
 *                   schema 1
 *                   NAME  lower|higher  UNIT  MEMBERS  ROLE  [ATTRIBUTE...]
 *               A case of one member takes the same path whatever the timing, so its instructions
 *               can be counted. Attributes: "default" marks a case that the gate compares where
 *               none is named; default_cases.def adds those of xpbench. "shared_bytes=N" says how
 *               much shared memory one object takes. Others are ignored.
 */
/*
 * build - one of the two programs that are compared, and the cases that it offers
 *
 * Overview      A build is named by the folder that it was built in (its bin/xpbench is used) or by
 *               the path of a program that speaks the worker protocol. PROGRAM --list-cases prints
 *               the schema and then one case a line:
 *                   schema 1
 *                   NAME [ATTRIBUTE...]         separated by tabs
 *               with the attributes
 *                   default             part of the gate where no cases are named
 *                   countable           takes the same path whatever the timing: its instructions
 *                                       can be counted
 *                   shared_bytes=N      bytes of shared memory that one object takes
 *               Attributes that are not known are ignored.
 */
#ifndef GATE_BUILD_H
#define GATE_BUILD_H

#include "gate/run.h"

#define XG_SCHEMA     1
#define XG_LISTED_MAX 4096

struct xg_listed {
	char name[XG_NAME_MAX];
	bool is_default;
	int members;
	int64_t shared_bytes; /* -1: not said */
};

struct xg_build {
	char *given;   /* as on the command line */
	char *program; /* absolute path */
	char *commit; /* from a file COMMIT beside the program's folder; NULL where there is none */
	struct xg_listed *cases;
	size_t case_count;
	char why[XG_REASON_MAX];
};

/**
 * xg_build_open() - Find the program of @path and ask it for its cases.
 * @label: "baseline" or "candidate", named in errors.
 * Return: 0; -ENOENT, -EACCES where there is no program; -EPROTO where it has another schema or
 *         lists nonsense; -EPIPE where it crashed; -ETIMEDOUT where it hung; -ECANCELED. On failure
 *         why says so in one line, and @build still has to be closed.
 */
XP_MUST_CHECK int xg_build_open(struct xg_build *build, const char *path, const char *label,
				int64_t timeout_ns);

/** xg_build_close() - Free what it owns; accepts a zeroed one. */
void xg_build_close(struct xg_build *build);

/** xg_build_default() - Whether a case of that name is compared where none is named, according to
 * default_cases.def. */
bool xg_build_default(const char *name);

/** xg_build_find() - The case with that name, or NULL. */
const struct xg_listed *xg_build_find(const struct xg_build *build, const char *name);

#endif
