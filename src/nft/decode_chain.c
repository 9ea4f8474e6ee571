/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "decode.h"

#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "nft/encode.h"

/* A base chain is one of ours, or another. */
static enum nft_hook find_hook(enum nft_table table, uint32_t number, int32_t priority)
{
	for (int hook = NFT_HOOK_NONE + 1; hook <= NFT_HOOK_OUTPUT; hook++) {
		if (nft_hook_number((enum nft_hook)hook) == number &&
		    nft_hook_priority(table, (enum nft_hook)hook) == priority)
			return (enum nft_hook)hook;
	}
	return NFT_HOOK_NONE;
}

static void decode_hook(enum nft_table table, const struct nftnl_chain *object,
			struct nft_chain *chain)
{
	const char *type = nftnl_chain_get_str(object, NFTNL_CHAIN_TYPE);

	chain->policy_drop = nftnl_chain_get_u32(object, NFTNL_CHAIN_POLICY) != NF_ACCEPT;
	if (type && strcmp(type, "filter") == 0)
		chain->hook = find_hook(table, nftnl_chain_get_u32(object, NFTNL_CHAIN_HOOKNUM),
					nftnl_chain_get_s32(object, NFTNL_CHAIN_PRIO));
	chain->other = chain->hook == NFT_HOOK_NONE;
}

struct nft_chain *decode_chain(enum nft_table table, const struct nftnl_chain *object)
{
	struct nft_chain *chain = nft_chain_new(nftnl_chain_get_str(object, NFTNL_CHAIN_NAME), "");
	uint32_t len = 0, flags = nftnl_chain_get_u32(object, NFTNL_CHAIN_FLAGS);
	const void *notes = nftnl_chain_get_data(object, NFTNL_CHAIN_USERDATA, &len);

	if (!chain)
		return NULL;
	if (nftnl_chain_is_set(object, NFTNL_CHAIN_HOOKNUM))
		decode_hook(table, object, chain);
	chain->other |= flags & NFT_CHAIN_HW_OFFLOAD;
	if (notes)
		decode_comment(notes, len, NFTNL_UDATA_CHAIN_COMMENT, chain->comment);
	return chain;
}
