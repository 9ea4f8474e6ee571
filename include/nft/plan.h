/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way from one ruleset to another, as messages in an order that the kernel takes: what is new
 * is made while nothing refers to it, then what is in use is changed, then what nothing refers to
 * any more goes. */
#ifndef NFT_PLAN_H
#define NFT_PLAN_H

#include <stdbool.h>

#include "nft/batch.h"

enum nft_plan_part {
	/* Unreachable until the change: may be sent in any number of transactions. */
	NFT_PLAN_TABLES,
	NFT_PLAN_NEW_SETS,
	NFT_PLAN_NEW_CHAINS,
	NFT_PLAN_NEW_ELEMS, /* of new sets */
	NFT_PLAN_NEW_RULES, /* of new chains */
	NFT_PLAN_NEW_MAP_ELEMS,
	/* The change itself: one transaction. */
	NFT_PLAN_DROP_MAP_ELEMS,
	NFT_PLAN_FLUSH_CHAINS, /* that get other rules */
	NFT_PLAN_REMAKE, /* what changes beyond its content, under its name; new base chains */
	NFT_PLAN_RULES,
	NFT_PLAN_MAP_ELEMS,
	NFT_PLAN_DROP_ELEMS,
	NFT_PLAN_ELEMS,
	/* Unreachable after it: as the first. */
	NFT_PLAN_FLUSH,
	NFT_PLAN_DROP_SETS,
	NFT_PLAN_DROP_CHAINS,
	NFT_PLAN_PARTS
};

#define NFT_PLAN_CHANGE  NFT_PLAN_DROP_MAP_ELEMS /* the first part of the change */
#define NFT_PLAN_CLEANUP NFT_PLAN_FLUSH          /* the first part of the cleaning up */

struct nft_plan {
	struct nft_batch parts[NFT_PLAN_PARTS];
	uint32_t seq; /* of the last message of all; for its own use */
	bool whole;   /* one transaction or none, however large */
};

/* The three fill an empty plan; nft_plan_done() in any case. */

/* Everything that it takes from `old` to `new`; nothing where they are the same. 0 or -ENOMEM. */
int nft_plan_full(struct nft_plan *plan, const struct ruleset *old, const struct ruleset *new);

/* What has changed in the ruleset since ruleset_committed(). 0 or -ENOMEM. */
int nft_plan_changes(struct nft_plan *plan, const struct ruleset *ruleset);

/* The same where tables cannot be repaired in place: those of `old` that are `rotten` go with all
 * that is in them and are made anew, the rest is changed in place, in one transaction. A base chain
 * that is replaced can let a packet pass. 0 or -ENOMEM. */
int nft_plan_rebuild(struct nft_plan *plan, const bool rotten[NFT_TABLE_COUNT],
		     const struct ruleset *old, const struct ruleset *new);

bool nft_plan_empty(const struct nft_plan *plan);

void nft_plan_done(struct nft_plan *plan);

#endif
