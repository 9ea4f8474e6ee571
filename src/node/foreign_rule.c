/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conditions are followed through the registers of the kernel's virtual machine, see
 * net/netfilter/nf_tables_core.c: a value is loaded, perhaps masked, and compared, or looked up. */
#include "foreign_rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h> /* libnftnl/expr.h needs it */

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

#define REGISTERS  16 /* of four bytes, NFT_REG32_NUM */
#define XT_NOTRACK 1  /* XT_CT_NOTRACK of linux/netfilter/xt_CT.h */

struct parse {
	const struct preflight_host *host;
	struct foreign_value regs[REGISTERS]; /* each at its first four bytes */
	struct foreign_rule *rule;
};

/* The number of a register in units of four bytes, nft_parse_register() of nf_tables_api.c. */
static uint32_t reg_number(const struct nftnl_expr *expr, uint16_t attr)
{
	uint32_t n = nftnl_expr_is_set(expr, attr) ? nftnl_expr_get_u32(expr, attr) : REGISTERS;

	if (n >= NFT_REG_1 && n <= NFT_REG_4)
		return (n - NFT_REG_1) * (NFT_REG_SIZE / NFT_REG32_SIZE);
	return n >= NFT_REG32_00 && n <= NFT_REG32_15 ? n - NFT_REG32_00 : REGISTERS;
}

static struct foreign_value *reg_of(struct parse *p, const struct nftnl_expr *expr, uint16_t attr)
{
	uint32_t n = reg_number(expr, attr);

	return n < REGISTERS ? &p->regs[n] : NULL;
}

static void unknown(struct parse *p)
{
	p->rule->certain = p->rule->always = false;
}

static void load(struct parse *p, const struct nftnl_expr *expr, uint16_t dreg,
		 enum foreign_value_kind value, size_t len)
{
	struct foreign_value *reg = reg_of(p, expr, dreg);

	if (reg)
		*reg = (struct foreign_value){.kind = value, .len = len};
}

static void parse_meta(struct parse *p, const struct nftnl_expr *expr)
{
	enum foreign_value_kind value = FOREIGN_VALUE_OTHER;

	switch (nftnl_expr_get_u32(expr, NFTNL_EXPR_META_KEY)) {
	case NFT_META_NFPROTO:
	case NFT_META_L4PROTO:
	case NFT_META_PROTOCOL:
		value = FOREIGN_VALUE_COMMON;
		break;
	case NFT_META_IIFNAME:
	case NFT_META_OIFNAME:
		value = FOREIGN_VALUE_IFNAME;
		break;
	case NFT_META_IIF:
	case NFT_META_OIF:
		value = FOREIGN_VALUE_IFINDEX;
		break;
	default:
		break;
	}
	load(p, expr, NFTNL_EXPR_META_DREG, value,
	     value == FOREIGN_VALUE_IFNAME ? IFNAMSIZ : sizeof(uint32_t));
}

/* nft loads of an address as many bytes as its prefix has. Protocol: iphdr.protocol,
 * ipv6hdr.nexthdr. */
static void parse_payload(struct parse *p, const struct nftnl_expr *expr)
{
	uint32_t base = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_BASE);
	uint32_t offset = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET);
	uint32_t len = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_LEN);
	enum foreign_value_kind value = FOREIGN_VALUE_OTHER;

	if (base == NFT_PAYLOAD_NETWORK_HEADER && (offset == 12 || offset == 16) && len <= 4)
		value = FOREIGN_VALUE_ADDR_V4;
	else if (base == NFT_PAYLOAD_NETWORK_HEADER && (offset == 8 || offset == 24) &&
		 len <= FOREIGN_VALUE_MAX)
		value = FOREIGN_VALUE_ADDR_V6;
	else if (base == NFT_PAYLOAD_NETWORK_HEADER && len == 1 && (offset == 9 || offset == 6))
		value = FOREIGN_VALUE_COMMON;
	load(p, expr, NFTNL_EXPR_PAYLOAD_DREG, value, len);
}

static void parse_bitwise(struct parse *p, const struct nftnl_expr *expr)
{
	struct foreign_value *from = reg_of(p, expr, NFTNL_EXPR_BITWISE_SREG);
	struct foreign_value *to = reg_of(p, expr, NFTNL_EXPR_BITWISE_DREG), value;
	uint32_t mask_len = 0, xor_len = 0;
	const uint8_t *mask = nftnl_expr_get(expr, NFTNL_EXPR_BITWISE_MASK, &mask_len);
	const uint8_t * xor = nftnl_expr_get(expr, NFTNL_EXPR_BITWISE_XOR, &xor_len);

	if (!from || !to)
		return;
	value = *from;
	if (!mask || mask_len > FOREIGN_VALUE_MAX || from->masked)
		value.kind = FOREIGN_VALUE_OTHER;
	for (uint32_t i = 0; xor &&i < xor_len; i++) {
		if (xor[i] != 0)
			value.kind = FOREIGN_VALUE_OTHER;
	}
	if (value.kind != FOREIGN_VALUE_OTHER)
		memcpy(value.mask, mask, mask_len);
	value.masked = true;
	*to = value;
}

static void compare(struct parse *p, const struct foreign_value *value, const uint8_t *data,
		    size_t len, bool is)
{
	static const struct foreign_value nothing;
	struct foreign_answer answer =
		foreign_compare(p->host, value ? value : &nothing, data, len, is);

	p->rule->always = false;
	p->rule->applies &= answer.applies;
	p->rule->certain &= answer.certain;
}

static void parse_cmp(struct parse *p, const struct nftnl_expr *expr)
{
	uint32_t len = 0, op = nftnl_expr_get_u32(expr, NFTNL_EXPR_CMP_OP);
	const uint8_t *data = nftnl_expr_get(expr, NFTNL_EXPR_CMP_DATA, &len);

	if (!data || (op != NFT_CMP_EQ && op != NFT_CMP_NEQ))
		unknown(p);
	else
		compare(p, reg_of(p, expr, NFTNL_EXPR_CMP_SREG), data, len, op == NFT_CMP_EQ);
}

int foreign_verdict_make(uint32_t code, const char *chain, struct foreign_verdict *ret)
{
	*ret = (struct foreign_verdict){.effect = FOREIGN_NONE};
	switch ((int32_t)code) {
	case NF_DROP:
		ret->effect = FOREIGN_DROP;
		return 0;
	case NF_ACCEPT:
		ret->effect = FOREIGN_ACCEPT;
		return 0;
	case NFT_RETURN:
		ret->effect = FOREIGN_RETURN;
		return 0;
	case NFT_JUMP:
		ret->effect = FOREIGN_JUMP;
		break;
	case NFT_GOTO:
		ret->effect = FOREIGN_GOTO;
		break;
	default:
		return 0;
	}
	ret->target = strdup(chain ? chain : "");
	return ret->target ? 0 : -ENOMEM;
}

static int parse_verdict(struct parse *p, const struct nftnl_expr *expr)
{
	const char *chain = nftnl_expr_is_set(expr, NFTNL_EXPR_IMM_CHAIN)
				    ? nftnl_expr_get_str(expr, NFTNL_EXPR_IMM_CHAIN)
				    : NULL;

	if (!nftnl_expr_is_set(expr, NFTNL_EXPR_IMM_VERDICT)) {
		load(p, expr, NFTNL_EXPR_IMM_DREG, FOREIGN_VALUE_OTHER, 0);
		return 0;
	}
	return foreign_verdict_make(nftnl_expr_get_u32(expr, NFTNL_EXPR_IMM_VERDICT), chain,
				    &p->rule->verdict);
}

/* What is loaded from the register on that the lookup begins at; how many bytes the keys of the set
 * have, who reads it knows. */
static void make_key(const struct parse *p, uint32_t at, struct foreign_key *ret)
{
	*ret = (struct foreign_key){0};
	while (at < REGISTERS && p->regs[at].len > 0) {
		ret->parts[ret->n++] = p->regs[at];
		at += (uint32_t)(p->regs[at].len + NFT_REG32_SIZE - 1) / NFT_REG32_SIZE;
	}
}

/* One of a rule is remembered: hardly any rule has two, and then it may or may not match. */
static int parse_lookup(struct parse *p, const struct nftnl_expr *expr)
{
	const char *set = nftnl_expr_get_str(expr, NFTNL_EXPR_LOOKUP_SET);
	bool negate = nftnl_expr_is_set(expr, NFTNL_EXPR_LOOKUP_FLAGS) &&
		      (nftnl_expr_get_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV);
	bool map = nftnl_expr_is_set(expr, NFTNL_EXPR_LOOKUP_DREG);

	p->rule->always = false;
	if (map && nftnl_expr_get_u32(expr, NFTNL_EXPR_LOOKUP_DREG) != NFT_REG_VERDICT) {
		load(p, expr, NFTNL_EXPR_LOOKUP_DREG, FOREIGN_VALUE_OTHER, 0);
		map = false;
		set = NULL;
	}
	if (!set || p->rule->set) {
		unknown(p);
		return 0;
	}
	make_key(p, reg_number(expr, NFTNL_EXPR_LOOKUP_SREG), &p->rule->key);
	p->rule->verdict.effect = map ? FOREIGN_MAP : FOREIGN_NONE;
	p->rule->negate = negate;
	p->rule->set = strdup(set);
	return p->rule->set ? 0 : -ENOMEM;
}

/* What iptables-nft has in xtables' own form. */
static void parse_target(struct parse *p, const struct nftnl_expr *expr)
{
	const char *name = nftnl_expr_is_set(expr, NFTNL_EXPR_TG_NAME)
				   ? nftnl_expr_get_str(expr, NFTNL_EXPR_TG_NAME)
				   : "";
	uint32_t len = 0;
	const uint16_t *flags = nftnl_expr_get(expr, NFTNL_EXPR_TG_INFO, &len);

	if (strcmp(name, "REJECT") == 0)
		p->rule->verdict.effect = FOREIGN_DROP;
	else if (strcmp(name, "NOTRACK") == 0 || (strcmp(name, "CT") == 0 && flags &&
						  len >= sizeof(*flags) && (*flags & XT_NOTRACK)))
		p->rule->verdict.effect = FOREIGN_NOTRACK;
}

static void parse_match(struct parse *p, const struct nftnl_expr *expr)
{
	const char *name = nftnl_expr_is_set(expr, NFTNL_EXPR_MT_NAME)
				   ? nftnl_expr_get_str(expr, NFTNL_EXPR_MT_NAME)
				   : "";

	if (strcmp(name, "comment") != 0)
		unknown(p);
}

static void parse_ct(struct parse *p, const struct nftnl_expr *expr)
{
	bool state = nftnl_expr_get_u32(expr, NFTNL_EXPR_CT_KEY) == NFT_CT_STATE;

	load(p, expr, NFTNL_EXPR_CT_DREG, state ? FOREIGN_VALUE_STATE : FOREIGN_VALUE_OTHER,
	     state ? sizeof(uint32_t) : 0);
}

static void parse_reject(struct parse *p, const struct nftnl_expr *expr)
{
	(void)expr;
	p->rule->verdict.effect = FOREIGN_DROP;
}

static void parse_notrack(struct parse *p, const struct nftnl_expr *expr)
{
	(void)expr;
	p->rule->verdict.effect = FOREIGN_NOTRACK;
}

static void parse_nothing(struct parse *p, const struct nftnl_expr *expr)
{
	(void)p;
	(void)expr;
}

static const struct {
	const char *name;
	void (*parse)(struct parse *p, const struct nftnl_expr *expr);
} exprs[] = {
	{"meta", parse_meta},       {"payload", parse_payload}, {"bitwise", parse_bitwise},
	{"cmp", parse_cmp},         {"target", parse_target},   {"match", parse_match},
	{"ct", parse_ct},           {"reject", parse_reject},   {"notrack", parse_notrack},
	{"counter", parse_nothing}, {"log", parse_nothing},
};

static int parse_expr(struct parse *p, const struct nftnl_expr *expr)
{
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);

	if (strcmp(name, "immediate") == 0)
		return parse_verdict(p, expr);
	if (strcmp(name, "lookup") == 0)
		return parse_lookup(p, expr);
	for (size_t i = 0; i < ARRAY_LEN(exprs); i++) {
		if (strcmp(exprs[i].name, name) == 0) {
			exprs[i].parse(p, expr);
			return 0;
		}
	}
	/* It may have written to any register. */
	memset(p->regs, 0, sizeof(p->regs));
	unknown(p);
	return 0;
}

void foreign_rule_done(struct foreign_rule *rule)
{
	free(rule->verdict.target);
	free(rule->set);
}

int foreign_rule_parse(const struct preflight_host *host, struct nftnl_rule *rule,
		       struct foreign_rule *ret)
{
	struct parse p = {.host = host, .rule = ret};
	struct nftnl_expr_iter *iter = nftnl_expr_iter_create(rule);
	struct nftnl_expr *expr;
	int rc = 0;

	if (!iter)
		return -ENOMEM;
	*ret = (struct foreign_rule){.applies = true, .certain = true, .always = true};
	while (rc == 0 && ret->verdict.effect == FOREIGN_NONE &&
	       (expr = nftnl_expr_iter_next(iter)))
		rc = parse_expr(&p, expr);
	nftnl_expr_iter_destroy(iter);
	if (rc < 0)
		foreign_rule_done(ret);
	return rc;
}
