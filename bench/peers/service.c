/* SPDX-License-Identifier: MIT */
#include "bench/peers/service.h"

extern const struct xb_service xb_service_echo, xb_service_event, xb_service_hybrid,
    xb_service_thread, xb_service_cpython, xb_service_ring_park, xb_service_ring_hybrid,
    xb_service_ring_spin;
#ifdef XB_HAVE_URING
extern const struct xb_service xb_service_echo_uring;
#endif
#ifdef XB_HAVE_HIREDIS
extern const struct xb_service xb_service_redis;
#endif

static const struct xb_service *const services[] = {
    &xb_service_echo, /* first: it is the floor of the others */
    &xb_service_event,	    &xb_service_hybrid,	     &xb_service_thread,    &xb_service_cpython,
    &xb_service_ring_park,  &xb_service_ring_hybrid, &xb_service_ring_spin,
#ifdef XB_HAVE_URING
    &xb_service_echo_uring,
#endif
#ifdef XB_HAVE_HIREDIS
    &xb_service_redis,
#endif
};

const struct xb_service *xb_service_at(size_t index)
{
	return index < sizeof(services) / sizeof(*services) ? services[index] : NULL;
}
