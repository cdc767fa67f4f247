/* SPDX-License-Identifier: MIT */
/* What fork shares and what it copies: the families shm and inherit, over objects of every kind. */
#include "conformance/cases/cases.h"
#include "conformance/cases/touch.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KINDS	  XC_TOUCH_KINDS
#define IN_MEMORY (XC_SCOPE(SHM) | XC_SCOPE(INHERITED))

/* What the processes of a case say to each other: in memory that all of them map. */
struct scene {
	struct xp_object object;
	const struct xc_touch *touch;
	_Atomic int *reached, *go_on; /* steps of the toucher, of the leader */
	_Atomic int *rc;
	int plain; /* an object without a kernel object or a mapping behind it */
};

static enum xc_verdict make(struct xc_case_context *cc, struct scene *ret_scene)
{
	_Atomic int *cells = cc->shared;

	*ret_scene = (struct scene){.touch = &xc_touches[cc->iut->impl->kind],
				    .reached = &cells[0],
				    .go_on = &cells[32],
				    .rc = &cells[64],
				    .plain = 1};
	return xc_make(cc, &ret_scene->touch->params, &ret_scene->object);
}

static enum xc_verdict await(struct xc_case_context *cc, const _Atomic int *cell)
{
	struct timespec by = xc_patience();

	while (atomic_load(cell) == 0) {
		XC_REQUIRE(cc, !xp_deadline_passed(&by), "the other process gets there",
			   "it does not");
		sched_yield();
	}
	return XC_PASS;
}

static int touch_and_wait(struct scene *scene)
{
	int rc = scene->touch->touch(&scene->object);

	scene->plain = 2;
	atomic_store(scene->rc, rc);
	atomic_store(scene->reached, 1);
	while (atomic_load(scene->go_on) == 0)
		sched_yield();
	return scene->touch->untouch(&scene->object);
}

static int touch_body(struct xp_member *me, void *arg)
{
	struct scene *scene = arg;

	xp_member_arrive(me);
	XM_GIVES(me, touch_and_wait(scene), 0);
	return 0;
}

static enum xc_verdict shared(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	XC_TRY(xc_start(cc, 1, touch_body, &scene));
	XC_TRY(await(cc, scene.reached));
	XC_GIVES(cc, atomic_load(scene.rc), 0);
	XC_GIVES(cc, scene.touch->touched(&scene.object), 0);
	atomic_store(scene.go_on, 1);
	return xc_join(cc);
}

static enum xc_verdict copied(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	XC_TRY(xc_start(cc, 1, touch_body, &scene));
	XC_TRY(await(cc, scene.reached));
	XC_REQUIRE(cc, scene.plain == 1, "a plain object of the parent keeps its value",
		   "the child has changed it to %d", scene.plain);
	/* While the object beside it did change. */
	XC_GIVES(cc, scene.touch->touched(&scene.object), 0);
	atomic_store(scene.go_on, 1);
	return xc_join(cc);
}

/* Fork @depth times; each process in between ends at once, the last one touches. */
static int descend(struct scene *scene, int depth)
{
	if (depth == 0)
		return touch_and_wait(scene);
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(descend(scene, depth - 1) ? 1 : 0); /* child */
	return 0;
}

static int descend_body(struct xp_member *me, void *arg)
{
	xp_member_arrive(me);
	XM_GIVES(me, descend(arg, 5), 0);
	return 0;
}

static enum xc_verdict depth(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	XC_TRY(xc_start(cc, 1, descend_body, &scene));
	XC_TRY(xc_join(cc));
	XC_TRY(await(cc, scene.reached));
	XC_GIVES(cc, atomic_load(scene.rc), 0);
	XC_GIVES(cc, scene.touch->touched(&scene.object), 0);
	atomic_store(scene.go_on, 1);
	return XC_PASS;
}

/* The grandchild was made by one child, the object is looked at by another. */
static int look_body(struct xp_member *me, void *arg)
{
	struct scene *scene = arg;

	xp_member_arrive(me);
	if (me->index == 0) {
		XM_GIVES(me, descend(scene, 1), 0);
		return 0;
	}
	while (atomic_load(scene->reached) == 0)
		sched_yield();
	XM_GIVES(me, atomic_load(scene->rc), 0);
	XM_GIVES(me, scene->touch->touched(&scene->object), 0);
	atomic_store(scene->go_on, 1);
	return 0;
}

static enum xc_verdict siblings(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	XC_TRY(xc_start(cc, 2, look_body, &scene));
	return xc_join(cc);
}

static enum xc_verdict survivors(struct xc_case_context *cc)
{
	struct scene scene;

	XC_TRY(make(cc, &scene));
	XC_TRY(xc_start(cc, 1, touch_body, &scene));
	XC_TRY(await(cc, scene.reached));
	XC_GIVES(cc, atomic_load(scene.rc), 0);
	XC_TRY(xc_kill(cc, 0));
	XC_GIVES(cc, scene.touch->survives(&scene.object), 0);
	return xc_join(cc);
}

/* ---- names ------------------------------------------------------------------------------------ */

/* Shared mappings whose file has a name that another process could open. */
static int named_mappings(char *name, size_t size)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int count = 0;

	if (!maps)
		return -errno;
	while (fgets(line, sizeof(line), maps)) {
		char permissions[5] = "", path[256] = "";
		if (sscanf(line, "%*s %4s %*s %*s %*s %255[^\n]", permissions, path) < 1)
			continue;
		if (permissions[3] != 's' || path[0] != '/' || strstr(path, "(deleted)"))
			continue;
		snprintf(name, size, "%s", path);
		count++;
	}
	fclose(maps);
	return count;
}

static enum xc_verdict nameless(struct xc_case_context *cc)
{
	struct scene scene;
	char name[256] = "";

	int before = named_mappings(name, sizeof(name));
	XC_TRY(make(cc, &scene));
	XC_GIVES(cc, scene.touch->touch(&scene.object), 0);
	int after = named_mappings(name, sizeof(name));
	XC_REQUIRE(cc, before == after, "no mapping of the object has a name in the file system",
		   "one is %s", name);
	return XC_PASS;
}

const struct xc_case xc_cases_scope[] = {
    {.clause = "shm.both_ways",
     .name = "child",
     .kinds = KINDS,
     .scopes = XC_SCOPE(SHM),
     .run = shared},
    {.clause = "shm.siblings",
     .name = "grandchild",
     .kinds = KINDS,
     .scopes = XC_SCOPE(SHM),
     .flags = XC_NEEDS_PROCESSES,
     .run = siblings},
    {.clause = "shm.nameless",
     .name = "mappings",
     .kinds = KINDS,
     .scopes = XC_SCOPE(SHM),
     .run = nameless},
    {.clause = "shm.outlives",
     .name = "killed",
     .kinds = KINDS,
     .scopes = XC_SCOPE(SHM),
     .flags = XC_NEEDS_PROCESSES,
     .run = survivors},
    {.clause = "inherit.copied",
     .name = "child",
     .kinds = KINDS,
     .scopes = IN_MEMORY,
     .flags = XC_NEEDS_PROCESSES,
     .run = copied},
    {.clause = "inherit.shared",
     .name = "child",
     .kinds = KINDS,
     .scopes = XC_SCOPE(INHERITED),
     .run = shared},
    {.clause = "inherit.depth",
     .name = "five",
     .kinds = KINDS,
     .scopes = XC_SCOPE(INHERITED),
     .flags = XC_NEEDS_PROCESSES,
     .run = depth},
    {.clause = "inherit.survivors",
     .name = "killed",
     .kinds = KINDS,
     .scopes = XC_SCOPE(INHERITED),
     .caps = XP_CAP_ROBUST,
     .flags = XC_NEEDS_PROCESSES,
     .run = survivors},
    {0},
};
