/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reader.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

struct nftnl_expr *reader_expr(const struct reader *r, size_t ahead, const char *name)
{
	struct nftnl_expr *expr = r->at + ahead < r->n ? r->exprs[r->at + ahead] : NULL;

	return expr && strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), name) == 0 ? expr : NULL;
}

/* Registers of 16 bytes and of 4 overlap, and the kernel prefers the larger names. */
bool reader_register_is(const struct nftnl_expr *expr, uint16_t attr, uint32_t expected)
{
	uint32_t reg = nftnl_expr_get_u32(expr, attr);

	if (reg >= NFT_REG_1 && reg <= NFT_REG_4)
		reg = NFT_REG32_00 + (reg - NFT_REG_1) * (NFT_REG_SIZE / NFT_REG32_SIZE);
	return reg == expected;
}

bool reader_meta(const struct reader *r, size_t ahead, uint32_t key, uint32_t reg)
{
	const struct nftnl_expr *expr = reader_expr(r, ahead, "meta");

	return expr && nftnl_expr_is_set(expr, NFTNL_EXPR_META_DREG) &&
	       nftnl_expr_get_u32(expr, NFTNL_EXPR_META_KEY) == key &&
	       reader_register_is(expr, NFTNL_EXPR_META_DREG, reg);
}

bool reader_payload(const struct reader *r, size_t ahead, uint32_t reg, struct payload *ret)
{
	const struct nftnl_expr *expr = reader_expr(r, ahead, "payload");

	if (!expr || !nftnl_expr_is_set(expr, NFTNL_EXPR_PAYLOAD_DREG) ||
	    !reader_register_is(expr, NFTNL_EXPR_PAYLOAD_DREG, reg))
		return false;
	ret->base = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_BASE);
	ret->offset = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET);
	ret->len = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_LEN);
	return true;
}

bool reader_payload_is(const struct reader *r, size_t ahead, uint32_t base, uint32_t offset,
		       uint32_t len)
{
	struct payload payload;

	return reader_payload(r, ahead, NFT_REG32_00, &payload) && payload.base == base &&
	       payload.offset == offset && payload.len == len;
}

const uint8_t *reader_cmp(const struct reader *r, size_t ahead, uint32_t op, uint32_t len)
{
	const struct nftnl_expr *expr = reader_expr(r, ahead, "cmp");
	uint32_t got = 0;
	const uint8_t *data = expr ? nftnl_expr_get(expr, NFTNL_EXPR_CMP_DATA, &got) : NULL;

	return data && got == len && reader_register_is(expr, NFTNL_EXPR_CMP_SREG, NFT_REG32_00) &&
			       nftnl_expr_get_u32(expr, NFTNL_EXPR_CMP_OP) == op
		       ? data
		       : NULL;
}

const uint8_t *reader_match(const struct reader *r, size_t ahead, uint32_t len, bool *ret_negate)
{
	const uint8_t *data = reader_cmp(r, ahead, NFT_CMP_EQ, len);

	*ret_negate = !data;
	return data ? data : reader_cmp(r, ahead, NFT_CMP_NEQ, len);
}

const uint8_t *reader_mask(const struct reader *r, size_t ahead, uint32_t len)
{
	static const uint8_t zero[16];
	const struct nftnl_expr *expr = reader_expr(r, ahead, "bitwise");
	uint32_t mask_len = 0, flip_len = 0;
	const void *mask, *flip;

	if (!expr || nftnl_expr_get_u32(expr, NFTNL_EXPR_BITWISE_OP) != NFT_BITWISE_BOOL ||
	    !reader_register_is(expr, NFTNL_EXPR_BITWISE_SREG, NFT_REG32_00) ||
	    !reader_register_is(expr, NFTNL_EXPR_BITWISE_DREG, NFT_REG32_00))
		return NULL;
	mask = nftnl_expr_get(expr, NFTNL_EXPR_BITWISE_MASK, &mask_len);
	flip = nftnl_expr_get(expr, NFTNL_EXPR_BITWISE_XOR, &flip_len);
	if (!mask || !flip || mask_len != len || flip_len != len || memcmp(flip, zero, len) != 0)
		return NULL;
	return mask;
}

bool reader_lookup(const struct reader *r, size_t ahead, struct lookup *ret)
{
	const struct nftnl_expr *expr = reader_expr(r, ahead, "lookup");

	if (!expr || !reader_register_is(expr, NFTNL_EXPR_LOOKUP_SREG, NFT_REG32_00))
		return false;
	*ret = (struct lookup){.set = nftnl_expr_get_str(expr, NFTNL_EXPR_LOOKUP_SET)};
	ret->verdicts = nftnl_expr_is_set(expr, NFTNL_EXPR_LOOKUP_DREG);
	if (ret->verdicts && nftnl_expr_get_u32(expr, NFTNL_EXPR_LOOKUP_DREG) != NFT_REG_VERDICT)
		return false;
	ret->negate = nftnl_expr_get_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV;
	ret->named = strncmp(ret->set, "__", 2) != 0;
	HASH_FIND_STR(r->lists, ret->set, ret->list);
	return ret->named ? strlen(ret->set) < NFT_NAME_MAX
			  : ret->list && !ret->list->broken && !ret->verdicts;
}

const struct decoded_list *reader_list(const struct reader *r, size_t ahead, uint32_t key_type,
				       bool *ret_negate)
{
	struct lookup lookup;

	if (!reader_lookup(r, ahead, &lookup) || !lookup.list || lookup.list->key_type != key_type)
		return NULL;
	*ret_negate = lookup.negate;
	return lookup.list;
}

int reader_take(struct reader *r, size_t exprs, const struct nft_stmt *stmt)
{
	if (nft_rule_add(r->rule, stmt) < 0)
		return -ENOMEM;
	r->at += exprs;
	return 1;
}

int reader_take_named(struct reader *r, size_t exprs, const struct lookup *lookup,
		      struct nft_stmt *stmt)
{
	if (!lookup->named || lookup->negate)
		return 0;
	memcpy(stmt->name, lookup->set, strlen(lookup->set) + 1);
	return reader_take(r, exprs, stmt);
}
