/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What has to go and to come back under its name, as the kernel cannot change it: a set of another
 * type, a chain with another hook or comment. Whatever refers to it must let go of it first. */
#ifndef NFT_REMADE_H
#define NFT_REMADE_H

#include <stdbool.h>

#include "nft/ruleset.h"

struct remade_name;

struct remade {
	struct remade_name *chains[NFT_TABLE_COUNT], *sets; /* by name; NULL: none */
};

/* Note the pair of one name when it is one; either may be NULL. 0 or -ENOMEM. */
int remade_chain(struct remade *remade, enum nft_table table, const struct nft_chain *old,
		 const struct nft_chain *new);
int remade_set(struct remade *remade, const struct nft_set *old, const struct nft_set *new);

bool remade_any(const struct remade *remade);

/* Does it refer to one of them? */
bool chain_refers(const struct remade *remade, enum nft_table table, const struct nft_chain *chain);
bool elem_refers(const struct remade *remade, const struct nft_set *set,
		 const struct nft_elem_extra *extra);
bool set_refers(const struct remade *remade, const struct nft_set *set);

void remade_done(struct remade *remade);

#endif
