/* SPDX-License-Identifier: MIT */
/* peer: Boost.Lockfree's spsc_queue in shared memory, 8-byte items. */
#include "bench/peers/boost.h"
#include "bench/peers/spin_queue.h"

#include <boost/lockfree/spsc_queue.hpp>

#include <cerrno>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace
{
using queue_type =
    boost::lockfree::spsc_queue<uint64_t, boost::lockfree::capacity<XB_BOOST_SPSC_CAPACITY>>;

constexpr size_t batch_max = 64;

queue_type *cast(void *queue)
{
	return static_cast<queue_type *>(queue);
}
} // namespace

int xb_boost_spsc_make(void **ret_queue)
{
	void *memory = mmap(nullptr, sizeof(queue_type), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -ENOMEM;
	*ret_queue = new (memory) queue_type;
	return 0;
}

int xb_boost_spsc_put(void *queue, const void *item, int wait)
{
	uint64_t word;

	std::memcpy(&word, item, sizeof(word));
	if (!wait)
		return cast(queue)->push(word) ? 0 : -EAGAIN;
	XB_SPIN_UNTIL(cast(queue)->push(word));
	return 0;
}

int xb_boost_spsc_get(void *queue, void *buffer, int wait)
{
	uint64_t word;

	if (!wait && !cast(queue)->pop(word))
		return -EAGAIN;
	if (wait)
		XB_SPIN_UNTIL(cast(queue)->pop(word));
	std::memcpy(buffer, &word, sizeof(word));
	return 0;
}

int64_t xb_boost_spsc_length(void *queue)
{
	return static_cast<int64_t>(cast(queue)->read_available());
}

void xb_boost_spsc_drop(void *queue)
{
	munmap(queue, sizeof(queue_type));
}

void xb_boost_spsc_send(void *queue, int64_t n, size_t batch)
{
	uint64_t words[batch_max], next = 0;

	for (uint64_t left = static_cast<uint64_t>(n); left > 0;) {
		size_t count = left < batch ? left : batch;
		if (count == 1) {
			XB_SPIN_UNTIL(cast(queue)->push(next));
			next++;
			left--;
			continue;
		}
		for (size_t i = 0; i < count; i++)
			words[i] = next + i;
		for (size_t done = 0; done < count;) {
			size_t pushed = cast(queue)->push(words + done, count - done);
			if (pushed == 0)
				xb_relax();
			done += pushed;
		}
		next += count;
		left -= count;
	}
}

int xb_boost_spsc_receive(void *queue, int64_t n, size_t batch)
{
	uint64_t words[batch_max], next = 0, wrong = 0;

	for (uint64_t left = static_cast<uint64_t>(n); left > 0;) {
		size_t most = left < batch ? left : batch;
		size_t got = 0;
		if (most == 1)
			got = cast(queue)->pop(words[0]);
		else
			got = cast(queue)->pop(words, most);
		if (got == 0)
			xb_relax();
		for (size_t i = 0; i < got; i++)
			wrong |= words[i] ^ next++;
		left -= got;
	}
	return wrong == 0;
}
