/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fuzzer's bytes as choices. */
#ifndef TESTS_CHOICES_H
#define TESTS_CHOICES_H

#include <stdint.h>

struct choices {
	const uint8_t *p, *end;
};

/* 0 when there are no more bytes. */
static inline uint8_t choose_byte(struct choices *c)
{
	return c->p < c->end ? *c->p++ : 0;
}

static inline uint32_t choose(struct choices *c, uint32_t below)
{
	return choose_byte(c) % below;
}

#endif
