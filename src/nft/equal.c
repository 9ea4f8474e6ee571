/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When two parts of a ruleset are the same to the kernel and to whoever lists it. */
#include <string.h>

#include "nft/ruleset.h"

static bool same_verdict(const struct nft_verdict *a, const struct nft_verdict *b)
{
	return a->kind == b->kind && strcmp(a->chain, b->chain) == 0;
}

static bool same_prefixes(const struct nft_stmt *a, const struct nft_stmt *b)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->prefixes[i].len != b->prefixes[i].len ||
		    addr_compare(&a->prefixes[i].addr, &b->prefixes[i].addr) != 0)
			return false;
	}
	return true;
}

static bool same_ports(const struct nft_stmt *a, const struct nft_stmt *b)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->ports[i].first != b->ports[i].first || a->ports[i].last != b->ports[i].last)
			return false;
	}
	return true;
}

static bool same_stmt(const struct nft_stmt *a, const struct nft_stmt *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case NFT_STMT_CT_ESTABLISHED:
	case NFT_STMT_CT_OTHER:
	case NFT_STMT_TCP_NOT_SYN:
	case NFT_STMT_SCTP_NOT_INIT:
	case NFT_STMT_LOCAL_SOURCE:
	case NFT_STMT_VLAN:
	case NFT_STMT_ETHER_GROUP:
	case NFT_STMT_COUNTER:
		return true;
	case NFT_STMT_ICMPV6_TYPES:
	case NFT_STMT_PROTOS:
		return a->n == b->n && memcmp(a->types, b->types, a->n) == 0;
	case NFT_STMT_HOPLIMIT:
		return a->hoplimit == b->hoplimit;
	case NFT_STMT_FAMILY:
	case NFT_STMT_ETHER_TYPE:
	case NFT_STMT_DHCP:
		return a->family == b->family;
	case NFT_STMT_ADDR:
	case NFT_STMT_ARP_SOURCE:
	case NFT_STMT_ND_TARGET:
		return a->family == b->family && a->dir == b->dir && a->negate == b->negate &&
		       a->n == b->n && same_prefixes(a, b);
	case NFT_STMT_ETHER_SOURCE:
		return a->negate == b->negate && memcmp(a->ether, b->ether, sizeof(a->ether)) == 0;
	case NFT_STMT_ETHER_FRAME:
		return a->family == b->family && memcmp(a->ether, b->ether, sizeof(a->ether)) == 0;
	case NFT_STMT_ADDR_SET:
	case NFT_STMT_ADDR_MAP:
	case NFT_STMT_TUPLE_SET:
		return a->family == b->family && a->dir == b->dir && strcmp(a->name, b->name) == 0;
	case NFT_STMT_FLOW_SET:
		return a->family == b->family && strcmp(a->name, b->name) == 0;
	case NFT_STMT_PROTO:
		return a->proto == b->proto && a->negate == b->negate;
	case NFT_STMT_PORT_SET:
		return a->proto == b->proto && a->negate == b->negate &&
		       strcmp(a->name, b->name) == 0;
	case NFT_STMT_PORTS:
		return a->proto == b->proto && a->n == b->n && same_ports(a, b);
	case NFT_STMT_INTERFACE:
	case NFT_STMT_INTERFACE_KIND:
	case NFT_STMT_INTERFACE_SET:
	case NFT_STMT_INTERFACE_MAP:
	case NFT_STMT_INDEX_MAP:
		return a->dir == b->dir && strcmp(a->name, b->name) == 0;
	case NFT_STMT_PORT_MAP:
		return strcmp(a->name, b->name) == 0;
	case NFT_STMT_VERDICT:
		return same_verdict(&a->verdict, &b->verdict);
	}
	return false;
}

static bool same_rule(const struct nft_rule *a, const struct nft_rule *b)
{
	if (a->stmts.n != b->stmts.n || a->stmts.n == 0 || strcmp(a->comment, b->comment) != 0)
		return false;
	for (size_t i = 0; i < a->stmts.n; i++) {
		if (!same_stmt(&a->stmts.v[i], &b->stmts.v[i]))
			return false;
	}
	return true;
}

bool nft_chain_same_head(const struct nft_chain *a, const struct nft_chain *b)
{
	return !a->other && !b->other && a->hook == b->hook && strcmp(a->comment, b->comment) == 0;
}

bool nft_chain_same_rules(const struct nft_chain *a, const struct nft_chain *b)
{
	if (a->rules.n != b->rules.n)
		return false;
	for (size_t i = 0; i < a->rules.n; i++) {
		if (!same_rule(&a->rules.v[i], &b->rules.v[i]))
			return false;
	}
	return true;
}

bool nft_set_same_head(const struct nft_set *a, const struct nft_set *b)
{
	return !a->other && !b->other && a->table == b->table && a->type == b->type &&
	       a->interval == b->interval && a->map == b->map &&
	       strcmp(a->comment, b->comment) == 0;
}

bool nft_extra_same(const struct nft_set *set, const struct nft_elem_extra *a,
		    const struct nft_elem_extra *b)
{
	static const struct nft_elem_extra plain;

	a = a ? a : &plain;
	b = b ? b : &plain;
	if (set->interval && memcmp(&a->last, &b->last, sizeof(a->last)) != 0)
		return false;
	return (!set->map || same_verdict(&a->verdict, &b->verdict)) &&
	       strcmp(a->comment, b->comment) == 0;
}
