/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expressions as statements. Netfilter's compilers say once what a header is, and then look into it
 * as often as they like: so what a rule has said so far is remembered. */
#include "reader.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/udata.h>

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

/* The functions that follow: 1, a statement is read; 0, it is none of theirs; or -ENOMEM. */

static bool reads_icmpv6(const struct reader *r)
{
	return reader_meta(r, 0, NFT_META_L4PROTO, NFT_REG32_00) &&
	       reader_payload_is(r, 2, NFT_PAYLOAD_TRANSPORT_HEADER, ICMPV6_TYPE, 1);
}

/* Is what follows a look into the header that was just named? Then naming it was all there is to
 * it. */
static bool looks_into_network(const struct reader *r)
{
	struct payload payload;

	if (reader_payload(r, 0, NFT_REG32_00, &payload))
		return payload.base == NFT_PAYLOAD_NETWORK_HEADER;
	return reads_icmpv6(r);
}

/* ether type { 8021q, 8021ad } and its like are read_ethernet()'s. */
static bool reads_ethertype(const struct reader *r)
{
	return r->table == NFT_TABLE_BRIDGE &&
	       (reader_meta(r, 0, NFT_META_PROTOCOL, NFT_REG32_00) ||
		reader_payload_is(r, 0, NFT_PAYLOAD_LL_HEADER, ETHER_TYPE, 2));
}

/* meta nfproto ipv4, meta protocol ip; or only what comes before the look into a header */
static int read_family(struct reader *r)
{
	const uint8_t *value;
	int family = UNKNOWN, ethertype = 0;
	bool explicit; /* ether type ip, which icmpv6 type says by itself */

	if (r->table == NFT_TABLE_POLICY && reader_meta(r, 0, NFT_META_NFPROTO, NFT_REG32_00)) {
		value = reader_cmp(r, 1, NFT_CMP_EQ, 1);
		if (value && *value == NFPROTO_IPV4)
			ethertype = ETH_P_IP;
		else if (value && *value == NFPROTO_IPV6)
			ethertype = ETH_P_IPV6;
	} else if (reads_ethertype(r)) {
		value = reader_cmp(r, 1, NFT_CMP_EQ, 2);
		ethertype = value ? value[0] << 8 | value[1] : 0;
	}
	if (ethertype != ETH_P_IP && ethertype != ETH_P_IPV6 && ethertype != ETH_P_ARP)
		return 0;
	if (ethertype != ETH_P_ARP)
		family = ethertype == ETH_P_IP ? FAMILY_V4 : FAMILY_V6;
	r->family = family;
	r->arp = ethertype == ETH_P_ARP;
	explicit = r->family != UNKNOWN && reader_expr(r, 0, "payload");
	r->at += 2;
	if (explicit && !reads_icmpv6(r))
		return reader_take(r, 0,
				   &(struct nft_stmt){.kind = NFT_STMT_ETHER_TYPE,
						      .family = (enum family)family});
	if (looks_into_network(r))
		return 1;
	return r->arp ? 0
		      : reader_take(r, 0,
				    &(struct nft_stmt){.kind = NFT_STMT_FAMILY,
						       .family = (enum family)family});
}

/* Of a statement about ports. */
static uint8_t said_proto(const struct reader *r)
{
	return r->proto == UNKNOWN ? 0 : (uint8_t)r->proto;
}

static int take_ports(struct reader *r, const struct decoded_list *list)
{
	struct nft_stmt stmt = {.kind = NFT_STMT_PORTS, .proto = said_proto(r)};
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
	rc = reader_take(r, 2, &stmt);
	free(stmt.ports);
	return rc;
}

/* udp dport != @ports */
static int take_port_set(struct reader *r, struct lookup *lookup)
{
	struct nft_stmt stmt = {
		.kind = NFT_STMT_PORT_SET, .proto = said_proto(r), .negate = lookup->negate};

	lookup->negate = false;
	return reader_take_named(r, 2, lookup, &stmt);
}

/* tcp dport 8000-8010: the port is in the register. */
static int read_ports(struct reader *r)
{
	struct nft_ports ports;
	struct nft_stmt stmt = {
		.kind = NFT_STMT_PORTS, .proto = said_proto(r), .ports = &ports, .n = 1};
	const uint8_t *first = reader_cmp(r, 1, NFT_CMP_EQ, 2), *last = first;
	const struct decoded_list *list;
	struct lookup lookup;
	bool negate = false;

	if (!first) {
		first = reader_cmp(r, 1, NFT_CMP_GTE, 2);
		last = reader_cmp(r, 2, NFT_CMP_LTE, 2);
	}
	if (first && last) {
		ports.first = (uint16_t)(first[0] << 8 | first[1]);
		ports.last = (uint16_t)(last[0] << 8 | last[1]);
		return reader_take(r, first == last ? 2 : 3, &stmt);
	}
	list = reader_list(r, 1, NFT_TYPE_ID_INET_SERVICE, &negate);
	if (list)
		return negate ? 0 : take_ports(r, list);
	return reader_lookup(r, 1, &lookup) && !lookup.verdicts ? take_port_set(r, &lookup) : 0;
}

/* A list of one byte each. */
static int take_bytes(struct reader *r, const struct decoded_list *list, enum nft_stmt_kind kind)
{
	uint8_t bytes[UINT8_MAX + 1];
	struct nft_stmt stmt = {.kind = kind, .types = bytes, .n = list->elems.n};

	if (list->interval || list->elems.n > ARRAY_LEN(bytes))
		return 0;
	for (size_t i = 0; i < stmt.n; i++)
		bytes[i] = list->elems.v[i].first[0];
	return reader_take(r, 2, &stmt);
}

/* icmpv6 type { nd-router-solicit }: the type is in the register. */
static int read_icmpv6(struct reader *r)
{
	const uint8_t *type = reader_cmp(r, 1, NFT_CMP_EQ, 1);
	const struct decoded_list *list;
	bool negate = false;
	uint8_t one;

	if (type) {
		one = *type;
		return reader_take(
			r, 2,
			&(struct nft_stmt){.kind = NFT_STMT_ICMPV6_TYPES, .types = &one, .n = 1});
	}
	list = reader_list(r, 1, NFT_TYPE_ID_ICMPV6_TYPE, &negate);
	return list && !negate ? take_bytes(r, list, NFT_STMT_ICMPV6_TYPES) : 0;
}

/* tcp flags != syn / syn,ack */
static int read_not_syn(struct reader *r)
{
	const uint8_t *mask = reader_mask(r, 1, 1), *value = reader_cmp(r, 2, NFT_CMP_NEQ, 1);

	return mask && value && *mask == (TH_SYN | TH_ACK) && *value == TH_SYN
		       ? reader_take(r, 3, &(struct nft_stmt){.kind = NFT_STMT_TCP_NOT_SYN})
		       : 0;
}

/* meta l4proto sctp @th,96,8 != 0x1 */
static int read_not_init(struct reader *r)
{
	const uint8_t *value = reader_cmp(r, 1, NFT_CMP_NEQ, 1);

	return value && *value == SCTP_CHUNK_INIT
		       ? reader_take(r, 2, &(struct nft_stmt){.kind = NFT_STMT_SCTP_NOT_INIT})
		       : 0;
}

/* udp sport 68 udp dport 67 */
static int read_dhcp(struct reader *r)
{
	static const uint8_t ports[FAMILY_COUNT][2][4] = {
		[FAMILY_V4] = {{0, 68, 0, 67}, {0, 67, 0, 68}},
		[FAMILY_V6] = {{546 >> 8, 546 & 0xff, 547 >> 8, 547 & 0xff},
			       {547 >> 8, 547 & 0xff, 546 >> 8, 546 & 0xff}},
	};
	const uint8_t *value = reader_cmp(r, 1, NFT_CMP_EQ, sizeof(ports[0][0]));

	for (int family = 0; family < FAMILY_COUNT && value; family++) {
		for (int dir = NFT_DIR_SOURCE; dir <= NFT_DIR_DESTINATION; dir++) {
			struct nft_stmt stmt = {.kind = NFT_STMT_DHCP,
						.family = (enum family)family,
						.dir = (enum nft_dir)dir};

			if (memcmp(value, ports[family][dir], sizeof(ports[0][0])) == 0)
				return reader_take(r, 2, &stmt);
		}
	}
	return 0;
}

/* What is said of a protocol's header. */
static int read_transport(struct reader *r)
{
	if (reader_payload_is(r, 0, NFT_PAYLOAD_TRANSPORT_HEADER, TH_DPORT, 2))
		return read_ports(r);
	if (r->proto == IPPROTO_TCP &&
	    reader_payload_is(r, 0, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS, 1))
		return read_not_syn(r);
	if (r->proto == IPPROTO_SCTP &&
	    reader_payload_is(r, 0, NFT_PAYLOAD_TRANSPORT_HEADER, SCTP_CHUNK, 1))
		return read_not_init(r);
	if (r->proto == IPPROTO_UDP && reader_payload_is(r, 0, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 4))
		return read_dhcp(r);
	if (r->proto == IPPROTO_ICMPV6 && r->family == FAMILY_V6 &&
	    reader_payload_is(r, 0, NFT_PAYLOAD_TRANSPORT_HEADER, ICMPV6_TYPE, 1))
		return read_icmpv6(r);
	return reader_take(r, 0,
			   &(struct nft_stmt){.kind = NFT_STMT_PROTO, .proto = (uint8_t)r->proto});
}

/* meta l4proto tcp, != tcp, { 4, 41, 47 }; or only what comes before the look into its header */
static int read_proto(struct reader *r)
{
	struct nft_stmt stmt = {.kind = NFT_STMT_PROTO};
	const struct decoded_list *list;
	const uint8_t *proto;
	bool negate = false;

	if (!reader_meta(r, 0, NFT_META_L4PROTO, NFT_REG32_00))
		return 0;
	list = reader_list(r, 1, NFT_TYPE_ID_INET_PROTO, &negate);
	if (list)
		return negate ? 0 : take_bytes(r, list, NFT_STMT_PROTOS);
	proto = reader_match(r, 1, 1, &stmt.negate);
	if (!proto)
		return 0;
	stmt.proto = *proto;
	if (stmt.negate)
		return reader_take(r, 2, &stmt);
	r->proto = *proto;
	r->at += 2;
	return read_transport(r);
}

/* @th,64,128 != 0xfd000000000000000000000000000007 */
static int read_nd_target(struct reader *r)
{
	struct prefix prefix = {.addr = {.family = FAMILY_V6}};
	struct nft_stmt stmt = {
		.kind = NFT_STMT_ND_TARGET, .family = FAMILY_V6, .prefixes = &prefix, .n = 1};
	struct payload payload;
	const uint8_t *value, *mask;
	int len;

	if (!reader_payload(r, 0, NFT_REG32_00, &payload) || payload.offset != ND_TARGET ||
	    payload.base != NFT_PAYLOAD_TRANSPORT_HEADER || payload.len > sizeof(prefix.addr.b))
		return 0;
	mask = reader_mask(r, 1, payload.len);
	value = reader_match(r, mask ? 2 : 1, payload.len, &stmt.negate);
	len = mask ? decode_mask(mask, payload.len) : (int)payload.len * 8;
	if (!value || len == UNKNOWN || (mask && len / 8 + 1 != (int)payload.len))
		return 0;
	memcpy(prefix.addr.b, value, payload.len);
	prefix.len = (uint8_t)len;
	return reader_take(r, mask ? 3 : 2, &stmt);
}

/* nft swaps the one byte of the protocol where the map has ranges: a step to be passed over. */
static size_t swaps_at(const struct reader *r, size_t ahead, uint32_t reg)
{
	const struct nftnl_expr *expr = reader_expr(r, ahead, "byteorder");

	return expr && nftnl_expr_get_u32(expr, NFTNL_EXPR_BYTEORDER_LEN) == 1 &&
	       reader_register_is(expr, NFTNL_EXPR_BYTEORDER_SREG, reg) &&
	       reader_register_is(expr, NFTNL_EXPR_BYTEORDER_DREG, reg);
}

/* th dport . meta l4proto vmap @ports */
static int read_port_map(struct reader *r)
{
	struct nft_stmt stmt = {.kind = NFT_STMT_PORT_MAP};
	size_t swaps = swaps_at(r, 2, NFT_REG32_01);
	struct lookup lookup;

	if (!reader_payload_is(r, 0, NFT_PAYLOAD_TRANSPORT_HEADER, TH_DPORT, 2) ||
	    !reader_meta(r, 1, NFT_META_L4PROTO, NFT_REG32_01) ||
	    !reader_lookup(r, 2 + swaps, &lookup) || !lookup.verdicts)
		return 0;
	return reader_take_named(r, 3 + swaps, &lookup, &stmt);
}

/* meta iifkind "veth" */
static int read_interface_kind(struct reader *r)
{
	struct nft_stmt stmt = {.kind = NFT_STMT_INTERFACE_KIND};
	const uint8_t *name = reader_cmp(r, 1, NFT_CMP_EQ, IFNAMSIZ);

	if (!name || !reader_meta(r, 0, NFT_META_IIFKIND, NFT_REG32_00))
		return 0;
	memcpy(stmt.name, name, IFNAMSIZ - 1);
	return reader_take(r, 2, &stmt);
}

/* th dport 4789; th dport @ports */
static int read_any_port(struct reader *r)
{
	return r->proto == UNKNOWN &&
			       reader_payload_is(r, 0, NFT_PAYLOAD_TRANSPORT_HEADER, TH_DPORT, 2)
		       ? read_ports(r)
		       : 0;
}

/* iifname "veth1"; iifname @interfaces; iifname vmap @interfaces */
static int read_interface(struct reader *r)
{
	bool in = reader_meta(r, 0, NFT_META_IIFNAME, NFT_REG32_00);
	struct nft_stmt stmt = {.dir = in ? NFT_DIR_SOURCE : NFT_DIR_DESTINATION};
	const uint8_t *name = reader_cmp(r, 1, NFT_CMP_EQ, IFNAMSIZ);
	struct lookup lookup;

	if (!in && !reader_meta(r, 0, NFT_META_OIFNAME, NFT_REG32_00))
		return 0;
	if (name) {
		stmt.kind = NFT_STMT_INTERFACE;
		memcpy(stmt.name, name, IFNAMSIZ - 1);
		return reader_take(r, 2, &stmt);
	}
	if (!reader_lookup(r, 1, &lookup))
		return 0;
	stmt.kind = lookup.verdicts ? NFT_STMT_INTERFACE_MAP : NFT_STMT_INTERFACE_SET;
	return reader_take_named(r, 2, &lookup, &stmt);
}

/* iif vmap @interfaces */
static int read_index(struct reader *r)
{
	bool in = reader_meta(r, 0, NFT_META_IIF, NFT_REG32_00);
	struct nft_stmt stmt = {.kind = NFT_STMT_INDEX_MAP,
				.dir = in ? NFT_DIR_SOURCE : NFT_DIR_DESTINATION};
	struct lookup lookup;

	if (!in && !reader_meta(r, 0, NFT_META_OIF, NFT_REG32_00))
		return 0;
	return reader_lookup(r, 1, &lookup) && lookup.verdicts
		       ? reader_take_named(r, 2, &lookup, &stmt)
		       : 0;
}

static bool lists_vlan_types(const struct decoded_list *list)
{
	static const uint8_t types[] = {ETH_P_8021Q >> 8, ETH_P_8021Q & 0xff, ETH_P_8021AD >> 8,
					ETH_P_8021AD & 0xff};

	return list && !list->interval && list->elems.n == 2 &&
	       memcmp(list->elems.v[0].first, types, 2) == 0 &&
	       memcmp(list->elems.v[1].first, types + 2, 2) == 0;
}

/* ether saddr 0a:00:00:00:00:01 ether type ip */
static int read_ether_frame(struct reader *r)
{
	const uint8_t *value = reader_cmp(r, 1, NFT_CMP_EQ, NFT_ETHER_BYTES + 2);
	struct nft_stmt stmt = {.kind = NFT_STMT_ETHER_FRAME};
	int type = value ? value[NFT_ETHER_BYTES] << 8 | value[NFT_ETHER_BYTES + 1] : 0;

	if (type != ETH_P_IP && type != ETH_P_IPV6)
		return 0;
	memcpy(stmt.ether, value, sizeof(stmt.ether));
	stmt.family = type == ETH_P_IP ? FAMILY_V4 : FAMILY_V6;
	r->family = stmt.family;
	return reader_take(r, 2, &stmt);
}

/* ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 */
static int read_ether_group(struct reader *r)
{
	static const uint8_t group[NFT_ETHER_BYTES] = {1};
	const uint8_t *mask = reader_mask(r, 1, sizeof(group));
	const uint8_t *value = reader_cmp(r, 2, NFT_CMP_EQ, sizeof(group));

	return mask && value && memcmp(mask, group, sizeof(group)) == 0 &&
			       memcmp(value, group, sizeof(group)) == 0
		       ? reader_take(r, 3, &(struct nft_stmt){.kind = NFT_STMT_ETHER_GROUP})
		       : 0;
}

/* ether saddr != 0a:00:00:00:00:01, behind so many expressions about the device */
static int read_ether_source(struct reader *r, size_t behind)
{
	struct nft_stmt stmt = {.kind = NFT_STMT_ETHER_SOURCE};
	const uint8_t *value = reader_match(r, behind + 1, NFT_ETHER_BYTES, &stmt.negate);

	if (!value)
		return 0;
	memcpy(stmt.ether, value, sizeof(stmt.ether));
	return reader_take(r, behind + 2, &stmt);
}

/* The same in the family inet. */
static int read_ether_of_device(struct reader *r)
{
	const uint16_t ethernet = ARPHRD_ETHER;
	const uint8_t *type = reader_cmp(r, 1, NFT_CMP_EQ, sizeof(ethernet));
	struct payload payload;

	if (r->table == NFT_TABLE_BRIDGE || !reader_meta(r, 0, NFT_META_IIFTYPE, NFT_REG32_00) ||
	    !type || memcmp(type, &ethernet, sizeof(ethernet)) != 0 ||
	    !reader_payload(r, 2, NFT_REG32_00, &payload) ||
	    payload.base != NFT_PAYLOAD_LL_HEADER || payload.offset != ETHER_SADDR ||
	    payload.len != NFT_ETHER_BYTES)
		return 0;
	return read_ether_source(r, 2);
}

static int read_ethernet(struct reader *r)
{
	bool negate = false;
	struct payload payload;

	if (r->table != NFT_TABLE_BRIDGE || !reader_payload(r, 0, NFT_REG32_00, &payload) ||
	    payload.base != NFT_PAYLOAD_LL_HEADER)
		return 0;
	if (payload.offset == ETHER_SADDR && payload.len == NFT_ETHER_BYTES)
		return read_ether_source(r, 0);
	if (payload.offset == ETHER_SADDR && payload.len == NFT_ETHER_BYTES + 2)
		return read_ether_frame(r);
	if (payload.offset == ETHER_DADDR && payload.len == NFT_ETHER_BYTES)
		return read_ether_group(r);
	if (payload.offset != ETHER_TYPE || payload.len != 2 ||
	    !lists_vlan_types(reader_list(r, 1, NFT_TYPE_ID_ETHERTYPE, &negate)) || negate)
		return 0;
	return reader_take(r, 2, &(struct nft_stmt){.kind = NFT_STMT_VLAN});
}

/* ct state established,related; ct state != established */
static int read_established(struct reader *r)
{
	const struct nftnl_expr *expr = reader_expr(r, 0, "ct");
	const uint32_t states = CT_ESTABLISHED_RELATED, one = CT_ESTABLISHED, none = 0;
	const uint8_t *other = reader_cmp(r, 1, NFT_CMP_NEQ, sizeof(one));
	const uint8_t *mask = reader_mask(r, 1, sizeof(states));
	const uint8_t *value = reader_cmp(r, 2, NFT_CMP_NEQ, sizeof(none));

	if (!expr || nftnl_expr_is_set(expr, NFTNL_EXPR_CT_DIR) ||
	    nftnl_expr_get_u32(expr, NFTNL_EXPR_CT_KEY) != NFT_CT_STATE ||
	    !reader_register_is(expr, NFTNL_EXPR_CT_DREG, NFT_REG32_00))
		return 0;
	if (other && memcmp(other, &one, sizeof(one)) == 0)
		return reader_take(r, 2, &(struct nft_stmt){.kind = NFT_STMT_CT_OTHER});
	if (!mask || !value || memcmp(mask, &states, sizeof(states)) != 0 ||
	    memcmp(value, &none, sizeof(none)) != 0)
		return 0;
	return reader_take(r, 3, &(struct nft_stmt){.kind = NFT_STMT_CT_ESTABLISHED});
}

/* fib saddr type local */
static int read_local_source(struct reader *r)
{
	const struct nftnl_expr *expr = reader_expr(r, 0, "fib");
	const uint32_t local = RTN_LOCAL;
	const uint8_t *value = reader_cmp(r, 1, NFT_CMP_EQ, sizeof(local));

	return expr && value && memcmp(value, &local, sizeof(local)) == 0 &&
			       nftnl_expr_get_u32(expr, NFTNL_EXPR_FIB_RESULT) ==
				       NFT_FIB_RESULT_ADDRTYPE &&
			       nftnl_expr_get_u32(expr, NFTNL_EXPR_FIB_FLAGS) == NFTA_FIB_F_SADDR &&
			       reader_register_is(expr, NFTNL_EXPR_FIB_DREG, NFT_REG32_00)
		       ? reader_take(r, 2, &(struct nft_stmt){.kind = NFT_STMT_LOCAL_SOURCE})
		       : 0;
}

/* accept, drop, jump, goto */
static int read_verdict(struct reader *r)
{
	const struct nftnl_expr *expr = reader_expr(r, 0, "immediate");
	struct nft_stmt stmt = {.kind = NFT_STMT_VERDICT};

	if (!expr || nftnl_expr_get_u32(expr, NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT ||
	    !decode_verdict((int32_t)nftnl_expr_get_u32(expr, NFTNL_EXPR_IMM_VERDICT),
			    nftnl_expr_get_str(expr, NFTNL_EXPR_IMM_CHAIN), &stmt.verdict))
		return 0;
	return reader_take(r, 1, &stmt);
}

static int read_counter(struct reader *r)
{
	return reader_expr(r, 0, "counter")
		       ? reader_take(r, 1, &(struct nft_stmt){.kind = NFT_STMT_COUNTER})
		       : 0;
}

static int read_stmt(struct reader *r)
{
	static int (*const readers[])(struct reader *) = {
		read_family,         reader_network,       read_proto,        read_port_map,
		read_interface,      read_index,           read_ethernet,     read_nd_target,
		read_counter,        read_established,     read_local_source, read_verdict,
		read_interface_kind, read_ether_of_device, read_any_port,
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
