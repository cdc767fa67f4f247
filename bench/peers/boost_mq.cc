/* SPDX-License-Identifier: MIT */
/* peer: Boost.Interprocess' message_queue, a mutex and two conditions in a mapped file. */
#include "bench/peers/boost.h"

#include <boost/interprocess/ipc/message_queue.hpp>

#include <cerrno>
#include <cstdio>
#include <unistd.h>

namespace
{
using boost::interprocess::message_queue;

message_queue *cast(void *queue)
{
	return static_cast<message_queue *>(queue);
}
} // namespace

int xb_boost_mq_make(size_t capacity, size_t item_max, void **ret_queue)
{
	static unsigned serial;
	char name[64];

	std::snprintf(name, sizeof(name), "xpbench-%d-%u", static_cast<int>(getpid()), serial++);
	try {
		*ret_queue =
		    new message_queue(boost::interprocess::create_only, name, capacity, item_max);
	} catch (const std::exception &) {
		return -ENOMEM;
	}
	/* The mapping stays; the name goes at once. */
	message_queue::remove(name);
	return 0;
}

int xb_boost_mq_put(void *queue, const void *item, size_t size, int wait)
{
	try {
		if (!wait)
			return cast(queue)->try_send(item, size, 0) ? 0 : -EAGAIN;
		cast(queue)->send(item, size, 0);
		return 0;
	} catch (const std::exception &) {
		return -EIO;
	}
}

int xb_boost_mq_get(void *queue, void *buffer, size_t capacity, size_t *ret_size, int wait)
{
	unsigned priority;
	message_queue::size_type size;

	try {
		if (!wait && !cast(queue)->try_receive(buffer, capacity, size, priority))
			return -EAGAIN;
		if (wait)
			cast(queue)->receive(buffer, capacity, size, priority);
		*ret_size = size;
		return 0;
	} catch (const std::exception &) {
		return -EIO;
	}
}

int64_t xb_boost_mq_length(void *queue)
{
	return static_cast<int64_t>(cast(queue)->get_num_msg());
}

void xb_boost_mq_drop(void *queue)
{
	delete cast(queue);
}
