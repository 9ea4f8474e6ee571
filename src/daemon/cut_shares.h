/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose the cut connections are, and which of them makes way for another: the oldest of the
 * namespace that has most. So no namespace pushes out those of one that has fewer. Each call takes
 * the same time, however many there are. */
#ifndef DAEMON_CUT_SHARES_H
#define DAEMON_CUT_SHARES_H

#include <stddef.h>

#include "base/table.h"

/* One in its namespace's list, the oldest first. */
struct cut_member {
	struct cut_share *share;
	struct cut_member *prev, *next;
};

struct cut_share {
	char *ns;
	size_t n;
	struct cut_member *members;
	struct cut_share *prev, *next; /* of those that have as many */
	UT_hash_handle hh;             /* by ns */
};

/* Zero is empty. */
struct cut_shares {
	struct cut_share *all;
	struct cut_share **by_count; /* [n]: those that have n, in a list */
	size_t most;                 /* the largest n that one has */
};

/* The member, in no list so far, becomes the namespace's newest; there may be `max` in all. 0 or
 * -ENOMEM. */
int cut_shares_add(struct cut_shares *shares, struct cut_member *member, const char *ns,
		   size_t max);
void cut_shares_remove(struct cut_shares *shares, struct cut_member *member);

/* Which one makes way; there is one at least. */
struct cut_member *cut_shares_victim(const struct cut_shares *shares);

/* Nothing is in it any more. */
void cut_shares_done(struct cut_shares *shares);

#endif
