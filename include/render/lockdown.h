/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ruleset of a node that does not know its policies yet: nothing is forwarded from pods or to
 * them, and their node accepts nothing from them but answers and what it always does. Its base
 * chains have the names, the hooks and the priorities of the real ones, so that the first commit
 * replaces their rules, or takes them away, in one transaction. */
#ifndef RENDER_LOCKDOWN_H
#define RENDER_LOCKDOWN_H

#include <stdbool.h>

#include "base/addr.h"
#include "nft/ruleset.h"

struct lockdown_options {
	const struct prefix *networks; /* of pods */
	size_t n;
	bool local_node_allow; /* pods may reach their own node */
	bool no_bridges;       /* the kernel has no table for them */
};

/* Fills an empty ruleset. 0 or -ENOMEM; ruleset_done() either way. */
int render_lockdown(struct ruleset *ruleset, const struct lockdown_options *options);

#endif
