/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/backoff.h"

#include <sys/random.h>
#include <time.h>

void backoff_init(struct backoff *b, uint64_t seed)
{
	*b = (struct backoff){.random = seed, .last_ms = BACKOFF_BASE_MS};
	if (seed == 0 && getrandom(&b->random, sizeof(b->random), GRND_NONBLOCK) < 0)
		b->random = (uint64_t)time(NULL);
	b->random |= 1;
}

/* xorshift64: to spread clients, not to keep secrets. */
static uint64_t draw(struct backoff *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return b->random;
}

unsigned backoff_between(struct backoff *b, unsigned low, unsigned high)
{
	return low + (unsigned)((draw(b) >> 32) % ((uint64_t)high - low + 1));
}

unsigned backoff_next(struct backoff *b)
{
	unsigned high = b->last_ms * 3;

	b->last_ms =
		backoff_between(b, BACKOFF_BASE_MS, high < BACKOFF_CAP_MS ? high : BACKOFF_CAP_MS);
	return b->last_ms;
}

void backoff_reset(struct backoff *b)
{
	b->last_ms = BACKOFF_BASE_MS;
}
