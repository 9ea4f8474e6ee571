/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clocks, timers, the loop and its end: what every part of the daemon uses. */
#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "internal.h"

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
	int64_t before_us = clock_thread_us();
	int rc = 0;

	while (rc == 0 && !d->ending) {
		int64_t now_us;

		rc = event_base_loop(d->base, EVLOOP_ONCE);
		now_us = clock_thread_us();
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
