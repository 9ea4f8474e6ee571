/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/ruleset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void stmt_done(struct nft_stmt *stmt)
{
	free(stmt->ports);
	free(stmt->prefixes);
	free(stmt->types);
}

void nft_rule_done(struct nft_rule *rule)
{
	for (size_t i = 0; i < rule->stmts.n; i++)
		stmt_done(&rule->stmts.v[i]);
	vec_free(&rule->stmts);
}

static void *copy_list(const void *list, size_t n, size_t size, bool *failed)
{
	void *copy;

	if (!list)
		return NULL;
	copy = malloc(n * size + 1);
	if (copy)
		memcpy(copy, list, n * size);
	else
		*failed = true;
	return copy;
}

int nft_rule_add(struct nft_rule *rule, const struct nft_stmt *stmt)
{
	struct nft_stmt copy = *stmt;
	bool failed = false;

	copy.ports = copy_list(stmt->ports, stmt->n, sizeof(stmt->ports[0]), &failed);
	copy.prefixes = copy_list(stmt->prefixes, stmt->n, sizeof(stmt->prefixes[0]), &failed);
	copy.types = copy_list(stmt->types, stmt->n, sizeof(stmt->types[0]), &failed);
	if (!failed && vec_push(&rule->stmts, copy) == 0)
		return 0;
	stmt_done(&copy);
	return -ENOMEM;
}

const char *nft_stmt_set(const struct nft_stmt *stmt)
{
	switch (stmt->kind) {
	case NFT_STMT_ADDR_SET:
	case NFT_STMT_TUPLE_SET:
	case NFT_STMT_FLOW_SET:
	case NFT_STMT_INTERFACE_MAP:
	case NFT_STMT_INDEX_MAP:
	case NFT_STMT_ADDR_MAP:
	case NFT_STMT_PORT_MAP:
	case NFT_STMT_PORT_SET:
	case NFT_STMT_INTERFACE_SET:
		return stmt->name;
	case NFT_STMT_CT_ESTABLISHED:
	case NFT_STMT_CT_OTHER:
	case NFT_STMT_ICMPV6_TYPES:
	case NFT_STMT_HOPLIMIT:
	case NFT_STMT_FAMILY:
	case NFT_STMT_ADDR:
	case NFT_STMT_PROTO:
	case NFT_STMT_PROTOS:
	case NFT_STMT_TCP_NOT_SYN:
	case NFT_STMT_SCTP_NOT_INIT:
	case NFT_STMT_PORTS:
	case NFT_STMT_DHCP:
	case NFT_STMT_LOCAL_SOURCE:
	case NFT_STMT_INTERFACE:
	case NFT_STMT_INTERFACE_KIND:
	case NFT_STMT_VLAN:
	case NFT_STMT_ETHER_SOURCE:
	case NFT_STMT_ETHER_FRAME:
	case NFT_STMT_ETHER_TYPE:
	case NFT_STMT_ETHER_GROUP:
	case NFT_STMT_ARP_SOURCE:
	case NFT_STMT_ND_TARGET:
	case NFT_STMT_COUNTER:
	case NFT_STMT_VERDICT:
		break;
	}
	return NULL;
}
