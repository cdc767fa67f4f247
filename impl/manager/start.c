/* SPDX-License-Identifier: MIT */
/* A manager of our own in a child process. */
#include "xpshare/manager/link.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/io.h"
#include "xpshare/rpc/door.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#define KEY_SIZE  32
#define START_NS  (10 * XP_NS_PER_SEC) /* for the child to listen */
#define DIRECTORY 108		       /* bytes of a path of a socket */
#define PREFIX	  "xpshare-"	       /* of the directory that holds it */

/* What the child needs; copied by the fork. */
struct plan {
	struct xp_server_options options;
	struct xp_address address;
	unsigned char key[KEY_SIZE];
	char directory[DIRECTORY];
	int ready;	 /* the child's end */
	int end;	 /* the parent's end */
	int door_server; /* likewise */
	int door_client;
};

/* What the child says once it listens, or that it cannot. */
struct report {
	int32_t rc;
	struct xp_address address;
};

static struct xp_server *running;

static void on_signal(int signal)
{
	(void)signal;
	xp_server_stop(running);
}

static int serve(struct plan *plan, struct xp_registry *own)
{
	struct report report = {0};
	struct sigaction action = {.sa_handler = on_signal};

	if (!plan->options.registry)
		plan->options.registry = own;
	report.rc = xp_server_create(&plan->options, &running);
	if (report.rc == 0) {
		sigaction(SIGTERM, &action, NULL);
		report.address = *xp_server_address(running, 0);
	}
	if (xp_io_write_full(plan->ready, &report, sizeof(report), NULL) < 0 && report.rc == 0)
		report.rc = -EPIPE; /* the parent is gone */
	xp_io_close(plan->ready);
	if (report.rc < 0)
		return 1;
	int rc = xp_server_run(running);

	/* Who asks once more asks a server that is on its way out. */
	signal(SIGTERM, SIG_IGN);
	xp_server_destroy(running);
	return rc < 0;
}

/* Whether the caller has named descriptors that the child shall listen on. */
static bool names_descriptors(const struct xp_server_options *options)
{
	bool any = options->fd_count > 0;

	for (size_t i = 0; i < options->address_count; i++)
		any |= xp_address_fd(&options->addresses[i]) >= 0;
	return any;
}

/* Nothing else of the parent's may stay open because of this child: it keeps the standard streams, the pipe
 * as 3 and the door as 4. */
static int drop_inherited(struct plan *plan)
{
	int door = -1;

	if (plan->door_server < 0 && names_descriptors(&plan->options)) {
		xp_io_close(plan->end);
		return 0;
	}
	/* Out of the way of the first. */
	if (plan->door_server >= 0 && (door = fcntl(plan->door_server, F_DUPFD, 5)) < 0)
		return -errno;
	if (dup2(plan->ready, 3) < 0 || (door >= 0 && dup2(door, 4) < 0))
		return -errno;
	plan->ready = 3;
	if (door >= 0)
		plan->address = xp_address_of_fd(4);
	return close_range(door >= 0 ? 5 : 4, ~0u, 0) < 0 ? -errno : 0;
}

static int child_body(void *argument)
{
	struct plan *plan = argument;
	struct xp_registry *registry;
	sigset_t none;
	int status = 1;

	/* End with the parent, but tidily; and be no part of what its terminal interrupts. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGINT, SIG_IGN);
	xp_server_own_process();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (drop_inherited(plan) < 0)
		return 1;
	if (xp_registry_create(&registry) == 0) {
		if (xp_registry_add_builtins(registry) == 0)
			status = serve(plan, registry);
		xp_registry_destroy(registry);
	}
	if (plan->directory[0])
		rmdir(plan->directory);
	return status;
}

/* What a manager leaves that was killed together with its parent, so that neither could clean up. */
static void sweep(const char *base)
{
	DIR *entries = opendir(base);
	struct xp_address address;
	char text[DIRECTORY + 16];

	for (struct dirent *entry; entries && (entry = readdir(entries));) {
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    strlen(entry->d_name) != strlen(PREFIX) + 6)
			continue;
		snprintf(text, sizeof(text), "unix:%s/%.32s/socket", base, entry->d_name);
		if (xp_address_parse(text, &address) < 0 || !xp_listen_sweep(&address))
			continue;
		*strrchr(text, '/') = '\0';
		rmdir(text + strlen("unix:"));
	}
	if (entries)
		closedir(entries);
}

/* A directory that only this user may enter, and a socket in it. */
static int private_address(struct plan *plan)
{
	const char *base = getenv("TMPDIR");
	char text[DIRECTORY + 16];

	if (!base || strlen(base) > 64)
		base = "/tmp";
	sweep(base);
	snprintf(plan->directory, sizeof(plan->directory), "%s/" PREFIX "XXXXXX", base);
	if (!mkdtemp(plan->directory)) {
		plan->directory[0] = '\0';
		return -errno;
	}
	snprintf(text, sizeof(text), "unix:%s/socket", plan->directory);
	return xp_address_parse(text, &plan->address);
}

static int fill_plan(struct plan *plan, const struct xp_server_options *options)
{
	int ends[2];
	int rc = 0;

	if (options)
		plan->options = *options;
	if (!plan->options.key) {
		if (getrandom(plan->key, KEY_SIZE, 0) != KEY_SIZE)
			return -EIO;
		plan->options.key = plan->key;
		plan->options.key_size = KEY_SIZE;
	}
	if (plan->options.address_count + plan->options.fd_count == 0) {
		rc = plan->options.door ? xp_door_create(&plan->door_server, &plan->door_client)
					: private_address(plan);
		plan->options.addresses = &plan->address;
		plan->options.address_count = 1;
	}
	if (rc == 0 && pipe2(ends, O_CLOEXEC) < 0)
		rc = -errno;
	if (rc == 0) {
		plan->end = ends[0];
		plan->ready = ends[1];
	}
	return rc;
}

int xp_manager_start(const struct xp_server_options *options, struct xp_manager **ret_manager)
{
	struct plan plan = {.ready = -1, .end = -1, .door_server = -1, .door_client = -1};
	struct timespec deadline = xp_deadline_after(START_NS);
	struct xp_manager *manager = NULL;
	struct xp_child child = {0};
	struct report report;
	int rc = fill_plan(&plan, options);

	if (rc == 0)
		rc = xp_child_start(child_body, &plan, &child);
	plan.ready = xp_io_close(plan.ready);
	plan.door_server = xp_io_close(plan.door_server);
	if (rc == 0)
		rc = xp_io_read_full(plan.end, &report, sizeof(report), &deadline);
	plan.end = xp_io_close(plan.end);
	if (rc == 0)
		rc = report.rc;
	if (rc == 0 && plan.door_client >= 0)
		report.address = xp_address_of_fd(plan.door_client);
	if (rc == 0)
		rc = xp_manager_connect(
		    &(struct xp_manager_plan){
			.address = &report.address,
			.key = plan.options.key,
			.key_size = plan.options.key_size,
		    },
		    &manager);
	if (rc < 0) {
		xp_child_stop(&child);
		xp_io_close(plan.door_client);
		if (plan.directory[0]) {
			char path[DIRECTORY + 16];

			snprintf(path, sizeof(path), "%s/socket", plan.directory);
			unlink(path);
			rmdir(plan.directory);
		}
		return rc;
	}
	xp_manager_adopt_child(manager, &child, plan.directory, plan.door_client);
	*ret_manager = manager;
	return 0;
}
