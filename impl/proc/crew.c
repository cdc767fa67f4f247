/* SPDX-License-Identifier: MIT */
#include "xpshare/proc/crew.h"

#include "xpshare/base/clock.h"
#include "xpshare/base/wait.h"

#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How often a waiter for a checkpoint looks whether the member still lives. */
#define ALIVE_PERIOD_NS (5 * XP_NS_PER_MS)

static int pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

static int run_member(void *arg)
{
	struct xp_member *me = arg;

	atomic_store(&me->tally->tid, (int32_t)syscall(SYS_gettid));
	int rc = pin(me->cpu);
	if (rc < 0)
		return xp_member_fail(me, "cannot pin member %d to CPU %d: %s", me->index, me->cpu,
				      strerror(-rc));
	return me->crew->plan.body(me, me->crew->plan.arg);
}

static void *run_thread(void *arg)
{
	struct xp_member *me = arg;
	int status = run_member(me);

	xp_wait_publish(&me->crew->finished[me->index], 1, XP_FUTEX_ALL);
	return (void *)(intptr_t)status;
}

static int start_member(struct xp_crew *crew, int index)
{
	struct xp_member *member = &crew->members[index];

	*member = (struct xp_member){
	    .crew = crew,
	    .index = index,
	    .cpu = crew->plan.cpus ? crew->plan.cpus[index] : -1,
	    .tally = &crew->page->tally[index],
	};
	if (crew->plan.carrier == XP_CARRIER_THREAD)
		return -pthread_create(&crew->threads[index], NULL, run_thread, member);
	return xp_child_start(run_member, member, &crew->children[index]);
}

int xp_crew_start(struct xp_crew *crew, const struct xp_crew_plan *plan)
{
	if (plan->members < 1 || plan->members > XP_CREW_MAX || !plan->body)
		return -EINVAL;

	size_t n = (size_t)plan->members;
	*crew = (struct xp_crew){
	    .plan = *plan,
	    .page_size = sizeof(struct xp_crew_page) + n * sizeof(struct xp_tally),
	    .members = calloc(n, sizeof(*crew->members)),
	    .children = calloc(n, sizeof(*crew->children)),
	    .threads = calloc(n, sizeof(*crew->threads)),
	    .statuses = calloc(n, sizeof(*crew->statuses)),
	    .finished = calloc(n, sizeof(*crew->finished)),
	    .ended = calloc(n, sizeof(*crew->ended)),
	};
	void *page =
	    mmap(NULL, crew->page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	crew->page = page == MAP_FAILED ? NULL : page;
	crew->plan.members = 0; /* counts those that run, for xp_crew_fini() */
	if (!crew->page || !crew->members || !crew->children || !crew->threads || !crew->statuses ||
	    !crew->finished || !crew->ended) {
		xp_crew_fini(crew);
		return -ENOMEM;
	}
	for (int i = 0; i < plan->members; i++) {
		int rc = start_member(crew, i);
		if (rc < 0) {
			/* Threads at the gate must be let go, or they could not be joined. */
			xp_wait_publish(&crew->page->gate, 1, XP_FUTEX_ALL);
			xp_crew_fini(crew);
			return rc;
		}
		crew->plan.members = i + 1;
	}
	return 0;
}

int xp_crew_await(struct xp_crew *crew, int index, uint32_t checkpoint,
		  const struct timespec *deadline)
{
	struct xp_tally *tally = &crew->page->tally[index];

	for (;;) {
		uint32_t seen = xp_wait_value(&tally->reached);
		if (seen >= checkpoint)
			return 0;
		if (crew->ended[index])
			return -ESRCH;
		if (xp_deadline_passed(deadline))
			return -ETIMEDOUT;
		struct timespec look = xp_deadline_after(ALIVE_PERIOD_NS);
		int rc = xp_wait_while(&tally->reached, seen, NULL, &look);
		if (rc == -ETIMEDOUT) {
			struct timespec now = xp_deadline_after(0);
			rc = xp_crew_wait(crew, index, &now);
			if (rc == 0 && xp_wait_value(&tally->reached) < checkpoint)
				return -ESRCH;
		}
		if (rc < 0 && rc != -ETIMEDOUT)
			return rc;
	}
}

int xp_crew_open_gate(struct xp_crew *crew, const struct timespec *deadline)
{
	for (int i = 0; i < crew->plan.members; i++) {
		int rc = xp_crew_await(crew, i, XP_CHECKPOINT_GATE, deadline);
		if (rc < 0)
			return rc;
	}
	xp_wait_publish(&crew->page->gate, 1, XP_FUTEX_ALL);
	return 0;
}

int xp_crew_signal(struct xp_crew *crew, int index, int signal)
{
	if (crew->plan.carrier != XP_CARRIER_PROCESS)
		return -ENOTSUP;
	if (crew->ended[index])
		return -ESRCH;
	return xp_child_signal(&crew->children[index], signal);
}

static int wait_thread(struct xp_crew *crew, int index, const struct timespec *deadline)
{
	void *result;

	/* Its own word has the deadline; gcc's thread sanitizer knows no join that has one. */
	int rc = xp_wait_while(&crew->finished[index], 0, NULL, deadline);
	if (rc < 0)
		return rc;
	rc = pthread_join(crew->threads[index], &result);
	if (rc != 0)
		return -rc;
	crew->statuses[index] = ((int)(intptr_t)result & 0xff) << 8;
	return 0;
}

int xp_crew_wait(struct xp_crew *crew, int index, const struct timespec *deadline)
{
	int rc;

	if (crew->ended[index])
		return 0;
	if (crew->plan.carrier == XP_CARRIER_THREAD)
		rc = wait_thread(crew, index, deadline);
	else
		rc = xp_child_wait(&crew->children[index], deadline, &crew->statuses[index]);
	crew->ended[index] = rc == 0;
	return rc;
}

int xp_crew_join(struct xp_crew *crew, const struct timespec *deadline)
{
	int result = 0;

	for (int i = 0; i < crew->plan.members; i++) {
		int rc = xp_crew_wait(crew, i, deadline);
		if (rc < 0)
			return rc;
		if (!xp_child_ok(crew->statuses[i]))
			result = -ECHILD;
	}
	return result;
}

void xp_crew_fini(struct xp_crew *crew)
{
	for (int i = 0; i < crew->plan.members; i++) {
		if (crew->ended[i])
			continue;
		if (crew->plan.carrier == XP_CARRIER_THREAD)
			pthread_join(crew->threads[i], NULL);
		else
			xp_child_stop(&crew->children[i]);
	}
	if (crew->page)
		munmap(crew->page, crew->page_size);
	free(crew->members);
	free(crew->children);
	free(crew->threads);
	free(crew->statuses);
	free(crew->finished);
	free(crew->ended);
	*crew = (struct xp_crew){0};
}

void xp_member_arrive(struct xp_member *me)
{
	xp_member_reach(me, XP_CHECKPOINT_GATE);
	/* Without a deadline: the leader opens the gate, or dies and takes us with it. */
	while (xp_wait_value(&me->crew->page->gate) == 0)
		(void)!xp_wait_while(&me->crew->page->gate, 0, NULL, NULL);
}

void xp_member_reach(struct xp_member *me, uint32_t checkpoint)
{
	xp_assert(checkpoint >= xp_wait_value(&me->tally->reached));
	xp_wait_publish(&me->tally->reached, checkpoint, XP_FUTEX_ALL);
}

int xp_member_fail(struct xp_member *me, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(me->tally->text, sizeof(me->tally->text), format, args);
	va_end(args);
	return 1;
}
