/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clocks, timers, the loop and its end: what every part of the daemon uses. */
#include <errno.h>
#include <inttypes.h>
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

int64_t processor_us(void)
{
	return clock_us(CLOCK_THREAD_CPUTIME_ID);
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
	loop_end(d);
}

static void note_iteration(struct daemon *d, uint64_t us)
{
	histogram_observe(&d->iterations, us);
	if (us > d->longest_iteration_us)
		d->longest_iteration_us = us;
	if (us > LOOP_ITERATION_MAX_US)
		log_debug("netpold",
			  "an iteration of the loop took %" PRIu64 " us of the processor", us);
}

/* libevent 2.1 has no hook around the wait; processor time leaves the wait out, and what the
 * machine does meanwhile. */
int loop_run(struct daemon *d)
{
	int64_t before_us = processor_us();
	int rc = 0;

	while (rc == 0 && !d->ending) {
		int64_t now_us;

		rc = event_base_loop(d->base, EVLOOP_ONCE);
		now_us = processor_us();
		note_iteration(d, (uint64_t)(now_us - before_us));
		before_us = now_us;
	}
	return rc < 0 ? -EIO : 0;
}

void loop_end(struct daemon *d)
{
	d->ending = true;
	(void)event_base_loopbreak(d->base); /* what else is due in this iteration is left */
}
