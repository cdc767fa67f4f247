/* SPDX-License-Identifier: MIT */
/* What fork shares and what it copies: the families shm and inherit, over objects of every kind. */
#include "conformance/cases/cases.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KINDS	  (XC_KINDS_ALL & ~(XC_KIND(LIST) | XC_KIND(DICT) | XC_KIND(NAMESPACE)))
#define IN_MEMORY (XC_SCOPE(SHM) | XC_SCOPE(INHERITED))

enum { RECEIVER = 0, SENDER = 1 };

/*
 * touch:     do something to the object that others can see;
 * touched:   0 if another process sees it;
 * untouch:   what the toucher does before it ends, so that it leaves no debt;
 * survives:  0 if the object can be used after a process died in the state "touched".
 */
struct touch {
	struct xp_params params;
	int (*touch)(const struct xp_object *object);
	int (*touched)(const struct xp_object *object);
	int (*untouch)(const struct xp_object *object);
	int (*survives)(const struct xp_object *object);
};

static int nothing(const struct xp_object *object)
{
	(void)object;
	return 0;
}

static int seen(int rc, int expected)
{
	return rc == expected ? 0 : rc ? rc : -ENODATA;
}

static int value_store(const struct xp_object *object)
{
	int64_t number = 77;

	return xp_value_store(&object->as.value, &number);
}

static int value_loads(const struct xp_object *object)
{
	int64_t number = 0;
	int rc = xp_value_load(&object->as.value, &number);

	return rc ? rc : seen(number == 77, 1);
}

static int array_set(const struct xp_object *object)
{
	int64_t number = 77;

	return xp_array_set(&object->as.array, 1, &number);
}

static int array_gets(const struct xp_object *object)
{
	int64_t number = 0;
	int rc = xp_array_get(&object->as.array, 1, &number);

	return rc ? rc : seen(number == 77, 1);
}

static int lock_acquire(const struct xp_object *object)
{
	return xp_lock_acquire(&object->as.lock);
}

static int lock_is_held(const struct xp_object *object)
{
	return seen(xp_lock_try_acquire(&object->as.lock), -EBUSY);
}

static int lock_release(const struct xp_object *object)
{
	return xp_lock_release(&object->as.lock);
}

static int hold_again(const struct xp_lock *lock)
{
	struct timespec by = xc_patience();
	int rc = xp_lock_acquire_until(lock, &by);

	return rc && rc != -EOWNERDEAD ? rc : xp_lock_release(lock);
}

static int lock_survives(const struct xp_object *object)
{
	return hold_again(&object->as.lock);
}

static int semaphore_wait(const struct xp_object *object)
{
	return xp_semaphore_wait(&object->as.semaphore);
}

static int semaphore_is_empty(const struct xp_object *object)
{
	return seen(xp_semaphore_try_wait(&object->as.semaphore), -EAGAIN);
}

static int semaphore_post(const struct xp_object *object)
{
	return xp_semaphore_post(&object->as.semaphore);
}

/* A dead holder's unit stays taken, so another one is posted. */
static int semaphore_survives(const struct xp_object *object)
{
	struct timespec by = xc_patience();
	int rc = xp_semaphore_post(&object->as.semaphore);

	return rc ? rc : xp_semaphore_wait_until(&object->as.semaphore, &by);
}

static int condition_acquire(const struct xp_object *object)
{
	return xp_lock_acquire(&object->as.condition.lock);
}

static int condition_is_held(const struct xp_object *object)
{
	return seen(xp_lock_try_acquire(&object->as.condition.lock), -EBUSY);
}

static int condition_release(const struct xp_object *object)
{
	return xp_lock_release(&object->as.condition.lock);
}

static int condition_survives(const struct xp_object *object)
{
	return hold_again(&object->as.condition.lock);
}

static int event_set(const struct xp_object *object)
{
	return xp_event_set(&object->as.event);
}

static int event_is_set(const struct xp_object *object)
{
	return seen(xp_event_is_set(&object->as.event), 1);
}

static int event_survives(const struct xp_object *object)
{
	struct timespec by = xc_patience();
	int rc = xp_event_clear(&object->as.event);

	if (rc == 0)
		rc = xp_event_set(&object->as.event);
	return rc ? rc : xp_event_wait_until(&object->as.event, &by);
}

static int barrier_abort(const struct xp_object *object)
{
	return xp_barrier_abort(&object->as.barrier);
}

static int barrier_is_broken(const struct xp_object *object)
{
	return seen(xp_barrier_broken(&object->as.barrier), 1);
}

static int barrier_survives(const struct xp_object *object)
{
	return xp_barrier_reset(&object->as.barrier);
}

static int pipe_send(const struct xp_object *object)
{
	return xp_pipe_send_until(&object->as.pipe, SENDER, "77", 2, NULL);
}

static int pipe_receives(const struct xp_object *object)
{
	char buffer[8];
	size_t size = 0;
	struct timespec by = xc_patience();
	int rc = xp_pipe_recv_until(&object->as.pipe, RECEIVER, buffer, 8, &size, &by);

	return rc ? rc : seen(size == 2 && memcmp(buffer, "77", 2) == 0, 1);
}

static int queue_put(const struct xp_object *object)
{
	return xp_queue_put(&object->as.queue, "77", 2);
}

static int queue_gets(const struct xp_object *object)
{
	char buffer[8];
	size_t size = 0;
	struct timespec by = xc_patience();
	int rc = xp_queue_get_until(&object->as.queue, buffer, 8, &size, &by);

	return rc ? rc : seen(size == 2 && memcmp(buffer, "77", 2) == 0, 1);
}

static int pipe_survives(const struct xp_object *object)
{
	int rc = pipe_receives(object);

	if (rc == 0)
		rc = pipe_send(object);
	return rc ? rc : pipe_receives(object);
}

static int queue_survives(const struct xp_object *object)
{
	int rc = queue_gets(object);

	if (rc == 0)
		rc = queue_put(object);
	return rc ? rc : queue_gets(object);
}

#define LOCK_TOUCH                                                           \
	{                                                                    \
		{0}, lock_acquire, lock_is_held, lock_release, lock_survives \
	}
#define SEMAPHORE_TOUCH                                                           \
	{                                                                         \
		{.count = 1}, semaphore_wait, semaphore_is_empty, semaphore_post, \
		    semaphore_survives                                            \
	}
#define QUEUE_TOUCH                                                                            \
	{                                                                                      \
		{.capacity = 4, .item_max = 8}, queue_put, queue_gets, nothing, queue_survives \
	}

static const struct touch touches[XP_KIND_COUNT] = {
    [XP_KIND_VALUE] = {{.type = XP_TYPE_LLONG}, value_store, value_loads, nothing, value_loads},
    [XP_KIND_ARRAY] =
	{{.type = XP_TYPE_LLONG, .length = 3}, array_set, array_gets, nothing, array_gets},
    [XP_KIND_PIPE] = {{.simplex = true}, pipe_send, pipe_receives, nothing, pipe_survives},
    [XP_KIND_QUEUE] = QUEUE_TOUCH,
    [XP_KIND_JOINABLE] = QUEUE_TOUCH,
    [XP_KIND_LOCK] = LOCK_TOUCH,
    [XP_KIND_RLOCK] = LOCK_TOUCH,
    [XP_KIND_SEMAPHORE] = SEMAPHORE_TOUCH,
    [XP_KIND_BOUNDED] = SEMAPHORE_TOUCH,
    [XP_KIND_CONDITION] =
	{{0}, condition_acquire, condition_is_held, condition_release, condition_survives},
    [XP_KIND_EVENT] = {{0}, event_set, event_is_set, nothing, event_survives},
    [XP_KIND_BARRIER] = {{.count = 2}, barrier_abort, barrier_is_broken, nothing, barrier_survives},
};

/* What the processes of a case say to each other: in memory that all of them map. */
struct scene {
	struct xp_object object;
	const struct touch *touch;
	_Atomic int *reached, *go_on; /* steps of the toucher, of the leader */
	_Atomic int *rc;
	int plain; /* an object without a kernel object or a mapping behind it */
};

static enum xc_verdict make(struct xc_case_context *cc, struct scene *ret_scene)
{
	_Atomic int *cells = cc->shared;

	*ret_scene = (struct scene){.touch = &touches[cc->iut->impl->kind],
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
