/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conditions are followed through the registers of the kernel's virtual machine, see
 * net/netfilter/nf_tables_core.c: a value is loaded, perhaps masked, and compared. Interfaces and
 * addresses are held against those of pods; what every new connection has (a family, a protocol,
 * the state "new") is no restriction; anything else may or may not be so. */
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

#define REGISTERS  32
#define VALUE_MAX  16
#define XT_NOTRACK 1 /* XT_CT_NOTRACK of linux/netfilter/xt_CT.h */

enum value {
	VALUE_OTHER,
	VALUE_COMMON, /* something that all connections of a kind have */
	VALUE_STATE,  /* of connection tracking */
	VALUE_IFNAME,
	VALUE_IFINDEX,
	VALUE_ADDR_V4,
	VALUE_ADDR_V6,
};

struct reg {
	enum value value;
	bool masked;
	uint8_t mask[VALUE_MAX];
	size_t len;
};

struct parse {
	const struct preflight_host *host;
	struct reg regs[REGISTERS];
	struct foreign_rule *rule;
};

static struct reg *reg_of(struct parse *p, const struct nftnl_expr *expr, uint16_t attr)
{
	uint32_t n = nftnl_expr_is_set(expr, attr) ? nftnl_expr_get_u32(expr, attr) : REGISTERS;

	return n < REGISTERS ? &p->regs[n] : NULL;
}

static void unknown(struct parse *p)
{
	p->rule->certain = p->rule->always = false;
}

static void load(struct parse *p, const struct nftnl_expr *expr, uint16_t dreg, enum value value,
		 size_t len)
{
	struct reg *reg = reg_of(p, expr, dreg);

	if (reg)
		*reg = (struct reg){.value = value, .len = len};
}

static void parse_meta(struct parse *p, const struct nftnl_expr *expr)
{
	enum value value = VALUE_OTHER;

	switch (nftnl_expr_get_u32(expr, NFTNL_EXPR_META_KEY)) {
	case NFT_META_NFPROTO:
	case NFT_META_L4PROTO:
	case NFT_META_PROTOCOL:
		value = VALUE_COMMON;
		break;
	case NFT_META_IIFNAME:
	case NFT_META_OIFNAME:
		value = VALUE_IFNAME;
		break;
	case NFT_META_IIF:
	case NFT_META_OIF:
		value = VALUE_IFINDEX;
		break;
	default:
		break;
	}
	load(p, expr, NFTNL_EXPR_META_DREG, value, IFNAMSIZ);
}

/* nft loads of an address as many bytes as its prefix has. Protocol: iphdr.protocol,
 * ipv6hdr.nexthdr. */
static void parse_payload(struct parse *p, const struct nftnl_expr *expr)
{
	uint32_t base = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_BASE);
	uint32_t offset = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET);
	uint32_t len = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_LEN);
	enum value value = VALUE_OTHER;

	if (base == NFT_PAYLOAD_NETWORK_HEADER && (offset == 12 || offset == 16) && len <= 4)
		value = VALUE_ADDR_V4;
	else if (base == NFT_PAYLOAD_NETWORK_HEADER && (offset == 8 || offset == 24) &&
		 len <= VALUE_MAX)
		value = VALUE_ADDR_V6;
	else if (base == NFT_PAYLOAD_NETWORK_HEADER && len == 1 && (offset == 9 || offset == 6))
		value = VALUE_COMMON;
	load(p, expr, NFTNL_EXPR_PAYLOAD_DREG, value, len);
}

static void parse_bitwise(struct parse *p, const struct nftnl_expr *expr)
{
	struct reg *from = reg_of(p, expr, NFTNL_EXPR_BITWISE_SREG);
	struct reg *to = reg_of(p, expr, NFTNL_EXPR_BITWISE_DREG), value = {0};
	uint32_t mask_len = 0, xor_len = 0;
	const uint8_t *mask = nftnl_expr_get(expr, NFTNL_EXPR_BITWISE_MASK, &mask_len);
	const uint8_t * xor = nftnl_expr_get(expr, NFTNL_EXPR_BITWISE_XOR, &xor_len);

	if (!from || !to)
		return;
	value = *from;
	if (!mask || mask_len > VALUE_MAX || from->masked)
		value.value = VALUE_OTHER;
	for (uint32_t i = 0; xor &&i < xor_len; i++) {
		if (xor[i] != 0)
			value.value = VALUE_OTHER;
	}
	if (value.value != VALUE_OTHER)
		memcpy(value.mask, mask, mask_len);
	value.masked = true;
	*to = value;
}

/* Names are compared to their end, or as far as a wildcard goes. */
static bool any_interface(const struct parse *p, const uint8_t *data, size_t len, bool is)
{
	for (size_t i = 0; i < p->host->n_interfaces; i++) {
		char name[IFNAMSIZ] = "";

		(void)strncpy(name, p->host->interfaces[i], sizeof(name) - 1);
		if ((len <= sizeof(name) && memcmp(name, data, len) == 0) == is)
			return true;
	}
	return false;
}

static bool any_index(const struct parse *p, const uint8_t *data, size_t len, bool is)
{
	char name[IF_NAMESIZE] = "";
	unsigned index = 0;

	if (len != sizeof(index))
		return true;
	memcpy(&index, data, sizeof(index));
	if (if_indextoname(index, name))
		return any_interface(p, (const uint8_t *)name, sizeof(name), is);
	return !is && p->host->n_interfaces > 0; /* there is no such interface */
}

static bool any_addr(const struct parse *p, const struct reg *reg, const uint8_t *data, size_t len,
		     bool is)
{
	enum family family = reg->value == VALUE_ADDR_V4 ? FAMILY_V4 : FAMILY_V6;

	for (size_t i = 0; i < p->host->n_addrs; i++) {
		const struct addr *addr = &p->host->addrs[i];
		bool equal = true;

		if ((enum family)addr->family != family)
			continue;
		for (size_t k = 0; k < len && k < reg->len && k < VALUE_MAX; k++)
			equal &= (addr->b[k] & (reg->masked ? reg->mask[k] : 0xff)) == data[k];
		if (equal == is)
			return true;
	}
	return false;
}

/* Bits of the state are compared with 0; bytes are in the host's order (nft_ct_get_eval()). */
static bool has_new(const struct reg *reg, const uint8_t *data, size_t len, bool is)
{
	uint32_t mask, none = 0;

	memcpy(&mask, reg->mask, sizeof(mask));
	return reg->masked && !is && len == sizeof(none) && memcmp(data, &none, len) == 0 &&
	       (mask & NF_CT_STATE_BIT(IP_CT_NEW));
}

static void compare(struct parse *p, const struct reg *reg, const uint8_t *data, size_t len,
		    bool is)
{
	p->rule->always = false;
	switch (reg ? reg->value : VALUE_OTHER) {
	case VALUE_COMMON:
		break;
	case VALUE_STATE:
		p->rule->certain &= has_new(reg, data, len, is);
		break;
	case VALUE_IFNAME:
		p->rule->applies &= any_interface(p, data, len, is);
		break;
	case VALUE_IFINDEX:
		p->rule->applies &= any_index(p, data, len, is);
		break;
	case VALUE_ADDR_V4:
	case VALUE_ADDR_V6:
		p->rule->applies &= any_addr(p, reg, data, len, is);
		break;
	case VALUE_OTHER:
		p->rule->certain = false;
		break;
	}
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

static int parse_verdict(struct parse *p, const struct nftnl_expr *expr)
{
	const char *chain = nftnl_expr_is_set(expr, NFTNL_EXPR_IMM_CHAIN)
				    ? nftnl_expr_get_str(expr, NFTNL_EXPR_IMM_CHAIN)
				    : NULL;

	if (!nftnl_expr_is_set(expr, NFTNL_EXPR_IMM_VERDICT))
		return 0; /* a value for a register */
	switch ((int32_t)nftnl_expr_get_u32(expr, NFTNL_EXPR_IMM_VERDICT)) {
	case NF_DROP:
		p->rule->effect = FOREIGN_DROP;
		return 0;
	case NF_ACCEPT:
		p->rule->effect = FOREIGN_ACCEPT;
		return 0;
	case NFT_RETURN:
		p->rule->effect = FOREIGN_RETURN;
		return 0;
	case NFT_JUMP:
		p->rule->effect = FOREIGN_JUMP;
		break;
	case NFT_GOTO:
		p->rule->effect = FOREIGN_GOTO;
		break;
	default:
		return 0;
	}
	p->rule->target = chain ? strdup(chain) : NULL;
	return p->rule->target ? 0 : -ENOMEM;
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
		p->rule->effect = FOREIGN_DROP;
	else if (strcmp(name, "NOTRACK") == 0 || (strcmp(name, "CT") == 0 && flags &&
						  len >= sizeof(*flags) && (*flags & XT_NOTRACK)))
		p->rule->effect = FOREIGN_NOTRACK;
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

	load(p, expr, NFTNL_EXPR_CT_DREG, state ? VALUE_STATE : VALUE_OTHER, sizeof(uint32_t));
}

static void parse_reject(struct parse *p, const struct nftnl_expr *expr)
{
	(void)expr;
	p->rule->effect = FOREIGN_DROP;
}

static void parse_notrack(struct parse *p, const struct nftnl_expr *expr)
{
	(void)expr;
	p->rule->effect = FOREIGN_NOTRACK;
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
	for (size_t i = 0; i < ARRAY_LEN(exprs); i++) {
		if (strcmp(exprs[i].name, name) == 0) {
			exprs[i].parse(p, expr);
			return 0;
		}
	}
	unknown(p);
	return 0;
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
	while (rc == 0 && ret->effect == FOREIGN_NONE && (expr = nftnl_expr_iter_next(iter)))
		rc = parse_expr(&p, expr);
	nftnl_expr_iter_destroy(iter);
	return rc;
}
