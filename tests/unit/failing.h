/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every allocation fails once. Nothing crashes, nothing leaks, and whoever asked is told. Those of
 * the C library's functions and of other libraries fail too, but with sanitizers, which have an
 * allocator of their own: there it is only our own calls, and the leaks are found by the sanitizer.
 *
 * Each round runs in a child, so that one that dies does not hide the others. NETPOLD_FAIL_AT=N
 * runs round N alone, in this process. */
#ifndef UNIT_FAILING_H
#define UNIT_FAILING_H

#include <stdbool.h>
#include <stddef.h>

/* 0 or -ENOMEM: anything else is wrong, and so is 0 when an allocation has failed. `check`, NULL or
 * what is to hold after each round, with its result: 0, or something else. */
void failing_survives(int (*scenario)(void), int (*check)(int rc));

/* Has an allocation of this round failed? */
bool failing_happened(void);

/* For interpose.c: does this one fail; and one block more or less. */
bool failing_now(void);
extern bool failing_interposed;
extern long failing_blocks;

#endif
