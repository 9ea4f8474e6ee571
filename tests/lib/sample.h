/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rulesets for tests, of which the kernel takes every one: from a seed, with all that a ruleset may
 * have. Few names, so that two of them have most in common. Without memory they end the program. */
#ifndef TESTS_SAMPLE_H
#define TESTS_SAMPLE_H

#include "nft/ruleset.h"

/* The ruleset of a seed, into an empty one. */
void sample_random(uint64_t seed, struct ruleset *ruleset);

/* Puts and drops chains, sets and elements at random: the way to another ruleset, with a journal.
 */
void sample_change(uint64_t seed, struct ruleset *ruleset);

/* `n` addresses in one set, a rule that looks them up, and a chain that is empty. */
void sample_large(struct ruleset *ruleset, size_t n);

#endif
