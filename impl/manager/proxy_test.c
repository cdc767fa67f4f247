/* SPDX-License-Identifier: MIT */
/* Proxies of C against our own server in a child process: the whole path, both ways. */
#include "xpshare/manager/proxy_kind.h"

#include "xpshare/base/clock.h"
#include "xpshare/proc/blocked.h"
#include "xpshare/proc/child.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct xp_manager *manager;
static struct xp_place place;

static void start(void)
{
	const char *model = getenv("XP_TEST_SERVER");
	struct xp_server_options options = {0};

	/* Each test runs with both servers, and with both by ring. */
	if (model && strstr(model, "thread"))
		options.model = XP_SERVER_THREAD;
	cr_assert_eq(xp_manager_start(&options, &manager), 0);
	if (model && strstr(model, "ring"))
		xp_manager_set_ring(manager, 0, 0);
	place.manager = manager;
}

static void stop(void)
{
	xp_manager_close(manager);
}

TestSuite(proxy, .init = start, .fini = stop, .timeout = 60);

static struct timespec soon(int64_t ms)
{
	return xp_deadline_after(ms * XP_NS_PER_MS);
}

static struct xp_object make(const struct xp_impl *impl, const struct xp_params *params)
{
	static const struct xp_params defaults;
	struct xp_object object = {0};
	int rc = impl->make(impl, &place, params ? params : &defaults, &object);

	cr_assert_eq(rc, 0, "%s: %d", impl->name, rc);
	object.impl = impl;
	return object;
}

static int64_t objects(void)
{
	const struct xp_datum *value;
	int64_t count;

	cr_assert_eq(xp_manager_call(manager, "number_of_objects", 0, NULL, &value, NULL), 0);
	cr_assert_eq(xp_datum_to_int64(value, &count), 0);
	return count;
}

Test(proxy, a_call_returns_the_value_that_an_earlier_call_stored)
{
	struct xp_remote_error error;
	struct xp_proxy *dict;
	const struct xp_datum *value;

	cr_assert_eq(xp_proxy_create(manager, "dict", 0, NULL, NULL, &dict, NULL), 0);
	struct xp_datum_arena *arena = xp_proxy_arena(dict);
	const struct xp_datum *args[2] = {xp_datum_str(arena, "key"), xp_datum_int(arena, 7)};

	cr_assert_eq(xp_proxy_call(dict, "__setitem__", 2, args, NULL, NULL, &error), 0);
	arena = xp_proxy_arena(dict);
	args[0] = xp_datum_str(arena, "key");
	cr_assert_eq(xp_proxy_call(dict, "__getitem__", 1, args, NULL, &value, &error), 0);
	cr_assert_eq(value->integer, 7);
	xp_proxy_drop(dict);
}

Test(proxy, an_exception_crosses_with_type_and_arguments)
{
	struct xp_remote_error error;
	struct xp_proxy *dict;

	cr_assert_eq(xp_proxy_create(manager, "dict", 0, NULL, NULL, &dict, NULL), 0);
	const struct xp_datum *args[1] = {xp_datum_str(xp_proxy_arena(dict), "nothing")};

	cr_assert_eq(xp_proxy_call(dict, "__getitem__", 1, args, NULL, NULL, &error), -EREMOTEIO);
	cr_assert_str_eq(error.type, "builtins.KeyError");
	cr_assert_str_eq(error.text, "nothing");
	cr_assert_eq(xp_proxy_call(dict, "no_such_method", 0, NULL, NULL, NULL, &error),
		     -EREMOTEIO);
	cr_assert_str_eq(error.type, "RemoteError");
	cr_assert_str_eq(error.text, "KeyError: 'no_such_method'");
	xp_proxy_drop(dict);
	cr_assert_eq(xp_proxy_create(manager, "no_such_type", 0, NULL, NULL, &dict, &error),
		     -EREMOTEIO);
	cr_assert_str_eq(error.text, "KeyError: 'no_such_type'");
}

Test(proxy, dropping_the_last_proxy_frees_the_object)
{
	struct xp_object list = make(&xp_impl_list_managed, NULL);
	struct xp_object event = make(&xp_impl_event_managed, NULL);

	cr_assert_eq(objects(), 2);
	list.impl->drop(&list);
	cr_assert_eq(objects(), 1);
	event.impl->drop(&event);
	cr_assert_eq(objects(), 0);
}

Test(proxy, a_proxy_stored_in_another_object_keeps_its_object)
{
	struct xp_object list = make(&xp_impl_list_managed, NULL);
	struct xp_object dict = make(&xp_impl_dict_managed, NULL);
	struct xp_datum_arena *arena = xp_proxy_arena(list.as.proxy);
	const struct xp_datum *args[1] = {xp_proxy_value(dict.as.proxy, arena)};
	const struct xp_datum *value;
	const struct xp_datum *proxy[3];

	cr_assert_eq(xp_proxy_call(list.as.proxy, "append", 1, args, NULL, NULL, NULL), 0);
	dict.impl->drop(&dict);
	/* Held from inside: not counted, but there. */
	cr_assert_eq(objects(), 1);
	arena = xp_proxy_arena(list.as.proxy);
	args[0] = xp_datum_int(arena, 0);
	cr_assert_eq(xp_proxy_call(list.as.proxy, "__getitem__", 1, args, NULL, &value, NULL), 0);
	cr_assert(xp_datum_as_proxy(value, proxy));
	list.impl->drop(&list);
	cr_assert_eq(objects(), 0);
}

Test(proxy, values_of_every_type_come_back)
{
	for (int type = 0; type < XP_TYPE_BYTES; type++) {
		struct xp_object value = {0};
		unsigned char bytes[16] = {0};
		unsigned char back[16] = {0};
		struct xp_params params = {.type = (enum xp_type)type};

		if (type == XP_TYPE_LDOUBLE) {
			cr_assert_eq(xp_impl_value_managed.make(&xp_impl_value_managed, &place,
								&params, &value),
				     -ENOTSUP);
			continue;
		}
		value = make(&xp_impl_value_managed, &params);
		if (type == XP_TYPE_DOUBLE) {
			double real = -1.5e300;

			memcpy(bytes, &real, sizeof(real));
		} else if (type == XP_TYPE_FLOAT) {
			float real = 0.1f;

			memcpy(bytes, &real, sizeof(real));
		} else if (type == XP_TYPE_BOOL) {
			bytes[0] = 1;
		} else {
			memset(bytes, 0xfe,
			       xp_type_size((enum xp_type)type)); /* -2, or nearly the most */
			bytes[0] = 0x81;
		}
		cr_assert_eq(xp_value_store(&value.as.value, bytes), 0, "%s",
			     xp_type_name((enum xp_type)type));
		cr_assert_eq(xp_value_load(&value.as.value, back), 0);
		cr_assert_arr_eq(bytes, back, xp_type_size((enum xp_type)type), "%s",
				 xp_type_name((enum xp_type)type));
		value.impl->drop(&value);
	}
}

Test(proxy, a_queue_is_first_in_first_out_and_keeps_what_does_not_fit)
{
	struct xp_object queue = make(&xp_impl_queue_managed, &(struct xp_params){.capacity = 2});
	struct timespec deadline = soon(20);
	char buffer[8];
	size_t size;

	cr_assert_eq(xp_queue_try_get(&queue.as.queue, buffer, sizeof(buffer), &size), -EAGAIN);
	cr_assert_eq(xp_queue_get_until(&queue.as.queue, buffer, sizeof(buffer), &size, &deadline),
		     -ETIMEDOUT);
	cr_assert_eq(xp_queue_put(&queue.as.queue, "first item", 10), 0);
	cr_assert_eq(xp_queue_put(&queue.as.queue, "2nd", 3), 0);
	cr_assert_eq(xp_queue_try_put(&queue.as.queue, "3rd", 3), -EAGAIN);
	cr_assert_eq(xp_queue_length(&queue.as.queue), 2);
	cr_assert_eq(xp_queue_get(&queue.as.queue, buffer, sizeof(buffer), &size), -EMSGSIZE);
	cr_assert_eq(size, 10);
	char large[16];

	cr_assert_eq(xp_queue_get(&queue.as.queue, large, sizeof(large), &size), 0);
	cr_assert_arr_eq(large, "first item", 10);
	cr_assert_eq(xp_queue_close(&queue.as.queue), 0);
	cr_assert_eq(xp_queue_put(&queue.as.queue, "4th", 3), -EPIPE);
	cr_assert_eq(xp_queue_get(&queue.as.queue, large, sizeof(large), &size), 0);
	cr_assert_eq(xp_queue_get(&queue.as.queue, large, sizeof(large), &size), -EPIPE);
	queue.impl->drop(&queue);
}

struct getter {
	const struct xp_queue *queue;
	int item;
};

static int child_gets(void *argument)
{
	struct getter *getter = argument;
	size_t size;

	return xp_queue_get(getter->queue, &getter->item, sizeof(getter->item), &size) == 0
		   ? getter->item
		   : 255;
}

Test(proxy, a_blocked_child_gets_what_its_parent_puts)
{
	struct xp_object queue = make(&xp_impl_queue_managed, NULL);
	struct getter getter = {.queue = &queue.as.queue};
	struct xp_child child;
	int item = 42;
	int status;

	cr_assert_eq(xp_child_start(child_gets, &getter, &child), 0);
	cr_assert_eq(xp_blocked_until(child.pid, NULL), 0);
	cr_assert_eq(xp_queue_put(&queue.as.queue, &item, sizeof(item)), 0);
	cr_assert_eq(xp_child_wait(&child, NULL, &status), 0);
	cr_assert_eq(WEXITSTATUS(status), 42);
	queue.impl->drop(&queue);
}

Test(proxy, a_client_that_dies_while_it_waits_takes_no_item_along)
{
	struct xp_object queue = make(&xp_impl_queue_managed, NULL);
	struct getter getter = {.queue = &queue.as.queue};
	struct xp_child child;
	int item = 42;
	int back = 0;
	size_t size;

	cr_assert_eq(xp_child_start(child_gets, &getter, &child), 0);
	cr_assert_eq(xp_blocked_until(child.pid, NULL), 0);
	xp_child_stop(&child);
	cr_assert_eq(xp_queue_put(&queue.as.queue, &item, sizeof(item)), 0);
	cr_assert_eq(xp_queue_try_get(&queue.as.queue, &back, sizeof(back), &size), 0);
	cr_assert_eq(back, 42);
	queue.impl->drop(&queue);
}

Test(proxy, a_lock_has_no_owner_and_an_rlock_has)
{
	struct xp_object lock = make(&xp_impl_lock_managed, NULL);
	struct xp_object rlock = make(&xp_impl_rlock_managed, NULL);
	struct timespec deadline = soon(20);

	cr_assert_eq(xp_lock_acquire(&lock.as.lock), 0);
	cr_assert_eq(xp_lock_try_acquire(&lock.as.lock), -EBUSY);
	cr_assert_eq(xp_lock_acquire_until(&lock.as.lock, &deadline), -ETIMEDOUT);
	cr_assert_eq(xp_lock_release(&lock.as.lock), 0);
	cr_assert_eq(xp_lock_release(&lock.as.lock), -EPERM);
	cr_assert_eq(xp_lock_acquire(&rlock.as.lock), 0);
	cr_assert_eq(xp_lock_acquire(&rlock.as.lock), 0);
	cr_assert_eq(xp_lock_release(&rlock.as.lock), 0);
	cr_assert_eq(xp_lock_release(&rlock.as.lock), 0);
	cr_assert_eq(xp_lock_release(&rlock.as.lock), -EPERM);
	lock.impl->drop(&lock);
	rlock.impl->drop(&rlock);
}

static int child_holds(void *argument)
{
	const struct xp_lock *lock = argument;

	if (xp_lock_acquire(lock) < 0)
		return 1;
	pause();
	return 0;
}

Test(proxy, the_end_of_its_owner_frees_an_rlock)
{
	struct xp_object rlock = make(&xp_impl_rlock_managed, NULL);
	struct timespec deadline = soon(20000);
	struct xp_child child;

	cr_assert_eq(xp_child_start(child_holds, &rlock.as.lock, &child), 0);
	while (xp_lock_try_acquire(&rlock.as.lock) == 0 && !xp_deadline_passed(&deadline))
		cr_assert_eq(xp_lock_release(&rlock.as.lock), 0);
	cr_assert_eq(xp_lock_try_acquire(&rlock.as.lock), -EBUSY);
	xp_child_stop(&child);
	cr_assert_eq(xp_lock_acquire_until(&rlock.as.lock, &deadline), 0);
	rlock.impl->drop(&rlock);
}

Test(proxy, an_event_wakes_its_waiters)
{
	struct xp_object event = make(&xp_impl_event_managed, NULL);
	struct timespec deadline = soon(20);

	cr_assert_eq(xp_event_is_set(&event.as.event), 0);
	cr_assert_eq(xp_event_wait_until(&event.as.event, &deadline), -ETIMEDOUT);
	cr_assert_eq(xp_event_set(&event.as.event), 0);
	cr_assert_eq(xp_event_wait(&event.as.event), 0);
	cr_assert_eq(xp_event_clear(&event.as.event), 0);
	cr_assert_eq(xp_event_is_set(&event.as.event), 0);
	event.impl->drop(&event);
}

static void *thread_counts(void *argument)
{
	const struct xp_value *value = argument;
	int number;

	for (int i = 0; i < 50; i++) {
		if (xp_value_load(value, &number) < 0 || number != 5)
			return (void *)1;
	}
	return NULL;
}

Test(proxy, each_thread_has_a_connection_of_its_own)
{
	struct xp_object value =
	    make(&xp_impl_value_managed, &(struct xp_params){.type = XP_TYPE_INT});
	pthread_t threads[4];
	int five = 5;

	cr_assert_eq(xp_value_store(&value.as.value, &five), 0);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, thread_counts, &value.as.value), 0);
	for (int i = 0; i < 4; i++) {
		void *failed;

		cr_assert_eq(pthread_join(threads[i], &failed), 0);
		cr_assert_null(failed);
	}
	value.impl->drop(&value);
}

struct reading {
	const struct xp_value *value;
	int expected;
};

static int child_reads(void *argument)
{
	struct reading *reading = argument;
	int number;

	for (int i = 0; i < 200; i++) {
		if (xp_value_load(reading->value, &number) < 0 || number != reading->expected)
			return 1;
	}
	return 0;
}

Test(proxy, parent_and_child_go_on_after_a_fork)
{
	struct xp_object mine =
	    make(&xp_impl_value_managed, &(struct xp_params){.type = XP_TYPE_INT});
	struct xp_object theirs =
	    make(&xp_impl_value_managed, &(struct xp_params){.type = XP_TYPE_INT});
	struct reading reading = {.value = &theirs.as.value, .expected = 2};
	struct xp_child child;
	int one = 1;
	int two = 2;
	int status;

	cr_assert_eq(xp_value_store(&mine.as.value, &one), 0);
	cr_assert_eq(xp_value_store(&theirs.as.value, &two), 0);
	cr_assert_eq(xp_child_start(child_reads, &reading, &child), 0);
	reading = (struct reading){.value = &mine.as.value, .expected = 1};
	cr_assert_eq(child_reads(&reading), 0);
	cr_assert_eq(xp_child_wait(&child, NULL, &status), 0);
	cr_assert(xp_child_ok(status));
	mine.impl->drop(&mine);
	theirs.impl->drop(&theirs);
}

Test(proxy, a_manager_that_is_killed_is_noticed_at_once)
{
	struct xp_object value =
	    make(&xp_impl_value_managed, &(struct xp_params){.type = XP_TYPE_INT});
	int number;

	cr_assert_eq(xp_value_load(&value.as.value, &number), 0);
	cr_assert_eq(kill(xp_manager_pid(manager), SIGKILL), 0);
	int rc;

	/* The first calls may still find it alive. */
	do
		rc = xp_value_load(&value.as.value, &number);
	while (rc == 0);
	cr_assert_eq(rc, -ECONNRESET);
	cr_assert_eq(xp_value_load(&value.as.value, &number), -ECONNRESET);
	value.impl->drop(&value);
}

Test(proxy, a_manager_that_is_stopped_is_noticed_by_deadline)
{
	struct xp_manager *other;
	struct xp_proxy *value;
	size_t key_size;
	const void *key = xp_manager_key(manager, &key_size);
	struct xp_manager_plan plan = {
	    .address = xp_manager_address(manager),
	    .key = key,
	    .key_size = key_size,
	    .patience_ns = 500 * XP_NS_PER_MS,
	};
	struct xp_object event = make(&xp_impl_event_managed, NULL);

	cr_assert_eq(xp_manager_connect(&plan, &other), 0);
	cr_assert_eq(xp_proxy_create(other, "Event", 0, NULL, NULL, &value, NULL), 0);
	cr_assert_eq(xp_proxy_call(value, "is_set", 0, NULL, NULL, NULL, NULL), 0);
	cr_assert_eq(kill(xp_manager_pid(manager), SIGSTOP), 0);
	cr_assert_eq(xp_stopped_until(xp_manager_pid(manager), NULL), 0);
	cr_assert_eq(xp_proxy_call(value, "is_set", 0, NULL, NULL, NULL, NULL), -ETIMEDOUT);
	/* Of a call that would wait for ever the second connection finds out. */
	cr_assert_eq(xp_proxy_call(value, "wait", 0, NULL, XP_PROXY_FOREVER, NULL, NULL),
		     -ETIMEDOUT);
	cr_assert_eq(kill(xp_manager_pid(manager), SIGCONT), 0);
	/* The late reply to the call that was given up is nobody's. */
	const struct xp_datum *answer;

	struct timespec by = soon(20000);

	cr_assert_eq(xp_proxy_call(value, "set", 0, NULL, &by, &answer, NULL), 0);
	cr_assert(xp_datum_is(answer, XP_DATUM_NONE));
	xp_proxy_drop(value);
	xp_manager_close(other);
	event.impl->drop(&event);
}

Test(proxy, a_wrong_key_is_refused)
{
	struct xp_manager *other;
	struct xp_manager_plan plan = {
	    .address = xp_manager_address(manager), .key = "wrong", .key_size = 5};

	cr_assert_eq(xp_manager_connect(&plan, &other), -EACCES);
}

Test(proxy, without_a_place_a_client_is_refused_at_once)
{
	struct xp_manager *small;
	struct xp_manager *more;
	size_t key_size;

	cr_assert_eq(xp_manager_start(&(struct xp_server_options){.connections = 1}, &small), 0);
	struct xp_proxy *event;

	cr_assert_eq(xp_proxy_create(small, "Event", 0, NULL, NULL, &event, NULL), 0);
	cr_assert_eq(xp_proxy_call(event, "is_set", 0, NULL, NULL, NULL, NULL), 0);
	const void *key = xp_manager_key(small, &key_size);
	struct xp_manager_plan plan = {
	    .address = xp_manager_address(small), .key = key, .key_size = key_size};

	cr_assert_eq(xp_manager_connect(&plan, &more), -EUSERS);
	/* Who is connected goes on. */
	cr_assert_eq(xp_proxy_call(event, "is_set", 0, NULL, NULL, NULL, NULL), 0);
	xp_proxy_drop(event);
	xp_manager_close(small);
}

Test(proxy, objects_come_and_go_on_the_connection_that_a_thread_has)
{
	struct xp_server_options options = {.connections = 2};
	struct timespec deadline = soon(30000);
	struct xp_manager *small;
	struct xp_proxy *list;
	struct xp_conn other;
	size_t key_size;
	int rc;

	cr_assert_eq(xp_manager_start(&options, &small), 0);
	const void *key = xp_manager_key(small, &key_size);
	/* Each of these takes a place for a moment, which the server has back a little later. */
	do
		rc = xp_proxy_create(small, "list", 0, NULL, NULL, &list, NULL);
	while (rc == -EUSERS);
	cr_assert_eq(rc, 0);
	do
		rc = xp_proxy_call(list, "__len__", 0, NULL, NULL, NULL, NULL);
	while (rc == -EUSERS);
	cr_assert_eq(rc, 0);
	xp_conn_init(&other, NULL);
	do {
		xp_conn_close(&other);
		cr_assert_eq(xp_conn_open(&other, xp_manager_address(small), &deadline), 0);
		rc = xp_conn_authenticate(&other, XP_AUTH_CLIENT, key, key_size, NULL, &deadline);
	} while (rc == -EUSERS);
	cr_assert_eq(rc, 0);
	/* Now there is no place for another connection. */
	for (int i = 0; i < 20; i++) {
		struct xp_proxy *dict;
		struct xp_remote_error error;

		cr_assert_eq(xp_proxy_create(small, "dict", 0, NULL, NULL, &dict, NULL), 0);
		cr_assert_eq(xp_proxy_call(dict, "__len__", 0, NULL, NULL, NULL, NULL), 0);
		xp_proxy_drop(dict);
		cr_assert_eq(xp_proxy_create(small, "no_such_type", 0, NULL, NULL, &dict, &error),
			     -EREMOTEIO);
		cr_assert_str_eq(error.text, "KeyError: 'no_such_type'");
	}
	xp_conn_fini(&other);
	xp_proxy_drop(list);
	xp_manager_close(small);
}
