/* SPDX-License-Identifier: MIT */
/* boost - the C faces of the two peers that are written in C++. Each returns 0 or -errno. */
#ifndef BENCH_PEERS_BOOST_H
#define BENCH_PEERS_BOOST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XB_BOOST_SPSC_CAPACITY 4096

int xb_boost_mq_make(size_t capacity, size_t item_max, void **ret_queue);
int xb_boost_mq_put(void *queue, const void *item, size_t size, int wait);
int xb_boost_mq_get(void *queue, void *buffer, size_t capacity, size_t *ret_size, int wait);
int64_t xb_boost_mq_length(void *queue);
void xb_boost_mq_drop(void *queue);

int xb_boost_spsc_make(void **ret_queue);
int xb_boost_spsc_put(void *queue, const void *item, int wait);
int xb_boost_spsc_get(void *queue, void *buffer, int wait);
int64_t xb_boost_spsc_length(void *queue);
void xb_boost_spsc_drop(void *queue);

/** As struct xb_stream_peer has them. */
void xb_boost_spsc_send(void *queue, int64_t n, size_t batch);
int xb_boost_spsc_receive(void *queue, int64_t n, size_t batch);

#ifdef __cplusplus
}
#endif

#endif
