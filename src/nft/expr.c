/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "encode_expr.h"

int expr_add(struct nftnl_rule *rule, struct nftnl_expr *expr)
{
	if (!expr)
		return -ENOMEM;
	nftnl_rule_add_expr(rule, expr);
	return 0;
}

int expr_add_complete(struct nftnl_rule *rule, struct nftnl_expr *expr, bool complete)
{
	if (complete)
		return expr_add(rule, expr);
	if (expr)
		nftnl_expr_free(expr);
	return -ENOMEM;
}

int expr_add_meta(struct nftnl_rule *rule, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *expr = nftnl_expr_alloc("meta");

	if (expr) {
		nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, key);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, reg);
	}
	return expr_add(rule, expr);
}

int expr_add_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t len,
		     uint32_t reg)
{
	struct nftnl_expr *expr = nftnl_expr_alloc("payload");

	if (expr) {
		nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, base);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, len);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, reg);
	}
	return expr_add(rule, expr);
}

int expr_add_cmp(struct nftnl_rule *rule, uint32_t op, const void *data, uint32_t len)
{
	struct nftnl_expr *expr = nftnl_expr_alloc("cmp");

	if (!expr)
		return -ENOMEM;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, op);
	return expr_add_complete(rule, expr,
				 nftnl_expr_set(expr, NFTNL_EXPR_CMP_DATA, data, len) == 0);
}

int expr_add_cmp_u8(struct nftnl_rule *rule, uint32_t op, uint8_t value)
{
	return expr_add_cmp(rule, op, &value, sizeof(value));
}

int expr_add_mask(struct nftnl_rule *rule, const uint8_t *mask, uint32_t len)
{
	static const uint8_t zero[16];
	struct nftnl_expr *expr = nftnl_expr_alloc("bitwise");

	if (!expr)
		return -ENOMEM;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, len);
	return expr_add_complete(rule, expr,
				 nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, mask, len) == 0 &&
					 nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, zero, len) ==
						 0);
}

int expr_add_lookup(struct nftnl_rule *rule, const struct expr_lookup *lookup)
{
	struct nftnl_expr *expr = nftnl_expr_alloc("lookup");

	if (!expr)
		return -ENOMEM;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	if (lookup->id)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SET_ID, lookup->id);
	if (lookup->verdicts)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	if (lookup->negate)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	return expr_add_complete(rule, expr,
				 nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, lookup->set) == 0);
}

int expr_add_named_lookup(struct nftnl_rule *rule, const char *set, bool verdicts)
{
	return expr_add_lookup(rule, &(struct expr_lookup){.set = set, .verdicts = verdicts});
}

/* meta protocol ip */
static int expr_add_protocol(struct nftnl_rule *rule, uint16_t type)
{
	const uint16_t wire = htons(type);
	int rc = expr_add_meta(rule, NFT_META_PROTOCOL, NFT_REG_1);

	return rc == 0 ? expr_add_cmp(rule, NFT_CMP_EQ, &wire, sizeof(wire)) : rc;
}

int expr_add_ethertype(struct nftnl_rule *rule, uint16_t type)
{
	const uint16_t wire = htons(type);
	int rc = expr_add_payload(rule, NFT_PAYLOAD_LL_HEADER, ETHER_TYPE, sizeof(wire), NFT_REG_1);

	return rc == 0 ? expr_add_cmp(rule, NFT_CMP_EQ, &wire, sizeof(wire)) : rc;
}

int expr_add_family(struct nftnl_rule *rule, enum nft_table table, enum family family)
{
	static const uint8_t nfproto[] = {[FAMILY_V4] = NFPROTO_IPV4, [FAMILY_V6] = NFPROTO_IPV6};
	int rc;

	if (table == NFT_TABLE_BRIDGE)
		return expr_add_protocol(rule, family == FAMILY_V4 ? ETH_P_IP : ETH_P_IPV6);
	rc = expr_add_meta(rule, NFT_META_NFPROTO, NFT_REG_1);
	return rc == 0 ? expr_add_cmp_u8(rule, NFT_CMP_EQ, nfproto[family]) : rc;
}

int expr_add_l4proto_cmp(struct nftnl_rule *rule, uint32_t op, uint8_t proto)
{
	int rc = expr_add_meta(rule, NFT_META_L4PROTO, NFT_REG_1);

	return rc == 0 ? expr_add_cmp_u8(rule, op, proto) : rc;
}

int expr_add_l4proto(struct nftnl_rule *rule, uint8_t proto)
{
	return expr_add_l4proto_cmp(rule, NFT_CMP_EQ, proto);
}

static uint32_t addr_offset(const struct nft_stmt *stmt)
{
	bool source = stmt->dir == NFT_DIR_SOURCE;

	if (stmt->kind == NFT_STMT_ARP_SOURCE)
		return ARP_SADDR_IP;
	if (stmt->family == FAMILY_V4)
		return source ? IP_SADDR : IP_DADDR;
	return source ? IP6_SADDR : IP6_DADDR;
}

int expr_add_addr_bytes(struct nftnl_rule *rule, enum nft_table table, const struct nft_stmt *stmt,
			uint32_t bytes)
{
	int rc = 0;

	if (stmt->kind == NFT_STMT_ARP_SOURCE)
		rc = expr_add_ethertype(rule, ETH_P_ARP);
	else if (!stmt->implied)
		rc = expr_add_family(rule, table, stmt->family);
	return rc == 0 ? expr_add_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, addr_offset(stmt),
					  bytes, NFT_REG_1)
		       : rc;
}

int expr_add_addr(struct nftnl_rule *rule, enum nft_table table, const struct nft_stmt *stmt)
{
	return expr_add_addr_bytes(rule, table, stmt, (uint32_t)addr_bytes(stmt->family));
}
