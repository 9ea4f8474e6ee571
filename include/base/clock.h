/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clocks that the program reads. clock_gettime(2) fails only for a clock that does not exist.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_read_us(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t clock_monotonic_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC);
}

static inline int64_t clock_monotonic_ms(void)
{
	return clock_monotonic_us() / 1000;
}

/* Since 1970. */
static inline int64_t clock_realtime_ms(void)
{
	return clock_read_us(CLOCK_REALTIME) / 1000;
}

/* Processor time of this thread: what the machine does beside it does not count. */
static inline int64_t clock_thread_us(void)
{
	return clock_read_us(CLOCK_THREAD_CPUTIME_ID);
}

#endif
