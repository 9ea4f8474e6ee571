/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expressions as statements. Netfilter's compilers say once what a header is, and then look into it
 * as often as they like: so what a rule has said so far is remembered. */
#include "decode.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/udata.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

#define EXPRS_MAX 32 /* ours have half of that */

#define UNKNOWN   (-1)

struct reader {
	struct nftnl_expr *exprs[EXPRS_MAX];
	size_t n, at;
	enum nft_table table;
	const struct decoded_list *lists;
	/* What has been said: */
	int family, proto; /* UNKNOWN: nothing */
	bool arp;
	struct nft_rule *rule;
};

/* Functions below return whether the next expressions are what they look for; they then are behind.
 */

static struct nftnl_expr *expr_at(const struct reader *r, size_t ahead, const char *name)
{
	struct nftnl_expr *expr = r->at + ahead < r->n ? r->exprs[r->at + ahead] : NULL;

	return expr && strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), name) == 0 ? expr : NULL;
}

/* Registers of 16 bytes and of 4 overlap, and the kernel prefers the larger names. */
static bool is_register(const struct nftnl_expr *expr, uint16_t attr, uint32_t expected)
{
	uint32_t reg = nftnl_expr_get_u32(expr, attr);

	if (reg >= NFT_REG_1 && reg <= NFT_REG_4)
		reg = NFT_REG32_00 + (reg - NFT_REG_1) * (NFT_REG_SIZE / NFT_REG32_SIZE);
	return reg == expected;
}

static bool meta_at(const struct reader *r, size_t ahead, uint32_t key, uint32_t reg)
{
	const struct nftnl_expr *expr = expr_at(r, ahead, "meta");

	return expr && nftnl_expr_is_set(expr, NFTNL_EXPR_META_DREG) &&
	       nftnl_expr_get_u32(expr, NFTNL_EXPR_META_KEY) == key &&
	       is_register(expr, NFTNL_EXPR_META_DREG, reg);
}

struct payload {
	uint32_t base, offset, len;
};

static bool payload_at(const struct reader *r, size_t ahead, uint32_t reg, struct payload *ret)
{
	const struct nftnl_expr *expr = expr_at(r, ahead, "payload");

	if (!expr || !nftnl_expr_is_set(expr, NFTNL_EXPR_PAYLOAD_DREG) ||
	    !is_register(expr, NFTNL_EXPR_PAYLOAD_DREG, reg))
		return false;
	ret->base = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_BASE);
	ret->offset = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET);
	ret->len = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_LEN);
	return true;
}

static bool payload_is(const struct reader *r, size_t ahead, uint32_t base, uint32_t offset,
		       uint32_t len)
{
	struct payload payload;

	return payload_at(r, ahead, NFT_REG32_00, &payload) && payload.base == base &&
	       payload.offset == offset && payload.len == len;
}

/* What the first register is compared with; NULL: not so, or with a value of another length. */
static const uint8_t *cmp_at(const struct reader *r, size_t ahead, uint32_t op, uint32_t len)
{
	const struct nftnl_expr *expr = expr_at(r, ahead, "cmp");
	uint32_t got = 0;
	const uint8_t *data = expr ? nftnl_expr_get(expr, NFTNL_EXPR_CMP_DATA, &got) : NULL;

	return data && got == len && is_register(expr, NFTNL_EXPR_CMP_SREG, NFT_REG32_00) &&
			       nftnl_expr_get_u32(expr, NFTNL_EXPR_CMP_OP) == op
		       ? data
		       : NULL;
}

/* The same for == and !=. */
static const uint8_t *match_at(const struct reader *r, size_t ahead, uint32_t len, bool *ret_negate)
{
	const uint8_t *data = cmp_at(r, ahead, NFT_CMP_EQ, len);

	*ret_negate = !data;
	return data ? data : cmp_at(r, ahead, NFT_CMP_NEQ, len);
}

/* The mask that the first register is put under. */
static const uint8_t *mask_at(const struct reader *r, size_t ahead, uint32_t len)
{
	static const uint8_t zero[16];
	const struct nftnl_expr *expr = expr_at(r, ahead, "bitwise");
	uint32_t mask_len = 0, flip_len = 0;
	const void *mask, *flip;

	if (!expr || nftnl_expr_get_u32(expr, NFTNL_EXPR_BITWISE_OP) != NFT_BITWISE_BOOL ||
	    !is_register(expr, NFTNL_EXPR_BITWISE_SREG, NFT_REG32_00) ||
	    !is_register(expr, NFTNL_EXPR_BITWISE_DREG, NFT_REG32_00))
		return NULL;
	mask = nftnl_expr_get(expr, NFTNL_EXPR_BITWISE_MASK, &mask_len);
	flip = nftnl_expr_get(expr, NFTNL_EXPR_BITWISE_XOR, &flip_len);
	if (!mask || !flip || mask_len != len || flip_len != len || memcmp(flip, zero, len) != 0)
		return NULL;
	return mask;
}

struct lookup {
	const char *set;
	const struct decoded_list *list; /* of an anonymous one that is ours; else NULL */
	bool named, verdicts, negate;
};

static bool lookup_at(const struct reader *r, size_t ahead, struct lookup *ret)
{
	const struct nftnl_expr *expr = expr_at(r, ahead, "lookup");

	if (!expr || !is_register(expr, NFTNL_EXPR_LOOKUP_SREG, NFT_REG32_00))
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

/* Lookup of a list of keys of this type. */
static const struct decoded_list *list_at(const struct reader *r, size_t ahead, uint32_t key_type,
					  bool *ret_negate)
{
	struct lookup lookup;

	if (!lookup_at(r, ahead, &lookup) || !lookup.list || lookup.list->key_type != key_type)
		return NULL;
	*ret_negate = lookup.negate;
	return lookup.list;
}

/* 1: the statement is taken, and `exprs` are behind. */
static int take(struct reader *r, size_t exprs, const struct nft_stmt *stmt)
{
	if (nft_rule_add(r->rule, stmt) < 0)
		return -ENOMEM;
	r->at += exprs;
	return 1;
}

/* The functions that follow: 1, a statement is read; 0, it is none of theirs; or -ENOMEM. */

/* Named sets and maps are looked up alike. */
static int take_named(struct reader *r, size_t exprs, const struct lookup *lookup,
		      struct nft_stmt *stmt)
{
	if (!lookup->named || lookup->negate)
		return 0;
	memcpy(stmt->name, lookup->set, strlen(lookup->set) + 1);
	return take(r, exprs, stmt);
}

/* The length of a mask; UNKNOWN: it has holes. */
static int mask_len(const uint8_t *mask, size_t bytes)
{
	int len = 0;

	while ((size_t)len < bytes * 8 && (mask[len / 8] & (0x80u >> (len % 8))))
		len++;
	for (size_t bit = (size_t)len; bit < bytes * 8; bit++) {
		if (mask[bit / 8] & (0x80u >> (bit % 8)))
			return UNKNOWN;
	}
	return len;
}

static int take_prefix(struct reader *r, size_t exprs, struct nft_stmt *stmt, const uint8_t *bytes,
		       size_t n, int len)
{
	struct prefix prefix = {.len = (uint8_t)len};

	prefix.addr.family = (uint8_t)stmt->family;
	memcpy(prefix.addr.b, bytes, n);
	stmt->prefixes = &prefix;
	stmt->n = 1;
	return len == UNKNOWN ? 0 : take(r, exprs, stmt);
}

/* A range as a prefix. */
static bool range_prefix(const struct nft_anonymous_elem *range, enum family family,
			 struct prefix *ret)
{
	size_t bytes = addr_bytes(family);
	uint8_t mask[16] = {0};
	int len;

	*ret = (struct prefix){.addr = {.family = (uint8_t)family}};
	for (size_t i = 0; i < bytes; i++) {
		mask[i] = (uint8_t) ~(range->first[i] ^ range->last[i]);
		if ((range->first[i] & mask[i]) != range->first[i])
			return false;
	}
	len = mask_len(mask, bytes);
	memcpy(ret->addr.b, range->first, bytes);
	ret->len = (uint8_t)len;
	return len != UNKNOWN;
}

static int take_prefixes(struct reader *r, size_t exprs, struct nft_stmt *stmt,
			 const struct decoded_list *list)
{
	bool sound = true;
	int rc;

	stmt->n = list->elems.n;
	stmt->prefixes = calloc(stmt->n + 1, sizeof(stmt->prefixes[0]));
	if (!stmt->prefixes)
		return -ENOMEM;
	for (size_t i = 0; i < stmt->n; i++)
		sound &= range_prefix(&list->elems.v[i], stmt->family, &stmt->prefixes[i]);
	rc = sound ? take(r, exprs, stmt) : 0;
	free(stmt->prefixes);
	return rc;
}

/* ip daddr . meta l4proto . th dport @named: the first field is in the register. */
static int read_tuple(struct reader *r, struct nft_stmt *stmt)
{
	uint32_t proto = stmt->family == FAMILY_V4 ? NFT_REG32_01 : NFT_REG32_04;
	struct payload port;
	struct lookup lookup;

	if (!meta_at(r, 1, NFT_META_L4PROTO, proto) || !payload_at(r, 2, proto + 1, &port) ||
	    port.base != NFT_PAYLOAD_TRANSPORT_HEADER || port.offset != TH_DPORT || port.len != 2 ||
	    !lookup_at(r, 3, &lookup) || lookup.verdicts)
		return 0;
	stmt->kind = NFT_STMT_TUPLE_SET;
	return take_named(r, 4, &lookup, stmt);
}

/* An address is in the register, or its first bytes: what is done with it. */
static int read_addr_use(struct reader *r, struct nft_stmt *stmt, uint32_t len)
{
	uint32_t type = stmt->family == FAMILY_V4 ? NFT_TYPE_ID_IPADDR : NFT_TYPE_ID_IP6ADDR;
	const uint8_t *mask = mask_at(r, 1, len);
	const uint8_t *bytes = match_at(r, mask ? 2 : 1, len, &stmt->negate);
	const struct decoded_list *list;
	struct lookup lookup;

	if (bytes)
		return take_prefix(r, mask ? 3 : 2, stmt, bytes, len,
				   mask ? mask_len(mask, len) : (int)len * 8);
	if (len != addr_bytes(stmt->family))
		return 0;
	list = list_at(r, 1, type, &stmt->negate);
	if (list)
		return take_prefixes(r, 2, stmt, list);
	stmt->negate = false;
	if (r->arp || !lookup_at(r, 1, &lookup))
		return r->arp ? 0 : read_tuple(r, stmt);
	stmt->kind = lookup.verdicts ? NFT_STMT_ADDR_MAP : NFT_STMT_ADDR_SET;
	return take_named(r, 2, &lookup, stmt);
}

/* Where in its header an address stands. */
static bool find_addr(const struct reader *r, const struct payload *payload, struct nft_stmt *ret)
{
	static const uint32_t offsets[FAMILY_COUNT][2] = {
		[FAMILY_V4] = {[NFT_DIR_SOURCE] = IP_SADDR, [NFT_DIR_DESTINATION] = IP_DADDR},
		[FAMILY_V6] = {[NFT_DIR_SOURCE] = IP6_SADDR, [NFT_DIR_DESTINATION] = IP6_DADDR},
	};

	*ret = (struct nft_stmt){.kind = r->arp ? NFT_STMT_ARP_SOURCE : NFT_STMT_ADDR};
	if (r->arp)
		return payload->offset == ARP_SADDR_IP && payload->len <= 4;
	if (r->family == UNKNOWN)
		return false;
	ret->family = (enum family)r->family;
	ret->dir = payload->offset == offsets[ret->family][NFT_DIR_SOURCE] ? NFT_DIR_SOURCE
									   : NFT_DIR_DESTINATION;
	return payload->offset == offsets[ret->family][ret->dir] &&
	       payload->len <= addr_bytes(ret->family);
}

static int read_network(struct reader *r)
{
	struct payload payload;
	const uint8_t *hops;
	struct nft_stmt stmt;

	if (!payload_at(r, 0, NFT_REG32_00, &payload) || payload.base != NFT_PAYLOAD_NETWORK_HEADER)
		return 0;
	if (r->family == FAMILY_V6 && payload.offset == IP6_HOPLIMIT && payload.len == 1) {
		hops = cmp_at(r, 1, NFT_CMP_EQ, 1);
		return hops ? take(r, 2,
				   &(struct nft_stmt){.kind = NFT_STMT_HOPLIMIT, .hoplimit = *hops})
			    : 0;
	}
	return find_addr(r, &payload, &stmt) ? read_addr_use(r, &stmt, payload.len) : 0;
}

/* Is what follows a look into the header that was just named? Then naming it was all there is to
 * it. */
static bool looks_into_network(const struct reader *r)
{
	struct payload payload;

	if (payload_at(r, 0, NFT_REG32_00, &payload))
		return payload.base == NFT_PAYLOAD_NETWORK_HEADER;
	/* icmpv6 type */
	return meta_at(r, 0, NFT_META_L4PROTO, NFT_REG32_00) &&
	       payload_is(r, 2, NFT_PAYLOAD_TRANSPORT_HEADER, ICMPV6_TYPE, 1);
}

/* meta nfproto ipv4, meta protocol ip; or only what comes before the look into a header */
static int read_family(struct reader *r)
{
	const uint8_t *value;
	int family = UNKNOWN, ethertype = 0;

	if (r->table == NFT_TABLE_POLICY && meta_at(r, 0, NFT_META_NFPROTO, NFT_REG32_00)) {
		value = cmp_at(r, 1, NFT_CMP_EQ, 1);
		if (value && *value == NFPROTO_IPV4)
			ethertype = ETH_P_IP;
		else if (value && *value == NFPROTO_IPV6)
			ethertype = ETH_P_IPV6;
	} else if (r->table == NFT_TABLE_GUARD && meta_at(r, 0, NFT_META_PROTOCOL, NFT_REG32_00)) {
		value = cmp_at(r, 1, NFT_CMP_EQ, 2);
		ethertype = value ? value[0] << 8 | value[1] : 0;
	}
	if (ethertype != ETH_P_IP && ethertype != ETH_P_IPV6 && ethertype != ETH_P_ARP)
		return 0;
	if (ethertype != ETH_P_ARP)
		family = ethertype == ETH_P_IP ? FAMILY_V4 : FAMILY_V6;
	r->family = family;
	r->arp = ethertype == ETH_P_ARP;
	r->at += 2;
	if (looks_into_network(r))
		return 1;
	return r->arp ? 0
		      : take(r, 0,
			     &(struct nft_stmt){.kind = NFT_STMT_FAMILY,
						.family = (enum family)family});
}

static int take_ports(struct reader *r, const struct decoded_list *list)
{
	struct nft_stmt stmt = {.kind = NFT_STMT_PORTS, .proto = (uint8_t)r->proto};
	int rc;

	stmt.n = list->elems.n;
	stmt.ports = calloc(stmt.n + 1, sizeof(stmt.ports[0]));
	if (!stmt.ports)
		return -ENOMEM;
	for (size_t i = 0; i < stmt.n; i++) {
		const struct nft_anonymous_elem *elem = &list->elems.v[i];

		stmt.ports[i].first = (uint16_t)(elem->first[0] << 8 | elem->first[1]);
		stmt.ports[i].last = (uint16_t)(elem->last[0] << 8 | elem->last[1]);
	}
	rc = take(r, 2, &stmt);
	free(stmt.ports);
	return rc;
}

/* tcp dport 8000-8010: the port is in the register. */
static int read_ports(struct reader *r)
{
	struct nft_ports ports;
	struct nft_stmt stmt = {
		.kind = NFT_STMT_PORTS, .proto = (uint8_t)r->proto, .ports = &ports, .n = 1};
	const uint8_t *first = cmp_at(r, 1, NFT_CMP_EQ, 2), *last = first;
	const struct decoded_list *list;
	bool negate = false;

	if (!first) {
		first = cmp_at(r, 1, NFT_CMP_GTE, 2);
		last = cmp_at(r, 2, NFT_CMP_LTE, 2);
	}
	if (first && last) {
		ports.first = (uint16_t)(first[0] << 8 | first[1]);
		ports.last = (uint16_t)(last[0] << 8 | last[1]);
		return take(r, first == last ? 2 : 3, &stmt);
	}
	list = list_at(r, 1, NFT_TYPE_ID_INET_SERVICE, &negate);
	return list && !negate ? take_ports(r, list) : 0;
}

/* icmpv6 type { nd-router-solicit }: the type is in the register. */
static int read_icmpv6(struct reader *r)
{
	const uint8_t *type = cmp_at(r, 1, NFT_CMP_EQ, 1);
	struct nft_stmt stmt = {.kind = NFT_STMT_ICMPV6_TYPES, .n = 1};
	const struct decoded_list *list;
	uint8_t types[UINT8_MAX + 1];
	bool negate = false;

	stmt.types = types;
	if (type) {
		types[0] = *type;
		return take(r, 2, &stmt);
	}
	list = list_at(r, 1, NFT_TYPE_ID_ICMPV6_TYPE, &negate);
	if (!list || negate || list->elems.n > ARRAY_LEN(types))
		return 0;
	stmt.n = list->elems.n;
	for (size_t i = 0; i < stmt.n; i++)
		types[i] = list->elems.v[i].first[0];
	return list->interval ? 0 : take(r, 2, &stmt);
}

/* meta l4proto tcp; or only what comes before the look into its header */
static int read_proto(struct reader *r)
{
	const uint8_t *proto = cmp_at(r, 1, NFT_CMP_EQ, 1);

	if (!proto || !meta_at(r, 0, NFT_META_L4PROTO, NFT_REG32_00))
		return 0;
	r->proto = *proto;
	r->at += 2;
	if (payload_is(r, 0, NFT_PAYLOAD_TRANSPORT_HEADER, TH_DPORT, 2))
		return read_ports(r);
	if (r->proto == IPPROTO_ICMPV6 && r->family == FAMILY_V6 &&
	    payload_is(r, 0, NFT_PAYLOAD_TRANSPORT_HEADER, ICMPV6_TYPE, 1))
		return read_icmpv6(r);
	return take(r, 0, &(struct nft_stmt){.kind = NFT_STMT_PROTO, .proto = *proto});
}

/* nft swaps the one byte of the protocol where the map has ranges: a step to be passed over. */
static size_t swaps_at(const struct reader *r, size_t ahead, uint32_t reg)
{
	const struct nftnl_expr *expr = expr_at(r, ahead, "byteorder");

	return expr && nftnl_expr_get_u32(expr, NFTNL_EXPR_BYTEORDER_LEN) == 1 &&
	       is_register(expr, NFTNL_EXPR_BYTEORDER_SREG, reg) &&
	       is_register(expr, NFTNL_EXPR_BYTEORDER_DREG, reg);
}

/* th dport . meta l4proto vmap @ports */
static int read_port_map(struct reader *r)
{
	struct nft_stmt stmt = {.kind = NFT_STMT_PORT_MAP};
	size_t swaps = swaps_at(r, 2, NFT_REG32_01);
	struct lookup lookup;

	if (!payload_is(r, 0, NFT_PAYLOAD_TRANSPORT_HEADER, TH_DPORT, 2) ||
	    !meta_at(r, 1, NFT_META_L4PROTO, NFT_REG32_01) || !lookup_at(r, 2 + swaps, &lookup) ||
	    !lookup.verdicts)
		return 0;
	return take_named(r, 3 + swaps, &lookup, &stmt);
}

/* iifname "veth1"; iifname vmap @interfaces */
static int read_interface(struct reader *r)
{
	bool in = meta_at(r, 0, NFT_META_IIFNAME, NFT_REG32_00);
	struct nft_stmt stmt = {.dir = in ? NFT_DIR_SOURCE : NFT_DIR_DESTINATION};
	const uint8_t *name = cmp_at(r, 1, NFT_CMP_EQ, IFNAMSIZ);
	struct lookup lookup;

	if (!in && !meta_at(r, 0, NFT_META_OIFNAME, NFT_REG32_00))
		return 0;
	if (name) {
		stmt.kind = NFT_STMT_INTERFACE;
		memcpy(stmt.name, name, IFNAMSIZ - 1);
		return take(r, 2, &stmt);
	}
	if (!lookup_at(r, 1, &lookup) || !lookup.verdicts)
		return 0;
	stmt.kind = NFT_STMT_INTERFACE_MAP;
	return take_named(r, 2, &lookup, &stmt);
}

static bool lists_vlan_types(const struct decoded_list *list)
{
	static const uint8_t types[] = {ETH_P_8021Q >> 8, ETH_P_8021Q & 0xff, ETH_P_8021AD >> 8,
					ETH_P_8021AD & 0xff};

	return list && !list->interval && list->elems.n == 2 &&
	       memcmp(list->elems.v[0].first, types, 2) == 0 &&
	       memcmp(list->elems.v[1].first, types + 2, 2) == 0;
}

/* ether type { 8021q, 8021ad }; ether saddr != 0a:00:00:00:00:01 */
static int read_ethernet(struct reader *r)
{
	const uint16_t ethernet = ARPHRD_ETHER;
	const uint8_t *value = cmp_at(r, 1, NFT_CMP_EQ, sizeof(ethernet));
	struct nft_stmt stmt = {.kind = NFT_STMT_ETHER_SOURCE};
	bool negate = false;

	if (!value || !meta_at(r, 0, NFT_META_IIFTYPE, NFT_REG32_00) ||
	    memcmp(value, &ethernet, sizeof(ethernet)) != 0)
		return 0;
	if (payload_is(r, 2, NFT_PAYLOAD_LL_HEADER, ETHER_SADDR, NFT_ETHER_BYTES)) {
		value = match_at(r, 3, NFT_ETHER_BYTES, &stmt.negate);
		if (!value)
			return 0;
		memcpy(stmt.ether, value, sizeof(stmt.ether));
		return take(r, 4, &stmt);
	}
	if (!payload_is(r, 2, NFT_PAYLOAD_LL_HEADER, ETHER_TYPE, 2) ||
	    !lists_vlan_types(list_at(r, 3, NFT_TYPE_ID_ETHERTYPE, &negate)) || negate)
		return 0;
	return take(r, 4, &(struct nft_stmt){.kind = NFT_STMT_VLAN});
}

/* ct state established,related */
static int read_established(struct reader *r)
{
	const struct nftnl_expr *expr = expr_at(r, 0, "ct");
	const uint32_t states = CT_ESTABLISHED_RELATED, none = 0;
	const uint8_t *mask = mask_at(r, 1, sizeof(states));
	const uint8_t *value = cmp_at(r, 2, NFT_CMP_NEQ, sizeof(none));

	if (!expr || !mask || !value || nftnl_expr_is_set(expr, NFTNL_EXPR_CT_DIR) ||
	    nftnl_expr_get_u32(expr, NFTNL_EXPR_CT_KEY) != NFT_CT_STATE ||
	    !is_register(expr, NFTNL_EXPR_CT_DREG, NFT_REG32_00) ||
	    memcmp(mask, &states, sizeof(states)) != 0 || memcmp(value, &none, sizeof(none)) != 0)
		return 0;
	return take(r, 3, &(struct nft_stmt){.kind = NFT_STMT_CT_ESTABLISHED});
}

/* accept, drop, jump, goto */
static int read_verdict(struct reader *r)
{
	const struct nftnl_expr *expr = expr_at(r, 0, "immediate");
	struct nft_stmt stmt = {.kind = NFT_STMT_VERDICT};

	if (!expr || nftnl_expr_get_u32(expr, NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT ||
	    !decode_verdict((int32_t)nftnl_expr_get_u32(expr, NFTNL_EXPR_IMM_VERDICT),
			    nftnl_expr_get_str(expr, NFTNL_EXPR_IMM_CHAIN), &stmt.verdict))
		return 0;
	return take(r, 1, &stmt);
}

static int read_counter(struct reader *r)
{
	return expr_at(r, 0, "counter") ? take(r, 1, &(struct nft_stmt){.kind = NFT_STMT_COUNTER})
					: 0;
}

static int read_stmt(struct reader *r)
{
	static int (*const readers[])(struct reader *) = {
		read_family,   read_network, read_proto,       read_port_map, read_interface,
		read_ethernet, read_counter, read_established, read_verdict,
	};
	size_t before = r->at;
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(readers) && rc == 0; i++) {
		rc = readers[i](r);
		if (rc == 0 && r->at != before)
			return 0; /* half of something */
	}
	return rc;
}

static int take_expr(struct nftnl_expr *expr, void *ctx)
{
	struct reader *r = ctx;

	if (r->n < EXPRS_MAX)
		r->exprs[r->n] = expr;
	r->n++;
	return 0;
}

int decode_rule(enum nft_table table, const struct decoded_list *lists, struct nftnl_rule *object,
		struct nft_rule *ret)
{
	struct reader r = {
		.table = table, .lists = lists, .family = UNKNOWN, .proto = UNKNOWN, .rule = ret};
	uint32_t len = 0;
	const void *notes = nftnl_rule_get_data(object, NFTNL_RULE_USERDATA, &len);
	int rc = 1;

	(void)nftnl_expr_foreach(object, take_expr, &r); /* ours returns 0 */
	if (notes)
		decode_comment(notes, len, NFTNL_UDATA_RULE_COMMENT, ret->comment);
	while (r.n <= EXPRS_MAX && r.at < r.n && rc == 1)
		rc = read_stmt(&r);
	if (rc == 1 && r.n <= EXPRS_MAX)
		return 0;
	nft_rule_done(ret); /* none of ours */
	return rc < 0 ? rc : 0;
}
