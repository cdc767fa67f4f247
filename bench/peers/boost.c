/* SPDX-License-Identifier: MIT */
/* peers: the two queues of Boost as implementations of our contract. */
#include "bench/peers/boost.h"
#include "bench/peers/peers.h"

#include "xpshare/kind/object.h"

static int mq_put_until(void *self, const void *item, size_t size, const struct timespec *deadline)
{
	(void)deadline; /* the workloads wait for ever */
	return xb_boost_mq_put(self, item, size, 1);
}

static int mq_try_put(void *self, const void *item, size_t size)
{
	return xb_boost_mq_put(self, item, size, 0);
}

static int mq_get_until(void *self, void *buffer, size_t capacity, size_t *ret_size,
			const struct timespec *deadline)
{
	(void)deadline;
	return xb_boost_mq_get(self, buffer, capacity, ret_size, 1);
}

static int mq_try_get(void *self, void *buffer, size_t capacity, size_t *ret_size)
{
	return xb_boost_mq_get(self, buffer, capacity, ret_size, 0);
}

static const struct xp_queue_ops mq_ops = {
    .put_until = mq_put_until,
    .try_put = mq_try_put,
    .get_until = mq_get_until,
    .try_get = mq_try_get,
    .length = xb_boost_mq_length,
};

static int mq_make(const struct xp_impl *impl, struct xp_place *place,
		   const struct xp_params *params, struct xp_object *ret_object)
{
	void *queue;

	(void)impl;
	(void)place;
	if (params->strategy == XP_STRATEGY_SPIN)
		return -ENOTSUP;
	int rc = xb_boost_mq_make(params->capacity, params->item_max, &queue);
	if (rc < 0)
		return rc;
	*ret_object = (struct xp_object){.as.queue = {&mq_ops, queue}, .owner = queue};
	return 0;
}

static void mq_drop(struct xp_object *object)
{
	xb_boost_mq_drop(object->owner);
}

static int spsc_put_until(void *self, const void *item, size_t size,
			  const struct timespec *deadline)
{
	(void)size;
	(void)deadline;
	return xb_boost_spsc_put(self, item, 1);
}

static int spsc_try_put(void *self, const void *item, size_t size)
{
	(void)size;
	return xb_boost_spsc_put(self, item, 0);
}

static int spsc_get_until(void *self, void *buffer, size_t capacity, size_t *ret_size,
			  const struct timespec *deadline)
{
	(void)capacity;
	(void)deadline;
	*ret_size = sizeof(uint64_t);
	return xb_boost_spsc_get(self, buffer, 1);
}

static int spsc_try_get(void *self, void *buffer, size_t capacity, size_t *ret_size)
{
	(void)capacity;
	*ret_size = sizeof(uint64_t);
	return xb_boost_spsc_get(self, buffer, 0);
}

static const struct xp_queue_ops spsc_ops = {
    .put_until = spsc_put_until,
    .try_put = spsc_try_put,
    .get_until = spsc_get_until,
    .try_get = spsc_try_get,
    .length = xb_boost_spsc_length,
};

static int spsc_make(const struct xp_impl *impl, struct xp_place *place,
		     const struct xp_params *params, struct xp_object *ret_object)
{
	void *queue;

	(void)impl;
	(void)place;
	/* It has no wait but polling, and one size of item. */
	if (params->strategy != XP_STRATEGY_SPIN || params->item_max != sizeof(uint64_t) ||
	    params->capacity > XB_BOOST_SPSC_CAPACITY || !params->single)
		return -ENOTSUP;
	int rc = xb_boost_spsc_make(&queue);
	if (rc < 0)
		return rc;
	*ret_object = (struct xp_object){.as.queue = {&spsc_ops, queue}, .owner = queue};
	return 0;
}

static void spsc_drop(struct xp_object *object)
{
	xb_boost_spsc_drop(object->owner);
}

const struct xp_impl xb_peer_boost_mq = {
    .name = "queue/boost_mq",
    .title = "Boost.Interprocess message_queue",
    .kind = XP_KIND_QUEUE,
    .scope = XP_SCOPE_SHM,
    .caps = XP_CAP_MULTI_PRODUCER | XP_CAP_MULTI_CONSUMER,
    .make = mq_make,
    .drop = mq_drop,
};

const struct xp_impl xb_peer_boost_spsc = {
    .name = "queue/boost_spsc",
    .title = "Boost.Lockfree spsc_queue, 8-byte items",
    .kind = XP_KIND_QUEUE,
    .scope = XP_SCOPE_SHM,
    .make = spsc_make,
    .drop = spsc_drop,
};

const struct xb_stream_peer xb_stream_boost_spsc = {
    .impl = &xb_peer_boost_spsc,
    .batches = true,
    .send = xb_boost_spsc_send,
    .receive = xb_boost_spsc_receive,
};
