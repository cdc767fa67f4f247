/* SPDX-License-Identifier: MIT */
#include "xpshare/manager/timer.h"

#include <stdlib.h>

static void put(struct xp_timers *timers, size_t place, struct xp_timer *timer)
{
	timers->heap[place - 1] = timer;
	timer->place = place;
}

static void sift(struct xp_timers *timers, struct xp_timer *timer)
{
	size_t place = timer->place;

	while (place > 1 && timers->heap[place / 2 - 1]->when > timer->when) {
		put(timers, place, timers->heap[place / 2 - 1]);
		place /= 2;
	}
	for (;;) {
		size_t child = 2 * place;

		if (child > timers->count)
			break;
		if (child < timers->count &&
		    timers->heap[child]->when < timers->heap[child - 1]->when)
			child++;
		if (timers->heap[child - 1]->when >= timer->when)
			break;
		put(timers, place, timers->heap[child - 1]);
		place = child;
	}
	put(timers, place, timer);
}

int xp_timers_set(struct xp_timers *timers, struct xp_timer *timer, int64_t when)
{
	timer->when = when;
	if (timer->place == 0) {
		if (timers->count == timers->room) {
			size_t room = timers->room ? 2 * timers->room : 64;
			struct xp_timer **heap =
			    realloc(timers->heap, room * sizeof(struct xp_timer *));

			if (!heap)
				return -ENOMEM;
			timers->heap = heap;
			timers->room = room;
		}
		put(timers, ++timers->count, timer);
	}
	sift(timers, timer);
	return 0;
}

void xp_timers_cancel(struct xp_timers *timers, struct xp_timer *timer)
{
	size_t place = timer->place;

	if (place == 0)
		return;
	struct xp_timer *last = timers->heap[--timers->count];

	timer->place = 0;
	if (last != timer) {
		put(timers, place, last);
		sift(timers, last);
	}
}

struct xp_timer *xp_timers_first(const struct xp_timers *timers)
{
	return timers->count > 0 ? timers->heap[0] : NULL;
}

void xp_timers_fini(struct xp_timers *timers)
{
	free(timers->heap);
	*timers = (struct xp_timers){0};
}
