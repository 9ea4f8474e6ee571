/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long things took: counts of fixed stretches of time, from a tenth of a millisecond to ten
 * seconds, as Prometheus adds them up over nodes. */
#ifndef DAEMON_HISTOGRAM_H
#define DAEMON_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BOUNDS 16

struct histogram {
	uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* up to each bound; the last: beyond all */
	uint64_t sum_us;
};

/* The upper bounds, ascending, in microseconds. */
extern const uint64_t histogram_bounds_us[HISTOGRAM_BOUNDS];

void histogram_observe(struct histogram *histogram, uint64_t us);

#endif
