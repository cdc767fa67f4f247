/* SPDX-License-Identifier: MIT */
/*
 * xpgate - the regression gate: compares two builds of the same workers on a noisy machine
 *
 * The verbs are in command_*.c; this file only finds them and makes the process fit to own workers.
 */
#include "gate/arm.h"
#include "gate/command.h"
#include "gate/control.h"
#include "gate/stop.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *verb;
	enum xg_exit (*run)(int argc, char **argv);
	const char *what;
} verbs[] = {
    {"compare", xg_command_compare, "compare two builds in one run"},
    {"judge", xg_command_judge, "judge a recorded run again, and write its reports"},
    {"selftest", xg_command_selftest, "prove the gate on this machine"},
    {"baseline", xg_command_baseline, "store the counted costs and the times of a build"},
    {"against", xg_command_against, "compare a build with a stored baseline"},
    {"export", xg_command_export, "turn a history into CSV"},
    {"list", xg_command_list, "list the cases of a build"},
};

static enum xg_exit usage(FILE *file, enum xg_exit status)
{
	fputs("Usage: xpgate VERB [OPTION...]\n\n", file);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(file, "  %-10s %s\n", verbs[i].verb, verbs[i].what);
	fputs("\nxpgate VERB --help explains each.\n", file);
	return status;
}

/* A control worker is a program of its own that happens to be this one. */
static enum xg_exit serve_control(const char *case_name)
{
	int rc = xg_control_serve(case_name);
	if (rc < 0)
		return xg_complain(XG_EXIT_USAGE, "control-worker %s: %s", case_name,
				   strerror(-rc));
	return XG_EXIT_OK;
}

static enum xg_exit dispatch(int argc, char **argv)
{
	static char name[64];

	if (argc < 2)
		return usage(stderr, XG_EXIT_USAGE);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return usage(stdout, XG_EXIT_OK);
	if (argc == 3 && strcmp(argv[1], "control-worker") == 0)
		return serve_control(argv[2]);

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].verb, argv[1]) != 0)
			continue;
		/* A worker that dies while it is written to is an error, not the end. */
		sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
		int rc = xg_stop_install();
		if (rc == 0)
			rc = xg_arm_adopt();
		if (rc < 0)
			return xg_complain(XG_EXIT_USAGE, "%s", strerror(-rc));
		argp_err_exit_status = XG_EXIT_USAGE;
		snprintf(name, sizeof(name), "xpgate %s", verbs[i].verb);
		argv[1] = name;
		return verbs[i].run(argc - 1, argv + 1);
	}
	xg_complain(XG_EXIT_USAGE, "no verb '%s'", argv[1]);
	return usage(stderr, XG_EXIT_USAGE);
}

int main(int argc, char **argv)
{
	return (int)dispatch(argc, argv);
}
