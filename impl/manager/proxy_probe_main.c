/* SPDX-License-Identifier: MIT */
/* proxy_probe - our proxies against a manager at an address: a line per typeid, for interop_test.py. */
#include "xpshare/manager/proxy_kind.h"

#include "xpshare/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct xp_place place;

/* Each check answers NULL, or what went wrong: the source of the condition that does not hold. */
#define CHECK(condition)                   \
	do {                               \
		if (!(condition))          \
			return #condition; \
	} while (0)

static struct timespec soon(void)
{
	return xp_deadline_after(20 * XP_NS_PER_MS);
}

static bool is_python2(void)
{
	return xp_manager_is_python2(place.manager);
}

static const char *check_value(struct xp_object *object)
{
	int number = -12345;
	int back = 0;

	CHECK(xp_value_load(&object->as.value, &back) == 0 && back == 0);
	CHECK(xp_value_store(&object->as.value, &number) == 0);
	CHECK(xp_value_load(&object->as.value, &back) == 0 && back == number);
	return NULL;
}

static const char *check_array(struct xp_object *object)
{
	int block[3] = {7, -8, 9};
	int back[3];

	CHECK(xp_array_set(&object->as.array, 3, &block[1]) == 0);
	CHECK(xp_array_get(&object->as.array, 3, back) == 0 && back[0] == -8);
	CHECK(xp_array_get(&object->as.array, 4, back) == -ERANGE);
	CHECK(xp_array_copy_in(&object->as.array, 0, 3, block) == 0);
	CHECK(xp_array_copy_out(&object->as.array, 0, 3, back) == 0);
	CHECK(!memcmp(block, back, sizeof(block)));
	return NULL;
}

static const char *check_queue(struct xp_object *object)
{
	const struct xp_queue *queue = &object->as.queue;
	struct timespec deadline = soon();
	char back[16];
	size_t size;

	CHECK(xp_queue_try_get(queue, back, sizeof(back), &size) == -EAGAIN);
	CHECK(xp_queue_get_until(queue, back, sizeof(back), &size, &deadline) == -ETIMEDOUT);
	CHECK(xp_queue_put(queue, "\0\xff item", 7) == 0);
	CHECK(xp_queue_put(queue, "2", 1) == 0);
	CHECK(xp_queue_try_put(queue, "3", 1) == -EAGAIN);
	CHECK(xp_queue_length(queue) == 2);
	CHECK(xp_queue_get(queue, back, sizeof(back), &size) == 0);
	CHECK(size == 7 && !memcmp(back, "\0\xff item", 7));
	CHECK(xp_queue_get(queue, back, sizeof(back), &size) == 0 && size == 1);
	if (queue->ops->task_done) {
		CHECK(xp_queue_task_done(queue) == 0 && xp_queue_task_done(queue) == 0);
		CHECK(xp_queue_task_done(queue) == -EOVERFLOW);
		CHECK(xp_queue_join_until(queue, NULL) == 0);
	}
	return NULL;
}

static const char *check_lock(struct xp_object *object)
{
	const struct xp_lock *lock = &object->as.lock;
	struct timespec deadline = soon();

	CHECK(xp_lock_acquire(lock) == 0);
	if (object->impl->kind == XP_KIND_RLOCK) {
		CHECK(xp_lock_try_acquire(lock) == 0 && xp_lock_release(lock) == 0);
	} else {
		int rc = xp_lock_acquire_until(lock, &deadline);

		CHECK(xp_lock_try_acquire(lock) == -EBUSY);
		CHECK(rc == (is_python2() ? -ENOTSUP : -ETIMEDOUT));
	}
	CHECK(xp_lock_release(lock) == 0);
	CHECK(xp_lock_release(lock) == -EPERM);
	return NULL;
}

static const char *check_semaphore(struct xp_object *object)
{
	const struct xp_semaphore *semaphore = &object->as.semaphore;
	bool bounded = object->impl->kind == XP_KIND_BOUNDED;

	CHECK(xp_semaphore_wait(semaphore) == 0 && xp_semaphore_try_wait(semaphore) == 0);
	CHECK(xp_semaphore_try_wait(semaphore) == -EAGAIN);
	CHECK(xp_semaphore_post(semaphore) == 0 && xp_semaphore_post(semaphore) == 0);
	CHECK(xp_semaphore_post(semaphore) == (bounded ? -EOVERFLOW : 0));
	return NULL;
}

static const char *check_condition(struct xp_object *object)
{
	const struct xp_condition *condition = &object->as.condition;
	struct timespec deadline = soon();

	CHECK(xp_condition_signal(condition, 1) == -EPERM);
	CHECK(xp_lock_acquire(&condition->lock) == 0);
	CHECK(xp_condition_wait_until(condition, &deadline) == -ETIMEDOUT);
	CHECK(xp_condition_broadcast(condition) == 0);
	CHECK(xp_lock_release(&condition->lock) == 0);
	return NULL;
}

static const char *check_event(struct xp_object *object)
{
	const struct xp_event *event = &object->as.event;
	struct timespec deadline = soon();

	CHECK(xp_event_is_set(event) == 0 && xp_event_wait_until(event, &deadline) == -ETIMEDOUT);
	CHECK(xp_event_set(event) == 0 && xp_event_wait(event) == 0 && xp_event_is_set(event) == 1);
	CHECK(xp_event_clear(event) == 0 && xp_event_is_set(event) == 0);
	return NULL;
}

static const char *check_barrier(struct xp_object *object)
{
	const struct xp_barrier *barrier = &object->as.barrier;
	struct timespec deadline = soon();

	CHECK(xp_barrier_parties(barrier) == 2 && xp_barrier_waiting(barrier) == 0);
	CHECK(xp_barrier_wait_until(barrier, &deadline) == -ETIMEDOUT);
	CHECK(xp_barrier_broken(barrier) == 1 && xp_barrier_reset(barrier) == 0);
	CHECK(xp_barrier_broken(barrier) == 0);
	return NULL;
}

static const char *check_list(struct xp_object *object)
{
	struct xp_proxy *list = object->as.proxy;
	struct xp_datum_arena *arena = xp_proxy_arena(list);
	const struct xp_datum *args[1] = {xp_datum_str(arena, "item")};
	struct xp_remote_error error;
	const struct xp_datum *value;

	CHECK(xp_proxy_call(list, "append", 1, args, NULL, NULL, NULL) == 0);
	args[0] = xp_datum_int(xp_proxy_arena(list), 0);
	CHECK(xp_proxy_call(list, "__getitem__", 1, args, NULL, &value, NULL) == 0);
	CHECK(xp_datum_is_text(value, "item"));
	args[0] = xp_datum_int(xp_proxy_arena(list), 5);
	CHECK(xp_proxy_call(list, "__getitem__", 1, args, NULL, &value, &error) == -EREMOTEIO);
	CHECK(!strcmp(error.type, "builtins.IndexError"));
	CHECK(!strcmp(error.text, "list index out of range"));
	CHECK(xp_proxy_call(list, "no_such", 0, NULL, NULL, NULL, &error) == -EREMOTEIO);
	CHECK(!strcmp(error.type, "RemoteError") && error.traceback);
	return NULL;
}

static const char *check_dict(struct xp_object *object)
{
	struct xp_proxy *dict = object->as.proxy;
	struct xp_datum_arena *arena = xp_proxy_arena(dict);
	const struct xp_datum *args[2] = {xp_datum_int(arena, 1), xp_datum_str(arena, "one")};
	struct xp_remote_error error;
	struct xp_proxy *iterator;
	const struct xp_datum *value;

	CHECK(xp_proxy_call(dict, "__setitem__", 2, args, NULL, NULL, NULL) == 0);
	args[0] = xp_datum_float(xp_proxy_arena(dict), 1.0);
	CHECK(xp_proxy_call(dict, "__getitem__", 1, args, NULL, &value, NULL) == 0);
	CHECK(xp_datum_is_text(value, "one"));
	args[0] = xp_datum_str(xp_proxy_arena(dict), "none");
	CHECK(xp_proxy_call(dict, "__getitem__", 1, args, NULL, &value, &error) == -EREMOTEIO);
	CHECK(xp_remote_error_is(&error, "KeyError") && error.args && error.args->count == 1);
	CHECK(xp_proxy_call_object(dict, "__iter__", 0, NULL, &iterator, NULL) == 0);
	const char *next = is_python2() ? "next" : "__next__";

	CHECK(xp_proxy_call(iterator, next, 0, NULL, NULL, &value, NULL) == 0 &&
	      value->integer == 1);
	CHECK(xp_proxy_call(iterator, next, 0, NULL, NULL, &value, &error) == -EREMOTEIO);
	CHECK(xp_remote_error_is(&error, "StopIteration"));
	xp_proxy_drop(iterator);
	return NULL;
}

static const char *check_namespace(struct xp_object *object)
{
	struct xp_proxy *namespace = object->as.proxy;
	struct xp_datum_arena *arena = xp_proxy_arena(namespace);
	const struct xp_datum *args[2] = {xp_datum_str(arena, "a"), xp_datum_int(arena, 1)};
	struct xp_remote_error error;
	const struct xp_datum *value;

	CHECK(xp_proxy_call(namespace, "__setattr__", 2, args, NULL, NULL, NULL) == 0);
	args[0] = xp_datum_str(xp_proxy_arena(namespace), "a");
	CHECK(xp_proxy_call(namespace, "__getattribute__", 1, args, NULL, &value, NULL) == 0);
	CHECK(value->integer == 1);
	args[0] = xp_datum_str(xp_proxy_arena(namespace), "b");
	CHECK(xp_proxy_call(namespace, "__getattribute__", 1, args, NULL, &value, &error) ==
	      -EREMOTEIO);
	CHECK(xp_remote_error_is(&error, "AttributeError"));
	return NULL;
}

static const struct {
	const struct xp_impl *impl;
	const char *(*check)(struct xp_object *object);
	bool python2; /* Python 2's manager has it */
} checks[] = {
    {&xp_impl_value_managed, check_value, true},
    {&xp_impl_array_managed, check_array, true},
    {&xp_impl_queue_managed, check_queue, true},
    {&xp_impl_joinable_managed, check_queue, true},
    {&xp_impl_lock_managed, check_lock, true},
    {&xp_impl_rlock_managed, check_lock, true},
    {&xp_impl_semaphore_managed, check_semaphore, true},
    {&xp_impl_bounded_managed, check_semaphore, true},
    {&xp_impl_condition_managed, check_condition, true},
    {&xp_impl_event_managed, check_event, true},
    {&xp_impl_barrier_managed, check_barrier, false},
    {&xp_impl_list_managed, check_list, true},
    {&xp_impl_dict_managed, check_dict, true},
    {&xp_impl_namespace_managed, check_namespace, true},
};

static int64_t objects(void)
{
	const struct xp_datum *value;
	int64_t count = -1;

	if (xp_manager_call(place.manager, "number_of_objects", 0, NULL, &value, NULL) < 0 ||
	    xp_datum_to_int64(value, &count) < 0)
		return -1;
	return count;
}

int main(int argc, char **argv)
{
	static const struct xp_params params = {
	    .type = XP_TYPE_INT, .length = 4, .capacity = 2, .count = 2};
	const char *key = getenv("XP_AUTHKEY");
	struct xp_address address;
	int failures = 0;

	if (argc != 2 || !key || xp_address_parse(argv[1], &address) < 0) {
		fputs("usage: XP_AUTHKEY=key proxy_probe ADDRESS\n", stderr);
		return 2;
	}
	int rc = xp_manager_connect(
	    &(struct xp_manager_plan){.address = &address, .key = key, .key_size = strlen(key)},
	    &place.manager);

	if (rc < 0) {
		fprintf(stderr, "proxy_probe: %s: %s\n", argv[1], strerror(-rc));
		return 1;
	}
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		const struct xp_impl *impl = checks[i].impl;
		struct xp_object object = {.impl = impl};
		const char *name = xp_kind_name(impl->kind);

		if (is_python2() && !checks[i].python2) {
			printf("%s -\n", name);
			continue;
		}
		rc = impl->make(impl, &place, &params, &object);
		object.impl = impl;
		const char *wrong = rc < 0 ? strerror(-rc) : checks[i].check(&object);

		printf("%s %s\n", name, wrong ? wrong : "OK");
		failures += wrong != NULL;
		if (rc == 0)
			impl->drop(&object);
	}
	/* All references have been given back. */
	bool none = objects() == 0;

	printf("dropped %s\n", none ? "OK" : "objects are left");
	xp_manager_close(place.manager);
	return failures > 0 || !none;
}
