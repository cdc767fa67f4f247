/* SPDX-License-Identifier: MIT */
/*
 * report - a judged run, written for each of its readers
 *
 * Overview      One function a format; all of them read the run and nothing else, so every report
 *               can be made again from the JSON one (xpgate judge). None of them can tell whether
 *               the stream took what it was given: xg_output_commit() does.
 *
 *               text         a person at a terminal
 *               json         the run itself, with every pair; the only format that is read back
 *               junit        a CI server: one test case for each case, numbers in the body
 *               markdown     a step summary or a comment on a change
 *               annotations  lines "::error ..." for GitHub, at most XG_ANNOTATIONS_MAX
 *               gbench       Google Benchmark's JSON, for the tools that read it
 *               html         a page with plots, on its own
 */
#ifndef GATE_REPORT_H
#define GATE_REPORT_H

#include "gate/run.h"

#include <stdio.h>

#define XG_ANNOTATIONS_MAX 10
#define XG_RUN_SCHEMA	   1

#define XG_FORMAT_EACH(X) X(text) X(json) X(junit) X(markdown) X(annotations) X(gbench) X(html)

#define X(name) void xg_report_##name(const struct xg_run *run, FILE *file);
XG_FORMAT_EACH(X)
#undef X

/** xg_report_write() - Write @run to @path in the format with that name. 0; -EINVAL where there is
 * no such format; -errno. */
XP_MUST_CHECK int xg_report_write(const struct xg_run *run, const char *format, const char *path);

/**
 * xg_report_load() - Read a run that xg_report_json() wrote.
 * Return: 0; -ENOENT and the like; -EPROTO where it is no such file, with a line in @ret_why
 *         (XG_REASON_MAX bytes).
 */
XP_MUST_CHECK int xg_report_load(const char *path, struct xg_run *ret_run, char *ret_why);

/* What the formats share. */

#define XG_TEXT_MAX 32

/** xg_text_time() - "21.3 ns", "4.05 us": three digits and a unit that fits. */
const char *xg_text_time(double ns, char buffer[static XG_TEXT_MAX]);

/** xg_text_change() - "+3.1 %". */
const char *xg_text_change(double log_ratio, char buffer[static XG_TEXT_MAX]);

/** xg_text_headline() - One sentence that states the outcome of @run. */
void xg_text_headline(const struct xg_run *run, char *buffer, size_t size);

/** xg_text_caveat() - Why less was done than planned, or "" */
const char *xg_text_caveat(const struct xg_run *run);

/** xg_text_xml() - @text with the characters that XML and HTML reserve escaped, and those that
 * they forbid replaced. */
void xg_text_xml(FILE *file, const char *text);

#endif
