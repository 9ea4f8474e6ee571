/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "decode.h"

#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

/* A base chain is one of ours, or another. */
static void decode_hook(enum nft_table table, const struct nftnl_chain *object,
			struct nft_chain *chain)
{
	uint32_t hook = nftnl_chain_get_u32(object, NFTNL_CHAIN_HOOKNUM);
	int32_t priority = nftnl_chain_get_s32(object, NFTNL_CHAIN_PRIO);
	const char *device = nftnl_chain_get_str(object, NFTNL_CHAIN_DEV);
	const char *type = nftnl_chain_get_str(object, NFTNL_CHAIN_TYPE);

	chain->policy_drop = nftnl_chain_get_u32(object, NFTNL_CHAIN_POLICY) != NF_ACCEPT;
	if (!type || strcmp(type, "filter") != 0) {
		chain->other = true;
	} else if (table == NFT_TABLE_POLICY && hook == NF_INET_FORWARD && priority == 0) {
		chain->hook = NFT_HOOK_FORWARD;
	} else if (table == NFT_TABLE_POLICY && hook == NF_INET_LOCAL_IN &&
		   priority == NFT_INPUT_PRIORITY) {
		chain->hook = NFT_HOOK_INPUT;
	} else if (table == NFT_TABLE_POLICY && hook == NF_INET_POST_ROUTING &&
		   priority == NFT_POSTROUTING_PRIORITY) {
		chain->hook = NFT_HOOK_POSTROUTING;
	} else if (table == NFT_TABLE_GUARD && hook == NF_NETDEV_INGRESS && priority == -300 &&
		   device) {
		chain->hook = NFT_HOOK_INGRESS;
		(void)snprintf(chain->device, sizeof(chain->device), "%s", device);
	} else {
		chain->other = true;
	}
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
