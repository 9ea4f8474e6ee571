/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections that end because policy denies them now. Those of TCP and SCTP could come back by
 * what the server sends in the middle of them (render/cut.c), so each goes through three stages:
 * it is in the ruleset, the kernel has that, its entry of connection tracking is deleted. In the
 * ruleset it stays for as long as the kernel would have remembered the connection, while policy
 * denies it, and while there are not more than CUTS_MAX. */
#ifndef DAEMON_CUTS_H
#define DAEMON_CUTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/vec.h"
#include "cut_shares.h"
#include "node/conntrack.h"
#include "policy/graph.h"
#include "render/render.h"

/* In the ruleset; beyond these the oldest of the namespace that has most makes way. */
#define CUTS_MAX 16384
/* In the three stages; no more are read until some are through. */
#define CUTS_PENDING_MAX 4096

struct cut;

struct cuts {
	struct render *render;
	struct graph *graph;
	struct cut *all; /* in the ruleset */
	struct cut_shares shares;
	/* Those in the stages, in order: before `next` they are through, before n_committed the
	 * kernel has what drops them, before n_rendered the ruleset has. */
	VEC(struct conntrack_entry) pending;
	size_t next, n_committed, n_rendered;
};

void cuts_init(struct cuts *cuts, struct render *render, struct graph *graph);
void cuts_done(struct cuts *cuts);

/* Is this one that could come back? */
bool cuts_concern(const struct conntrack_entry *entry);

/* In the ruleset. */
size_t cuts_count(const struct cuts *cuts);

/* The first stage; the entry is copied. 0 or -ENOMEM. */
int cuts_add(struct cuts *cuts, const struct conntrack_entry *entry);
/* Are so many in the stages that they should get on first? */
bool cuts_full(const struct cuts *cuts);
/* Is one in any of the stages; and is one in the first? */
bool cuts_pending(const struct cuts *cuts);
bool cuts_unrendered(const struct cuts *cuts);

/* The second: into the ruleset, within a job. 1: it has changed; 0; or -ENOMEM. */
int cuts_render(struct cuts *cuts);
/* The third: the kernel has the ruleset. */
void cuts_committed(struct cuts *cuts);
/* The next whose entry is to be deleted; NULL: none. */
const struct conntrack_entry *cuts_next(const struct cuts *cuts);
/* It is deleted. */
void cuts_drop_next(struct cuts *cuts);

/* Takes those out of the ruleset whose time is over, or that are not denied any more, within a job.
 * denied: 1, 0 or -ENOMEM, which is returned; NULL: as before. 1: the ruleset has changed; 0: not.
 */
typedef int (*cuts_denied_fn)(void *ctx, const struct conntrack_entry *entry);
int cuts_sweep(struct cuts *cuts, cuts_denied_fn denied, void *ctx);

/* Those that an earlier run has left in the kernel. 0 or -ENOMEM. */
int cuts_adopt(struct cuts *cuts, const struct ruleset *kernel);

#endif
