/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The expressions of nf_tables that statements are made of, each appended to a rule. All return 0
 * or -ENOMEM. */
#ifndef NFT_EXPR_H
#define NFT_EXPR_H

#include <stdio.h> /* for libnftnl/expr.h, which needs it */

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <stdbool.h>
#include <stdint.h>

#include "nft/ruleset.h"

struct expr_lookup {
	const char *set;
	uint32_t id; /* of an anonymous set in this batch; 0: a named one */
	bool verdicts, negate;
};

/* Takes the expression over; NULL: there was no memory for it. */
int expr_add(struct nftnl_rule *rule, struct nftnl_expr *expr);

/* An expression whose attributes could be set, or not: libnftnl copies names and values. */
int expr_add_complete(struct nftnl_rule *rule, struct nftnl_expr *expr, bool complete);

/* `key` of NFT_META_... into a register. */
int expr_add_meta(struct nftnl_rule *rule, uint32_t key, uint32_t reg);

/* `len` bytes at `offset` of a header (NFT_PAYLOAD_...) into a register. */
int expr_add_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t len,
		     uint32_t reg);

/* The first register with `data`; `op` of NFT_CMP_... */
int expr_add_cmp(struct nftnl_rule *rule, uint32_t op, const void *data, uint32_t len);

int expr_add_cmp_u8(struct nftnl_rule *rule, uint32_t op, uint8_t value);

/* The first register and the mask. */
int expr_add_mask(struct nftnl_rule *rule, const uint8_t *mask, uint32_t len);

/* The first register in a set, or in a verdict map. */
int expr_add_lookup(struct nftnl_rule *rule, const struct expr_lookup *lookup);

int expr_add_named_lookup(struct nftnl_rule *rule, const char *set, bool verdicts);

/* ether type arp: what nft takes for what is neither of IPv4 nor of IPv6 */
int expr_add_ethertype(struct nftnl_rule *rule, uint16_t type);

/* An inet table sees both families, and a bridge sees frames: say which is meant before looking
 * into a header. */
int expr_add_family(struct nftnl_rule *rule, enum nft_table table, enum family family);

/* meta l4proto PROTO; _cmp: with NFT_CMP_NEQ any other. */
int expr_add_l4proto_cmp(struct nftnl_rule *rule, uint32_t op, uint8_t proto);

int expr_add_l4proto(struct nftnl_rule *rule, uint8_t proto);

/* The family, and the first bytes of the address into the first register. */
int expr_add_addr_bytes(struct nftnl_rule *rule, enum nft_table table, const struct nft_stmt *stmt,
			uint32_t bytes);

int expr_add_addr(struct nftnl_rule *rule, enum nft_table table, const struct nft_stmt *stmt);

#endif
