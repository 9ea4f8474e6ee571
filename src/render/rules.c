/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "internal.h"

void set_name(char to[static NFT_NAME_MAX], const char *prefix, const char *id)
{
	(void)snprintf(to, NFT_NAME_MAX, "%s_%s", prefix, id); /* fits: both are short */
}

int add_rule(struct nft_chain *chain, const struct nft_stmt *stmts, size_t n, const char *comment)
{
	struct nft_rule rule = {0};

	for (size_t i = 0; i < n; i++) {
		if (nft_rule_add(&rule, &stmts[i]) < 0) {
			nft_rule_done(&rule);
			return -ENOMEM;
		}
	}
	nft_comment(rule.comment, comment);
	return nft_chain_add(chain, &rule);
}

struct nft_stmt verdict_stmt(enum nft_verdict_kind kind, const char *chain)
{
	struct nft_stmt stmt = {.kind = NFT_STMT_VERDICT, .verdict = {.kind = kind}};

	(void)snprintf(stmt.verdict.chain, sizeof(stmt.verdict.chain), "%s", chain ? chain : "");
	return stmt;
}

/* Egress never accepts: between two pods of this node, the other's ingress is still to come. */
struct nft_verdict allowed_verdict(enum direction dir)
{
	if (dir == DIR_INGRESS)
		return (struct nft_verdict){.kind = NFT_VERDICT_ACCEPT};
	return (struct nft_verdict){.kind = NFT_VERDICT_GOTO, .chain = CHAIN_TO_POD};
}

/* Where the other end's address stands. */
enum nft_dir peer_dir(enum direction dir)
{
	return dir == DIR_INGRESS ? NFT_DIR_SOURCE : NFT_DIR_DESTINATION;
}

const char *addr_map_name(enum direction dir, enum family family)
{
	static const char *const names[DIR_COUNT][FAMILY_COUNT] = {
		[DIR_INGRESS] = {"ingress_ip4", "ingress_ip6"},
		[DIR_EGRESS] = {"egress_ip4", "egress_ip6"},
	};

	return names[dir][family];
}

const char *interface_map_name(enum direction dir)
{
	return dir == DIR_INGRESS ? MAP_INGRESS_INTERFACE : MAP_EGRESS_INTERFACE;
}
