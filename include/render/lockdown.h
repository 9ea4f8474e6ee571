/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ruleset of a node that does not know its policies yet: nothing is forwarded from pods or to
 * them. Its base chain has the name, the hook and the priority of the real one, so that the first
 * commit replaces its rules in one transaction. */
#ifndef RENDER_LOCKDOWN_H
#define RENDER_LOCKDOWN_H

#include "base/addr.h"
#include "nft/ruleset.h"

/* Fills an empty ruleset. 0 or -ENOMEM; ruleset_done() either way. */
int render_lockdown(struct ruleset *ruleset, const struct prefix *networks, size_t n);

#endif
