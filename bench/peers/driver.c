/* SPDX-License-Identifier: MIT */
#include "bench/peers/driver.h"

#include "bench/peers/python.h"
#include "bench/peers/service.h"

#include "build.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn static void become(const char *program, const char *script, const char *const *argv,
			     int in, int out)
{
	char path[4096];
	const char *all[XB_DRIVER_ARGS + 3] = {program, path};

	for (int i = 0; argv[i]; i++) {
		xp_assert(i < XB_DRIVER_ARGS);
		all[i + 2] = argv[i];
	}
	snprintf(path, sizeof(path), "%s/bench/peers/%s", XB_BUILD_SOURCE, script);
	xb_process_child(in, out);
	execv(program, (char *const *)(uintptr_t)all);
	_exit(127);
}

int xb_driver_start(struct xb_driver *driver, struct xb_stage *stage, const char *script,
		    const char *const *argv)
{
	const struct xb_python *python = xb_python();
	int orders[2], answers[2];
	char line[16] = "";

	if (!python) {
		snprintf(stage->error, sizeof(stage->error), "no python3 answers");
		return -ENOTSUP;
	}
	if (pipe2(orders, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(answers, O_CLOEXEC) < 0) {
		int rc = -errno;
		close(orders[0]);
		close(orders[1]);
		return rc;
	}
	driver->pid = fork();
	if (driver->pid == 0)
		become(python->path, script, argv, orders[0], answers[1]);
	close(orders[0]);
	close(answers[1]);
	driver->to = fdopen(orders[1], "w");
	driver->from = fdopen(answers[0], "r");
	if (driver->pid < 0 || !driver->to || !driver->from)
		return -ENOMEM;
	if (fgets(line, sizeof(line), driver->from) && strcmp(line, "ready\n") == 0)
		return 0;
	snprintf(stage->error, sizeof(stage->error), "%.64s did not start under CPython %s", script,
		 python->version);
	return -ENOTSUP;
}

static int take_times(struct xb_actor *actor, char *line, int64_t n, enum xb_pass pass)
{
	double total = 0;

	if (strncmp(line, "ns ", 3) != 0)
		return xb_fail(actor, "the Python program: %.100s", line);
	for (char *at = line + 3;;) {
		char *end;
		double ns = strtod(at, &end);
		if (end == at)
			break;
		at = end;
		total += ns;
		if (pass == XB_PASS_EACH)
			xb_hist_add(actor->hist, (uint64_t)ns);
	}
	actor->tally->ns = actor->tally->total_ns = total;
	actor->tally->ops = n;
	return 0;
}

int xb_driver_run(struct xb_driver *driver, struct xb_actor *actor, int64_t n, enum xb_pass pass)
{
	char *line = NULL;
	size_t room = 0;

	fprintf(driver->to, "%s %lld\n", pass == XB_PASS_EACH ? "each" : "run", (long long)n);
	fflush(driver->to);
	int rc = getline(&line, &room, driver->from) > 0
		     ? take_times(actor, line, n, pass)
		     : xb_fail(actor, "the Python program ended");
	free(line);
	return rc;
}

void xb_driver_stop(struct xb_driver *driver)
{
	if (driver->to)
		fclose(driver->to);
	if (driver->pid > 0)
		xb_process_reap(driver->pid);
	if (driver->from)
		fclose(driver->from);
	*driver = (struct xb_driver){0};
}
