/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clocks, timers and the end of the loop: what every part of the daemon uses. */
#include <time.h>

#include "base/log.h"
#include "internal.h"

static int64_t clock_us(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now); /* both clocks exist */
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t monotonic_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

int64_t monotonic_ms(void)
{
	return monotonic_us() / 1000;
}

int64_t realtime_ms(void)
{
	return clock_us(CLOCK_REALTIME) / 1000;
}

void arm(struct event *timer, int64_t ms)
{
	struct timeval after = {.tv_sec = (time_t)(ms / 1000),
				.tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	(void)evtimer_add(timer, &after); /* the base has room for every event that exists */
}

void daemon_give_up(struct daemon *d)
{
	if (!d->fatal)
		log_err("netpold", "out of memory: ending, to be started again; the rules stay as "
				   "they are");
	d->fatal = true;
	d->status = 1;
	(void)event_base_loopbreak(d->base);
}
