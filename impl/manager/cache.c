/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/cache.h"

#include "xpshare/base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct xp_cache {
	_Alignas(XP_ISOLATION) _Atomic(struct xp_cache_view *) current;
	/* The refresher's and its callers'. */
	_Alignas(XP_ISOLATION) pthread_mutex_t lock;
	pthread_cond_t changed; /* on CLOCK_MONOTONIC: something is wanted, or has been answered */
	struct xp_cache_reader *readers;
	uint64_t wanted;   /* refreshes asked for */
	uint64_t answered; /* up to which */
	int rc;		   /* of the last one */
	bool stop;
	bool forked; /* in a child, where nobody refreshes */
	pthread_t refresher;
	struct xp_proxy *proxy;
	char *method;
	struct xp_datum_box *args;
	int64_t period_ns;
	int64_t age_max_ns;
	struct xp_cache_view *retired; /* the refresher's: current no more, maybe still in use */
	/* All caches of this process. */
	struct xp_cache *next;
	struct xp_cache **at;
};

static struct xp_cache *caches;
static pthread_mutex_t caches_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

/* What readers find in the child of a fork, and before the first answer. Never freed. */
static struct xp_cache_view nothing = {.rc = -ECONNRESET};

/* ---- snapshots --------------------------------------------------------------------------------- */

static void view_free(struct xp_cache_view *view)
{
	if (view == &nothing)
		return;
	xp_datum_box_unref(view->box);
	free(view);
}

/* With the lock held. */
static bool is_used(const struct xp_cache *cache, const struct xp_cache_view *view)
{
	for (const struct xp_cache_reader *each = cache->readers; each; each = each->next) {
		/* A reader is done with what it has let go of: pairs with its release. */
		if (atomic_load_explicit(&each->using, memory_order_acquire) == view)
			return true;
	}
	return false;
}

static void publish(struct xp_cache *cache, struct xp_cache_view *view)
{
	struct xp_cache_view *old =
	    atomic_exchange_explicit(&cache->current, view, memory_order_acq_rel);
	struct xp_cache_view *kept = NULL;

	/* Pairs with the fence of xp_cache_look(): whoever announces the old one from here on sees that it
	 * is not the current one. */
	atomic_thread_fence(memory_order_seq_cst);
	if (old != &nothing) {
		old->next = cache->retired;
		cache->retired = old;
	}
	pthread_mutex_lock(&cache->lock);
	for (struct xp_cache_view *each = cache->retired; each;) {
		struct xp_cache_view *next = each->next;

		if (is_used(cache, each)) {
			each->next = kept;
			kept = each;
		} else {
			view_free(each);
		}
		each = next;
	}
	pthread_mutex_unlock(&cache->lock);
	cache->retired = kept;
}

struct xp_cache_view *xp_cache_look(struct xp_cache_reader *reader)
{
	struct xp_cache_view *view;

	do {
		view = atomic_load_explicit(reader->current, memory_order_acquire);
		atomic_store_explicit(&reader->using, view, memory_order_release);
		/* Pairs with the fence of publish(). */
		atomic_thread_fence(memory_order_seq_cst);
	} while (atomic_load_explicit(reader->current, memory_order_acquire) != view);
	return view;
}

int xp_cache_join(struct xp_cache *cache, struct xp_cache_reader **ret_reader)
{
	struct xp_cache_reader *reader = aligned_alloc(XP_ISOLATION, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	*reader = (struct xp_cache_reader){.current = &cache->current, .cache = cache};
	pthread_mutex_lock(&cache->lock);
	reader->next = cache->readers;
	cache->readers = reader;
	pthread_mutex_unlock(&cache->lock);
	*ret_reader = reader;
	return 0;
}

void xp_cache_leave(struct xp_cache_reader *reader)
{
	if (!reader)
		return;
	struct xp_cache *cache = reader->cache;
	struct xp_cache_reader **at = &cache->readers;

	pthread_mutex_lock(&cache->lock);
	while (*at != reader)
		at = &(*at)->next;
	*at = reader->next;
	pthread_mutex_unlock(&cache->lock);
	free(reader);
}

/* ---- the refresher ----------------------------------------------------------------------------- */

/* Ask once. Return: 0 with a snapshot; -errno. */
static int ask(struct xp_cache *cache, int64_t until_ns, struct xp_cache_view **ret_view)
{
	const struct xp_datum *args = xp_datum_box_value(cache->args);
	int64_t now = xp_clock_ns();
	struct timespec deadline = xp_deadline_after(until_ns - now);
	const struct xp_datum *value;
	struct xp_cache_view *view;
	int rc =
	    xp_proxy_call(cache->proxy, cache->method, args->count,
			  (const struct xp_datum *const *)args->items, &deadline, &value, NULL);

	if (rc < 0)
		return rc;
	view = calloc(1, sizeof(*view));
	if (!view)
		return -ENOMEM;
	rc = xp_datum_retain(value, &view->box);
	if (rc < 0) {
		free(view);
		return rc;
	}
	view->value = xp_datum_box_value(view->box);
	view->asked_ns = now;
	*ret_view = view;
	return 0;
}

/* Tell readers why there is nothing to read. */
static void withdraw(struct xp_cache *cache, int rc)
{
	struct xp_cache_view *view = calloc(1, sizeof(*view));

	if (view)
		view->rc = rc;
	publish(cache, view ? view : &nothing);
}

/* With the lock held: until somebody wants a snapshot, or the time has come. */
static void wait_until(struct xp_cache *cache, int64_t when_ns)
{
	struct timespec deadline = xp_deadline_after(when_ns - xp_clock_ns());
	int rc = 0;

	while (!cache->stop && cache->wanted == cache->answered && rc == 0)
		rc = pthread_cond_timedwait(&cache->changed, &cache->lock, &deadline);
}

static void *refresh(void *argument)
{
	struct xp_cache *cache = argument;
	int64_t expires = 0; /* of the current snapshot; 0: there is none */
	int withdrawn = 0;   /* why there is none, as readers have been told */

	pthread_mutex_lock(&cache->lock);
	while (!cache->stop) {
		uint64_t wanted = cache->wanted;
		struct xp_cache_view *view;

		pthread_mutex_unlock(&cache->lock);
		int rc = ask(cache, expires ? expires : xp_clock_ns() + cache->age_max_ns, &view);
		int64_t now = xp_clock_ns();
		int64_t next = now + cache->period_ns;
		if (rc == 0) {
			expires = view->asked_ns + cache->age_max_ns;
			publish(cache, view);
		} else if (now >= expires && rc != withdrawn) {
			expires = 0;
			withdraw(cache, rc);
		}
		withdrawn = expires ? 0 : rc;
		if (expires && next > expires)
			next = expires;
		pthread_mutex_lock(&cache->lock);
		cache->rc = rc;
		cache->answered = wanted;
		pthread_cond_broadcast(&cache->changed);
		wait_until(cache, next);
	}
	pthread_mutex_unlock(&cache->lock);
	return NULL;
}

int xp_cache_refresh(struct xp_cache *cache, const struct timespec *deadline)
{
	int waited = 0;

	pthread_mutex_lock(&cache->lock);
	/* One that is under way may have been asked before this call: the next one counts. */
	uint64_t ticket = ++cache->wanted;

	pthread_cond_broadcast(&cache->changed);
	while (!cache->forked && cache->answered < ticket && waited == 0)
		waited = deadline ? pthread_cond_timedwait(&cache->changed, &cache->lock, deadline)
				  : pthread_cond_wait(&cache->changed, &cache->lock);
	int rc = cache->forked ? -ECONNRESET : cache->answered >= ticket ? cache->rc : -ETIMEDOUT;
	pthread_mutex_unlock(&cache->lock);
	return rc;
}

/* ---- fork -------------------------------------------------------------------------------------- */

static void locks_init(struct xp_cache *cache)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&cache->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&cache->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

static void fork_prepare(void)
{
	pthread_mutex_lock(&caches_lock);
	for (struct xp_cache *each = caches; each; each = each->next)
		pthread_mutex_lock(&each->lock);
}

static void fork_parent(void)
{
	for (struct xp_cache *each = caches; each; each = each->next)
		pthread_mutex_unlock(&each->lock);
	pthread_mutex_unlock(&caches_lock);
}

static void fork_child(void)
{
	for (struct xp_cache *each = caches; each; each = each->next) {
		each->forked = true;
		/* The snapshot itself is leaked, for the thread that forked may be reading it. */
		atomic_store_explicit(&each->current, &nothing, memory_order_release);
		locks_init(each);
	}
	pthread_mutex_init(&caches_lock, NULL);
}

static void fork_register(void)
{
	xp_assert(pthread_atfork(fork_prepare, fork_parent, fork_child) == 0);
}

/* ---- life -------------------------------------------------------------------------------------- */

static void list_add(struct xp_cache *cache)
{
	pthread_once(&fork_once, fork_register);
	pthread_mutex_lock(&caches_lock);
	cache->next = caches;
	cache->at = &caches;
	if (caches)
		caches->at = &cache->next;
	caches = cache;
	pthread_mutex_unlock(&caches_lock);
}

static void list_remove(struct xp_cache *cache)
{
	pthread_mutex_lock(&caches_lock);
	*cache->at = cache->next;
	if (cache->next)
		cache->next->at = cache->at;
	pthread_mutex_unlock(&caches_lock);
}

static void cache_free(struct xp_cache *cache)
{
	while (cache->retired) {
		struct xp_cache_view *view = cache->retired;

		cache->retired = view->next;
		view_free(view);
	}
	view_free(atomic_load_explicit(&cache->current, memory_order_relaxed));
	pthread_cond_destroy(&cache->changed);
	pthread_mutex_destroy(&cache->lock);
	xp_datum_box_unref(cache->args);
	free(cache->method);
	free(cache);
}

/* Copy what the plan borrows. */
static int take_plan(struct xp_cache *cache, const struct xp_cache_plan *plan)
{
	struct xp_datum args = {.kind = XP_DATUM_TUPLE, .flags = XP_DATUM_FROZEN};

	cache->proxy = plan->proxy;
	cache->period_ns = plan->period_ns;
	cache->age_max_ns = plan->age_max_ns;
	cache->method = strdup(plan->method);
	args.count = plan->count;
	args.items = (struct xp_datum **)(uintptr_t)plan->args;
	return cache->method ? xp_datum_retain(&args, &cache->args) : -ENOMEM;
}

/* Signals are for the threads of the user. */
static int start_thread(struct xp_cache *cache)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = -pthread_create(&cache->refresher, NULL, refresh, cache);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

int xp_cache_create(const struct xp_cache_plan *plan, struct xp_cache **ret_cache)
{
	struct xp_cache *cache;

	if (plan->period_ns <= 0 || plan->age_max_ns <= 0)
		return -EINVAL;
	cache = aligned_alloc(XP_ISOLATION, sizeof(*cache));
	if (!cache)
		return -ENOMEM;
	*cache = (struct xp_cache){.current = &nothing};
	locks_init(cache);
	int rc = take_plan(cache, plan);
	if (rc == 0)
		rc = start_thread(cache);
	if (rc < 0) {
		cache_free(cache);
		return rc;
	}
	list_add(cache);
	rc = xp_cache_refresh(cache, NULL);
	if (rc < 0) {
		xp_cache_destroy(cache);
		return rc;
	}
	*ret_cache = cache;
	return 0;
}

void xp_cache_destroy(struct xp_cache *cache)
{
	if (!cache)
		return;
	list_remove(cache);
	xp_assert(!cache->readers);
	if (!cache->forked) {
		pthread_mutex_lock(&cache->lock);
		cache->stop = true;
		pthread_cond_broadcast(&cache->changed);
		pthread_mutex_unlock(&cache->lock);
		pthread_join(cache->refresher, NULL);
	}
	cache_free(cache);
}
