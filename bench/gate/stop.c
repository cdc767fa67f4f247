/* SPDX-License-Identifier: MIT */
#include "gate/stop.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t stop_signal;
static int stop_fd = -1;

static void on_signal(int signal)
{
	static const unsigned long long one = 1;
	int saved = errno;

	stop_signal = signal;
	(void)!write(stop_fd, &one, sizeof(one));
	errno = saved;
}

int xg_stop_install(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	/* SA_RESETHAND: the second one has its default effect. */
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction before;
		/* nohup and background shells ignore a signal on purpose. */
		if (sigaction(signals[i], NULL, &before) < 0)
			return -errno;
		if (before.sa_handler != SIG_IGN && sigaction(signals[i], &action, NULL) < 0)
			return -errno;
	}
	return 0;
}

bool xg_stop_requested(void)
{
	return stop_signal != 0;
}

int xg_stop_fd(void)
{
	return stop_fd;
}

_Noreturn void xg_stop_die(void)
{
	int signal = stop_signal ? stop_signal : SIGTERM;
	struct sigaction action = {.sa_handler = SIG_DFL};

	sigaction(signal, &action, NULL);
	raise(signal);
	_exit(128 + signal);
}
