/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel has of our two tables, as a ruleset again: whoever wrote it, a transaction of
 * ours or `nft -f` of our text, the same is the same. Others can write to our tables too. What they
 * leave there comes out as different from anything of ours, so that a plan repairs it. */
#ifndef NFT_READBACK_H
#define NFT_READBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "nft/kernel.h"

#define NFT_FOREIGN_MAX 128

struct nft_found {
	struct ruleset ruleset; /* to be compared with, not to be printed or sent */
	uint32_t generation;    /* of the kernel's rulesets while it was read */
	/* There is something that is not repaired in place but with nft_plan_rebuild(); and what.
	 */
	bool foreign[NFT_TABLE_COUNT];
	char what[NFT_FOREIGN_MAX];      /* "": nothing */
	uint32_t owner[NFT_TABLE_COUNT]; /* the port of the socket that owns it; 0: none does */
};

/* Reads it. 0, and nft_found_done() is the caller's; -EAGAIN: others change rulesets all the time;
 * -ENOMEM, or what the kernel answered, with err. */
int nft_readback(struct nft_kernel *kernel, struct nft_found *ret, struct err *err);
void nft_found_done(struct nft_found *found);

/* What it takes from there to `wanted`: repairs in place or, where that cannot be, a table made
 * anew; nothing when the kernel has what is wanted. Into an empty plan. 0 or -ENOMEM. Should the
 * kernel refuse that, somebody has found a way that is not foreseen: nft_plan_rebuild() of all that
 * is there. */
int nft_plan_repair(struct nft_plan *plan, const struct nft_found *found,
		    const struct ruleset *wanted);

#endif
