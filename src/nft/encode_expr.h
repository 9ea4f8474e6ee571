/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_ENCODE_EXPR_H
#define NFT_ENCODE_EXPR_H

#include <libnftnl/rule.h>
#include <linux/netfilter/nf_conntrack_common.h>

#include "nft/batch.h"

/* nft's numbers for the types of keys, concatenations folded six bits each: what `nft list` goes
 * by. */
enum {
	NFT_TYPE_ID_NFPROTO = 3,
	NFT_TYPE_ID_IPADDR = 7,
	NFT_TYPE_ID_IP6ADDR = 8,
	NFT_TYPE_ID_ETHERTYPE = 10,
	NFT_TYPE_ID_INET_PROTO = 12,
	NFT_TYPE_ID_INET_SERVICE = 13,
	NFT_TYPE_ID_IFINDEX = 20,
	NFT_TYPE_ID_ICMPV6_TYPE = 29,
	NFT_TYPE_ID_IFNAME = 41,
};

/* Offsets in the headers. */
#define ETHER_DADDR     0
#define ETHER_SADDR     6
#define ETHER_TYPE      12
#define ARP_SADDR_IP    14 /* of IPv4 over Ethernet */
#define IP_SADDR        12
#define IP_DADDR        16
#define IP6_SADDR       8
#define IP6_DADDR       24
#define IP6_HOPLIMIT    7
#define TH_SPORT        0
#define TH_DPORT        2
#define TCP_FLAGS       13
#define SCTP_CHUNK      12 /* the type of the first: RFC 9260, 3 */
#define ICMPV6_TYPE     0
#define ND_TARGET       8

#define SCTP_CHUNK_INIT 1

/* The conntrack states as bits, which the kernel keeps to itself: NF_CT_STATE_BIT(). */
#define CT_ESTABLISHED         (1u << (IP_CT_ESTABLISHED + 1))
#define CT_ESTABLISHED_RELATED (CT_ESTABLISHED | (1u << (IP_CT_RELATED + 1)))

/* Adds a statement's expressions to a rule, which knows its chain. A list becomes an anonymous set,
 * which goes into the batch before the rule. 0 or -ENOMEM. */
int nft_build_stmt(struct nft_batch *batch, enum nft_table table, struct nftnl_rule *rule,
		   const struct nft_stmt *stmt);

/* An anonymous set of the batch, found by this id. */
struct nft_anonymous {
	const char *chain; /* of its rule */
	uint32_t id, key_type, key_len;
	bool interval;
};

/* One element: [first, last], bytes in network order; equal where the set has no intervals. */
struct nft_anonymous_elem {
	uint8_t first[16], last[16];
};

int nft_build_anonymous_set(struct nft_batch *batch, enum nft_table table,
			    const struct nft_anonymous *set, const struct nft_anonymous_elem *elems,
			    size_t n);

#endif
