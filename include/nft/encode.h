/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ruleset's parts as netlink messages: what `nft -f` would send for the text that the printer
 * writes. Pure: fills a batch, sends nothing. All return 0 or -ENOMEM. */
#ifndef NFT_ENCODE_H
#define NFT_ENCODE_H

#include "nft/batch.h"

/* NFT_TABLE_F_PERSIST, since Linux 6.9, is not in Debian 12's linux/netfilter/nf_tables.h. */
#define NFT_TABLE_PERSIST (1u << 2)

/* `own`: with the flags owner and persist, so that the socket that sends this owns the table and it
 * stays when that is closed. A table with persist alone, whose owner is gone, is taken over. */
int nft_build_table(struct nft_batch *batch, enum nft_table table, bool own);
/* A table that is there keeps its flags. */
int nft_build_table_if_absent(struct nft_batch *batch, enum nft_table table);
/* A table with these flags, and behind it a message that every kernel refuses: the batch changes
 * nothing, and whether the first message is refused says whether the kernel has the flags. */
int nft_build_owner_probe(struct nft_batch *batch);
/* Of the flags of a table: persist without owner, as when its owner is gone. */
bool nft_table_is_orphan(uint32_t flags);
int nft_build_table_delete(struct nft_batch *batch, enum nft_table table);

/* The chain itself, without its rules. */
int nft_build_chain(struct nft_batch *batch, enum nft_table table, const struct nft_chain *chain);
int nft_build_chain_delete(struct nft_batch *batch, enum nft_table table, const char *name);

int nft_build_rule(struct nft_batch *batch, enum nft_table table, const char *chain,
		   const struct nft_rule *rule);
/* All of the chain's. */
int nft_build_rules_flush(struct nft_batch *batch, enum nft_table table, const char *chain);

/* The set itself, without its elements. */
int nft_build_set(struct nft_batch *batch, const struct nft_set *set);
int nft_build_set_delete(struct nft_batch *batch, const struct nft_set *set);

/* Elements of a set (with its type and flags), as many messages as it takes. */
int nft_build_elems(struct nft_batch *batch, const struct nft_set *set,
		    const struct nft_elem *const elems[], size_t n, bool add);

/* All of them. */
int nft_build_elems_flush(struct nft_batch *batch, const struct nft_set *set);

/* Where in the kernel a hook of ours is. */
uint32_t nft_hook_number(enum nft_hook hook);
int32_t nft_hook_priority(enum nft_table table, enum nft_hook hook);

#endif
