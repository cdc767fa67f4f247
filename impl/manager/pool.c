/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/pool.h"

#include <stdlib.h>

static void locks_init(struct xp_pool *pool)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->given, &attributes);
	pthread_condattr_destroy(&attributes);
}

void xp_pool_init(struct xp_pool *pool, unsigned bound)
{
	*pool = (struct xp_pool){.bound = bound};
	locks_init(pool);
}

static void line_free(struct xp_line *line)
{
	xp_conn_fini(&line->conn);
	free(line);
}

static void free_all(struct xp_pool *pool)
{
	while (pool->all) {
		struct xp_line *line = pool->all;

		pool->all = line->next;
		line_free(line);
	}
	pool->idle = NULL;
	pool->count = 0;
}

void xp_pool_fini(struct xp_pool *pool)
{
	free_all(pool);
	pthread_cond_destroy(&pool->given);
	pthread_mutex_destroy(&pool->lock);
}

/* With the lock held. NULL: no memory. */
static struct xp_line *line_new(struct xp_pool *pool)
{
	struct xp_line *line = calloc(1, sizeof(*line));

	if (!line)
		return NULL;
	xp_conn_init(&line->conn, NULL);
	line->next = pool->all;
	pool->all = line;
	pool->count++;
	return line;
}

int xp_pool_take(struct xp_pool *pool, const struct timespec *deadline, struct xp_line **ret_line)
{
	struct xp_line *line;
	int rc = 0;

	pthread_mutex_lock(&pool->lock);
	while (!pool->idle && pool->bound && pool->count >= pool->bound && rc == 0)
		rc = deadline ? -pthread_cond_timedwait(&pool->given, &pool->lock, deadline)
			      : -pthread_cond_wait(&pool->given, &pool->lock);
	line = pool->idle;
	if (line)
		pool->idle = line->idle;
	else if (!pool->bound || pool->count < pool->bound)
		line = line_new(pool);
	else
		rc = -EBUSY;
	pthread_mutex_unlock(&pool->lock);
	if (!line)
		return rc == -EBUSY ? rc : -ENOMEM;
	*ret_line = line;
	return 0;
}

void xp_pool_give(struct xp_pool *pool, struct xp_line *line)
{
	pthread_mutex_lock(&pool->lock);
	if (pool->bound) {
		line->idle = pool->idle;
		pool->idle = line;
		line = NULL;
		pthread_cond_signal(&pool->given);
	} else {
		struct xp_line **at = &pool->all;

		while (*at != line)
			at = &(*at)->next;
		*at = line->next;
		pool->count--;
	}
	pthread_mutex_unlock(&pool->lock);
	if (line)
		line_free(line);
}

void xp_pool_lock(struct xp_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
}

void xp_pool_unlock(struct xp_pool *pool)
{
	pthread_mutex_unlock(&pool->lock);
}

void xp_pool_forked(struct xp_pool *pool)
{
	locks_init(pool);
}

void xp_pool_forget(struct xp_pool *pool)
{
	free_all(pool);
}
