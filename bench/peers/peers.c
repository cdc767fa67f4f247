/* SPDX-License-Identifier: MIT */
#include "bench/peers/peers.h"

#include "xpshare/catalog/catalog.h"

extern const struct xp_impl xb_peer_posix_mq;
#ifdef XB_HAVE_CK
extern const struct xp_impl xb_peer_ck_ring;
extern const struct xb_stream_peer xb_stream_ck_ring;
#endif
#ifdef XB_HAVE_BOOST
extern const struct xp_impl xb_peer_boost_mq, xb_peer_boost_spsc;
extern const struct xb_stream_peer xb_stream_boost_spsc;
#endif

static const struct xp_impl *const peers[] = {
    &xb_peer_posix_mq,
#ifdef XB_HAVE_CK
    &xb_peer_ck_ring,
#endif
#ifdef XB_HAVE_BOOST
    &xb_peer_boost_mq,
    &xb_peer_boost_spsc,
#endif
};

static const struct xb_stream_peer *const streams[] = {
#ifdef XB_HAVE_CK
    &xb_stream_ck_ring,
#endif
#ifdef XB_HAVE_BOOST
    &xb_stream_boost_spsc,
#endif
    NULL,
};

static const char *const absent[] = {
#ifndef XB_HAVE_CK
    "queue/ck_ring",
#endif
#ifndef XB_HAVE_BOOST
    "queue/boost_mq",
    "queue/boost_spsc",
#endif
    NULL,
};

#define COUNT (sizeof(peers) / sizeof(*peers))

const struct xp_impl *xb_peer_at(size_t index)
{
	return index < COUNT ? peers[index] : NULL;
}

const char *xb_peer_absent_at(size_t index)
{
	return index < sizeof(absent) / sizeof(*absent) ? absent[index] : NULL;
}

const struct xb_stream_peer *xb_stream_peer_at(size_t index)
{
	return index < sizeof(streams) / sizeof(*streams) ? streams[index] : NULL;
}

bool xb_is_peer(const struct xp_impl *impl)
{
	for (size_t i = 0; i < COUNT; i++)
		if (peers[i] == impl)
			return true;
	return false;
}

const struct xp_impl *xb_impl_first(void)
{
	const struct xp_impl *first = xp_catalog_at(0);

	return first ? first : xb_peer_at(0);
}

const struct xp_impl *xb_impl_after(const struct xp_impl *impl)
{
	for (size_t i = 0; i < COUNT; i++)
		if (peers[i] == impl)
			return xb_peer_at(i + 1);
	const struct xp_impl *next = xp_catalog_after(impl);
	return next ? next : xb_peer_at(0);
}
