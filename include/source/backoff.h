/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long to wait before trying again: each wait is drawn between the base and three times the
 * last, up to a cap. Many clients that failed together spread, and none tries in a tight loop. */
#ifndef SOURCE_BACKOFF_H
#define SOURCE_BACKOFF_H

#include <stdint.h>

#define BACKOFF_BASE_MS 500
#define BACKOFF_CAP_MS  30000

struct backoff {
	uint64_t random; /* any value but 0 */
	unsigned last_ms;
};

/* `seed` 0: from the kernel. */
void backoff_init(struct backoff *backoff, uint64_t seed);

/* BACKOFF_BASE_MS..BACKOFF_CAP_MS. */
unsigned backoff_next(struct backoff *backoff);

/* It works again: the next wait is short. */
void backoff_reset(struct backoff *backoff);

/* Evenly drawn from low..high. */
unsigned backoff_between(struct backoff *backoff, unsigned low, unsigned high);

#endif
