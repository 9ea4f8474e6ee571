/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statements as expressions: the bytecode that nft makes of the line above each function. */
#include "encode_expr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/expr.h>

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "expr.h"

/* ip saddr 10.0.0.0/8: whole bytes are compared as such, the rest under a mask. */
static int build_prefix(enum nft_table table, struct nftnl_rule *rule, const struct nft_stmt *stmt)
{
	const struct prefix *prefix = &stmt->prefixes[0];
	uint32_t op = stmt->negate ? NFT_CMP_NEQ : NFT_CMP_EQ;
	uint32_t bytes = (uint32_t)addr_bytes(stmt->family);
	uint8_t mask[16] = {0};
	int rc;

	if (prefix->len % 8 == 0) {
		rc = expr_add_addr_bytes(rule, table, stmt, prefix->len / 8u);
		return rc == 0 ? expr_add_cmp(rule, op, prefix->addr.b, prefix->len / 8u) : rc;
	}
	for (unsigned bit = 0; bit < prefix->len; bit++)
		mask[bit / 8] |= (uint8_t)(0x80u >> (bit % 8));
	rc = expr_add_addr(rule, table, stmt);
	if (rc == 0)
		rc = expr_add_mask(rule, mask, bytes);
	return rc == 0 ? expr_add_cmp(rule, op, prefix->addr.b, bytes) : rc;
}

/* An anonymous set, and its lookup. */
static int look_up_list(struct nft_batch *batch, enum nft_table table, struct nftnl_rule *rule,
			const struct nft_stmt *stmt, struct nft_anonymous *set,
			const struct nft_anonymous_elem *elems, size_t n)
{
	int rc;

	set->id = batch->seq + 1; /* as good as any: unique in the batch */
	set->chain = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);
	rc = nft_build_anonymous_set(batch, table, set, elems, n);
	return rc == 0 ? expr_add_lookup(rule, &(struct expr_lookup){.set = "__set%d",
								     .id = set->id,
								     .negate = stmt->negate})
		       : rc;
}

/* ip saddr != { 10.0.0.7, fe80::/10 } */
static int build_addr(struct nft_batch *batch, enum nft_table table, struct nftnl_rule *rule,
		      const struct nft_stmt *stmt)
{
	uint32_t bytes = (uint32_t)addr_bytes(stmt->family);
	struct nft_anonymous set = {
		.key_len = bytes,
		.key_type = stmt->family == FAMILY_V4 ? NFT_TYPE_ID_IPADDR : NFT_TYPE_ID_IP6ADDR,
	};
	struct nft_anonymous_elem *elems;
	int rc;

	if (stmt->n == 1)
		return build_prefix(table, rule, stmt);
	elems = calloc(stmt->n, sizeof(elems[0]));
	if (!elems)
		return -ENOMEM;
	for (size_t i = 0; i < stmt->n; i++) {
		const struct prefix *prefix = &stmt->prefixes[i];

		memcpy(elems[i].first, prefix->addr.b, bytes);
		memcpy(elems[i].last, prefix->addr.b, bytes);
		for (unsigned bit = prefix->len; bit < bytes * 8; bit++)
			elems[i].last[bit / 8] |= (uint8_t)(0x80u >> (bit % 8));
		set.interval |= prefix->len < bytes * 8;
	}
	rc = expr_add_addr(rule, table, stmt);
	if (rc == 0)
		rc = look_up_list(batch, table, rule, stmt, &set, elems, stmt->n);
	free(elems);
	return rc;
}

static void put_port(uint8_t to[16], uint16_t port)
{
	to[0] = (uint8_t)(port >> 8);
	to[1] = (uint8_t)port;
}

/* tcp dport 8000-8010 */
static int build_one_port(struct nftnl_rule *rule, const struct nft_ports *ports)
{
	uint16_t first = htons(ports->first), last = htons(ports->last);
	int rc;

	if (ports->first == ports->last)
		return expr_add_cmp(rule, NFT_CMP_EQ, &first, sizeof(first));
	rc = expr_add_cmp(rule, NFT_CMP_GTE, &first, sizeof(first));
	return rc == 0 ? expr_add_cmp(rule, NFT_CMP_LTE, &last, sizeof(last)) : rc;
}

/* What `tcp dport` and `th dport` look at. */
static int add_port(struct nftnl_rule *rule, const struct nft_stmt *stmt)
{
	int rc = stmt->proto ? expr_add_l4proto(rule, stmt->proto) : 0;

	return rc == 0 ? expr_add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TH_DPORT, 2,
					  NFT_REG_1)
		       : rc;
}

/* tcp dport { 80, 8000-8010 } */
static int build_ports(struct nft_batch *batch, enum nft_table table, struct nftnl_rule *rule,
		       const struct nft_stmt *stmt)
{
	struct nft_anonymous set = {.key_type = NFT_TYPE_ID_INET_SERVICE, .key_len = 2};
	struct nft_anonymous_elem *elems;
	int rc = add_port(rule, stmt);

	if (rc < 0 || stmt->n == 1)
		return rc < 0 ? rc : build_one_port(rule, &stmt->ports[0]);
	elems = calloc(stmt->n, sizeof(elems[0]));
	if (!elems)
		return -ENOMEM;
	for (size_t i = 0; i < stmt->n; i++) {
		put_port(elems[i].first, stmt->ports[i].first);
		put_port(elems[i].last, stmt->ports[i].last);
		set.interval |= stmt->ports[i].first != stmt->ports[i].last;
	}
	rc = look_up_list(batch, table, rule, stmt, &set, elems, stmt->n);
	free(elems);
	return rc;
}

/* meta l4proto { 4, 41, 47 } */
static int build_protos(struct nft_batch *batch, enum nft_table table, struct nftnl_rule *rule,
			const struct nft_stmt *stmt)
{
	struct nft_anonymous set = {.key_type = NFT_TYPE_ID_INET_PROTO, .key_len = 1};
	struct nft_anonymous_elem *elems = calloc(stmt->n + 1, sizeof(elems[0]));
	int rc = elems ? expr_add_meta(rule, NFT_META_L4PROTO, NFT_REG_1) : -ENOMEM;

	for (size_t i = 0; elems && i < stmt->n; i++)
		elems[i].first[0] = elems[i].last[0] = stmt->types[i];
	if (rc == 0)
		rc = look_up_list(batch, table, rule, stmt, &set, elems, stmt->n);
	free(elems);
	return rc;
}

/* tcp flags != syn / syn,ack */
static int build_not_syn(struct nftnl_rule *rule)
{
	const uint8_t mask = TH_SYN | TH_ACK;
	int rc = expr_add_l4proto(rule, IPPROTO_TCP);

	if (rc == 0)
		rc = expr_add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS, 1, NFT_REG_1);
	if (rc == 0)
		rc = expr_add_mask(rule, &mask, sizeof(mask));
	return rc == 0 ? expr_add_cmp_u8(rule, NFT_CMP_NEQ, TH_SYN) : rc;
}

/* meta l4proto sctp @th,96,8 != 0x1: `sctp chunk init` takes Linux 5.14 */
static int build_not_init(struct nftnl_rule *rule)
{
	int rc = expr_add_l4proto(rule, IPPROTO_SCTP);

	if (rc == 0)
		rc = expr_add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, SCTP_CHUNK, 1, NFT_REG_1);
	return rc == 0 ? expr_add_cmp_u8(rule, NFT_CMP_NEQ, SCTP_CHUNK_INIT) : rc;
}

/* udp dport != @ports */
static int build_port_set(struct nftnl_rule *rule, const struct nft_stmt *stmt)
{
	int rc = add_port(rule, stmt);

	return rc == 0 ? expr_add_lookup(rule, &(struct expr_lookup){.set = stmt->name,
								     .negate = stmt->negate})
		       : rc;
}

/* udp sport 68 udp dport 67: nft joins what is side by side */
static int build_dhcp(struct nftnl_rule *rule, const struct nft_stmt *stmt)
{
	uint16_t client = htons(stmt->family == FAMILY_V4 ? 68 : 546);
	uint16_t server = htons(stmt->family == FAMILY_V4 ? 67 : 547);
	bool from_client = stmt->dir == NFT_DIR_SOURCE;
	uint16_t ports[] = {from_client ? client : server, from_client ? server : client};
	int rc = expr_add_l4proto(rule, IPPROTO_UDP);

	if (rc == 0)
		rc = expr_add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(ports),
				      NFT_REG_1);
	return rc == 0 ? expr_add_cmp(rule, NFT_CMP_EQ, ports, sizeof(ports)) : rc;
}

/* fib saddr type local */
static int build_local_source(struct nftnl_rule *rule)
{
	const uint32_t local = RTN_LOCAL;
	struct nftnl_expr *expr = nftnl_expr_alloc("fib");
	int rc;

	if (expr) {
		nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_SADDR);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
	}
	rc = expr_add(rule, expr);
	return rc == 0 ? expr_add_cmp(rule, NFT_CMP_EQ, &local, sizeof(local)) : rc;
}

/* icmpv6 type { nd-router-solicit, nd-router-advert } */
static int build_icmpv6(struct nft_batch *batch, enum nft_table table, struct nftnl_rule *rule,
			const struct nft_stmt *stmt)
{
	struct nft_anonymous set = {.key_type = NFT_TYPE_ID_ICMPV6_TYPE, .key_len = 1};
	struct nft_anonymous_elem *elems = calloc(stmt->n + 1, sizeof(elems[0]));
	int rc = elems ? 0 : -ENOMEM;

	if (rc == 0 && !stmt->implied)
		rc = table == NFT_TABLE_BRIDGE ? expr_add_ethertype(rule, ETH_P_IPV6)
					       : expr_add_family(rule, table, FAMILY_V6);
	for (size_t i = 0; elems && i < stmt->n; i++)
		elems[i].first[0] = elems[i].last[0] = stmt->types[i];
	if (rc == 0)
		rc = expr_add_l4proto(rule, IPPROTO_ICMPV6);
	if (rc == 0)
		rc = expr_add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, ICMPV6_TYPE, 1,
				      NFT_REG_1);
	if (rc == 0 && stmt->n == 1)
		rc = expr_add_cmp_u8(rule, NFT_CMP_EQ, stmt->types[0]);
	else if (rc == 0)
		rc = look_up_list(batch, table, rule, stmt, &set, elems, stmt->n);
	free(elems);
	return rc;
}

/* ether type { 8021q, 8021ad }: the kernel puts a tag that it has taken out of the frame back in
 * here, but not where `meta protocol` looks. */
static int build_vlan(struct nft_batch *batch, enum nft_table table, struct nftnl_rule *rule,
		      const struct nft_stmt *stmt)
{
	static const struct nft_anonymous_elem types[] = {
		{{ETH_P_8021Q >> 8, ETH_P_8021Q & 0xff}, {0}},
		{{ETH_P_8021AD >> 8, ETH_P_8021AD & 0xff}, {0}},
	};
	struct nft_anonymous set = {.key_type = NFT_TYPE_ID_ETHERTYPE, .key_len = 2};
	int rc = expr_add_payload(rule, NFT_PAYLOAD_LL_HEADER, ETHER_TYPE, 2, NFT_REG_1);

	return rc == 0 ? look_up_list(batch, table, rule, stmt, &set, types, 2) : rc;
}

/* ether saddr != 0a:00:00:00:00:01: in the family inet, of devices that have such an address */
static int build_ether(enum nft_table table, struct nftnl_rule *rule, const struct nft_stmt *stmt)
{
	const uint16_t ethernet = ARPHRD_ETHER; /* in the host's order, nft_meta_get_eval() */
	int rc = 0;

	if (table != NFT_TABLE_BRIDGE)
		rc = expr_add_meta(rule, NFT_META_IIFTYPE, NFT_REG_1);
	if (rc == 0 && table != NFT_TABLE_BRIDGE)
		rc = expr_add_cmp(rule, NFT_CMP_EQ, &ethernet, sizeof(ethernet));
	if (rc == 0)
		rc = expr_add_payload(rule, NFT_PAYLOAD_LL_HEADER, ETHER_SADDR, sizeof(stmt->ether),
				      NFT_REG_1);

	return rc == 0 ? expr_add_cmp(rule, stmt->negate ? NFT_CMP_NEQ : NFT_CMP_EQ, stmt->ether,
				      sizeof(stmt->ether))
		       : rc;
}

/* ether saddr 0a:00:00:00:00:01 ether type ip: nft joins what is side by side. A frame with a VLAN
 * tag has the tag's type here. */
static int build_ether_frame(struct nftnl_rule *rule, const struct nft_stmt *stmt)
{
	uint16_t type = htons(stmt->family == FAMILY_V4 ? ETH_P_IP : ETH_P_IPV6);
	uint8_t wanted[sizeof(stmt->ether) + sizeof(type)];
	int rc = expr_add_payload(rule, NFT_PAYLOAD_LL_HEADER, ETHER_SADDR, sizeof(wanted),
				  NFT_REG_1);

	memcpy(wanted, stmt->ether, sizeof(stmt->ether));
	memcpy(wanted + sizeof(stmt->ether), &type, sizeof(type));
	return rc == 0 ? expr_add_cmp(rule, NFT_CMP_EQ, wanted, sizeof(wanted)) : rc;
}

/* ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 */
static int build_ether_group(struct nftnl_rule *rule)
{
	static const uint8_t group[NFT_ETHER_BYTES] = {1};
	int rc = expr_add_payload(rule, NFT_PAYLOAD_LL_HEADER, ETHER_DADDR, sizeof(group),
				  NFT_REG_1);

	if (rc == 0)
		rc = expr_add_mask(rule, group, sizeof(group));
	return rc == 0 ? expr_add_cmp(rule, NFT_CMP_EQ, group, sizeof(group)) : rc;
}

static int add_ct_state(struct nftnl_rule *rule)
{
	struct nftnl_expr *expr = nftnl_expr_alloc("ct");

	if (expr) {
		nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, NFT_CT_STATE);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	}
	return expr_add(rule, expr);
}

/* ct state != established: a packet has one state, a bit of its own */
static int build_not_established(struct nftnl_rule *rule)
{
	const uint32_t established = CT_ESTABLISHED;
	int rc = add_ct_state(rule);

	return rc == 0 ? expr_add_cmp(rule, NFT_CMP_NEQ, &established, sizeof(established)) : rc;
}

/* ct state established,related */
static int build_established(struct nftnl_rule *rule)
{
	const uint32_t states = CT_ESTABLISHED_RELATED, none = 0;
	int rc = add_ct_state(rule);

	if (rc == 0)
		rc = expr_add_mask(rule, (const uint8_t *)&states, sizeof(states));
	return rc == 0 ? expr_add_cmp(rule, NFT_CMP_NEQ, &none, sizeof(none)) : rc;
}

/* ip6 hoplimit 255 */
static int build_hoplimit(struct nftnl_rule *rule, enum nft_table table,
			  const struct nft_stmt *stmt)
{
	int rc = stmt->implied ? 0 : expr_add_family(rule, table, FAMILY_V6);

	if (rc == 0)
		rc = expr_add_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, IP6_HOPLIMIT, 1, NFT_REG_1);
	return rc == 0 ? expr_add_cmp_u8(rule, NFT_CMP_EQ, stmt->hoplimit) : rc;
}

/* @th,64,128 != 0xfd000000000000000000000000000007: nft has no word for it before 1.0.8. What is
 * left of a byte is compared under a mask. */
static int build_nd_target(struct nftnl_rule *rule, const struct nft_stmt *stmt)
{
	const struct prefix *prefix = &stmt->prefixes[0];
	uint32_t bytes = (prefix->len + 7u) / 8;
	uint8_t mask[16] = {0};
	int rc = expr_add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, ND_TARGET, bytes, NFT_REG_1);

	for (unsigned bit = 0; bit < prefix->len; bit++)
		mask[bit / 8] |= (uint8_t)(0x80u >> (bit % 8));
	if (rc == 0 && prefix->len % 8 != 0)
		rc = expr_add_mask(rule, mask, bytes);
	return rc == 0 ? expr_add_cmp(rule, stmt->negate ? NFT_CMP_NEQ : NFT_CMP_EQ, prefix->addr.b,
				      bytes)
		       : rc;
}

static uint32_t interface_key(enum nft_dir dir)
{
	return dir == NFT_DIR_SOURCE ? NFT_META_IIFNAME : NFT_META_OIFNAME;
}

/* iifname "veth1" */
static int build_interface(struct nftnl_rule *rule, const struct nft_stmt *stmt)
{
	char name[IFNAMSIZ] = {0};
	int rc = expr_add_meta(rule, interface_key(stmt->dir), NFT_REG_1);

	memcpy(name, stmt->name, strnlen(stmt->name, sizeof(name) - 1));
	return rc == 0 ? expr_add_cmp(rule, NFT_CMP_EQ, name, sizeof(name)) : rc;
}

/* meta iifkind "veth": since Linux 5.6 */
static int build_interface_kind(struct nftnl_rule *rule, const struct nft_stmt *stmt)
{
	char name[IFNAMSIZ] = {0};
	int rc = expr_add_meta(rule, NFT_META_IIFKIND, NFT_REG_1);

	memcpy(name, stmt->name, strnlen(stmt->name, sizeof(name) - 1));
	return rc == 0 ? expr_add_cmp(rule, NFT_CMP_EQ, name, sizeof(name)) : rc;
}

/* th dport . meta l4proto vmap @ports: fields take registers of four bytes, one after the other. */
static int build_port_map(struct nftnl_rule *rule, const char *set)
{
	int rc = expr_add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TH_DPORT, 2, NFT_REG_1);

	if (rc == 0)
		rc = expr_add_meta(rule, NFT_META_L4PROTO, NFT_REG32_01);
	return rc == 0 ? expr_add_named_lookup(rule, set, true) : rc;
}

/* ip daddr . meta l4proto . th dport @named */
static int build_tuple(struct nftnl_rule *rule, enum nft_table table, const struct nft_stmt *stmt)
{
	uint32_t proto = stmt->family == FAMILY_V4 ? NFT_REG32_01 : NFT_REG32_04;
	int rc = expr_add_addr(rule, table, stmt);

	if (rc == 0)
		rc = expr_add_meta(rule, NFT_META_L4PROTO, proto);
	if (rc == 0)
		rc = expr_add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TH_DPORT, 2, proto + 1);
	return rc == 0 ? expr_add_named_lookup(rule, stmt->name, false) : rc;
}

/* ip saddr . ip daddr . meta l4proto . th sport . th dport @flows */
static int build_flow(struct nftnl_rule *rule, enum nft_table table, const struct nft_stmt *stmt)
{
	bool v4 = stmt->family == FAMILY_V4;
	uint32_t bytes = (uint32_t)addr_bytes(stmt->family), reg = NFT_REG32_00 + bytes / 4;
	int rc = stmt->implied ? 0 : expr_add_family(rule, table, stmt->family);

	if (rc == 0)
		rc = expr_add_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, v4 ? IP_SADDR : IP6_SADDR,
				      bytes, NFT_REG_1);
	/* The register of four bytes that the first of sixteen begins with is that one. */
	if (rc == 0)
		rc = expr_add_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, v4 ? IP_DADDR : IP6_DADDR,
				      bytes, reg);
	reg += bytes / 4;
	if (rc == 0)
		rc = expr_add_meta(rule, NFT_META_L4PROTO, reg);
	if (rc == 0)
		rc = expr_add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TH_SPORT, 2, reg + 1);
	if (rc == 0)
		rc = expr_add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TH_DPORT, 2, reg + 2);
	return rc == 0 ? expr_add_named_lookup(rule, stmt->name, false) : rc;
}

static int build_verdict(struct nftnl_rule *rule, const struct nft_verdict *verdict)
{
	static const int codes[] = {NF_ACCEPT, NF_DROP, NFT_RETURN, NFT_JUMP, NFT_GOTO};
	struct nftnl_expr *expr = nftnl_expr_alloc("immediate");

	if (!expr)
		return -ENOMEM;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, (uint32_t)codes[verdict->kind]);
	return expr_add_complete(
		rule, expr,
		!verdict->chain[0] ||
			nftnl_expr_set_str(expr, NFTNL_EXPR_IMM_CHAIN, verdict->chain) == 0);
}

int nft_build_stmt(struct nft_batch *batch, enum nft_table table, struct nftnl_rule *rule,
		   const struct nft_stmt *stmt)
{
	int rc;

	switch (stmt->kind) {
	case NFT_STMT_CT_ESTABLISHED:
		return build_established(rule);
	case NFT_STMT_CT_OTHER:
		return build_not_established(rule);
	case NFT_STMT_ICMPV6_TYPES:
		return build_icmpv6(batch, table, rule, stmt);
	case NFT_STMT_HOPLIMIT:
		return build_hoplimit(rule, table, stmt);
	case NFT_STMT_FAMILY:
		return expr_add_family(rule, table, stmt->family);
	case NFT_STMT_VLAN:
		return build_vlan(batch, table, rule, stmt);
	case NFT_STMT_ETHER_SOURCE:
		return build_ether(table, rule, stmt);
	case NFT_STMT_ETHER_FRAME:
		return build_ether_frame(rule, stmt);
	case NFT_STMT_ETHER_TYPE:
		return expr_add_ethertype(rule, stmt->family == FAMILY_V4 ? ETH_P_IP : ETH_P_IPV6);
	case NFT_STMT_ETHER_GROUP:
		return build_ether_group(rule);
	case NFT_STMT_ADDR:
	case NFT_STMT_ARP_SOURCE:
		return build_addr(batch, table, rule, stmt);
	case NFT_STMT_ND_TARGET:
		return build_nd_target(rule, stmt);
	case NFT_STMT_ADDR_SET:
	case NFT_STMT_ADDR_MAP:
		rc = expr_add_addr(rule, table, stmt);
		return rc == 0 ? expr_add_named_lookup(rule, stmt->name,
						       stmt->kind == NFT_STMT_ADDR_MAP)
			       : rc;
	case NFT_STMT_TUPLE_SET:
		return build_tuple(rule, table, stmt);
	case NFT_STMT_FLOW_SET:
		return build_flow(rule, table, stmt);
	case NFT_STMT_PROTO:
		return expr_add_l4proto_cmp(rule, stmt->negate ? NFT_CMP_NEQ : NFT_CMP_EQ,
					    stmt->proto);
	case NFT_STMT_PROTOS:
		return build_protos(batch, table, rule, stmt);
	case NFT_STMT_TCP_NOT_SYN:
		return build_not_syn(rule);
	case NFT_STMT_SCTP_NOT_INIT:
		return build_not_init(rule);
	case NFT_STMT_PORTS:
		return build_ports(batch, table, rule, stmt);
	case NFT_STMT_PORT_SET:
		return build_port_set(rule, stmt);
	case NFT_STMT_DHCP:
		return build_dhcp(rule, stmt);
	case NFT_STMT_LOCAL_SOURCE:
		return build_local_source(rule);
	case NFT_STMT_INTERFACE:
		return build_interface(rule, stmt);
	case NFT_STMT_INTERFACE_KIND:
		return build_interface_kind(rule, stmt);
	case NFT_STMT_INTERFACE_SET:
	case NFT_STMT_INTERFACE_MAP:
		rc = expr_add_meta(rule, interface_key(stmt->dir), NFT_REG_1);
		return rc == 0 ? expr_add_named_lookup(rule, stmt->name,
						       stmt->kind == NFT_STMT_INTERFACE_MAP)
			       : rc;
	case NFT_STMT_INDEX_MAP:
		rc = expr_add_meta(rule, stmt->dir == NFT_DIR_SOURCE ? NFT_META_IIF : NFT_META_OIF,
				   NFT_REG_1);
		return rc == 0 ? expr_add_named_lookup(rule, stmt->name, true) : rc;
	case NFT_STMT_PORT_MAP:
		return build_port_map(rule, stmt->name);
	case NFT_STMT_COUNTER:
		return expr_add(rule, nftnl_expr_alloc("counter"));
	case NFT_STMT_VERDICT:
		return build_verdict(rule, &stmt->verdict);
	}
	return 0;
}
